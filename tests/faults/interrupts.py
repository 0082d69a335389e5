"""What a child process runs: exports into which KeyboardInterrupt comes at random, and what must hold of each after.

An interrupt comes in front of the n-th bytecode of the main thread, be it this package's or the standard library's, or
by a signal, at a random time or again and again.
"""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import gc
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from timeit import timeit
from types import FrameType
from typing import Any

import numpy as np

import telecine
from telecine import VideoWriter
from telecine.output import thread as encoding_thread

from ..support.helpers import OLDER, Clip, assert_frames, noise

COUNT = 9
FRAMES = noise(COUNT)
KINDS = {"mp4": "clip.mp4", "mkv": "clip.mkv", "webp": "clip.webp", "gif": "clip.gif", "apng": "clip.apng"}
KINDS |= {"avif": "clip.avif", "png": "clip", "sound": "clip.mp4"}
OPTIONS: dict[str, dict[str, Any]] = {
    "mp4": {"encoder_options": {"tune": "zerolatency"}},
    "mkv": {"codec": "ffv1"},
    "png": {"format": "png"},
    "sound": {"audio_rate": 16000},
}
SAMPLES = np.sin(np.arange(COUNT * 1000, dtype=np.float32))
HOWS = ("bytecode", "signal", "signals")


class Export:
    """One export in a folder of its own, and how many frames it asked for."""

    def __init__(self, kind: str, folder: Path, older: bool) -> None:
        self.kind, self.path, self.asked = kind, folder / KINDS[kind], 0
        self.older = older and kind != "png"
        if self.older:
            self.path.write_bytes(OLDER)
        self.options: dict[str, Any] = {"quality": "draft"} if kind in ("mp4", "sound") else {}
        self.options |= OPTIONS.get(kind, {})
        self.writer: VideoWriter | None = None

    def frames(self) -> Iterator[Clip]:
        for frame in FRAMES:
            yield frame
            self.asked += 1  # once the one before is handed over

    def write(self) -> None:
        self.writer = VideoWriter(self.path, **self.options)
        if self.kind == "sound":
            self.writer.write_audio(SAMPLES)
        self.writer.write(self.frames())

    def export(self) -> None:
        sound: dict[str, Any] = {"audio": SAMPLES} if self.kind == "sound" else {}
        telecine.export_video(self.frames(), self.path, **self.options, **sound)

    def use(self) -> None:
        with VideoWriter(self.path, **self.options) as writer:
            writer.write(self.frames())

    def close(self) -> None:
        assert self.writer is not None
        self.writer.close()

    def abort(self) -> None:
        assert self.writer is not None
        self.writer.abort()

    def recover(self) -> None:
        telecine.recover(self.path, self.recovered)

    @property
    def recovered(self) -> Path:
        return self.path.with_name(f"recovered{self.path.suffix}")


# What comes first, what is interrupted.
WAYS: dict[str, tuple[Callable[[Export], None] | None, Callable[[Export], None]]] = {
    "export": (None, Export.export),
    "with": (None, Export.use),
    "close": (Export.write, Export.close),
    "abort": (Export.write, Export.abort),
    "recover": (lambda export: leave_journal(export), Export.recover),
}


def leave_journal(export: Export) -> None:
    with contextlib.suppress(RuntimeError), VideoWriter(export.path, **export.options) as writer:
        writer.write(export.frames())
        raise RuntimeError


# ---- interrupts ----------------------------------------------------------------------------------------------------


class Bytecodes:
    """Counts the bytecodes of a call in this thread, and interrupts it in front of one."""

    def __init__(self, at: int | None) -> None:
        self._at, self.count = at, 0

    def run(self, call: Callable[[], None]) -> None:
        sys.settrace(self._trace)
        try:
            call()
        finally:
            sys.settrace(None)

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        frame.f_trace_opcodes = True
        if frame.f_code is Bytecodes.run.__code__:
            return None
        if event == "opcode":
            self.count += 1
            if self.count == self._at:
                raise KeyboardInterrupt
        return self._trace


def run_with_signals(call: Callable[[], None], after: float, interval: float) -> None:
    """Interrupt a call after some seconds, and then at intervals until it has ended."""
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, after, interval)
            call()
        finally:
            signal.signal(signal.SIGALRM, signal.SIG_IGN)
    finally:  # should the last one come in between
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_REAL, 0)


# ---- one round -----------------------------------------------------------------------------------------------------


def said_in(texts: list[str]) -> int | None:
    """How many frames are said to be kept."""
    found = [each for text in texts for each in re.findall(r"(\d+) of \d+ frames are kept: telecine recover ", text)]
    assert len(found) <= 1, texts
    return int(found[0]) if found else None


