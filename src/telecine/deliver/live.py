"""What listens while a video grows: the journal's own fragments, grouped, and handed out by a thread of their own."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from fractions import Fraction as Rational
from queue import SimpleQueue
from types import TracebackType
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from ..container.fragments import FragmentReader
from ..errors import OptionError
from ..support.handover import Latch, start_thread

Listener: TypeAlias = Callable[[bytes], object]

_MOST_WAITING = 64  # fragments: of half a second, half a minute
_PATIENCE = 1.7  # seconds that the end waits for a listener: Ctrl-C returns within two
_LATENCIES = ("normal", "low")


class Fragment(NamedTuple):
    """What is handed out in one piece. Of `latency="low"` not every one begins with a key frame."""

    data: bytes
    is_key: bool


def frames_of_fragment(fragment: float, latency: str, fps: Rational) -> int:
    """Give the most frames of a fragment of so many seconds.

    Raises:
        OptionError: one is not accepted.
    """
    if latency not in _LATENCIES:
        raise OptionError(f"latency={latency!r} is not known: use 'normal' or 'low'")
    if not isinstance(fragment, numbers.Real) or isinstance(fragment, bool) or not 0 < fragment < math.inf:
        raise OptionError(f"fragment={fragment!r} is no length: give seconds, such as 0.5")
    return max(1, math.floor(fragment * fps))


@runtime_checkable
class Sink(Protocol):
    """What takes fragments, and does not wait."""

    def give(self, fragment: Fragment) -> None:
        """Take one."""


class Grouping:
    """Groups what the muxer writes into fragments of at most so many frames, each beginning with a key frame.

    The init segment comes first. With low latency each frame is one.
    """

    def __init__(self, sink: Sink, frames: int, latency: str) -> None:
        self._sink, self._frames = sink, 1 if latency == "low" else frames
        self._reader = FragmentReader()
        self._waiting: list[bytes] = []
        self._is_key = False

    def feed(self, data: bytes) -> None:
        """Take what the muxer writes, in order."""
        for piece in self._reader.feed(data):
            if piece.is_init:
                self._sink.give(Fragment(piece.data, True))
            elif not piece.data:
                self._hand_out()
            else:
                if piece.is_key:
                    self._hand_out()
                self._is_key = self._is_key if self._waiting else piece.is_key
                self._waiting.append(piece.data)
                if len(self._waiting) == self._frames:
                    self._hand_out()

    def _hand_out(self) -> None:
        if self._waiting:
            self._sink.give(Fragment(b"".join(self._waiting), self._is_key))
            self._waiting.clear()


class ListenerThread:
    """Calls a listener, which may be slow: so many fragments wait for it, and then some are left out.

    It goes on with a key frame. `lost` is how many were left out; `error` is what the listener raised, which ends it.
    """

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self._is_done = Latch()
        self._skipping = False
        self.lost = 0
        self.error: BaseException | None = None

    def __enter__(self) -> ListenerThread:
        start_thread(self._run, "telecine-listener")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.put(None)
        if not self._is_done.wait(_PATIENCE):
            self.lost += max(0, self._queue.qsize() - 1)

    def give(self, fragment: Fragment) -> None:
        """Queue a fragment, unless too many wait."""
        self._skipping = self._queue.qsize() >= _MOST_WAITING or (self._skipping and not fragment.is_key)
        if self._skipping or self.error is not None:
            self.lost += 1
        else:
            self._queue.put(fragment.data)

    def _run(self) -> None:
        try:
            while (data := self._queue.get()) is not None:
                self._listener(data)
        except BaseException as error:  # the listener's, which the export goes on without
            self.error = error
        finally:
            self._is_done.set()


def sink_of(listener: object) -> Sink | ListenerThread:
    """Give what takes fragments for a listener: a thread, unless it is a sink itself.

    Raises:
        OptionError: it can't be called.
    """
    if isinstance(listener, Sink):
        return listener
    if not callable(listener):
        raise OptionError(f"also_to={listener!r} is no function: give one that takes bytes")
    return ListenerThread(listener)
