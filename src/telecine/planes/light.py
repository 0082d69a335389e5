"""Frames of linear light, or of a signal that is PQ or HLG already: to that signal, metered, and back.

In linear light 1.0 is reference white, 203 cd/m2 on the display. What is below 0 in BT.2020's primaries, or above the
system's peak, is clamped. The loop is in `_convert`, which takes the curves of BT.2100 from tables of 256 points to an
octave, straight between them: the signal is at most 8e-7 off, 0.0007 of a code in 10 bit and 0.003 in 12.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import _convert
from ..color.bt2100 import (
    HLG_GAMMA,
    HLG_PEAK,
    LUMINANCE,
    PQ_CORNER,
    REFERENCE_WHITE,
    SYSTEMS,
    Real,
    System,
    hlg_inverse_oetf,
    hlg_oetf,
    pq_eotf,
    pq_inverse_eotf,
    pq_ootf,
)
from ..color.hdr import FrameLight
from ..color.primaries import PRIMARIES, to_bt2020
from ..color.srgb import srgb_to_linear
from ..errors import FrameError, OptionError
from .device import DevicePixels
from .frame import SAMPLES, Frame

SCENE, DISPLAY, ENCODED = "scene-linear", "display-linear", "encoded"
_BAND = 1 << 15  # pixels at a time: what is in between stays in the second-level cache
_FIRST_OCTAVE, _OCTAVES, _POINTS = -60, 84, 256  # of the tables; the kernel knows the first and the last (kernel.h)

Curve = Callable[[Real], Real]


class _Way(NamedTuple):
    """How values become a signal, counted in `unit`s, of which there is a power of two wherever a curve has a corner.

    A curve that is missing is a straight line. A pixel's `level`, in cd/m2, is that of its largest channel. There may
    be a factor, of the channels in front of `signal` or of the level: `luminance` of that of the channels' `scene`.
    """

    unit: float = 1.0
    signal: Curve | None = None
    level: Curve | None = None
    scene: Curve | None = None
    luminance: Curve | None = None
    factor_of_level: bool = False


_WAYS = {
    ("PQ", DISPLAY): _Way(signal=pq_inverse_eotf),
    ("PQ", SCENE): _Way(
        PQ_CORNER,
        signal=lambda light: pq_inverse_eotf(pq_ootf(light * PQ_CORNER)),
        level=lambda light: pq_ootf(light * PQ_CORNER),
    ),
    ("PQ", ENCODED): _Way(level=lambda signal: pq_eotf(np.minimum(signal, 1))),
    ("HLG", DISPLAY): _Way(
        signal=lambda light: hlg_oetf(light / 12),
        luminance=lambda light: 12 / HLG_PEAK * (light / HLG_PEAK) ** (1 / HLG_GAMMA - 1),
    ),
    ("HLG", SCENE): _Way(
        1 / 12,
        signal=lambda light: hlg_oetf(light / 12),
        luminance=lambda light: HLG_PEAK / 12 * (light / 12) ** (HLG_GAMMA - 1),
        factor_of_level=True,
    ),
    ("HLG", ENCODED): _Way(
        level=lambda signal: HLG_PEAK * hlg_inverse_oetf(np.minimum(signal, 1)),
        scene=lambda signal: hlg_inverse_oetf(np.minimum(signal, 1)),
        luminance=lambda scene: scene ** (HLG_GAMMA - 1),
        factor_of_level=True,
    ),
}


@functools.cache
def _pieces(curve: Curve | None) -> npt.NDArray[np.float32] | None:
    if curve is None:
        return None
    octaves = 2.0 ** np.arange(_FIRST_OCTAVE, _FIRST_OCTAVE + _OCTAVES)
    begin = (octaves[:, None] * (1 + np.arange(_POINTS) / _POINTS)).ravel()
    end = np.append(begin[1:], 2 * octaves[-1])
    # From just within: between its two curves BT.709 has a small step.
    first, last = curve(begin * (1 + 1e-12)), curve(end * (1 - 1e-12))
    return np.stack((first, last - first), axis=1).astype(np.float32)


class Signal(NamedTuple):
    """A frame's signal, (height, width, 3), and what was found while it was made.

    `composited` tells whether some pixel was composited on the background. `deviation` is how far the furthest value is
    from the middle of its range: infinite or NaN if one is. Then the others mean nothing.
    """

    pixels: npt.NDArray[np.float32]
    composited: bool
    deviation: float
    light: FrameLight


class Light(NamedTuple):
    """What the values of an HDR video's frames are: linear light of the scene or of the display, or the signal."""

    system: System
    kind: str
    primaries: str

    @property
    def is_encoded(self) -> bool:
        """Whether values are the signal already."""
        return self.kind == ENCODED

    @property
    def white(self) -> float:
        """What 1.0 is: in cd/m2 of the display's light, or in the units of the scene's."""
        white = np.full(3, REFERENCE_WHITE)
        return float(self.system.inverse_ootf(white)[0] if self.kind == SCENE else white[0])

    def encode(self, frame: Frame, low: float, high: float, background: tuple[float, float, float]) -> Signal:
        """Give a frame's signal, and how bright it is.

        `low` and `high` are the stored values that mean 0 and 1. Alpha is composited in light where the frame is that,
        else in the signal; the background, in sRGB, with its white at reference white.

        Raises:
            FrameError: linear light in integers.
        """
        if not self.is_encoded and frame.full_scale is not None:
            raise FrameError(
                f"frame {frame.index} is {frame.dtype}, and light={self.kind!r} comes in floats: "
                f"pass floats, or light={ENCODED!r} if it is {self.system.name} already"
            )
        pixels, dtype = frame.pixels, frame.dtype
        if isinstance(pixels, DevicePixels):
            pixels = frame.values
            dtype = pixels.dtype.name
        height, width, _ = pixels.shape
        planes = np.empty((3, height, width), np.float32)
        sample, grade = SAMPLES["uint8" if dtype == "bool" else dtype], _grade(self, low, high, background)
        brightest, total, alpha, deviation = _convert.to_signal(pixels, sample, grade, planes)
        light = FrameLight(brightest, total / (height * width))
        return Signal(planes.transpose(1, 2, 0), alpha < 1, deviation, light)

    def decode(self, signal: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Give what a (height, width, 3) signal stands for: linear light, or the signal itself."""
        if self.is_encoded:
            return signal
        from_bt2020 = np.linalg.inv(to_bt2020(self.primaries)) / self.white
        for rows in _bands(*signal.shape[:2]):
            light = self.system.eotf(signal[rows].astype(np.float64).clip(0, 1))
            if self.kind == SCENE:
                light = self.system.inverse_ootf(light)
            signal[rows] = light @ from_bt2020.T
        return signal


@functools.lru_cache(maxsize=64)
def _grade(light: Light, low: float, high: float, background: tuple[float, float, float]) -> _convert.Grade:
    """Give what the kernel makes a signal by. See kernel.h."""
    way = _WAYS[light.system.name, light.kind]
    white = 1.0 if light.is_encoded else light.white / way.unit
    ground = to_bt2020("bt709") @ srgb_to_linear(np.array(background))
    ground = light.system.inverse_eotf(ground * REFERENCE_WHITE) if light.is_encoded else ground * white
    return _convert.Grade(
        matrix=(to_bt2020(light.primaries) * white / (high - low)).tolist(),
        low=low,
        high=high,
        background=ground.tolist(),
        curves=[_pieces(curve) for curve in (way.signal, way.level, way.scene, way.luminance)],
        factor_of_level=way.factor_of_level,
        weights=LUMINANCE,
        peak=light.system.peak,
    )


def _bands(height: int, width: int) -> Iterator[slice]:
    rows = max(1, _BAND // width)
    for top in range(0, height, rows):
        yield slice(top, top + rows)


def parse_light(hdr: str | None, light: Any, primaries: Any) -> Light | None:
    """Check `light` and `primaries` against the kind of HDR, "pq" or "hlg"; None where it is none.

    Raises:
        OptionError: one is missing, unknown, or does not go with the colour.
    """
    system = SYSTEMS[hdr] if hdr else None
    kinds = f"light={SCENE!r} or {DISPLAY!r}, where 1.0 is white of {REFERENCE_WHITE:g} cd/m2, or {ENCODED!r}"
    if system is None:
        for name, value in (("light", light), ("primaries", primaries)):
            if value is not None:
                raise OptionError(f"{name}={value!r} is for color='pq' and color='hlg': leave it out")
        return None
    if light is None:
        raise OptionError(f"{system.name} needs to know what values mean: use {kinds}")
    if light not in (SCENE, DISPLAY, ENCODED):
        raise OptionError(f"light={light!r} is not known: use {kinds}")
    if primaries is None:
        primaries = "bt2020" if light == ENCODED else "bt709"
    if not (isinstance(primaries, str) and primaries in PRIMARIES):
        raise OptionError(f"primaries={primaries!r} is not known: use {' or '.join(map(repr, PRIMARIES))}")
    if light == ENCODED and primaries != "bt2020":
        raise OptionError(f"primaries={primaries!r} does not go with light={light!r}, which is BT.2020: leave it out")
    return Light(system, light, primaries)
