"""The quality levels against diffusers' defaults (x264 medium, crf 25): wall time, size, VMAF and XPSNR on each clip.

"balanced" is to take at most 0.65 of the time at no lower VMAF and at most 3 % more bytes. "high", the default, is to
have a VMAF of at least 95. Pictures are compared as BT.709 whatever the matrix of their file.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import telecine
from telecine.formats.codecs import CODECS

from .fidelity import Fidelity, fidelity_of
from .frames import Clip, clip, names
from .measure import Spread, in_turns, ratio
from .report import Bar, LinePlot, Report, Table, alone
from .writers import DIFFUSERS, write
from .x264 import FPS

LEVELS: Any = CODECS["h264"].qualities
HEADING = ("frames", "writer", "wall / diffusers", "bytes / diffusers", "VMAF", "XPSNR dB")
WALL, MORE_BYTES, HIGH = 0.65, 1.03, 95


def run() -> Report:
    """Measure on every clip."""
    rows, bars, by_size, by_time = [], [], {}, {}
    for each in map(clip, names()):
        walls, sizes, alike = measured(each)
        for name in sizes:
            figures = f"{walls[name]:.2f}", f"{sizes[name]:.3f}", f"{alike[name].vmaf:.2f}", f"{alike[name].xpsnr:.2f}"
            rows.append((each.name, name, *figures))
        gained = alike["balanced"].vmaf - alike[DIFFUSERS].vmaf
        bars += [
            Bar(f"{each.name}: balanced, wall / diffusers", walls["balanced"], WALL),
            Bar(f"{each.name}: balanced, VMAF above diffusers'", gained, 0, at_least=True, form=".2f"),
            Bar(f"{each.name}: balanced, bytes / diffusers", sizes["balanced"], MORE_BYTES),
            Bar(f"{each.name}: high, VMAF", alike["high"].vmaf, HIGH, at_least=True, form=".2f"),
        ]
        by_size[each.name] = [(sizes[name], alike[name].vmaf) for name in sizes if name != DIFFUSERS]
        by_time[each.name] = [(walls[name].median, alike[name].vmaf) for name in sizes if name != DIFFUSERS]
        by_size[f"{each.name}, diffusers"] = [(1.0, alike[DIFFUSERS].vmaf)]
        by_time[f"{each.name}, diffusers"] = [(1.0, alike[DIFFUSERS].vmaf)]
    levels = f"The levels {', '.join(LEVELS)}"
    plots = [
        LinePlot("quality-size", f"{levels}: size", ("bytes / diffusers'", "VMAF"), by_size, logarithmic="x"),
        LinePlot("quality-time", f"{levels}: time", ("wall time / diffusers'", "VMAF"), by_time),
    ]
    return Report("Quality levels", __doc__ or "", [Table(HEADING, rows)], bars, plots)


def measured(each: Clip) -> tuple[dict[str, Spread], dict[str, float], dict[str, Fidelity]]:
    """Wall time and size as ratios to diffusers', and how alike the pictures are, by quality level."""
    images = each.images
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder, f"{name}.mp4") for name in (DIFFUSERS, *LEVELS)}
        seconds = in_turns(
            {DIFFUSERS: partial(write, DIFFUSERS, images, paths[DIFFUSERS], FPS)}
            | {
                quality: partial(telecine.export_video, images, paths[quality], fps=FPS, quality=quality)
                for quality in LEVELS
            }
        )
        bytes_of_diffusers = paths[DIFFUSERS].stat().st_size
        return (
            {name: ratio(taken, seconds[DIFFUSERS]) for name, taken in seconds.items()},
            {name: path.stat().st_size / bytes_of_diffusers for name, path in paths.items()},
            {name: fidelity_of(name, path, each) for name, path in paths.items()},
        )


if __name__ == "__main__":
    alone(run)
