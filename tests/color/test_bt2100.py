"""The formulas of BT.2100 at the points that the recommendations print."""

from __future__ import annotations

import numpy as np
import pytest

from telecine.color.bt2100 import SYSTEMS

PQ, HLG = SYSTEMS["pq"], SYSTEMS["hlg"]


@pytest.mark.parametrize(
    ("light", "signal"),
    [
        (0, 0.0000),
        (0.1, 0.0623),
        (1, 0.1499),
        (100, 0.5081),
        (203, 0.5807),
        (400, 0.6526),
        (1000, 0.7518),
        (2000, 0.8274),
        (4000, 0.9026),
        (10000, 1.0000),
    ],
)
def test_pq_at_known_light(light: float, signal: float) -> None:
    """SMPTE ST 2084's curve, as BT.2408 and Report BT.2390 print points of it."""
    point = np.full((1, 3), float(light))
    assert PQ.inverse_eotf(point) == pytest.approx(signal, abs=6e-5)
    assert PQ.eotf(PQ.inverse_eotf(point)) == pytest.approx(light, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("scene", "signal"), [(0, 0), (1 / 48, 0.25), (1 / 12, 0.5), (0.26496, 0.75), (1, 1)])
def test_hlg_at_known_light(scene: float, signal: float) -> None:
    """BT.2100 table 5; 75 % is the reference white of BT.2408 table 1, 203 cd/m2 on a display of 1000."""
    point = np.full((1, 3), float(scene))
    assert HLG.inverse_eotf(HLG.ootf(point)) == pytest.approx(signal, abs=1e-5)
    assert HLG.ootf(point) == pytest.approx(1000 * scene**1.2, rel=1e-9)
    assert HLG.eotf(np.full((1, 3), 0.75)) == pytest.approx(203, abs=0.3)


def test_the_ootf_of_pq_at_known_light() -> None:
    """BT.2100 table 4: E = 1 is 10000 cd/m2 on the display; the BT.709 curve is straight up to 0.0003024."""
    for scene, light in ((1, 10000), (0.0003024, 100 * 0.081**2.4), (1 / 59.5208, 100)):
        point = np.full((1, 3), scene)
        assert PQ.ootf(point) == pytest.approx(light, rel=1e-3)
        assert PQ.inverse_ootf(PQ.ootf(point)) == pytest.approx(scene, rel=1e-3)
