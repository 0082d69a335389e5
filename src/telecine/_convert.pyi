import enum
from typing import Any

import numpy as np
import numpy.typing as npt
from av.video.plane import VideoPlane

class Sample(enum.Enum):
    uint8 = 0
    uint16 = 1
    float16 = 2
    bfloat16 = 3
    float32 = 4
    float64 = 5

_Row = tuple[float, float, float, float]
_Three = tuple[float, float, float]

class Matrix:
    def __init__(self, y: _Row, cb: _Row, cr: _Row, low: float, high: float, background: _Three) -> None: ...

class InverseMatrix:
    def __init__(self, luma: float, r_cr: float, g_cb: float, g_cr: float, b_cb: float, offset: _Three) -> None: ...

def to_planes(
    pixels: npt.NDArray[Any],
    sample: Sample,
    matrix: Matrix,
    y: VideoPlane,
    cb: VideoPlane,
    cr: VideoPlane,
    y_stride: int,
    c_stride: int,
) -> tuple[float, float]: ...
def to_rgb(
    y: VideoPlane,
    cb: VideoPlane,
    cr: VideoPlane,
    y_stride: int,
    c_stride: int,
    bytes_per_sample: int,
    log2_chroma: tuple[int, int],
    chroma_location: tuple[float, float],
    matrix: InverseMatrix,
    rgb: npt.NDArray[np.uint8],
) -> None: ...
def arrow_bytes(schema: object, array: object) -> npt.NDArray[np.uint8]: ...
def instruction_set() -> str: ...
