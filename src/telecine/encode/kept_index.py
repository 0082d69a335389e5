"""An MP4 or MOV with the index that it had, around samples that lie elsewhere now, and with another track of sound.

What an index says of pictures stays as it is, byte by byte: edit lists, tags, colour, light, rotation, names and what
is not known here. Anew is where their chunks lie, which a muxer says that has laid them out beside the sound.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import BinaryIO, NamedTuple, TypeAlias

import numpy as np

from ..container.boxes import Box, children, file_box, mp4_box, top_level_boxes
from ..container.samples import find, handler_of, spans_of_track, track_of
from ..errors import InputError
from ..files.files import name_of
from ..provenance.unhashed import manifests_in

_STBL = b"mdia", b"minf", b"stbl"
_OF_MEDIA = b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"mfra", b"sidx", b"ssix"
_32_BITS = 1 << 32
_PIECE = 1 << 20


class _File(NamedTuple):
    """A file: its index, its tracks by their identifiers, and those of them that are sound."""

    file: BinaryIO
    moov: Box
    tracks: Mapping[int, Box]
    sounds: frozenset[int]

    def chunks(self, track: int) -> list[tuple[int, int]]:
        """Give where each chunk of a track starts and ends."""
        return list(spans_of_track(self.file, self.tracks[track]))

    def bytes_of(self, each: Box) -> bytes:
        """Read a box."""
        self.file.seek(each.start)
        return self.file.read(each.end - each.start)


def _looked_at(file: BinaryIO) -> _File:
    moov = find(file, file_box(file), b"moov")
    if moov is None:
        raise InputError(f"{name_of(file)!r} has no index of tracks")
    tracks = {track_of(file, each): each for each in children(file, moov) if each.kind == b"trak"}
    sounds = frozenset(track for track, trak in tracks.items() if handler_of(file, trak) == b"soun")
    return _File(file, moov, tracks, sounds)


def is_in_fragments(file: BinaryIO) -> bool:
    """Tell whether an MP4's samples are in fragments, which have an index each (ISO/IEC 14496-12 8.8)."""
    return any(each.kind == b"moof" for each in top_level_boxes(file))


def bar_to_keeping(file: BinaryIO, pictures: int) -> str:
    """Say why the index of a file can't be kept around samples that have moved; nothing where it can.

    Its track of pictures is the one of this identifier.
    """
    index = _looked_at(file)
    for track, trak in index.tracks.items():
        stbl = find(file, trak, *_STBL)
        boxes = {} if stbl is None else {each.kind: each for each in children(file, stbl)}
        entries = [each.kind for each in children(file, boxes[b"stsd"], skip=8)] if b"stsd" in boxes else []
        if {b"saio", b"encv", b"enca"} & {*boxes, *entries}:
            return "its samples are encrypted"
        if track == pictures and len(entries) != 1:
            return "its parameter sets change within it"
    for parent in (file_box(file), index.moov):
        meta = find(file, parent, b"meta")  # with a version and flags, but for QuickTime's (8.11.1)
        if meta is not None and any(each.kind == b"iloc" for skip in (0, 4) for each in children(file, meta, skip)):
            return "it has images beside its tracks"
    return ""


# ---- the file ------------------------------------------------------------------------------------------------------


def write_with_index(original: BinaryIO, muxed: BinaryIO, finished: BinaryIO, pictures: int) -> None:
    """Write the samples of a file with one track of pictures, and maybe one of sound, with the index of another file.

    The tracks of that which are neither pictures nor sound go behind them. Its C2PA manifest, which is of other bytes,
    and what fills gaps are left out.

    Args:
        original: The file with the index.
        muxed: The file with the samples: the original's pictures, and the sound.
        finished: What is written to.
        pictures: The identifier of the original's track of pictures.

    Raises:
        InputError: a file has no index.
    """
    old, new = _looked_at(original), _looked_at(muxed)
    media = next(each for each in top_level_boxes(muxed) if each.kind == b"mdat")
    others = [track for track in old.tracks if track != pictures and track not in old.sounds]
    spans = [(muxed, (media.contents, media.end))]
    spans += [(original, span) for track in others for span in old.chunks(track)]
    length = sum(end - start for _, (start, end) in spans)
    ftyp, beside = _beside(old)
    largest = len(ftyp) + len(beside) + length + sum(each.moov.end - each.moov.start for each in (old, new))
    wide = 2 * largest > _32_BITS  # far from where an offset or the size of a box takes more than 32 bits
    mdat = struct.pack(">L4sQ", 1, b"mdat", 16 + length) if wide else struct.pack(">L4s", 8 + length, b"mdat")

    def index(at: int) -> bytes:
        """Give the index of a file whose samples are from there on."""
        behind = at + media.end - media.contents
        return _index(old, new, pictures, at - media.contents, behind, wide)

    finished.write(ftyp)
    finished.write(index(len(ftyp) + len(index(0)) + len(beside) + len(mdat)))
    finished.write(beside + mdat)
    for file, (start, end) in spans:
        _copy(file, start, end, finished)


def has_manifest(file: BinaryIO) -> bool:
    """Tell whether a file has a C2PA manifest."""
    return any(True for _ in manifests_in(file))


def _beside(old: _File) -> tuple[bytes, bytes]:
    """Give the box with which a file begins, if it has it, and those that are neither index nor media."""
    gone = {each.start for each in manifests_in(old.file)}
    boxes = [each for each in children(old.file, file_box(old.file)) if each.start not in gone]
    ftyp = b"".join(old.bytes_of(each) for each in boxes[:1] if each.kind == b"ftyp")
    return ftyp, b"".join(old.bytes_of(each) for each in boxes if each.kind not in _OF_MEDIA)


