"""Frames in another order: from one to another, again and again, there and back."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any, Unpack

import numpy.typing as npt

from ..errors import OptionError
from ..frames.options import ArrayOptions, complete, with_options
from ..frames.recognise import Frames, only_video
from ..planes.frame import Frame
from ..read.frames import ReadFrames
from ..read.images import is_image
from ..support.rate import is_whole
from .given import recognized


@with_options(ArrayOptions)
def trim(
    frames: Frames, start: int | None = None, end: int | None = None, **options: Unpack[ArrayOptions]
) -> Iterator[npt.NDArray[Any]]:
    """Give the frames from one to another, as a slice of a list does, as they come.

    Args:
        frames: What `export_video` takes.
        start: The index of the first one; a negative one counts from the end.
        end: The index of the one after the last; a negative one counts from the end.
        **options: Those below, of arrays.

    What is after the end is not asked for. Memory holds one frame; of a negative index as many as that counts.

    Returns:
        An iterator of (H, W, C) arrays of the frames' dtype; of bfloat16 float32. Of arrays they are views.

    Raises:
        OptionError: an index is no whole number, or another argument.

    >>> import numpy as np
    >>> frames = np.arange(6, dtype=np.uint8)[:, None, None, None] * np.ones((1, 48, 64, 3), np.uint8)
    >>> [int(frame[0, 0, 0]) for frame in trim(frames, 1, -2)]
    [1, 2, 3]
    """
    arguments = complete(ArrayOptions, options, "trim")
    for name, index in (("start", start), ("end", end)):
        if index is not None and not is_whole(index):
            raise OptionError(f"{name}={index!r} is no index of a frame: use a whole number, or None")
    given, is_held = recognized(frames, arguments), min(start or 0, end or 0) < 0
    kept = _trimmed(_lasting(frames, given) if is_held else given, start or 0, end)
    return ReadFrames(frame.values for frame in kept)


@with_options(ArrayOptions)
def loop(frames: Frames, times: int, **options: Unpack[ArrayOptions]) -> Iterator[npt.NDArray[Any]]:
    """Give all frames so many times, one time after the other.

    Args:
        frames: What `export_video` takes.
        times: How many times in all; 1 gives them as they are.
        **options: Those below, of arrays.

    All frames are held until the end: an array's and a list's where they lie, others as copies of the same dtype.

    Returns:
        As `trim`.

    Raises:
        OptionError: `times` is under 1, or another argument.

    >>> import numpy as np
    >>> frames = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((1, 48, 64, 3), np.uint8)
    >>> [int(frame[0, 0, 0]) for frame in loop(frames, 2)]
    [0, 1, 2, 0, 1, 2]
    """
    return _repeated(frames, times, complete(ArrayOptions, options, "loop"), back=False)


@with_options(ArrayOptions)
def ping_pong(frames: Frames, times: int = 1, **options: Unpack[ArrayOptions]) -> Iterator[npt.NDArray[Any]]:
    """Give frames forth and back: A B C become A B C B. Neither end is doubled, so that a player may loop them.

    Args:
        frames: What `export_video` takes.
        times: How many times they go forth and back: A B C B A B C B are two.
        **options: Those below, of arrays.

    All frames are held until the end: an array's and a list's where they lie, others as copies of the same dtype.

    Returns:
        As `trim`.

    Raises:
        OptionError: `times` is under 1, or another argument.

    >>> import numpy as np
    >>> frames = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((1, 48, 64, 3), np.uint8)
    >>> [int(frame[0, 0, 0]) for frame in ping_pong(frames, 2)]
    [0, 1, 2, 1, 0, 1, 2, 1]
    """
    return _repeated(frames, times, complete(ArrayOptions, options, "ping_pong"), back=True)


def _repeated(frames: Frames, times: int, options: ArrayOptions, back: bool) -> Iterator[npt.NDArray[Any]]:
    if not (is_whole(times) and times >= 1):
        raise OptionError(f"times={times!r} is no number of times: use 1 or more")
    given = _lasting(frames, recognized(frames, options))
    return ReadFrames(frame.values for frame in _looped(given, times, back))


def _lasting(given: Frames, frames: Iterator[Frame]) -> Iterator[Frame]:
    """Give frames that may be held: an iterator may make the next one in the memory of the last, and so may a file."""
    video = only_video(given)
    items = video if isinstance(video, (list, tuple)) else [video]
    stays = all(hasattr(each, "shape") or is_image(each) for each in items)
    return frames if stays else (frame.copy() for frame in frames)


def _trimmed(frames: Iterator[Frame], start: int, end: int | None) -> Iterator[Frame]:
    if start < 0:
        last = deque(enumerate(frames), maxlen=-start)
        wanted = range(last[-1][0] + 1)[start:end] if last else range(0)
        yield from (frame for index, frame in last if index in wanted)
    elif end is None or end >= 0:
        yield from islice(frames, start, end)
    else:
        waiting = deque[Frame]()
        for frame in islice(frames, start, None):
            waiting.append(frame)
            if len(waiting) > -end:
                yield waiting.popleft()


def _looped(frames: Iterator[Frame], times: int, back: bool) -> Iterator[Frame]:
    held = []
    for frame in frames:
        held.append(frame)
        yield frame
    turn = held[-2:0:-1] if back else []
    yield from turn
    for _ in range(times - 1):
        yield from held
        yield from turn
