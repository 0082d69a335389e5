"""Batches whose processes are killed at random: every output is there once, as if nothing had been."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import telecine
from telecine.batch.ledger import Ledger

from ..support.helpers import greys
from . import SOAK

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("temporary")]

CLIPS, KILLS, EVERY = (2000, 20, 7) if SOAK else (40, 2, 7)
INPUTS = 5  # files of frames, which clips share

DRIVER = """
import multiprocessing, os, random, signal, sys, telecine

jobs, output, seed, every = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
chance = random.Random(seed)
left = chance.randint(1, int(sys.argv[5]))

def told(entry, report):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    if left % every == 0:
        os.kill(chance.choice(multiprocessing.active_children()).pid, signal.SIGKILL)

if __name__ == "__main__":
    telecine.export_batch(jobs, output, workers=2, fps=8, quality="draft", attempts=9, listener=told)
"""


def test_whatever_is_killed_every_output_is_there_once(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 30)
    print(f"seed {seed}")  # which pytest shows if it fails
    frames = [np.roll(greys(5), index, axis=1) for index in range(INPUTS)]
    for index, each in enumerate(frames):
        np.save(tmp_path / f"{index}.npy", each)
    rows = [
        {"frames": str(tmp_path / f"{index % INPUTS}.npy"), "output": f"{index % 10}/{index:04}.mp4"}
        for index in range(CLIPS)
    ]
    (tmp_path / "jobs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "driver.py").write_text(DRIVER)
    for number in range(KILLS):
        arguments = [tmp_path / "jobs.jsonl", tmp_path / "out", seed + number, EVERY, 2 * CLIPS // (KILLS + 1)]
        done = subprocess.run([sys.executable, str(tmp_path / "driver.py"), *map(str, arguments)])
        assert done.returncode in (-signal.SIGKILL, 0)
    report = telecine.export_batch(tmp_path / "jobs.jsonl", tmp_path / "out", workers=2, fps=8, quality="draft")
    assert (report.total, report.done, report.failed) == (CLIPS, CLIPS, 0)
    alone = [
        telecine.export_video(each, tmp_path / f"alone-{index}.mp4", fps=8, quality="draft").read_bytes()
        for index, each in enumerate(frames)
    ]
    found = {str(each.relative_to(tmp_path / "out")): each for each in (tmp_path / "out").rglob("*.mp4")}
    assert sorted(found) == sorted(row["output"] for row in rows)
    for index, row in enumerate(rows):
        assert found[row["output"]].read_bytes() == alone[index % INPUTS]
    with Ledger(report.ledger) as ledger:
        assert sorted(entry.output for entry in ledger.entries()) == sorted(found)
    left = [each.name for each in (tmp_path / "out").rglob(".*")]
    assert left == []
