"""`only_rank`: of the processes of a distributed run one writes, and the others leave the path alone."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import telecine
from telecine import OptionError, PublishError, VideoWriter, export_bytes, export_video

from ..support.helpers import OLDER, Asked, assert_frames, assert_untouched, failing_at, greys, names_in

LAUNCHERS = {
    "torchrun": ("RANK", "WORLD_SIZE"),
    "mpirun": ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    "srun": ("SLURM_PROCID", "SLURM_NTASKS"),
}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that nothing has started as one of several."""
    for names in LAUNCHERS.values():
        for name in names:
            monkeypatch.delenv(name, raising=False)


def become(monkeypatch: pytest.MonkeyPatch, rank: object, count: object, launcher: str = "torchrun") -> None:
    for name, value in zip(LAUNCHERS[launcher], (rank, count), strict=True):
        monkeypatch.setenv(name, str(value))


# ---- who writes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_the_rank_that_is_named_writes_and_says_so(launcher: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    become(monkeypatch, 3, 8, launcher)
    video = export_video(greys(), path, only_rank=3)
    assert video.notes == ("written on rank 3 of 8",)
    assert_frames(video, greys())


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_another_rank_touches_nothing_and_uses_up_an_iterator(
    launcher: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    become(monkeypatch, 3, 8, launcher)
    frames = Asked(greys())
    video = export_video(frames, path, fps="24000/1001", only_rank=0)
    assert (video.path, video.frame_count, video.size_bytes, video.duration) == (path, 0, 0, Fraction(0))
    assert (video.fps, video.notes) == (Fraction(24000, 1001), ("rank 3 of 8: written on rank 0",))
    assert frames.count == len(greys()) + 1  # to its end
    assert_untouched(path)


def test_a_writer_of_another_rank_takes_all_that_a_writer_takes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    become(monkeypatch, 1, 2)
    frames = Asked(greys())
    with VideoWriter(path, only_rank=0, overwrite=False, last_frame=path.with_name("last.png")) as writer:
        writer.write(greys())
        writer.write(frames)
        writer.write_audio(np.zeros(800, np.int16))
        assert (writer.frame_count, writer.queued) == (0, 0)
    assert writer.close() is writer.video
    assert writer.video.notes == ("rank 1 of 2: written on rank 0",)
    assert frames.count == len(greys()) + 1
    writer.abort()
    assert_untouched(path)


def test_an_error_of_the_frames_is_raised_on_every_rank(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    become(monkeypatch, 1, 2)
    with pytest.raises(ZeroDivisionError):
        export_video(failing_at(2, greys(), ZeroDivisionError()), path, only_rank=0)
    with pytest.raises(ZeroDivisionError), VideoWriter(path, only_rank=0):
        raise ZeroDivisionError
    assert_untouched(path)


def test_what_is_no_iterator_is_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    become(monkeypatch, 1, 2)
    file = io.BytesIO(export_bytes(greys()))
    export_video(file, path, only_rank=0)
    assert file.tell() == 0
    export_video("a folder of rank 0's machine", path, only_rank=0)
    assert export_bytes(greys(), only_rank=0) == b""
    assert_untouched(path)


def test_images_are_written_by_one_rank_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    become(monkeypatch, 1, 2)
    for rank in (1, 0):
        become(monkeypatch, rank, 2)
        for name, format in (("clip.gif", "gif"), ("folder", "png")):
            export_video(greys(3), tmp_path / name, format=format, only_rank=0)  # type: ignore[arg-type]
        assert names_in(tmp_path) == ([] if rank else ["clip.gif", "folder"])


def test_a_process_by_itself_is_rank_0(path: Path) -> None:
    assert export_video(greys(), path, only_rank=0).notes == ("written on rank 0 of 1",)
    assert export_video(greys(), path, only_rank=None).notes == ()


@pytest.mark.parametrize(
    ("only_rank", "environment", "said"),
    [
        (-1, ("0", "2"), "only_rank=-1 would be written by none: this run has processes of rank 0 to 1"),
        (2, ("0", "2"), "only_rank=2 would be written by none: this run has processes of rank 0 to 1"),
        (1, ("0", "1"), "only_rank=1 would be written by none: this run has one process, of rank 0"),
        (True, ("0", "2"), "only_rank=True is no rank: use the number of the process that writes, such as 0"),
        (0.0, ("0", "2"), "only_rank=0.0 is no rank"),
        ("main", ("0", "2"), "only_rank='main' is no rank"),
        (0, ("main", "2"), "needs a rank, and RANK=main and WORLD_SIZE=2 in the environment is none"),
        (0, ("2", "2"), "needs a rank, and RANK=2 and WORLD_SIZE=2 in the environment is none"),
    ],
)
def test_a_wrong_rank_is_an_error_before_a_frame_is_asked_for(
    only_rank: Any, environment: tuple[str, str], said: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    become(monkeypatch, *environment)
    frames = Asked(greys())
    with pytest.raises(OptionError, match=said):
        export_video(frames, path, only_rank=only_rank)
    assert frames.count == 0
    assert_untouched(path)


def test_what_goes_with_no_rank_says_so(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="only_rank= goes with a path, which all ranks know: give one"):
        VideoWriter(only_rank=0)
    with pytest.raises(OptionError, match="only_rank= goes with a file"):
        telecine.stream_video(greys(), only_rank=0)
    with pytest.raises(OptionError, match="only_rank= is of one export, not of a batch"):
        telecine.export_batch([{"frames": greys(), "output": "a.mp4"}], tmp_path, only_rank=0)


# ---- real processes ------------------------------------------------------------------------------------------------

RANK = """
import datetime, json, sys
import numpy, torch, telecine
from torch import distributed

rank, count, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
distributed.init_process_group(
    "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=count,
    timeout=datetime.timedelta(seconds=60),
)

def frames():
    for index in range(5):
        shares = [torch.zeros(24, 64, 3) for _ in range(count)]
        distributed.all_gather(shares, torch.full((24, 64, 3), (index + rank) / 8))  # each waits for the other
        yield torch.cat(shares)

video = telecine.export_video(frames(), f"{folder}/clip.mp4", only_rank=1)
distributed.barrier()
print(json.dumps([str(video), video.frame_count, video.notes]))
distributed.destroy_process_group()
"""
WITHOUT = """
import json, sys, telecine, numpy
print(json.dumps(telecine.export_video(numpy.zeros((2, 48, 64, 3), "uint8"), "clip.mp4", only_rank=0).notes))
assert "torch" not in sys.modules
"""


@pytest.mark.slow
def test_two_ranks_of_torch_decode_together_and_one_writes(tmp_path: Path) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", RANK, str(rank), "2", str(tmp_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    ended = [each.communicate(timeout=120) for each in started]
    assert [each.returncode for each in started] == [0, 0], ended
    other, writer = (json.loads(out.splitlines()[-1]) for out, _ in ended)
    clip = str(tmp_path / "clip.mp4")
    assert other == [clip, 0, ["rank 0 of 2: written on rank 1"]]
    assert writer == [clip, 5, ["written on rank 1 of 2"]]
    found = np.stack(list(telecine.read_frames(clip)))
    halves = [found[:, :20].mean((1, 2, 3)), found[:, 28:].mean((1, 2, 3))]
    assert np.allclose(halves[0], np.arange(5) * 255 / 8, atol=2)
    assert np.allclose(halves[1], np.arange(1, 6) * 255 / 8, atol=2)


def test_the_environment_is_enough_and_torch_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for rank in (1, 0):
        become(monkeypatch, rank, 2)
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
        )
        note = "rank 1 of 2: written on rank 0" if rank else "written on rank 0 of 2"
        assert json.loads(done.stdout) == [note]
        assert names_in(tmp_path) == ([] if rank else ["clip.mp4"])


def test_without_it_a_second_writer_of_a_path_is_told_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    become(monkeypatch, 1, 2)
    with VideoWriter(path) as first:
        first.write(greys())
        with pytest.raises(PublishError, match="is being written"):
            VideoWriter(path)
        assert path.read_bytes() == OLDER
    assert first.video.frame_count == len(greys())
