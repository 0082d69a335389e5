"""Start-up: what the import costs, how soon the first frame is written, and many short clips one after another.

The import is that of `from telecine import export_video` once `av` and `numpy` are there, each in a fresh interpreter:
`import telecine` alone imports the errors. A clip is 16 frames of 256x256; diffusers, which starts a process for each,
makes a tenth as many and its rate is scaled.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from PIL import Image

import telecine

from .frames import large
from .measure import TURNS, Spread, in_turns, ratio
from .report import Bar, Report, Table, alone
from .writers import DIFFUSERS, OURS, write
from .x264 import FPS

IMPORT = """
import time, av, numpy
start = time.perf_counter()
from telecine import export_video
print(time.perf_counter() - start)
"""
INTERPRETERS, MOST_IMPORT, MOST_FIRST = 15, 30, 60
CLIPS, SIZE, FRAMES, LEAST_TIMES = 1000, 256, 16, 5


def run() -> Report:
    """Measure all three."""
    imported, opened, one_frame, clips = import_time(), first_write(), export_of_one_frame(), throughput()
    rows = [
        ("`from telecine import export_video` above `import av, numpy`", f"{imported:.1f} ms"),
        ("a writer opened, its first frame of 1360x768 written", f"{opened:.1f} ms"),
        ("one frame of 1360x768 to a published file, / diffusers", f"{one_frame:.3f}"),
        (f"{CLIPS} clips of {FRAMES} frames {SIZE}x{SIZE}, clips a second / diffusers'", f"{clips:.2f}"),
    ]
    bars = [
        Bar("import, milliseconds", imported, MOST_IMPORT, form=".1f"),
        Bar("first frame written, milliseconds", opened, MOST_FIRST, form=".1f"),
        Bar("short clips a second / diffusers'", clips, LEAST_TIMES, at_least=True, form=".2f"),
    ]
    return Report("Start-up", __doc__ or "", [Table(("what", "figure"), rows)], bars)


def import_time() -> Spread:
    """Milliseconds, in fresh interpreters whose files are in the cache."""
    command = [sys.executable, "-c", IMPORT]
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


def throughput() -> Spread:
    """Clips a second as a ratio to diffusers'."""
    images = [image.resize((SIZE, SIZE)) for image in large().images[:FRAMES]]
    counts = {OURS: CLIPS // TURNS, DIFFUSERS: CLIPS // TURNS // 10}
    with tempfile.TemporaryDirectory() as folder:
        taken = in_turns({name: partial(many, name, images, Path(folder), count) for name, count in counts.items()})
    clips_a_second = {name: [counts[name] / seconds for seconds in each] for name, each in taken.items()}
    return ratio(clips_a_second[OURS], clips_a_second[DIFFUSERS])


def many(name: str, images: list[Image.Image], folder: Path, count: int) -> None:
    """Write clips one after another, each to a path of its own."""
    for index in range(count):
        write(name, images, folder / f"{index}.mp4", FPS)


if __name__ == "__main__":
    alone(run)
