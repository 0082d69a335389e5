"""One frame's pixels to the planes of an encoder's frame, exactly rounded, in one pass.

    R, G, B in [0, 1]  →  Y' = Kr R + Kg G + Kb B,  Cb = (B - Y') / (2 - 2 Kb),  Cr = (R - Y') / (2 - 2 Kr)
    8 bit, limited     →  16 + 219 Y',  128 + 224 Cb,  128 + 224 Cr            (BT.709 §3.2-3.5, BT.601 §2.5)
    n bit, limited     →  all of that times 2^(n-8)                            (BT.2100 table 9)
    n bit, full        →  (2^n - 1) Y',  2^(n-1) + (2^n - 1) Cb and Cr; and (2^n - 1) R, G, B, alpha

Chroma that is halved in width is sited left, 1-2-1 about every even column; halved in height it is the mean of two rows
(H.264 E.2.1). A code value is what rounding the real number gives, from whatever dtype the pixels have: floats are
never made 8-bit RGB first. What float32 arithmetic may add to the half of rounding is 0.001 of a code in 8 and 10 bit,
0.003 in 12 bit, and 0.02 in 16 bit, where integers are still exact. The loops are in `_convert`, and in `tensors`
for a tensor on a device.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from av import VideoFrame

from .. import _convert
from ..color.color import Color
from ..color.hdr import FrameLight
from ..errors import FrameError, OptionError
from . import dither
from .device import DevicePixels, Recipe
from .frame import SAMPLES, Frame
from .light import Light
from .pixel_formats import PIXEL_FORMATS, PixelFormat, codes_of_range

ValueRange: TypeAlias = 'Literal["auto"] | tuple[float, float]'
Background: TypeAlias = "tuple[float, float, float]"

BLACK: Background = (0.0, 0.0, 0.0)
SHOWN_ON_BLACK = "transparent pixels are shown on black: pass background= to choose another"
_TOLERANCE = 0.01  # how far outside [0, 1] a float may be before the range is in doubt


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
        from PIL import ImageColor  # start-up: few exports name a colour

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


class Converted(NamedTuple):
    """What a frame was found to be while it was converted.

    `composited` tells whether some pixel was composited on the background, `light` how bright an HDR frame is.
    """

    composited: bool
    light: FrameLight | None = None


@dataclass(frozen=True)
class Conversion:
    """How the pixels of one export become planes: what holds from the first frame to the last."""

    color: Color
    value_range: ValueRange = "auto"
    background: Background = BLACK
    dither: bool = False  # of 8-bit codes, by blue noise that stands still: else they are rounded
    light: Light | None = None  # what values are where the color is PQ or HLG: else they are encoded for the display

    def to_planes(self, frame: Frame, planes: VideoFrame) -> Converted:
        """Convert a frame into the memory of a frame of any format in `PIXEL_FORMATS`.

        `planes` has the frame's size and its format's padding, which repeats the last line or column. Alpha is kept,
        straight, by a format that holds it.

        Raises:
            FrameError: a value is NaN, infinite or out of the range.
            OptionError: the format is not in the table, or has more than 8 bit and is to be dithered.
        """
        low, high = self.stored_range(frame)
        pixel_format = _pixel_format(planes.format.name, self.dither)
        pixels, sample = frame.pixels, SAMPLES["uint8" if frame.dtype == "bool" else frame.dtype]
        signal = None
        if self.light is not None:
            signal = self.light.encode(frame, low, high, self.background)
            self.check(frame, signal.deviation)
            pixels, sample, low, high = signal.pixels, SAMPLES["float32"], 0.0, 1.0
        matrix, memory = _matrix(self.color, pixel_format, low, high, self.background, self.dither), planes.planes
        if isinstance(pixels, DevicePixels):
            deviation, alpha = pixels.to_planes(Recipe(matrix, pixel_format, self.dither), memory)
        else:
            deviation, alpha = _convert.to_planes(
                pixels,
                sample,
                matrix,
                _memory_format(pixel_format),
                memory,
                [plane.line_size for plane in memory],
                dither.thresholds() if self.dither else None,
            )
        if signal is not None:
            return Converted(signal.composited, signal.light)
        self.check(frame, deviation)
        return Converted(alpha < 1)

    def check(self, frame: Frame, deviation: float) -> None:
        """Refuse a frame by how far its furthest value is from the middle of the stored range.

        Any finite value is accepted of a range that was given, and of linear light.

        Raises:
            FrameError: a value is NaN, infinite or out of the range.
        """
        tolerated = math.inf
        if self.value_range == "auto" and (self.light is None or self.light.is_encoded):
            low, high = self.stored_range(frame)
            tolerated = (high - low) / 2 + _TOLERANCE
        if not (deviation <= tolerated and math.isfinite(deviation)):
            raise _out_of_range(frame, self.value_range)

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


def _pixel_format(name: str, dithered: bool) -> PixelFormat:
    pixel_format = PIXEL_FORMATS.get(name)
    if pixel_format is None:
        raise OptionError(f"pixel format {name!r} can't be converted to: use one of {', '.join(PIXEL_FORMATS)}")
    if dithered and pixel_format.depth != 8:
        raise OptionError(
            f"dither is for 8 bit and {name} has {pixel_format.depth}: leave it out, or use 8 bit", page="dither"
        )
    return pixel_format


@functools.cache
def _memory_format(pixel_format: PixelFormat) -> _convert.Format:
    return _convert.Format(
        len(pixel_format.components), pixel_format.packed, pixel_format.bytes_per_sample, pixel_format.log2_chroma
    )


@functools.lru_cache(maxsize=64)
def _matrix(
    color: Color, pixel_format: PixelFormat, low: float, high: float, background: Background, dithered: bool
) -> _convert.Matrix:
    half = 0.0 if dithered else 0.5  # the kernel truncates, and adds a threshold when it dithers
    peak = 2**pixel_format.depth - 1
    rows = []
    for scale, weights, offset in _components(color, pixel_format):
        red, green, blue = (scale * weight / (high - low) for weight in weights)
        rows.append((red, green, blue, offset + half))
    ground = [low + part * (high - low) for part in background]
    return _convert.Matrix((rows[0], rows[1], rows[2]), (peak, half), low, high, (ground[0], ground[1], ground[2]))


def _components(color: Color, pixel_format: PixelFormat) -> list[tuple[float, tuple[float, float, float], float]]:
    """Give each component's scale, weights of red, green and blue in [0, 1], and offset, in the format's order."""
    if pixel_format.rgb:
        units = {"R": (1.0, 0.0, 0.0), "G": (0.0, 1.0, 0.0), "B": (0.0, 0.0, 1.0)}
        return [(2**pixel_format.depth - 1, units[name], 0.0) for name in pixel_format.components[:3]]
    kr, kb = color.luma_weights
    luma = (kr, 1 - kr - kb, kb)
    black, white, swing = codes_of_range(pixel_format.depth, color.full_range)
    neutral: float = 1 << pixel_format.depth - 1
    if color.full_range:
        # Full chroma ends half a code above the last one (H.273 clips it): a little less, and the half is rounded down.
        neutral -= 2.0 ** (pixel_format.depth - 21)
    return [
        (white - black, luma, black),
        (swing / (2 - 2 * kb), (-luma[0], -luma[1], 1 - kb), neutral),
        (swing / (2 - 2 * kr), (1 - kr, -luma[1], -luma[2]), neutral),
    ]


def _out_of_range(frame: Frame, value_range: ValueRange) -> FrameError:
    """Say what is wrong with a frame's values: the slow look, taken once something is."""
    values = frame.values.astype(np.float64)
    broken = int(np.count_nonzero(~np.isfinite(values)))
    if broken:
        said = f"frame {frame.index} has {broken} NaN or infinite values of {values.size}: they can't be shown"
        return FrameError(said, page="troubleshooting#black-frames-or-nan")
    low, high = float(values.min()), float(values.max())
    seen = f"frame {frame.index} is {frame.dtype} with values from {low:.4g} to {high:.4g}"
    if value_range != "auto":
        return FrameError(f"{seen}, too large for float32")
    within = float(np.mean((values >= 0) & (values <= 1)))
    way_out = "not [0, 1], [-1, 1] or [0, 255]: pass value_range=(low, high)"
    for looks_like, advised, fits in _RANGES:
        if fits(low, high, within):
            way_out = f"not [0, 1]: they look like {looks_like}, pass value_range={advised}"
            break
    return FrameError(f"{seen}, {way_out}", page="troubleshooting#other-colours-too-dark-or-too-bright")


# What float frames may be that are not within [0, 1], by their lowest and highest value and the part that is within:
# resampling and decoders overshoot by a quarter at most, and light of highlights is several times white.
_RANGES: tuple[tuple[str, tuple[int, int], Callable[[float, float, float], bool]], ...] = (
    ("[0, 1] that overshoots", (0, 1), lambda low, high, within: low >= -0.25 and high <= 4 and within >= 0.5),
    ("[-1, 1]", (-1, 1), lambda low, high, within: -2 <= low < 0 and high <= 2),
    ("[0, 255]", (0, 255), lambda low, high, within: low >= -high / 8 and 4 < high <= 320),
)
