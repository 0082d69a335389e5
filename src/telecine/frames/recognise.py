"""Recognises what came in as frames, and gives each as a view of (height, width, channels): never a copy.

Layouts are spelled in letters: T time, H height, W width, C channels, B batch. A torch tensor is known by its module
being loaded already, so nothing is imported for it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeGuard, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..errors import FrameError, OptionError
from ..files.files import Place, is_place
from ..planes.device import DeviceChunk, DevicePixels
from ..planes.frame import FULL_SCALE, SAMPLES, Array, Frame, tensor_array, with_dtype
from ..read.frames import ReadFrames
from ..read.images import count_in_file, count_pictures, frames_of_file, frames_of_image, is_image

if TYPE_CHECKING:
    import torch
    from PIL import Image


@runtime_checkable
class ArrayLike(Protocol):
    """What NumPy makes an array of without a copy: NumPy's and JAX's arrays, CPU tensors of TensorFlow."""

    def __array__(self) -> npt.NDArray[Any]: ...


@runtime_checkable
class DLPackLike(Protocol):
    """What hands its memory over by DLPack: torch, CuPy, MLX and others."""

    def __dlpack__(self) -> object: ...


FrameOrChunk: TypeAlias = "Image.Image | ArrayLike | DLPackLike | Place"
Frames: TypeAlias = "FrameOrChunk | Iterable[FrameOrChunk] | Iterable[Iterable[FrameOrChunk]]"

Pixel = TypeVar("Pixel", bound=np.generic)
Colors = TypeVar("Colors", npt.NDArray[Any], "torch.Tensor")

AUTO_LAYOUTS = {
    2: ("HW",),
    3: ("HWC", "CHW", "THW"),
    4: ("THWC", "TCHW", "CTHW"),
    5: ("BTHWC", "BTCHW", "BCTHW"),
}


# ---- layout --------------------------------------------------------------------------------------------------------


def check_layout(layout: str) -> None:
    """Raise OptionError unless `layout` is "auto" or letters of T, H, W, C, B, each once, H and W among them."""
    if isinstance(layout, str) and layout == "auto":
        return
    if not (isinstance(layout, str) and layout and set(layout) <= set("THWCB") and len(set(layout)) == len(layout)):
        raise OptionError(f"layout={layout!r} is not known: use 'auto' or letters of T, H, W, C, B such as 'CTHW'")
    if not {"H", "W"} <= set(layout):
        raise OptionError(f"layout={layout!r} lacks H or W: use letters of T, H, W, C, B such as 'CTHW'")


def check_channels(channels: str) -> None:
    """Raise OptionError unless `channels` is "RGB" or "BGR"."""
    if not (isinstance(channels, str) and channels in ("RGB", "BGR")):
        raise OptionError(f"channels={channels!r} is not known: use 'RGB', or 'BGR' for OpenCV's arrays")


_LEAST_SIDE, _SURE_SIDE = 4, 5


def find_layout(shape: tuple[int, ...]) -> str:
    """Find the one layout that an array of this shape can have; of several that are the same frames, the first.

    A channel axis is 3 or 4 long, or 2, of gray with alpha, where it is the last; one of length 1 is gray only where
    nothing else fits. A height or width of 4 is believed only where nothing else fits, and a smaller one never.

    >>> find_layout((3, 16, 480, 720)), find_layout((1, 16, 3, 480, 720)), find_layout((16, 480, 720))
    ('CTHW', 'BTCHW', 'THW')

    Raises:
        FrameError: no layout fits, or several do.
    """
    return _layouts(shape)[0]


def _layouts(shape: tuple[int, ...]) -> list[str]:
    """Find the layouts by which an array of this shape is the same frames. Raises as `find_layout`."""
    fitting = [(layout, dict(zip(layout, shape, strict=True))) for layout in AUTO_LAYOUTS.get(len(shape), ())]
    fitting = [(layout, axes) for layout, axes in fitting if 0 not in shape and _has_channels(layout, axes)]
    tiers = (
        [layout for layout, axes in fitting if axes.get("C", 3) > 2 and _least_side(axes) >= _SURE_SIDE],
        [layout for layout, axes in fitting if axes.get("C", 3) > 1 and _least_side(axes) >= _SURE_SIDE],
        [layout for layout, axes in fitting if _least_side(axes) >= _SURE_SIDE],
        [layout for layout, axes in fitting if _least_side(axes) >= _LEAST_SIDE],
    )
    readings = next(filter(None, tiers), [])
    if len({_longer_axes(layout, shape) for layout in readings}) == 1:
        return readings
    if not fitting:
        accepted = ", ".join(layout for layouts in AUTO_LAYOUTS.values() for layout in layouts)
        raise FrameError(
            f"an array of shape {shape} has no layout of {accepted} with 1, 3 or 4 channels, or 2 that come last: "
            "pass layout= if it has another order, such as layout='HWTC'",
            page="troubleshooting#the-layout-can-t-be-told",
        )
    shown = readings or [layout for layout, _ in fitting]
    described = " or ".join(f"{layout} ({_in_words(layout, shape)})" for layout in shown)
    settled = " or ".join(f"layout={layout!r}" for layout in shown)
    if readings:
        raise FrameError(
            f"an array of shape {shape} can be {described}: pass {settled}",
            page="troubleshooting#the-layout-can-t-be-told",
        )
    raise FrameError(
        f"an array of shape {shape} can only be {described}, which is unlikely: pass {settled} if it is that, "
        "or the letters of the axes that it has",
        page="troubleshooting#the-layout-can-t-be-told",
    )


def _has_channels(layout: str, axes: dict[str, int]) -> bool:
    return axes.get("C", 3) in (1, 3, 4) or (axes["C"] == 2 and layout[-1] == "C")


def _least_side(axes: dict[str, int]) -> int:
    return min(axes["H"], axes["W"])


def _longer_axes(layout: str, shape: tuple[int, ...]) -> str:
    """Give the letters of the axes that are not of length 1: where they are the same, so are the frames."""
    return "".join(letter for letter, length in zip(layout, shape, strict=True) if length > 1)


def _in_words(layout: str, shape: tuple[int, ...]) -> str:
    axes = dict(zip(layout, shape, strict=True))
    count = axes.get("T", 1)
    channels = axes.get("C", 1)
    return f"{count} frame{'s' * (count != 1)} of {axes['W']}x{axes['H']}, {channels} channel{'s' * (channels != 1)}"


def _chunk(array: Array, layout: str, where: str) -> Array:
    """View an array as (T, H, W, C)."""
    shape = tuple(array.shape)
    if len(shape) != len(layout):
        raise FrameError(f"{where}: layout {layout!r} does not name the {len(shape)} axes of shape {shape}")
    batch = shape[layout.index("B")] if "B" in layout else 1
    if batch != 1:
        raise FrameError(
            f"an array of shape {shape} holds {batch} videos ({layout}): export frames[i] one by one, "
            "or telecine.grid(frames) to see them side by side",
            page="troubleshooting#several-videos-at-once",
        )
    missing = [letter for letter in "THWCB" if letter not in layout]
    letters = layout + "".join(missing)
    array = array.reshape(shape + (1,) * len(missing))
    order = [letters.index(letter) for letter in "BTHWC"]
    array = (array.transpose(order) if isinstance(array, np.ndarray) else array.permute(order))[0]
    if array.shape[3] not in (1, 2, 3, 4):
        raise FrameError(f"{where} has {array.shape[3]} channels, read as {layout}: 1, 2, 3 or 4 are accepted")
    return array


# What of a pixel's channels makes gray, RGB or RGBA, by the order and number that they come in.
_ORDERS: dict[tuple[str, int], list[int]] = {
    ("RGB", 2): [0, 0, 0, 1],
    ("BGR", 2): [0, 0, 0, 1],
    ("BGR", 3): [2, 1, 0],
    ("BGR", 4): [2, 1, 0, 3],
}


def _in_order(pixels: Colors, channels: str) -> Colors:
    """Give pixels whose last axis is gray, RGB or RGBA: a view of a NumPy array's BGR, else a copy of other orders."""
    order = _ORDERS.get((channels, pixels.shape[-1]))
    if order is None:
        return pixels
    if isinstance(pixels, np.ndarray):
        return pixels[..., ::-1] if order == [2, 1, 0] else pixels[..., order]
    import torch  # loaded, for here is a tensor

    return torch.stack([pixels[..., channel] for channel in order], dim=-1)


