"""The boxes of an MP4 (ISO/IEC 14496-12 4.2), and where its complete fragments end."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice, takewhile
from typing import BinaryIO, NamedTuple

from .window import MOST_HEADERS, Window


class Box(NamedTuple):
    """A box: its type, and where it, its contents and what follows it start; the end may lie beyond the file's."""

    kind: bytes
    start: int
    contents: int
    end: int


def top_level_boxes(file: BinaryIO) -> Iterator[Box]:
    """Give the boxes of a file from its beginning; ends at what can't be one."""
    return takewhile(_has_a_name, boxes_of_any_kind(file))


def first_boxes(file: BinaryIO) -> Iterator[Box]:
    """Give as many of the boxes of a file as are worth a look."""
    return islice(top_level_boxes(file), MOST_HEADERS)


def boxes_in(file: BinaryIO, box: Box) -> Iterator[Box]:
    """Give the boxes that are a box's contents; ends at what can't be one."""
    return takewhile(_has_a_name, _boxes(file, box.contents, box.end))


def boxes_of_any_kind(file: BinaryIO) -> Iterator[Box]:
    """Give the boxes of a file as FFmpeg steps through them, whatever they are called."""
    return _boxes(file, 0, file.seek(0, os.SEEK_END))


def _has_a_name(box: Box) -> bool:
    return box.kind.isalnum()


def _boxes(file: BinaryIO, at: int, end: int) -> Iterator[Box]:
    window = Window(file)
    while at + 8 <= end:
        header = window.read(at, 16)
        size, kind, contents = int.from_bytes(header[:4], "big"), header[4:8], at + 8
        if size == 1:  # the size is in the next eight bytes
            size, contents = int.from_bytes(header[8:16], "big"), at + 16
        elif size == 0:  # to the end of the file
            size = end - at
        if size < contents - at or len(kind) < 4:
            return
        yield Box(kind, at, contents, at + size)
        at += size


def mp4_box(kind: bytes, *contents: bytes) -> bytes:
    """Give a box of so many contents, one behind the other.

    >>> mp4_box(b"free", b"ab", b"c")[4:]
    b'freeabc'
    """
    size = 8 + sum(map(len, contents))
    return b"".join((size.to_bytes(4, "big"), kind, *contents))


def contents_of_box(file: BinaryIO, box: Box) -> bytes:
    """Read what is in a box."""
    file.seek(box.contents)
    return file.read(box.end - box.contents)


def file_box(file: BinaryIO) -> Box:
    """Give a file as if it were a box."""
    return Box(b"", 0, 0, file.seek(0, os.SEEK_END))


def children(file: BinaryIO, box: Box, skip: int = 0) -> Iterator[Box]:
    """Give whatever is in a box after its first `skip` bytes, of any kind, and none that ends after it."""
    for each in _boxes(file, box.contents + skip, box.end):
        yield Box(each.kind, each.start, each.contents, min(each.end, box.end))


def boxes_of_index(file: BinaryIO) -> Iterator[Box]:
    """Give the boxes of a file, and those in its index, its tracks and their media."""
    boxes = list(top_level_boxes(file))
    for box in boxes:
        yield box
        if box.kind in (b"moov", b"trak", b"mdia"):
            boxes += boxes_in(file, box)


def forget_times(file: BinaryIO) -> None:
    """Zero when a file was created and changed, with which its headers begin (ISO/IEC 14496-12 8.2.2, 8.3.2, 8.4.2)."""
    for box in boxes_of_index(file):
        if box.kind in (b"mvhd", b"tkhd", b"mdhd"):
            file.seek(box.contents)
            version = file.read(4)[0]
            file.write(bytes(16 if version else 8))


def whole_fragments(file: BinaryIO) -> Iterator[Box]:
    """Give the `mdat` of each whole fragment, which is a `moof` and its `mdat`."""
    size_of_file = file.seek(0, os.SEEK_END)
    before = b""
    for box in top_level_boxes(file):
        if box.end > size_of_file:
            break
        if box.kind == b"mdat" and before == b"moof":
            yield box
        before = box.kind


def end_of_fragments(file: BinaryIO) -> int:
    """Give where the last whole fragment ends; 0 where none is whole."""
    return max((box.end for box in whole_fragments(file)), default=0)


def index_in_front(file: BinaryIO) -> bool | None:
    """Tell whether `moov` comes before `mdat` (ISO/IEC 14496-12 8.2.1, 8.1.1); None where the file has neither."""
    kinds = (box.kind for box in first_boxes(file) if box.kind in (b"moov", b"mdat"))
    first = next(kinds, None)
    return None if first is None else first == b"moov"


def is_cut_off(file: BinaryIO) -> bool:
    """Tell whether a file ends inside of its pictures, or of what leads to them."""
    size_of_file = file.seek(0, os.SEEK_END)
    return any(box.end > size_of_file and box.kind in (b"moov", b"moof", b"mdat") for box in first_boxes(file))


_TO_SAMPLE_ENTRY = (b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"")


def with_boxes_of_sample_entry(moov: bytes, boxes: bytes, path: Sequence[bytes] = _TO_SAMPLE_ENTRY) -> bytes:
    """Give a `moov` with more boxes at the end of its first track's first sample entry (8.5.2)."""
    kind, content = moov[4:8], moov[8:]
    if path:
        at = 8 if kind == b"stsd" else 0  # after its version, flags and number of entries
        while path[0] not in (b"", content[at + 4 : at + 8]):
            at += int.from_bytes(content[at : at + 4], "big")
        end = at + int.from_bytes(content[at : at + 4], "big")
        content = content[:at] + with_boxes_of_sample_entry(content[at:end], boxes, path[1:]) + content[end:]
    else:
        content += boxes
    return mp4_box(kind, content)


def movie_tick(file: BinaryIO) -> Fraction:
    """Give the unit of an MP4's edit lists, in seconds (ISO/IEC 14496-12 8.2.2, 8.6.6); 1 where it says none."""
    for box in boxes_of_index(file):
        if box.kind == b"mvhd":
            file.seek(box.contents)
            header = file.read(24)
            at = 20 if header[:1] == b"\1" else 12  # after two times of 64 or 32 bits
            return Fraction(1, int.from_bytes(header[at : at + 4], "big") or 1)
    return Fraction(1)
