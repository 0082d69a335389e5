"""The chunks of PNG and WebP files and the blocks of GIFs: what they are, and where, and how one is written."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import BinaryIO, NamedTuple

from .window import MOST_HEADERS, Window

PNG = b"\x89PNG\r\n\x1a\n"
# What makes up a picture, and the flag of VP8X by which there are several (WebP container specification).
WEBP_PICTURE = frozenset((b"VP8 ", b"VP8L", b"ALPH"))
WEBP_ANIMATION = 0x02


class Part(NamedTuple):
    """A chunk: what it is, where it starts, where its contents start and end, and where the next one starts.

    The ends may lie beyond the file's.
    """

    kind: bytes
    start: int
    contents: int
    contents_end: int
    end: int


def parts_of(file: BinaryIO, kind: str) -> Iterator[Part]:
    """Give the parts of an open "png", "webp" or "gif"."""
    return _PARTS[kind](Window(file))


def first_parts_of(file: BinaryIO, kind: str) -> Iterator[Part]:
    """Give as many of the parts as are worth a look."""
    return islice(parts_of(file, kind), MOST_HEADERS)


def png_parts(file: BinaryIO, at: int) -> Iterator[Part]:
    """Give the chunks of a PNG from where they are."""
    return _png_parts(Window(file), at)


def riff_parts(file: BinaryIO, start: int, end: int) -> Iterator[Part]:
    """Give the chunks of a WebP that are in another one, from where to where those are."""
    return _riff_parts(Window(file), start, end)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """Give a chunk of a PNG (PNG, third edition, 5.3)."""
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(data, zlib.crc32(kind)).to_bytes(4, "big")


def riff_chunk(kind: bytes, data: bytes) -> bytes:
    """Give a chunk of a WebP, of an even number of bytes (WebP container specification, "RIFF File Format")."""
    return kind + len(data).to_bytes(4, "little") + data + bytes(len(data) % 2)


def contents_of(file: BinaryIO, part: Part) -> bytes:
    """Read what is in a part."""
    file.seek(part.contents)
    return file.read(part.contents_end - part.contents)


def _png_parts(window: Window, at: int = len(PNG)) -> Iterator[Part]:
    while len(head := window.read(at, 8)) == 8:
        end = at + 12 + int.from_bytes(head[:4], "big")
        yield Part(head[4:], at, at + 8, end - 4, end)
        at = end


def _webp_parts(window: Window) -> Iterator[Part]:
    return _riff_parts(window, 12, 8 + int.from_bytes(window.read(4, 4), "little"))


def _riff_parts(window: Window, at: int, end_of_parts: int) -> Iterator[Part]:
    while at < end_of_parts and len(head := window.read(at, 8)) == 8:
        size = int.from_bytes(head[4:], "little")
        end = at + 8 + size + size % 2
        yield Part(head[:4], at, at + 8, at + 8 + size, end)
        at = end


def _gif_parts(window: Window) -> Iterator[Part]:
    """Give the blocks of a GIF (GIF89a 17 to 27): extensions by their name, images and the trailer by their mark."""
    at = 13 + bytes_of_colors(window.read(10, 1))
    while head := window.read(at, 14):
        kind, contents = head[:1], at + 1
        if kind == b"\x21" and head[1:3] == b"\xff\x0b":  # an application's
            kind, contents = head[3:11], at + 14
        elif head[:2] == b"\x21\xfe":
            kind, contents = b"comment", at + 2
        elif kind == b"\x21":
            contents = at + 2
        elif kind == b"\x2c":
            contents = at + 11 + bytes_of_colors(head[9:10])
        end = contents if kind == b"\x3b" else _end_of_blocks(window, contents)
        yield Part(kind, at, contents, end, end)
        at = end


def bytes_of_colors(flags: bytes) -> int:
    """How many bytes a GIF's table of colours takes, by the flags that say whether there is one."""
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0


def _end_of_blocks(window: Window, at: int) -> int:
    while size := window.read(at, 1):
        at += 1 + size[0]
        if size == b"\0":
            break
    return at


_PARTS: Mapping[str, Callable[[Window], Iterator[Part]]] = {"png": _png_parts, "webp": _webp_parts, "gif": _gif_parts}
