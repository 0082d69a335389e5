"""What listens while a video grows: takes its fragments, and hands them out without waiting for who listens."""

from __future__ import annotations

import math
import numbers
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from fractions import Fraction as Rational
from queue import SimpleQueue
from types import TracebackType
from typing import NamedTuple, Protocol, Self, TypeAlias, runtime_checkable
from weakref import WeakSet

from ..container.fragments import FragmentReader
from ..errors import OptionError
from ..support.handover import Latch, start_thread

Listener: TypeAlias = Callable[[bytes], object]

_MOST_WAITING = 64  # fragments: of half a second, half a minute
_PATIENCE = 1.7  # seconds that the end waits for a listener: Ctrl-C returns within two
_LATENCIES = ("normal", "low")


class Fragment(NamedTuple):
    """What is handed out in one piece, with how many frames. Of `latency="low"` few begin with a key frame."""

    data: bytes
    is_key: bool
    frames: int = 0


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
    """What takes fragments, and does not wait: as a context, while there may be more."""

    @property
    def problem(self) -> str:
        """What is to be said of it in the end; empty where all is well."""

    def give(self, fragment: Fragment) -> None:
        """Take one."""

    def __enter__(self) -> object: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class ListenerOutlet:
    """Hands a fragmented MP4 to listeners, fragment by fragment, as it is written."""

    def __init__(self, sinks: Iterable[Sink]) -> None:
        self._sinks, self._reader = tuple(sinks), FragmentReader()

    def write(self, data: bytes) -> None:
        """Take what a muxer writes, in order."""
        for piece in self._reader.feed(data):
            fragment = Fragment(piece.data, piece.is_init or piece.is_key, piece.frames)
            for each in self._sinks:
                each.give(fragment)


class Listening(Iterator[bytes]):
    """The fragments for one who listens: an iterator, asynchronous too, that waits for the next one.

    So many wait for it, and then some are left out, up to a key frame. `lost` is how many were.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self._skipping = False
        self.lost = 0

    def give(self, fragment: Fragment) -> None:
        """Queue a fragment, unless too many wait."""
        self._skipping = self._queue.qsize() >= _MOST_WAITING or (self._skipping and not fragment.is_key)
        if self._skipping:
            self.lost += 1
        else:
            self._queue.put(fragment.data)

    def end(self) -> None:
        """Say that no more comes."""
        self._queue.put(None)

    @property
    def waiting(self) -> int:
        """How many fragments wait."""
        return self._queue.qsize()

    def take(self, seconds: float | None = None) -> bytes | None:
        """Give the next fragment, or None at the end; raises `queue.Empty` where none comes for so many seconds."""
        data = self._queue.get(timeout=seconds)
        if data is None:
            self._queue.put(None)  # for whoever asks again
        return data

    def __next__(self) -> bytes:
        data = self.take()
        if data is None:
            raise StopIteration
        return data

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._asynchronous()

    async def _asynchronous(self) -> AsyncIterator[bytes]:
        import asyncio  # start-up: few listen in a loop

        while (data := await asyncio.to_thread(next, self, None)) is not None:
            yield data


class Broadcast:
    """Hands a video that grows to any number of listeners, in any threads: give it as `also_to`, and ask `listen()`.

    A listener that comes late begins with the last key frame. A slow one slows nothing: it loses fragments, and its
    `lost` says how many.

    >>> import numpy as np, os, tempfile, telecine
    >>> broadcast = telecine.Broadcast()
    >>> listening = broadcast.listen()
    >>> frames, path = np.zeros((16, 48, 64, 3), np.uint8), os.path.join(tempfile.mkdtemp(), "clip.mp4")
    >>> video = telecine.export_video(frames, path, fps=16, also_to=broadcast)
    >>> [fragment[4:8] for fragment in listening], [fragment[4:8] for fragment in broadcast.listen()]
    ([b'ftyp', b'moof', b'moof'], [b'ftyp', b'moof'])
    """

    problem = ""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begins_with: list[Fragment] = []  # the init segment, and what came since the last key frame
        self._listeners: WeakSet[Listening] = WeakSet()  # one who has gone away costs nothing
        self._is_over = False

    def listen(self) -> Listening:
        """Give the fragments from the last key frame on, and those that come."""
        listening = Listening()
        with self._lock:
            for fragment in self._begins_with:
                listening.give(fragment)
            if self._is_over:
                listening.end()
            self._listeners.add(listening)
        return listening

    def give(self, fragment: Fragment) -> None:
        """Take a fragment, in the encoding thread."""
        with self._lock:
            if fragment.is_key:
                del self._begins_with[1:]
            self._begins_with.append(fragment)
            for each in self._listeners:
                each.give(fragment)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._is_over = True
            for each in self._listeners:
                each.end()


class ListenerThread:
    """Calls a function with each fragment. What it raises ends that alone."""

    def __init__(self, listener: Listener) -> None:
        self._listener, self._listening = listener, Listening()
        self._is_done = Latch()
        self._left = 0
        self._error: BaseException | None = None

    def give(self, fragment: Fragment) -> None:
        """Queue a fragment."""
        self._listening.give(fragment)

    @property
    def problem(self) -> str:
        """What to say of it in the end."""
        if self._error is not None:
            return f"also_to failed, and was given no more fragments: {self._error!r}"
        lost = self._listening.lost + self._left
        return f"also_to took longer than the encoder: {lost} fragments were not given to it" if lost else ""

    def __enter__(self) -> Self:
        start_thread(self._run, "telecine-listener")
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.end()
        if not self._is_done.wait(_PATIENCE):
            self._left = max(0, self._listening.waiting - 1)

    def _run(self) -> None:
        try:
            for data in self._listening:
                self._listener(data)
        except BaseException as error:  # the listener's, which the export goes on without
            self._error = error
        finally:
            self._is_done.set()


def sink_of(listener: object) -> Sink:
    """Give what takes fragments for a listener: a thread, unless it is a sink itself.

    Raises:
        OptionError: it can't be called.
    """
    if isinstance(listener, Sink):
        return listener
    if not callable(listener):
        raise OptionError(f"also_to={listener!r} is no function: give one that takes bytes")
    return ListenerThread(listener)
