"""The elements of a Matroska or WebM file (RFC 8794 4): which of the two it is, and whether its index is in front."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

_HEADER, _DOC_TYPE = 0x1A45DFA3, 0x4282  # RFC 8794 11.2
_SEGMENT, _CLUSTER, _CUES = 0x18538067, 0x1F43B675, 0x1C53BB6B  # RFC 9559 5.1


def doc_type(file: BinaryIO) -> str | None:
    """Give what the file says it is, "matroska" or "webm"; None where it has no such header."""
    for kind, start, size in _elements(file):
        if kind == _DOC_TYPE:
            file.seek(start)
            return file.read(size).rstrip(b"\0").decode("ascii", "replace")
    return None


def cues_in_front(file: BinaryIO) -> bool | None:
    """Tell whether `Cues` come before the first `Cluster`; None where the file has neither."""
    return next((kind == _CUES for kind, _, _ in _elements(file) if kind in (_CUES, _CLUSTER)), None)


def _elements(file: BinaryIO) -> Iterator[tuple[int, int, int]]:
    """Give identifier, start and size of what is in the file's header and segment, up to what can't be an element."""
    at, size_of_file = 0, file.seek(0, os.SEEK_END)
    while at + 2 <= size_of_file:
        file.seek(at)
        head = file.read(12)
        kind_bytes = _bytes_of_integer(head[0])
        size_bytes = _bytes_of_integer(head[kind_bytes]) if kind_bytes <= 4 and kind_bytes < len(head) else 9
        if size_bytes > 8:
            return
        kind = int.from_bytes(head[:kind_bytes], "big")
        at += kind_bytes + size_bytes
        # The marker in front of the digits is cut off (RFC 8794 4.1).
        size = int.from_bytes(head[kind_bytes : kind_bytes + size_bytes], "big") & (1 << 7 * size_bytes) - 1
        yield kind, at, size
        at += 0 if kind in (_HEADER, _SEGMENT) else size


def _bytes_of_integer(first: int) -> int:
    """How long a variable-size integer is: one more than the zeros that it begins with (RFC 8794 4.2)."""
    return 9 - first.bit_length()
