"""Bytes for the same picture by a third eye, with colour in it: ColorVideoVDP, on both halves of the clip set.

ColorVideoVDP (Mantiuk and others 2024) models the contrast that an eye sees in luminance and in two colours, over time,
here on a display of full HD at the usual distance. It is slow: twelve frames from the middle of each clip are looked
at, in RGB, against the frames that were given. Twelve are whole groups of two B-frames and of three: with four, one
encoder shows more of its B-frames than it has. The BD-rate is as in bench/bd_rate.py, at four values of crf.

    python -m bench.third_eye [tuning|test]
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import numpy as np
import torch
from bjontegaard import bd_rate

import telecine

from .bd_rate import LOWER, MEDIUM
from .clip_set import Half, clip_of, names
from .frames import Clip
from .measure import side_by_side
from .report import Bar, Report, Table, table_of
from .x264 import FPS, encode, options_of, ready_planes

CRFS = (20, 25, 30, 36)
LOOKED_AT = slice(18, 30)
MEAN = 0.0  # percent
HEADING = ("frames", "half", "BD-rate by ColorVideoVDP, %")


def run() -> Report:
    """Measure "balanced" on both halves."""
    rows: list[tuple[str, ...]] = []
    bars = []
    halves: tuple[Half, Half] = ("tuning", "test")
    for half in halves:
        found = rates(half)
        mean = float(np.mean([*found.values()]))
        rows += [(name, half, f"{rate:+.1f}") for name, rate in (found | {"mean": mean}).items()]
        bars.append(Bar(f"balanced: mean BD-rate by ColorVideoVDP, {half} half, %", mean, MEAN, form=".1f"))
    return Report("Bytes for the same picture, by a third eye", __doc__ or "", [Table(HEADING, rows)], bars)


def rates(half: Half) -> dict[str, float]:
    """The BD-rates of the clips of a half."""
    return side_by_side(rate_of, names(half))


def rate_of(name: str) -> float:
    """The BD-rate of a clip."""
    clip = clip_of(name)
    torch.set_num_threads(1)  # each processor has a clip
    anchor, tried = curve(clip, MEDIUM, CRFS), curve(clip, options_of("balanced"), [crf - LOWER for crf in CRFS])
    return float(bd_rate(*anchor, *tried, method="pchip", min_overlap=0))


def curve(clip: Clip, options: Mapping[str, str], crfs: Iterable[int]) -> tuple[list[int], list[float]]:
    """The bytes at each crf, and the just-objectionable differences left, 10 for none."""
    planes, sizes, seen = ready_planes(clip.pictures), [], []
    for crf in crfs:
        encoded = encode(planes, {**options, "crf": str(crf)})
        sizes.append(len(encoded))
        made = [*telecine.read_frames(io.BytesIO(encoded))]
        seen.append(looked_at(np.stack(made[LOOKED_AT]), np.stack(clip.pictures[LOOKED_AT])))
    return sizes, seen


def looked_at(made: np.ndarray, given: np.ndarray) -> float:
    """How near frames of (T, H, W, 3) uint8 are."""
    quality, _ = _eye().predict(made, given, dim_order="FHWC", frames_per_second=FPS)
    return float(quality)


@cache
def _eye() -> Any:
    import pycvvdp  # type: ignore[import-not-found,unused-ignore]

    return pycvvdp.cvvdp(display_name="standard_fhd", device=torch.device("cpu"), quiet=True)


def main(half: Half = "test") -> None:
    """Print the rates of a half."""
    found = rates(half)
    rows = [(name, half, f"{rate:+.1f}") for name, rate in found.items()]
    print(table_of(HEADING, [*rows, ("mean", half, f"{np.mean([*found.values()]):+.2f}")]))


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]
