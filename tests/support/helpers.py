"""The clips that several test modules export, and what they assert of the files."""

from __future__ import annotations

import io
import itertools
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

import telecine
from telecine import PublishError, TelecineError

from .reference import Real

ROOT = Path(__file__).parents[2]  # the project's folder

Clip: TypeAlias = npt.NDArray[np.uint8]
WIDTH, HEIGHT = 64, 48
MEAN_ERROR = 1.5  # of 255, of the mean of a frame's greys at crf 1: measured is up to 0.9
OLDER = b"an older clip, which stays"
BLANK = np.zeros((HEIGHT, WIDTH, 3), np.float32)


# ---- clips ---------------------------------------------------------------------------------------------------------


def greys(count: int = 5, width: int = WIDTH, height: int = HEIGHT) -> Clip:
    """A clip of grained greys, each frame of a level of its own, in no order that shows: 219 / count apart."""
    levels = np.random.default_rng(count).permutation(np.linspace(20, 235, count))
    grain = np.random.default_rng(0).integers(-9, 10, (height, width))
    return np.repeat((levels[:, None, None] + grain).astype(np.uint8)[..., None], 3, axis=3)


def noise(count: int = 5, width: int = WIDTH, height: int = HEIGHT) -> Clip:
    """A clip that takes many bits and much work."""
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)


def waves(count: int = 7, height: int = HEIGHT, width: int = WIDTH) -> Real:
    """A clip of soft moving colours, (T, H, W, 3) in [0, 1]."""
    time, down, right = np.mgrid[:count, 0 : 1 : height * 1j, 0 : 1 : width * 1j]
    rgb = [np.sin(5 * right + time), np.sin(4 * down - time), np.cos(3 * (right + down) + time)]
    clip: Real = 0.5 + 0.4 * np.stack(rgb, axis=3)
    return clip


def failing_at(index: int, frames: Iterable[Any], error: BaseException) -> Iterator[Any]:
    yield from itertools.islice(frames, index)
    raise error


class Asked:
    """An iterator of frames that counts how many it was asked for."""

    def __init__(self, frames: Iterable[Any]) -> None:
        self._frames = iter(frames)
        self.count = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        self.count += 1
        return next(self._frames)


class Piped(io.BytesIO):
    """Bytes that are read once, as from a pipe."""

    def seekable(self) -> bool:
        return False

    def seek(self, offset: int, whence: int = 0) -> int:
        raise io.UnsupportedOperation("a pipe can't seek")


# ---- files ---------------------------------------------------------------------------------------------------------


def assert_frames(path: os.PathLike[str], given: Clip) -> None:
    """Every frame is in the file, in order, once: each one found is nearest to the one given in its place."""
    found = np.array(list(telecine.read_frames(path)), np.float32)
    count, height, width, _ = given.shape
    assert found.shape == (count, height + height % 2, width + width % 2, 3)
    cropped = found[:, :height, :width]
    few = slice(None, None, 1 + max(width, height) // 16)
    distances = np.array([np.abs(given[:, few, few] - frame[few, few]).mean((1, 2, 3)) for frame in cropped])
    assert distances.argmin(axis=1).tolist() == list(range(count))
    assert np.abs(cropped.mean((1, 2, 3)) - given.mean((1, 2, 3))).max() < MEAN_ERROR


def names_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def assert_untouched(path: Path, held: bytes = OLDER) -> None:
    """The path holds what it held, its folder nothing else, and no thread is left."""
    assert path.read_bytes() == held
    assert list(path.parent.iterdir()) == [path]
    assert encoding_threads() == []


def kept_by(error: BaseException) -> int | None:
    """How many frames an error says are kept; None where it says nothing."""
    said = " ".join([str(error), *getattr(error, "__notes__", [])])
    found = re.search(r"(\d+) of \d+ frames are kept: telecine recover ", said)
    return int(found[1]) if found else None


def assert_kept(path: Path, error: BaseException | None = None, held: bytes | None = OLDER) -> Path:
    """The path holds what it held, beside it is the journal only, and recovery gives the frames that the error says.

    Gives the recovered file, in a folder of its own.
    """
    journal = path.with_name(f".{path.name}.telecine-journal")
    assert (path.read_bytes() if path.exists() else None) == held
    assert set(path.parent.iterdir()) == {journal} | ({path} if held is not None else set())
    assert encoding_threads() == []
    folder = Path(tempfile.mkdtemp(dir=path.parent.parent))
    video = telecine.recover(path, folder / "clip.mp4")
    assert list(path.parent.iterdir()) == ([path] if held is not None else [])
    assert list(folder.iterdir()) == [video.path]
    assert video.frame_count > 0
    if error is not None:
        assert video.frame_count == kept_by(error)
    return video.path


def assert_one_line(error: TelecineError, number: int, path: object) -> None:
    """It has the errno, the path as it was given, and a text of one line that names it."""
    assert isinstance(error, PublishError)
    assert (error.errno, error.filename) == (number, str(path))
    assert repr(str(path)) in str(error)
    assert "\n" not in str(error)
    assert not str(error).startswith("[Errno")


# ---- processes and threads -----------------------------------------------------------------------------------------


def run_python(script: str, folder: Path, *arguments: object, timeout: float = 60) -> str:
    """Run a script in a process and a folder of its own, and give what it prints."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


LIMITED = """
import errno, itertools, json, resource, sys, numpy, telecine

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

def described(error):
    cause = error.__cause__
    return [type(error).__name__, error.errno, error.filename, str(error), type(cause).__name__, cause.errno]

noise = numpy.random.default_rng(0).integers(0, 256, (5, 48, 64, 3), numpy.uint8)
"""


def encoding_threads() -> list[threading.Thread]:
    """Those that are left."""
    return threads_left("telecine-encode")


def threads_left(name: str) -> list[threading.Thread]:
    """Those of a name that are left: one that has said that it has ended is given the moment that this takes it."""
    found = [thread for thread in threading.enumerate() if thread.name == name]
    for thread in found:
        thread.join(timeout=10)
    return [thread for thread in found if thread.is_alive()]
