"""Bytes of an open file, overwritten in place."""

from __future__ import annotations

import os
from typing import BinaryIO

_STEP = 1 << 20


def write_at(file: BinaryIO, at: int, data: bytes) -> None:
    """Write data over what is there."""
    file.seek(at)
    file.write(data)


def zero(file: BinaryIO, start: int, end: int) -> None:
    """Write zeros from `start` to `end`, or to the end of the file."""
    end = min(end, file.seek(0, os.SEEK_END))
    for at in range(start, end, _STEP):
        write_at(file, at, bytes(min(_STEP, end - at)))