def _copy(source: BinaryIO, start: int, end: int, target: BinaryIO) -> None:
    source.seek(start)
    while start < end and (data := source.read(min(_PIECE, end - start))):
        target.write(data)
        start += len(data)


# ---- the index -----------------------------------------------------------------------------------------------------

_Replaced: TypeAlias = "dict[tuple[bytes, ...], bytes]"  # boxes by the way that leads to them


def _index(old: _File, new: _File, pictures: int, moved: int, behind: int, wide: bool) -> bytes:
    """Give the index. The new file's samples are moved by so many bytes; from `behind` on are those of other tracks."""
    (of_pictures,) = new.tracks.keys() - new.sounds
    tracks, durations, number = [], [], max(old.tracks) + 1
    for track in (each for each in old.tracks if each not in old.sounds):
        if track == pictures:
            replaced = _laid_out(new, of_pictures, moved, wide)
        else:
            *starts, behind = accumulate((end - start for start, end in old.chunks(track)), initial=behind)
            replaced = _offsets(starts, wide)
        tracks.append(_track(old, track, old.sounds, replaced))
        durations.append(_duration_of(old, track))
    for track in new.sounds:
        replaced = _laid_out(new, track, moved, wide) | {(b"tkhd",): _numbered(new, track, number)}
        tracks.append(_track(new, track, frozenset(), replaced))
        durations.append(_duration_of(new, track))
    boxes = list(children(old.file, old.moov))
    first = next(at for at, each in enumerate(boxes) if each.kind == b"trak")
    header = _movie_header(old, max(durations), number + 1)
    around = [header if each.kind == b"mvhd" else old.bytes_of(each) for each in boxes if each.kind != b"trak"]
    return mp4_box(b"moov", *around[:first], *tracks, *around[first:])


def _laid_out(new: _File, track: int, moved: int, wide: bool) -> _Replaced:
    """Give the boxes that say where the samples of a new file's track lie."""
    stsc = find(new.file, new.tracks[track], *_STBL, b"stsc")
    assert stsc is not None
    return {(*_STBL, b"stsc"): new.bytes_of(stsc)} | _offsets([start + moved for start, _ in new.chunks(track)], wide)


def _offsets(starts: Sequence[int], wide: bool) -> _Replaced:
    """Give the box of where chunks start, in place of either kind (8.7.5)."""
    kind, dtype = (b"co64", ">u8") if wide else (b"stco", ">u4")
    offsets = mp4_box(
        kind, bytes(4), len(starts).to_bytes(4, "big"), np.array(starts, np.int64).astype(dtype).tobytes()
    )
    return {(*_STBL, b"stco"): offsets, (*_STBL, b"co64"): offsets}


def _track(index: _File, track: int, gone: frozenset[int], replaced: _Replaced) -> bytes:
    """Give a track's box with others in it, and without references to tracks that are gone (8.3.3)."""
    trak = index.tracks[track]
    tref = find(index.file, trak, b"tref")
    if tref is not None and gone:
        replaced = replaced | {(b"tref",): _references(index, tref, gone)}
    return _rebuilt(index, trak, replaced)


def _references(index: _File, tref: Box, gone: frozenset[int]) -> bytes:
    left = []
    for each in children(index.file, tref):
        numbers = index.bytes_of(each)[each.contents - each.start :]
        kept = [numbers[at : at + 4] for at in range(0, len(numbers), 4)]
        kept = [number for number in kept if int.from_bytes(number, "big") not in gone]
        left += [mp4_box(each.kind, *kept)] if kept else []
    return mp4_box(b"tref", *left) if left else b""


def _rebuilt(index: _File, parent: Box, replaced: _Replaced, path: tuple[bytes, ...] = ()) -> bytes:
    """Give a box with others in the place of those that the ways lead to."""
    parts = []
    for each in children(index.file, parent):
        at = (*path, each.kind)
        if at in replaced:
            parts.append(replaced[at])
        elif any(way[: len(at)] == at for way in replaced):
            parts.append(_rebuilt(index, each, replaced, at))
        else:
            parts.append(index.bytes_of(each))
    return mp4_box(parent.kind, *parts)


# ---- headers, whose times take 32 or 64 bits (8.2.2, 8.3.2) --------------------------------------------------------


def _header(index: _File, parent: Box, kind: bytes) -> bytes:
    found = find(index.file, parent, kind)
    if found is None:
        raise InputError(f"{name_of(index.file)!r} is damaged: its index has no {kind.decode()}")
    return index.bytes_of(found)


def _duration_of(index: _File, track: int) -> int:
    header = _header(index, index.tracks[track], b"tkhd")
    return int.from_bytes(header[36:44] if header[8] else header[28:32], "big")


def _numbered(index: _File, track: int, number: int) -> bytes:
    """Give a track's header with another identifier."""
    header = _header(index, index.tracks[track], b"tkhd")
    at = 28 if header[8] else 20
    return header[:at] + number.to_bytes(4, "big") + header[at + 4 :]


def _movie_header(index: _File, duration: int, next_number: int) -> bytes:
    """Give the movie's header with another duration and the identifier of the next track."""
    header = _header(index, index.moov, b"mvhd")
    if not header[8] and duration >= _32_BITS:
        created, changed, ticks = (header[at : at + 4] for at in (12, 16, 20))
        times = b"".join((bytes(4), created, bytes(4), changed, ticks, bytes(8)))
        header = mp4_box(b"mvhd", b"\1" + header[9:12], times, header[28:])
    at, width = (32, 8) if header[8] else (24, 4)
    head, rest = header[:at], header[at + width : -4]
    return head + duration.to_bytes(width, "big") + rest + next_number.to_bytes(4, "big")
