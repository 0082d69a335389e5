"""The thresholds of ordered dither: a tile of blue noise, made by the void-and-cluster method.

R. Ulichney, "The void-and-cluster method for dither array generation", SPIE 1913 (1993). Energies are integers, so the
tile is the same on every machine.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

SIDE = 64
_REPEATS = 8  # the kernel takes rows as wide as its tiles of 512 columns
_SIGMA = 1.5  # of the Gaussian that clusters and voids are found by: Ulichney's


class _Pattern:
    """A binary pattern on a torus, and how crowded each place in it is."""

    def __init__(self) -> None:
        self.ones = np.zeros((SIDE, SIDE), np.bool_)
        self._energy = np.zeros((SIDE, SIDE), np.int64)
        distance = np.minimum(np.arange(SIDE), SIDE - np.arange(SIDE))
        gaussian = np.exp(-(distance[:, None] ** 2 + distance**2) / (2 * _SIGMA**2))
        self._around = np.tile(np.rint(gaussian * 2**30).astype(np.int64), (2, 2))

    def toggle(self, place: int) -> None:
        y, x = divmod(place, SIDE)
        around = self._around[SIDE - y : 2 * SIDE - y, SIDE - x : 2 * SIDE - x]
        self._energy += -around if self.ones[y, x] else around
        self.ones[y, x] ^= True

    def tightest_cluster(self) -> int:
        return int(np.where(self.ones, self._energy, -1).argmax())

    def largest_void(self) -> int:
        return int(np.where(self.ones, np.iinfo(np.int64).max, self._energy).argmin())


def _spread_pattern(count: int) -> _Pattern:
    """Scatter ones, then move the most crowded into the largest void until that is where it came from."""
    pattern = _Pattern()
    for place in np.random.RandomState(0).permutation(SIDE * SIDE)[:count]:
        pattern.toggle(int(place))
    while True:
        cluster = pattern.tightest_cluster()
        pattern.toggle(cluster)
        void = pattern.largest_void()
        pattern.toggle(void)
        if void == cluster:
            return pattern


@functools.cache
def thresholds() -> npt.NDArray[np.float32]:
    """Give the rows of the tile, each repeated to 512 columns: every (rank + 0.5) / 4096 once in 64x64."""
    count = SIDE * SIDE // 10
    ranks = np.empty(SIDE * SIDE)
    pattern = _spread_pattern(count)
    for rank in reversed(range(count)):
        cluster = pattern.tightest_cluster()
        pattern.toggle(cluster)
        ranks[cluster] = rank
    pattern = _spread_pattern(count)
    for rank in range(count, SIDE * SIDE):
        void = pattern.largest_void()
        pattern.toggle(void)
        ranks[void] = rank
    tile = ((ranks + 0.5) / ranks.size).astype(np.float32).reshape(SIDE, SIDE)
    return np.ascontiguousarray(np.tile(tile, (1, _REPEATS)))
