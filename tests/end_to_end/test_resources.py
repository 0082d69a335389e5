"""What writers take of the machine and give back: processors, threads, descriptors, memory, imports."""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from telecine import FrameError, OptionError, Video, VideoWriter, export_video
from telecine.support import processors

from ..support.helpers import BLANK, assert_frames, encoding_threads, failing_at, greys, run_python

# ---- writers beside one another ------------------------------------------------------------------------------------


def test_concurrent_writers_each_write_their_own_file(tmp_path: Path) -> None:
    clips = [greys(20 + index, 16 * (index + 1), 33 + index) for index in range(8)]
    all_open = threading.Barrier(8)

    def write(index: int) -> Video:
        with VideoWriter(tmp_path / f"{index}.mp4", fps=index + 1, crf=1) as writer:
            writer.write(clips[index][:10])
            all_open.wait(timeout=60)
            for frame in clips[index][10:]:
                writer.write(frame)
        return writer.video

    with ThreadPoolExecutor(8) as pool:
        videos = list(pool.map(write, range(8)))
    for index, (video, clip) in enumerate(zip(videos, clips, strict=True)):
        assert video.fps == index + 1
        assert (video.frame_count, video.width) == (len(clip), clip.shape[2])
        assert_frames(video, clip)
    assert sorted(each.name for each in tmp_path.iterdir()) == [f"{index}.mp4" for index in range(8)]
    assert encoding_threads() == []


def test_writers_leave_no_file_open_and_no_thread(path: Path) -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("no /proc here")
    before = len(list(descriptors.iterdir()))
    for _ in range(3):
        export_video(greys(), path)
        with pytest.raises(RuntimeError):
            export_video(failing_at(3, greys(), RuntimeError()), path)
        with pytest.raises(OptionError):
            export_video(greys(), path, encoder_options={"nonsense": 1})
    assert len(list(descriptors.iterdir())) == before
    assert encoding_threads() == []


# ---- processors ----------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(("size", "threads"), [((16, 16), 1), ((256, 256), 1), ((480, 320), 2), ((720, 480), 5)])
def test_small_frames_take_few_threads(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], threads: int) -> None:
    monkeypatch.setattr(processors, "available_processors", lambda: 192)
    with processors.encoder_threads(size[0] * size[1]) as share:
        assert share == threads


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


# ---- memory --------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="no /proc here")
def test_memory_does_not_grow_with_the_number_of_frames(tmp_path: Path) -> None:
    said = run_python(
        """
import itertools, numpy, telecine
noise = numpy.random.default_rng(0).integers(0, 256, (5, 120, 160, 3), numpy.uint8)
for count in (100, 1500):
    frames = itertools.islice(itertools.cycle(noise), count)
    video = telecine.export_video(frames, "clip.mp4", quality="draft", encoder_options={"preset": "ultrafast"})
    assert video.frame_count == count
    print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])  # its own: ru_maxrss is inherited
""",
        tmp_path,
    )
    few, many = map(int, said.splitlines())
    assert many - few < 16 << 10  # of KiB: the planes of the 1,400 more are 40 MB, their pixels 81 MB


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="no /proc here")
@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9"])
def test_no_thread_becomes_real_time(codec: str, tmp_path: Path) -> None:
    """SVT-AV1 makes its threads so where the process may, as root may, and the one that opens it."""
    said = run_python(
        """
import os, sys, warnings, numpy, telecine
warnings.simplefilter("ignore")
with telecine.VideoWriter(sys.argv[1], codec=sys.argv[2]) as writer:
    writer.write(numpy.zeros((9, 48, 64, 3), numpy.uint8))
    while writer.queued:
        pass
    print({os.sched_getscheduler(int(thread)) for thread in os.listdir("/proc/self/task")} == {os.SCHED_OTHER})
""",
        tmp_path,
        tmp_path / "clip.mkv",
        codec,
    )
    assert said == "True\n"


def test_importing_telecine_imports_nothing_heavy(tmp_path: Path) -> None:
    said = run_python("import json, sys, telecine; print(json.dumps(sorted(sys.modules)))", tmp_path)
    modules = set(json.loads(said))
    assert "telecine.writer" in modules
    frameworks = {"torch", "diffusers", "transformers", "ray", "safetensors", "cv2"}
    assert modules & (frameworks | {"rich", "typer", "click", "c2pa", "cryptography"}) == set()
