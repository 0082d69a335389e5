"""The journal: a hidden fragmented MP4 beside the target, which keeps every frame in it should its writer die.

It is named after the target, `.clip.mp4.telecine-journal`, and locked while its writer lives. One that a dead writer
left is set aside, as `.clip.mp4.telecine-journal-1f6a09e2`, when another writer takes the name.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from .boxes import end_of_fragments, whole_fragments
from .checksums import Checksums
from .errors import PublishError
from .locks import release_lock, take_lock

SUFFIX = ".telecine-journal"
_NAME_BYTES = 255  # what every common filesystem allows in a name
_ASIDE_BYTES = 9
_CLOEXEC = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_SECONDS_AT_RISK = 1.0  # what a power cut may cost: how long written frames may stay unsynced


@dataclass(frozen=True)
class Kept:
    """What a writer that failed leaves: how many frames a recovery will find, and where.

    `place` is the journal or hidden folder; it `moved` where the export's own path does not lead a recovery to it. Of
    `lost` frames no name leads to them any more.
    """

    frames: int = 0
    place: str = ""
    moved: bool = False
    lost: int = 0


class WholeWrites(io.FileIO):
    """A file whose `write` writes all or raises, as a raw file's does not when the disk is all but full."""

    def write(self, data: object) -> int:
        """Write all of it, or raise."""
        left = memoryview(cast(bytes, data)).cast("B")
        size = len(left)
        while left:
            left = left[super().write(left) :]
        return size


class Journal(WholeWrites):
    """An open journal. What is written is synced within a second, if its writer looks at `sync_due_in` when idle."""

    def __init__(self, path: str, create: bool = True) -> None:
        super().__init__(path, "r+b", opener=lambda name, _: _open(name, create))
        self.path = path
        self._unsynced_since: float | None = None
        self._folder_synced = False
        self._checksums = Checksums()
        self.given_up = False

    def insert(self, box: bytes) -> None:
        """Write a box that is no fragment's; after an error nothing is left of it, for fragments may follow."""
        start, before = self.tell(), self._checksums.latest
        try:
            self.write(box)
        except BaseException:
            with contextlib.suppress(OSError):
                self.seek(start)
                self.truncate()
                self._checksums.go_back(before)
            raise

    def write(self, data: object) -> int:
        """Write all of it, unless it was given up."""
        if self.given_up:
            return memoryview(cast(bytes, data)).nbytes
        if self._unsynced_since is None:
            self._unsynced_since = time.monotonic()
        start = self.tell()
        written = super().write(data)
        self._checksums.add(start, cast(bytes, data))
        if self.sync_due_in() == 0:
            self.sync()
        return written

    def sync_due_in(self) -> float | None:
        """How many seconds what is written may still stay unsynced; None where all is synced."""
        if self._unsynced_since is None:
            return None
        return max(0.0, self._unsynced_since + _SECONDS_AT_RISK - time.monotonic())

    def sync(self) -> None:
        """Bring what is written, and the name, to the disk."""
        os.fsync(self.fileno())
        if not self._folder_synced:
            sync_folder(os.path.dirname(self.path))
            self._folder_synced = True
        self._unsynced_since = None

    def lock(self) -> bool:
        """Take the lock that a living writer holds; False if somebody has it."""
        return take_lock(self.fileno())

    def close(self) -> None:
        """Unlock it, for a child that was forked meanwhile has the lock too, and close it."""
        if not self.closed:
            release_lock(self.fileno())
        super().close()

    def remove(self) -> None:
        """Remove it, unless its name leads elsewhere by now."""
        if self.is_at_its_path():
            os.unlink(self.path)

    def is_at_its_path(self) -> bool:
        """Whether its name still leads to this file."""
        return self._is_at(self.path)

    def place(self) -> str | None:
        """Find where it is by now, should its folder be renamed; None where no name leads to it."""
        if self.is_at_its_path():
            return self.path
        found = path_of_descriptor(self.fileno())
        return found if found is not None and self._is_at(found) else None

    def _is_at(self, path: str) -> bool:
        try:
            return os.path.samestat(os.fstat(self.fileno()), os.stat(path))
        except OSError:
            return False

    def cut_damage(self) -> int | None:
        """Cut off what is not as it was written, with the frames after it; gives where that began, None of nothing."""
        whole = self._checksums.whole(self)
        if whole == self._checksums.latest.end:
            return None
        ends = [box.end for box in whole_fragments(self) if box.end <= whole]
        self.truncate(max(ends, default=0))
        return whole

    def kept(self) -> Kept:
        """Count the frames that are whole in it, and tell where it is."""
        count, place = sum(1 for _ in whole_fragments(self)), self.place()
        if count == 0:
            return Kept()
        return Kept(lost=count) if place is None else Kept(count, place, place != self.path)

    def give_up(self) -> Kept:
        """Tell what is in it, and unlock it, while another thread still has it open: that writes nothing more."""
        self.given_up = True
        place = self.place()
        if place is None:
            return Kept()
        with open(place, "rb") as file:
            count = sum(1 for _ in whole_fragments(file))
        release_lock(self.fileno())
        return Kept(count, place, place != self.path)


