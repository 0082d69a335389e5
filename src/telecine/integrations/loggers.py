"""`log_video`: a clip in the logger of a training run, as the file that telecine encodes.

A logger is known by the name of its class, so nothing is imported for it.
"""

import hashlib
import operator
import os
import re
import struct
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Annotated, Any, Literal, NamedTuple, Unpack

from ..errors import OptionError
from ..export import export_bytes
from ..formats.choices import AudioFitName, PresetName, QualityName
from ..frames.options import FrameOptions, complete, options_of, with_options
from ..frames.recognise import Frames
from ..metadata.tags import Json
from ..output.options import ExportOptions
from ..output.progress import Progress
from ..sound.recognise import Audio
from ..support.rate import FrameRate

_OF_EXPORT = options_of(ExportOptions)


class LogOptions(FrameOptions, total=False):
    """What `log_video` takes of `export_video`'s options: not what browsers may not play, and not where a file goes."""

    quality: Annotated[QualityName, _OF_EXPORT["quality"]]
    crf: Annotated[float | None, _OF_EXPORT["crf"]]
    preset: Annotated[PresetName | None, _OF_EXPORT["preset"]]
    max_bytes: Annotated[int | None, _OF_EXPORT["max_bytes"]]
    audio: Annotated["Audio | None", _OF_EXPORT["audio"]]
    audio_rate: Annotated[int | None, _OF_EXPORT["audio_rate"]]
    audio_fit: Annotated[AudioFitName, _OF_EXPORT["audio_fit"]]
    metadata: Annotated["Mapping[str, Json] | None", _OF_EXPORT["metadata"]]
    progress: Annotated["Progress", _OF_EXPORT["progress"]]


@with_options(LogOptions)
def log_video(
    logger: object,
    name: str,
    frames: Frames,
    fps: FrameRate = 16,
    step: int | None = None,
    **options: Unpack[LogOptions],
) -> None:
    """Put a clip into a training logger, encoded once, here, at this frame rate.

    It is an MP4 of H.264, which browsers play, of 8 bit and 4:2:0 unless its quality is "lossless"; for TensorBoard,
    which plays no video, a GIF. The logger is not touched before the clip is finished, and has a copy of its own when
    this returns.

    Args:
        logger: A `SummaryWriter` of torch or tensorboardX; a run of Weights & Biases, MLflow or trackio, or the module
            `wandb`, `mlflow` or `trackio` for its active run.
        name: What the logger shows the clip under. For MLflow, which has files, it is part of a path in which "/"
            makes folders: "videos/<name>/step-00000100.mp4", or "videos/<name>.mp4" without a step.
        frames: As for `export_video`: one clip. `telecine.grid` makes one of several.
        fps: Frames per second, as for `export_video`.
        step: The step of the training. Without one, what the logger takes for it.
        **options: Those below. Sound, a crf, a preset and a limit of bytes don't go with a GIF.

    Raises:
        FrameError, EncodeError, PublishError: as `export_bytes` does.
        OptionError: an argument, or the logger is none of those.

    >>> log_video("runs", "sample", [])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    telecine.errors.OptionError: logger is builtins.str: a SummaryWriter of torch or tensorboardX, a run of ...
    """
    row = _row_of(logger)
    if not (isinstance(name, str) and name):
        raise OptionError(f"name={name!r}: a text that is not empty")
    if step is not None:
        try:
            step = operator.index(step)
        except TypeError:
            raise OptionError(f"step={step!r}: a whole number, or None") from None
    given = complete(LogOptions, options, "log_video")
    row.log(logger, name, export_bytes(frames, fps=fps, format=row.format, **given), step)


# ---- one function for each logger: the logger, the name, the finished file, the step ---------------------------------


