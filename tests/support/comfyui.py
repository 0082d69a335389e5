"""What ComfyUI finds in a file that is dropped on it: the rules of its frontend's readers, written anew.

They are those of ComfyUI_frontend's src/scripts/metadata (isobmff.ts, ebml.ts, png.ts) and src/scripts/pnginfo.ts.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

Graphs = dict[str, Any]

_NAMES = ("prompt", "workflow")
_READ_OF_MP4, _READ_OF_WEBM = 64 << 20, 2 << 20


def graphs_of(path: Path) -> Graphs:
    data = path.read_bytes()
    readers = {".mp4": _of_mp4, ".mov": _of_mp4, ".webm": _of_webm, ".png": _of_png, ".webp": _of_webp}
    return readers[path.suffix](data)


def _loaded(text: bytes) -> Any:
    at = text.find(b"{")
    try:
        return json.loads(text[at:]) if at >= 0 else None
    except ValueError:
        return None


# ---- MP4: the first `udta`, in it the first `meta`, in it `keys` and `ilst` ------------------------------------------


def _of_mp4(data: bytes) -> Graphs:
    data = data[:_READ_OF_MP4]
    user_data = _box(data, b"udta") or _box(_box(data, b"moov") or b"", b"udta")
    meta = (_box(user_data or b"", b"meta") or b"")[4:]
    keys, items = _box(meta, b"keys"), _box(meta, b"ilst")
    if keys is None or items is None:
        return {}
    (count,), at, names = struct.unpack_from(">I", keys, 4), 8, {}
    for index in range(1, count + 1):
        (size,) = struct.unpack_from(">I", keys, at)
        names[index] = keys[at + 8 : at + size].decode()
        at += size
    found, at = {}, 0
    while at < len(items) - 8:
        size, index = struct.unpack_from(">II", items, at)
        name = names.get(index, "").lower()
        value = _box(items[at + 8 : at + size], b"data")
        if name in _NAMES and value is not None and (graph := _loaded(value[8:])) is not None:
            found[name] = graph
        at += size
    return found


def _box(data: bytes, kind: bytes) -> bytes | None:
    at = 0
    while at < len(data) - 8:
        (size,) = struct.unpack_from(">I", data, at)
        if size < 8:  # it looks one byte further
            at += 1
            continue
        if data[at + 4 : at + 8] == kind:
            return data[at + 8 : at + size]
        if at + size > len(data):
            return None
        at += size
    return None


# ---- WebM: wherever a SimpleTag's identifier is in the beginning ----------------------------------------------------


def _of_webm(data: bytes) -> Graphs:
    data, found, at = data[:_READ_OF_WEBM], {}, 0
    while (at := data.find(b"\x67\xc8", at)) >= 0:
        size, head = _integer(data, at + 2)
        tag = data[at + 2 + head : at + 2 + head + size]
        if size <= 0 or len(tag) < size:
            at += 1
            continue
        name, text = _element(tag, b"\x45\xa3").decode(), _element(tag, b"\x44\x87")
        if name in ("PROMPT", "WORKFLOW") and (graph := _loaded(text)) is not None:
            found[name.lower()] = graph
        at += 2 + head + size
    return found


def _element(tag: bytes, kind: bytes) -> bytes:
    at = tag.find(kind)
    size, head = _integer(tag, at + 2)
    return tag[at + 2 + head : at + 2 + head + size]


def _integer(data: bytes, at: int) -> tuple[int, int]:
    if at >= len(data) or data[at] == 0:
        return 0, 1
    length = 9 - data[at].bit_length()
    return int.from_bytes(data[at : at + length], "big") & (1 << 7 * length) - 1, length


# ---- images ----------------------------------------------------------------------------------------------------------


def _of_png(data: bytes) -> Graphs:
    texts, at = {}, 8
    while at < len(data):
        (size,), kind = struct.unpack_from(">I", data, at), data[at + 4 : at + 8]
        name, _, text = data[at + 8 : at + 8 + size].partition(b"\0")
        if kind == b"iTXt":
            text = text[2:].split(b"\0", 2)[2]
        if kind in (b"tEXt", b"iTXt"):
            texts[name.decode("latin-1")] = text
        at += 12 + size
    return {name: graph for name in _NAMES if (graph := _loaded(texts.get(name, b""))) is not None}


def _of_webp(data: bytes) -> Graphs:
    at = 12
    while at < len(data):
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if kind == b"EXIF":
            return graphs_of_exif(data[at + 8 : at + 8 + size])
        at += 8 + size  # whether odd or even
    return {}


def graphs_of_exif(exif: bytes) -> Graphs:
    order = "<" if exif[:2] == b"II" else ">"
    (first,) = struct.unpack_from(order + "I", exif, 4)
    (count,) = struct.unpack_from(order + "H", exif, first)
    found = {}
    for index in range(count):
        _, kind, length, at = struct.unpack_from(order + "HHII", exif, first + 2 + 12 * index)
        if kind == 2:
            name, _, text = exif[at : at + length - 1].partition(b":")
            if name.decode().lower() in _NAMES:
                found[name.decode().lower()] = json.loads(text)
    return found
