"""The frames that the benchmarks export: real clips where TELECINE_CLIPS has them, else the demo's scene."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

import telecine
from examples.demo import sea_at_dusk
from telecine.color.color import BT601, Color

Picture = npt.NDArray[np.uint8]

# Width, height, frames: what CogVideoX and CogVideoX 1.5 make.
SMALL, LARGE = (720, 480, 49), (1360, 768, 81)
CLIPS = {"cogvideox-1": SMALL, "cogvideox-2": SMALL, "cogvideox-horse": SMALL, "wan-720p": LARGE}
UNSEEN = {"wan-720p": LARGE, "wan-cartoon": LARGE}  # of the half of bench/clip_set.py that no search has seen
SCENES = {"scene-480p": SMALL, "scene-768p": LARGE}


@dataclass(frozen=True)
class Clip:
    """Frames of (height, width, 3) uint8 RGB, and the name of what they are of."""

    name: str
    pictures: list[Picture]

    @property
    def images(self) -> list[Image.Image]:
        """The frames as a pipeline gives them by default."""
        return [Image.fromarray(picture) for picture in self.pictures]

    @property
    def matrix(self) -> str:
        """That of the files that telecine makes of them, "bt601" or "bt709"."""
        height, width, _ = self.pictures[0].shape
        return "bt601" if Color.of_size(width, height) == BT601 else "bt709"

    def __str__(self) -> str:
        height, width, _ = self.pictures[0].shape
        return f"{self.name}, {width}x{height}, {len(self.pictures)} frames"


def names() -> list[str]:
    """The names of the clips there are; the first is small, the last large."""
    return list(CLIPS if all(path_of(name).is_file() for name in CLIPS) else SCENES)


def clip(name: str) -> Clip:
    """The frames of a clip, scaled to its size by Lanczos where its file has another."""
    width, height, count = (CLIPS | UNSEEN | SCENES)[name]
    pictures = _scene() if name in SCENES else _there_and_back(telecine.read_frames(path_of(name)))
    images = (Image.fromarray(picture) for picture in islice(pictures, count))
    return Clip(name, [np.asarray(image.resize((width, height), Image.Resampling.LANCZOS)) for image in images])


def small() -> Clip:
    """49 frames of 720x480."""
    return clip(names()[0])


def large() -> Clip:
    """81 frames of 1360x768."""
    return clip(names()[-1])


def unseen() -> list[Clip]:
    """Clips of 81 frames of 1360x768 that no encoder's options were searched on."""
    return [clip(name) for name in UNSEEN if path_of(name).is_file()] or [large()]


def path_of(name: str) -> Path:
    """Where the file of a real clip would be."""
    return Path(os.environ.get("TELECINE_CLIPS", ""), f"{name}.mp4")


def _there_and_back(pictures: Iterable[Picture]) -> Iterator[Picture]:
    """Frames without an end: a clip that is too short is played back and forth."""
    played = []
    for picture in pictures:
        played.append(picture)
        yield picture
    yield from cycle([*played[-2:0:-1], *played])


def _scene() -> Iterator[Picture]:
    return (np.rint(255 * frame).astype(np.uint8) for frame in sea_at_dusk())
