"""What is read from file objects and from stores by URL: the same as from a path."""

from __future__ import annotations

import io
import threading
import traceback
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, cast

import fsspec
import numpy as np
import pytest

import telecine
from telecine import InputError, OptionError, export_video, probe, read_frames, read_timestamps, verify
from telecine.files.files import opened_file
from telecine.read.frames import read_timestamps_whole
from telecine.read.probe import probe_whole

from ..support.helpers import greys, names_in
from ..support.large import large_video
from ..support.object_store import BUCKET, ObjectStore

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("temporary"),
    pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning"),
]

FRAMES = greys(12)
TIMES = [index / 10 + (index > 3) for index in range(12)]


@pytest.fixture(autouse=True)
def by_environment(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the store found by the environment."""
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    monkeypatch.setenv("AWS_ENDPOINT_URL", store.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "unknown")


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.gif", "clip.webp"])
def test_a_file_object_and_a_url_are_read_as_the_path_is(name: str, store: ObjectStore, tmp_path: Path) -> None:
    video = export_video(FRAMES, tmp_path / name, timestamps=TIMES, quality="visually-lossless")
    url = f"s3://{BUCKET}/some/{name}"
    store.filesystem.pipe_file(url, video.read_bytes())
    info = probe(video)
    for source in (url, io.BytesIO(video.read_bytes())):
        facts = probe(source)
        assert {**vars(facts), "path": video.path} == vars(info)
        assert str(facts.path) == (url if source == url else "the open file")
        assert read_timestamps(source) == read_timestamps(video)
        pairs = zip(read_frames(source), read_frames(video), strict=True)
        assert all(np.array_equal(found, expected) for found, expected in pairs)
        report = verify(source, FRAMES)
        assert report.ok or name.endswith("gif")
        assert str(report.path) == str(facts.path)


def test_a_video_that_went_to_a_store_is_read_by_what_it_was_written_with(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    video = export_video(FRAMES, f"s3://{BUCKET}/clip.mp4", storage_options=store.options)
    assert (probe(video).frame_count, probe(video.path).frame_count) == (12, 12)
    assert verify(video, FRAMES).ok
    assert video._repr_html_().startswith("<video controls")


def test_what_a_store_is_opened_with_is_given_to_whatever_reads(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options: Any = {"storage_options": store.options}
    url, folder = f"s3://{BUCKET}/clip.mp4", f"s3://{BUCKET}/told"
    video = export_video(FRAMES, url, metadata={"title": "A title"}, **options)
    local = tmp_path / "clip.mp4"
    local.write_bytes(video.read_bytes())
    export_video(FRAMES, folder, format="png", **options)
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert probe(url, **options).frame_count == 12
    assert read_timestamps(url, **options) == read_timestamps(local)
    pairs = zip(read_frames(url, **options), read_frames(local), strict=True)
    assert all(np.array_equal(found, expected) for found, expected in pairs)
    assert verify(url, FRAMES, **options).ok
    assert verify(local, folder, **options).ok
    assert telecine.read_provenance(url, **options).state == "no manifest"
    assert len(cast(list[Path], telecine.open_frames(folder, **options))) == 12
    # A file that is read again is opened as it was.
    assert str(telecine.strip(url, **options).path) == url
    assert (str(telecine.strip(video).path), probe(video).metadata) == (url, {})
    telecine.strip(local, f"s3://{BUCKET}/stripped.mp4", **options)
    assert store.filesystem.cat(f"s3://{BUCKET}/stripped.mp4") == store.filesystem.cat(url)


def test_the_options_go_with_the_path_or_else_with_what_is_read(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    few, options = FRAMES[:2], cast(dict[str, Any], {"storage_options": store.options})
    sound = f"s3://{BUCKET}/sound.mp4"
    export_video(few, sound, audio=np.zeros((4800, 1), np.int16), audio_rate=48_000, **options)
    images = [f"s3://{BUCKET}/images/{index:06d}.png" for index in range(2)]
    export_video(few, f"s3://{BUCKET}/images", format="png", **options)
    in_memory = fsspec.filesystem("memory")
    in_memory.pipe_file("memory://sounds/sound.mp4", store.filesystem.cat(sound))
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    expected = export_video(few, tmp_path / "expected.mp4").read_bytes()
    assert export_video(images, tmp_path / "clip.mp4", **options).read_bytes() == expected
    assert probe(export_video(few, tmp_path / "clip.mp4", audio=sound, **options)).audio
    assert probe(export_video(images, f"s3://{BUCKET}/clip.mp4", audio=sound, **options)).audio
    other = "memory://sounds/sound.mp4"
    assert probe(export_video(images, f"s3://{BUCKET}/clip.mp4", audio=other, **options)).audio
    assert len(list(telecine.stream_video(images, **options))) > 1
    calls: list[Any] = [
        probe,
        read_frames,
        read_timestamps,
        telecine.read_provenance,
        telecine.open_frames,
        telecine.strip,
    ]
    for call in (*calls, lambda path, **given: verify(path, few, **given), partial(export_video, few)):
        with pytest.raises(
            OptionError, match=r"storage_options= goes with a URL, such as s3://bucket/clip\.mp4: leave"
        ):
            call(tmp_path / "clip.mp4", **options)


def test_frames_are_taken_from_urls(store: ObjectStore, tmp_path: Path) -> None:
    few = FRAMES[:3]
    export_video(few, f"s3://{BUCKET}/frames", format="png", storage_options=store.options)
    array = io.BytesIO()
    np.save(array, few)
    store.filesystem.pipe_file(f"{BUCKET}/frames.npy", array.getvalue())
    export_video(few, f"s3://{BUCKET}/lossless.mkv", codec="ffv1", storage_options=store.options)
    expected = export_video(few, tmp_path / "expected.mp4").read_bytes()
    frames: dict[str, Any] = {
        "folder": f"s3://{BUCKET}/frames",
        "glob": f"s3://{BUCKET}/frames/*.png",
        "images": [f"s3://{BUCKET}/frames/{index:06d}.png" for index in range(3)],
        "array": f"s3://{BUCKET}/frames.npy",
        "video": f"s3://{BUCKET}/lossless.mkv",
    }
    for each in frames.values():
        assert export_video(each, tmp_path / "clip.mp4").read_bytes() == expected
    assert names_in(tmp_path) == ["clip.mp4", "expected.mp4", "temporary"]


def test_no_more_is_read_than_is_asked_for(store: ObjectStore) -> None:
    data = telecine.export_bytes(np.random.default_rng(0).integers(0, 256, (40, 512, 512, 3), np.uint8))
    store.filesystem.pipe_file(f"{BUCKET}/clip.mp4", data)
    store.requests.clear()
    next(read_frames(f"s3://{BUCKET}/clip.mp4"))
    ranges = [each for each in store.requests if each.startswith("GET")]
    assert len(data) > 6_000_000
    assert len(ranges) <= 8  # of a quarter of a megabyte


def test_what_is_read_here_and_there_is_what_is_there() -> None:
    data = np.random.default_rng(0).bytes(6_000_000)  # more than is kept of it
    fsspec.filesystem("memory").pipe_file("/data", data)
    random = np.random.default_rng(1)
    with opened_file("memory://data") as file:
        for _ in range(300):
            at, size = int(random.integers(0, len(data))), int(random.choice([1, 5000, 300_000, 1_500_000]))
            assert file.seek(at) == at
            assert file.read(size) == data[at : at + size]
            assert file.tell() == min(at + size, len(data))
        assert file.seek(-10, io.SEEK_END) == len(data) - 10
        assert (file.read(), file.read(1)) == (data[-10:], b"")
        assert file.seek(len(data) + 5) == len(data) + 5
        assert file.read(1) == b""


@pytest.mark.parametrize("movflags", ["+faststart", "+use_metadata_tags"], ids=["front", "end"])
def test_of_100_megabytes_less_than_one_is_asked_for(movflags: str, store: ObjectStore, tmp_path: Path) -> None:
    path = large_video(tmp_path / "clip.mp4", 100_000_000, movflags)
    url = f"s3://{BUCKET}/clip.mp4"
    store.filesystem.put_file(str(path), url)
    store.sent.clear()
    info = probe(url)
    assert 0 < sum(store.sent) < 1_000_000
    assert {**vars(info), "path": path} == vars(probe_whole(path))
    store.sent.clear()
    times = read_timestamps(url)
    assert 0 < sum(store.sent) < 1_000_000
    assert times == read_timestamps_whole(path)
    path.unlink()


def test_what_is_not_there_is_said(store: ObjectStore) -> None:
    with pytest.raises(InputError, match=r"'s3://clips/nothing\.mp4' can't be read: No such file") as failed:
        probe(f"s3://{BUCKET}/nothing.mp4")
    assert failed.value.errno == 2
    store.fault = lambda _: 403
    try:
        with pytest.raises(InputError, match=r"'s3://clips/nothing\.mp4' can't be read: ") as failed:
            probe(f"s3://{BUCKET}/nothing.mp4")
    finally:
        store.fault = lambda _: None
    assert failed.value.errno == 13


class Refusing(BaseHTTPRequestHandler):
    """Answers all requests with the status that the path begins with."""

    def do_GET(self) -> None:
        self.send_response(int(self.path[1:4]))
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    def log_message(self, *_: object) -> None:
        pass


def test_what_a_server_refuses_is_said_and_no_part_of_the_query() -> None:
    said = {
        403: (13, "the server answers 403 Forbidden"),
        500: (5, "the server answers 500 Internal Server Error"),
        404: (2, "the server answers 404 Not Found"),
    }
    query = "?X-Amz-Credential=AKIA%2F2026%2Fus-east-1&X-Amz-Signature=0123456789abcdef"
    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever).start()
        root = f"http://127.0.0.1:{server.server_port}"
        try:
            for status, (number, words) in said.items():
                with pytest.raises(InputError) as failed:
                    probe(f"{root}/{status}/clip.mp4{query}")
                assert str(failed.value).startswith(f"'{root}/{status}/clip.mp4' can't be read: {words}")
                assert failed.value.errno == number
                everything = "".join(traceback.format_exception(failed.value))
                assert not [secret for secret in ("AKIA", "0123456789abcdef") if secret in everything]
        finally:
            server.shutdown()
    with pytest.raises(InputError, match=r"can't be read: .*[Cc]onnect") as failed:
        probe(f"{root}/200/clip.mp4{query}")
    assert "0123456789abcdef" not in "".join(traceback.format_exception(failed.value))
