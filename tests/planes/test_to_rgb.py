"""Planes back to RGB, against the float64 oracle: 8 bit rounded, and floats whole."""

from __future__ import annotations

import numpy as np
import pytest
from av import VideoFrame

from telecine.color.color import BT601, BT709
from telecine.planes.to_rgb import to_float_rgb, to_rgb

from ..support.pixels import NEAR_TIE, components_in, converted, picture
from ..support.reference import described, rgb_of

MATRICES = {"bt601": BT601, "bt709": BT709}


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize(("width", "height"), [(2, 2), (64, 48), (63, 49), (1026, 6)])
def test_planes_become_the_rounded_rgb(width: int, height: int, matrix: str) -> None:
    frame = VideoFrame(width, height, "yuv420p")
    for plane in frame.planes:
        plane.update(np.random.default_rng(6).integers(0, 256, plane.buffer_size, np.uint8).tobytes())
    found, (y, cb, cr) = to_rgb(frame, MATRICES[matrix]), components_in(frame)
    assert found.shape == (height, width, 3)
    assert np.abs(found - rgb_of(y, cb, cr, matrix)).max() <= NEAR_TIE[8]


def test_ten_bit_planes_become_the_rounded_rgb() -> None:
    frame = VideoFrame(34, 20, "yuv420p10le")
    for plane in frame.planes:
        plane.update(np.random.default_rng(7).integers(0, 1024, plane.buffer_size // 2, np.uint16).tobytes())
    y, cb, cr = components_in(frame)
    assert np.abs(to_rgb(frame, BT709) - rgb_of(y, cb, cr, "bt709", depth=10)).max() <= NEAR_TIE[8]


@pytest.mark.parametrize("name", ["gbrp", "gbrp10le", "gbrp12le", "gbrp16le", "gbrap", "gbrap12le"])
def test_planar_rgb_is_read_back_rounded_to_8_bit_and_whole_as_float(name: str) -> None:
    frame, rgb = picture("float32", 9, 515)
    planes, _ = converted(frame, name)
    exact = np.stack(components_in(planes)[:3], axis=2) / (2 ** described(name)[0] - 1)
    assert np.abs(to_rgb(planes, BT709) - exact * 255).max() <= NEAR_TIE[8]
    assert np.abs(to_float_rgb(planes, BT709) - exact).max() < 1e-6
    assert np.abs(to_float_rgb(planes, BT709) - rgb).max() < 0.51 / (2 ** described(name)[0] - 1)


@pytest.mark.parametrize("name", ["yuv420p", "yuv420p10le", "yuv420p12le"])
def test_luma_and_chroma_are_read_as_float_without_rounding(name: str) -> None:
    frame, _ = picture("float32", 10, 516)
    planes, _ = converted(frame * 0.2 + 0.4, name)
    y, cb, cr = components_in(planes)
    exact = rgb_of(y, cb, cr, "bt709", described(name)[0]) / 255
    assert np.abs(to_float_rgb(planes, BT709) - exact).max() < 1e-5


def test_float_reading_keeps_what_is_beyond_black_and_white() -> None:
    planes = VideoFrame(4, 4, "yuv444p10le")
    for plane, code in zip(planes.planes, (1019, 512, 512), strict=True):
        plane.update(np.full(plane.buffer_size // 2, code, np.uint16).tobytes())
    assert np.allclose(to_float_rgb(planes, BT709), (1019 - 64) / 876, atol=1e-6)
    assert (to_rgb(planes, BT709) == 255).all()


@pytest.mark.parametrize("name", ["rgb24", "bgra", "gray", "gray10le"])
def test_packed_rgb_and_gray_are_read_as_float_too(name: str) -> None:
    frame = VideoFrame(16, 2, name)
    for plane in frame.planes:
        plane.update(np.tile(np.arange(64, 80, dtype=np.uint16), plane.buffer_size // 32).tobytes())
    assert np.abs(to_float_rgb(frame, BT709).clip(0, 1) * 255 - to_rgb(frame, BT709)).max() <= NEAR_TIE[8]
