"""What threads hand to each other, whole after Ctrl-C at any bytecode of one that waits.

`Event`, `Condition`, `queue.Queue` and `Thread.start` take their lock in Python: an interrupt there leaves it held for
good, and an interrupted `Thread.join` marks a running thread as ended on Python 3.11 and 3.12. What is here calls C
alone for what must not be left half done: `SimpleQueue` and `dict.setdefault`.
"""

from __future__ import annotations

import contextlib
import threading
import time
from _thread import start_new_thread
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

Item = TypeVar("Item")

_LOOK_AGAIN = 0.1  # seconds after which one who waits looks for itself: an interrupt may have cost it the bell


class Latch:
    """Says once and for all that something is so."""

    def __init__(self) -> None:
        self.is_set = False
        self._bell: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        """Say it."""
        self.is_set = True
        self._bell.put(None)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is so, or for so many seconds; tells whether it is."""
        end = None if seconds is None else time.monotonic() + seconds
        while not self.is_set:
            left = _LOOK_AGAIN if end is None else min(_LOOK_AGAIN, end - time.monotonic())
            if left <= 0:
                return False
            with contextlib.suppress(Empty):
                self._bell.get(timeout=left)
                self._bell.put(None)  # for the next one who waits
        return True


class Decision(Generic[Item]):
    """Made once, by whoever comes first; all are told the same."""

    def __init__(self) -> None:
        self._made: dict[None, Item] = {}

    def make(self, choice: Item) -> Item:
        """Choose, unless that is done; gives what was chosen."""
        return self._made.setdefault(None, choice)


class Channel(Generic[Item]):
    """Items on their way to one thread, in order."""

    def __init__(self) -> None:
        self._items: SimpleQueue[Item] = SimpleQueue()
        self._bell: SimpleQueue[None] = SimpleQueue()

    def __len__(self) -> int:
        return self._items.qsize()

    def has_room(self, most: int) -> bool:
        """Wait a moment until fewer than `most` items wait; tells whether that is so."""
        if len(self) >= most:
            with contextlib.suppress(Empty):
                self._bell.get(timeout=_LOOK_AGAIN)
        return len(self) < most

    def put(self, item: Item) -> None:
        """Hand over an item, room or not."""
        self._items.put(item)

    def get(self, seconds: float | None = None) -> Item:
        """Take the next item; raises Empty where none comes for so many seconds."""
        item = self._items.get(timeout=seconds)
        if self._bell.empty():
            self._bell.put(None)
        return item


def start_thread(run: Callable[[], None], name: str) -> None:
    """Run a function in a thread that does not keep the interpreter from ending.

    Raises:
        RuntimeError: the system has no thread left.
    """
    start_new_thread(_start, (threading.Thread(target=run, name=name, daemon=True), run))


def _start(thread: threading.Thread, run: Callable[[], None]) -> None:
    try:
        thread.start()
    except RuntimeError:  # no second thread is to be had
        run()
