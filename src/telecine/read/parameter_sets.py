"""What a decoder of H.264 or HEVC is told in an MP4's or Matroska's track, and whether a packet begins afresh."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class _Syntax(NamedTuple):
    """A codec's units: where the bits of their type lie, which types are parameter sets, and which begin afresh."""

    shift: int
    mask: int
    parameter_sets: frozenset[int]
    fresh: frozenset[int]
    length_at: int  # the byte of the decoder's record whose last bits are the bytes of a unit's length, less one

    def kind_of(self, unit: bytes) -> int:
        return unit[0] >> self.shift & self.mask


# H.264 table 7-1 and ISO/IEC 14496-15 5.3.3.1: SPS, PPS; IDR. H.265 table 7-1 and ISO/IEC 14496-15 8.3.3.1: VPS, SPS,
# PPS; BLA, IDR. At a CRA within a stream the count of pictures goes on, and pictures of before may be referred to.
_SYNTAX = {
    "h264": _Syntax(0, 31, frozenset({7, 8}), frozenset({5}), 4),
    "hevc": _Syntax(1, 63, frozenset({32, 33, 34}), frozenset(range(16, 21)), 21),
}


def parameter_sets(codec: str, record: bytes) -> tuple[bytes, ...]:
    """Give what packets can't be decoded without, of a decoder's record; of other codecs all of it.

    HEVC's may hold messages too, which change nothing.
    """
    syntax = _SYNTAX.get(codec)
    if syntax is None:
        return (record,)
    units = _units_of_avc(record) if codec == "h264" else _units_of_hevc(record)
    return tuple(unit for unit in units if unit and syntax.kind_of(unit) in syntax.parameter_sets)


def bar_to_joining(codec: str, record: bytes, packet: bytes) -> str:
    """Say why a stream that begins with a packet can't follow another one; nothing where it can."""
    syntax = _SYNTAX.get(codec)
    if syntax is None:
        return ""
    known = parameter_sets(codec, record)
    if not known:
        return "its parameter sets are among its pictures, and not in its index"
    width = (record[syntax.length_at] & 3) + 1
    units = list(_units(packet, width))
    kinds = {syntax.kind_of(unit) for unit in units}
    if any(syntax.kind_of(unit) in syntax.parameter_sets and unit not in known for unit in units):
        return "its first picture has other parameter sets than its index"
    return "" if kinds & syntax.fresh else "its first picture is none to begin a stream with (an IDR)"


def _units(packet: bytes, width: int) -> Iterator[bytes]:
    """Give the units of a packet, each behind its length (ISO/IEC 14496-15 5.3.2)."""
    at = 0
    while at + width < len(packet):
        size = int.from_bytes(packet[at : at + width], "big")
        if unit := packet[at + width : at + width + size]:
            yield unit
        at += width + size


def _units_of_avc(record: bytes) -> Iterator[bytes]:
    """Give the SPS and the PPS (ISO/IEC 14496-15 5.3.3.1.2)."""
    at = 5
    for mask in (31, 255):
        count = record[at] & mask if at < len(record) and record[0] == 1 else 0
        at += 1
        for _ in range(count):
            size = int.from_bytes(record[at : at + 2], "big")
            yield record[at + 2 : at + 2 + size]
            at += 2 + size


def _units_of_hevc(record: bytes) -> Iterator[bytes]:
    """Give the units of all arrays (ISO/IEC 14496-15 8.3.3.1.2)."""
    at = 23
    for _ in range(record[22] if len(record) > 22 and record[0] == 1 else 0):
        count, at = int.from_bytes(record[at + 1 : at + 3], "big"), at + 3
        for _ in range(count):
            size = int.from_bytes(record[at : at + 2], "big")
            yield record[at + 2 : at + 2 + size]
            at += 2 + size
