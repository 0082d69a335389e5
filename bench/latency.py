"""The wait after a model's last frame: from the last `write` to the published file. And an export of all at once.

81 frames of 1360x768, of clips that no search has seen, arrive at 12.5 a second, as from a model that decodes while the
file is written. The figure is that wait as a part of what diffusers' `export_to_video` takes for the same frames once
they are all there, in the same run; and so of `export_video` for the same list of PIL images.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import telecine
from telecine.encode.encoder import Encoder
from telecine.formats.choices import QualityName
from telecine.output import video as video_output
from telecine.publish.publication import Publication

from .fidelity import fidelity_of
from .frames import Clip, Picture, unseen
from .measure import TURNS, Spread, in_turns, ratio
from .report import Bar, Report, Table, alone
from .writers import DIFFUSERS, write
from .x264 import FPS


class Limits(NamedTuple):
    """What a level may take, of diffusers' export."""

    wait: float
    export: float


ARRIVALS, MORE_BYTES = 12.5, 1.03
LIMITS: dict[QualityName, Limits] = {"balanced": Limits(0.04, 0.60), "high": Limits(0.04, 0.65)}


def run() -> Report:
    """Measure each clip at each level, with the quality and size that the files have."""
    rows: list[tuple[str, ...]] = []
    bars = []
    clips = unseen()
    with tempfile.TemporaryDirectory() as folder:
        for clip in clips:
            paths = {name: Path(folder, f"{name}.mp4") for name in (DIFFUSERS, *LIMITS)}
            seconds = measured(clip, paths)
            sizes = {name: path.stat().st_size for name, path in paths.items()}
            alike = {name: fidelity_of(name, path, clip).vmaf for name, path in paths.items()}
            for (name, what), taken in seconds.items():
                milliseconds = Spread.of([1e3 * each for each in taken])
                figures = (f"{milliseconds:.0f}", f"{sizes[name]:,}", f"{alike[name]:.2f}")
                rows.append((clip.name, name, what, *figures))
            whole = seconds[DIFFUSERS, "export"]
            for (name, what), taken in seconds.items():
                if name in LIMITS:
                    limit = getattr(LIMITS[name], what)
                    bars.append(Bar(f"{clip.name}, {name}: {what} / diffusers' export", ratio(taken, whole), limit))
            bars += [
                Bar(f"{clip.name}, balanced: bytes / diffusers", sizes["balanced"] / sizes[DIFFUSERS], MORE_BYTES),
                Bar(
                    f"{clip.name}, balanced: VMAF above diffusers'",
                    alike["balanced"] - alike[DIFFUSERS],
                    0,
                    at_least=True,
                    form=".2f",
                ),
            ]
    table = Table(("clip", "writer", "what", "milliseconds", "bytes", "VMAF"), rows, "81 frames of 1360x768:")
    parts = [(part, f"{Spread.of([1e3 * each for each in of_it]):.1f}") for part, of_it in costs(clips[0]).items()]
    caption = f"What the wait is made of at balanced; {clips[0]}:"
    return Report(
        "After the last frame", __doc__ or "", [table, Table(("of the wait", "milliseconds"), parts, caption)], bars
    )


def measured(clip: Clip, paths: Mapping[str, Path]) -> dict[tuple[str, str], list[float]]:
    """The seconds of the whole export of each writer, and of telecine's wait after the last frame."""
    images = clip.images
    contestants: dict[tuple[str, str], Callable[[], object]] = {
        (DIFFUSERS, "export"): partial(write, DIFFUSERS, images, paths[DIFFUSERS], FPS)
    }
    for level in LIMITS:
        contestants[level, "export"] = partial(telecine.export_video, images, paths[level], fps=FPS, quality=level)
    seconds = in_turns(contestants)
    for level in LIMITS:
        seconds[level, "wait"] = [wait_after_the_last_frame(clip.pictures, paths[level], level) for _ in range(TURNS)]
    return seconds


def costs(clip: Clip) -> dict[str, list[float]]:
    """The seconds of each part of the wait."""
    steps = {
        "encode: the frames that x264 holds": (Encoder, "finish"),
        "index: packets copied to the finished file": (video_output, "write_finished"),
        "check: the file read back": (video_output, "probe_whole"),
        "sync and rename": (Publication, "commit"),
    }
    taken: dict[str, list[float]] = {name: [] for name in steps}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as patches:
        for (owner, name), seconds in zip(steps.values(), taken.values(), strict=True):
            patches.enter_context(mock.patch.object(owner, name, timed(getattr(owner, name), seconds)))
        whole = [wait_after_the_last_frame(clip.pictures, Path(folder, "clip.mp4")) for _ in range(TURNS)]
    rest = [seconds - sum(parts) for seconds, *parts in zip(whole, *taken.values(), strict=True)]
    return {"all of it": whole, **taken, "the rest: the last frame converted, looked at and begun": rest}


def timed(step: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    """The same step, which leaves how long it took."""

    def call(*arguments: Any, **named: Any) -> Any:
        start = time.perf_counter()
        try:
            return step(*arguments, **named)
        finally:
            seconds.append(time.perf_counter() - start)

    return call


def wait_after_the_last_frame(pictures: Sequence[Picture], path: Path, quality: QualityName = "balanced") -> float:
    """Seconds from the last frame's arrival to the file at its path."""
    open_writer = telecine.VideoWriter(path, fps=FPS, quality=quality)
    start = time.perf_counter()
    for index, picture in enumerate(pictures):
        time.sleep(max(0.0, start + index / ARRIVALS - time.perf_counter()))  # the model at work
        arrived = time.perf_counter()
        open_writer.write(picture)
    open_writer.close()
    return time.perf_counter() - arrived


if __name__ == "__main__":
    alone(run)
