"""In a folder that others write to, no name that they can make first is followed, changed, trusted or given frames."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import telecine
from telecine import PublishError, VideoWriter, export_video

from ..support.helpers import OLDER, Asked, Clip, assert_frames, assert_one_line, failing_at, greys, names_in
from ..support.journals import JOURNAL, leave_journal
from ..support.users import ATTACKER, VICTIM, folder_for_all, only_root, user

pytestmark = only_root

PRECIOUS = b"the victim's own, and nobody's business"
FILE_NAMES = [JOURNAL, f"{JOURNAL}-00000000", ".clip.mp4.telecine-new", ".clip.mp4.telecine-trial"]
FOLDER_NAMES = [
    ".clip.telecine-frames", ".clip.telecine-frames-00000000", ".clip.telecine-old", ".clip.telecine-old-00000000",
]  # fmt: skip


@pytest.fixture(params=[0o1777, 0o777], ids=["sticky", "open"])
def shared(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder where anybody makes names, beside one of the victim's own."""
    with folder_for_all(request.param) as folder:
        own = folder.parent / "own"
        (own / "images").mkdir(parents=True)
        (own / "precious.mp4").write_bytes(PRECIOUS)
        for name in ("000000.png", "000000.png.part", "notes.txt"):
            (own / "images" / name).write_bytes(PRECIOUS)
        for each in (own, *own.rglob("*")):
            os.chown(each, VICTIM, VICTIM)
            each.chmod(0o700 if each.is_dir() else 0o600)
        yield folder


def state(path: Path) -> list[Any]:
    """All there is to change of a file or a tree, links not followed."""
    found = path.lstat()
    held: Any = None
    if stat.S_ISREG(found.st_mode):
        held = path.read_bytes()
    elif stat.S_ISLNK(found.st_mode):
        held = os.readlink(path)
    elif stat.S_ISDIR(found.st_mode):
        held = [state(each) for each in sorted(path.iterdir())]
    return [path.name, found.st_ino, found.st_mode, found.st_uid, found.st_gid, held]


# ---- what an attacker makes first ----------------------------------------------------------------------------------


def a_link(at: Path, journal: bytes) -> None:
    at.symlink_to(at.parent.parent / "own" / "precious.mp4")


def a_link_to_a_folder(at: Path, journal: bytes) -> None:
    at.symlink_to(at.parent.parent / "own" / "images")


def a_link_to_nothing(at: Path, journal: bytes) -> None:
    at.symlink_to(at.parent.parent / "own" / "new.mp4")


def a_pipe(at: Path, journal: bytes) -> None:
    os.mkfifo(at)
    at.chmod(0o666)


def a_folder(at: Path, journal: bytes) -> None:
    at.mkdir()
    at.chmod(0o777)
    (at / "000000.png").write_bytes(b"the attacker's")
    (at / "000001.png.part").symlink_to(at.parent.parent / "own" / "precious.mp4")


def an_empty_folder(at: Path, journal: bytes) -> None:
    at.mkdir()
    at.chmod(0o777)


def a_journal(at: Path, journal: bytes) -> None:
    at.write_bytes(journal)
    at.chmod(0o666)


def an_empty_file(at: Path, journal: bytes) -> None:
    at.touch()
    at.chmod(0o666)


PLANTED = [
    a_link, a_link_to_a_folder, a_link_to_nothing, a_pipe, a_folder, an_empty_folder, a_journal, an_empty_file,
]  # fmt: skip


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return leave_journal(tmp_path_factory.mktemp("journal") / "clip.mp4", greys(3)).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("name", FILE_NAMES)
def test_what_another_user_planted_at_a_files_hidden_name_stays_and_is_of_no_use(
    name: str, shared: Path, journal: bytes
) -> None:
    own, path = shared.parent / "own", shared / "clip.mp4"
    before = state(own)
    for plant in PLANTED:
        with user(ATTACKER):
            plant(shared / name, journal)
        planted = state(shared / name)
        with user(VICTIM):
            video = export_video(seen(shared, greys()), path, overwrite=False)
        assert_frames(video, greys())
        assert path.stat().st_uid == VICTIM
        assert state(shared / name) == planted, plant
        assert state(own) == before, plant
        assert names_in(shared) == sorted(["clip.mp4", name])
        path.unlink()
        remove(shared / name)


