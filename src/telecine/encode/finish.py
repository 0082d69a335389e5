"""A journal's packets to a finished file, with the index in front. Nothing is encoded again.

What a container takes is planned first, in a row for each muxer; then packet after packet is copied by that plan. The
muxer sees file objects, never a name: what FFmpeg takes for a URL, a pattern or an option can't be one here.
"""

from __future__ import annotations

import contextlib
import functools
import heapq
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import chain, pairwise
from math import floor, lcm
from types import MappingProxyType, SimpleNamespace
from typing import Any, BinaryIO, NamedTuple, cast

import av
from av import Packet
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream

from ..container import alpha_packets as alpha
from ..container.alpha_packets import VideoPacket
from ..container.hdr_boxes import HdrMetadata
from ..errors import EncodeError, OptionError, TelecineError
from ..formats.containers import Container
from ..metadata.mp4 import boxes_of, replace_filler
from ..metadata.tags import EXACT_COPY, Metadata, tags_of
from ..publish.hidden import Reader
from ..publish.publication import Publication
from ..sound.encode import AudioPacket, Soundtrack, add_audio_stream, encoded
from ..support.ffmpeg_log import captured_log, in_words
from ..support.pyav import exact, seconds
from .journal_packets import opened_journal, whole_packets

_AVIO_FLAG_READ = 1
MOST_MOVIE_TICKS = 2**31 - 1  # a time scale is 32 bit (ISO/IEC 14496-12 8.2.2), and FFmpeg's is signed


def write_finished(
    journal: BinaryIO,
    finished: BinaryIO,
    container: Container,
    duration: Fraction | None = None,
    torn: bool = False,
    sound: Soundtrack | None = None,
    hdr: HdrMetadata | None = None,
) -> int:
    """Copy the packets of a journal's whole fragments to a file, with the sound encoded, and give how many they are.

    It says of itself what the journal says. Its frames are shown as long as there, but for the last, if the file is to
    last `duration` seconds. One that may be torn, for its writer died, ends in front of the first packet that is not
    whole.
    HDR metadata goes into the key frames and into what the container has for it.

    Raises:
        av.FFmpegError: the journal can't be read: it has no index, or no fragment.
        OptionError: the container has no place for the journal's alpha.
    """
    with opened_journal(journal, b"" if hdr is None else hdr.boxes) as (source, stream):
        metadata = Metadata.read(source.metadata.get(EXACT_COPY))
        plan = plan_of(container, content_of(stream, metadata, duration, sound))
        packets = _as_planned(whole_packets(source, stream, torn), stream, plan, hdr)
        with opened_muxer(finished, container, plan) as target:
            count = _copy(packets, target, add_video_stream(target, stream, plan), sound, container.clock)
    if plan.boxes is not None and count:
        replace_filler(finished, *plan.boxes)
    return count


# ---- the plan ------------------------------------------------------------------------------------------------------


class Content(NamedTuple):
    """What goes into the file with the packets: what it says of itself, its clock, how long it lasts, its sound.

    It counts `ticks` a second. Its frames are at a `rate`, or, where some are shown longer than others, last `duration`
    seconds in all. The sound has `sample_rate` samples a second. `alpha_beside` tells of alpha that is in no picture.
    """

    metadata: Metadata | None
    ticks: int
    rate: Fraction | None = None
    duration: Fraction | None = None
    sample_rate: int | None = None
    alpha_beside: bool = False


def content_of(
    stream: VideoStream, metadata: Metadata | None, duration: Fraction | None, sound: Soundtrack | None
) -> Content:
    """Give the content of a file that is made of a journal's stream."""
    return Content(
        metadata,
        ticks=stream.time_base.denominator if stream.time_base else 1,
        rate=exact(stream.average_rate) if duration is None else None,
        duration=duration,
        sample_rate=None if sound is None else sound.coding.rate,
        alpha_beside=alpha.is_joined(stream),
    )


