"""File objects that files are written to: memory and open files once they are finished, pipes while they grow."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Protocol

from ..errors import OptionError, PublishError
from ..formats.choose import output_of
from ..formats.containers import PlaylistFormat
from ..formats.images import SequenceFormat
from .staging import temporary_path

FRAGMENT = 0.5  # seconds of what is handed out in one piece, if nobody says
_PIECE = 1 << 20


class BinaryWriter(Protocol):
    """A file object that takes bytes: `io.BytesIO()`, `open(name, "wb")`, a pipe."""

    def write(self, data: bytes, /) -> object:
        """Take bytes, and give how many, or None for all of them."""


class FileObject:
    """A file object that is given a file, from where it stands on: while it grows if it can't be gone back in."""

    is_staged, takes_finished = True, True
    fragment = FRAGMENT

    def __init__(self, file: BinaryWriter, format: str | None) -> None:
        """Take one.

        Raises:
            OptionError: it is closed, not open for writing, or takes text.
        """
        self._file = file
        name = getattr(file, "name", None)
        self.name = name if isinstance(name, str) and name else f"<{type(file).__name__}>"
        if getattr(file, "closed", False) is True:
            raise OptionError(f"path={self.name!r} is a closed file: give an open one")
        if isinstance(file, io.TextIOBase) or isinstance(getattr(file, "encoding", None), str):
            raise OptionError(f"path={self.name!r} takes text: open it for bytes, as with 'wb', or give its .buffer")
        if not getattr(file, "writable", lambda: True)():
            raise OptionError(f"path={self.name!r} is not open for writing: open it with 'wb'")
        row = output_of(self.name, format)
        if isinstance(row, (SequenceFormat, PlaylistFormat)):
            raise OptionError(f"format={format!r} is a folder of files, and {self.name!r} takes one file: give a path")
        self.path, self.where = temporary_path(row), Path(self.name)
        self.title = f"video{os.path.splitext(self.path)[1]}"
        seekable = getattr(file, "seekable", None)
        self.outlet = None if callable(seekable) and seekable() else self
        self.size = 0

    def prepare(self) -> None:
        """Do nothing: what can be told of a file object was looked at."""

    def deliver(self, finished: BinaryIO) -> None:
        """Write all of a finished file, unless it was written while it grew. Raises as `write`."""
        if self.size:
            return
        finished.seek(0)
        while piece := finished.read(_PIECE):
            self.write(piece)

    def write(self, data: bytes) -> None:
        """Write bytes, and have them handed on.

        Raises:
            PublishError: the file object fails, or takes no more.
        """
        self.size += len(data)
        try:
            self._write(data)
            if callable(flush := getattr(self._file, "flush", None)):
                flush()
        except Exception as error:  # of whatever somebody's file object raises
            number = error.errno if isinstance(error, OSError) else None
            said = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise PublishError.of(number or errno.EIO, f"{self.name!r} can't be written: {said}", self.name) from error

    def deliver_folder(self, folder: str, names: Iterable[str]) -> None:
        """Refuse: it takes one file."""
        raise NotImplementedError

    def drop(self) -> None:
        """Do nothing: what was written is read by now."""

    def _write(self, data: bytes) -> None:
        while data:
            count = self._file.write(data)
            if count is None and not isinstance(self._file, io.RawIOBase):
                return
            if not isinstance(count, int) or not 0 < count <= len(data):
                raise OSError(errno.EAGAIN, f"it takes no more now: write() gave {count!r} for {len(data)} bytes")
            data = data[count:]
