"""Every bad frame gets one clear error of one line, before anything is at the path."""

from __future__ import annotations

import re
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

import telecine
from telecine import FrameError, InputError, OptionError, TelecineError

FRAMES = np.random.default_rng(0).integers(0, 256, (5, 32, 48, 3), np.uint8)
FLOATS = FRAMES.astype(np.float32) / 255
IMAGES = [Image.fromarray(frame) for frame in FRAMES]


def with_values(where: list[tuple[int, ...]], value: float, dtype: str = "float32") -> npt.NDArray[Any]:
    frames = FLOATS.astype(dtype)
    for each in where:
        frames[each] = value
    return frames


def refused(folder: Path, kind: type[TelecineError], frames: Any, **how: Any) -> str:
    """Export what must be refused: give the message, once it is one line.

    Nothing is left behind but the journal of frames that came before the bad one, and then the message says so.
    """
    with pytest.raises(kind) as raised:
        telecine.export_video(frames, folder / "new" / "clip.mp4", **how)
    assert type(raised.value) is kind
    assert isinstance(raised.value, OSError if kind is InputError else ValueError)
    message = str(raised.value)
    left = [path.name for path in folder.rglob("*") if path.is_file()]
    assert left == ([".clip.mp4.telecine-journal"] if "frames are kept: telecine recover" in message else [])
    shutil.rmtree(folder / "new", ignore_errors=True)
    message, _, _ = message.partition("; ") if left else (message, "", "")
    assert "\n" not in message
    assert len(message) < 300
    return message


# ---- frames --------------------------------------------------------------------------------------------------------

NOTHING: dict[str, Callable[[], Any]] = {
    "an empty list": list,
    "an empty tuple": tuple,
    "an empty iterator": lambda: iter(()),
    "an empty generator": lambda: (frame for frame in FRAMES[:0]),
    "an empty list in a list": lambda: [[]],
    "an array of no frames": lambda: FRAMES[:0],
    "a tensor of no frames": lambda: torch.zeros(0, 3, 32, 48),
    "chunks of no frames": lambda: iter([FRAMES[:0], FRAMES[:0]]),
    "an array of no width": lambda: FRAMES[:, :, :0],
    "an image of no width": lambda: Image.new("RGB", (0, 5)),
}


@pytest.mark.parametrize("what", NOTHING)
def test_no_frames_are_an_error_that_says_so(tmp_path: Path, what: str) -> None:
    assert re.search("no frames|empty", refused(tmp_path, FrameError, NOTHING[what]()))


ONLY_FRAMES = "PIL images, NumPy, torch or JAX arrays, image paths, and iterables of them are accepted"
NO_FRAMES: dict[str, tuple[Any, str]] = {
    "None": (None, f"frame 0 is NoneType None: {ONLY_FRAMES}"),
    "a number": (5, f"frame 0 is int 5: {ONLY_FRAMES}"),
    "bytes": (b"abc", f"frame 0 is bytes b'abc': {ONLY_FRAMES}"),
    "a bytearray": (bytearray(b"abc"), f"frame 0 is bytearray bytearray(b'abc'): {ONLY_FRAMES}"),
    "a dict": ({"frames": FRAMES}, "frame 0 is dict {'frames': array("),
    "an object": (object(), "frame 0 is object <object object at"),
    "a list of numbers": ([1, 2], f"frame 0 is int 1: {ONLY_FRAMES}"),
    "a list with None": ([*IMAGES, None], f"frame 5 is NoneType None: {ONLY_FRAMES}"),
    "a set": ({1}, f"frame 0 is int 1: {ONLY_FRAMES}"),
}


@pytest.mark.parametrize("what", NO_FRAMES)
def test_what_is_no_frame_is_named_with_what_is_accepted(tmp_path: Path, what: str) -> None:
    given, message = NO_FRAMES[what]
    assert refused(tmp_path, FrameError, given).startswith(message)


def test_a_name_that_is_no_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    assert refused(tmp_path, InputError, "no/such/folder").startswith("'no/such/folder' does not exist: give a folder")
    assert refused(tmp_path, InputError, ["no/such.png"]) == "'no/such.png' can't be read: No such file or directory"
    assert refused(tmp_path, InputError, "no/such*.png").startswith("'no/such*.png' has no images: PNG, JPEG, ")


