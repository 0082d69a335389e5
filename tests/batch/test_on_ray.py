"""A batch on Ray: on Ray's own cluster of three nodes on this machine, and on one that is started for the run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
from ray.cluster_utils import Cluster

import telecine
from telecine import BatchReport, OptionError
from telecine.batch.ledger import DONE, FAILED, RETRIED, Entry
from telecine.engines.on_ray import take_share
from telecine.support import processors
from telecine.support.processors import available_processors

from ..support.helpers import ROOT, run_python
from ..support.ray_nodes import AWAY, Deadly, DeadlyPath, Held, clip_of, ray_nodes

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def nodes() -> Iterator[Cluster]:
    with ray_nodes(3) as cluster:
        yield cluster


def rows_of(count: int) -> list[dict[str, Any]]:
    return [{"frames": clip_of(number), "output": f"{number:03d}.mp4"} for number in range(count)]


def assert_each_once(folder: Path, count: int, alone: Path) -> None:
    """Every output is there, nothing else but the ledger, and has the bytes that this process gives it."""
    assert sorted(each.name for each in folder.glob("*.mp4")) == [f"{number:03d}.mp4" for number in range(count)]
    assert [each.name for each in folder.iterdir() if ".telecine-" in each.name] == []
    for number in range(count):
        telecine.export_video(clip_of(number), alone, fps=8)
        assert (folder / f"{number:03d}.mp4").read_bytes() == alone.read_bytes()


def test_a_batch_on_a_cluster_has_the_bytes_of_one_process_and_leaves_ray_connected(
    nodes: Cluster, tmp_path: Path
) -> None:
    report = telecine.export_batch(rows_of(12), tmp_path / "out", engine="ray", address="auto", fps=8)
    assert (report.done, report.failed, report.left) == (12, 0, 0)
    assert_each_once(tmp_path / "out", 12, tmp_path / "alone.mp4")
    assert ray.is_initialized()
    again = telecine.export_batch(rows_of(12), tmp_path / "out", engine="ray", fps=8)
    assert (again.done, again.skipped) == (12, 12)


def test_a_worker_that_dies_costs_its_job_an_attempt_and_nothing_else(nodes: Cluster, tmp_path: Path) -> None:
    rows, entries = rows_of(6), list[Entry]()
    rows[2]["frames"] = Deadly(2, tmp_path / "marker")
    report = telecine.export_batch(
        rows, tmp_path / "out", engine="ray", listener=lambda entry, _: entries.append(entry), fps=8
    )
    assert report.ok
    assert_each_once(tmp_path / "out", 6, tmp_path / "alone.mp4")
    told = sorted((entry.index, entry.attempts, entry.status) for entry in entries)
    assert told == sorted([(2, 1, RETRIED), (2, 2, DONE), *((index, 1, DONE) for index in (0, 1, 3, 4, 5))])
    (retried,) = (entry for entry in entries if entry.status == RETRIED)
    assert retried.error == "the process that worked on it died, or its node did"


def test_one_that_dies_amid_jobs_that_were_sent_together_costs_the_others_nothing(
    nodes: Cluster, tmp_path: Path
) -> None:
    rows, entries = rows_of(60), list[Entry]()
    for number, row in enumerate(rows):
        path = str(tmp_path / f"{number}.npy")
        np.save(path, row["frames"])
        row["frames"] = path if number % 10 else DeadlyPath(path, tmp_path / f"marker-{number}")
    report = telecine.export_batch(
        rows, tmp_path / "out", engine="ray", listener=lambda entry, _: entries.append(entry), fps=8
    )
    assert report.ok
    assert_each_once(tmp_path / "out", 60, tmp_path / "alone.mp4")
    died = {entry.index for entry in entries if entry.status == RETRIED}
    assert died == set(range(0, 60, 10))
    attempts = {entry.index: entry.attempts for entry in entries if entry.status == DONE}
    assert attempts == {number: 2 if number in died else 1 for number in range(60)}


def test_a_node_that_dies_costs_what_it_worked_on_an_attempt(nodes: Cluster, tmp_path: Path) -> None:
    marker, entries, removed = tmp_path / "marker", list[Entry](), list[str]()
    rows = rows_of(30)
    for number, row in enumerate(rows):
        row["frames"] = Held(number, marker)

    def remove(entry: Entry, _: BatchReport) -> None:
        entries.append(entry)
        if not removed:  # the first to read was another, which holds what it reads
            removed.append(marker.read_text())
            (node,) = (each for each in nodes.worker_nodes if each.node_id == removed[0])
            nodes.remove_node(node, allow_graceful=False)

    try:
        report = telecine.export_batch(
            rows, tmp_path / "out", engine="ray", resources={"resources": AWAY}, listener=remove, fps=8
        )
    finally:
        nodes.add_node(num_cpus=1, resources=AWAY)  # for the tests that follow
    assert len(removed) == 1
    assert report.ok
    assert_each_once(tmp_path / "out", 30, tmp_path / "alone.mp4")
    assert sorted(entry.index for entry in entries if entry.status == DONE) == list(range(30))
    retried = [entry for entry in entries if entry.status == RETRIED]
    assert [entry.attempts for entry in retried] == [1]
    assert "died" in retried[0].error


def test_one_that_is_interrupted_leaves_a_cluster_of_others_as_it_was(nodes: Cluster, tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    rows = rows_of(6)
    for number in range(1, 6):  # which would be held for ever, and the nodes with them
        rows[number]["frames"] = Held(number, tmp_path / f"marker-{number}")
    with pytest.raises(KeyboardInterrupt):
        telecine.export_batch(rows, tmp_path / "out", engine="ray", listener=interrupt, fps=8)
    assert telecine.export_batch(rows_of(9), tmp_path / "out", engine="ray", fps=8).ok
    assert_each_once(tmp_path / "out", 9, tmp_path / "alone.mp4")


def test_what_can_not_be_exported_is_told_and_not_tried_again(nodes: Cluster, tmp_path: Path) -> None:
    rows, entries = rows_of(2), list[Entry]()
    rows[1]["frames"] = str(tmp_path / "missing.npy")
    report = telecine.export_batch(
        rows, tmp_path / "out", engine="ray", listener=lambda entry, _: entries.append(entry), fps=8
    )
    assert (report.done, report.failed) == (1, 1)
    (failed,) = (entry for entry in entries if entry.status == FAILED)
    assert (failed.index, failed.attempts) == (1, 1)
    assert failed.error.startswith(f"{rows[1]['frames']!r} does not exist")


def test_names_of_inputs_are_relative_to_the_folder_of_the_driver(
    nodes: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "clip.npy", clip_of(0))
    monkeypatch.chdir(tmp_path)
    assert telecine.export_batch([{"frames": "clip.npy", "output": "a.mp4"}], "out", engine="ray", fps=8).ok
    assert (tmp_path / "out" / "a.mp4").exists()


def test_a_task_uses_the_processors_that_it_was_given(nodes: Cluster) -> None:
    def count() -> int:
        take_share()
        return available_processors()

    assert ray.get(ray.remote(num_cpus=1)(count).remote()) == 1
    before = available_processors()
    take_share()  # in the driver, to which none were given
    assert available_processors() == before


def test_the_encoder_has_as_many_threads_as_a_job_has_processors(
    nodes: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = clip_of(0, height=320, width=480)  # which two threads encode, with other bytes, where there are two
    rows = [{"frames": large, "output": "a.mp4"}]
    assert telecine.export_batch(rows, tmp_path / "out", engine="ray", resources={"num_cpus": 1}).ok
    monkeypatch.setattr(processors, "_limit", 1)
    assert (tmp_path / "out" / "a.mp4").read_bytes() == telecine.export_bytes(large)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"resources": {"num_gpus": 1}}, "no node of the cluster has {'CPU': 1, 'GPU': 1}: ask for less in resources="),
        ({"resources": {"num_cpus": 2}}, "no node of the cluster has {'CPU': 2}: ask for less in resources="),
        ({"resources": {"max_retries": 2}}, "resources= has 'max_retries': use num_cpus, num_gpus, memory, "),
        ({"address": "192.0.2.9:6379"}, "address='192.0.2.9:6379' is not that of "),
        ({"memory": 1 << 30}, "memory= is not of engine='ray', which takes workers, address, resources: leave it out"),
        ({"engine": "local", "address": "auto"}, "address= is not of engine='local', which takes workers, memory: "),
        ({"engine": "dask"}, "engine='dask' is not known: use 'local' or 'ray'"),
    ],
)
def test_what_the_engine_can_not_do_is_refused(
    nodes: Cluster, tmp_path: Path, arguments: Mapping[str, Any], said: str
) -> None:
    with pytest.raises(OptionError) as raised:
        telecine.export_batch(rows_of(1), tmp_path / "out", **{"engine": "ray", **arguments})
    assert str(raised.value).startswith(said)
    assert not list(tmp_path.rglob("*.mp4"))


# ---- without a cluster ---------------------------------------------------------------------------------------------


def python(script: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a script in a session of its own, whose processes are all its own."""
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def processes_of(session: int) -> list[str]:
    found = []
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, after = each.read_text().rpartition(")")
        except OSError:  # it has ended
            continue
        state, _, _, own = after.split()[:4]
        if int(own) == session and state != "Z":
            found.append(name)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")
