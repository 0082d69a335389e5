"""Cores: what one and two of them give, and from that what up to 64 would.

An export's parts run at once: the caller's thread converts, one thread feeds x264, and x264's own threads encode. The
time a frame of x264 on one core and on two says which share of it is serial (Amdahl); the conversion's time a frame on
one thread says from how many cores on it would be what binds. x264 is given 16 threads at most.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from av import VideoFrame

import telecine
from telecine.color.color import BT709
from telecine.formats.choices import PresetName
from telecine.frames.recognise import Recognizer
from telecine.planes.convert import Conversion
from telecine.support.processors import available_processors

from .frames import large
from .measure import Spread, in_a_process, in_turns
from .report import LinePlot, Report, Table, alone
from .x264 import FPS, encode, options_of, ready_planes

CORES = 1, 2, 4, 8, 16, 32, 64
PRESETS: tuple[PresetName | None, ...] = (None, "ultrafast")
EXPORT, X264, ONE_FRAME = "export", "x264 alone", "export of one frame"
MOST_THREADS = 16


@dataclass(frozen=True)
class Parts:
    """Milliseconds a frame on some cores; and of opening, finishing and publishing a file, once."""

    export: Spread
    encode: Spread
    conversion: dict[str, Spread]
    once: Spread


def run() -> Report:
    """Measure on one core and on two, each in a process that has no more."""
    rows, series, answers = [], {}, []
    usable = sorted(os.sched_getaffinity(0))
    for preset in PRESETS:
        what = preset or "default preset"
        parts = {count: in_a_process(measured, usable[:count], preset) for count in (1, 2) if count <= len(usable)}
        for count, each in parts.items():
            kinds = (f"{spread:.2f}" for spread in each.conversion.values())
            rows.append((what, str(count), f"{each.export:.2f}", f"{each.encode:.2f}", *kinds, f"{each.once:.0f}"))
        if len(parts) < 2:
            continue
        serial = serial_share(parts[1].encode.median, parts[2].encode.median)
        encode_by_cores = [
            (float(count), amdahl(parts[1].encode.median, serial, min(count, MOST_THREADS))) for count in CORES
        ]
        series[f"x264, {what}"] = encode_by_cores
        for kind, spread in parts[1].conversion.items():
            series[f"conversion of {kind}"] = [(float(count), spread.median) for count in CORES]
            binding = [int(count) for count, milliseconds in encode_by_cores if milliseconds < spread.median]
            where = f"binds from {binding[0]} cores on" if binding else f"does not bind on up to {CORES[-1]} cores"
            answers.append(f"- {what}, {kind}: {serial:.0%} of x264 is serial; the conversion {where}.")
    height, width, _ = large().pictures[0].shape
    heading = ("preset", "cores", EXPORT, X264, *(f"conversion, {kind}" for kind in ("uint8 HWC", "float32 CHW")))
    table = Table((*heading, "opening and publishing"), rows, f"Milliseconds a frame of {width}x{height}, {large()}:")
    axes = ("cores", "milliseconds a frame")
    plot = LinePlot("cores", "Time a frame by cores: measured on 1 and 2, by Amdahl's law above", axes, series, "xy")
    return Report("Cores", "\n".join([__doc__ or "", *answers]), [table], [], [plot])


def serial_share(one: float, two: float) -> float:
    """The part that a second core did not halve, in [0, 1].

    >>> serial_share(10, 6)
    0.2
    """
    return min(1.0, max(0.0, 2 * two / one - 1))


def amdahl(one: float, serial: float, cores: int) -> float:
    """The time on some cores of what takes `one` on one core."""
    return one * (serial + (1 - serial) / cores)


def measured(cores: list[int], preset: PresetName | None) -> Parts:
    """The parts of an export on these cores of the machine."""
    os.sched_setaffinity(0, cores)
    pictures = large().pictures
    options, planes = options_of(preset=preset), ready_planes(pictures)
    bytes_, floats = pictures[0], np.ascontiguousarray(pictures[0].transpose(2, 0, 1) / np.float32(255))
    count = len(pictures)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip.mp4")
        taken = in_turns(
            {
                EXPORT: lambda: telecine.export_video(pictures, path, fps=FPS, preset=preset),
                X264: lambda: encode(planes, options, available_processors()),
                "uint8 HWC": lambda: convert(bytes_, "HWC", planes[0], count),
                "float32 CHW": lambda: convert(floats, "CHW", planes[0], count),
                ONE_FRAME: lambda: telecine.export_video(pictures[:1], path, fps=FPS, preset=preset),
            }
        )
    of = {name: Spread.of([1e3 * seconds / count for seconds in each]) for name, each in taken.items()}
    once = Spread.of([1e3 * seconds for seconds in taken[ONE_FRAME]])
    return Parts(of[EXPORT], of[X264], {kind: of[kind] for kind in ("uint8 HWC", "float32 CHW")}, once)


def convert(pixels: np.ndarray, layout: str, planes: VideoFrame, count: int) -> None:
    """Convert one frame many times, as `VideoWriter.write` does."""
    conversion, recognizer = Conversion(BT709), Recognizer(layout)
    for _ in range(count):
        for frame in recognizer.frames(pixels):
            conversion.to_planes(frame, planes)


if __name__ == "__main__":
    alone(run)
