"""Bytes for the same picture: the BD-rate of quality levels against x264's medium preset, by two eyes, on the clip set.

A level's options are tried at five values of crf, as medium is: at lower ones, for a crf of theirs is a worse picture.
Between the points a curve is laid (PCHIP), and the mean difference of bytes at equal VMAF, or at equal XPSNR, is the
BD-rate (Bjontegaard, VCEG-M33): less than 0 is fewer bytes. Options are searched on the tuning half of the clips; the
bars are of the test half.

    python -m bench.bd_rate [tuning|test] [x264 options over those of "balanced", as name=value]
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from bjontegaard import bd_rate

from .clip_set import Half, clip_of, names
from .fidelity import fidelity_of_planes
from .frames import Clip
from .measure import side_by_side
from .report import Bar, Report, Table, table_of
from .x264 import encode, options_of, ready_planes

MEDIUM = {"preset": "medium", "x264-params": "sliced-threads=0"}  # as its own program has it
CRFS = (20, 24, 28, 32, 36)
LOWER = 3  # the crfs of what is tried: so most of the curves is of the same qualities
VMAF_MEAN, XPSNR_MEAN, WORST = -5.0, 0.0, 5.0  # percent
HEADING = ("frames", "half", "BD-rate by VMAF, %", "by XPSNR, %")


class Point(NamedTuple):
    """Bytes, and how near the picture is."""

    size: int
    vmaf: float
    xpsnr: float


class Rates(NamedTuple):
    """BD-rates in percent."""

    vmaf: float
    xpsnr: float


def run() -> Report:
    """Measure "balanced" on both halves."""
    rows: list[tuple[str, ...]] = []
    bars = []
    for half in ("tuning", "test"):
        found = rates(half, options_of("balanced"))
        rows += [(name, half, f"{each.vmaf:+.1f}", f"{each.xpsnr:+.1f}") for name, each in found.items()]
        means = [float(np.mean(column)) for column in zip(*found.values(), strict=True)]
        rows.append(("mean", half, *(f"{mean:+.1f}" for mean in means)))
        if half == "test":
            worst = max(max(each) for each in found.values())
            for what, figure, limit in (
                ("mean BD-rate by VMAF, %", means[0], VMAF_MEAN),
                ("mean BD-rate by XPSNR, %", means[1], XPSNR_MEAN),
                ("the worst clip by either, %", worst, WORST),
            ):
                bars.append(Bar(f"balanced: {what}", figure, limit, form=".1f"))
    return Report("Bytes for the same picture", __doc__ or "", [Table(HEADING, rows)], bars)


def rates(half: Half, options: Mapping[str, str]) -> dict[str, Rates]:
    """The BD-rates of options on the clips of a half."""
    return side_by_side(partial(rates_of, options), names(half))


def rates_of(options: Mapping[str, str], name: str) -> Rates:
    """The BD-rates of options on a clip."""
    clip = clip_of(name)
    return compared(curve(clip, MEDIUM, CRFS), curve(clip, options, [crf - LOWER for crf in CRFS]))


def compared(anchor: list[Point], tried: list[Point]) -> Rates:
    """The BD-rate by each eye."""
    sizes = [[point.size for point in points] for points in (anchor, tried)]
    by_eye = [[[point[eye] for point in points] for points in (anchor, tried)] for eye in (1, 2)]
    return Rates(*(bd_rate(sizes[0], eye[0], sizes[1], eye[1], method="pchip", min_overlap=0) for eye in by_eye))


def curve(clip: Clip, options: Mapping[str, str], crfs: Iterable[int]) -> list[Point]:
    """What each crf takes and gives."""
    planes, points = ready_planes(clip.pictures), []
    with tempfile.TemporaryDirectory() as folder:
        for crf in crfs:
            path = Path(folder, f"{crf}.h264")
            path.write_bytes(encode(planes, {**options, "crf": str(crf)}))
            alike = fidelity_of_planes(path, planes)
            points.append(Point(path.stat().st_size, alike.vmaf, alike.xpsnr))
    return points


def main(half: Half, *changes: str) -> None:
    """Print the rates of changed options on a half."""
    options = options_of("balanced") | dict(change.split("=", 1) for change in changes)
    found = rates(half, options)
    rows = [(name, half, f"{each.vmaf:+.1f}", f"{each.xpsnr:+.1f}") for name, each in found.items()]
    means = [f"{np.mean(column):+.2f}" for column in zip(*found.values(), strict=True)]
    print(table_of(HEADING, [*rows, ("mean", half, *means)]))


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["tuning"]))  # type: ignore[arg-type]