# ---- arrays and images ---------------------------------------------------------------------------------------------


def _is_tensor(source: object) -> TypeGuard[torch.Tensor]:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(source, torch.Tensor)


def _as_array(source: object) -> tuple[Array, str] | None:
    """View an array or a tensor on the host as a NumPy array, with the name of its dtype; None for anything else.

    A tensor on an accelerator stays what it is.
    """
    if _is_tensor(source):
        tensor = source.detach()
        return tensor_array(tensor) if tensor.device.type == "cpu" else _device_tensor(tensor)
    if isinstance(source, np.ndarray):
        array = source
    elif isinstance(source, ArrayLike) and hasattr(source, "dtype"):
        array = np.asarray(source)
    elif isinstance(source, DLPackLike):
        array = np.from_dlpack(source)  # type: ignore[arg-type]
    else:
        return None
    return with_dtype(array)


def _device_tensor(tensor: torch.Tensor) -> tuple[torch.Tensor, str]:
    if tensor.is_meta or str(tensor.layout) != "torch.strided":
        where = f"a {tensor.dtype} tensor of layout {tensor.layout} on {tensor.device}"
        raise FrameError(f"{where} can't be read: dense tensors that hold values are accepted")
    return tensor, str(tensor.dtype).removeprefix("torch.")


