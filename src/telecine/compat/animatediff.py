"""`save_videos_grid`, as AnimateDiff and what was made of it have it."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ..export import export_video
from ..frames.recognise import Frames
from ..support.rate import FrameRate
from .arguments import check_path
from .tiles import frames_of, tiled


def save_videos_grid(
    videos: Iterable[Frames],
    path: str | os.PathLike[str],
    rescale: bool = False,
    n_rows: int = 6,
    fps: FrameRate = 8,
) -> None:
    """Write a batch of videos side by side as AnimateDiff's `animatediff.utils.util.save_videos_grid` does.

    Every pixel is where torchvision's `make_grid` has it: 2 pixels around each video, and none around a single one.
    What is around them is 0 of what is given: black, and mid gray with `rescale`.

    Args:
        videos: (B, C, T, H, W), floats in [0, 1] or integers of full scale.
        path: A GIF, an MP4 or another file that `telecine.export_video` writes.
        rescale: Whether the values are in [-1, 1]. What is outside is clipped; there it comes out as any colour.
        n_rows: How many stand in a row, whatever its name says.
        fps: Frames per second.

    Raises:
        FrameError, OptionError, EncodeError, PublishError: as `telecine.export_video`.

    >>> import numpy as np, os, tempfile, telecine
    >>> path = os.path.join(tempfile.mkdtemp(), "clip.mp4")
    >>> save_videos_grid(np.zeros((2, 3, 8, 48, 64)), path)
    >>> telecine.probe(path).width, telecine.probe(path).height
    (134, 52)
    """
    check_path("path", path)
    grid = tiled(frames_of(videos), n_rows, empty=0)
    export_video(grid, path, fps=fps, layout="HWC", value_range=(-1, 1) if rescale else "auto")