ACCEPTED = "bool, uint8, uint16, float16, bfloat16, float32, float64 are accepted"
DTYPES = ["int8", "int16", "int32", "int64", "uint32", "uint64", "complex64", "complex128", "object", "longdouble"]


@pytest.mark.parametrize("dtype", [*DTYPES, "U3", "S3", "M8[s]"])
def test_a_dtype_that_means_no_colour_is_named_with_those_that_do(tmp_path: Path, dtype: str) -> None:
    frames = np.zeros(FRAMES.shape, dtype)
    assert refused(tmp_path, FrameError, frames) == f"frame 0 has dtype {frames.dtype.name}: {ACCEPTED}"


def test_a_record_dtype_is_refused(tmp_path: Path) -> None:
    frames = np.zeros((5, 32, 48), [("r", "u1"), ("g", "u1"), ("b", "u1")])
    assert refused(tmp_path, FrameError, frames).endswith(ACCEPTED)


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.complex64])
def test_a_tensor_of_another_dtype_is_refused_the_same(tmp_path: Path, dtype: torch.dtype) -> None:
    name = str(dtype).removeprefix("torch.")
    frames = torch.zeros(FRAMES.shape, dtype=dtype)
    assert refused(tmp_path, FrameError, frames) == f"frame 0 has dtype {name}: {ACCEPTED}"


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(FRAMES.shape, device="meta"),
        torch.zeros(FRAMES.shape).to(torch.float8_e5m2),
        torch.zeros(FRAMES.shape).to_sparse(),
    ],
    ids=["meta", "float8", "sparse"],
)
def test_a_tensor_without_readable_memory_is_refused(tmp_path: Path, tensor: torch.Tensor) -> None:
    message = refused(tmp_path, FrameError, tensor)
    assert str(tensor.dtype) in message
    assert "can't be read" in message


@pytest.mark.parametrize("shape", [(5,), (), (1, 1, 5, 32, 48, 3), (5, 2, 32, 48), (5, 32, 48, 5)], ids=str)
def test_a_shape_that_no_layout_fits_is_refused_with_the_layouts(tmp_path: Path, shape: tuple[int, ...]) -> None:
    message = refused(tmp_path, FrameError, np.zeros(shape, np.uint8))
    assert str(shape) in message
    assert "THWC, TCHW, CTHW" in message
    assert "pass layout=" in message


VIDEOS: dict[str, tuple[Any, str]] = {
    "images": ([IMAGES, IMAGES], "frames holds 2 videos of 5 frames"),
    "lists of arrays": ([list(FRAMES)] * 3, "frames holds 3 videos of 5 frames"),
    "an array": (np.stack([FRAMES, FRAMES]), "an array of shape (2, 5, 32, 48, 3) holds 2 videos (BTHWC)"),
    "a tensor": (torch.zeros(2, 3, 5, 32, 48), "an array of shape (2, 3, 5, 32, 48) holds 2 videos (BCTHW)"),
}


@pytest.mark.parametrize("what", VIDEOS)
def test_several_videos_are_refused_with_what_to_do(tmp_path: Path, what: str) -> None:
    given, message = VIDEOS[what]
    todo = ": export frames[i] one by one, or telecine.grid(frames) to see them side by side"
    assert refused(tmp_path, FrameError, given) == message + todo


def test_mixed_sizes_name_the_frame_that_differs(tmp_path: Path) -> None:
    message = "frame 3 is 48x30, frame 0 is 48x32: all must be of one size"
    images = [*IMAGES[:3], IMAGES[3].resize((48, 30)), IMAGES[4]]
    arrays = [*FRAMES[:3], FRAMES[3, :30], FRAMES[4]]
    assert refused(tmp_path, FrameError, images) == message
    assert refused(tmp_path, FrameError, arrays) == message
    assert refused(tmp_path, FrameError, iter([FRAMES[:3], FRAMES[3:, :30]])) == message


def test_mixed_dtypes_name_the_frame_that_differs(tmp_path: Path) -> None:
    message = refused(tmp_path, FrameError, [*FRAMES[:2], FLOATS[2]])
    assert message.startswith("frame 2 is float32 and frame 0 is uint8: all must be of one dtype")
    assert refused(tmp_path, FrameError, [*FLOATS[:2], IMAGES[2]]).startswith("frame 2 is uint8 and frame 0 is float32")


