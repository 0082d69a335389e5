"""A `Video` goes into other libraries where they take the text of a path: each has the file, by its right name."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from telecine import Video, export_video

from ..support.helpers import HEIGHT, WIDTH, greys

pytestmark = pytest.mark.slow  # these libraries take seconds to be imported

COUNT, FPS = 6, 8


@pytest.fixture
def video(tmp_path: Path) -> Video:
    """One whose name is hard: a space, a percent sign, a letter that is not ASCII."""
    return export_video(greys(COUNT), tmp_path / "a clip" / "100% ü.mp4", fps=FPS)


# ---- pages ---------------------------------------------------------------------------------------------------------


def test_gradio_serves_it(video: Video) -> None:
    gradio = import_module("gradio")
    given = gradio.Video(value=video).value
    assert given["orig_name"] == "100% ü.mp4"
    assert Path(given["path"]).read_bytes() == video.read_bytes()
    returned = gradio.Video().postprocess(video)
    assert Path(returned.path).read_bytes() == video.read_bytes()
    assert gradio.File().postprocess(video).size == video.size_bytes
    (shown,) = gradio.Gallery().postprocess([video]).root
    assert Path(shown.video.path).read_bytes() == video.read_bytes()


def test_gradio_gives_it_back_as_text(video: Video) -> None:
    gradio = import_module("gradio")
    returned = gradio.Video().postprocess(video)
    assert json.loads(returned.model_dump_json())["path"] == str(video)


def streamlit_app(video: str) -> None:
    import streamlit  # of whose app this is the whole source

    streamlit.video(video)


def test_streamlit_plays_it(video: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # which the app takes the place of
    app = import_module("streamlit.testing.v1").AppTest.from_function(streamlit_app, args=(video,))
    run = app.run(timeout=60)
    assert not run.exception
    (element,) = run.main.children.values()
    assert element.type == "video"
    assert element.proto.url.endswith(".mp4")


# ---- data sets -----------------------------------------------------------------------------------------------------


def test_datasets_has_a_column_of_it(video: Video, tmp_path: Path) -> None:
    datasets = import_module("datasets")
    cast = datasets.Dataset.from_dict({"video": [video]}).cast_column("video", datasets.Video())
    assert len(cast[0]["video"]) == COUNT
    features = datasets.Features({"video": datasets.Video(decode=False)})
    made = datasets.Dataset.from_generator(
        lambda: iter([{"video": video}]), features=features, cache_dir=str(tmp_path / "cache")
    )
    made.save_to_disk(tmp_path / "saved")
    saved = datasets.load_from_disk(tmp_path / "saved")[0]["video"]
    assert saved == {"path": video.path.name, "bytes": video.read_bytes()}


def test_webdataset_packs_its_bytes_and_its_name(video: Video, tmp_path: Path) -> None:
    webdataset = import_module("webdataset")
    shard = str(tmp_path / "shard.tar")
    with webdataset.TarWriter(shard) as writer:
        writer.write({"__key__": "clip", "mp4": video.read_bytes(), "json": {"source": video}, "txt": video})
    (sample,) = webdataset.WebDataset(shard, shardshuffle=False)
    assert sample["mp4"] == video.read_bytes()
    assert json.loads(sample["json"]) == {"source": str(video)}
    assert sample["txt"].decode() == str(video)


def test_pandas_and_arrow_have_its_text(video: Video, tmp_path: Path) -> None:
    pandas, arrow = import_module("pandas"), import_module("pyarrow")
    frame = pandas.DataFrame({"video": [video], "frames": [video.frame_count]})
    frame.to_parquet(tmp_path / "clips.parquet")
    frame.to_csv(tmp_path / "clips.csv")
    assert pandas.read_parquet(tmp_path / "clips.parquet").video.tolist() == [str(video)]
    assert pandas.read_csv(tmp_path / "clips.csv").video.tolist() == [str(video)]
    assert arrow.array([video]).to_pylist() == [str(video)]
    assert np.array([video]).tolist() == [str(video)]


# ---- readers -------------------------------------------------------------------------------------------------------


def torchcodec(path: Any) -> int:
    return len(import_module("torchcodec.decoders").VideoDecoder(path))


def imageio(path: Any) -> int:
    return len(import_module("imageio.v3").imread(path, plugin="pyav"))


def imageio_ffmpeg(path: Any) -> int:
    with import_module("imageio").get_reader(path) as reader:
        return sum(1 for _ in reader)  # whose length is infinite


def opencv(path: Any) -> int:
    cv2 = import_module("cv2")
    return int(cv2.VideoCapture(path).get(cv2.CAP_PROP_FRAME_COUNT))


def mediapy(path: Any) -> int:
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        pytest.skip("mediapy runs ffmpeg and ffprobe, which are not installed")
    return len(import_module("mediapy").read_video(path))


def pyav_of_text(path: Any) -> int:
    with import_module("av").open(str(path)) as container:
        return len(list(container.decode(video=0)))


@pytest.mark.parametrize("read", [torchcodec, imageio, imageio_ffmpeg, opencv, mediapy, pyav_of_text])
def test_a_reader_opens_it(read: Callable[[Any], int], video: Video) -> None:
    assert read(video) == COUNT


def test_pyav_takes_text_that_is_nothing_more(video: Video) -> None:
    with pytest.raises(TypeError, match="Expected str"):  # when this passes, docs/compat.md need not say so
        import_module("av").open(video)


# ---- where clips are kept ------------------------------------------------------------------------------------------


def test_loggers_take_it_as_a_file(video: Video) -> None:
    assert import_module("wandb").Video(video, format="mp4")._path == str(video)
    assert import_module("trackio").Video(video)._value == str(video)


def test_the_hub_uploads_it(video: Video) -> None:
    operation = import_module("huggingface_hub").CommitOperationAdd("clip.mp4", video)
    assert operation.upload_info.size == video.size_bytes
    with operation.as_file() as file:
        assert file.read() == video.read_bytes()


def test_pydantic_and_orjson_have_its_text(video: Video) -> None:
    pydantic = import_module("pydantic")
    record = pydantic.create_model("Record", video=(str, ...), file=(pydantic.FilePath, ...))(video=video, file=video)
    assert json.loads(record.model_dump_json()) == {"video": str(video), "file": str(video)}
    assert import_module("orjson").loads(import_module("orjson").dumps([video])) == [str(video)]


def test_ipython_shows_a_player_of_it_and_its_facts(video: Video) -> None:
    shown, _ = import_module("IPython.core.formatters").DisplayFormatter().format(video)
    assert shown["text/plain"].startswith("Video(path=")
    assert f'width="{WIDTH}" height="{HEIGHT}"' in shown["text/html"]
