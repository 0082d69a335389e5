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
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from .boxes import end_of_fragments
from .errors import PublishError

try:
    import fcntl
except ImportError:  # Windows: writers to one path are not told of each other
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".telecine-journal"
_NAME_BYTES = 255  # what every common filesystem allows in a name
_ASIDE_BYTES = 9
_SECONDS_AT_RISK = 1.0  # what a power cut may cost: how long written frames may stay unsynced
_NO_LOCKS = {errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.ENOSYS, errno.EINVAL}


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
    """An open journal. What is written is synced within a second, if its writer looks at `sync_due_in` when idle.

    Its writer has `turn` from the beginning of a fragment to the end: what `insert` writes comes between two.
    """

    def __init__(self, path: str, create: bool = True) -> None:
        flags = os.O_RDWR | _CLOEXEC | (os.O_CREAT if create else 0)
        super().__init__(path, "r+b", opener=lambda name, _: os.open(name, flags, 0o666))
        self.path = path
        self._unsynced_since: float | None = None
        self._folder_synced = False
        self.turn = threading.Lock()

    def insert(self, box: bytes) -> None:
        """Write a box that is no fragment's; after an error nothing is left of it, for fragments may follow."""
        with self.turn:
            start = self.tell()
            try:
                self.write(box)
            except BaseException:
                with contextlib.suppress(OSError):
                    self.seek(start)
                    self.truncate()
                raise

    def write(self, data: object) -> int:
        """Write all of it."""
        if self._unsynced_since is None:
            self._unsynced_since = time.monotonic()
        written = super().write(data)
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

    def is_at_its_path(self) -> bool:
        """Whether its name still leads to this file: its last writer may have removed it since it was opened."""
        try:
            return os.path.samestat(os.fstat(self.fileno()), os.stat(self.path))
        except FileNotFoundError:
            return False


def take_lock(descriptor: int) -> bool:
    """Take the lock of an open file or folder; False if somebody has it. Where there are no locks, nobody has."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:  # a network share without locks
            raise
    return True


_CLOEXEC = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


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
                    os.unlink(path)
                raise
        except BaseException:
            journal.close()
            raise
        return journal


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
                found.append((each.stat().st_mtime_ns, each))
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
        OSError: it is gone, or can't be read.
    """
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
        with contextlib.suppress(OSError, PublishError), orphan(path):
            path.unlink()


def sync_folder(folder: str) -> None:
    """Bring a folder's names to the disk, where its filesystem can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
