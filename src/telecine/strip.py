"""`strip`: a file without what it says of itself. Nothing is encoded again, no packet moves."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO

from .boxes import Box, boxes_of_index, forget_times, top_level_boxes
from .elements import Element, elements, elements_in
from .errors import EncodeError, FrameError, OptionError
from .image_metadata import cut_metadata
from .probe import VideoInfo, probe
from .publish import Publication
from .urls import local_path
from .user_data import XMP, is_uuid

_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")  # C2PA A.5: a signature of what is changed here
# Matroska (RFC 9559 5.1): what says something, what leads to it, and the checksum that covers both.
_TAGS, _INFO, _SEEK_HEAD, _SEEK, _SEEK_ID = 0x1254C367, 0x1549A966, 0x114D9B74, 0x4DBB, 0x53AB
_TITLE, _DATE, _FILE_NAME, _CRC_32 = 0x7BA9, 0x4461, 0x7384, 0xBF


def strip(path: str | os.PathLike[str], output: str | os.PathLike[str] | None = None) -> VideoInfo:
    """Remove what a file says of itself: tags, XMP, Exif, creation times, a C2PA manifest.

    Args:
        path: An MP4, MOV, Matroska, WebM, GIF, WebP or PNG.
        output: Where the file without goes; `path` itself if not given. Until the last step it holds what it held.

    What held metadata in a video becomes padding, so that nothing else changes: packets, times and index are the same
    bytes at the same places. From an image it is cut out. What encoders write into packets stays, such as x264's
    settings.

    Raises:
        FrameError: it can't be read.
        OptionError: it is of another kind.
        PublishError: the output can't be written.
    """
    path = local_path(path, "read", FrameError)
    before = probe(path)
    if before.container not in _STRIPPERS:
        takes = "MP4, MOV, Matroska, WebM, GIF, WebP and PNG"
        raise OptionError(f"{str(before.path)!r} is {before.container}, of which strip can't: it takes {takes}")
    publication = Publication(path if output is None else output)
    try:
        file = publication.open_finished()
        try:
            with open(path, "rb") as source:
                shutil.copyfileobj(source, file)
            _STRIPPERS[before.container](file)
        except OSError as error:
            raise publication.failure(error) from error
        after = probe(file)
        _check(before, after)
        publication.commit()
    except BaseException:
        publication.discard()
        raise
    return replace(after, path=before.path if output is None else type(before.path)(publication.path))


def _check(before: VideoInfo, after: VideoInfo) -> None:
    same = replace(after, path=before.path, size_bytes=before.size_bytes, metadata=before.metadata)
    left = set(after.metadata) - {"encoder"}  # Matroska must name its muxer (RFC 9559 5.1.2.13)
    if same != before or left:
        raise EncodeError(f"the file without metadata is not the same video, or says {sorted(left)}")


# ---- MP4 and MOV ---------------------------------------------------------------------------------------------------


def _strip_boxes(file: BinaryIO) -> None:
    for box in list(boxes_of_index(file)):
        if box.kind in (b"udta", b"meta") or is_uuid(file, box, XMP) or is_uuid(file, box, _C2PA):
            _free(file, box)
    forget_times(file)
    *_, last = top_level_boxes(file)
    if last.kind == b"free":
        file.truncate(last.start)


def _free(file: BinaryIO, box: Box) -> None:
    """Make a box one that is skipped (ISO/IEC 14496-12 8.1.2), of the same size."""
    size_of_file = file.seek(0, os.SEEK_END)
    file.seek(box.start + 4)
    file.write(b"free")
    file.seek(box.contents)
    file.write(bytes(min(box.end, size_of_file) - box.contents))


# ---- Matroska and WebM ---------------------------------------------------------------------------------------------


def _strip_elements(file: BinaryIO) -> None:
    for element in list(elements(file)):
        if element.kind == _TAGS:
            _void(file, element)
        elif element.kind == _INFO:
            _void_in(file, element, lambda each: each.kind in (_TITLE, _DATE, _FILE_NAME))
        elif element.kind == _SEEK_HEAD:
            _void_in(file, element, lambda each: _leads_to_tags(file, each))


def _void_in(file: BinaryIO, parent: Element, unwanted: Callable[[Element], bool]) -> None:
    children = list(elements_in(file, parent))
    if any(map(unwanted, children)):
        for each in children:
            if each.kind == _CRC_32 or unwanted(each):
                _void(file, each)


def _leads_to_tags(file: BinaryIO, seek: Element) -> bool:
    for each in elements_in(file, seek) if seek.kind == _SEEK else ():
        file.seek(each.contents)
        if each.kind == _SEEK_ID and int.from_bytes(file.read(each.end - each.contents), "big") == _TAGS:
            return True
    return False


def _void(file: BinaryIO, element: Element) -> None:
    """Make an element one that is skipped (RFC 8794 11.3.2), of the same size: its identifier, its size, and zeros."""
    room = element.end - element.start - 1
    size = bytes([0x80 | room - 1]) if room <= 127 else ((1 << 56) + room - 8).to_bytes(8, "big")
    file.seek(element.start)
    file.write(b"\xec" + size + bytes(room - len(size)))


_STRIPPERS: dict[str, Callable[[BinaryIO], None]] = {
    "mp4": _strip_boxes,
    "mov": _strip_boxes,
    "mkv": _strip_elements,
    "webm": _strip_elements,
    "gif": cut_metadata,
    "webp": cut_metadata,
    "apng": cut_metadata,
    "png_pipe": cut_metadata,
    "webp_pipe": cut_metadata,
}
