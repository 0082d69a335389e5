"""The oracle of PQ and HLG: ITU-R BT.2100-2 tables 4 and 5, from the text, in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .reference import Real

WEIGHTS = np.array([0.2627, 0.6780, 0.0593])
# To BT.2020 from each, to nine digits and to five: of BT.709, BT.2087 has the first four.
TO_BT2020 = {
    "bt709": np.array(
        [
            [0.627403896, 0.329283038, 0.043313066],
            [0.069097289, 0.919540395, 0.011362316],
            [0.016391439, 0.088013308, 0.895595253],
        ]
    ),
    "p3-d65": np.array([[0.75383, 0.19860, 0.04757], [0.04574, 0.94178, 0.01248], [-0.00121, 0.01760, 0.98361]]),
    "bt2020": np.eye(3),
}


def pq(light: Real) -> Real:
    """Of cd/m2 on the display."""
    power = (np.minimum(light, 10000) / 10000) ** 0.1593017578125
    signal: Real = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    return signal


def pq_ootf(scene: Real) -> Real:
    e = np.asarray(scene)
    nonlinear = np.where(e > 0.0003024, 1.099 * (59.5208 * e) ** 0.45 - 0.099, 267.84 * e)
    light: Real = 100 * nonlinear**2.4
    return light


def hlg(scene: Real) -> Real:
    e = np.minimum(scene, 1)
    with np.errstate(invalid="ignore"):
        signal: Real = np.where(e > 1 / 12, 0.17883277 * np.log(12 * e - 0.28466892) + 0.55991073, np.sqrt(3 * e))
    return signal


def hlg_ootf(scene: Real) -> Real:
    light: Real = 1000 * (scene @ WEIGHTS)[..., None] ** 0.2 * scene
    return light


def hlg_inverse_ootf(light: Real) -> Real:
    scene: Real = (light / 1000) * ((light @ WEIGHTS)[..., None] / 1000) ** (-0.2 / 1.2)
    return scene


# What 1.0 is where light is that of the scene: what the OOTF shows as 203 cd/m2.
WHITE = {"pq": 0.03073119, "hlg": 0.26479719}
SIGNALS: dict[tuple[str, str], Callable[[Real], Real]] = {
    ("pq", "display-linear"): lambda rgb: pq(203 * rgb),
    ("pq", "scene-linear"): lambda rgb: pq(pq_ootf(WHITE["pq"] * rgb)),
    ("hlg", "display-linear"): lambda rgb: hlg(hlg_inverse_ootf(203 * rgb)),
    ("hlg", "scene-linear"): lambda rgb: hlg(WHITE["hlg"] * rgb),
}
