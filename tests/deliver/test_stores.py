"""Exports to stores by URL: whole or not at all, whatever the network does, and no credential in what is said."""

from __future__ import annotations

import contextlib
import json
import logging
import pickle
import re
import signal
import subprocess
import sys
import threading
import traceback
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest

from telecine import (
    MissingDependencyError,
    OptionError,
    PublishError,
    TelecineWarning,
    VideoWriter,
    export_bytes,
    export_video,
    probe,
    recover,
)
from telecine.deliver import stores

from ..support.helpers import Asked, failing_at, greys
from ..support.object_store import BUCKET, SECRET, ObjectStore

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("temporary"),
    pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning"),
]

FRAMES = np.random.default_rng(0).integers(0, 256, (6, 48, 64, 3), np.uint8)
LARGE = np.random.default_rng(0).integers(0, 256, (40, 512, 512, 3), np.uint8)
URL = f"s3://{BUCKET}/a/clip.mkv"
CLOSED = f"s3://{BUCKET}/closed/clip.mkv"
LOSSLESS: dict[str, Any] = {"codec": "ffv1"}  # in which noise takes as many bytes: four parts


def staged(temporary: Path) -> list[str]:
    return sorted(each.name for each in temporary.rglob("*") if each.is_file())


@pytest.mark.parametrize("format", ["mp4", "gif"])
def test_a_url_gets_the_bytes_that_a_path_gets(format: Any, store: ObjectStore, temporary: Path) -> None:
    url = f"s3://{BUCKET}/some/where/clip.{format}"
    video = export_video(FRAMES, url, storage_options=store.options)
    assert store.filesystem.cat(url) == export_bytes(FRAMES, format=format) == video.read_bytes()
    assert store.filesystem.info(url)["ContentType"] == {"mp4": "video/mp4", "gif": "image/gif"}[format]
    assert (str(video), str(video.path), video.path.name) == (url, url, f"clip.{format}")
    assert (store.uploads(), staged(temporary)) == ([], [])
    again = pickle.loads(pickle.dumps(video))
    assert (str(again), again) == (url, video)


def test_a_large_file_goes_in_parts_and_its_name_comes_last(store: ObjectStore) -> None:
    export_video(LARGE, URL, storage_options=store.options, **LOSSLESS)
    parts = [each for each in store.requests if "partNumber" in each]
    assert len(parts) > 2
    assert re.fullmatch(r"POST /clips/a/clip\.mkv\?uploadId=\S+", store.requests[-1])
    assert store.filesystem.cat(URL) == export_bytes(LARGE, format="mkv", **LOSSLESS)


def test_a_folder_of_images_goes_under_the_prefix_and_its_list_last(store: ObjectStore, tmp_path: Path) -> None:
    url = f"s3://{BUCKET}/frames"
    folder = export_video(FRAMES, tmp_path / "frames", format="png").path
    for count in (6, 4):
        video = export_video(FRAMES[:count], url, format="png", storage_options=store.options)
        names = [f"{index:06d}.png" for index in range(count)]
        assert store.names() == [*(f"frames/{name}" for name in names), "frames/manifest.json"]
        assert "manifest.json" in [each for each in store.requests if each.startswith("PUT")][-1]
        listed = json.loads(store.filesystem.cat(f"{url}/manifest.json"))["images"]
        assert listed == [{"name": name, "bytes": (folder / name).stat().st_size} for name in names]
        assert all(store.filesystem.cat(f"{url}/{name}") == (folder / name).read_bytes() for name in names)
        assert (str(video), video.frame_count) == (url, count)


