"""An MP4 or MOV without what it says of itself: that becomes free boxes of the same size, so that nothing moves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import BinaryIO

from ..container.boxes import Box, children, file_box, forget_times
from ..container.overwrite import write_at, zero
from ..container.samples import Span, find, handler_of, number_at, spans_of_samples, track_of
from ..errors import FrameError

# What is needed to play, by what it is in (ISO/IEC 14496-12, table 1; QuickTime File Format, "Movie Atoms").
_FILLERS = {b"free", b"skip", b"wide"}
_OF_FILE = {b"ftyp", b"styp", b"moov", b"mdat", b"moof", b"mfra", b"sidx", b"ssix", *_FILLERS}
_OF: Mapping[bytes, set[bytes]] = {
    b"moov": {b"mvhd", b"trak", b"mvex"},
    b"trak": {b"tkhd", b"tapt", b"edts", b"tref", b"trgr", b"mdia", b"load", b"txas"},
    b"tapt": {b"clef", b"prof", b"enof"},
    b"edts": {b"elst"},
    b"mdia": {b"mdhd", b"hdlr", b"elng", b"minf"},
    b"minf": {b"vmhd", b"smhd", b"hmhd", b"sthd", b"nmhd", b"gmhd", b"hdlr", b"dinf", b"stbl"},
    b"gmhd": {b"gmin", b"text"},
    b"dinf": {b"dref"},
    b"stbl": set(
        b"stsd stts ctts cslg stsc stsz stz2 stco co64 stss stps stsh sdtp sbgp sgpd subs saiz saio padb stdp".split()
    ),
    b"mvex": {b"mehd", b"trex", b"leva"},
    b"moof": {b"mfhd", b"traf"},
    b"traf": {b"tfhd", b"tfdt", b"trun", b"sbgp", b"sgpd", b"subs", b"saiz", b"saio", b"sdtp", b"senc"},
}
# What is seen, heard or read: not timecodes, sensors, places and other tracks about them.
_MEDIA = {b"vide", b"auxv", b"soun", b"sbtl", b"subt", b"text", b"clcp", b"subp"}
_VISUAL = {b"vide", b"auxv"}
_SAID_IN_ENTRY = {b"uuid", b"udta", b"meta", b"name"}
_MORE_OF_SOUND = {1: 16, 2: 36}  # bytes by QuickTime's versions of a sample entry, beyond the 28 of the first
_TO_ENTRIES = b"mdia", b"minf", b"stbl", b"stsd"


def strip_boxes(file: BinaryIO, packets: Iterable[Span]) -> None:
    """Make free of the boxes that are not needed to play, and zero what is in them and between the packets.

    Raises:
        FrameError: there is no index that is known here.
    """
    moov = find(file, file_box(file), b"moov")
    traks = [] if moov is None else [box for box in children(file, moov) if box.kind == b"trak"]
    if moov is None or not traks:
        raise FrameError("it has no index of tracks")
    handlers = {track_of(file, trak): handler_of(file, trak) for trak in traks}
    chapters = {track for trak in traks for track in _chapters_of(file, trak)}
    gone = {track for track, handler in handlers.items() if handler not in _MEDIA or track in chapters}
    spans = [*spans_of_samples(file, moov, gone), *packets]
    entries = [
        each for trak in traks if (stsd := find(file, trak, *_TO_ENTRIES)) for each in children(file, stsd, skip=8)
    ]
    encrypted = any(entry.kind in (b"encv", b"enca") for entry in entries)
    _cut_end(file)
    for box in list(children(file, file_box(file))):
        if box.kind not in _OF_FILE or box.kind in _FILLERS or (box.kind == b"moov" and box != moov):
            _free(file, box)
        elif box.kind == b"mdat":
            if not encrypted:  # which has more there than samples
                _zero_between(file, box, spans)
        elif box.kind in _OF:
            _clean(file, box, gone)
    forget_times(file)


def _chapters_of(file: BinaryIO, trak: Box) -> list[int]:
    """Give the tracks that have a track's chapters (QuickTime File Format, "Chapter Lists")."""
    chap = find(file, trak, b"tref", b"chap")
    return [] if chap is None else _numbers(file, chap)


def _numbers(file: BinaryIO, box: Box) -> list[int]:
    return [number_at(file, at) for at in range(box.contents, box.end - 3, 4)]


def _cut_end(file: BinaryIO) -> None:
    """Cut off what follows the last box that is needed."""
    needed = [box.end for box in children(file, file_box(file)) if box.kind in _OF_FILE - _FILLERS]
    file.truncate(max(needed))


def _clean(file: BinaryIO, parent: Box, gone: set[int], handler: bytes = b"") -> None:
    at = parent.contents
    for box in list(children(file, parent)):
        at = box.end
        if box.kind not in _OF[parent.kind] or _is_of(file, box, gone):
            _free(file, box)
        elif box.kind in _OF:
            _clean(file, box, gone, handler_of(file, box) if box.kind == b"trak" else handler)
        elif box.kind == b"hdlr":
            zero(file, box.contents + 12, box.end)  # who made the component, and its name
        elif box.kind == b"stsd":
            _clean_entries(file, box, handler)
        elif box.kind == b"dref":
            for each in children(file, box, skip=8):
                zero(file, each.contents + 4, each.end)  # where the samples were once looked for (8.7.2)
        elif box.kind == b"tref":
            for each in list(children(file, box)):
                if gone.intersection(_numbers(file, each)):
                    _free(file, each)
    zero(file, at, parent.end)


def _is_of(file: BinaryIO, box: Box, gone: set[int]) -> bool:
    """Tell whether a box is a track that goes, or says something of one."""
    if box.kind == b"trak":
        return track_of(file, box) in gone
    if box.kind == b"traf":
        tfhd = find(file, box, b"tfhd")
        return tfhd is not None and number_at(file, tfhd.contents + 4) in gone
    return box.kind == b"trex" and number_at(file, box.contents + 4) in gone


def _clean_entries(file: BinaryIO, stsd: Box, handler: bytes) -> None:
    """Zero who made the encoder, and its name (8.5.2, 12.1.3, 12.2.3)."""
    for entry in children(file, stsd, skip=8):
        if handler in _VISUAL:
            zero(file, entry.contents + 42, entry.contents + 74)
            skip = 78
        elif handler == b"soun":
            skip = 28 + _MORE_OF_SOUND.get(number_at(file, entry.contents + 8) >> 16, 0)
        else:
            continue
        zero(file, entry.contents + 12, entry.contents + 16)
        for each in list(children(file, entry, skip)):
            if each.kind in _SAID_IN_ENTRY:
                _free(file, each)


def _free(file: BinaryIO, box: Box) -> None:
    """Make a box one that is skipped (8.1.2), of the same size."""
    if box.kind not in _FILLERS:
        write_at(file, box.start + 4, b"free")
    zero(file, box.contents, box.end)


def _zero_between(file: BinaryIO, mdat: Box, spans: Iterable[Span]) -> None:
    at = mdat.contents
    for start, end in sorted(spans):
        if end <= at or start >= mdat.end:
            continue
        zero(file, at, min(start, mdat.end))
        at = max(at, end)
    zero(file, at, mdat.end)
