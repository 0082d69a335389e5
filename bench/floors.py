"""Quality levels as floors: XPSNR and VMAF of every clip of the set at every level, and what measuring itself costs.

Each export is compared with the planes that were encoded. The floors of XPSNR are telecine's, of the first frames; here
they are held against whole clips, as are those of VMAF, which docs/quality.md states. The cost is the time of an export
to that of the same crf, which is not measured, of clips for which the level's own crf holds; and so of processors.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import telecine
from telecine.formats.codecs import CODECS
from telecine.rates.floor import FLOORS

from .clip_set import clip_of, half_of, names
from .fidelity import fidelity_of_planes
from .frames import Clip, small
from .measure import Spread, in_turns, ratio, side_by_side
from .report import Bar, Report, Table, alone
from .x264 import FPS, ready_planes

VMAF_FLOORS = {"draft": 75, "balanced": 85, "high": 90, "visually-lossless": 94}
COST = 1.10
LEVELS: Any = tuple(FLOORS)
TURNS = 21
CLOCKS = {"time": time.perf_counter, "processors": time.process_time}


def run() -> Report:
    """Measure every clip at every level."""
    rows, vmaf, xpsnr = [], {}, {}
    for name, by_level in side_by_side(at_each_level, names()).items():
        for level, (size, alike, again) in by_level.items():
            vmaf[name, level], xpsnr[name, level] = alike.vmaf, alike.xpsnr
            figures = f"{size / 1000:.0f}", f"{alike.vmaf:.2f}", f"{alike.xpsnr:.2f}", again
            rows.append((name, half_of(name), level, *figures))
    least, bars = [], []
    for level in LEVELS:
        for half in ("tuning", "test"):
            lows = (min(found[name, level] for name in names(half)) for found in (vmaf, xpsnr))
            least.append((level, half, *(f"{low:.2f}" for low in lows)))
        for what, found, limit in (("VMAF", vmaf, VMAF_FLOORS[level]), ("XPSNR, dB", xpsnr, FLOORS[level])):
            low = min(found[name, level] for name in names())
            bars.append(Bar(f"{level}: least {what}", low, limit, at_least=True, form=".2f"))
    bars += [
        Bar(f"{what}: {of}, measured / not", cost(clip, clock), COST)
        for what, clip in short_and_usual()
        for of, clock in CLOCKS.items()
    ]
    tables = [
        Table(("level", "half", "least VMAF", "least XPSNR, dB"), least),
        Table(("frames", "half", "level", "kB", "VMAF", "XPSNR, dB", "the crf"), rows),
    ]
    return Report("Levels as floors", __doc__ or "", tables, bars)


def at_each_level(name: str) -> dict[str, tuple[int, Any, str]]:
    """What `measured` says of a clip."""
    clip = clip_of(name)
    return {level: measured(clip, level) for level in LEVELS}


def measured(clip: Clip, level: Any) -> tuple[int, Any, str]:
    """The bytes of an export, how near it is, and the crf if the level's own did not do."""
    with tempfile.TemporaryDirectory() as folder:
        video = telecine.export_video(clip.pictures, Path(folder, "clip.mp4"), fps=FPS, quality=level)
        alike = fidelity_of_planes(video.path, ready_planes(clip.pictures))
        crf = next((note.split()[1] for note in video.notes if note.startswith("crf ")), "its own")
        return video.size_bytes, alike, crf


def short_and_usual() -> list[tuple[str, Clip]]:
    """A short clip of small frames, and one of CogVideoX's."""
    usual = small()
    cropped = [picture[:256, :256].copy() for picture in usual.pictures[:16]]
    return [("16 frames of 256x256", Clip("cropped", cropped)), ("49 frames of 720x480", usual)]


def cost(clip: Clip, clock: Callable[[], float]) -> Spread:
    """What exports that measure themselves take, to others of the same crf."""
    crf = float(CODECS["h264"].qualities["high"]["crf"])
    with tempfile.TemporaryDirectory() as folder:
        export = partial(telecine.export_video, clip.pictures, Path(folder, "clip.mp4"), fps=FPS)
        taken = in_turns({"measured": export, "not": partial(export, crf=crf + 0.001)}, turns=TURNS, clock=clock)
    return ratio(taken["measured"], taken["not"])


if __name__ == "__main__":
    alone(run)
