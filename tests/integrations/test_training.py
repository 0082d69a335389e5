"""Videos of a training: Lightning's trainer and Accelerate's processes, whose loggers have what telecine encodes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import telecine
from telecine import FrameError, OptionError, PublishError, TelecineWarning

from ..support.documents import blocks_of, run_python
from ..support.helpers import ROOT, Asked, assert_frames, greys, names_in
from .test_loggers import folder as folder
from .test_loggers import records_of_leveldb

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning:lightning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

SIZE = {"width": 64, "height": 64}


def clip(step: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Frames that tell the step that they were made at."""
    return greys(6, 64, 64) // 2 + np.uint8(20 * step)


# ---- readers of what the loggers have stored -----------------------------------------------------------------------


def gifs_of_tensorboard(where: Path) -> dict[tuple[str, int], bytes]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (log,) = {each.parent for each in where.rglob("events.out.tfevents.*")}
    events = EventAccumulator(str(log)).Reload()
    tags = events.Tags()["images"]
    return {(tag, each.step): each.encoded_image_string for tag in tags for each in events.Images(tag)}


def videos_of_wandb(where: Path, step_by: str) -> dict[tuple[str, int], bytes]:
    from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]

    (log,) = where.rglob("*.wandb")
    found = {}
    for record in records_of_leveldb(log.read_bytes()):
        items = {
            tuple(each.nested_key) or (each.key,): json.loads(each.value_json)
            for each in Record.FromString(record).history.item
        }
        for name, *within in items:
            if within == ["path"]:
                found[name, items[(step_by,)]] = (log.parent / "files" / items[name, "path"]).read_bytes()
    return found


def videos_of_mlflow(where: Path) -> dict[tuple[str, int], bytes]:
    files = where.glob("*/*/artifacts/videos/*/step-*.mp4")
    return {(each.parent.name, int(each.stem.removeprefix("step-"))): each.read_bytes() for each in files}


# ---- Lightning -----------------------------------------------------------------------------------------------------


def module() -> Any:
    """A module of one weight, whose validation gives its frames too."""
    from lightning.pytorch import LightningModule

    class Tiny(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(1, 1)

        def training_step(self, batch: torch.Tensor) -> torch.Tensor:
            loss: torch.Tensor = self.layer(batch).square().mean()
            self.log("loss", loss)
            return loss

        def validation_step(self, batch: torch.Tensor, index: int) -> dict[str, Any]:
            return {"frames": torch.from_numpy(clip(self.global_step)), "index": index}

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.01)

    return Tiny()


def train(tmp_path: Path, *callbacks: Any, loggers: Any = (), steps: int = 2, epochs: int = 2, **options: Any) -> Any:
    from lightning.pytorch import Trainer

    data: Any = torch.utils.data.DataLoader(torch.ones(steps, 1))  # type: ignore[arg-type]
    shown: dict[str, Any] = {"enable_progress_bar": False, "enable_model_summary": False}
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        callbacks=list(callbacks),
        logger=list(loggers),
        default_root_dir=tmp_path,
        log_every_n_steps=1,
        enable_checkpointing=False,
        **shown,
        **options,
    )
    trainer.fit(module(), data, data)
    return trainer


def test_every_logger_and_the_folder_have_the_video_of_each_validation(folder: Path) -> None:
    import wandb
    from lightning.pytorch.loggers import CSVLogger, MLFlowLogger, TensorBoardLogger, WandbLogger

    from telecine.integrations.lightning import VideoCallback

    settings = wandb.Settings(console="off", x_disable_meta=True, x_disable_stats=True)
    loggers = [
        TensorBoardLogger(folder / "tensorboard"),
        WandbLogger(save_dir=folder / "wandb-dir", offline=True, settings=settings),
        MLFlowLogger(tracking_uri=(folder / "runs").as_uri()),
        CSVLogger(folder / "csv"),
    ]
    modes = []

    def sample(trainer: Any, module: Any) -> Iterator[Any]:
        modes.append((module.training, torch.is_grad_enabled()))
        yield from clip(trainer.global_step)

    where = folder / "of a panda, 100 %"
    callback = VideoCallback(sample, "eval panda", folder=where, fps="24000/1001", crf=18)
    with pytest.warns(TelecineWarning, match=r"logger is .*CSVLogger: .*: it is left out"):
        train(folder, callback, loggers=loggers)
    wandb.finish()
    wandb.teardown()

    assert modes == [(False, False)] * 2
    assert names_in(where) == ["step-00000002.mp4", "step-00000004.mp4"]
    files = {("eval panda", step): (where / f"step-{step:08}.mp4").read_bytes() for step in (2, 4)}
    for (_, step), content in files.items():
        assert content == telecine.export_bytes(clip(step), fps="24000/1001", crf=18)
        assert telecine.probe(io.BytesIO(content)).fps == Fraction(24000, 1001)
    assert videos_of_wandb(folder / "wandb-dir", "trainer/global_step") == files
    assert videos_of_mlflow(folder / "runs") == files
    assert gifs_of_tensorboard(folder / "tensorboard") == {
        ("eval panda", step): telecine.export_bytes(clip(step), fps="24000/1001", format="gif") for step in (2, 4)
    }


