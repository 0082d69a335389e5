"""The formulas of PQ and HLG: ITU-R BT.2100-2, in float64.

    PQ     E' = ((c1 + c2 Y^m1) / (1 + c3 Y^m1))^m2, Y = F_D / 10000, of light on the display           (table 4)
           F_D = 100 (1.099 (59.5208 E)^0.45 - 0.099)^2.4, 100 (267.84 E)^2.4 up to E = 0.0003024: its OOTF
    HLG    E' = sqrt(3 E) up to E = 1/12, a ln(12 E - b) + c above, of light in the scene                (table 5)
           F_D = 1000 Y^0.2 E, Y = 0.2627 R + 0.6780 G + 0.0593 B: its OOTF, for a display of 1000 cd/m2

Light on the display is in cd/m2; light in the scene and the signal are in [0, 1], and go on above 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Real = npt.NDArray[np.float64]

REFERENCE_WHITE = 203.0  # cd/m2: 58 % of PQ, 75 % of HLG (BT.2408 table 1)
LUMINANCE = (0.2627, 0.6780, 0.0593)  # of BT.2020's red, green and blue

PQ_PEAK = 10000.0
PQ_CORNER = 0.0003024  # the scene light where the two parts of its OOTF meet, but for a small step
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32

HLG_PEAK, HLG_GAMMA = 1000.0, 1.2  # of the display that the OOTF is for (note 5e)
_A = 0.17883277
_B, _C = 1 - 4 * _A, 0.5 - _A * np.log(4 * _A)


def pq_eotf(signal: Real) -> Real:
    """Signal → display."""
    root = signal ** (1 / _M2)
    light: Real = PQ_PEAK * (np.maximum(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1)
    return light


def pq_inverse_eotf(light: Real) -> Real:
    """Display → signal."""
    power = (light / PQ_PEAK) ** _M1
    signal: Real = ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2
    return signal


def pq_ootf(scene: Real) -> Real:
    """Scene → display."""
    curved = np.where(scene > PQ_CORNER, 1.099 * (59.5208 * scene) ** 0.45 - 0.099, 267.84 * scene)
    light: Real = 100 * curved**2.4
    return light


def pq_inverse_ootf(light: Real) -> Real:
    """Display → scene."""
    curved = (light / 100) ** (1 / 2.4)
    scene: Real = np.where(curved > 0.081, ((curved + 0.099) / 1.099) ** (1 / 0.45) / 59.5208, curved / 267.84)
    return scene


def hlg_oetf(scene: Real) -> Real:
    """Scene → signal."""
    signal: Real = np.where(scene <= 1 / 12, np.sqrt(3 * scene), _A * np.log(12 * np.maximum(scene, 1 / 12) - _B) + _C)
    return signal


def hlg_inverse_oetf(signal: Real) -> Real:
    """Signal → scene."""
    scene: Real = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - _C) / _A) + _B) / 12)
    return scene


def hlg_ootf(scene: Real) -> Real:
    """Scene → display, of (..., 3) RGB."""
    light: Real = HLG_PEAK * (scene @ np.array(LUMINANCE))[..., None] ** (HLG_GAMMA - 1) * scene
    return light


def hlg_inverse_ootf(light: Real) -> Real:
    """Display → scene, of (..., 3) RGB."""
    light = light / HLG_PEAK
    luminance = np.maximum(light @ np.array(LUMINANCE), 1e-30)  # of black, whose power would be infinite
    scene: Real = luminance[..., None] ** (1 / HLG_GAMMA - 1) * light
    return scene


class System(NamedTuple):
    """One of the two: its functions of (..., 3) RGB in BT.2020's primaries, none of it below 0, and its peak."""

    name: str
    peak: float
    eotf: Callable[[Real], Real]  # signal → display
    inverse_eotf: Callable[[Real], Real]
    ootf: Callable[[Real], Real]  # scene → display
    inverse_ootf: Callable[[Real], Real]


SYSTEMS = {
    "pq": System("PQ", PQ_PEAK, pq_eotf, pq_inverse_eotf, pq_ootf, pq_inverse_ootf),
    "hlg": System(
        "HLG",
        HLG_PEAK,
        eotf=lambda signal: hlg_ootf(hlg_inverse_oetf(signal)),
        inverse_eotf=lambda light: hlg_oetf(hlg_inverse_ootf(light)),
        ootf=hlg_ootf,
        inverse_ootf=hlg_inverse_ootf,
    ),
}