def _log_tensorboard(writer: Any, name: str, gif: bytes, step: int | None) -> None:
    # As an image's bytes: the image plugin hands them to the browser as they are, with the type image/gif. There is no
    # plugin for videos (tensorboard#39), and the writers' public methods take arrays alone.
    events = writer._get_file_writer()
    package = type(events).__module__.rpartition(".")[0]  # tensorboardX has protocol buffers of its own
    message = sys.modules[f"{package}.summary"].Summary
    width, height = struct.unpack_from("<HH", gif, 6)  # GIF89a, 18: the logical screen
    image = message.Image(width=width, height=height, colorspace=3, encoded_image_string=gif)  # summary.proto: 3 is RGB
    events.add_summary(message(value=[message.Value(tag=name, image=image)]), step)


def _log_wandb(run: Any, name: str, mp4: bytes, step: int | None) -> None:
    # Bytes, which are a closed file before `log` is called. A path may be kept as a link (`allow_media_symlink`).
    run.log({name: sys.modules["wandb"].Video(BytesIO(mp4), format="mp4")}, step=step)


def _log_mlflow(run: Any, name: str, mp4: bytes, step: int | None) -> None:
    mlflow = sys.modules["mlflow"]
    folder, file = os.path.split(_artifact(name, step))
    with _at_path(file, mp4) as path:
        mlflow.log_artifact(path, folder, run_id=None if run is mlflow else run.info.run_id)


def _log_trackio(run: Any, name: str, mp4: bytes, step: int | None) -> None:
    with _at_path("clip.mp4", mp4) as path:
        run.log({name: sys.modules["trackio"].Video(path)}, step=step)  # which copies it at once


_UNSAFE = re.compile(r"[^\w .-]")
_LONGEST = 60  # characters of a part of a path, of up to 4 bytes in UTF-8: file systems take 255 bytes


def _artifact(name: str, step: int | None) -> str:
    """Give the path of an artifact: never one that leads out of the artifacts, and never the same for two names.

    >>> _artifact("eval/panda", 100), _artifact("eval/panda", None)
    ('videos/eval/panda/step-00000100.mp4', 'videos/eval/panda.mp4')
    >>> _artifact("../../panda?", None)
    'videos/panda_-54e29961.mp4'
    """
    parts = [_UNSAFE.sub("_", part[:_LONGEST]).strip(" .") for part in name.split("/")]
    safe = "/".join(filter(None, parts))
    if safe != name:
        safe = f"{safe}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
    return f"videos/{safe}.mp4" if step is None else f"videos/{safe}/step-{step:08}.mp4"


@contextmanager
def _at_path(name: str, data: bytes) -> Iterator[str]:
    """Have a finished file of a name for as long as it takes to copy it."""
    with TemporaryDirectory(prefix="telecine-") as folder:
        path = Path(folder, name)
        path.write_bytes(data)
        yield str(path)


# ---- the loggers ---------------------------------------------------------------------------------------------------


class _Row(NamedTuple):
    """What a logger plays, and the function that puts it there."""

    format: Literal["mp4", "gif"]
    log: Callable[[Any, str, bytes, int | None], None]


_TENSORBOARD = _Row("gif", _log_tensorboard)
_WANDB, _MLFLOW, _TRACKIO = _Row("mp4", _log_wandb), _Row("mp4", _log_mlflow), _Row("mp4", _log_trackio)

_ROWS = {
    "torch.utils.tensorboard.writer.SummaryWriter": _TENSORBOARD,
    "tensorboardX.writer.SummaryWriter": _TENSORBOARD,
    "wandb": _WANDB,
    "wandb.sdk.wandb_run.Run": _WANDB,
    "mlflow": _MLFLOW,
    "mlflow.entities.run.Run": _MLFLOW,
    "trackio": _TRACKIO,
    "trackio.run.Run": _TRACKIO,
}


def _row_of(logger: object) -> _Row:
    if isinstance(logger, ModuleType):
        names = [logger.__name__]
    else:
        names = [f"{each.__module__}.{each.__qualname__}" for each in type(logger).__mro__]
    for name in names:
        if name in _ROWS:
            return _ROWS[name]
    raise OptionError(
        f"logger is {names[0]}: a SummaryWriter of torch or tensorboardX, a run of wandb, MLflow or trackio, or the "
        "module wandb, mlflow or trackio is accepted"
    )
