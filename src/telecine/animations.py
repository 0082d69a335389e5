"""Animated WebP, PNG and AVIF, read by Pillow: FFmpeg reads a frame of some, and no times of others."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from .codes import to_codes
from .errors import FrameError, TelecineError
from .image_frames import image_pixels, pictures_in

_PNG = b"\x89PNG\r\n\x1a\n"
_ANIMATION = 0x02  # of the flags in the VP8X chunk (WebP container specification, "Extended File Format")


def format_of(file: BinaryIO) -> str | None:
    """Tell whether an open file is an animated "webp", "apng" or "avif"; None for anything else."""
    file.seek(0)
    head = file.read(64)
    file.seek(0)
    if head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and head[20:21] and head[20] & _ANIMATION:
        return "webp"
    if head[4:8] == b"ftyp" and b"avis" in head[8 : int.from_bytes(head[:4], "big")]:  # ISO/IEC 23000-22; AVIF 1.1, 6.2
        return "avif"
    return "apng" if head[:8] == _PNG and _is_animated_png(file) else None


def _is_animated_png(file: BinaryIO) -> bool:
    """Look for the animation's chunk in front of the first image's (PNG, third edition, 11.3.6.1)."""
    at = len(_PNG)
    while True:
        file.seek(at)
        head = file.read(8)
        if len(head) < 8 or head[4:] in (b"IDAT", b"IEND"):
            return False
        if head[4:] == b"acTL":
            return True
        at += int.from_bytes(head[:4], "big") + 12


def images_of(file: BinaryIO) -> Iterator[tuple[npt.NDArray[np.uint8], Fraction]]:
    """Give each frame, (height, width, 3 or 4) RGB or RGBA, and for how many seconds it is shown. They are copies.

    Raises:
        FrameError: the file is damaged, or Pillow lacks its format.
    """
    from PIL import Image

    file.seek(0)
    try:
        with Image.open(file) as image:
            for picture in pictures_in(image):
                picture.load()  # only then the duration is known
                duration = Fraction(picture.info.get("duration", 0)).limit_denominator(1000) / 1000
                yield _colors(image_pixels(picture)), duration
    except TelecineError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise FrameError(f"{str(getattr(file, 'name', 'the open file'))!r} can't be read: {error}") from error


def _colors(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    codes: npt.NDArray[np.uint8] = to_codes(pixels, 8)
    return np.repeat(codes, 3, axis=2) if codes.shape[2] == 1 else codes
