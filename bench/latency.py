"""The wait after a model's last frame: from the last `write` to the published file.

81 frames of 1360x768 arrive at 12.5 a second, as from a model that decodes while the file is written. The figure is
that wait as a part of what diffusers' `export_to_video` takes for the same frames once they are all there, in the same
run.
"""

from __future__ import annotations

import statistics
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

from diffusers.utils.export_utils import export_to_video
from PIL import Image

import telecine

from .frames import Picture, frames
from .vmaf import vmaf

ARRIVALS, TURNS, BAR = 12.5, 5, 0.04


def main() -> None:
    """Measure, print, and tell by the exit code whether the bar holds."""
    name, pictures = frames()
    images = [Image.fromarray(picture) for picture in pictures]
    waits, wholes = [], []
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder) / "telecine.mp4", Path(folder) / "diffusers.mp4"
        for _ in range(TURNS):
            wholes.append(whole_export(images, theirs))
            waits.append(wait_after_the_last_frame(pictures, ours))
        sizes = ours.stat().st_size, theirs.stat().st_size
        qualities = vmaf(ours, pictures, "bt709"), vmaf(theirs, pictures, "bt601")
    ratio = statistics.median(waits) / statistics.median(wholes)
    print(f"{len(pictures)} frames of {name}, medians of {TURNS} turns, {telecine.__version__} balanced")
    print(f"diffusers, whole export  {_spread(wholes)}   {sizes[1]:,} bytes   VMAF {qualities[1]:.2f}")
    print(f"telecine, after the last {_spread(waits)}   {sizes[0]:,} bytes   VMAF {qualities[0]:.2f}")
    print(f"ratio {ratio:.3f} (bar {BAR}), size {sizes[0] / sizes[1] - 1:+.1%} (bar +3 %)")
    raise SystemExit(0 if ratio <= BAR and sizes[0] <= 1.03 * sizes[1] and qualities[0] >= qualities[1] else 1)


def whole_export(images: Sequence[Image.Image], path: Path) -> float:
    """Seconds that diffusers takes."""
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export_to_video(list(images), str(path), fps=16)
    return time.perf_counter() - start


def wait_after_the_last_frame(pictures: Sequence[Picture], path: Path) -> float:
    """Seconds from the last frame's arrival to the file at its path."""
    writer = telecine.VideoWriter(path, fps=16, quality="balanced")
    start = time.perf_counter()
    for index, picture in enumerate(pictures):
        time.sleep(max(0.0, start + index / ARRIVALS - time.perf_counter()))  # the model at work
        arrived = time.perf_counter()
        writer.write(picture)
    writer.close()
    return time.perf_counter() - arrived


def _spread(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds) * 1e3:6.0f} ms ({min(seconds) * 1e3:.0f}-{max(seconds) * 1e3:.0f})"


if __name__ == "__main__":
    main()
