"""A Matroska or WebM without what it says of itself: what does is voided, at the same size, so that nothing moves."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import BinaryIO

from ..container.elements import (
    CLUSTER,
    CUES,
    HEADER,
    SEGMENT,
    Element,
    bytes_of_integer,
    elements_and_clusters,
    elements_in,
)
from ..container.overwrite import write_at, zero
from ..errors import FrameError

# What is needed to play (RFC 9559 5.1), by its identifier. In the file, its segment and its clusters:
_SEEK_HEAD, _INFO, _TRACKS = 0x114D9B74, 0x1549A966, 0x1654AE6B
_TOP = {SEGMENT, _SEEK_HEAD, _INFO, _TRACKS, CUES, CLUSTER}
_OF_HEADER = {HEADER, 0x4286, 0x42F7, 0x42F2, 0x42F3, 0x4282, 0x4287, 0x4285, 0x4281, 0x4283, 0x4284}
_SIMPLE_BLOCK, _BLOCK_GROUP, _BLOCK = 0xA3, 0xA0, 0xA1
_OF_CLUSTER = {0xE7, 0xA7, 0xAB, _SIMPLE_BLOCK, _BLOCK_GROUP}
_OF_BLOCK_GROUP = {_BLOCK, 0x75A1, 0x9B, 0xFA, 0xFB, 0xA4, 0x75A2}
_TIMESTAMP_SCALE, _DURATION, _MUXING_APP, _WRITING_APP = 0x2AD7B1, 0x4489, 0x4D80, 0x5741
_OF_INFO = {_TIMESTAMP_SCALE, _DURATION, _MUXING_APP, _WRITING_APP}
_SEEK, _SEEK_ID = 0x4DBB, 0x53AB
_TRACK_ENTRY, _TRACK_NUMBER, _TRACK_TYPE, _MAPPING, _MAPPING_NAME = 0xAE, 0xD7, 0x83, 0x41E4, 0x41A4
_OF_TRACK = {
    *(_TRACK_NUMBER, 0x73C5, _TRACK_TYPE, 0xB9, 0x88, 0x55AA, 0x55AB, 0x55AC, 0x55AD, 0x55AE, 0x55AF, 0x9C),
    *(0x6DE7, 0x6DF8, 0x23E383, 0x234E7A, 0x23314F, 0x537F, 0x55EE, _MAPPING, 0x22B59C, 0x22B59D, 0x86, 0x63A2),
    *(0x56AA, 0x56BB, 0xAA, 0x6FAB, 0xE0, 0xE1, 0xE2, 0x6D80),
}
_MEDIA = {1, 2, 3, 0x11}  # video, sound, both, subtitles: not metadata, buttons and control


def strip_elements(file: BinaryIO) -> None:
    """Void the elements that are not needed to play.

    Raises:
        FrameError: something in the file is no element, so that nobody can tell what it says.
    """
    _cut_end(file)
    gone: set[int] = set()
    for element in elements_and_clusters(file):
        if element.kind not in _TOP | _OF_HEADER | _OF_CLUSTER:
            _void(file, element)
        elif element.kind == _SEEK_HEAD:
            _keep(file, element, lambda each: each.kind == _SEEK and _sought(file, each) in _TOP)
        elif element.kind == _INFO:
            _clean_info(file, element)
        elif element.kind == _TRACKS:
            gone |= _clean_tracks(file, element)
        elif element.kind == _SIMPLE_BLOCK and _track_of(file, element) in gone:
            _void(file, element)
        elif element.kind == _BLOCK_GROUP:
            _clean_block_group(file, element, gone)


def _cut_end(file: BinaryIO) -> None:
    """Cut off what follows the segment, or, where that does not say how long it is, its last element."""
    size_of_file, end, end_of_segment = file.seek(0, os.SEEK_END), 0, 0
    for element in elements_and_clusters(file):
        if end_of_segment and element.start >= end_of_segment:
            break
        if element.kind == SEGMENT:
            end_of_segment = element.end
        if element.kind in _TOP | _OF_HEADER | _OF_CLUSTER:
            end = element.contents if element.kind in (HEADER, SEGMENT, CLUSTER) else element.end
        reached = element.contents if element.kind in (HEADER, SEGMENT, CLUSTER) else element.end
    if end_of_segment < size_of_file:
        _check_end(reached, end_of_segment)
        end = end_of_segment
    file.truncate(min(end, size_of_file))


def _check_end(reached: int, end: int) -> None:
    if reached < end:
        raise _damaged(reached)


def _damaged(at: int) -> FrameError:
    return FrameError(f"nobody can tell what it says at byte {at}")


def _keep(file: BinaryIO, parent: Element, needed: Callable[[Element], bool]) -> list[Element]:
    """Void what is not needed in an element; gives what stays."""
    kept, reached = [], parent.contents
    for each in list(elements_in(file, parent)):
        reached = each.end
        if needed(each):
            kept.append(each)
        else:
            _void(file, each)
    if reached > parent.end:
        raise _damaged(parent.start)
    _check_end(reached, parent.end)
    return kept


def _sought(file: BinaryIO, seek: Element) -> int:
    return next((_number(file, each) for each in elements_in(file, seek) if each.kind == _SEEK_ID), 0)


def _clean_info(file: BinaryIO, info: Element) -> None:
    """Keep the clock and the duration; the programs that made the file must be named, and become as many dashes."""
    for each in _keep(file, info, lambda each: each.kind in _OF_INFO):
        if each.kind in (_MUXING_APP, _WRITING_APP):
            length = min(each.end, file.seek(0, os.SEEK_END)) - each.contents
            write_at(file, each.contents, b"-" * length)


def _clean_tracks(file: BinaryIO, tracks: Element) -> set[int]:
    """Keep what tracks need to play; gives the numbers of those that are not seen, heard or read."""
    gone = set()
    for track in _keep(file, tracks, lambda each: each.kind == _TRACK_ENTRY):
        of_track = {each.kind: each for each in elements_in(file, track)}
        if _TRACK_TYPE in of_track and _number(file, of_track[_TRACK_TYPE]) not in _MEDIA:
            gone.add(_number(file, of_track[_TRACK_NUMBER]))
            _void(file, track)
            continue
        for each in _keep(file, track, lambda each: each.kind in _OF_TRACK):
            if each.kind == _MAPPING:
                _keep(file, each, lambda part: part.kind != _MAPPING_NAME)
    return gone


def _clean_block_group(file: BinaryIO, group: Element, gone: set[int]) -> None:
    blocks = (each for each in elements_in(file, group) if each.kind == _BLOCK)
    if any(_track_of(file, block) in gone for block in blocks):
        _void(file, group)
    else:
        _keep(file, group, lambda each: each.kind in _OF_BLOCK_GROUP)


def _track_of(file: BinaryIO, block: Element) -> int:
    """Give the track's number, with which a block begins, as an integer of variable size (RFC 9559 10.1)."""
    file.seek(block.contents)
    head = file.read(8)
    size = bytes_of_integer(head[0]) if head else 9
    return int.from_bytes(head[:size], "big") & (1 << 7 * size) - 1


def _number(file: BinaryIO, element: Element) -> int:
    file.seek(element.contents)
    return int.from_bytes(file.read(min(8, element.end - element.contents)), "big")


def _void(file: BinaryIO, element: Element) -> None:
    """Make an element one that is skipped (RFC 8794 11.3.2), of the same size: its identifier, its size, and zeros."""
    room = element.end - element.start - 1
    size = bytes([0x80 | room - 1]) if room <= 127 else ((1 << 56) + room - 8).to_bytes(8, "big")
    write_at(file, element.start, b"\xec" + size)
    zero(file, element.start + 1 + len(size), element.end)
