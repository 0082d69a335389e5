"""Exports to stores of obstore's, as (store, name), and what is read from them: as of URLs."""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import obstore
import pytest
from obstore.store import LocalStore, MemoryStore, S3Store

import telecine
from telecine import InputError, OptionError, PublishError, export_bytes, export_video, probe, recover

from ..deliver.test_stores import Told
from ..support.helpers import Asked, failing_at, greys
from ..support.object_store import BUCKET, SECRET, ObjectStore

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("temporary"),
    pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning"),
]

FRAMES = greys(6)
LARGE = np.random.default_rng(0).integers(0, 256, (40, 512, 512, 3), np.uint8)
LOSSLESS: dict[str, Any] = {"codec": "ffv1"}  # in which noise takes as many bytes: four parts


@pytest.fixture
def server(empty_store: ObjectStore) -> ObjectStore:
    """The S3 server: `store` is a store of obstore's here."""
    return empty_store


def opened_on(server: ObjectStore, **options: Any) -> S3Store:
    return S3Store(
        **{"bucket": BUCKET, "access_key_id": "somebody", "secret_access_key": SECRET, **options},
        endpoint=server.url,
        region="us-east-1",
        client_options={"allow_http": True},
        retry_config={"max_retries": 2},
    )


@pytest.fixture(params=["memory", "folder", "s3", "s3 with a prefix"])
def store(request: pytest.FixtureRequest, server: ObjectStore, tmp_path: Path) -> Any:
    kinds: dict[str, Any] = {
        "memory": MemoryStore,
        "folder": lambda: LocalStore(tmp_path / "stored", mkdir=True),
        "s3": lambda: opened_on(server),
        "s3 with a prefix": lambda: opened_on(server, prefix="in/here"),
    }
    return kinds[request.param]()


ROOTS = {MemoryStore: "memory://", S3Store: f"s3://{BUCKET}/"}


def test_a_store_gets_the_bytes_that_a_path_gets_and_gives_them_back(store: Any, temporary: Path) -> None:
    place, told = (store, "clips/a.mp4"), Told()
    video = export_video(FRAMES, place, fps=8, progress=told)
    assert told.bytes[-1] == (video.size_bytes, video.size_bytes)
    assert bytes(store.get("clips/a.mp4").bytes()) == export_bytes(FRAMES, fps=8) == video.read_bytes()
    assert str(video).endswith("clips/a.mp4")
    assert str(video).startswith(ROOTS.get(type(store), "file:///"))
    if not isinstance(store, LocalStore):
        assert store.get("clips/a.mp4").attributes == {"Content-Type": "video/mp4"}
    for source in (video, video.path, place):
        assert probe(source).frame_count == 6
        assert telecine.verify(source, FRAMES).ok
    assert len(telecine.read_timestamps(place)) == 6
    assert telecine.read_provenance(place).state == "no manifest"
    assert (pickle.loads(pickle.dumps(video)), [each for each in temporary.rglob("*") if each.is_file()]) == (video, [])


def test_frames_and_sound_are_taken_from_a_store(store: Any, tmp_path: Path) -> None:
    video = export_video(FRAMES, (store, "images"), format="png")
    names = [f"{index:06d}.png" for index in range(6)]
    in_store = {each["path"] for some in store.list("images") for each in some}
    assert in_store == {*(f"images/{name}" for name in names), "images/manifest.json"}
    assert [
        each["name"] for each in json.loads(store.get("images/manifest.json").bytes().to_bytes())["images"]
    ] == names
    export_video(FRAMES[:4], (store, "images"), format="png")
    assert len([each for some in store.list("images") for each in some]) == 5
    sound: dict[str, Any] = {"audio": np.zeros((4800, 1), np.int16), "audio_rate": 48_000}
    export_video(FRAMES[:4], (store, "clip.mov"), **sound)
    expected = export_video(FRAMES[:4], tmp_path / "expected.mp4").read_bytes()
    for frames in ((store, "images"), (store, "images/*.png"), [(store, f"images/{name}") for name in names[:4]]):
        assert export_video(frames, tmp_path / "clip.mp4").read_bytes() == expected
    assert probe(export_video(FRAMES, (store, "loud.mp4"), audio=(store, "clip.mov"))).audio
    assert str(telecine.strip((store, "clip.mov")).path).endswith("clip.mov")
    assert video.frame_count == 6


def test_a_playlist_and_its_segments_go_into_a_store(store: Any, tmp_path: Path) -> None:
    how: dict[str, Any] = {"fps": 16, "fragment": 0.25, "format": "hls"}
    export_video(FRAMES, tmp_path / "files" / "index.m3u8", **how)
    video = export_video(FRAMES, (store, "live"), **how)
    files = {f"live/{each.name}": each.read_bytes() for each in (tmp_path / "files").iterdir()}
    assert {
        each["path"]: bytes(store.get(each["path"]).bytes()) for some in store.list("live") for each in some
    } == files
    assert str(video).endswith("live/index.m3u8")
    if not isinstance(store, LocalStore):
        assert store.get("live/index.m3u8").attributes == {"Content-Type": "application/vnd.apple.mpegurl"}
    with pytest.raises(PublishError, match="exists and overwrite is False"):
        export_video(FRAMES, (store, "live"), overwrite=False, **how)
    export_video(FRAMES[:4], (store, "live"), **how)
    listed = bytes(store.get("live/index.m3u8").bytes()).decode().split()
    segments = [each["path"] for some in store.list("live") for each in some if each["path"].endswith("m4s")]
    assert sorted(segments) == [f"live/{line}" for line in listed if line.endswith("m4s")]


