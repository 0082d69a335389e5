"""`export_video`: a `VideoWriter` fed from one argument."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from .color.hdr import MasteringDisplay
from .formats.choices import (
    AudioFitName,
    BitDepth,
    ChannelOrder,
    ChromaName,
    CodecName,
    ColorName,
    FormatName,
    LightName,
    PixelFormatName,
    PresetName,
    PrimariesName,
    QualityName,
)
from .frames.recognise import Frames, check_channels, check_layout, count_frames, only_video
from .frames.sources import is_video, opened
from .metadata.tags import Json
from .output.progress import Progress, check_progress, reporting
from .output.result import Video
from .read.probe import probe
from .sound.recognise import Audio, has_sound
from .support.clock import Seconds
from .support.notes import warn
from .support.rate import FrameRate, parse_fps
from .writer import VideoWriter

if TYPE_CHECKING:
    from .provenance.seal import Provenance

_SAME_RATE = 1 / 2000  # half of what tells 30 from 30000/1001: coarse clocks give rates that are a little off


def export_video(
    frames: Frames,
    path: str | os.PathLike[str] | None = None,
    *,
    fps: FrameRate = 16,
    codec: CodecName | None = None,
    encoder: str | None = None,
    quality: QualityName = "high",
    crf: float | None = None,
    bitrate: int | None = None,
    max_bytes: int | None = None,
    preset: PresetName | None = None,
    encoder_options: Mapping[str, str | int | float] | None = None,
    pixel_format: PixelFormatName | None = None,
    bit_depth: BitDepth | None = None,
    chroma: ChromaName | None = None,
    dither: bool = False,
    color: ColorName = "auto",
    light: LightName | None = None,
    primaries: PrimariesName | None = None,
    mastering_display: MasteringDisplay | None = None,
    layout: str = "auto",
    channels: ChannelOrder = "RGB",
    value_range: tuple[float, float] | Literal["auto"] = "auto",
    background: str | tuple[float, float, float] | None = None,
    timestamps: Iterable[Seconds] | None = None,
    hold: Seconds | None = None,
    repeat: int = 0,
    audio: Audio | None = None,
    audio_rate: int | None = None,
    audio_fit: AudioFitName = "pad",
    metadata: Mapping[str, Json] | None = None,
    provenance: Provenance | None = None,
    overwrite: bool = True,
    progress: Progress = False,
    loops: int | None = None,
    format: FormatName | None = None,
) -> Video:
    """Write frames to a video file that plays everywhere, and give its path and facts.

    Args:
        frames: PIL images, arrays or tensors of 3 to 5 dimensions, chunks of them, image files, in a list, an iterator
            or an array; the batch of one video that `pipe(...).frames` is; a folder or a glob of images; a file of
            one array (`.npy`, `.npz`, `.safetensors`); or a video.
        path: The file to write. Without one, a new file in the folder for temporary files.
        timestamps: When each frame is shown, in seconds that go up, in place of the frame rate. They are kept to
            1/120000 s. The video begins with its first frame.
        audio: The sound: an array or tensor of samples, (channels, n), (n, channels) or (n,), of int16 or int32 of full
            scale or of floats in [-1, 1], with `audio_rate`; or the path of a file that FFmpeg reads, such as a video.
        progress: True for a bar on the terminal, or a function of (frames done, frames in all or None).

    The other arguments are `VideoWriter`'s. An iterator is not asked for its first frame before all of them are
    checked, a trial encoder has been opened and the destination written to.

    Raises:
        FrameError: the frames.
        OptionError: an argument.
        EncodeError: the encoder.
        ProvenanceError: the signature.
        PublishError: the destination.

    >>> import numpy as np, tempfile, os
    >>> frames = np.random.default_rng(0).random((3, 8, 48, 64), np.float32)  # CTHW in [0, 1]
    >>> video = export_video(frames, os.path.join(tempfile.mkdtemp(), "clip.mp4"), fps=8)
    >>> video.frame_count, video.width, video.height, video.duration
    (8, 64, 48, Fraction(1, 1))
    """
    check_progress(progress)
    check_layout(layout)
    check_channels(channels)
    given = only_video(opened(frames))
    of_source = tuple(_differences(frames, parse_fps(fps), timestamps, audio)) if is_video(frames) else ()
    for note in of_source:
        warn(note)
    with (
        reporting(progress, count_frames(given, layout)) as report,
        VideoWriter(
            path,
            fps=fps,
            codec=codec,
            encoder=encoder,
            quality=quality,
            crf=crf,
            bitrate=bitrate,
            max_bytes=max_bytes,
            preset=preset,
            encoder_options=encoder_options,
            pixel_format=pixel_format,
            bit_depth=bit_depth,
            chroma=chroma,
            dither=dither,
            color=color,
            light=light,
            primaries=primaries,
            mastering_display=mastering_display,
            layout=layout,
            channels=channels,
            value_range=value_range,
            background=background,
            hold=hold,
            repeat=repeat,
            audio_rate=audio_rate,
            audio_fit=audio_fit,
            metadata=metadata,
            provenance=provenance,
            overwrite=overwrite,
            progress=report,
            loops=loops,
            format=format,
        ) as writer,
    ):
        if audio is not None:
            writer.write_audio(audio)
        writer.write(given, timestamps)
    return replace(writer.video, notes=writer.video.notes + of_source)


def _differences(
    path: str | os.PathLike[str], fps: Fraction, timestamps: Iterable[Seconds] | None, audio: Audio | None
) -> Iterator[str]:
    """Say in what a video's frames will be shown otherwise than there: times, sound, the shape of pixels."""
    info, name = probe(path), os.fspath(path)
    if timestamps is None and not info.constant_rate:
        kept = f"timestamps=telecine.read_timestamps({name!r}) keeps their times"
        yield f"the frames of {name!r} are not evenly timed, and at {fps} fps they will be: {kept}"
    elif timestamps is None and abs(info.fps / fps - 1) > _SAME_RATE:
        lasts = f"{float(info.frame_count / fps):.3f} s in place of {float(info.duration):.3f} s"
        yield f"{name!r} has {info.fps} fps: at {fps} fps it lasts {lasts}"
    if audio is None and has_sound(path):
        yield f"the sound of {name!r} is left out: audio={name!r} keeps it"
    if (width := round(info.width * info.sample_aspect_ratio)) != info.width:  # some files are off by rounding alone
        scaled = f"{width}x{info.height}"
        shown = f"the pixels of {name!r} are shown {info.sample_aspect_ratio} times as wide as high"
        yield f"{shown}, and will be square: scale its frames to {scaled} to keep its shape"
