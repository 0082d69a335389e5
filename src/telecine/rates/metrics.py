"""How near all of a video is to its frames, as one number: XPSNR or VMAF, of 8-bit Y'CbCr."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

import av.filter
from av import VideoFrame

from ..read.fidelity import LEAST_PIXELS_OF_XPSNR, Filters
from ..support.words import quoted_value
from .xpsnr import xpsnr_of_frames

Pairs: TypeAlias = Iterable[tuple[VideoFrame, VideoFrame]]  # what was made of a picture, and the picture

_LEAST_SIDE_OF_VMAF = 32  # of 16 pixels, libvmaf writes outside its memory
_VMAF = "libvmaf"


class Bench(NamedTuple):
    """What pictures are measured with: a folder for what is written, and how many threads."""

    folder: str
    threads: int


class Metric(NamedTuple):
    """A metric: the values that may be asked for, what one crf of x264 is of it, and what more is near enough."""

    measure: Callable[[Pairs, Bench], float]
    least: float
    most: float
    step: float
    near: float
    unit: str = ""


def _xpsnr(pairs: Pairs, bench: Bench) -> float:
    return xpsnr_of_frames(pairs)


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
    "xpsnr": Metric(_xpsnr, 20, 60, 0.6, 0.25, " dB"),
    "vmaf": Metric(_vmaf, 20, 99, 1.2, 0.4),
}


def is_here(metric: Metric) -> bool:
    """Tell whether a metric can be had: VMAF by the FFmpeg of PyAV."""
    return metric.measure is not _vmaf or _VMAF in av.filter.filters_available


def is_large_enough(metric: Metric, width: int, height: int) -> bool:
    """Tell whether a metric can be had of pictures of a size."""
    if metric.measure is _vmaf:
        return min(width, height) >= _LEAST_SIDE_OF_VMAF
    return width * height >= LEAST_PIXELS_OF_XPSNR
