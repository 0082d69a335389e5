"""Open writers share the processors that they may use."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from telecine import FrameError, VideoWriter, export_video
from telecine.encode.encoder import threads_of
from telecine.formats.codecs import CODECS
from telecine.support import processors

from .helpers import BLANK, greys, run_python

LARGE = 4096 * 2160


def test_open_writers_share_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "available_processors", lambda: 12)
    for _ in range(2):  # what a writer had is given back
        with ExitStack() as open_writers:
            shares = [open_writers.enter_context(processors.encoder_threads(LARGE)) for _ in range(14)]
        assert shares == [12, 6, 4, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1]


def test_one_writer_takes_at_most_16_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "available_processors", lambda: 192)
    with processors.encoder_threads(LARGE) as share:
        assert share == 16


def test_a_scheduler_may_leave_fewer_and_none_is_never_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "_limit", processors._limit)  # given back in the end
    monkeypatch.setattr(processors, "_cgroup_quota", lambda: 8.0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(12), raising=False)
    found = []
    for count in (6, 10, 1, 0):
        processors.limit_processors(count)
        found.append(processors.available_processors())
    assert found == [6, 8, 1, 1]


@pytest.mark.parametrize(("size", "threads"), [((16, 16), 1), ((256, 256), 2), ((480, 320), 4), ((720, 480), 10)])
def test_small_frames_take_few_threads(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], threads: int) -> None:
    monkeypatch.setattr(processors, "available_processors", lambda: 192)
    with processors.encoder_threads(size[0] * size[1]) as share:
        assert share == threads


@pytest.mark.parametrize(("count", "threads"), [(1, 1), (2, 4), (8, 16), (16, 16)])
def test_x264_has_two_threads_a_processor_where_there_are_several(count: int, threads: int) -> None:
    assert threads_of(CODECS["h264"].library, count) == threads
    assert threads_of(CODECS["hevc"].library, count) == count


def test_finished_and_failed_writers_give_their_share_back(path: Path) -> None:
    def share() -> int:
        with processors.encoder_threads(LARGE) as threads:
            return threads

    before = share()
    export_video(greys(), path)
    for frames in ([BLANK, BLANK[1:]], [BLANK * np.nan], []):
        with pytest.raises(FrameError):
            export_video(frames, path)
    writer = VideoWriter(path)
    writer.write(greys())
    writer.abort()
    assert share() == before


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no processor affinity here")
def test_only_the_processors_of_the_affinity_are_counted(tmp_path: Path) -> None:
    said = run_python(
        """
import os
from telecine.support.processors import available_processors
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
print(available_processors())
""",
        tmp_path,
    )
    assert said == "1\n"


@pytest.mark.parametrize(
    ("files", "membership", "quota"),
    [
        ({}, "0::/\n", np.inf),
        ({"cpu.max": "max 100000\n"}, "0::/\n", np.inf),
        ({"cpu.max": "150000 100000\n"}, "0::/\n", 1.5),
        ({"job/task/cpu.max": "400000 100000\n"}, "0::/job/task\n", 4),
        ({"job/cpu.max": "200000 100000\n", "job/task/cpu.max": "max 100000\n"}, "0::/job/task\n", 2),
        ({"job/cpu.max": "100000 100000\n", "other/cpu.max": "10000 100000\n"}, "0::/job\n", 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, "4:cpu,cpuacct:/\n", np.inf),
        ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, "4:cpu,cpuacct:/\n", 0.5),
        ({"cpu/j/cpu.cfs_quota_us": "300000\n", "cpu/j/cpu.cfs_period_us": "100000\n"}, "4:cpu:/j\n1:x:/\n", 3),
        ({"cpu.max": "garbage\n"}, "0::/\n", np.inf),
        ({"cpu.max": ""}, "nothing known\n", np.inf),
        ({"a:b/cpu.max": "100000 50000\n"}, "0::/a:b\n", 2),
        ({"cpu.max": "150000 100000\n"}, None, 1.5),
    ],
)
def test_the_smallest_quota_of_the_cgroups_counts(
    files: dict[str, str], membership: str | None, quota: float, tmp_path: Path
) -> None:
    root, own = tmp_path / "cgroup", tmp_path / "membership"
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    if membership is not None:
        own.write_text(membership)
    assert processors._cgroup_quota(root, own) == quota


@pytest.mark.parametrize(("quota", "count"), [(0.1, 1), (1.0, 1), (np.inf, None)])
def test_a_quota_is_rounded_up_to_whole_processors(
    quota: float, count: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processors, "_cgroup_quota", lambda: quota)
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert processors.available_processors() == (count or allowed)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux binds threads here")
def test_shares_of_the_processors_are_each_one_processs_as_long_as_it_has_it() -> None:
    own = os.sched_getaffinity(0)
    count = len(own)
    if count == 1:
        pytest.skip("there is one processor")
    with ExitStack() as taken:
        shares = []
        for _ in range(count):
            os.sched_setaffinity(0, own)  # as each process begins
            taken.enter_context(processors.own_share(count))
            shares.append(os.sched_getaffinity(0))
        assert sorted(each for share in shares for each in share) == sorted(own)
        os.sched_setaffinity(0, own)
        with processors.own_share(count):  # of which there is none left
            assert os.sched_getaffinity(0) == own
    assert os.sched_getaffinity(0) == own
    for nothing_to_share in (0, 1, count + 1):
        with processors.own_share(nothing_to_share):
            assert os.sched_getaffinity(0) == own
    with processors.own_share(count):
        assert len(os.sched_getaffinity(0)) == 1
        assert processors.available_processors() == 1