@pytest.mark.slow
@pytest.mark.parametrize("name", FOLDER_NAMES)
def test_what_another_user_planted_at_a_folders_hidden_name_stays_and_is_of_no_use(
    name: str, shared: Path, journal: bytes
) -> None:
    own, path = shared.parent / "own", shared / "clip"
    before = state(own)
    for plant in PLANTED:
        with user(ATTACKER):
            plant(shared / name, journal)
        planted = state(shared / name)
        for count in (5, 3):  # new, and in place of another
            with user(VICTIM):
                export_video(greys(count), path, format="png")
            assert names_in(path) == [f"{index:06d}.png" for index in range(count)]
            assert state(shared / name) == planted, plant
            assert state(own) == before, plant
            assert names_in(shared) == sorted(["clip", name])
        remove(path)
        remove(shared / name)


def seen(folder: Path, frames: Clip) -> Iterator[Clip]:
    """Check, while frames are asked for, that what the victim has made is the victim's to write alone."""
    for frame in frames:
        made = [each for each in folder.iterdir() if each.lstat().st_uid == VICTIM]
        assert made
        assert all(not each.lstat().st_mode & 0o022 for each in made)
        yield frame


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for each in path.iterdir():
            remove(each)
        path.rmdir()
    else:
        path.unlink()


def test_a_file_of_ones_own_with_another_name_is_no_journal(shared: Path) -> None:
    """As another user can make one of it, where the system lets users link what is not theirs."""
    precious = shared.parent / "own" / "precious.mp4"
    for name in FILE_NAMES[:2]:
        os.link(precious, shared / name)
        with user(VICTIM):
            export_video(greys(), shared / "clip.mp4")
        assert precious.read_bytes() == PRECIOUS
        assert os.path.samefile(precious, shared / name)
        (shared / name).unlink()


def test_root_follows_and_trusts_no_more_than_others(shared: Path, journal: bytes) -> None:
    own = shared.parent / "own"
    before = state(own)
    for name in FILE_NAMES:
        for plant in PLANTED:
            with user(ATTACKER):
                plant(shared / name, journal)
            planted = state(shared / name)
            export_video(greys(2), shared / "clip.mp4", overwrite=False)
            assert (state(shared / name), state(own)) == (planted, before), plant
            (shared / "clip.mp4").unlink()
            remove(shared / name)


# ---- recovery ------------------------------------------------------------------------------------------------------


def test_another_users_journal_is_recovered_only_if_it_is_named(shared: Path, journal: bytes) -> None:
    path = shared / "clip.mp4"
    with user(ATTACKER):
        a_journal(shared / JOURNAL, journal)
    with user(VICTIM):
        with pytest.raises(PublishError, match="is another user's, no file, or open for all") as refused:
            telecine.recover(path)
        assert_one_line(refused.value, errno.EPERM, path)
        assert names_in(shared) == [JOURNAL]
        if shared.stat().st_mode & stat.S_ISVTX:
            with pytest.warns(telecine.TelecineWarning, match="is left where it is: Operation not permitted"):
                video = telecine.recover(shared / JOURNAL, shared.parent / "own" / "theirs.mp4")
        else:
            video = telecine.recover(shared / JOURNAL, shared.parent / "own" / "theirs.mp4")
        assert_frames(video, greys(3))


@pytest.mark.parametrize("plant", PLANTED)
def test_what_another_user_planted_is_no_bar_to_recovering_ones_own(
    plant: Callable[[Path, bytes], None], shared: Path, journal: bytes
) -> None:
    path = shared / "clip.mp4"
    with user(ATTACKER):
        plant(shared / JOURNAL, journal)
    with user(VICTIM), pytest.raises(RuntimeError):
        export_video(failing_at(4, greys(4), RuntimeError()), path)
    with user(ATTACKER):
        plant(shared / f"{JOURNAL}-ffffffff", journal)  # newer
    with user(VICTIM):
        assert_frames(telecine.recover(path), greys(4))
    assert (shared.parent / "own" / "precious.mp4").read_bytes() == PRECIOUS