def test_a_key_names_what_validation_step_gives(tmp_path: Path) -> None:
    from telecine.integrations.lightning import VideoCallback

    train(tmp_path, VideoCallback("frames", folder=tmp_path / "samples", fps=8))
    for step in (2, 4):
        assert_frames(tmp_path / "samples" / f"step-{step:08}.mp4", clip(step))


def test_every_so_many_steps_is_once_for_each_though_gradients_are_gathered(tmp_path: Path) -> None:
    from telecine.integrations.lightning import VideoCallback

    steps: list[int] = []

    def sample(trainer: Any, module: Any) -> Any:
        steps.append(trainer.global_step)
        return clip(trainer.global_step) if trainer.global_step != 4 else None

    callback = VideoCallback(sample, folder=tmp_path / "samples", every_n_steps=2)
    train(tmp_path, callback, steps=12, epochs=1, accumulate_grad_batches=2)
    assert steps == [2, 4, 6]
    assert names_in(tmp_path / "samples") == ["step-00000002.mp4", "step-00000006.mp4"]


def test_a_trial_run_says_nothing(tmp_path: Path) -> None:
    from telecine.integrations.lightning import VideoCallback

    train(tmp_path, VideoCallback("frames"), loggers=[], fast_dev_run=True)


def test_what_is_wrong_is_said_before_anything_is_trained(tmp_path: Path) -> None:
    from telecine.integrations.lightning import VideoCallback

    def never(trainer: Any, module: Any) -> Any:
        raise AssertionError

    wrong: list[tuple[str, Any, dict[str, Any]]] = [
        ("sample=3: a function of", 3, {}),
        ("sample='': a function of", "", {}),
        ("every_n_steps=0: a number from 1", never, {"every_n_steps": 0}),
        ("every_n_steps=True: a number from 1", never, {"every_n_steps": True}),
        ("every_n_steps= and sample='frames'", "frames", {"every_n_steps": 5}),
        ("crf=99 is not in h264's range", never, {"crf": 99}),
        ("fps=0", never, {"fps": 0}),
    ]
    for said, sample, options in wrong:
        with pytest.raises(OptionError, match=said):
            VideoCallback(sample, **options)
    with pytest.raises(TypeError, match="unexpected keyword argument 'overwrite'"):
        VideoCallback(never, overwrite=True)  # type: ignore[call-arg]
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PublishError, match="file"):
        train(tmp_path, VideoCallback(never, folder=tmp_path / "file" / "samples"))


def test_what_no_validation_gives_and_frames_that_are_none_are_errors(tmp_path: Path) -> None:
    from telecine.integrations.lightning import VideoCallback

    with pytest.raises(OptionError, match="validation_step gives no 'clip': return a dict that has it"):
        train(tmp_path, VideoCallback("clip", folder=tmp_path / "samples"))
    with pytest.raises(FrameError):
        train(tmp_path, VideoCallback(lambda *_: [], folder=tmp_path / "samples"))
    assert not list(tmp_path.rglob("*.mp4"))


TWO_RANKS = """
import sys
sys.path.append(sys.argv[2])
import torch
from torch import distributed
from telecine.integrations.lightning import VideoCallback
from tests.integrations.test_training import clip, train
from pathlib import Path

def sample(trainer, module):
    for frame in clip(trainer.global_step):
        total = torch.from_numpy(frame // 2).float()
        distributed.all_reduce(total)  # each rank waits for the other
        yield total.to(torch.uint8).numpy()

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    train(folder, VideoCallback(sample, folder=folder / "samples"), devices=2, strategy="ddp", epochs=1, steps=4)
"""


