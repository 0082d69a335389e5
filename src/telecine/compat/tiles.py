"""Lays the frames of several videos out as torchvision's `make_grid` does: 2 pixels around each, none around one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import FrameError, OptionError
from ..files.files import is_place
from ..frames.recognise import Frames, Recognizer

Pixels: TypeAlias = npt.NDArray[Any]

_PADDING = 2


def frames_of(videos: Iterable[Frames]) -> list[Iterator[Pixels]]:
    """Give the frames of each video of a batch (B, C, T, H, W), one at a time, as (H, W, C).

    Raises:
        FrameError: there are none, or it is no batch.
    """
    if not isinstance(videos, Iterable) or is_place(videos):
        raise FrameError(f"a {type(videos).__name__} is no batch of videos: give one of (B, C, T, H, W)")
    found = [(frame.values for frame in Recognizer("CTHW").frames(video)) for video in videos]
    if not found:
        raise FrameError("no videos: there is nothing to lay out")
    return list(found)


def tiled(videos: Sequence[Iterator[Pixels]], columns: int, empty: float) -> Iterator[Pixels]:
    """Lay frames row by row, `columns` in a row; `empty` is the value of what is around them.

    >>> one, two = np.ones((2, 1, 4, 6, 3), np.float32)
    >>> [frame.shape for frame in tiled([iter(one), iter(two)], 8, 0)]
    [(8, 18, 3)]
    >>> [frame.shape for frame in tiled([iter(one)], 8, 0)]
    [(4, 6, 3)]

    Raises:
        OptionError: there is not one column.
    """
    if not isinstance(columns, int) or columns < 1:
        raise OptionError(f"{columns!r} videos in a row: use 1 or more")
    if len(videos) == 1:
        return videos[0]
    return (_laid_out(frames, min(columns, len(videos)), empty) for frames in zip_longest(*videos))


def _laid_out(frames: Sequence[Pixels | None], columns: int, empty: float) -> Pixels:
    first, shapes = frames[0], {None if frame is None else frame.shape for frame in frames}
    if first is None or len(shapes) > 1:
        raise FrameError("the videos of a batch differ: all must have the same size, channels and number of frames")
    height, width, channels = first.shape
    rows = -(-len(frames) // columns)
    down, across = height + _PADDING, width + _PADDING
    shape = rows * down + _PADDING, columns * across + _PADDING, max(3, channels)
    laid = np.full(shape, empty, first.dtype)
    for at, frame in enumerate(frames):
        top, left = at // columns * down + _PADDING, at % columns * across + _PADDING
        laid[top : top + height, left : left + width] = frame  # of which gray becomes RGB
    return laid
