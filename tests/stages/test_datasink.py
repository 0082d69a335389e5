"""Real pipelines of Ray's data: a stage of `map_batches` and a sink of `write_datasink`."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
import ray.data
from pyarrow import parquet
from ray.exceptions import RayTaskError

import telecine
from telecine import TelecineError
from telecine.stages.datasink import Written
from telecine.support import processors

from ..support.documents import blocks_of, run_command, run_python
from ..support.helpers import ROOT
from ..support.object_store import BUCKET, ObjectStore, object_store
from ..support.ray_nodes import clip_of, ray_nodes

pytestmark = pytest.mark.slow
COUNT = 8


@pytest.fixture(scope="module", autouse=True)
def node(s3: ObjectStore) -> Iterator[None]:
    with ray_nodes(1, processors=2):
        ray.data.DataContext.get_current().enable_progress_bars = False
        yield


def generated(batch: dict[str, Any]) -> dict[str, Any]:
    """Give a clip for each number, as the stage before does on its accelerator."""
    return {"video": np.stack([clip_of(int(number)) for number in batch["id"]]), "id": batch["id"]}


def clips() -> ray.data.Dataset:
    return ray.data.range(COUNT).map_batches(generated, batch_size=3)


def assert_all(folder: Path, alone: Path) -> None:
    """Each clip is there once, whole, with the bytes that this process gives it, and nothing else is."""
    assert sorted(each.name for each in folder.iterdir()) == [f"{number}.mp4" for number in range(COUNT)]
    for number in range(COUNT):
        telecine.export_video(clip_of(number), alone, fps=8)
        assert (folder / f"{number}.mp4").read_bytes() == alone.read_bytes()


def test_a_stage_writes_each_clip_and_hands_on_its_facts(tmp_path: Path) -> None:
    stage = telecine.batch.Exporter(tmp_path / "out", frames="video", template="{id}.mp4", fps=8)
    rows = sorted(clips().map_batches(stage, batch_size=4).take_all(), key=lambda row: row["id"])
    assert_all(tmp_path / "out", tmp_path / "alone.mp4")
    assert [row["path"] for row in rows] == [str(tmp_path / "out" / f"{number}.mp4") for number in range(COUNT)]
    facts = {(row["frames"], row["width"], row["height"], row["fps"], row["codec"], row["error"]) for row in rows}
    assert facts == {(4, 64, 48, "8", "h264", "")}
    assert "video" not in rows[0]


def test_the_encoder_of_a_stage_has_as_many_threads_as_its_task_has_processors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = clip_of(0, height=320, width=480)  # which two threads encode, with other bytes, where there are two
    rows = ray.data.from_items([{"frames": large}]).map_batches(telecine.batch.Exporter(tmp_path), num_cpus=1)
    (written,) = rows.take_all()
    monkeypatch.setattr(processors, "_limit", 1)
    assert Path(written["path"]).read_bytes() == telecine.export_bytes(large)


def test_a_stage_may_be_a_class_whose_actors_last(tmp_path: Path) -> None:
    arguments = {"frames": "video", "template": "{id}.mp4", "fps": 8}
    stage = clips().map_batches(
        telecine.batch.Exporter,
        fn_constructor_args=(tmp_path / "out",),
        fn_constructor_kwargs=arguments,
        compute=ray.data.ActorPoolStrategy(size=1),
    )
    assert {row["error"] for row in stage.take_all()} == {""}
    assert_all(tmp_path / "out", tmp_path / "alone.mp4")


def test_a_sink_writes_each_clip_and_counts(tmp_path: Path) -> None:
    sink = telecine.batch.VideoDatasink(tmp_path / "out", frames="video", template="{id}.mp4", fps=8)
    clips().write_datasink(sink)
    assert_all(tmp_path / "out", tmp_path / "alone.mp4")
    size = sum(each.stat().st_size for each in (tmp_path / "out").iterdir())
    assert sink.written == Written(clips=COUNT, frames=4 * COUNT, bytes=size)
    clips().write_datasink(sink)  # which replaces them, and counts anew
    assert_all(tmp_path / "out", tmp_path / "alone.mp4")
    assert sink.written.clips == COUNT


def test_a_sink_puts_clips_into_a_bucket(tmp_path: Path) -> None:
    with object_store() as store:
        sink = telecine.batch.VideoDatasink(
            f"s3://{BUCKET}/run", frames="video", template="{id}.mp4", fps=8, storage_options=store.options
        )
        clips().write_datasink(sink)
        assert sorted(store.names()) == [f"run/{number}.mp4" for number in range(COUNT)]
        assert store.uploads() == []
        store.filesystem.get(f"{BUCKET}/run/", f"{tmp_path / 'out'}/", recursive=True)
    assert_all(tmp_path / "out", tmp_path / "alone.mp4")


def test_a_sink_fails_with_a_clip_of_its_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    def one_is_wrong(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "codec": "vp8" if row["id"] == 5 else "h264"}

    sink = telecine.batch.VideoDatasink(tmp_path / "out", frames="video", template="{id}.mp4", fps=8)
    with pytest.raises((RayTaskError, TelecineError), match=r"1 of \d+ clips can't be written; the first: codec='vp8'"):
        clips().map(one_is_wrong).write_datasink(sink)
    assert sink.written is None
    for path in (tmp_path / "out").glob("*"):
        assert path.name in {f"{number}.mp4" for number in range(COUNT) if number != 5}
        assert telecine.probe(path).frame_count == 4


class Model:
    """What makes a clip of each prompt."""

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        return generated(batch)


def test_the_page_on_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3: ObjectStore) -> None:
    """That of `docs/ray.md`, and the command of `docs/scale.md` that takes a cluster."""
    monkeypatch.chdir(tmp_path)
    table = io.BytesIO()
    parquet.write_table(pyarrow.table({"id": range(COUNT)}), table)
    s3.filesystem.pipe("bucket/prompts/all.parquet", table.getvalue())
    np.save("clip.npy", clip_of(0))
    row = {"frames": str(tmp_path / "clip.npy"), "output": "clip.mp4"}
    Path("jobs.jsonl").write_text(json.dumps(row))
    inputs = {"Model": lambda: Model, "ds": lambda: clips(), "jobs": lambda: [row]}
    _, stage, sink = [run_python(block, inputs) for block in blocks_of(ROOT / "docs" / "ray.md")]
    assert [row["frames"] for row in stage["facts"]] == [4] * COUNT
    assert sink["sink"].written.clips == COUNT
    (line,) = (block.text for block in blocks_of(ROOT / "docs" / "scale.md") if "--engine ray" in block.text)
    assert run_command(line) == 0
    names = {name for name in s3.filesystem.find("bucket") if name.endswith(".mp4")}
    assert names == {"bucket/run/clip.mp4", *(f"bucket/run/{number:06d}.mp4" for number in range(COUNT))}
