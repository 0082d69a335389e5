"""What the readers that people use make of a video file: its size, its duration and every frame."""

from __future__ import annotations

import ctypes.util
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import imageio.v3
import numpy as np
import pytest

from telecine.formats.images import MOVING_IMAGES

from .browser import Browser, CanNotPlayError
from .chart import Pixels


@dataclass(frozen=True)
class Seen:
    """A file as a reader tells it: the duration in seconds, if it does, each frame (height, width, 3) uint8 RGB."""

    width: int
    height: int
    duration: float | None
    frames: list[Pixels]


class CanNotReadError(Exception):
    """The reader refuses the file, or finds no frame in it."""


# What a reader raises of a file that it can't read.
REFUSALS = (CanNotReadError, av.FFmpegError, RuntimeError, subprocess.CalledProcessError)

Reader = Callable[[Path], Seen]


def is_image(path: Path) -> bool:
    return path.suffix[1:] in MOVING_IMAGES


def of_images(frames: list[Pixels], duration: float | None) -> Seen:
    height, width, _ = frames[0].shape
    return Seen(width, height, duration, [frame[:, :, :3] for frame in frames])


def through_chromium(browser: Browser, path: Path, fps: int) -> Seen:
    """Of a video Chromium has no list of frames: each is sought, and then the file is played to its end."""
    if is_image(path):
        decoded = browser.moving_image(path, f"image/{path.suffix[1:]}")
        return of_images([shown.rgb for _, shown in decoded], sum(lasts for lasts, _ in decoded))
    try:
        loaded = browser.load(path)
    except CanNotPlayError as error:
        raise CanNotReadError(str(error)) from error
    shown = [browser.show((index + 0.5) / fps) for index in range(round(loaded.duration * fps))]
    assert [frame.time for frame in shown] == pytest.approx([index / fps for index in range(len(shown))], abs=0.001)
    assert browser.play() == (0, loaded.duration)
    return Seen(loaded.width, loaded.height, loaded.duration, [frame.rgb for frame in shown])


def through_pyav(path: Path) -> Seen:
    with av.open(path) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False) for frame in container.decode(stream)]
        duration = container.duration and container.duration / av.time_base
        return Seen(stream.width, stream.height, duration, frames)


def through_opencv(path: Path) -> Seen:
    if is_image(path):
        _, moving = cv2.imreadanimation(str(path))
        frames = [picture[:, :, 2::-1].astype(np.uint8, copy=False) for picture in moving.frames]
        return of_images(frames, sum(moving.durations) / 1000)
    capture, frames = cv2.VideoCapture(str(path)), []
    while True:
        found, bgr = capture.read()
        if not found:
            break
        frames.append(bgr[:, :, ::-1].astype(np.uint8, copy=False))
    if not frames:
        raise CanNotReadError("OpenCV reads no frame")
    width, height, count, fps = (
        capture.get(what)
        for what in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_COUNT, cv2.CAP_PROP_FPS)
    )
    return Seen(int(width), int(height), count / fps, frames)


def through_imageio(path: Path) -> Seen:
    """By Pillow, and of a video by the ffmpeg that imageio-ffmpeg carries."""
    if is_image(path):
        pictures = list(imageio.v3.imiter(path, plugin="pillow"))
        lasts: list[Any] = [
            imageio.v3.immeta(path, plugin="pillow", index=index).get("duration") for index in range(len(pictures))
        ]
        return of_images(pictures, None if None in lasts else sum(lasts) / 1000)
    facts = imageio.v3.immeta(path, plugin="FFMPEG")
    frames = list(imageio.v3.imiter(path, plugin="FFMPEG"))
    width, height = facts["size"]
    return Seen(width, height, facts["duration"], frames)


def through_torchcodec(path: Path) -> Seen:
    if ctypes.util.find_library("avcodec") is None:
        pytest.skip("torchcodec needs FFmpeg's libraries: apt-get install ffmpeg")
    from torchcodec.decoders import VideoDecoder  # type: ignore[attr-defined,unused-ignore]

    decoder: Any = VideoDecoder(path)
    frames = [frame.permute(1, 2, 0).numpy() for frame in decoder]
    facts = decoder.metadata
    return Seen(facts.width, facts.height, facts.duration_seconds, frames)


def through_ffmpeg(path: Path) -> Seen:
    """By the system's ffprobe and ffmpeg."""
    if not (shutil.which("ffprobe") and shutil.which("ffmpeg")):
        pytest.skip("no FFmpeg is installed: apt-get install ffmpeg")
    entries = "stream=width,height,nb_read_frames:format=duration"
    said = json.loads(_output("ffprobe", "-count_frames", "-show_entries", entries, "-of", "json", path))
    (stream,), duration = said["streams"], float(said["format"].get("duration", 0))
    raw = np.frombuffer(_output("ffmpeg", "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"), np.uint8)
    frames = raw.reshape(int(stream["nb_read_frames"]), stream["height"], stream["width"], 3)
    return Seen(stream["width"], stream["height"], duration if duration > 0 else None, list(frames))


def _output(*command: str | Path) -> bytes:
    program, *arguments = command
    return subprocess.run([program, "-v", "error", *arguments], capture_output=True, check=True, timeout=60).stdout


READERS: dict[str, Reader] = {
    "PyAV": through_pyav,
    "OpenCV": through_opencv,
    "imageio": through_imageio,
    "torchcodec": through_torchcodec,
    "FFmpeg": through_ffmpeg,
}
