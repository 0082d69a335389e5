"""Files into file objects: the bytes that a path would get, all or none of them."""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import telecine
from telecine import InputError, OptionError, PublishError, VideoWriter, export_bytes, export_video

from ..support.helpers import Asked, failing_at

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("temporary"),
    pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning"),
]

FRAMES = np.random.default_rng(0).integers(0, 256, (6, 48, 64, 3), np.uint8)
FORMATS = ["mp4", "mov", "webm", "mkv", "gif", "webp", "apng", "avif"]


class Scarce(io.RawIOBase):
    """Takes few bytes at a time, and after so many in all raises."""

    def __init__(self, most: int, error: Exception | None = None) -> None:
        self.taken, self._most, self._error = bytearray(), most, error

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: Any) -> int | None:
        if self._error is not None and len(self.taken) >= self._most:
            raise self._error
        piece = bytes(data[:1000])
        self.taken += piece
        return len(piece)


class Duck:
    """What has `write` alone, and says nothing."""

    def __init__(self) -> None:
        self.taken = b""

    def write(self, data: bytes) -> None:
        self.taken += data


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_object_gets_the_bytes_that_a_path_gets(format: Any, tmp_path: Path, temporary: Path) -> None:
    expected = export_video(FRAMES, tmp_path / f"clip.{format}", metadata={"seed": 1} if format != "gif" else None)
    file = io.BytesIO()
    video = export_video(FRAMES, file, format=format, metadata={"seed": 1} if format != "gif" else None)
    assert file.getvalue() == expected.read_bytes()
    assert (str(video), video.size_bytes, video.frame_count) == ("<BytesIO>", expected.size_bytes, 6)
    assert list(temporary.iterdir()) == []


def test_bytes_are_given_by_export_bytes(tmp_path: Path) -> None:
    for format in (None, "webm"):
        path = tmp_path / f"clip.{format or 'mp4'}"
        assert (
            export_bytes(FRAMES, format=format, quality="draft")
            == export_video(FRAMES, path, quality="draft").read_bytes()
        )


def test_an_open_file_is_written_from_where_it_stands_and_tells_its_name(tmp_path: Path) -> None:
    with (tmp_path / "clip.mp4").open("wb") as file:
        file.write(b"before")
        video = export_video(FRAMES, file)
        file.write(b"after")
    assert (tmp_path / "clip.mp4").read_bytes() == b"before" + export_bytes(FRAMES) + b"after"
    assert video.path == tmp_path / "clip.mp4"


def test_what_takes_few_bytes_at_a_time_and_what_says_nothing_get_all() -> None:
    raw, duck = Scarce(0), Duck()
    for each in (raw, duck):
        export_video(FRAMES, each, format="webp")
    assert bytes(raw.taken) == duck.taken == export_bytes(FRAMES, format="webp")


def test_what_hands_its_writes_on_gets_the_file() -> None:
    expected = export_bytes(FRAMES)
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        export_video(FRAMES, file)
        assert Path(file.name).read_bytes() == expected
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive, archive.open("clip.mp4", "w") as member:
        export_video(FRAMES, member)  # which can't be gone back in
    assert telecine.probe(io.BytesIO(zipfile.ZipFile(zipped).read("clip.mp4"))).frame_count == 6


def test_a_file_object_is_untouched_until_the_file_is_finished() -> None:
    file = io.BytesIO()
    with VideoWriter(file, format="mp4") as writer:
        writer.write(FRAMES)
        while writer.queued:
            pass
        assert file.getvalue() == b""
    assert file.getvalue() == export_bytes(FRAMES)
    broken = io.BytesIO()
    with pytest.raises(RuntimeError, match="the model failed"):
        export_video(failing_at(3, FRAMES, RuntimeError("the model failed")), broken, format="mp4")
    assert broken.getvalue() == b""


def test_an_aborted_export_leaves_nothing(temporary: Path) -> None:
    file = io.BytesIO()
    writer = VideoWriter(file, format="mp4")
    writer.write(FRAMES)
    writer.abort()
    assert file.getvalue() == b""
    assert list(temporary.iterdir()) == []


