"""Batches: clips a second as a ratio to what the processors can do and to a pool of diffusers' export; what grows.

What the processors can do is two processes that only encode ready planes of the same clips with the same options: two
hyperthreads of one core are no two cores. The pool is `multiprocessing.Pool` of two processes, each of which exports
PIL images with diffusers' `export_to_video`. Each contestant begins with processes that are started by then.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import telecine
from telecine.batch.ledger import DONE, Entry, Ledger
from telecine.support.processors import available_processors

from .frames import Picture, small
from .measure import ratio, said_in_turns, seconds_of
from .memory import resident
from .report import Bar, Report
from .x264 import encode, options_of, ready_planes

FPS, WORKERS, TURNS = 16, 2, 3
TO_ENCODERS, TO_DIFFUSERS, TO_OPEN, A_JOB, TO_LOCAL = 0.95, 2.5, 1.0, 1.0, 1.05
GROWTH = 5.0  # megabytes from 100 jobs to 10,000
ROWS = 1_000_000


def run() -> Report:
    """Measure all of them."""
    bars: list[Bar] = []
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        bars += throughput(Path(folder, "small"), [crop(each) for each in small().pictures[:16]], 120)
        bars += throughput(Path(folder, "large"), small().pictures, 16)[:1]
        bars.append(on_ray(Path(folder, "ray"), [crop(each) for each in small().pictures[:16]]))
        bars += ledger(Path(folder, "ledger.sqlite"))
        bars.append(Bar("10,000 jobs beside 100, MB more", growth(Path(folder, "jobs")), GROWTH, form=".1f"))
    return Report("Batches", __doc__ or "", [], bars, [])


def crop(picture: Picture) -> Picture:
    """256x256 of a picture."""
    return np.ascontiguousarray(picture[:256, :256])


def throughput(folder: Path, pictures: list[Picture], clips: int) -> list[Bar]:
    """Clips a second of two local workers, against ready planes, and against a pool of diffusers' exports."""
    folder.mkdir()
    np.save(folder / "frames.npy", np.stack(pictures))
    rows = [{"frames": str(folder / "frames.npy"), "output": f"{index}.mp4"} for index in range(clips)]
    with started(prepare_planes, str(folder / "frames.npy")) as planes, started(import_peer) as peers:
        peer = partial(export_with_diffusers, str(folder))
        contestants = {
            "batch": partial(batch_seconds, rows, folder),
            "planes": partial(seconds_of, partial(planes.map, encode_planes, range(clips), chunksize=1)),
            "diffusers": partial(seconds_of, partial(peers.map, peer, range(clips), chunksize=1)),
        }
        seconds = said_in_turns(contestants, TURNS)
    size = f"{len(pictures)} frames of {pictures[0].shape[1]}x{pictures[0].shape[0]}"
    ours, theirs = ratio(seconds["planes"], seconds["batch"]), ratio(seconds["diffusers"], seconds["batch"])
    return [
        Bar(f"{size}: clips a second to those of ready planes", ours, TO_ENCODERS, at_least=True),
        Bar(f"{size}: clips a second to those of diffusers' pool", theirs, TO_DIFFUSERS, at_least=True),
    ]


def batch_seconds(rows: list[dict[str, str]], folder: Path, engine: Any = "local", **options: Any) -> float:
    """How long a batch takes from its first clip to its last, which leaves the start of its processes out."""
    times: list[float] = []

    def told(*_: object) -> None:
        times.append(time.perf_counter())

    how: dict[str, Any] = {"engine": engine, "workers": WORKERS if engine == "local" else None, "fps": FPS, **options}
    with tempfile.TemporaryDirectory(dir=folder) as output:
        telecine.export_batch(rows, output, listener=told, **how)
    return (times[-1] - times[0]) * len(rows) / (len(rows) - 1)


def on_ray(folder: Path, pictures: list[Picture]) -> Bar:
    """The time of Ray's engine over 1,000 clips, on a cluster that is there, against that of the local one."""
    import ray  # for this alone

    folder.mkdir()
    np.save(folder / "frames.npy", np.stack(pictures))
    rows = [{"frames": str(folder / "frames.npy"), "output": f"{index}.mp4"} for index in range(1000)]
    ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False)
    seconds = said_in_turns(
        {engine: partial(batch_seconds, rows, folder, engine) for engine in ("local", "ray")}, TURNS
    )
    ray.shutdown()
    return Bar("1,000 clips: Ray's time to the local engine's", ratio(seconds["ray"], seconds["local"]), TO_LOCAL)


def started(initializer: Callable[..., None], *arguments: Any) -> Pool:
    """Start a pool, and wait until it works."""
    pool = multiprocessing.get_context("spawn").Pool(WORKERS, initializer, arguments)
    pool.map(_nothing, range(8 * WORKERS), chunksize=1)
    return pool


def _nothing(_: int) -> None:
    time.sleep(0.01)


_PLANES: list[Any] = []


def prepare_planes(path: str) -> None:
    """Convert the frames once, in a process that then only encodes."""
    _PLANES[:] = ready_planes(list(np.load(path)))


def encode_planes(_: int) -> None:
    """Encode a clip of ready planes, on the processors that a worker has."""
    encode(_PLANES, options_of(), max(1, available_processors() // WORKERS))


def import_peer() -> None:
    """Import what a pool of diffusers' exports needs."""
    import diffusers.utils.export_utils  # noqa: F401 - the peer


def export_with_diffusers(folder: str, number: int) -> None:
    """Export a clip with diffusers, as its pipelines do."""
    from diffusers.utils.export_utils import export_to_video  # the peer

    images = [Image.fromarray(each) for each in np.load(f"{folder}/frames.npy")]
    export_to_video(images, f"{folder}/diffusers-{number}.mp4", fps=FPS)


def ledger(path: Path) -> list[Bar]:
    """How long a ledger of a million rows takes to open and look at, and to write a job to."""
    entry = Entry("", 0, "", DONE, 1, 0.5, 49, 1000, "f" * 64, 720, 480, "16", "h264")
    with Ledger(path) as opened:
        for index in range(ROWS):
            opened.put(_numbered(entry, index))
    start = time.perf_counter()
    with Ledger(path) as opened:
        opened.get(f"{ROWS // 2:032x}")
        seconds = time.perf_counter() - start
        start = time.perf_counter()
        for index in range(10_000):
            opened.get(f"{index * 97:032x}")
            opened.put(_numbered(entry, index * 97))
        each = (time.perf_counter() - start) / 10_000
    return [
        Bar("a ledger of 1,000,000 rows: seconds to open", seconds, TO_OPEN, form=".3f"),
        Bar("and milliseconds a job", each * 1000, A_JOB, form=".3f"),
    ]


def _numbered(entry: Entry, index: int) -> Entry:
    return replace(entry, id=f"{index:032x}", index=index, output=f"{index}.mp4")


def growth(folder: Path) -> float:
    """How much more memory the driver has after 10,000 jobs that fail at once than after 100."""
    folder.mkdir()
    found = []
    for count in (100, 10_000):
        rows = ({"frames": str(folder / "none"), "output": f"{index}.mp4"} for index in range(count))
        path = folder / f"{count}.jsonl"
        path.write_text("".join(f'{{"frames": "{row["frames"]}", "output": "{row["output"]}"}}\n' for row in rows))
        telecine.export_batch(path, folder / f"out-{count}", workers=1)
        found.append(resident())
    return found[1] - found[0]
