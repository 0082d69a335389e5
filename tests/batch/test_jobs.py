"""Rows of tables as jobs: each is right, or said to be wrong with its number, before the first frame."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from telecine import InputError, OptionError
from telecine.batch.identity import identity_of
from telecine.batch.jobs import check_jobs, read_jobs
from telecine.batch.names import Names
from telecine.engines.work import Job

ROWS: list[dict[str, Any]] = [
    {"frames": "a.npy", "output": "a.mp4", "fps": 8, "quality": "draft", "prompt": "a panda", "seed": 1},
    {"frames": "b.npy", "output": "b/b.mp4", "fps": "24000/1001", "quality": None, "prompt": "", "seed": 2},
]


def write(rows: list[dict[str, Any]], path: Path) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    else:
        columns = {name: [None if row[name] is None else str(row[name]) for row in rows] for name in rows[0]}
        parquet.write_table(pa.table(columns), path)
    return path


def jobs_of(rows: Any, template: str | None = None, **options: Any) -> list[Job]:
    found = list(read_jobs(rows, template, options))
    assert all(isinstance(each, Job) for each in found), found
    return [each for each in found if isinstance(each, Job)]


@pytest.mark.parametrize("name", ["jobs.jsonl", "jobs.csv", "jobs.parquet"])
def test_a_table_of_any_kind_is_read_as_the_same_jobs(name: str, tmp_path: Path) -> None:
    first, second = jobs_of(write(ROWS, tmp_path / name))
    assert (first.index, first.frames, first.output) == (0, "a.npy", "a.mp4")
    assert str(first.options["fps"]) == "8"
    assert first.options["quality"] == "draft"
    assert {name: str(value) for name, value in first.facts.items()} == {"prompt": "a panda", "seed": "1"}
    assert (second.output, dict(second.options)) == ("b/b.mp4", {"fps": "24000/1001"})
    assert set(second.facts) == {"seed"}


def test_options_of_a_csv_are_read_as_json(tmp_path: Path) -> None:
    path = tmp_path / "jobs.csv"
    path.write_text('frames,output,crf,dither,metadata,seed\na.npy,007.mp4,18,true,"{""seed"": 1}",007\n')
    [job] = jobs_of(path)
    assert (job.output, dict(job.options)) == ("007.mp4", {"crf": 18, "dither": True, "metadata": {"seed": 1}})
    assert dict(job.facts) == {"seed": "007"}


@pytest.mark.parametrize(
    ("template", "row", "name"),
    [
        (
            "{index:06d}-{prompt_slug}.mp4",
            {"prompt": "A panda, playing the guitar!"},
            "000003-a-panda-playing-the-guitar.mp4",
        ),
        ("{seed}/{model}.mov", {"seed": 7, "model": "wan"}, "7/wan.mov"),
        ("{prompt_slug}.mp4", {"metadata": {"prompt": "Ein Bär"}}, "ein-bar.mp4"),
        ("{prompt_slug}.mp4", {"prompt": "熊猫"}, "untitled.mp4"),
        ("{index}.mp4", {"output": "named.webm"}, "named.webm"),
        ("{prompt_slug}.mp4", {"prompt": "x" * 1000}, "x" * 60 + ".mp4"),
        ("{prompt_slug}.mp4", {"prompt": "../../etc/passwd"}, "etc-passwd.mp4"),
    ],
)
def test_a_template_is_filled_from_the_row(template: str, row: dict[str, Any], name: str) -> None:
    assert Names(template).name(3, row) == name


@pytest.mark.parametrize(
    "name",
    ["../a.mp4", "/a.mp4", "a/../../b.mp4", "a//b.mp4", "C:a.mp4", "a\\b.mp4", "a\0.mp4", ".a.mp4", "a/.b/c.mp4", "."],
)
def test_no_name_leads_out_of_the_prefix(name: str) -> None:
    for names, row in ((Names(None), {"output": name}), (Names("{name}"), {"name": name})):
        with pytest.raises(OptionError, match=r"is no name under the prefix|is a hidden name"):
            names.name(0, row)


@pytest.mark.parametrize("template", ["{prompt.__class__}.mp4", "{0}.mp4", "{}.mp4", "{prompt[0]}.mp4", "{index"])
def test_a_template_reaches_into_nothing(template: str) -> None:
    with pytest.raises(OptionError, match=r"has the field|can't be read"):
        Names(template)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no frames": ({"output": "a.mp4"}, "row 0: it has no frames: give a folder"),
    "no output": ({"frames": "a.npy"}, "row 0: it has no output: name one, or give a template"),
    "misspelt": (
        {"frames": "a.npy", "output": "a.mp4", "qualty": "high"},
        "row 0: 'qualty' is no option: 'quality' is",
    ),
    "option": ({"frames": "a.npy", "output": "a.mp4", "quality": "best"}, "row 0: quality='best' is not known"),
    "codec": ({"frames": "a.npy", "output": "a.mp4", "codec": "vp9"}, "row 0: codec='vp9' does not go into mp4"),
    "extension": ({"frames": "a.npy", "output": "a.txt"}, r"row 0: the extension '\.txt' of 'a\.txt' is not known"),
    "hls": ({"frames": "a.npy", "output": "a.m3u8"}, "row 0: hls makes several files, of which a batch can't tell"),
    "an iterator": ({"frames": iter([1]), "output": "a.mp4"}, "row 0: its frames can be read once, and by this"),
    "an open file": ({"frames": io.BytesIO(), "output": "a.mp4"}, "row 0: its frames can be read once, and by this"),
    "key": ({"frames": "a.npz", "output": "a.mp4", "key": 5}, "row 0: key=5 is no name of an array"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_row_that_is_wrong_is_told_by_its_number(case: str) -> None:
    row, said = WRONG[case]
    with pytest.raises(OptionError, match=said):
        check_jobs(read_jobs([row], None, {}), None)


def test_all_rows_that_are_wrong_are_told_at_once() -> None:
    rows: list[Any] = [{"frames": "a.npy", "output": "a.mp4"}] * 2 + [7, {"output": "b.mp4"}]
    with pytest.raises(OptionError) as told:
        check_jobs(read_jobs(rows, None, {}), None)
    assert str(told.value).split("; ") == [
        "row 1: its output 'a.mp4' is that of row 0 too",
        "row 2: 7 is no row: give a dictionary with frames and options of export_video",
        "row 3: it has no frames: give a folder, a glob, a file of arrays or a video",
    ]


def test_inputs_are_looked_at_where_that_is_asked(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 8, 8, 3), np.uint8))
    np.save(tmp_path / "objects.npy", np.array([Path("x")], dtype=object), allow_pickle=True)
    rows = [{"frames": str(tmp_path / name), "output": f"{name}.mp4"} for name in ("a.npy", "none.npy", "objects.npy")]
    assert check_jobs(read_jobs(rows, None, {}), None) == 3
    found = list(read_jobs(rows, None, {}, look=True))
    assert isinstance(found[0], Job)
    assert "none.npy' does not exist" in str(found[1])
    assert "holds Python objects" in str(found[2])


@pytest.mark.parametrize(("name", "content"), [("a.txt", "x"), ("a.jsonl", "{"), ("a.jsonl", ""), ("a.parquet", "x")])
def test_what_is_no_table_is_refused(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises((InputError, OptionError), match=r"is no table|is no JSON|is empty|can't be read as a table"):
        list(read_jobs(tmp_path / name, None, {}))


def identity(row: dict[str, Any]) -> str:
    [job] = jobs_of([row])
    return identity_of(job, {})


def test_a_job_is_another_when_its_options_or_its_input_are(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((2, 8, 8, 3), np.uint8))
    [job] = jobs_of([{"frames": str(path), "output": "a.mp4"}])
    same = identity_of(job, {})
    assert identity({"frames": str(path), "output": "a.mp4", "prompt": "told"}) == same
    assert identity_of(job, {"fps": 8}) != same
    assert identity({"frames": str(path), "output": "b.mp4"}) != same
    np.save(path, np.zeros((3, 8, 8, 3), np.uint8))
    assert identity_of(job, {}) != same
    arrays = [identity({"frames": np.full((2, 8, 8, 3), each), "output": "a.mp4"}) for each in (1, 1, 2)]
    assert arrays[0] == arrays[1] != arrays[2]
