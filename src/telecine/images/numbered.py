"""Frames as a folder of numbered images, written in parallel: PNG, TIFF, JPEG, OpenEXR.

An image is whole on the disk before it has its name, so that of a killed writer's folder each named image counts.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import av
import numpy as np
import numpy.typing as npt
from av import CodecContext, VideoFrame
from av.video.codeccontext import VideoCodecContext
from PIL import Image

from ..color.srgb import srgb_to_linear
from ..errors import EncodeError, FrameError, MissingDependencyError, OptionError
from ..formats.images import SEQUENCES
from ..metadata.images import png_chunks
from ..metadata.tags import Metadata
from ..planes.codes import to_codes, to_floats
from ..planes.pixel_formats import is_too_large
from ..publish.frame_files import frame_name, write_frame
from ..publish.open_folder import Folder
from ..support.in_order import InOrder

Pixels: TypeAlias = npt.NDArray[Any]

_LARGEST_HALF = 65504
_BYTES_OF_IEND = 12  # the chunk that ends a PNG (PNG, third edition, 11.2.4)


@dataclass(frozen=True)
class SequenceSettings:
    """All that a sequence is opened with.

    `format` is a name in `SEQUENCES`, `bits` one of its depths. Frames are `width` by `height`, of 4 channels with
    `alpha` and else 3. With `linear` the frames given are scene-linear already, which only OpenEXR takes. `quality` is
    JPEG's, of 0 to 100. `metadata` is what each PNG says of itself.
    """

    format: str
    width: int
    height: int
    alpha: bool
    bits: int
    linear: bool = False
    quality: int = 95
    threads: int = 1
    metadata: Metadata | None = None


# ---- each format ---------------------------------------------------------------------------------------------------


def _codes(pixels: Pixels, settings: SequenceSettings) -> Pixels:
    if settings.bits == 32:
        return to_floats(pixels)
    return pixels if pixels.dtype == f"uint{settings.bits}" else to_codes(pixels, settings.bits)


def _scene_linear(pixels: Pixels, settings: SequenceSettings) -> Pixels:
    """Give halves of linear light by the inverse of sRGB's transfer (IEC 61966-2-1), below 0 mirrored.

    The colours under alpha are multiplied by it, as OpenEXR has them.
    """
    values = to_floats(pixels)
    if not settings.linear:
        size = np.abs(values[:, :, :3]).astype(np.float64)
        light = np.minimum(srgb_to_linear(size), _LARGEST_HALF)
        values[:, :, :3] = np.copysign(light, values[:, :, :3])
    if settings.alpha:
        values[:, :, :3] *= values[:, :, 3:]
    halves = np.clip(values, -_LARGEST_HALF, _LARGEST_HALF).astype(np.float16)
    return halves.astype(np.float32)  # which FFmpeg takes, and would cut off instead of rounding


def png_of(pixels: Pixels) -> bytes:
    """Encode (height, width, 3 or 4) codes of 8 or 16 bits. Raises EncodeError."""
    formats = {(1, 3): "rgb24", (1, 4): "rgba", (2, 3): "rgb48be", (2, 4): "rgba64be"}
    # Level 3 takes twice the time of 1 and gives 6 % fewer bytes; 6 takes three times that of 3 and gives 8 % fewer.
    options = {"compression_level": "3", "pred": "mixed"}
    return _by_ffmpeg("png", pixels, formats[pixels.itemsize, pixels.shape[2]], options)


def _png(pixels: Pixels, settings: SequenceSettings) -> bytes:
    image = png_of(pixels)
    if settings.metadata is None:
        return image
    end = len(image) - _BYTES_OF_IEND
    return b"".join((memoryview(image)[:end], _chunks_of(settings.metadata), memoryview(image)[end:]))


@functools.lru_cache(maxsize=1)  # each image of a folder has the same
def _chunks_of(metadata: Metadata) -> bytes:
    return png_chunks(metadata)


def _exr(pixels: Pixels, settings: SequenceSettings) -> bytes:
    pixel_format = "gbrpf32le" if pixels.shape[2] == 3 else "gbrapf32le"
    return _by_ffmpeg("exr", pixels, pixel_format, {"format": "half", "compression": "zip16"})


def _by_ffmpeg(encoder: str, pixels: Pixels, pixel_format: str, options: dict[str, str]) -> bytes:
    frame = VideoFrame.from_ndarray(pixels, format=pixel_format)
    frame.pts = 0
    context = CodecContext.create(encoder, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = frame.width, frame.height, pixel_format
    context.time_base, context.sample_aspect_ratio = Fraction(1), Fraction(1)
    context.thread_count, context.options = 1, options
    try:
        (packet,) = [*context.encode(frame), *context.encode(None)]
    except av.FFmpegError as error:
        raise EncodeError(f"{encoder} failed: {error}") from error
    return bytes(packet)


def _jpeg(pixels: Pixels, settings: SequenceSettings) -> bytes:
    file = io.BytesIO()
    try:
        Image.fromarray(pixels).save(file, "JPEG", quality=settings.quality, subsampling="4:4:4")
    except (OSError, ValueError) as error:
        raise EncodeError(f"libjpeg failed: {error}") from error
    return file.getvalue()


def _tiff(pixels: Pixels, settings: SequenceSettings) -> bytes:
    import tifffile

    file = io.BytesIO()
    tifffile.imwrite(
        file,
        pixels,
        photometric="rgb",
        extrasamples=["unassalpha"] if pixels.shape[2] == 4 else None,
        compression="zlib",
        compressionargs={"level": 4},  # a third of the time of zlib's own 6, for 7 to 14 % more bytes
        predictor=pixels.dtype.kind == "u",  # that of floats needs another package
        metadata=None,
        software="telecine",
    )
    return file.getvalue()


@dataclass(frozen=True)
class _Image:
    """What writes one image: `prepare` makes of pixels of any dtype those that `encode` takes."""

    prepare: Callable[[Pixels, SequenceSettings], Pixels]
    encode: Callable[[Pixels, SequenceSettings], bytes]


_IMAGES = {
    "png": _Image(_codes, _png),
    "tiff": _Image(_codes, _tiff),
    "jpeg": _Image(_codes, _jpeg),
    "exr": _Image(_scene_linear, _exr),
}


def check_sequence(settings: SequenceSettings) -> None:
    """Raise what a format can't hold.

    Raises:
        OptionError: the format has no such depth, no alpha, or isn't scene-linear.
        FrameError: the frames are too large.
        MissingDependencyError: TIFF without tifffile.
    """
    name, row = settings.format, SEQUENCES[settings.format]
    if settings.bits not in row.bits:
        accepted = " or ".join(map(str, row.bits))
        raise OptionError(f"bit_depth={settings.bits!r} does not go with {name}: use {accepted}")
    if settings.alpha and not row.alpha:
        said = f"{name} has no alpha: composite the frames on a background first, or write PNG"
        raise OptionError(said, page="alpha")
    if settings.linear and name != "exr":
        raise OptionError(f"scene-linear frames do not go with {name}: write OpenEXR, or encode them as sRGB first")
    if is_too_large(settings.width, settings.height, row.largest_side):
        raise FrameError(f"frames are {settings.width}x{settings.height}: too large for {name}")
    if name == "tiff":
        try:
            import tifffile  # noqa: F401
        except ImportError as error:
            raise MissingDependencyError("TIFF needs tifffile: pip install 'telecine[tiff]'") from error


# ---- the folder ----------------------------------------------------------------------------------------------------


class ImageSequence:
    """Writes frames into a folder, on `threads` threads. Frames that wait are bounded by them.

    Raises:
        OptionError, FrameError, MissingDependencyError: as `check_sequence`.
    """

    def __init__(self, folder: Folder | str, settings: SequenceSettings) -> None:
        check_sequence(settings)
        self._folder = folder if isinstance(folder, Folder) else Folder(folder)
        self._settings, self._image = settings, _IMAGES[settings.format]
        self._shape = settings.height, settings.width, 4 if settings.alpha else 3
        self._images = InOrder(self._write, settings.threads, "images")
        self._count = 0

    def encode(self, frame: Pixels) -> None:
        """Write the next frame, which nobody may change from now on; waits while too many are in work.

        Args:
            frame: (height, width, 3 or 4) uint8 or uint16 of full scale, or finite floats of which 0 and 1 are black
                and white. They are rounded exactly to 8 or 16 bits; floats and OpenEXR keep what overshoots.

        Raises:
            FrameError: it is of another shape than the settings say.
            EncodeError: an encoder failed, on this frame or an earlier one.
            OSError: the disk failed.
        """
        if frame.shape != self._shape:
            raise FrameError(f"a frame is of shape {frame.shape}: {self._shape} was promised")
        name = frame_name(self._count, SEQUENCES[self._settings.format].extension)
        self._count += 1
        self._images.call(frame, name)

    def finish(self) -> None:
        """Wait until all images are on the disk."""
        for _ in self._images.rest():
            pass
        self.close()

    def close(self) -> None:
        """Drop the images that wait, and end the threads."""
        self._images.close()

    def _write(self, frame: Pixels, name: str) -> None:
        image = self._image.encode(self._image.prepare(frame, self._settings), self._settings)
        write_frame(self._folder, name, image)