class Plan(NamedTuple):
    """What a muxer is told of a file: its own options, the tags, and how its stream of pictures is called and timed.

    `boxes` take the place of what the tags filled, once the file is complete. The `rate` is left to the muxer where it
    is None, and the `end` of the last frame, in ticks, to the journal.
    """

    options: Mapping[str, str]
    tags: Mapping[str, str]
    boxes: tuple[bytes, bytes] | None = None
    keeps_codec_tag: bool = False
    rate: Fraction | None = None
    end: int | None = None


def plan_of(container: Container, content: Content) -> Plan:
    """Plan a file.

    Raises:
        OptionError: the container has no place for alpha beside the pictures.
    """
    return _PLANS[container.muxer](container, content)


def _mp4_plan(container: Container, content: Content) -> Plan:
    if content.alpha_beside:
        said = f"the frames have alpha, which {container.name} can't hold beside VP9: use .webm or .mkv"
        raise OptionError(said, page="alpha")
    # The movie counts in the media's ticks, so that edit lists are exact (ISO/IEC 14496-12 8.2.2, 8.6.6).
    ticks = {"video_track_timescale": str(content.ticks), "movie_timescale": str(_movie_ticks(content))}
    options = dict(container.options) | ticks
    tags, boxes = {}, None
    if content.metadata is not None:
        boxes = boxes_of(content.metadata, quicktime=container.name == "mov")
        tags = {"filler": "-" * sum(map(len, boxes))}
        options["movflags"] += "+use_metadata_tags"
    return Plan(
        MappingProxyType(options),
        MappingProxyType(tags),
        boxes,
        keeps_codec_tag=True,  # for the muxer's own choice is hev1 and ProRes 422
        rate=content.rate,
        end=_end(content),
    )


def _matroska_plan(container: Container, content: Content) -> Plan:
    return Plan(
        container.options,
        MappingProxyType({} if content.metadata is None else tags_of(content.metadata)),
        rate=content.rate,  # by which it says how long each frame is shown
        end=_end(content),
    )


_PLANS: Mapping[str, Callable[[Container, Content], Plan]] = {
    "mp4": _mp4_plan,
    "mov": _mp4_plan,
    "webm": _matroska_plan,
    "matroska": _matroska_plan,
}


def _end(content: Content) -> int | None:
    return None if content.duration is None else int(content.duration * content.ticks)


def _movie_ticks(content: Content) -> int:
    """Give a time scale that counts both frames and samples, as low as it can be: long durations take 64 bits."""
    if content.sample_rate is None:
        return content.ticks
    rate = content.rate
    of_frames = rate.numerator if rate and content.ticks % rate.numerator == 0 else content.ticks
    of_both = lcm(of_frames, content.sample_rate)
    return of_both if of_both <= MOST_MOVIE_TICKS else content.ticks


@contextlib.contextmanager
def copying(publication: Publication, problem: str) -> Iterator[None]:
    """Say of what ends the copying of packets of another's file what the problem is, with FFmpeg's words.

    Raises:
        EncodeError: packets, times or tables can't be.
        PublishError: the disk failed.
    """
    try:
        with captured_log() as lines:
            yield
    except TelecineError:
        raise
    except (av.FFmpegError, ValueError, IndexError, OverflowError) as error:
        raise EncodeError(f"{problem}: {in_words(error, lines)}") from error
    except OSError as error:
        raise publication.failure(error) from error


# ---- the copy ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def opened_muxer(finished: BinaryIO, container: Container, plan: Plan) -> Iterator[OutputContainer]:
    """Open a muxer and complete its file; after an error only let go of it, for completing it would raise another."""
    target = av.open(
        # Without the file's name, which need not be text.
        SimpleNamespace(write=finished.write, seek=finished.seek, tell=finished.tell),
        "w",
        format=container.muxer,
        container_options=dict(plan.options),
        io_open=functools.partial(_reopen, finished),
        buffer_size=1 << 18,
    )
    target.metadata.update(plan.tags)
    try:
        yield target
    except BaseException:
        with contextlib.suppress(Exception):
            target.close()
        raise
    target.close()