# ---- the recogniser ------------------------------------------------------------------------------------------------


class Recognizer:
    """Turns whatever is written, piece by piece, into frames; what the first piece settles holds for the rest."""

    def __init__(self, layout: str = "auto", channels: str = "RGB") -> None:
        check_layout(layout)
        check_channels(channels)
        self.layout, self._channels = layout, channels
        self._settled: dict[int, str] = {}  # the layout of each number of axes met
        self._first: Frame | None = None
        self.count = 0

    def frames(self, source: Frames) -> Iterator[Frame]:
        """Give the frames in one image, array, tensor or image path, or in an iterable of them.

        Raises:
            FrameError: something in it is no frame, or contradicts the first one.
        """
        array = _as_array(source)
        if array is not None:
            yield from self._of_array(*array, "tensor" if _is_tensor(source) else "array")
        elif is_image(source):
            for pixels in frames_of_image(source):
                yield from self._of_image(pixels)
        elif is_place(source) and not isinstance(source, bytes):
            for pixels in frames_of_file(source):
                yield from self._of_image(pixels)
        elif isinstance(source, ReadFrames):
            for pixels in source:
                yield from self._next(*with_dtype(pixels), "image")  # whose channels and depth need not agree
        elif isinstance(source, Iterable) and not isinstance(source, (bytes, bytearray, memoryview, dict)):
            for item in only_video(source):
                if isinstance(source, (list, tuple)) and is_image(item):
                    _check_single(item, self.count)
                yield from self.frames(item)
        else:
            raise FrameError(
                f"frame {self.count} is {_described(source)}: PIL images, NumPy, torch or JAX arrays, "
                "image paths, and iterables of them are accepted"
            )

    def _of_array(self, array: Array, dtype: str, kind: str) -> Iterator[Frame]:
        where = f"frame {self.count}"
        if dtype != "bool" and dtype not in SAMPLES:
            accepted = ", ".join(["bool", *SAMPLES])
            said = f"{where} has dtype {dtype}: {accepted} are accepted"
            raise FrameError(said, page="troubleshooting#a-dtype-is-not-accepted")
        shape = tuple(array.shape)
        if 0 in shape:
            raise FrameError(f"{where} is empty: no frames in an array of shape {shape}")
        chunk = _chunk(array, self._layout_of(shape), where)
        if self.layout == "auto" and chunk.shape[3] == 2 and dtype not in FULL_SCALE:
            raise FrameError(
                f"{where}: an array of shape {shape} and {dtype} can be gray with alpha or motion in x and y: pass "
                f"layout={self._layout_of(shape)!r} for gray with alpha, or make colours of motion first"
            )
        if not isinstance(chunk, np.ndarray):
            for on_device in DeviceChunk(_in_order(chunk, self._channels)):
                yield from self._next(on_device, dtype, kind)
            return
        for pixels in chunk:  # of one frame at a time, for these may be copies
            native = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
            yield from self._next(_in_order(native, self._channels), dtype, kind)

    def _layout_of(self, shape: tuple[int, ...]) -> str:
        if self.layout != "auto":
            return self.layout
        if len(shape) not in self._settled:
            layout, *same = _layouts(shape)
            if same:  # which of them it is may matter for what follows
                return layout
            self._settled[len(shape)] = layout
        return self._settled[len(shape)]

    def _of_image(self, pixels: npt.NDArray[Any]) -> Iterator[Frame]:
        return self._next(_in_order(pixels, "RGB"), pixels.dtype.name, "image")

    def _next(self, pixels: npt.NDArray[Any] | DevicePixels, dtype: str, kind: str) -> Iterator[Frame]:
        frame = Frame(pixels, dtype, kind, self.count)
        _check_agreement(self._first or frame, frame)
        yield frame
        # Only now: a frame that its taker refused is not in the video.
        # And of the first its shape alone, not memory that is its owner's, which may be an accelerator's.
        self._first = self._first or replace(frame, pixels=np.broadcast_to(np.uint8(0), frame.pixels.shape))
        self.count += 1


