"""Several videos laid out as one: a grid of them, or a row."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, Unpack

import numpy as np
import numpy.typing as npt

from ..errors import FrameError, OptionError
from ..frames.options import ArrayOptions, complete, with_options
from ..frames.recognise import Frames
from ..planes.convert import Conversion
from ..planes.frame import Frame
from ..read.frames import ReadFrames
from .given import reading, recognized
from .label import label


@with_options(ArrayOptions)
def grid(
    videos: Iterable[Frames],
    columns: int = 2,
    *,
    padding: int = 0,
    labels: Sequence[str] | None = None,
    **options: Unpack[ArrayOptions],
) -> Iterator[npt.NDArray[Any]]:
    """Lay several videos side by side, row by row: their frames come out as one video's, of the same dtype.

    Args:
        videos: Each is what `export_video` takes: a list, an array, an iterator, a path. An array of five dimensions is
            a batch of them.
        columns: How many stand in a row.
        padding: Black pixels between them.
        labels: A text for each, which `label` draws into it.
        **options: Those below, of each video's arrays. What comes out is RGB, and the low end of the value range is the
            black between and around them.

    A video that ends early holds its last frame; one that is smaller than the largest is centred in its cell. Nothing
    is scaled.

    Returns:
        An iterator of (H, W, C) arrays, C being 3, or 4 where a video has alpha.

    Raises:
        FrameError: there is no video, one has no frames, or their dtypes differ.
        OptionError: `columns` is under 1, `padding` under 0, `labels` are not as many as the videos, or another
            argument.

    >>> red, blue = np.zeros((2, 5, 32, 48, 3), np.uint8)
    >>> red[..., 0], blue[..., 2] = 255, 255
    >>> [frame.shape for frame in grid([red, blue])]
    [(32, 96, 3), (32, 96, 3), (32, 96, 3), (32, 96, 3), (32, 96, 3)]
    """
    if not (isinstance(columns, int) and isinstance(padding, int) and columns >= 1 and padding >= 0):
        raise OptionError(f"columns={columns!r}, padding={padding!r}: at least one column and no negative padding")
    arguments = complete(ArrayOptions, options, "grid")
    conversion = reading(arguments)
    if isinstance(videos, (str, os.PathLike)) or not isinstance(videos, Iterable):
        raise FrameError(f"grid takes several videos, not {videos!r}")
    videos = list(videos)
    if not videos:
        raise FrameError("no videos: there is nothing to lay out")
    if labels is not None:
        if isinstance(labels, str) or len(labels) != len(videos):
            raise OptionError(f"labels={labels!r} for {len(videos)} videos: give a text for each")
        videos = [label(each, text, **options) for each, text in zip(videos, labels, strict=True)]
    cells = [recognized(each, arguments) for each in videos]
    return ReadFrames(_grid(cells, columns, padding, conversion))


@with_options(ArrayOptions)
def side_by_side(
    *videos: Frames, padding: int = 0, labels: Sequence[str] | None = None, **options: Unpack[ArrayOptions]
) -> Iterator[npt.NDArray[Any]]:
    """Lay videos in a row: a `grid` of as many columns, with its arguments and errors.

    >>> before, after = np.zeros((2, 5, 32, 48, 3), np.uint8)
    >>> next(side_by_side(before, after, padding=4, labels=["before", "after"])).shape
    (32, 100, 3)
    """
    return grid(videos, max(1, len(videos)), padding=padding, labels=labels, **options)


def _grid(
    videos: Sequence[Iterator[Frame]], columns: int, padding: int, conversion: Conversion
) -> Iterator[npt.NDArray[Any]]:
    shown: list[Frame | None] = [None] * len(videos)
    for frames in zip_longest(*videos):
        shown = [frame or before for frame, before in zip(frames, shown, strict=True)]
        cells = [frame for frame in shown if frame is not None]
        if len(cells) < len(videos):
            raise FrameError(f"video {shown.index(None)} has no frames")
        if len({cell.dtype for cell in cells}) > 1:
            raise FrameError(f"the videos are {', '.join(cell.dtype for cell in cells)}: all must be of one dtype")
        yield _laid_out(cells, columns, padding, conversion.stored_range(cells[0]))


def _laid_out(cells: Sequence[Frame], columns: int, padding: int, bounds: tuple[float, float]) -> npt.NDArray[Any]:
    width, height = (max(sides) for sides in zip(*(cell.size for cell in cells), strict=True))
    columns = min(columns, len(cells))
    rows = -(-len(cells) // columns)
    channels = max(3, *(cell.pixels.shape[2] for cell in cells))
    pixels = [cell.values for cell in cells]
    shape = rows * (height + padding) - padding, columns * (width + padding) - padding, channels
    laid = np.full(shape, bounds[0], pixels[0].dtype)
    if channels == 4:
        laid[:, :, 3] = bounds[1]
    for at, (cell, values) in enumerate(zip(cells, pixels, strict=True)):
        top = at // columns * (height + padding) + (height - cell.size[1]) // 2
        left = at % columns * (width + padding) + (width - cell.size[0]) // 2
        of_cell = slice(0, 4 if values.shape[2] == 4 else 3)
        laid[top : top + cell.size[1], left : left + cell.size[0], of_cell] = values
    return laid
