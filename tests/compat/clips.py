"""The clips that the drop-in functions write, and what their files hold."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

import telecine

WIDTH, HEIGHT, FRAMES = 64, 48, 12
MEAN_ERROR = 2.5  # of 255, of a flat area: measured is up to 2.0; frames that follow one another are 6 to 10 apart


def shades(width: int = WIDTH, height: int = HEIGHT, count: int = FRAMES) -> npt.NDArray[np.uint8]:
    """A clip that brightens, reddish on the left and bluish on the right."""
    frames = np.full((count, height, width, 3), 90, np.uint8)
    levels = np.arange(80, 80 + 10 * count, 10)[:, None, None]
    frames[:, :, : width // 2, 0] = frames[:, :, width // 2 :, 2] = levels
    return frames


def assert_pixels(path: str, expected: npt.NDArray[np.uint8]) -> None:
    """Every frame is there, in its place, left and right of the edge in the middle, where 4:2:0 mixes colours."""
    found = np.array(list(telecine.read_frames(path)), np.float64)
    assert found.shape == expected.shape
    middle = expected.shape[2] // 2
    for side in (slice(middle - 8), slice(middle + 8, None)):
        difference = found[:, :, side].mean((1, 2)) - expected[:, :, side].mean((1, 2))
        assert np.abs(difference).max() < MEAN_ERROR
