"""GIF as its frames come, for what can't be gone back in: by groups of frames, each with a palette of its own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from typing import BinaryIO

from ..deliver.target import Outlet
from ..metadata.images import add_metadata
from .gif import Colors, GifMuxer, reduced
from .protocol import MovingImageSettings, Pixels

_TICKS = 50  # of a group, at least: half a second
_CONTROL = b"\x21\xf9\x04"  # what a graphic control extension begins with; flags and the delay follow (GIF89a 23)


class GrowingGif:
    """Writes frames of (height, width, 3 or 4) uint8 to a file, and hands out what is written of it."""

    def __init__(self, file: BinaryIO, settings: MovingImageSettings, outlet: Outlet) -> None:
        self._file, self._settings, self._outlet = file, settings, outlet
        self._muxer = GifMuxer(file, settings, 0)
        self._group: list[tuple[Pixels, int]] = []
        self._handed_out, self._last = 0, 0

    def encode(self, frame: Pixels, ticks: int) -> None:
        """Take the next frame, which is shown for so many hundredths of a second; the last of a group writes it."""
        self._group.append((frame, ticks))
        self._last = ticks
        if sum(each for _, each in self._group) >= _TICKS:
            self._write()
            self._hand_out()

    def finish(self, again: Callable[[], Iterable[Pixels]]) -> None:
        """Write the last group, and complete the file."""
        self._write()
        start = self._file.seek(0, os.SEEK_END)
        self._muxer.close()
        self._set_delay(start)
        self._hand_out()

    def close(self) -> None:
        """Let go of the file, finished or not."""
        with contextlib.suppress(Exception):  # that it can't be completed
            self._muxer.close()

    def _write(self) -> None:
        if not self._group:
            return
        colors = Colors(self._settings)
        for frame, _ in self._group:
            colors.add(frame)
        frames = reduced((frame for frame, _ in self._group), colors.palette(), self._settings)
        for picture, (_, ticks) in zip(frames, self._group, strict=True):
            self._muxer.write(picture, ticks)
        self._group.clear()

    def _set_delay(self, start: int) -> None:
        """Say how long the last frame is shown, which the muxer holds back until the end and wanted to know before."""
        self._file.seek(start)
        at = start + self._file.read().index(_CONTROL) + len(_CONTROL) + 1
        self._file.seek(at)
        self._file.write(self._last.to_bytes(2, "little"))

    def _hand_out(self) -> None:
        """Hand out what is new; the metadata stands in front of the first image, so it waits for that."""
        size = self._file.seek(0, os.SEEK_END)
        if size and not self._handed_out and self._settings.metadata is not None:
            add_metadata(self._file, self._settings.metadata)
            size = self._file.seek(0, os.SEEK_END)
        self._file.seek(self._handed_out)
        if data := self._file.read(size - self._handed_out):
            self._outlet.write(data)
        self._handed_out = size
