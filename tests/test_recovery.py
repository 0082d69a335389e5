"""What a dead writer left is made playable: the frames of the export, in one step, again and again until it is done."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import telecine
from telecine import PublishError, TelecineError, TelecineWarning, VideoWriter, export_video
from telecine.cli.commands import run
from telecine.images.webp import WebP

from .support.helpers import OLDER, Clip, assert_frames, failing_at, greys, names_in, noise, run_python
from .support.journals import JOURNAL, leave_journal, leave_many, packets_of, whole_pairs
from .support.mp4 import shown_times

# ---- exactly what the export would have given ----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("fps", [16, "24000/1001", 0.5, 120], ids=str)
@pytest.mark.parametrize("options", [{}, {"bf": 0}, {"bf": 16, "x264-params": "b-adapt=0"}, {"g": 1}], ids=str)
@pytest.mark.parametrize("size", [(64, 48), (33, 31)], ids=str)
def test_of_a_complete_journal_comes_the_file_of_the_export(
    size: tuple[int, int], options: dict[str, Any], fps: Any, tmp_path: Path
) -> None:
    frames = greys(23, *size)
    options = {"mbtree": 0, **options}  # with which x264 gives the same bytes every time
    exported = export_video(frames, tmp_path / "exported.mp4", fps=fps, crf=1, encoder_options=options)
    leave_journal(tmp_path / "clip.mp4", frames, fps=fps, crf=1, encoder_options=options)
    video = telecine.recover(tmp_path / "clip.mp4")
    assert video.path == tmp_path / "clip.mp4"
    assert (video.fps, video.frame_count, video.duration) == (exported.fps, 23, exported.duration)
    assert (video.width, video.height, video.codec) == (exported.width, exported.height, "h264")
    assert video.notes == ("23 frames were recovered",)
    assert packets_of(video) == packets_of(exported)
    assert shown_times(video.path.read_bytes()) == shown_times(exported.path.read_bytes())
    assert telecine.probe(video).color == telecine.probe(exported).color
    assert telecine.probe(video).index_in_front
    assert_frames(video, frames)
    assert names_in(tmp_path) == ["clip.mp4", "exported.mp4"]


@pytest.mark.parametrize(("color", "tags"), [("bt601", 6), ("bt709", 1)])
def test_the_colour_tags_are_kept(color: str, tags: int, tmp_path: Path) -> None:
    leave_journal(tmp_path / "clip.mp4", greys(), color=color)
    assert telecine.probe(telecine.recover(tmp_path / "clip.mp4")).color.matrix == tags


# ---- where it goes, and what is refused ----------------------------------------------------------------------------


def test_where_the_path_exists_the_video_goes_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    for expected in ("clip.recovered.mp4", "clip.recovered-2.mp4", "clip.recovered-3.mp4"):
        leave_journal(path, greys())
        path.write_bytes(OLDER)
        assert telecine.recover(path).path == tmp_path / expected
        assert path.read_bytes() == OLDER
        path.unlink()
    assert names_in(tmp_path) == ["clip.recovered-2.mp4", "clip.recovered-3.mp4", "clip.recovered.mp4"]


def test_the_output_is_where_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("there", "made/for/it"):
        leave_journal(tmp_path / "clip.mp4", greys())
        assert_frames(telecine.recover("clip.mp4", f"{folder}/other.m4v"), greys())
        assert names_in(tmp_path / folder) == ["other.m4v"]
    assert names_in(tmp_path) == ["made", "there"]


def test_an_output_that_exists_is_an_error_and_stays_and_so_does_the_journal(tmp_path: Path) -> None:
    journal, output = leave_journal(tmp_path / "clip.mp4", greys()), tmp_path / "other.mp4"
    output.write_bytes(OLDER)
    with pytest.raises(PublishError, match=r"other\.mp4' exists: name another output") as refused:
        telecine.recover(tmp_path / "clip.mp4", output)
    assert (refused.value.errno, refused.value.filename) == (errno.EEXIST, str(output))
    assert output.read_bytes() == OLDER
    assert names_in(tmp_path) == [journal.name, "other.mp4"]


@pytest.mark.parametrize("aside", [False, True])
def test_the_journal_itself_may_be_given(aside: bool, tmp_path: Path) -> None:
    journal = leave_journal(tmp_path / "clip.mp4", greys())
    if aside:
        with VideoWriter(tmp_path / "clip.mp4") as writer:
            (journal,) = (each for each in tmp_path.iterdir() if each.name != JOURNAL)
            assert journal.name.startswith(JOURNAL + "-")
            writer.abort()
    video = telecine.recover(journal)
    assert video.path == tmp_path / "clip.mp4"
    assert_frames(video, greys())
    assert names_in(tmp_path) == ["clip.mp4"]


def test_a_relative_path_and_a_link_lead_to_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.mp4").symlink_to("clip.mp4")
    leave_journal(tmp_path / "clip.mp4", greys())
    assert telecine.recover("link.mp4").frame_count == 5
    assert names_in(tmp_path) == ["clip.mp4", "link.mp4"]


@pytest.mark.parametrize("place", ["clip.mp4", "missing/clip.mp4", ".clip.mp4.telecine-journal"])
def test_where_there_is_no_journal_there_is_nothing_to_recover(place: str, tmp_path: Path) -> None:
    path = tmp_path / place
    with pytest.raises(PublishError, match="has no journal: there is nothing to recover") as refused:
        telecine.recover(path)
    assert (refused.value.errno, refused.value.filename) == (errno.ENOENT, str(path))
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("held", [b"", b"\0" * 5000, b"no journal at all", struct.pack(">I4s", 8, b"free") * 9])
def test_a_journal_without_a_whole_frame_is_an_error_and_stays(held: bytes, tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_bytes(held)
    with pytest.raises(PublishError, match="holds no whole frame") as refused:
        telecine.recover(tmp_path / "clip.mp4")
    assert (refused.value.errno, refused.value.filename) == (errno.ENODATA, str(tmp_path / JOURNAL))
    assert names_in(tmp_path) == [JOURNAL]
    assert (tmp_path / JOURNAL).read_bytes() == held
    export_video(greys(), tmp_path / "clip.mp4")
    assert names_in(tmp_path) == ["clip.mp4"]


def test_while_its_writer_lives_a_journal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with VideoWriter(path) as writer:
        writer.write(greys())
        for given in (path, tmp_path / JOURNAL):
            with pytest.raises(PublishError, match="belongs to a writer that is still at work") as refused:
                telecine.recover(given)
            assert refused.value.errno == errno.EBUSY
        assert names_in(tmp_path) == [JOURNAL]
    assert writer.video.frame_count == 5
    assert names_in(tmp_path) == ["clip.mp4"]


def test_a_writer_in_another_process_is_alive_until_it_is_killed(tmp_path: Path) -> None:
    script = """
