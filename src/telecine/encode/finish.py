"""A journal's packets to a finished file, with the index in front. Nothing is encoded again.

The muxer sees file objects, never a name: what FFmpeg takes for a URL, a pattern or an option can't be one here.
"""

from __future__ import annotations

import contextlib
import functools
import heapq
import io
import os
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain, pairwise
from math import floor, lcm
from types import SimpleNamespace
from typing import BinaryIO, cast

import av
from av import Packet
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from ..container import alpha_packets as alpha
from ..container.alpha_packets import VideoPacket
from ..container.boxes import end_of_fragments, top_level_boxes, with_boxes_of_sample_entry
from ..container.hdr_boxes import HdrMetadata
from ..errors import OptionError
from ..formats.containers import Container
from ..metadata.mp4 import boxes_of, replace_filler
from ..metadata.tags import EXACT_COPY, read_exact, tags_of
from ..publish.hidden import Reader
from ..sound.encode import AudioPacket, Soundtrack, add_audio_stream, encoded
from ..support.pyav import exact, open_input, seconds

_AVIO_FLAG_READ = 1
_MOST_MOVIE_TICKS = 2**31 - 1  # a time scale is 32 bit (ISO/IEC 14496-12 8.2.2), and FFmpeg's is signed
_MOST_TICKS = 2**62  # far beyond any video, and two of them still fit FFmpeg's 64 bits
_TORN = 512  # bytes that are all zero at the end of a packet only if they never reached the disk


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
    count = 0
    with _opened(journal, b"" if hdr is None else hdr.boxes) as (source, stream):
        joined = alpha.is_joined(stream)
        if joined and container.muxer not in ("webm", "matroska"):
            raise OptionError(f"the frames have alpha, which {container.name} can't hold beside VP9: use .webm or .mkv")
        ticks = stream.time_base.denominator if stream.time_base else 1
        rate = exact(stream.average_rate)
        options = dict(container.options)
        if container.clock is None:
            # The movie counts in the media's ticks, so that edit lists are exact (ISO/IEC 14496-12 8.2.2, 8.6.6).
            options["video_track_timescale"] = str(ticks)
            options["movie_timescale"] = str(ticks if sound is None else _movie_ticks(stream, ticks, duration, sound))
        tags, boxes = _said(source, container)
        if boxes is not None:
            options["movflags"] += "+use_metadata_tags"
        target = av.open(
            # Without the file's name, which need not be text.
            SimpleNamespace(write=finished.write, seek=finished.seek, tell=finished.tell),
            "w",
            format=container.muxer,
            container_options=options,
            io_open=functools.partial(_reopen, finished),
            buffer_size=1 << 18,
        )
        target.metadata.update(tags)
        with _closed(target):
            copied = target.add_stream_from_template(stream, opaque=True)  # its codec is a decoder: none encodes here
            if container.clock is None:  # the journal's, for the muxer's own choice is hev1 and ProRes 422
                copied.codec_context.codec_tag = stream.codec_context.codec_tag
            if duration is None and rate is not None:  # evenly timed: Matroska says how long each frame is shown
                copied.codec_context.framerate = rate
            packets = _whole(source.demux(stream), torn)
            if joined:
                copied.codec_context.pix_fmt = alpha.PIXEL_FORMAT
                packets = alpha.parted(packets)
            packets = _from_zero(packets)
            if hdr is not None:
                packets = _with_metadata(packets, stream.codec_context.codec.canonical_name, hdr)
            if duration is not None:
                packets = _ending_at(int(duration * ticks), packets)
            in_order: Iterator[VideoPacket | AudioPacket]
            in_order = heapq.merge(packets, _audio_packets(target, sound, container.clock), key=_decoded_at)
            for packet in in_order:
                if not isinstance(packet.stream, AudioStream):
                    packet.stream = copied
                    count += 1
                target.mux(packet)
        if boxes is not None and count:
            replace_filler(finished, *boxes)
    return count


def _movie_ticks(stream: VideoStream, ticks: int, duration: Fraction | None, sound: Soundtrack) -> int:
    """Give a time scale that counts both frames and samples, as low as it can be: long durations take 64 bits."""
    rate = exact(stream.average_rate)
    of_frames = rate.numerator if rate and duration is None and ticks % rate.numerator == 0 else ticks
    of_both = lcm(of_frames, sound.coding.rate)
    return of_both if of_both <= _MOST_MOVIE_TICKS else ticks


def duration_of(journal: BinaryIO, torn: bool = False) -> Fraction:
    """Give how long the frames in a journal's whole fragments are shown, in seconds. Raises as `write_finished`."""
    with _opened(journal) as (source, stream):
        packets = _from_zero(_whole(source.demux(stream), torn))
        end = max((packet.pts + (packet.duration or 0) for packet in packets if packet.pts is not None), default=0)
        return seconds(end, stream.time_base)


@contextlib.contextmanager
def _opened(journal: BinaryIO, boxes: bytes = b"") -> Iterator[tuple[InputContainer, VideoStream]]:
    part = _Part(journal, end_of_fragments(journal), boxes)
    # FFmpeg decodes the first frame as it opens a file: what it would learn is of no use here.
    with open_input(cast(BinaryIO, part), "mp4", {"skip_frame": "all"}, buffer_size=1 << 18) as source:
        (stream,) = source.streams.video
        yield source, stream


def _audio_packets(target: OutputContainer, sound: Soundtrack | None, clock: Fraction | None) -> Iterator[AudioPacket]:
    if sound is None:
        return iter(())
    packets = encoded(add_audio_stream(target, sound.track, sound.coding), sound.track, sound.samples)
    return packets if clock is None else _rounded_up(packets, clock)