def _check_agreement(first: Frame, frame: Frame) -> None:
    if frame.size != first.size:
        sizes = [f"{width}x{height}" for width, height in (frame.size, first.size)]
        said = f"frame {frame.index} is {sizes[0]}, frame 0 is {sizes[1]}: all must be of one size"
        raise FrameError(said, page="troubleshooting#one-frame-has-another-size")
    of_full_scale = frame.kind == first.kind == "image" and None not in (frame.full_scale, first.full_scale)
    if frame.dtype != first.dtype and not of_full_scale:
        raise FrameError(
            f"frame {frame.index} is {frame.dtype} and frame 0 is {first.dtype}: "
            "all must be of one dtype, or their values mean different things"
        )
    channels = frame.pixels.shape[2], first.pixels.shape[2]
    if "image" not in (frame.kind, first.kind) and channels[0] != channels[1]:
        raise FrameError(f"frame {frame.index} has {channels[0]} channels and frame 0 has {channels[1]}")


def _check_single(image: Image.Image, index: int) -> None:
    """Refuse an image of several pictures in a list: which one it is at is nothing that a list says."""
    if count_pictures(image) > 1:
        raise FrameError(
            f"frame {index} is a {image.format} image of {count_pictures(image)} pictures, in a list: pass its path or "
            "the image alone for all of them, or image.copy() for the one that it is at"
        )


def _described(source: object) -> str:
    text = " ".join(repr(source).split())
    return f"{type(source).__name__} {text if len(text) <= 40 else text[:37] + '...'}"


def only_video(source: Any) -> Any:
    """Unwrap a batch of one video, as `pipe(...).frames` is for PIL images; refuse a batch of several.

    Raises:
        FrameError: several videos.
    """
    if not (isinstance(source, Sequence) and source and isinstance(source[0], (list, tuple))) or is_place(source[0]):
        return source
    if len(source) == 1:
        return source[0]
    raise FrameError(
        f"frames holds {len(source)} videos of {len(source[0])} frames: export frames[i] one by one, "
        "or telecine.grid(frames) to see them side by side",
        page="troubleshooting#several-videos-at-once",
    )


def count_frames(source: object, layout: str = "auto") -> int | None:
    """Count the frames in an array, a list or a tuple without reading any; None where that can't be known."""
    if isinstance(source, (str, os.PathLike)):
        return count_in_file(source)
    if is_image(source):
        return 1
    shape = getattr(source, "shape", None)
    if shape is not None:
        try:
            axes = dict(zip(find_layout(tuple(shape)) if layout == "auto" else layout, shape, strict=False))
        except FrameError:
            return None
        return int(axes.get("T", 1))
    if not isinstance(source, (list, tuple)) or is_place(source):
        return None
    counts = [count_frames(item, layout) for item in source]
    return None if None in counts else sum(count for count in counts if count is not None)
