"""A path on its way to be written: the folders made for it, and what is said of it when the filesystem refuses."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from typing import TypeVar

from .errors import OptionError, PublishError

Opened = TypeVar("Opened")

_TRIES = 20


class Destination:
    """A path and whether what is there may be replaced."""

    def __init__(self, path: str | os.PathLike[str], overwrite: bool) -> None:
        """Take a path.

        Raises:
            OptionError: it can't be one: it has a NUL, or characters that the filesystem has no bytes for.
        """
        self.path = os.fsdecode(path)
        try:
            is_a_name = b"\0" not in os.fsencode(self.path)
        except UnicodeEncodeError:
            is_a_name = False
        if not is_a_name:
            raise OptionError(f"path={self.path!r} has a character that no file name can have")
        self.overwrite = overwrite
        # Absolute, should the working directory change; through a link, should the path be one.
        self._target = os.path.realpath(self.path)
        self._made_folders: list[str] = []

    def failure(self, error: OSError) -> PublishError:
        """Say of an error of the filesystem which path it cost."""
        said = f"{self.path!r} can't be written: {error.strerror or error}"
        return PublishError.of(error.errno or errno.EIO, said, self.path)

    @contextlib.contextmanager
    def _naming_the_path(self) -> Iterator[None]:
        try:
            yield
        except PublishError:
            raise
        except OSError as error:
            raise self.failure(error) from error

    def _exists(self) -> PublishError:
        return PublishError.of(errno.EEXIST, f"{self.path!r} exists and overwrite is False", self.path)

    def _in_its_folder(self, open_there: Callable[[], Opened]) -> Opened:
        """Make the missing folders around the path and open something there."""
        for _ in range(_TRIES):  # another writer that fails removes the folders that it made
            with contextlib.suppress(FileNotFoundError):
                self._make_folders(os.path.dirname(self._target))
                return open_there()
        self._make_folders(os.path.dirname(self._target))
        return open_there()

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


def free_path(target: str, extension: str = "") -> str:
    """Give the target if it is free, or else "clip.recovered.mp4", "clip.recovered-2.mp4" and so on.

    `extension` is that of the target, in front of which the addition goes.
    """
    stem = target.removesuffix(extension)
    candidates = [target, f"{stem}.recovered{extension}"]
    while os.path.lexists(candidates[-1]):
        candidates.append(f"{stem}.recovered-{len(candidates)}{extension}")
    return next(each for each in candidates if not os.path.lexists(each))
