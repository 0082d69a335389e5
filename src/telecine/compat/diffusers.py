"""What `diffusers.utils` exports videos with: `export_to_video`, `export_to_gif` and `encode_video`."""

from __future__ import annotations

import numbers
import os
from pathlib import Path

from ..errors import OptionError
from ..export import export_video
from ..formats.choices import FormatName
from ..formats.choose import either
from ..frames.recognise import Frames
from ..sound.forms import Audio
from ..support.rate import FrameRate
from .arguments import check_path

# What Pillow writes, of which an extension says more here: ".png" is a folder of images elsewhere.
_MOVING: dict[str, FormatName] = {".gif": "gif", ".webp": "webp", ".png": "apng", ".apng": "apng", ".avif": "avif"}


def export_to_video(
    video_frames: Frames,
    output_video_path: str | os.PathLike[str] | None = None,
    fps: FrameRate = 10,
    quality: float | None = 5.0,
    bitrate: int | None = None,
    macro_block_size: int | None = 16,
) -> str:
    """Write frames to an MP4 as `diffusers.utils.export_to_video` does, and give its path.

    Args:
        video_frames: What `telecine.export_video` takes; diffusers takes lists of PIL images or of float arrays.
        output_video_path: The file. Without one, a new file in the folder for temporary files.
        fps: Frames per second.
        quality: 0 to 10, higher is better, as imageio has it: the crf is 51 times what is missing to 10. 10 is crf 1,
            since crf 0 does not play everywhere. None is x264's own crf, 23.
        bitrate: Bits per second, in place of the quality.
        macro_block_size: Accepted, and not needed: a frame keeps its size, an odd one is padded by one line.

    Raises:
        FrameError, OptionError, EncodeError, PublishError: as `telecine.export_video`.

    >>> import numpy as np
    >>> export_to_video([np.zeros((48, 64, 3), np.float32)] * 8, fps=8)[-4:]
    '.mp4'
    """
    if quality is not None and not (isinstance(quality, numbers.Real) and 0 <= quality <= 10):
        raise OptionError(f"quality={quality!r} is not in the range: use 0 (worst) to 10, or None")
    crf = 23 if quality is None else max(1, int((1 - quality / 10) * 51))
    video = export_video(
        video_frames, output_video_path, fps=fps, crf=crf if bitrate is None else None, bitrate=bitrate, preset="medium"
    )
    return str(video)


def export_to_gif(image: Frames, output_gif_path: str | os.PathLike[str] | None = None, fps: FrameRate = 10) -> str:
    """Write frames to a GIF that loops, as `diffusers.utils.export_to_gif` does, and give its path.

    Args:
        image: What `telecine.export_video` takes; diffusers takes a list of PIL images.
        output_gif_path: The file. Without one, a new file in the folder for temporary files. As with Pillow it may be
            another moving image: `.webp`, `.png` (APNG) or `.avif`.
        fps: Frames per second. The whole of a GIF lasts as long as this says; diffusers cuts each frame's time to whole
            milliseconds, and Pillow to hundredths of a second.

    Raises:
        FrameError, EncodeError, PublishError: as `telecine.export_video`.
        OptionError: an argument, or the path is that of no moving image.

    >>> import numpy as np
    >>> export_to_gif([np.zeros((48, 64, 3), np.uint8)] * 8, fps=8)[-4:]
    '.gif'
    """
    if output_gif_path is not None and not isinstance(output_gif_path, (str, bytes, os.PathLike)):
        raise OptionError(f"output_gif_path is of type {type(output_gif_path).__name__}: give a path")
    named = "clip.gif" if output_gif_path is None else str(os.fsdecode(output_gif_path))
    extension = Path(named).suffix.lower()
    if extension not in _MOVING:
        raise OptionError(f"{named!r} is no moving image: use {either(_MOVING)}, or export_to_video for a video")
    return str(export_video(image, output_gif_path, fps=fps, format=_MOVING[extension]))


def encode_video(
    video: Frames,
    fps: FrameRate,
    output_path: str | os.PathLike[str],
    audio: Audio | None = None,
    audio_sample_rate: int | None = None,
    video_chunks_number: int = 1,
) -> None:
    """Write frames with sound to a video as `diffusers.utils.encode_video` does, which LTX-2's pipelines use.

    Args:
        video: (T, H, W, C) of uint8 or of floats in [0, 1], chunks of such, or a list of PIL images. uint8 is taken as
            it is: diffusers multiplies a NumPy array by 255 if no value in it is above 1.
        fps: Frames per second, of which diffusers cuts off a fraction.
        output_path: The file.
        audio: Samples, (channels, n) or (n, channels): floats in [-1, 1], or int16. One channel stays one; diffusers
            makes two of it.
        audio_sample_rate: The samples a second of the sound.
        video_chunks_number: Accepted, and not needed: frames are taken one by one.

    Raises:
        FrameError, EncodeError, PublishError: as `telecine.export_video`.
        OptionError: an argument, or sound without a rate.

    >>> import numpy as np, os, tempfile, telecine
    >>> path = os.path.join(tempfile.mkdtemp(), "clip.mp4")
    >>> encode_video(np.zeros((8, 48, 64, 3)), 8, path, np.zeros((2, 48_000), np.float32), 48_000)
    >>> telecine.probe(path).audio.channels
    2
    """
    check_path("output_path", output_path)
    if audio is not None and audio_sample_rate is None:
        raise OptionError("audio= has no rate: pass audio_sample_rate=, such as 48_000")
    layout = "auto" if isinstance(video, (list, tuple)) else "THWC"  # of a list each frame has its own
    rate = None if audio is None else audio_sample_rate
    export_video(video, output_path, fps=fps, layout=layout, audio=audio, audio_rate=rate)
