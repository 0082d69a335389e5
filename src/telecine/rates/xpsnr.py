"""The XPSNR of a picture's luma: errors weighed by what is around them in place and time.

As FFmpeg's filter has it for up to 31 frames a second, in NumPy: a graph of filters has threads, of which PyAV lets go
when garbage is collected, and a child that was forked meanwhile waits for them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from av import VideoFrame

Luma = npt.NDArray[np.uint8]  # (height, width)

_PEAK = 255
_MOST_WHOLE = 2048 * 1152  # pixels; of more, pairs of lines and columns are taken together
_MOST_SMOOTHED = 640 * 480
_LEAST_ACTIVITY = 4.0
_OF_TIME = 2
# What is taken off 12 times each of four samples: at (1, 1), the samples are at 1 and 2 of both.
_AROUND_FOUR = np.array(
    [
        [0, 1, 1, 1, 1, 0],
        [1, 2, 3, 3, 2, 1],
        [1, 3, -12, -12, 3, 1],
        [1, 3, -12, -12, 3, 1],
        [1, 2, 3, 3, 2, 1],
        [0, 1, 1, 1, 1, 0],
    ]
)


def luma_xpsnr(made: Luma, original: Luma, before: Luma) -> float:
    """Give the XPSNR in dB of a picture, by the original and the one before that; infinite if it is equal.

    (Helmrich et al., "XPSNR: A low-complexity extension of the perceptually weighted peak
    signal-to-noise ratio", ICASSP 2020, equations 1 to 9).

    >>> flat = np.full((48, 64), 100, np.uint8)
    >>> round(luma_xpsnr(flat + 1, flat, flat), 3), luma_xpsnr(flat, flat, flat)
    (29.016, inf)
    """
    height, width = original.shape
    part_of_uhd = height * width / (3840 * 2160)
    side = 4 * int(32 * math.sqrt(part_of_uhd) + 0.5)
    blocks = _Blocks(height, width, side)
    whole = original.astype(np.int16)
    errors = blocks.sums(np.square((whole - made).view(np.uint16)))  # modulo 65536, which 255 squared is below
    activity = _activity_in_place(whole, blocks) + _OF_TIME * _activity_in_time(whole - before, blocks)
    weights = 1 / np.maximum(activity, _LEAST_ACTIVITY)
    if height * width <= _MOST_SMOOTHED:
        _smooth(weights)
    usual = math.sqrt(16 * 2.0 ** (2 * 8 - 9) / math.sqrt(max(0.00001, part_of_uhd)))
    weighed = int(float((errors * weights).sum()) * usual + 0.5)
    return 10 * math.log10(height * width * _PEAK**2 / weighed) if weighed else math.inf


class _Blocks:
    """The squares that a picture is divided into, the last of them cut off."""

    def __init__(self, height: int, width: int, side: int) -> None:
        self._starts = np.arange(0, height, side), np.arange(0, width, side)
        self.areas = self._extents(height, 0) * self._extents(width, 1)
        self._sizes = height, width

    def _extents(self, size: int, axis: int) -> npt.NDArray[np.float64]:
        extents = np.diff(self._starts[axis], append=size).astype(np.float64)
        return extents[:, None] if axis == 0 else extents[None, :]

    def sums(self, values: npt.NDArray[np.integer], step: int = 1) -> npt.NDArray[np.float64]:
        """Add up what is in each; of every so many lines and columns."""
        rows, columns = (starts // step for starts in self._starts)
        added = np.add.reduceat(np.add.reduceat(values, columns, axis=1, dtype=np.int32), rows, axis=0, dtype=np.int64)
        return added.astype(np.float64)

    def areas_within(self, margin: int) -> npt.NDArray[np.float64]:
        """The areas less a margin along the picture's edges."""
        rows, columns = (np.diff(starts, append=size) for starts, size in zip(self._starts, self._sizes, strict=True))
        for extents in (rows, columns):
            extents[0] -= margin
            extents[-1] -= margin
        return np.maximum(rows, 0)[:, None] * np.maximum(columns, 0)[None, :].astype(np.float64)


def _activity_in_place(luma: npt.NDArray[np.int16], blocks: _Blocks) -> npt.NDArray[np.float64]:
    """The mean absolute value of a high-pass of each block, without the picture's outermost samples."""
    if luma.size > _MOST_WHOLE:
        high, margin, step = _high_pass_of_fours(luma), 2, 2
    else:
        across = luma[:, :-2] + 2 * luma[:, 1:-1] + luma[:, 2:]
        high = np.zeros_like(luma)
        high[1:-1, 1:-1] = 16 * luma[1:-1, 1:-1] - (across[:-2] + 2 * across[1:-1] + across[2:])
        margin = step = 1
    areas = blocks.areas_within(margin)
    return np.divide(blocks.sums(np.abs(high), step), areas, out=np.zeros_like(areas), where=areas > 0)


def _high_pass_of_fours(luma: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """A high-pass of each four samples, 0 along the edges."""
    height, width = luma.shape
    high = np.zeros(((height + 1) // 2, (width + 1) // 2), np.int16)
    inside = high[1 : (height - 2) // 2, 1 : (width - 2) // 2]
    for (down, right), weight in np.ndenumerate(_AROUND_FOUR):
        inside -= np.int16(weight) * luma[down::2, right::2][: inside.shape[0], : inside.shape[1]]
    return high


def _activity_in_time(change: npt.NDArray[np.int16], blocks: _Blocks) -> npt.NDArray[np.float64]:
    """The mean absolute change of each block."""
    if change.size <= _MOST_WHOLE:
        return blocks.sums(np.abs(change)) / blocks.areas
    height, width = (side // 2 * 2 for side in change.shape)
    fours = change[:height, :width].reshape(height // 2, 2, width // 2, 2).sum((1, 3), dtype=np.int16)
    return blocks.sums(np.abs(fours), 2) / blocks.areas


def _smooth(weights: npt.NDArray[np.float64]) -> None:
    """Let no block count for more than the most of those beside it and above, each as it is by then."""
    rows, columns = weights.shape
    flat, end = weights.ravel().tolist(), rows * columns
    for at in range(end):
        beside = flat[at - 1] if at % columns else 0.0
        if (at + 1) % columns and at + 1 < end:
            beside = max(beside, flat[at + 1])
        flat[at] = min(flat[at], max(beside, flat[at - columns] if at >= columns else 0.0))
    weights[...] = np.reshape(flat, weights.shape)


def mean_xpsnr(each: Sequence[float]) -> float:
    """Give that of a video, by the mean of the roots of errors, as FFmpeg does.

    >>> round(mean_xpsnr([40, 20]), 3), mean_xpsnr([math.inf])
    (25.193, inf)
    """
    error = sum(10 ** (-xpsnr / 20) for xpsnr in each) / len(each)
    return -20 * math.log10(error) if error else math.inf


def xpsnr_of_frames(pairs: Iterable[tuple[VideoFrame, VideoFrame]]) -> float:
    """Give that of frames, each with its original. The first is left out, of which nothing is known before it.

    Encoders spend more on that one, too. Alone, it counts as if it had been there before.
    """
    before: Luma | None = None
    others = []
    for made, original in pairs:
        luma = luma_of(original)
        if before is not None:
            others.append(luma_xpsnr(luma_of(made), luma, before))
        before, last = luma, made
    return mean_xpsnr(others) if others else luma_xpsnr(luma_of(last), luma, luma)


def luma_of(frame: VideoFrame) -> Luma:
    """Give the luma of 8-bit Y'CbCr, where it is."""
    plane = frame.planes[0]
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]
