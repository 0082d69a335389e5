"""`log_video`: what lies in the storage of real loggers, none of which has a network, is what telecine encodes."""

from __future__ import annotations

import io
import json
import socket
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

import telecine
from telecine import FrameError, OptionError

from ..support.documents import blocks_of, run_python
from ..support.helpers import ROOT, Clip

pytestmark = pytest.mark.slow  # the loggers take seconds to be imported

PATCHES = np.random.default_rng(0).integers(0, 256, (7, 3, 4, 3), np.uint8)
CLIP = PATCHES.repeat(16, axis=1).repeat(16, axis=2)
SIGNED = torch.from_numpy(CLIP).permute(0, 3, 1, 2) / 127.5 - 1  # (T, C, H, W) in [-1, 1], as VAEs give it
OUTSIDE = "../../of a panda?"


class Entry(NamedTuple):
    """What a logger has of a clip."""

    name: str
    step: int
    extension: str
    data: bytes


class Training(NamedTuple):
    """A run of a logger, in a folder of its own."""

    run: object
    active: object  # what takes clips for the run that is active: the module, where there is one
    entries: Callable[[], Iterator[Entry]]  # ends the run, and reads what it has stored
    format: Literal["mp4", "gif"] = "mp4"
    outside: str = OUTSIDE  # how it keeps a name that would lead out of its storage


# ---- the loggers, each with a reader of its storage ----------------------------------------------------------------


def tensorboard(folder: Path) -> Training:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard.writer import SummaryWriter

    class Writer(SummaryWriter):
        """One of a user."""

    writer = Writer(str(folder))

    def entries() -> Iterator[Entry]:
        writer.close()
        events = EventAccumulator(str(folder)).Reload()
        for tag in events.Tags()["images"]:
            for event in events.Images(tag):
                assert (event.width, event.height) == (CLIP.shape[2], CLIP.shape[1])
                extension = ".gif" if event.encoded_image_string.startswith(b"GIF89a") else ""
                yield Entry(tag, event.step, extension, event.encoded_image_string)

    return Training(writer, writer, entries, "gif")


def weights_and_biases(folder: Path) -> Training:
    import wandb
    from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]

    settings = wandb.Settings(console="off", x_disable_meta=True, x_disable_stats=True)
    run = wandb.init(project="panda", dir=str(folder), mode="offline", settings=settings)
    files = Path(run.dir)

    def entries() -> Iterator[Entry]:
        run.finish()
        wandb.teardown()  # its service, which is a process
        (log,) = folder.rglob("*.wandb")
        for record in records_of_leveldb(log.read_bytes()):
            history = Record.FromString(record).history.item
            items = {tuple(item.nested_key) or (item.key,): json.loads(item.value_json) for item in history}
            for name in {name for name, *within in items if within}:
                assert items[name, "_type"] == "video-file"
                path = files / items[name, "path"]
                yield Entry(name, items[("_step",)], path.suffix, path.read_bytes())

    return Training(run, wandb, entries)


def records_of_leveldb(data: bytes) -> Iterator[bytes]:
    """Give the records of a log of LevelDB, as its log_format.md has it: in blocks of 32 KiB, a record in parts."""
    record, at = b"", 7  # behind wandb's header
    while at < len(data):
        if (left := -at % 0x8000) < 7:
            at += left
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        record += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # the whole, or its last part
            yield record
            record = b""


def mlflow(folder: Path) -> Training:
    import mlflow

    mlflow.set_tracking_uri((folder / "runs").as_uri())
    run = mlflow.start_run()

    def entries() -> Iterator[Entry]:
        mlflow.end_run()
        (artifacts,) = folder.glob("runs/*/*/artifacts")
        for path in (each for each in folder.rglob("*") if each.suffix in (".mp4", ".gif")):
            first, *name, last = path.relative_to(artifacts).parts
            assert first == "videos"
            yield Entry("/".join(name), int(Path(last).stem.removeprefix("step-")), path.suffix, path.read_bytes())

    return Training(run, mlflow, entries, outside="of a panda_-9d37f9b1")


def trackio(folder: Path) -> Training:
    import trackio
    from trackio.utils import MEDIA_DIR, TRACKIO_DIR

    run = trackio.init(project=folder.name, embed=False, auto_log_cpu=False, auto_log_gpu=False)

    def entries() -> Iterator[Entry]:
        trackio.finish()  # type: ignore[no-untyped-call]
        with closing(sqlite3.connect(TRACKIO_DIR / f"{folder.name}.db")) as database:
            rows = database.execute("SELECT step, metrics FROM metrics").fetchall()
        for step, metrics in rows:
            for name, video in json.loads(metrics).items():
                assert video["_type"] == "trackio.video"
                path = MEDIA_DIR / video["file_path"]
                yield Entry(name, step, path.suffix, path.read_bytes())

    return Training(run, trackio, entries)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for a logger, which may not look for a network."""
    settings = {
        "HF_HUB_OFFLINE": "1",
        "MLFLOW_ALLOW_FILE_STORE": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "TRACKIO_DIR": str(tmp_path),  # read when it is imported
        "WANDB_CACHE_DIR": str(tmp_path),
        "WANDB_CONFIG_DIR": str(tmp_path),
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_SILENT": "true",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    connect = socket.socket.connect

    def connect_here(self: socket.socket, address: Any) -> None:
        assert self.family == socket.AF_UNIX, f"{address} is asked for"  # but wandb's own process
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_here)
    return tmp_path


@pytest.fixture(params=[tensorboard, weights_and_biases, mlflow, trackio], ids=lambda start: str(start.__name__))
def training(request: pytest.FixtureRequest, folder: Path) -> Training:
    started: Training = request.param(folder)
    return started


# ---- what is in them -----------------------------------------------------------------------------------------------


def log(*given: Any, **options: Any) -> None:
    """Log a clip, and leave no temporary file."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", folder)
        telecine.log_video(*given, **options)
        assert list(Path(folder).iterdir()) == []


