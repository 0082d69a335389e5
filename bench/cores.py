"""Cores: what more of them would give, and what it costs in bytes.

An export's parts run at once: the caller's thread converts, one thread feeds x264, which looks ahead in it, and x264's
own threads encode. So a frame takes no less than that one thread's time on it, nor than all of x264's divided by the
cores. Both are processor time, measured here on the cores there are; on others it is that model.

A frame on each thread costs bytes only where the threads are many for the picture's height. The other ways to use more
cores cost more: a slice of each frame on each thread, whose edges are not predicted across, and groups of pictures that
are encoded side by side, each with a key frame of its own.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from av import VideoFrame

import telecine
from telecine.color.color import BT709
from telecine.formats.choices import PresetName
from telecine.frames.recognise import Recognizer
from telecine.planes.convert import Conversion
from telecine.support.processors import MOST_THREADS

from .frames import large, small
from .measure import Spread, in_a_process, in_turns
from .report import Bar, LinePlot, Report, Table, alone
from .x264 import FPS, encode, options_of, ready_planes

CORES = 1, 2, 4, 8, 16, 32, 64
PRESETS: tuple[PresetName | None, ...] = (None, "ultrafast")
EXPORT, X264, ONE_FRAME = "export", "x264 alone", "export of one frame"
KINDS = "uint8 HWC", "float32 CHW"
THREADS = 2, 4, 8, 16
MORE_BYTES = 1.02


@dataclass(frozen=True)
class Parts:
    """Milliseconds a frame, and of opening, finishing and publishing a file once; x264's are of processors."""

    export: Spread
    encode: Spread
    encode_everywhere: float
    encode_in_one: float
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
            x264 = f"{each.encode:.2f}", f"{each.encode_everywhere:.2f}", f"{each.encode_in_one:.2f}"
            rows.append((what, str(count), f"{each.export:.2f}", *x264, *kinds, f"{each.once:.0f}"))
        most = parts[max(parts)]
        by_cores = [(float(count), modelled(most, count)) for count in CORES]
        series[f"x264, {what}"] = by_cores
        least = next(int(count) for count, milliseconds in by_cores if milliseconds == by_cores[-1][1])
        answers.append(f"- {what}: x264 gets no faster from {least} cores on.")
        for kind, spread in most.conversion.items():
            series[f"conversion of {kind}"] = [(float(count), spread.median) for count in CORES]
            binding = [int(count) for count, milliseconds in by_cores if milliseconds < spread.median]
            where = f"binds from {binding[0]} cores on" if binding else f"does not bind on up to {CORES[-1]} cores"
            answers.append(f"- {what}, {kind}: the conversion {where}.")
    height, width, _ = large().pictures[0].shape
    of_x264 = X264, "its processors' time", "of that in the thread that looks ahead"
    heading = ("preset", "cores", EXPORT, *of_x264, *(f"conversion, {kind}" for kind in KINDS))
    table = Table((*heading, "opening and publishing"), rows, f"Milliseconds a frame of {width}x{height}, {large()}:")
    bytes_table, bars = bytes_by_threads()
    axes = ("cores", "milliseconds a frame")
    plot = LinePlot("cores", "Time a frame by cores, by what x264's threads take", axes, series, "xy")
    return Report("Cores", "\n".join([__doc__ or "", *answers]), [table, bytes_table], bars, [plot])


def modelled(parts: Parts, cores: int) -> float:
    """Milliseconds of x264 for a frame on some cores."""
    return max(parts.encode_in_one, parts.encode_everywhere / min(cores, MOST_THREADS))


def bytes_by_threads() -> tuple[Table, list[Bar]]:
    """What each way to use threads costs in bytes, as a ratio to one thread."""
    rows, bars = [], []
    for clip in (small(), large()):
        planes, options = ready_planes(clip.pictures), options_of()
        one = len(encode(planes, options, 1))
        for way, encoded in SIDE_BY_SIDE.items():
            ratios = [len(encoded(planes, options, count)) / one for count in THREADS]
            rows.append((clip.name, way, *(f"{each:.3f}" for each in ratios)))
            if way == "frames":
                bars.append(Bar(f"{clip.name}: bytes with up to {MOST_THREADS} threads / one", max(ratios), MORE_BYTES))
    caption = "Bytes at the same crf, as a ratio to one thread, by threads:"
    return Table(("clip", "side by side", *map(str, THREADS)), rows, caption), bars


def in_frames(planes: Sequence[VideoFrame], options: dict[str, str], count: int) -> bytes:
    """Encode as many frames at once, as telecine does."""
    return encode(planes, options | {"threads": str(count)})


def in_slices(planes: Sequence[VideoFrame], options: dict[str, str], count: int) -> bytes:
    """Encode each frame in as many slices."""
    told = {"x264-params": f"{options['x264-params']}:sliced-threads=1", "threads": str(count)}
    return encode(planes, options | told)


def in_groups(planes: Sequence[VideoFrame], options: dict[str, str], count: int) -> bytes:
    """Encode as many groups of pictures, each by itself."""
    bounds = np.linspace(0, len(planes), count + 1).astype(int)
    return b"".join(encode(planes[a:b], options, 1) for a, b in pairwise(bounds))


SIDE_BY_SIDE = {"frames": in_frames, "slices": in_slices, "groups": in_groups}


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
                X264: lambda: encode(planes, options),
                KINDS[0]: lambda: convert(bytes_, "HWC", planes[0], count),
                KINDS[1]: lambda: convert(floats, "CHW", planes[0], count),
                ONE_FRAME: lambda: telecine.export_video(pictures[:1], path, fps=FPS, preset=preset),
            }
        )
    of = {name: Spread.of([1e3 * seconds / count for seconds in each]) for name, each in taken.items()}
    once = Spread.of([1e3 * seconds for seconds in taken[ONE_FRAME]])
    everywhere, in_one = (1e3 * seconds / count for seconds in processor_time(planes, options))
    return Parts(of[EXPORT], of[X264], everywhere, in_one, {kind: of[kind] for kind in KINDS}, once)


def processor_time(planes: Sequence[VideoFrame], options: Mapping[str, str]) -> tuple[float, float]:
    """The seconds of processors that x264 takes in all its threads, and in the one that feeds it and looks ahead."""
    everywhere, in_one = time.process_time(), time.thread_time()
    encode(planes, options)
    return time.process_time() - everywhere, time.thread_time() - in_one


def convert(pixels: np.ndarray, layout: str, planes: VideoFrame, count: int) -> None:
    """Convert one frame many times, as `VideoWriter.write` does."""
    conversion, recognizer = Conversion(BT709), Recognizer(layout)
    for _ in range(count):
        for frame in recognizer.frames(pixels):
            conversion.to_planes(frame, planes)


if __name__ == "__main__":
    alone(run)
