"""Memory of a long export: 10,000 frames of 1360x768 from a generator, and how it grows with them.

Both are above what the process holds before the first frame. The growth's limit leaves room for what is by chance.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

import telecine

from .report import Bar, LinePlot, Report, alone

FRAMES, EVERY, WARM_UP = 10_000, 50, 500
PEAK, GROWTH = 200, 1000  # megabytes; bytes a frame


def run(count: int = FRAMES) -> Report:
    """Export so many frames, and look at the memory on the way."""
    at_start = resident()
    samples: list[tuple[int, float]] = []

    def look(done: int, in_all: int | None) -> None:
        if done % EVERY == 0:
            samples.append((done, resident()))

    with tempfile.TemporaryDirectory() as folder:
        telecine.export_video(pictures(count), Path(folder) / "long.mp4", quality="balanced", progress=look)
    done, megabytes = np.array([sample for sample in samples if sample[0] > min(WARM_UP, count // 4)]).T
    slope, _ = np.polyfit(done, megabytes, 1)
    bars = [
        Bar(f"{count} frames of 1360x768: peak above the start, MB", max(megabytes) - at_start, PEAK, form=".0f"),
        Bar("growth, bytes a frame", slope * 1e6, GROWTH, form=".0f"),
    ]
    points = [(float(each), at - at_start) for each, at in samples]
    plot = LinePlot("memory", "Memory of a long export", ("frames", "MB above the start"), {"telecine": points})
    return Report("Memory of a long export", __doc__ or "", [], bars, [plot])


def pictures(count: int) -> Iterator[npt.NDArray[np.float32]]:
    """Frames that move, out of two that stay."""
    noise = np.random.default_rng(0).random((768, 1360 + 64, 3), np.float32) * 0.1 + 0.45
    for index in range(count):
        yield noise[:, index % 64 : index % 64 + 1360]


def resident() -> float:
    """The resident set in MB (proc(5), statm)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


if __name__ == "__main__":
    alone(lambda: run(*map(int, sys.argv[1:])))
