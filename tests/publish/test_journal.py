"""What a writer says of what it leaves is said after looking: where it is, that it is gone, what of it is whole."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import telecine
from telecine import PublishError, TelecineWarning, VideoWriter
from telecine.encode.encoder import Encoder
from telecine.output import thread as encoding_thread

from ..support.helpers import OLDER, assert_frames, kept_by, names_in, noise
from ..support.journals import JOURNAL

EVERY_FRAME: dict[str, Any] = {"encoder_options": {"tune": "zerolatency"}}

FORMATS = ["mp4", "webp", "png"]


def left_by(format: str) -> str:
    return ".clip.telecine-frames" if format == "png" else ".clip.telecine-journal"


def wait_until_written(writer: VideoWriter, hidden: Path) -> None:
    """Until the encoder has taken all five frames; of a folder, until each has its name in there."""
    while writer.queued or (hidden.is_dir() and len(list(hidden.glob("*.png"))) < 5):
        pass


def fail(writer: VideoWriter) -> RuntimeError:
    with pytest.raises(RuntimeError) as failed, writer:
        raise RuntimeError("the model failed")
    return failed.value


def said_with(error: BaseException) -> str:
    return " ".join(getattr(error, "__notes__", []))


# ---- what others do to the journal meanwhile -------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="an open file has its name there")
@pytest.mark.parametrize("format", FORMATS)
def test_a_journal_that_was_removed_is_not_said_to_be_kept(format: Any, tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "clip", format=format)
    writer.write(noise())
    wait_until_written(writer, tmp_path / left_by(format))  # else rm and the writer race for the folder
    (tmp_path / left_by(format)).rename(tmp_path / "elsewhere")
    subprocess.run(["rm", "-r", tmp_path / "elsewhere"], check=True, timeout=60)
    error = fail(writer)
    assert kept_by(error) is None
    assert re.search("none of 5 frames is kept", said_with(error))
    assert names_in(tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="where an open file is, /proc tells")
@pytest.mark.parametrize("format", FORMATS)
def test_of_a_folder_that_was_renamed_the_place_is_said_and_recovered(format: Any, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    writer = VideoWriter(tmp_path / "folder" / "clip", format=format, quality="high")
    writer.write(noise())
    wait_until_written(writer, tmp_path / "folder" / left_by(format))
    (tmp_path / "folder").rename(tmp_path / "renamed")
    error = fail(writer)
    assert kept_by(error) == 5
    place = tmp_path / "renamed" / left_by(format)
    assert said_with(error).endswith(f"telecine recover {place}")
    assert telecine.recover(place, tmp_path / f"found.{format}").frame_count == 5


@pytest.mark.skipif(os.name == "nt", reason="an open file has its name there")
@pytest.mark.parametrize("end", [VideoWriter.close, VideoWriter.abort, fail])
def test_the_journal_of_another_writer_that_took_the_name_is_left_alone(
    end: Callable[[VideoWriter], object], tmp_path: Path
) -> None:
    writer = VideoWriter(tmp_path / "clip.mp4")
    writer.write(noise())
    (tmp_path / JOURNAL).unlink()
    other = VideoWriter(tmp_path / "clip.mp4")
    other.write(noise(9))
    end(writer)
    assert JOURNAL in names_in(tmp_path)
    assert other.close().frame_count == 9


# ---- damage ----------------------------------------------------------------------------------------------------------


def flip(journal: Path, at: int) -> None:
    data = bytearray(journal.read_bytes())
    data[at] ^= 0xFF
    with open(journal, "r+b") as file:  # the same file
        file.write(data)


def ends_of_fragments(data: bytes) -> list[int]:
    at, ends = 0, []
    while at < len(data):
        at, kind = at + int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if kind == b"mdat":
            ends.append(at)
    return ends


@pytest.mark.parametrize("damaged", range(4))
def test_a_frame_that_was_damaged_on_the_disk_is_found_before_the_video_is_published(
    damaged: int, tmp_path: Path
) -> None:
    path, journal = tmp_path / "clip.mp4", tmp_path / JOURNAL
    path.write_bytes(OLDER)
    writer = VideoWriter(path, **EVERY_FRAME)
    writer.write(noise())
    while len(ends := ends_of_fragments(journal.read_bytes())) < 4:  # the muxer holds the last one back
        pass
    flip(journal, ends[damaged] - 100)
    with pytest.raises(PublishError, match="was damaged while it was written") as failed:
        writer.close()
    assert path.read_bytes() == OLDER
    assert (kept_by(failed.value) or 0) == damaged
    if damaged:
        assert_frames(telecine.recover(path, tmp_path / "found.mp4"), noise()[:damaged])
    else:
        assert names_in(tmp_path) == ["clip.mp4"]


def test_a_journal_that_was_cut_off_is_found_too(tmp_path: Path) -> None:
    path, journal = tmp_path / "clip.mp4", tmp_path / JOURNAL
    writer = VideoWriter(path, **EVERY_FRAME)
    writer.write(noise())
    while len(ends := ends_of_fragments(journal.read_bytes())) < 4:
        pass
    os.truncate(journal, ends[2] + 10)
    with pytest.raises(PublishError, match="was damaged while it was written") as failed:
        writer.close()
    assert kept_by(failed.value) == telecine.recover(path).frame_count == 3


# ---- a writer that is never closed -----------------------------------------------------------------------------------


def test_a_writer_that_is_dropped_says_what_it_left(tmp_path: Path) -> None:
    path = tmp_path / "it's one.mp4"
    writer = VideoWriter(path)
    writer.write(noise())
    with pytest.warns(TelecineWarning) as warned:
        del writer
    (said,) = warned
    assert str(said.message) == (
        f"the writer of {str(path)!r} was not closed, and left {str(tmp_path / f'.{path.name}.telecine-journal')!r}: "
        f"5 of 5 frames are kept: telecine recover {shlex.quote(str(path))}"
    )
    assert said.filename == f"{__file__}:{test_a_writer_that_is_dropped_says_what_it_left.__code__.co_firstlineno + 2}"
    assert telecine.recover(path).frame_count == 5


def test_a_writer_that_is_closed_aborted_failed_or_without_frames_says_nothing_when_it_is_dropped(
    tmp_path: Path,
) -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for index, end in enumerate((VideoWriter.close, VideoWriter.abort, fail)):
            writer = VideoWriter(tmp_path / f"{index}.mp4")
            writer.write(noise())
            end(writer)
            del writer
        writer = VideoWriter(tmp_path / "none.mp4")
        del writer
    assert warned == []


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["pass", "sys.exit(3)", "with writer: sys.exit(3)"])
@pytest.mark.parametrize("name", ["clip.mp4", "clip.avif", "clip.webp"])
def test_a_script_that_ends_with_an_open_writer_says_in_one_line_what_it_left(
    name: str, ending: str, tmp_path: Path
) -> None:
    script = f"""
