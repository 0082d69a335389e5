"""Files in stores: found by their URLs through fsspec, opened, and named in errors without a credential."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from glob import has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Self, TypeAlias, cast
from urllib.parse import urlsplit

from ..errors import InputError, MissingDependencyError, OptionError, PublishError, TelecineError

S3, OBSTORE = {"s3", "s3a"}, "obstore"  # schemes, though there are no URLs of the latter
_BLOCK = 256 << 10  # bytes that are asked for at a time; up to so many blocks where one is read after the other
_MOST_BLOCKS, _BLOCKS_KEPT = 4, 16
_BUFFER = 32 << 10
_SHORTEST_SECRET = 4  # characters: what is shorter than that stands in many a word
_NUMBERS: Mapping[str, int] = {  # which libraries raise without
    "FileNotFoundError": errno.ENOENT,
    "PermissionError": errno.EACCES,
    "FileExistsError": errno.EEXIST,
    "TimeoutError": errno.ETIMEDOUT,
    "PermissionDeniedError": errno.EACCES,  # these are obstore's
    "UnauthenticatedError": errno.EACCES,
}
_STATUSES = {401: errno.EACCES, 403: errno.EACCES, 404: errno.ENOENT, 410: errno.ENOENT}  # of HTTP
_OBSTORES_OWN = "\n\nDebug source:"  # what is for who looks into it, of many lines


class Address(NamedTuple):
    """A file or folder in a store: how errors call it, fsspec's filesystem, its name there, the URL of its root."""

    name: str
    filesystem: Any
    key: str
    scheme: str
    secrets: tuple[str, ...]
    root: str

    @contextlib.contextmanager
    def naming(self, done: str, kind: type[InputError | PublishError]) -> Iterator[None]:
        """Raise what the store's library raises as an error that holds no credential."""
        try:
            yield
        except TelecineError:
            raise
        except Exception as error:  # of whatever library
            number, said = _told_of(error)
            if said in ("", self.key):
                said = os.strerror(number) if number != errno.EIO else type(error).__name__
            clean = said
            for secret in self.secrets:
                clean = clean.replace(secret, "***")
            told = any(secret in text for text in (said, repr(error)) for secret in self.secrets)
            raise kind.of(number, f"{self.name!r} can't be {done}: {clean}", self.name) from None if told else error


def _told_of(error: Exception) -> tuple[int, str]:
    """Give an error's number, and what it says. Of HTTP all that fails is to fsspec a file that is not there."""
    cause = error.__cause__ if isinstance(error, FileNotFoundError) else None
    if (status := getattr(cause, "status", None)) is not None:  # aiohttp's, whose text has the URL
        number = _STATUSES.get(status, errno.EIO)
        return number, f"the server answers {status} {getattr(cause, 'message', '')}".rstrip()
    if isinstance(cause, TimeoutError) or (isinstance(cause, OSError) and cause.errno):  # of the connection
        error = cause
    number = getattr(error, "errno", None) or _NUMBERS.get(type(error).__name__, errno.EIO)
    return number, getattr(error, "strerror", None) or " ".join(str(error).partition(_OBSTORES_OWN)[0].split())


def address_of(url: str, options: Mapping[str, object] | None = None) -> Address:
    """Find the library of a URL's scheme.

    Raises:
        OptionError: no library is known for the scheme, or the options are not for it.
        MissingDependencyError: it is not installed.
    """
    scheme, _, rest = url.partition("://")
    scheme, name = scheme.lower(), without_credentials(url)
    try:
        from fsspec.core import url_to_fs
        from fsspec.registry import get_filesystem_class
    except ImportError as error:
        raise MissingDependencyError(f"{name!r} is a URL, which needs pip install 'telecine[remote]'") from error
    try:
        get_filesystem_class(scheme)
    except ImportError as error:
        said = str(error).rstrip(".")
        extra = ": pip install 'telecine[remote]'" if scheme in S3 else ""
        raise MissingDependencyError(f"{name!r} needs a library for {scheme}:// URLs: {said}{extra}") from error
    except ValueError as error:
        raise OptionError(f"{name!r} is a URL of a scheme that fsspec does not know: use s3, gs, az, hf …") from error
    secrets = tuple(sorted(set(_secrets(url, options or {})), key=len, reverse=True))
    try:
        filesystem, key = url_to_fs(f"{scheme}://{rest}", **(options or {}))
    except Exception as error:
        kind = type(error).__name__
        refused = "takes no such URL, or no such storage_options"
        raise OptionError(f"the library of {name!r} {refused} ({kind}): see its page") from None
    return Address(name, filesystem, key, scheme, secrets, f"{scheme}://")


