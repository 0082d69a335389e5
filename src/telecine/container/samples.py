"""Where in an MP4 or MOV its tracks' samples lie: by the tables of its index, and by those of its fragments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt

from .boxes import Box, children, contents_of_box, file_box

Span: TypeAlias = tuple[int, int]  # the first byte, and the one after the last
_Words: TypeAlias = npt.NDArray[np.int64]

_HAS_BASE, _HAS_DEFAULT_SIZE, _BASE_IS_MOOF = 0x1, 0x10, 0x20000  # flags of a `tfhd` (ISO/IEC 14496-12 8.8.7)
_HAS_OFFSET, _HAS_FIRST_FLAGS, _HAS_SIZES = 0x1, 0x4, 0x200  # flags of a `trun` (8.8.8)
_BEFORE_SIZE_IN_TFHD = (0x1, 8), (0x2, 4), (0x8, 4)  # a flag, and the bytes of its field
_FIELDS_OF_SAMPLE = 0x100, 0x200, 0x400, 0x800


def find(file: BinaryIO, box: Box, *path: bytes) -> Box | None:
    """Give the first box of each kind in the one before it; None where one is missing."""
    found: Box | None = box
    for kind in path:
        if found is None:
            return None
        found = next((each for each in children(file, found) if each.kind == kind), None)
    return found


def track_of(file: BinaryIO, trak: Box) -> int:
    """Give a track's identifier, which comes after its times (8.3.2)."""
    tkhd = find(file, trak, b"tkhd")
    if tkhd is None:
        return 0
    return int(_words(file, tkhd)[5 if _version(file, tkhd) else 3])


def handler_of(file: BinaryIO, trak: Box) -> bytes:
    """Give what kind of media a track is, such as `vide` (8.4.3); nothing where it does not say."""
    hdlr = find(file, trak, b"mdia", b"hdlr")
    if hdlr is None:
        return b""
    file.seek(hdlr.contents + 8)
    return file.read(4)


def spans_of_samples(file: BinaryIO, moov: Box, gone: set[int]) -> list[Span]:
    """Give where the samples of the tracks lie that are not `gone`."""
    traks = [box for box in children(file, moov) if box.kind == b"trak" and track_of(file, box) not in gone]
    spans = [span for trak in traks for span in spans_of_track(file, trak)]
    sizes = {}
    for box in children(file, moov):
        for trex in children(file, box) if box.kind == b"mvex" else ():
            if trex.kind == b"trex":
                sizes[number_at(file, trex.contents + 4)] = number_at(file, trex.contents + 16)
    for moof in children(file, file_box(file)):
        if moof.kind == b"moof":
            spans += _spans_of_fragment(file, moof, sizes, gone)
    return spans


def spans_of_track(file: BinaryIO, trak: Box) -> Iterator[Span]:
    """Give the chunks of a track (8.7)."""
    stbl = find(file, trak, b"mdia", b"minf", b"stbl")
    tables = {} if stbl is None else {box.kind: box for box in children(file, stbl)}
    if not (b"stsc" in tables and {b"stco", b"co64"} & set(tables) and {b"stsz", b"stz2"} & set(tables)):
        return
    if b"co64" in tables:
        words = _words(file, tables[b"co64"])[2:]
        starts = (words[0 : len(words) // 2 * 2 : 2] << 32) + words[1::2]
    else:
        starts = _words(file, tables[b"stco"])[2:]
    runs = _words(file, tables[b"stsc"])[2:]
    firsts, counts = runs[0 : len(runs) // 3 * 3 : 3] - 1, runs[1::3]
    if len(starts) == 0 or len(firsts) == 0 or np.any(firsts[1:] <= firsts[:-1]) or firsts[0] != 0:
        return
    run_of_chunk = np.searchsorted(firsts, np.arange(len(starts)), side="right") - 1
    last_samples = np.cumsum(counts[run_of_chunk])
    lengths = np.diff(_bytes_up_to(file, tables, last_samples), prepend=0)
    yield from zip(starts.tolist(), (starts + lengths).tolist(), strict=True)


def _bytes_up_to(file: BinaryIO, tables: dict[bytes, Box], samples: _Words) -> _Words:
    """Give how many bytes the first so many samples of a track have, for each number of samples (8.7.3)."""
    if b"stsz" in tables:
        words = _words(file, tables[b"stsz"])[1:]
        if words[0]:
            return samples * int(words[0])
        sizes = words[2:]
    else:
        sizes = _packed(contents_of_box(file, tables[b"stz2"]))
    bytes_before: _Words = np.concatenate(([0], np.cumsum(sizes)))
    return bytes_before[np.minimum(samples, len(sizes))]


def _packed(stz2: bytes) -> _Words:
    if stz2[7] == 16:
        return np.frombuffer(stz2[12 : len(stz2) // 2 * 2], ">u2").astype(np.int64)
    packed = np.frombuffer(stz2[12:], np.uint8).astype(np.int64)
    return packed if stz2[7] == 8 else np.column_stack((packed >> 4, packed & 15)).ravel()


def _spans_of_fragment(file: BinaryIO, moof: Box, sizes: dict[int, int], gone: set[int]) -> Iterator[Span]:
    """Give the runs of samples of a fragment (8.8.7, 8.8.8)."""
    end = moof.start
    for traf in children(file, moof):
        tfhd = find(file, traf, b"tfhd") if traf.kind == b"traf" else None
        if tfhd is None:
            continue
        data = contents_of_box(file, tfhd)
        flags, track = int.from_bytes(data[1:4], "big"), int.from_bytes(data[4:8], "big")
        at = 8 + sum(width for flag, width in _BEFORE_SIZE_IN_TFHD if flags & flag)
        base = int.from_bytes(data[8:16], "big") if flags & _HAS_BASE else moof.start if flags & _BASE_IS_MOOF else end
        size = int.from_bytes(data[at : at + 4], "big") if flags & _HAS_DEFAULT_SIZE else sizes.get(track, 0)
        at = base
        for trun in children(file, traf):
            if trun.kind == b"trun":
                start, end = _span_of_run(file, trun, base, at, size)
                at = end
                if track not in gone:
                    yield start, end


def _span_of_run(file: BinaryIO, trun: Box, base: int, after: int, size: int) -> Span:
    words = _words(file, trun)
    flags, count, fields = int(words[0]) & 0xFFFFFF, int(words[1]), words[2:]
    start = after
    if flags & _HAS_OFFSET:
        start, fields = base + int(np.int32(np.uint32(fields[0]))), fields[1:]
    fields = fields[1:] if flags & _HAS_FIRST_FLAGS else fields
    if not flags & _HAS_SIZES:
        return start, start + count * size
    width = sum(bool(flags & flag) for flag in _FIELDS_OF_SAMPLE)
    return start, start + int(fields[bool(flags & 0x100) : count * width : width].sum())


def _words(file: BinaryIO, box: Box) -> _Words:
    """Give what is in a box as numbers of 32 bits; the first is its version and flags."""
    data = contents_of_box(file, box)
    return np.frombuffer(data[: len(data) // 4 * 4], ">u4").astype(np.int64)


def _version(file: BinaryIO, box: Box) -> int:
    return contents_of_box(file, box)[0]


def number_at(file: BinaryIO, at: int) -> int:
    """Read a number of 32 bits."""
    file.seek(at)
    return int.from_bytes(file.read(4), "big")
