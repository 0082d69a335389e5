"""The frames that the benchmarks export: a real clip where TELECINE_CLIPS has one, else the demo's scene."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

import telecine
from examples.demo import sea_at_dusk

WIDTH, HEIGHT, COUNT = 1360, 768, 81  # what CogVideoX 1.5 makes: five seconds

Picture = npt.NDArray[np.uint8]


def frames() -> tuple[str, list[Picture]]:
    """The name of the source, and 81 frames of 1360x768."""
    clip = Path(os.environ.get("TELECINE_CLIPS", "")) / "wan-720p.mp4"
    if clip.is_file():
        images = (Image.fromarray(frame) for frame in islice(telecine.read_frames(clip), COUNT))
        return clip.name, [np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)) for image in images]
    return "the demo's scene", [np.rint(255 * frame).astype(np.uint8) for frame in sea_at_dusk()]