def without_credentials(url: str) -> str:
    """Give a URL as it may be shown: without user, password and query.

    >>> without_credentials("s3://me:secret@bucket/clip.mp4?token=1")
    's3://bucket/clip.mp4'
    """
    return re.sub(r"^([^:]+://)[^/@]*@", r"\1", url).partition("?")[0]


def _secrets(url: str, options: Mapping[str, object]) -> Iterator[str]:
    parts = urlsplit(url)
    for each in (parts.username, parts.password, parts.query, *_texts(options)):
        if each and len(each) >= _SHORTEST_SECRET and not each.startswith(("http:", "https:")):
            yield each


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, str):
        yield value


if TYPE_CHECKING:
    _LocalPath: TypeAlias = Path
else:
    _LocalPath = type(Path())  # `Path` itself has no subclasses before 3.12


class StoredPath(_LocalPath):
    """A URL where a path is expected: its text is the URL's, of which `Path` would drop a slash.

    It keeps no credentials when it is pickled: it opens then by what its library finds.
    """

    _address: Address

    def __new__(cls, address: Address) -> Self:  # noqa: D102
        self: Self = super().__new__(cls, address.name)
        self._address = address
        return self

    def __init__(self, address: Address) -> None:
        if sys.version_info >= (3, 12):
            super().__init__(address.name)

    def with_segments(self, *segments: str | os.PathLike[str]) -> Path:  # type: ignore[override,unused-ignore]
        """Give what is made of it, such as its parent, as a usual path."""
        return Path(*segments)

    def __str__(self) -> str:
        address = getattr(self, "_address", None)  # which, before 3.12, what is made of it has not
        return address.name if address else super().__str__()

    def __fspath__(self) -> str:
        return str(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return _stored_path, (str(self),)

    def open(self, mode: str = "rb", *_: Any, **__: Any) -> BinaryIO:  # type: ignore[override]
        """Open what is there, for reading of no more than is asked for.

        Raises:
            InputError: it can't be read.
        """
        return cast(BinaryIO, io.BufferedReader(_Ranges(self), _BUFFER))

    @property
    def address(self) -> Address:
        """Where it is."""
        return self._address

    def renamed(self, ending: str, other: str) -> StoredPath:
        """Give a place in the same store, with another ending in the place of this one, or after what has not."""
        name, key = (each.removesuffix(ending) + other for each in (self._address.name, self._address.key))
        return StoredPath(self._address._replace(name=name, key=key))


def _stored_path(url: str) -> StoredPath:
    return StoredPath(address_of(url))


def files_at(path: StoredPath) -> list[StoredPath]:
    """Give the files under a prefix, or those that a glob leads to.

    Raises:
        InputError: the store can't be read.
    """
    address = path.address
    with address.naming("read", InputError):
        if has_magic(address.key):
            keys = address.filesystem.glob(address.key)
        elif address.filesystem.isdir(address.key):
            keys = [each["name"] for each in address.filesystem.ls(address.key, detail=True) if each["type"] == "file"]
        else:
            return []
    return [StoredPath(address._replace(name=f"{address.root}{key.lstrip('/')}", key=key)) for key in keys]


class _Ranges(io.RawIOBase):
    """A file in a store: what is read of it is asked for, a block at a time, and the last blocks are kept."""

    def __init__(self, path: StoredPath) -> None:
        self.name, self.path = str(path), path
        self._naming = partial(path.address.naming, "read", InputError)
        self._at, self._blocks = 0, dict[int, bytes]()
        self._after, self._count = -1, 1  # which block follows those last asked for, and how many they were
        with self._naming():
            self._file = path.address.filesystem.open(path.address.key, "rb", block_size=_BLOCK, cache_type="none")
            self._size = int(self._file.seek(0, os.SEEK_END))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        number, start = divmod(self._at, _BLOCK)
        if self._at >= self._size:
            return 0
        if number not in self._blocks:
            self._ask_for(number)
        data = self._blocks[number][start : start + len(view)]
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _ask_for(self, number: int) -> None:
        self._count = min(2 * self._count, _MOST_BLOCKS) if number == self._after else 1
        self._after = number + self._count
        data, wanted = bytearray(), min(self._after * _BLOCK, self._size) - number * _BLOCK
        with self._naming():
            self._file.seek(number * _BLOCK)
            while len(data) < wanted and (more := self._file.read(wanted - len(data))):
                data += more
        for index in range(self._count):
            self._blocks[number + index] = bytes(data[index * _BLOCK : (index + 1) * _BLOCK])
        while len(self._blocks) > _BLOCKS_KEPT:
            del self._blocks[next(iter(self._blocks))]

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        if not self.closed and hasattr(self, "_file"):  # it may not have been there
            self._file.close()
        super().close()
