"""A user's program of typical uses: mypy and pyright are strict with it, against the installed package."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

import telecine
from telecine.compat import export_to_video

Pixels = npt.NDArray[np.uint8]


class Tensor(Protocol):
    """What torch's, CuPy's and others' tensors have in common."""

    def __dlpack__(self, *, stream: Any = ...) -> object: ...

    def __dlpack_device__(self) -> tuple[int, int]: ...


def export(folder: Path, tensor: Tensor) -> telecine.Video:
    """Frames of every kind, and what an export gives back."""
    pixels: Pixels = np.zeros((8, 48, 64, 3), np.uint8)
    images: list[Image.Image] = [Image.fromarray(frame) for frame in pixels]
    telecine.export_video(images, folder / "images.mp4", fps=16)
    telecine.export_video(pixels, str(folder / "array.webm"), fps=Fraction(24000, 1001), codec="vp9", quality="draft")
    telecine.export_video(list(pixels), folder / "list.mkv", fps="24000/1001", quality="lossless", layout="HWC")
    telecine.export_video(tensor, folder / "tensor.mp4", value_range=(-1, 1))
    telecine.export_video([tensor, tensor], folder / "tensors.mp4", layout="THWC", background=(0.5, 0.5, 0.5))
    telecine.export_video((frame for frame in images), folder / "generator.gif", loops=0)
    telecine.export_video(pixels, folder / "frames", format="png", bit_depth=16)
    telecine.export_video(folder / "frames", folder / "again.mp4", preset="fast", chroma="4:2:0", color="bt709")
    sound: npt.NDArray[np.int16] = np.zeros(24_000, np.int16)
    video = telecine.export_video(
        pixels,
        folder / "clip.mp4",
        timestamps=[index / 16 for index in range(8)],
        hold=0.5,
        audio=sound,
        audio_rate=48_000,
        audio_fit="trim",
        encoder_options={"tune": "animation", "crf": 20},
        metadata={"prompt": "a panda", "seed": 1, "steps": [1, 2.5, None], "workflow": {"nodes": [{"id": 1}]}},
        progress=print_progress,
    )
    light: npt.NDArray[np.float32] = np.ones((2, 48, 64, 3), np.float32)
    display = telecine.MasteringDisplay(max_luminance=1000)
    telecine.export_video(
        light, folder / "hdr.mp4", color="pq", light="scene-linear", primaries="p3-d65", mastering_display=display
    )
    export_to_video(images, str(folder / "diffusers.mp4"), fps=8)
    return video


def print_progress(done: int, of: int | None) -> None:
    """Take what `progress` is told."""
    print(done, of)


def stream(folder: Path, chunks: Iterator[Pixels]) -> Path:
    """Frames as they come."""
    with telecine.VideoWriter(folder / "stream.mp4", fps=16, channels="BGR") as writer:
        for chunk in chunks:
            writer.write(chunk)
        frames: int = writer.frame_count
    print(frames)
    return writer.video.path


def look_at(video: telecine.Video) -> tuple[str, Fraction]:
    """A finished file is a path, and is probed, read and compared."""
    path: str = os.fspath(video)
    info = telecine.probe(path)
    rate: Fraction = info.fps
    prompt = info.metadata["prompt"]
    rgb: list[Pixels] = list(telecine.read_frames(video))
    rgba: Iterator[Pixels] = telecine.read_frames(video, alpha=True)
    signal: Iterator[npt.NDArray[np.float32]] = telecine.read_frames(video, light="encoded")
    times: list[Fraction] = telecine.read_timestamps(video)
    report = telecine.verify(video, rgb, layout="auto")
    problems: tuple[str, ...] = report.problems
    if info.audio is not None:
        print(info.audio.sample_rate)
    print(prompt, len(rgb), next(rgba).shape, next(signal).dtype, times[-1], problems, report.ok, Path(video).name)
    return f"{video.width}x{video.height}", rate


def draw(video: telecine.Video, folder: Path) -> None:
    """Pictures of a clip, and the clip in another form."""
    telecine.contact_sheet(video, columns=2, times=False).save(folder / "sheet.png")
    best: telecine.Poster = telecine.poster(video, count=4)
    best.image.save(folder / f"{best.index}.png")
    row = telecine.side_by_side(video, telecine.label(video, lambda index: f"{index}"), labels=["a", "b"])
    forth_and_back: Iterator[npt.NDArray[Any]] = telecine.ping_pong(telecine.trim(row, end=-2))
    telecine.export_video(telecine.loop(forth_and_back, 2), folder / "drawn.mp4", last_frame=folder / "last.png")


def signed(certificate: Path, key: Path) -> telecine.Provenance:
    """What signs."""
    return telecine.Provenance(certificate=certificate, private_key=key, algorithm="es256")


def main(folder: Path, tensor: Tensor) -> None:
    """Use all of it."""
    video = export(folder, tensor)
    print(look_at(video), stream(folder, iter([np.zeros((4, 48, 64, 3), np.uint8)])), telecine.__version__)
    telecine.export_video(telecine.grid([video, video], columns=2), folder / "grid.mp4")
    draw(video, folder)
    print(telecine.strip(video, folder / "stripped.mp4").metadata, telecine.recommended_fps("cogvideox-diffusers"))
    joined = telecine.concat([video], folder / "all.mp4", metadata={"task": "none"})
    start: Fraction = joined.spans[0][0]
    print(start)
    try:
        telecine.recover(folder / "none.mp4")
    except telecine.TelecineError as error:
        print(error)


ENTRY: Callable[[Path, Tensor], None] = main

if __name__ == "__main__":
    main(Path(sys.argv[1]), np.zeros((4, 48, 64, 3), np.float32))
