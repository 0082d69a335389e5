"""The primaries of RGB, and the way from linear light of one set of them to BT.2020's."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Chromaticity = tuple[float, float]

# x and y of red, green and blue (BT.709 §1.3, SMPTE EG 432-1, BT.2020 table 3); the white of all is D65.
PRIMARIES: dict[str, tuple[Chromaticity, Chromaticity, Chromaticity]] = {
    "bt709": ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    "p3-d65": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    "bt2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
}
D65: Chromaticity = (0.3127, 0.3290)


def to_bt2020(primaries: str) -> npt.NDArray[np.float64]:
    """Give the matrix from linear RGB of these primaries to BT.2020's (BT.2087 has it of BT.709, to 4 digits).

    >>> to_bt2020("bt709").round(4).tolist()
    [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.088, 0.8956]]
    """
    if primaries == "bt2020":
        return np.eye(3)
    return np.asarray(np.linalg.solve(_to_xyz("bt2020"), _to_xyz(primaries)), np.float64)


def _to_xyz(primaries: str) -> npt.NDArray[np.float64]:
    def xyz(x: float, y: float) -> npt.NDArray[np.float64]:
        return np.array([x / y, 1.0, (1 - x - y) / y])

    columns = np.stack([xyz(*each) for each in PRIMARIES[primaries]], axis=1)
    return np.asarray(columns * np.linalg.solve(columns, xyz(*D65)), np.float64)
