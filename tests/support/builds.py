"""PyAV as its wheel has it, but for encoders that its FFmpeg is made to lack: what a build without the GPL is like."""

from __future__ import annotations

import os
import re
from importlib.metadata import files
from pathlib import Path

import pytest

HIDDEN = b"!"  # in place of the first letter of a name, in the names that FFmpeg finds encoders by


def pyav_without(folder: Path, *encoders: str) -> Path:
    """Make a folder for `sys.path` with PyAV in it, all of whose files but one are links to the wheel's."""
    wheel = files("av") or []
    codecs = [each for each in wheel if re.fullmatch(r"av\.libs/libavcodec-.*\.so.*", str(each))]
    if len(codecs) != 1:
        pytest.skip("this PyAV has no libavcodec beside it, as the wheels for Linux have")
    for each in wheel:
        if each.parts[0] in ("av", "av.libs") and each != codecs[0]:
            link = folder / each
            link.parent.mkdir(parents=True, exist_ok=True)
            os.symlink(os.path.realpath(each.locate()), link)
    library = Path(os.fspath(codecs[0].locate())).read_bytes()
    for name in encoders:
        word = b"\0" + name.encode() + b"\0"
        assert word in library, name
        library = library.replace(word, b"\0" + HIDDEN + name.encode()[1:] + b"\0")
    (folder / codecs[0]).write_bytes(library)
    return folder