BROKEN = {
    "full": (OSError(28, "No space left on device"), "'<Scarce>' can't be written: No space left on device", 28),
    "gone": (BrokenPipeError(32, "Broken pipe"), "'<Scarce>' can't be written: Broken pipe", 32),
    "closed": (ValueError("I/O operation on closed file"), "can't be written: I/O operation on closed file", 5),
    "silent": (Exception(), "'<Scarce>' can't be written: Exception", 5),
}


@pytest.mark.parametrize("format", ["mp4", "gif"])
@pytest.mark.parametrize("case", BROKEN)
def test_of_a_file_object_that_fails_the_frames_are_kept(case: str, format: Any, temporary: Path) -> None:
    error, said, number = BROKEN[case]
    with pytest.raises(PublishError, match=said) as failed:
        export_video(FRAMES, Scarce(2000, error), format=format)
    assert failed.value.errno == number
    assert failed.value.__cause__ is error
    [place] = [word for word in str(failed.value).split() if word.startswith(str(temporary))]
    assert "6 of 6 frames are kept: telecine recover" in str(failed.value)
    assert telecine.recover(place).frame_count == 6


def test_what_is_kept_of_a_file_object_is_of_the_format_that_its_name_says(tmp_path: Path, temporary: Path) -> None:
    with (tmp_path / "clip.gif").open("wb") as file, pytest.raises(RuntimeError, match="the model failed") as failed:
        export_video(failing_at(3, FRAMES, RuntimeError("the model failed")), file)
    [place] = [word for word in failed.value.__notes__[0].split() if word.startswith(str(temporary))]
    assert telecine.recover(place).codec == "gif"


def test_a_full_pipe_that_does_not_wait_is_an_error() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with open(reading, "rb"), open(writing, "wb", buffering=0) as file:
        noise = np.random.default_rng(1).integers(0, 256, (6, 256, 256, 3), np.uint8)
        with pytest.raises(PublishError, match="it takes no more now"):
            export_video(noise, file, format="mp4")


def closed() -> io.BytesIO:
    file = io.BytesIO()
    file.close()
    return file


REFUSED: dict[str, tuple[Any, Any, str]] = {
    "closed": (closed, "mp4", "is a closed file: give an open one"),
    "text": (io.StringIO, "mp4", "'<StringIO>' takes text: open it for bytes, as with 'wb', or give its .buffer"),
    "read": (lambda: io.BufferedReader(io.BytesIO()), "mp4", "is not open for writing: open it with 'wb'"),
    "no format": (io.BytesIO, None, "the extension '' of '<BytesIO>' is not known: use .*, or say format='mp4'"),
    "folder": (io.BytesIO, "png", "format='png' is a folder of files, and '<BytesIO>' takes one file: give a path"),
    "no path": (lambda: 5, "mp4", "path=5 is no path, and no file object that takes bytes"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_takes_no_bytes_is_refused_before_the_first_frame(case: str, temporary: Path) -> None:
    make, format, said = REFUSED[case]
    frames = Asked(FRAMES)
    with pytest.raises(OptionError, match=said):
        export_video(frames, make(), format=format)
    assert frames.count == 0
    assert list(temporary.iterdir()) == []


def test_frames_on_their_way_are_for_the_owner_alone(temporary: Path) -> None:
    before = os.umask(0)
    try:
        with VideoWriter(io.BytesIO(), format="mp4") as writer:
            writer.write(FRAMES)
            assert {each.stat().st_mode & 0o777 for each in temporary.iterdir()} == {0o600}
    finally:
        os.umask(before)


def test_a_video_is_opened_and_its_bytes_are_read(tmp_path: Path) -> None:
    video = export_video(FRAMES, tmp_path / "clip.mp4")
    with video.open() as file:
        assert file.read() == video.read_bytes() == (tmp_path / "clip.mp4").read_bytes()
    with pytest.raises(InputError, match="'<BytesIO>' can't be read: No such file or directory"):
        export_video(FRAMES, io.BytesIO(), format="mp4").read_bytes()
