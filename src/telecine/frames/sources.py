"""Frames on disk: a folder or a glob of images, a file of arrays, a video. Looked at once, and read one by one."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from ..errors import FrameError, InputError
from ..files.files import Place, Source, is_open_file, name_of, opened_file, said_of, source_of, stored_path
from ..files.pillow import ACCEPTED, image_extensions, opened_image
from ..files.urls import StorageOptions, local_path, options_of_urls
from ..planes.pixel_formats import has_alpha
from ..read.frames import read_frames
from ..read.images import copies_of_pictures, count_pictures, is_image
from ..read.probe import VideoInfo, probe
from ..support.notes import warn
from .arrays import extension_of_array, is_array, read_array
from .recognise import Frames, count_frames

if TYPE_CHECKING:
    from ..stores.addresses import StoredPath

_MAY_MOVE, _FORMATS_THAT_MAY_MOVE = {".webp", ".png", ".apng", ".avif"}, {"WEBP", "PNG", "AVIF"}


@dataclass(frozen=True)
class FrameSource:
    """What is given as frames, looked at once: the frames, and of a video what is in its file."""

    frames: Frames
    video: VideoInfo | None = None

    def count(self, layout: str = "auto") -> int | None:
        """How many frames there are; None where that can't be known before they are read."""
        return self.video.frame_count if self.video else count_frames(self.frames, layout)


def open_source(
    frames: Frames,
    allow_gaps: bool = False,
    *,
    key: str | None = None,
    storage_options: StorageOptions | None = None,
) -> FrameSource:
    """Look at what is given as frames: a path, an open file, an image of several pictures, or frames themselves.

    Raises as `open_frames`.
    """
    if (stored := stored_path(frames, storage_options)) is not None:
        return _stored(stored, allow_gaps, key)
    if isinstance(frames, (str, os.PathLike)):
        return _source_at(local_path(frames, "read", InputError), allow_gaps, key)
    if is_open_file(frames):
        return _opened(cast(BinaryIO, source_of(frames)), key)
    if storage_options is not None:
        frames = [source_of(cast(str, each), storage_options) for each in cast(Iterable[object], frames)]
    if is_image(frames) and count_pictures(frames) > 1:
        return FrameSource(copies_of_pictures(frames))
    return FrameSource(frames)


def open_frames(
    path: Place,
    allow_gaps: bool = False,
    *,
    key: str | None = None,
    storage_options: StorageOptions | None = None,
) -> Frames:
    """Find the frames that a path stands for.

    Args:
        path: A folder or a glob of images, sorted naturally ("2.png" before "10.png"); an image; a `.npy`, `.npz` or
            `.safetensors` file of arrays; or a video. Or an open file of an image, an array or a video.
        allow_gaps: Accept images whose numbering skips a number.
        key: Which array of several in a file is meant.
        storage_options: What the store of a URL is opened with, as for `export_video`.

    Raises:
        InputError: there is nothing there, or the file can't be read.
        FrameError: a number is missing.
        OptionError: the storage options go with no URL.
        MissingDependencyError: a `.safetensors` file without the package for it.
    """
    options_of_urls(storage_options, path)
    return open_source(path, allow_gaps, key=key, storage_options=storage_options).frames


def _source_at(name: str, allow_gaps: bool, key: str | None) -> FrameSource:
    if os.path.isdir(name):
        return FrameSource(
            images_in_order((each for each in Path(name).iterdir() if _is_image(each)), name, allow_gaps)
        )
    if not os.path.exists(name):
        if glob.has_magic(name):
            return FrameSource(images_in_order(map(Path, glob.glob(name, recursive=True)), name, allow_gaps))
        said = f"{name!r} does not exist: give a folder or a glob of images, a file of arrays or a video"
        raise InputError.of(errno.ENOENT, said, name)
    if is_array(name):
        return FrameSource(read_array(name, key))
    return _video(name) if _is_video(name) else FrameSource([Path(name)])


def _stored(path: StoredPath, allow_gaps: bool, key: str | None) -> FrameSource:
    """Look at what is in a store: a prefix of images, a file of arrays, an image, or a video."""
    from ..stores.addresses import files_at  # start-up: few files are in a store

    name, extension, of_images = str(path), path.suffix.lower(), image_extensions()
    if images := [each for each in files_at(path) if each.suffix.lower() in of_images]:
        return FrameSource(images_in_order(images, name, allow_gaps))
    if is_array(name):
        with opened_file(path) as file:
            return FrameSource(_array_in(file, extension, key))
    is_image = extension in of_images and extension not in {*_MAY_MOVE, ".gif"}
    return FrameSource([path]) if is_image else _video(path)


def _opened(file: BinaryIO, key: str | None) -> FrameSource:
    """Look at what an open file holds, by its content, for it may have no name: an array, an image, or a video."""
    if extension := extension_of_array(file):
        return FrameSource(_array_in(file, extension, key))
    return FrameSource([file]) if _stands_still(file) else _video(file)


def _array_in(file: BinaryIO, extension: str, key: str | None) -> Frames:
    import shutil  # start-up: few arrays are in an open file or in a store
    import tempfile

    file.seek(0)
    with tempfile.NamedTemporaryFile(suffix=extension) as local, said_of(file, "an array"):
        shutil.copyfileobj(file, local)
        local.flush()
        return read_array(local.name, key, name_of(file))  # mapped, its file outlives its name


def _stands_still(file: BinaryIO) -> bool:
    """Tell whether a file is an image of a format that has a mark, as TGA has not, and no moving one."""
    with contextlib.suppress(InputError), opened_image(file) as image:
        moves = image.format == "GIF" or (image.format in _FORMATS_THAT_MAY_MOVE and count_pictures(image) > 1)
        return image.format != "TGA" and not moves
    return False


def _is_video(name: str) -> bool:
    """Tell whether a file is taken for a video: no array, and no image that stands still. Reading it tells if it is."""
    extension = os.path.splitext(name)[1].lower()
    return _moves(name) if extension in _MAY_MOVE else extension == ".gif" or extension not in image_extensions()


def _moves(name: str) -> bool:
    with contextlib.suppress(InputError), opened_image(name) as image:
        return getattr(image, "n_frames", 1) > 1
    return False


def images_in_order(paths: Iterable[Path], given: str, allow_gaps: bool = False) -> list[Path]:
    """Sort image files naturally, and refuse a numbering that skips a number.

    Raises:
        InputError: there are none.
        FrameError: a number is missing.
    """
    images = sorted(paths, key=_natural_key)
    if not images:
        raise InputError.of(errno.ENOENT, f"{given!r} has no images: {ACCEPTED}", given)
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
            "allow it with --allow-gaps, or telecine.open_frames(path, allow_gaps=True)",
            page="troubleshooting#an-image-of-the-folder-is-missing",
        )


def _is_image(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".") and path.suffix.lower() in image_extensions()


def _video(path: Source) -> FrameSource:
    name, info = name_of(path), probe(path)  # what can't be read shows now, not when the first frame is asked for
    if info.cut_off:
        raise InputError(f"{name!r} is cut off: {info.frame_count} of its frames are whole")
    for note in info.notes:
        warn(f"of {name!r}: {note}")
    return FrameSource(read_frames(path, alpha=has_alpha(info.pixel_format)), info)
