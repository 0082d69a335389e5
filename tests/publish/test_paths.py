"""Where the file goes: names are literal, folders made, links and permissions kept, and what is no file is refused."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import telecine
from telecine import FrameError, PublishError, TelecineError, VideoWriter, export_video

from ..support.helpers import (
    OLDER,
    Asked,
    Clip,
    assert_frames,
    assert_kept,
    assert_one_line,
    assert_untouched,
    failing_at,
    greys,
    names_in,
    run_python,
)

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux only")


# ---- names ---------------------------------------------------------------------------------------------------------


NAMES = [
    "a:b.mp4",
    "%03d.mp4",
    "frame%d_%s.mp4",
    "-x.mp4",
    "--output.mp4",
    "concat:a.mp4",
    "concat:a.mp4|b.mp4",
    "file:x.mp4",
    "pipe:1.mp4",
    "http:x.mp4",
    "crypto+file:x.mp4",
    "tee:[f=mp4]a.mp4",
    "async:cache:x.mp4",
    "two  spaces .mp4",
    " .mp4",
    'it\'s "quoted" `here`.mp4',
    "$HOME ${PATH} $(ls).mp4",
    "back\\slash.mp4",
    "*?[a-z]{1,2}.mp4",
    "a;b&c|d>e#f!.mp4",
    "two\nlines\r\t.mp4",
    "\x1b[31mred\x07.mp4",
    "😀👩‍👩‍👧 né 東京.mp4",
    ".mp4.mp4",
    "...mp4",
    "~.mp4",
    "NUL.MP4",
    "clip.m4v",
    "x" * 251 + ".mp4",
    "é" * 125 + "x.mp4",
    "😀" * 62 + "abc.mp4",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES, ids=ascii)
@pytest.mark.parametrize("relative", [False, True], ids=["absolute", "relative"])
def test_a_name_is_only_ever_a_name(name: str, relative: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = name if relative else str(tmp_path / name)
    seen: list[list[str]] = []

    def frames() -> Iterator[Clip]:
        seen.append(names_in(tmp_path))
        yield from greys(2)

    video = export_video(frames(), given)
    ((hidden,),) = seen
    assert hidden.startswith(".")
    assert hidden.endswith(".telecine-journal")
    assert len(os.fsencode(hidden)) <= 255
    assert str(video) == given
    assert names_in(tmp_path) == [name]
    assert telecine.probe(given).frame_count == 2 == len(list(telecine.read_frames(given)))
    assert telecine.verify(given, greys(2)).problems == ()
    export_video(greys(3), given)
    assert names_in(tmp_path) == [name]
    with pytest.raises(PublishError) as refused:
        export_video(greys(2), given, overwrite=False)
    assert_one_line(refused.value, errno.EEXIST, given)
    assert telecine.probe(given).frame_count == 3


def test_a_folder_that_is_called_as_a_shell_calls_the_home_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for given in ("./~/a.mp4", "~/b.mp4"):  # of which the first makes it
        export_video(greys(2), given)
    assert names_in(tmp_path / "~") == ["a.mp4", "b.mp4"]


@linux_only
@pytest.mark.parametrize("name", [b"\xff\xfe.mp4", os.fsdecode(b"\xff\xfe.mp4")], ids=["bytes", "text"])
def test_a_name_that_is_no_text_is_a_name(name: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    video = export_video(greys(2), name)
    assert os.listdir(os.fsencode(tmp_path)) == [b"\xff\xfe.mp4"]
    assert os.fsencode(video) == b"\xff\xfe.mp4"


def test_a_name_of_256_bytes_is_refused_by_its_own_name(tmp_path: Path) -> None:
    frames, path = Asked(greys()), tmp_path / ("x" * 252 + ".mp4")
    with pytest.raises(PublishError, match="can't be written: File name too long") as refused:
        export_video(frames, path)
    assert_one_line(refused.value, errno.ENAMETOOLONG, path)
    assert frames.count == 0
    assert names_in(tmp_path) == []


def test_another_name_with_the_format_said_is_only_a_name(tmp_path: Path) -> None:
    for name in ("clip", "clip.avi", "clip.mp4.tmp"):
        assert telecine.probe(export_video(greys(2), tmp_path / name, format="mp4")).container == "mp4"
    assert names_in(tmp_path) == ["clip", "clip.avi", "clip.mp4.tmp"]


def test_a_relative_path_stays_where_it_was_when_the_working_folder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "before").mkdir()
    (tmp_path / "after").mkdir()
    monkeypatch.chdir(tmp_path / "before")

    def frames() -> Iterator[Clip]:
        yield greys(2)[0]
        os.chdir(tmp_path / "after")
        yield greys(2)[1]

    export_video(frames(), "sub/../sub/clip.mp4")
    assert names_in(tmp_path / "after") == []
    assert telecine.probe(tmp_path / "before" / "sub" / "clip.mp4").frame_count == 2


def test_without_a_path_the_file_is_a_new_one_among_the_temporary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    videos = [export_video(greys()), export_video(greys())]
    assert sorted(tmp_path.iterdir()) == sorted(video.path for video in videos)


# ---- folders -------------------------------------------------------------------------------------------------------


def test_missing_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "some" / "new" / "folders" / "clip.mp4"
    assert telecine.probe(export_video(greys(), path)).frame_count == 5
    assert names_in(path.parent) == ["clip.mp4"]


def an_option(path: Path) -> None:
    export_video(greys(), path, fps=0)


def a_first_frame(path: Path) -> None:
    export_video([None, *greys()], path)


def an_abort(path: Path) -> None:
    with VideoWriter(path) as writer:
        writer.write(greys())
        writer.abort()
    raise FrameError("as the others do")


def a_name(path: Path) -> None:
    export_video(greys(), path.with_name("x" * 300 + ".mp4"))


def a_folders_name(path: Path) -> None:
    export_video(greys(), path.parent / ("x" * 300) / "clip.mp4")


@pytest.mark.parametrize("what", [an_option, a_first_frame, an_abort, a_name, a_folders_name])
def test_made_folders_are_removed_when_the_export_fails_by(what: Callable[[Path], None], tmp_path: Path) -> None:
    with pytest.raises(TelecineError):
        what(tmp_path / "some" / "new" / "clip.mp4")
    assert names_in(tmp_path) == []


def test_made_folders_stay_with_the_journal_when_a_later_frame_fails(tmp_path: Path) -> None:
    path = tmp_path / "some" / "new" / "clip.mp4"
    with pytest.raises(FrameError) as failed:
        export_video([*greys(), None], path)
    assert_frames(assert_kept(path, failed.value, held=None), greys())


def test_made_folders_that_somebody_uses_by_then_stay(tmp_path: Path) -> None:
    path = tmp_path / "some" / "new" / "clip.mp4"
    writer = VideoWriter(path)
    writer.write(greys())
    (tmp_path / "some" / "notes.txt").write_text("mine")
    writer.abort()
    assert names_in(tmp_path) == ["some"]
    assert names_in(tmp_path / "some") == ["notes.txt"]


def test_concurrent_writers_into_one_new_folder_leave_what_succeeded(tmp_path: Path) -> None:
    def export(index: int) -> bool:
        try:
            export_video(greys() if index % 2 else [], tmp_path / "some" / "new" / f"{index}.mp4")
        except FrameError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(export, range(32))) == [False, True] * 16
    assert names_in(tmp_path / "some" / "new") == sorted(f"{index}.mp4" for index in range(1, 32, 2))


def test_a_folder_that_is_removed_meanwhile_is_an_error_that_names_the_path(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "clip.mp4"
    path.parent.mkdir()
    writer = VideoWriter(path)
    writer.write(greys())
    shutil.rmtree(path.parent)
    with pytest.raises(PublishError) as failed:
        writer.close()
    assert_one_line(failed.value, errno.ENOENT, path)
    assert names_in(tmp_path) == []


# ---- links and what is no file -------------------------------------------------------------------------------------


def test_through_a_link_its_target_is_replaced_and_the_link_kept(tmp_path: Path) -> None:
    for folder in ("links", "clips"):
        (tmp_path / folder).mkdir()
    target, link = tmp_path / "clips" / "clip.mp4", tmp_path / "links" / "link.mp4"
    target.write_bytes(OLDER)
    link.symlink_to("../clips/clip.mp4")
    video = export_video(greys(), link)
    assert str(video) == str(link)
    assert os.readlink(link) == "../clips/clip.mp4"
    assert telecine.probe(target).frame_count == 5
    assert (names_in(tmp_path / "links"), names_in(tmp_path / "clips")) == (["link.mp4"], ["clip.mp4"])


def test_through_a_link_to_nothing_its_target_is_made(tmp_path: Path) -> None:
    link = tmp_path / "link.mp4"
    link.symlink_to("some/new/clip.mp4")
    export_video(greys(), link)
    assert link.is_symlink()
    assert telecine.probe(tmp_path / "some" / "new" / "clip.mp4").frame_count == 5


def test_a_failed_export_leaves_a_link_and_its_target_as_they_were(path: Path) -> None:
    (path.parent / "links").mkdir()
    link = path.parent / "links" / "link.mp4"
    link.symlink_to(path)
    with pytest.raises(RuntimeError):
        export_video(failing_at(3, greys(), RuntimeError()), link)
    assert os.readlink(link) == str(path)
    assert path.read_bytes() == OLDER
    assert names_in(path.parent) == [".clip.mp4.telecine-journal", "clip.mp4", "links"]
    video = telecine.recover(link)
    assert video.path == path.with_name("clip.recovered.mp4")
    assert_frames(video, greys()[:3])
    assert os.readlink(link) == str(path)


def test_through_a_linked_folder_the_file_is_in_the_folder_itself(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    export_video(greys(), tmp_path / "link" / "clip.mp4")
    assert names_in(tmp_path / "real") == ["clip.mp4"]


def test_another_name_of_the_same_file_keeps_the_older_clip(path: Path) -> None:
    other = path.with_name("other.mp4")
    os.link(path, other)
    export_video(greys(), path)
    assert other.read_bytes() == OLDER


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "link.mp4"
    link.symlink_to("link.mp4")
    with pytest.raises(PublishError) as refused:
        export_video(Asked(greys()), link)
    assert_one_line(refused.value, errno.ELOOP, link)
    assert names_in(tmp_path) == ["link.mp4"]


NO_FILE = {
    "folder": ("folder.mp4", errno.EISDIR, "is a folder: name a file in it"),
    "fifo": ("fifo.mp4", errno.EINVAL, "is not a regular file: it can't be replaced"),
    "device": (os.devnull, errno.EINVAL, "is not a regular file: it can't be replaced"),
    "link to a folder": ("link.mp4", errno.EISDIR, "is a folder: name a file in it"),
    "trailing slash": ("new.mp4/", errno.EISDIR, "names a folder: name a file in it"),
    "dot": (".", errno.EISDIR, "is a folder: name a file in it"),
    "empty": ("", errno.EISDIR, "names a folder: name a file in it"),
    "below a file": ("file/clip.mp4", errno.ENOTDIR, "can't be written: Not a directory"),
}


def stay(path: Path) -> tuple[int, ...]:
    """What does not change unless somebody writes: following a link is a look at it."""
    found = path.lstat()
    return found.st_mode, found.st_ino, found.st_size, found.st_mtime_ns


@pytest.mark.parametrize("kind", NO_FILE)
def test_what_is_no_file_is_refused_and_stays(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkdir("folder.mp4")
    os.mkfifo("fifo.mp4")
    os.symlink("folder.mp4", "link.mp4")
    Path("file").write_bytes(b"")
    given, number, said = NO_FILE[kind]
    before = {each.name: stay(each) for each in tmp_path.rglob("*")}
    frames = Asked(greys())
    with pytest.raises(PublishError, match=said) as refused:
        export_video(frames, given, format="mp4")
    assert_one_line(refused.value, number, given)
    assert frames.count == 0
    assert {each.name: stay(each) for each in tmp_path.rglob("*")} == before
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_a_folder_that_appears_at_the_path_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    writer = VideoWriter(path)
    writer.write(greys())
    path.mkdir()
    with pytest.raises(PublishError) as failed:
        writer.close()
    assert_one_line(failed.value, errno.EISDIR, path)
    assert names_in(tmp_path) == [".clip.mp4.telecine-journal", "clip.mp4"]
    assert names_in(path) == []
    assert_frames(telecine.recover(path), greys())


# ---- permissions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o666, 0o444, 0o755])
def test_the_permissions_of_a_replaced_file_are_kept(mode: int, path: Path) -> None:
    path.chmod(mode)
    export_video(greys(), path)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert telecine.probe(path).frame_count == 5


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
@pytest.mark.parametrize("overwrite", [True, False])
def test_a_new_file_has_the_permissions_of_any_new_file(mask: int, overwrite: bool, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        video = export_video(greys(), tmp_path / "clip.mp4", overwrite=overwrite)
    finally:
        os.umask(before)
    assert stat.S_IMODE(video.path.stat().st_mode) == 0o666 & ~mask


WAY_OUT = "a new file is made beside it first: choose a folder where you may make files"
NOBODY = """
import json, os, sys, warnings, numpy, telecine
telecine.export_video  # imported now: this user may read no folder that holds it
if os.geteuid() == 0:
    os.setegid(65534)
    os.seteuid(65534)
