"""A PNG, WebP or GIF without what it says of itself: that is cut out, and what follows moves up."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

from ..container.chunks import (
    PNG,
    WEBP_PICTURE,
    bytes_of_colors,
    contents_of,
    parts_of,
    png_chunk,
    riff_chunk,
    riff_parts,
)
from ..planes.orientation import ORIENTATION_TAG
from .images import APPLICATIONS, HAS_EXIF, HAS_XMP, finish_webp, image_kind

# What is shown or says how: PNG, third edition, 4.8 and 11.3; WebP container specification.
_SHOWN_OF_PNG = set(
    b"IHDR PLTE IDAT IEND tRNS cHRM gAMA sBIT sRGB cICP mDCV mDCv cLLI cLLi bKGD pHYs acTL fcTL fdAT".split()
)
_SHOWN_OF_WEBP = {b"VP8X", b"ANIM", b"ICCP", *WEBP_PICTURE}
_SHORT = 3  # the type of an Exif value


def strip_image(file: BinaryIO) -> None:
    """Cut out of a PNG, WebP or GIF all that showing it does not take; of an Exif stays how it turns the image."""
    kind = image_kind(file)
    assert kind is not None
    size_of_file, to = file.seek(0, os.SEEK_END), 0
    for piece in _KEPT[kind](file):
        data = piece if isinstance(piece, bytes) else _read(file, piece[0], min(piece[1], size_of_file) - piece[0])
        file.seek(to)
        to += file.write(data)
    file.truncate(to)
    if kind == "webp":
        said = HAS_EXIF if any(part.kind == b"EXIF" for part in parts_of(file, "webp")) else 0
        finish_webp(file, lambda before: before & ~(HAS_EXIF | HAS_XMP) | said)


_Piece = tuple[int, int] | bytes  # of the file, or what takes the place of something in it that is no shorter


def _kept_of_png(file: BinaryIO) -> Iterator[_Piece]:
    yield 0, len(PNG)
    for part in parts_of(file, "png"):
        if part.kind in _SHOWN_OF_PNG:
            yield part.start, part.end
        elif part.kind == b"iCCP":
            name, end_of_name, profile = contents_of(file, part).partition(b"\0")
            yield png_chunk(b"iCCP", b"-" * len(name) + end_of_name + profile)
        elif part.kind == b"eXIf" and (exif := _turning(contents_of(file, part))):
            yield png_chunk(b"eXIf", exif)
        if part.kind == b"IEND":
            return


def _kept_of_webp(file: BinaryIO) -> Iterator[_Piece]:
    yield 0, 12
    for part in parts_of(file, "webp"):
        if part.kind == b"ANMF":
            shown = [
                each for each in riff_parts(file, part.contents + 16, part.contents_end) if each.kind in WEBP_PICTURE
            ]
            yield b"ANMF" + (16 + sum(each.end - each.start for each in shown)).to_bytes(4, "little")
            yield part.contents, part.contents + 16
            yield from ((each.start, each.end) for each in shown)
        elif part.kind in _SHOWN_OF_WEBP:
            yield part.start, part.end
        elif part.kind == b"EXIF" and (exif := _turning(contents_of(file, part))):
            yield riff_chunk(b"EXIF", exif)


def _kept_of_gif(file: BinaryIO) -> Iterator[_Piece]:
    yield 0, 13 + bytes_of_colors(_read(file, 10, 1))
    for part in parts_of(file, "gif"):
        if part.kind in APPLICATIONS and _read(file, part.contents, 2) == b"\x03\x01":
            yield part.start, part.contents + 4  # how many times it is shown, without what may follow
            yield b"\0"
        elif part.kind in (b"\x2c", b"\x3b") or _read(file, part.start, 2) == b"\x21\xf9":
            yield part.start, part.end
        if part.kind == b"\x3b":
            return


def _turning(exif: bytes) -> bytes:
    """Give an Exif that says how to turn the image and no more; empty where it is not turned."""
    from PIL import Image  # start-up: Pillow, which videos have no need of

    read = Image.Exif()
    try:
        read.load(exif)
        orientation = read.get(ORIENTATION_TAG)
    except Exception:  # Pillow raises anything of damaged bytes
        return b""
    if orientation not in range(2, 9) or len(exif) < 26:  # shorter than what takes its place
        return b""
    return struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, ORIENTATION_TAG, _SHORT, 1, orientation, 0, 0)


_KEPT: dict[str, Callable[[BinaryIO], Iterator[_Piece]]] = {
    "png": _kept_of_png,
    "webp": _kept_of_webp,
    "gif": _kept_of_gif,
}


def _read(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(at)
    return file.read(size)
