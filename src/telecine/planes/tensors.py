"""Frames of a torch tensor to the bytes of their planes, where the tensor is: the kernel's arithmetic in torch's.

It is float32, operation by operation and in the kernel's order: a lone multiplication or addition is rounded alike
everywhere (IEEE 754), so a tensor gives the same bytes as it gives on the host. Float64 would give other bytes, no
better ones within the bounds of `convert`, at 1/2 to 1/64 of the rate, and not on every device.

A chunk goes through in slices of a few frames, whatever its length. Each becomes the bytes of its planes, and only they
cross, to pinned memory, on a stream of their own. Two such buffers take turns: while the frames of one are handed out
and encoded, the next slice is converted and crosses.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from .. import _convert
from . import dither
from .device import FrameLayout, Recipe
from .pixel_formats import PixelFormat

Tensors: TypeAlias = Sequence[torch.Tensor]

# Four frames of 1360x768. The operations hold 35 bytes for each of these pixels where 8-bit 4:2:0 is made, and up to 52
# for other formats: 140 to 210 MiB.
_SLICE_PIXELS = 1 << 22


# ---- slices, and the way to the host -------------------------------------------------------------------------------


class Slices:
    """The bytes of a (T, height, width, channels) chunk's frames: the slice asked for and the next are under way."""

    def __init__(self, chunk: torch.Tensor, recipe: Recipe) -> None:
        count, height, width, _ = chunk.shape
        self._recipe = recipe
        self._step = max(1, min(count, _SLICE_PIXELS // (height * width)))
        self._slices = torch.split(chunk, self._step)
        frame_bytes = FrameLayout.of(recipe.pixel_format, width, height).frame_bytes
        self._buffers = [_pinned(self._step, frame_bytes) for _ in self._slices[:2]]
        self._crossings: dict[int, _Crossing] = {}  # by the number of the slice

    def bytes_of(self, at: int) -> npt.NDArray[np.uint8]:
        """Give the bytes of a frame; they hold until one of another slice is asked for."""
        number, within = divmod(at, self._step)
        wanted = range(number, min(number + 2, len(self._slices)))
        for each in self._crossings.keys() - set(wanted):
            self._crossings.pop(each).wait()  # before another takes its buffer
        for each in wanted:
            if each not in self._crossings:
                buffer = self._buffers[each % len(self._buffers)]
                self._crossings[each] = _Crossing(_bytes_of(self._slices[each], self._recipe), buffer)
        frame: npt.NDArray[np.uint8] = self._crossings[number].wait()[within]
        return frame


def _pinned(count: int, frame_bytes: int) -> torch.Tensor:
    """Make a buffer on the host that a device copies to by itself; torch keeps such memory for the next one."""
    try:
        return torch.empty((count, frame_bytes), dtype=torch.uint8, device="cpu", pin_memory=True)
    except RuntimeError:  # no accelerator that needs it, or no more memory that may be pinned
        return torch.empty((count, frame_bytes), dtype=torch.uint8, device="cpu")


class _Crossing:
    """Bytes on their way from a device to the host, on a stream beside the one that made them."""

    def __init__(self, on_device: torch.Tensor, buffer: torch.Tensor) -> None:
        self._on_host = buffer[: len(on_device)]
        self._on_device: torch.Tensor | None = on_device  # held, or its memory would be used again too early
        self._done: Any = None
        device = on_device.device
        streams: Any = getattr(torch, device.type, None)
        if not hasattr(streams, "Stream"):  # MPS, whose copies that don't block can't be waited for
            self._on_host.copy_(on_device)
            return
        beside = _copying_stream(device)
        beside.wait_stream(streams.current_stream(device))
        with streams.stream(beside):
            self._on_host.copy_(on_device, non_blocking=True)
        # One of CUDA's would else keep a processor busy while it is waited for, and the encoder has use for that.
        self._done = streams.Event(blocking=True) if device.type == "cuda" else streams.Event()
        self._done.record(beside)

    def wait(self) -> npt.NDArray[np.uint8]:
        """Wait until they are across, and give them."""
        if self._on_device is not None and self._done is not None:
            self._done.synchronize()
        self._on_device = None
        return self._on_host.numpy()


@functools.cache
def _copying_stream(device: torch.device) -> Any:
    return getattr(torch, device.type).Stream(device)


# ---- the arithmetic ------------------------------------------------------------------------------------------------


def _bytes_of(pixels: torch.Tensor, recipe: Recipe) -> torch.Tensor:
    """Convert a (n, height, width, channels) slice to (n, bytes): planes and statistics of each frame."""
    count, height, width, channel_count = pixels.shape
    matrix, pixel_format = recipe.matrix, recipe.pixel_format
    layout = FrameLayout.of(pixel_format, width, height)
    frames = torch.empty((count, layout.frame_bytes), dtype=torch.uint8, device=pixels.device)
    planes = _Planes(_components_in(frames, layout, pixel_format), width, pixel_format.depth, recipe.dither)

    channels = [_tall(channel.float().contiguous(), planes.height) for channel in pixels.unbind(3)]
    statistics = frames[:, layout.statistics :].view(torch.float32)
    statistics[:, :2].fill_((matrix.low + matrix.high) / 2)
    statistics[:, 2].fill_(1)
    if pixels.is_floating_point():
        statistics[:, 0], statistics[:, 1] = pixels.amin((1, 2, 3)), pixels.amax((1, 2, 3))
    alpha = _unit(channels.pop(), matrix) if channel_count == 4 else torch.ones_like(channels[0])
    if channel_count == 4 and not pixel_format.alpha:
        channels = [_composited(*each, alpha, matrix) for each in zip(channels, matrix.background, strict=True)]
        statistics[:, 2] = alpha.amin((1, 2))
    if pixels.is_floating_point():
        span = float(np.float32(matrix.high) - np.float32(matrix.low))
        channels = [(channel - matrix.low).clamp(0, span) for channel in channels]
    if channel_count == 1:
        channels *= 3

    (*weights, offset), *others = matrix.components
    planes.write(0, _weighted(channels, weights) + offset)
    if pixel_format.log2_chroma[1]:
        channels = [channel[:, 0::2] + channel[:, 1::2] for channel in channels]
    for at, (*weights, offset) in enumerate(others, 1):
        values = _weighted(channels, weights)
        if pixel_format.log2_chroma[0]:
            values = _left_sited(values) * (0.25 / 2 ** pixel_format.log2_chroma[1])
        planes.write(at, values + offset)
    if pixel_format.alpha:
        scale, offset = matrix.alpha
        planes.write(3, alpha * scale + offset)
    return frames


def _components_in(frames: torch.Tensor, layout: FrameLayout, pixel_format: PixelFormat) -> Tensors:
    """View the (n, rows, columns) samples of each component in the bytes of frames."""
    sample = torch.uint8 if pixel_format.bytes_per_sample == 1 else torch.int16
    planes = [
        frames[:, start : start + rows * row_bytes].view(sample).view(len(frames), rows, -1)
        for start, rows, row_bytes in layout.rows
    ]
    if not pixel_format.packed:
        return planes
    return planes[0].view(len(frames), len(planes[0][0]), -1, len(pixel_format.components)).unbind(3)


@dataclass(frozen=True)
class _Planes:
    """The samples of frames, component by component, and how values become their codes."""

    components: Tensors
    width: int  # of the pictures, which may be one less than that of the first component
    depth: int
    dither: bool

    @property
    def height(self) -> int:
        """The rows of the first component."""
        return self.components[0].shape[1]

    def write(self, at: int, values: torch.Tensor) -> None:
        """Truncate values, which the half of rounding is in, or dither them; a column that pads repeats the last."""
        codes = self.components[at]
        if self.dither:
            rows, columns = values.shape[1:]
            thresholds = _thresholds(values.device).repeat(-(-rows // dither.SIDE), -(-columns // dither.SIDE))
            values = (values + thresholds[:rows, :columns]).clamp(max=2**self.depth - 1)
        columns = min(self.width, codes.shape[2])
        # Codes of 16 bit don't fit the int16 that they lie in: from int32 they wrap, from float they would not.
        codes[..., :columns] = values.int() if self.depth == 16 else values
        codes[..., columns:] = codes[..., columns - 1 : columns]


@functools.cache
def _thresholds(device: torch.device) -> torch.Tensor:
    return torch.from_numpy(dither.thresholds()[:, : dither.SIDE].copy()).to(device)


def _tall(channel: torch.Tensor, height: int) -> torch.Tensor:
    """Repeat the last row where chroma of halved height needs one more."""
    return channel if channel.shape[1] == height else torch.cat((channel, channel[:, -1:]), 1)


def _unit(alpha: torch.Tensor, matrix: _convert.Matrix) -> torch.Tensor:
    """Give stored alpha as [0, 1]."""
    scale = np.float32(1) / (np.float32(matrix.high) - np.float32(matrix.low))
    return ((alpha - matrix.low) * float(scale)).clamp(0, 1)


def _composited(channel: torch.Tensor, ground: float, alpha: torch.Tensor, matrix: _convert.Matrix) -> torch.Tensor:
    return (channel.clamp(matrix.low, matrix.high) - ground) * alpha + ground


def _weighted(channels: Tensors, weights: Iterable[float]) -> torch.Tensor:
    return functools.reduce(
        operator.add, (channel * weight for channel, weight in zip(channels, weights, strict=True) if weight)
    )


def _left_sited(values: torch.Tensor) -> torch.Tensor:
    """Weigh by 1-2-1 about every even column (ITU-T H.264 E.2.1, chroma_sample_loc_type 0): four times the mean."""
    even, odd = values[..., 0::2], values[..., 1::2]
    if odd.shape[2] < even.shape[2]:
        odd = torch.cat((odd, even[..., -1:]), 2)
    before = torch.cat((even[..., :1], odd[..., :-1]), 2)
    return before + 2 * even + odd
