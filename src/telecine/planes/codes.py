"""Pixels of any dtype to integer codes of 8 or 16 bit, exactly rounded, or to floats in [0, 1]."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .convert import Background, Conversion
from .frame import Frame

Pixels: TypeAlias = npt.NDArray[Any]


def to_codes(pixels: Pixels, bits: int, low: float = 0.0, high: float = 1.0) -> Pixels:
    """Give the codes of pixels: 0 to 255 or 65535, rounded to the nearest, halves up. It is always a copy.

    Args:
        pixels: Integers of full scale, bools, or finite floats of which `low` and `high` mean 0 and 1; what
            overshoots them is clamped.
        bits: 8 or 16.
        low: The float that means 0.
        high: The float that means 1.

    >>> to_codes(np.array([0, 0.5, 1.0, 1.2], np.float32), 8).tolist()
    [0, 128, 255, 255]
    >>> to_codes(np.array([7, 255], np.uint8), 16).tolist()
    [1799, 65535]
    """
    white, dtype = 2**bits - 1, np.dtype(f"uint{bits}")
    codes: Pixels
    if pixels.dtype == dtype:
        codes = pixels.copy()
    elif pixels.dtype.kind == "f":
        real, scale = pixels.astype(np.float64), white / (high - low)
        black = low * scale
        codes = np.floor(real * scale - black + 0.5)
        if black or pixels.dtype == np.float64:  # else the arithmetic is exact
            codes += _correction(real, scale, black, codes)
        codes = np.clip(codes, 0, white).astype(dtype)
    else:
        full = _full_scale(pixels)
        # 32 bits suffice: 65535 * 65535 + 32767 is below 2**32.
        codes = ((pixels.astype(np.uint32) * np.uint32(white) + np.uint32(full // 2)) // np.uint32(full)).astype(dtype)
    return codes


def _full_scale(pixels: Pixels) -> int:
    return 1 if pixels.dtype == np.bool_ else int(np.iinfo(pixels.dtype).max)


def _correction(real: Pixels, scale: float, black: float, codes: Pixels) -> Pixels:
    """Give what to add to codes, -1, 0 or 1: `real * scale - black` was rounded, and may have crossed a half.

    A code is right where `real * scale` lies from `code - 0.5 + black` up to the same of the next code. How far it is
    from these ends is exact where it is near: a float64 is its value as a float32 and a rest, each of which times the
    scale fits a float64, and so does the difference of two numbers that are within a factor of two.
    """
    upper = real.astype(np.float32).astype(np.float64)
    lower = (real - upper) * scale
    upper *= scale
    above_begin = (upper - (codes - 0.5 + black)) + lower
    above_end = (upper - (codes + 0.5 + black)) + lower
    return (above_end >= 0).astype(np.int8) - (above_begin < 0)


_LARGEST_FLOAT = float(np.finfo(np.float32).max)


def to_floats(pixels: Pixels, low: float = 0.0, high: float = 1.0) -> npt.NDArray[np.float32]:
    """Give pixels as float32 of which 0 and 1 are black and white. What overshoots stays, if finite. Always a copy.

    >>> to_floats(np.array([0, 51, 255], np.uint8)).tolist() == [0, np.float32(0.2), 1]
    True
    """
    if pixels.dtype.kind != "f":
        low, high = 0, _full_scale(pixels)
    values = (pixels.astype(np.float64) - low) / (high - low)
    return np.clip(values, -_LARGEST_FLOAT, _LARGEST_FLOAT, out=values).astype(np.float32)


def pixels_of(frame: Frame, conversion: Conversion, bits: int, background: Background | None = None) -> Pixels:
    """Give a recognised frame as (height, width, 3 or 4) codes of 8 or 16 bits, or with 32 as floats. It is a copy.

    With a background, alpha is composited on it, in the encoded values as `Conversion` does.

    Raises:
        FrameError: a value is NaN, infinite or out of the range.
    """
    low, high = conversion.stored_range(frame)
    values = frame.values
    if frame.full_scale is None:
        deviation = float(np.abs(values.astype(np.float64) - (low + high) / 2).max())
        conversion.check(frame, deviation)
    if background is not None and values.shape[2] == 4:
        real = (values.astype(np.float64) - low) / (high - low)
        alpha = np.clip(real[:, :, 3:], 0, 1)
        values, low, high = real[:, :, :3] * alpha + np.array(background) * (1 - alpha), 0, 1
    pixels = to_floats(values, low, high) if bits == 32 else to_codes(values, bits, low, high)
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels


def composited(frame: Frame, conversion: Conversion) -> tuple[Frame, Conversion]:
    """Give a frame on the conversion's background, for a format that would keep its alpha, and how to convert that.

    Raises:
        FrameError: a value is NaN, infinite or out of the range.
    """
    if frame.pixels.shape[2] != 4:
        return frame, conversion
    pixels = np.clip(pixels_of(frame, conversion, 32, conversion.background), 0, 1)
    return replace(frame, pixels=pixels, dtype="float32"), replace(conversion, value_range="auto")
