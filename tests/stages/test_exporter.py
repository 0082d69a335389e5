"""A batch of clips in columns, written by a stage that needs no Ray."""

from __future__ import annotations

import hashlib
import pickle
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import telecine
from telecine import OptionError, PublishError
from telecine.batch import Exporter

from ..support.helpers import assert_frames, greys, run_python
from ..support.object_store import BUCKET, SECRET, object_store

CLIPS = np.stack([greys(5), greys(6)[:5], greys(7)[:5]])  # (N, T, H, W, C)


def planes_of(video: Any) -> bytes:
    """The frames of a file, as bytes."""
    return np.array(list(telecine.read_frames(video))).tobytes()


def test_each_clip_is_a_file_and_the_batch_has_its_facts_in_place_of_its_frames(tmp_path: Path) -> None:
    write = telecine.batch.Exporter(
        tmp_path / "out", frames="video", template="{seed:03d}.mp4", fps="24000/1001", crf=1
    )
    batch = write({"video": CLIPS, "seed": np.array([3, 1, 2]), "prompt": np.array(["a", "b", "c"], object)})
    assert set(batch) == {
        *("seed", "prompt", "path", "sha256", "bytes", "frames", "fps", "width", "height", "codec", "error")
    }
    assert batch["prompt"].tolist() == ["a", "b", "c"]
    assert batch["path"].tolist() == [str(tmp_path / "out" / name) for name in ("003.mp4", "001.mp4", "002.mp4")]
    for index, path in enumerate(map(Path, batch["path"])):
        assert_frames(path, CLIPS[index])
        held = path.read_bytes()
        assert (batch["bytes"][index], batch["sha256"][index]) == (len(held), hashlib.sha256(held).hexdigest())
        info = telecine.probe(path)
        assert (batch["width"][index], batch["height"][index]) == (info.width, info.height) == (64, 48)
        assert Fraction(batch["fps"][index]) == info.fps == Fraction(24000, 1001)
    assert (batch["frames"].tolist(), batch["codec"].tolist()) == ([5, 5, 5], ["h264"] * 3)
    assert batch["error"].tolist() == ["", "", ""]


def ragged() -> npt.NDArray[Any]:
    """Clips of several sizes, as Ray gives them: an array of arrays."""
    clips = np.empty(2, object)
    clips[:] = [CLIPS[0], CLIPS[1][:3]]
    return clips


@pytest.mark.parametrize(
    ("column", "meant"),
    [
        (CLIPS.transpose(0, 1, 4, 2, 3), CLIPS),
        ((CLIPS / np.float32(255)).astype(np.float32), CLIPS),
        (ragged(), [CLIPS[0], CLIPS[1][:3]]),
        ([list(CLIPS[0])], CLIPS[:1]),
    ],
    ids=["TCHW", "float", "of several sizes", "lists of frames"],
)
def test_clips_may_be_what_an_export_takes(column: Any, meant: Any, tmp_path: Path) -> None:
    batch = Exporter(tmp_path, template="{id}.mp4")({"frames": column, "id": np.arange(len(column))})
    assert batch["error"].tolist() == [""] * len(meant)
    for index, clip in enumerate(meant):
        alone = telecine.export_bytes(clip, format="mp4")
        assert Path(batch["path"][index]).read_bytes() == alone


def test_read_only_arrays_are_written(tmp_path: Path) -> None:
    clips = CLIPS.copy()
    clips.flags.writeable = False
    assert Exporter(tmp_path)({"frames": clips})["error"].tolist() == ["", "", ""]


def test_a_clip_without_a_name_has_that_of_its_content_and_written_again_it_is_the_same_file(tmp_path: Path) -> None:
    first = Exporter(tmp_path, format="mov")({"frames": CLIPS})
    held = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(held) == 3
    assert {Path(path).suffix for path in first["path"]} == {".mov"}
    again = Exporter(tmp_path, format="mov")({"frames": CLIPS[::-1]})
    assert again["path"].tolist() == first["path"].tolist()[::-1]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == held
    other = Exporter(tmp_path, format="mov", fps=8)({"frames": CLIPS})
    assert not {*other["path"]} & {*first["path"]}


def test_columns_of_names_and_options_are_those_of_their_row(tmp_path: Path) -> None:
    batch = {
        "frames": CLIPS,
        "output": np.array(["a/b.mp4", "c.webm", "d.gif"]),
        "fps": np.array([8.0, np.nan, 10.0]),
        "metadata": np.array([{"prompt": "a panda"}, None, None], object),
    }
    written = Exporter(tmp_path, fps=24)(batch)
    assert written["error"].tolist() == ["", "", ""]
    assert written["path"].tolist() == [str(tmp_path / name) for name in ("a/b.mp4", "c.webm", "d.gif")]
    assert written["fps"].tolist() == ["8", "24", "10"]
    assert telecine.probe(tmp_path / "a" / "b.mp4").metadata["prompt"] == "a panda"


