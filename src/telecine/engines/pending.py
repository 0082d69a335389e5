"""What is left to do of a batch: jobs in their order, and those that are tried again, once some time has passed."""

from __future__ import annotations

import heapq
import itertools
import os
import random
import time
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from .work import Job

_FIRST, _LONGEST = 0.5, 60.0  # seconds between attempts, which double
_MOST, _RECENT = 16, 8  # attempts of a portion, and those by whose seconds it is told how many that are
_LEAST = 1e-3  # seconds that an attempt is taken to last


def delay_after(number: int) -> float:
    """Give how many seconds follow an attempt, the more the more there were: with jitter, for many fail at once."""
    doubled: float = _FIRST * 2 ** (number - 1)
    return min(_LONGEST, doubled) * random.uniform(0.5, 1.5)


class Attempt(NamedTuple):
    """A job, and how many attempts this is: 1 for the first."""

    job: Job
    number: int


class Pending:
    """Gives the next attempt. Engines ask it as they have room, so that no more is read than is worked on."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._jobs = iter(jobs)
        self._again: list[tuple[float, int, Attempt]] = []
        self._order = itertools.count()
        self.is_stopped = False

    def take(self) -> Attempt | None:
        """Give an attempt to make now; None where there is none, yet or ever."""
        if self.is_stopped:
            return None
        if self._again and self._again[0][0] <= time.monotonic():
            return heapq.heappop(self._again)[2]
        job = next(self._jobs, None)
        return None if job is None else Attempt(job, 1)

    def again(self, attempt: Attempt) -> None:
        """Have a job tried again, later the more often it was."""
        due = time.monotonic() + delay_after(attempt.number)
        heapq.heappush(self._again, (due, next(self._order), Attempt(attempt.job, attempt.number + 1)))

    def stop(self) -> None:
        """Give no more."""
        self.is_stopped = True

    @property
    def due_in(self) -> float | None:
        """In how many seconds the next attempt of those that wait is due; None where none waits."""
        if self.is_stopped or not self._again:
            return None
        return max(0.0, self._again[0][0] - time.monotonic())


class Portions:
    """Gives some attempts at a time: as many as take so many seconds, by those before, or one of those that take more.

    A job that holds its frames, in place of naming them, is the last of its portion: what waits is in memory.
    """

    def __init__(self, pending: Pending, seconds: float) -> None:
        self._pending, self._seconds = pending, seconds
        self._mean, self._back = seconds, deque[Attempt]()

    def take(self) -> deque[Attempt]:
        """Give attempts to make now; none where there are none, yet or ever."""
        portion, count = deque[Attempt](), max(1, min(_MOST, int(self._seconds / max(self._mean, _LEAST))))
        while len(portion) < count and (attempt := self._next()) is not None:
            portion.append(attempt)
            if not isinstance(attempt.job.frames, (str, os.PathLike)):
                break
        return portion

    def _next(self) -> Attempt | None:
        return self._back.popleft() if self._back and not self._pending.is_stopped else self._pending.take()

    def lasted(self, seconds: float) -> None:
        """Take how long an attempt took."""
        self._mean += (seconds - self._mean) / _RECENT

    def give_back(self, attempts: deque[Attempt]) -> None:
        """Take all of these, which were not begun: they are the next ones."""
        while attempts:
            self._back.appendleft(attempts.pop())
