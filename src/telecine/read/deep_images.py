"""PNG and TIFF files of more than 8 bits, read by FFmpeg's decoders: of such colours Pillow keeps 8 bits."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

import av
import numpy as np
import numpy.typing as npt
from av import Packet, VideoFrame
from av.video.codeccontext import VideoCodecContext

from ..container.chunks import PNG
from ..errors import InputError
from ..files.files import name_of, said_of
from ..files.png_texts import check_png_texts
from ..files.tiff_pages import BITS, EXTRA, FLOATS, FORMAT, TiffPage, tiff_pages
from ..planes.orientation import ORIENTATION_TAG, Orientation, of_exif
from ..support.ffmpeg_log import captured_log

Pixels = npt.NDArray[Any]

# How FFmpeg's packed formats lie in memory: the type of a sample, and how many are a pixel.
_PACKED = {
    "gray16be": (">u2", 1),
    "gray16le": ("<u2", 1),
    "ya16be": (">u2", 2),
    "ya16le": ("<u2", 2),
    "rgb48be": (">u2", 3),
    "rgb48le": ("<u2", 3),
    "rgba64be": (">u2", 4),
    "rgba64le": ("<u2", 4),
    "rgbf32be": (">f4", 3),
    "rgbf32le": ("<f4", 3),
    "rgbaf32be": (">f4", 4),
    "rgbaf32le": ("<f4", 4),
}
_PREMULTIPLIED = 1  # of the tag ExtraSamples


def deep_png(file: BinaryIO) -> Pixels | None:
    """Give the pixels of an open PNG of 16 bits, (height, width, 1 to 4) uint16; None of any other file.

    Raises:
        InputError: it is damaged.
    """
    file.seek(0)
    head = file.read(25)
    if not (head[:8] == PNG and head[24:] == b"\x10"):  # PNG, third edition, 11.2.1: the bit depth
        return None
    check_png_texts(file)
    return _decoded("png", _whole(file), name_of(file))


def deep_tiff(file: BinaryIO) -> Iterator[tuple[Pixels, Orientation]] | None:
    """Give the frames of an open TIFF of more than 8 bits; None of another file, or what Pillow reads as deep as it is.

    Each is a (height, width, 1 to 4) array of uint16 or float32, with how it is shown.

    Raises:
        InputError: it is damaged, or of bits or samples that can't be read.
    """
    pages = list(tiff_pages(file))
    return _of_tiff(file, pages) if pages and pages[0].deep else None


def _of_tiff(file: BinaryIO, pages: list[TiffPage]) -> Iterator[tuple[Pixels, Orientation]]:
    name, data = name_of(file), bytearray(_whole(file))
    for page in pages:
        if not page.is_frame and page is not pages[0]:
            continue
        bits, kind = set(page.tags.get(BITS) or (1,)), page.value(FORMAT, 1)
        if page.big or (bits, kind) not in (({16}, 1), ({32}, FLOATS)):
            called = f"{'BigTIFF' if page.big else 'TIFF'} of {sorted(bits)[-1]} bits{' of floats' * (kind == FLOATS)}"
            raise InputError(f"{name!r} is a {called}: TIFFs of 8 or 16 bits or of floats of 32 are read, or use PNG")
        struct.pack_into(page.order + "I", data, 4, page.at)  # the page that a reader finds first
        pixels = _decoded("tiff", bytes(data), name)
        if page.value(EXTRA, 0) == _PREMULTIPLIED and pixels.shape[2] in (2, 4):
            pixels = _straight(pixels)
        yield pixels, of_exif(page.value(ORIENTATION_TAG, 1))


def _straight(pixels: Pixels) -> Pixels:
    """Divide colours by their alpha."""
    white = 65535 if pixels.dtype == np.uint16 else 1.0
    alpha = pixels[:, :, -1:].astype(np.float64)
    colors = pixels[:, :, :-1] * (white / np.where(alpha == 0, np.inf, alpha))
    colors = np.floor(colors.clip(0, white) + 0.5) if white != 1 else colors
    return np.concatenate([colors.astype(pixels.dtype), pixels[:, :, -1:]], axis=2)


def _decoded(codec: str, data: bytes, name: str) -> Pixels:
    with captured_log() as lines, said_of(name, "an image", lines):
        decoder = cast(VideoCodecContext, av.CodecContext.create(codec, "r"))
        decoder.thread_count = 1
        frames = decoder.decode(Packet(data)) or decoder.decode(None)
        if not frames:
            raise ValueError("it has no picture")
        return _pixels(frames[0])


def _pixels(frame: VideoFrame) -> Pixels:
    if frame.format.name.startswith("gbr") and frame.format.is_rgb:  # of planes of their own
        alpha = "a" in frame.format.name[:4]
        pixels = cast(Pixels, frame.reformat(format="rgba64le" if alpha else "rgb48le").to_ndarray())
        return pixels.astype(np.uint16, copy=False)
    if frame.format.name not in _PACKED:
        raise ValueError(f"its pixels are {frame.format.name}")
    sample, count = _PACKED[frame.format.name]
    (plane,) = frame.planes
    lines = np.frombuffer(bytes(plane), np.uint8)[: plane.height * plane.line_size].reshape(plane.height, -1)
    length = frame.width * count * np.dtype(sample).itemsize
    values = np.ascontiguousarray(lines[:, :length]).view(sample).reshape(frame.height, frame.width, count)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _whole(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()
