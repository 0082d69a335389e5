"""Batches packed into training sets: read by the libraries they are for, and each clip once, whatever is killed."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from dataclasses import astuple
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
import pytest
import webdataset
from pyarrow import parquet

import telecine
from telecine import OptionError, PublishError
from telecine.batch.ledger import DONE, STAGED, Ledger, merge_ledgers

from ..support.documents import blocks_of, run_python
from ..support.helpers import ROOT
from ..support.object_store import BUCKET, ObjectStore

pytestmark = pytest.mark.slow

SetName = Literal["webdataset", "parquet", "lerobot"]
SETS: dict[SetName, str] = {
    "webdataset": "shard-{:06d}.tar",
    "parquet": "shard-{:06d}.parquet",
    "lerobot": "videos/observation.images.video/chunk-000/file-{:03d}.mp4",
}
LEDGER = "telecine-ledger.sqlite"
COUNT = 5  # clips, of 19.4 kB each: two in a shard
OPTIONS: dict[str, Any] = {"shard_bytes": 40_000, "workers": 1, "fps": 24}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of noise, each file another."""
    folder = tmp_path_factory.mktemp("inputs")
    for number in range(COUNT):
        frames = np.random.default_rng(number).integers(0, 256, (8, 48, 64, 3), np.uint8)
        np.save(folder / f"{number}.npy", frames)
    return folder


def rows_of(inputs: Path) -> list[dict[str, Any]]:
    """Give a job for each, which has a prompt and a seed, and one whose input is not there."""
    rows = [
        {"frames": str(inputs / f"{number}.npy"), "output": f"a/take.{number}.mp4", "prompt": f"Bär {number}"}
        for number in range(COUNT)
    ]
    hole = {"frames": str(inputs / "none.npy"), "output": "none.mp4", "prompt": "a hole"}
    return [{**row, "seed": number} for number, row in enumerate([*rows[:2], hole, *rows[2:]])]


OUTPUTS = [row["output"] for row in rows_of(Path())]
NAMES = [name for name in OUTPUTS if name != "none.mp4"]


def pack(rows: Any, output: Path | str, to: SetName = "webdataset", **options: Any) -> telecine.BatchReport:
    return telecine.export_batch(rows, output, to=to, **{**OPTIONS, **options})


