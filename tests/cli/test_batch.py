"""What `telecine batch` shows while it runs, and how it ends."""

from __future__ import annotations

import json
import re
import sqlite3
import warnings
from pathlib import Path

import numpy as np
import pytest

from telecine.cli.commands import run

from ..support.helpers import greys
from ..support.terminals import on_a_terminal

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three jobs, the second of which has no input, in the current folder."""
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # which the command replaces
    monkeypatch.chdir(tmp_path)
    np.save("frames.npy", greys(5))
    rows = [{"frames": name, "output": f"{index}.mp4"} for index, name in enumerate(["frames.npy", "none.npy"] * 2)]
    Path("jobs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:3]))


BATCH = ["batch", "jobs.jsonl", "-o", "out", "--quality", "draft", "--workers", "1"]


def test_a_terminal_sees_how_far_it_is_in_a_line_that_changes(tmp_path: Path) -> None:
    done = on_a_terminal(*BATCH, term="xterm", columns=100, folder=tmp_path)
    assert done.returncode == 1
    *_, said, _ = done.stdout.split("\r\x1b[K")
    states = re.findall(r"(\d)/3 clips, [\d.]+ clips/s, [\d.]+ MB/s, (\d) failed (\d+ s left)?", done.stdout)
    assert [(clips, failed) for clips, failed, _ in states] == [("1", "0"), ("1", "1"), ("2", "1")]
    assert [bool(left) for *_, left in states] == [True, True, False]
    assert "telecine: row 1, 1.mp4: failed: 'none.npy' does not exist" in done.stdout
    assert said.startswith("2/3 clips")
    facts = done.stdout.rpartition("\x1b[K")[2]
    assert re.search(r"jobs\s+3\s+done\s+2\s+failed\s+1", re.sub(r"\x1b\[\d*m", "", facts))


def test_one_that_is_limited_has_failed_only_where_a_job_has(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*BATCH, "--limit", "1"]) == 0
    assert re.search(r"done\s+1\s+left\s+2", capsys.readouterr().out)
    assert run([*BATCH, "--limit", "1"]) == 1
    assert run([*BATCH, "--shard", "0/3"]) == 0
    with sqlite3.connect("out/telecine-ledger-0-of-3.sqlite") as database:
        assert database.execute("SELECT output, status FROM jobs").fetchall() == [("0.mp4", "done")]


def test_a_log_that_can_not_be_written_is_said_before_the_first_frame(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*BATCH, "--log-json", "none/log.jsonl"]) == 1
    assert capsys.readouterr().err.startswith("telecine: 'none/log.jsonl' can't be written: ")
    assert not Path("out").exists()
