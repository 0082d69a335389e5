"""Light to the signal of PQ and HLG, and back: ITU-R BT.2100-2, in float64.

    PQ     E' = ((c1 + c2 Y^m1) / (1 + c3 Y^m1))^m2, Y = F_D / 10000, of light on the display           (table 4)
           F_D = 100 (1.099 (59.5208 E)^0.45 - 0.099)^2.4, of light in the scene: its OOTF
    HLG    E' = sqrt(3 E) up to E = 1/12, a ln(12 E - b) + c above, of light in the scene                (table 5)
           F_D = 1000 Y^0.2 E, Y = 0.2627 R + 0.6780 G + 0.0593 B: its OOTF, for a display of 1000 cd/m2

In frames of linear light 1.0 is reference white, 203 cd/m2 on the display: 58 % of PQ, 75 % of HLG (BT.2408 table 1).
What is below 0 in BT.2020's primaries, or above the peak, is clamped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import FrameError, OptionError
from .frames import Frame
from .hdr_metadata import ContentLight

Real = npt.NDArray[np.float64]

REFERENCE_WHITE = 203.0  # cd/m2
_BAND = 1 << 15  # pixels at a time: what is in between stays in the second-level cache

# x and y of red, green and blue (BT.709 §1.3, SMPTE EG 432-1, BT.2020 table 3); the white of all is D65.
PRIMARIES = {
    "bt709": ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    "p3-d65": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    "bt2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
}
_D65 = (0.3127, 0.3290)

# ---- the formulas --------------------------------------------------------------------------------------------------

_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_PQ_PEAK = 10000.0
_A = 0.17883277
_B, _C = 1 - 4 * _A, 0.5 - _A * np.log(4 * _A)
_HLG_PEAK, _GAMMA = 1000.0, 1.2  # of the display that the OOTF is for (note 5e)
_LUMINANCE = np.array([0.2627, 0.6780, 0.0593])


def _pq_eotf(signal: Real) -> Real:
    root = signal ** (1 / _M2)
    light: Real = _PQ_PEAK * (np.maximum(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1)
    return light


def _pq_inverse_eotf(light: Real) -> Real:
    power = np.minimum(light / _PQ_PEAK, 1) ** _M1
    signal: Real = ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2
    return signal


def _pq_ootf(scene: Real) -> Real:
    scaled = 59.5208 * scene
    curved = np.where(scaled > 0.018, 1.099 * scaled**0.45 - 0.099, 4.5 * scaled)
    light: Real = 100 * curved**2.4
    return light


def _pq_inverse_ootf(light: Real) -> Real:
    curved = (light / 100) ** (1 / 2.4)
    scene: Real = np.where(curved > 0.081, ((curved + 0.099) / 1.099) ** (1 / 0.45), curved / 4.5) / 59.5208
    return scene


def _hlg_oetf(scene: Real) -> Real:
    scene = np.minimum(scene, 1)
    signal: Real = np.where(scene <= 1 / 12, np.sqrt(3 * scene), _A * np.log(12 * np.maximum(scene, 1 / 12) - _B) + _C)
    return signal


def _hlg_inverse_oetf(signal: Real) -> Real:
    scene: Real = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - _C) / _A) + _B) / 12)
    return scene


def _hlg_ootf(scene: Real) -> Real:
    light: Real = _HLG_PEAK * (scene @ _LUMINANCE)[..., None] ** (_GAMMA - 1) * scene
    return light


def _hlg_inverse_ootf(light: Real) -> Real:
    light = light / _HLG_PEAK
    luminance = np.maximum(light @ _LUMINANCE, 1e-30)  # of black, whose power would be infinite
    scene: Real = luminance[..., None] ** (1 / _GAMMA - 1) * light
    return scene


@dataclass(frozen=True)
class System:
    """One of BT.2100's two systems: its functions of (..., 3) RGB in BT.2020's primaries, none of it below 0.

    Light on the display is in cd/m2, up to `peak`; light in the scene and the signal are in [0, 1].
    """

    name: str
    peak: float
    eotf: Callable[[Real], Real]  # signal → display
    inverse_eotf: Callable[[Real], Real]
    ootf: Callable[[Real], Real]  # scene → display
    inverse_ootf: Callable[[Real], Real]


PQ = System("pq", _PQ_PEAK, _pq_eotf, _pq_inverse_eotf, _pq_ootf, _pq_inverse_ootf)
HLG = System(
    "hlg",
    _HLG_PEAK,
    eotf=lambda signal: _hlg_ootf(_hlg_inverse_oetf(signal)),
    inverse_eotf=lambda light: _hlg_oetf(_hlg_inverse_ootf(light)),
    ootf=_hlg_ootf,
    inverse_ootf=_hlg_inverse_ootf,
)
_SYSTEMS = {"pq": PQ, "hlg": HLG}


def to_bt2020(primaries: str) -> Real:
    """Give the matrix from linear RGB of these primaries to BT.2020's (BT.2087 has it of BT.709, to 4 digits).

    >>> to_bt2020("bt709").round(4).tolist()
    [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.088, 0.8956]]
    """
    if primaries == "bt2020":
        return np.eye(3)
    return np.asarray(np.linalg.solve(_to_xyz("bt2020"), _to_xyz(primaries)), np.float64)


def _to_xyz(primaries: str) -> Real:
    def xyz(x: float, y: float) -> Real:
        return np.array([x / y, 1.0, (1 - x - y) / y])

    columns = np.stack([xyz(*each) for each in PRIMARIES[primaries]], axis=1)
    return np.asarray(columns * np.linalg.solve(columns, xyz(*_D65)), np.float64)


# ---- frames of light -----------------------------------------------------------------------------------------------

SCENE, DISPLAY, ENCODED = "scene-linear", "display-linear", "encoded"


class Light:
    """Frames whose values are linear light, or the signal already: to the signal, and back. Meters what it encodes."""

    def __init__(self, system: System, light: str, primaries: str) -> None:
        self._system, self._light = system, light
        self._to_bt2020 = to_bt2020(primaries)
        self._white = np.full(3, REFERENCE_WHITE)  # what 1.0 is
        if light == SCENE:
            self._white = system.inverse_ootf(self._white)
        self._brightest = self._brightest_average = 0.0

    @property
    def content_light(self) -> ContentLight:
        """How bright the frames encoded so far are."""
        return ContentLight(round(self._brightest), round(self._brightest_average))

    def encode(
        self, frame: Frame, low: float, high: float, background: tuple[float, float, float]
    ) -> tuple[npt.NDArray[np.float32], bool]:
        """Give a frame's signal, (height, width, 3), and whether some pixel was composited on the background.

        `low` and `high` are the stored values that mean 0 and 1. Alpha is composited in light where the frame is that,
        else in the signal; the background, in sRGB, with its white at reference white. Where a pixel is not finite the
        signal is NaN.

        Raises:
            FrameError: linear light in integers.
        """
        if self._light != ENCODED and frame.full_scale is not None:
            raise FrameError(
                f"frame {frame.index} is {frame.dtype}, and light={self._light!r} comes in floats: "
                f"pass floats, or light={ENCODED!r} if it is {self._system.name.upper()} already"
            )
        height, width, channels = frame.pixels.shape
        values, ground, smallest_alpha = frame.values, self._ground(background), 1.0
        signal = np.empty((height, width, 3), np.float32)
        brightest = total = 0.0
        for rows in _bands(height, width):
            given = (values[rows].astype(np.float64) - low) / (high - low)
            rgb = given.repeat(3, axis=2) if channels == 1 else given[:, :, :3]
            if self._light != ENCODED:
                rgb = rgb @ self._to_bt2020.T
            if channels == 4:
                alpha = given[:, :, 3:].clip(0, 1)
                rgb = ground + alpha * (rgb - ground)
                smallest_alpha = min(smallest_alpha, float(alpha.min()))
            if self._light == ENCODED:
                band, display = rgb, self._system.eotf(rgb.clip(0, 1))
            else:
                display = self._display(np.maximum(rgb, 0))
                band = self._system.inverse_eotf(display)
            signal[rows] = band
            signal[rows][~np.isfinite(given).all(axis=2)] = np.nan
            levels = np.minimum(display.max(axis=2), self._system.peak)
            brightest, total = max(brightest, float(levels.max())), total + float(levels.sum())
        self._brightest = max(self._brightest, brightest)
        self._brightest_average = max(self._brightest_average, total / (height * width))
        return signal, smallest_alpha < 1

    def decode(self, signal: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Give what a (height, width, 3) signal stands for: linear light, or the signal itself."""
        if self._light == ENCODED:
            return signal
        from_bt2020 = np.linalg.inv(self._to_bt2020)
        for rows in _bands(*signal.shape[:2]):
            light = self._system.eotf(signal[rows].astype(np.float64).clip(0, 1))
            if self._light == SCENE:
                light = self._system.inverse_ootf(light)
            signal[rows] = (light / self._white) @ from_bt2020.T
        return signal

    def _display(self, light: Real) -> Real:
        light = light * self._white
        return self._system.ootf(light) if self._light == SCENE else light

    def _ground(self, background: tuple[float, float, float]) -> Real:
        srgb = np.array(background)
        linear: Real = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)  # IEC 61966-2-1
        linear = to_bt2020("bt709") @ linear
        return self._system.inverse_eotf(linear * REFERENCE_WHITE) if self._light == ENCODED else linear


