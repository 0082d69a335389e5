"""A chart of 40 colours, and how far a picture of it is from them."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Color = tuple[int, int, int]  # red, green, blue

# The 24 patches of the ColorChecker in sRGB: two skins, foliage, sky, saturated paints, grays.
COLOR_CHECKER = [
    (115, 82, 68), (194, 150, 130), (98, 122, 157), (87, 108, 67), (133, 128, 177), (103, 189, 170),
    (214, 126, 44), (80, 91, 166), (193, 90, 99), (94, 60, 108), (157, 188, 64), (224, 163, 46),
    (56, 61, 150), (70, 148, 73), (175, 54, 60), (231, 199, 31), (187, 86, 149), (8, 133, 161),
    (243, 243, 242), (200, 200, 200), (160, 160, 160), (122, 122, 121), (85, 85, 85), (52, 52, 52),
]  # fmt: skip
# Then black, white, the primaries and the secondaries, each bright and dark: 40 patches.
PATCHES = np.array([*COLOR_CHECKER, *product((0, 255), repeat=3), *product((0, 64), repeat=3)])
COLUMNS, ROWS = 8, 5


def chart(width: int, height: int) -> Pixels:
    """The chart as (height, width, 3) uint8."""
    row = np.arange(height) * ROWS // height
    column = np.arange(width) * COLUMNS // width
    picture: Pixels = PATCHES.astype(np.uint8)[row[:, None] * COLUMNS + column]
    return picture


def patches_of(rgb: Pixels) -> npt.NDArray[np.float64]:
    """The mean colour of each patch's middle: at its border, halved chroma mixes two patches in every reader."""
    height, width, _ = rgb.shape
    return np.array(
        [
            rgb[
                int((row + 0.25) * height / ROWS) : int((row + 0.75) * height / ROWS),
                int((column + 0.25) * width / COLUMNS) : int((column + 0.75) * width / COLUMNS),
            ].mean((0, 1))
            for row, column in product(range(ROWS), range(COLUMNS))
        ]
    )


def colors_off(rgb: Pixels, bar: Color) -> dict[Color, list[float]]:
    """The patches of which a channel is off by more than the bar, and by how much."""
    errors = patches_of(rgb) - PATCHES
    off = (np.abs(errors) > bar).any(1)
    return {
        (int(red), int(green), int(blue)): error.round(2).tolist()
        for (red, green, blue), error in zip(PATCHES[off], errors[off], strict=True)
    }
