"""APNG, by FFmpeg: written as frames come, exact, with exact times. Pillow holds all frames in memory."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import BinaryIO

import av
from av import VideoFrame
from av.video.stream import VideoStream

from ..container.chunks import PNG, contents_of, png_chunk, png_parts
from ..container.overwrite import write_at
from .protocol import MovingImageSettings, Pixels

_LARGEST_TERM = 65535  # of the fraction that a frame's time is
_DELAY = 20  # where it stands in an fcTL chunk's data


class Apng:
    """Writes frames of (height, width, 3 or 4) uint8 to a file, always lossless."""

    def __init__(self, file: BinaryIO, settings: MovingImageSettings) -> None:
        self._file, self._start, self._time_base = file, file.tell(), settings.tick
        self._at, self._last_two = 0, deque((0, 0), maxlen=2)  # ticks: where the next frame begins, and durations
        self._format = "rgba" if settings.alpha else "rgb24"
        self._container = av.open(file, "w", format="apng", container_options={"plays": str(settings.loops)})
        stream = self._container.add_stream("apng", rate=1 / self._time_base)
        assert isinstance(stream, VideoStream)
        self._stream = stream
        stream.width, stream.height, stream.pix_fmt = settings.width, settings.height, self._format
        stream.codec_context.time_base = stream.time_base = self._time_base
        stream.codec_context.sample_aspect_ratio = Fraction(1)
        # Of the levels, 3 is half the work of 6 for 2 % more bytes; of the filters, "mixed" is the smallest.
        stream.codec_context.options = {"compression_level": "3", "pred": "mixed"}

    def encode(self, frame: Pixels, ticks: int) -> None:
        """Encode the next frame, which is shown for so many ticks."""
        picture = VideoFrame.from_ndarray(frame, format=self._format)
        picture.pts, picture.time_base = self._at, self._time_base
        self._at += ticks
        self._last_two.append(ticks)
        for packet in self._stream.encode(picture):
            self._container.mux(packet)

    def finish(self, again: Callable[[], Iterable[Pixels]]) -> None:
        """Complete the file."""
        for packet in self._stream.encode(None):
            self._container.mux(packet)
        self._container.close()
        before, last = self._last_two
        if last != before:  # the muxer takes it for as long as the one before
            self._set_last_time(last * self._time_base)

    def close(self) -> None:
        """Let go of the file."""
        self._container.close()

    def _set_last_time(self, seconds: Fraction) -> None:
        """Write for how long the last frame is shown into its frame control chunk (PNG, third edition, 11.3.6.2)."""
        last = None
        for part in png_parts(self._file, self._start + len(PNG)):
            last = part if part.kind == b"fcTL" else last
        if last is None:  # of one frame, FFmpeg makes a still
            return
        near = seconds.limit_denominator(_LARGEST_TERM // max(1, math.ceil(seconds)))
        control = bytearray(contents_of(self._file, last))
        control[_DELAY : _DELAY + 4] = near.numerator.to_bytes(2, "big") + near.denominator.to_bytes(2, "big")
        write_at(self._file, last.start, png_chunk(b"fcTL", bytes(control)))
