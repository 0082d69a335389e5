"""Batches: every output once, whatever dies meanwhile, and the same command does what is left."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

import telecine
from telecine import BatchReport, OptionError, PublishError, export_batch, export_video
from telecine.batch.ledger import DONE, FAILED, RETRIED, Entry, Ledger

from ..support.helpers import greys, names_in
from ..support.object_store import BUCKET, ObjectStore
from ..support.sounds import RATE, made, tone

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("temporary")]

COUNT = 6
OPTIONS: dict[str, Any] = {"fps": 8, "quality": "draft", "workers": 2}
LEDGER = "telecine-ledger.sqlite"


class Dying:
    """Frames of which a process dies, but for those that come after it has, if there are any."""

    def __init__(self, marks: Path, times: int) -> None:
        self._marks, self._times = marks, times

    def __iter__(self) -> Iterator[Any]:
        yield from greys(2)
        if len(list(self._marks.glob("died-*"))) < self._times:
            (self._marks / f"died-{os.getpid()}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        yield from greys(5)[2:]


class Failing:
    """Frames that fail so many times."""

    def __init__(self, marks: Path, times: int, error: Exception) -> None:
        self._marks, self._times, self._error = marks, times, error

    def __iter__(self) -> Iterator[Any]:
        before = len(list(self._marks.glob("failed-*")))
        if before < self._times:
            (self._marks / f"failed-{before}").touch()
            raise self._error
        yield from greys(5)


@pytest.fixture
def rows(tmp_path: Path) -> list[dict[str, Any]]:
    """Rows of clips, each of frames of its own."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for index in range(COUNT):
        np.save(folder / f"{index}.npy", np.roll(greys(5), index, axis=1))
    return [{"frames": str(folder / f"{index}.npy"), "output": f"{index}.mp4", "seed": index} for index in range(COUNT)]


def expected(rows: list[dict[str, Any]], folder: Path) -> dict[str, bytes]:
    """What one process makes of rows."""
    how = {name: value for name, value in OPTIONS.items() if name != "workers"}
    return {
        row["output"]: export_video(row["frames"], folder / "alone" / row["output"], **how).read_bytes() for row in rows
    }


def outputs(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir() if not each.name.startswith("telecine-ledger")}


def counts(report: BatchReport) -> tuple[int, ...]:
    return report.total, report.done, report.skipped, report.failed, report.left


