"""A folder of images holds every frame exactly."""

from __future__ import annotations

import math
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import OpenEXR
import pytest
import torch
from PIL import Image, JpegImagePlugin

import telecine
from telecine import FrameError, MissingDependencyError, OptionError
from telecine.color.color import BT709
from telecine.frames.recognise import Frames, Recognizer
from telecine.images.numbered import ImageSequence, SequenceSettings, check_sequence
from telecine.planes.codes import pixels_of
from telecine.planes.convert import Conversion, parse_background

from ..support.helpers import noise
from ..support.sequences import Pixels, by_pillow, random_frames, written


def by_opencv(path: Path) -> Pixels:
    images: list[Pixels] = []
    for each in sorted(path.iterdir()):
        image = cv2.imread(str(each), cv2.IMREAD_UNCHANGED)
        assert image is not None
        images.append(np.asarray(image)[:, :, [2, 1, 0, 3][: image.shape[2]]])
    return np.array(images)


def by_openexr(path: Path) -> Pixels:
    images = []
    for each in sorted(path.iterdir()):
        with OpenEXR.File(str(each)) as file:
            ((_, channel),) = file.channels().items()
            images.append(channel.pixels)
    return np.array(images)


def rounded(frames: Pixels, white: int) -> Pixels:
    """The oracle: rational numbers, halves up."""
    return np.array([math.floor(Fraction(float(value)) * white + Fraction(1, 2)) for value in frames.flat]).reshape(
        frames.shape
    )


# ---- what is in the images -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(("format", "bits"), [("png", 8), ("png", 16), ("tiff", 8), ("tiff", 16)])
def test_integers_of_the_files_depth_are_bit_exact(format: str, bits: int, channels: int, tmp_path: Path) -> None:
    frames = random_frames(f"uint{bits}", channels)
    path = written(tmp_path / "clip", frames, format, bits)
    # OpenCV multiplies a TIFF of 8 bit by its alpha, Pillow makes 8 bits of 16.
    found = by_pillow(path) if bits == 8 else by_opencv(path)
    assert found.dtype == frames.dtype
    assert np.array_equal(found, frames)


@pytest.mark.parametrize(("format", "bits"), [("png", 8), ("png", 16), ("tiff", 8), ("tiff", 16)])
@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
def test_floats_are_rounded_once_and_exactly(format: str, bits: int, dtype: str, tmp_path: Path) -> None:
    frames = random_frames(dtype, count=1)
    assert np.array_equal(by_opencv(written(tmp_path / "clip", frames, format, bits)), rounded(frames, 2**bits - 1))


def test_the_other_integer_depth_keeps_its_share_of_the_scale(tmp_path: Path) -> None:
    frames = random_frames("uint8")
    assert np.array_equal(
        by_opencv(written(tmp_path / "fine" / "clip", frames, "png", 16)), frames.astype(np.uint16) * 257
    )
    fine = random_frames("uint16")
    assert np.array_equal(by_opencv(written(tmp_path / "coarse" / "clip", fine, "png", 8)), np.round(fine / 257))


@pytest.mark.parametrize("channels", [3, 4])
def test_a_tiff_of_floats_keeps_them(channels: int, tmp_path: Path) -> None:
    frames = random_frames("float32", channels) * 3 - 1
    assert np.array_equal(by_opencv(written(tmp_path / "clip", frames, "tiff", 32)), frames)


def test_a_jpeg_is_of_quality_95_with_whole_chroma(tmp_path: Path) -> None:
    frames = np.array([cv2.GaussianBlur(noise(1)[0], (9, 9), 0)], np.uint8)
    path = written(tmp_path / "clip", frames, "jpeg")
    reference = tmp_path / "reference.jpg"
    cv2.imwrite(str(reference), frames[0], [cv2.IMWRITE_JPEG_QUALITY, 95])
    with Image.open(path / "000000.jpg") as image, Image.open(reference) as wanted:
        assert isinstance(image, JpegImagePlugin.JpegImageFile)
        assert isinstance(wanted, JpegImagePlugin.JpegImageFile)
        assert JpegImagePlugin.get_sampling(image) == 0
        assert image.quantization == wanted.quantization
    assert np.abs(by_pillow(path).astype(float) - frames).mean() < 1.5


def linear(value: float) -> float:
    """sRGB's inverse transfer (IEC 61966-2-1), one number at a time."""
    size = abs(value)
    return math.copysign(size / 12.92 if size <= 0.04045 else ((size + 0.055) / 1.055) ** 2.4, value)


def test_openexr_holds_halves_of_linear_light(tmp_path: Path) -> None:
    frames = random_frames("float32") * 2 - 0.5
    found = by_openexr(written(tmp_path / "any" / "clip", frames, "exr", 16))
    assert found.dtype == np.float16
    assert np.array_equal(found, np.vectorize(linear)(frames.astype(np.float64)).astype(np.float32).astype(np.float16))
    known = by_openexr(written(tmp_path / "known" / "clip", np.array([[[[0, 128, 255]]]], np.uint8), "exr", 16))
    assert known.ravel().tolist() == [0, np.float16(0.21586), 1]


