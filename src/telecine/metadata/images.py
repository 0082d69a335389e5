"""What PNG, WebP and GIF files say of themselves: chunks that are put into a finished file, and read back.

An AVIF is told while Pillow encodes it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import BinaryIO

from ..container.chunks import PNG, contents_of, first_parts_of, parts_of, png_chunk, riff_chunk
from ..errors import InputError
from ..files.pillow import opened_image
from .tags import Metadata, exact_text, graphs_in, tags_of
from .xmp import copy_in, packet_of

_XMP_KEYWORD = "XML:com.adobe.xmp"  # XMP specification part 3, 1.1.5
_LONGEST_KEYWORD = 79  # PNG, third edition, 11.3.3.1
_XMP_IN_GIF = b"\x21\xff\x0bXMP DataXMP"  # XMP specification part 3, 1.1.2
# Which a reader that takes the packet for blocks runs into, wherever it is, and finds the end.
_XMP_GIF_END = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
# Of the flags in the VP8X chunk (WebP container specification, "Extended File Format").
HAS_EXIF, HAS_XMP = 0x08, 0x04
# Where ComfyUI has its graphs in an Exif (nodes_images.py): two strings "name:JSON".
_EXIF_TAGS = {"workflow": 0x010F, "prompt": 0x0110}
APPLICATIONS = {b"NETSCAPE", b"ANIMEXTS"}  # what says how many times a GIF is shown
_STEP = 1 << 20
_ASCII = 2  # the type of an Exif value


def image_kind(file: BinaryIO) -> str | None:
    """Tell whether an open file is a "png", "webp", "gif" or "avif"; None for anything else."""
    file.seek(0)
    head = file.read(32)
    if head[4:8] == b"ftyp" and (b"avif" in head[8:] or b"avis" in head[8:]):
        return "avif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    return "png" if head[:8] == PNG else "gif" if head[:4] == b"GIF8" else None


# ---- written -------------------------------------------------------------------------------------------------------


def add_metadata(file: BinaryIO, metadata: Metadata) -> None:
    """Add what a finished PNG, APNG, GIF or animated WebP is to say of itself."""
    kind = image_kind(file)
    if kind == "webp":
        _add_to_webp(file, metadata)
    elif kind == "gif":
        # In front of the first image: FFmpeg takes what follows the last one for one more frame.
        first = next(part for part in parts_of(file, kind) if part.kind not in APPLICATIONS)
        _insert(file, first.start, gif_extensions(metadata))
    else:
        _insert(file, file.seek(0, os.SEEK_END) - 12, png_chunks(metadata))  # in front of the chunk that ends it


def _insert(file: BinaryIO, at: int, data: bytes) -> None:
    end = file.seek(0, os.SEEK_END)
    while end > at:
        start = max(at, end - _STEP)
        file.seek(start)
        moved = file.read(end - start)
        file.seek(start + len(data))
        file.write(moved)
        end = start
    file.seek(at)
    file.write(data)


def png_chunks(metadata: Metadata) -> bytes:
    """Give the chunks of a PNG's metadata, for anywhere between its first and its last (PNG, third edition, 11.3.3)."""
    texts = {name: text.encode() for name, text in tags_of(metadata).items() if _is_keyword(name)}
    texts[_XMP_KEYWORD] = packet_of(metadata)
    return b"".join(png_chunk(b"iTXt", name.encode() + bytes(5) + text) for name, text in texts.items())


def _is_keyword(name: str) -> bool:
    return len(name) <= _LONGEST_KEYWORD and "  " not in name


def gif_extensions(metadata: Metadata) -> bytes:
    """Give the blocks of a GIF's metadata, for anywhere in front of an image (GIF89a 24, 26)."""
    text = exact_text(metadata.values, ascii=True).encode()
    blocks = (text[at : at + 255] for at in range(0, len(text), 255))
    comment = b"\x21\xfe" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"
    return comment + _XMP_IN_GIF + packet_of(metadata) + _XMP_GIF_END


def exif_of(metadata: Metadata) -> bytes:
    """Give an Exif of what ComfyUI loads; empty where there is nothing."""
    graphs = graphs_in(tags_of(metadata))
    entries = [(_EXIF_TAGS[name], f"{name}:{graphs[name]}".encode() + b"\0") for name in _EXIF_TAGS if name in graphs]
    if not entries:
        return b""
    at, head, texts = 8 + 2 + 12 * len(entries) + 4, struct.pack(">2sHIH", b"MM", 42, 8, len(entries)), b""
    for tag, text in entries:
        head += struct.pack(">HHII", tag, _ASCII, len(text), at + len(texts))
        texts += text
    return head + bytes(4) + texts