import itertools, numpy, telecine
frames = numpy.zeros((48, 64, 3), numpy.uint8)
with telecine.VideoWriter("clip.mp4", encoder_options={"tune": "zerolatency"}) as writer:
    for _ in range(20):
        writer.write(frames)
    while writer.queued:
        pass
    print("alive", flush=True)
    input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "alive\n"
            with pytest.raises(PublishError, match="still at work"):
                telecine.recover(tmp_path / "clip.mp4")
        finally:
            process.kill()
    count = whole_pairs((tmp_path / JOURNAL).read_bytes())
    assert 0 < count <= 20
    assert telecine.recover(tmp_path / "clip.mp4").frame_count == count


# ---- several journals ----------------------------------------------------------------------------------------------


def test_the_journals_of_several_failures_are_set_aside_and_recovered_newest_first(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    leave_many(path, [3, 4, 5])
    assert len(names_in(tmp_path)) == 3
    assert [telecine.recover(path).frame_count for _ in range(3)] == [5, 4, 3]
    assert names_in(tmp_path) == ["clip.mp4", "clip.recovered-2.mp4", "clip.recovered.mp4"]
    for name, count in (("clip.mp4", 5), ("clip.recovered.mp4", 4), ("clip.recovered-2.mp4", 3)):
        assert_frames(tmp_path / name, greys(count))


@pytest.mark.parametrize("name", ["clip.mp4", "x" * 251 + ".mp4", "é" * 125 + "x.mp4"], ids=["short", "long", "wide"])
def test_a_later_export_removes_the_journals_of_its_path_only(name: str, tmp_path: Path) -> None:
    path, other = tmp_path / name, tmp_path / (name[:-5] + "_.mp4")
    leave_many(path, [3, 4])
    leave_many(other, [3])
    with VideoWriter(path) as alive:
        assert len(names_in(tmp_path)) == 4
        alive.write(greys())
    there = names_in(tmp_path)
    assert len(there) == 2
    assert name in there
    assert telecine.recover(other).frame_count == 3


def test_an_older_journal_is_recovered_where_the_newest_holds_no_frame(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    leave_many(path, [3])
    (tmp_path / JOURNAL).rename(tmp_path / (JOURNAL + "-0123abcd"))
    (tmp_path / JOURNAL).write_bytes(b"")  # of a writer that was killed before its first frame
    assert telecine.recover(path).frame_count == 3


def test_a_writer_that_is_aborted_leaves_the_journals_of_others(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    leave_many(path, [3, 4])
    writer = VideoWriter(path)
    writer.write(greys())
    writer.abort()
    assert [telecine.recover(path).frame_count for _ in range(2)] == [4, 3]


# ---- what is left --------------------------------------------------------------------------------------------------


def test_a_journal_stays_until_all_its_frames_are_in_the_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RuntimeError):
        export_video(failing_at(6, greys(6), RuntimeError()), tmp_path / "clip.webp")
    encode, taken = WebP.encode, list[int]()

    def losing(self: WebP, frame: Clip, ticks: int) -> None:  # as Pillow 11.3 does of AVIF
        taken.append(ticks)
        if len(taken) <= 2:
            encode(self, frame, ticks)

    monkeypatch.setattr(WebP, "encode", losing)
    with pytest.warns(TelecineWarning, match=r"^2 of 6 frames are in the new file: the journal '.*' is left where"):
        video = telecine.recover(tmp_path / "clip.webp")
    assert video.frame_count == 2
    monkeypatch.undo()
    assert telecine.recover(tmp_path / "clip.webp", tmp_path / "whole.webp").frame_count == 6
    assert names_in(tmp_path) == ["clip.webp", "whole.webp"]


@pytest.mark.parametrize("options", [{}, {"metadata": {"title": "a clip"}}], ids=["bare", "metadata"])
def test_of_a_journal_whose_first_frame_is_torn_or_not_whole_it_is_said(options: Any, tmp_path: Path) -> None:
    data = leave_journal(tmp_path / "whole.mp4", greys(), **options).read_bytes()
    first = data.index(b"mdat") + 4
    end = first - 8 + int.from_bytes(data[first - 8 : first - 4], "big")
    for index, left in enumerate((data[: first + 9], data[:first] + bytes(end - first), data[:40], b"", b"no journal")):
        path = tmp_path / f"{index}.mp4"
        path.with_name(f".{path.name}.telecine-journal").write_bytes(left)
        with pytest.raises(PublishError, match="holds no whole frame") as failed:
            telecine.recover(path)
        assert failed.value.errno == errno.ENODATA
        assert "\n" not in str(failed.value)
        assert not path.exists()


def make_odd(path: Path, kind: str) -> None:
    if kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "dangling":
        path.symlink_to("nothing")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_bytes(b"something else")


@pytest.mark.skipif(os.name != "posix", reason="no such entries there")
@pytest.mark.parametrize("kind", ["folder", "loop", "dangling", "pipe", "file"])
def test_what_only_has_a_journals_name_is_no_bar_to_the_others(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = leave_journal(tmp_path / "clip.mp4", greys())
    other = tmp_path / f"{JOURNAL}-0123abcd"
    make_odd(other, kind)
    make_odd(tmp_path / ".odd.mp4.telecine-journal", kind)
    with pytest.raises(PublishError, match=r"has no journal of yours|holds no whole frame") as failed:
        telecine.recover(tmp_path / "odd.mp4")
    assert "\n" not in str(failed.value)
    assert run(["recover", "--list", str(tmp_path)]) == 0
    listed, said = capsys.readouterr()
    assert listed.splitlines() == [str(journal)]
    if kind != "dangling":  # as of a writer that has just finished
        assert {line.split("'")[1] for line in said.splitlines()} == {
            str(other),
            str(tmp_path / ".odd.mp4.telecine-journal"),
        }
    assert_frames(telecine.recover(tmp_path / "clip.mp4"), greys())
    assert not journal.exists()


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A disk with a journal that nothing can be written to: only root may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a filesystem")
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, check=False).returncode:
        pytest.skip("no filesystem can be mounted here")
    try:
        leave_journal(folder / "clip.mp4", greys())
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True, timeout=60)
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True, timeout=60)


