"""A function of the caller's that changes each frame before it is encoded, such as one that puts a watermark in."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import FrameError, OptionError
from ..planes.device import DeviceChunk, DevicePixels
from ..planes.frame import Frame, tensor_array, with_dtype

if TYPE_CHECKING:
    import torch

BeforeEncode: TypeAlias = "Callable[[npt.NDArray[Any]], npt.NDArray[Any]] | Callable[[torch.Tensor], torch.Tensor]"


def check_before_encode(function: object) -> None:
    """Raise OptionError unless it can be called."""
    if not callable(function):
        raise OptionError(f"before_encode={function!r} is no function of a frame: give one, or leave it out")


def changed(frame: Frame, function: Callable[[Any], object]) -> Frame:
    """Give what a function makes of a frame, of which it is given a copy.

    Raises:
        FrameError: that is no array or tensor as the one it was given.
        What the function raises.
    """
    given = _copied(frame)
    returned: Any = function(given)
    if not isinstance(returned, _kind_of(given)) or (returned.shape, returned.dtype) != (given.shape, given.dtype):
        expected = f"one of {given.dtype} and shape {tuple(given.shape)}, as it was given"
        raise FrameError(f"before_encode gave {_described(returned)} for frame {frame.index}: it must give {expected}")
    return _with(frame, returned)


def _copied(frame: Frame) -> Any:
    """Give a frame's pixels in memory of their own: an array, or of a tensor a tensor where that is."""
    if frame.kind != "tensor":
        return np.array(frame.values, order="C")
    import torch  # loaded, for there was a tensor

    if isinstance(frame.pixels, DevicePixels):
        return frame.pixels.tensor.clone(memory_format=torch.contiguous_format)
    if frame.dtype == "bfloat16":
        return torch.from_numpy(np.array(frame.pixels, order="C").view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(np.array(frame.values, order="C"))


def _kind_of(pixels: Any) -> Any:
    return np.ndarray if isinstance(pixels, np.ndarray) else sys.modules["torch"].Tensor


def _described(returned: Any) -> str:
    name = type(returned).__name__
    if isinstance(getattr(returned, "shape", None), tuple) and hasattr(returned, "dtype"):
        return f"{name} of {returned.dtype} and shape {tuple(returned.shape)}"
    return "None" if returned is None else name


def _with(frame: Frame, pixels: Any) -> Frame:
    if isinstance(pixels, np.ndarray):
        array, dtype = with_dtype(pixels)
        return replace(frame, pixels=array, dtype=dtype)
    tensor = pixels.detach()
    if tensor.device.type == "cpu":
        array, dtype = tensor_array(tensor)
        return replace(frame, pixels=array, dtype=dtype)
    return replace(frame, pixels=DevicePixels(DeviceChunk(tensor[None]), 0))
