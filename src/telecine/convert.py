"""One frame's pixels to the planes of an encoder's frame, exactly rounded, in one pass; and back, for reading.

    R, G, B in [0, 1]  →  Y' = Kr R + Kg G + Kb B,  Cb = (B - Y') / (2 - 2 Kb),  Cr = (R - Y') / (2 - 2 Kr)
                       →  16 + 219 Y',  128 + 224 Cb,  128 + 224 Cr            (BT.709 §3.2-3.5, BT.601 §2.5)

Chroma is halved in both directions and sited left (H.264 E.2.1): the mean of two rows, and 1-2-1 about every even
column. A code value is what rounding the real number gives, from whatever dtype the pixels have: floats are never made
8-bit RGB first. The loops are in `_convert`.
"""

from __future__ import annotations

import contextlib
import functools
import math
import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from av import VideoFrame

from . import _convert
from .color import Color
from .errors import FrameError, OptionError
from .frames import SAMPLES, Frame

ValueRange: TypeAlias = 'Literal["auto"] | tuple[float, float]'
Background: TypeAlias = "tuple[float, float, float]"

BLACK: Background = (0.0, 0.0, 0.0)
TOLERANCE = 0.01  # how far outside [0, 1] a float may be before the range is in doubt


def parse_value_range(value_range: str | tuple[float, float]) -> ValueRange:
    """Check `value_range`: "auto", or (low, high) with low < high and both finite.

    Raises:
        OptionError: it is neither.
    """
    if isinstance(value_range, str) and value_range == "auto":
        return "auto"
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        low, high = (float(end) for end in value_range)
        # The arithmetic is float32's: a range that is narrow and far from 0 would be coarse in it.
        if 1e-30 < high - low < 1e30 and abs(low) <= 100 * (high - low):
            return low, high
    raise OptionError(f"value_range={value_range!r} is not known: use 'auto' or (low, high) such as (-1, 1)")


def parse_background(background: str | tuple[float, float, float] | None) -> Background | None:
    """Check `background`: None, a colour name or code that Pillow knows, or (r, g, b) in [0, 1].

    >>> parse_background("white")
    (1.0, 1.0, 1.0)

    Raises:
        OptionError: it is none of these.
    """
    if background is None:
        return None
    accepted = "use a name, '#rrggbb' or (r, g, b) in [0, 1]"
    if isinstance(background, str):
        from PIL import ImageColor

        try:
            codes = ImageColor.getrgb(background)
        except ValueError as error:
            raise OptionError(f"background={background!r} is no colour: {accepted}") from error
        return codes[0] / 255, codes[1] / 255, codes[2] / 255
    with contextlib.suppress(TypeError, ValueError):
        red, green, blue = (float(part) for part in background)
        if all(0 <= part <= 1 for part in (red, green, blue)):
            return red, green, blue
    raise OptionError(f"background={background!r} is no colour: {accepted}")


@dataclass(frozen=True)
class Conversion:
    """How the pixels of one export become planes: what holds from the first frame to the last."""

    color: Color
    value_range: ValueRange = "auto"
    background: Background = BLACK

    def to_planes(self, frame: Frame, planes: VideoFrame) -> bool:
        """Convert a frame into the memory of a yuv420p frame, padded to its even sides by repeating the last line.

        Returns:
            Whether some pixel was composited on the background.

        Raises:
            FrameError: a value is NaN, infinite or out of the range.
        """
        low, high = self.stored_range(frame)
        y, cb, cr = planes.planes
        deviation, alpha = _convert.to_planes(
            frame.pixels,
            SAMPLES["uint8" if frame.dtype == "bool" else frame.dtype],
            _matrix(self.color, low, high, self.background),
            y,
            cb,
            cr,
            y.line_size,
            cb.line_size,
        )
        tolerated = (high - low) / 2 + TOLERANCE if self.value_range == "auto" else math.inf
        if not (deviation <= tolerated and math.isfinite(deviation)):
            raise FrameError(_out_of_range(frame, self.value_range))
        return alpha < 1

    def stored_range(self, frame: Frame) -> tuple[float, float]:
        """Give the stored values that mean 0 and 1.

        Raises:
            FrameError: an integer dtype with another range than its own.
        """
        full_scale = frame.full_scale
        if full_scale is None:
            return (0.0, 1.0) if self.value_range == "auto" else self.value_range
        if self.value_range not in ("auto", (0.0, full_scale)):
            raise FrameError(
                f"frame {frame.index} is {frame.dtype}, whose range is (0, {full_scale:g}): "
                f"value_range={self.value_range} does not fit, leave it out"
            )
        return 0.0, full_scale


@functools.lru_cache(maxsize=64)
def _matrix(color: Color, low: float, high: float, background: Background) -> _convert.Matrix:
    kr, kb = color.luma_weights
    luma = (kr, 1 - kr - kb, kb)
    rows = []
    for scale, weights, offset in (
        (219, luma, 16),
        (224 / (2 - 2 * kb), (-luma[0], -luma[1], 1 - kb), 128),
        (224 / (2 - 2 * kr), (1 - kr, -luma[1], -luma[2]), 128),
    ):
        red, green, blue = (scale * weight / (high - low) for weight in weights)
        rows.append((red, green, blue, offset + 0.5))  # 0.5: the kernel truncates
    ground = [low + part * (high - low) for part in background]
    return _convert.Matrix(rows[0], rows[1], rows[2], low, high, (ground[0], ground[1], ground[2]))


