"""Stores that have folders, as SFTP: here by fsspec's `local://`, which is written as they are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from fsspec.implementations.local import LocalFileSystem

from telecine import PublishError, export_bytes, export_video, recover

from ..support.helpers import Asked, failing_at, names_in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("temporary"),
    pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning"),
]

FRAMES = np.random.default_rng(0).integers(0, 256, (6, 48, 64, 3), np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "stored"
    folder.mkdir()
    return folder


def test_a_file_gets_its_name_when_it_is_whole(folder: Path) -> None:
    url, expected = f"local://{folder}/a/b/clip.mp4", export_bytes(FRAMES)

    def uploaded(done: int, in_all: int) -> None:
        seen.append((names_in(folder / "a" / "b"), done == in_all))

    def told(done: int, in_all: int | None) -> None:
        assert names_in(folder) == []

    told.uploaded = uploaded  # type: ignore[attr-defined]
    seen: list[tuple[list[str], bool]] = []
    assert export_video(FRAMES, url, progress=told).read_bytes() == expected
    before = [names for names, is_over in seen if not is_over]
    assert all(name.startswith(".clip.mp4.telecine-new-") for names in before for name in names)
    assert names_in(folder / "a" / "b") == ["clip.mp4"]
    export_video(FRAMES[:3], url)
    assert (names_in(folder / "a" / "b"), export_bytes(FRAMES[:3])) == (
        ["clip.mp4"],
        (folder / "a" / "b" / "clip.mp4").read_bytes(),
    )
    with pytest.raises(PublishError, match="exists and overwrite is False"):
        export_video(FRAMES, url, overwrite=False)


def test_images_and_playlists_get_a_folder_of_their_own(folder: Path) -> None:
    export_video(FRAMES, f"local://{folder}/images", format="png")
    assert names_in(folder / "images") == [*(f"{index:06d}.png" for index in range(6)), "manifest.json"]
    export_video(FRAMES[:2], f"local://{folder}/images", format="png")
    assert names_in(folder / "images") == ["000000.png", "000001.png", "manifest.json"]
    video = export_video(FRAMES, f"local://{folder}/live/clip.m3u8")
    assert video.read_bytes().endswith(b"#EXT-X-ENDLIST\n")
    names = names_in(folder / "live")
    assert [name for name in names if name.endswith("m4s")] == [
        line for line in video.read_bytes().decode().split() if line.endswith("m4s")
    ]
    assert not [name for name in names if name.startswith(".")]


@pytest.mark.parametrize("place", ["closed/clip.mp4", "closed/new/clip.mp4", "file/clip.mp4"])
def test_who_may_not_write_is_told_before_the_first_frame(place: str, folder: Path) -> None:
    (folder / "file").write_bytes(b"")
    (folder / "closed").mkdir()
    for kind in ("mp4", "png", "hls"):
        frames, closed = Asked(FRAMES), f"local://{folder}/{place}"
        (folder / "closed").chmod(0o500)
        if place.startswith("closed") and os.access(folder / "closed", os.W_OK):
            pytest.skip("who runs the tests may write anywhere")
        with pytest.raises(PublishError, match="can't be written: "):
            export_video(frames, closed, format=kind)
        assert frames.count == 0
    assert names_in(folder) == ["closed", "file"]


def test_a_failed_model_leaves_nothing_there_and_is_recovered(folder: Path) -> None:
    url = f"local://{folder}/new/clip.mkv"
    with pytest.raises(RuntimeError, match="the model failed"):
        export_video(failing_at(4, FRAMES, RuntimeError("the model failed")), url)
    assert names_in(folder) == []
    assert (recover(url).frame_count, names_in(folder / "new")) == (4, ["clip.mkv"])


KILLED = """
import os, signal, sys, tempfile
import fsspec, numpy as np, telecine
from fsspec.implementations.local import LocalFileSystem

class Dies(LocalFileSystem):
    protocol = "local"
    count = 0

    def put_file(self, path, to, **how):
        Dies.count += 1
        if Dies.count == int(sys.argv[4]):
            with open(to, "wb") as file:
                file.write(b"half of it")
            os.kill(os.getpid(), signal.SIGKILL)
        super().put_file(path, to, **how)

fsspec.register_implementation("local", Dies, clobber=True)
tempfile.tempdir = sys.argv[1]
frames = np.random.default_rng(0).integers(0, 256, (6, 48, 64, 3), np.uint8)
telecine.export_video(frames, sys.argv[2], format=sys.argv[3])
"""


@pytest.mark.parametrize("by", ["export", "recover"])
@pytest.mark.parametrize(("kind", "at"), [("mp4", 1), ("png", 3)])
def test_what_a_killed_upload_left_is_removed_by_the_next(
    kind: Any, at: int, by: str, folder: Path, temporary: Path
) -> None:
    url = f"local://{folder}/clip"
    done = subprocess.run([sys.executable, "-c", KILLED, temporary, url, kind, str(at)])
    assert done.returncode == -signal.SIGKILL
    left = [path.name for path in folder.rglob(".*.telecine-new-*")]
    assert len(left) == 1
    (folder / ".clip.mp4.telecine-new-of-mine").write_bytes(b"")
    video = recover(url) if by == "recover" else export_video(FRAMES, url, format=kind)
    assert video.frame_count == 6
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    images = [f"clip/{index:06d}.png" for index in range(6)]
    stored = ["clip"] if kind == "mp4" else [*images, "clip/manifest.json"]
    assert names == [".clip.mp4.telecine-new-of-mine", *stored]
    assert [path for path in temporary.rglob("*") if path.is_file()] == []


class ReplacesNothing(LocalFileSystem):  # type: ignore[misc,unused-ignore]
    """Does, as HDFS does over HTTP, nothing where a file is to be given the name of another."""

    protocol = "replaces-nothing"

    def mv(self, path1: str, path2: str, **how: Any) -> None:
        if not self.exists(path2):
            super().mv(path1, path2, **how)


def test_what_a_store_does_not_replace_is_an_error(folder: Path) -> None:
    fsspec.register_implementation("replaces-nothing", ReplacesNothing, clobber=True)
    url = f"replaces-nothing://{folder}/clip.mp4"
    assert export_video(FRAMES, url).frame_count == 6
    with pytest.raises(PublishError, match="it was uploaded, and could not be given its name; 3 of 3 frames are kept"):
        export_video(FRAMES[:3], url)
    assert names_in(folder) == ["clip.mp4"]
    assert (folder / "clip.mp4").read_bytes() == export_bytes(FRAMES)
