"""What is left to do of a batch: jobs in their order, and those that are tried again, once some time has passed."""

from __future__ import annotations

import heapq
import itertools
import random
import time
from collections.abc import Iterable
from typing import NamedTuple

from .work import Job

_FIRST, _LONGEST = 0.5, 60.0  # seconds between attempts, which double


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
