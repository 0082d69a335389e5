"""Memory of a long export: 10,000 frames of 1360x768 from a generator, and how it grows with them.

The peak above the import is at most 200 MB, and the slope over the frames no more than what it is by chance.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

import telecine

FRAMES, EVERY, WARM_UP, BAR = 10_000, 50, 500, 200


def main() -> None:
    """Measure, print, and tell by the exit code whether the bars hold."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else FRAMES
    at_import = resident()
    samples: list[tuple[int, float]] = []

    def look(done: int, in_all: int | None) -> None:
        if done % EVERY == 0:
            samples.append((done, resident()))

    with tempfile.TemporaryDirectory() as folder:
        telecine.export_video(pictures(count), Path(folder) / "long.mp4", quality="balanced", progress=look)
    done, megabytes = np.array([sample for sample in samples if sample[0] > min(WARM_UP, count // 4)]).T
    slope, _ = np.polyfit(done, megabytes, 1)
    peak = max(each for _, each in samples) - at_import
    print(
        f"{count} frames of 1360x768: peak {peak:.0f} MB above the import (bar {BAR}), {1e6 * slope:.0f} bytes a frame"
    )
    raise SystemExit(0 if peak <= BAR and slope * 1e6 < 1000 else 1)


def pictures(count: int) -> Iterator[npt.NDArray[np.float32]]:
    """Frames that move, out of two that stay."""
    noise = np.random.default_rng(0).random((768, 1360 + 64, 3), np.float32) * 0.1 + 0.45
    for index in range(count):
        yield noise[:, index % 64 : index % 64 + 1360]


def resident() -> float:
    """The resident set in MB (proc(5), statm)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


if __name__ == "__main__":
    main()
