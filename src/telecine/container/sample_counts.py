"""How many samples an MP4's index names: FFmpeg makes room for all of them at once, before the first is read.

A run of 20 bytes may name four thousand million samples, and each of an edit list's entries may show all of them again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import groupby
from typing import BinaryIO

from .boxes import Box, boxes_of_any_kind

# By which FFmpeg knows such a file (libavformat/mov.c, mov_probe).
_KINDS = set(b"ftyp moov mdat pnot udta ediw wide free junk pict skip uuid prfl".split())
_HOLDS_NO_INDEX = (b"mdat", b"uuid", b"jumb")
# Boxes by their first fields (ISO/IEC 14496-12 8.7.3.2, 8.8.8, 8.6.6), wherever FFmpeg may find them.
_COUNTS = (  # compiled at its first use, as start-up has none
    rb"(?s)stsz.{4}(?P<same_size>.{4})(?P<samples>.{4})|trun.(?P<flags>.{3})(?P<run>.{4})|elst.{4}(?P<edits>.{4})|cmov"
)
_OF_EACH_SAMPLE = 0x0F00  # the flags of a run that say that each sample has something of its own
_ALWAYS = 1 << 22  # so many samples take FFmpeg 100 MB
_EDITS_PER_BYTE = 16  # a sample takes a hundred bytes: real files have room for a thousand edits
_PIECE, _OVERLAP = 1 << 20, 15


def check_sample_counts(file: BinaryIO) -> None:
    """Refuse an index that names more samples than the file has bytes, and one that is compressed.

    Raises:
        ValueError: it does.
    """
    size_of_file = file.seek(0, os.SEEK_END)
    boxes = list(boxes_of_any_kind(file))
    if not any(box.kind in _KINDS for box in boxes):
        return
    claimed, shown, edits = 0, 0, 1
    for found in _counts_in(file, boxes, size_of_file):
        count = _number(found["samples"] or found["run"])
        at_once = any(found["same_size"] or b"") or (found["run"] and not _number(found["flags"]) & _OF_EACH_SAMPLE)
        claimed += count if at_once else 0
        shown += count
        edits = max(edits, _number(found["edits"]))
        if found[0] == b"cmov":
            raise ValueError("its index is compressed, as QuickTime 3 wrote it")
    if claimed > max(size_of_file, _ALWAYS) or shown * edits > max(_EDITS_PER_BYTE * size_of_file, _ALWAYS):
        says = f"its index names {shown:,} samples, in {edits} pieces, of a file of {size_of_file:,} bytes"
        raise ValueError(f"it is cut off or damaged: {says}")


def _number(data: bytes | None) -> int:
    return int.from_bytes(data or b"", "big")


def _counts_in(file: BinaryIO, boxes: list[Box], size_of_file: int) -> Iterator[re.Match[bytes]]:
    for start, end in _spans_of_index(boxes):
        for at in range(start, min(end, size_of_file), _PIECE - _OVERLAP):
            file.seek(at)
            yield from re.finditer(_COUNTS, file.read(min(_PIECE, end - at)))


def _spans_of_index(boxes: list[Box]) -> Iterator[tuple[int, int]]:
    """Give from where to where the file may have an index."""
    for holds_none, span in groupby(boxes, key=lambda box: box.kind in _HOLDS_NO_INDEX):
        if not holds_none:
            first, *rest = span
            yield first.start, (rest[-1] if rest else first).end
