"""What an export gives back: the file's path and its facts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Self

from ..errors import InputError, TelecineError
from ..read.probe import VideoInfo
from ..support.words import shown


@dataclass(frozen=True)
class Video(str):
    """A finished video file: the text of its path, with the file's facts. A notebook shows it as a player.

    It goes where a path goes, as text or as `os.PathLike`; a URL's is the URL. It equals its text, and another `Video`
    where all their facts are the same.

    `width` and `height` are those in the file, pixels of padding included; `padding` is the number of columns repeated
    at the right and of rows at the bottom; `duration` is in seconds, exact; `fps` is an average where the frames were
    given timestamps; `notes` says what may surprise.
    """

    path: Path
    width: int
    height: int
    fps: Fraction
    frame_count: int
    duration: Fraction
    codec: str
    size_bytes: int
    padding: tuple[int, int] = (0, 0)
    notes: tuple[str, ...] = ()

    def __new__(cls, path: Path, *_: object, **__: object) -> Self:  # noqa: D102
        return super().__new__(cls, os.fspath(path))

    # A dataclass makes `__eq__` alone, of which `object` makes the other; `str` would compare the text.
    __ne__ = object.__ne__
    __hash__ = str.__hash__  # that of the text, which it equals

    @classmethod
    def of(cls, path: Path, info: VideoInfo, padding: tuple[int, int] = (0, 0), notes: tuple[str, ...] = ()) -> Video:
        """Make one of what `probe` found in a finished file."""
        return cls(
            path=path,
            width=info.width,
            height=info.height,
            fps=info.fps,
            frame_count=info.frame_count,
            duration=info.duration,
            codec=info.codec,
            size_bytes=info.size_bytes,
            padding=padding,
            notes=notes,
        )

    def open(self) -> BinaryIO:
        """Open the file for reading. Raises InputError where it went to a file object that is at no path."""
        try:
            return self.path.open("rb")
        except InputError:
            raise
        except OSError as error:
            raise InputError.of(error.errno, f"{str(self)!r} can't be read: {error.strerror}", str(self)) from error

    def read_bytes(self) -> bytes:
        """Give the bytes of the file. Raises as `open` does."""
        with self.open() as file:
            return file.read()

    def __fspath__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        import html  # start-up: few are in a notebook

        from .. import show

        try:
            return show(self)._repr_html_()
        except TelecineError as error:  # of which a notebook would show where it came from
            return html.escape(shown(str(error)))