def _add_to_webp(file: BinaryIO, metadata: Metadata) -> None:
    exif, flags = exif_of(metadata), HAS_XMP
    file.seek(0, os.SEEK_END)
    if exif:
        file.write(riff_chunk(b"EXIF", exif))
        flags |= HAS_EXIF
    file.write(riff_chunk(b"XMP ", packet_of(metadata)))
    finish_webp(file, lambda before: before | flags)


def finish_webp(file: BinaryIO, change: Callable[[int], int]) -> None:
    """Write how large the file is by now, and change the flags that say what is in it."""
    size = file.seek(0, os.SEEK_END)
    file.seek(4)
    file.write((size - 8).to_bytes(4, "little"))
    file.seek(12)
    head = file.read(9)
    if head[:4] == b"VP8X":
        file.seek(20)
        file.write(bytes([change(head[8])]))


# ---- read ----------------------------------------------------------------------------------------------------------


def read_image(file: BinaryIO) -> tuple[dict[str, str], list[str]] | None:
    """Give the tags of a PNG, WebP, GIF or AVIF, and the exact copies in it; None if it is no such file."""
    kind = image_kind(file)
    if kind is None:
        return None
    texts, packets, exif = _READERS[kind](file)
    copies = [copy for copy in map(copy_in, packets) if copy is not None]
    return {**_strings_of_exif(exif), **texts}, copies


_Read = tuple[dict[str, str], list[bytes], bytes]  # texts by name, XMP packets, an Exif


def _read_png(file: BinaryIO) -> _Read:
    texts: dict[str, str] = {}
    packets = []
    for part in first_parts_of(file, "png"):
        if part.kind == b"tEXt":
            name, _, text = contents_of(file, part).partition(b"\0")
            texts[name.decode("latin-1")] = text.decode("latin-1")
        elif part.kind == b"iTXt":
            name, _, rest = contents_of(file, part).partition(b"\0")
            *_, text = rest[2:].split(b"\0", 2)
            if rest[:1] == b"\0":  # not compressed
                texts[name.decode("latin-1")] = text.decode("utf-8", "replace")
    if _XMP_KEYWORD in texts:
        packets.append(texts.pop(_XMP_KEYWORD).encode())
    return texts, packets, b""


def _read_webp(file: BinaryIO) -> _Read:
    found = {
        part.kind: contents_of(file, part) for part in first_parts_of(file, "webp") if part.kind in (b"EXIF", b"XMP ")
    }
    return {}, [found.get(b"XMP ", b"")], found.get(b"EXIF", b"")


def _read_gif(file: BinaryIO) -> _Read:
    texts, packets = {}, []
    for part in first_parts_of(file, "gif"):
        if part.kind == b"comment":
            data, blocks, at = contents_of(file, part), [], 0
            while at < len(data):
                blocks.append(data[at + 1 : at + 1 + data[at]])
                at += 1 + data[at]
            texts["comment"] = b"".join(blocks).decode("utf-8", "replace")
        elif part.kind == b"XMP Data":
            packets.append(contents_of(file, part).removesuffix(_XMP_GIF_END))
    return texts, packets, b""


def _read_avif(file: BinaryIO) -> _Read:
    try:
        with opened_image(file) as image:
            return {}, [image.info.get("xmp", b"")], image.info.get("exif", b"")
    except InputError:
        return {}, [], b""


_READERS: dict[str, Callable[[BinaryIO], _Read]] = {
    "png": _read_png,
    "webp": _read_webp,
    "gif": _read_gif,
    "avif": _read_avif,
}


def _strings_of_exif(exif: bytes) -> dict[str, str]:
    if not exif:
        return {}
    from PIL import Image  # start-up: Pillow, which videos have no need of

    read = Image.Exif()
    try:
        read.load(exif)
        # Pillow takes what is UTF-8 for Latin-1.
        texts = [text.encode("latin-1").decode("utf-8", "replace") for text in read.values() if isinstance(text, str)]
    except Exception:  # Pillow raises anything of damaged bytes
        return {}
    pairs = (text.partition(":") for text in texts)
    return {name.lower(): text for name, _, text in pairs if name.lower() in _EXIF_TAGS}
