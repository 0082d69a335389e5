"""Where standard streams are closed, no file of an export takes their place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ..support.helpers import assert_frames, noise, run_python


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="which files are open, /proc tells")
@pytest.mark.parametrize("closed", [(2,), (0, 1, 2), (0,), (1, 2)], ids=str)
@pytest.mark.parametrize("name", ["clip.mp4", "clip.webp", "folder"])
def test_where_standard_streams_are_closed_no_file_of_the_export_takes_their_place(
    name: str, closed: tuple[int, ...], tmp_path: Path
) -> None:
    script = """
import os, sys, json
for number in json.loads(sys.argv[1]):
    os.close(number)
import numpy, telecine
frames = numpy.random.default_rng(0).integers(0, 256, (3, 48, 64, 3), numpy.uint8)
limit = {"max_bytes": 6000} if sys.argv[2] == "clip.mp4" else {}
with telecine.VideoWriter(sys.argv[2], format="png" if sys.argv[2] == "folder" else None, **limit) as writer:
    writer.write(frames)
    while writer.queued:
        pass
    found = [os.readlink(f"/proc/self/fd/{number}") for number in range(3)]
with open("found", "w") as file:
    json.dump([each for each in found if "telecine" in each or each.startswith(os.getcwd())], file)
"""
    run_python(script, tmp_path, list(closed), name)
    assert (tmp_path / "found").read_text() == "[]"


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="a shell's redirections")
@pytest.mark.parametrize("closed", ["2>&-", "<&- 2>&-", "<&- >&- 2>&-"])
def test_the_command_works_where_standard_streams_are_closed(closed: str, tmp_path: Path) -> None:
    np.save(tmp_path / "frames.npy", noise())
    command = f"exec '{sys.executable}' -m telecine export frames.npy -o clip.mp4 {closed}"
    done = subprocess.run(command, shell=True, cwd=tmp_path, stdout=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 0
    assert_frames(tmp_path / "clip.mp4", noise())