asked = []
def frames():
    asked.append(1)
    yield numpy.zeros((5, 48, 64, 3), numpy.uint8)
for path in sys.argv[1:]:
    try:
        telecine.export_video(frames(), path)
        print(json.dumps([None, None, None, len(asked)]))
    except telecine.PublishError as error:
        print(json.dumps([error.errno, error.filename, str(error), len(asked)]))
"""


@pytest.fixture
def for_all() -> Iterator[Path]:
    """A folder that every user can enter, as pytest's own are not."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        folder = Path(name).resolve()
        if any(not each.stat().st_mode & stat.S_IXOTH for each in folder.parents):
            pytest.skip(f"only its owner can enter {folder.parent}")
        yield folder


def as_nobody(*paths: Path) -> list[list[Any]]:
    """Export to each path as a user who owns nothing, or as this one: errno, filename, text, generators advanced."""
    return [json.loads(line) for line in run_python(NOBODY, Path("/"), *paths).splitlines()]


def test_a_folder_that_may_not_be_written_is_refused_before_the_first_frame(for_all: Path) -> None:
    folder = for_all / "read only"
    folder.mkdir()
    (folder / "clip.mp4").write_bytes(OLDER)
    (folder / "clip.mp4").chmod(0o666)
    folder.chmod(0o555)
    paths = [folder / "clip.mp4", folder / "new.mp4", folder / "some" / "new" / "clip.mp4"]
    try:
        results = as_nobody(*paths)
    finally:
        folder.chmod(0o755)
    assert results == [
        [errno.EACCES, str(path), f"{str(path)!r} can't be written: Permission denied: {WAY_OUT}", 0] for path in paths
    ]
    assert_untouched(folder / "clip.mp4")


