"""The engine on Ray: tasks of a few attempts, on a cluster that is there or on one that is started here for the run.

The driver keeps the ledger. A task tells of each attempt as it ends, and has no retries of Ray's own: what dies with
its worker or its node is told, and counted as an attempt; those behind it in the task were not begun, and go again.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import os
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any

import ray
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayError, RuntimeEnvSetupError, WorkerCrashedError

from ..errors import InputError, OptionError
from ..support.processors import available_processors, limit_processors, own_share
from ..support.words import one_line
from .pending import Attempt, Pending, Portions
from .place import Place
from .work import Job, Outcome, perform

_SETTINGS = ("num_cpus", "num_gpus", "memory", "resources", "scheduling_strategy", "runtime_env")
_AMOUNTS = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}  # as a task says it, and as a node does
_IN_FLIGHT = 2  # tasks for each that can run, so that a worker which is done finds the next
_A_TASK = 0.25  # seconds of work for a task, which by itself costs two milliseconds of processors
_CANCELLING, _MOST_CANCELS = 0.5, 10  # seconds after which it is asked again, and how often
_LOOK_AGAIN = 5.0  # seconds after which a cluster may have other nodes

# What dies with a job, most special first.
_DIED: tuple[tuple[type[RayError], str], ...] = (
    (OutOfMemoryError, "the process that worked on it was killed: the memory of its node ran out"),
    (NodeDiedError, "the node that worked on it died"),
    (WorkerCrashedError, "the process that worked on it died, or its node did"),
)


def run_on_ray(
    pending: Pending,
    place: Place,
    options: Mapping[str, Any],
    workers: int | None = None,
    address: str | None = None,
    resources: Mapping[str, Any] | None = None,
) -> Generator[tuple[Attempt, Outcome]]:
    """Make attempts on a cluster of Ray's, and give what becomes of each as it ends.

    Args:
        pending: What is asked for attempts; those that fail may be given back to it.
        place: Where outputs go, which all nodes see.
        options: Those of `export_video` for all jobs.
        workers: How many attempts at a time at most. Without one, as many as there is room for, and as many that wait.
        address: That of a cluster; "auto" for the one that is found. Without one, what Ray is connected to, or
            `RAY_ADDRESS` names, or else a cluster that is started here and ended with the run.
        resources: What each attempt takes, as Ray's `options` have it: {"num_cpus": 2, "memory": 2 << 30}.

    Raises:
        OptionError: resources that no node has.
        InputError: there is no cluster at the address.
    """
    settings = _settings(resources)
    with _connected(address, workers) as is_own:
        task, room, portions = _attempts.options(**settings), _Room(settings, workers), Portions(pending, _A_TASK)
        running: dict[ray.ObjectRefGenerator, deque[Attempt]] = {}
        try:
            while True:
                while len(running) < room.size() and (portion := portions.take()):
                    running[task.remote([each.job for each in portion], place, options, os.getcwd())] = portion
                if not running:
                    if pending.due_in is None:
                        return
                    time.sleep(pending.due_in)
                    continue
                for told in _telling(running, pending.due_in if len(running) < room.size() else None):
                    attempt, (outcome, has_died) = running[told].popleft(), _outcome(next(told))
                    if has_died:
                        portions.give_back(running[told])
                    else:
                        portions.lasted(outcome.seconds)
                    if not running[told]:
                        del running[told]
                    yield attempt, outcome
        finally:
            if not is_own:  # as whoever began the connection goes on; its end ends what runs, and aborts amid a cancel
                _cancel([each.completed() for each in running])


@ray.remote(max_retries=0)
def _attempts(jobs: Sequence[Job], place: Place, options: Mapping[str, Any], folder: str) -> Iterator[Outcome]:
    """Make attempts one after another, in a process of whatever node."""
    share = take_share()
    with contextlib.suppress(OSError):  # on which names may be relative to the driver's folder, if it is there
        os.chdir(folder)
    with own_share(_tasks_here(share)):
        for job in jobs:
            yield perform(job, place, options)


def take_share() -> float:
    """Use as many processors as Ray has given to this task, and give how many: it binds nothing to them."""
    if not ray.is_initialized() or ray.get_runtime_context().get_task_id() is None:
        return 0
    assigned: Mapping[str, float] = ray.get_runtime_context().get_assigned_resources()  # type: ignore[no-untyped-call]
    limit_processors(math.ceil(assigned.get("CPU", 1)))
    return assigned.get("CPU", 0)


@functools.cache  # a process is of one node, and the cluster is some way off
def _tasks_here(share: float) -> int:
    """Tell how many tasks of so many processors this node has room for."""
    own = ray.get_runtime_context().get_node_id()
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    count = next(node["Resources"].get("CPU", 0) for node in nodes if node["NodeID"] == own)
    return int(count // share) if share else 0


def _telling(running: Iterable[ray.ObjectRefGenerator], timeout: float | None) -> list[ray.ObjectRefGenerator]:
    """Wait until an attempt has ended or the time is over, and give all tasks that tell of one."""
    tasks = list(running)
    first, _ = ray.wait(tasks, num_returns=1, timeout=timeout)
    if not first:
        return []
    telling, _ = ray.wait(tasks, num_returns=len(tasks), timeout=0)
    return telling


def _cancel(references: list[ray.ObjectRef[Any]]) -> None:
    """End tasks, and wait for that: whoever is at work on an output keeps the next run from it.

    Ray forgets to cancel what has come to a worker and has not begun there, so it is asked again.
    """
    for _ in range(_MOST_CANCELS):
        for reference in references:
            ray.cancel(reference, force=True)
        if references:
            _, references = ray.wait(references, num_returns=len(references), timeout=_CANCELLING, fetch_local=False)


def _outcome(reference: ray.ObjectRef[Outcome]) -> tuple[Outcome, bool]:
    """Give what became of an attempt, and whether its task has died of it."""
    try:
        return ray.get(reference), False
    except RuntimeEnvSetupError as error:
        raise OptionError(f"resources= has a runtime_env that can't be made: {one_line(str(error))}") from error
    except RayError as error:  # `perform` tells of what an export raises: this is of the cluster
        said = next((words for kind, words in _DIED if isinstance(error, kind)), one_line(str(error)))
        return Outcome(0, error=said, may_pass=True), True


# ---- the cluster ---------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _connected(address: str | None, workers: int | None) -> Iterator[bool]:
    """Connect to the cluster, or start one, unless Ray is connected. Gives whether the connection is ours to end."""
    if ray.is_initialized():
        there = ray.get_runtime_context().gcs_address
        if address not in (None, "auto", there):
            raise OptionError(f"address={address!r} is not that of {there}, to which Ray is connected: leave it out")
        yield False
        return
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    how: dict[str, Any] = {"address": address, "log_to_driver": False, "logging_level": logging.ERROR}
    if address == "local":
        how |= {"num_cpus": workers or available_processors(), "include_dashboard": False}
    try:
        ray.init(**how)
    except (RayError, ConnectionError, ValueError, RuntimeError) as error:
        raise InputError(f"no cluster of Ray's at address={address!r}: {one_line(str(error))}") from error
    try:
        yield True
    finally:
        ray.shutdown()


class _Room:
    """How many attempts may be on their way: those that the nodes there are can work on, and as many that wait."""

    def __init__(self, settings: Mapping[str, Any], most: int | None) -> None:
        """Look at the cluster. Raises OptionError where no node has what an attempt takes."""
        named = {name: settings.get(setting, 0) for setting, name in _AMOUNTS.items()}
        self._taken = {name: amount for name, amount in {**named, **settings.get("resources", {})}.items() if amount}
        self._most = math.inf if most is None else most
        if not self._slots():
            raise OptionError(f"no node of the cluster has {self._taken}: ask for less in resources=")
        self._size, self._due = 0, 0.0

    def size(self) -> int:
        """Give how many; nodes may have come and gone."""
        if (now := time.monotonic()) >= self._due:
            self._size = int(min(self._most, _IN_FLIGHT * max(1, self._slots())))
            self._due = now + _LOOK_AGAIN
        return self._size

    def _slots(self) -> int:
        nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
        return sum(self._slots_of(node["Resources"]) for node in nodes if node["Alive"])

    def _slots_of(self, node: Mapping[str, float]) -> int:
        if not self._taken:  # no amount of anything: Ray would start any number
            return int(node.get("CPU", 0))
        return int(min(node.get(name, 0) // amount for name, amount in self._taken.items()))


def _settings(resources: Mapping[str, Any] | None) -> dict[str, Any]:
    """Give Ray's options of a task. Raises OptionError."""
    for name in resources or {}:
        if name not in _SETTINGS:
            raise OptionError(f"resources= has {name!r}: use {', '.join(_SETTINGS)}")
    return {"num_cpus": 1, **(resources or {})}
