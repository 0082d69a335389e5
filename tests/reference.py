"""The oracle of the pixels: the conversion in float64 NumPy, from the standards alone, and a file's own code values."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import numpy.typing as npt

Real = npt.NDArray[np.float64]

# BT.601-7 §2.5.1 and BT.709-6 §3.2: luma's weights of red, green and blue.
WEIGHTS = {"bt601": (0.299, 0.587, 0.114), "bt709": (0.2126, 0.7152, 0.0722)}


def planes_of(rgb: Real, matrix: str) -> tuple[Real, Real, Real]:
    """The real-valued codes of an (H, W, 3) picture in [0, 1]: Y' and the halved Cb and Cr, limited range, sited left.

    An odd side is made even by repeating the last line first.
    """
    height, width, _ = rgb.shape
    rgb = np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    red, green, blue = np.moveaxis(rgb, 2, 0)
    kr, kg, kb = WEIGHTS[matrix]
    y = kr * red + kg * green + kb * blue
    cb = (blue - y) / (2 * (1 - kb))
    cr = (red - y) / (2 * (1 - kr))
    return 16 + 219 * y, 128 + 224 * halved(cb), 128 + 224 * halved(cr)


def halved(chroma: Real) -> Real:
    """The mean of two rows, then 1-2-1 about every even column (H.264 Annex E, chroma_sample_loc_type 0)."""
    rows = (chroma[0::2] + chroma[1::2]) / 2
    left = np.concatenate((rows[:, :1], rows[:, :-1]), axis=1)
    right = np.concatenate((rows[:, 1:], rows[:, -1:]), axis=1)
    filtered: Real = (left + 2 * rows + right)[:, ::2] / 4
    return filtered


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
