"""A finished video's packets to another file, as they are, with another sound beside the pictures."""

from __future__ import annotations

import hashlib
import heapq
from array import array
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from av import Packet
from av.container import InputContainer, OutputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from ..container import alpha_packets as alpha
from ..container.boxes import movie_tick
from ..errors import EncodeError, InputError
from ..files.demux import packets_of
from ..files.files import Source, opened_file
from ..formats.containers import CONTAINERS, Container
from ..metadata.mp4 import replace_filler
from ..metadata.tags import metadata_of_file
from ..publish.publication import Publication
from ..read.clips import depth_of
from ..read.packets import is_frame, is_part
from ..read.probe import VideoInfo, open_video, probe_whole
from ..sound.encode import Soundtrack
from ..support.pyav import exact
from ..support.words import differences
from .checks import check_audio
from .finish import Content, Plan, add_video_stream, audio_packets, decoded_at, opened_muxer, plan_of
from .kept_index import is_in_fragments, write_with_index

# What rounding to a file's clock changes, or the file itself.
_OF_CLOCK, _OF_FILE = ("fps", "duration"), ("path", "size_bytes", "audio", "index_in_front", "notes")


class Pictures(NamedTuple):
    """What of a finished video is to stay: its packets by their digest, and when each is shown, in the file's order.

    Of its frames the first is shown at `start`, and all last `duration` seconds. They are the stream of this `number`.
    `has_index` tells of an MP4 with one index for all samples, `others` how many streams are other pictures or data.
    """

    info: VideoInfo
    digest: str
    times: array[int]
    unit: Fraction
    start: Fraction
    number: int
    has_index: bool
    others: int

    @property
    def container(self) -> Container:
        """The kind of file."""
        return CONTAINERS[self.info.container]

    @property
    def duration(self) -> Fraction:
        """How long the pictures last: Matroska tells when they end."""
        return self.info.duration - (self.start if self.container.clock else 0)


def read_pictures(source: Source, info: VideoInfo) -> Pictures:
    """Read all packets of the pictures of a video, of which the rest was read.

    Raises:
        InputError: it can't be read, or a packet has no time.
    """
    with opened_file(source) as file:
        digest, times, shown = hashlib.sha256(), array("q"), array("q")
        with open_video(file) as (container, stream):
            for packet in packets_of(container, stream):
                if not packet.size:
                    continue
                if packet.pts is None or is_part(packet):
                    raise InputError(f"{str(info.path)!r} is damaged, or does not say when each of its frames is shown")
                digest.update(f"{packet.size} {packet.is_keyframe}".encode())
                digest.update(packet)
                if packet.has_sidedata(alpha.BESIDE):
                    digest.update(bytes(packet.get_sidedata(alpha.BESIDE)))
                times.append(packet.pts)
                shown.extend([packet.pts] if is_frame(packet) else [])
            unit, number = exact(stream.time_base) or Fraction(1), stream.id
            others = sum(each.type in ("video", "data") for each in container.streams) - 1
        if not shown:
            raise InputError(f"{str(info.path)!r} has no frames")
        has_index = info.container in ("mp4", "mov") and not is_in_fragments(file)
        return Pictures(info, digest.hexdigest(), times, unit, min(shown) * unit, number, has_index, others)


def write_added(source: Source, pictures: Pictures, sound: Soundtrack | None, publication: Publication) -> VideoInfo:
    """Write the pictures with a sound, or without, to the file that is to be published, and read that back.

    Raises:
        av.FFmpegError: the muxer refuses the packets.
        EncodeError: the file has not the same pictures, or not that sound.
    """
    finished, clock = publication.open_finished(), pictures.container.clock
    if pictures.has_index:
        with opened_file(source) as original:
            muxed = publication.scratch_file()
            clock = movie_tick(original)
            ticks = {"movie_timescale": clock.denominator, "video_track_timescale": pictures.unit.denominator}
            options = {name: str(number) for name, number in ticks.items()}
            plan = Plan(MappingProxyType(options), MappingProxyType({}), keeps_codec_tag=True)
            _mux(original, pictures, sound, muxed, plan)
            write_with_index(original, muxed, finished, pictures.number)
    else:
        plan = _plan(pictures, sound)
        _mux(source, pictures, sound, finished, plan)
        if plan.boxes is not None:
            replace_filler(finished, *plan.boxes)
    publication.start_sync()
    try:
        after = read_pictures(finished, probe_whole(finished))
    except InputError as error:
        raise EncodeError("the pictures can't be kept as they are: the written file can't be read") from error
    _check(pictures, after)
    check_audio(after.info.audio, sound, clock)
    return after.info


