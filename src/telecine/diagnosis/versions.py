"""Which software is here: telecine, Python, what telecine stands on, and what its extras install."""

from __future__ import annotations

import platform
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution, requires, version
from pathlib import Path
from typing import Literal

import av
import numpy as np

from .. import _convert
from .findings import Check

# What pipelines and people bring along, by the names of their packages.
_COMPANIONS = ("torch", "diffusers", "transformers", "jax", "opencv-python", "imageio", "gradio")
_PILLOWS = ("freetype2", "jpg", "libjpeg_turbo", "webp", "avif", "libtiff", "jpg_2000", "zlib")


def checks() -> Iterator[Check]:
    """Give what is to be looked at."""
    yield "telecine", _telecine
    yield "Python", _python
    yield "PyAV", lambda: av.__version__
    yield "FFmpeg", lambda: str(av.ffmpeg_version_info)
    yield "FFmpeg's libraries", _libraries
    yield "FFmpeg's licence", partial(_of_ffmpeg, "license")
    yield "FFmpeg's configuration", partial(_of_ffmpeg, "configuration")
    yield "NumPy", lambda: np.__version__
    yield "Pillow", partial(version, "pillow")
    yield "Pillow's libraries", _pillows
    for extra, packages in _extras().items():
        yield f"telecine[{extra}]", partial(_installed, packages)
    yield "beside it", partial(_installed, _COMPANIONS)


def _telecine() -> str:
    editable = '"editable": true' in (distribution("telecine").read_text("direct_url.json") or "")
    return f"{version('telecine')}{', editable' if editable else ''}, with {Path(_convert.__file__).name}"


def _python() -> str:
    free = ", free-threaded" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
    in_its_own = ", in a virtual environment" if sys.prefix != sys.base_prefix else ""
    bits = 64 if sys.maxsize > 2**32 else 32
    return f"{platform.python_version()} ({platform.python_implementation()}, {bits} bit{free}{in_its_own})"


def _libraries() -> str:
    return ", ".join(f"{name} {'.'.join(map(str, found))}" for name, found in av.library_versions.items())


def _of_ffmpeg(what: Literal["license", "configuration"]) -> str:
    from av._core import library_meta  # a check of its own: it is private to PyAV, and nothing else tells

    return "; ".join(sorted({each[what] for each in library_meta.values()}))


def _pillows() -> str:
    from PIL import features  # a check of its own, should Pillow be broken

    return ", ".join(f"{name} {features.version(name) or 'none'}" for name in _PILLOWS)


def _extras() -> dict[str, list[str]]:
    """Give the packages of each extra for users, as the installed telecine names them: those of `all`, and Ray."""
    pattern = re.compile(r"([\w.-]+)(?:\[([\w,-]+)\])?.*extra == ['\"]([\w-]+)['\"]")
    found = [each for each in map(pattern.match, requires("telecine") or ()) if each]
    names = {"ray"}.union(*(each[2].split(",") for each in found if each[3] == "all" and each[2]))
    return {name: [each[1] for each in found if each[3] == name] for name in sorted(names)}


def _installed(packages: Iterable[str]) -> str:
    return ", ".join(f"{package} {_version(package)}" for package in packages)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
