"""The same frames, options and versions give the same bytes: again, in other processes, and where an encoder can, on
other numbers of threads.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import telecine
from telecine.support import processors

from ..support.helpers import ROOT, noise, waves
from ..support.reference import Real

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning"),
]

METADATA: dict[str, Any] = {"prompt": "a panda", "workflow": {"nodes": [1, 2]}, "seed": 42, "generated": True}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "h264": ("mp4", {}),
    "h264-draft": ("mp4", {"quality": "draft"}),
    "h264-10-bit": ("mov", {"bit_depth": 10}),
    "h264-lossless": ("mkv", {"quality": "lossless"}),
    "hevc": ("mp4", {"codec": "hevc"}),
    "av1": ("mp4", {"codec": "av1", "quality": "draft"}),
    "vp9": ("webm", {"quality": "draft"}),
    "vp9-lossless": ("webm", {"quality": "lossless"}),
    "prores": ("mov", {"codec": "prores"}),
    "ffv1": ("mkv", {"codec": "ffv1"}),
    "gif": ("gif", {}),
    "webp": ("webp", {}),
    "apng": ("apng", {}),
    "avif": ("avif", {}),
}
# What these encoders write depends on how many threads they have; x264 even writes the number down.
OWN_TO_THREADS = {"h264", "h264-draft", "h264-10-bit", "h264-lossless", "hevc"}


@functools.cache
def clip() -> Real:
    """Grained colours that move, 23 macroblocks wide: what x264's mbtree took from stray memory shows in these."""
    count, size = 24, (240, 368)
    grain = np.random.default_rng(0).normal(0, 0.02, (count, *size, 3))
    moving = np.clip(waves(count, *size) + grain, 0, 1).astype(np.float32)
    return np.stack([np.roll(frame, (3 * index, 5 * index), (0, 1)) for index, frame in enumerate(moving)])


@pytest.fixture(scope="session")
def clip_in_a_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clip for other processes, which making it would take longer than exporting it."""
    path = tmp_path_factory.mktemp("clip") / "clip.npy"
    np.save(path, clip())
    return path


def export(folder: Path, case: str, frames: Real | None = None, **others: Any) -> bytes:
    extension, options = CASES[case]
    path = folder / f"clip.{extension}"
    telecine.export_video(clip() if frames is None else frames, path, fps=16, metadata=METADATA, **options, **others)
    return path.read_bytes()


EXPORT = """
import sys, warnings, numpy
from pathlib import Path
from tests.end_to_end.test_reproducible import export

warnings.simplefilter("ignore")
export(Path(sys.argv[1]), sys.argv[2], numpy.load(sys.argv[3]))
"""


@pytest.mark.parametrize("case", CASES)
def test_the_same_bytes_again_and_in_another_process(case: str, clip_in_a_file: Path, tmp_path: Path) -> None:
    first = export(tmp_path, case)
    assert export(tmp_path, case) == first
    # glibc fills what it hands out with another byte: what is read before it is written shows.
    others = {**os.environ, "MALLOC_PERTURB_": "85", "PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo"}
    command = [sys.executable, "-c", EXPORT, str(tmp_path), case, str(clip_in_a_file)]
    subprocess.run(command, cwd=ROOT, env=others, check=True, timeout=120)
    assert (tmp_path / f"clip.{CASES[case][0]}").read_bytes() == first


@pytest.mark.parametrize("case", sorted(CASES.keys() - OWN_TO_THREADS))
def test_the_same_bytes_on_any_number_of_threads(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = set()
    for count in (1, 2, 5):
        monkeypatch.setattr(processors, "available_processors", lambda count=count: count)
        monkeypatch.setattr(processors, "_PIXELS_A_THREAD", 1)
        written.add(export(tmp_path, case))
    assert len(written) == 1


@pytest.mark.parametrize("case", sorted(OWN_TO_THREADS))
def test_with_threads_given_the_same_bytes_on_any_number_of_processors(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = set()
    for count in (1, 2, 5):
        monkeypatch.setattr(processors, "available_processors", lambda count=count: count)
        monkeypatch.setattr(processors, "_PIXELS_A_THREAD", 1)
        written.add(export(tmp_path, case, encoder_options={"threads": 2}))
    assert len(written) == 1


def test_another_writer_that_is_open_changes_nothing_where_threads_are_given(tmp_path: Path) -> None:
    alone = export(tmp_path, "h264", encoder_options={"threads": 2})
    with telecine.VideoWriter(tmp_path / "other.mp4") as other:
        other.write(noise())
        assert export(tmp_path, "h264", encoder_options={"threads": 2}) == alone


@pytest.mark.parametrize("extension", ["mp4", "mov", "webm", "mkv"])
def test_no_time_of_creation_is_in_the_file(extension: str, tmp_path: Path) -> None:
    path = tmp_path / f"clip.{extension}"
    telecine.export_video(noise(), path, metadata={"prompt": "a panda"})
    assert telecine.probe(path).metadata == {"prompt": "a panda"}
    telecine.export_video(noise(), path)
    assert set(telecine.probe(path).metadata) <= {"encoder"}
