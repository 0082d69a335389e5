"""Animated WebP, PNG and AVIF, read by Pillow: FFmpeg reads a frame of some, and no times of others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ..container.boxes import Box, boxes_in, contents_of_box, first_boxes
from ..container.chunks import PNG, WEBP_ANIMATION, contents_of, first_parts_of, parts_of
from ..files.files import said_of
from ..files.pillow import opened_image
from ..planes.codes import to_codes
from .images import image_pixels, pictures_in


def format_of(file: BinaryIO) -> str | None:
    """Tell whether an open file is an animated "webp", "apng" or "avif"; None for anything else."""
    file.seek(0)
    head = file.read(64)
    file.seek(0)
    if head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and head[20:21] and head[20] & WEBP_ANIMATION:
        return "webp"
    if head[4:8] == b"ftyp" and b"avis" in head[8 : int.from_bytes(head[:4], "big")]:  # ISO/IEC 23000-22; AVIF 1.1, 6.2
        return "avif"
    return "apng" if head[:8] == PNG and _is_animated_png(file) else None


def _is_animated_png(file: BinaryIO) -> bool:
    """Look for the animation's chunk in front of the first image's (PNG, third edition, 11.3.6.1)."""
    kinds = (part.kind for part in first_parts_of(file, "png"))
    return next((kind for kind in kinds if kind in (b"acTL", b"IDAT", b"IEND")), None) == b"acTL"


def images_of(file: BinaryIO) -> Iterator[npt.NDArray[np.uint8]]:
    """Give each frame, (height, width, 3 or 4) RGB or RGBA. They are copies.

    Raises:
        InputError: the file is damaged, or Pillow lacks its format.
    """
    with opened_image(file) as image:
        for picture in pictures_in(image):
            yield _colors(image_pixels(picture))


def _colors(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    codes: npt.NDArray[np.uint8] = to_codes(pixels, 8)
    return np.repeat(codes, 3, axis=2) if codes.shape[2] == 1 else codes


# ---- times, which no frame is decoded for ----------------------------------------------------------------------------


def durations_of(file: BinaryIO, format: str) -> list[Fraction]:
    """Give for how many seconds each frame is shown.

    Raises:
        InputError: the file is damaged.
    """
    with said_of(file, "an image"):
        durations = _DURATIONS[format](file)
        if not durations:
            raise ValueError("it has no frames")
        return durations


def _of_webp(file: BinaryIO) -> list[Fraction]:
    frames = (contents_of(file, part) for part in parts_of(file, "webp") if part.kind == b"ANMF")
    return [Fraction(int.from_bytes(head[12:15], "little"), 1000) for head in frames]


def _of_png(file: BinaryIO) -> list[Fraction]:
    """Read the frames' own chunks (PNG, third edition, 11.3.6.2). Pillow takes an image in front of them for one."""
    durations: list[Fraction] = []
    for part in parts_of(file, "png"):
        if part.kind == b"fcTL":
            delay = contents_of(file, part)[20:24]
            durations.append(Fraction(int.from_bytes(delay[:2], "big"), int.from_bytes(delay[2:], "big") or 100))
        elif part.kind == b"IDAT" and not durations:
            durations.append(Fraction(0))
    return durations


def _of_avif(file: BinaryIO) -> list[Fraction]:
    """Read the times of the first track of pictures (ISO/IEC 14496-12 8.4.2, 8.4.3, 8.6.1.2); alpha has its own."""
    for track in _boxes_at(file, (b"moov", b"trak")):
        media = next(_boxes_at(file, (b"mdia",), track))
        handler = contents_of_box(file, next(_boxes_at(file, (b"hdlr",), media)))
        if handler[8:12] != b"pict":
            continue
        header = contents_of_box(file, next(_boxes_at(file, (b"mdhd",), media)))
        ticks = int.from_bytes(header[20:24] if header[0] else header[12:16], "big")
        runs = contents_of_box(file, next(_boxes_at(file, (b"minf", b"stbl", b"stts"), media)))[8:]
        numbers = np.frombuffer(runs[: len(runs) // 8 * 8], ">u4").reshape(-1, 2).tolist()
        if sum(count for count, _ in numbers) > file.seek(0, os.SEEK_END):
            raise ValueError("it has more frames than bytes")
        return [Fraction(delta, ticks) for count, delta in numbers for _ in range(count)]
    return []


def _boxes_at(file: BinaryIO, path: tuple[bytes, ...], parent: Box | None = None) -> Iterator[Box]:
    """Give the boxes that a path of types leads to."""
    for box in first_boxes(file) if parent is None else boxes_in(file, parent):
        if box.kind == path[0]:
            yield from _boxes_at(file, path[1:], box) if path[1:] else (box,)


_DURATIONS: Mapping[str, Callable[[BinaryIO], list[Fraction]]] = {"webp": _of_webp, "apng": _of_png, "avif": _of_avif}
