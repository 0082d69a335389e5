"""How every benchmark measures: contestants in turns, medians with their spread, the machine in words."""

from __future__ import annotations

import multiprocessing
import platform
import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import ParamSpec, TypeVar

import av
from av import VideoFrame
from av.video.codeccontext import VideoCodecContext

from telecine import _convert
from telecine.support.processors import available_processors

TURNS = 5
PACKAGES = "diffusers imageio imageio-ffmpeg mediapy moviepy opencv-python-headless torch torchcodec numpy pillow"

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Name = TypeVar("Name")


@dataclass(frozen=True)
class Spread:
    """A median, and the least and the most.

    >>> f"{Spread.of([3.0, 1.0, 2.0]):.1f}"
    '2.0 (1.0-3.0)'
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of some figures."""
        return cls(statistics.median(values), min(values), max(values))

    def __format__(self, how: str) -> str:
        return f"{self.median:{how}} ({self.low:{how}}-{self.high:{how}})"


def in_turns(
    contestants: Mapping[Name, Callable[[], object]], turns: int = TURNS, clock: Callable[[], float] = time.perf_counter
) -> dict[Name, list[float]]:
    """The seconds of each contestant in each turn. A turn before the first is not counted."""
    for contestant in contestants.values():
        contestant()
    timed = {name: partial(seconds_of, contestant, clock) for name, contestant in contestants.items()}
    return said_in_turns(timed, turns)


def said_in_turns(contestants: Mapping[Name, Callable[[], float]], turns: int = TURNS) -> dict[Name, list[float]]:
    """What each contestant says of each turn. A turn starts with the next one, so that none always follows the same."""
    taken: dict[Name, list[float]] = {name: [] for name in contestants}
    order = list(contestants)
    for _ in range(turns):
        for name in order:
            taken[name].append(contestants[name]())
        order = order[1:] + order[:1]
    return taken


def seconds_of(call: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """How long a call takes."""
    start = clock()
    call()
    return clock() - start


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Ours to theirs, turn by turn: what slows the machine for a while slows both."""
    return Spread.of([our / their for our, their in zip(ours, theirs, strict=True)])


def in_a_process(
    function: Callable[Arguments, Result], *arguments: Arguments.args, **named: Arguments.kwargs
) -> Result:
    """Call a function in a fresh interpreter: with memory, imports and threads of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments, **named).result()


def side_by_side(function: Callable[[Name], Result], names: Sequence[Name]) -> dict[Name, Result]:
    """What a function finds of each, on all processors at once: for figures that take no time into account."""
    with ProcessPoolExecutor(available_processors(), multiprocessing.get_context("spawn")) as pool:
        return dict(zip(names, pool.map(function, names), strict=True))


def machine() -> list[tuple[str, str]]:
    """What the figures were measured on."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return [
        ("processor", f"{model[1] if model else platform.machine()}, {_convert.instruction_set()} kernels"),
        ("cores usable", str(available_processors())),
        ("system", f"{platform.system()} {platform.release()}"),
        ("Python", platform.python_version()),
        ("PyAV", f"{av.__version__} with FFmpeg {av.ffmpeg_version_info} and {_x264()}"),
        *((name, metadata.version(name)) for name in PACKAGES.split()),
    ]


def _x264() -> str:
    """The version that x264 writes into its streams."""
    context = VideoCodecContext.create("libx264", "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt, context.framerate = 64, 64, "yuv420p", Fraction(16)
    packets = [*context.encode(VideoFrame(64, 64, "yuv420p")), *context.encode(None)]
    found = re.search(rb"x264 - core \d+( r\d+)?", b"".join(map(bytes, packets)))
    return found[0].decode() if found else "x264"
