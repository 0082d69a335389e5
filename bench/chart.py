"""A colour chart, written by a writer and read back as a browser does: by the file's tags, else by its size."""

from __future__ import annotations

import itertools
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from av import VideoFrame
from PIL import Image

from telecine.color.color import BT601, BT709, Color
from telecine.planes.to_rgb import to_rgb
from telecine.read.frames import decoded_frames

from .writers import write

_LEVELS = (16, 128, 240)
_COLORS = np.array(list(itertools.product(_LEVELS, repeat=3)), np.uint8)  # 27: three rows of nine
_ROWS, _COLUMNS, _MARGIN = 3, 9, 0.25  # the part of a patch, on each side, that its neighbours may bleed into
_FRAMES, _LOOKED_AT = 12, 6


@dataclass(frozen=True)
class Shown:
    """The largest difference of a patch's mean colour in steps of 255, and the matrix that the pixels are of."""

    color_error: float
    matrix: str


def shown(writer: str, width: int, height: int) -> Shown:
    """Write the chart in that size and look at it."""
    rows = np.arange(height) * _ROWS // height
    columns = np.arange(width) * _COLUMNS // width
    image = Image.fromarray(_COLORS[rows[:, None] * _COLUMNS + columns[None, :]])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "chart.mp4")
        write(writer, [image] * _FRAMES, path)
        picture = next(itertools.islice(decoded_frames(path), _LOOKED_AT, None))
        frame, location = picture.frame, picture.location
        errors = {matrix: _error(frame, color, location) for matrix, color in (("bt601", BT601), ("bt709", BT709))}
        return Shown(_error(frame, picture.color, location), min(errors, key=errors.__getitem__))


def _error(frame: VideoFrame, color: Color, location: tuple[float, float]) -> float:
    rgb = to_rgb(frame, color, location)
    means = np.array([_inner(rgb, row, column).mean((0, 1)) for row in range(_ROWS) for column in range(_COLUMNS)])
    return float(np.abs(means - _COLORS).max())


def _inner(rgb: npt.NDArray[np.uint8], row: int, column: int) -> npt.NDArray[np.uint8]:
    height, width = rgb.shape[0] / _ROWS, rgb.shape[1] / _COLUMNS
    top, bottom = ((row + part) * height for part in (_MARGIN, 1 - _MARGIN))
    left, right = ((column + part) * width for part in (_MARGIN, 1 - _MARGIN))
    return rgb[int(top) : int(bottom), int(left) : int(right)]
