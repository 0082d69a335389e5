"""A fragmented MP4 as it is written: its init segment, then fragment by fragment, which may be frames."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import NamedTuple

from .boxes import file_box
from .samples import find

_NOT_SYNC = 1 << 16  # sample_is_non_sync_sample (ISO/IEC 14496-12 8.8.3.1)
_VIDEO = 1  # the track that is added first
_DEFAULT_DURATION, _DEFAULT_FLAGS = 0x8, 0x20  # of a track fragment's header (8.8.7.1)
_FIELDS_OF_HEADER = (0x1, 8), (0x2, 4), (0x8, 4), (0x10, 4)  # which come before its flags: bit and bytes
_OFFSET, _FIRST_FLAGS = 0x1, 0x4  # of a run (8.8.8.1), and what it has of each sample
_FIELDS_OF_SAMPLE = _DURATIONS, _SIZES, _FLAGS, _TIME_OFFSETS = 0x100, 0x200, 0x400, 0x800


class Piece(NamedTuple):
    """The init segment, or a fragment, whose first `index_size` bytes lead to its samples.

    `is_key` tells whether a fragment begins with a key frame of the first track, which is the video's; of that it has
    so many `frames`; `start` and `duration` are in ticks of it.
    """

    data: bytes
    is_init: bool = False
    is_key: bool = False
    start: int = 0
    duration: int = 0
    frames: int = 0
    index_size: int = 0

    @property
    def sample(self) -> bytes:
        """The sample of a fragment that has one."""
        return self.data[self.index_size + 8 :]  # which fits 32 bits, so the header of its box is the short one


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
                yield Piece(self._moof + box, False, *_first_run(self._moof), len(self._moof))


def _size(data: bytes | bytearray) -> int:
    size = int.from_bytes(data[:4], "big")
    return int.from_bytes(data[8:16], "big") if size == 1 else size


def _first_run(moof: bytes) -> tuple[bool, int, int, int]:
    """Tell whether a fragment begins with a key frame of the video; of its first track start, duration and samples."""
    boxes = _boxes_of_track(moof)
    tfhd, tfdt, trun = boxes[b"tfhd"], boxes[b"tfdt"], boxes[b"trun"]
    start = int.from_bytes(moof[tfdt + 4 : tfdt + (12 if moof[tfdt] else 8)], "big")
    header, run, count = _number(moof, tfhd) & 0xFFFFFF, _number(moof, trun) & 0xFFFFFF, _number(moof, trun + 4)
    samples = trun + 8 + 4 * (bool(run & _OFFSET) + bool(run & _FIRST_FLAGS))
    if run & _DURATIONS:
        width = 4 * sum(bool(run & each) for each in _FIELDS_OF_SAMPLE)
        duration = sum(_number(moof, samples + width * index) for index in range(count))
    else:
        duration = count * _number(moof, tfhd + 8 + _before_in_tfhd(header, _DEFAULT_DURATION))
    if run & _FIRST_FLAGS:
        flags = _number(moof, samples - 4)
    elif run & _FLAGS:
        flags = _number(moof, samples + 4 * (bool(run & _DURATIONS) + bool(run & _SIZES)))
    else:
        has_flags = header & _DEFAULT_FLAGS
        flags = _number(moof, tfhd + 8 + _before_in_tfhd(header, _DEFAULT_FLAGS)) if has_flags else _NOT_SYNC
    return _number(moof, tfhd + 4) == _VIDEO and not flags & _NOT_SYNC, start, duration, count


def _boxes_of_track(moof: bytes) -> dict[bytes, int]:
    """Give where the contents of a fragment's first track begin, by their kinds."""
    at, found = 8, dict[bytes, int]()
    while moof[at + 4 : at + 8] != b"traf":
        at += _number(moof, at)
    end, at = at + _number(moof, at), at + 8
    while at < end:
        found[moof[at + 4 : at + 8]] = at + 8
        at += _number(moof, at)
    return found


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


def _before_in_tfhd(flags: int, field: int) -> int:
    return sum(size for flag, size in _FIELDS_OF_HEADER if flag < field and flags & flag)


def ticks_a_second(init: bytes) -> int:
    """Give how many ticks the first track of an init segment has a second (8.4.2)."""
    file = io.BytesIO(init)
    mdhd = find(file, file_box(file), b"moov", b"trak", b"mdia", b"mdhd")
    assert mdhd is not None, "a muxer's init segment has no track"
    at = mdhd.contents + (20 if init[mdhd.contents] else 12)
    return int.from_bytes(init[at : at + 4], "big")


def media_type(init: bytes) -> str:
    """Give the type of a video that an init segment begins, for a header or a `SourceBuffer`. Raises as `codecs_in`."""
    return f'video/mp4; codecs="{codecs_in(init)}"'


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
    raise ValueError("the init segment has none of avcC, hvcC, av1C and vpcC")


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


def _vp9(record: bytes) -> str:
    """VP Codec ISO Media File Format Binding: profile, level and bit depth, in a box with version and flags."""
    return f"vp09.{record[4]:02}.{record[5]:02}.{record[6] >> 4:02}"


_SOUNDS = {b"esds": "mp4a.40.2", b"dOps": "opus", b"dfLa": "flac"}  # AAC-LC (ISO/IEC 14496-3 table 1.17)
_TEXTS = {b"avcC": _avc, b"hvcC": _hevc, b"av1C": _av1, b"vpcC": _vp9}
