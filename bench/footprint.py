"""The peak memory of one export above the frames themselves, in a process of its own, its child processes counted."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import re
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from .frames import clip
from .measure import in_a_process
from .writers import write

_LOOK_EVERY = 0.005  # seconds


def peak_above_frames(writer: str, of_clip: str) -> float:
    """The most megabytes that a writer takes while it writes a clip's images, imports not counted."""
    return in_a_process(_measured, writer, of_clip)


def _measured(writer: str, of_clip: str) -> float:
    images = clip(of_clip).images
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip.mp4")
        write(writer, [Image.new("RGB", (64, 64))] * 2, path)  # what is imported at first use
        return peak_while(lambda: write(writer, images, path))


def peak_while(call: Callable[[], object]) -> float:
    """The most megabytes that a call takes above what this process has by then."""
    gc.collect()
    with contextlib.suppress(AttributeError):  # no glibc
        ctypes.CDLL(None).malloc_trim(0)
    before = _status("self", "VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the high water mark is what is resident now: proc(5)
    with _Children() as children:
        call()
    return (_status("self", "VmHWM") - before + children.peak) / 1e6


class _Children:
    """Watches the processes that this one starts: the sum of their high water marks, in bytes."""

    def __init__(self) -> None:
        self._peaks: dict[str, int] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    @property
    def peak(self) -> int:
        return sum(self._peaks.values())

    def _watch(self) -> None:
        own = os.readlink("/proc/self/exe")
        while not self._done.wait(_LOOK_EVERY):
            for task in os.listdir("/proc/self/task"):
                with contextlib.suppress(OSError):
                    for child in Path("/proc/self/task", task, "children").read_text().split():
                        if os.readlink(f"/proc/{child}/exe") != own:  # not yet, it shares this one's memory
                            self._peaks[child] = _status(child, "VmHWM")

    def __enter__(self) -> _Children:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()


def _status(process: str, name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc", process, "status").read_text())
    return int(found[1]) * 1024 if found else 0  # a process that has ended has none
