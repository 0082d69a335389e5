"""`save_video_as_grid_and_mp4`, as CogVideo's `sat/sample_video.py` has it, and as its `sat/train_video.py` does."""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast, overload

from ..errors import MissingDependencyError, OptionError
from ..export import export_video
from ..frames.recognise import Frames
from ..pictures.arrange import grid
from ..support.rate import FrameRate, parse_fps


class _Reading(NamedTuple):
    """What a call means in one of the two scripts: `logs` tells whether its videos go to wandb if `args` says so."""

    fps: FrameRate
    args: Any
    key: Any
    logs: bool


@overload
def save_video_as_grid_and_mp4(
    video_batch: Frames, save_path: str | os.PathLike[str], fps: FrameRate = 5, args: object = None, key: object = None
) -> None: ...


@overload
def save_video_as_grid_and_mp4(
    video_batch: Frames,
    save_path: str | os.PathLike[str],
    T: object,  # noqa: N803 - as it is called there
    fps: FrameRate = 5,
    args: object = None,
    key: object = None,
) -> None: ...


def save_video_as_grid_and_mp4(
    video_batch: Frames, save_path: str | os.PathLike[str], *arguments: Any, **named: Any
) -> None:
    """Write a batch of videos as CogVideo's SAT does: `000000.mp4`, `000001.mp4`, … in a folder.

    Beside them goes `grid.mp4` with all of them side by side, which the original only has in its name.

    It is called as in `sample_video.py`, with (video_batch, save_path, fps=5, args=None, key=None), or as in
    `train_video.py`, with (video_batch, save_path, T, fps=5, args=None, key=None). Which it is shows where `T` or `fps`
    has its name, or where a frame rate stands in the place of `fps` in one of them alone.

    Args:
        video_batch: (B, T, C, H, W) floats in [0, 1].
        save_path: The folder; it is made.
        *arguments: `T` if there is one, `fps`, `args` and `key`.
        **named: The same by their names. `T` is not used, as there. Where there is a `T` and `args.wandb` is true, each
            video is logged to wandb too, as `train_video.py` does: under `key` and its number, at the step
            `args.iteration + 1`. Else `args` and `key` are not used, as in `sample_video.py`.

    Raises:
        FrameError, EncodeError, PublishError: as `telecine.export_video`.
        OptionError: an argument, or it can't be told whether a number is `T` or `fps`.
        MissingDependencyError: `args.wandb` is true, and wandb is not installed.

    >>> import numpy as np, os, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> save_video_as_grid_and_mp4(np.zeros((2, 8, 3, 48, 64)), folder, fps=8)
    >>> sorted(os.listdir(folder))
    ['000000.mp4', '000001.mp4', 'grid.mp4']
    """
    reading = _read(*arguments, **named)
    wandb = _wandb() if reading.logs else None
    videos = cast("list[Frames]", list(video_batch))  # type: ignore[arg-type]
    for index, each in enumerate(videos):
        video = export_video(each, os.path.join(save_path, f"{index:06d}.mp4"), fps=reading.fps, layout="TCHW")
        if wandb:
            name, step = f"{reading.key}_video_{index}", reading.args.iteration + 1
            wandb.log({name: wandb.Video(str(video), format="mp4")}, step=step)
    columns = max(1, math.ceil(math.sqrt(len(videos))))
    export_video(grid(videos, columns, layout="TCHW"), os.path.join(save_path, "grid.mp4"), fps=reading.fps)


# ---- which of the two it is ----------------------------------------------------------------------------------------


def _of_sampling(fps: FrameRate = 5, args: Any = None, key: Any = None) -> _Reading:
    return _Reading(fps, args, key, False)


def _of_training(T: Any, fps: FrameRate = 5, args: Any = None, key: Any = None) -> _Reading:  # noqa: N803 - as there
    return _Reading(fps, args, key, bool(getattr(args, "wandb", False)))


def _read(*arguments: Any, **named: Any) -> _Reading:
    """Tell what a call means.

    Raises:
        TypeError: nothing in either script.
        OptionError: something in both.
    """
    readings = list(_readings(*arguments, **named))
    likely = [each for each in readings if _is_rate(each.fps) and not isinstance(each.args, (numbers.Number, str))]
    if len(readings) == 2 and len(likely) == 2:
        raise OptionError(
            f"save_video_as_grid_and_mp4(…, {arguments[0]!r}) can be fps={arguments[0]!r}, as in sample_video.py, or "
            f"T={arguments[0]!r} at {readings[1].fps} fps, as in train_video.py: say fps=, or T= and fps="
        )
    for reading in (*likely, *readings):
        return reading
    return _of_sampling(*arguments, **named)  # which raises


def _readings(*arguments: Any, **named: Any) -> Iterator[_Reading]:
    scripts: list[Callable[..., _Reading]] = [_of_sampling, _of_training]
    for script in scripts:
        try:
            yield script(*arguments, **named)
        except TypeError:  # it has other arguments
            continue


def _is_rate(fps: object) -> bool:
    try:
        parse_fps(cast(FrameRate, fps))
    except OptionError:
        return False
    return True


def _wandb() -> Any:
    try:
        import wandb  # which args.wandb says is in use
    except ImportError as error:
        raise MissingDependencyError("args.wandb is true, and that needs pip install wandb") from error
    return wandb