def test_the_command_lists_ones_own_and_is_stopped_by_nothing(shared: Path, journal: bytes) -> None:
    from telecine.recovery import orphans_in

    with user(ATTACKER):
        for index, plant in enumerate(PLANTED):
            plant(shared / f"{JOURNAL}-{index:08x}", journal)
            plant(shared / f".clip.telecine-frames-{index:08x}", journal)
    with user(VICTIM):
        with pytest.raises(RuntimeError):
            export_video(failing_at(4, greys(4), RuntimeError()), shared / "mine.mp4")
        found, odd = orphans_in(shared)
    assert found == [shared / ".mine.mp4.telecine-journal"]
    assert sorted(odd) == [shared / f"{JOURNAL}-{index:08x}" for index in range(len(PLANTED))]
    assert set(odd.values()) == {"another user's, no file, or open for all to write"}


def test_another_users_folder_is_not_put_back_nor_recovered(shared: Path) -> None:
    for name in FOLDER_NAMES:
        with user(ATTACKER):
            a_folder(shared / name, b"")
        with user(VICTIM):
            with pytest.raises(PublishError):
                telecine.recover(shared / "clip")
            VideoWriter(shared / "clip", format="png").abort()
        assert names_in(shared) == [name]
        remove(shared / name)


# ---- during an export ----------------------------------------------------------------------------------------------

ATTACK = """
import itertools, os, sys
folder, precious, names, done = sys.argv[1], sys.argv[2], sys.argv[3].split(","), sys.argv[4]
os.setgroups([])
os.setgid(int(sys.argv[5]))
os.setuid(int(sys.argv[5]))
print("attacks", flush=True)
for turn in itertools.count():
    if turn % 64 == 0 and os.path.exists(done):
        break
    at = os.path.join(folder, names[turn % len(names)])
    for step in (lambda: os.unlink(at), lambda: os.rename(at, at + "-0000000a"), lambda: os.symlink(precious, at)):
        try:
            step()
        except OSError:
            pass
"""


@pytest.mark.slow
@pytest.mark.parametrize("what", ["file", "folder"])
def test_links_that_appear_at_any_moment_lead_to_nothing(what: str) -> None:
    """In a folder that is open to all, where another user may remove the victim's entries and put links there."""
    with folder_for_all(0o777) as shared:
        own = shared.parent / "own"
        own.mkdir()
        precious = own if what == "folder" else own / "precious"
        for name in ("precious", "000000.png", "000001.png"):
            (own / name).write_bytes(PRECIOUS)
        for each in (own, *own.iterdir()):
            os.chown(each, VICTIM, VICTIM)
        before = state(own)
        names = FILE_NAMES if what == "file" else FOLDER_NAMES
        command = [sys.executable, "-c", ATTACK, str(shared), str(precious), ",".join(names)]
        command += [str(shared.parent / "done"), str(ATTACKER)]
        outcomes = set()
        with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == b"attacks\n"
            try:
                with user(VICTIM):
                    for _ in range(40):
                        outcomes.add(attempt(shared / ("clip.mp4" if what == "file" else "clip"), what))
            finally:
                (shared.parent / "done").touch()
                other.wait(timeout=60)
        assert state(own) == before
        assert outcomes <= {"published", "refused"}


def attempt(path: Path, what: str) -> str:
    try:
        export_video(greys(2), path, format=None if what == "file" else "png")
    except PublishError as error:
        return "refused" if "\n" not in str(error) else str(error)
    return "published"


def test_a_journal_that_others_move_away_is_left_and_so_is_what_they_put_there(shared: Path) -> None:
    own, path = shared.parent / "own", shared / "clip.mp4"
    moved = own / "precious.mp4"
    with user(VICTIM):
        writer = VideoWriter(path)
        writer.write(greys())
    (shared / JOURNAL).rename(shared / "away")  # as anybody may in a folder that isn't sticky
    os.link(moved, shared / JOURNAL)
    with user(VICTIM):
        writer.abort()
    assert moved.read_bytes() == PRECIOUS
    assert sorted(names_in(shared)) == [JOURNAL, "away"]
    assert os.path.samefile(moved, shared / JOURNAL)


