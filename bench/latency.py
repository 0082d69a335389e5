"""The wait after a model's last frame: from the last `write` to the published file.

81 frames of 1360x768 arrive at 12.5 a second, as from a model that decodes while the file is written. The figure is
that wait as a part of what diffusers' `export_to_video` takes for the same frames once they are all there, in the same
run.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import telecine
from telecine.output import video as video_output
from telecine.publish.publication import Publication

from .chart import shown
from .fidelity import fidelity
from .frames import Clip, Picture, large
from .measure import TURNS, Spread, ratio
from .report import Bar, Report, Table, alone
from .writers import DIFFUSERS, write
from .x264 import FPS

ARRIVALS, LIMIT, MORE_BYTES = 12.5, 0.04, 1.03
OURS = "telecine balanced"
SHORT_TURNS = 3
WITHOUT: dict[str, Mapping[str, str | int | float]] = {
    "as it is": {},
    "lookahead": {"rc-lookahead": 0, "mbtree": 0},
    "reordering of B-frames": {"rc-lookahead": 0, "mbtree": 0, "bf": 0},
}


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
    parts = [(part, f"{Spread.of([1e3 * each for each in seconds]):.1f}") for part, seconds in costs(clip).items()]
    of_it = Table(("of the wait", "milliseconds"), parts, "What the wait is made of, from waits without each:")
    bars = [
        Bar("wait / diffusers' export", ratio(waits, wholes), LIMIT),
        Bar("bytes / diffusers", sizes[OURS] / sizes[DIFFUSERS], MORE_BYTES),
        Bar("VMAF above diffusers'", alike[OURS] - alike[DIFFUSERS], 0, at_least=True, form=".2f"),
    ]
    return Report("After the last frame", __doc__ or "", [table, of_it], bars)


def costs(clip: Clip) -> dict[str, list[float]]:
    """The seconds of each part of the wait: a step timed, or a wait without what an option takes away."""
    taken: dict[str, list[float]] = {"index: packets copied to the finished file": []}
    taken |= {"check: the file read back": [], "sync and rename": []}
    waits: dict[str, list[float]] = {}
    steps = ((video_output, "write_finished"), (video_output, "probe_whole"), (Publication, "commit"))
    with tempfile.TemporaryDirectory() as folder, ExitStack() as patches:
        for (owner, name), seconds in zip(steps, taken.values(), strict=True):
            patches.enter_context(mock.patch.object(owner, name, timed(getattr(owner, name), seconds)))
        for _ in range(SHORT_TURNS):
            for name, options in WITHOUT.items():
                kept = {part: len(seconds) for part, seconds in taken.items()}
                waits.setdefault(name, []).append(
                    wait_after_the_last_frame(clip.pictures, Path(folder, "clip.mp4"), options)
                )
                if options:  # the steps of the wait as it is alone
                    for part, seconds in taken.items():
                        del seconds[kept[part] :]
    names = list(WITHOUT)
    for more, less in pairwise(names):
        taken[less] = [a - b for a, b in zip(waits[more], waits[less], strict=True)]
    return {"all of it": waits[names[0]]} | {part: taken[part] for part in (*names[1:], *list(taken)[:3])}


def timed(step: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    """The same step, which leaves how long it took."""

    def call(*arguments: Any, **named: Any) -> Any:
        start = time.perf_counter()
        try:
            return step(*arguments, **named)
        finally:
            seconds.append(time.perf_counter() - start)

    return call


def wait_after_the_last_frame(
    pictures: Sequence[Picture], path: Path, options: Mapping[str, str | int | float] | None = None
) -> float:
    """Seconds from the last frame's arrival to the file at its path."""
    open_writer = telecine.VideoWriter(path, fps=FPS, quality="balanced", encoder_options=options)
    start = time.perf_counter()
    for index, picture in enumerate(pictures):
        time.sleep(max(0.0, start + index / ARRIVALS - time.perf_counter()))  # the model at work
        arrived = time.perf_counter()
        open_writer.write(picture)
    open_writer.close()
    return time.perf_counter() - arrived


if __name__ == "__main__":
    alone(run)
