"""A fragmented MP4 as it is written: its init segment, then fragment by fragment, which may be frames."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from .boxes import Box, file_box
from .samples import find

_NOT_SYNC = 1 << 16  # sample_is_non_sync_sample (ISO/IEC 14496-12 8.8.3.1)
_VIDEO = (1).to_bytes(4, "big")  # the track that is added first
_DEFAULT_DURATION, _DEFAULT_FLAGS = 0x8, 0x20  # of a track fragment's header (8.8.7.1)
_FIELDS_OF_HEADER = (0x1, 8), (0x2, 4), (0x8, 4), (0x10, 4)  # which come before its flags: bit and bytes
_OFFSET, _FIRST_FLAGS = 0x1, 0x4  # of a run (8.8.8.1), and what it has of each sample
_FIELDS_OF_SAMPLE = _DURATIONS, _SIZES, _FLAGS, _TIME_OFFSETS = 0x100, 0x200, 0x400, 0x800


class Piece(NamedTuple):
    """The init segment, or a fragment, whose first `index_size` bytes lead to its samples, or the end, without bytes.

    `is_key` tells whether a fragment begins with a key frame of the first track, which is the video's.
    """

    data: bytes
    is_init: bool = False
    is_key: bool = False
    index_size: int = 0

    @property
    def sample(self) -> bytes:
        """The sample of a fragment that has one."""
        return self.data[self.index_size + 8 :]  # which fits 32 bits, so the header of its box is the short one

    @property
    def times(self) -> tuple[int, int]:
        """When the samples of a fragment's first track begin and how long they are, in ticks of the track."""
        file = io.BytesIO(self.data[: self.index_size])
        tfdt, tfhd, trun = (_box(file, kind) for kind in (b"tfdt", b"tfhd", b"trun"))
        start = int.from_bytes(self.data[tfdt.contents + 4 : tfdt.end], "big")
        flags, count = _flags(self.data, trun), self._number(trun.contents + 4)
        if not flags & _DURATIONS:
            at = tfhd.contents + 8 + _before_in_tfhd(_flags(self.data, tfhd), _DEFAULT_DURATION)
            return start, count * self._number(at)
        first = trun.contents + 8 + 4 * (bool(flags & _OFFSET) + bool(flags & _FIRST_FLAGS))
        fields = sum(bool(flags & each) for each in _FIELDS_OF_SAMPLE)
        return start, sum(self._number(first + 4 * fields * index) for index in range(count))

    def _number(self, at: int) -> int:
        return int.from_bytes(self.data[at : at + 4], "big")


class FragmentReader:
    """Parts what a muxer writes, in whatever pieces, into the init segment and frames."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._init = self._moof = b""

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Give what is whole by now. Boxes that no player needs are left out."""
        self._rest += data
        while len(self._rest) >= 8 and len(self._rest) >= (size := _size(self._rest)):
            box, kind = bytes(self._rest[:size]), bytes(self._rest[4:8])
            del self._rest[:size]
            if kind == b"ftyp":
                self._init = box
            elif kind == b"moov":
                yield Piece(self._init + box, is_init=True)
            elif kind == b"moof":
                self._moof = box
            elif kind == b"mdat":
                yield Piece(self._moof + box, is_key=_begins_with_key(self._moof), index_size=len(self._moof))
            elif kind == b"mfra":  # the muxer's last
                yield Piece(b"")


def _size(data: bytes | bytearray) -> int:
    size = int.from_bytes(data[:4], "big")
    return int.from_bytes(data[8:16], "big") if size == 1 else size


def _begins_with_key(moof: bytes) -> bool:
    """Tell whether the first sample is the video's and a sync sample: by its run's flags, or else by the fragment's."""
    file = io.BytesIO(moof)
    tfhd, trun = _box(file, b"tfhd"), _box(file, b"trun")
    if moof[tfhd.contents + 4 : tfhd.contents + 8] != _VIDEO:
        return False
    if (run := _flags(moof, trun)) & _FIRST_FLAGS:
        at = trun.contents + 8 + 4 * bool(run & _OFFSET)
    elif run & _FLAGS:
        at = trun.contents + 8 + 4 * sum(bool(run & each) for each in (_OFFSET, _DURATIONS, _SIZES))
    elif (defaults := _flags(moof, tfhd)) & _DEFAULT_FLAGS:
        at = tfhd.contents + 8 + _before_in_tfhd(defaults, _DEFAULT_FLAGS)
    else:
        return False
    return not int.from_bytes(moof[at : at + 4], "big") & _NOT_SYNC


def ticks_a_second(init: bytes) -> int:
    """Give how many ticks the first track of an init segment has a second (8.4.2)."""
    file = io.BytesIO(init)
    mdhd = find(file, file_box(file), b"moov", b"trak", b"mdia", b"mdhd")
    assert mdhd is not None, "a muxer's init segment has no track"
    at = mdhd.contents + (20 if init[mdhd.contents] else 12)
    return int.from_bytes(init[at : at + 4], "big")


def _box(moof: BinaryIO, kind: bytes) -> Box:
    """Give a box of a fragment's first track."""
    box = find(moof, file_box(moof), b"moof", b"traf", kind)
    assert box is not None, f"a muxer's fragment has no {kind!r}"
    return box


def _before_in_tfhd(flags: int, field: int) -> int:
    return sum(size for flag, size in _FIELDS_OF_HEADER if flag < field and flags & flag)


def _flags(data: bytes, box: Box) -> int:
    return int.from_bytes(data[box.contents + 1 : box.contents + 4], "big")


def codecs_in(init: bytes) -> str:
    """Give the codecs parameter (RFC 6381) of an init segment with one track of video, and one of sound or none.

    Raises:
        ValueError: its codec has no such text here.
    """
    sounds = [text for kind, text in _SOUNDS.items() if kind in init]
    for kind, text in _TEXTS.items():
        at = init.find(kind)
        if at >= 0:
            return ",".join([text(init[at + 4 :]), *sounds])
    raise ValueError("the init segment has none of avcC, hvcC and av1C")


def _avc(record: bytes) -> str:
    return f"avc1.{record[1:4].hex().upper()}"  # ISO/IEC 14496-15 E.3


def _hevc(record: bytes) -> str:
    """ISO/IEC 14496-15 E.3: profile, its compatibility in reverse bit order, tier and level, constraints."""
    space = ("", "A", "B", "C")[record[1] >> 6]
    compatible = int(f"{int.from_bytes(record[2:6], 'big'):032b}"[::-1], 2)
    constraints = record[6:12].rstrip(b"\0")
    tier = "H" if record[1] & 0x20 else "L"
    parts = ["hvc1", f"{space}{record[1] & 0x1F}", f"{compatible:X}", f"{tier}{record[12]}"]
    return ".".join([*parts, *(f"{each:X}" for each in constraints)])


def _av1(record: bytes) -> str:
    """AV1 Codec ISO Media File Format Binding 5: profile, level and tier, bit depth."""
    profile, level, tier = record[1] >> 5, record[1] & 0x1F, "H" if record[2] & 0x80 else "M"
    depth = 8 if not record[2] & 0x40 else 12 if record[2] & 0x20 else 10
    return f"av01.{profile}.{level:02}{tier}.{depth:02}"


_SOUNDS = {b"esds": "mp4a.40.2", b"dOps": "opus", b"dfLa": "flac"}  # AAC-LC (ISO/IEC 14496-3 table 1.17)
_TEXTS = {b"avcC": _avc, b"hvcC": _hevc, b"av1C": _av1}
