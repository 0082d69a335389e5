"""`log_video` for Accelerate: a clip in all trackers of a training script, from its main process."""

import os
from typing import Any, Protocol, Unpack

from ..deliver.ranks import use_up
from ..frames.options import complete, with_options
from ..frames.recognise import Frames
from ..support.rate import FrameRate
from .loggers import LogOptions, log_to_all


class Accelerator(Protocol):
    """What is looked at of an `accelerate.Accelerator`."""

    trackers: list[Any]

    @property
    def is_main_process(self) -> bool:
        """Whether this process logs."""


@with_options(LogOptions)
def log_video(
    accelerator: Accelerator,
    name: str,
    frames: Frames,
    fps: FrameRate = 16,
    step: int | None = None,
    folder: "str | os.PathLike[str] | None" = None,
    **options: Unpack[LogOptions],
) -> None:
    """Put a clip into all trackers that were given to `Accelerator(log_with=…)`, from the main process.

    Every process may call it, as `accelerator.log`: on the others an iterator of frames is used up, and nothing is
    made. The clip is encoded once: as an MP4, and as a GIF for TensorBoard.

    Args:
        accelerator: The one whose `init_trackers` was called. Its trackers are TensorBoard, Weights & Biases, MLflow
            and trackio; of others a warning says that they are left out.
        name: What the trackers show the clip under.
        frames: As for `export_video`: one clip. `telecine.grid` makes one of several.
        fps: Frames per second, as for `export_video`.
        step: The step of the training, the same as for `accelerator.log`.
        folder: Where "step-00000100.mp4" goes too; without one, to the trackers alone.
        **options: Those below. A GIF has no sound, crf, preset or limit of bytes.

    Raises:
        FrameError, EncodeError, PublishError: as `export_video` does.
        OptionError: an argument.

    >>> log_video(accelerator, "validation", frames, fps=16, step=100)  # doctest: +SKIP
    """
    given = complete(LogOptions, options, "log_video")
    if not accelerator.is_main_process:
        use_up(frames)
        return
    log_to_all((each.tracker for each in accelerator.trackers), name, frames, fps, step, folder, given)