def interrupted(
    export: Export, call: Callable[[Export], None], run: Callable[[Callable[[], None]], None]
) -> tuple[str, list[str]]:
    """How a call ended, and all that was said, with what is said of a writer that is dropped then."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        how, said = "done", []
        try:
            run(lambda: call(export))
        except BaseException as error:
            how, said = type(error).__name__, [str(error), *getattr(error, "__notes__", [])]
        export.writer = None
        gc.collect()
        if how == "KeyboardInterrupt":
            return how, said + [str(each.message) for each in caught]
    return how, said


def wait_for_threads() -> None:
    """Wait until no thread of an export is left; `main` bounds it."""
    while any(each.name.startswith("telecine") for each in threading.enumerate()):
        time.sleep(0.001)


def holds_new(export: Export) -> bool:
    """Whether the path holds the whole new file; or else it holds what it held."""
    if export.kind == "png":
        assert not export.path.exists() or len(list(export.path.iterdir())) == COUNT
        return export.path.exists()
    if not export.path.exists() or export.path.read_bytes() == OLDER:
        assert export.path.exists() == export.older
        return False
    assert_same(export.path, COUNT, export.kind)
    return True


def assert_same(path: Path, count: int, kind: str) -> None:
    if kind == "png":
        assert len(list(path.iterdir())) == count
    elif kind in ("gif", "webp", "apng", "avif"):
        assert telecine.probe(path).frame_count == count
    else:
        assert_frames(path, FRAMES[:count])


def left_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir() if each.name.startswith(".")]


def check(way: str, export: Export, how: str, said: list[str], exact: bool) -> str:
    """What must hold after an interrupt; gives what came of the export."""
    kept, where = said_in(said), (way, export.kind, how, said, export.asked, left_in(export.path.parent))
    if way == "recover":
        if export.recovered.exists():
            assert_same(export.recovered, COUNT, export.kind)
            return "published"
        assert left_in(export.path.parent), where
        telecine.recover(export.path, export.recovered)
        assert_same(export.recovered, COUNT, export.kind)
        return "whole"
    if holds_new(export):
        assert kept is None, where
        return "published"
    if kept is None:
        # A second Ctrl-C ends the wait before the number is known, and what is kept is found all the same.
        if how == "done":
            assert way == "abort", where
            assert not left_in(export.path.parent), where
        lost = export.asked if way != "abort" else 0
        found = recover_all(export)
        assert found >= lost if exact else found or not lost, (found, where)
        return "nothing said" if found else "nothing"
    assert recover_all(export) == kept, where
    assert way == "abort" or not exact or kept >= export.asked, where
    return "kept"


def recover_all(export: Export) -> int:
    try:
        video = telecine.recover(export.path, export.recovered)
    except telecine.PublishError as error:
        if re.search("nothing to recover|no whole frame", str(error)):
            return 0
        raise
    assert_same(export.recovered, video.frame_count, export.kind)
    return video.frame_count


def main(kind: str, way: str, how: str, seed: int, rounds: int) -> None:
    dice, came = random.Random(f"{kind} {way} {how} {seed}"), Counter[str]()
    length, slowest, few = 0.0, 0.0, 0
    if how != "signals" or way == "recover":  # what is not encoded within a second is no question here
        encoding_thread._GRACE, encoding_thread._PATIENCE = 60.0, 120.0
    for index in range(-1, rounds + 1):  # of which the first two are not interrupted, for their lengths to be known
        faulthandler.dump_traceback_later(120, exit=True)
        folder = Path(tempfile.mkdtemp(prefix="telecine-interrupts-"))
        export = Export(kind, folder, older=dice.random() < 0.5)
        before, call = WAYS[way]
        if before is not None:
            before(export)
        started = time.monotonic()
        if how == "bytecode":
            bytecodes = Bytecodes(dice.randint(1, int(length)) if index > 0 else None)
            ended, said = interrupted(export, call, bytecodes.run)
            length = length if index > 0 else bytecodes.count
        elif index <= 0:
            timed: list[float] = []
            ended, said = interrupted(export, call, lambda call: timed.append(timeit(call, number=1)))  # noqa: B023
            length = timed[0]
        else:
            after = dice.random() * length + 1e-6
            interval = 0.03 if how == "signals" else 0.0
            run = functools.partial(run_with_signals, after=after, interval=interval)
            ended, said = interrupted(export, call, run)
            slowest = max(slowest, time.monotonic() - started - after)
        wait_for_threads()
        if index <= 0:
            assert ended == "done", said
        came[check(way, export, ended, said, exact=how != "signals")] += 1
        VideoWriter(export.path, **export.options).abort()  # no lock is left
        shutil.rmtree(folder)
        open_files = len(os.listdir("/proc/self/fd"))
        few = open_files if index <= 0 else few
        assert open_files <= few
    print(json.dumps({"kind": kind, "way": way, "how": how, "came": came, "slowest": slowest}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
