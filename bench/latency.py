"""The wait after a model's last frame: from the last `write` to the published file.

81 frames of 1360x768 arrive at 12.5 a second, as from a model that decodes while the file is written. The figure is
that wait as a part of what diffusers' `export_to_video` takes for the same frames once they are all there, in the same
run.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import telecine

from .chart import shown
from .fidelity import fidelity
from .frames import Picture, large
from .measure import TURNS, Spread, ratio
from .report import Bar, Report, Table, alone
from .writers import DIFFUSERS, write
from .x264 import FPS

ARRIVALS, LIMIT, MORE_BYTES = 12.5, 0.04, 1.03
OURS = "telecine balanced"


def run() -> Report:
    """Measure, with the quality and size that the files have."""
    clip = large()
    images, height, width = clip.images, *clip.pictures[0].shape[:2]
    waits, wholes, rows = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder, f"{name}.mp4") for name in (OURS, DIFFUSERS)}
        for _ in range(TURNS):
            start = time.perf_counter()
            write(DIFFUSERS, images, paths[DIFFUSERS], FPS)
            wholes.append(time.perf_counter() - start)
            waits.append(wait_after_the_last_frame(clip.pictures, paths[OURS]))
        sizes = {name: path.stat().st_size for name, path in paths.items()}
        alike = {
            name: fidelity(path, clip.pictures, shown(name, width, height).matrix).vmaf for name, path in paths.items()
        }
    for name, what, seconds in ((DIFFUSERS, "the whole export", wholes), (OURS, "after the last frame", waits)):
        milliseconds = Spread.of([1e3 * each for each in seconds])
        rows.append((name, what, f"{milliseconds:.0f}", f"{sizes[name]:,}", f"{alike[name]:.2f}"))
    table = Table(("writer", "what", "milliseconds", "bytes", "VMAF"), rows, f"{clip}:")
    bars = [
        Bar("wait / diffusers' export", ratio(waits, wholes), LIMIT),
        Bar("bytes / diffusers", sizes[OURS] / sizes[DIFFUSERS], MORE_BYTES),
        Bar("VMAF above diffusers'", alike[OURS] - alike[DIFFUSERS], 0, at_least=True, form=".2f"),
    ]
    return Report("After the last frame", __doc__ or "", [table], bars)


def wait_after_the_last_frame(pictures: Sequence[Picture], path: Path) -> float:
    """Seconds from the last frame's arrival to the file at its path."""
    writer = telecine.VideoWriter(path, fps=FPS, quality="balanced")
    start = time.perf_counter()
    for index, picture in enumerate(pictures):
        time.sleep(max(0.0, start + index / ARRIVALS - time.perf_counter()))  # the model at work
        arrived = time.perf_counter()
        writer.write(picture)
    writer.close()
    return time.perf_counter() - arrived


if __name__ == "__main__":
    alone(run)
