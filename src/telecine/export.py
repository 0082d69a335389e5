"""`export_video`: a `VideoWriter` fed from one argument."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal

from .frames import Frames, check_layout, count_frames, only_video
from .progress import Progress, check_progress, reporting
from .rate import FrameRate
from .sources import opened
from .video import Video
from .writer import VideoWriter


def export_video(
    frames: Frames,
    path: str | os.PathLike[str] | None = None,
    *,
    fps: FrameRate = 16,
    codec: str | None = None,
    quality: str = "high",
    crf: float | None = None,
    bitrate: int | None = None,
    preset: str | None = None,
    encoder_options: Mapping[str, str | int | float] | None = None,
    pixel_format: str | None = None,
    color: str = "auto",
    layout: str = "auto",
    value_range: tuple[float, float] | Literal["auto"] = "auto",
    background: str | tuple[float, float, float] | None = None,
    overwrite: bool = True,
    progress: Progress = False,
    format: str | None = None,
) -> Video:
    """Write frames to a video file that plays everywhere, and give its path and facts.

    Args:
        frames: PIL images, arrays or tensors of 3 to 5 dimensions, chunks of them, image files, in a list, an iterator
            or an array; the batch of one video that `pipe(...).frames` is; a folder or a glob of images; a file of
            one array (`.npy`, `.npz`, `.safetensors`); or a video.
        path: The file to write. Without one, a new file in the folder for temporary files.
        progress: True for a bar on the terminal, or a function of (frames done, frames in all or None).

    The other arguments are `VideoWriter`'s. An iterator is not asked for its first frame before all of them are
    checked, a trial encoder has been opened and the destination written to.

    Raises:
        FrameError: the frames.
        OptionError: an argument.
        EncodeError: the encoder.
        PublishError: the destination.

    >>> import numpy as np, tempfile, os
    >>> frames = np.random.default_rng(0).random((3, 8, 48, 64), np.float32)  # CTHW in [0, 1]
    >>> video = export_video(frames, os.path.join(tempfile.mkdtemp(), "clip.mp4"), fps=8)
    >>> video.frame_count, video.width, video.height, video.duration
    (8, 64, 48, Fraction(1, 1))
    """
    check_progress(progress)
    check_layout(layout)
    given = only_video(opened(frames))
    with reporting(progress, count_frames(given, layout)) as report:
        writer = VideoWriter(
            path,
            fps=fps,
            codec=codec,
            quality=quality,
            crf=crf,
            bitrate=bitrate,
            preset=preset,
            encoder_options=encoder_options,
            pixel_format=pixel_format,
            color=color,
            layout=layout,
            value_range=value_range,
            background=background,
            overwrite=overwrite,
            progress=report,
            format=format,
        )
        with writer:
            writer.write(given)
    return writer.video
