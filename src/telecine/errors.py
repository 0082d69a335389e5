"""Every error that telecine raises on purpose.

    TelecineError
    ├── FrameError(ValueError)               the frames: shape, dtype, range, size, NaN
    ├── OptionError(ValueError)              an argument, or two that don't go together
    ├── InputError(OSError)                  a file that is read, with `errno` where the system gave one
    ├── EncodeError(RuntimeError)            the encoder, with FFmpeg's own log line
    ├── PublishError(OSError)                the destination, with `errno`
    ├── ProvenanceError(RuntimeError)        the signature of a finished file
    └── MissingDependencyError(ImportError)  a package that an extra installs

The text of each may hold names and words of files and libraries: it is shown as `words.one_line` gives it. A note tells
of the page that explains it: what the `raise` says, or else what `_PAGES` has of its module, or of its class.
`TelecineWarning` is the category of what is said once and changes nothing: alpha composited, a file that some
players will refuse.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Any, ClassVar, Self

from .support.words import one_line

DOCUMENTATION = "https://telecine.readthedocs.io/en/stable/"

# The page of what the system says, whatever module meets it.
_PAGES_OF_ERRNO = {
    errno.ENAMETOOLONG: "troubleshooting#the-file-name-is-too-long",
    errno.ENOSPC: "troubleshooting#the-disk-is-full",
}

# The page, and the section in it, that explains what a module raises, or all of a room.
_PAGES = {
    "adding_sound": "audio#another-sound-for-a-finished-video",
    "batch": "scale",
    "batch.sink": "training-sets",
    "cli.batch": "scale",
    "color.color": "color",
    "color.hdr": "hdr",
    "compat": "compat",
    "deliver": "anywhere",
    "deliver.ranks": "ranks",
    "encode.added_sound": "audio#another-sound-for-a-finished-video",
    "encode.joined": "joining#what-goes-together",
    "encode.trial": "encoders",
    "engines": "scale",
    "engines.on_ray": "ray",
    "formats.choose": "choosing",
    "formats.encoders": "encoders",
    "frames.before_encode": "size-and-time#watermark",
    "frames.pacing": "size-and-time#rate",
    "frames.scale": "size-and-time#size",
    "generating": "tap",
    "integrations.accelerate": "training",
    "integrations.comfyui": "comfyui",
    "integrations.comfyui_values": "comfyui",
    "integrations.gradio": "gradio",
    "integrations.gymnasium": "gymnasium",
    "integrations.imageio": "imageio",
    "integrations.lightning": "training#lightning",
    "integrations.loggers": "loggers",
    "integrations.matplotlib": "matplotlib",
    "joining": "joining#what-goes-together",
    "live": "anywhere#while-it-grows",
    "look.clips": "gallery",
    "look.compare": "compare",
    "look.gallery": "gallery",
    "look.notebook": "notebooks",
    "look.serve": "gallery#served",
    "metadata": "metadata",
    "models.decoders": "tap#what-streams",
    "models.generation": "metadata#from-a-pipeline",
    "models.tap": "tap#what-streams",
    "pictures": "pictures",
    "pictures.last_frame": "pictures#the-last-frame-exactly",
    "planes.device": "accelerator",
    "planes.dither": "dither",
    "planes.light": "hdr",
    "provenance": "provenance",
    "publish.journal": "recovery",
    "rates.size": "limits",
    "rates.target": "limits#a-number-to-reach",
    "read.clips": "joining#what-goes-together",
    "recovery": "recovery",
    "sets": "training-sets",
    "sound": "audio",
    "stages": "ray",
    "stores": "anywhere#stores",
    "streaming": "anywhere#while-it-grows",
    "stripping": "metadata#removing-it",
}


class TelecineError(Exception):
    """The base of every error that telecine raises on purpose.

    `documentation` is the address of the page that explains it, which a traceback shows as a note.
    """

    _page: ClassVar[str] = "troubleshooting"

    def __init__(self, *arguments: object, page: str | None = None) -> None:
        """Take the message, and the page and section that explain it, such as "hdr" or "audio#in-step"."""
        super().__init__(*arguments)
        name, _, section = (page or _page_of_raiser() or self._page).partition("#")
        self.documentation = f"{DOCUMENTATION}{name}.html{section and '#'}{section}"
        self.add_note(f"see {self.documentation}")

    def __str__(self) -> str:
        # The message alone: of PublishError, OSError would make "[Errno 28] …" of errno and filename.
        return one_line(str(self.args[0])) if self.args else ""


class FrameError(TelecineError, ValueError):
    """The frames can't be what they were given as: the message names the frame, its shape or its values."""

    _page = "frames"


class OptionError(TelecineError, ValueError):
    """An argument has a value that is not accepted, or two arguments don't go together."""

    _page = "options"


class EncodeError(TelecineError, RuntimeError):
    """The encoder failed. The message carries FFmpeg's own words."""


class FileError(TelecineError, OSError):
    """What is raised about a file. `errno` and `filename` are set as on any OSError, where they are known."""

    @classmethod
    def of(cls, number: int | None, what: str, path: str | os.PathLike[str], page: str | None = None) -> Self:
        """Make one that prints `what` alone, with `errno` and `filename` for code to read."""
        error = cls(what, page=page or _PAGES_OF_ERRNO.get(number or 0))
        error.errno = number
        error.filename = os.fspath(path)
        return error

    def __reduce__(self) -> tuple[Any, ...]:
        # OSError's own leaves out what is not among its arguments.
        return type(self), self.args, {**self.__dict__, "errno": self.errno, "filename": self.filename}


class InputError(FileError):
    """A file that is read can't be: it is missing, of no kind that is accepted, or damaged."""

    _page = "troubleshooting#a-file-can-t-be-read"


class PublishError(FileError):
    """The destination can't be written. `errno` and `filename` are set as on any OSError."""

    _page = "troubleshooting#the-path-can-t-be-written"


class ProvenanceError(TelecineError, RuntimeError):
    """A finished file can't be signed, or its signature does not hold. Nothing of a key is in the message."""

    _page = "provenance"


class MissingDependencyError(TelecineError, ImportError):
    """A package is missing: the message names the extra that installs it."""

    _page = "troubleshooting#a-package-is-missing"


class TelecineWarning(UserWarning):
    """Said once about one export; the export goes on."""


def _page_of_raiser() -> str | None:
    """Give the page of the module that makes an error; None where that has none of its own."""
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    package, _, module = str(frame.f_globals.get("__name__")).partition(".")
    if package != __package__:
        return None
    return _PAGES.get(module) or _PAGES.get(module.partition(".")[0])
