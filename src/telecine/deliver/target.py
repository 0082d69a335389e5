"""Where a finished file goes: to a path, or to a file object, for which it is made and checked in a temporary file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol, TypeAlias

from ..errors import OptionError
from ..files.urls import local_path
from ..formats.choose import output_of
from ..formats.images import SequenceFormat
from ..publish.publication import Publication
from .file_objects import BinaryWriter, FileObject

Output: TypeAlias = str | os.PathLike[str] | BinaryWriter

_OWNERS = 0o600


class Delivery(Protocol):
    """What takes a finished file. Errors call it by its `name`."""

    name: str

    def deliver(self, finished: BinaryIO) -> None:
        """Hand all of it over. Raises PublishError."""


class Target(NamedTuple):
    """The local path at which a file is made, whether it may replace what is there, and what takes it from there."""

    path: str
    overwrite: bool
    delivery: Delivery | None = None

    @property
    def name(self) -> str:
        """What errors call it."""
        return self.delivery.name if self.delivery else self.path

    def publication(self) -> Publication:
        """Open the publication of a file. Raises as that does."""
        return Delivered(self.path, self.delivery) if self.delivery else Publication(self.path, self.overwrite)


class Delivered(Publication):
    """A file that is made at a temporary path, and then handed over in place of being put there."""

    def __init__(self, path: str, delivery: Delivery) -> None:
        super().__init__(path, overwrite=False, at_most=_OWNERS)
        self._delivery = delivery
        self.title = f"video{os.path.splitext(path)[1]}"

    def commit(self) -> None:
        """Hand the finished file over, and remove it and the journal.

        Raises:
            PublishError: it was not taken. The journal is as it was.
        """
        self._delivery.deliver(self.finished)
        self.discard()


def target_of(output: Output | None, format: str | None, overwrite: bool) -> Target:
    """Tell what a caller gives as the place to write to; nothing is opened.

    Raises:
        OptionError: it is none, a URL, or a file object that takes no bytes.
    """
    if output is None:
        return Target(_temporary_path(format), overwrite)
    if isinstance(output, (str, bytes, os.PathLike)):
        return Target(local_path(output), overwrite)
    if not isinstance(output, BinaryWriter):
        raise OptionError(f"path={output!r} is no path, and no file object that takes bytes")
    delivery = FileObject(output)
    if isinstance(output_of(delivery.name, format), SequenceFormat):
        raise OptionError(f"format={format!r} is a folder of images, and {delivery.name!r} takes one file: give a path")
    return Target(_temporary_path(format), False, delivery)


def _temporary_path(format: str | None) -> str:
    from tempfile import gettempdir  # start-up: few leave the path out

    row = output_of("clip.mp4", format)
    extension = "" if isinstance(row, SequenceFormat) else row.extensions[0]
    return os.fspath(Path(gettempdir()) / f"telecine-{os.urandom(4).hex()}{extension}")
