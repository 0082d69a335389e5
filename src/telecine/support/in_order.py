"""Calls on threads, whose results come in the order of the calls; few enough wait that memory is bounded.

Not on those of `concurrent.futures`, which end before a writer that is open when the interpreter ends has kept all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue
from typing import Generic, TypeVar

from .handover import Latch, start_thread

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Call(Generic[Result]):
    """One call: its arguments, and what came of it."""

    def __init__(self, arguments: tuple[object, ...]) -> None:
        self._arguments, self._ended = arguments, Latch()
        self._results: list[Result] = []
        self._error: BaseException | None = None

    def run(self, function: Callable[..., Result]) -> None:
        arguments, self._arguments = self._arguments, ()  # which may be large, and the result waits
        try:
            self._results.append(function(*arguments))
        except BaseException as error:
            self._error = error
        finally:
            self._ended.set()

    @property
    def has_ended(self) -> bool:
        return self._ended.is_set

    def result(self) -> Result:
        self._ended.wait()
        if self._error is not None:
            raise self._error
        return self._results[0]


class InOrder(Generic[Result]):
    """Calls a function on `threads` threads. Up to twice as many calls are in work, or `most`."""

    def __init__(self, function: Callable[..., Result], threads: int, name: str, most: int | None = None) -> None:
        self._function, self._most_threads, self._name = function, threads, name
        self._most = 2 * threads if most is None else most
        self._calls: deque[_Call[Result]] = deque()
        self._waiting: SimpleQueue[_Call[Result] | None] = SimpleQueue()
        self._threads: list[Latch] = []  # set when they end
        self._closed = False

    def __len__(self) -> int:
        """How many calls there are whose results nobody has."""
        return len(self._calls)

    def call(self, *arguments: object) -> list[Result]:
        """Call the function; gives the results for whose calls there is no more room, waiting for them.

        Raises whatever one of these calls did.
        """
        if len(self._threads) < self._most_threads:
            ended = Latch()
            start_thread(lambda: self._run(ended), f"telecine-{self._name}")
            self._threads.append(ended)
        self._calls.append(_Call(arguments))
        self._waiting.put(self._calls[-1])
        return [self._calls.popleft().result() for _ in range(len(self._calls) - self._most)]

    def ended(self) -> Iterator[Result]:
        """Give the results that are there, waiting for none. Raises whatever one of these calls did."""
        while self._calls and self._calls[0].has_ended:
            yield self._calls.popleft().result()

    def rest(self) -> Iterator[Result]:
        """Give the results of all calls that are left, waiting for each. Raises whatever one of them did."""
        while self._calls:
            yield self._calls.popleft().result()

    def close(self) -> None:
        """Drop the calls that have not begun, and end the threads."""
        self._closed = True
        for _ in self._threads:
            self._waiting.put(None)
        for ended in self._threads:
            ended.wait()

    def _run(self, ended: Latch) -> None:
        try:
            while (call := self._waiting.get()) is not None:
                if not self._closed:
                    call.run(self._function)
        finally:
            ended.set()


def in_parallel(function: Callable[[Item], Result], items: Iterable[Item], threads: int, name: str) -> Iterator[Result]:
    """Give what a function makes of each item, in order. Raises whatever one of its calls did."""
    calls = InOrder(function, threads, name)
    try:
        for item in items:
            yield from calls.call(item)
        yield from calls.rest()
    finally:
        calls.close()
