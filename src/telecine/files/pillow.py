"""Pillow as a reader: of formats on a list, and of pictures that are not too large.

Its other formats start a program (EPS), take text for a picture, or are stubs.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO

from ..errors import InputError
from .files import Source, name_of, opened_file, said_of
from .quiet import pillow_warnings_ignored
from .tiff_pages import tiff_pages

if TYPE_CHECKING:
    from PIL import Image  # start-up: videos have no need of it

# Each format with the module of Pillow's that reads it; that without a mark to be known by comes last.
_PLUGINS = {
    "PNG": "PngImagePlugin",
    "JPEG": "JpegImagePlugin",
    "WEBP": "WebPImagePlugin",
    "TIFF": "TiffImagePlugin",
    "BMP": "BmpImagePlugin",
    "GIF": "GifImagePlugin",
    "AVIF": "AvifImagePlugin",
    "JPEG2000": "Jpeg2KImagePlugin",
    "QOI": "QoiImagePlugin",
    "PPM": "PpmImagePlugin",
    "TGA": "TgaImagePlugin",
}
ACCEPTED = "PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF, JPEG 2000, QOI, PPM and TGA are accepted"
_MOST_PIXELS = 1 << 28  # 16384 x 16384: FFmpeg's bound (libavutil/imgutils.c), and a gigabyte of RGBA


def image_extensions() -> set[str]:
    """Give the extensions of the formats that are read, in small letters, with their dot."""
    return {extension for extension, format in _pillow().EXTENSION.items() if format in _PLUGINS}


@contextmanager
def opened_image(source: Source) -> Iterator[Image.Image]:
    """Open an image with Pillow; its pixels are read when they are asked for.

    Raises:
        InputError: it can't be opened, is of another format or too large, or what is done with it in here fails.
    """
    with opened_file(source) as file, said_of(file, "an image"):
        for _ in tiff_pages(file):  # which Pillow steps through however many they are
            pass
        file.seek(0)
        with pillow_warnings_ignored():
            image = _identified(file)
        with image:
            if image.width * image.height > _MOST_PIXELS:
                size = f"{image.width}x{image.height}"
                raise InputError(f"{name_of(file)!r} is too large, {size}: at most {_MOST_PIXELS:,} pixels are read")
            yield image


def _identified(file: BinaryIO) -> Image.Image:
    """Do what `Image.open` does of these formats, without its warning of pictures that are large and accepted here."""
    prefix, why = file.read(16), ACCEPTED
    for factory, accepts in (_pillow().OPEN[format] for format in _PLUGINS if format in _pillow().OPEN):
        accepted = not accepts or accepts(prefix)
        if isinstance(accepted, str):  # it is known, and this Pillow lacks the library for it
            why = accepted
        elif accepted:
            file.seek(0)
            with contextlib.suppress(SyntaxError, IndexError, TypeError, struct.error):  # it is of another format
                image: Image.Image = factory(file, "")
                return image
    raise InputError(f"{name_of(file)!r} can't be read as an image: {why}")


@functools.cache
def _pillow() -> ModuleType:
    """Give Pillow's module with these formats known to it."""
    from PIL import Image  # start-up: videos have no need of it

    for module in _PLUGINS.values():
        importlib.import_module(f"PIL.{module}")
    return Image