@pytest.fixture(scope="module")
def clips(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a batch of the same jobs makes that is packed into nothing."""
    folder = tmp_path_factory.mktemp("clips")
    telecine.export_batch(rows_of(inputs), folder, workers=1, fps=24)
    return {name: (folder / name).read_bytes() for name in NAMES}


@pytest.fixture(scope="module", params=SETS)
def packed(
    request: pytest.FixtureRequest, inputs: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[SetName, Path]:
    """A set of each kind."""
    folder = tmp_path_factory.mktemp(request.param)
    report = pack(rows_of(inputs), folder, request.param)
    assert (report.total, report.done, report.failed, report.left) == (6, 5, 1, 0)
    return request.param, folder


def files_of(folder: Path) -> dict[str, bytes]:
    """Give what a set is, its ledger aside."""
    files = (each for each in folder.rglob("*") if each.is_file() and each.parent / each.name != folder / LEDGER)
    return {each.relative_to(folder).as_posix(): each.read_bytes() for each in files}


def seen(count: int, to: SetName = "webdataset") -> set[str]:
    return {SETS[to].format(number) for number in range(count)}


def tars_of(folder: Path) -> set[str]:
    return {each.name for each in folder.glob("*.tar")}


def manifest_of(folder: Path, name: str = "manifest.parquet") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = parquet.read_table(folder / name).to_pylist()
    return rows


# ---- by the libraries that they are for ----------------------------------------------------------------------------

Found = dict[str, tuple[bytes, dict[str, Any]]]


def read_webdataset(urls: Iterable[object]) -> Found:
    """Give what webdataset reads: of each clip its bytes and what is known of it."""
    samples = list(webdataset.WebDataset(sorted(map(str, urls)), shardshuffle=False).decode())
    assert len({sample["__key__"] for sample in samples}) == len(samples)
    return {sample["json"]["output"]: (sample["mp4"], sample["json"]) for sample in samples}


def read_parquet(paths: Iterable[Path]) -> Found:
    """Give the same of what pyarrow reads."""
    rows = [row for path in sorted(paths) for row in parquet.read_table(path).to_pylist()]
    assert len({row["path"] for row in rows}) == len(rows)
    return {row["path"]: (row.pop("video"), row) for row in rows}


@pytest.mark.parametrize("to", ["webdataset", "parquet"])
def test_each_clip_is_in_the_set_once_with_what_is_known_of_it(
    to: SetName, inputs: Path, tmp_path: Path, clips: dict[str, bytes]
) -> None:
    pack(rows_of(inputs), tmp_path, to, workers=2)
    found = read_webdataset(tmp_path.glob("*.tar")) if to == "webdataset" else read_parquet(tmp_path.glob("shard*"))
    assert {name: data for name, (data, _) in found.items()} == clips
    assert list(found) == NAMES  # in the order of the rows
    video, known = found["a/take.3.mp4"]
    expected = {"prompt": "Bär 3", "seed": 4, "width": 64, "height": 48, "frames": 8, "codec": "h264", "fps": "24"}
    assert {name: known[name] for name in expected} == expected
    assert (known["sha256"], known["bytes"]) == (sha256(video).hexdigest(), len(video))


def test_a_clip_that_takes_long_changes_no_file(inputs: Path, tmp_path: Path) -> None:
    # Many and small: what is large enough for several threads has other bytes on other numbers of processors.
    np.save(tmp_path / "long.npy", np.random.default_rng(9).integers(0, 256, (2500, 48, 64, 3), np.uint8))
    rows = [{"frames": str(tmp_path / "long.npy"), "output": "long.mp4"}, *rows_of(inputs)]
    finished = list[str]()
    pack(rows, tmp_path / "two", workers=2, listener=lambda entry, _: finished.append(entry.output))
    assert finished[0] != "long.mp4"
    pack(rows, tmp_path / "one")
    assert files_of(tmp_path / "two") == files_of(tmp_path / "one")


def test_a_file_of_a_set_has_no_more_bytes_of_clips_than_is_asked_for(packed: tuple[SetName, Path]) -> None:
    to, folder = packed
    shards = {name for name in files_of(folder) if "manifest" not in name}
    if to == "lerobot":
        shards = {name for name in shards if name.startswith("videos/")}
    assert shards == seen(3, to)


def test_keys_of_webdataset_have_no_dots_and_tars_no_times_and_owners(inputs: Path, tmp_path: Path) -> None:
    pack(rows_of(inputs)[:1], tmp_path)
    with tarfile.open(tmp_path / "shard-000000.tar") as tar:
        members = tar.getmembers()
    assert [each.name for each in members] == ["a/take_0.mp4", "a/take_0.json"]
    assert {(each.mtime, each.uid, each.gid, each.uname, each.mode) for each in members} == {(0, 0, 0, "", 0o644)}


def test_facts_of_a_row_are_kept_and_what_was_measured_comes_first(inputs: Path, tmp_path: Path) -> None:
    row = {**rows_of(inputs)[0], "style": "oil", "width": 7, "metadata": {"prompt": "of it", "model": "m"}}
    del row["prompt"]
    pack([row], tmp_path / "tar", fps="24000/1001")
    ((_, known),) = read_webdataset((tmp_path / "tar").glob("*.tar")).values()
    assert [known[name] for name in ("style", "width", "prompt", "model")] == ["oil", 64, "of it", "m"]
    assert Fraction(known["fps"]) == Fraction(24000, 1001)
    pack([row], tmp_path / "parquet", "parquet")
    ((_, known),) = read_parquet((tmp_path / "parquet").glob("shard*")).values()
    assert (known["width"], known["prompt"]) == (64, "of it")
    assert json.loads(known["facts"]) == {"style": "oil", "width": 7, "prompt": "of it", "model": "m", "seed": 0}


def test_row_groups_of_parquet_hold_few_clips_at_a_time(tmp_path: Path) -> None:
    from telecine.sets.clips import Clip
    from telecine.sets.parquet import ParquetSet

    (tmp_path / "clip").write_bytes(bytes(30 << 20))
    clip = Clip(str(tmp_path / "clip"), "a.mp4", 30 << 20, "", 1, 1, 1, "16", "h264", {})
    ParquetSet("shard").pack(0, [clip] * 5, [str(tmp_path / "set.parquet")])
    file = parquet.ParquetFile(tmp_path / "set.parquet")
    assert [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)] == [2, 2, 1]


# ---- LeRobot -------------------------------------------------------------------------------------------------------


def packets_of(file: Any) -> list[tuple[Fraction, bytes]]:
    """Give the packets of a video in the order that they are shown in, and when that is."""
    with av.open(file) as opened:
        packets = [packet for packet in opened.demux(video=0) if packet.pts is not None]
        return sorted((packet.pts * Fraction(packet.time_base), bytes(packet)) for packet in packets)


def test_episodes_are_the_clips_without_encoding_again_and_begin_at_exact_times(
    inputs: Path, tmp_path: Path, clips: dict[str, bytes]
) -> None:
    pack(rows_of(inputs), tmp_path, "lerobot")
    episodes = [
        row for path in sorted(tmp_path.glob("meta/episodes/*/*")) for row in parquet.read_table(path).to_pylist()
    ]
    assert [row["path"] for row in episodes] == NAMES
    assert [row["episode_index"] for row in episodes] == [*range(COUNT)]
    assert [row["tasks"] for row in episodes] == [[f"Bär {number}"] for number in range(COUNT)]
    for number, row in enumerate(episodes):
        video = {name.rpartition("/")[2]: value for name, value in row.items() if name.startswith("videos/")}
        assert (video["chunk_index"], video["file_index"]) == (0, number // 2)
        begin, end = Fraction(number % 2 * 8, 24), Fraction(number % 2 * 8 + 8, 24)
        assert (video["from_timestamp"], video["to_timestamp"]) == (float(begin), float(end))
        (tmp_path / "clip.mp4").write_bytes(clips[row["path"]])
        joined = packets_of(str(tmp_path / SETS["lerobot"].format(video["file_index"])))
        of_episode = [(time - begin, data) for time, data in joined if begin <= time < end]
        assert of_episode == packets_of(str(tmp_path / "clip.mp4"))
        assert (row["dataset_from_index"], row["dataset_to_index"], row["length"]) == (number * 8, number * 8 + 8, 8)


@pytest.mark.parametrize("packed", ["lerobot"], indirect=True)
def test_frames_of_all_episodes_are_counted_through(packed: tuple[SetName, Path]) -> None:
    _, folder = packed
    rows = [row for path in sorted(folder.glob("data/*/*")) for row in parquet.read_table(path).to_pylist()]
    assert [row["index"] for row in rows] == [*range(8 * COUNT)]
    assert [row["frame_index"] for row in rows] == [*range(8)] * COUNT
    assert [row["timestamp"] for row in rows] == [float(np.float32(index / 24)) for index in range(8)] * COUNT
    assert (
        [row["episode_index"] for row in rows]
        == [row["task_index"] for row in rows]
        == [index // 8 for index in range(8 * COUNT)]
    )
    statistics = json.loads((folder / "meta/stats.json").read_text())
    for name in ("timestamp", "frame_index", "episode_index", "index", "task_index"):
        values = np.array([row[name] for row in rows], np.float64)
        found = [statistics[name][each][0] for each in ("min", "max", "mean", "std", "count")]
        assert found == pytest.approx([values.min(), values.max(), values.mean(), values.std(), 8 * COUNT])


_READ_BY_LEROBOT = """
import json, sys
import numpy
from lerobot.datasets.lerobot_dataset import LeRobotDataset

for backend in ("pyav", "torchcodec"):
    dataset = LeRobotDataset("local/set", root=sys.argv[1], video_backend=backend, return_uint8=True)
    frames = [dataset[index] for index in range(len(dataset))]
    numpy.save(backend, numpy.stack([frame["observation.images.video"].permute(1, 2, 0) for frame in frames]))
print(json.dumps([dataset.num_episodes, dataset.fps, [frame["task"] for frame in frames]]))
"""
LEROBOT = ROOT / ".venv" / "lerobot"


@pytest.mark.skipif(not LEROBOT.is_dir(), reason="LeRobot is not installed: make .venv/lerobot")
@pytest.mark.parametrize("packed", ["lerobot"], indirect=True)
def test_lerobot_reads_the_frames_of_each_clip(
    packed: tuple[SetName, Path], clips: dict[str, bytes], tmp_path: Path
) -> None:
    command = [sys.executable, "-c", _READ_BY_LEROBOT, str(packed[1])]
    environment = {**os.environ, "PYTHONPATH": str(LEROBOT), "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [COUNT, 24, [f"Bär {index // 8}" for index in range(8 * COUNT)]]
    given = np.stack([frame for data in clips.values() for frame in telecine.read_frames(io.BytesIO(data))]).astype(int)
    for backend in ("pyav", "torchcodec"):
        frames = np.load(tmp_path / f"{backend}.npy")
        assert frames.shape == given.shape == (8 * COUNT, 48, 64, 3)
        # By their colours, which other readers compute otherwise, each is nearest to the frame that it is to be.
        assert [int(np.abs(given - frame).mean((1, 2, 3)).argmin()) for frame in frames] == [*range(8 * COUNT)]


# ---- the page on them ----------------------------------------------------------------------------------------------


def test_the_page_runs(
    packed: tuple[SetName, Path], inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3: ObjectStore
) -> None:
    """Each block of `docs/training-sets.md` where there is what it reads."""
    to, folder = packed
    monkeypatch.chdir(tmp_path)
    Path("set").symlink_to(folder)
    Path("jobs.jsonl").write_text(json.dumps(rows_of(inputs)[0]))
    put, tars, tables, lerobot, manifest = blocks_of(ROOT / "docs" / "training-sets.md")
    if to == "webdataset":
        run_python(put, {})
        assert "bucket/set/shard-000000.tar" in s3.filesystem.find("bucket/set")
    if to == "lerobot" and LEROBOT.is_dir():
        environment = {**os.environ, "PYTHONPATH": str(LEROBOT), "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
        subprocess.run([sys.executable, "-c", lerobot.text], env=environment, check=True)
    elif to != "lerobot":
        left = run_python(tars if to == "webdataset" else tables, {})
        assert sum(1 for _ in left["frames"]) == 8
    assert run_python(manifest, {})["fps"] == 24


# ---- the manifest --------------------------------------------------------------------------------------------------


def test_the_manifest_tells_of_each_clip_and_of_what_failed(
    packed: tuple[SetName, Path], clips: dict[str, bytes]
) -> None:
    to, folder = packed
    rows = manifest_of(folder)
    assert [row["path"] for row in rows] == OUTPUTS
    (failed,) = (row for row in rows if row["status"] != DONE)
    assert (failed["status"], failed["prompt"], failed["sha256"], failed["shard"]) == ("failed", "a hole", None, None)
    assert "does not exist" in failed["error"]
    done = [row for row in rows if row["status"] == DONE]
    assert {row["path"]: row["sha256"] for row in done} == {
        name: sha256(data).hexdigest() for name, data in clips.items()
    }
    assert [row["shard"] for row in done] == [SETS[to].format(number // 2) for number in range(COUNT)]
    known = ("bytes", "width", "height", "fps", "frames", "codec", "prompt", "seed", "error")
    assert [done[-1][name] for name in known] == [len(clips[NAMES[-1]]), 64, 48, "24", 8, "h264", "Bär 4", 5, None]


def test_a_manifest_stands_beside_clips_that_are_packed_into_nothing(inputs: Path, tmp_path: Path) -> None:
    for crf in (20, 40):  # of an output that is made twice it tells once
        telecine.export_batch(rows_of(inputs)[:1], tmp_path, workers=1, crf=crf, fps="24000/1001", manifest=True)
    (row,) = manifest_of(tmp_path)
    assert row["sha256"] == sha256((tmp_path / NAMES[0]).read_bytes()).hexdigest()
    assert (row["status"], row["shard"], Fraction(row["fps"])) == ("done", None, Fraction(24000, 1001))


# ---- each once -----------------------------------------------------------------------------------------------------

_DRIVER = """
import json, os, signal, sys, telecine

step, arguments = sys.argv[1], json.loads(sys.argv[2])
delivered = []

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def is_of_a_shard(path):
    return os.path.basename(path).startswith(("shard-", "file-"))

def watch(event, given):
    # Each is told before it is done.
    if event == "os.kill":
        return
    if step == "a shard is delivered" and delivered:
        die()
    if event == "os.rename" and is_of_a_shard(str(given[1])):
        if step == "a shard is written":
            die()
        delivered.append(given[1])
    if step == "a clip is removed" and event == "os.remove" and "staged" in str(given[0]):
        die()
    if step == "the manifest is written" and event == "os.rename" and "manifest" in str(given[1]):
        die()

def listener(entry, report):
    if (step == "a clip is staged" and entry.status == "staged") or (step == "a shard is noted" and entry.shard):
        die()

if __name__ == "__main__":
    sys.addaudithook(watch)
    telecine.export_batch(**arguments, listener=listener)
"""

_STEPS = [
    "a clip is staged",
    "a shard is written",
    "a shard is delivered",
    "a clip is removed",
    "a shard is noted",
    "the manifest is written",
]


@pytest.mark.parametrize("packed", ["webdataset", "lerobot"], indirect=True)
def test_a_driver_that_is_killed_at_each_step_makes_the_files_of_one_that_is_not(
    packed: tuple[SetName, Path], inputs: Path, tmp_path: Path
) -> None:
    to, whole = packed
    script, place = tmp_path / "driver.py", tmp_path / "set"
    script.write_text(_DRIVER)
    arguments = json.dumps({"jobs": rows_of(inputs), "output": str(place), "to": to, **OPTIONS})
    for step in _STEPS:
        command = [sys.executable, str(script), step, arguments]
        killed = subprocess.run(command, capture_output=True, text=True, check=False)
        assert killed.returncode == -signal.SIGKILL, (step, killed.stderr)
    report = pack(rows_of(inputs), place, to)
    assert (report.done, report.failed) == (5, 1)
    assert files_of(place) == files_of(whole)


def test_what_is_done_is_not_packed_again_and_what_is_left_goes_into_the_next_shard(
    inputs: Path, tmp_path: Path, clips: dict[str, bytes]
) -> None:
    rows = rows_of(inputs)
    pack(rows[:1], tmp_path)
    before = (tmp_path / "shard-000000.tar").read_bytes()
    report = pack(rows, tmp_path, retry_failed=True)
    assert (report.skipped, report.done) == (1, 5)
    assert tars_of(tmp_path) == seen(3)
    assert (tmp_path / "shard-000000.tar").read_bytes() == before
    assert {name: data for name, (data, _) in read_webdataset(tmp_path.glob("*.tar")).items()} == clips
    assert pack(rows, tmp_path).skipped == 5


def test_clips_whose_shard_is_gone_are_packed_again(inputs: Path, tmp_path: Path, clips: dict[str, bytes]) -> None:
    pack(rows_of(inputs), tmp_path)
    (tmp_path / "shard-000001.tar").unlink()
    report = pack(rows_of(inputs), tmp_path)
    assert (report.skipped, report.done) == (3, 5)
    assert {name: data for name, (data, _) in read_webdataset(tmp_path.glob("*.tar")).items()} == clips


def test_a_set_of_lerobot_that_has_lost_a_file_is_refused(inputs: Path, tmp_path: Path) -> None:
    pack(rows_of(inputs), tmp_path, "lerobot")
    (tmp_path / SETS["lerobot"].format(1)).unlink()
    with pytest.raises(PublishError, match=r"file-001.mp4' is not as the ledger says.*begin at another place"):
        pack(rows_of(inputs), tmp_path, "lerobot")


def test_a_staged_clip_that_is_another_by_now_is_made_again(inputs: Path, tmp_path: Path) -> None:
    def stop(entry: Any, _: Any) -> None:
        if entry.status == STAGED:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(rows_of(inputs)[:1], tmp_path, listener=stop)
    staged = tmp_path / f"{LEDGER}-staged" / NAMES[0]
    whole = staged.read_bytes()
    staged.write_bytes(whole[:-1] + b"x")
    pack(rows_of(inputs)[:1], tmp_path)
    assert [data for data, _ in read_webdataset(tmp_path.glob("*.tar")).values()] == [whole]


def test_a_clip_is_not_packed_beside_an_older_one_of_its_name(inputs: Path, tmp_path: Path) -> None:
    pack(rows_of(inputs)[:1], tmp_path)
    report = pack(rows_of(inputs)[:1], tmp_path, crf=40)
    assert (report.done, report.failed) == (0, 1)
    assert tars_of(tmp_path) == seen(1)
    (row,) = manifest_of(tmp_path)
    assert row["error"] == "'a/take.0.mp4' is in shard-000000.tar, of another input or options: name it otherwise"


def test_shards_that_the_ledger_does_not_know_are_not_replaced(inputs: Path, tmp_path: Path) -> None:
    pack(rows_of(inputs)[:1], tmp_path)
    before = (tmp_path / "shard-000000.tar").read_bytes()
    with pytest.raises(PublishError, match=r"shard-000000.tar' is there, and '.*other' does not know it"):
        pack(rows_of(inputs)[1:2], tmp_path, ledger=tmp_path / "other")
    assert (tmp_path / "shard-000000.tar").read_bytes() == before


def test_a_ledger_is_of_one_kind_of_set(inputs: Path, tmp_path: Path) -> None:
    pack(rows_of(inputs)[:1], tmp_path)
    with pytest.raises(OptionError, match=r"is of another set, with 'shard-000000.tar'"):
        pack(rows_of(inputs)[:1], tmp_path, "parquet")


def test_runs_of_one_set_have_shards_and_manifests_of_their_own_and_their_ledgers_merge(
    inputs: Path, tmp_path: Path, clips: dict[str, bytes]
) -> None:
    for number in range(2):
        pack(rows_of(inputs), tmp_path, shard=(number, 2))
    assert tars_of(tmp_path) == {f"shard-{name}.tar" for name in ("0-of-2-000000", "1-of-2-000000", "1-of-2-000001")}
    assert {name: data for name, (data, _) in read_webdataset(tmp_path.glob("*.tar")).items()} == clips
    assert [row["path"] for row in manifest_of(tmp_path, "manifest-1-of-2.parquet")] == OUTPUTS[1::2]
    ledgers = [tmp_path / f"telecine-ledger-{number}-of-2.sqlite" for number in range(2)]
    merge_ledgers(tmp_path / "merged", ledgers)
    assert pack(rows_of(inputs), tmp_path, ledger=tmp_path / "merged").skipped == 5
    with pytest.raises(OptionError, match="to='lerobot' is of one run"):
        pack(rows_of(inputs), tmp_path, "lerobot", shard=(0, 2))


# ---- what can't be packed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "outputs", "options", "said"),
    [
        (
            "webdataset",
            ["a.b.mp4", "a_b.mp4"],
            {},
            "row 1: its output 'a_b.mp4' has the key 'a_b' in webdataset, as 'a.b",
        ),
        ("webdataset", ["__a__/b.mp4"], {}, "row 0: its output '__a__/b.mp4' is none that webdataset reads"),
        ("webdataset", ["clip"], {"format": "mp4"}, "row 0: its output 'clip' has no extension"),
        ("parquet", ["a.m3u8"], {}, "row 0: hls makes several files"),
        ("webdataset", ["frames"], {"format": "png"}, "row 0: png makes several files"),
        ("lerobot", ["a.webm"], {}, "row 0: its output 'a.webm' is no .mp4"),
        ("parquet", ["a.mp4"], {"shard_bytes": 0}, "shard_bytes=0 goes with to=, and is 1 or more"),
        (None, ["a.mp4"], {}, "shard_bytes=40000 goes with to="),
        ("tfrecord", ["a.mp4"], {}, "to='tfrecord' is no training set: use 'webdataset' or 'parquet' or 'lerobot'"),
    ],
)
def test_rows_that_no_set_takes_are_refused_before_the_first_frame(
    to: Any, outputs: list[str], options: dict[str, Any], said: str, inputs: Path, tmp_path: Path
) -> None:
    rows = [{"frames": str(inputs / "0.npy"), "output": name} for name in outputs]
    with pytest.raises(OptionError) as error:
        pack(rows, tmp_path / "set", to, dry_run=True, **options)
    assert str(error.value).startswith(said)
    assert not (tmp_path / "set").exists()


def test_clips_of_another_kind_are_no_episodes(inputs: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "large.npy", np.zeros((8, 64, 64, 3), np.uint8))
    rows = [rows_of(inputs)[0], {"frames": str(tmp_path / "large.npy"), "output": "large.mp4"}]
    report = pack(rows, tmp_path / "set", "lerobot")
    assert (report.done, report.failed) == (1, 1)
    error = "it is 64x64 h264 of 24 fps, and the set is 64x48 h264 of 24 fps: LeRobot has videos of one kind"
    assert manifest_of(tmp_path / "set")[1]["error"] == error
    with pytest.raises(OptionError, match="row 1: its options are others"):
        pack([rows[0], {**rows[1], "crf": 40}], tmp_path / "set", "lerobot")


def test_a_set_needs_pyarrow_before_the_first_frame(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['pyarrow'] = None; import telecine\n"
        "telecine.export_batch([{'frames': 'none.npy', 'output': 'a.mp4'}], 'set', to='webdataset')"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "MissingDependencyError: a training set or a manifest needs pip install 'telecine[batch]'" in done.stderr
    assert list(tmp_path.iterdir()) == []


# ---- stores --------------------------------------------------------------------------------------------------------


def test_a_store_gets_the_files_that_a_folder_gets(
    packed: tuple[SetName, Path], inputs: Path, store: ObjectStore, tmp_path: Path
) -> None:
    to, folder = packed
    url, ledger = f"s3://{BUCKET}/{to}", tmp_path / "ledger"
    refused = []

    def refuse_the_second_shard(request: str) -> int | None:
        if request.startswith(("PUT", "POST")) and SETS[to].format(1) in request:
            refused.append(request)
            return 403
        return None

    store.fault = refuse_the_second_shard
    with pytest.raises(PublishError, match=SETS[to].format(1)):
        pack(rows_of(inputs), url, to, storage_options=store.options, ledger=ledger)
    store.fault = lambda _: None
    assert refused
    with Ledger(ledger) as book:
        assert book.counts() == {DONE: 2, "failed": 1, STAGED: 3}
    report = pack(rows_of(inputs), url, to, storage_options=store.options, ledger=ledger)
    assert (report.skipped, report.done, report.failed) == (2, 5, 1)
    names = [name for name in store.names() if name.startswith(f"{to}/")]
    found = {name.partition("/")[2]: store.filesystem.cat(f"{BUCKET}/{name}") for name in names}
    assert found == files_of(folder)
    assert [each.name for each in tmp_path.iterdir()] == ["ledger"]


def test_the_ledger_tells_of_each_shard_with_its_jobs(packed: tuple[SetName, Path]) -> None:
    to, folder = packed
    with Ledger(folder / LEDGER) as book:
        assert book.shards() == {name: (folder / name).stat().st_size for name in seen(3, to)}
        assert [entry.output for entry in book.in_shards()] == NAMES
        assert [astuple(entry) for entry in book.packed(NAMES[0])] == [astuple(next(book.entries()))]
