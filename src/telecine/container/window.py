"""A window on a file, for what steps through it by its headers: a few bytes here and there, read by the page."""

from __future__ import annotations

from typing import BinaryIO

# Of boxes, chunks or elements so many are looked at for what a file says of itself: no file of a sane writer has it
# behind more.
MOST_HEADERS = 1 << 16
_PAGE = 4096


class Window:
    """Gives bytes of a file from anywhere, and reads a page where they are not at hand. The file must not change."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._start, self._data = file, 0, b""

    def read(self, at: int, size: int) -> bytes:
        """Give so many bytes, or as many as there are."""
        inside = at - self._start
        if inside < 0 or inside + size > len(self._data):
            self._file.seek(at)
            self._start, self._data, inside = at, self._file.read(max(size, _PAGE)), 0
        return self._data[inside : inside + size]
