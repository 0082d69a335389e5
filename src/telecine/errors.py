"""Every error that telecine raises on purpose.

    TelecineError
    ├── FrameError(ValueError)               the frames: shape, dtype, range, size, NaN
    ├── OptionError(ValueError)              an argument, or two that don't go together
    ├── InputError(OSError)                  a file that is read, with `errno` where the system gave one
    ├── EncodeError(RuntimeError)            the encoder, with FFmpeg's own log line
    ├── PublishError(OSError)                the destination, with `errno`
    ├── ProvenanceError(RuntimeError)        the signature of a finished file
    └── MissingDependencyError(ImportError)  a package that an extra installs

The text of each may hold names and words of files and libraries: it is shown as `words.one_line` gives it.
`TelecineWarning` is the category of what is said once and changes nothing: alpha composited, a file that some
players will refuse.
"""

from __future__ import annotations

import os
from typing import Self

from .support.words import one_line


class TelecineError(Exception):
    """The base of every error that telecine raises on purpose."""

    def __str__(self) -> str:
        # The message alone: of PublishError, OSError would make "[Errno 28] …" of errno and filename.
        return one_line(str(self.args[0])) if self.args else ""


class FrameError(TelecineError, ValueError):
    """The frames can't be what they were given as: the message names the frame, its shape or its values."""


class OptionError(TelecineError, ValueError):
    """An argument has a value that is not accepted, or two arguments don't go together."""


class EncodeError(TelecineError, RuntimeError):
    """The encoder failed. The message carries FFmpeg's own words."""


class FileError(TelecineError, OSError):
    """What is raised about a file. `errno` and `filename` are set as on any OSError, where they are known."""

    @classmethod
    def of(cls, number: int | None, what: str, path: str | os.PathLike[str]) -> Self:
        """Make one that prints `what` alone, with `errno` and `filename` for code to read."""
        error = cls(what)
        error.errno = number
        error.filename = os.fspath(path)
        return error


class InputError(FileError):
    """A file that is read can't be: it is missing, of no kind that is accepted, or damaged."""


class PublishError(FileError):
    """The destination can't be written. `errno` and `filename` are set as on any OSError."""


class ProvenanceError(TelecineError, RuntimeError):
    """A finished file can't be signed, or its signature does not hold. Nothing of a key is in the message."""


class MissingDependencyError(TelecineError, ImportError):
    """A package is missing: the message names the extra that installs it."""


class TelecineWarning(UserWarning):
    """Said once about one export; the export goes on."""
