"""The boxes of an MP4 (ISO/IEC 14496-12 4.2), and where its complete fragments end."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO


@dataclass(frozen=True)
class Box:
    """A box: its type, and where it, its contents and what follows it start; the end may lie beyond the file's."""

    kind: bytes
    start: int
    contents: int
    end: int


def top_level_boxes(file: BinaryIO) -> Iterator[Box]:
    """Give the boxes of a file from its beginning; ends at what can't be one."""
    return _boxes(file, 0, file.seek(0, os.SEEK_END))


def boxes_in(file: BinaryIO, box: Box) -> Iterator[Box]:
    """Give the boxes that are a box's contents; ends at what can't be one."""
    return _boxes(file, box.contents, box.end)


def _boxes(file: BinaryIO, at: int, end: int, any_kind: bool = False) -> Iterator[Box]:
    while at + 8 <= end:
        file.seek(at)
        header = file.read(16)
        size, kind, contents = int.from_bytes(header[:4], "big"), header[4:8], at + 8
        if size == 1:  # the size is in the next eight bytes
            size, contents = int.from_bytes(header[8:16], "big"), at + 16
        elif size == 0:  # to the end of the file
            size = end - at
        if size < contents - at or not (any_kind or kind.isalnum()):
            return
        yield Box(kind, at, contents, at + size)
        at += size


def file_box(file: BinaryIO) -> Box:
    """Give a file as if it were a box."""
    return Box(b"", 0, 0, file.seek(0, os.SEEK_END))


def children(file: BinaryIO, box: Box, skip: int = 0) -> Iterator[Box]:
    """Give whatever is in a box after its first `skip` bytes, of any kind, and none that ends after it."""
    for each in _boxes(file, box.contents + skip, box.end, any_kind=True):
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
    kinds = (box.kind for box in top_level_boxes(file) if box.kind in (b"moov", b"mdat"))
    first = next(kinds, None)
    return None if first is None else first == b"moov"


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
    return (8 + len(content)).to_bytes(4, "big") + kind + content
