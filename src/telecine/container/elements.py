"""The elements of a Matroska or WebM file (RFC 8794 4): which of the two it is, and whether its index is in front."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO, NamedTuple

from .window import MOST_HEADERS, Window

HEADER, _DOC_TYPE = 0x1A45DFA3, 0x4282  # RFC 8794 11.2
_LONGEST_TYPE = 64
SEGMENT, CLUSTER, CUES = 0x18538067, 0x1F43B675, 0x1C53BB6B  # RFC 9559 5.1


class Element(NamedTuple):
    """An element: its identifier, and where it, its contents and what follows it start."""

    kind: int
    start: int
    contents: int
    end: int


def doc_type(file: BinaryIO) -> str | None:
    """Give what the file says it is, "matroska" or "webm"; None where it has no such header."""
    for each in _first(file):
        if each.kind == _DOC_TYPE:
            file.seek(each.contents)
            return file.read(min(each.end - each.contents, _LONGEST_TYPE)).rstrip(b"\0").decode("ascii", "replace")
    return None


def cues_in_front(file: BinaryIO) -> bool | None:
    """Tell whether `Cues` come before the first `Cluster`; None where the file has neither."""
    return next((each.kind == CUES for each in _first(file) if each.kind in (CUES, CLUSTER)), None)


def is_cut_off(file: BinaryIO) -> bool:
    """Tell whether a file ends inside of its segment."""
    size_of_file = file.seek(0, os.SEEK_END)
    return any(each.end > size_of_file for each in _first(file) if each.kind == SEGMENT)


def _first(file: BinaryIO) -> Iterator[Element]:
    return islice(elements(file), MOST_HEADERS)


def elements(file: BinaryIO) -> Iterator[Element]:
    """Give what is in the file's header and segment, up to what can't be an element."""
    return _elements(file, 0, file.seek(0, os.SEEK_END), opened={HEADER, SEGMENT})


def elements_and_clusters(file: BinaryIO) -> Iterator[Element]:
    """Give what is in the file's header, segment and clusters, up to what can't be an element."""
    return _elements(file, 0, file.seek(0, os.SEEK_END), opened={HEADER, SEGMENT, CLUSTER})


def elements_in(file: BinaryIO, element: Element) -> Iterator[Element]:
    """Give what is in an element, up to what can't be an element."""
    return _elements(file, element.contents, element.end, opened=set())


def _elements(file: BinaryIO, at: int, end: int, opened: set[int]) -> Iterator[Element]:
    window = Window(file)
    while at + 2 <= end:
        head = window.read(at, 12)
        if len(head) < 2:
            return
        kind_bytes = bytes_of_integer(head[0])
        size_bytes = bytes_of_integer(head[kind_bytes]) if kind_bytes <= 4 and kind_bytes < len(head) else 9
        if size_bytes > 8:
            return
        kind = int.from_bytes(head[:kind_bytes], "big")
        # The marker in front of the digits is cut off (RFC 8794 4.1); all ones stand for a size that is not known.
        most = (1 << 7 * size_bytes) - 1
        size = int.from_bytes(head[kind_bytes : kind_bytes + size_bytes], "big") & most
        contents = at + kind_bytes + size_bytes
        yield Element(kind, at, contents, end if size == most else contents + size)
        at = contents if kind in opened or size == most else contents + size


def bytes_of_integer(first: int) -> int:
    """How long a variable-size integer is: one more than the zeros that it begins with (RFC 8794 4.2)."""
    return 9 - first.bit_length()
