"""The transfer function of sRGB: IEC 61966-2-1."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def srgb_to_linear(encoded: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Give linear light of encoded values that are not below 0; 1 stays 1.

    >>> srgb_to_linear(np.array([0, 0.5, 1.0])).round(4).tolist()
    [0.0, 0.214, 1.0]
    """
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