def test_every_output_is_there_once_with_the_bytes_of_one_process(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    told: list[tuple[Entry, BatchReport]] = []
    report = export_batch(rows, tmp_path / "out", listener=lambda *each: told.append(each), **OPTIONS)
    assert counts(report) == (COUNT, COUNT, 0, 0, 0)
    assert report.ok
    assert outputs(tmp_path / "out") == expected(rows, tmp_path)
    with Ledger(report.ledger) as ledger:
        entries = list(ledger.entries())
    assert sorted((entry for entry, _ in told), key=lambda entry: entry.index) == entries
    assert [so_far.done for _, so_far in told] == list(range(1, COUNT + 1))
    for entry, row in zip(entries, rows, strict=True):
        data = (tmp_path / "out" / row["output"]).read_bytes()
        facts = (entry.status, entry.attempts, entry.frames, entry.width, entry.height, entry.fps, entry.codec)
        assert facts == (DONE, 1, 5, 64, 48, "8", "h264")
        assert (entry.bytes, entry.sha256) == (len(data), __import__("hashlib").sha256(data).hexdigest())
        assert json.loads(entry.facts) == {"seed": row["seed"]}


def test_frames_of_a_row_may_be_named_in_each_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    clip = greys(5)
    np.savez("arrays.npz", a=clip, b=clip[:2])
    save_file({"a": clip, "b": clip[:3]}, "tensors.safetensors")
    export_video(clip[:4], "video.mp4", fps=8)
    export_video(clip, "images", format="png")
    made(Path("sound.wav"), "pcm_s16le", tone(0.5), RATE, "stereo")
    rows: list[dict[str, Any]] = [
        {"frames": "arrays.npz", "key": "b", "fps": "24000/1001"},
        {"frames": "tensors.safetensors", "key": "b"},
        {"frames": "video.mp4", "audio": "sound.wav"},
        {"frames": "images", "metadata": {"prompt": "a panda"}},
        {"frames": "images/*.png"},
        {"frames": (tmp_path / "video.mp4").as_uri()},
        {"frames": [Image.fromarray(each) for each in clip]},
    ]
    Path("jobs.csv").write_text("frames,key,seed\narrays.npz,a,7\n")
    assert export_batch(rows, "out", template="{index}.mp4", **OPTIONS).ok
    assert export_batch("jobs.csv", "out", template="{seed}.mp4", **OPTIONS).ok
    found = [telecine.probe(f"out/{index}.mp4") for index in range(8)]
    assert [info.frame_count for info in found] == [2, 3, 4, 5, 5, 4, 5, 5]
    assert [info.fps for info in found] == [Fraction(24000, 1001), *[8] * 7]
    assert [info.audio is not None for info in found] == [False, False, True, *[False] * 5]
    assert found[3].metadata["prompt"] == "a panda"


def test_again_it_does_what_the_ledger_and_the_place_do_not_agree_on(
    rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export_batch(rows, out, **OPTIONS)
    before = {name: os.stat(out / name).st_mtime_ns for name in outputs(out)}
    (out / "1.mp4").unlink()
    (out / "2.mp4").write_bytes(b"cut")
    np.save(rows[3]["frames"], greys(4))
    report = export_batch(rows, out, **OPTIONS)
    assert counts(report) == (COUNT, COUNT, 3, 0, 0)
    assert outputs(out) == expected(rows, tmp_path)
    assert {name for name, time in before.items() if os.stat(out / name).st_mtime_ns == time} == {
        "0.mp4",
        "4.mp4",
        "5.mp4",
    }
    assert counts(export_batch(rows, out, **{**OPTIONS, "fps": 16})) == (COUNT, COUNT, 0, 0, 0)


def test_a_worker_that_dies_costs_its_job_an_attempt_and_nothing_else(
    rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    rows.append({"frames": Dying(tmp_path, 1), "output": "dying.mp4"})
    report = export_batch(rows, tmp_path / "out", **OPTIONS)
    assert counts(report) == (COUNT + 1, COUNT + 1, 0, 0, 0)
    with Ledger(report.ledger) as ledger:
        assert [entry.attempts for entry in ledger.entries()] == [1] * COUNT + [2]
    assert names_in(tmp_path / "out") == sorted([*(row["output"] for row in rows), LEDGER])
    assert telecine.probe(tmp_path / "out" / "dying.mp4").frame_count == 5


def test_what_is_poison_is_set_aside(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    for name in ("damaged.mp4", "objects.npy"):
        (tmp_path / name).write_bytes(b"no video at all")
    np.save(tmp_path / "objects.npy", np.array([Path("x")], dtype=object), allow_pickle=True)
    poison: list[Any] = [
        tmp_path / "none",
        tmp_path / "damaged.mp4",
        tmp_path / "objects.npy",
        Dying(tmp_path, 9),
    ]  # of which each attempt dies
    rows += [{"frames": each, "output": f"poison-{index}.mp4"} for index, each in enumerate(poison)]
    report = export_batch(rows, tmp_path / "out", attempts=2, **OPTIONS)
    assert counts(report) == (COUNT + 4, COUNT, 0, 4, 0)
    assert not report.ok
    with Ledger(report.ledger) as ledger:
        failed = list(ledger.entries(FAILED))
    assert [entry.attempts for entry in failed] == [1, 1, 1, 2]
    assert "none' does not exist" in failed[0].error
    assert "can't be read as a video" in failed[1].error
    assert "holds Python objects" in failed[2].error
    assert failed[3].error == "the process that worked on it died: SIGKILL"
    assert all("\n" not in entry.error for entry in failed)
    again = export_batch(rows[:-1], tmp_path / "out", **OPTIONS)
    assert counts(again) == (COUNT + 3, COUNT, COUNT, 3, 0)
    np.save(tmp_path / "none.npy", greys(5))
    rows[COUNT]["frames"] = tmp_path / "none.npy"
    assert counts(export_batch(rows[:-1], tmp_path / "out", **OPTIONS)) == (COUNT + 3, COUNT + 1, COUNT, 2, 0)
    retried = export_batch(rows[:-1], tmp_path / "out", retry_failed=True, **OPTIONS)
    assert counts(retried) == (COUNT + 3, COUNT + 1, COUNT + 1, 2, 0)


def test_an_error_that_may_pass_is_tried_again(tmp_path: Path) -> None:
    told: list[str] = []
    frames = Failing(tmp_path, 2, TimeoutError(110, "Connection timed out"))
    row = {"frames": frames, "output": "a.mp4"}
    report = export_batch([row], tmp_path / "out", listener=lambda entry, _: told.append(entry.status), **OPTIONS)
    assert (counts(report), told) == ((1, 1, 0, 0, 0), [RETRIED, RETRIED, DONE])


def test_the_first_failure_ends_a_batch_that_is_to_fail_fast(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    rows[0]["frames"] = str(tmp_path / "none")
    report = export_batch(rows, tmp_path / "out", fail_fast=True, **{**OPTIONS, "workers": 1})
    assert counts(report)[3:] == (1, COUNT - 1 - report.done)
    assert report.done <= 2
    again = export_batch(rows, tmp_path / "out", fail_fast=True, **OPTIONS)  # which leaves what failed before aside
    assert counts(again)[1:] == (COUNT - 1, report.done, 1, 0)


def test_a_limit_and_shards_share_the_work(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    assert counts(export_batch(rows, tmp_path / "out", limit=2, **OPTIONS)) == (COUNT, 2, 0, 0, COUNT - 2)
    reports = [export_batch(rows, tmp_path / "shards", shard=(number, 3), **OPTIONS) for number in range(3)]
    assert [counts(report) for report in reports] == [(2, 2, 0, 0, 0)] * 3
    assert outputs(tmp_path / "shards") == expected(rows, tmp_path)
    for wrong in ((3, 3), (-1, 3)):
        with pytest.raises(OptionError, match=r"shard=.* is none: use \(i, n\) with i from 0 to n - 1"):
            export_batch(rows, tmp_path / "none", shard=wrong)


def test_nothing_is_done_before_all_rows_are_right(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    rows[4]["quality"] = "best"
    with pytest.raises(OptionError, match="row 4: quality='best' is not known"):
        export_batch(rows, tmp_path / "out", **{**OPTIONS, "quality": "draft"})
    for wrong, said in (
        ({"also_to": print}, "also_to= is of one export, not of a batch: leave it out"),
        ({"before_encode": print}, "before_encode= is of one export, not of a batch: leave it out"),
        ({"height": 0}, "row 0: height=0 is no size"),
        ({"engine": "none"}, "engine='none' is not known: use"),
        ({"workers": 0}, "workers=0 is no whole number from 1 on"),
        ({"memory": 1.5}, "memory=1.5 is no whole number from 1 on"),
        ({"attempts": 0}, "attempts=0 is no whole number from 1 on"),
        ({"limit": -1}, "limit=-1 is no whole number from 0 on"),
        ({"storage_options": {"key": "me"}}, "storage_options= goes with a URL"),
    ):
        with pytest.raises(OptionError, match=said):
            export_batch(rows[:2], tmp_path / "out", **wrong)
    with pytest.raises(OptionError, match="is the memory of one process, and a batch has several: name a folder"):
        export_batch(rows[:2], "memory://run")
    assert not (tmp_path / "out").exists()
    report = export_batch(rows[:2], tmp_path / "out", dry_run=True)
    assert counts(report) == (2, 0, 0, 0, 2)
    assert not (tmp_path / "out").exists()


def test_memory_is_bounded(tmp_path: Path) -> None:
    row = {"frames": Greedy(), "output": "a.mp4"}
    report = export_batch([row], tmp_path / "out", memory=600_000_000, attempts=1, **{**OPTIONS, "workers": 1})
    with Ledger(report.ledger) as ledger:
        [entry] = ledger.entries()
    assert entry.status == FAILED
    assert "MemoryError" in entry.error or "Unable to allocate" in entry.error


class Greedy:
    """Frames that take a gigabyte."""

    def __iter__(self) -> Iterator[Any]:
        yield np.ones((16384, 16384, 4), np.uint8)


# ---- the driver ----------------------------------------------------------------------------------------------------

DRIVER = """
import json, os, signal, sys
from telecine import export_batch

def told(entry, report):
    if report.done == int(sys.argv[3]):
        os.kill(os.getpid(), getattr(signal, sys.argv[4]))

if __name__ == "__main__":
    export_batch(sys.argv[1], sys.argv[2], listener=told, fps=8, quality="draft", workers=2)
"""


def drive(folder: Path, rows: list[dict[str, Any]], at: int, signal_name: str) -> subprocess.CompletedProcess[str]:
    (folder / "driver.py").write_text(DRIVER)
    (folder / "jobs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    paths = [str(folder / name) for name in ("driver.py", "jobs.jsonl", "out")]
    command = [sys.executable, *paths, str(at), signal_name]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT"])
def test_a_driver_that_ends_anywhere_goes_on_where_it_was(
    name: str, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    for at in (2, COUNT):
        done = drive(tmp_path, rows, at, name)
        assert done.returncode != 0
        found = expected(rows, tmp_path)
        assert all(found[each] == data for each, data in outputs(tmp_path / "out").items() if not each.startswith("."))
    report = export_batch(tmp_path / "jobs.jsonl", tmp_path / "out", **OPTIONS)
    assert counts(report)[:2] == (COUNT, COUNT)
    assert outputs(tmp_path / "out") == found
    with sqlite3.connect(report.ledger) as database:
        assert database.execute("SELECT count(*), count(DISTINCT output) FROM jobs").fetchone() == (COUNT, COUNT)


# ---- a store -------------------------------------------------------------------------------------------------------


def test_a_batch_goes_to_a_store_whatever_that_does_meanwhile(
    store: ObjectStore, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    url = f"s3://{BUCKET}/run/"
    path = tmp_path / "ledger.sqlite"
    failures = iter([503, 500])
    store.fault = lambda request: next(failures, None) if request.startswith("PUT") else None
    how: dict[str, Any] = {**OPTIONS, "storage_options": store.options, "ledger": path}
    report = export_batch(rows, url, **how)
    assert counts(report) == (COUNT, COUNT, 0, 0, 0)
    found = {name.removeprefix("run/"): store.filesystem.cat(f"{BUCKET}/{name}") for name in store.names()}
    assert found == expected(rows, tmp_path)
    store.fault = lambda _: None
    store.filesystem.rm_file(f"{BUCKET}/run/2.mp4")
    assert counts(export_batch(rows, url, **how)) == (COUNT, COUNT, COUNT - 1, 0, 0)
    images = [{"frames": rows[0]["frames"], "output": "images", "format": "png"}]
    for skipped in (0, 1):
        assert counts(export_batch(images, url, **how)) == (1, 1, skipped, 0, 0)
    with pytest.raises(PublishError, match="can't be written"):
        export_batch(rows, "s3://no-such-bucket/run", **how)


def test_inputs_in_a_store_are_read_with_what_it_is_opened_with(
    store: ObjectStore, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    names = [f"{BUCKET}/in/{index}.npy" for index in range(COUNT)]
    for row, name in zip(rows, names, strict=True):
        store.filesystem.put_file(row["frames"], name)
    stored = [{**row, "frames": f"s3://{name}"} for row, name in zip(rows, names, strict=True)]
    how: dict[str, Any] = {**OPTIONS, "storage_options": store.options, "ledger": tmp_path / "ledger.sqlite"}
    assert counts(export_batch(stored, f"s3://{BUCKET}/out", dry_run=True, **how)) == (COUNT, 0, 0, 0, COUNT)
    assert counts(export_batch(stored, f"s3://{BUCKET}/out", **how)) == (COUNT, COUNT, 0, 0, 0)
    found = {row["output"]: store.filesystem.cat_file(f"{BUCKET}/out/{row['output']}") for row in rows}
    assert found == expected(rows, tmp_path)
    own = [{**row, "storage_options": store.options} for row in stored]  # where outputs go elsewhere
    assert counts(export_batch(own, tmp_path / "out", **OPTIONS)) == (COUNT, COUNT, 0, 0, 0)
    assert outputs(tmp_path / "out") == found
    other = [{**row, "storage_options": {**store.options, "anon": False}} for row in stored]  # are of the same jobs
    assert counts(export_batch(other, tmp_path / "out", **OPTIONS)) == (COUNT, COUNT, COUNT, 0, 0)
    with pytest.raises(OptionError, match="row 0: storage_options= of a row goes with a URL of its frames or sound"):
        export_batch([{**rows[0], "storage_options": store.options}], tmp_path / "none", **OPTIONS)


def test_what_another_user_plants_where_a_shard_is_written_first_is_not_followed(tmp_path: Path) -> None:
    victim, out = tmp_path / "victim", tmp_path / "out"
    victim.mkdir()
    out.mkdir()
    (out / ".shard-000000.tar.telecine-new").symlink_to(victim)
    rows = [{"frames": greys(3), "output": "a.mp4"}]
    with pytest.raises(PublishError, match=r"\.shard-000000\.tar\.telecine-new' is somebody else's, and in the way"):
        export_batch(rows, output=out, to="webdataset", **OPTIONS)
    assert names_in(victim) == []
