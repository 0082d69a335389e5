"""What a codec and a preset buy: processor time, size and VMAF of every codec's levels, against diffusers' defaults.

Two clips, of at most 49 frames each. Beside a codec's levels stand two presets with the options of "balanced" and the
crf of "draft", "balanced" and "high": a level is well chosen where no preset is above and left of it for less time.
Time is that of all threads and processes together, of one turn after one that is not counted.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypedDict

import telecine
from telecine.formats.codecs import CODECS

from .fidelity import fidelity
from .frames import Clip, large, small
from .measure import in_turns, ratio
from .report import Bar, LinePlot, Report, Table, alone
from .writers import DIFFUSERS, write
from .x264 import FPS

FRAMES, HIGH = 49, 95
PRESETS = {"h264": ("veryfast", "medium"), "hevc": ("ultrafast", "fast"), "av1": ("superfast", "medium"), "vp9": ()}
HEADING = ("frames", "codec", "preset, crf", "time / diffusers", "bytes / diffusers", "VMAF")

Key: TypeAlias = tuple[str, str, str]  # codec, line in its plot, label


class Settings(TypedDict, total=False):
    """What `export_video` is told."""

    codec: Any
    quality: Any
    preset: Any
    crf: float


class Point(NamedTuple):
    """Time and bytes as ratios to diffusers', and the VMAF."""

    time: float
    size: float
    vmaf: float


def run() -> Report:
    """Measure every codec on both clips."""
    rows, bars = [], []
    series: dict[str, dict[str, list[tuple[float, float]]]] = {codec: {} for codec in PRESETS}
    labels: dict[str, dict[tuple[float, float], str]] = {codec: {} for codec in PRESETS}
    for each in (Clip(clip.name, clip.pictures[:FRAMES]) for clip in (small(), large())):
        for (codec, line, label), (time, size, vmaf) in measured(each).items():
            rows.append((each.name, codec, f"{line}, {label}", f"{time:.2f}", f"{size:.3f}", f"{vmaf:.2f}"))
            series[codec].setdefault(f"{each.name}, {line}", []).append((size, vmaf))
            if line == "level":
                labels[codec][size, vmaf] = f"{label}: {time:.2f}"
            if label == "high":
                bars.append(Bar(f"{each.name}: {codec}, high, VMAF", vmaf, HIGH, at_least=True, form=".2f"))
    axes = "bytes / diffusers'", "VMAF"
    plots = [
        LinePlot(f"frontier-{codec}", f"{codec}, with time / diffusers'", axes, series[codec], "x", labels[codec])
        for codec in PRESETS
    ]
    return Report("Codecs and presets", __doc__ or "", [Table(HEADING, rows)], bars, plots)


def points() -> dict[Key, Settings]:
    """What is exported, the levels, then each preset from small to near."""
    chosen: dict[Key, Settings] = {}
    for codec, presets in PRESETS.items():
        levels = CODECS[codec].qualities
        for quality in levels:
            chosen[codec, "level", quality] = Settings(codec=codec, quality=quality)
        for preset in presets:
            for crf in (levels[quality]["crf"] for quality in ("draft", "balanced", "high")):
                chosen[codec, preset, f"crf {crf}"] = Settings(
                    codec=codec, quality="balanced", preset=preset, crf=float(crf)
                )
    return chosen


def measured(clip: Clip) -> dict[Key, Point]:
    """What each of them takes, and how near it is."""
    images = clip.images
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", telecine.TelecineWarning)  # of what does not play everywhere
        theirs = Path(folder, "diffusers.mp4")
        paths = {key: Path(folder, f"{index}.mkv") for index, key in enumerate(points())}
        exports: dict[Key | str, Callable[[], object]] = {
            key: partial(telecine.export_video, images, paths[key], fps=FPS, **settings)
            for key, settings in points().items()
        }
        exports[DIFFUSERS] = partial(write, DIFFUSERS, images, theirs, FPS)
        seconds = in_turns(exports, 1, processor_seconds)
        return {
            key: Point(
                ratio(seconds[key], seconds[DIFFUSERS]).median,
                path.stat().st_size / theirs.stat().st_size,
                fidelity(path, clip.pictures, clip.matrix).vmaf,
            )
            for key, path in paths.items()
        }


def processor_seconds() -> float:
    """What this process and those that it waited for have used."""
    return sum(os.times()[:4])


if __name__ == "__main__":
    alone(run)
