"""A video made anew as H.264: where browsers don't play it, and smaller, its first seconds, where it is too large."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..export import export_bytes
from ..files.files import Source
from ..read.frames import ReadFrames, read_frames, read_timestamps
from ..read.probe import VideoInfo
from .stand_in import Playable


def reencoded(
    source: Source, info: VideoInfo, *, widest: int | None = None, seconds: float = math.inf, most: int | None = None
) -> Playable:
    """Encode a video again: whole, or scaled down to a width, up to a time, in so many bytes at most.

    Raises:
        InputError: it can't be read.
        EncodeError: the encoder.
    """
    times = read_timestamps(source)
    count = sum(time < seconds for time in times)
    end = times[count] if count < len(times) else max(info.duration, times[-1])
    width, height = _size(info, widest)
    content = export_bytes(
        ReadFrames(_scaled(islice(read_frames(source), count), width, height)),
        timestamps=times[:count],
        hold=end - times[count - 1] or None,
        max_bytes=most,
    )
    return Playable(content, "video/mp4", times[:count], end, width, height, "")


def _size(info: VideoInfo, widest: int | None) -> tuple[int, int]:
    """Give the sides of a picture whose pixels are square; even ones, as 4:2:0 takes, where it is scaled."""
    across = info.width * info.sample_aspect_ratio
    scale = min(Fraction(1), Fraction(widest or across) / across)
    if across == info.width and scale == 1:
        return info.width, info.height
    return max(2, round(across * scale / 2) * 2), max(2, round(info.height * scale / 2) * 2)


def _scaled(frames: Iterator[npt.NDArray[np.uint8]], width: int, height: int) -> Iterator[npt.NDArray[np.uint8]]:
    for frame in frames:
        if frame.shape[:2] == (height, width):
            yield frame
        else:
            yield np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BOX))
