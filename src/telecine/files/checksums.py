"""What was written to a file, remembered in a few checksums: damage is found, and what is whole in front of it."""

from __future__ import annotations

import zlib
from typing import BinaryIO, NamedTuple

_MOST_POINTS = 1024
_PIECE = 1 << 20


class Point(NamedTuple):
    """The checksum of a file's bytes up to an end, from the first that are known."""

    end: int = 0
    checksum: int = 0


class Checksums:
    """The checksums of what is written, in order, up to some points: each write's end, until there are many."""

    def __init__(self) -> None:
        self._points = [Point()]

    @property
    def latest(self) -> Point:
        """Up to where what was written is known."""
        return self._points[-1]

    def add(self, start: int, data: bytes) -> None:
        """Take note of a write.

        Where it goes back, as a muxer does to fill in the sizes of a long head, nothing is known any more of what is in
        front of its end.
        """
        end = start + memoryview(data).nbytes
        if start != self.latest.end:
            self._points = [Point(max(end, self.latest.end))]
            return
        self._points.append(Point(end, zlib.crc32(data, self.latest.checksum)))
        if len(self._points) > _MOST_POINTS:
            del self._points[1:-1:2]

    def go_back(self, to: Point) -> None:
        """Forget what was written after an earlier point."""
        self._points = [each for each in self._points if each.end < to.end] + [to]

    def whole(self, file: BinaryIO) -> int:
        """Read a file, and give up to which point it is as it was written."""
        before = self._points[0].end
        file.seek(before)
        checksum = 0
        for point in self._points:
            while before < point.end:
                data = file.read(min(_PIECE, point.end - before))
                if not data:
                    return self._last_before(point)
                checksum, before = zlib.crc32(data, checksum), before + len(data)
            if checksum != point.checksum:
                return self._last_before(point)
        return self.latest.end

    def _last_before(self, point: Point) -> int:
        return self._points[max(0, self._points.index(point) - 1)].end
