"""Every pixel format of the table against the float64 oracle: each dtype, odd sizes, strides, ranges, alpha; dither."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from av import VideoFrame

from telecine import FrameError, OptionError
from telecine.color.color import BT601, BT709, Color
from telecine.frames.recognise import Recognizer
from telecine.planes.convert import Conversion
from telecine.planes.pixel_formats import PIXEL_FORMATS

from ..support.pixels import DTYPES, assert_codes_round, codes, components_in, converted, picture
from ..support.reference import Real, described, over, planes_of

FORMATS = list(PIXEL_FORMATS)
WITH_ALPHA = [name for name in FORMATS if PIXEL_FORMATS[name].alpha]
OF_RGB = [name for name in FORMATS if PIXEL_FORMATS[name].rgb]
OF_LUMA = [name for name in FORMATS if not PIXEL_FORMATS[name].rgb]
OF_8_BIT = [name for name in FORMATS if PIXEL_FORMATS[name].depth == 8]
BACKGROUND = (0.25, 0.5, 1.0)
FULL_RANGE = Color(matrix=1, primaries=1, transfer=1, full_range=True)
BT2020 = Color(matrix=9, primaries=9, transfer=16)


@pytest.mark.parametrize("name", FORMATS)
def test_the_table_says_what_ffmpeg_says(name: str) -> None:
    row = PIXEL_FORMATS[name]
    assert (row.depth, row.log2_chroma, row.rgb, row.alpha) == described(name)
    assert row.name == name
    assert row.packed != VideoFrame(2, 2, name).format.is_planar
    assert len(VideoFrame(2, 2, name).planes) == (1 if row.packed else len(row.components))


@pytest.mark.parametrize(
    ("name", "padding"), [("yuv420p10le", (1, 1)), ("yuv422p", (1, 0)), ("yuv444p", (0, 0)), ("gbrap", (0, 0))]
)
def test_only_sides_that_halved_chroma_cannot_hold_are_padded(name: str, padding: tuple[int, int]) -> None:
    assert PIXEL_FORMATS[name].padding(63, 47) == padding
    assert PIXEL_FORMATS[name].padding(64, 48) == (0, 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FORMATS)
def test_code_values_are_the_rounded_real_ones(name: str, dtype: str) -> None:
    for width, height in ((1, 1), (2, 2), (7, 3), (16, 5), (513, 3), (1026, 2)):
        frame, rgb = picture(dtype, height, width)
        assert_codes_round(codes(frame, name), rgb, "bt709", name)
        assert_codes_round(codes(frame, name, BT601), rgb, "bt601", name)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FORMATS)
def test_planar_and_strided_views_are_read_in_place(name: str, dtype: str) -> None:
    frame, rgb = picture(dtype, 21, 130)
    planar = frame.permute(2, 0, 1).contiguous() if isinstance(frame, torch.Tensor) else frame.transpose(2, 0, 1).copy()
    assert_codes_round(codes(planar, name, layout="CHW"), rgb, "bt709", name)
    for view in (np.s_[::3, 5:50:2], np.s_[1:, 1:]):
        assert_codes_round(codes(frame[view], name), rgb[view], "bt709", name)
    if not isinstance(frame, torch.Tensor):
        for turned in (np.s_[::-1, ::-1], np.s_[:, :, ::-1]):
            assert_codes_round(codes(frame[turned], name), rgb[turned], "bt709", name)


@pytest.mark.parametrize("name", FORMATS)
def test_gray_is_shown_as_gray(name: str) -> None:
    frame, gray = picture("float32", 9, 33, channels=1)
    assert_codes_round(codes(frame, name), np.broadcast_to(gray, (9, 33, 3)), "bt709", name)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OF_LUMA)
def test_full_range_codes_are_the_rounded_and_clipped_real_ones(name: str, dtype: str) -> None:
    frame, rgb = picture(dtype, 6, 40)
    assert_codes_round(codes(frame, name, FULL_RANGE), rgb, "bt709", name, full_range=True)


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020"])
@pytest.mark.parametrize("name", OF_LUMA)
def test_the_corners_of_the_colour_cube_do_not_wrap_around(name: str, matrix: str, full_range: bool) -> None:
    known = {"bt601": BT601, "bt709": BT709, "bt2020": BT2020}[matrix]
    color = Color(known.matrix, known.primaries, known.transfer, full_range)
    cube = np.stack(np.meshgrid([0.0, 1.0], [0.0, 1.0], [0.0, 1.0]), axis=-1).reshape(-1, 3)
    frame = np.repeat(np.repeat(cube[:, None, :], 8, axis=0), 6, axis=1)  # each 8 lines high, so whole in chroma too
    for low, high in ((0.0, 1.0), (-1.0, 1.0), (0.1, 0.7)):
        stored = (low + frame * (high - low)).astype(np.float32)
        found = codes(stored, name, color, value_range=(low, high))
        assert_codes_round(found, frame, matrix, name, full_range)


def test_neutral_chroma_and_black_and_white_are_the_standards_codes() -> None:
    """BT.2100 table 9: black, white and neutral of 10 and 12 bit, in limited and full range."""
    for name, color, black, white, neutral in (
        ("yuv444p10le", BT709, 64, 940, 512),
        ("yuv444p10le", FULL_RANGE, 0, 1023, 512),
        ("yuv444p12le", BT2020, 256, 3760, 2048),
        ("yuv444p12le", FULL_RANGE, 0, 4095, 2048),
        ("yuv422p", FULL_RANGE, 0, 255, 128),
    ):
        frame = np.zeros((2, 8, 3), np.float32)
        frame[1] = 1
        y, cb, cr = codes(frame, name, color)
        assert (y[0].tolist(), y[1].tolist()) == ([black] * 8, [white] * 8)
        assert set(cb.ravel()) == set(cr.ravel()) == {neutral}


# ---- RGB is what was given -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in OF_RGB if PIXEL_FORMATS[name].depth in (8, 16)])
def test_integers_in_rgb_of_their_depth_are_unchanged(name: str) -> None:
    depth, _, _, alpha = described(name)
    dtype = np.uint8 if depth == 8 else np.uint16
    channels = 4 if alpha else 3
    every = np.arange(2**depth, dtype=dtype)
    shuffled = np.random.default_rng(0).permutation(np.resize(every, 2**16 * 12))
    frame = shuffled.reshape(-1, 1024, channels)
    assert np.array_equal(np.stack(codes(frame, name), axis=2), frame)
    planar = np.ascontiguousarray(frame.transpose(2, 0, 1))
    assert np.array_equal(np.stack(codes(planar, name, layout="CHW"), axis=2), frame)


@pytest.mark.parametrize("name", ["gbrp16le", "gbrap16le", "rgb48le", "rgba64le"])
def test_eight_bit_in_sixteen_is_spread_over_the_full_range(name: str) -> None:
    frame = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    for component in codes(frame, name)[:3]:
        assert np.array_equal(component, frame[:, :, 0].astype(np.uint16) * 257)


# ---- alpha ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FORMATS)
def test_alpha_is_kept_straight_where_the_format_holds_it_and_composited_elsewhere(name: str, dtype: str) -> None:
    for width, height in ((5, 3), (516, 2)):
        frame, rgba = picture(dtype, height, width, channels=4)
        planes, composited = converted(frame, name, background=BACKGROUND)
        expected = rgba if name in WITH_ALPHA else over(rgba, BACKGROUND)
        assert_codes_round(components_in(planes), expected, "bt709", name)
        assert composited == (name not in WITH_ALPHA)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", WITH_ALPHA)
def test_a_frame_without_alpha_is_opaque(name: str, channels: int) -> None:
    frame, _ = picture("float32", 7, 515, channels=channels)
    alpha = codes(frame, name)[3]
    assert (alpha == 2 ** PIXEL_FORMATS[name].depth - 1).all()


@pytest.mark.parametrize("broken", [np.nan, np.inf, 1.5, -0.5])
@pytest.mark.parametrize("channel", [1, 3])
@pytest.mark.parametrize("name", WITH_ALPHA)
def test_a_bad_value_is_found_in_colour_and_alpha(name: str, channel: int, broken: float) -> None:
    frame = np.full((3, 515, 4), 0.25, np.float32)
    frame[2, 514, channel] = broken
    with pytest.raises(FrameError, match="frame 0"):
        codes(frame, name)


# ---- what is out of range ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("name", FORMATS)
def test_what_overshoots_a_given_range_is_clamped(name: str, channels: int) -> None:
    values = np.random.default_rng(2).normal(0, 3, (5, 515, channels)).astype(np.float32)
    clamped = np.clip((values.astype(np.float64) + 1) / 2, 0, 1)
    expected: Real = np.broadcast_to(clamped, (5, 515, 3)) if channels == 1 else clamped
    if channels == 4 and name not in WITH_ALPHA:
        expected = over(clamped, (0, 0, 0))
    assert_codes_round(codes(values, name, value_range=(-1.0, 1.0)), expected, "bt709", name)


@pytest.mark.parametrize("name", ["nv12", "yuv420p9le", "gray", "yuv444p16le"])
def test_a_format_that_is_not_in_the_table_is_an_error_that_lists_those_that_are(name: str) -> None:
    (frame,) = Recognizer("HWC").frames(np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(OptionError, match=f"pixel format '{name}' can't be converted to: use one of yuv420p, "):
        Conversion(BT709).to_planes(frame, VideoFrame(4, 4, name))


@pytest.mark.parametrize("name", FORMATS)
def test_planes_smaller_than_the_picture_are_refused(name: str) -> None:
    (frame,) = Recognizer("HWC").frames(np.zeros((10, 8, 3), np.uint8))
    with pytest.raises(ValueError, match="smaller than its picture"):
        Conversion(BT709).to_planes(frame, VideoFrame(8, 8, name))


# ---- dither --------------------------------------------------------------------------------------------------------


def local_mean_error(found: list[npt.NDArray[Any]], real: tuple[Real, ...], side: int = 16) -> float:
    """The largest difference of the means over squares of `side` samples, in codes."""
    worst = 0.0
    for plane, exact in zip(found, real, strict=True):
        height, width = (length // side * side for length in exact.shape)
        error = (plane[:height, :width] - exact[:height, :width]).reshape(height // side, side, width // side, side)
        worst = max(worst, float(np.abs(error.mean(axis=(1, 3))).max()))
    return worst


@pytest.mark.parametrize("name", OF_8_BIT)
def test_dither_keeps_the_local_means_of_a_slow_gradient(name: str) -> None:
    """Over 1360 columns, 5 codes of 8 bit: rounded, 16x16 means are up to half a code off, which shows as bands."""
    ramp = np.linspace(0.4, 0.42, 1360)[None, :, None] + np.linspace(0, 0.002, 256)[:, None, None]
    gradient = (ramp * [1.0, 0.9, 0.8]).astype(np.float32)
    real = planes_of(gradient.astype(np.float64), "bt709", name)
    opaque = real[:3]
    assert local_mean_error(codes(gradient, name)[:3], opaque) > 0.4
    assert local_mean_error(codes(gradient, name, dither=True)[:3], opaque) < 0.04


@pytest.mark.parametrize("name", OF_8_BIT)
def test_dither_stays_within_the_two_codes_next_to_the_real_one(name: str) -> None:
    frame, rgb = picture("float32", 65, 1025)
    for color in (BT709, FULL_RANGE):
        found = codes(frame, name, color, dither=True)
        for plane, real in zip(found, planes_of(rgb, "bt709", name, color.full_range), strict=True):
            assert np.abs(plane - real).max() < 1.001


@pytest.mark.parametrize("name", [name for name in OF_8_BIT if PIXEL_FORMATS[name].rgb])
def test_dither_leaves_codes_that_are_exact_alone(name: str) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (65, 600, 4 if name in WITH_ALPHA else 3), np.uint8)
    assert np.array_equal(np.stack(codes(frame, name, dither=True), axis=2), frame)


def test_dither_of_black_and_white_and_pure_colours_is_their_codes_in_luma_and_chroma() -> None:
    frame = np.zeros((128, 128, 3), np.float32)
    frame[64:] = 1
    y, cb, cr = codes(frame, "yuv420p", dither=True)
    assert (set(y[:64].ravel()), set(y[64:].ravel())) == ({16}, {235})
    assert set(cb.ravel()) == set(cr.ravel()) == {128}


def test_dither_has_no_low_frequencies() -> None:
    """Blue noise: a flat half becomes half ones with next to no power at low frequencies; white noise is even."""
    flat = np.full((64, 64, 3), 100.5 / 255, np.float64)
    pattern = codes(flat, "gbrp", dither=True)[0] - 100.0
    assert pattern.sum() == 64 * 64 / 2
    power = np.abs(np.fft.fft2(pattern - 0.5)) ** 2
    distance = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64)[None, :])
    low, rest = power[distance < 0.125].mean(), power[distance >= 0.125].mean()
    assert low < 0.03 * rest


@pytest.mark.parametrize("name", ["yuv420p10le", "gbrp16le"])
def test_dither_beyond_8_bit_is_an_error(name: str) -> None:
    with pytest.raises(OptionError, match=f"dither is for 8 bit and {name} has"):
        codes(np.zeros((4, 4, 3), np.uint8), name, dither=True)