import sys, numpy, telecine
writer = telecine.VideoWriter("{name}")
writer.write(numpy.random.default_rng(0).integers(0, 256, (3, 48, 64, 3), numpy.uint8))
{ending}
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == (0 if ending == "pass" else 3)
    (line,) = done.stderr.splitlines()
    assert re.search(f"TelecineWarning: the writer of '{name}' was not closed, and left '.*journal': ", line)
    assert line.endswith(f"3 of 3 frames are kept: telecine recover {name}")
    assert telecine.recover(tmp_path / name).frame_count == 3


# ---- an encoder that takes its time ----------------------------------------------------------------------------------


def test_while_the_encoder_is_in_a_long_call_what_is_on_the_disk_is_told_and_recovered_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, is_stuck, may_go_on = tmp_path / "clip.mp4", threading.Event(), threading.Event()
    encode = Encoder.encode

    def slow(self: Encoder, frame: Any, pts: int) -> None:
        if pts == 4:
            is_stuck.set()
            assert may_go_on.wait(timeout=60)
        encode(self, frame, pts)

    monkeypatch.setattr(Encoder, "encode", slow)
    monkeypatch.setattr(encoding_thread, "_PATIENCE", 0.1)
    writer = VideoWriter(path, **EVERY_FRAME)
    writer.write(noise())
    assert is_stuck.wait(timeout=60)
    error = fail(writer)
    assert kept_by(error) == telecine.recover(path).frame_count == 3  # the muxer holds the last one back
    assert names_in(tmp_path) == ["clip.mp4"]
    with VideoWriter(tmp_path / "clip.mp4", **EVERY_FRAME) as again:
        may_go_on.set()
        assert encoding_threads_but(again) == []
        monkeypatch.undo()
        again.write(noise())
    assert_frames(again.video, noise())
    assert names_in(tmp_path) == ["clip.mp4"]


def encoding_threads_but(writer: VideoWriter) -> list[threading.Thread]:
    """The encoding threads of other writers that are left after a moment."""
    own = writer._job._thread._identifier
    others = [each for each in threading.enumerate() if each.name == "telecine-encode" and each.ident != own]
    for each in others:
        each.join(timeout=60)
    return [each for each in others if each.is_alive()]