def test_a_folder_that_may_not_be_entered_is_refused_before_the_first_frame(for_all: Path) -> None:
    folder = for_all / "closed"
    folder.mkdir()
    (folder / "clip.mp4").write_bytes(OLDER)
    folder.chmod(0o600)
    try:
        results = as_nobody(folder / "clip.mp4")
    finally:
        folder.chmod(0o755)
    path = str(folder / "clip.mp4")
    assert results == [[errno.EACCES, path, f"{path!r} can't be written: Permission denied: {WAY_OUT}", 0]]
    assert_untouched(folder / "clip.mp4")


def test_a_read_only_file_in_a_folder_that_may_be_written_is_replaced(for_all: Path) -> None:
    folder = for_all / "free"
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "clip.mp4").write_bytes(OLDER)
    (folder / "clip.mp4").chmod(0o444)
    assert as_nobody(folder / "clip.mp4") == [[None, None, None, 1]]
    assert telecine.probe(folder / "clip.mp4").frame_count == 5
    assert stat.S_IMODE((folder / "clip.mp4").stat().st_mode) == 0o444


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be two users")
def test_another_users_file_in_a_sticky_folder_is_refused_before_the_first_frame(for_all: Path) -> None:
    folder = for_all / "sticky"
    folder.mkdir()
    folder.chmod(0o1777)
    path = folder / "clip.mp4"
    path.write_bytes(OLDER)
    assert as_nobody(path) == [[errno.EPERM, str(path), f"{str(path)!r} is another user's, in a sticky folder", 0]]
    assert_untouched(path)
    assert as_nobody(folder / "new.mp4") == [[None, None, None, 1]]
