"""A folder of images comes to its path whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from telecine import EncodeError, PublishError
from telecine.images.numbered import ImageSequence, SequenceSettings
from telecine.publish.folder import FolderPublication, recover_folder

from ..support.helpers import ROOT, names_in, noise
from ..support.sequences import Pixels, by_pillow, random_frames, written

OLDER = noise(4) // 2


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A folder that holds an older sequence, alone in its folder."""
    return written(tmp_path / "clip", OLDER)


# ---- the folder ------------------------------------------------------------------------------------------------------


def assert_untouched(path: Path) -> None:
    assert np.array_equal(by_pillow(path), OLDER)
    assert names_in(path.parent) == [path.name]
    assert [each.name for each in threading.enumerate() if each.name.startswith("telecine-images")] == []


def started(path: Path, frames: Pixels, **options: Any) -> tuple[FolderPublication, ImageSequence]:
    publication = FolderPublication(path, **options)
    height, width = frames.shape[1:3]
    sequence = ImageSequence(publication.folder, SequenceSettings("png", width, height, False, 8, threads=2))
    for frame in frames:
        sequence.encode(frame)
    return publication, sequence


def test_until_it_is_committed_the_path_holds_what_it_held(path: Path) -> None:
    publication, sequence = started(path, noise(9))
    sequence.finish()
    assert np.array_equal(by_pillow(path), OLDER)
    publication.commit()
    assert np.array_equal(by_pillow(path), noise(9))
    assert names_in(path.parent) == ["clip"]


def test_what_is_discarded_leaves_no_trace(path: Path) -> None:
    publication, sequence = started(path, noise(9))
    sequence.close()
    publication.discard()
    assert_untouched(path)


