"""Where the bytes go: a hidden file beside the target while writing, and one atomic step at the end.

Until `commit` the path holds what it held; after it, the whole new file, synced. `discard` leaves no trace.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import stat
from collections.abc import Iterator
from typing import BinaryIO, cast

from .errors import OptionError, PublishError

_NAME_BYTES = 255  # what every common filesystem allows in a name
_REFUSES_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class _WholeWrites(io.FileIO):
    """A file whose `write` writes all or raises, as a raw file's does not when the disk is all but full."""

    def write(self, data: object) -> int:
        left = memoryview(cast(bytes, data)).cast("B")
        size = len(left)
        while left:
            left = left[super().write(left) :]
        return size


class Publication:
    """One file on its way to its path. Opening one proves that the folder can be written."""

    def __init__(self, path: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Make missing folders and open the hidden file.

        Raises:
            OptionError: the path can't be one: it has a NUL, or characters that the filesystem has no bytes for.
            PublishError: it is a folder or no regular file, exists and `overwrite` is false, or can't be written.
        """
        self.path = os.fsdecode(path)
        try:
            names_a_file = b"\0" not in os.fsencode(self.path)
        except UnicodeEncodeError:
            names_a_file = False
        if not names_a_file:
            raise OptionError(f"path={self.path!r} has a character that no file name can have")
        if not os.path.basename(self.path):  # a trailing slash, which Path would drop
            raise PublishError.of(errno.EISDIR, f"{self.path!r} names a folder: name a file in it", self.path)
        self.overwrite = overwrite
        # Absolute, should the working directory change; through a link, should the path be one.
        self._target = os.path.realpath(self.path)
        self._made_folders: list[str] = []
        with self._naming_the_path():
            self._mode = self._check_target()
            try:
                self._make_folders(os.path.dirname(self._target))
                self.file, self.hidden_path = _open_hidden(self._target)
            except BaseException:
                self._remove_made_folders()
                raise

    def commit(self) -> None:
        """Sync the file, put it at its path in one step, and sync the folder.

        Raises:
            PublishError: the disk failed, or the path exists by now and `overwrite` is false. Nothing has changed then.
        """
        try:
            with self._naming_the_path():
                self.file.flush()
                if self._mode is not None:
                    with contextlib.suppress(OSError):  # a filesystem without permissions
                        os.chmod(self.hidden_path, self._mode)
                os.fsync(self.file.fileno())
                self.file.close()
                if self.overwrite:
                    os.replace(self.hidden_path, self._target)
                else:
                    _move_without_overwriting(self.hidden_path, self._target)
        except BaseException:
            self.discard()
            raise
        with contextlib.suppress(OSError):  # the file is there and whole; some filesystems can't sync a folder
            _sync_folder(os.path.dirname(self._target))

    def discard(self) -> None:
        """Remove the hidden file, and the folders that were made for it."""
        with contextlib.suppress(OSError):
            self.file.close()
        with contextlib.suppress(OSError):
            os.unlink(self.hidden_path)
        self._remove_made_folders()

    def _check_target(self) -> int | None:
        """Refuse what can't be replaced; give the permissions of what will be."""
        try:
            target = os.stat(self._target)
        except FileNotFoundError:
            return None
        mode = target.st_mode
        if stat.S_ISDIR(mode):
            raise PublishError.of(errno.EISDIR, f"{self.path!r} is a folder: name a file in it", self.path)
        if not stat.S_ISREG(mode):
            raise PublishError.of(errno.EINVAL, f"{self.path!r} is not a regular file: it can't be replaced", self.path)
        if not self.overwrite:
            raise PublishError.of(errno.EEXIST, f"{self.path!r} exists and overwrite is False", self.path)
        folder = os.stat(os.path.dirname(self._target))
        if folder.st_mode & stat.S_ISVTX and os.geteuid() not in (0, target.st_uid, folder.st_uid):
            raise PublishError.of(errno.EPERM, f"{self.path!r} is another user's, in a sticky folder", self.path)
        return stat.S_IMODE(mode)

    def _make_folders(self, folder: str) -> None:
        missing = []
        while not os.path.lexists(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        for each in reversed(missing):
            with contextlib.suppress(FileExistsError):  # another writer was faster
                os.mkdir(each)
                self._made_folders.append(each)

    def _remove_made_folders(self) -> None:
        for folder in reversed(self._made_folders):
            with contextlib.suppress(OSError):  # somebody else uses it by now
                os.rmdir(folder)

    @contextlib.contextmanager
    def _naming_the_path(self) -> Iterator[None]:
        try:
            yield
        except PublishError:
            raise
        except FileExistsError as error:
            raise PublishError.of(errno.EEXIST, f"{self.path!r} exists and overwrite is False", self.path) from error
        except OSError as error:
            said = f"{self.path!r} can't be written: {error.strerror or error}"
            raise PublishError.of(error.errno or errno.EIO, said, self.path) from error


def _open_hidden(target: str) -> tuple[BinaryIO, str]:
    """Open a new hidden file beside the target, named after it as far as a name's length allows."""
    folder, name = os.path.split(target)
    affix = f".{secrets.token_hex(4)}.part"
    stem = os.fsencode(name)[: _NAME_BYTES - len(affix) - 1].decode("utf-8", "ignore")
    hidden = os.path.join(folder, f".{stem}{affix}")
    return cast(BinaryIO, _WholeWrites(hidden, "x+b")), hidden  # x: never a file of somebody else


def _move_without_overwriting(hidden: str, target: str) -> None:
    """Rename, but fail with FileExistsError where the target exists: both in one step."""
    try:
        os.link(hidden, target)
    except OSError as error:
        if error.errno not in _REFUSES_LINKS:
            raise
        # A filesystem without hard links (FAT, some network shares): take the name first, then replace our own file.
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        try:
            os.replace(hidden, target)
        except BaseException:
            os.unlink(target)
            raise
    else:
        os.unlink(hidden)


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