def test_a_finished_file_that_others_exchange_is_not_published(shared: Path) -> None:
    path = shared / "clip.mp4"
    with user(VICTIM):
        writer = VideoWriter(path)
        writer.write(greys())
        publication: Any = writer._job._thread._publication
        put, hidden = publication._access, shared / ".clip.mp4.telecine-new"

        def exchanged(folder: Any) -> Any:
            if hidden.exists():
                hidden.rename(shared / "away")
                hidden.write_bytes(b"the attacker's")
            return put(folder)

        publication._access = exchanged
        with pytest.raises(PublishError, match="can't be written: No such file") as failed:
            writer.close()
        assert failed.value.errno == errno.ENOENT
        assert not path.exists()
        assert_frames(telecine.recover(path), greys())


# ---- who may read --------------------------------------------------------------------------------------------------


def reads(path: Path, number: int, *groups: int) -> bool:
    with user(number, *groups):
        return os.access(path, os.R_OK, effective_ids=True)


@pytest.mark.slow
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o604, 0o644, 0o660, 0o666, 0o4755, 0o2755])
@pytest.mark.parametrize("exporter", ["owner", "member", "root"])
def test_nobody_reads_the_new_file_at_any_moment_who_could_not_read_the_old(exporter: str, mode: int) -> None:
    owner, member, group, stranger = 64003, 64004, 64005, 64006
    everybody = [(owner, group), (member, group), (64007, group), (stranger,)]
    as_whom = {"owner": (owner, group), "member": (member, group), "root": (0,)}[exporter]
    with folder_for_all(0o2775) as folder:
        os.chown(folder, owner, group)
        path = folder / "clip.mp4"
        path.write_bytes(OLDER)
        os.chown(path, owner, 64008 if mode == 0o660 else group)  # of a group that the member is not of
        path.chmod(mode)
        could = [reads(path, *who) for who in everybody]
        exported_as = as_whom[0]

        def frames() -> Iterator[Clip]:
            for frame in greys():
                with user(0):
                    for hidden in folder.iterdir():
                        now = [reads(hidden, *who) for who in everybody]
                        allowed = [can or who[0] == exported_as for can, who in zip(could, everybody, strict=True)]
                        assert all(can or not does for can, does in zip(allowed, now, strict=True)), hidden
                yield frame

        with user(*as_whom):
            export_video(frames(), path)
        found = path.stat()
        now = [reads(path, *who) for who in everybody]
        assert all(
            can or not does or who[0] == exported_as for can, does, who in zip(could, now, everybody, strict=True)
        )
        kept = exporter != "member"
        assert (found.st_uid == owner) == kept
        assert found.st_mode & 0o6000 == 0
        if mode != 0o660:
            assert found.st_gid == group
            hides_a_list = exporter == "member" and not mode & 0o040  # it can't be opened, to see who else may read it
            assert stat.S_IMODE(found.st_mode) == mode & (0o700 if hides_a_list else 0o777)


def test_root_gives_nothing_to_who_planted_the_target(shared: Path) -> None:
    path = shared / "clip.mp4"
    with user(ATTACKER):
        path.write_bytes(OLDER)
        path.chmod(0o666)
    before = os.umask(0o077)
    try:
        export_video(greys(), path)
    finally:
        os.umask(before)
    found = path.stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (0, 0o600)


# ---- links at the path itself --------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["clip.mp4", "folder"])
def test_another_users_link_in_a_folder_that_is_open_to_all_is_not_followed(at: str, shared: Path) -> None:
    own = shared.parent / "own"
    before = state(own)
    path = shared / ("clip.mp4" if at == "clip.mp4" else "folder/precious.mp4")
    with user(ATTACKER):
        (shared / at).symlink_to(own / "precious.mp4" if at == "clip.mp4" else own)
    (shared.parent / "through.mp4").symlink_to(path)
    for exporter in (VICTIM, 0):
        for given in (path, shared.parent / "through.mp4"):
            frames = Asked(greys())
            said = "another user's link in a folder that is open to all"
            with user(exporter), pytest.raises(PublishError, match=said) as refused:
                export_video(frames, given)
            assert_one_line(refused.value, errno.ELOOP, given)
            assert frames.count == 0
    assert state(own) == before


def test_ones_own_link_in_such_a_folder_is_followed(shared: Path) -> None:
    own = shared.parent / "own"
    with user(VICTIM):
        (shared / "clip.mp4").symlink_to(own / "precious.mp4")
        export_video(greys(), shared / "clip.mp4")
    assert_frames(own / "precious.mp4", greys())
    assert (own / "precious.mp4").stat().st_mode & 0o777 == 0o600
