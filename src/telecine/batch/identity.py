"""What a job is: a hash of its row, of the options for all, and of what its input is by now."""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..engines.work import Job
from ..files.urls import url_in

_DIGITS = 32


def identity_of(job: Job, options: Mapping[str, Any]) -> str:
    """Give a job's identity: files change it with their sizes and times, arrays with their bytes; a URL is its text.

    Frames of other kinds can't be told from others: theirs is never there again.
    """
    row = {"output": job.output, "key": job.key, "options": {**options, **job.options}}
    text = json.dumps(row, sort_keys=True, default=repr)
    return hashlib.sha256("\n".join([text, *_input(job.frames)]).encode()).hexdigest()[:_DIGITS]


def _input(frames: Any) -> Iterator[str]:
    if isinstance(frames, (str, os.PathLike)):
        yield os.fspath(frames)
        if url_in(frames) is None:
            yield from _files(os.fspath(frames))
    elif isinstance(frames, np.ndarray):
        yield f"{frames.dtype} {frames.shape}"
        yield hashlib.sha256(np.ascontiguousarray(frames).view(np.uint8).data).hexdigest()
    else:
        yield os.urandom(16).hex()


def _files(path: str) -> Iterator[str]:
    found = [path] if os.path.exists(path) else glob.glob(path, recursive=True)
    for each in sorted(found):
        if os.path.isdir(each):
            with os.scandir(each) as entries:
                for name, status in sorted((entry.name, entry.stat()) for entry in entries):
                    yield f"{name} {status.st_size} {status.st_mtime_ns}"
        else:
            status = os.stat(each)
            yield f"{each} {status.st_size} {status.st_mtime_ns}"
