"""An independent look at an MP4 (ISO/IEC 14496-12)."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from fractions import Fraction


def boxes(data: bytes) -> list[tuple[str, bytes]]:
    """The boxes that lie side by side, each with its payload (4.2)."""
    found, at = [], 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        header = 8
        if size == 1:
            (size,), header = struct.unpack_from(">Q", data, at + 8), 16
        found.append((kind.decode("latin-1"), data[at + header : at + size]))
        at += size
    assert at == len(data)
    return found


def box(data: bytes, *names: str) -> bytes:
    """The payload of the only box of each name in the one before it."""
    for name in names:
        (data,) = (payload for kind, payload in boxes(data) if kind == name)
    return data


def clock(payload: bytes) -> int:
    """The time scale of an `mvhd` or `mdhd` (8.2.2, 8.4.2)."""
    (ticks,) = struct.unpack_from(">I", payload, 20 if payload[0] else 12)
    return int(ticks)


def runs(payload: bytes, entry: str) -> Iterator[tuple[int, ...]]:
    return struct.iter_unpack(entry, payload[8:])


def shown_times(data: bytes) -> tuple[list[Fraction], Fraction]:
    """When each picture is shown, in seconds, in the order of the file, and how long all of them are."""
    track = box(data, "moov", "trak")
    ticks, table = clock(box(track, "mdia", "mdhd")), box(track, "mdia", "minf", "stbl")
    lasting = [duration for count, duration in runs(box(table, "stts"), ">II") for _ in range(count)]
    delays = [0] * len(lasting)
    if any(kind == "ctts" for kind, _ in boxes(table)):
        delays = [delay for count, delay in runs(box(table, "ctts"), ">Ii") for _ in range(count)]
    edits = box(track, "edts", "elst")
    assert edits[0] == 0
    ((duration, start, rate),) = runs(edits, ">IiI")
    assert rate == 1 << 16
    decoded_at = itertools.accumulate(lasting[:-1], initial=0)
    times = [Fraction(at + delay - start, ticks) for at, delay in zip(decoded_at, delays, strict=True)]
    return times, Fraction(duration, clock(box(data, "moov", "mvhd")))
