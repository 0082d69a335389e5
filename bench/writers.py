"""What writes a list of PIL images to an MP4, each with its defaults: telecine and its peers."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import imageio_ffmpeg
import numpy as np
from PIL import Image

# Each imports what it needs when it is called: a process of its own then holds nothing else.

Images: TypeAlias = "Sequence[Image.Image]"
Writer: TypeAlias = "Callable[[Images, Path, int], object]"


def telecine(images: Images, path: Path, fps: int) -> None:
    """`telecine.export_video`."""
    import telecine

    telecine.export_video(images, path, fps=fps)


def telecine_balanced(images: Images, path: Path, fps: int) -> None:
    """`telecine.export_video` at the quality that is compared with diffusers'."""
    import telecine

    telecine.export_video(images, path, fps=fps, quality="balanced")


def diffusers_export(images: Images, path: Path, fps: int) -> None:
    """`diffusers.utils.export_to_video`, which pipes RGB into a process of ffmpeg."""
    from diffusers.utils.export_utils import export_to_video

    export_to_video(list(images), str(path), fps=fps)


def diffusers_encode(images: Images, path: Path, fps: int) -> None:
    """`diffusers.utils.encode_video`, which stacks all frames and gives them to PyAV."""
    from diffusers.utils.export_utils import encode_video

    encode_video(list(images), fps, str(path))


def with_imageio_ffmpeg(images: Images, path: Path, fps: int) -> None:
    """`imageio_ffmpeg.write_frames`."""
    frames = imageio_ffmpeg.write_frames(path, images[0].size, fps=fps)
    frames.send(None)
    for image in images:
        frames.send(image.tobytes())
    frames.close()


def with_mediapy(images: Images, path: Path, fps: int) -> None:
    """`mediapy.write_video`."""
    import mediapy

    mediapy.set_ffmpeg(imageio_ffmpeg.get_ffmpeg_exe())
    mediapy.write_video(path, [np.asarray(image) for image in images], fps=fps)


def with_moviepy(images: Images, path: Path, fps: int) -> None:
    """`moviepy.ImageSequenceClip`."""
    from moviepy import ImageSequenceClip

    ImageSequenceClip([np.asarray(image) for image in images], fps=fps).write_videofile(str(path), logger=None)


def with_opencv(images: Images, path: Path, fps: int) -> None:
    """`cv2.VideoWriter` as it is mostly used: mp4v, for its wheels hold no H.264 encoder."""
    import cv2

    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, images[0].size)
    for image in images:
        writer.write(cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2BGR))
    writer.release()


def pyav_by_hand(images: Images, path: Path, fps: int) -> None:
    """The loop of PyAV's documentation."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps))
        stream.width, stream.height = images[0].size
        stream.pix_fmt = "yuv420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24")))
        container.mux(stream.encode())


def with_torchcodec(images: Images, path: Path, fps: int) -> None:
    """`torchcodec.encoders.VideoEncoder`."""
    import torch
    from torchcodec.encoders import VideoEncoder  # type: ignore[attr-defined,unused-ignore]

    frames = torch.from_numpy(np.stack([np.asarray(image) for image in images])).permute(0, 3, 1, 2)
    VideoEncoder(frames, frame_rate=fps).to_file(path)


OURS, DIFFUSERS = "telecine", "diffusers export_to_video"
WRITERS: dict[str, Writer] = {
    OURS: telecine,
    "telecine balanced": telecine_balanced,
    DIFFUSERS: diffusers_export,
    "diffusers encode_video": diffusers_encode,
    "imageio-ffmpeg": with_imageio_ffmpeg,
    "mediapy": with_mediapy,
    "moviepy": with_moviepy,
    "OpenCV": with_opencv,
    "PyAV by hand": pyav_by_hand,
    "torchcodec": with_torchcodec,
}


def write(name: str, images: Images, path: Path, fps: int = 16) -> None:
    """Let a writer write, with its warnings and progress bars unheard."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        WRITERS[name](images, path, fps)


def usable(folder: Path) -> dict[str, str]:
    """Try every writer: its error in words, or "" where it works."""
    tried = {}
    images = [Image.new("RGB", (64, 64))] * 2
    for name in WRITERS:
        try:
            write(name, images, folder / "tried.mp4")
            tried[name] = ""
        except Exception as error:  # a peer may lack a library that its package does not bring
            tried[name] = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
    return tried
