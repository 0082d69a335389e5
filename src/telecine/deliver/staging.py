"""Where files are made that go elsewhere: in the folder for temporary files, for their owner alone."""

from __future__ import annotations

import errno
import os
import stat

from ..errors import PublishError
from ..formats.choose import AnyFormat, extension_of

MANIFEST = "manifest.json"  # of a folder of images in a store: put last, so that who finds it finds them all


def temporary_path(row: AnyFormat) -> str:
    """Give the path of a new file of a format, or of a folder of images."""
    return f"{os.path.join(_temporary_folder(), 'telecine-')}{os.urandom(4).hex()}{extension_of(row)}"


def staged_path(address: str, row: AnyFormat) -> str:
    """Give the path for what is to go to an address: the same each time, so that what a dead process left is found."""
    import hashlib  # start-up: few files go elsewhere

    digest = hashlib.sha256(address.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return os.path.join(_own_folder(), f"{digest}{extension_of(row)}")


def make_folder_of(path: str) -> None:
    """Make the folder of a staged or temporary path.

    Raises:
        PublishError: it is there, and somebody else's, or open to others.
    """
    folder = os.path.dirname(path)
    if folder == _temporary_folder():
        return
    try:
        is_own = make_own_folder(folder)
    except OSError as error:
        said = f"{folder!r}, for files that go elsewhere, can't be made: {error.strerror}"
        raise PublishError.of(error.errno, said, folder) from error
    if not is_own:
        said = f"{folder!r} is no folder of yours alone: remove it, or set TMPDIR to another place"
        raise PublishError.of(errno.EPERM, said, folder)


def make_own_folder(path: str) -> bool:
    """Make a folder that nobody else may enter; tells whether what is there is one. Raises OSError."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        found = os.lstat(path)
        is_own = os.name != "posix" or (found.st_uid == os.geteuid() and not found.st_mode & 0o077)
        return stat.S_ISDIR(found.st_mode) and is_own
    return True


def _own_folder() -> str:
    return os.path.join(_temporary_folder(), f"telecine-of-{os.geteuid() if hasattr(os, 'geteuid') else 'me'}")


def _temporary_folder() -> str:
    from tempfile import gettempdir  # start-up: few files go elsewhere

    return gettempdir()
