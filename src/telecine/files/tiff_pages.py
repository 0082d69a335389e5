"""The pages of a TIFF: where their tags are, what those that matter say, and that a file can hold them all."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from ..errors import InputError
from .files import name_of

# TIFF 6.0 section 8, and 19 for the format of samples.
SUBFILE, BITS, _PHOTOMETRIC, _SAMPLES, EXTRA, FORMAT = 254, 258, 262, 277, 338, 339
_SIZES = {1: 1, 3: 2, 4: 4, 16: 8}  # of the types of whole numbers: BYTE, SHORT, LONG, LONG8
_BYTES = {**_SIZES, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 17: 8, 18: 8}  # of all types that take more than one
_REDUCED_OR_MASK = 0b101
FLOATS, _WHITE_IS_ZERO = 3, 0
# Pillow compares where a page is with where each one before it is: so many take it seconds.
_MOST_PAGES = 1 << 15
# Tables do not overlap. What is in front of others may be shared, such as a profile of colours.
_MOST_SHARED, _ALWAYS = 64, 1 << 20


class TiffPage(NamedTuple):
    """A page of a TIFF: where its tags are, in a BigTIFF or not, and the values of those that matter here."""

    at: int
    big: bool
    order: str
    tags: dict[int, tuple[int, ...]]

    def value(self, tag: int, default: int) -> int:
        """Give the first number of a tag."""
        return (self.tags.get(tag) or (default,))[0]

    @property
    def deep(self) -> bool:
        """Whether Pillow keeps less of its pixels, or reads them as something else."""
        bits, samples = max(self.tags.get(BITS) or (1,)), self.value(_SAMPLES, 1)
        if self.value(FORMAT, 1) == FLOATS:
            return samples > 1 or bits != 32
        return bits > 8 and (samples > 1 or bits < 16 or self.value(_PHOTOMETRIC, 1) == _WHITE_IS_ZERO)

    @property
    def is_frame(self) -> bool:
        """Whether it is a picture of its own, not a smaller copy of another or a mask."""
        return is_frame(self.value(SUBFILE, 0))


def is_frame(subfile: object) -> bool:
    """Tell by the tag of a TIFF's page whether it is a picture of its own."""
    return not (isinstance(subfile, int) and subfile & _REDUCED_OR_MASK)


def tiff_pages(file: BinaryIO) -> Iterator[TiffPage]:
    """Give the pages of a TIFF (TIFF 6.0 section 2) or a BigTIFF, up to one that is not whole; none of another file.

    Raises:
        InputError: there are more than a file of its size can hold.
    """
    file.seek(0)
    head = file.read(16)
    if head[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return
    order, big = "<" if head[:2] == b"II" else ">", head[2:4] in (b"+\0", b"\0+")
    pointer, counter, entry = ("Q", "Q", 20) if big else ("I", "H", 12)
    seen: set[int] = set()
    size_of_file = file.seek(0, os.SEEK_END)
    tables, shared = size_of_file, _MOST_SHARED * size_of_file + _ALWAYS
    try:
        (at,) = struct.unpack_from(order + pointer, head, 8 if big else 4)
        while at and at not in seen:
            seen.add(at)
            file.seek(at)
            (count,) = struct.unpack(order + counter, file.read(struct.calcsize(counter)))
            table = file.read(min(count * entry, size_of_file))
            (following,) = struct.unpack(order + pointer, file.read(struct.calcsize(pointer)))
            entries = [table[start : start + entry] for start in range(0, len(table), entry)]
            tables -= len(table)
            shared -= sum(min(_bytes_of(each, order, pointer), size_of_file) for each in entries)
            if tables < 0 or shared < 0 or len(seen) > _MOST_PAGES:
                raise InputError(f"{name_of(file)!r} is damaged: its pages say more than a file of its size can hold")
            yield TiffPage(at, big, order, dict(_numbers(file, each, order, pointer) for each in entries))
            at = following
    except InputError:
        raise
    except (struct.error, OSError, OverflowError):  # what is damaged is told by who reads its pixels
        return


def _bytes_of(entry: bytes, order: str, pointer: str) -> int:
    """Give how many bytes a tag takes, wherever they are."""
    _, kind, count = struct.unpack_from(f"{order}HH{pointer}", entry)
    return int(count) * _BYTES.get(kind, 1)


def _numbers(file: BinaryIO, entry: bytes, order: str, pointer: str) -> tuple[int, tuple[int, ...]]:
    """Read a tag and its whole numbers, of which a few are enough."""
    tag, kind, count = struct.unpack_from(f"{order}HH{pointer}", entry)
    inline, size = len(entry) - struct.calcsize(pointer), _SIZES.get(kind, 0)
    data = entry[inline:]
    if size * count > len(data):
        (at,) = struct.unpack_from(order + pointer, data)
        file.seek(at)
        data = file.read(size * min(count, 8))
    letter = {1: "B", 2: "H", 4: "I", 8: "Q"}.get(size, "")
    return tag, struct.unpack_from(f"{order}{min(count, 8, len(data) // max(size, 1))}{letter}", data) if letter else ()
