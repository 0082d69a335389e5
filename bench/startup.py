"""Start-up: what the import costs, how soon the first frame is written, and many short clips one after another.

The imports are made once `av` and `numpy` are there, each in a fresh interpreter: `import telecine` alone imports the
errors, and what it names when that is asked for; `from telecine import export_video` all of an export. A clip is 16
frames of 256x256; diffusers, which starts a process for each, makes a tenth as many, one after another, and its rate is
scaled. telecine makes them one after another by `export_video`, and two at a time by `export_batch`, from a file in
memory and without the start of its processes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

import telecine
from telecine.formats.choices import QualityName

from .batch import batch_seconds
from .frames import large
from .measure import TURNS, Spread, in_turns, ratio, said_in_turns, seconds_of
from .report import Bar, Report, Table, alone
from .writers import DIFFUSERS, OURS, write
from .x264 import FPS

IMPORT = """
import time, av, numpy
start = time.perf_counter()
{}
print(time.perf_counter() - start)
"""
IMPORTS = ("import telecine", "from telecine import export_video")
INTERPRETERS, MOST_IMPORT, MOST_FIRST = 15, 30, 60
CLIPS, SIZE, FRAMES = 1000, 256, 16
LEAST_TIMES: dict[QualityName, float] = {"high": 4, "draft": 6}


def run() -> Report:
    """Measure all three."""
    imported = {statement: import_time(statement) for statement in IMPORTS}
    opened, one_frame, clips = first_write(), export_of_one_frame(), throughput()
    rows = [
        *((f"`{statement}` above `import av, numpy`", f"{taken:.1f} ms") for statement, taken in imported.items()),
        ("a writer opened, its first frame of 1360x768 written", f"{opened:.1f} ms"),
        ("one frame of 1360x768 to a published file, / diffusers", f"{one_frame:.3f}"),
        *(
            (f"{CLIPS} clips of {FRAMES} frames {SIZE}x{SIZE}, {how}: clips a second / diffusers'", f"{each:.2f}")
            for how, each in clips.items()
        ),
    ]
    bars = [
        *(Bar(f"`{what}`, milliseconds", taken, MOST_IMPORT, form=".1f") for what, taken in imported.items()),
        Bar("first frame written, milliseconds", opened, MOST_FIRST, form=".1f"),
        *(
            Bar(
                f"short clips a second / diffusers', {level}, two at a time",
                clips[f"{level}, two at a time"],
                times,
                at_least=True,
                form=".2f",
            )
            for level, times in LEAST_TIMES.items()
        ),
    ]
    return Report("Start-up", __doc__ or "", [Table(("what", "figure"), rows)], bars)


def import_time(statement: str) -> Spread:
    """Milliseconds, in fresh interpreters whose files are in the cache."""
    command = [sys.executable, "-c", IMPORT.format(statement)]
    taken = [float(subprocess.check_output(command)) for _ in range(INTERPRETERS + 1)]
    return Spread.of([1e3 * seconds for seconds in taken[1:]])


def first_write() -> Spread:
    """Milliseconds from nothing to the return of the first `write`."""
    picture = large().pictures[0]
    with tempfile.TemporaryDirectory() as folder:
        writers: list[telecine.VideoWriter] = []

        def write_one() -> None:
            writers.append(telecine.VideoWriter(Path(folder, f"{len(writers)}.mp4"), fps=FPS))
            writers[-1].write(picture)

        taken = in_turns({"first": write_one}, 2 * TURNS)["first"]
        for writer in writers:
            writer.abort()
    return Spread.of([1e3 * seconds for seconds in taken])


def export_of_one_frame() -> Spread:
    """As a ratio to diffusers'."""
    images = large().images[:1]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip.mp4")
        taken = in_turns({name: partial(write, name, images, path, FPS) for name in (OURS, DIFFUSERS)}, 2 * TURNS)
    return ratio(taken[OURS], taken[DIFFUSERS])


def throughput() -> dict[str, Spread]:
    """Clips a second as a ratio to diffusers', by quality level and how many at a time."""
    pictures = [np.asarray(image.resize((SIZE, SIZE))) for image in large().images[:FRAMES]]
    images, count = [Image.fromarray(picture) for picture in pictures], CLIPS // TURNS
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        np.save(Path(folder, "frames.npy"), np.stack(pictures))
        peer = partial(write, DIFFUSERS, images, fps=FPS)
        contestants: dict[str, Callable[[], float]] = {
            DIFFUSERS: lambda: 10 * seconds_of(partial(many, peer, Path(folder), count // 10))
        }
        for level in LEAST_TIMES:
            export = partial(telecine.export_video, images, fps=FPS, quality=level)
            contestants[f"{level}, one after another"] = partial(seconds_of, partial(many, export, Path(folder), count))
            contestants[f"{level}, two at a time"] = partial(two_at_a_time, Path(folder), count, level)
        taken = said_in_turns(contestants)
    theirs = taken.pop(DIFFUSERS)
    return {name: ratio(theirs, each) for name, each in taken.items()}


def many(export: Callable[..., object], folder: Path, count: int) -> None:
    """Write clips one after another, each to a path of its own."""
    for index in range(count):
        export(path=folder / f"{index}.mp4")


def two_at_a_time(folder: Path, count: int, quality: QualityName) -> float:
    """How long a batch of them takes."""
    rows = [{"frames": str(folder / "frames.npy"), "output": f"{index}.mp4"} for index in range(count)]
    return batch_seconds(rows, folder, quality=quality)


if __name__ == "__main__":
    alone(run)
