"""Guards what C2PA's own hash leaves out of an MP4, MOV or AVIF, so that one flipped byte anywhere is found.

The hash leaves out `ftyp` and boxes without content (C2PA 2.2, 18.6.2): their digest is a signed assertion of ours. It
leaves out the manifest too, in which padding and labels are signed by nobody: a `free` box at the end has its checksum.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from ..container.boxes import Box, mp4_box, top_level_boxes

_UNHASHED = frozenset({b"ftyp", b"free", b"skip", b"mfra"})
_MANIFEST_ID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")  # C2PA 2.2, A.5.1
_NAME = b"SHA-256 of the C2PA box:"
_PART = 1 << 20
_CHECKSUM_SIZE = 8 + len(_NAME) + 32


def digest_of_unhashed(file: BinaryIO) -> str:
    """Give the SHA-256 of the boxes that C2PA leaves out, but for the manifest and its checksum."""
    boxes, last = list(top_level_boxes(file)), _checksum(file)
    return _digest(file, (box for box in boxes if box.kind in _UNHASHED and box != last)).hex()


def append_checksum(file: BinaryIO) -> None:
    """Append the checksum of a file's manifest."""
    checksum = _digest(file, manifests_in(file))
    file.seek(0, os.SEEK_END)
    file.write(mp4_box(b"free", _NAME, checksum))


def checksum_holds(file: BinaryIO) -> bool:
    """Tell whether the manifest is the one whose checksum was appended; true of a file that has none."""
    box = _checksum(file)
    if box is None:
        return True
    file.seek(box.end - 32)
    return file.read(32) == _digest(file, manifests_in(file))


def _checksum(file: BinaryIO) -> Box | None:
    for box in top_level_boxes(file):
        if box.kind == b"free" and box.end - box.start == _CHECKSUM_SIZE:
            file.seek(box.start + 8)
            if file.read(len(_NAME)) == _NAME:
                return box
    return None


def manifests_in(file: BinaryIO) -> Iterator[Box]:
    """Give the boxes of a file's C2PA manifests."""
    for box in list(top_level_boxes(file)):
        file.seek(box.start + 8)
        if box.kind == b"uuid" and file.read(16) == _MANIFEST_ID:
            yield box


def _digest(file: BinaryIO, boxes: Iterable[Box]) -> bytes:
    digest = hashlib.sha256()
    for box in boxes:
        file.seek(box.start)
        left = box.end - box.start
        while part := file.read(min(left, _PART)):
            digest.update(part)
            left -= len(part)
    return digest.digest()
