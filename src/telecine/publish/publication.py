"""Where the bytes go: a journal beside the target while writing, and one atomic step at the end.

Until `commit` the path holds what it held; after it, the whole new file, synced. `discard` leaves no trace, `keep`
leaves the journal for `telecine.recover`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast

from ..errors import PublishError
from .access import NEW_FILE, Access, mode_of_new, set_mode
from .destination import Destination
from .hidden import HiddenFile, new_file, put
from .journal import SUFFIX, Journal, Kept, hidden_entry, open_journal, remove_orphans
from .open_folder import Folder
from .proof import prove_file, prove_file_target

FINISHED_SUFFIX = ".telecine-new"
_TRIAL_SUFFIX = ".telecine-trial"


class Publication(Destination):
    """One file on its way to its path. Opening one proves that it can be put there."""

    def __init__(self, path: str | os.PathLike[str], overwrite: bool = True, at_most: int = NEW_FILE) -> None:
        """Make missing folders, open the journal, and try what `commit` will do.

        The file gets no permissions beyond `at_most`: what is made of a file is for nobody else than that is.

        Raises:
            OptionError: the path can't be one: it is a URL, has a NUL, or characters that the filesystem has no bytes
                for.
            PublishError: it is a folder or no regular file, exists and `overwrite` is false, can't be written or
                replaced, or is being written by another writer.
        """
        super().__init__(path, overwrite)
        if not os.path.basename(self.path):  # a trailing slash, which Path would drop
            raise PublishError.of(errno.EISDIR, f"{self.path!r} names a folder: name a file in it", self.path)
        self.title = os.path.basename(self.path)
        self._finished: HiddenFile | None = None
        self._at_most = at_most
        self._scratch = contextlib.ExitStack()
        with self._naming_the_path():
            try:
                self.journal = self._in_its_folder(self._open_journal)
            except BaseException:
                self._remove_made_folders()
                raise
            self._folder = self.journal.parent
            try:
                access = self._access(self._folder)  # again: another writer may have finished since
                if access is not None:
                    set_mode(self.journal.fileno(), access.meanwhile(self.journal.identity))
                self._prove(access)
            except BaseException:
                self.discard()
                raise

    def _open_journal(self, folder: Folder) -> Journal:
        access = self._access(folder)
        return open_journal(folder, self._name, self._mode_of_new(access) & ~0o022)

    def _mode_of_new(self, access: Access | None) -> int:
        return mode_of_new(access, NEW_FILE) & self._at_most

    def _prove(self, access: Access | None) -> None:
        finished, trial = (self._hidden(suffix) for suffix in (FINISHED_SUFFIX, _TRIAL_SUFFIX))
        prove_file(self._folder, finished, trial, self.overwrite)
        if access is not None:
            with self._proving_the_target():
                prove_file_target(self._folder, self._name, trial)

    def _hidden(self, suffix: str) -> str:
        """Give a name that goes with the journal's own, of which this is the only owner."""
        return hidden_entry(self._name, suffix) + self.journal.entry.removeprefix(hidden_entry(self._name, SUFFIX))

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
        """Open the hidden file that `commit` publishes: to nobody yet whom the old one was closed to."""
        with self._naming_the_path():
            self.drop_finished()
            mode = self._mode_of_new(self._access(self._folder))
            self._finished = new_file(self._folder, self._hidden(FINISHED_SUFFIX), mode)
        return cast(BinaryIO, self._finished)

    @property
    def finished(self) -> BinaryIO:
        """The hidden file, once it is open."""
        assert self._finished is not None
        return cast(BinaryIO, self._finished)

    def scratch_file(self) -> BinaryIO:
        """Open a file in the target's folder that nobody sees, and that goes with this publication or its process."""
        from tempfile import TemporaryFile  # start-up: few exports have a limit of bytes

        with self._naming_the_path():
            return self._scratch.enter_context(cast(BinaryIO, TemporaryFile(dir=os.path.dirname(self._target))))

    def scratch_folder(self) -> str:
        """Make a folder for temporary files, which goes with this publication."""
        from tempfile import TemporaryDirectory  # start-up: few exports have a limit of bytes

        try:
            folder = TemporaryDirectory(prefix="telecine-", ignore_cleanup_errors=True)
        except OSError as error:
            said = f"no folder for temporary files can be made: {error.strerror}"
            raise PublishError.of(error.errno or errno.EIO, said, error.filename or self.path) from error
        return self._scratch.enter_context(folder)

    def start_sync(self) -> None:
        """Let the disk begin on the finished file, while that is looked at: `commit` waits the less."""
        if self._finished is not None and hasattr(os, "posix_fadvise"):
            with contextlib.suppress(OSError):
                os.posix_fadvise(self._finished.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def put(self, parts: Iterable[bytes]) -> None:
        """Write the finished file, part by part, and put it at its path. Raises as `commit`."""
        file = self.open_finished()
        for part in parts:
            try:
                file.write(part)
            except OSError as error:
                raise self.failure(error) from error
        self.commit()

    def commit(self) -> None:
        """Sync the finished file, put it at its path in one step, sync the folder, and remove the journal.

        Raises:
            PublishError: the disk failed, or the path can't be replaced by now. Nothing has changed then.
        """
        assert self._finished is not None
        with self._naming_the_path():
            access = self._access(self._folder)
            if access is not None:
                access.give(self._finished.fileno())
            os.fsync(self._finished.fileno())
            put(self._finished, self._name, self.overwrite)
            self._finished = None
        self._folder.sync()
        self._made_folders.clear()
        with contextlib.suppress(OSError):
            remove_orphans(self._folder, self._name)
        self.discard()

    def keep(self) -> Kept:
        """Let go of the journal, synced, for `telecine.recover` to find; one without a frame is removed."""
        with contextlib.suppress(OSError):
            if not self.journal.given_up:
                self.journal.cut_damage()
                self.journal.sync()
        kept = self.journal.kept()
        self._end(keeping=bool(kept.frames or self.journal.given_up))
        return kept

    def give_up(self) -> Kept:
        """Tell what is kept, and unlock it, while another thread still is in a call that writes it."""
        finished = self._finished
        if finished is not None:
            with contextlib.suppress(OSError):
                finished.remove()
        return self.journal.give_up()

    def discard(self) -> None:
        """Remove the journal, and the folders that were made for it."""
        with contextlib.suppress(OSError):  # removed before it is unlocked: nobody takes it for an orphan
            self.journal.remove()
        self._let_go()
        self._remove_made_folders()

    def _let_go(self) -> None:
        self.drop_finished()
        for each in (self._scratch, self.journal, self._folder):
            with contextlib.suppress(OSError):
                each.close()

    def drop_finished(self) -> None:
        """Remove the file that is not to be published."""
        if self._finished is not None:
            with contextlib.suppress(OSError):
                self._finished.close()
            with contextlib.suppress(OSError):
                self._finished.remove()

    def _access(self, folder: Folder) -> Access | None:
        access = super()._access(folder)
        return access if access is None or self._at_most == NEW_FILE else access.at_most(self._at_most)

    def _check_kind(self, found: os.stat_result) -> None:
        if stat.S_ISDIR(found.st_mode):
            raise PublishError.of(errno.EISDIR, f"{self.path!r} is a folder: name a file in it", self.path)
        if not stat.S_ISREG(found.st_mode):
            raise PublishError.of(errno.EINVAL, f"{self.path!r} is not a regular file: it can't be replaced", self.path)

    @contextlib.contextmanager
    def _naming_the_path(self) -> Iterator[None]:
        with super()._naming_the_path():
            try:
                yield
            except FileExistsError as error:
                raise error if isinstance(error, PublishError) else self._exists() from error
