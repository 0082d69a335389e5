"""Animated WebP, PNG and AVIF, read by Pillow: FFmpeg reads a frame of some, and no times of others."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from .images import opened_image

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
    """Give each frame, (height, width, 3 or 4) RGB or RGBA, and for how many seconds it is shown.

    Raises:
        InputError: the file is damaged, or Pillow lacks its format.
    """
    with opened_image(file) as image:
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            image.load()  # only then the duration is known
            yield np.asarray(image), Fraction(image.info.get("duration", 0)).limit_denominator(1000) / 1000
