"""What writers take of the machine and give back: threads, descriptors, memory, imports."""

from __future__ import annotations

import json
import os
import platform
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from telecine import OptionError, Video, VideoWriter, export_video

from ..support.helpers import assert_frames, encoding_threads, failing_at, greys, run_python

# ---- writers beside one another --------------------------------------------------------------------------------------


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


# ---- memory ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators keep what they like")
def test_a_clip_takes_the_memory_that_one_before_it_freed(tmp_path: Path) -> None:
    faults = run_python(
        """
import resource, numpy, telecine
frames = numpy.random.default_rng(0).integers(0, 256, (16, 256, 256, 3), numpy.uint8)
counts = [0]
for _ in range(8):
    telecine.export_video(frames, "clip.mp4")
    counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
print(min(after - before for before, after in zip(counts, counts[1:])))
""",
        tmp_path,
    )
    assert int(faults) < 400  # pages of 4 kB: an encoder of such a clip has 1,600


@pytest.mark.slow
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


def test_importing_telecine_imports_no_more_than_its_errors(tmp_path: Path) -> None:
    said = run_python("import json, sys, telecine; print(json.dumps(sorted(sys.modules)))", tmp_path)
    modules = {each for each in json.loads(said) if each.startswith(("telecine", "av", "numpy"))}
    assert modules == {"telecine", "telecine.errors", "telecine.support", "telecine.support.words"}


def test_importing_the_writer_imports_nothing_heavy(tmp_path: Path) -> None:
    said = run_python("import json, sys, telecine; telecine.VideoWriter; print(json.dumps([*sys.modules]))", tmp_path)
    modules = set(json.loads(said))
    assert "telecine.writer" in modules
    frameworks = {"torch", "diffusers", "transformers", "ray", "safetensors", "cv2"}
    assert modules & (frameworks | {"rich", "typer", "click", "c2pa", "cryptography"}) == set()
