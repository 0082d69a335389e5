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
import weakref
from collections.abc import Callable
from typing import BinaryIO, TypeVar, cast

from .locks import release_lock, take_lock

CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL
_REFUSES_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
# No waiting for the other end of a pipe, no terminal taken over. `O_BINARY` is Windows'.
_FLAGS = sum(getattr(os, name, 0) for name in ("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_BINARY"))
# A folder that may be written to and not listed can be opened for looking up names only.
_LOOK_UP = getattr(os, "O_PATH", getattr(os, "O_SEARCH", os.O_RDONLY)) | getattr(os, "O_DIRECTORY", 0)
_LIST = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_MOST_TRIES = 20
_IS_POSIX = os.name == "posix"


OpenFolder = TypeVar("OpenFolder", bound="Folder")


class Folder:
    """An open folder. What is done to a name is done in this folder, should its path lead elsewhere by then."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._hold(_opened(self.path, _LOOK_UP) if _IS_POSIX else None)  # Windows opens no folder
        self._owner: int | None = None

    def _hold(self, descriptor: int | None) -> None:
        self.descriptor = descriptor
        self._close: Callable[[], object] = lambda: None
        if descriptor is not None:
            self._close = finalizer = weakref.finalize(self, os.close, descriptor)
            finalizer.atexit = False  # a writer that is still open then keeps its frames later

    def __fspath__(self) -> str:
        return self.path

    def __enter__(self: OpenFolder) -> OpenFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder, and of its lock. Closing again does nothing."""
        if self.descriptor is not None:
            self.descriptor = -1  # what comes later fails, instead of taking a path for the folder
        self._close()

    def path_of(self, name: str) -> str:
        """Give the path of a name."""
        return os.path.join(self.path, name)

    def open(self, name: str, flags: int, mode: int = 0o600) -> int:
        """Open what is under a name, and is no link."""
        return _opened(self._at(name), flags, mode, self.descriptor)

    def status(self, name: str) -> os.stat_result | None:
        """Give the status of what is under a name, a link's own; None where there is nothing."""
        try:
            return os.stat(self._at(name), dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def own_status(self) -> os.stat_result:
        """Give the status of the folder itself."""
        return os.stat(self.path if self.descriptor is None else self.descriptor)

    def is_at_its_path(self) -> bool:
        """Whether its path still leads to it."""
        try:
            return os.path.samestat(os.stat(self.path), self.own_status())
        except OSError:
            return False

    def names(self) -> list[str]:
        """List what is in it."""
        return os.listdir(self.path)

    def unlink(self, name: str) -> None:
        """Remove a name that is no folder's."""
        os.unlink(self._at(name), dir_fd=self.descriptor)

    def make_folder(self, name: str, mode: int) -> None:
        """Make a folder, where there is nothing."""
        os.mkdir(self._at(name), mode, dir_fd=self.descriptor)

    def remove_folder(self, name: str) -> None:
        """Remove an empty folder."""
        os.rmdir(self._at(name), dir_fd=self.descriptor)

    def rename(self, name: str, to: str) -> None:
        """Rename, onto nothing or what may be replaced."""
        os.rename(self._at(name), self._at(to), src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)

    def replace(self, name: str, to: str) -> None:
        """Rename, onto another file."""
        os.replace(self._at(name), self._at(to), src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)

    def link(self, name: str, to: str) -> None:
        """Give a file another name, where there is nothing."""
        here, follow = self.descriptor, not _IS_POSIX
        os.link(self._at(name), self._at(to), src_dir_fd=here, dst_dir_fd=here, follow_symlinks=follow)

    def _at(self, name: str) -> str:
        return name if self.descriptor is not None else self.path_of(name)

    def sync(self) -> None:
        """Bring its names to the disk, where its filesystem can."""
        with contextlib.suppress(OSError):
            descriptor = _opened(self._at("."), _LIST, folder=self.descriptor)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    # ---- whose it is -----------------------------------------------------------------------------------------------

    def is_ours(self, found: os.stat_result) -> bool:
        """Whether an entry belongs to who this process's own new files here belong to. Root's are root's alone."""
        return not _IS_POSIX or found.st_uid == os.geteuid() or found.st_uid == self._owner_of_new_files()

    def is_our_file(self, found: os.stat_result) -> bool:
        """Whether an entry is a file of ours with no other name, to which not everybody may have written."""
        alone = stat.S_ISREG(found.st_mode) and found.st_nlink == 1
        return alone and self.is_ours(found) and not (_IS_POSIX and found.st_mode & stat.S_IWOTH)

    def is_our_folder(self, found: os.stat_result) -> bool:
        """Whether an entry is a folder of ours in which nobody else may have made anything."""
        return stat.S_ISDIR(found.st_mode) and self.is_ours(found) and not (_IS_POSIX and found.st_mode & stat.S_IWOTH)

    def _owner_of_new_files(self) -> int:
        """Who that is: another user on shares and disks that map or know no owners."""
        if self._owner is None:
            self._owner = os.geteuid()
            name = f".telecine-owner{token()}"
            with contextlib.suppress(OSError):
                descriptor = self.open(name, CREATE)
                self._owner = os.fstat(descriptor).st_uid
                os.close(descriptor)
                self.unlink(name)
        return self._owner


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

    def is_there(self) -> bool:
        """Whether its name still leads to it."""
        found = self.parent.status(self.entry)
        return found is not None and os.path.samestat(found, self.identity)

    def check_there(self) -> None:
        """Raise FileNotFoundError where its name leads elsewhere, or its folder's path does."""
        if not (self.is_there() and self.parent.is_at_its_path()):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.path)

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

    def lock(self) -> bool:
        """Take the lock that a living writer holds; False if somebody has it."""
        return take_lock(self.fileno())

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
        self._hold(parent.open(entry, _LIST) if _IS_POSIX else None)
        self.identity = self.own_status()

    def names(self) -> list[str]:
        """List what is in it."""
        return os.listdir(self.path if self.descriptor is None else self.descriptor)

    def remove(self) -> None:
        """Remove it if it is empty, and its name still leads to it."""
        if self.is_there():
            self.parent.remove_folder(self.entry)

    def lock(self) -> bool:
        """Take the lock that a living writer holds; False if somebody has it."""
        return self.descriptor is None or take_lock(self.descriptor)

    def unlock(self) -> None:
        """Release the lock, which a child that was forked meanwhile has too."""
        if self.descriptor is not None:
            release_lock(self.descriptor)

    def close(self) -> None:
        """Unlock it and let go of it."""
        self.unlock()
        super().close()


def token() -> str:
    """Give an ending that nobody can have foreseen: "-1f6a09e2"."""
    return f"-{os.urandom(4).hex()}"


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
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), folder.path_of(name))


def new_file(folder: Folder, name: str, mode: int = 0o600) -> HiddenFile:
    """Make a file under a name that is free, as `free_name` finds it."""
    entry = name
    for _ in range(_MOST_TRIES):
        with contextlib.suppress(FileExistsError):
            return HiddenFile(folder, entry, CREATE, mode)
        entry = free_name(folder, name)
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), folder.path_of(name))


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
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), folder.path_of(name))


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
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), folder.path_of(name))
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
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), folder.path_of(name))
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


def _opened(path: str, flags: int, mode: int = 0o600, folder: int | None = None) -> int:
    return os.open(path, flags | _FLAGS, mode, dir_fd=folder)
