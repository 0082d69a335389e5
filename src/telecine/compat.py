"""Drop-in functions with the signatures that other projects use.

`from telecine.compat import export_to_video` is the whole migration from diffusers.
"""

from __future__ import annotations

import math
import numbers
import os
from typing import cast

from .errors import OptionError
from .export import export_video
from .frames.recognise import Frames
from .pictures.arrange import grid
from .support.rate import FrameRate


def export_to_video(
    video_frames: Frames,
    output_video_path: str | os.PathLike[str] | None = None,
    fps: FrameRate = 10,
    quality: float | None = 5.0,
    bitrate: int | None = None,
    macro_block_size: int | None = 16,
) -> str:
    """Write frames to an MP4 as `diffusers.utils.export_to_video` does, and give its path.

    Args:
        video_frames: What `telecine.export_video` takes; diffusers takes lists of PIL images or of float arrays.
        output_video_path: The file. Without one, a new file in the folder for temporary files.
        fps: Frames per second.
        quality: 0 to 10, higher is better, as imageio has it: the crf is 51 times what is missing to 10. 10 is crf 1,
            since crf 0 does not play everywhere. None is x264's own crf, 23.
        bitrate: Bits per second, in place of the quality.
        macro_block_size: Accepted, and not needed: a frame keeps its size, an odd one is padded by one line.

    Raises:
        FrameError, OptionError, EncodeError, PublishError: as `telecine.export_video`.

    >>> import numpy as np
    >>> export_to_video([np.zeros((48, 64, 3), np.float32)] * 8, fps=8)[-4:]
    '.mp4'
    """
    if quality is not None and not (isinstance(quality, numbers.Real) and 0 <= quality <= 10):
        raise OptionError(f"quality={quality!r} is not in the range: use 0 (worst) to 10, or None")
    crf = 23 if quality is None else max(1, int((1 - quality / 10) * 51))
    video = export_video(
        video_frames, output_video_path, fps=fps, crf=crf if bitrate is None else None, bitrate=bitrate, preset="medium"
    )
    return str(video)


def save_video_as_grid_and_mp4(
    video_batch: Frames,
    save_path: str | os.PathLike[str],
    fps: FrameRate = 5,
    args: object = None,
    key: object = None,
) -> None:
    """Write a batch of videos as CogVideo's `sat/sample_video.py` does: `000000.mp4`, `000001.mp4`, … in a folder.

    Beside them goes `grid.mp4` with all of them side by side, which the original only has in its name.

    Args:
        video_batch: (B, T, C, H, W) floats in [0, 1].
        save_path: The folder; it is made.
        fps: Frames per second. SAT passes its `--sampling-fps`, 8.
        args: Accepted as there, and unused as there.
        key: The same.

    Raises:
        FrameError, OptionError, EncodeError, PublishError: as `telecine.export_video`.
    """
    videos = cast("list[Frames]", list(video_batch))  # type: ignore[arg-type]
    for index, video in enumerate(videos):
        export_video(video, os.path.join(save_path, f"{index:06d}.mp4"), fps=fps, layout="TCHW")
    columns = max(1, math.ceil(math.sqrt(len(videos))))
    export_video(grid(videos, columns, layout="TCHW"), os.path.join(save_path, "grid.mp4"), fps=fps)
