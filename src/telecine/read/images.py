"""Images as frames: all that a file has, turned as its Exif says, and as deep as their pixels are.

Pillow's pixels are read where Pillow keeps them.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import numpy as np
import numpy.typing as npt

from .. import _convert
from ..errors import FrameError, InputError
from ..files.files import Place, opened_file, said_of, source_of
from ..files.pillow import opened_image
from ..files.quiet import pillow_warnings_ignored, quiet_libtiff
from ..files.tiff_pages import SUBFILE, is_frame, tiff_pages
from ..planes.orientation import ORIENTATION_TAG, Orientation, of_exif
from .deep_images import deep_png, deep_tiff

if TYPE_CHECKING:
    from PIL import Image

Pixels: TypeAlias = npt.NDArray[Any]

# What becomes of a mode that does not already lie as gray, RGB or RGBA: Pillow's own conversion.
_MODES = {"1": "L", "L": "L", "RGBA": "RGBA"}
_CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}
_GRAY_OF_16_BITS = {"I;16", "I;16L", "I;16B", "I;16N"}
# In which one picture after the other is a frame. Of MPO they are views of a JPEG's, such as its map of gains.
_SEVERAL = {"GIF", "WEBP", "PNG", "AVIF", "TIFF"}
_ALWAYS_ONE = {".jpg", ".jpeg", ".bmp", ".ppm", ".tga"}


def is_image(given: object) -> TypeGuard[Image.Image]:
    """Tell whether something is an image of Pillow's, which is not imported for it."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(given, pillow.Image)


def image_pixels(image: Image.Image) -> Pixels:
    """View an image's pixels as (height, width, channels), turned as its Exif says, in place where Pillow exports them.

    They are uint8; uint16 of the modes of 16-bit gray and of "I", which 16-bit files are opened with; and the floats of
    mode "F".

    Raises:
        FrameError: it is empty, or "I" with values that are not of 16 bits.
    """
    if 0 in image.size:
        raise FrameError(f"an image of {image.width}x{image.height} is empty")
    with quiet_libtiff(image):
        image.load()
    if image.mode in _GRAY_OF_16_BITS or image.mode in ("I", "F"):
        pixels = _gray(image)[:, :, None]
    else:
        pixels = _of_bytes(image)
    return orientation_of_image(image).shown(pixels)


def orientation_of_image(image: Image.Image) -> Orientation:
    """Give how an image says that it is shown; one that can't be understood says nothing."""
    with contextlib.suppress(Exception):  # of what an Exif is made of, Pillow raises any
        return of_exif(image.getexif().get(ORIENTATION_TAG))
    return Orientation()


def _gray(image: Image.Image) -> Pixels:
    values = np.asarray(image)
    if image.mode != "I":
        return values.astype(values.dtype.newbyteorder("="), copy=False)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise FrameError(
            f"an image of mode I has values from {low} to {high}: they are read as 16-bit gray, 0 to 65535; "
            "convert others to L, or to F with value_range="
        )
    return values.astype(np.uint16)


def _of_bytes(image: Image.Image) -> npt.NDArray[np.uint8]:
    """View 8-bit pixels.

    Pillow keeps RGB as four bytes a pixel and exports them by the Arrow C data interface, for an image in one block of
    memory: up to 16 MiB unless told otherwise. What it does not export is copied.
    """
    if image.mode == "La":  # premultiplied: Pillow converts it to nothing else
        image = image.convert("LA")
    mode = "RGBA" if image.has_transparency_data else _MODES.get(image.mode, "RGB")
    if image.mode != mode:
        image = image.convert(mode)
    elif image.readonly:  # a view of other memory, as of an array, whose export ends the process before Pillow 13
        image = image.copy()
    try:
        flat = _convert.arrow_bytes(*image.__arrow_c_array__())
    except ValueError:  # in several blocks
        return np.asarray(image).reshape(image.height, image.width, -1)
    return flat.reshape(image.height, image.width, -1)[:, :, : _CHANNELS[mode]]


# ---- several in one ------------------------------------------------------------------------------------------------


def count_pictures(image: Image.Image) -> int:
    """Count the pictures of an opened image that are frames."""
    return int(getattr(image, "n_frames", 1)) if image.format in _SEVERAL else 1


def pictures_in(image: Image.Image) -> Iterator[Image.Image]:
    """Give an opened image at each of its pictures in turn: the same one, so that each holds until the next."""
    for index in range(count_pictures(image)):
        if count_pictures(image) > 1:
            with pillow_warnings_ignored():
                image.seek(index)
        if index == 0 or is_frame(getattr(image, "tag_v2", {}).get(SUBFILE)):
            yield image


def frames_of_image(image: Image.Image) -> Iterator[Pixels]:
    """Give the pixels of an image that was given, which may be in a file until now.

    Raises:
        InputError: it can't be read.
        FrameError: as `image_pixels`.
    """
    with said_of(_name_of(image), "an image"):
        yield image_pixels(image)


def copies_of_pictures(image: Image.Image) -> Iterator[Image.Image]:
    """Give each picture of an opened image as one of its own. Raises InputError where it can't be read."""
    with said_of(_name_of(image), "an image"):
        yield from (picture.copy() for picture in pictures_in(image))


def _name_of(image: Image.Image) -> str:
    return os.fsdecode(getattr(image, "filename", "") or "the image")


def frames_of_file(path: Place) -> Iterator[Pixels]:
    """Give the frames of an image file, as `image_pixels` does, one at a time.

    Raises:
        InputError: it can't be read.
        FrameError: as `image_pixels`.
    """
    path = source_of(path)
    with opened_file(path) as file, said_of(file, "an image"):
        tiff, png = deep_tiff(file), deep_png(file)
        if tiff is not None:
            yield from (orientation.shown(pixels) for pixels, orientation in tiff)
            return
    with opened_image(path) as image:
        several = count_pictures(image) > 1
        if png is not None and not several:
            yield orientation_of_image(image).shown(png)
            return
        for picture in pictures_in(image):
            pixels = image_pixels(picture)
            yield pixels.copy() if several else pixels  # Pillow may draw the next one over it


def count_in_file(path: str | os.PathLike[str]) -> int:
    """Count the frames of an image file without decoding any; 1 of what can't be read."""
    if os.path.splitext(os.fsdecode(path))[1].lower() in _ALWAYS_ONE:
        return 1
    with contextlib.suppress(InputError):
        with opened_file(path) as file:
            pages = list(tiff_pages(file))
        if pages:
            return max(1, sum(page.is_frame for page in pages))
        with opened_image(path) as image:
            return count_pictures(image)
    return 1
