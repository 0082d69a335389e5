"""What a PNG's compressed texts and profile of colours inflate to: FFmpeg makes room for all of it, a thousandfold."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

from ..container.chunks import PNG, Part, contents_of, png_parts
from ..errors import InputError
from .files import name_of

_MOST = 1 << 26  # bytes, in all: what Pillow takes too (PngImagePlugin.MAX_TEXT_MEMORY)
_PIECE = 1 << 20


def check_png_texts(file: BinaryIO) -> None:
    """Refuse a PNG whose texts inflate to more than 64 MiB.

    Raises:
        InputError: they do.
    """
    file.seek(0)
    if file.read(len(PNG)) != PNG:
        return
    left = _MOST
    for part in _parts_of_all(file):
        if part.kind in (b"zTXt", b"iTXt", b"iCCP"):
            left -= _inflated_size(part.kind, contents_of(file, part), left + 1)
        if left < 0:
            raise InputError(f"{name_of(file)!r} can't be read: its texts inflate to more than {_MOST:,} bytes")


def _parts_of_all(file: BinaryIO) -> Iterator[Part]:
    """Give the chunks of a PNG, and of those behind it, which FFmpeg looks for and reads too."""
    at = 0
    while (start := _found(file, at)) is not None:
        at = start + len(PNG)
        for part in png_parts(file, at):
            yield part
            at = part.end
            if part.kind == b"IEND":
                break


def _found(file: BinaryIO, at: int) -> int | None:
    """Give where the next PNG starts."""
    file.seek(at)
    while len(piece := file.read(_PIECE)) >= len(PNG):
        if (inside := piece.find(PNG)) >= 0:
            return at + inside
        at += len(piece) - len(PNG) + 1
        file.seek(at)
    return None


def _inflated_size(kind: bytes, contents: bytes, most: int) -> int:
    """Give how many bytes a chunk inflates to (PNG, third edition, 11.3.2.3, 11.3.3.3, 11.3.3.4), or `most` of them."""
    _, _, rest = contents.partition(b"\0")
    if kind == b"iTXt":  # whether it is compressed, by which method, two languages' texts
        rest = rest[1:2] + rest[2:].split(b"\0", 2)[-1] if rest[:1] == b"\1" else b""
    with suppress(zlib.error):  # FFmpeg tells
        return len(zlib.decompressobj().decompress(rest[1:], most))
    return 0
