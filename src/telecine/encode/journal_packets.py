"""A journal's packets, as far as they are whole, from time 0: what a finished file is made of."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO, cast

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from ..container import alpha_packets as alpha
from ..container.alpha_packets import VideoPacket
from ..container.boxes import end_of_fragments, top_level_boxes, with_boxes_of_sample_entry
from ..support.pyav import open_input, seconds

_MOST_TICKS = 2**62  # far beyond any video, and two of them still fit FFmpeg's 64 bits
_TORN = 512  # bytes that are all zero at the end of a packet only if they never reached the disk


@contextlib.contextmanager
def opened_journal(journal: BinaryIO, boxes: bytes = b"") -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a journal's whole fragments, as if its sample entry had more boxes.

    FFmpeg's muxers know what its demuxer finds in these, and PyAV has no other way to tell them.

    Raises:
        av.FFmpegError: it can't be read: it has no index, or no fragment.
    """
    part = _with_boxes(journal, end_of_fragments(journal), boxes)
    # FFmpeg decodes the first frame as it opens a file: what it would learn is of no use here.
    with open_input(cast(BinaryIO, part), "mp4", {"skip_frame": "all"}, buffer_size=1 << 18) as source:
        (stream,) = source.streams.video
        yield source, stream


def whole_packets(source: InputContainer, stream: VideoStream, torn: bool) -> Iterator[VideoPacket]:
    """Give the packets in front of the first that is not whole; the first frame is shown at 0, at a key frame.

    A journal may be `torn` where its writer died. Alpha is beside the pictures, where a finished file has it.
    """
    packets = _in_front_of_damage(source.demux(stream), torn)
    return _from_zero(alpha.parted(packets) if alpha.is_joined(stream) else packets)


def duration_of(journal: BinaryIO, torn: bool = False) -> Fraction:
    """Give how long the frames in a journal's whole fragments are shown, in seconds. Raises as `opened_journal`."""
    with opened_journal(journal) as (source, stream):
        packets = whole_packets(source, stream, torn)
        end = max((packet.pts + (packet.duration or 0) for packet in packets if packet.pts is not None), default=0)
        return seconds(end, stream.time_base)


def _in_front_of_damage(packets: Iterator[VideoPacket], torn: bool) -> Iterator[VideoPacket]:
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


def _with_boxes(file: BinaryIO, length: int, boxes: bytes) -> _Spliced:
    """Give a file's first bytes, with more boxes in the first sample entry if its index is in them.

    What follows the index moves, which it may: a fragment counts from its own beginning (ISO/IEC 14496-12 8.8.7,
    default-base-is-moof).
    """
    moov = next((box for box in top_level_boxes(file) if box.kind == b"moov"), None) if boxes else None
    if moov is None or moov.end > length:
        return _Spliced(file, length)
    file.seek(moov.start)
    return _Spliced(
        file, length, moov.start, moov.end, with_boxes_of_sample_entry(file.read(moov.end - moov.start), boxes)
    )


class _Spliced(io.RawIOBase):
    """The first `length` bytes of an open file, with other bytes in the place of those from `start` to `end`."""

    def __init__(self, file: BinaryIO, length: int, start: int = 0, end: int = 0, inserted: bytes = b"") -> None:
        self._file, self._start, self._inserted = file, start, inserted
        self._longer = len(inserted) - (end - start)
        self._length, self._at = length + self._longer, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        into = memoryview(cast(bytearray, buffer)).cast("B")
        end_of_inserted = self._start + len(self._inserted)
        if self._at < self._start:
            data = self._from_file(self._at, min(len(into), self._start - self._at))
        elif self._at < end_of_inserted:
            data = self._inserted[self._at - self._start :][: len(into)]
        else:
            data = self._from_file(self._at - self._longer, min(len(into), max(0, self._length - self._at)))
        into[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _from_file(self, at: int, size: int) -> bytes:
        self._file.seek(at)
        return self._file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        # FFmpeg looks for a table at the end, by steps that a short file has no room for.
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._length}[whence])
        return self._at