def pictures_in(entry: Entry) -> Clip:
    """Decode a clip; a GIF by Pillow."""
    if entry.extension == ".mp4":
        return np.stack(list(telecine.read_frames(io.BytesIO(entry.data))))
    with Image.open(io.BytesIO(entry.data)) as image:
        return np.stack([np.asarray(each.convert("RGB")) for each in ImageSequence.Iterator(image)])


def test_a_logger_has_the_bytes_that_telecine_encodes(training: Training) -> None:
    """By a run, and by the module for the one that is active; of a clip that failed it has nothing."""
    run, active, form = training.run, training.active, training.format
    sound: dict[str, Any] = {"audio": np.zeros(800, np.int16), "audio_rate": 8000} if form == "mp4" else {}
    log(run, "eval/panda", CLIP, 10, 1)
    with pytest.raises(FrameError, match="dtype"):
        log(run, "eval/panda", CLIP.astype(complex), 10, 2)
    log(active, "eval/panda", SIGNED, fps="25/2", step=20, value_range=(-1, 1), quality="visually-lossless")
    log(run, OUTSIDE, CLIP[None], fps=20, step=np.int64(300), metadata={"prompt": "a panda"}, **sound)

    finer = telecine.export_bytes(SIGNED, fps="25/2", value_range=(-1, 1), quality="visually-lossless", format=form)
    described = telecine.export_bytes(CLIP, fps=20, metadata={"prompt": "a panda"}, format=form, **sound)
    entries = sorted(training.entries(), key=lambda entry: entry.step)
    assert entries == [
        Entry("eval/panda", 1, f".{form}", telecine.export_bytes(CLIP, fps=10, format=form)),
        Entry("eval/panda", 20, f".{form}", finer),
        Entry(training.outside, 300, f".{form}", described),
    ]
    for entry, fps in zip(entries, (10, Fraction(25, 2), 20), strict=True):
        info = telecine.probe(io.BytesIO(entry.data))
        assert (info.fps, info.frame_count, info.container) == (fps, len(CLIP), form)
        assert form == "gif" or (info.codec, info.pixel_format) == ("h264", "yuv420p")
        assert np.abs(pictures_in(entry)[:, 8::16, 8::16].astype(int) - PATCHES).max() <= 6


def test_every_name_has_an_artifact_of_its_own_in_mlflows_run(folder: Path) -> None:
    odd = ["a?", "a*", "..", "../a", "/a", "a/../../../b", "a\\b", " ", "パンダ" * 99, "𠀀" * 99, "%2e%2e/a"]
    training = mlflow(folder)
    for name in ("a", "a/b", *odd):
        log(training.run, name, CLIP[:1], step=7)
    kept = [entry.name for entry in training.entries()]
    assert len(kept) == len({name.casefold() for name in kept}) == 2 + len(odd)
    assert {"a", "a/b"} < set(kept)


def test_what_does_not_fit_is_refused_before_a_frame_is_asked_for(folder: Path) -> None:
    """And before the logger has it: its file stays as it was."""
    training = tensorboard(folder)
    writer: Any = training.run
    for said, logger, name, options in (
        ("logger is builtins.str: a SummaryWriter of torch", "runs", "a", {}),
        ("logger is io: .*or the module wandb, mlflow or trackio is accepted", io, "a", {}),
        ("name=''", writer, "", {}),
        ("name=3", writer, 3, {}),
        ("step=1.5: a whole number", writer, "a", {"step": 1.5}),
        ("fps=0", writer, "a", {"fps": 0}),
        ("quality='best'", writer, "a", {"quality": "best"}),
        ("crf=20 does not go with gif", writer, "a", {"crf": 20}),
        ("audio does not go into gif", writer, "a", {"audio": np.zeros(800, np.int16)}),
    ):
        frames = iter(CLIP)
        with pytest.raises(OptionError, match=said):
            log(logger, name, frames, **options)
        assert len(list(frames)) == len(CLIP)
    with pytest.raises(TypeError, match=r"log_video\(\) got an unexpected keyword argument 'overwrite'"):
        log(writer, "a", CLIP, overwrite=True)
    with pytest.raises(FrameError, match=r"holds 2 videos .* telecine.grid"):
        log(writer, "a", np.stack([CLIP, CLIP]))
    assert list(training.entries()) == []


# ---- the page on them ----------------------------------------------------------------------------------------------


def test_the_page_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow
    import trackio
    import wandb
    from trackio.utils import MEDIA_DIR

    monkeypatch.chdir(folder)
    monkeypatch.setenv("WANDB_MODE", "offline")
    mlflow.set_tracking_uri((folder / "mlruns").as_uri())
    for block in blocks_of(ROOT / "docs" / "loggers.md"):
        run_python(block, {"frames": lambda: CLIP})
    wandb.finish()
    wandb.teardown()
    trackio.finish()  # type: ignore[no-untyped-call]
    assert all([*place.rglob("*.mp4")] for place in (folder / "wandb", folder / "mlruns", MEDIA_DIR / "panda"))
