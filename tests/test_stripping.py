"""`strip` removes what a file says of itself, and nothing else."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, BinaryIO, cast

import av
import fsspec
import numpy as np
import pytest

import telecine
from telecine import InputError, OptionError, PublishError
from telecine.cli.commands import run

from .metadata.test_tags import METADATA, same
from .support.helpers import greys
from .support.mp4 import boxes

pytestmark = pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning")

VIDEOS = ["mp4", "mov", "webm", "mkv"]
SECRETS = [b"a panda", b"A title", b"telecine:", b"trainedAlgorithmicMedia", b"2026-11-21", "熊猫".encode()]


def export(path: Path, **options: Any) -> Path:
    telecine.export_video(greys(5), path, fps=16, **options)
    return path


def packets(path: Path) -> list[tuple[object, ...]]:
    with av.open(path) as container:
        return [
            (each.stream.index, each.pts, each.dts, each.duration, each.is_keyframe, each.pos, bytes(each))
            for each in container.demux()
        ]


def left_in(path: Path) -> list[bytes]:
    data = path.read_bytes()
    return [secret for secret in SECRETS if secret in data]


def said_by(path: Path) -> set[str]:
    return set(telecine.probe(path).metadata) - {"encoder"}  # Matroska must name its muxer


@pytest.mark.parametrize("extension", VIDEOS)
def test_a_video_keeps_its_packets_and_its_index_in_front(extension: str, tmp_path: Path) -> None:
    path, output = export(tmp_path / f"clip.{extension}", metadata=METADATA), tmp_path / f"silent.{extension}"
    before, older = packets(path), path.read_bytes()
    assert left_in(path)
    info = telecine.strip(path, output)
    assert info.path == output
    assert info.index_in_front
    assert said_by(output) == set()
    assert left_in(output) == []
    assert packets(output) == before
    assert path.read_bytes() == older
    assert same(telecine.probe(path).metadata, METADATA)
    assert sorted(tmp_path.iterdir()) == sorted([path, output])


@pytest.mark.parametrize("extension", ["gif", "webp", "apng"])
def test_an_image_becomes_what_it_is_without_metadata(extension: str, tmp_path: Path) -> None:
    path = export(tmp_path / f"clip.{extension}", metadata={**METADATA, "prompt": {"1": {}}, "workflow": {}})
    assert left_in(path)
    telecine.strip(path)
    assert path.read_bytes() == export(tmp_path / f"silent.{extension}").read_bytes()


def test_an_image_of_a_folder_too(tmp_path: Path) -> None:
    image = export(tmp_path / "told", format="png", metadata=METADATA) / "000002.png"
    telecine.strip(image)
    assert image.read_bytes() == (export(tmp_path / "silent", format="png") / "000002.png").read_bytes()


@pytest.mark.parametrize("extension", VIDEOS)
def test_in_place_it_is_the_same_file_as_elsewhere(extension: str, tmp_path: Path) -> None:
    path = export(tmp_path / f"clip.{extension}", metadata=METADATA)
    telecine.strip(path, tmp_path / f"silent.{extension}")
    os.chmod(path, 0o600)
    telecine.strip(path)
    assert path.read_bytes() == (tmp_path / f"silent.{extension}").read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert telecine.strip(path).metadata.keys() <= {"encoder"}  # again, of nothing


@pytest.mark.parametrize("extension", VIDEOS)
def test_what_ffmpeg_wrote_with_the_index_at_the_end_and_with_sound(extension: str, tmp_path: Path) -> None:
    path = tmp_path / f"clip.{extension}"
    with av.open(path, "w") as container:
        container.metadata.update(title="A title", comment="a panda", creation_time="2026-11-21T10:00:00Z")
        video: Any = container.add_stream("libvpx-vp9" if extension == "webm" else "libx264", rate=16)
        video.width, video.height = 64, 48
        sound: Any = container.add_stream("libopus" if extension in ("webm", "mkv") else "aac", rate=48000)
        for picture in greys(4):
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture)))
        samples = av.AudioFrame.from_ndarray(np.zeros((2, 12000), np.float32), format="fltp", layout="stereo")
        samples.sample_rate = 48000
        container.mux(sound.encode(samples))
        for stream in (video, sound):
            container.mux(stream.encode(None))
    assert {"title", "creation_time"} <= {name.lower() for name in telecine.probe(path).metadata}
    before = packets(path)
    telecine.strip(path)
    assert said_by(path) == set()
    assert left_in(path) == []
    assert packets(path) == before


def test_a_signature_that_can_not_hold_goes_too(tmp_path: Path) -> None:
    path = export(tmp_path / "clip.mp4", metadata=METADATA)
    manifest = bytes.fromhex("d8fec3d61b0e483c92975828877ec481") + b"a manifest"
    with open(path, "ab") as file:
        file.write((8 + len(manifest)).to_bytes(4, "big") + b"uuid" + manifest)
    before = packets(path)
    telecine.strip(path)
    assert b"a manifest" not in path.read_bytes()
    assert packets(path) == before
    assert [kind for kind, _ in boxes(path.read_bytes())][-1] == "mdat"  # the end is cut off


def test_what_is_no_such_file_is_refused_and_stays(tmp_path: Path) -> None:
    text = tmp_path / "clip.mp4"
    text.write_text("no video")
    with pytest.raises(InputError):
        telecine.strip(text)
    avif = export(tmp_path / "clip.avif")
    digest = hashlib.sha256(avif.read_bytes()).hexdigest()
    with pytest.raises(OptionError, match="is avif, of which strip can't: it takes MP4, MOV"):
        telecine.strip(avif)
    assert hashlib.sha256(avif.read_bytes()).hexdigest() == digest
    with pytest.raises(InputError):
        telecine.strip(tmp_path / "absent.mp4")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["clip.avif", "clip.mp4"]


def test_a_folder_that_can_not_be_written_leaves_the_file(tmp_path: Path) -> None:
    path = export(tmp_path / "clip.mp4", metadata=METADATA)
    (tmp_path / "file").write_text("")
    with pytest.raises(PublishError):
        telecine.strip(path, tmp_path / "file" / "silent.mp4")
    assert same(telecine.probe(path).metadata, METADATA)


@pytest.mark.parametrize("extension", [*VIDEOS, "gif", "webp", "apng"])
def test_an_open_file_or_a_url_gets_what_a_path_gets(extension: str, tmp_path: Path, temporary: Path) -> None:
    path, output = export(tmp_path / f"clip.{extension}", metadata=METADATA), tmp_path / f"silent.{extension}"
    telecine.strip(path, output)
    url, file = f"memory://stripped/clip.{extension}", io.BytesIO()
    stored = fsspec.filesystem("memory")
    stored.pipe_file(url, path.read_bytes())
    info = telecine.strip(url)
    assert (str(info.path), stored.cat(url)) == (url, output.read_bytes())
    with path.open("rb") as given:
        telecine.strip(given, file)
        assert not given.closed
    telecine.strip(io.BytesIO(path.read_bytes()), f"{url}.{extension}")
    assert file.getvalue() == stored.cat(f"{url}.{extension}") == output.read_bytes()
    assert [each for each in temporary.rglob("*") if each.is_file()] == []


@pytest.mark.usefixtures("temporary")
def test_an_image_is_stripped_at_its_url(tmp_path: Path) -> None:
    image, url = export(tmp_path / "told", format="png", metadata=METADATA) / "000002.png", "memory://stripped/a.png"
    fsspec.filesystem("memory").pipe_file(url, image.read_bytes())
    telecine.strip(url)
    telecine.strip(image)
    assert fsspec.filesystem("memory").cat(url) == image.read_bytes()


def test_a_pipe_is_stripped(tmp_path: Path) -> None:
    path, output = export(tmp_path / "clip.mp4", metadata=METADATA), tmp_path / "silent.mp4"
    with subprocess.Popen(["cat", path], stdout=subprocess.PIPE) as cat:
        assert cat.stdout is not None
        telecine.strip(cast(BinaryIO, cat.stdout), output)
    os.chmod(path, 0o640)
    with path.open("rb") as file:
        telecine.strip(file, tmp_path / "again.mp4")
    assert (said_by(output), (tmp_path / "again.mp4").read_bytes()) == (set(), output.read_bytes())
    assert (tmp_path / "again.mp4").stat().st_mode & 0o777 == 0o640
    assert output.stat().st_mode & 0o777 == 0o666 & ~umask()


@pytest.mark.usefixtures("temporary")
def test_what_can_not_be_read_or_written_is_refused(tmp_path: Path) -> None:
    path = export(tmp_path / "clip.mp4", metadata=METADATA)
    with path.open("rb") as file, pytest.raises(OptionError, match=r"clip\.mp4' is an open file: say with output= "):
        telecine.strip(file)
    with pytest.raises(InputError, match=r"clip\.mp4' is a closed file: give an open one"):
        telecine.strip(file, io.BytesIO())
    with pytest.raises(OptionError, match="storage_options= goes with a URL"):
        telecine.strip(path, storage_options={"key": "me"})
    url = "memory://stripped/text.mp4"
    fsspec.filesystem("memory").pipe_file(url, b"no video")
    with pytest.raises(InputError, match=r"'memory://stripped/text\.mp4' can't be read as a video"):
        telecine.strip(url)
    assert fsspec.filesystem("memory").cat(url) == b"no video"


def umask() -> int:
    before = os.umask(0)
    os.umask(before)
    return before


def test_the_command_strips_to_the_standard_output(tmp_path: Path) -> None:
    path = export(tmp_path / "clip.mp4", metadata=METADATA)
    command = [sys.executable, "-m", "telecine", "strip", str(path), "-o", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    telecine.strip(path)
    assert done.stdout == path.read_bytes()


def test_the_command_strips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = export(tmp_path / "clip.mp4", metadata=METADATA)
    assert run(["strip", str(path), "-o", str(tmp_path / "silent.mp4")]) == 0
    assert "h264 High" in capsys.readouterr().out
    assert said_by(tmp_path / "silent.mp4") == set()
    assert run(["strip", str(path)]) == 0
    assert said_by(path) == set()
    assert run(["strip", str(tmp_path / "absent.mp4")]) == 1
