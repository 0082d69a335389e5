"""What is left to do of a batch, in portions of some seconds."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from telecine.engines.pending import Attempt, Pending, Portions
from telecine.engines.work import Job


def jobs(count: int, frames: Any = "clip.npy") -> list[Job]:
    return [Job(index, frames, f"{index}.mp4", {}, None, {}) for index in range(count)]


def portions_of(all_jobs: list[Job], lasted: float, seconds: float = 0.25) -> list[list[int]]:
    """Give the numbers of the jobs in each portion, where each attempt of those before took so long."""
    portions = Portions(Pending(all_jobs), seconds)
    for _ in range(100):
        portions.lasted(lasted)
    return [numbers for portion in iter(portions.take, deque()) if (numbers := [each.job.index for each in portion])]


def test_short_jobs_go_together_and_long_ones_alone() -> None:
    assert portions_of(jobs(10), 0.06) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert portions_of(jobs(3), 0.2) == portions_of(jobs(3), 30) == [[0], [1], [2]]
    assert [len(each) for each in portions_of(jobs(40), 0)] == [16, 16, 8]


def test_as_long_as_nobody_knows_how_long_they_take_they_go_alone() -> None:
    assert [each.job.index for each in Portions(Pending(jobs(3)), 0.25).take()] == [0]


def test_a_job_that_holds_its_frames_is_the_last_of_its_portion() -> None:
    arrays = jobs(2, np.zeros((2, 8, 8, 3), np.uint8))
    assert portions_of([*arrays, *jobs(2)], 0.01) == [[0], [1], [0, 1]]


def test_what_is_given_back_comes_first_and_not_once_the_batch_is_stopped() -> None:
    pending = Pending(jobs(4))
    portions = Portions(pending, 0.25)
    for _ in range(100):
        portions.lasted(0.12)
    first = portions.take()
    died = first.popleft()
    portions.give_back(first)
    assert (died.job.index, list(first)) == (0, [])
    again = portions.take()
    assert list(again) == [Attempt(job, 1) for job in jobs(3)[1:]]
    portions.give_back(again)
    pending.stop()
    assert not portions.take()
