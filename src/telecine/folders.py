"""A folder of files on its way to its path: hidden beside the target while it is written, there in one rename.

Until `commit` the path holds what it held; after it, the whole new folder, synced. `discard` leaves no trace, `keep`
leaves the hidden folder, `.clip.telecine-frames`, for `recover_folder`. It is locked while its writer lives; one that
a dead writer left is set aside, as `.clip.telecine-frames-1f6a09e2`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import sys
from collections.abc import Callable, Collection, Iterator

from .destination import Destination, free_path
from .errors import PublishError
from .journal import Kept, hidden_name, path_of_descriptor, sync_folder, target_of
from .locks import release_lock, take_lock

SUFFIX = ".telecine-frames"
OLD_SUFFIX = ".telecine-old"  # what is replaced, until it is removed
PART_SUFFIX = ".part"  # of a file that is being written
_ASIDE = re.compile(r"-[0-9a-f]{8}")
_FRAME = re.compile(r"\d{6,}\.(png|tif|jpg|exr)")
_TAKEN = {errno.EEXIST, errno.ENOTEMPTY}


def frame_name(index: int, extension: str) -> str:
    """Name a frame's file: "000042.png"."""
    return f"{index:06d}{extension}"


class FolderPublication(Destination):
    """One folder on its way to its path. Opening one proves that the folder around it can be written."""

    def __init__(self, path: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Make missing folders and the hidden one.

        Raises:
            OptionError: the path has a character that no name can have.
            PublishError: it is a file, or a folder with anything but numbered images in it; it exists and `overwrite`
                is false; it can't be written, or is being written by another writer.
        """
        super().__init__(path, overwrite)
        self.folder = hidden_name(self._target, SUFFIX)
        with self._naming_the_path():
            _restore(self._target)
            mode = self._check_target()
            try:
                self._lock = self._in_its_folder(self._make_hidden)
                if mode is not None:  # let nobody see the new frames who could not see the old ones
                    with contextlib.suppress(OSError):  # a filesystem without permissions
                        os.chmod(self.folder, mode | stat.S_IRWXU)
            except BaseException:
                self._remove_made_folders()
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
        with self._naming_the_path():
            mode = self._check_target()
            if mode is not None:
                with contextlib.suppress(OSError):  # a filesystem without permissions
                    os.chmod(self.folder, mode)
            sync_folder(self.folder)
            replaced = _move(self.folder, self._target)
        sync_folder(os.path.dirname(self._target))
        self._made_folders.clear()
        self._unlock()
        if replaced is not None:
            _remove_frames(replaced)
        for each in left_in(self._target):
            # Not one of the name that writers take: another may have taken it by now.
            if each != self.folder:
                with contextlib.suppress(OSError, PublishError), locked(each, self.path):
                    _remove_frames(each)

    def keep(self) -> Kept:
        """Let go of the hidden folder for `recover_folder` to find; one without a frame is removed."""
        kept = self._kept()
        if kept.frames or kept.lost:
            self._unlock()
        else:
            self.discard()
        return kept

    def give_up(self) -> Kept:
        """Tell what is kept, and unlock it, while another thread still is in a call that writes it."""
        kept = self._kept()
        if kept.frames and self._lock is not None:
            release_lock(self._lock)
        return kept

    def _kept(self) -> Kept:
        """Count the frames before the first gap: others were written at the same time as the missing one."""
        place = self._place()
        if place is None:
            return Kept(lost=1)
        count = _count_to_gap(_frames_in(place))
        return Kept(count, place, place != self.folder) if count else Kept()

    def _place(self) -> str | None:
        """Find where the hidden folder is by now; None where no name leads to it."""
        if self._lock is None:
            return self.folder if os.path.isdir(self.folder) else None
        for place in (self.folder, path_of_descriptor(self._lock)):
            with contextlib.suppress(OSError):
                if place is not None and os.path.samestat(os.stat(place), os.fstat(self._lock)):
                    return place
        return None

    def discard(self) -> None:
        """Remove the hidden folder, and the folders that were made for it."""
        if self._place() == self.folder:
            _remove_frames(self.folder)  # before it is unlocked: nobody takes it for a dead writer's
        self._unlock()
        self._remove_made_folders()

    def _check_target(self) -> int | None:
        """Refuse what can't be replaced; give the permissions of what will be."""
        try:
            mode = os.stat(self._target).st_mode
        except FileNotFoundError:
            return None
        if not stat.S_ISDIR(mode):
            raise PublishError.of(errno.ENOTDIR, f"{self.path!r} is a file: name a folder for the images", self.path)
        if not self.overwrite:
            raise self._exists()
        with os.scandir(self._target) as entries:
            other = next((each.name for each in entries if not _is_frame(each)), None)
        if other is not None:
            said = f"{self.path!r} holds {other!r}, which is no numbered image: name another folder, it would be lost"
            raise PublishError.of(errno.ENOTEMPTY, said, self.path)
        return stat.S_IMODE(mode)

    def _make_hidden(self) -> int | None:
        while True:
            try:
                os.mkdir(self.folder)
                return lock_folder(self.folder, self.path)
            except FileExistsError:
                self._set_aside()

    def _set_aside(self) -> None:
        """Move away what a dead writer left, if it left a frame."""
        aside = f"{self.folder}-{secrets.token_hex(4)}"
        with locked(self.folder, self.path):
            os.rename(self.folder, aside)
            _remove_parts(aside)
            with contextlib.suppress(OSError):  # it holds frames
                os.rmdir(aside)

    def _unlock(self) -> None:
        if self._lock is not None:
            release_lock(self._lock)
            os.close(self._lock)
            self._lock = None


def size_of_frames(folder: str) -> tuple[int, int]:
    """Count the numbered images in a folder, and their bytes."""
    with os.scandir(folder) as entries:
        sizes = [each.stat().st_size for each in entries if _is_frame(each)]
    return len(sizes), sum(sizes)


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
    try:
        _restore(target)
        for hidden in reversed(left_in(target)):
            with locked(hidden, target):
                count = _keep_whole(hidden)
                if count:
                    sync_folder(hidden)
                    free = free_path(target) if output is None else os.path.realpath(os.fsdecode(output))
                    os.rename(hidden, free)
                    sync_folder(os.path.dirname(free))
                    return free, count
    except PublishError:
        raise
    except OSError as error:
        said = f"{target!r} can't be recovered: {error.strerror or error}"
        raise PublishError.of(error.errno or errno.EIO, said, target) from error
    raise PublishError.of(errno.ENOENT, f"{target!r} has no frames of a killed writer: nothing to recover", target)


def folders_in(folder: str | os.PathLike[str]) -> list[str]:
    """Give the hidden folders in a folder, whoever's they are, newest last."""
    with os.scandir(folder) as entries:
        found = [each for each in entries if target_of(each.path, SUFFIX) and each.is_dir(follow_symlinks=False)]
    return [each.path for each in sorted(found, key=lambda each: each.stat().st_mtime_ns)]


def left_in(target: str) -> list[str]:
    """Give the hidden folders beside a target, newest last, be their writers dead or not."""
    hidden = hidden_name(target, SUFFIX)
    folder, name = os.path.split(hidden)
    if not os.path.isdir(folder):
        return []
    with os.scandir(folder) as entries:
        found = [each for each in entries if each.name.startswith(name) and each.is_dir(follow_symlinks=False)]
    own = [each for each in found if each.name == name or _ASIDE.fullmatch(each.name[len(name) :])]
    return [each.path for each in sorted(own, key=lambda each: each.stat().st_mtime_ns)]


def lock_folder(folder: str, path: str) -> int | None:
    """Take the lock of a hidden folder's writer, and give what holds it; None where there are no locks.

    Raises:
        PublishError: its writer lives.
    """
    if os.name == "nt":  # where a folder can't be opened
        return None
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if not take_lock(descriptor):
            raise PublishError.of(errno.EBUSY, f"{path!r} is being written by another writer", path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


@contextlib.contextmanager
def locked(folder: str, path: str) -> Iterator[None]:
    """Hold the lock of a dead writer's folder. Raises as `lock_folder`."""
    lock = lock_folder(folder, path)
    try:
        yield
    finally:
        if lock is not None:
            release_lock(lock)
            os.close(lock)


# ---- moving and removing -------------------------------------------------------------------------------------------


def _move(hidden: str, target: str) -> str | None:
    """Rename a folder to the target in one step, and give the path of what was there, if it wasn't empty."""
    try:
        if os.name == "nt" and os.path.isdir(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
        os.rename(hidden, target)  # onto nothing, or an empty folder
        return None
    except OSError as error:
        if error.errno not in _TAKEN:
            raise
    old = hidden_name(target, OLD_SUFFIX)
    _remove_frames(old)
    if _exchange(hidden, target):
        with contextlib.suppress(OSError):  # there may be a file of somebody else's in the way
            os.rename(hidden, old)  # which tells it from frames that a killed writer left
            return old
        return hidden
    # A kill between these two leaves the old folder whole, under its hidden name: `_restore` puts it back.
    os.rename(target, old)
    try:
        os.rename(hidden, target)
    except BaseException:
        os.rename(old, target)
        raise
    return old


def _restore(target: str) -> None:
    """Put back what a writer had moved away when it was killed before it put the new folder in its place."""
    old = hidden_name(target, OLD_SUFFIX)
    if os.path.isdir(old) and not os.path.lexists(target):
        os.rename(old, target)


def _exchange(one: str, other: str) -> bool:
    """Exchange two folders in one step; False where the system or the filesystem can't."""
    rename = _exchanger()
    if rename is None:
        return False
    if rename(os.fsencode(one), os.fsencode(other)) == 0:
        return True
    import ctypes

    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP):
        return False
    raise OSError(number, os.strerror(number), one, None, other)


def _exchanger() -> Callable[[bytes, bytes], int] | None:
    """Find renameat2 of Linux or renamex_np of macOS, which Python does not wrap."""
    if os.name == "nt":
        return None
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "darwin" and hasattr(library, "renamex_np"):
        return lambda one, other: int(library.renamex_np(one, other, 2))  # RENAME_SWAP, <sys/stdio.h>
    if hasattr(library, "renameat2"):
        here = -100  # AT_FDCWD, <fcntl.h>; RENAME_EXCHANGE, <linux/fs.h>
        return lambda one, other: int(library.renameat2(here, one, here, other, 2))
    return None


def _is_frame(entry: os.DirEntry[str]) -> bool:
    return _FRAME.fullmatch(entry.name) is not None and entry.is_file(follow_symlinks=False)


def _frames_in(folder: str) -> dict[int, str]:
    """Give the names of the frames in a folder, by their numbers."""
    return {int(name.split(".")[0]): name for name in os.listdir(folder) if _FRAME.fullmatch(name)}


def _count_to_gap(frames: Collection[int]) -> int:
    return next(number for number in range(len(frames) + 1) if number not in frames)


def _keep_whole(folder: str) -> int:
    """Remove what is no whole frame and what follows a gap; give how many are left."""
    _remove_parts(folder)
    frames = _frames_in(folder)
    count = _count_to_gap(frames)
    for number, name in frames.items():
        if number >= count:
            os.unlink(os.path.join(folder, name))
    return count


def _remove_parts(folder: str) -> None:
    for name in os.listdir(folder):
        if name.endswith(PART_SUFFIX):
            os.unlink(os.path.join(folder, name))


def _remove_frames(folder: str) -> None:
    """Remove a hidden folder and the frames in it, and nothing else, as far as that can be done."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if _FRAME.fullmatch(name.removesuffix(PART_SUFFIX)):
                os.unlink(os.path.join(folder, name))
        os.rmdir(folder)
