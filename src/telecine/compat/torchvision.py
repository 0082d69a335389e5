"""`write_video`, as `torchvision.io` had it until 0.25."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, cast

from ..errors import FrameError, OptionError
from ..export import export_video
from ..formats.choose import output_of
from ..frames.recognise import Frames
from ..output.options import ExportOptions
from ..planes.convert import ValueRange
from ..sound.encode import LOSSY
from ..sound.forms import Audio
from ..support.rate import FrameRate
from .arguments import check_path, encoder_called


def write_video(
    filename: str | os.PathLike[str],
    video_array: Frames,
    fps: FrameRate,
    video_codec: str = "libx264",
    options: Mapping[str, Any] | None = None,
    audio_array: Audio | None = None,
    audio_fps: float | None = None,
    audio_codec: str | None = None,
    audio_options: Mapping[str, Any] | None = None,
) -> None:
    """Write frames to a video file as `torchvision.io.write_video` did.

    Args:
        filename: The file.
        video_array: (T, H, W, C) of uint8, or a list of (H, W, C). Floats are 0 to 255, as there, and are rounded, not
            cut off.
        fps: Frames per second, which torchvision rounded to a whole number.
        video_codec: "libx264" or another of FFmpeg's encoders that `encoder=` of `telecine.export_video` takes, or a
            codec, such as "hevc".
        options: FFmpeg's options of the encoder, such as {"crf": "18"}. One that it would ignore is an error.
        audio_array: Samples, (channels, n): floats in [-1, 1], or int16 or int32 of full scale.
        audio_fps: The samples a second of the sound.
        audio_codec: The codec of sound that the container gets here: "aac", and in WebM and Matroska "libopus".
        audio_options: Refused: the sound's bitrate is 96 kbit/s a channel of AAC, 64 of Opus.

    Raises:
        FrameError: the frames, or floats of which none is above 1, which are [0, 1] and would be black.
        OptionError: an argument.
        EncodeError, PublishError: as `telecine.export_video`.

    >>> import numpy as np, os, tempfile, telecine
    >>> path = os.path.join(tempfile.mkdtemp(), "clip.mp4")
    >>> write_video(path, np.zeros((8, 48, 64, 3), np.uint8), fps=8, options={"crf": "18"})
    >>> telecine.probe(path).frame_count
    8
    """
    check_path("filename", filename)
    of_export: ExportOptions = {
        **encoder_called(video_codec),
        "fps": fps,
        "encoder_options": options or None,
        "layout": "HWC" if isinstance(video_array, (list, tuple)) else "THWC",
        "value_range": _value_range(video_array),
    }
    if audio_array is not None:
        _check_audio(filename, audio_fps, audio_codec, audio_options)
        if isinstance(audio_fps, float) and audio_fps.is_integer():
            audio_fps = int(audio_fps)
        of_export |= {"audio": audio_array, "audio_rate": cast(int, audio_fps)}
    export_video(video_array, filename, **of_export)


def _value_range(video_array: Any) -> ValueRange:
    """Tell what numbers mean: 0 to 255, which integers need not be told. Raises FrameError."""
    dtype = str(getattr(video_array, "dtype", ""))
    if "float" not in dtype or 0 in video_array.shape:
        return "auto"
    if 0 < float(video_array.max()) <= 1:
        raise FrameError(
            f"video_array is {dtype} and nowhere above 1, and write_video takes 0 to 255: give telecine.export_video "
            "frames in [0, 1], or here 255 times as much"
        )
    return 0, 255


def _check_audio(
    filename: str | os.PathLike[str], rate: float | None, codec: str | None, options: Mapping[str, Any] | None
) -> None:
    if rate is None:
        raise OptionError("audio_array= has no rate: pass audio_fps=, such as 48_000")
    if options:
        raise OptionError(f"audio_options={options!r} is not taken: leave it out, or add the sound with another tool")
    if codec is None or (own := LOSSY.get(output_of(filename).name)) is None:
        return  # a format without sound is refused for that
    if codec not in (own.name, own.encoder):
        raise OptionError(
            f"audio_codec={codec!r} is not what {os.fspath(filename)!r} gets: leave it out, or {own.encoder!r}"
        )
