"""Text drawn into frames: white on a dark strip, in the dtype and the range of values that the frames have."""

from __future__ import annotations

import math
import os
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sized
from functools import lru_cache
from itertools import count, repeat
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, Unpack

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from ..errors import InputError, OptionError
from ..frames.options import ArrayOptions, complete, with_options
from ..frames.recognise import Frames
from ..planes.frame import Frame
from ..read.frames import ReadFrames
from ..support.notes import warn
from ..support.rate import is_whole
from ..support.words import shown
from .given import reading, recognized

Text: TypeAlias = str | Callable[[int], str] | Iterable[str]
PositionName = Literal["top-left", "top", "top-right", "bottom-left", "bottom", "bottom-right"]

# How much of the room that is left lies left of the strip, and above it.
_POSITIONS = MappingProxyType(
    {
        "top-left": (0, 0),
        "top": (0.5, 0),
        "top-right": (1, 0),
        "bottom-left": (0, 1),
        "bottom": (0.5, 1),
        "bottom-right": (1, 1),
    }
)
_STRIP = 0.6  # how opaque the strip is: on white, white text has a contrast of 5.7 to 1 (WCAG 2.2, 1.4.3: 4.5)
_LINES_OF_HEIGHT, _LEAST_SIZE = 20, 10
_LONGER = "…"


@with_options(ArrayOptions)
def label(
    frames: Frames,
    text: Text,
    *,
    position: PositionName = "top-left",
    size: int | None = None,
    font: str | os.PathLike[str] | None = None,
    **options: Unpack[ArrayOptions],
) -> Iterator[npt.NDArray[Any]]:
    """Draw text into frames as they come: white, on a strip that darkens the picture behind it.

    Args:
        frames: What `export_video` takes.
        text: The text of all frames; or a function that is given a frame's index, from 0 on, and gives its text; or a
            text for each frame. An empty one draws nothing. Lines that are too long are cut, with an ellipsis.
        position: "top-left", "top", "top-right", "bottom-left", "bottom" or "bottom-right".
        size: The height of the letters in pixels; a twentieth of the frame's if not given, and 10 at least.
        font: The file of a TrueType or OpenType font. Pillow's own, which is taken without, has ASCII alone.
        **options: Those below, of arrays. White is the high end of the value range.

    Returns:
        An iterator of (H, W, C) arrays of the frames' dtype; of bfloat16 float32. Each is a copy.

    Raises:
        OptionError: an argument, or a frame without a text.
        InputError: the font can't be read.

    >>> frames = np.full((2, 48, 64, 3), 0.5, np.float32)
    >>> one, two = label(frames, ["one", "two"], size=24)
    >>> one.dtype.name, float(one.max()), round(float(one.min()), 3)
    ('float32', 1.0, 0.2)
    """
    arguments = complete(ArrayOptions, options, "label")
    conversion = reading(arguments)
    if position not in _POSITIONS:
        raise OptionError(f"position={position!r} is not known: use {', '.join(map(repr, _POSITIONS))}")
    if size is not None and not (is_whole(size) and size >= 1):
        raise OptionError(f"size={size!r} is no height of letters: use pixels, such as 24")
    if not (callable(text) or isinstance(text, Iterable)):
        raise OptionError(f"text={text!r} is none: give a text, a function of a frame's index, or a text for each")
    name = None if font is None else os.fspath(font)
    _face(name, _LEAST_SIZE)
    given, ink_of = recognized(frames, arguments), lru_cache(maxsize=1)(_ink)  # one text is drawn once

    def drawn() -> Iterator[npt.NDArray[Any]]:
        for frame, words in _with_texts(given, text):
            width, height = frame.size
            ink = ink_of(words, size or max(_LEAST_SIZE, height // _LINES_OF_HEIGHT), name, width, height)
            yield _drawn(frame.values, ink, _POSITIONS[position], conversion.stored_range(frame))

    return ReadFrames(drawn())


def _with_texts(frames: Iterator[Frame], text: Text) -> Iterator[tuple[Frame, str]]:
    texts = repeat(text) if isinstance(text, str) else map(text, count()) if callable(text) else iter(text)
    index = -1
    for index, frame in enumerate(frames):
        words = next(texts, None)
        if not isinstance(words, str):
            given = "no text" if words is None else f"{words!r}, which is no text"
            raise OptionError(f"frame {index} has {given}: give one for each frame")
        yield frame, words
    if isinstance(text, Sized) and not isinstance(text, str) and len(text) > index + 1:
        raise OptionError(f"{len(text)} texts for {index + 1} frames: give one for each frame")


@lru_cache(maxsize=4)
def _face(font: str | None, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    try:
        return ImageFont.load_default(size) if font is None else ImageFont.truetype(font, size)
    except OSError as error:
        raise InputError.of(error.errno, f"{font!r} can't be read as a font: {error}", font or "") from error


def _ink(text: str, size: int, font: str | None, width: int, height: int) -> npt.NDArray[np.float64]:
    """Draw a text for a frame of width by height: how white each pixel of its strip is, 0 to 1."""
    if not text:
        return np.zeros((0, 0))
    face = _face(font, size)
    gap, line_height = size // 4, sum(face.getmetrics()) if isinstance(face, ImageFont.FreeTypeFont) else size
    room = max(0, width - 2 * gap), max(1, (height - 2 * gap) // line_height)
    lines = [_cut(line, face, room[0]) for line in text.split("\n", room[1])[: room[1]]]
    if font is None and not "".join(lines).replace(_LONGER, "").isascii():
        warn(f"the label {text[:40]!r} has letters that Pillow's own font lacks: give font= the file of one with them")
    wide = max(math.ceil(face.getlength(line)) for line in lines) + 2 * gap
    image = Image.new("L", (min(wide, width), min(len(lines) * line_height + 2 * gap, height)))
    drawing = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        drawing.text((gap, gap + number * line_height), line, fill=255, font=face)
    return np.asarray(image, np.float64) / 255


def _cut(line: str, face: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """Cut a line to what has room."""
    few = shown(line[: width + 1])  # a letter takes a pixel at least
    if face.getlength(few) <= width:
        return few
    fitting = bisect_right(range(len(few)), float(width), key=lambda length: face.getlength(few[:length] + _LONGER)) - 1
    return few[: max(0, fitting)] + _LONGER


def _drawn(
    values: npt.NDArray[Any],
    ink: npt.NDArray[np.float64],
    position: tuple[float, float],
    bounds: tuple[float, float],
) -> npt.NDArray[Any]:
    """Give a copy of a frame with the strip over it, as Porter and Duff's "over" has it of straight alpha."""
    low, high = bounds
    pixels = np.array(values, order="C")
    left, top = (
        int((side - length) * part)
        for side, length, part in zip(pixels.shape[1::-1], ink.shape[::-1], position, strict=True)
    )
    strip = pixels[top : top + ink.shape[0], left : left + ink.shape[1]]
    below = (strip.astype(np.float64) - low) / (high - low)
    white = ink[:, :, None]
    left_of_below = (1 - _STRIP) * (1 - white)
    if below.shape[2] == 4:
        colors, alpha = below[:, :, :3], below[:, :, 3:]
        opaque = 1 - left_of_below + alpha * left_of_below
        colors[:] = (white + colors * alpha * left_of_below) / opaque
        alpha[:] = opaque
    else:
        below = white + below * left_of_below
    stored = low + below * (high - low)
    strip[:] = stored if strip.dtype.kind == "f" else np.rint(stored)
    return pixels
