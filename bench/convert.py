"""Conversion speed on one thread, as ratios in one run: to a memcpy of the same frame, and to swscale.

float32 CHW against `memcpy` of the same bytes: at most 1.2. uint8 HWC against swscale's BILINEAR rgb24 → yuv420p with
the copy into its frame: at most 0.5. The other pixel formats have no bar. The contestants take turns over frames that
don't fit the cache, and each one's figure is its fastest turn: what is left when the rest of the machine is quiet.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from av import VideoFrame
from av.video.reformatter import VideoReformatter

from telecine.color.color import BT709
from telecine.frames.recognise import Recognizer
from telecine.planes.convert import Conversion

from .measure import in_turns
from .report import Bar, Report, Table, alone

WIDTH, HEIGHT, TURNS, FRAMES = 1360, 768, 60, 8
MEMCPY, FLOATS, SWSCALE, BYTES = "memcpy float32 CHW", "telecine float32 CHW", "swscale uint8 HWC", "telecine uint8 HWC"
BARS = ((FLOATS, MEMCPY, 1.2), (BYTES, SWSCALE, 0.5))
OTHER_FORMATS = ("yuv420p10le", "yuv422p10le", "yuv444p", "yuv444p12le", "gbrp", "gbrp16le", "rgb24")


def run() -> Report:
    """Measure both."""
    fastest = measured(TURNS)
    rows = [(name, f"{1e3 * seconds:.3f}") for name, seconds in fastest.items()]
    heading = ("contestant", "milliseconds a frame")
    table = Table(heading, rows, f"{WIDTH}x{HEIGHT}, the fastest of {TURNS} turns of {FRAMES} frames:")
    bars = [Bar(f"{ours} / {theirs}", fastest[ours] / fastest[theirs], limit) for ours, theirs, limit in BARS]
    return Report("Conversion", __doc__ or "", [table], bars)


def measured(turns: int) -> dict[str, float]:
    """The seconds a frame that each contestant takes in its fastest turn."""
    random = np.random.default_rng(0)
    floats = [random.random((3, HEIGHT, WIDTH), np.float32) for _ in range(FRAMES)]
    destination = np.zeros_like(floats[0])
    bytes_ = [random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8) for _ in range(FRAMES)]
    contestants = {
        MEMCPY: lambda: copy(floats, destination),
        FLOATS: converter("CHW", floats),
        SWSCALE: lambda: swscale(bytes_),
        BYTES: converter("HWC", bytes_),
        **{f"{FLOATS} {name}": converter("CHW", floats, name) for name in OTHER_FORMATS},
        f"{FLOATS} dithered": converter("CHW", floats, dither=True),
    }
    return {name: min(taken) / FRAMES for name, taken in in_turns(contestants, turns).items()}


def copy(frames: Sequence[npt.NDArray[Any]], destination: npt.NDArray[Any]) -> None:
    """Copy the bytes of each frame."""
    for frame in frames:
        ctypes.memmove(destination.ctypes.data, frame.ctypes.data, frame.nbytes)


def swscale(frames: Sequence[npt.NDArray[np.uint8]]) -> None:
    """Convert each frame as PyAV does, on one thread."""
    reformatter = VideoReformatter()
    for frame in frames:
        rgb = VideoFrame.from_ndarray(frame, format="rgb24")
        reformatter.reformat(rgb, format="yuv420p", interpolation="BILINEAR", threads=1)


def converter(
    layout: str, frames: Sequence[npt.NDArray[Any]], pixel_format: str = "yuv420p", dither: bool = False
) -> Callable[[], None]:
    """What `VideoWriter.write` does to each frame before it is queued."""
    conversion, recognizer = Conversion(BT709, dither=dither), Recognizer(layout)
    planes = VideoFrame(WIDTH, HEIGHT, pixel_format)

    def convert() -> None:
        for frame in recognizer.frames(frames):
            conversion.to_planes(frame, planes)

    return convert


if __name__ == "__main__":
    alone(run)
