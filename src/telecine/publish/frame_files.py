"""The numbered images of a folder: named, written whole, counted and removed."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Collection

from .access import set_mode
from .hidden import HiddenFolder
from .open_folder import CREATE, Folder

PART_SUFFIX = ".part"  # of a file that is being written
_FRAME = re.compile(r"\d{6,}\.(png|tif|jpg|exr)")


def frame_name(index: int, extension: str) -> str:
    """Name a frame's file: "000042.png"."""
    return f"{index:06d}{extension}"


def write_frame(folder: Folder, name: str, image: bytes) -> None:
    """Write a file that has its name once it is whole and on the disk."""
    part = name + PART_SUFFIX
    with open(folder.open(part, CREATE, 0o666), "wb") as file:
        file.write(image)
        file.flush()
        os.fsync(file.fileno())
    folder.rename(part, name)


def size_of_frames(folder: str | os.PathLike[str]) -> tuple[int, int]:
    """Count the numbered images in a folder, and their bytes."""
    with os.scandir(folder) as entries:
        sizes = [each.stat().st_size for each in entries if is_frame(each)]
    return len(sizes), sum(sizes)


def is_frame(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a numbered image."""
    return _FRAME.fullmatch(entry.name) is not None and entry.is_file(follow_symlinks=False)


def frames_in(folder: HiddenFolder) -> dict[int, str]:
    """Give the names of the frames in a folder, by their numbers."""
    return {int(name.split(".")[0]): name for name in folder.names() if _FRAME.fullmatch(name)}


def count_to_gap(frames: Collection[int]) -> int:
    """Count the frames before the first number that is missing."""
    return next(number for number in range(len(frames) + 1) if number not in frames)


def keep_whole(folder: HiddenFolder) -> int:
    """Remove what is no whole frame and what follows a gap; give how many are left."""
    remove_parts(folder)
    frames = frames_in(folder)
    count = count_to_gap(frames)
    for number, name in frames.items():
        if number >= count:
            folder.unlink(name)
    return count


def remove_parts(folder: HiddenFolder) -> None:
    """Remove files that a writer had begun."""
    for name in folder.names():
        if name.endswith(PART_SUFFIX):
            folder.unlink(name)


def remove_frames(folder: HiddenFolder) -> None:
    """Remove a hidden folder and the frames in it, and nothing else, as far as that can be done."""
    with contextlib.suppress(OSError):
        if folder.descriptor is not None:
            set_mode(folder.descriptor, stat.S_IRWXU)  # should it be read-only
        for name in folder.names():
            if _FRAME.fullmatch(name.removesuffix(PART_SUFFIX)):
                folder.unlink(name)
        folder.remove()
