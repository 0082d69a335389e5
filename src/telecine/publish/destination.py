"""A path on its way to be written: the folders made for it, and what is said of it when the filesystem refuses."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from typing import TypeVar

from ..errors import OptionError, PublishError, TelecineError
from ..files.urls import local_path
from .access import Access, access_of
from .journal import Kept
from .open_folder import Folder, os_error

Opened = TypeVar("Opened")

_TRIES = 20
_MOST_LINKS = 40  # of one path, as Linux has it
_ELSEWHERE = "a new file is made beside it first: choose a folder where you may make files"
_WAYS_TO_WRITE = {
    errno.EACCES: _ELSEWHERE,
    errno.EPERM: _ELSEWHERE,
    errno.EROFS: "choose a folder that is not on a read-only filesystem",
    errno.ENOSPC: "make room, or choose a folder on another disk",
    errno.ENAMETOOLONG: "choose a shorter name",
}
_WAYS_TO_REPLACE = {
    errno.EBUSY: "it is a mount point, as of a file given to a container: mount its folder, or choose another name",
    errno.EPERM: "it is immutable, append-only or another user's: choose another name, or see lsattr",
    errno.EXDEV: "it comes from a lower layer, as a container's image has them: choose another name, or remove it",
}


def refusal(path: str, done: str, error: OSError, way_out: str = "") -> PublishError:
    """Say of an error of the filesystem which path can't be written, replaced, recovered or listed, and what to do."""
    said = f"{path!r} can't be {done}: {error.strerror or error}{way_out and ': '}{way_out}"
    return PublishError.of(error.errno or errno.EIO, said, path)


@contextlib.contextmanager
def naming(path: str, done: str) -> Iterator[None]:
    """Raise as `refusal` what the filesystem refuses meanwhile; errors of telecine's own pass."""
    try:
        yield
    except TelecineError:
        raise
    except OSError as error:
        raise refusal(path, done, error) from error


class Destination:
    """A path and whether what is there may be replaced."""

    def __init__(self, path: str | os.PathLike[str], overwrite: bool) -> None:
        """Take a path.

        Raises:
            OptionError: it can't be one: it is a URL, has a NUL, or characters that the filesystem has no bytes for; or
                it begins with ~, which only a shell reads as the home.
            PublishError: it leads through a link that anybody could have made.
        """
        self.path = local_path(path)
        try:
            is_a_name = b"\0" not in os.fsencode(self.path)
        except UnicodeEncodeError:
            is_a_name = False
        if not is_a_name:
            raise OptionError(f"path={self.path!r} has a character that no file name can have")
        if self.path.startswith(f"~{os.sep}") and not os.path.lexists("~"):  # a folder of that name is hardly meant
            said = f"path={self.path!r} is not in your home: use os.path.expanduser(path), or name ./~"
            raise OptionError(said, page="troubleshooting#the-path-can-t-be-written")
        self.overwrite = overwrite
        self._check_links(self.path)
        # Absolute, should the working directory change; through a link, should the path be one.
        self._target = os.path.realpath(self.path)
        self._name = os.path.basename(self._target)
        self._made_folders: list[str] = []

    def failure(self, error: OSError) -> PublishError:
        """Say of an error of the filesystem which path it cost."""
        return refusal(self.path, "written", error, _WAYS_TO_WRITE.get(error.errno or 0, ""))

    @contextlib.contextmanager
    def _naming_the_path(self) -> Iterator[None]:
        try:
            yield
        except PublishError:
            raise
        except OSError as error:
            raise self.failure(error) from error

    @contextlib.contextmanager
    def _proving_the_target(self) -> Iterator[None]:
        try:
            yield
        except PublishError:
            raise
        except OSError as error:
            way_out = _WAYS_TO_REPLACE.get(error.errno or 0, "choose another name")
            raise refusal(self.path, "replaced", error, way_out) from error

    def _exists(self) -> PublishError:
        return PublishError.of(errno.EEXIST, f"{self.path!r} exists and overwrite is False", self.path)

    def _access(self, folder: Folder) -> Access | None:
        """Refuse what can't be replaced, and give the access to what will be."""
        found = folder.status(self._name)
        if found is None:
            return None
        if stat.S_ISLNK(found.st_mode):
            raise os_error(errno.ELOOP)
        self._check_kind(found)
        if not self.overwrite:
            raise self._exists()
        around = folder.own_status()
        if around.st_mode & stat.S_ISVTX and os.geteuid() not in (0, found.st_uid, around.st_uid):
            raise PublishError.of(errno.EPERM, f"{self.path!r} is another user's, in a sticky folder", self.path)
        return access_of(folder, self._name)

    def _check_kind(self, found: os.stat_result) -> None:
        """Raise PublishError where something else than what is to be written is there."""
        raise NotImplementedError

    def kept_meanwhile(self) -> Kept:
        """Tell what is kept while another thread is in `commit`: to a path, that is over at once."""
        return Kept()

    def discard(self) -> None:
        """Remove what is hidden beside the path, and the folders that were made for it."""
        raise NotImplementedError

    def _let_go(self) -> None:
        """Close what is hidden beside the path, and leave it there."""
        raise NotImplementedError

    def _end(self, keeping: bool) -> None:
        if keeping:
            self._let_go()
        else:
            self.discard()

    def _in_its_folder(self, open_there: Callable[[Folder], Opened]) -> Opened:
        """Make the missing folders around the path and open something there."""
        for _ in range(_TRIES):  # another writer that fails removes the folders that it made
            with contextlib.suppress(FileNotFoundError):
                return self._once_in_its_folder(open_there)
        return self._once_in_its_folder(open_there)

    def _once_in_its_folder(self, open_there: Callable[[Folder], Opened]) -> Opened:
        self._make_folders(os.path.dirname(self._target))
        folder = Folder(os.path.dirname(self._target))
        try:
            return open_there(folder)
        except BaseException:
            folder.close()
            raise

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

    def _check_links(self, path: str, links: int = 0) -> None:
        """Refuse a link of another user's in a folder where anybody can make one, as Linux does of sticky folders."""
        if os.name != "posix" or links > _MOST_LINKS:
            return
        at = os.sep if os.path.isabs(path) else os.getcwd()
        for part in filter(None, path.split(os.sep)):
            around, at = at, os.path.join(at, part)
            try:
                found = os.lstat(at)
                if not stat.S_ISLNK(found.st_mode):
                    continue
                holder, leads_to = os.stat(around), os.readlink(at)
            except OSError:  # what is wrong shows when it is opened
                return
            if holder.st_mode & stat.S_IWOTH and found.st_uid not in (0, os.geteuid(), holder.st_uid):
                said = f"{self.path!r} leads through {at!r}, another user's link in a folder that is open to all"
                raise PublishError.of(errno.ELOOP, f"{said}: name what it leads to, if that is meant", self.path)
            self._check_links(os.path.join(around, leads_to), links + 1)


def free_path(target: str, extension: str = "") -> str:
    """Give the target if it is free, or else "clip.recovered.mp4", "clip.recovered-2.mp4" and so on.

    `extension` is that of the target, in front of which the addition goes.
    """
    stem = target.removesuffix(extension)
    candidates = [target, f"{stem}.recovered{extension}"]
    while os.path.lexists(candidates[-1]):
        candidates.append(f"{stem}.recovered-{len(candidates)}{extension}")
    return next(each for each in candidates if not os.path.lexists(each))
