"""Frames of a torch tensor on an accelerator, whose planes are made there. Nothing of torch is imported without one."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import _convert
from .pixel_formats import PixelFormat

if TYPE_CHECKING:
    import torch
    from av.video.plane import VideoPlane

    from .tensors import Slices

_STATISTICS = 3  # float32 after a frame's planes: its smallest and largest value, and the smallest alpha


class Recipe(NamedTuple):
    """What a conversion takes beside pixels: what the kernel is given, too."""

    matrix: _convert.Matrix
    pixel_format: PixelFormat
    dither: bool


class DeviceChunk:
    """Frames of a (T, height, width, channels) tensor on an accelerator.

    The planes of those that follow the frame asked for are made ahead. Any order works; the one that they have is the
    fastest.
    """

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor
        self._slices: dict[Recipe, Slices] = {}  # a cache, of the latest recipe

    def __iter__(self) -> Iterator[DevicePixels]:
        return (DevicePixels(self, at) for at in range(len(self.tensor)))

    def bytes_of(self, at: int, recipe: Recipe) -> npt.NDArray[np.uint8]:
        """Give the bytes of a frame's planes and its statistics; they hold until another frame is asked for."""
        from .tensors import Slices  # which imports torch: loaded, for here is a tensor

        if recipe not in self._slices:
            self._slices.clear()
            self._slices[recipe] = Slices(self.tensor, recipe)
        return self._slices[recipe].bytes_of(at)


class DevicePixels(NamedTuple):
    """One frame of a chunk on an accelerator."""

    chunk: DeviceChunk
    at: int

    @property
    def tensor(self) -> torch.Tensor:
        """The (height, width, channels) view."""
        return self.chunk.tensor[self.at]

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width and channels."""
        return tuple(self.chunk.tensor.shape[1:])

    def __copy__(self) -> DevicePixels:
        """Give the same pixels, in memory of their own on the device."""
        return DevicePixels(DeviceChunk(self.tensor.clone()[None]), 0)

    def to_planes(self, recipe: Recipe, planes: Sequence[VideoPlane]) -> tuple[float, float]:
        """Write the planes of an encoder's frame, and give what the kernel does: deviation and smallest alpha.

        Raises:
            ValueError: the planes are of another size.
        """
        height, width, _ = self.shape
        layout = FrameLayout.of(recipe.pixel_format, width, height)
        frame = self.chunk.bytes_of(self.at, recipe)
        for plane, (start, rows, row_bytes) in zip(planes, layout.rows, strict=True):
            samples: Any = plane  # PyAV 18's types lack the buffer
            memory = np.frombuffer(samples, np.uint8, plane.height * plane.line_size).reshape(plane.height, -1)
            if plane.height < rows or plane.line_size < row_bytes:
                raise ValueError("a plane is smaller than its picture")
            memory[:rows, :row_bytes] = frame[start : start + rows * row_bytes].reshape(rows, row_bytes)
        lowest, highest, alpha = frame[layout.statistics :].view(np.float32)
        middle = np.float32(0.5) * (np.float32(recipe.matrix.low) + np.float32(recipe.matrix.high))
        return float(max(highest - middle, middle - lowest)), float(alpha)


class FrameLayout(NamedTuple):
    """Where things lie in a frame's bytes: each plane from `start`, in `rows` of `row_bytes`; then the statistics."""

    rows: tuple[tuple[int, int, int], ...]
    statistics: int

    @property
    def frame_bytes(self) -> int:
        """How many bytes a frame takes."""
        return self.statistics + 4 * _STATISTICS

    @classmethod
    @functools.cache
    def of(cls, pixel_format: PixelFormat, width: int, height: int) -> FrameLayout:
        """Lay out a frame of these sides."""
        wide, high = pixel_format.padding(width, height)
        width, height = width + wide, height + high
        samples = width * (len(pixel_format.components) if pixel_format.packed else 1)
        halved = height >> pixel_format.log2_chroma[1], width >> pixel_format.log2_chroma[0]
        whole = height, samples
        shapes = [whole] if pixel_format.packed else [whole, halved, halved, whole][: len(pixel_format.components)]
        rows, start = [], 0
        for count, samples in shapes:
            rows.append((start, count, samples * pixel_format.bytes_per_sample))
            start += count * samples * pixel_format.bytes_per_sample
        return cls(tuple(rows), -(-start // 4) * 4)
