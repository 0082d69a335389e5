"""Pixels become the codes that rounding the real numbers gives."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from telecine.planes.codes import to_codes, to_floats


def rounded(value: float, white: int, low: float = 0, high: float = 1) -> int:
    """The oracle: rational numbers, halves up."""
    share = (Fraction(value) - Fraction(low)) / (Fraction(high) - Fraction(low))
    return min(max(math.floor(share * white + Fraction(1, 2)), 0), white)


def near_ties(dtype: str, white: int, low: float = 0, high: float = 1) -> npt.NDArray[Any]:
    """The floats about each number half way between two codes, and what overshoots."""
    ties = low + (np.arange(0, white, max(1, white // 500)) + 0.5) / white * (high - low)
    ties = ties.astype(dtype)
    beside = [ties, np.nextafter(ties, np.inf, dtype=dtype), np.nextafter(ties, -np.inf, dtype=dtype)]
    ends = np.array([low, high, low - 0.3, high + 0.3, low + 1e-7, (low + high) / 2], dtype)
    return np.concatenate([*beside, ends, np.random.default_rng(0).uniform(low, high, 300).astype(dtype)])


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("value_range", [(0, 1), (-1, 1), (0, 255)])
def test_floats_are_rounded_exactly(dtype: str, bits: int, value_range: tuple[float, float]) -> None:
    white = 2**bits - 1
    values = near_ties(dtype, white, *value_range)
    wanted = [rounded(float(value), white, *value_range) for value in values]
    assert to_codes(values, bits, *value_range).tolist() == wanted


@pytest.mark.parametrize(("dtype", "full"), [("bool", 1), ("uint8", 255), ("uint16", 65535)])
@pytest.mark.parametrize("bits", [8, 16])
def test_integers_keep_their_share_of_the_full_scale(dtype: str, full: int, bits: int) -> None:
    white = 2**bits - 1
    values = np.arange(full + 1).astype(dtype)
    wanted = [math.floor(Fraction(value * white, full) + Fraction(1, 2)) for value in range(full + 1)]
    assert to_codes(values, bits).tolist() == wanted


def test_codes_and_floats_are_copies() -> None:
    for pixels in (np.zeros(3, np.uint8), np.zeros(3, np.float32)):
        codes, floats = to_codes(pixels, 8), to_floats(pixels)
        pixels[:] = 1
        assert not codes.any()
        assert not floats.any()


def test_floats_keep_what_overshoots() -> None:
    assert to_floats(np.array([-1.5, -1, 0, 1, 2], np.float16), -1, 1).tolist() == [-0.25, 0, 0.5, 1, 1.5]
    assert to_floats(np.array([0, 13107, 65535], np.uint16)).tolist() == [0, np.float32(0.2), 1]
    assert to_floats(np.array([False, True])).tolist() == [0, 1]
