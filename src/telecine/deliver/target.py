"""Where a finished file goes: to a path, or to a file object or a store, for which it is made in a temporary file."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol, TypeAlias, TypeGuard, cast

from ..errors import OptionError
from ..files.files import stored_path
from ..files.urls import InStore, StorageOptions, local_path, options_of_urls
from ..formats.choose import output_of
from ..formats.containers import PlaylistFormat
from ..publish.access import NEW_FILE
from ..publish.destination import Destination
from ..publish.folder import FolderPublication
from ..publish.frame_files import frames_in
from ..publish.journal import Kept, remove_orphans
from ..publish.publication import Publication
from .file_objects import BinaryWriter, FileObject
from .staging import make_folder_of, staged_path, temporary_path

if TYPE_CHECKING:
    from socket import socket

    from ..stores.addresses import StoredPath

Output: TypeAlias = "str | os.PathLike[str] | BinaryWriter | socket | InStore"

_OWNERS = 0o600


class Outlet(Protocol):
    """What takes a file's bytes while it grows, in order, and can't be gone back in. It has `size` of them.

    Its fragments are so many seconds long if nobody says. `takes_finished` tells whether it takes a finished file too.
    """

    name: str
    size: int
    fragment: float
    takes_finished: bool

    def write(self, data: bytes, /) -> object:
        """Take all of them; waits until there is room. Raises PublishError."""


class Delivery(Protocol):
    """What takes a finished file, or, where it has an `outlet`, one that grows.

    Errors call it by its `name`; the file is made at `path` on this machine, calls itself by `title`, and is read from
    `where` afterwards. Where it `is_staged`, that path is one for temporary files.
    """

    name: str
    path: str
    where: Path
    title: str
    is_staged: bool

    @property
    def outlet(self) -> Outlet | None:
        """What takes the file while it grows."""

    def prepare(self) -> None:
        """Prove that it will take the file, as far as can be. Raises PublishError."""

    def deliver(self, finished: BinaryIO) -> None:
        """Hand all of it over, or nothing if the outlet has it. Raises PublishError."""

    def deliver_folder(self, folder: str, names: Iterable[str]) -> None:
        """Hand files of a folder over, all or none. Raises PublishError."""

    def drop(self) -> None:
        """Take back what was handed over while the file grew, if it can be."""


class Target(NamedTuple):
    """The local path at which a file is made, whether it may replace what is there, and what takes it from there."""

    path: str
    overwrite: bool
    delivery: Delivery | None = None

    @property
    def name(self) -> str:
        """What errors call it."""
        return self.delivery.name if self.delivery else self.path

    @property
    def where(self) -> Path:
        """Where the file is, once it is finished."""
        return self.delivery.where if self.delivery else Path(self.path)

    @property
    def outlet(self) -> Outlet | None:
        """What takes the file while it grows."""
        return self.delivery.outlet if self.delivery else None

    def publication(self) -> Publication:
        """Open the publication of a file. Raises as that does."""
        if self.delivery:
            return Delivered(self.delivery, self.overwrite)
        return Publication(self.path, self.overwrite)

    def folder_publication(self) -> FolderPublication:
        """Open the publication of a folder of images. Raises as that does."""
        return DeliveredFolder(self.delivery) if self.delivery else FolderPublication(self.path, self.overwrite)


class Delivered(Publication):
    """A file that is handed over in place of being put at its path."""

    def __init__(self, delivery: Delivery, overwrite: bool) -> None:
        self._delivery, self._is_delivered = delivery, False
        if delivery.is_staged:
            make_folder_of(delivery.path)
        super().__init__(delivery.path, overwrite or delivery.is_staged, _OWNERS if delivery.is_staged else NEW_FILE)
        self.title = delivery.title
        self.overwrite = True  # what comes to the path from here on is its own, while it grows
        _prepare(delivery, self)

    def commit(self) -> None:
        """Hand the finished file over, and remove it and the journal.

        Raises:
            PublishError: it was not taken. The journal is as it was.
        """
        self._delivery.deliver(self.finished)
        self._is_delivered = True
        with contextlib.suppress(OSError):
            remove_orphans(self._folder, self._name)
        self.discard()

    def discard(self) -> None:
        """Remove the journal, and what was handed over but for all of it."""
        if not self._is_delivered:
            with contextlib.suppress(OSError):
                self._delivery.drop()
        super().discard()

    def kept_meanwhile(self) -> Kept:
        """Tell what is kept while another thread hands the file over, which may take long."""
        return self.journal.look()


class DeliveredFolder(FolderPublication):
    """A folder that is made at a temporary path, and then handed over in place of being put there."""

    def __init__(self, delivery: Delivery) -> None:
        make_folder_of(delivery.path)
        super().__init__(delivery.path)
        self._delivery = delivery
        _prepare(delivery, self)

    def commit(self) -> None:
        """Hand the images over, and remove them.

        Raises:
            PublishError: they were not taken, and are where they were.
        """
        self._delivery.deliver_folder(self.folder.path, list(frames_in(self.folder).values()))
        self._remove_left()
        self.discard()

    def kept_meanwhile(self) -> Kept:
        """Tell what is kept while another thread hands the images over, which may take long."""
        return self._kept()


def _prepare(delivery: Delivery, publication: Destination) -> None:
    try:
        delivery.prepare()
    except BaseException:
        publication.discard()
        raise


def target_of(
    output: Output | None,
    format: str | None,
    overwrite: bool,
    options: StorageOptions | None,
    fragment: float | None = None,
    uploaded: Callable[[int, int], object] | None = None,
) -> Target:
    """Tell what a caller gives as the place to write to; nothing is opened.

    A playlist gets fragments of so many seconds. `uploaded` is told how many bytes a store has of how many.

    Raises:
        OptionError: it is none, a URL that can't be written, or a file object that takes no bytes.
        MissingDependencyError: the library of a URL is not installed.
    """
    delivery: Delivery
    options_of_urls(options, output)
    if (stored := stored_path(output, options)) is not None:
        if isinstance(row := output_of(str(stored), format), PlaylistFormat):
            delivery = _stored_playlist(stored, row, overwrite, fragment)
        else:
            from .stores import Store  # start-up: few files go to a store

            delivery = Store(stored, format, overwrite, uploaded)
        return Target(delivery.path, overwrite, delivery)
    if output is None:
        return Target(temporary_path(output_of("clip.mp4", format)), overwrite)
    if isinstance(output, (str, bytes, os.PathLike)):
        return _local_target(local_path(output), format, overwrite, fragment)
    writer = cast(BinaryWriter, output.makefile("wb", buffering=0) if _is_socket(output) else output)
    # A protocol does not see `write` where it is handed on, as tempfile's.
    if isinstance(writer, tuple) or not callable(getattr(writer, "write", None)):
        raise OptionError(f"path={output!r} is no path, and no file object that takes bytes")
    delivery = FileObject(writer, format)
    return Target(delivery.path, overwrite, delivery)


def _is_socket(output: object) -> TypeGuard[socket]:
    """Tell whether this is a socket, without importing what nobody has one of."""
    module = sys.modules.get("socket")
    return module is not None and isinstance(output, module.socket)


def _local_target(path: str, format: str | None, overwrite: bool, fragment: float | None) -> Target:
    if not isinstance(row := output_of(path, format), PlaylistFormat):
        return Target(path, overwrite)
    from .playlist import LocalFolder, Playlist  # start-up: few videos are played from a playlist

    if not path.endswith(row.extensions):
        path = os.path.join(path, f"index{row.extensions[0]}")
    folder = os.path.dirname(os.path.realpath(path))
    return Target(path, overwrite, Playlist(Path(path), LocalFolder(folder), fragment))


def _stored_playlist(stored: StoredPath, row: PlaylistFormat, overwrite: bool, fragment: float | None) -> Delivery:
    from .playlist import Playlist  # start-up: as above
    from .stores import StoredFolder, check_writable

    check_writable(stored)
    if not str(stored).endswith(row.extensions):
        stored = stored.renamed("/", f"/index{row.extensions[0]}")
    return Playlist(stored, StoredFolder(stored, overwrite), fragment, staged_path(str(stored), row))
