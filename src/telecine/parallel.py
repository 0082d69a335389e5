"""Calls on threads, whose results come in the order of the calls; few enough wait that memory is bounded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Result = TypeVar("Result")


class InOrder(Generic[Result]):
    """Calls a function on `threads` threads. Up to twice as many calls are in work."""

    def __init__(self, function: Callable[..., Result], threads: int, name: str) -> None:
        self._function, self._most = function, 2 * threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=f"telecine-{name}")
        self._calls: deque[Future[Result]] = deque()

    def call(self, *arguments: object) -> list[Result]:
        """Call the function; gives the results for whose calls there is no more room, waiting for them.

        Raises whatever one of these calls did.
        """
        self._calls.append(self._pool.submit(self._function, *arguments))
        return [self._calls.popleft().result() for _ in range(len(self._calls) - self._most)]

    def rest(self) -> Iterator[Result]:
        """Give the results of all calls that are left, waiting for each. Raises whatever one of them did."""
        while self._calls:
            yield self._calls.popleft().result()

    def close(self) -> None:
        """Drop the calls that have not begun, and end the threads."""
        self._pool.shutdown(cancel_futures=True)
