"""One frame, as every conversion takes it: a view of its owner's memory, with the name of its dtype."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .. import _convert
from ..errors import FrameError
from .device import DevicePixels

if TYPE_CHECKING:
    import torch

Array: TypeAlias = "npt.NDArray[Any] | torch.Tensor"  # a tensor that is on an accelerator

SAMPLES = {
    "uint8": _convert.Sample.uint8,
    "uint16": _convert.Sample.uint16,
    "float16": _convert.Sample.float16,
    "bfloat16": _convert.Sample.bfloat16,
    "float32": _convert.Sample.float32,
    "float64": _convert.Sample.float64,
}
FULL_SCALE = {"bool": 1.0, "uint8": 255.0, "uint16": 65535.0}


@dataclass(frozen=True)
class Frame:
    """One frame as it lies in its owner's memory, which may be an accelerator's.

    `pixels` is a (height, width, channels) view with 1 (gray), 3 (RGB) or 4 (RGBA) channels and any strides; gray with
    alpha is a copy, as RGBA; `dtype` is its name, for bfloat16 lies as uint16; `kind` is "image", "array" or "tensor";
    `index` counts from 0.
    """

    pixels: npt.NDArray[Any] | DevicePixels
    dtype: str
    kind: str
    index: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def values(self) -> npt.NDArray[Any]:
        """The pixels as numbers of NumPy's: bfloat16 becomes float32, which holds all of its values.

        From an accelerator they are copied.
        """
        pixels = tensor_array(self.pixels.tensor.cpu())[0] if isinstance(self.pixels, DevicePixels) else self.pixels
        if self.dtype == "bfloat16":
            return (pixels.astype(np.uint32) << 16).view(np.float32)
        return pixels.view(np.bool_) if self.dtype == "bool" else pixels

    @property
    def full_scale(self) -> float | None:
        """The largest value of an integer dtype; None for floats."""
        return FULL_SCALE.get(self.dtype)

    def copy(self) -> Frame:
        """Give it in memory of its own, where it is: on the host, or on its accelerator."""
        return replace(self, pixels=copy(self.pixels))


def tensor_array(tensor: torch.Tensor) -> tuple[npt.NDArray[Any], str]:
    """View a tensor on the host as a NumPy array."""
    import torch  # loaded, for here is a tensor

    try:
        if tensor.dtype == torch.bfloat16:  # NumPy has no such dtype: the same bits as uint16
            return tensor.view(torch.int16).numpy().view(np.uint16), "bfloat16"
        return with_dtype(tensor.numpy())
    except (TypeError, RuntimeError) as error:  # float8, sparse: NotImplementedError is a RuntimeError
        raise FrameError(f"a {tensor.dtype} tensor of layout {tensor.layout} can't be read: {error}") from error


def with_dtype(array: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], str]:
    """Give an array as the kernel reads it, and the name of its dtype: bfloat16 as uint16, bool as uint8."""
    name = array.dtype.name
    if name == "bfloat16":  # of ml_dtypes, as JAX has it
        return array.view(np.uint16), name
    if name == "bool":
        return array.view(np.uint8), name
    return array, name
