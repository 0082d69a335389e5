"""Conversion speed on one thread, as ratios in one run: to a memcpy of the same frame, and to swscale.

float32 CHW against `memcpy` of the same bytes: at most 1.2. uint8 HWC against swscale's BILINEAR rgb24 → yuv420p with
the copy into its frame: at most 0.5. The other pixel formats have no bar. The contestants take turns over frames that
don't fit the cache, and each one's figure is its fastest turn: what is left when the rest of the machine is quiet.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from av import VideoFrame
from av.video.reformatter import VideoReformatter

from telecine import _convert
from telecine.color import BT709
from telecine.convert import Conversion
from telecine.frames import Recognizer

WIDTH, HEIGHT, TURNS, FRAMES = 1360, 768, 60, 8
OTHER_FORMATS = ("yuv420p10le", "yuv422p10le", "yuv444p", "yuv444p12le", "gbrp", "gbrp16le", "rgb24")


def main() -> None:
    """Measure, print, and tell by the exit code whether the bars hold."""
    random = np.random.default_rng(0)
    floats = [random.random((3, HEIGHT, WIDTH), np.float32) for _ in range(FRAMES)]
    bytes_ = [random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8) for _ in range(FRAMES)]
    destination = np.zeros_like(floats[0])

    def copy(at: int) -> None:
        ctypes.memmove(destination.ctypes.data, floats[at].ctypes.data, floats[at].nbytes)

    reformatter = VideoReformatter()

    def swscale(at: int) -> None:
        frame = VideoFrame.from_ndarray(bytes_[at], format="rgb24")
        reformatter.reformat(frame, format="yuv420p", interpolation="BILINEAR", threads=1)

    seconds = measured(
        {
            "memcpy float32 CHW": copy,
            "telecine float32 CHW": converter("CHW", floats),
            "swscale uint8 HWC": swscale,
            "telecine uint8 HWC": converter("HWC", bytes_),
            **{f"telecine float32 CHW {name}": converter("CHW", floats, name) for name in OTHER_FORMATS},
            "telecine float32 CHW dithered": converter("CHW", floats, dither=True),
        }
    )
    print(f"{WIDTH}x{HEIGHT}, one thread, {_convert.instruction_set()}, fastest of {TURNS} turns of {FRAMES} frames")
    for name, each in seconds.items():
        print(f"{name:32} {each * 1e3:7.3f} ms a frame")
    held = True
    for ours, theirs, bar in (
        ("telecine float32 CHW", "memcpy float32 CHW", 1.2),
        ("telecine uint8 HWC", "swscale uint8 HWC", 0.5),
    ):
        ratio = seconds[ours] / seconds[theirs]
        held &= ratio <= bar
        print(f"{ours} / {theirs}: {ratio:.2f} (bar {bar})")
    raise SystemExit(0 if held else 1)


def converter(
    layout: str, frames: Sequence[npt.NDArray[Any]], pixel_format: str = "yuv420p", dither: bool = False
) -> Callable[[int], None]:
    """What `VideoWriter.write` does to a frame before it is queued."""
    conversion, recognizer = Conversion(BT709, dither=dither), Recognizer(layout)
    planes = VideoFrame(WIDTH, HEIGHT, pixel_format)

    def convert(at: int) -> None:
        for frame in recognizer.frames(frames[at]):
            conversion.to_planes(frame, planes)

    return convert


def measured(contestants: dict[str, Callable[[int], None]]) -> dict[str, float]:
    """The seconds a frame that each takes, in its fastest turn."""
    fastest = dict.fromkeys(contestants, float("inf"))
    for _ in range(TURNS):
        for name, contestant in contestants.items():
            start = time.perf_counter()
            for at in range(FRAMES):
                contestant(at)
            fastest[name] = min(fastest[name], (time.perf_counter() - start) / FRAMES)
    return fastest


if __name__ == "__main__":
    main()
