"""A folder of files on its way to its path: hidden beside the target while it is written, there in one rename.

Until `commit` the path holds what it held; after it, the whole new folder, synced. `discard` leaves no trace, `keep`
leaves the hidden folder, `.clip.telecine-frames`, for `recover_folder`. It is locked while its writer lives; one that
a dead writer left is set aside, as `.clip.telecine-frames-1f6a09e2`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from ..errors import PublishError
from .access import NEW_FOLDER, mode_of_new, set_mode
from .destination import Destination, free_path, naming
from .frame_files import count_to_gap, frames_in, is_frame, keep_whole, remove_frames, remove_parts
from .hidden import HiddenFolder, free_name, newest_last
from .journal import Kept, hidden_entry, target_of
from .open_folder import Folder, os_error, token
from .proof import prove_exchange, prove_folder_target, prove_new_folder

SUFFIX = ".telecine-frames"
OLD_SUFFIX = ".telecine-old"  # what is replaced, until it is removed
_TAKEN = {errno.EEXIST, errno.ENOTEMPTY}


class FolderPublication(Destination):
    """One folder on its way to its path. Opening one proves that it can be put there."""

    def __init__(self, path: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Make missing folders and the hidden one, and try what `commit` will do.

        Raises:
            OptionError: the path is a URL, or has a character that no name can have.
            PublishError: it is a file, or a folder with anything but numbered images in it; it exists and `overwrite`
                is false; it can't be written or replaced, or is being written by another writer.
        """
        super().__init__(path, overwrite)
        with self._naming_the_path():
            try:
                self.folder = self._in_its_folder(self._open)
            except BaseException:
                self._remove_made_folders()
                raise
            try:
                self._prove()
            except BaseException:
                self.discard()
                raise

    def sync_due_in(self) -> float | None:
        """None: each file is synced before it has its name."""

    def sync(self) -> None:
        """Do nothing."""

    def insert(self, box: bytes) -> None:
        """Refuse a box: images have none."""
        raise NotImplementedError

    def commit(self) -> None:
        """Put the folder, whose files are synced, at its path in one step, sync it, and remove what it replaced.

        Raises:
            PublishError: the disk failed, or the path can't be replaced by now. Nothing has changed then.
        """
        folder, around = self.folder, self.folder.parent
        with self._naming_the_path():
            access = self._access(around)
            if folder.descriptor is not None:
                if access is None:
                    set_mode(folder.descriptor, stat.S_IMODE(folder.identity.st_mode))  # as it was made
                else:
                    access.give(folder.descriptor)
            folder.sync()
            replaced = _move(folder, self._name, hidden_entry(self._name, OLD_SUFFIX))
        around.sync()
        self._made_folders.clear()
        if replaced is not None:
            with replaced:
                remove_frames(replaced)
        self._remove_left()
        self._let_go()

    def _remove_left(self) -> None:
        """Remove what dead writers to the same path have left, and nobody else has."""
        around = self.folder.parent
        for each in left_in(around, self._name):
            if each == hidden_entry(self._name, SUFFIX):  # this writer's, or another's that has taken it by now
                continue
            with contextlib.suppress(OSError, PublishError), locked(around, each, self.path) as left:
                remove_frames(left)

    def keep(self) -> Kept:
        """Let go of the hidden folder for `recover_folder` to find; one without a frame is removed."""
        kept = self._kept()
        self._end(keeping=bool(kept.frames or kept.lost))
        return kept

    def give_up(self) -> Kept:
        """Tell what is kept, and unlock it, while another thread still is in a call that writes it."""
        kept = self._kept()
        if kept.frames:
            self.folder.unlock()
        return kept

    def _kept(self) -> Kept:
        """Count the frames before the first gap: others were written at the same time as the missing one."""
        place = self.folder.place()
        if place is None:
            return Kept(lost=1)
        count = count_to_gap(frames_in(self.folder))
        return Kept(count, place, place != self.folder.path) if count else Kept()

    def discard(self) -> None:
        """Remove the hidden folder, and the folders that were made for it."""
        with contextlib.suppress(OSError):
            if self.folder.is_there():
                remove_frames(self.folder)  # before it is unlocked: nobody takes it for a dead writer's
        self._let_go()
        self._remove_made_folders()

    def _open(self, around: Folder) -> HiddenFolder:
        _restore(around, self._name)
        access = self._access(around)
        folder = self._make_hidden(around, mode_of_new(access, NEW_FOLDER))
        if folder.descriptor is not None:
            mode = stat.S_IMODE(folder.identity.st_mode) if access is None else access.meanwhile(folder.identity)
            set_mode(folder.descriptor, mode & ~0o022 | stat.S_IRWXU)
        if folder.names():  # of somebody who was faster, where everybody may write into new folders
            folder.close()
            raise PublishError.of(errno.EPERM, f"{folder.path!r} is written into by another user", self.path)
        return folder

    def _make_hidden(self, around: Folder, mode: int) -> HiddenFolder:
        """Make and lock the hidden folder; what a dead writer left in it is set aside."""
        entry = hidden_entry(self._name, SUFFIX)
        while True:
            found = around.status(entry)
            if found is not None and around.is_our_folder(found):
                with contextlib.suppress(FileNotFoundError):  # another writer has just moved or removed it
                    self._set_aside(around, entry)
            elif found is not None:  # somebody else's: it has another name then
                entry = free_name(around, hidden_entry(self._name, SUFFIX) + token())
            with contextlib.suppress(FileExistsError):  # another writer was faster
                around.make_folder(entry, mode | stat.S_IRWXU)
                folder = HiddenFolder(around, entry)
                try:
                    folder.lock_for_writer(self.path)
                except BaseException:
                    folder.close()
                    raise
                if folder.is_there() and around.is_ours(folder.identity):
                    return folder
                folder.close()

    def _set_aside(self, around: Folder, entry: str) -> None:
        """Move away what a dead writer left, if it left a frame."""
        with locked(around, entry, self.path) as left:
            if left.is_there():
                left.move(entry + token())
                remove_parts(left)
                with contextlib.suppress(OSError):  # it holds frames
                    left.remove()

    def _prove(self) -> None:
        around = self.folder.parent
        one, other, aside = (hidden_entry(self._name, SUFFIX) + token() for _ in range(3))
        if self._access(around) is None:
            return prove_new_folder(around, one, other)
        prove_exchange(around, one, other, aside, _move)
        with self._proving_the_target():
            return prove_folder_target(around, self._name, one)

    def _check_kind(self, found: os.stat_result) -> None:
        """Refuse what can't be replaced."""
        if not stat.S_ISDIR(found.st_mode):
            raise PublishError.of(errno.ENOTDIR, f"{self.path!r} is a file: name a folder for the images", self.path)
        if not self.overwrite:
            raise self._exists()
        with os.scandir(self._target) as entries:
            other = next((each.name for each in entries if not is_frame(each)), None)
        if other is not None:
            said = f"{self.path!r} holds {other!r}, which is no numbered image: name another folder, it would be lost"
            raise PublishError.of(errno.ENOTEMPTY, said, self.path)
        can_remove = os.access(self._target, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)
        if not can_remove and os.name == "posix" and found.st_uid != os.geteuid():
            said = f"{self.path!r} is another user's, who lets nobody remove its images: name another folder"
            raise PublishError.of(errno.EACCES, said, self.path)

    def _let_go(self) -> None:
        self.folder.close()
        self.folder.parent.close()


