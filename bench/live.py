"""What a page that shows a video while it is written costs: an export with `live=True`, watched by a viewer.

The viewer is a process of its own, which takes the page, then the stream to its end, asks twice a second how far it
is, and takes the finished file, as a browser does; it decodes nothing. The limit is on what serving costs: against an
export with the encoder options that `live` sets. What these cost, against the default ones, stands in the table. The
seconds are of the clock, and of the exporting process's processors, which other processes disturb less.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TextIO, cast
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import telecine

from .destinations import FPS, LIVE
from .frames import large
from .measure import TURNS, Spread, in_turns, ratio
from .report import Bar, Report, Table, alone

LIMIT, ASKED_EVERY = 1.03, 0.5
NAMES = {
    "default": "the default encoder options",
    "same": "the options that `live` sets",
    "broadcast": "also to a `Broadcast`, to which nobody listens",
    "unwatched": "`live=True`, unwatched",
    "watched": "`live=True`, watched",
}


def run() -> Report:
    """Measure, in turns."""
    clip = large()
    busy: dict[str, list[float]] = {name: [] for name in NAMES}
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder, viewer() as show:
        export = partial(telecine.export_video, clip.images, Path(folder, "clip.mp4"), fps=FPS)
        contestants: dict[str, Callable[[], object]] = {
            "default": export,
            "same": partial(export, **LIVE),
            "broadcast": lambda: export(also_to=telecine.Broadcast()),
            "unwatched": lambda: told(partial(export, live=True), lambda _: None),
            "watched": lambda: told(partial(export, live=True), show),
        }
        counted = {name: partial(count, busy[name], each) for name, each in contestants.items()}
        seconds = in_turns(counted, 2 * TURNS)
    for each in busy.values():
        del each[0]  # of the turn that is not counted
    rows = [
        (text, *(f"{Spread.of(each[name]):.2f}" for each in (seconds, busy)), f"{ratio(busy[name], busy['same']):.3f}")
        for name, text in NAMES.items()
    ]
    table = Table(("export", "seconds", "of processors", "of them, to the options alone"), rows, f"{clip}:")
    bars = [
        Bar("live and watched / the same encoder without", ratio(seconds["watched"], seconds["same"]), LIMIT),
        Bar("the same, of processors", ratio(busy["watched"], busy["same"]), LIMIT),
    ]
    return Report("Live view", __doc__ or "", [table], bars)


def count(busy: list[float], export: Callable[[], object]) -> None:
    """Note how many seconds of processors an export takes."""
    start = time.process_time()
    export()
    busy.append(time.process_time() - start)


def told(export: Callable[[], object], show: Callable[[str], None]) -> None:
    """Export, and hand on the address of the page as soon as it is told."""

    class Standard(io.StringIO):
        def write(self, text: str) -> int:
            if "http://" in text:
                show(text.split()[-1])
            return len(text)

    with contextlib.redirect_stderr(cast(TextIO, Standard())):
        export()


@contextlib.contextmanager
def viewer() -> Iterator[Callable[[str], None]]:
    """Run a process that watches the page of each address that it is given."""
    ours, its = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=watch, args=(its,), daemon=True)
    process.start()
    ours.recv()  # it is ready
    try:
        yield ours.send
    finally:
        ours.send("")
        process.join()


def watch(addresses: Connection) -> None:
    """Take the page, what is streamed, how far it is, and the file."""
    addresses.send("")
    while address := addresses.recv():
        is_over = threading.Event()

        def ask(state: str = f"{address}state", is_over: threading.Event = is_over) -> None:
            while not is_over.wait(ASKED_EVERY):
                take(state)

        asking = threading.Thread(target=ask)
        asking.start()
        taken = [take(address), take(f"{address}stream")]
        is_over.set()
        asking.join()
        taken += [take(f"{address}clip"), take(f"{address}seen")]
        if not all(taken[:3]):
            print(f"the viewer got {taken} bytes", file=sys.stderr)


def take(address: str) -> int:
    """Give how many bytes are there."""
    with contextlib.suppress(HTTPError, URLError), urlopen(address, timeout=60) as response:
        return sum(map(len, iter(partial(response.read1, 1 << 20), b"")))
    return 0


if __name__ == "__main__":
    alone(run)