def test_what_is_there_stays_with_overwrite_false(store: Any, temporary: Path) -> None:
    store.put("clip.mkv", b"older")
    frames = Asked(FRAMES)
    with pytest.raises(PublishError, match=r"clip\.mkv' exists and overwrite is False") as refused:
        export_video(frames, (store, "clip.mkv"), overwrite=False)
    assert (refused.value.errno, frames.count) == (17, 0)

    def meanwhile() -> Iterator[Any]:
        yield from FRAMES
        store.put("other.mkv", b"somebody else's")

    with pytest.raises(PublishError, match=r"other\.mkv' exists and overwrite is False; 6 of 6 frames are kept"):
        export_video(meanwhile(), (store, "other.mkv"), overwrite=False, **LOSSLESS)
    assert [bytes(store.get(name).bytes()) for name in ("clip.mkv", "other.mkv")] == [b"older", b"somebody else's"]
    video = recover((store, "other.mkv"), temporary / "recovered.mkv")
    assert (video.frame_count, bytes(store.get("other.mkv").bytes())) == (6, b"somebody else's")
    export_video(FRAMES, (store, "new.mkv"), overwrite=False)


def test_a_failed_model_leaves_nothing_there_and_is_recovered(store: Any) -> None:
    with pytest.raises(RuntimeError, match="the model failed"):
        export_video(failing_at(4, FRAMES, RuntimeError("the model failed")), (store, "clip.mp4"))
    assert not [each for some in store.list() for each in some]
    assert (recover((store, "clip.mp4")).frame_count, probe((store, "clip.mp4")).frame_count) == (4, 4)


def test_a_large_file_goes_in_parts_which_are_aborted_where_one_fails(server: ObjectStore, temporary: Path) -> None:
    place = opened_on(server), "clip.mkv"
    obstore.put(place[0], "clip.mkv", b"older")
    server.fault = lambda said: 403 if "partNumber=2" in said else None
    with pytest.raises(
        PublishError, match=r"'s3://clips/clip\.mkv' can't be written: .*40 of 40 frames are kept"
    ) as failed:
        export_video(LARGE, place, **LOSSLESS)
    server.fault = lambda _: None
    assert (failed.value.errno, "\n" in str(failed.value), SECRET in repr(failed.value)) == (13, False, False)
    assert (server.filesystem.cat(f"{BUCKET}/clip.mkv"), server.uploads()) == (b"older", [])
    video = recover(place, temporary / "recovered.mkv")
    assert video.frame_count == 40
    export_video(LARGE, place, **LOSSLESS)
    assert re.fullmatch(r"POST /clips/clip\.mkv\?uploadId=\S+", server.requests[-1])
    assert server.filesystem.cat(f"{BUCKET}/clip.mkv") == export_bytes(LARGE, format="mkv", **LOSSLESS)


def test_who_may_not_or_names_no_bucket_is_told_before_the_first_frame(server: ObjectStore) -> None:
    frames = Asked(FRAMES)
    with pytest.raises(PublishError, match=r"'s3://nobody-s/clip\.mp4' can't be written: .*NoSuchBucket"):
        export_video(frames, (opened_on(server, bucket="nobody-s"), "clip.mp4"))
    server.fault = lambda _: 403
    with pytest.raises(PublishError, match=r"'s3://clips/clip\.mp4' can't be written: ") as refused:
        export_video(frames, (opened_on(server), "clip.mp4"))
    assert (refused.value.errno, frames.count) == (13, 0)


def test_what_can_not_be_read_or_written_is_said(store: Any) -> None:
    with pytest.raises(InputError, match=r"nothing\.mp4' can't be read: ") as failed:
        probe((store, "nothing.mp4"))
    assert (failed.value.errno, "\n" in str(failed.value)) == (2, False)
    with pytest.raises(OptionError, match="the extension '' of "):
        export_video(FRAMES, (store, "clip"))
    with pytest.raises(OptionError, match="storage_options= goes with a URL"):
        export_video(FRAMES, (store, "clip.mp4"), storage_options={"key": "me"})
    for wrong in ((store, 5), ("a", "b"), (store,)):
        with pytest.raises(OptionError, match=r"is no path"):
            export_video(FRAMES, wrong)  # type: ignore[arg-type]


def test_a_store_of_obstore_s_needs_no_fsspec(temporary: Path) -> None:
    script = """
import sys, tempfile
sys.modules["fsspec"] = None
import numpy as np, telecine
from obstore.store import MemoryStore
tempfile.tempdir = sys.argv[1]
place = MemoryStore(), "clip.mp4"
telecine.export_video(np.zeros((4, 48, 64, 3), np.uint8), place, progress=True)
print(telecine.probe(place).frame_count)
"""
    done = subprocess.run([sys.executable, "-c", script, temporary], capture_output=True, text=True)
    assert (done.stdout, "uploading" in done.stderr) == ("4\n", True)


def test_importing_telecine_imports_no_obstore() -> None:
    script = "import sys, telecine; telecine.export_bytes([]) if 0 else print('obstore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "False\n"
