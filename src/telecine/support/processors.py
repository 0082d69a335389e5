"""How many processors this process may use, and how concurrent writers share them."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# More threads than this cost H.264 compression and gain little at the sizes that models make.
MOST_THREADS = 16
# Nor is a thread of use for so little.
_PIXELS_A_THREAD = 1 << 15

_THREADS = "/proc/self/task"

_lock = threading.Lock()
_writers = 0
_limit = math.inf


@contextmanager
def ordinary_threads() -> Iterator[None]:
    """Leave no thread real-time that was not before.

    Run as root, SVT-AV1 makes its threads real-time, of the highest priority, and the one that opens it too (SVT-AV1,
    svt_threads.c): they starve whatever else runs, and all that this process starts inherits it.
    """
    if not hasattr(os, "sched_getscheduler") or not os.path.isdir(_THREADS):  # Linux alone
        yield
        return
    before = {thread for thread in os.listdir(_THREADS) if _is_real_time(thread)}
    try:
        yield
    finally:
        for thread in os.listdir(_THREADS):
            if thread not in before and _is_real_time(thread):
                with contextlib.suppress(OSError):
                    os.sched_setscheduler(int(thread), os.SCHED_OTHER, os.sched_param(0))


def _is_real_time(thread: str) -> bool:
    try:
        return os.sched_getscheduler(int(thread)) in (os.SCHED_FIFO, os.SCHED_RR)
    except OSError:  # it has ended
        return False


def limit_processors(count: int) -> None:
    """Leave this process no more than these: a scheduler's task has a number of them, and affinity to all."""
    global _limit
    _limit = count


@contextmanager
def own_share(count: int) -> Iterator[None]:
    """Keep this thread, and those that it starts, to one of so many shares of the processors that no other has by this.

    The threads of an export take turns: where each may be on any processor, clips of 16 small frames take a sixth
    longer. Where there are fewer processors than shares, or all shares are taken, and but on Linux, it does nothing.
    """
    if sys.platform != "linux" or not 1 < count <= len(processors := sorted(os.sched_getaffinity(0))):
        yield
        return
    import socket  # start-up: few processes share

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as claim:  # it is let go of however the process ends
        for index in range(count):
            with contextlib.suppress(OSError):  # another has it
                claim.bind(f"\0telecine-share-{index}-of-{count}")
                os.sched_setaffinity(0, processors[index::count])
                break
        try:
            yield
        finally:
            os.sched_setaffinity(0, processors)


def available_processors() -> int:
    """Count the processors that affinity, the cgroup's quota and a scheduler leave, at least 1."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows
        count = os.cpu_count() or 1
    return max(1, math.ceil(min(count, _cgroup_quota(), _limit)))


@functools.lru_cache(maxsize=1)  # a millisecond of small files, of a clip's twenty
def _cgroup_quota(root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> float:
    """Give the smallest processor quota of this process's cgroup and those above it; infinite where there is none.

    cgroup v2 says "quota period" or "max period" in `cpu.max`; v1 has a file for each, and -1 for none.
    """
    quotas = [math.inf]
    try:
        own = [line.split(":", 2)[2].strip("/") for line in membership.read_text().splitlines() if ":" in line]
    except OSError:
        own = []
    for group in {ancestor for path in ["", *own] for ancestor in (Path(path), *Path(path).parents)}:
        for read in (_quota_v2, _quota_v1):
            try:
                quotas.append(read(root, group))
            except (OSError, ValueError):  # no such file, or "max"
                continue
    return min(quota for quota in quotas if quota > 0)


def _quota_v2(root: Path, group: Path) -> float:
    quota, period = (root / group / "cpu.max").read_text().split()
    return float(quota) / float(period)


def _quota_v1(root: Path, group: Path) -> float:
    folder = root / "cpu" / group
    return float((folder / "cpu.cfs_quota_us").read_text()) / float((folder / "cpu.cfs_period_us").read_text())


@contextmanager
def encoder_threads(pixels: int) -> Iterator[int]:
    """Give a writer its share of the processors for as long as it is open, or what frames of so many pixels can use."""
    global _writers
    with _lock:
        _writers += 1
        share = max(1, available_processors() // _writers)
    try:
        yield max(1, min(share, MOST_THREADS, pixels // _PIXELS_A_THREAD))
    finally:
        with _lock:
            _writers -= 1
