"""Stores that callers have opened with obstore: the part of an fsspec filesystem that is needed here."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from glob import has_magic
from pathlib import PurePosixPath
from typing import Any

from .addresses import OBSTORE, Address, StoredPath

_SCHEMES = {"S3Store": "s3", "GCSStore": "gs", "AzureStore": "az", "LocalStore": "file", "MemoryStore": "memory"}
_PART, _PARTS_AT_ONCE = 8 << 20, 4  # as through fsspec
_SECRET = ("key", "secret", "token", "password", "sas")


def path_in(store: Any, name: str) -> StoredPath:
    """Give the path of a name in a store."""
    key, root = name.strip("/"), _root_of(store)
    config: dict[str, Any] = getattr(store, "config", {})
    secrets = {str(value) for option, value in config.items() if any(each in option.lower() for each in _SECRET)}
    in_order = tuple(sorted(secrets, key=len, reverse=True))
    return StoredPath(Address(f"{root}{key}", ObjectFiles(store), key, OBSTORE, in_order, root))


def _root_of(store: Any) -> str:
    """Give the URL under which all names of a store are."""
    if (url := getattr(store, "url", None)) is not None:
        return f"{str(url).rstrip('/')}/"
    config, scheme = getattr(store, "config", {}), _SCHEMES.get(type(store).__name__, OBSTORE)
    bucket = config.get("bucket") or config.get("container_name") or ""
    parts = [str(part).strip("/") for part in (bucket, getattr(store, "prefix", None) or "")]
    inner = "".join(f"{part}/" for part in parts if part)
    return f"{scheme}:///{inner}" if scheme == "file" else f"{scheme}://{inner}"


class ObjectFiles:
    """The files of a store. What it raises is obstore's, but for what exists already."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def exists(self, key: str) -> bool:
        """Tell whether a file is there, or files under that name."""
        try:
            self._store.head(key)
        except FileNotFoundError:
            return self.isdir(key)
        return True

    def check(self, key: str) -> None:
        """Ask for a file and for what is beside it: who may not, or names a bucket that is not there, is told."""
        with contextlib.suppress(FileNotFoundError):
            self._store.head(key)
        self._store.list_with_delimiter(os.path.dirname(key))

    def isdir(self, key: str) -> bool:
        """Tell whether files are under a name."""
        return any(True for _ in self._listed(key))

    def ls(self, key: str, detail: bool = True) -> list[dict[str, str]]:
        """Give the files right under a name."""
        return [{"name": each["path"], "type": "file"} for each in self._store.list_with_delimiter(key)["objects"]]

    def find(self, key: str) -> list[str]:
        """Give the names of all files under a name."""
        return list(self._listed(key))

    def glob(self, pattern: str) -> list[str]:
        """Give the names that fit a pattern, of which no part but `**` stands for several folders."""
        parts = PurePosixPath(pattern).parts
        start = next(at for at, part in enumerate(parts) if has_magic(part))
        return [name for name in self._listed("/".join(parts[:start])) if _fits(PurePosixPath(name).parts, parts)]

    def _listed(self, key: str) -> Iterator[str]:
        for some in self._store.list(key):
            yield from (each["path"] for each in some)

    def open(self, key: str, mode: str = "rb", block_size: int = 1 << 18, **_: Any) -> Any:
        """Open a file for reading, a block at a time."""
        from obstore import open_reader

        return open_reader(self._store, key, buffer_size=block_size)

    def cat_file(self, key: str) -> bytes:
        """Give all of a file."""
        return bytes(self._store.get(key).bytes())

    def put_file(
        self,
        path: str,
        key: str,
        callback: Callable[[int], None],
        content_type: str | None = None,
        mode: str = "overwrite",
    ) -> None:
        """Upload a file, which is there in one step. Raises FileExistsError where it is to be new, and is not."""
        with _Counted(path, callback) as file:
            self._put(file, key, content_type, mode)

    def pipe_file(self, key: str, data: bytes, content_type: str | None = None) -> None:
        """Upload bytes."""
        self._put(data, key, content_type, "overwrite")

    def rm_file(self, key: str) -> None:
        """Remove a file."""
        self._store.delete(key)

    def _put(self, file: _Counted | bytes, key: str, content_type: str | None, mode: str) -> None:
        from obstore.exceptions import AlreadyExistsError

        how: dict[str, Any] = {"chunk_size": _PART, "max_concurrency": _PARTS_AT_ONCE}
        attributes = {"Content-Type": content_type} if content_type else None
        try:
            try:
                self._store.put(key, file, mode=mode, attributes=attributes, **how)
            except NotImplementedError:  # a folder keeps no such thing
                if isinstance(file, _Counted):
                    file.seek(0)
                self._store.put(key, file, mode=mode, **how)
        except AlreadyExistsError as error:
            raise FileExistsError(str(error)) from error


class _Counted(io.FileIO):
    """A file that tells how much of it was read, which obstore then sends."""

    def __init__(self, path: str, told: Callable[[int], None]) -> None:
        super().__init__(path)
        self._told = told

    def read(self, size: int | None = -1) -> bytes:
        data: bytes = super().read(-1 if size is None else size)
        self._told(self.tell())
        return data


def _fits(parts: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    """Tell whether the parts of a name fit those of a pattern.

    >>> _fits(("a", "b", "1.png"), ("a", "**", "*.png")), _fits(("a", "b", "1.png"), ("a", "*.png"))
    (True, False)
    """
    if not parts or not pattern:
        return not parts and all(each == "**" for each in pattern)
    if pattern[0] == "**":
        return _fits(parts, pattern[1:]) or _fits(parts[1:], pattern)
    return fnmatchcase(parts[0], pattern[0]) and _fits(parts[1:], pattern[1:])
