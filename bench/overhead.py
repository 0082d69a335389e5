"""Overhead: the wall time of an export, as a ratio to libx264 alone on ready planes with the same options and threads.

Beside it a naive writer: each frame made 8-bit RGB by NumPy or torch, and given to PyAV as it is.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import av
import numpy as np
import numpy.typing as npt
import torch
from av import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

import telecine
from telecine.formats.choices import PresetName

from .frames import Clip, large, small
from .measure import Spread, in_turns, ratio
from .report import Bar, BarPlot, Report, Table, alone
from .x264 import FPS, encode, options_of, ready_planes, threads_of

ALONE = ("libx264", "alone")
LIMITS: dict[PresetName | None, float] = {None: 1.03, "ultrafast": 1.15}  # by preset; None is the default quality's own
Given: TypeAlias = "list[Image.Image] | npt.NDArray[Any] | torch.Tensor"


def run() -> Report:
    """Measure at both sizes and presets."""
    rows, bars, plots, kinds = [], [], [], []
    for clip in (small(), large()):
        for preset, limit in LIMITS.items():
            ratios, alone_for = measured(clip, preset)
            height, width, count = *clip.pictures[0].shape[:2], len(clip.pictures)
            where = f"{width}x{height}x{count}, {preset or 'default'}"
            ours = {kind: each for (who, kind), each in ratios.items() if who == "telecine"}
            kinds = list(ours)
            for writer in ("telecine", "naive"):
                figures = (f"{ratios[writer, kind]:.3f}" for kind in kinds)
                rows.append((where, writer, *figures, f"{alone_for.median * 1e3:.0f} ms"))
            worst = max(ours, key=lambda kind: ours[kind].median)
            bars.append(Bar(f"{where}: the worst, {worst}", ours[worst], limit))
            lengths = {", ".join(contestant): each for contestant, each in ratios.items()}
            title = f"Export / libx264 alone, {where}"
            plots.append(BarPlot(f"overhead-{width}-{preset or 'default'}", title, "wall time, ratio", lengths, limit))
    table = Table(("frames, preset", "writer", *kinds, "libx264 alone"), rows)
    return Report("Overhead", __doc__ or "", [table], bars, plots)


def measured(clip: Clip, preset: PresetName | None) -> tuple[dict[tuple[str, str], Spread], Spread]:
    """The ratio to libx264 alone by writer and kind of frames, and the seconds that libx264 alone took."""
    options, planes = options_of(preset=preset), ready_planes(clip.pictures)
    contestants: dict[tuple[str, str], Callable[[], object]] = {ALONE: lambda: encode(planes, options)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip.mp4")
        for kind, given in inputs(clip).items():
            contestants["telecine", kind] = partial(telecine.export_video, given, path, fps=FPS, preset=preset)
            contestants["naive", kind] = partial(naive, given, path, options)
        seconds = in_turns(contestants)
    alone_for = seconds.pop(ALONE)
    return {name: ratio(each, alone_for) for name, each in seconds.items()}, Spread.of(alone_for)


def inputs(clip: Clip) -> dict[str, Given]:
    """The same frames as pipelines give them."""
    thwc = np.stack(clip.pictures)
    cthw = np.ascontiguousarray(thwc.transpose(3, 0, 1, 2), np.float32) / np.float32(255)
    return {
        "PIL list": clip.images,
        "uint8 THWC": thwc,
        "float32 CTHW": cthw,
        "bfloat16 CTHW": torch.from_numpy(cthw).bfloat16(),
    }


def naive(given: Given, path: Path, options: Mapping[str, str]) -> None:
    """Write as one does by hand."""
    if isinstance(given, torch.Tensor):
        given = (given.permute(1, 2, 3, 0).float().clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    elif isinstance(given, np.ndarray) and given.dtype == np.float32:
        given = (given.transpose(1, 2, 3, 0).clip(0, 1) * 255).round().astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options=dict(options))
        assert isinstance(stream, VideoStream)
        stream.pix_fmt, stream.codec_context.thread_count = "yuv420p", threads_of()
        for index, each in enumerate(given):
            frame = VideoFrame.from_ndarray(np.asarray(each), format="rgb24")
            if index == 0:
                stream.width, stream.height = frame.width, frame.height
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    alone(run)
