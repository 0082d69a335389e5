"""A file of which from a moment on no more is read: what was not, is a hole of zeros, as in a sparse file."""

from __future__ import annotations

import os
import re
from typing import BinaryIO

# By which FFmpeg finds that it has to read on (libavformat/mov.c): fragments, and sound that is packed into samples
# (ISO/IEC 14496-12 8.8.4, 8.16.3; IAMF 1.1, 6.2).
_LEADS_ON = rb"moof|sidx|iacb|iamf"
_OVERLAP = 3
_ZEROS = bytes(1 << 20)


class FileWithHole:
    """Reads a file up to `stop`, and zeros after: as many as there are bytes. The file's own position changes.

    `leads_on` tells that in what was read something may lead to more that matters.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._size = file, file.seek(0, os.SEEK_END)
        self._at, self._last, self._stopped = 0, b"", False
        self.leads_on = False

    def stop(self) -> None:
        """Read no more."""
        self._stopped = True

    def read(self, size: int) -> bytes:
        """Give at most so many bytes; none at the end."""
        data = _ZEROS[: max(0, min(size, self._size - self._at))] if self._stopped else self._read(size)
        self._at += len(data)
        return data

    def _read(self, size: int) -> bytes:
        self._file.seek(self._at)
        data = self._file.read(size)
        self.leads_on |= re.search(_LEADS_ON, self._last + data) is not None
        self._last = data[-_OVERLAP:]
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        """Give the place."""
        return self._at