def test_folders_that_are_missing_are_made_and_removed_again(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "clip"
    publication, sequence = started(path, noise(2))
    sequence.close()
    publication.discard()
    assert names_in(tmp_path) == []
    written(path, noise(2))
    assert np.array_equal(by_pillow(path), noise(2))


@pytest.mark.parametrize("exchanges", [True, False])
def test_a_shorter_sequence_replaces_all_of_a_longer_one(
    exchanges: bool, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchanges:
        monkeypatch.setattr("telecine.publish.open_folder._exchanger", lambda: None)
    written(path, noise(2))
    assert np.array_equal(by_pillow(path), noise(2))


def test_an_empty_folder_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    written(tmp_path / "clip", noise(2))


def test_the_path_may_be_a_link(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(path)
    publication, sequence = started(link, noise(2))
    sequence.finish()
    publication.commit()
    assert link.is_symlink()
    assert np.array_equal(by_pillow(path), noise(2))


def test_permissions_stay_and_hold_while_it_is_written(path: Path) -> None:
    path.chmod(0o750)
    publication, sequence = started(path, noise(2))
    assert stat.S_IMODE(os.stat(publication.folder).st_mode) == 0o750
    sequence.finish()
    publication.commit()
    assert stat.S_IMODE(path.stat().st_mode) == 0o750


@pytest.mark.parametrize("name", ["notes.txt", "000001.mp4", "cover.png", ".git"])
def test_a_folder_with_anything_else_in_it_is_not_replaced(name: str, path: Path) -> None:
    (path / name).write_text("mine")
    with pytest.raises(PublishError, match=f"holds '{name}', which is no numbered image") as raised:
        FolderPublication(path)
    assert raised.value.errno == errno.ENOTEMPTY
    (path / name).unlink()
    assert_untouched(path)


def test_what_came_into_the_folder_meanwhile_is_not_lost(path: Path) -> None:
    publication, sequence = started(path, noise(2))
    sequence.finish()
    (path / "notes.txt").write_text("mine")
    with pytest.raises(PublishError, match=r"holds 'notes\.txt'"):
        publication.commit()
    publication.discard()
    assert (path / "notes.txt").read_text() == "mine"
    (path / "notes.txt").unlink()
    assert_untouched(path)


def test_without_overwriting_what_is_there_stays(path: Path) -> None:
    with pytest.raises(PublishError, match="exists and overwrite is False"):
        FolderPublication(path, overwrite=False)
    assert_untouched(path)


def test_without_overwriting_what_came_there_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "clip"
    publication, sequence = started(path, noise(2), overwrite=False)
    sequence.finish()
    path.mkdir()
    (path / "000000.png").write_text("mine")
    with pytest.raises(PublishError, match="exists and overwrite is False"):
        publication.commit()
    publication.discard()
    assert names_in(tmp_path) == ["clip"]
    assert (path / "000000.png").read_text() == "mine"


def test_a_file_at_the_path_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "clip").write_text("mine")
    with pytest.raises(PublishError, match="is a file: name a folder"):
        FolderPublication(tmp_path / "clip")
    with pytest.raises(PublishError, match="can't be written: Not a directory"):
        FolderPublication(tmp_path / "clip" / "below")


def test_a_second_writer_to_one_path_is_told(path: Path) -> None:
    publication, sequence = started(path, noise(2))
    with pytest.raises(PublishError, match="is being written by another writer") as raised:
        FolderPublication(path)
    assert raised.value.errno == errno.EBUSY
    with pytest.raises(PublishError, match="is being written by another writer"):
        recover_folder(path)
    sequence.finish()
    publication.commit()
    assert np.array_equal(by_pillow(path), noise(2))


# ---- failures --------------------------------------------------------------------------------------------------------


def failing(function: Any, call: int, error: Exception) -> Any:
    calls = 0

    def called(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise error
        return function(*arguments, **named)

    return called


def test_a_disk_that_fails_leaves_the_path(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr("os.fsync", failing(os.fsync, 3, full))
    publication, sequence = FolderPublication(path), None
    sequence = ImageSequence(publication.folder, SequenceSettings("png", 64, 48, False, 8, threads=2))
    with pytest.raises(OSError, match="No space left"):
        write_all(sequence, noise(30))
    sequence.close()
    publication.discard()
    assert_untouched(path)


def write_all(sequence: ImageSequence, frames: Pixels) -> None:
    for frame in frames:
        sequence.encode(frame)
    sequence.finish()


@pytest.mark.parametrize("call", [1, 2, 3])
@pytest.mark.parametrize("exchanges", [True, False])
def test_a_rename_that_fails_loses_neither_folder(
    call: int, exchanges: bool, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first rename is that onto an empty folder, which tells that the path is taken."""
    if not exchanges:
        monkeypatch.setattr("telecine.publish.open_folder._exchanger", lambda: None)
    publication, sequence = started(path, noise(2))
    sequence.finish()
    monkeypatch.setattr("os.rename", failing(os.rename, call, OSError(errno.EIO, os.strerror(errno.EIO))))
    committed = False
    with contextlib.suppress(PublishError):
        publication.commit()
        committed = True
    assert np.array_equal(by_pillow(path), noise(2) if committed else OLDER)
    assert committed == (exchanges and call > 1)
    publication.discard()
    assert names_in(path.parent) == ["clip"]


def test_an_encoder_that_fails_is_an_encode_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sequence = ImageSequence(str(tmp_path), SequenceSettings("jpeg", 63, 47, False, 8))
    monkeypatch.setattr(Image.Image, "save", failing(Image.Image.save, 1, OSError("encoder error -2")))
    with pytest.raises(EncodeError, match="libjpeg failed: encoder error -2"):
        write_all(sequence, random_frames("uint8"))
    sequence.close()


# ---- kills -----------------------------------------------------------------------------------------------------------

KILLED = """
import os, sys
from telecine.publish import open_folder
from telecine.publish.folder import FolderPublication
from telecine.images.numbered import ImageSequence, SequenceSettings
from tests.support.helpers import noise

def dies_at(name, call):
    function, calls = getattr(os, name), 0
    def called(*arguments, **named):
        nonlocal calls
        calls += 1
        if calls == call:
            os.kill(os.getpid(), 9)
        return function(*arguments, **named)
    setattr(os, name, called)

path, name, call, exchanges = sys.argv[1:]
if exchanges == "False":
    open_folder._exchanger = lambda: None
dies_at(name, int(call))
publication = FolderPublication(path)
sequence = ImageSequence(publication.folder, SequenceSettings("png", 64, 48, False, 8, threads=2))
for frame in noise(9):
    sequence.encode(frame)
sequence.finish()
publication.commit()
os.kill(os.getpid(), 9)
"""


def killed_at(path: Path, name: str, call: int, exchanges: bool = True) -> None:
    command = [sys.executable, "-c", KILLED, str(path), name, str(call), str(exchanges)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("exchanges", [True, False])
@pytest.mark.parametrize(("name", "call"), [
    ("mkdir", 1), ("fsync", 1), ("fsync", 5), ("fsync", 10), ("fsync", 11), ("rename", 1), ("rename", 6),
    ("rename", 10), ("rename", 11), ("rename", 12), ("unlink", 1), ("unlink", 3), ("rmdir", 1), ("unlink", 99),
])  # fmt: skip
def test_a_kill_leaves_the_old_or_the_new_folder_and_the_next_writer_cleans_up(
    name: str, call: int, exchanges: bool, path: Path
) -> None:
    killed_at(path, name, call, exchanges)
    if not path.exists():  # between two renames: the old one is beside it, and opening a writer puts it back
        assert not exchanges
        FolderPublication(path).discard()
    found = by_pillow(path)
    assert np.array_equal(found, OLDER) or np.array_equal(found, noise(9))
    written(path, noise(3))  # asserts that nothing else is left
    assert np.array_equal(by_pillow(path), noise(3))


@pytest.mark.parametrize("call", [5, 9])
def test_the_frames_of_a_killed_writer_are_recovered(call: int, path: Path) -> None:
    killed_at(path, "fsync", call)
    free, count = recover_folder(path)
    assert 0 < count < 9
    assert (free, names_in(path.parent)) == (f"{path}.recovered", ["clip", "clip.recovered"])
    assert np.array_equal(by_pillow(Path(free)), noise(9)[:count])
    assert np.array_equal(by_pillow(path), OLDER)
    with pytest.raises(PublishError, match="nothing to recover") as raised:
        recover_folder(path)
    assert raised.value.errno == errno.ENOENT


def test_frames_are_recovered_to_a_path_that_holds_nothing(tmp_path: Path) -> None:
    killed_at(tmp_path / "clip", "fsync", 7)
    assert recover_folder(tmp_path / "clip")[0] == str(tmp_path / "clip")
    assert names_in(tmp_path) == ["clip"]


def test_the_next_writer_sets_a_killed_ones_frames_aside(path: Path) -> None:
    killed_at(path, "fsync", 7)
    publication, sequence = started(path, noise(2))
    assert len(names_in(path.parent)) == 3
    sequence.close()
    publication.discard()
    _, count = recover_folder(path)
    assert count > 0


def test_recovery_leaves_out_what_follows_a_gap(tmp_path: Path) -> None:
    publication, sequence = started(tmp_path / "clip", noise(6))
    sequence.finish()
    publication.keep()
    hidden = Path(publication.folder)
    (hidden / "000003.png").rename(hidden / "000003.png.part")
    free, count = recover_folder(tmp_path / "clip")
    assert count == 3
    assert names_in(Path(free)) == ["000000.png", "000001.png", "000002.png"]
