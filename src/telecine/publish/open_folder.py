"""An open folder: names are looked up in it, whatever its path leads to by then, and no link is followed."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import weakref
from collections.abc import Callable
from typing import TypeVar

CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL
# No waiting for the other end of a pipe, no terminal taken over. `O_BINARY` is Windows'.
_FLAGS = sum(getattr(os, name, 0) for name in ("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_BINARY"))
# A folder that may be written to and not listed can be opened for looking up names only.
_LOOK_UP = getattr(os, "O_PATH", getattr(os, "O_SEARCH", os.O_RDONLY)) | getattr(os, "O_DIRECTORY", 0)
LIST = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
IS_POSIX = os.name == "posix"


OpenFolder = TypeVar("OpenFolder", bound="Folder")


class Folder:
    """An open folder. What is done to a name is done in this folder, should its path lead elsewhere by then."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._hold(_opened(self.path, _LOOK_UP) if IS_POSIX else None)  # Windows opens no folder
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

    def exchange(self, one: str, other: str) -> bool:
        """Exchange two entries in one step; False where the system or the filesystem can't."""
        rename = _exchanger()
        if rename is None or self.descriptor is None:
            return False
        if rename(self.descriptor, os.fsencode(one), os.fsencode(other)) == 0:
            return True
        import ctypes  # loaded by now: `_exchanger` has found what renames

        number = ctypes.get_errno()
        if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP):
            return False
        raise OSError(number, os.strerror(number), one, None, other)

    def link(self, name: str, to: str) -> None:
        """Give a file another name, where there is nothing."""
        here, follow = self.descriptor, not IS_POSIX
        os.link(self._at(name), self._at(to), src_dir_fd=here, dst_dir_fd=here, follow_symlinks=follow)

    def _at(self, name: str) -> str:
        return name if self.descriptor is not None else self.path_of(name)

    def sync(self) -> None:
        """Bring its names to the disk, where its filesystem can."""
        with contextlib.suppress(OSError):
            descriptor = _opened(self._at("."), LIST, folder=self.descriptor)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    # ---- whose it is -----------------------------------------------------------------------------------------------

    def is_ours(self, found: os.stat_result) -> bool:
        """Whether an entry belongs to who this process's own new files here belong to. Root's are root's alone."""
        return not IS_POSIX or found.st_uid == os.geteuid() or found.st_uid == self._owner_of_new_files()

    def is_our_file(self, found: os.stat_result) -> bool:
        """Whether an entry is a file of ours with no other name, to which not everybody may have written."""
        alone = stat.S_ISREG(found.st_mode) and found.st_nlink == 1
        return alone and self.is_ours(found) and not (IS_POSIX and found.st_mode & stat.S_IWOTH)

    def is_our_folder(self, found: os.stat_result) -> bool:
        """Whether an entry is a folder of ours in which nobody else may have made anything."""
        return stat.S_ISDIR(found.st_mode) and self.is_ours(found) and not (IS_POSIX and found.st_mode & stat.S_IWOTH)

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


def os_error(number: int, path: str | None = None) -> OSError:
    """Give the error that the system raises with this number: of EEXIST a FileExistsError, and so on."""
    return OSError(number, os.strerror(number), path)


def token() -> str:
    """Give an ending that nobody can have foreseen: "-1f6a09e2"."""
    return f"-{os.urandom(4).hex()}"


def _opened(path: str, flags: int, mode: int = 0o600, folder: int | None = None) -> int:
    return os.open(path, flags | _FLAGS, mode, dir_fd=folder)


def _exchanger() -> Callable[[int, bytes, bytes], int] | None:
    """Find renameat2 of Linux or renameatx_np of macOS, which Python does not wrap."""
    if os.name == "nt":
        return None
    import ctypes  # start-up: only a folder that replaces another is exchanged

    library = ctypes.CDLL(None, use_errno=True)
    exchange = 2  # RENAME_EXCHANGE, <linux/fs.h>; RENAME_SWAP, <sys/stdio.h>
    named = "renameatx_np" if sys.platform == "darwin" else "renameat2"
    rename = getattr(library, named, None)
    return None if rename is None else lambda folder, one, other: int(rename(folder, one, folder, other, exchange))