def recover_folder(path: str | os.PathLike[str], output: str | os.PathLike[str] | None = None) -> tuple[str, int]:
    """Put the frames that a killed writer left in one step at `output`, which may be an empty folder.

    Without one it is the path, or where that exists `clip.recovered`.

    Of the frames, those before the first gap are kept: others were written at the same time as the missing one.

    Returns:
        Where they are, and how many.

    Raises:
        PublishError: there are none, or their writer lives.
    """
    target = os.path.realpath(os.fsdecode(path))
    name = os.path.basename(target)
    with naming(target, "recovered"), Folder(os.path.dirname(target)) as around:
        _restore(around, name)
        for each in reversed(left_in(around, name)):
            with locked(around, each, target) as hidden:
                count = keep_whole(hidden)
                if count:
                    hidden.sync()
                    hidden.check_there()
                    free = free_path(target) if output is None else os.path.realpath(os.fsdecode(output))
                    os.makedirs(os.path.dirname(free), exist_ok=True)  # as an export does
                    os.rename(hidden.path, free)
                    with Folder(os.path.dirname(free)) as there:
                        there.sync()
                    return free, count
    raise PublishError.of(errno.ENOENT, f"{target!r} has no frames of a killed writer: nothing to recover", target)


def folders_in(around: Folder) -> list[str]:
    """Give the names of the hidden folders in a folder that are ours, newest last."""
    names = [name for name in around.names() if target_of(name, SUFFIX)]
    return newest_last(around, names, around.is_our_folder)


