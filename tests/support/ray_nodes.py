"""Ray on this machine, as small as it can be, and frames that know on which node they are read."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import ray
from ray.cluster_utils import Cluster

from .helpers import Clip

STORE = 100 << 20  # bytes of the memory that each node shares
AWAY = {"away": 1}  # what all nodes but the head have: where tasks are that a node's death is to meet


@contextmanager
def ray_nodes(count: int, processors: int = 1) -> Iterator[Cluster]:
    """Start nodes, the first of them the head, and connect to them, as long as the `with`."""
    folder = tempfile.mkdtemp(prefix="telecine-ray-", dir="/tmp")  # names of sockets may not be longer than that
    Path(tempfile.gettempdir(), "ray").mkdir(exist_ok=True)  # where Cluster writes its address, wherever its nodes are
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_raylet_start_wait_time_s": "120"}  # of a machine that is busy
    node: dict[str, Any] = {"num_cpus": processors, "object_store_memory": STORE, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "temp_dir": folder})
    try:
        for _ in range(count - 1):
            cluster.add_node(wait=False, resources=AWAY, **node)
        cluster.wait_for_nodes()
        ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()  # type: ignore[no-untyped-call]
        shutil.rmtree(folder, ignore_errors=True)


def clip_of(number: int, height: int = 48, width: int = 64) -> Clip:
    """A clip of its own for each number."""
    return np.random.default_rng(number).integers(0, 256, (4, height, width, 3), np.uint8)


@dataclass(frozen=True)
class Deadly:
    """Frames whose first reader of all dies as one does that has no memory left."""

    number: int
    marker: Path

    def __iter__(self) -> Iterator[Any]:
        if _is_first(self.marker):
            os.kill(os.getpid(), signal.SIGKILL)
        return iter(clip_of(self.number))


@dataclass(frozen=True)
class DeadlyPath(os.PathLike[str]):
    """The path of frames of whose readers the first dies in the same way, the process apart that made it."""

    path: str
    marker: Path
    driver: int = field(default_factory=os.getpid)

    def __fspath__(self) -> str:
        if os.getpid() != self.driver and _is_first(self.marker):
            os.kill(os.getpid(), signal.SIGKILL)
        return self.path


@dataclass(frozen=True)
class Held:
    """Frames whose first reader of all says on which node it is, and waits for ever."""

    number: int
    marker: Path

    def __iter__(self) -> Iterator[Any]:
        if _is_first(self.marker, ray.get_runtime_context().get_node_id()):
            signal.pause()
        return iter(clip_of(self.number))


def _is_first(marker: Path, text: str = "") -> bool:
    """Tell whether nobody has left the marker, and leave it, whole at once."""
    written = marker.with_name(f"{marker.name}-{os.getpid()}")
    written.write_text(text)
    try:
        os.link(written, marker)
    except FileExistsError:
        return False
    finally:
        written.unlink()
    return True