def _reopen(file: BinaryIO, url: str, flags: int, options: object) -> BinaryIO:
    """Open the file again for the muxer, which reads what it shifts to make room for the index in front."""
    assert flags == _AVIO_FLAG_READ
    return io.BytesIO(file.getvalue()) if isinstance(file, io.BytesIO) else cast(BinaryIO, Reader(file))


def add_video_stream(target: OutputContainer, stream: VideoStream, plan: Plan) -> VideoStream:
    """Add the stream of pictures to a file whose header is not written yet."""
    pictures = target.add_stream_from_template(stream, opaque=True)  # its codec is a decoder: none encodes here
    if plan.keeps_codec_tag:
        pictures.codec_context.codec_tag = stream.codec_context.codec_tag
    if plan.rate is not None:
        pictures.codec_context.framerate = plan.rate
    if alpha.is_joined(stream) or alpha.is_beside(stream):
        pictures.codec_context.pix_fmt = alpha.PIXEL_FORMAT
    return pictures


def _as_planned(
    packets: Iterator[VideoPacket], stream: VideoStream, plan: Plan, hdr: HdrMetadata | None
) -> Iterator[VideoPacket]:
    """Put HDR metadata into the key frames, and let the frame that is shown last end where the file is to end."""
    codec = stream.codec_context.codec.canonical_name
    for packet, following in pairwise(chain(packets, (None,))):
        assert packet is not None
        if hdr is not None and packet.is_keyframe:
            packet = alpha.with_data(packet, hdr.in_key_frame(codec, bytes(packet)))
        if plan.end is not None:
            show_until(plan.end, packet, is_last=following is None)
        yield packet


def show_until(end: int, packet: VideoPacket, is_last: bool) -> None:
    """Say of each packet of a file that it is shown until the file's end, which is so of the frame shown last.

    Which that is in the file's order shows too late, and how long another one is shown the muxers take from the times
    alone. MP4's takes the last packet's duration from when it is decoded, for `stts`, and from when it is shown, for
    the edit list: decoded when it is shown, it ends at the same time in both.
    """
    assert packet.pts is not None
    packet.duration = end - packet.pts
    if is_last:
        packet.dts = packet.pts


def _copy(
    packets: Iterator[VideoPacket],
    target: OutputContainer,
    pictures: VideoStream,
    sound: Soundtrack | None,
    clock: Fraction | None,
) -> int:
    """Write the packets, with those of the sound among them in the order of decoding; gives the number of frames."""
    count = 0
    in_order: Iterator[VideoPacket | AudioPacket]
    in_order = heapq.merge(packets, audio_packets(target, sound, clock), key=decoded_at)
    for packet in in_order:
        if not isinstance(packet.stream, AudioStream):
            packet.stream = pictures
            count += 1
        target.mux(packet)
    return count


def audio_packets(target: OutputContainer, sound: Soundtrack | None, clock: Fraction | None) -> Iterator[AudioPacket]:
    """Add a stream of sound to a file whose header is not written yet, and encode it."""
    if sound is None:
        return iter(())
    packets = encoded(add_audio_stream(target, sound.track, sound.coding), sound.track, sound.samples)
    return packets if clock is None else rounded_up(packets, clock)


def rounded_up(packets: Iterable[AudioPacket], clock: Fraction) -> Iterator[AudioPacket]:
    """Let the halves of a coarse clock be rounded up, not away from zero.

    Opus begins 6.5 ms early (RFC 7845 4.2). Of a packet at -7 ms browsers drop 7 ms, which is 24 samples too many.
    """
    for packet in packets:
        assert packet.pts is not None
        ticks = seconds(1, packet.time_base) / clock
        packet.pts = packet.dts = floor(packet.pts * ticks + Fraction(1, 2))
        packet.duration = round((packet.duration or 0) * ticks)
        packet.time_base = clock
        yield packet


def decoded_at(packet: Packet[Any]) -> Fraction:
    """Give when a packet is decoded, in seconds."""
    assert packet.dts is not None
    return seconds(packet.dts, packet.time_base)