def _rounded_up(packets: Iterator[AudioPacket], clock: Fraction) -> Iterator[AudioPacket]:
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


def _decoded_at(packet: VideoPacket | AudioPacket) -> Fraction:
    assert packet.dts is not None
    return seconds(packet.dts, packet.time_base)


def _said(source: InputContainer, container: Container) -> tuple[dict[str, str], tuple[bytes, bytes] | None]:
    """Give the tags for the muxer to write of what a journal says, and the boxes that take their place."""
    values = read_exact(source.metadata.get(EXACT_COPY))
    if values is None:
        return {}, None
    if container.clock is not None:  # Matroska
        return tags_of(values), None
    boxes = boxes_of(values, quicktime=container.name == "mov")
    return {"filler": "-" * sum(map(len, boxes))}, boxes


def _whole(packets: Iterator[VideoPacket], torn: bool) -> Iterator[VideoPacket]:
    """Give the packets in front of the first that can't be read or is torn, or whose time is wrong."""
    before = -_MOST_TICKS
    with contextlib.suppress(av.FFmpegError):
        for packet in packets:
            if packet.pts is None or packet.dts is None:  # the end
                continue
            if not before < packet.dts <= packet.pts < _MOST_TICKS or (torn and not _is_whole(packet)):
                return
            before = packet.dts
            yield packet


def _from_zero(packets: Iterator[VideoPacket]) -> Iterator[VideoPacket]:
    """Let the first frame be shown at 0: without an edit list, it is late by what the reordering takes."""
    first: int | None = None
    for packet in packets:
        assert packet.pts is not None
        assert packet.dts is not None
        if first is None and not packet.is_keyframe:  # nothing is shown before a key frame
            continue
        first = packet.pts if first is None else first
        packet.pts, packet.dts = packet.pts - first, packet.dts - first
        yield packet


def _with_metadata(packets: Iterator[VideoPacket], codec: str, hdr: HdrMetadata) -> Iterator[VideoPacket]:
    for packet in packets:
        if not packet.is_keyframe:
            yield packet
            continue
        told = cast(VideoPacket, Packet(hdr.in_key_frame(codec, bytes(packet))))
        told.pts, told.dts, told.duration, told.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
        told.is_keyframe = True
        yield told


def _ending_at(end: int, packets: Iterator[VideoPacket]) -> Iterator[VideoPacket]:
    """Let the last frame be shown until `end`, be it the last in the file or not.

    Of a duration the muxer takes where it ends, of the last packet's also how long that is decoded: with one that is
    decoded when it is shown, both end at `end`.
    """
    for packet, following in pairwise(chain(packets, (None,))):
        assert packet is not None
        assert packet.pts is not None
        packet.duration = end - packet.pts
        if following is None:
            packet.dts = packet.pts
        yield packet


@contextlib.contextmanager
def _closed(target: OutputContainer) -> Iterator[None]:
    """Complete the file; after an error only let go of it, for completing it would raise another error."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):
            target.close()
        raise
    target.close()


def _reopen(file: BinaryIO, url: str, flags: int, options: object) -> BinaryIO:
    """Open the file again for the muxer, which reads what it shifts to make room for the index in front."""
    assert flags == _AVIO_FLAG_READ
    return io.BytesIO(file.getvalue()) if isinstance(file, io.BytesIO) else cast(BinaryIO, Reader(file))


def _is_whole(packet: VideoPacket) -> bool:
    if packet.stream.codec_context.codec.canonical_name in ("h264", "hevc"):
        return _units_are_whole(packet)
    return any(bytes(packet)[-_TORN:])


def _units_are_whole(packet: VideoPacket) -> bool:
    """Whether the lengths in front of an H.264 or HEVC packet's units add up, and no unit is zeroed.

    A power cut leaves zeros in the place of what was not yet on the disk. A unit neither ends in a zero nor holds three
    in a row (ISO/IEC 14496-15 5.3.2, H.264 7.4.1, H.265 7.4.2.1).
    """
    data = bytes(packet)
    at = 0
    while at + 4 < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        unit = data[at + 4 : at + 4 + length]
        if len(unit) < max(1, length) or unit[-1] == 0 or b"\0\0\0" in unit:
            return False
        at += 4 + length
    return at == len(data) and at > 0


class _Part(io.RawIOBase):
    """The first bytes of a journal, read in place; its `moov` may have more boxes in the sample entry.

    FFmpeg's muxers know what its demuxer finds in these, and PyAV has no other way to tell them. A fragment counts from
    its own beginning, so that it may move (ISO/IEC 14496-12 8.8.7, default-base-is-moof).
    """

    def __init__(self, file: BinaryIO, length: int, boxes: bytes = b"") -> None:
        self._file, self._at = file, 0
        self._index, self._start, self._end = b"", 0, 0  # what the `moov` became, and where it is in the file
        moov = next((box for box in top_level_boxes(file) if box.kind == b"moov"), None) if boxes else None
        if moov is not None and moov.end <= length:
            file.seek(moov.start)
            self._index = with_boxes_of_sample_entry(file.read(moov.end - moov.start), boxes)
            self._start, self._end = moov.start, moov.end
        self._length = length - (self._end - self._start) + len(self._index)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        into = memoryview(cast(bytearray, buffer)).cast("B")
        after = self._at - self._start - len(self._index)
        if self._at < self._start:  # sound may be in front of it
            self._file.seek(self._at)
            data = self._file.read(min(len(into), self._start - self._at))
        elif after < 0:
            data = self._index[after:][: len(into)]
        else:
            self._file.seek(self._end + after)
            data = self._file.read(min(len(into), max(0, self._length - self._at)))
        into[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        # FFmpeg looks for a table at the end, by steps that a short file has no room for.
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._length}[whence])
        return self._at