def test_a_chunk_that_contradicts_the_first_is_named_by_its_first_frame(tmp_path: Path) -> None:
    message = refused(tmp_path, FrameError, iter([FRAMES, FRAMES.transpose(0, 3, 1, 2)]))
    assert message == "frame 5 has 48 channels, read as THWC: 1, 2, 3 or 4 are accepted"


# ---- values --------------------------------------------------------------------------------------------------------

OUT_OF_RANGE: dict[str, tuple[Any, str]] = {
    "floats of uint8 values": (
        np.broadcast_to(np.array([0, 100, 255], np.float32), FRAMES.shape),
        "values from 0 to 255, not [0, 1]: they look like [0, 255], pass value_range=(0, 255)",
    ),
    "uint8 100 as a float": (
        np.full(FRAMES.shape, 100, np.float32),  # diffusers writes 156 for it
        "values from 100 to 100, not [0, 1]: they look like [0, 255], pass value_range=(0, 255)",
    ),
    "floats in [-1, 1]": (
        np.broadcast_to(np.array([-1, 0, 1], np.float32), FRAMES.shape),
        "values from -1 to 1, not [0, 1]: they look like [-1, 1], pass value_range=(-1, 1)",
    ),
    "latents": (
        np.broadcast_to(np.array([-4.5, 0, 7], np.float32), FRAMES.shape),
        "values from -4.5 to 7, not [0, 1], [-1, 1] or [0, 255]: pass value_range=(low, high)",
    ),
    "floats of uint16 values": (
        np.broadcast_to(np.array([0, 1, 65535], np.float32), FRAMES.shape),
        "values from 0 to 6.554e+04, not [0, 1], [-1, 1] or [0, 255]: pass value_range=(low, high)",
    ),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("what", OUT_OF_RANGE)
def test_floats_of_another_range_are_refused_with_the_range_they_look_like(
    tmp_path: Path, what: str, dtype: str
) -> None:
    frames, message = OUT_OF_RANGE[what]
    assert refused(tmp_path, FrameError, frames.astype(dtype)) == f"frame 0 is {dtype} with {message}"


def test_the_first_frame_out_of_the_range_is_named(tmp_path: Path) -> None:
    message = refused(tmp_path, FrameError, with_values([(3, 4, 5, 1)], 1.5))
    assert message.startswith("frame 3 is float32 with values from 0 to 1.5, not [0, 1]")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_nan_and_infinity_name_the_frame_and_their_count(tmp_path: Path, dtype: str, value: float) -> None:
    frames = with_values([(2, 4, 5, 1), (2, 31, 47, 2), (4, 0, 0, 0)], value, dtype)
    expected = f"frame 2 has 2 NaN or infinite values of {32 * 48 * 3}: they can't be shown"
    assert refused(tmp_path, FrameError, frames) == expected
    assert refused(tmp_path, FrameError, iter(frames), value_range=(-1, 1)) == expected
    tensor = torch.from_numpy(frames).to(torch.bfloat16)
    assert refused(tmp_path, FrameError, tensor) == expected


def test_a_frame_of_nothing_but_nan_is_counted_whole(tmp_path: Path) -> None:
    frames = FLOATS.copy()
    frames[1] = np.nan
    expected = f"frame 1 has {32 * 48 * 3} NaN or infinite values of {32 * 48 * 3}: they can't be shown"
    assert refused(tmp_path, FrameError, frames) == expected


def test_integers_with_a_range_that_is_not_theirs_are_refused(tmp_path: Path) -> None:
    expected = "frame 0 is uint8, whose range is (0, 255): value_range=(-1.0, 1.0) does not fit, leave it out"
    assert refused(tmp_path, FrameError, FRAMES, value_range=(-1, 1)) == expected
    assert telecine.export_video(FRAMES, tmp_path / "clip.mp4", value_range=(0, 255)).frame_count == 5


def test_no_error_comes_with_a_warning(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refused(tmp_path, FrameError, with_values([(2, 4, 5, 1)], np.nan))
        refused(tmp_path, FrameError, FLOATS * 255)
        refused(tmp_path, OptionError, FRAMES, fps="abc")