def path_of_descriptor(descriptor: int) -> str | None:
    """Give the path that an open file or folder has by now, as far as the system tells."""
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/self/fd/{descriptor}")
    return None


def _open(name: str, create: bool) -> int:
    """Open a journal to write it, or, of a dead writer, to read it alone where it can't be written."""
    try:
        return os.open(name, os.O_RDWR | _CLOEXEC | (os.O_CREAT if create else 0), 0o666)
    except OSError as error:
        if create or error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise
        return os.open(name, os.O_RDONLY | _CLOEXEC)


def open_journal(target: str) -> Journal:
    """Open and lock the journal of a target, empty; what a dead writer left in it is set aside.

    Raises:
        PublishError: another writer lives.
        OSError: the folder can't be written.
    """
    path = hidden_name(target, SUFFIX)
    while True:
        journal = Journal(path)
        try:
            if not journal.lock():
                raise PublishError.of(errno.EBUSY, f"{target!r} is being written by another writer", target)
            if not journal.is_at_its_path():
                journal.close()
                continue
            if end_of_fragments(journal) > 0:
                os.rename(path, f"{path}-{os.urandom(4).hex()}")
                journal.close()
                continue
            try:
                journal.seek(0)
                journal.truncate()
            except BaseException:
                with contextlib.suppress(OSError):  # it holds no frame
                    journal.remove()
                raise
            return journal
        except BaseException:
            journal.close()
            raise


def hidden_name(target: str, suffix: str) -> str:
    """Give a hidden path beside the target, named after it; of a long name its beginning and a hash."""
    folder, name = os.path.split(target)
    encoded = os.fsencode(name)
    room = _NAME_BYTES - max(len(suffix), len(SUFFIX) + _ASIDE_BYTES) - 1
    if len(encoded) > room:
        digest = "~" + hashlib.sha256(encoded).hexdigest()[:16]
        name = encoded[: room - len(digest)].decode("utf-8", "ignore") + digest
    return os.path.join(folder, f".{name}{suffix}")


def journals_in(folder: str | os.PathLike[str]) -> list[Path]:
    """Give the journals in a folder, whoever's they are, newest last."""
    found = []
    for each in Path(folder).iterdir():
        if target_of(each) is not None:
            with contextlib.suppress(FileNotFoundError):  # its writer has finished
                found.append((each.lstat().st_mtime_ns, each))
    return [each for _, each in sorted(found)]


def target_of(hidden: str | os.PathLike[str], suffix: str = SUFFIX) -> str | None:
    """Give the path that a hidden name stands for, of a long one what is left of it; None if it is no journal's.

    `suffix` is that of another kind of hidden name.
    """
    folder, name = os.path.split(os.fspath(hidden))
    kind = re.search(re.escape(suffix) + r"(-[0-9a-f]{8})?$", name)
    return os.path.join(folder, name[1 : kind.start()]) if kind and kind.start() > 1 and name[0] == "." else None


def journals_of(target: str) -> list[Path]:
    """Give a target's journals, those set aside among them, newest last."""
    own = target_of(hidden_name(target, SUFFIX))
    return [each for each in journals_in(os.path.dirname(target)) if target_of(each) == own]


@contextlib.contextmanager
def orphan(path: Path) -> Iterator[Journal]:
    """Open and lock the journal of a dead writer.

    Raises:
        PublishError: its writer lives.
        OSError: it is gone, can't be read, or is no file.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would wait for its other end
        raise OSError(errno.EINVAL, "it is no file", os.fspath(path))
    journal = Journal(os.fspath(path), create=False)
    with journal:
        if not journal.lock():
            raise PublishError.of(errno.EBUSY, f"{os.fspath(path)!r} belongs to a writer that is still at work", path)
        if not journal.is_at_its_path():  # its writer has finished since it was opened
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), journal.path)
        yield journal


def remove_orphans(target: str) -> None:
    """Remove a target's journals that were set aside."""
    for path in journals_of(target):
        with contextlib.suppress(OSError, PublishError), orphan(path) as journal:
            journal.remove()


def sync_folder(folder: str) -> None:
    """Bring a folder's names to the disk, where its filesystem can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
