"""How near all of a video is to its frames, as one number: XPSNR or VMAF, of 8-bit Y'CbCr."""

from __future__ import annotations

import gc
import json
import math
import os
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple, TypeAlias

import av.filter
from av import VideoFrame

from ..formats.choose import Format
from ..read.fidelity import LEAST_PIXELS_OF_XPSNR, Filters
from ..support.words import quoted_value

Pairs: TypeAlias = Iterable[tuple[VideoFrame, VideoFrame]]  # what was made of a picture, and the picture

_LEAST_SIDE_OF_VMAF = 32  # of 16 pixels, libvmaf writes outside its memory
_VMAF = "libvmaf"


class Bench(NamedTuple):
    """What pictures are measured with: their rate, a folder for what is written, and how many threads."""

    fps: Fraction
    folder: str
    threads: int


class Metric(NamedTuple):
    """A metric: the values that may be asked for, what one crf of x264 is of it, and what more is near enough."""

    measure: Callable[[Pairs, Bench], float]
    filter: str
    least: float
    most: float
    step: float
    near: float
    unit: str = ""


def xpsnr_of_each(pairs: Pairs, fps: Fraction) -> list[float]:
    """Give the XPSNR of luma of each picture, in dB; infinite if equal."""
    filters: Filters | None = None
    found = []
    for made, original in pairs:
        filters = filters or Filters(["xpsnr"], original, fps)
        found.append(float(filters.measure(made, original)["lavfi.xpsnr.xpsnr.y"]))
    return found


def mean_xpsnr(each: Sequence[float]) -> float:
    """Give that of a video, by the mean of the roots of errors, as FFmpeg does.

    >>> round(mean_xpsnr([40, 20]), 3), mean_xpsnr([math.inf])
    (25.193, inf)
    """
    error = sum(10 ** (-xpsnr / 20) for xpsnr in each) / len(each)
    return -20 * math.log10(error) if error else math.inf


def _xpsnr(pairs: Pairs, bench: Bench) -> float:
    return mean_xpsnr(xpsnr_of_each(pairs, bench.fps))


def _vmaf(pairs: Pairs, bench: Bench) -> float:
    """Give the mean VMAF, which libvmaf tells in a file once it is freed."""
    log = os.path.join(bench.folder, "vmaf.json")
    options = f"log_path={quoted_value(log)}:log_fmt=json:n_threads={bench.threads}"
    filters: Filters | None = None
    for made, original in pairs:
        filters = filters or Filters([_VMAF], made, options=options)
        filters.measure(original, made)  # whose first input is the picture that is measured
    del filters
    gc.collect()  # a graph of PyAV's and its filters hold one another
    with open(log, encoding="utf-8") as file:
        return float(json.load(file)["pooled_metrics"]["vmaf"]["mean"])


METRICS = {
    "xpsnr": Metric(_xpsnr, "xpsnr", 20, 60, 0.6, 0.25, " dB"),
    "vmaf": Metric(_vmaf, _VMAF, 20, 99, 1.2, 0.4),
}


def is_here(metric: Metric) -> bool:
    """Tell whether the FFmpeg of PyAV has a metric."""
    return metric.filter in av.filter.filters_available


def is_measurable(format: Format) -> bool:
    """Tell whether FFmpeg's metrics read a pixel format rightly: XPSNR takes lines of deep ones for unpadded."""
    pixel_format = format.pixel_format
    return pixel_format.depth == 8 and not (pixel_format.rgb or pixel_format.alpha) and bool(format.codec.scale)


def is_large_enough(metric: Metric, width: int, height: int) -> bool:
    """Tell whether a metric can be had of pictures of a size."""
    if metric.filter == _VMAF:
        return min(width, height) >= _LEAST_SIDE_OF_VMAF
    return width * height >= LEAST_PIXELS_OF_XPSNR
