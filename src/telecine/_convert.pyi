import enum
from collections.abc import Sequence
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
_Rows = tuple[_Row, _Row, _Row]

class Matrix:
    def __init__(
        self,
        components: _Rows,
        alpha: tuple[float, float],
        low: float,
        high: float,
        background: tuple[float, float, float],
    ) -> None: ...
    @property
    def components(self) -> list[list[float]]: ...
    @property
    def alpha(self) -> list[float]: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def background(self) -> list[float]: ...

class InverseMatrix:
    def __init__(self, components: _Rows) -> None: ...

class Grade:
    def __init__(
        self,
        matrix: Sequence[Sequence[float]],
        low: float,
        high: float,
        background: Sequence[float],
        curves: Sequence[npt.NDArray[np.float32] | None],
        factor_of_level: bool,
        weights: Sequence[float],
        peak: float,
    ) -> None: ...

class Format:
    def __init__(self, components: int, packed: bool, bytes_per_sample: int, log2_chroma: tuple[int, int]) -> None: ...

def to_planes(
    pixels: npt.NDArray[Any],
    sample: Sample,
    matrix: Matrix,
    format: Format,
    planes: Sequence[VideoPlane],
    strides: Sequence[int],
    thresholds: npt.NDArray[np.float32] | None,
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
    rgb: npt.NDArray[np.uint8] | npt.NDArray[np.float32],
) -> None: ...
def to_signal(
    pixels: npt.NDArray[Any], sample: Sample, grade: Grade, signal: npt.NDArray[np.float32]
) -> tuple[float, float, float, float]: ...
def arrow_bytes(schema: object, array: object) -> npt.NDArray[np.uint8]: ...
def instruction_set() -> str: ...
