"""Files that are read: opened if they are regular ones, and the one error that says why a file can't be."""

from __future__ import annotations

import errno
import inspect
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, TypeGuard, cast

from av import FFmpegError

from ..errors import InputError, OptionError, TelecineError
from ..support.ffmpeg_log import LogLine, in_words
from .urls import InStore, StorageOptions, is_in_store, local_path, options_of_urls, url_in

if TYPE_CHECKING:
    from ..stores.addresses import StoredPath

Source: TypeAlias = "str | os.PathLike[str] | BinaryIO"
Place: TypeAlias = "Source | InStore"

UNNAMED = "the open file"

# Without waiting for who writes to a pipe, and without a terminal that becomes the process's own.
_FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_CLOEXEC", "O_BINARY", "O_NONBLOCK", "O_NOCTTY"))
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def source_of(given: Place, storage_options: StorageOptions | None = None) -> Source:
    """Give a file that a caller names, as it can be opened: a URL with what its store is opened with, an open file.

    Or a path, or a name in a store of obstore's.

    An open file that can't seek, such as a pipe, is copied to a temporary file.

    Raises:
        InputError: an open file is closed, is not read as bytes, or fails.
        OptionError: it is none, or there are storage options and no URL, or no library for its scheme.
        MissingDependencyError: the library of a URL is not installed.
    """
    options_of_urls(storage_options, given)
    if is_open_file(given):
        return _seekable(given)
    if (stored := stored_path(given, storage_options)) is not None:
        return stored
    if not isinstance(given, (str, bytes, os.PathLike)):
        raise OptionError(f"{given!r} is no path, no URL and no open file")
    return given


def is_place(given: object) -> TypeGuard[Place]:
    """Tell whether something names a file, or is an open one."""
    return isinstance(given, (str, bytes, os.PathLike)) or is_open_file(given) or is_in_store(given)


def is_open_file(given: object) -> TypeGuard[BinaryIO]:
    """Tell whether something is a file object: it has `read` and `seek`, as also those have that then can't."""
    return callable(getattr(given, "read", None)) and callable(getattr(given, "seek", None))


def _seekable(file: BinaryIO) -> BinaryIO:
    name = name_of(file)
    if getattr(file, "closed", False) is True:
        raise InputError(f"{name!r} is a closed file: give an open one")
    if isinstance(file, io.TextIOBase) or isinstance(getattr(file, "encoding", None), str):
        raise InputError(f"{name!r} is read as text: open it for bytes, with 'rb', or give its .buffer")
    if inspect.iscoroutinefunction(file.read):  # as those of web frameworks, which have one beneath
        raise InputError(f"{name!r} is read asynchronously: give the file beneath it, such as UploadFile.file")
    if not getattr(file, "readable", lambda: True)():
        raise InputError(f"{name!r} is not open for reading: open it with 'rb'")
    if getattr(file, "seekable", lambda: True)():
        return file
    import shutil  # start-up: few files can't seek
    from tempfile import TemporaryFile

    copy = cast(BinaryIO, TemporaryFile())  # noqa: SIM115 - it goes with whoever reads it
    with said_of(file, "a file"):
        shutil.copyfileobj(file, copy)
    return copy


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


def stored_path(source: object, storage_options: StorageOptions | None = None) -> StoredPath | None:
    """Give what is in a store: what a URL, a store's name, or the video that went there leads to. None of a path.

    A video is opened by what it went there with, unless there are storage options.

    Raises:
        OptionError: the scheme of a URL is not known.
        MissingDependencyError: its library is not installed.
    """
    if is_in_store(source):
        from ..stores.object_stores import path_in  # start-up: few files are in a store

        return path_in(*source)
    for each in (source, getattr(source, "path", None)):
        if storage_options is None and isinstance(each, Path) and hasattr(each, "address"):
            return cast("StoredPath", each)  # which is not imported to be known
    url = url_in(source)
    if url is None:
        return None
    from ..stores.addresses import StoredPath, address_of  # start-up: few files are in a store

    return StoredPath(address_of(url, storage_options))


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
        return str(os.fsdecode(source))  # plain text of what is more, such as a `Video`
    name = getattr(source, "name", None)
    return os.fsdecode(name) if isinstance(name, (str, bytes)) else UNNAMED


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