def test_two_ranks_sample_together_and_rank_zero_writes(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(TWO_RANKS)
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "MASTER_ADDR": "127.0.0.1", "PYTHONPATH": root}
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path), root],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert names_in(tmp_path / "samples") == ["step-00000002.mp4"]
    assert_frames(tmp_path / "samples" / "step-00000002.mp4", clip(2) // 2 * 2)


# ---- Accelerate ----------------------------------------------------------------------------------------------------


def test_all_trackers_of_an_accelerator_have_the_clip(folder: Path) -> None:
    import mlflow
    import wandb
    from accelerate import Accelerator

    from telecine.integrations.accelerate import log_video

    accelerator = Accelerator(log_with=["tensorboard", "wandb", "mlflow"], project_dir=folder / "logs", cpu=True)
    settings = wandb.Settings(console="off", x_disable_meta=True, x_disable_stats=True)
    mlflow.set_tracking_uri((folder / "runs").as_uri())
    of_wandb = {"dir": str(folder), "mode": "offline", "settings": settings}
    accelerator.init_trackers("panda", init_kwargs={"wandb": of_wandb})
    for step in (1, 2):
        accelerator.log({"loss": 0.5}, step=step)
        log_video(accelerator, "validation", iter(clip(step)), fps=8, step=step, folder=folder / "samples", crf=18)
    accelerator.end_training()
    wandb.teardown()

    files = {("validation", step): telecine.export_bytes(clip(step), fps=8, crf=18) for step in (1, 2)}
    assert {step: (folder / "samples" / f"step-{step:08}.mp4").read_bytes() for step in (1, 2)} == {
        step: content for (_, step), content in files.items()
    }
    assert videos_of_wandb(folder, "_step") == files
    assert videos_of_mlflow(folder / "runs") == files
    assert gifs_of_tensorboard(folder / "logs") == {
        ("validation", step): telecine.export_bytes(clip(step), fps=8, format="gif") for step in (1, 2)
    }


def test_a_tracker_of_a_users_own_is_left_out_with_a_warning(tmp_path: Path) -> None:
    from accelerate import Accelerator
    from accelerate.tracking import GeneralTracker

    from telecine.integrations.accelerate import log_video

    class Own(GeneralTracker):  # type: ignore[misc]
        name = "own"
        requires_logging_directory = False
        tracker = None

        def store_init_configuration(self, values: Any) -> None: ...

        def log(self, values: Any, step: Any = None, **kwargs: Any) -> None: ...

    accelerator = Accelerator(log_with=Own(), cpu=True)
    accelerator.init_trackers("panda")
    with pytest.warns(TelecineWarning, match="NoneType: .*: it is left out"):
        log_video(accelerator, "validation", clip(0), folder=tmp_path)
    assert names_in(tmp_path) == ["validation.mp4"]


def test_another_process_than_the_main_one_makes_nothing(tmp_path: Path) -> None:
    from telecine.integrations.accelerate import log_video

    class Other:
        is_main_process = False
        trackers: list[Any] = []  # noqa: RUF012

    frames = Asked(clip(0))
    log_video(Other(), "validation", frames, step=1, folder=tmp_path)
    assert frames.count == len(clip(0)) + 1
    assert names_in(tmp_path) == []
    with pytest.raises(TypeError, match="unexpected keyword argument 'overwrite'"):
        log_video(Other(), "validation", frames, overwrite=True)  # type: ignore[call-arg]


# ---- the page ------------------------------------------------------------------------------------------------------


def test_the_blocks_of_the_page_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb
    from lightning.pytorch import Trainer
    from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger

    monkeypatch.chdir(folder)
    monkeypatch.setenv("WANDB_MODE", "offline")
    inputs: dict[str, Any] = {
        "Trainer": lambda: Trainer,
        "TensorBoardLogger": lambda: TensorBoardLogger,
        "WandbLogger": lambda: WandbLogger,
        "global_step": lambda: 100,
        "pipe": lambda: lambda prompt: SimpleNamespace(frames=[list(clip(0))]),
        "prompt": lambda: "a panda",
    }
    left = [run_python(block, inputs) for block in blocks_of(ROOT / "docs" / "training.md")]
    wandb.finish()
    wandb.teardown()
    assert left[0]["trainer"].callbacks[0] is left[0]["callback"]
    assert_frames(folder / "samples" / "step-00000100.mp4", clip(0))