def has_left(target: str) -> bool:
    """Whether there are hidden folders of a target that are ours."""
    folder, name = os.path.split(target)
    if not os.path.isdir(folder):
        return False
    with Folder(folder) as around:
        return bool(left_in(around, name))


def left_in(around: Folder, target: str, suffix: str = SUFFIX) -> list[str]:
    """Give the names of the hidden folders of a target that are ours, newest last, be their writers dead or not."""
    own = target_of(hidden_entry(target, suffix), suffix)
    names = [name for name in around.names() if target_of(name, suffix) == own]
    return newest_last(around, names, around.is_our_folder)


@contextlib.contextmanager
def locked(around: Folder, name: str, path: str) -> Iterator[HiddenFolder]:
    """Hold the lock of a dead writer's folder.

    Raises:
        PublishError: its writer lives.
        OSError: it can't be opened, or isn't ours by now.
    """
    with HiddenFolder(around, name) as folder:
        if not around.is_our_folder(folder.identity):
            raise os_error(errno.ENOENT, folder.path)
        folder.lock_for_writer(path)
        yield folder


# ---- moving and removing -------------------------------------------------------------------------------------------


def _move(new: HiddenFolder, name: str, aside: str) -> HiddenFolder | None:
    """Give a folder a name in one step, and give what was there, if it wasn't empty, open and under a hidden name.

    That is `aside` where it can be.
    """
    new.check_there()
    around, entry = new.parent, new.entry
    try:
        if os.name == "nt" and around.status(name) is not None:
            raise os_error(errno.EEXIST, name)
        around.rename(entry, name)  # onto nothing, or an empty folder
        new.renamed(name)
        return None
    except OSError as error:
        if error.errno not in _TAKEN:
            raise
    aside = _free_aside(around, aside)
    replaced = HiddenFolder(around, name)
    if around.exchange(entry, name):
        new.renamed(name)
        replaced.renamed(entry)
        with contextlib.suppress(OSError):  # its name tells it from frames that a killed writer left
            replaced.move(aside)
        return replaced
    # A kill between these two leaves the old folder whole, under its hidden name: `_restore` puts it back.
    around.rename(name, aside)
    try:
        around.rename(entry, name)
    except BaseException:
        around.rename(aside, name)
        raise
    new.renamed(name)
    replaced.renamed(aside)
    return replaced


def _free_aside(around: Folder, aside: str) -> str:
    """Remove what is left of a folder that was replaced, and give a name that is free."""
    found = around.status(aside)
    if found is not None and around.is_our_folder(found):
        with HiddenFolder(around, aside) as left:
            remove_frames(left)
    return free_name(around, aside)


def _restore(around: Folder, name: str) -> None:
    """Put back what a writer had moved away when it was killed before it put the new folder in its place."""
    if around.status(name) is None:
        for old in left_in(around, name, OLD_SUFFIX)[-1:]:
            around.rename(old, name)
