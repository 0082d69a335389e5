"""The eight orientations turn a picture as Pillow does, and each is undone; a display matrix says the same ones."""

from __future__ import annotations

import itertools
import math
import struct

import numpy as np
import pytest
from PIL import Image, ImageOps

from telecine.planes.orientation import Orientation, of_display_matrix, of_exif

PICTURE = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
ALL = [Orientation(rotation, mirrored) for rotation, mirrored in itertools.product((0, 90, 180, 270), (False, True))]


@pytest.mark.parametrize("value", range(1, 9))
def test_exif_turns_as_pillow_does(value: int) -> None:
    image = Image.fromarray(PICTURE)
    image.getexif()[274] = value
    shown = of_exif(value).shown(PICTURE)
    assert np.array_equal(shown, np.asarray(ImageOps.exif_transpose(image)))
    assert of_exif(value).lying == (shown.shape[:2] == (7, 5))


def test_exif_names_each_orientation_once_and_other_values_none() -> None:
    assert {of_exif(value) for value in range(1, 9)} == set(ALL)
    assert all(of_exif(value).upright for value in (0, 1, 9, -1, None, "6", 6.0))


@pytest.mark.parametrize("orientation", ALL, ids=str)
def test_a_turn_is_undone_and_copies_nothing(orientation: Orientation) -> None:
    shown = orientation.shown(PICTURE)
    assert np.shares_memory(shown, PICTURE)
    assert np.array_equal(orientation.stored(shown), PICTURE)


def matrix(a: float, b: float, c: float, d: float) -> bytes:
    return struct.pack(
        "=9i", round(a * 65536), round(b * 65536), 0, round(c * 65536), round(d * 65536), 0, 7, 9, 1 << 30
    )


@pytest.mark.parametrize("orientation", ALL, ids=str)
def test_a_display_matrix_takes_each_pixel_where_it_is_shown(orientation: Orientation) -> None:
    """The corners of the picture, moved by the matrix, are the corners of what is shown."""
    turned, flip = math.radians(orientation.rotation), -1 if orientation.mirrored else 1
    a, b, c, d = flip * math.cos(turned), flip * math.sin(turned), -math.sin(turned), math.cos(turned)
    assert of_display_matrix(matrix(a, b, c, d)) == orientation
    stored = np.array([[1, 2], [3, 4]])
    expected = np.zeros((2, 2), int)
    for y, x in np.ndindex(2, 2):
        across, down = 2 * x - 1, 2 * y - 1  # about the middle
        to_x, to_y = (round(a * across + c * down) + 1) // 2, (round(b * across + d * down) + 1) // 2
        expected[to_y, to_x] = stored[y, x]
    assert np.array_equal(orientation.shown(stored), expected)


def test_a_matrix_of_zeros_says_nothing_and_another_angle_is_told() -> None:
    assert of_display_matrix(matrix(0, 0, 0, 0)).upright
    assert of_display_matrix(matrix(1, 0, 0, 1)).upright
    half = math.sqrt(0.5)
    assert of_display_matrix(matrix(half, half, -half, half)).rotation == 45
    assert not of_display_matrix(matrix(half, half, -half, half)).known
    assert of_display_matrix(matrix(math.cos(0.01), math.sin(0.01), -math.sin(0.01), math.cos(0.01))).upright
