"""A journal's packets to a finished file, with the index in front. Nothing is encoded again.

The muxer sees file objects, never a name: what FFmpeg takes for a URL, a pattern or an option can't be one here.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import BinaryIO, cast

import av
from av import Packet
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from .boxes import end_of_fragments

_AVIO_FLAG_READ = 1


def write_finished(journal: BinaryIO, finished: BinaryIO, muxer: str) -> int:
    """Copy the packets of a journal's whole fragments to a file, and give how many.

    Raises:
        av.FFmpegError: the journal can't be read: it has no index, or no fragment.
        OverflowError: a time in it is one that no video has.
    """
    count = 0
    source = cast(InputContainer, av.open(_Part(journal, end_of_fragments(journal)), format="mp4"))
    with source:
        (stream,) = source.streams.video
        ticks = str(stream.time_base.denominator if stream.time_base else 1)
        target = av.open(
            # Without the file's name, which need not be text.
            SimpleNamespace(write=finished.write, seek=finished.seek, tell=finished.tell),
            "w",
            format=muxer,
            # The movie counts in the media's ticks, so that edit lists are exact (ISO/IEC 14496-12 8.2.2, 8.6.6).
            container_options={"movflags": "+faststart", "video_track_timescale": ticks, "movie_timescale": ticks},
            io_open=functools.partial(_reopen, finished),
            buffer_size=1 << 18,
        )
        with _closed(target):
            copied = target.add_stream_from_template(stream)
            first: int | None = None
            for packet in _readable(source.demux(stream)):
                if packet.pts is None or packet.dts is None:  # the end
                    continue
                if not _is_whole(packet):
                    break
                if first is None and not packet.is_keyframe:  # nothing is shown before a key frame
                    continue
                # A fragmented file has no edit list: its first frame is late by what the reordering takes.
                first = packet.pts if first is None else first
                packet.pts, packet.dts = packet.pts - first, packet.dts - first
                packet.stream = copied
                target.mux(packet)
                count += 1
    return count


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
    return io.BytesIO(file.getvalue()) if isinstance(file, io.BytesIO) else open(file.name, "rb")


def _readable(packets: Iterator[Packet[VideoStream]]) -> Iterator[Packet[VideoStream]]:
    """Give the packets in front of the first that can't be read, in a journal that a power cut tore."""
    with contextlib.suppress(av.FFmpegError):
        yield from packets


def _is_whole(packet: Packet[VideoStream]) -> bool:
    """Whether the lengths in front of an H.264 packet's units add up (ISO/IEC 14496-15 5.3.2), and no unit is zeroed.

    A power cut leaves zeros in the place of what was not yet on the disk. A unit neither ends in a zero nor holds three
    in a row (H.264 7.4.1).
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
    """The first bytes of a file, read in place."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file, self._length, self._at = file, length, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        into = memoryview(cast(bytearray, buffer)).cast("B")
        self._file.seek(self._at)
        data = self._file.read(min(len(into), max(0, self._length - self._at)))
        into[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        # FFmpeg looks for a table at the end, by steps that a short file has no room for.
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._length}[whence])
        return self._at
