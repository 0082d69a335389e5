"""`save_video`, as Wan 2.2 has it, and `cache_video`, as it is called in Wan 2.1."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import cast

import numpy as np

from ..errors import OptionError
from ..export import export_video
from ..formats.choices import FormatName
from ..frames.recognise import Frames
from ..support.rate import FrameRate
from .tiles import Pixels, frames_of, tiled


def save_video(
    tensor: Iterable[Frames],
    save_file: str | os.PathLike[str] | None = None,
    fps: FrameRate = 30,
    suffix: str = ".mp4",
    nrow: int = 8,
    normalize: bool = True,
    value_range: tuple[float, float] = (-1, 1),
) -> str:
    """Write a batch of videos side by side as Wan's `wan.utils.utils.save_video` does, and give the file's path.

    Every pixel is where torchvision's `make_grid` has it: 2 black pixels around each video, and none around a single
    one. The quality is "visually-lossless", since Wan asks for more than others do.

    Args:
        tensor: (B, C, T, H, W).
        save_file: The file. Without one, a new file in the folder for temporary files.
        fps: Frames per second.
        suffix: The extension of such a new file.
        nrow: How many stand in a row.
        normalize: Whether the ends of `value_range` are black and white. Without, values are in [0, 1]; what is below
            then is an error, where Wan writes it as some other colour.
        value_range: What values are clipped to.

    Raises:
        FrameError, OptionError, EncodeError, PublishError: as `telecine.export_video`.

    >>> import numpy as np
    >>> save_video(np.full((1, 3, 8, 48, 64), -1, np.float32), fps=16)[-4:]
    '.mp4'
    """
    low, high = _ends(value_range)
    videos = frames_of(tensor)
    if not normalize:
        videos = [(_clipped(frame, low, high) for frame in video) for video in videos]
    video = export_video(
        tiled(videos, nrow, empty=low if normalize else 0),
        save_file,
        fps=fps,
        layout="HWC",
        value_range=(low, high) if normalize else "auto",
        quality="visually-lossless",
        format=cast(FormatName, suffix.removeprefix(".")) if save_file is None else None,
    )
    return str(video)


def cache_video(
    tensor: Iterable[Frames],
    save_file: str | os.PathLike[str] | None = None,
    fps: FrameRate = 30,
    suffix: str = ".mp4",
    nrow: int = 8,
    normalize: bool = True,
    value_range: tuple[float, float] = (-1, 1),
    retry: int = 5,
) -> str:
    """Write a batch of videos as Wan 2.1's `wan.utils.utils.cache_video` does: see `save_video`.

    What fails is raised at once: Wan tries as often as `retry` says, then prints the error and gives None.
    """
    return save_video(tensor, save_file, fps, suffix, nrow, normalize, value_range)


def _ends(value_range: tuple[float, float]) -> tuple[float, float]:
    try:
        return min(value_range), max(value_range)
    except (TypeError, ValueError):
        raise OptionError(f"value_range={value_range!r} is no pair of numbers: use one such as (-1, 1)") from None


def _clipped(frame: Pixels, low: float, high: float) -> Pixels:
    return frame.clip(low, high) if np.issubdtype(frame.dtype, np.floating) else frame
