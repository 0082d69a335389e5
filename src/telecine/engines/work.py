"""One job from its input to its place, in whatever process: what an engine runs."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from ..deliver.staging import make_folder_of, temporary_path
from ..errors import FileError, TelecineError
from ..export import export
from ..files.files import Source, source_of, stored_path
from ..files.urls import StorageOptions, scheme_of
from ..formats.choose import output_of
from ..frames.options import complete
from ..frames.recognise import only_video
from ..frames.sources import FrameSource, open_source
from ..output.options import ExportOptions
from ..output.result import Video
from ..support.words import one_line
from .place import Place

# What may pass: the network, a server that is busy, a lock. A full disk does not by itself.
_NAMES = "EIO EAGAIN EBUSY EINTR ETIMEDOUT ECONNRESET ECONNREFUSED ECONNABORTED EPIPE ENETUNREACH EHOSTUNREACH ESTALE"
_PASSING = {getattr(errno, name) for name in _NAMES.split() if hasattr(errno, name)}
_PIECE = 1 << 20


@dataclass(frozen=True)
class Job:
    """One export: its number, what is read, its name under the prefix, and the options that its row gives.

    `key` names one array of several in a file. `facts` are the other columns: a prompt, a seed. `stores` has what
    stores of inputs are opened with, by the schemes of URLs. The `id` is that of the ledger, once it is looked up.
    """

    index: int
    frames: Any
    output: str
    options: Mapping[str, Any]
    key: str | None
    facts: Mapping[str, object]
    stores: Mapping[str, StorageOptions] = field(default_factory=dict)
    id: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of an attempt at a job: facts of the file, or an `error` in one line, which `may_pass` or not."""

    seconds: float
    frames: int = 0
    bytes: int = 0
    sha256: str = ""
    width: int = 0
    height: int = 0
    fps: str = ""
    codec: str = ""
    error: str = ""
    may_pass: bool = False


def perform(job: Job, place: Place, options: Mapping[str, Any]) -> Outcome:
    """Export a job's frames, and tell what is there then; whatever fails is told, too."""
    start = time.monotonic()
    try:
        with warnings.catch_warnings(action="ignore"):  # of a million clips; the notes are those of each
            outcome = _exported(job, place, options)
    except Exception as error:
        passes = isinstance(error, (FileError, OSError)) and error.errno in _PASSING
        said = str(error) if isinstance(error, TelecineError) else f"{type(error).__name__}: {error}"
        return Outcome(
            time.monotonic() - start, error=one_line(said), may_pass=passes or isinstance(error, MemoryError)
        )
    return replace(outcome, seconds=time.monotonic() - start)


def _exported(job: Job, place: Place, options: Mapping[str, Any]) -> Outcome:
    given = complete(ExportOptions, cast(ExportOptions, {**options, **job.options}), "export_video")
    source, given["audio"] = inputs_of(job, given["audio"])
    if not place.is_url:
        path = place.path_of(job.output)
        return _outcome(export(source, path, given), path)
    row = output_of(job.output, given["format"])
    local = temporary_path(row)
    try:
        outcome = _outcome(export(source, local, given), local)
        upload(local, place.path_of(job.output), place, row.name)
    finally:
        _remove(local)
    return outcome


def inputs_of(job: Job, audio: Any) -> tuple[FrameSource, Any]:
    """Open a job's frames, and give its sound as it is to be read."""
    of_frames, of_audio = (job.stores.get(scheme_of(each) or "") for each in (job.frames, audio))
    if of_audio is not None:
        audio = source_of(cast(Source, audio), of_audio)
    return open_source(only_video(job.frames), key=job.key, storage_options=of_frames), audio


def _outcome(video: Video, path: str) -> Outcome:
    digest, size = hashlib.sha256(), 0
    for each in _files_of(path):
        with open(each, "rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
                size += len(piece)
    return Outcome(
        0, video.frame_count, size, digest.hexdigest(), video.width, video.height, str(video.fps), video.codec
    )


def _files_of(path: str) -> list[str]:
    """Give a file, or the files of a folder in order."""
    return sorted(os.path.join(path, name) for name in os.listdir(path)) if os.path.isdir(path) else [path]


def upload(local: str, url: str, place: Place, format: str) -> None:
    """Upload what is finished, without what one export proves before: who runs a batch has proved it once."""
    from ..deliver.stores import Store  # start-up: few batches go to a store

    stored = stored_path(url, place.storage_options)
    assert stored is not None
    store = Store(stored, format, overwrite=True)
    make_folder_of(store.path)
    if store.was_interrupted:
        store.prepare()
    if os.path.isdir(local):
        store.deliver_folder(local, os.listdir(local))
        return
    with open(local, "rb") as file:
        store.deliver(file)


def _remove(local: str) -> None:
    if os.path.isdir(local):
        shutil.rmtree(local, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            os.remove(local)
