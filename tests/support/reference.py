"""The oracle of the pixels: the conversion in float64 NumPy, from the standards alone, and a file's own code values."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import numpy.typing as npt

Real = npt.NDArray[np.float64]

# BT.601-7 §2.5.1 and BT.709-6 §3.2: luma's weights of red, green and blue.
WEIGHTS = {"bt601": (0.299, 0.587, 0.114), "bt709": (0.2126, 0.7152, 0.0722)}
WIDE_WEIGHTS = {"bt2020": (0.2627, 0.6780, 0.0593)}  # BT.2020-2 table 4


def planes_of(rgb: Real, matrix: str, name: str = "yuv420p", full_range: bool = False) -> tuple[Real, ...]:
    """The real-valued codes of an (H, W, 3 or 4) picture in [0, 1] in a pixel format of FFmpeg's.

    They are Y', Cb and Cr, or R, G and B, and then alpha where the format has it: opaque where the picture has none.
    Sides that halved chroma can't hold are made even by repeating the last line first.
    """
    depth, (wide, high), is_rgb, has_alpha = described(name)
    height, width, channels = rgb.shape
    rgb = np.pad(rgb, ((0, height % 2 * high), (0, width % 2 * wide), (0, 0)), mode="edge")
    peak = 2**depth - 1
    alpha = (peak * (rgb[:, :, 3] if channels == 4 else np.ones(rgb.shape[:2])),) if has_alpha else ()
    red, green, blue = np.moveaxis(rgb[:, :, :3], 2, 0)
    if is_rgb:
        return peak * red, peak * green, peak * blue, *alpha
    kr, kg, kb = (WEIGHTS | WIDE_WEIGHTS)[matrix]
    y = kr * red + kg * green + kb * blue
    cb, cr = (subsampled(chroma, wide, high) for chroma in ((blue - y) / (2 * (1 - kb)), (red - y) / (2 * (1 - kr))))
    neutral = 2 ** (depth - 1)
    if full_range:  # H.273 equations 22 to 26, which clip chroma to the highest code
        return peak * y, np.minimum(neutral + peak * cb, peak), np.minimum(neutral + peak * cr, peak), *alpha
    step = 2 ** (depth - 8)
    return step * (16 + 219 * y), neutral + step * 224 * cb, neutral + step * 224 * cr, *alpha


def described(name: str) -> tuple[int, tuple[int, int], bool, bool]:
    """What FFmpeg says of a pixel format: its depth, whether chroma is halved in width and height, RGB, alpha."""
    described = av.VideoFormat(name, 2, 2)
    second = described.components[1]
    halved = (int(second.width == 1), int(second.height == 1))
    return second.bits, halved, described.is_rgb, any(each.is_alpha for each in described.components)


def subsampled(chroma: Real, wide: int, high: int) -> Real:
    """The mean of two rows, then 1-2-1 about every even column (H.264 Annex E, chroma_sample_loc_type 0)."""
    if high:
        chroma = (chroma[0::2] + chroma[1::2]) / 2
    if wide:
        left = np.concatenate((chroma[:, :1], chroma[:, :-1]), axis=1)
        right = np.concatenate((chroma[:, 1:], chroma[:, -1:]), axis=1)
        chroma = (left + 2 * chroma + right)[:, ::2] / 4
    return chroma


def codes_of(rgb: npt.NDArray[Any]) -> Real:
    """The code values that (T, H, W, 3) frames in [0, 1] should have: Y', Cb and Cr below one another."""
    frames = [planes_of(frame.astype(np.float64), "bt601") for frame in rgb]
    return np.array(
        [np.concatenate([plane.ravel() for plane in planes]).reshape(-1, planes[0].shape[1]) for planes in frames]
    )


def codes_in(path: Any) -> Real:
    """The code values of a file's frames, as PyAV decodes them, in the same form."""
    with av.open(str(path)) as container:
        return np.array([frame.to_ndarray(format="yuv420p") for frame in container.decode(video=0)], np.float64)


def over(rgba: Real, background: tuple[float, float, float]) -> Real:
    """Straight alpha over a background: all in [0, 1]."""
    alpha = rgba[:, :, 3:]
    mixed: Real = rgba[:, :, :3] * alpha + np.array(background) * (1 - alpha)
    return mixed


def rgb_of(y: npt.NDArray[Any], cb: npt.NDArray[Any], cr: npt.NDArray[Any], matrix: str, depth: int = 8) -> Real:
    """Limited-range 4:2:0 codes, chroma sited left, to RGB from 0 to 255; chroma is interpolated linearly."""
    height, width = y.shape
    luma, blue, red = (plane.astype(np.float64) / 2 ** (depth - 8) for plane in (y, cb, cr))
    blue, red = (_doubled(plane, height, width) for plane in (blue, red))
    kr, kg, kb = WEIGHTS[matrix]
    luma, blue, red = (luma - 16) / 219, (blue - 128) / 224, (red - 128) / 224
    r = luma + 2 * (1 - kr) * red
    b = luma + 2 * (1 - kb) * blue
    g = (luma - kr * r - kb * b) / kg
    clipped: Real = np.clip(np.stack((r, g, b), axis=2), 0, 1) * 255
    return clipped


def _doubled(chroma: Real, height: int, width: int) -> Real:
    # A chroma row lies between its two luma rows, a chroma column on its first luma column.
    down = _interpolated(chroma, (np.arange(height) - 0.5) / 2, axis=0)
    return _interpolated(down, np.arange(width) / 2, axis=1)


def _interpolated(values: Real, at: Real, axis: int) -> Real:
    last = values.shape[axis] - 1
    at = np.clip(at, 0, last)
    low = np.floor(at).astype(int)
    part = np.expand_dims(at - low, 1 - axis)
    result: Real = values.take(low, axis) * (1 - part) + values.take(np.minimum(low + 1, last), axis) * part
    return result
