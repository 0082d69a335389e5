"""`export_video` and `export_bytes`: a `VideoWriter` fed from one argument."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from typing import Unpack, cast

from .deliver.ranks import is_elsewhere
from .deliver.target import Output
from .files.files import UNNAMED, Source, source_of
from .files.urls import options_of_urls
from .frames.options import complete, part, with_options
from .frames.pacing import Pacing, parse_pacing
from .frames.recognise import Frames, check_channels, check_layout, only_video
from .frames.sources import FrameSource, open_source
from .output.options import ExportOptions, WriterOptions
from .output.progress import check_progress, reporting
from .output.result import Video
from .read.probe import VideoInfo
from .support.notes import warn
from .support.rate import parse_fps
from .writer import VideoWriter

_SAME_RATE = 1 / 2000  # half of what tells 30 from 30000/1001: coarse clocks give rates that are a little off


@with_options(ExportOptions)
def export_video(frames: Frames, path: Output | None = None, **options: Unpack[ExportOptions]) -> Video:
    """Write frames to a video file that plays everywhere, and give its path and facts.

    An iterator is not asked for its first frame before all options are checked, a trial encoder has been opened and the
    destination written to.

    Args:
        frames: PIL images, arrays or tensors of 3 to 5 dimensions, chunks of them, image files, in a list, an iterator
            or an array; the batch of one video that `pipe(...).frames` is; a folder or a glob of images; a file of
            one array (`.npy`, `.npz`, `.safetensors`); or a video. Files by their paths or URLs, or open.
        path: The file to write, or a URL such as "s3://bucket/clip.mp4", or a store of obstore's with a name in it, as
            (store, "clip.mp4"), or a file object that takes bytes, such as `io.BytesIO()`: each gets the finished and
            checked file, but for one that can't be gone back in, such as a pipe, which gets the video while it grows.
            Without one, a new file in the folder for temporary files.
        **options: Those below.

    Raises:
        FrameError: the frames.
        OptionError: an argument.
        EncodeError: the encoder.
        ProvenanceError: the signature.
        PublishError: the destination.
        MissingDependencyError: the library of a URL, or of an option.

    >>> import numpy as np, tempfile, os
    >>> frames = np.random.default_rng(0).random((3, 8, 48, 64), np.float32)  # CTHW in [0, 1]
    >>> video = export_video(frames, os.path.join(tempfile.mkdtemp(), "clip.mp4"), fps=8)
    >>> video.frame_count, video.width, video.height, video.duration
    (8, 64, 48, Fraction(1, 1))
    """
    return _export(frames, path, complete(ExportOptions, options, "export_video"))


@with_options(ExportOptions)
def export_bytes(frames: Frames, **options: Unpack[ExportOptions]) -> bytes:
    """Write frames to a video in memory, and give its bytes. Without a `format` it is MP4.

    Args:
        frames: As for `export_video`.
        **options: Those below.

    Raises:
        FrameError, OptionError, EncodeError, ProvenanceError: as `export_video` does.
        PublishError: the folder for temporary files, in which the video is made.

    >>> import numpy as np
    >>> export_bytes(np.zeros((8, 48, 64, 3), np.uint8), format="mov", fps=8)[4:12]
    b'ftypqt  '
    """
    given = complete(ExportOptions, options, "export_bytes")
    given["format"] = given["format"] or "mp4"
    file = BytesIO()
    _export(frames, file, given)
    return file.getvalue()


def _export(frames: Frames, output: Output | None, options: ExportOptions) -> Video:
    check_progress(options["progress"])
    check_layout(options["layout"])
    check_channels(options["channels"])
    audio = options["audio"]
    of_path, of_frames, of_audio = options_of_urls(options["storage_options"], output, frames, audio)
    options["storage_options"] = of_path
    if of_audio is not None:
        options["audio"] = source_of(cast(Source, audio), of_audio)
    if is_elsewhere(options["only_rank"]):
        return export(FrameSource(frames), output, options)  # which may not be there for this rank
    return export(open_source(only_video(frames), storage_options=of_frames), output, options)


def export(source: FrameSource, path: Output | None, options: ExportOptions) -> Video:
    """Write an opened source, with all options given."""
    if is_elsewhere(options["only_rank"]):
        with VideoWriter(path, **part(WriterOptions, options)) as writer:
            if source.video is None:  # its frames are nobody's who waits for them to be asked for
                writer.write(source.frames)
        return writer.video
    differences = differences_of(source, options)
    with reporting(options["progress"], count_of_written(source, options)) as report:
        of_writer = part(WriterOptions, options)
        of_writer["progress"] = report
        with VideoWriter(path, **of_writer) as writer:
            if options["audio"] is not None:
                writer.write_audio(options["audio"])
            writer.write(source.frames, options["timestamps"])
    return replace(writer.video, notes=writer.video.notes + differences)


def differences_of(source: FrameSource, options: ExportOptions) -> tuple[str, ...]:
    """Say in what the frames of a source will be shown otherwise than there, and warn of it."""
    differences = tuple(_differences(source.video, options)) if source.video else ()
    for note in differences:
        warn(note)
    return differences


def count_of_written(source: FrameSource, options: ExportOptions) -> int | None:
    """Tell how many frames of a source are written, but for the last that is repeated; None where nobody knows yet."""
    given, pacing = source.count(options["layout"]), _pacing(options)
    return given if given is None or pacing is None else pacing.written(given)


def _pacing(options: ExportOptions) -> Pacing | None:
    return parse_pacing(options["every"], options["fps_from"], parse_fps(options["fps"]))


def _differences(info: VideoInfo, options: ExportOptions) -> Iterator[str]:
    """Say in what a video's frames will be shown otherwise than there: times, sound, the shape of pixels."""
    name, fps = os.fspath(info.path), parse_fps(options["fps"])
    given = "file" if name == UNNAMED else repr(name)
    pacing = _pacing(options)
    count, fps_given = (pacing.written(info.frame_count), fps / pacing.rate) if pacing else (info.frame_count, fps)
    if options["timestamps"] is None and not info.constant_rate:
        kept = f"timestamps=telecine.read_timestamps({given}) keeps their times"
        yield f"the frames of {name!r} are not evenly timed, and at {fps} fps they will be: {kept}"
    elif options["timestamps"] is None and abs(info.fps / fps_given - 1) > _SAME_RATE:
        lasts = f"{float(count / fps):.3f} s in place of {float(info.duration):.3f} s"
        rate = info.fps if info.fps.denominator == 1 else repr(str(info.fps))
        kept = f", which fps_from={rate} keeps" if pacing is None else ""
        yield f"{name!r} has {info.fps} fps: at {fps} fps it lasts {lasts}{kept}"
    if options["audio"] is None and info.audio is not None:
        yield f"the sound of {name!r} is left out: audio={given} keeps it"
    width = round(info.width * info.sample_aspect_ratio)
    if width != info.width and None in (options["width"], options["height"]):  # some files are off by rounding alone
        shown = f"the pixels of {name!r} are shown {info.sample_aspect_ratio} times as wide as high"
        yield f"{shown}, and will be square: width={width} and height={info.height} keep its shape"
