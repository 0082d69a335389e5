"""Tells a path from a URL: what has `scheme://` is a URL, and anything else a local name as it stands."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias, TypeGuard

from ..errors import OptionError, TelecineError


class ObjectStore(Protocol):
    """A store of obstore's, of which a file is given as (store, name)."""

    @property
    def put(self) -> Any:
        """What writes to it."""


StorageOptions: TypeAlias = Mapping[str, object]
InStore: TypeAlias = tuple[ObjectStore, str]

# RFC 3986 3.1, and fsspec's chains of them, as in "simplecache::s3://".
_SCHEME = re.compile(r"((?:[A-Za-z][A-Za-z0-9+.-]*::)*[A-Za-z][A-Za-z0-9+.-]*)://")
_CUT_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")  # two characters or more: one is a drive of Windows
_WAY_OUT = {
    "read": "only local files are read: download it, and give its path",
    "written": "only local files are written here: give a local path, or to export_video the URL as text",
}


def url_in(path: object) -> str | None:
    """Give the URL that is meant, of something else than a file; None of a path, or of what is none.

    >>> url_in("s3://bucket/clip.mp4"), url_in("file:///clips/a.mp4"), url_in("a:b.mp4")
    ('s3://bucket/clip.mp4', None, None)
    """
    if not isinstance(path, (str, bytes, os.PathLike)):
        return None
    name = str(os.fsdecode(path))  # plain text of what is more, such as a `Video`
    found = _SCHEME.match(name)
    return name if found is not None and found[1].lower() != "file" else None


def options_of_urls(options: StorageOptions | None, *places: object) -> list[StorageOptions | None]:
    """Give for each place what its store is opened with: the options for URLs of the first one's scheme, else None.

    Of a list the first item tells.

    >>> options_of_urls({"key": "me"}, "clip.mp4", "s3://bucket/in.mp4", "https://host/sound.wav")
    [None, {'key': 'me'}, None]

    Raises:
        OptionError: there are options, and no URL.
    """
    schemes = [scheme_of(each) for each in places]
    first = next(filter(None, schemes), None)
    if options is not None and first is None:
        raise OptionError("storage_options= goes with a URL, such as s3://bucket/clip.mp4: leave it out")
    return [options if scheme and scheme == first else None for scheme in schemes]


def scheme_of(place: object) -> str | None:
    """Give the scheme of a URL, or of the first of a list of them; None of anything else."""
    url = url_in(place[0] if isinstance(place, (list, tuple)) and place else place)
    return None if url is None else url.partition("://")[0].lower()


def is_in_store(place: object) -> TypeGuard[InStore]:
    """Tell whether a place is a name in a store of obstore's, which is not imported for it."""
    module: Any = sys.modules.get("obstore.store")
    if module is None or not isinstance(place, tuple) or len(place) != 2:
        return False
    return isinstance(place[0], module.ObjectStore) and isinstance(place[1], str)


def local_path(
    path: str | bytes | os.PathLike[str] | os.PathLike[bytes],
    to_be: str = "written",
    error: type[TelecineError] = OptionError,
) -> str:
    """Give the local path that is meant: of `file:///clips/a.mp4` it is "/clips/a.mp4".

    >>> local_path("a:b.mp4"), local_path("file:///clips/a%20b.mp4")
    ('a:b.mp4', '/clips/a b.mp4')

    Args:
        path: As the user gave it.
        to_be: "read" or "written".
        error: What is raised of a URL.

    Raises:
        TelecineError: it is a URL of another scheme than `file`, or of another machine.
    """
    name = str(os.fsdecode(path))
    cut = _CUT_SCHEME.match(name) if isinstance(path, os.PathLike) else None
    if cut is not None and not os.path.lexists(f"{cut[1]}:"):
        raise error(f"{name!r} is what pathlib makes of a URL: {_WAY_OUT[to_be]}")
    found = _SCHEME.match(name)
    if found is None:
        return name
    machine, _, _ = name[found.end() :].partition("/")
    if found[1].lower() != "file" or machine not in ("", "localhost"):
        raise error(f"{name!r} is a URL: {_WAY_OUT[to_be]}")
    from urllib.parse import unquote_to_bytes  # start-up: few paths are file URLs

    return os.fsdecode(unquote_to_bytes(os.fsencode(name[found.end() + len(machine) :])))
