"""A decoded frame's planes to RGB, exactly rounded or in floats: the inverse of `convert`, whose formulas it has."""

from __future__ import annotations

import functools
import re

import numpy as np
import numpy.typing as npt
from av import VideoFrame

from .. import _convert
from ..color.color import Color
from .pixel_formats import codes_of_range, has_alpha

_PLANAR = (  # compiled at its first use, as start-up has none
    r"(?:yuv(?P<jpeg>j?)a?(?P<chroma>420|422|444)p|(?P<rgb>gbra?p)|(?P<gray>gray))(?:(?P<depth>9|10|12|14|16)le)?"
)
_LOG2_CHROMA = {"420": (1, 1), "422": (1, 0), "444": (0, 0), None: (0, 0)}
LEFT_SITED, CENTER_SITED = (0.0, 0.5), (0.5, 0.5)


def to_rgb(frame: VideoFrame, color: Color, location: tuple[float, float] = LEFT_SITED) -> npt.NDArray[np.uint8]:
    """Convert a decoded frame to (height, width, 3) uint8 RGB by `color`, exactly rounded.

    Chroma, sited at `location` in luma samples, is interpolated linearly. Planar Y'CbCr, planar RGB and gray of 8 to 16
    bit go straight from their planes; packed RGB is only repacked; what is left goes through FFmpeg to planar 4:4:4 of
    16 bit first.
    """
    if frame.format.is_rgb and re.fullmatch(_PLANAR, frame.format.name) is None:
        return frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    rgb = np.empty((frame.height, frame.width, 3), np.uint8)
    _planar_to_rgb(frame, color, location, 255, rgb)
    return rgb


def to_rgba(frame: VideoFrame, color: Color, location: tuple[float, float] = LEFT_SITED) -> npt.NDArray[np.uint8]:
    """Convert a decoded frame to (height, width, 4) uint8 RGBA: as `to_rgb`, and alpha as it is, exactly rounded.

    It is opaque where the frame has no alpha.
    """
    rgba = np.full((frame.height, frame.width, 4), 255, np.uint8)
    rgba[:, :, :3] = to_rgb(frame, color, location)
    if has_alpha(frame.format.name):
        rgba[:, :, 3] = _alpha(frame)
    return rgba


def _alpha(frame: VideoFrame) -> npt.NDArray[np.uint8]:
    match = re.fullmatch(_PLANAR, frame.format.name)
    if match is None:  # packed
        return frame.to_ndarray(format="rgba")[:, :, 3].astype(np.uint8, copy=False)
    depth, plane = int(match["depth"] or 8), frame.planes[3]
    lines = np.frombuffer(bytes(plane), "u1" if depth == 8 else "<u2").reshape(plane.height, -1)[:, : frame.width]
    white = 2**depth - 1
    rounded: npt.NDArray[np.uint8] = ((lines.astype(np.uint32) * 255 + white // 2) // white).astype(np.uint8)
    return rounded


def to_float_rgb(
    frame: VideoFrame, color: Color, location: tuple[float, float] = LEFT_SITED
) -> npt.NDArray[np.float32]:
    """Convert a decoded frame to (height, width, 3) float32 RGB by `color`: 0 is black, 1 is white, nothing is clipped.

    It is otherwise as `to_rgb`, but for packed RGB, which goes through FFmpeg to planar of 16 bit first.
    """
    if frame.format.is_rgb and re.fullmatch(_PLANAR, frame.format.name) is None:
        frame = frame.reformat(format="gbrp16le")
    rgb = np.empty((frame.height, frame.width, 3), np.float32)
    _planar_to_rgb(frame, color, location, 1, rgb)
    return rgb


def _planar_to_rgb(
    frame: VideoFrame,
    color: Color,
    location: tuple[float, float],
    white: int,
    rgb: npt.NDArray[np.uint8] | npt.NDArray[np.float32],
) -> None:
    match = re.fullmatch(_PLANAR, frame.format.name)
    if match is None:
        frame = frame.reformat(format="yuv444p16le")
        match = re.fullmatch(_PLANAR, frame.format.name)
        assert match is not None
    depth = int(match["depth"] or 8)
    planes = frame.planes
    if match["rgb"]:
        matrix = _rgb_scale(depth, white)
    elif match["gray"]:
        planes, matrix = planes * 3, _gray_scale(depth, color.full_range, white)
    else:
        matrix = _inverse_matrix(color, depth, color.full_range or bool(match["jpeg"]), white)
    _convert.to_rgb(
        planes[0],
        planes[1],
        planes[2],
        planes[0].line_size,
        planes[1].line_size,
        1 if depth == 8 else 2,
        _LOG2_CHROMA[match["chroma"]],
        location,
        matrix,
        rgb,
    )


@functools.lru_cache(maxsize=64)
def _inverse_matrix(color: Color, depth: int, full_range: bool, shown_white: int) -> _convert.InverseMatrix:
    kr, kb = color.luma_weights
    kg = 1 - kr - kb
    black, white, swing = codes_of_range(depth, full_range)
    neutral = 1 << depth - 1
    luma, chroma = shown_white / (white - black), shown_white / swing
    r_cr, b_cb = 2 * (1 - kr) * chroma, 2 * (1 - kb) * chroma
    g_cb, g_cr = -kb / kg * b_cb, -kr / kg * r_cr
    red, green, blue = (
        (luma, cb, cr, -luma * black - neutral * (cb + cr)) for cb, cr in ((0.0, r_cr), (g_cb, g_cr), (b_cb, 0.0))
    )
    return _convert.InverseMatrix((red, green, blue))


def _rgb_scale(depth: int, shown_white: int) -> _convert.InverseMatrix:
    """The planes are green, blue and red."""
    scale = shown_white / (2**depth - 1)
    return _convert.InverseMatrix(((0.0, 0.0, scale, 0.0), (scale, 0.0, 0.0, 0.0), (0.0, scale, 0.0, 0.0)))


def _gray_scale(depth: int, full_range: bool, shown_white: int) -> _convert.InverseMatrix:
    """Luma alone: FFmpeg's own conversion takes it for full range, whatever its tag."""
    black, white, _ = codes_of_range(depth, full_range)
    scale = shown_white / (white - black)
    return _convert.InverseMatrix(((scale, 0.0, 0.0, -scale * black),) * 3)
