"""The metadata boxes of an MP4 or MOV: tags in `moov/udta`, an XMP packet in a box of its own beside `moov`.

FFmpeg's muxer writes either the fields that players show or any keys, never both. So it writes one tag that is as long
as these boxes, which are put in its place: no offset in the file changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO

from ..container.boxes import Box, boxes_in, first_boxes, mp4_box, top_level_boxes
from .tags import Metadata, graphs_in, tags_of
from .xmp import packet_of

XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")  # XMP specification part 3, 1.1.5
# The fields that players show, by FFmpeg's names: iTunes's in an MP4, QuickTime's in a MOV.
_FIELDS = {
    "title": b"\xa9nam",
    "artist": b"\xa9ART",
    "album": b"\xa9alb",
    "date": b"\xa9day",
    "genre": b"\xa9gen",
    "comment": b"\xa9cmt",
}
_ITUNES = _FIELDS | {"encoder": b"\xa9too", "copyright": b"cprt", "description": b"desc", "synopsis": b"ldes"}
_QUICKTIME = _FIELDS | {"encoder": b"\xa9swr", "copyright": b"\xa9cpy"}
_FIELD_BYTES = range(1, 1 << 16)  # of QuickTime's, whose length has 16 bits; a longer text is a key
_UTF_8 = (1).to_bytes(4, "big")  # the type of an item's value (QuickTime File Format, well-known types)
_UNDETERMINED = 0x55C4  # the language "und", packed (ISO/IEC 14496-12 8.4.2.3)


def boxes_of(metadata: Metadata, quicktime: bool) -> tuple[bytes, bytes]:
    """Give the boxes of a file's metadata: the one that goes into `moov`, and the one beside it."""
    return _user_data(tags_of(metadata), quicktime), mp4_box(b"uuid", XMP, packet_of(metadata))


def _user_data(tags: Mapping[str, str], quicktime: bool) -> bytes:
    """Give the `udta` box. Each tag is in it once: FFmpeg 9 joins what is there twice."""
    if quicktime:
        fields = {name: tags[name].encode() for name in _QUICKTIME if len(tags.get(name, "").encode()) in _FIELD_BYTES}
        keys = {name: text for name, text in tags.items() if name not in fields}
        return mp4_box(b"udta", *(_quicktime_field(name, text) for name, text in fields.items()), _keys(keys))
    keys = {name: text for name, text in tags.items() if name not in _ITUNES}
    fields_and_keys = _itunes_fields({name: text for name, text in tags.items() if name in _ITUNES}), _keys(keys)
    # Most look at the first `meta` alone: players for their fields, ComfyUI for its graphs.
    return mp4_box(b"udta", *(reversed(fields_and_keys) if graphs_in(tags) else fields_and_keys))


def _itunes_fields(tags: Mapping[str, str]) -> bytes:
    items = [mp4_box(_ITUNES[name], _value(text)) for name, text in tags.items()]
    return _meta(b"mdirappl", mp4_box(b"ilst", *items))


def _keys(tags: Mapping[str, str]) -> bytes:
    names = [mp4_box(b"mdta", name.encode()) for name in tags]
    items = [mp4_box(index.to_bytes(4, "big"), _value(text)) for index, text in enumerate(tags.values(), 1)]
    return _meta(b"mdta", mp4_box(b"keys", bytes(4), len(names).to_bytes(4, "big"), *names), mp4_box(b"ilst", *items))


def _meta(handler: bytes, *contents: bytes) -> bytes:
    return mp4_box(b"meta", bytes(4), mp4_box(b"hdlr", bytes(8), handler.ljust(17, b"\0")), *contents)


def _value(text: str) -> bytes:
    return mp4_box(b"data", _UTF_8, bytes(4), text.encode())


def _quicktime_field(name: str, text: bytes) -> bytes:
    return mp4_box(_QUICKTIME[name], len(text).to_bytes(2, "big"), _UNDETERMINED.to_bytes(2, "big"), text)


def replace_filler(file: BinaryIO, in_index: bytes, beside: bytes) -> None:
    """Put boxes in the place of the `udta` that a muxer wrote: at the end of `moov`, and after it.

    It must be larger than both by at least a box's header.
    """
    moov = next(each for each in top_level_boxes(file) if each.kind == b"moov")
    *_, filler = boxes_in(file, moov)
    rest = filler.end - filler.start - len(in_index) - len(beside)
    assert (filler.kind, filler.end) == (b"udta", moov.end)
    assert rest >= 8
    file.seek(moov.start)
    file.write((filler.start + len(in_index) - moov.start).to_bytes(4, "big"))
    file.seek(filler.start)
    file.write(b"".join((in_index, beside, mp4_box(b"free", bytes(rest - 8)))))


def xmp_packet(file: BinaryIO) -> bytes | None:
    """Give the XMP packet of a file; None where it has none."""
    for each in first_boxes(file):
        if is_uuid(file, each, XMP):
            file.seek(each.start + 24)
            return file.read(each.end - each.start - 24)
    return None


def is_uuid(file: BinaryIO, each: Box, identifier: bytes) -> bool:
    """Tell whether a box is the one that a UUID stands for."""
    if each.kind != b"uuid":
        return False
    file.seek(each.start + 8)
    return file.read(16) == identifier