def test_openexr_multiplies_by_alpha(tmp_path: Path) -> None:
    frames = random_frames("float32", 4)
    found = by_openexr(written(tmp_path / "clip", frames, "exr", 16))
    wanted = np.concatenate([np.vectorize(linear)(frames[..., :3]) * frames[..., 3:], frames[..., 3:]], axis=3)
    assert np.array_equal(found[..., 3], frames[..., 3].astype(np.float16))
    assert np.abs(found - wanted).max() < 2**-11


def test_scene_linear_frames_go_into_openexr_as_they_are(tmp_path: Path) -> None:
    frames = np.array([[[[0.18, 16, -0.5], [70000, 1e-8, 65504]]]], np.float32)
    found = by_openexr(written(tmp_path / "clip", frames, "exr", 16, linear=True))
    assert found.tolist() == np.minimum(frames, 65504).astype(np.float16).tolist()


def test_telecine_reads_a_sequence_back_in_order(tmp_path: Path) -> None:
    frames = noise(13)
    path = written(tmp_path / "clip", frames)
    found = list(Recognizer().frames(telecine.open_frames(path)))
    assert np.array_equal(np.array([frame.pixels for frame in found]), frames)


# ---- recognised frames -----------------------------------------------------------------------------------------------


def recognised(array: Frames, bits: int, **options: Any) -> Pixels:
    background = parse_background(options.pop("background", None))
    (frame,) = Recognizer(options.pop("layout", "auto")).frames(array)
    return pixels_of(frame, Conversion(BT709, **options), bits, background)


def test_frames_of_any_layout_dtype_and_range_become_pixels() -> None:
    frame = random_frames("uint8")[0]
    planes = np.moveaxis(frame, 2, 0)
    assert np.array_equal(recognised(planes, 8, layout="CHW"), frame)
    floats = (frame / 127.5 - 1).astype(np.float32)
    assert np.array_equal(recognised(floats, 8, value_range=(-1, 1)), frame)
    assert np.array_equal(recognised(frame.astype(np.float16), 8, value_range=(0, 255)), frame)
    assert np.array_equal(recognised(frame[:, :, :1], 16, layout="HWC"), frame[:, :, [0, 0, 0]] * np.uint16(257))
    assert np.array_equal(
        recognised(frame[:, :, 0] > 99, 8), np.repeat(frame[:, :, :1] > 99, 3, axis=2) * np.uint8(255)
    )
    half = torch.tensor(frame).to(torch.bfloat16) / 256
    assert np.array_equal(recognised(half, 8), rounded(half.float().numpy(), 255))


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_alpha_is_composited_on_the_background_in_encoded_values(bits: int) -> None:
    frame = random_frames("uint8", 4)[0]
    share = frame[:, :, 3:] / 255
    wanted = frame[:, :, :3] / 255 * share + np.array([1, 0.5, 0]) * (1 - share)
    found = recognised(frame, bits, background=(1, 0.5, 0)) / (1 if bits == 32 else 2**bits - 1)
    assert np.abs(found - wanted).max() <= 0.5 / (2**bits - 1) + 1e-7


@pytest.mark.parametrize(("value", "said"), [(math.nan, "NaN"), (math.inf, "infin"), (2.5, "pass value_range")])
def test_floats_that_mean_nothing_are_an_error(value: float, said: str) -> None:
    frame = random_frames("float32")[0]
    frame[3, 4, 1] = value
    with pytest.raises(FrameError, match=f"frame 0 .*{said}"):
        recognised(frame, 16)


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("settings", "error", "said"), [
    (SequenceSettings("jpeg", 64, 48, False, 16), OptionError, "bit_depth=16 does not go with jpeg: use 8"),
    (SequenceSettings("png", 64, 48, False, 32), OptionError, "bit_depth=32 does not go with png: use 8 or 16"),
    (SequenceSettings("jpeg", 64, 48, True, 8), OptionError, "jpeg has no alpha"),
    (SequenceSettings("png", 64, 48, False, 8, linear=True), OptionError, "scene-linear frames do not go with png"),
    (SequenceSettings("jpeg", 65501, 8, False, 8), FrameError, "65501x8: too large for jpeg"),
    (SequenceSettings("png", 40000, 40000, False, 8), FrameError, "40000x40000: too large for png"),
])  # fmt: skip
def test_what_a_format_can_not_hold_is_an_error(settings: SequenceSettings, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        check_sequence(settings)


def test_tiff_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'telecine\[tiff\]'"):
        check_sequence(SequenceSettings("tiff", 64, 48, False, 8))


def test_a_frame_of_another_shape_is_an_error(tmp_path: Path) -> None:
    sequence = ImageSequence(str(tmp_path), SequenceSettings("png", 64, 48, False, 8))
    with pytest.raises(FrameError, match=r"of shape \(47, 63, 3\): \(48, 64, 3\) was promised"):
        sequence.encode(random_frames("uint8")[0])
    sequence.close()
