"""Frames on disk: a folder or a glob of images, a file of arrays, a video. Found at once, read one by one."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from . import alpha
from .errors import FrameError, MissingDependencyError
from .formats import CONTAINERS
from .frames import Frames
from .image_frames import count_pictures, is_image, pictures_in
from .probe import probe
from .read import read_frames
from .urls import local_path

VIDEO_EXTENSIONS = {each for container in CONTAINERS.values() for each in container.extensions} | {
    ".mov", ".mkv", ".webm", ".avi", ".gif", ".mpg", ".mpeg", ".ts", ".ogv", ".wmv", ".flv",
}  # fmt: skip


_MAY_MOVE = {".webp", ".png", ".apng", ".avif"}


def open_frames(path: str | os.PathLike[str], allow_gaps: bool = False) -> Frames:
    """Find the frames that a path stands for.

    Args:
        path: A folder or a glob of images, sorted naturally ("2.png" before "10.png"); an image; a `.npy`, `.npz` or
            `.safetensors` file that holds one array; or a video.
        allow_gaps: Accept images whose numbering skips a number.

    Raises:
        FrameError: there is nothing there, a number is missing, or the file can't be read.
        MissingDependencyError: a `.safetensors` file without the package for it.
    """
    name = local_path(path, "read", FrameError)
    if os.path.isdir(name):
        return images_in_order((each for each in Path(name).iterdir() if _is_image(each)), name, allow_gaps)
    if not os.path.exists(name):
        if glob.has_magic(name):
            return images_in_order(map(Path, glob.glob(name, recursive=True)), name, allow_gaps)
        raise FrameError(f"{name!r} does not exist: give a folder or a glob of images, a file of arrays or a video")
    extension = os.path.splitext(name)[1].lower()
    if extension in _ARRAY_READERS:
        return _ARRAY_READERS[extension](name)
    if is_video(name):
        return _video(name)
    if extension in _image_extensions():
        return [Path(name)]
    raise FrameError(
        f"{name!r} has an unknown extension: images, videos, {', '.join(_ARRAY_READERS)} and folders of images are read"
    )


def is_video(frames: object) -> TypeGuard[str | os.PathLike[str]]:
    """Tell whether frames are given as the path of a video, by its extension; of an image, by whether it moves."""
    if not isinstance(frames, (str, os.PathLike)):
        return False
    extension = Path(os.fsdecode(frames)).suffix.lower()
    return extension in VIDEO_EXTENSIONS or (extension in _MAY_MOVE and _moves(frames))


def _moves(path: str | os.PathLike[str]) -> bool:
    from PIL import Image

    try:
        with Image.open(path) as image:
            return getattr(image, "n_frames", 1) > 1
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False


def opened(frames: Frames) -> Frames:
    """Give the frames that a path or an image of several pictures stands for, and all else as it is."""
    if isinstance(frames, (str, os.PathLike)):
        return open_frames(frames)
    if is_image(frames) and count_pictures(frames) > 1:
        return (picture.copy() for picture in pictures_in(frames))
    return frames


def images_in_order(paths: Iterable[Path], given: str, allow_gaps: bool = False) -> list[Path]:
    """Sort image files naturally, and refuse a numbering that skips a number.

    Raises:
        FrameError: there are none, or a number is missing.
    """
    images = sorted(paths, key=_natural_key)
    if not images:
        raise FrameError(f"{given!r} has no images")
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
    return path.is_file() and not path.name.startswith(".") and path.suffix.lower() in _image_extensions()


def _image_extensions() -> Collection[str]:
    from PIL import Image

    return Image.registered_extensions()


def _video(name: str) -> Iterator[npt.NDArray[np.uint8]]:
    info = probe(name)  # what can't be read shows now, not when the first frame is asked for
    return read_frames(name, alpha=alpha.in_format(info.pixel_format))


def _npy(name: str) -> npt.NDArray[Any]:
    try:
        array: npt.NDArray[Any] = np.lib.format.open_memmap(name, mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise FrameError(f"{name!r} can't be read as an array: {error}") from error
    return array


def _npz(name: str) -> npt.NDArray[Any]:
    try:
        with np.load(name, allow_pickle=False) as archive:
            array: npt.NDArray[Any] = archive[_only(list(archive.files), name)]
    except FrameError:
        raise
    except Exception as error:  # zipfile and zlib have their own
        raise FrameError(f"{name!r} can't be read as an array: {error}") from error
    return array


def _safetensors(name: str) -> Frames:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise MissingDependencyError(f"{name!r} needs safetensors: pip install 'telecine[cli]'") from error
    for framework in ("numpy", "pt"):  # NumPy has no bfloat16: PyTorch does
        try:
            with safe_open(name, framework=framework) as file:
                tensor: Frames = file.get_tensor(_only(list(file.keys()), name))
                return tensor
        except (OSError, SafetensorError) as error:
            raise FrameError(f"{name!r} can't be read as tensors: {error}") from error
        except (TypeError, AttributeError):
            continue
        except ImportError as error:
            raise MissingDependencyError(f"{name!r} holds bfloat16, which needs torch to read") from error
    raise FrameError(f"{name!r} holds a dtype that can't be read")


def _only(names: list[str], path: str) -> str:
    if len(names) != 1:
        raise FrameError(f"{path!r} holds {len(names)} arrays ({', '.join(names)}): one is accepted, the frames")
    return names[0]


_ARRAY_READERS: dict[str, Callable[[str], Frames]] = {".npy": _npy, ".npz": _npz, ".safetensors": _safetensors}