def _out_of_range(frame: Frame, value_range: ValueRange) -> str:
    """Say what is wrong with a frame's values: the slow look, taken once something is."""
    values = frame.values.astype(np.float64)
    broken = int(np.count_nonzero(~np.isfinite(values)))
    if broken:
        return f"frame {frame.index} has {broken} NaN or infinite values of {values.size}: they can't be shown"
    low, high = float(values.min()), float(values.max())
    seen = f"frame {frame.index} is {frame.dtype} with values from {low:.4g} to {high:.4g}, not [0, 1]"
    if value_range != "auto":
        return f"frame {frame.index} is {frame.dtype} with values from {low:.4g} to {high:.4g}, too large for float32"
    if low < -TOLERANCE and low >= -2 and high <= 2:
        return f"{seen}: they look like [-1, 1], pass value_range=(-1, 1)"
    if low >= -TOLERANCE and high <= 256:
        return f"{seen}: they look like [0, 255], pass value_range=(0, 255)"
    return f"{seen}, [-1, 1] or [0, 255]: pass value_range=(low, high)"


# ---- back to RGB ---------------------------------------------------------------------------------------------------

_PLANAR = re.compile(r"yuv(?P<jpeg>j?)a?(?P<chroma>420|422|444)p(?:(?P<depth>9|10|12|14|16)le)?")
_LOG2_CHROMA = {"420": (1, 1), "422": (1, 0), "444": (0, 0)}
LEFT_SITED, CENTER_SITED = (0.0, 0.5), (0.5, 0.5)


def to_rgb(frame: VideoFrame, color: Color, location: tuple[float, float] = LEFT_SITED) -> npt.NDArray[np.uint8]:
    """Convert a decoded frame to (height, width, 3) uint8 RGB by `color`, exactly rounded.

    Chroma, sited at `location` in luma samples, is interpolated linearly. Planar Y'CbCr of 8 to 16 bit goes straight
    from its planes; RGB is only repacked; what is left goes through FFmpeg to planar 4:4:4 of 16 bit first.
    """
    if frame.format.is_rgb:
        return frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    if frame.format.name in ("gray", "gray10le", "gray12le", "gray16le"):
        return _gray_to_rgb(frame, color)
    match = _PLANAR.fullmatch(frame.format.name)
    if match is None:
        frame = frame.reformat(format="yuv444p16le")
        match = _PLANAR.fullmatch(frame.format.name)
        assert match is not None
    rgb = np.empty((frame.height, frame.width, 3), np.uint8)
    y, cb, cr = frame.planes[:3]
    depth = int(match["depth"] or 8)
    full_range = color.full_range or bool(match["jpeg"])
    _convert.to_rgb(
        y,
        cb,
        cr,
        y.line_size,
        cb.line_size,
        1 if depth == 8 else 2,
        _LOG2_CHROMA[match["chroma"]],
        location,
        _inverse_matrix(color, depth, full_range),
        rgb,
    )
    return rgb


def _gray_to_rgb(frame: VideoFrame, color: Color) -> npt.NDArray[np.uint8]:
    """Show luma alone: FFmpeg's own conversion takes it for full range, whatever its tag."""
    depth = frame.format.components[0].bits
    black, white, _ = _codes(depth, color.full_range)
    level = (frame.to_ndarray().astype(np.float64) - black) * (255 / (white - black))
    gray = np.clip(np.rint(level), 0, 255).astype(np.uint8)
    return np.repeat(gray[:, :, None], 3, axis=2)


def _codes(depth: int, full_range: bool) -> tuple[int, int, int]:
    """The codes of black and white, and the swing of chroma (BT.709 §4.6, BT.2100 table 9)."""
    if full_range:
        return 0, 2**depth - 1, 2**depth - 1
    return 16 << depth - 8, 235 << depth - 8, 224 << depth - 8


@functools.lru_cache(maxsize=64)
def _inverse_matrix(color: Color, depth: int, full_range: bool) -> _convert.InverseMatrix:
    kr, kb = color.luma_weights
    kg = 1 - kr - kb
    black, white, swing = _codes(depth, full_range)
    neutral = 1 << depth - 1
    luma, chroma = 255 / (white - black), 255 / swing
    r_cr, b_cb = 2 * (1 - kr) * chroma, 2 * (1 - kb) * chroma
    g_cb, g_cr = -kb / kg * b_cb, -kr / kg * r_cr
    red, green, blue = (-luma * black - neutral * of_chroma for of_chroma in (r_cr, g_cb + g_cr, b_cb))
    return _convert.InverseMatrix(luma, r_cr, g_cb, g_cr, b_cb, (red, green, blue))
