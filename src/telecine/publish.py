"""Where the bytes go: a journal beside the target while writing, and one atomic step at the end.

Until `commit` the path holds what it held; after it, the whole new file, synced. `discard` leaves no trace, `keep`
leaves the journal for `telecine.recover`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import BinaryIO, cast

from .destination import Destination
from .errors import PublishError
from .journal import Kept, WholeWrites, hidden_name, open_journal, remove_orphans, sync_folder

FINISHED_SUFFIX = ".telecine-new"
_REFUSES_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class Publication(Destination):
    """One file on its way to its path. Opening one proves that the folder can be written."""

    def __init__(self, path: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Make missing folders and open the journal.

        Raises:
            OptionError: the path can't be one: it has a NUL, or characters that the filesystem has no bytes for.
            PublishError: it is a folder or no regular file, exists and `overwrite` is false, can't be written, or is
                being written by another writer.
        """
        super().__init__(path, overwrite)
        if not os.path.basename(self.path):  # a trailing slash, which Path would drop
            raise PublishError.of(errno.EISDIR, f"{self.path!r} names a folder: name a file in it", self.path)
        self._finished: BinaryIO | None = None
        self._scratch = contextlib.ExitStack()
        with self._naming_the_path():
            self._check_target()
            try:
                self.journal = self._in_its_folder(lambda: open_journal(self._target))
            except BaseException:
                self._remove_made_folders()
                raise
            try:
                # Again: a name that is too long shows only in a folder, and another writer may have finished since.
                self._mode = self._check_target()
                self._make_private(self.journal.path)
            except BaseException:
                self.discard()
                raise

    def sync_due_in(self) -> float | None:
        """How many seconds the journal may still stay unsynced; None where all of it is."""
        return self.journal.sync_due_in()

    def sync(self) -> None:
        """Bring the journal to the disk."""
        self.journal.sync()

    def insert(self, box: bytes) -> None:
        """Write a box to the journal, between two frames.

        Raises:
            PublishError: the disk failed.
        """
        with self._naming_the_path():
            self.journal.insert(box)

    def check_journal(self) -> None:
        """Compare the journal with what was written to it; what is damaged is cut off, and what follows it.

        Raises:
            PublishError: it was damaged.
        """
        damaged_at = self.journal.cut_damage()
        if damaged_at is not None:
            said = f"{self.journal.path!r} was damaged while it was written: from byte {damaged_at} on it holds other"
            raise PublishError.of(errno.EIO, f"{said} bytes than were written there", self.path)

    def open_finished(self) -> BinaryIO:
        """Open the hidden file that `commit` publishes. Only the journal's owner does: nobody else has it open."""
        with self._naming_the_path():
            self.drop_finished()
            self._finished = open_anew(hidden_name(self._target, FINISHED_SUFFIX))
            self._make_private(self._finished.name)
        return self._finished

    @property
    def finished(self) -> BinaryIO:
        """The hidden file, once it is open."""
        assert self._finished is not None
        return self._finished

    def scratch_file(self) -> BinaryIO:
        """Open a file in the target's folder that nobody sees, and that goes with this publication or its process."""
        from tempfile import TemporaryFile

        with self._naming_the_path():
            return self._scratch.enter_context(cast(BinaryIO, TemporaryFile(dir=os.path.dirname(self._target))))

    def scratch_folder(self) -> str:
        """Make a folder for temporary files, which goes with this publication."""
        from tempfile import TemporaryDirectory

        try:
            folder = TemporaryDirectory(prefix="telecine-", ignore_cleanup_errors=True)
        except OSError as error:
            said = f"no folder for temporary files can be made: {error.strerror}"
            raise PublishError.of(error.errno or errno.EIO, said, error.filename or self.path) from error
        return self._scratch.enter_context(folder)

    def _make_private(self, hidden: str) -> None:
        """Let nobody read the new frames who could not read the old ones, from the first on."""
        if self._mode is not None:
            with contextlib.suppress(OSError):  # a filesystem without permissions
                os.chmod(hidden, self._mode | stat.S_IRUSR | stat.S_IWUSR)

    def start_sync(self) -> None:
        """Let the disk begin on the finished file, while that is looked at: `commit` waits the less."""
        if self._finished is not None and hasattr(os, "posix_fadvise"):
            with contextlib.suppress(OSError):
                os.posix_fadvise(self._finished.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def commit(self) -> None:
        """Sync the finished file, put it at its path in one step, sync the folder, and remove the journal.

        Raises:
            PublishError: the disk failed, or the path exists by now and `overwrite` is false. Nothing has changed then.
        """
        assert self._finished is not None
        with self._naming_the_path():
            if self._mode is not None:
                with contextlib.suppress(OSError):
                    os.chmod(self._finished.name, self._mode)
            os.fsync(self._finished.fileno())
            self._finished.close()
            if self.overwrite:
                os.replace(self._finished.name, self._target)
            else:
                move_without_overwriting(self._finished.name, self._target)
            self._finished = None
        sync_folder(os.path.dirname(self._target))
        self._made_folders.clear()
        self.discard()
        with contextlib.suppress(OSError):
            remove_orphans(self._target)

    def keep(self) -> Kept:
        """Let go of the journal, synced, for `telecine.recover` to find; one without a frame is removed."""
        with contextlib.suppress(OSError):
            if not self.journal.given_up:
                self.journal.cut_damage()
                self.journal.sync()
        kept = self.journal.kept()
        if kept.frames or self.journal.given_up:
            self._let_go()
        else:
            self.discard()
        return kept

    def give_up(self) -> Kept:
        """Tell what is kept, and unlock it, while another thread still is in a call that writes it."""
        return self.journal.give_up()

    def discard(self) -> None:
        """Remove the journal, and the folders that were made for it."""
        with contextlib.suppress(OSError):  # removed before it is unlocked: nobody takes it for an orphan
            self.journal.remove()
        self._let_go()
        self._remove_made_folders()

    def _let_go(self) -> None:
        self.drop_finished()
        self._drop_scratch()
        with contextlib.suppress(OSError):
            self.journal.close()

    def _drop_scratch(self) -> None:
        with contextlib.suppress(OSError):
            self._scratch.close()

    def drop_finished(self) -> None:
        """Remove the file that is not to be published."""
        if self._finished is not None:
            with contextlib.suppress(OSError):
                self._finished.close()
            with contextlib.suppress(OSError):
                os.unlink(self._finished.name)

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
            raise self._exists()
        folder = os.stat(os.path.dirname(self._target))
        if folder.st_mode & stat.S_ISVTX and os.geteuid() not in (0, target.st_uid, folder.st_uid):
            raise PublishError.of(errno.EPERM, f"{self.path!r} is another user's, in a sticky folder", self.path)
        return stat.S_IMODE(mode)

    @contextlib.contextmanager
    def _naming_the_path(self) -> Iterator[None]:
        with super()._naming_the_path():
            try:
                yield
            except FileExistsError as error:
                raise error if isinstance(error, PublishError) else self._exists() from error


def open_anew(hidden: str) -> BinaryIO:
    """Make a hidden file. What a killed process left under its name may be another name of the file at the target."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(hidden)
    # Not "x+b", in which PyAV sees no file to read.
    return cast(
        BinaryIO, WholeWrites(hidden, "w+b", opener=lambda name, flags: os.open(name, flags | os.O_EXCL, 0o666))
    )


def move_without_overwriting(hidden: str, target: str) -> None:
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
            with contextlib.suppress(OSError):
                os.unlink(target)
            raise
    else:
        with contextlib.suppress(OSError):  # the file is at its path all the same
            os.unlink(hidden)
