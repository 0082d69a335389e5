"""`VideoCallback` for Lightning: samples of a model in training, as videos in a folder and in the trainer's loggers."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, Unpack, cast

import torch

from ..deliver.ranks import use_up
from ..errors import MissingDependencyError, OptionError
from ..frames.options import complete, part, with_options
from ..frames.recognise import Frames
from ..output.options import ExportOptions, WriterOptions
from ..support.rate import FrameRate
from ..writer import VideoWriter
from .loggers import LogOptions, log_to_all

try:
    from lightning.pytorch.callbacks import Callback
except ImportError:
    try:
        from pytorch_lightning.callbacks import Callback  # type: ignore[import-not-found,assignment,unused-ignore]
    except ImportError as error:
        raise MissingDependencyError("telecine.integrations.lightning needs pip install lightning") from error

Sample: TypeAlias = "Callable[[Any, Any], Frames | None]"

_DUMMY = "DummyLogger"  # in place of the loggers of a trial run (`fast_dev_run`)


@with_options(LogOptions)
class VideoCallback(Callback):
    """Writes a video of a model's samples while it is trained, and logs it to all of the trainer's loggers.

    That is after each validation, or every so many steps. The file is `<folder>/step-00000100.mp4`, all of it or none.
    Loggers are Lightning's of TensorBoard, Weights & Biases and MLflow; others are left out, with a warning. The sanity
    check of a trainer makes no video.

    Args:
        sample: A function of (trainer, module) that gives frames, as `export_video` takes them, or None for no video.
            It is called on every rank, without gradients, for it may do what all ranks do together; the video is made
            of what it gives on rank 0. Or a key of what `validation_step` returns: its frames of the first batch.
        name: What the loggers show the video under.
        folder: Where the files go; without one, to the loggers alone.
        every_n_steps: A video after so many steps of the optimiser each, in place of one after each validation.
        fps: Frames per second, as for `export_video`.
        **options: Those below. A GIF, for TensorBoard, has no sound, crf, preset or limit of bytes.

    Raises:
        OptionError: an argument.

    >>> callback = VideoCallback(lambda trainer, module: module.sample(), folder="samples", every_n_steps=500, fps=16)
    >>> callback.name, callback.every_n_steps
    ('validation', 500)
    """

    def __init__(
        self,
        sample: "Sample | str",
        name: str = "validation",
        folder: "str | os.PathLike[str] | None" = None,
        every_n_steps: int | None = None,
        fps: FrameRate = 16,
        **options: Unpack[LogOptions],
    ) -> None:
        super().__init__()
        if not (callable(sample) or (isinstance(sample, str) and sample)):
            raise OptionError(
                f"sample={sample!r}: a function of (trainer, module), or a key of validation_step's output"
            )
        if every_n_steps is not None and (type(every_n_steps) is not int or every_n_steps < 1):
            raise OptionError(f"every_n_steps={every_n_steps!r}: a number from 1, or None for each validation")
        if every_n_steps is not None and isinstance(sample, str):
            raise OptionError(f"every_n_steps= and sample={sample!r}, which a validation gives, contradict: give one")
        self.name, self.folder, self.fps, self.every_n_steps = name, folder, fps, every_n_steps
        self.options = complete(LogOptions, options, "VideoCallback")
        self._try(io.BytesIO())
        self._sample = sample
        self._frames: Any = None  # of the validation that is going on
        self._last_step = 0

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Prove that the folder can be written, before anything is trained. Raises PublishError."""
        if self.folder is not None and trainer.is_global_zero:
            self._try(Path(self.folder, "step-00000000.mp4"))

    def _try(self, place: io.BytesIO | Path) -> None:
        """Raise now what a video would after the first epoch."""
        of_video = {**self.options, "fps": self.fps, "encoder": "auto", "format": "mp4", "progress": False}
        options = complete(ExportOptions, cast(ExportOptions, of_video), "VideoCallback")
        VideoWriter(place, **part(WriterOptions, options)).abort()

    def on_validation_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Keep the frames of the first batch, where they are what `validation_step` gives."""
        if isinstance(self._sample, str) and batch_idx == dataloader_idx == 0:
            if not (hasattr(outputs, "keys") and self._sample in outputs):
                raise OptionError(f"validation_step gives no {self._sample!r}: return a dict that has it")
            self._frames = outputs[self._sample]

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Make the video of a validation."""
        frames, self._frames = self._frames, None
        if self.every_n_steps is None and not trainer.sanity_checking:
            self._log(trainer, self._sampled(trainer, pl_module) if callable(self._sample) else frames)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Make the video of a step; of one that gradients are still gathered for it is made once."""
        step, every = trainer.global_step, self.every_n_steps
        if every is not None and step % every == 0 and step != self._last_step:
            self._last_step = step
            self._log(trainer, self._sampled(trainer, pl_module))

    def _sampled(self, trainer: Any, module: Any) -> Any:
        assert callable(self._sample)
        with torch.no_grad():
            return self._sample(trainer, module)

    def _log(self, trainer: Any, frames: Any) -> None:
        if not trainer.is_global_zero:
            use_up(frames)
        elif frames is not None:
            loggers = (each for each in trainer.loggers if type(each).__name__ != _DUMMY)
            log_to_all(loggers, self.name, frames, self.fps, trainer.global_step, self.folder, self.options)
