"""`log_video`: a clip in the loggers of a training run, as the file that telecine encodes.

A logger is known by the name of its class, so nothing is imported for it.
"""

import hashlib
import operator
import os
import re
import struct
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias, Unpack, cast

from ..errors import OptionError
from ..export import export_bytes, export_video
from ..formats.choices import AudioFitName, PresetName, QualityName
from ..frames.options import ChangeOptions, Kind, complete, options_of, with_options
from ..frames.recognise import Frames
from ..metadata.tags import Json
from ..output.options import ExportOptions
from ..output.progress import Progress
from ..sound.forms import Audio
from ..support.notes import warn
from ..support.rate import FrameRate

_Format: TypeAlias = Literal["mp4", "gif"]

_OF_EXPORT = options_of(ExportOptions)
_KINDS: Mapping[_Format, Kind] = {"mp4": "video", "gif": "moving image"}


class LogOptions(ChangeOptions, total=False):
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
            `wandb`, `mlflow` or `trackio` for its active run; or Lightning's `TensorBoardLogger`, `WandbLogger` or
            `MLFlowLogger`.
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
    row, step = _row_of(logger), _checked(name, step)
    given = complete(LogOptions, options, "log_video")
    row.log(logger, name, _encoded(frames, row.format, fps, given), step)


def log_to_all(
    loggers: Iterable[object],
    name: str,
    frames: Frames,
    fps: FrameRate,
    step: int | None,
    folder: "str | os.PathLike[str] | None",
    options: LogOptions,
) -> None:
    """Put a clip into all loggers that take one, and into a folder, encoded once as an MP4 and once as a GIF.

    Args:
        loggers: What `log_video` takes; of others a warning says that they are left out.
        name: As for `log_video`.
        frames: As for `log_video`; those of an iterator are held, where there is a GIF too.
        fps: As for `log_video`.
        step: As for `log_video`.
        folder: Where "step-00000100.mp4" goes too; without a step it is called by the name.
        options: All of `log_video`'s, of which a GIF has those that go with one.

    Raises:
        As `log_video`, and PublishError: the folder.
    """
    step, known = _checked(name, step), list[tuple[object, _Row]]()
    for logger in loggers:
        try:
            known.append((logger, _row_of(logger)))
        except OptionError as error:
            warn(f"{error}: it is left out")
    formats, known_options = {row.format for _, row in known}, options_of(LogOptions)
    if isinstance(frames, Iterator) and len(formats | ({"mp4"} if folder else set())) > 1:
        frames = list(frames)
    contents = dict[str, bytes]()
    if folder is not None:
        path = Path(folder, _artifact(name, step).rpartition("/")[2])
        video = export_video(frames, path, fps=fps, encoder="auto", **options)
        if "mp4" in formats:
            contents["mp4"] = video.read_bytes()
    for logger, row in known:
        if row.format not in contents:
            its = {each: value for each, value in options.items() if _KINDS[row.format] in known_options[each].takes}
            contents[row.format] = _encoded(frames, row.format, fps, cast(LogOptions, its))
        row.log(logger, name, contents[row.format], step)


def _encoded(frames: Frames, format: _Format, fps: FrameRate, options: LogOptions) -> bytes:
    """Encode a clip: who logs cares that it plays, and not for the encoder that made it."""
    return export_bytes(frames, fps=fps, format=format, encoder="auto" if format == "mp4" else None, **options)


def _checked(name: str, step: int | None) -> int | None:
    """Give the step as an int. Raises OptionError."""
    if not (isinstance(name, str) and name):
        raise OptionError(f"name={name!r}: a text that is not empty")
    try:
        return None if step is None else operator.index(step)
    except TypeError:
        raise OptionError(f"step={step!r}: a whole number, or None") from None


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


def _log_lightning_tensorboard(logger: Any, name: str, gif: bytes, step: int | None) -> None:
    _log_tensorboard(logger.experiment, name, gif, step)


def _log_lightning_wandb(logger: Any, name: str, mp4: bytes, step: int | None) -> None:
    # As Lightning logs its metrics: by a step of the run itself, wandb would drop what is behind the last of those.
    video = sys.modules["wandb"].Video(BytesIO(mp4), format="mp4")
    logger.experiment.log({name: video} if step is None else {name: video, "trainer/global_step": step})


def _log_lightning_mlflow(logger: Any, name: str, mp4: bytes, step: int | None) -> None:
    folder, file = os.path.split(_artifact(name, step))
    with _at_path(file, mp4) as path:
        logger.experiment.log_artifact(logger.run_id, path, folder)


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

    format: _Format
    log: Callable[[Any, str, bytes, int | None], None]


_TENSORBOARD = _Row("gif", _log_tensorboard)
_WANDB, _MLFLOW, _TRACKIO = _Row("mp4", _log_wandb), _Row("mp4", _log_mlflow), _Row("mp4", _log_trackio)
_LIGHTNING = {
    "tensorboard.TensorBoardLogger": _Row("gif", _log_lightning_tensorboard),
    "wandb.WandbLogger": _Row("mp4", _log_lightning_wandb),
    "mlflow.MLFlowLogger": _Row("mp4", _log_lightning_mlflow),
}

_ROWS = {
    "torch.utils.tensorboard.writer.SummaryWriter": _TENSORBOARD,
    "tensorboardX.writer.SummaryWriter": _TENSORBOARD,
    "wandb": _WANDB,
    "wandb.sdk.wandb_run.Run": _WANDB,
    "mlflow": _MLFLOW,
    "mlflow.entities.run.Run": _MLFLOW,
    "trackio": _TRACKIO,
    "trackio.run.Run": _TRACKIO,
    **{f"lightning.pytorch.loggers.{name}": row for name, row in _LIGHTNING.items()},
    **{f"pytorch_lightning.loggers.{name}": row for name, row in _LIGHTNING.items()},
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
        f"logger is {names[0]}: a SummaryWriter of torch or tensorboardX, a run of wandb, MLflow or trackio, "
        "Lightning's logger of one of the three first, or the module wandb, mlflow or trackio is accepted"
    )
