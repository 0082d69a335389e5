"""Frames on disk: a folder or a glob of images, a file of arrays, a video. Found at once, read one by one."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import re
from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise
from pathlib import Path
from typing import TypeGuard

import numpy as np
import numpy.typing as npt

from ..errors import FrameError, InputError
from ..files.pillow import image_extensions, opened_image
from ..files.urls import local_path
from ..planes.pixel_formats import has_alpha
from ..read.frames import read_frames
from ..read.images import copies_of_pictures, count_pictures, is_image
from ..read.probe import probe
from ..support.notes import warn
from .arrays import is_array, read_array
from .recognise import Frames

_MAY_MOVE = {".webp", ".png", ".apng", ".avif"}


def open_frames(path: str | os.PathLike[str], allow_gaps: bool = False) -> Frames:
    """Find the frames that a path stands for.

    Args:
        path: A folder or a glob of images, sorted naturally ("2.png" before "10.png"); an image; a `.npy`, `.npz` or
            `.safetensors` file that holds one array; or a video.
        allow_gaps: Accept images whose numbering skips a number.

    Raises:
        InputError: there is nothing there, or the file can't be read.
        FrameError: a number is missing.
        MissingDependencyError: a `.safetensors` file without the package for it.
    """
    name = local_path(path, "read", InputError)
    if os.path.isdir(name):
        return images_in_order((each for each in Path(name).iterdir() if _is_image(each)), name, allow_gaps)
    if not os.path.exists(name):
        if glob.has_magic(name):
            return images_in_order(map(Path, glob.glob(name, recursive=True)), name, allow_gaps)
        said = f"{name!r} does not exist: give a folder or a glob of images, a file of arrays or a video"
        raise InputError.of(errno.ENOENT, said, name)
    if is_array(name):
        return read_array(name)
    return _video(name) if is_video(name) else [Path(name)]


def is_video(frames: object) -> TypeGuard[str | os.PathLike[str]]:
    """Tell whether frames are given as the path of a video: of a file that is no array and no image that stands still.

    Its contents tell, when it is read, whether it is one.
    """
    if not isinstance(frames, (str, os.PathLike)):
        return False
    name = os.fsdecode(frames)
    extension = os.path.splitext(name)[1].lower()
    if is_array(name) or not os.path.exists(name) or os.path.isdir(name):
        return False
    return _moves(name) if extension in _MAY_MOVE else extension == ".gif" or extension not in image_extensions()


def _moves(name: str) -> bool:
    with contextlib.suppress(InputError), opened_image(name) as image:
        return getattr(image, "n_frames", 1) > 1
    return False


def opened(frames: Frames) -> Frames:
    """Give the frames that a path or an image of several pictures stands for, and all else as it is."""
    if isinstance(frames, (str, os.PathLike)):
        return open_frames(frames)
    if is_image(frames) and count_pictures(frames) > 1:
        return copies_of_pictures(frames)
    return frames


def images_in_order(paths: Iterable[Path], given: str, allow_gaps: bool = False) -> list[Path]:
    """Sort image files naturally, and refuse a numbering that skips a number.

    Raises:
        InputError: there are none.
        FrameError: a number is missing.
    """
    images = sorted(paths, key=_natural_key)
    if not images:
        raise InputError.of(errno.ENOENT, f"{given!r} has no images", given)
    if not allow_gaps:
        for _, siblings in groupby(images, key=lambda image: image.parent):
            _check_numbering(list(siblings))
    return images


def _natural_key(path: Path) -> tuple[tuple[tuple[int, int | str], ...], str]:
    parts = re.split(r"(\d+)", str(path))
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in parts if part), str(path)


def _check_numbering(images: list[Path]) -> None:
    """Frames of one sequence differ in one number; where that is so, it must go up by one step."""
    split = [re.split(r"(\d+)", image.name) for image in images]
    if len(split) < 3 or len({len(parts) for parts in split}) != 1:
        return
    varying = [column for column in zip(*split, strict=True) if len(set(column)) > 1]
    if len(varying) != 1 or not all(part.isdecimal() for part in varying[0]):
        return
    numbers = [int(part) for part in varying[0]]
    steps = [after - before for before, after in pairwise(numbers)]
    step = min(steps)
    if step == 0:  # "1.png" and "01.png"
        return
    gap = next((at for at, found in enumerate(steps) if found != step), None)
    if gap is not None:
        raise FrameError(
            f"the numbering has a gap: {images[gap].name!r} is followed by {images[gap + 1].name!r}; "
            "allow it with --allow-gaps, or telecine.open_frames(path, allow_gaps=True)"
        )


def _is_image(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".") and path.suffix.lower() in image_extensions()


def _video(name: str) -> Iterator[npt.NDArray[np.uint8]]:
    info = probe(name)  # what can't be read shows now, not when the first frame is asked for
    if info.cut_off:
        raise InputError(f"{name!r} is cut off: {info.frame_count} of its frames are whole")
    for note in info.notes:
        warn(f"of {name!r}: {note}")
    return read_frames(name, alpha=has_alpha(info.pixel_format))
