"""Hidden entries beside a target, where others may make the same names: opened as new, or as proven to be ours.

A name is looked up in an open folder, and no link is followed. An entry that is there counts as ours by what its
inode says: its kind, its owner, its other names. It is changed through its descriptor, and removed or moved while its
name leads to it. What is not ours is left alone, and another name is used.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from collections.abc import Callable, Iterable
from typing import BinaryIO, TypeVar, cast

from ..errors import PublishError
from .locks import release_lock, take_lock
from .open_folder import CREATE, IS_POSIX, LIST, Folder, os_error, token

_REFUSES_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_MOST_TRIES = 20


class WholeWrites(io.FileIO):
    """A file whose `write` writes all or raises, as a raw file's does not when the disk is all but full."""

    def write(self, data: object) -> int:
        """Write all of it, or raise."""
        left = memoryview(cast(bytes, data)).cast("B")
        size = len(left)
        while left:
            left = left[super().write(left) :]
        return size


class Reader(io.RawIOBase):
    """Reads an open file from a place of its own. Opened by its name, it could be somebody else's by now."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._at = file, 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: object) -> int:
        """Read at its place, and leave the file's own as it is."""
        into = memoryview(cast(bytearray, buffer)).cast("B")
        before = self._file.tell()
        self._file.seek(self._at)
        data = self._file.read(len(into))
        self._file.seek(before)
        into[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a place."""
        end = os.fstat(self._file.fileno()).st_size
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: end}[whence])
        return self._at


class _Entry:
    """An open entry of ours in a folder, and the name that led to it."""

    parent: Folder
    entry: str
    path: str  # that leads to it, unless others have changed that
    identity: os.stat_result

    def lock(self) -> bool:
        """Take the lock that a living writer holds; False if somebody has it."""
        descriptor = self._open_descriptor()
        return descriptor is None or take_lock(descriptor)

    def lock_for_writer(self, path: str) -> None:
        """Take the lock of what the writer of a path has beside it.

        Raises:
            PublishError: another writer of the path lives.
        """
        if not self.lock():
            said = f"{path!r} is being written by another writer: choose another name, or wait for it"
            raise PublishError.of(errno.EBUSY, said, path, page="troubleshooting#another-writer-has-the-path")

    def place(self) -> str | None:
        """Find where it is by now, should its folder be renamed; None where no name leads to it."""
        if self._is_at(self.path):
            return self.path
        with contextlib.suppress(OSError):  # where the system does not tell
            found = os.readlink(f"/proc/self/fd/{self._open_descriptor()}")
            if self._is_at(found):
                return found
        return None

    def _is_at(self, path: str) -> bool:
        try:
            return os.path.samestat(self.identity, os.stat(path, follow_symlinks=False))
        except OSError:
            return False

    def _open_descriptor(self) -> int | None:
        """Give its descriptor; None of a folder on Windows, which opens none."""
        raise NotImplementedError

    def is_there(self) -> bool:
        """Whether its name still leads to it."""
        found = self.parent.status(self.entry)
        return found is not None and os.path.samestat(found, self.identity)

    def check_there(self) -> None:
        """Raise FileNotFoundError where its name leads elsewhere, or its folder's path does."""
        if not (self.is_there() and self.parent.is_at_its_path()):
            raise os_error(errno.ENOENT, self.path)

    def move(self, to: str) -> None:
        """Give it another name in its folder."""
        self.check_there()
        self.parent.rename(self.entry, to)
        self.renamed(to)

    def renamed(self, to: str) -> None:
        """Take note of its new name."""
        self.entry, self.path = to, self.parent.path_of(to)


class HiddenFile(_Entry, WholeWrites):
    """An open file of ours and the name that led to it."""

    def __init__(self, parent: Folder, entry: str, flags: int = CREATE, mode: int = 0o600) -> None:
        self.parent = parent
        self.renamed(entry)
        # Not "x+b", in which PyAV sees no file to read.
        kind = "rb" if flags == os.O_RDONLY else "w+b" if flags & os.O_EXCL else "r+b"
        super().__init__(self.path, kind, opener=lambda *_: parent.open(entry, flags, mode))
        self.identity = os.fstat(self.fileno())

    def remove(self) -> None:
        """Remove it, if its name still leads to it. It stays open."""
        if self.is_there():
            self.parent.unlink(self.entry)

    def _open_descriptor(self) -> int:
        return self.fileno()

    def close(self) -> None:
        """Unlock it, for a child that was forked meanwhile has the lock too, and close it."""
        if not self.closed:
            release_lock(self.fileno())
        super().close()


class HiddenFolder(_Entry, Folder):
    """An open folder in a folder and the name that led to it."""

    def __init__(self, parent: Folder, entry: str) -> None:
        self.parent = parent
        self.renamed(entry)
        self._owner = None
        self._hold(parent.open(entry, LIST) if IS_POSIX else None)
        self.identity = self.own_status()

    def names(self) -> list[str]:
        """List what is in it."""
        return os.listdir(self.path if self.descriptor is None else self.descriptor)

    def remove(self) -> None:
        """Remove it if it is empty, and its name still leads to it."""
        if self.is_there():
            self.parent.remove_folder(self.entry)

    def _open_descriptor(self) -> int | None:
        return self.descriptor

    def unlock(self) -> None:
        """Release the lock, which a child that was forked meanwhile has too."""
        if self.descriptor is not None:
            release_lock(self.descriptor)

    def close(self) -> None:
        """Unlock it and let go of it."""
        self.unlock()
        super().close()


def newest_last(
    folder: Folder, names: Iterable[str], accepts: Callable[[os.stat_result], bool] = lambda _: True
) -> list[str]:
    """Give those of the names in a folder whose entries are accepted, in the order in which these were changed last."""
    found = ((folder.status(name), name) for name in names)
    times = [(status.st_mtime_ns, name) for status, name in found if status is not None and accepts(status)]
    return [name for _, name in sorted(times)]


def free_name(folder: Folder, name: str) -> str:
    """Give a name under which nothing is: this one, or with an ending where somebody else's entry is in the way.

    What a killed process of ours left there goes, unless it is a folder with something in it.
    """
    for tried in range(_MOST_TRIES):
        each = name + token() if tried else name
        found = folder.status(each)
        if found is not None and folder.is_ours(found):
            with contextlib.suppress(OSError):
                (folder.remove_folder if stat.S_ISDIR(found.st_mode) else folder.unlink)(each)
                found = None
        if found is None:
            return each
    raise os_error(errno.EEXIST, folder.path_of(name))


def new_file(folder: Folder, name: str, mode: int = 0o600) -> HiddenFile:
    """Make a file under a name that is free, as `free_name` finds it."""
    entry = name
    for _ in range(_MOST_TRIES):
        with contextlib.suppress(FileExistsError):
            return HiddenFile(folder, entry, CREATE, mode)
        entry = free_name(folder, name)
    raise os_error(errno.EEXIST, folder.path_of(name))


def new_folder(folder: Folder, name: str, mode: int = 0o700) -> HiddenFolder:
    """Make a folder under a name that is free, as `free_name` finds it, and empty."""
    for _ in range(_MOST_TRIES):
        entry = free_name(folder, name)
        with contextlib.suppress(FileExistsError):  # somebody was faster
            folder.make_folder(entry, mode)
            made = HiddenFolder(folder, entry)
            if folder.is_ours(made.identity) and not made.names():
                return made
            made.close()  # it was exchanged for another
    raise os_error(errno.EEXIST, folder.path_of(name))


File = TypeVar("File", bound=HiddenFile)


def open_ours(folder: Folder, name: str, kind: type[File], whosoever: bool = False) -> File | None:
    """Open a file that is there, for reading alone where it may not be written; None where it isn't ours, or no file.

    With `whosoever`, any file will do: one that the user has named.

    Raises:
        FileNotFoundError: there is nothing under the name.
    """

    def is_right(found: os.stat_result) -> bool:
        return stat.S_ISREG(found.st_mode) if whosoever else folder.is_our_file(found)

    found = folder.status(name)
    if found is None:
        raise os_error(errno.ENOENT, folder.path_of(name))
    if not is_right(found):
        return None
    try:
        file = kind(folder, name, os.O_RDWR)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EROFS):
            raise
        file = kind(folder, name, os.O_RDONLY)
    if is_right(file.identity):
        return file
    file.close()  # it was exchanged for another, or removed
    if not file.identity.st_nlink:
        raise os_error(errno.ENOENT, folder.path_of(name))
    return None


def put(file: HiddenFile, name: str, overwrite: bool) -> None:
    """Close a file and give it another name in one step. It does not follow: what removes it leaves the new name.

    Raises:
        FileExistsError: there is one, which is not to be overwritten.
        FileNotFoundError: its own name, or its folder's path, leads elsewhere by now.
    """
    file.check_there()
    file.close()
    folder, entry = file.parent, file.entry
    if overwrite:
        folder.replace(entry, name)
    else:
        _put_beside(folder, entry, name)


def _put_beside(folder: Folder, entry: str, name: str) -> None:
    """Rename, but fail with FileExistsError where there is something: both in one step."""
    try:
        folder.link(entry, name)
    except OSError as error:
        if error.errno not in _REFUSES_LINKS:
            raise
    else:
        with contextlib.suppress(OSError):  # the file is at its path all the same
            folder.unlink(entry)
        return
    # A filesystem without hard links (FAT, some network shares): take the name first, then replace our own file.
    os.close(folder.open(name, CREATE, 0o600))
    try:
        folder.replace(entry, name)
    except BaseException:
        with contextlib.suppress(OSError):
            folder.unlink(name)
        raise
