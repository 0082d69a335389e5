"""Many exports in one process: no descriptor, thread or memory stays behind, in any order, after any failure."""

from __future__ import annotations

import itertools
import json
import os
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import telecine
from telecine import FrameError, VideoWriter, export_video

from ..support.helpers import Clip, assert_frames, encoding_threads, failing_at, greys, names_in, run_python
from . import length

pytestmark = pytest.mark.slow


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="no /proc here")
def test_many_exports_leave_no_descriptor_no_thread_and_no_memory(tmp_path: Path) -> None:
    said = run_python(
        """
import json, os, sys, threading, numpy, telecine
frames = numpy.random.default_rng(0).integers(0, 256, (3, 48, 64, 3), numpy.uint8)
def failing():
    yield frames[0]
    raise RuntimeError
def used():
    seen = []
    for _ in range(200):  # a thread that has ended takes a moment to be gone
        os.sched_yield()
        status = open("/proc/self/status").read()
        threads = int(status.split("Threads:")[1].split()[0])
        seen.append([len(os.listdir("/proc/self/fd")), threading.active_count(), threads])
    return [*map(min, zip(*seen)), int(status.split("VmRSS:")[1].split()[0])]
def export(index):
    if index % 10 == 7:
        try:
            telecine.export_video(failing(), "failed.mp4")
        except RuntimeError:
            telecine.recover("failed.mp4", "recovered.mp4")
            os.unlink("recovered.mp4")
    else:
        telecine.export_video(frames, "clip.mp4")
for index in range(50):
    export(index)
print(json.dumps(used()))
for index in range(int(sys.argv[1])):
    export(index)
print(json.dumps(used()))
""",
        tmp_path,
        length(150, 10_000),
        timeout=600 if length(0, 1) == 0 else 7200,
    )

    before, after = map(json.loads, said.splitlines())
    assert after[:3] == before[:3]
    assert after[3] - before[3] < 10 << 10  # of KiB
    assert names_in(tmp_path) == ["clip.mp4"]


def test_eight_threads_each_export_many_files(tmp_path: Path) -> None:
    def export(index: int) -> None:
        for count in range(1, length(4, 50) + 1):
            assert_frames(export_video(greys(count), tmp_path / f"{index}.mp4", crf=1), greys(count))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(export, range(8)))
    assert names_in(tmp_path) == [f"{index}.mp4" for index in range(8)]
    assert encoding_threads() == []


@pytest.mark.parametrize("seed", range(3))
def test_many_writers_are_closed_aborted_and_dropped_out_of_order(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    writers = {index: VideoWriter(tmp_path / f"{index}.mp4") for index in range(12)}
    for _ in range(3):
        for index in dice.sample(sorted(writers), len(writers)):
            writers[index].write(greys(4))
    ends = {index: dice.choice(["close", "abort", "drop"]) for index in writers}
    for index in dice.sample(sorted(writers), len(writers)):
        writer = writers.pop(index)
        if ends[index] != "drop":
            getattr(writer, ends[index])()
        del writer
    for index, end in ends.items():
        path = tmp_path / f"{index}.mp4"
        assert path.exists() == (end == "close")
        if end == "drop":
            assert telecine.recover(path).frame_count == 12
        if end != "abort":
            assert telecine.probe(path).frame_count == 12
    assert names_in(tmp_path) == sorted(f"{index}.mp4" for index, end in ends.items() if end != "abort")
    assert encoding_threads() == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_forked_after_an_export_exports_too(tmp_path: Path) -> None:
    said = run_python(
        """
import os, sys, warnings, numpy, telecine
warnings.simplefilter("ignore", DeprecationWarning)
frames = numpy.zeros((5, 48, 64, 3), numpy.uint8)
telecine.export_video(frames, "parent.mp4")
child = os.fork()
telecine.export_video(frames, "child.mp4" if child == 0 else "parent.mp4")
if child:
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""",
        tmp_path,
    )
    assert said == "0\n"
    assert [telecine.probe(tmp_path / name).frame_count for name in ("child.mp4", "parent.mp4")] == [5, 5]
    assert names_in(tmp_path) == ["child.mp4", "parent.mp4"]


def changing_size(count: int, frames: Clip) -> Iterator[Any]:
    yield from frames[:count]
    yield frames[0, :40]


def raising(count: int, frames: Clip) -> Iterator[Any]:
    return failing_at(count, frames, RuntimeError())


@pytest.mark.parametrize("count", [0, 1, 2, 9, 30])
@pytest.mark.parametrize(("ending", "error"), [(changing_size, FrameError), (raising, RuntimeError)])
def test_what_a_generator_gave_before_it_failed_is_recovered(
    ending: Callable[[int, Clip], Iterator[Any]], error: type[Exception], count: int, tmp_path: Path
) -> None:
    path = tmp_path / "clip.mp4"
    frames = np.random.default_rng(0).integers(0, 256, (31, 48, 64, 3), np.uint8)
    if count == 0 and ending is changing_size:
        assert export_video(itertools.islice(ending(0, frames), 1), path).frame_count == 1
        return
    with pytest.raises(error):
        export_video(ending(count, frames), path)
    if count == 0:
        assert names_in(tmp_path) == []
        return
    video = telecine.recover(path)
    assert 0 < video.frame_count <= count
    assert_frames(video, frames[: video.frame_count])
