"""Frames of a size that was asked for, by Pillow's Lanczos in float32, which is off by half a code and no more.

FFmpeg's filter `scale` is not as exact. It computes in integers: floats are clipped to [0, 1] and rounded to 16 bits,
so that light above white is lost; codes of 16 bits are off by up to 33, and those of 8 bits at the edges by 1.4.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from ..color.color import RGB
from ..errors import OptionError
from ..planes.convert import Conversion, ValueRange
from ..planes.frame import Frame
from ..planes.pixel_formats import is_too_large
from ..support.notes import Notes
from ..support.rate import is_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Resize = Callable[["Plane"], "Plane"]

Plane: TypeAlias = "npt.NDArray[np.float32]"
Size: TypeAlias = tuple[int, int]  # width and height

_LARGEST_SIDE = 65535  # of the formats that are bounded, GIF's and AVIF's
_INVISIBLE = 1 / 131_070  # alpha that is no code of 16 bit


class Scaler:
    """Scales frames to a width, a height or both; of one, the other follows from the frame's shape."""

    def __init__(self, width: int | None, height: int | None, value_range: ValueRange, notes: Notes) -> None:
        """Take the sides in pixels, and what the values of frames mean.

        Raises:
            OptionError: a side is no number of pixels, or they are too many.
        """
        self._width, self._height = _parse_side("width", width), _parse_side("height", height)
        if self._width and self._height:
            _check_size((self._width, self._height))
        self._conversion, self._notes = Conversion(RGB, value_range), notes

    def scaled(self, frame: Frame) -> Frame:
        """Scale a frame. Integers stay what they are; floats and bools become float32.

        Raises:
            FrameError: a value is NaN, infinite or out of the range.
            OptionError: the other side would be too large.
        """
        size = self.size_of(*frame.size)
        if size == frame.size:
            return frame
        if frame.index == 0:
            _check_size(size)
            self._note(frame.size, size)
        with np.errstate(all="ignore"):  # as in `VideoWriter.write`
            return _scaled(frame, size, self._conversion)

    def size_of(self, width: int, height: int) -> Size:
        """Give the size that frames of a size get: what follows is rounded to the nearest pixel, halves up.

        >>> Scaler(None, 240, "auto", Notes()).size_of(720, 480), Scaler(55, None, "auto", Notes()).size_of(100, 50)
        ((360, 240), (55, 28))
        """
        new_width = self._width or _rounded(width * (self._height or height), height)
        return new_width, self._height or _rounded(height * new_width, width)

    def _note(self, old: Size, new: Size) -> None:
        keeps_shape = new in ((new[0], _rounded(old[1] * new[0], old[0])), (_rounded(old[0] * new[1], old[1]), new[1]))
        scaled = f"scaled from {old[0]}x{old[1]} to {new[0]}x{new[1]}, by Lanczos"
        self._notes.add(scaled if keeps_shape else f"{scaled}, which changes the shape of the picture")


def _rounded(numerator: int, denominator: int) -> int:
    return max(1, (2 * numerator + denominator) // (2 * denominator))


def _parse_side(name: str, side: int | None) -> int | None:
    if side is None:
        return None
    if not (is_whole(side) and 1 <= side <= _LARGEST_SIDE):
        raise OptionError(f"{name}={side!r} is no size: use a whole number of pixels, 1 to {_LARGEST_SIDE}")
    return int(side)


def _check_size(size: Size) -> None:
    if is_too_large(*size, _LARGEST_SIDE):
        raise OptionError(f"frames scaled to {size[0]}x{size[1]} would be too large for FFmpeg: use smaller sides")


def _scaled(frame: Frame, size: Size, conversion: Conversion) -> Frame:
    low, high = least, most = conversion.stored_range(frame)
    values, is_coded = frame.values, frame.dtype in ("uint8", "uint16")
    planes = [np.ascontiguousarray(values[:, :, channel], np.float32) for channel in range(values.shape[2])]
    if frame.full_scale is None:
        # What is out of range would hide among its neighbours, and what Lanczos overshoots would seem to be.
        found = np.array([np.min([each.min() for each in planes]), np.max([each.max() for each in planes])], np.float64)
        conversion.check(frame, float(np.abs(found - (low + high) / 2).max()))
        least, most = min(low, float(found[0])), max(high, float(found[1]))
    resized = np.stack(_resized(planes, partial(_lanczos, size=size), low, high), axis=2)
    if is_coded:
        resized += 0.5
    pixels = resized.clip(least, most).astype(values.dtype if is_coded else np.float32, copy=False)
    return replace(frame, pixels=pixels, dtype=pixels.dtype.name)


def _resized(planes: Sequence[Plane], resize: Resize, low: float, high: float) -> list[Plane]:
    """Resize planes: of colours with alpha, each pixel's counts for as much as it can be seen."""
    if len(planes) < 4 or planes[3].min() >= high:
        return [resize(plane) for plane in planes]
    *colors, alpha = planes
    weight = ((alpha - low) / (high - low)).clip(0, 1)
    whole = resize(weight)
    is_seen, black = whole > _INVISIBLE, np.zeros_like(whole)
    weighted = (resize((each - low) * weight) for each in colors)
    seen: list[Plane] = [np.divide(each, whole, out=black.copy(), where=is_seen) for each in weighted]
    return [*(each + np.float32(low) for each in seen), resize(alpha)]


def _lanczos(plane: Plane, size: Size) -> Plane:
    from PIL import Image  # start-up: Pillow, which videos have no need of

    return np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.LANCZOS))