@pytest.mark.parametrize("place", ["live/clip.m3u8", "live/"])
def test_a_playlist_goes_beside_its_segments_as_they_come(
    place: str, store: ObjectStore, tmp_path: Path, temporary: Path
) -> None:
    url, frames = f"s3://{BUCKET}/{place}", np.repeat(greys(1), 20, axis=0)
    name = "clip.m3u8" if place.endswith("8") else "index.m3u8"
    how: dict[str, Any] = {"fps": 16, "fragment": 0.5, "format": "hls"}
    file = export_video(frames, tmp_path / name, **how)
    given: list[str] = []
    with VideoWriter(url, storage_options=store.options, **how) as writer:
        for frame in frames:
            writer.write(frame)
            while writer.queued:
                pass
        given = store.names()
    assert f"live/{name}" in given
    assert store.names() == sorted(f"live/{each.name}" for each in tmp_path.iterdir() if each.is_file())
    assert all(store.filesystem.cat(f"{BUCKET}/live/{each.name}") == each.read_bytes() for each in files_in(tmp_path))
    assert str(writer.video) == f"s3://{BUCKET}/live/{name}"
    assert writer.video.read_bytes() == file.read_bytes()
    kinds = {store.filesystem.info(f"{BUCKET}/{each}")["ContentType"] for each in store.names()}
    assert kinds == {"application/vnd.apple.mpegurl", "video/mp4", "video/iso.segment"}
    assert staged(temporary) == []
    with pytest.raises(PublishError, match="exists and overwrite is False"):
        export_video(frames, url, storage_options=store.options, overwrite=False, **how)


def files_in(folder: Path) -> list[Path]:
    return [each for each in folder.iterdir() if each.is_file()]


def test_of_a_playlist_whose_model_failed_the_frames_are_recovered_beside_it(
    store: ObjectStore, temporary: Path
) -> None:
    url, still = f"s3://{BUCKET}/live/clip.m3u8", np.repeat(greys(1), 20, axis=0)
    frames = failing_at(18, still, RuntimeError("the model failed"))
    with pytest.raises(RuntimeError, match="the model failed"):
        export_video(frames, url, fps=16, fragment=0.5, storage_options=store.options)
    assert b"ENDLIST" not in store.filesystem.cat(url)
    video = recover(url, storage_options=store.options)
    assert (str(video), video.frame_count) == (f"s3://{BUCKET}/live/clip.mp4", 18)
    assert staged(temporary) == []
    export_video(still, url, fps=16, storage_options=store.options)
    assert [each for each in store.names() if each.endswith("m4s")] == [
        line for line in map("live/{}".format, store.filesystem.cat(url).decode().split()) if line.endswith("m4s")
    ]


@pytest.mark.parametrize("url", ["memory://live/clip.m3u8", "http://here/clip.m3u8"])
def test_a_playlist_goes_where_files_can_be_written(url: str) -> None:
    if url.startswith("http"):
        with pytest.raises(OptionError, match="can't be written over http: use s3, gs, az, hf"):
            VideoWriter(url)
        return
    before = fsspec.filesystem("memory").find("/live")
    video = export_video(greys(8), url)
    assert video.read_bytes().endswith(b"#EXT-X-ENDLIST\n")
    writer = VideoWriter(url, fragment=0.25)
    writer.write(greys(40))
    writer.abort()
    assert video.read_bytes().endswith(b"#EXT-X-ENDLIST\n")
    assert len(fsspec.filesystem("memory").find("/live")) == len(before) + 3


def test_memory_is_a_store_too() -> None:
    video = export_video(FRAMES, "memory://some/clip.mp4")
    assert fsspec.filesystem("memory").cat("/some/clip.mp4") == video.read_bytes()