def test_ctrl_c_ends_the_cluster_that_was_started_and_the_batch_is_resumed(tmp_path: Path) -> None:
    script = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
import telecine
from tests.support.ray_nodes import clip_of

rows = [{"frames": clip_of(number), "output": f"{number:03d}.mp4"} for number in range(200)]
listener = lambda entry, _: print(entry.output, flush=True)
telecine.export_batch(rows, sys.argv[1], engine="ray", workers=1, listener=listener, fps=8)
"""
    with python(script, tmp_path / "out") as interrupted:
        assert interrupted.stdout is not None
        first = [interrupted.stdout.readline().strip() for _ in range(3)]
        os.killpg(interrupted.pid, signal.SIGINT)  # as a terminal does
        _, said = interrupted.communicate(timeout=60)
    assert first == ["000.mp4", "001.mp4", "002.mp4"]
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert processes_of(interrupted.pid) == []
    assert len(list((tmp_path / "out").glob("*.mp4"))) < 200
    resumed = telecine.export_batch(rows_of(8), tmp_path / "out", engine="local", workers=1, fps=8)
    assert resumed.done == 8
    assert resumed.skipped >= 3


def test_without_ray_the_extra_is_named(tmp_path: Path) -> None:
    script = """
import sys; sys.modules["ray"] = None
import telecine
for ask in (
    lambda: telecine.export_batch([{"frames": "a.npy", "output": "a.mp4"}], "out", engine="ray"),
    lambda: telecine.batch.VideoDatasink,
):
    try:
        ask()
    except telecine.MissingDependencyError as error:
        print(error)
"""
    assert run_python(script, tmp_path).splitlines() == [
        "engine='ray' needs pip install 'telecine[ray]'",
        "VideoDatasink needs pip install 'telecine[ray]'",
    ]
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_is_none_is_told(tmp_path: Path) -> None:
    script = """
import sys, telecine
try:
    telecine.export_batch([{"frames": "a.npy", "output": "a.mp4"}], sys.argv[1], engine="ray", address="nonsense")
except telecine.InputError as error:
    print(error)
"""
    with python(script, tmp_path / "out") as process:
        printed, said = process.communicate(timeout=60)
    assert printed.startswith("no cluster of Ray's at address='nonsense': "), said
