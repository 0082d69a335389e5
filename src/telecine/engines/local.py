"""The local engine: spawned processes, each of which has a share of the processors and of the memory.

One that dies costs its job an attempt, and another takes its place. A pool of `concurrent.futures` would end with it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Generator, Mapping
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from ..support.processors import available_processors
from .pending import Attempt, Pending
from .place import Place
from .work import Outcome, perform

_PATIENCE = 2.0  # seconds that a worker has to end, before it is killed
_SPAWN = multiprocessing.get_context("spawn")  # a fork has the locks of whatever threads there are, and no thread


def run_locally(
    pending: Pending, place: Place, options: Mapping[str, Any], workers: int | None = None, memory: int | None = None
) -> Generator[tuple[Attempt, Outcome]]:
    """Make attempts in processes of this machine, and give what becomes of each as it ends.

    Args:
        pending: What is asked for attempts; those that fail may be given back to it.
        place: Where outputs go.
        options: Those of `export_video` for all jobs.
        workers: How many processes; as many as there are processors without one.
        memory: How many bytes they may have together.
    """
    count = available_processors() if workers is None else workers
    pool = [_Worker(index, count, place, options, memory) for index in range(count)]
    try:
        while True:
            for worker in pool:
                if worker.attempt is None and (attempt := pending.take()) is not None:
                    worker.give(attempt)
            busy = [worker for worker in pool if worker.attempt is not None]
            if not busy and pending.due_in is None:
                return
            due = pending.due_in if len(busy) < len(pool) else None  # where none is free, it waits on
            ready = set(wait([each for worker in busy for each in worker.waited_for], due))
            for worker in busy:
                if ready & set(worker.waited_for):
                    result = worker.result()
                    if (attempt := pending.take()) is not None:  # while whoever asks writes that down
                        worker.give(attempt)
                    yield result
    finally:
        for worker in pool:
            worker.end()
        for worker in pool:
            worker.join()


class _Worker:
    """A process that makes one attempt at a time; started when it is first given one, and again when it died."""

    def __init__(self, index: int, count: int, place: Place, options: Mapping[str, Any], memory: int | None) -> None:
        self._arguments = (index, count, place, dict(options), None if memory is None else memory // count)
        self._process: BaseProcess | None = None
        self._connection: Connection[Any, Any] | None = None
        self.attempt: Attempt | None = None

    def give(self, attempt: Attempt) -> None:
        """Have an attempt made."""
        if self._process is None:
            self._start()
        assert self._connection is not None
        self.attempt = attempt
        with contextlib.suppress(OSError):  # it has died, which shows when it is waited for
            self._connection.send(attempt.job)

    @property
    def waited_for(self) -> list[Any]:
        """What is ready when the attempt has ended, or the process."""
        assert self._process is not None
        return [self._connection, self._process.sentinel]

    def result(self) -> tuple[Attempt, Outcome]:
        """Give the attempt and what became of it."""
        assert self.attempt is not None
        assert self._connection is not None
        attempt, self.attempt = self.attempt, None
        try:
            return attempt, self._connection.recv()
        except (EOFError, OSError):
            return attempt, self._died()

    def _died(self) -> Outcome:
        assert self._process is not None
        self._process.join(_PATIENCE)
        code = self._process.exitcode
        self._process = None
        name = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
        return Outcome(0, error=f"the process that worked on it died: {name}", may_pass=True)

    def _start(self) -> None:
        self._connection, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_work, args=(theirs, *self._arguments), daemon=True)
        self._process.start()
        theirs.close()

    def end(self) -> None:
        """Tell it to end: at once if it works on something, which is then left as a killed process leaves it."""
        if self._process is None:
            return
        if self.attempt is not None:
            self._process.terminate()
        if self._connection is not None:
            self._connection.close()

    def join(self) -> None:
        """Wait until it has ended."""
        if self._process is None:
            return
        self._process.join(_PATIENCE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process = None


def _work(
    connection: Connection[Any, Any],
    index: int,
    count: int,
    place: Place,
    options: Mapping[str, Any],
    memory: int | None,
) -> None:
    """Make the attempts that come, until the driver closes the connection, or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's
    _take_share(index, count, memory)
    with contextlib.suppress(EOFError, OSError):
        while True:
            connection.send(perform(connection.recv(), place, options))


def _take_share(index: int, count: int, memory: int | None) -> None:
    if hasattr(os, "sched_setaffinity"):
        processors = sorted(os.sched_getaffinity(0))
        if count <= len(processors):
            os.sched_setaffinity(0, processors[index::count])
    if memory is not None:
        import resource  # which Windows has not

        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
