"""The poster of a clip: its best frame, and why it is that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import FrameError, OptionError
from ..frames.options import ArrayOptions, complete, with_options
from ..frames.recognise import Frames
from ..frames.sources import open_source
from ..planes.codes import pixels_of
from ..support.rate import is_whole
from .given import reading, recognized
from .sheet import evenly

_LOOKED_AT = 512  # pixels that the longer side is reduced to: grain is not sharpness
_RESTLESS = 0.1  # the mean change from a frame to the next at which it counts half: a cut has 0.2 and more


@dataclass(frozen=True)
class Poster:
    """The best frame as an image, RGB or RGBA of 8 bit; its index; and how it was chosen."""

    image: Image.Image
    index: int
    reason: str


@with_options(ArrayOptions)
def poster(frames: Frames, count: int | None = None, **options: Unpack[ArrayOptions]) -> Poster:
    """Choose the best frame: the one of the highest product of three numbers, each of its luma in [0, 1].

    - sharpness: the variance of the Laplacian, of a picture that is reduced to 512 pixels or less a side;
    - exposure: 4 m (1 - m) of the mean m, which is 1 of a middle gray and 0 of black and of white;
    - rest: 1 / (1 + (d / 0.1)^2) of the larger mean difference d to the frame before and after, which is low at a cut
      and in a flash. A dissolve is two pictures of less contrast, so less sharp.

    Args:
        frames: What `export_video` takes, such as the path of a video.
        count: How many, evenly spaced from the first to the last, are compared; all if not given, or where it can't be
            known before how many there are.
        **options: Those below, of arrays.

    Frames are read one by one; memory holds a few.

    Raises:
        FrameError: there are no frames, or they are none.
        OptionError: `count` is under 1, or another argument.
        InputError: a file can't be read.

    >>> frames = np.zeros((3, 48, 64, 3), np.uint8)
    >>> frames[1, ::2] = 200
    >>> poster(frames).index
    1
    """
    if count is not None and not (is_whole(count) and count >= 1):
        raise OptionError(f"count={count!r} is none: use a whole number, 1 or more")
    arguments = complete(ArrayOptions, options, "poster")
    source, conversion = open_source(frames), reading(arguments)
    total = source.count(arguments["layout"])
    wanted = None if count is None or total is None else set(evenly(total, count))
    best, compared = None, 0
    pictures = (pixels_of(frame, conversion, 8) for frame in recognized(source.frames, arguments))
    for scored in _scored(pictures):
        if wanted is None or scored.index in wanted:
            compared += 1
            if best is None or scored.score > best.score:
                best = scored
    if best is None:
        raise FrameError("no frames: there is nothing to choose from")
    said = f"sharpness {best.sharpness:.3g}, exposure {best.exposure:.2f}, rest {best.rest:.2f}"
    return Poster(Image.fromarray(best.pixels), best.index, f"frame {best.index}, the best of {compared}: {said}")


@dataclass(frozen=True)
class _Scored:
    """A frame and what it is worth."""

    index: int
    pixels: npt.NDArray[Any]
    sharpness: float
    exposure: float
    rest: float

    @property
    def score(self) -> float:
        """Which is best."""
        return self.sharpness * self.exposure * self.rest


def _scored(pictures: Iterator[npt.NDArray[Any]]) -> Iterator[_Scored]:
    """Score each picture once the one after it is known."""
    waiting, change = None, 0.0
    for index, pixels in enumerate(pictures):
        luma = _luma(pixels)
        if waiting is not None:
            changed = float(np.abs(luma - waiting[2]).mean())
            yield _score(*waiting, max(change, changed))
            change = changed
        waiting = index, pixels, luma
    if waiting is not None:
        yield _score(*waiting, change)


def _luma(pixels: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    image = Image.fromarray(pixels[:, :, :3]).convert("L")
    reduced = image.reduce(max(1, -(-max(image.size) // _LOOKED_AT)))
    return np.asarray(reduced, np.float32) / np.float32(255)


def _score(index: int, pixels: npt.NDArray[Any], luma: npt.NDArray[np.float32], change: float) -> _Scored:
    around = np.pad(luma, 1, mode="edge")
    laplacian = around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:] - 4 * luma
    mean = float(luma.mean())
    rest = 1 / (1 + (change / _RESTLESS) ** 2)
    return _Scored(index, pixels, float(laplacian.var()), 4 * mean * (1 - mean), rest)
