"""Frames of every dtype, what the conversion makes of them, and how far that is from the oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from av import VideoFrame

from telecine.color.color import BT709, Color
from telecine.frames.recognise import Recognizer
from telecine.planes.convert import Conversion
from telecine.planes.frame import Frame

from .reference import Real, described, planes_of

DTYPES = ["uint8", "uint16", "float16", "bfloat16", "float32", "float64"]
# Half a code value, and what float32 arithmetic may add in each depth.
NEAR_TIE = {8: 0.501, 10: 0.501, 12: 0.503, 16: 0.52}


def picture(dtype: str, height: int, width: int, channels: int = 3, seed: int = 0) -> tuple[Any, Real]:
    """A random frame of a dtype, and its values in [0, 1]."""
    values = np.random.default_rng(seed).random((height, width, channels))
    values[0, 0], values[-1, -1] = 0, 1
    if dtype in ("uint8", "uint16"):
        full = np.iinfo(dtype).max
        stored = np.round(values * full).astype(dtype)
        return stored, stored / full
    if dtype == "bfloat16":
        tensor = torch.tensor(values).to(torch.bfloat16)
        return tensor, tensor.double().numpy()
    stored = values.astype(dtype)
    return stored, stored.astype(np.float64)


def converted(
    frame: Any, name: str = "yuv420p", color: Color = BT709, layout: str = "HWC", **how: Any
) -> tuple[VideoFrame, bool]:
    """A frame in a pixel format of FFmpeg's name, in a VideoFrame of its padded size; and whether it was composited."""
    (recognized,) = Recognizer(layout).frames(frame)
    return planes_of_frame(recognized, name, color, **how)


def planes_of_frame(
    recognized: Frame, name: str = "yuv420p", color: Color = BT709, **how: Any
) -> tuple[VideoFrame, bool]:
    """The same of a frame that is recognised."""
    width, height = recognized.size
    _, (wide, high), _, _ = described(name)
    planes = VideoFrame(width + width % 2 * wide, height + height % 2 * high, name)
    for plane in planes.planes:
        plane.update(bytes([0xA5]) * plane.buffer_size)  # what is left unwritten shows
    return planes, Conversion(color, **how).to_planes(recognized, planes).composited


def codes(frame: Any, name: str = "yuv420p", color: Color = BT709, **how: Any) -> list[npt.NDArray[Any]]:
    """The components that telecine makes of one frame: Y', Cb and Cr, or R, G and B, and alpha where there is."""
    return components_in(converted(frame, name, color, **how)[0])


def components_in(frame: VideoFrame) -> list[npt.NDArray[Any]]:
    dtype = np.uint8 if frame.format.components[0].bits == 8 else np.uint16
    if not frame.format.is_planar:
        order = frame.format.name.rstrip("0123456789le")  # "bgr" of "bgr24", "rgba" of "rgba64le"
        pixels = frame.to_ndarray()
        return [pixels[:, :, order.index(letter)] for letter in "rgba" if letter in order]
    planes: list[Any] = list(frame.planes)  # buffers, which PyAV's types don't say
    rows = [np.frombuffer(plane, dtype).reshape(plane.height, -1)[:, : plane.width].copy() for plane in planes]
    return [rows[component.plane] for component in frame.format.components]


def assert_codes_round(
    found: list[npt.NDArray[Any]], rgb: Real, matrix: str = "bt709", name: str = "yuv420p", full_range: bool = False
) -> None:
    """Every code is the real one of the oracle, rounded."""
    expected = planes_of(rgb, matrix, name, full_range)
    assert len(found) == len(expected)
    for index, (plane, real) in enumerate(zip(found, expected, strict=True)):
        assert plane.shape == real.shape
        assert np.abs(plane - real).max() <= NEAR_TIE[described(name)[0]], f"component {index} of {name}"
