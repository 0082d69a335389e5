"""Fragments of an MP4: samples of its tracks, whose index comes before them (ISO/IEC 14496-12 8.8).

FFmpeg's muxer has these too, but ends one when it is given what comes after, and of two tracks it then guesses how long
the last sample of the other is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..container.boxes import mp4_box

_BASE_IS_MOOF = 0x20000  # of a `tfhd` (8.8.7)
_FIELDS = 0x1 | 0x100 | 0x200 | 0x400  # of a `trun`: data offset, then of each sample duration, size, flags (8.8.8)
# sample_depends_on, and for the second sample_is_non_sync_sample (8.8.3.1).
_KEY, _NOT_KEY = 0x2000000, 0x1010000


class Sample(NamedTuple):
    """A packet, how many ticks of its track it lasts, and whether it can be decoded by itself."""

    data: bytes
    duration: int
    is_key: bool


class Run(NamedTuple):
    """Samples of a track, the first of which begins at so many ticks."""

    track: int
    start: int
    samples: Sequence[Sample]


def fragment(number: int, runs: Sequence[Run]) -> bytes:
    """Give the fragment of a number, from 1 on: the index of its samples, and the samples."""
    moof = _moof(number, runs, 0)
    data = b"".join(sample.data for run in runs for sample in run.samples)
    return _moof(number, runs, len(moof) + 8) + mp4_box(b"mdat", data)


def _moof(number: int, runs: Sequence[Run], offset: int) -> bytes:
    trafs = []
    for run in runs:
        trafs.append(_traf(run, offset))
        offset += sum(len(sample.data) for sample in run.samples)
    return mp4_box(b"moof", mp4_box(b"mfhd", _full(0, 0), _number(number)), *trafs)


def _traf(run: Run, offset: int) -> bytes:
    rows = (
        _number(sample.duration) + _number(len(sample.data)) + _number(_KEY if sample.is_key else _NOT_KEY)
        for sample in run.samples
    )
    return mp4_box(
        b"traf",
        mp4_box(b"tfhd", _full(0, _BASE_IS_MOOF), _number(run.track)),
        mp4_box(b"tfdt", _full(1, 0), run.start.to_bytes(8, "big")),
        mp4_box(b"trun", _full(0, _FIELDS), _number(len(run.samples)), _number(offset), *rows),
    )


def _full(version: int, flags: int) -> bytes:
    return bytes([version]) + flags.to_bytes(3, "big")


def _number(value: int) -> bytes:
    return value.to_bytes(4, "big")
