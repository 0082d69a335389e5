"""`write_video`, as `mediapy` has it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypedDict, Unpack, cast

import numpy as np

from ..errors import FrameError, OptionError
from ..export import export_video
from ..formats.choices import PixelFormatName
from ..frames.recognise import ArrayLike
from ..output.options import ExportOptions
from ..support.rate import FrameRate
from .arguments import check_path, encoder_called


class Metadata(Protocol):
    """What mediapy knows of a video that it read."""

    @property
    def fps(self) -> float:
        """Frames a second."""

    @property
    def bps(self) -> int | None:
        """Bits a second."""


class WriterArguments(TypedDict, total=False):
    """The keywords of mediapy's `VideoWriter` that its `write_video` hands on."""

    codec: str
    metadata: Metadata | None
    fps: FrameRate | None
    bps: int | None
    qp: int | None
    crf: float | None
    ffmpeg_args: str | Sequence[str]
    input_format: str
    encoded_format: str | None
    sandbox_max_run_time_secs: int | None


def write_video(path: str | os.PathLike[str], images: Iterable[ArrayLike], **kwargs: Unpack[WriterArguments]) -> None:
    """Write images to a video file as `mediapy.write_video` does.

    Args:
        path: The file.
        images: (T, H, W, 3) or (T, H, W), or an iterable of (H, W, 3) or (H, W): uint8, uint16, bool, or floats in
            [0, 1]. Floats that are more than 0.01 outside are an error; mediapy clips them.
        **kwargs: `codec`: "h264", "hevc", "vp9", "gif" or another of FFmpeg's names that `telecine.export_video` takes.
            `fps`: frames per second; without one that of `metadata`, or 60, and 25 of a GIF.
            `bps`, `qp` or `crf`: one of them; without, the quality of `telecine.export_video`. `metadata` has a `bps`
            that counts if none is given; the images' own `metadata`, as mediapy reads them, is the one if none is
            given. `encoded_format`: FFmpeg's pixel format; without one "yuv420p" at every size, where mediapy makes of
            odd ones "yuv444p", which does not play everywhere. A GIF needs none of these four, as there.
            `ffmpeg_args`: options of the encoder, such as "-g 30 -bf 0"; others of the program `ffmpeg` are refused.
            `input_format`: "rgb" or "gray"; "yuv" is refused. `sandbox_max_run_time_secs`: not used, as there.

    Raises:
        FrameError, EncodeError, PublishError: as `telecine.export_video`.
        OptionError: an argument.
        TypeError: a keyword that is none of those.

    >>> import numpy as np, os, tempfile, telecine
    >>> path = os.path.join(tempfile.mkdtemp(), "clip.mp4")
    >>> write_video(path, np.zeros((8, 48, 64, 3)), fps=8, qp=20)
    >>> telecine.probe(path).frame_count
    8
    """
    check_path("path", path)
    for name in kwargs:
        if name not in WriterArguments.__annotations__:
            raise TypeError(f"write_video() got an unexpected keyword argument {name!r}")
    arguments: WriterArguments = {"metadata": getattr(images, "metadata", None), **kwargs}
    is_gif, metadata, fps = arguments.get("codec") == "gif", arguments.get("metadata"), arguments.get("fps")
    if metadata is not None and not hasattr(metadata, "fps"):
        raise OptionError(f"metadata={metadata!r} has no fps: give what mediapy's read_video gives as .metadata")
    if fps is None:
        fps = metadata.fps if metadata else 25 if is_gif else 60
    _check_input(arguments)
    _check_images(images)
    if is_gif and Path(path).suffix != ".gif":
        raise OptionError(f"codec='gif' is for a file that ends in .gif, and this is {os.fspath(path)!r}")
    options: ExportOptions = {} if is_gif else _options_of(arguments, metadata)
    options |= {"fps": fps, "layout": "HWC"}
    export_video(_frames(images), path, **options)


def _check_images(images: object) -> None:
    if not isinstance(images, Iterable):
        raise FrameError(f"images is of type {type(images).__name__}: give an iterable of images")
    shape: tuple[int, ...] = getattr(images, "shape", ())
    if len(shape) == 3 and shape[2] in (3, 4):  # each row would be a gray image, 3 or 4 pixels wide
        raise FrameError(f"images of shape {tuple(shape)} is one image: give [image]")


def _frames(images: Iterable[Any]) -> Iterator[ArrayLike]:
    for image in images:
        array = image if hasattr(image, "ndim") else np.asarray(image)
        yield array[:, :, None] if array.ndim == 2 else array


def _check_input(arguments: WriterArguments) -> None:
    given = arguments.get("input_format", "rgb")
    if given == "yuv":
        raise OptionError("input_format='yuv' is not taken: give mediapy.rgb_from_yuv(image) of each image")
    if given not in ("rgb", "gray"):
        raise OptionError(f"input_format={given!r} is not known: use 'rgb' or 'gray'")
    rates = {name: arguments.get(name) for name in ("bps", "qp", "crf")}
    said = [f"{name}={value!r}" for name, value in rates.items() if value is not None]
    if len(said) > 1:
        raise OptionError(f"{' and '.join(said)} contradict: give one")


def _options_of(arguments: WriterArguments, metadata: Metadata | None) -> ExportOptions:
    bps, qp, crf = arguments.get("bps"), arguments.get("qp"), arguments.get("crf")
    if bps is qp is crf is None and metadata is not None:
        bps = metadata.bps
    encoder_options = _encoder_options(arguments.get("ffmpeg_args", ""))
    if qp is not None:
        encoder_options["qp"] = str(qp)
    return {
        **encoder_called(arguments.get("codec", "h264")),
        "bitrate": None if bps is None else int(bps),
        "crf": crf,
        "pixel_format": cast("PixelFormatName | None", arguments.get("encoded_format")),
        "encoder_options": encoder_options or None,
    }


def _encoder_options(given: str | Sequence[str]) -> dict[str, str | int | float]:
    """Read "-g 30 -bf 0"; raise OptionError of what is no row of options with a value each.

    >>> _encoder_options("-g 30 -bf 0")
    {'g': '30', 'bf': '0'}
    """
    words = shlex.split(given) if isinstance(given, str) else list(given)
    names, values = words[::2], words[1::2]
    if len(names) != len(values) or not all(name.startswith("-") and len(name) > 1 for name in names):
        raise OptionError(f"ffmpeg_args={given!r} are no options of an encoder, such as '-g 30 -bf 0': leave them out")
    return dict(zip((name[1:] for name in names), values, strict=True))
