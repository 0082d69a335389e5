"""Folders of numbered images: how they are written, and what is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from telecine.formats.images import SEQUENCES
from telecine.images.numbered import ImageSequence, SequenceSettings
from telecine.publish.folder import FolderPublication

from .helpers import names_in

Pixels = npt.NDArray[Any]

EXTENSION = {name: row.extension for name, row in SEQUENCES.items()}


def random_frames(dtype: str, channels: int = 3, count: int = 3) -> Pixels:
    random = np.random.default_rng(4)
    shape = (count, 47, 63, channels)
    if dtype.startswith("float"):
        return random.random(shape).astype(dtype)
    return random.integers(0, np.iinfo(dtype).max + 1, shape, dtype)


def written(path: Path, frames: Pixels, format: str = "png", bits: int = 8, **options: Any) -> Path:
    _, height, width, channels = frames.shape
    settings = SequenceSettings(format, width, height, channels == 4, bits, threads=2, **options)
    publication = FolderPublication(path)
    sequence = ImageSequence(publication.folder, settings)
    for frame in frames:
        sequence.encode(frame)
    sequence.finish()
    publication.commit()
    names = [f"{index:06d}{EXTENSION[format]}" for index in range(len(frames))]
    assert names_in(path) == names
    assert names_in(path.parent) == [path.name]
    return path


def by_pillow(path: Path) -> Pixels:
    return np.array([np.array(Image.open(each)) for each in sorted(path.iterdir())])
