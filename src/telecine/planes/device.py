"""Frames of a torch tensor on an accelerator to planes, there: the kernel's arithmetic in torch's operations.

It is float32, operation by operation and in the kernel's order: a lone multiplication or addition is rounded alike
everywhere (IEEE 754), so a tensor gives the same bytes as it gives on the host. Float64 would give other bytes, no
better ones within the bounds of `convert`, at 1/2 to 1/64 of the rate, and not on every device.

A chunk goes through in slices of a few frames, whatever its length. Each becomes the bytes of its planes, and only they
cross, to pinned memory, on a stream of their own. Two such buffers take turns: while the frames of one are handed out
and encoded, the next slice is converted and crosses.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .. import _convert
from ..planes import dither
from .pixel_formats import PixelFormat

if TYPE_CHECKING:  # where a function below imports torch, a tensor was given, so it is loaded
    import torch
    from av.video.plane import VideoPlane

Tensors: TypeAlias = "Sequence[torch.Tensor]"

# Four frames of 1360x768. The operations hold 35 bytes for each of these pixels where 8-bit 4:2:0 is made, and up to 52
# for other formats: 140 to 210 MiB.
_SLICE_PIXELS = 1 << 22
_STATISTICS = 3  # float32 after a frame's planes: its smallest and largest value, and the smallest alpha


@dataclass(frozen=True)
class Recipe:
    """What a conversion takes beside pixels: what the kernel is given, too."""

    matrix: _convert.Matrix
    pixel_format: PixelFormat
    dither: bool


class DeviceChunk:
    """Frames of a (T, height, width, channels) tensor on an accelerator.

    Their planes are asked for in order, and are made and fetched ahead of that. Any other order works, slowly.
    """

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor
        self._converted: Iterator[npt.NDArray[np.uint8]] = iter(())
        self._next: tuple[Recipe, int] | None = None

    def __iter__(self) -> Iterator[DevicePixels]:
        return (DevicePixels(self, at) for at in range(len(self.tensor)))

    def converted(self, at: int, recipe: Recipe) -> npt.NDArray[np.uint8]:
        """Give the bytes of a frame's planes and its statistics; they hold until the next frame is asked for."""
        if self._next != (recipe, at):
            self._converted = _converted(self.tensor[at:], recipe)
        self._next = recipe, at + 1
        return next(self._converted)


@dataclass(frozen=True)
class DevicePixels:
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

    def to_planes(self, recipe: Recipe, planes: Sequence[VideoPlane]) -> tuple[float, float]:
        """Write the planes of an encoder's frame, and give what the kernel does: deviation and smallest alpha.

        Raises:
            ValueError: the planes are of another size.
        """
        height, width, _ = self.shape
        layout = _FrameLayout.of(recipe.pixel_format, width, height)
        frame = self.chunk.converted(self.at, recipe)
        for plane, (start, rows, row_bytes) in zip(planes, layout.rows, strict=True):
            samples: Any = plane  # PyAV 18's types lack the buffer
            memory = np.frombuffer(samples, np.uint8, plane.height * plane.line_size).reshape(plane.height, -1)
            if plane.height < rows or plane.line_size < row_bytes:
                raise ValueError("a plane is smaller than its picture")
            memory[:rows, :row_bytes] = frame[start : start + rows * row_bytes].reshape(rows, row_bytes)
        lowest, highest, alpha = frame[layout.statistics :].view(np.float32)
        middle = np.float32(0.5) * (np.float32(recipe.matrix.low) + np.float32(recipe.matrix.high))
        return float(max(highest - middle, middle - lowest)), float(alpha)


@dataclass(frozen=True)
class _FrameLayout:
    """Where things lie in a frame's bytes: each plane from `start`, in `rows` of `row_bytes`; then the statistics."""

    rows: tuple[tuple[int, int, int], ...]
    statistics: int

    @property
    def frame_bytes(self) -> int:
        return self.statistics + 4 * _STATISTICS

    @classmethod
    @functools.cache
    def of(cls, pixel_format: PixelFormat, width: int, height: int) -> _FrameLayout:
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


# ---- slices, and the way to the host -------------------------------------------------------------------------------


def _converted(chunk: torch.Tensor, recipe: Recipe) -> Iterator[npt.NDArray[np.uint8]]:
    """Give the bytes of each frame, in one of two buffers in turn; the next slice is always under way."""
    import torch

    count, height, width, _ = chunk.shape
    step = max(1, min(count, _SLICE_PIXELS // (height * width)))
    frame_bytes = _FrameLayout.of(recipe.pixel_format, width, height).frame_bytes
    slices = torch.split(chunk, step)
    buffers = itertools.cycle([_pinned(step, frame_bytes) for _ in slices[:2]])
    under_way = None
    for pixels in slices:
        following = _Crossing(_bytes_of(pixels, recipe), next(buffers))
        if under_way is not None:
            yield from under_way.wait()
        under_way = following
    if under_way is not None:
        yield from under_way.wait()


def _pinned(count: int, frame_bytes: int) -> torch.Tensor:
    """Make a buffer on the host that a device copies to by itself; torch keeps such memory for the next one."""
    import torch

    try:
        return torch.empty((count, frame_bytes), dtype=torch.uint8, device="cpu", pin_memory=True)
    except RuntimeError:  # no accelerator that needs it, or no more memory that may be pinned
        return torch.empty((count, frame_bytes), dtype=torch.uint8, device="cpu")


class _Crossing:
    """Bytes on their way from a device to the host, on a stream beside the one that made them."""

    def __init__(self, on_device: torch.Tensor, buffer: torch.Tensor) -> None:
        import torch

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
        """Wait until they are across."""
        if self._done is not None:
            self._done.synchronize()
        self._on_device = None
        return self._on_host.numpy()


@functools.cache
def _copying_stream(device: torch.device) -> Any:
    import torch

    return getattr(torch, device.type).Stream(device)


# ---- the arithmetic ------------------------------------------------------------------------------------------------


def _bytes_of(pixels: torch.Tensor, recipe: Recipe) -> torch.Tensor:
    """Convert a (n, height, width, channels) slice to (n, bytes): planes and statistics of each frame."""
    import torch

    count, height, width, channel_count = pixels.shape
    matrix, pixel_format = recipe.matrix, recipe.pixel_format
    layout = _FrameLayout.of(pixel_format, width, height)
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


def _components_in(frames: torch.Tensor, layout: _FrameLayout, pixel_format: PixelFormat) -> Tensors:
    """View the (n, rows, columns) samples of each component in the bytes of frames."""
    import torch

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
    import torch

    return torch.from_numpy(dither.thresholds()[:, : dither.SIDE].copy()).to(device)


def _tall(channel: torch.Tensor, height: int) -> torch.Tensor:
    """Repeat the last row where chroma of halved height needs one more."""
    import torch

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
    import torch

    even, odd = values[..., 0::2], values[..., 1::2]
    if odd.shape[2] < even.shape[2]:
        odd = torch.cat((odd, even[..., -1:]), 2)
    before = torch.cat((even[..., :1], odd[..., :-1]), 2)
    return before + 2 * even + odd