def _plan(pictures: Pictures, sound: Soundtrack | None) -> Plan:
    info, clock = pictures.info, pictures.container.clock or 0
    is_even = info.constant_rate and info.fps and abs(info.frame_count / info.fps - pictures.duration) <= 2 * clock
    content = Content(
        metadata_of_file(info.metadata),
        pictures.unit.denominator,
        rate=info.fps if is_even else None,
        duration=None if is_even else pictures.start + pictures.duration,
        sample_rate=None if sound is None else sound.coding.rate,
        alpha_beside=info.pixel_format == alpha.PIXEL_FORMAT,
    )
    return plan_of(pictures.container, content)


def _mux(source: Source, pictures: Pictures, sound: Soundtrack | None, finished: BinaryIO, plan: Plan) -> None:
    """Copy the packets: all of an MP4's samples where its index stays, with the edit lists that are in it."""
    container = pictures.container
    with (
        open_video(source, edited=not pictures.has_index) as (file, stream),
        opened_muxer(finished, container, plan) as target,
    ):
        streams: dict[int, Stream] = {stream.index: _added(target, stream, plan)}
        sounds = audio_packets(target, sound, container.clock)
        if not pictures.has_index:  # else they are copied with the index
            streams |= _others(file, target)
        copied = _timed(packets_of(file, *(file.streams[each] for each in streams)), pictures, plan, stream.index)
        for packet in heapq.merge(copied, sounds, key=decoded_at):
            if packet.stream.container is file:
                packet.stream = streams[packet.stream_index]
            target.mux(packet)


def _added(target: OutputContainer, stream: VideoStream, plan: Plan) -> VideoStream:
    added = add_video_stream(target, stream, plan)
    if pixel := exact(stream.sample_aspect_ratio):  # by the container, which may say another than the pictures
        added.codec_context.sample_aspect_ratio = pixel
    return added


def _others(file: InputContainer, target: OutputContainer) -> dict[int, Stream]:
    """Add what Matroska has beside pictures and sound: subtitles, fonts, chapters."""
    target.set_chapters(file.chapters())
    for each in file.streams.attachments:
        if each.name and each.mimetype and each.data:
            target.add_attachment(each.name, each.mimetype, each.data)
    return {each.index: target.add_stream_from_template(each, opaque=True) for each in file.streams.subtitles}


def _timed(packets: Iterator[Packet[Any]], pictures: Pictures, plan: Plan, number: int) -> Iterator[Packet[Any]]:
    """Give packets that are timed as the muxer needs it: Matroska's don't say when they are decoded."""
    shown = np.sort(np.array(pictures.times, np.int64))
    depth = depth_of(np.array(pictures.times, np.int64))
    step = max(1, int(shown[1] - shown[0])) if len(shown) > 1 else 1
    decoded = iter(np.concatenate((shown[0] - step * np.arange(depth, 0, -1), shown[: len(shown) - depth])).tolist())
    for packet in packets:
        if not packet.size:
            continue
        if packet.stream_index != number:
            packet.dts = packet.pts if packet.dts is None else packet.dts
        elif pictures.container.clock is not None:
            packet.dts = next(decoded)
            if plan.end is not None and packet.pts is not None:
                packet.duration = plan.end - packet.pts
        yield packet


def _check(before: Pictures, after: Pictures) -> None:
    """Compare a file's pictures with what they were.

    Raises:
        EncodeError: they differ.
    """
    clock = before.container.clock
    changes = [*_OF_FILE, *(_OF_CLOCK if clock else ())]
    same = replace(after.info, **{name: getattr(before.info, name) for name in changes})
    promised: dict[str, tuple[object, object]] = {
        name: (getattr(same, name), wanted) for name, wanted in vars(before.info).items() if name != "metadata"
    }
    promised["packets as they were"] = after.digest == before.digest, True
    promised["metadata as it was"] = metadata_of_file(same.metadata) == metadata_of_file(before.info.metadata), True
    if after.unit == before.unit:
        promised["times as they were"] = after.times == before.times, True
    if clock and abs(after.duration - before.duration) > 2 * clock:
        promised["duration"] = after.duration, before.duration
    if broken := differences(promised, "is"):
        raise EncodeError(f"the pictures can't be kept as they are: {broken}")