def test_a_journal_on_a_disk_that_is_read_only_is_recovered_elsewhere_and_stays(
    read_only: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left = f"the journal {str(read_only / JOURNAL)!r} is left where it is: Read-only file system"
    with pytest.warns(TelecineWarning, match=re.escape(left)):
        video = telecine.recover(read_only / "clip.mp4", tmp_path / "clip.mp4")
    assert_frames(video, greys())
    assert video.notes == ("5 frames were recovered", left)
    assert names_in(read_only) == [JOURNAL]
    with pytest.raises(PublishError, match="Read-only file system"):
        telecine.recover(read_only / "clip.mp4")
    assert run(["recover", "--list", str(read_only)]) == 0
    assert capsys.readouterr().out == f"{read_only / JOURNAL}\n"


# ---- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["x" * 251 + ".mp4", "😀" * 62 + "abc.mp4", "two\nlines.mp4", "-x.mp4", "%03d.mp4", ".mp4.mp4", "a.0123abcd.mp4"],
    ids=ascii,
)
def test_any_name_is_recovered(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    leave_many(tmp_path / name, [5])
    assert str(telecine.recover(name).path) == str(tmp_path / name)
    assert_frames(tmp_path / name, greys())
    assert names_in(tmp_path) == [name]


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux only")
@pytest.mark.parametrize("length", [2, 240])
def test_a_name_that_is_no_text_is_recovered(
    length: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    name = b"\xff" * length + b".mp4"
    for recover in (lambda: telecine.recover(os.fsdecode(name)), lambda: run(["recover", os.fsdecode(name)])):
        leave_many(tmp_path / os.fsdecode(name), [5])
        recover()
        assert os.listdir(os.fsencode(tmp_path)) == [name]
        os.unlink(name)
    assert "frames" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["clip", "clip.avi", "clip.0123abcd"])
def test_what_was_exported_with_its_format_said_is_recovered_under_its_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        export_video(failing_at(3, greys(), RuntimeError()), tmp_path / name, format="mp4")
    assert telecine.recover(tmp_path / name).path == tmp_path / name
    assert names_in(tmp_path) == [name]


def test_what_replaces_nothing_private_is_made_private(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(OLDER)
    path.chmod(0o600)
    leave_many(path, [3])
    assert telecine.recover(path).path.stat().st_mode & 0o777 == 0o600


# ---- in one step, and again ----------------------------------------------------------------------------------------


KILLED_AT_ITS_NTH_CALL = """
import os, signal, sys
import telecine
from telecine.publish import hidden
which = int(sys.argv[1])
calls = 0
def counted(module, name):
    call = getattr(module, name)
    def counting(*arguments, **options):
        global calls
        calls += 1
        if calls == which:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **options)
    setattr(module, name, counting)
for name in ("open", "fsync", "link", "unlink", "replace", "rename", "fchmod"):
    counted(os, name)
counted(hidden.WholeWrites, "write")
telecine.recover("clip.mp4")
"""


@pytest.mark.slow
def test_a_recovery_that_is_killed_at_any_call_can_be_run_again(tmp_path: Path) -> None:
    journal = leave_journal(tmp_path / "clip.mp4", greys())
    held = journal.read_bytes()
    for which in range(1, 1000):
        folder = tmp_path / str(which)
        folder.mkdir()
        (folder / JOURNAL).write_bytes(held)
        command = [sys.executable, "-c", KILLED_AT_ITS_NTH_CALL, str(which)]
        done = subprocess.run(command, cwd=folder, timeout=60, check=False)
        path = folder / "clip.mp4"
        if path.exists():
            assert_frames(path, greys())
        if done.returncode == 0:
            assert names_in(folder) == ["clip.mp4"]
            break
        assert done.returncode == -9
        if (folder / JOURNAL).exists():
            assert (folder / JOURNAL).read_bytes() == held
            assert_frames(telecine.recover(path), greys())
        assert set(names_in(folder)) <= {"clip.mp4", "clip.recovered.mp4"}
    assert which > 8


@pytest.mark.parametrize("step", ["fsync", "link"])
def test_a_disk_that_fails_during_a_recovery_leaves_the_journal(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = leave_journal(tmp_path / "clip.mp4", greys())

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(PublishError, match="Input/output error") as failed:
        telecine.recover(tmp_path / "clip.mp4")
    monkeypatch.undo()
    assert failed.value.errno == errno.EIO
    assert failed.value.filename == str(tmp_path / "clip.mp4")
    assert journal.exists()
    assert_frames(telecine.recover(tmp_path / "clip.mp4"), greys())
    assert JOURNAL not in names_in(tmp_path)


# ---- the command ---------------------------------------------------------------------------------------------------


def test_the_command_recovers_and_shows_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    leave_journal(tmp_path / "clip.mp4", greys())
    assert run(["recover", str(tmp_path / "clip.mp4"), "-o", str(tmp_path / "other.mp4")]) == 0
    shown = capsys.readouterr().out
    assert "5 frames were recovered" in shown
    assert_frames(tmp_path / "other.mp4", greys())
    assert names_in(tmp_path) == ["other.mp4"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["clip.mp4"], 1, "telecine: 'clip.mp4' has no journal: there is nothing to recover\n"),
        ([], 2, "telecine: recover needs a path, or --list and a folder\n"),
    ],
)
def test_the_command_says_why_not(
    arguments: list[str],
    code: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["recover", *arguments]) == code
    line, page = capsys.readouterr().err.splitlines(keepends=True)
    assert (line, page) == (said, "telecine: see https://telecine.readthedocs.io/en/stable/recovery.html\n")


def test_the_command_lists_the_journals_of_the_dead_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    leave_many(tmp_path / "a.mp4", [3, 4])
    leave_many(tmp_path / "b.mp4", [3])
    dead = set(tmp_path.iterdir())
    assert len(dead) == 3
    with VideoWriter(tmp_path / "c.mp4") as writer:
        writer.write(greys())
        assert run(["recover", "--list", str(tmp_path)]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert {Path(line) for line in listed} == dead
    assert {each for each in tmp_path.iterdir() if each.name.startswith(".")} == dead


def test_the_command_that_an_error_names_recovers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TelecineError) as failed:
        export_video([*greys(), None], "it's one.mp4")
    command = str(failed.value).split("are kept: ")[1]
    assert command == """telecine recover 'it'"'"'s one.mp4'"""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "telecine").write_text(f'#!/bin/sh\nexec {sys.executable} -m telecine "$@"\n')
    (tmp_path / "bin" / "telecine").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert_frames(tmp_path / "it's one.mp4", greys())


# ---- memory --------------------------------------------------------------------------------------------------------


def leave_journal_of_noise(path: Path, count: int) -> None:
    picture = noise(1, 160, 120)[0]

    def frames() -> Iterator[Clip]:
        for index in range(count):
            yield np.roll(picture, 7 * index)

    writer = VideoWriter(path, overwrite=False, quality="draft", preset="ultrafast")
    writer.write(frames())
    path.write_bytes(OLDER)
    with pytest.raises(PublishError):
        writer.close()
    path.unlink()
    assert path.with_name(f".{path.name}.telecine-journal").stat().st_size > count * 1000


def test_recovering_takes_memory_that_does_not_grow_with_the_frames(tmp_path: Path) -> None:
    if not os.path.exists("/proc/self/status"):
        pytest.skip("no /proc here")
    for name, count in (("few.mp4", 50), ("many.mp4", 1500)):
        leave_journal_of_noise(tmp_path / name, count)
    said = run_python(
        """
import json, telecine
for name in ("few.mp4", "many.mp4"):
    telecine.recover(name)
    print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
""",
        tmp_path,
    )
    few, many = map(json.loads, said.splitlines())
    assert many - few < 12 << 10  # of KiB; the many take 20 MB or more on the disk
