"""What the extras `batch`, `ray` and `web` bring: jobs and training sets in Parquet, Ray's engine, a served gallery."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

import telecine

from .clips import codes


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    """A file of three jobs, each of the same frames."""
    np.save(tmp_path / "frames.npy", codes())
    rows = {"frames": [str(tmp_path / "frames.npy")] * 3, "output": [f"{number}.mp4" for number in range(3)]}
    parquet.write_table(pa.table(rows), tmp_path / "jobs.parquet")
    return tmp_path / "jobs.parquet"


def test_a_batch_of_jobs_in_parquet_becomes_a_training_set_in_parquet(jobs: Path, tmp_path: Path) -> None:
    report = telecine.export_batch(jobs, tmp_path / "out", to="parquet", fps=12, workers=1)
    assert (report.ok, report.total) == (True, 3)
    assert parquet.read_table(tmp_path / "out" / "manifest.parquet").num_rows == 3


def test_a_batch_on_ray(jobs: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="it is no part of telecine[all]")
    assert telecine.export_batch(jobs, tmp_path / "out", engine="ray", fps=12).ok
    assert all(telecine.verify(tmp_path / "out" / f"{number}.mp4", codes()).ok for number in range(3))


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """That of a gallery of one clip, which Ctrl-C ends."""
    telecine.export_video(codes(), tmp_path / "clips" / "clip.mp4")
    program = shutil.which("telecine", path=sysconfig.get_path("scripts"))
    assert program is not None
    command = [program, "serve", str(tmp_path / "clips")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60)[1] == ""


@pytest.mark.skipif(sys.platform == "win32", reason="no Ctrl-C for one process alone")
def test_a_gallery_is_served(address: str, tmp_path: Path) -> None:
    with urlopen(address) as page:
        assert b"<title>" in page.read()
    while (told := json.loads(urlopen(f"{address}clips.json").read()))["left"]:
        pass
    (shown,) = told["clips"]
    with urlopen(f"{address}clip/{shown['id']}") as clip:
        assert clip.read() == (tmp_path / "clips" / "clip.mp4").read_bytes()
