"""Files that are read: opened if they are regular ones, and the one error that says why a file can't be."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from av import FFmpegError

from ..errors import InputError, TelecineError
from ..support.ffmpeg_log import LogLine, in_words
from .urls import local_path, url_in

if TYPE_CHECKING:
    from .addresses import StoredPath

Source: TypeAlias = "str | os.PathLike[str] | BinaryIO"

# Without waiting for who writes to a pipe, and without a terminal that becomes the process's own.
_FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_CLOEXEC", "O_BINARY", "O_NONBLOCK", "O_NOCTTY"))
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@contextmanager
def opened_file(source: Source) -> Iterator[BinaryIO]:
    """Open a file to read, or take one that is open, from its beginning. A name is only ever a path.

    Raises:
        InputError: it is a URL, can't be opened, or is no regular file.
    """
    if not isinstance(source, (str, bytes, os.PathLike)):
        source.seek(0)
        yield source
        return
    if (stored := stored_path(source)) is not None:
        with stored.open("rb") as file:
            yield file
        return
    name = local_path(source, "read", InputError)
    try:
        file = open(name, "rb", opener=lambda path, _: os.open(path, _FLAGS))  # noqa: SIM115 - closed below
    except IsADirectoryError as error:
        raise _not_a_file(name, stat.S_IFDIR) from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        said = f"{name!r} can't be read: {_said_by_system(error) or error}"
        raise InputError.of(_errno_of(error), said, name) from error
    with file:
        kind = stat.S_IFMT(os.fstat(file.fileno()).st_mode)
        if kind != stat.S_IFREG:
            raise _not_a_file(name, kind)
        yield file


def stored_path(source: object) -> StoredPath | None:
    """Give what is in a store: what a URL, or the video that went there, leads to. None of a path.

    Raises:
        OptionError: the scheme of a URL is not known.
        MissingDependencyError: its library is not installed.
    """
    url = url_in(source)
    if url is None:
        return None
    from .addresses import StoredPath, address_of  # start-up: few files are in a store

    for each in (source, getattr(source, "path", None)):
        if isinstance(each, StoredPath):
            return each
    return StoredPath(address_of(url))


def path_of(source: Source) -> Path:
    """Give the path of a file; of an open one without a name what an error calls it."""
    path = stored_path(source) or getattr(getattr(source, "raw", None), "path", None)
    return path if isinstance(path, Path) else Path(name_of(source))


def _not_a_file(name: str, kind: int) -> InputError:
    number = errno.EISDIR if kind == stat.S_IFDIR else errno.EINVAL
    return InputError.of(number, f"{name!r} can't be read: it is {_KINDS.get(kind, 'special')}, not a file", name)


def name_of(source: Source) -> str:
    """Give a file's path, or what an open file without one is called in an error."""
    if isinstance(source, (str, bytes, os.PathLike)):
        return os.fsdecode(source)
    name = getattr(source, "name", None)
    return os.fsdecode(name) if isinstance(name, (str, bytes)) else "the open file"


@contextmanager
def said_of(source: Source, kind: str, lines: list[LogLine] | None = None) -> Iterator[None]:
    """Say of whatever is raised in here that a file can't be read as this kind, with FFmpeg's log lines if there are.

    What reads damaged bytes, Pillow, NumPy, FFmpeg, raises anything: `struct.error`, `KeyError`, `MemoryError`, …
    """
    try:
        yield
    except TelecineError:
        raise
    except Exception as error:
        name, why = name_of(source), _said_by_system(error) or in_words(error, lines or [])
        raise InputError.of(_errno_of(error), f"{name!r} can't be read as {kind}: {why}", name) from error


def _errno_of(error: Exception) -> int | None:
    """Give the number of what the system said: FFmpeg's are its own, and a damaged file leads it to seek nowhere."""
    if not isinstance(error, OSError) or isinstance(error, FFmpegError) or error.errno == errno.EINVAL:
        return None
    return error.errno


def _said_by_system(error: Exception) -> str | None:
    return error.strerror if isinstance(error, OSError) and _errno_of(error) is not None else None