def _bands(height: int, width: int) -> Iterator[slice]:
    rows = max(1, _BAND // width)
    for top in range(0, height, rows):
        yield slice(top, top + rows)


def parse_light(hdr: str | None, light: Any, primaries: Any) -> Light | None:
    """Check `light` and `primaries` against the kind of HDR, "pq" or "hlg"; None where it is none.

    Raises:
        OptionError: one is missing, unknown, or does not go with the colour.
    """
    system = _SYSTEMS[hdr] if hdr else None
    kinds = f"light={SCENE!r} or {DISPLAY!r}, where 1.0 is white of {REFERENCE_WHITE:g} cd/m2, or {ENCODED!r}"
    if system is None:
        for name, value in (("light", light), ("primaries", primaries)):
            if value is not None:
                raise OptionError(f"{name}={value!r} is for color='pq' and color='hlg': leave it out")
        return None
    if light is None:
        raise OptionError(f"{system.name.upper()} needs to know what values mean: use {kinds}")
    if light not in (SCENE, DISPLAY, ENCODED):
        raise OptionError(f"light={light!r} is not known: use {kinds}")
    if primaries is None:
        primaries = "bt2020" if light == ENCODED else "bt709"
    if not (isinstance(primaries, str) and primaries in PRIMARIES):
        raise OptionError(f"primaries={primaries!r} is not known: use {' or '.join(map(repr, PRIMARIES))}")
    if light == ENCODED and primaries != "bt2020":
        raise OptionError(f"primaries={primaries!r} does not go with light={light!r}, which is BT.2020: leave it out")
    return Light(system, light, primaries)