def test_a_clip_that_can_not_be_written_has_its_reason_and_the_others_are(tmp_path: Path) -> None:
    clips = np.empty(4, object)
    clips[:] = [CLIPS[0], np.zeros((5, 48, 64, 7), np.uint8), CLIPS[1], CLIPS[2]]
    names = np.array(["a.mp4", "b.mp4", "a.mp4", "../c.mp4"])
    batch = Exporter(tmp_path / "out")({"frames": clips, "output": names})
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.mp4"]
    assert planes_of(tmp_path / "out" / "a.mp4") == planes_of_exported(CLIPS[0], tmp_path)
    assert batch["path"].tolist() == [str(tmp_path / "out" / "a.mp4"), "", "", ""]
    assert batch["frames"].tolist() == [5, 0, 0, 0]
    errors = batch["error"].tolist()
    assert errors[0] == ""
    assert "(5, 48, 64, 7)" in errors[1]
    assert errors[2] == "its output 'a.mp4' is that of another clip too"
    assert errors[3].startswith("output='../c.mp4' is no name under the prefix")


def planes_of_exported(clip: Any, folder: Path) -> bytes:
    return planes_of(telecine.export_video(clip, folder / "alone.mp4"))


def test_an_empty_batch_has_the_columns_of_any_other(tmp_path: Path) -> None:
    full, empty = (Exporter(tmp_path)({"frames": clips}) for clips in (CLIPS, CLIPS[:0]))
    assert {name: column.dtype.kind for name, column in empty.items()} == {
        name: column.dtype.kind for name, column in full.items()
    }
    assert all(len(column) == 0 for column in empty.values())


def test_it_goes_from_process_to_process(tmp_path: Path) -> None:
    write = pickle.loads(pickle.dumps(Exporter(tmp_path, frames="video", template="{id}.mp4", fps=8)))
    assert write({"video": CLIPS, "id": np.arange(3)})["path"].tolist() == [
        str(tmp_path / f"{n}.mp4") for n in range(3)
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"template": "{0}.mp4"}, "template='{0}.mp4' has the field '0'"),
        ({"template": "{id}.mp3"}, "the extension '.mp3' of '{id}.mp3' is not known"),
        ({"template": "{id}.mp4", "crf": 99}, "crf=99 is "),
        ({"overwrite": False}, "overwrite= is of one export, not of a batch: leave it out"),
        ({"storage_options": {"key": "a"}}, "storage_options= goes with a URL"),
    ],
)
def test_arguments_are_looked_at_before_a_batch_comes(arguments: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError) as raised:
        Exporter(tmp_path / "out", **arguments)
    assert str(raised.value).startswith(said)
    assert not (tmp_path / "out").exists()


def test_an_option_that_there_is_not_is_refused_as_of_any_function(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"^Exporter\(\) got an unexpected keyword argument 'codek'$"):
        Exporter(tmp_path, codek="h264")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        ({"video": CLIPS}, "a batch has no column 'frames' but video: say frames=, which it is"),
        ([CLIPS], "a batch is a list: use batch_format='numpy', for columns by names"),
    ],
)
def test_a_batch_without_frames_is_refused(batch: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError) as raised:
        Exporter(tmp_path)(batch)
    assert str(raised.value) == said


def test_a_template_that_asks_for_a_number_takes_that_of_a_column(tmp_path: Path) -> None:
    write = Exporter(tmp_path, template="{index:02d}.mp4")
    assert write({"frames": CLIPS[:1]})["error"].tolist() == ["the template asks for 'index', which is no column of it"]
    assert write({"frames": CLIPS[:1], "index": np.array([7])})["path"].tolist() == [str(tmp_path / "07.mp4")]


def test_a_place_that_can_not_be_written_ends_the_pipeline(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PublishError):
        Exporter(tmp_path / "file")({"frames": CLIPS})


@pytest.mark.slow
def test_an_upload_that_fails_is_told_without_credentials_and_the_others_are_there(tmp_path: Path) -> None:
    with object_store() as store:
        store.fault = lambda said: 403 if said.startswith("PUT") and "/1.mp4" in said else None
        write = Exporter(f"s3://{BUCKET}/run/", template="{id}.mp4", storage_options=store.options)
        batch = write({"frames": CLIPS, "id": np.arange(3)})
        assert store.names() == ["run/0.mp4", "run/2.mp4"]
        assert store.filesystem.cat_file(f"{BUCKET}/run/2.mp4") == telecine.export_bytes(CLIPS[2])
    assert batch["path"].tolist() == [f"s3://{BUCKET}/run/0.mp4", "", f"s3://{BUCKET}/run/2.mp4"]
    assert batch["error"][1].startswith(f"'s3://{BUCKET}/run/1.mp4' can't be written: ")
    assert SECRET not in batch["error"][1]


def test_it_imports_no_ray(tmp_path: Path) -> None:
    script = "import sys, telecine; telecine.batch.Exporter('out'); print('ray' in sys.modules)"
    assert run_python(script, tmp_path) == "False\n"