class Told:
    """What progress is told: of frames, and then of bytes."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, int | None]] = []
        self.bytes: list[tuple[int, int]] = []

    def __call__(self, done: int, in_all: int | None) -> None:
        assert self.bytes == []
        self.frames.append((done, in_all))

    def uploaded(self, done: int, in_all: int) -> None:
        self.bytes.append((done, in_all))


def test_progress_is_told_of_the_parts_of_an_upload(store: ObjectStore) -> None:
    told = Told()
    video = export_video(LARGE, URL, storage_options=store.options, progress=told, **LOSSLESS)
    size, parts = video.size_bytes, range(0, video.size_bytes, 8 << 20)
    assert told.frames == [(count, 40) for count in range(1, 41)]
    assert len(parts) > 2
    assert {in_all for _, in_all in told.bytes} == {size}
    done = [done for done, _ in told.bytes]
    assert done == sorted(set(done))
    assert (done[0], done[-1], len(done)) == (0, size, 1 + len(parts))
    with VideoWriter("memory://some/clip.mp4", progress=told) as writer:
        told.bytes.clear()
        writer.write(FRAMES)
    assert told.bytes[-1] == (writer.video.size_bytes, writer.video.size_bytes)


def test_progress_is_told_of_all_images_of_a_folder(store: ObjectStore) -> None:
    told = Told()
    video = export_video(FRAMES, f"s3://{BUCKET}/frames", format="png", storage_options=store.options, progress=told)
    sizes = [store.filesystem.size(f"{BUCKET}/frames/{index:06d}.png") for index in range(6)]
    assert sorted({done for done, _ in told.bytes}) == [sum(sizes[:count]) for count in range(7)]
    assert {in_all for _, in_all in told.bytes} == {sum(sizes)} == {video.size_bytes}


def test_the_bar_goes_on_to_the_upload(capsys: pytest.CaptureFixture[str]) -> None:
    video = export_video(LARGE[:4], "memory://some/clip.mkv", progress=True, **LOSSLESS)
    size = f"{video.size_bytes / 1e6:.1f}"
    said = capsys.readouterr().err
    assert re.search(r"exporting .*4/4 .*frames/s", said)
    assert re.search(rf"uploading .*{size} of {size} MB", said)


def test_an_upload_goes_on_where_its_progress_fails(store: ObjectStore) -> None:
    class Failing(Told):
        def uploaded(self, done: int, in_all: int) -> None:
            super().uploaded(done, in_all)
            raise ValueError("no terminal")

    told, said = Failing(), "progress.uploaded failed, and was told no more: ValueError('no terminal')"
    with pytest.warns(TelecineWarning, match=re.escape(said)):
        video = export_video(FRAMES, URL, storage_options=store.options, progress=told)
    assert (len(told.bytes), said in video.notes, store.names()) == (1, True, ["a/clip.mkv"])


# ---- what is there already -----------------------------------------------------------------------------------------


def test_what_is_there_stays_with_overwrite_false(store: ObjectStore) -> None:
    store.filesystem.pipe_file(URL, b"older")
    frames = Asked(FRAMES)
    with pytest.raises(PublishError, match=f"{URL!r} exists and overwrite is False") as refused:
        export_video(frames, URL, overwrite=False, storage_options=store.options)
    assert (refused.value.errno, frames.count, store.filesystem.cat(URL)) == (17, 0, b"older")


@pytest.mark.parametrize("frames", [FRAMES, LARGE], ids=["in one", "in parts"])
def test_what_comes_meanwhile_stays_with_overwrite_false(frames: Any, store: ObjectStore, temporary: Path) -> None:
    def write() -> None:
        store.fault = lambda _: None
        store.filesystem.pipe_file(URL, b"somebody else's")

    store.fault = lambda said: write if "partNumber" in said or said.startswith("PUT /clips/a/clip.mkv") else None
    with pytest.raises(PublishError, match=r"exists and overwrite is False; \d+ of \d+ frames are kept"):
        export_video(frames, URL, overwrite=False, storage_options=store.options, **LOSSLESS)
    assert (store.filesystem.cat(URL), store.uploads()) == (b"somebody else's", [])
    other = f"s3://{BUCKET}/other.mp4"
    assert recover(URL, temporary / "recovered.mkv", storage_options=store.options).frame_count == len(frames)
    export_video(FRAMES, other, overwrite=False, storage_options=store.options)
    assert store.names() == ["a/clip.mkv", "other.mp4"]


# ---- faults --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [500, 503, "reset"])
def test_what_passes_is_tried_again(fault: Any, store: ObjectStore) -> None:
    left = {"partNumber=2": 1, "uploads": 1, "uploadId": 1}

    def once(said: str) -> Any:
        for part in left:
            if part in said and left[part]:
                left[part] -= 1
                return fault
        return None

    store.fault = once
    export_video(LARGE, URL, storage_options=store.options, **LOSSLESS)
    assert store.filesystem.cat(URL) == export_bytes(LARGE, format="mkv", **LOSSLESS)
    assert (left["partNumber=2"], store.uploads()) == (0, [])


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize(("frames", "answer"), [(FRAMES, "PUT"), (LARGE, "POST")], ids=["in one", "in parts"])
def test_a_file_whose_answer_was_lost_is_there(
    frames: Any, answer: str, overwrite: bool, store: ObjectStore, temporary: Path
) -> None:
    asked: list[str] = []

    def once(said: str) -> Any:
        if said.startswith(answer) and "partNumber" not in said and not said.endswith("?uploads"):
            asked.append(said)
        return "lost" if asked == [said] else None

    store.fault = once
    video = export_video(frames, URL, storage_options=store.options, overwrite=overwrite, **LOSSLESS)
    assert len(asked) > 1
    assert store.filesystem.cat(URL) == export_bytes(frames, format="mkv", **LOSSLESS)
    assert (video.frame_count, store.uploads(), staged(temporary)) == (len(frames), [], [])


def test_an_answer_that_does_not_come_is_not_waited_for(store: ObjectStore) -> None:
    again, puts = threading.Event(), list[str]()

    def hang() -> None:
        assert again.wait(60)
        raise ConnectionResetError

    def first(said: str) -> Any:
        if not said.startswith("PUT"):
            return None
        puts.append(said)
        if len(puts) > 1:
            again.set()
        return hang if len(puts) == 1 else None

    store.fault = first
    options = store.options | {"config_kwargs": {"read_timeout": 1}}
    export_video(FRAMES, URL, storage_options=options, **LOSSLESS)
    assert again.is_set()
    assert store.filesystem.cat(URL) == export_bytes(FRAMES, format="mkv", **LOSSLESS)


def test_what_does_not_pass_leaves_nothing_and_the_frames_are_kept(store: ObjectStore, temporary: Path) -> None:
    store.filesystem.pipe_file(URL, b"older")
    store.fault = lambda said: 403 if "partNumber=2" in said else None
    with pytest.raises(PublishError, match=rf"{URL!r} can't be written: .*; 40 of 40 frames are kept"):
        export_video(LARGE, URL, storage_options=store.options, **LOSSLESS)
    store.fault = lambda _: None
    assert (store.filesystem.cat(URL), store.uploads()) == (b"older", [])
    assert recover(URL, temporary / "recovered.mkv", storage_options=store.options).frame_count == 40


@pytest.mark.parametrize("url", ["s3://nobody-s/clip.mp4", CLOSED], ids=["no bucket", "no right"])
def test_who_may_not_write_is_told_before_the_first_frame(url: str, store: ObjectStore, temporary: Path) -> None:
    store.fault = lambda said: 403 if url == CLOSED else None
    frames = Asked(FRAMES)
    with pytest.raises(PublishError, match=re.escape(repr(url)) + " can't be written: ") as refused:
        export_video(frames, url, storage_options=store.options)
    assert (refused.value.errno, frames.count) == ({CLOSED: 13}.get(url, 2), 0)
    assert staged(temporary) == []


def test_a_repository_that_is_not_there_is_told_before_the_first_frame() -> None:
    pytest.importorskip("huggingface_hub")

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    asked: list[str] = []
    frames, url = Asked(FRAMES), "hf://datasets/nobody/clips/a.mp4"
    with HTTPServer(("127.0.0.1", 0), Hub) as hub:
        threading.Thread(target=hub.serve_forever).start()
        options = {"endpoint": f"http://127.0.0.1:{hub.server_port}", "token": "hf_nobody"}
        try:
            with pytest.raises(PublishError, match=f"'{url}' can't be written: ") as refused:
                export_video(frames, url, storage_options=options)
        finally:
            hub.shutdown()
    assert (asked, frames.count, refused.value.errno) == (["/api/datasets/nobody/clips"], 0, 2)


def test_a_right_that_was_proven_a_moment_ago_is_not_asked_for_again(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(url: str, **fault: int) -> list[str]:
        """How each request begins that an export makes, the store refusing those that begin in some way."""
        store.requests.clear()
        store.fault = lambda said: fault.get(said.partition(" ")[0])
        with contextlib.suppress(PublishError):
            export_video(FRAMES, url, storage_options=store.options)
        return [said.partition(" ")[0] for said in store.requests if "/often/" in said]  # others' may still come

    url, tried = f"s3://{BUCKET}/often/{{}}.mp4", ["POST", "DELETE", "PUT"]
    assert asked(url.format(1)) == tried
    assert asked(url.format(2)) == ["PUT"]
    assert asked(url.format("other/3")) == tried
    assert asked(url.format(4), PUT=403) == ["PUT"]
    assert asked(url.format(5)) == tried
    monkeypatch.setattr(stores, "_PROVEN_FOR", 0)  # as if it were long ago
    assert asked(url.format(6)) == tried


def test_a_failed_model_leaves_nothing_there(store: ObjectStore) -> None:
    with pytest.raises(RuntimeError, match="the model failed") as failed:
        export_video(failing_at(4, FRAMES, RuntimeError("the model failed")), URL, storage_options=store.options)
    assert "4 of 4 frames are kept" in "".join(failed.value.__notes__)
    assert (store.names(), store.uploads()) == ([], [])
    video = recover(URL, storage_options=store.options)
    assert (video.frame_count, str(video), store.names()) == (4, URL, ["a/clip.mkv"])


KILLED = """
import os, sys, tempfile
import numpy as np, telecine
tempfile.tempdir = sys.argv[1]
frames = np.random.default_rng(0).integers(0, 256, (40, 512, 512, 3), np.uint8)
options = {"key": "somebody", "secret": "the-secret-of-this-bucket", "endpoint_url": sys.argv[2]}
telecine.export_video(frames, sys.argv[3], codec="ffv1", storage_options=options)
"""


@pytest.mark.parametrize("by", ["export", "recover"])
def test_what_a_killed_upload_left_is_removed_by_the_next(by: str, store: ObjectStore, temporary: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED, temporary, store.url, URL])
    store.fault = lambda said: process.kill if "partNumber=2" in said else None
    process.wait(120)
    store.fault = lambda _: None
    assert (store.names(), store.uploads()) == ([], ["a/clip.mkv"])
    if by == "recover":
        assert recover(URL, storage_options=store.options).frame_count == 40
    else:
        export_video(FRAMES, URL, storage_options=store.options)
    assert (store.names(), store.uploads(), staged(temporary)) == (["a/clip.mkv"], [], [])


NO_EXTENSION: dict[str, tuple[str, dict[str, Any]]] = {
    "images": ("frames", {"format": "png"}),
    "images at a prefix": ("frames/", {"format": "tiff"}),
    "video": ("clip", {"format": "mkv"}),
    "another extension": ("clip.mp4", {"format": "mov"}),
    "gif": ("clip", {"format": "gif"}),
}


@pytest.mark.parametrize("kind", NO_EXTENSION)
def test_what_was_to_go_to_a_url_that_does_not_name_its_format_is_recovered_there(
    kind: str, store: ObjectStore, temporary: Path
) -> None:
    name, options = NO_EXTENSION[kind]
    url = f"s3://{BUCKET}/{name}"
    with pytest.raises(RuntimeError, match="the model failed"):
        export_video(
            failing_at(4, FRAMES, RuntimeError("the model failed")), url, storage_options=store.options, **options
        )
    video = recover(url, storage_options=store.options)
    assert (video.frame_count, str(video), staged(temporary)) == (4, url, [])
    if kind.startswith("images"):
        listed = json.loads(store.filesystem.cat(f"{BUCKET}/frames/manifest.json"))["images"]
        assert store.names() == [*(f"frames/{each['name']}" for each in listed), "frames/manifest.json"]
        assert probe(f"s3://{BUCKET}/frames/{listed[3]['name']}", storage_options=store.options).width == 64
    else:
        assert store.names() == [name]
        assert probe(url, storage_options=store.options).container == options["format"]
    with pytest.raises(PublishError, match=rf"'{url}' has no journal: there is nothing to recover"):
        recover(url, storage_options=store.options)


def test_images_of_which_a_killed_process_has_uploaded_some_are_recovered(store: ObjectStore, temporary: Path) -> None:
    url = f"s3://{BUCKET}/frames"
    script = KILLED.replace('codec="ffv1"', 'format="jpeg"')
    process = subprocess.Popen([sys.executable, "-c", script, temporary, store.url, url])
    store.fault = lambda said: process.kill if said.startswith("PUT /clips/frames/000003") else None
    process.wait(120)
    store.fault = lambda _: None
    assert [name for name in store.names() if "manifest" in name] == []
    assert len(store.names()) in (3, 4)
    assert recover(url, storage_options=store.options).frame_count == 40
    assert (len(store.names()), staged(temporary)) == (41, [])
    store.filesystem.pipe_file(f"{BUCKET}/others/a.png", b"somebody else's")
    with pytest.raises(PublishError, match="exists and overwrite is False"):
        export_video(FRAMES, f"s3://{BUCKET}/others", format="png", overwrite=False, storage_options=store.options)


def test_an_interrupt_of_an_upload_says_where_the_frames_are(store: ObjectStore, temporary: Path) -> None:
    goes_on = threading.Event()

    def interrupt() -> None:
        process.send_signal(signal.SIGINT)
        goes_on.wait(60)

    process = subprocess.Popen([sys.executable, "-c", KILLED, temporary, store.url, URL], stderr=subprocess.PIPE)
    store.fault = lambda said: interrupt if "partNumber=2" in said else None
    said = process.communicate(timeout=120)[1].decode()
    store.fault = lambda _: None
    goes_on.set()
    assert "KeyboardInterrupt" in said
    assert "40 of 40 frames are kept: telecine recover " in said
    assert store.names() == []
    assert recover(URL, storage_options=store.options).frame_count == 40
    assert (store.names(), store.uploads()) == (["a/clip.mkv"], [])


# ---- what is said --------------------------------------------------------------------------------------------------


def test_no_credential_is_in_an_error_or_a_log(
    store: ObjectStore, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG, "telecine")
    url = f"s3://somebody:{SECRET}@{BUCKET}/clip.mp4"
    said = []
    for place, options in (
        (url, store.options),
        (URL, store.options | {"client_kwargs": {"nonsense": SECRET}}),
        (URL, {**store.options, "nonsense": SECRET}),
        (f"s3://{BUCKET}/{SECRET}", {"key": SECRET}),
    ):
        with pytest.raises((PublishError, OptionError)) as failed:
            export_video(FRAMES, place, format="mp4", storage_options=options if place != url else {"secret": SECRET})
        said.append("".join(traceback.format_exception(failed.value)))
    assert not any(SECRET in each for each in said if BUCKET + "/" + SECRET not in each)
    assert SECRET not in caplog.text + "".join(capfd.readouterr())


WRONG: dict[str, tuple[str, Any, type[Exception], str]] = {
    "unknown": ("nowhere://b/clip.mp4", {}, OptionError, "is a URL of a scheme that fsspec does not know"),
    "missing": ("oss://b/clip.mp4", {}, MissingDependencyError, "needs a library for oss:// URLs: .*ossfs"),
    "read only": ("https://b/clip.mp4", {}, OptionError, "can't be written over https: use s3"),
    "folder": ("s3://b/dir/", {"format": "mp4"}, OptionError, "'s3://b/dir/' names a folder: name a file in it"),
    "no format": ("s3://b/clip", {}, OptionError, "the extension '' of 's3://b/clip' is not known"),
    "options": ("clip.mp4", {"storage_options": {}}, OptionError, "storage_options= goes with a URL"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_can_not_be_written_is_refused_before_the_first_frame(case: str) -> None:
    url, options, kind, said = WRONG[case]
    frames = Asked(greys())
    with pytest.raises(kind, match=said):
        export_video(frames, url, **options)
    assert frames.count == 0


def test_without_the_library_the_extra_is_named() -> None:
    script = "import sys; sys.modules['fsspec'] = None; import telecine; telecine.export_video([], 's3://b/clip.mp4')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "'s3://b/clip.mp4' is a URL, which needs pip install 'telecine[remote]'" in done.stderr
    assert "MissingDependencyError" in done.stderr


def test_importing_telecine_imports_no_library_of_stores() -> None:
    script = "import sys, telecine; print([name for name in sys.modules if 'fsspec' in name or 'boto' in name])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "[]\n"


def test_the_folder_of_staged_files_is_not_taken_from_somebody_else(temporary: Path) -> None:
    export_video(FRAMES, "memory://some/clip.mp4")
    [folder] = temporary.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    with pytest.raises(PublishError, match="is no folder of yours alone: remove it, or set TMPDIR"):
        export_video(FRAMES, "memory://some/clip.mp4")
    with pytest.raises(PublishError, match="is no folder of yours alone: remove it, or set TMPDIR"):
        recover("memory://some/other.mp4")
    folder.rmdir()
    folder.symlink_to(temporary)
    with pytest.raises(PublishError, match="is no folder of yours alone"):
        export_video(FRAMES, "memory://some/clip.mp4")
