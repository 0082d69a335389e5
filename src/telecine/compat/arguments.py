"""What arguments of several of the originals mean here."""

from __future__ import annotations

from typing import cast

from ..errors import OptionError
from ..files.files import is_place
from ..formats.choices import CodecName
from ..formats.codecs import CODECS
from ..output.options import ExportOptions


def encoder_called(name: str) -> ExportOptions:
    """Give the options for a codec or an encoder, of which FFmpeg takes either by its name.

    >>> encoder_called("h264"), encoder_called("libx265")
    ({'codec': 'h264'}, {'encoder': 'libx265'})
    """
    return {"codec": cast(CodecName, name)} if name in CODECS else {"encoder": name}


def check_path(name: str, path: object) -> None:
    """Raise OptionError where a file's path is none: without one, `export_video` would choose one that nobody learns.

    >>> check_path("filename", None)
    Traceback (most recent call last):
    telecine.errors.OptionError: filename is of type NoneType: give a path
    see https://telecine.readthedocs.io/en/stable/compat.html
    """
    if not (is_place(path) or callable(getattr(path, "write", None))):
        raise OptionError(f"{name} is of type {type(path).__name__}: give a path")
