"""Code values against the float64 oracle: every dtype, layout, odd size, range and instruction set."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from av import VideoFrame
from PIL import Image

from telecine import FrameError, _convert
from telecine.color.color import BT601, BT709
from telecine.frames.recognise import Recognizer
from telecine.planes import convert
from telecine.planes.convert import Conversion
from telecine.planes.pixel_formats import PIXEL_FORMATS

from ..support.helpers import ROOT
from ..support.pixels import DTYPES, assert_codes_round, codes, picture
from ..support.reference import over

MATRICES = {"bt601": BT601, "bt709": BT709}
# Below, at and above the kernel's tile of 512 columns, odd and even, down to one pixel.
SIZES = [(1, 1), (2, 2), (1, 7), (7, 1), (3, 5), (16, 16), (33, 31), (512, 4), (513, 3), (1025, 5)]


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_code_values_are_the_rounded_real_ones(dtype: str, width: int, height: int, matrix: str) -> None:
    frame, rgb = picture(dtype, height, width)
    assert_codes_round(codes(frame, color=MATRICES[matrix]), rgb, matrix)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", ["HWC", "CHW", "WHC", "CWH", "WCH", "HCW"])
def test_every_order_of_the_axes_is_read_in_place(layout: str, dtype: str) -> None:
    frame, rgb = picture(dtype, 21, 530)
    axes = ["HWC".index(letter) for letter in layout]
    transposed = frame.permute(axes) if isinstance(frame, torch.Tensor) else frame.transpose(axes)
    assert_codes_round(codes(transposed, layout=layout), rgb)
    compact = transposed.contiguous() if isinstance(transposed, torch.Tensor) else np.ascontiguousarray(transposed)
    assert_codes_round(codes(compact, layout=layout), rgb)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32", "float64"])
def test_strided_reversed_and_broadcast_views_are_read_in_place(dtype: str) -> None:
    frame, rgb = picture(dtype, 40, 60)
    for view in (np.s_[::-1, ::-1], np.s_[3:33:3, 5:50:2], np.s_[:, :, ::-1], np.s_[1:, 1:]):
        assert_codes_round(codes(frame[view]), rgb[view])
    row = np.broadcast_to(frame[:1], (8, *frame.shape[1:]))
    assert_codes_round(codes(row), np.broadcast_to(rgb[:1], (8, *rgb.shape[1:])))


def test_read_only_arrays_are_accepted() -> None:
    frame, rgb = picture("float32", 10, 12)
    frame.setflags(write=False)
    assert_codes_round(codes(frame), rgb)


@pytest.mark.parametrize("dtype", ["uint16", "float32", "float64"])
def test_bytes_of_the_other_order_are_accepted(dtype: str) -> None:
    frame, rgb = picture(dtype, 10, 12)
    assert_codes_round(codes(frame.astype(frame.dtype.newbyteorder())), rgb)


@pytest.mark.parametrize("dtype", DTYPES)
def test_gray_is_shown_as_gray(dtype: str) -> None:
    frame, gray = picture(dtype, 11, 515, channels=1)
    found = codes(frame)
    assert_codes_round(found, np.broadcast_to(gray, (11, 515, 3)))
    assert (found[1] == 128).all()
    assert (found[2] == 128).all()


def test_bool_is_black_and_white() -> None:
    frame = np.random.default_rng(0).random((9, 33, 3)) > 0.5
    assert_codes_round(codes(frame), frame.astype(np.float64))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", ["HWC", "CHW"])
def test_alpha_is_composited_on_the_background(layout: str, dtype: str) -> None:
    frame, rgba = picture(dtype, 12, 514, channels=4)
    if layout == "CHW":
        frame = frame.permute(2, 0, 1) if isinstance(frame, torch.Tensor) else frame.transpose(2, 0, 1)
    background = (0.25, 0.5, 1.0)
    assert_codes_round(codes(frame, layout=layout, background=background), over(rgba, background))


@pytest.mark.parametrize("value_range", [(-1.0, 1.0), (0.0, 255.0), (0.0, 1.0), (-3.5, 0.25)])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_a_value_range_is_folded_in(dtype: str, value_range: tuple[float, float]) -> None:
    low, high = value_range
    tensor = torch.tensor(np.random.default_rng(1).random((10, 600, 3)) * (high - low) + low)
    stored = tensor.to(getattr(torch, dtype))
    rgb = np.clip((stored.double().numpy() - low) / (high - low), 0, 1)
    assert_codes_round(codes(stored, value_range=value_range), rgb)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_what_overshoots_a_given_range_is_clamped(dtype: str, channels: int) -> None:
    values = np.random.default_rng(2).normal(0, 3, (9, 515, channels))
    stored = torch.tensor(values).to(getattr(torch, dtype))
    clamped = np.clip((stored.double().numpy() + 1) / 2, 0, 1)
    rgb = over(clamped, (0, 0, 0)) if channels == 4 else np.broadcast_to(clamped, (9, 515, 3))
    assert_codes_round(codes(stored, value_range=(-1.0, 1.0)), rgb)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_an_overshoot_of_a_hundredth_is_clamped_and_more_is_an_error(dtype: str) -> None:
    frame = torch.full((4, 6, 3), 0.5, dtype=getattr(torch, dtype))
    frame[1, 2, 0], frame[3, 5, 2] = 1.008, -0.008
    assert_codes_round(codes(frame), np.clip(frame.double().numpy(), 0, 1))
    frame[1, 2, 0] = 1.02
    with pytest.raises(FrameError, match="with values from"):
        codes(frame)


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_what_is_not_finite_is_found_wherever_it_is(dtype: str, channels: int, broken: float) -> None:
    for row, column in ((0, 0), (2, 514), (1, 511), (2, 512)):
        frame = torch.full((3, 515, channels), 0.25, dtype=getattr(torch, dtype))
        frame[row, column, channels - 1] = broken
        for value_range in ("auto", (-1.0, 1.0)):
            with pytest.raises(FrameError, match=f"frame 0 has 1 NaN or infinite values of {frame.numel()}"):
                codes(frame, value_range=value_range)


def test_float16_subnormals_and_extremes_are_read_as_they_are() -> None:
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)]
    frame = finite[: len(finite) // 3 * 3].reshape(-1, 1, 3)
    low, high = -65504.0, 65504.0
    rgb = (frame.astype(np.float64) - low) / (high - low)
    assert_codes_round(codes(frame, value_range=(low, high)), rgb)


def test_every_code_of_a_gray_ramp_is_exact() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    assert_codes_round(codes(np.repeat(ramp, 2, axis=0)), np.repeat(ramp, 2, axis=0) / 255)


def test_planes_smaller_than_the_picture_are_refused() -> None:
    (frame,) = Recognizer("HWC").frames(np.zeros((10, 8, 3), np.uint8))
    with pytest.raises(ValueError, match="smaller than its picture"):
        Conversion(BT709).to_planes(frame, VideoFrame(8, 8, "yuv420p"))
    planes, yuv420p = VideoFrame(8, 10, "yuv420p").planes, PIXEL_FORMATS["yuv420p"]
    matrix, laid_out = convert._matrix(BT709, yuv420p, 0, 255, convert.BLACK, False), convert._memory_format(yuv420p)
    with pytest.raises(ValueError, match="smaller than its picture"):  # the last row begins at 2**64, which wraps to 0
        _convert.to_planes(frame.values, _convert.Sample.uint8, matrix, laid_out, planes, [8, 2**62, 2**62], None)


# ---- images --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "CMYK", "YCbCr", "HSV"])
def test_an_image_has_the_colours_that_pillow_converts_it_to(mode: str) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (33, 35, 3), np.uint8)
    image = Image.fromarray(pixels).convert(mode)
    assert image.mode == mode
    assert_codes_round(codes(image), np.asarray(image.convert("RGB")) / 255)


@pytest.mark.parametrize(("mode", "dtype", "white"), [("I;16", "u2", 65535), ("I", "i4", 65535), ("F", "f4", 1)])
def test_a_deep_image_has_the_grays_that_an_array_has(mode: str, dtype: str, white: int) -> None:
    grays = np.random.default_rng(3).integers(0, 65536, (33, 35, 1)).repeat(3, 2) / 65535
    image = Image.fromarray((grays[:, :, 0] * white).astype(dtype))
    assert image.mode == mode
    assert_codes_round(codes(image), np.asarray(image, np.float64)[:, :, None].repeat(3, 2) / white)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "La", "RGBa", "PA"])
def test_an_image_with_alpha_is_composited(mode: str) -> None:
    pixels = np.random.default_rng(4).integers(0, 256, (33, 35, 4), np.uint8)
    base = Image.fromarray(pixels)
    image = base.convert("LA").convert(mode) if mode in ("La", "PA") else base.convert(mode)
    rgba = np.asarray((image.convert("LA") if mode == "La" else image).convert("RGBA")) / 255
    assert_codes_round(codes(image, background=(1.0, 0.5, 0.0)), over(rgba, (1.0, 0.5, 0.0)))


def test_a_palette_with_a_transparent_colour_is_composited() -> None:
    image = Image.new("P", (8, 6), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    image.paste(0, (0, 0, 4, 6))
    image.info["transparency"] = 0
    rgba = np.asarray(image.convert("RGBA")) / 255
    assert rgba[0, 0, 3] == 0
    assert_codes_round(codes(image, background=(0.0, 1.0, 0.0)), over(rgba, (0.0, 1.0, 0.0)))


def test_a_cropped_image_and_one_of_several_memory_blocks_are_read() -> None:
    pixels = np.random.default_rng(5).integers(0, 256, (2100, 2100, 3), np.uint8)  # 17 MiB: two of Pillow's blocks
    image = Image.fromarray(pixels)
    assert_codes_round(codes(image), pixels / 255)
    assert_codes_round(codes(image.crop((3, 5, 40, 34))), pixels[5:34, 3:40] / 255)


# ---- instruction sets ----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("isa", ["baseline", "avx2", "avx512"])
def test_every_instruction_set_gives_the_rounded_codes(isa: str) -> None:
    """The modules of conversion again, with the kernels of an instruction set that the environment asks for."""
    name = "TELECINE_ISA"
    if name in os.environ:
        pytest.skip("this is the inner run")
    environment = {**os.environ, name: isa}
    asked = [sys.executable, "-c", "from telecine import _convert; print(_convert.instruction_set())"]
    found = subprocess.run(asked, env=environment, capture_output=True, text=True)
    if "does not run on this processor" in found.stderr:
        pytest.skip(f"this processor has no {isa}")
    assert found.stdout.strip() == isa
    if isa == _convert.instruction_set():
        return  # all of the modules' tests beside this one run with it
    others = ("test_pixel_formats.py", "test_to_rgb.py", "test_light.py")
    modules = [__file__, *(str(Path(__file__).with_name(name)) for name in others)]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *modules]
    inner = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)
    assert inner.returncode == 0, inner.stdout[-2000:]
