"""PNG and TIFF files of more than 8 bits, read by FFmpeg's decoders: of such colours Pillow keeps 8 bits."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import av
import numpy as np
import numpy.typing as npt
from av import Packet, VideoFrame
from av.video.codeccontext import VideoCodecContext

from .chunks import PNG
from .errors import InputError
from .ffmpeg_log import captured_log
from .files import name_of, said_of
from .orientation import Orientation, of_exif
from .png_texts import check_png_texts

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
# TIFF 6.0 section 8, and 19 for the format of samples.
_SUBFILE, _BITS, _PHOTOMETRIC, _ORIENTATION, _SAMPLES, _EXTRA, _FORMAT = 254, 258, 262, 274, 277, 338, 339
_SIZES = {1: 1, 3: 2, 4: 4, 16: 8}  # of the types of whole numbers: BYTE, SHORT, LONG, LONG8
_BYTES = {**_SIZES, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 17: 8, 18: 8}  # of all types that take more than one
_REDUCED_OR_MASK = 0b101
_FLOATS, _WHITE_IS_ZERO, _PREMULTIPLIED = 3, 0, 1
# Pillow compares where a page is with where each one before it is: so many take it seconds.
_MOST_PAGES = 1 << 15
# Tables do not overlap. What is in front of others may be shared, such as a profile of colours.
_MOST_SHARED, _ALWAYS = 64, 1 << 20


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


@dataclass(frozen=True)
class TiffPage:
    """A page of a TIFF: where its tags are, in a BigTIFF or not, and the values of those that matter here."""

    at: int
    big: bool
    order: str
    tags: dict[int, tuple[int, ...]]

    def value(self, tag: int, default: int) -> int:
        """Give the first number of a tag."""
        return (self.tags.get(tag) or (default,))[0]

    @property
    def deep(self) -> bool:
        """Whether Pillow keeps less of its pixels, or reads them as something else."""
        bits, samples = max(self.tags.get(_BITS) or (1,)), self.value(_SAMPLES, 1)
        if self.value(_FORMAT, 1) == _FLOATS:
            return samples > 1 or bits != 32
        return bits > 8 and (samples > 1 or bits < 16 or self.value(_PHOTOMETRIC, 1) == _WHITE_IS_ZERO)

    @property
    def is_frame(self) -> bool:
        """Whether it is a picture of its own, not a smaller copy of another or a mask."""
        return is_frame(self.value(_SUBFILE, 0))


def is_frame(subfile: object) -> bool:
    """Tell by the tag of a TIFF's page whether it is a picture of its own."""
    return not (isinstance(subfile, int) and subfile & _REDUCED_OR_MASK)


def tiff_pages(file: BinaryIO) -> Iterator[TiffPage]:
    """Give the pages of a TIFF (TIFF 6.0 section 2) or a BigTIFF, up to one that is not whole; none of another file.

    Raises:
        InputError: there are more than a file of its size can hold.
    """
    file.seek(0)
    head = file.read(16)
    if head[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return
    order, big = "<" if head[:2] == b"II" else ">", head[2:4] in (b"+\0", b"\0+")
    pointer, counter, entry = ("Q", "Q", 20) if big else ("I", "H", 12)
    seen: set[int] = set()
    size_of_file = file.seek(0, os.SEEK_END)
    tables, shared = size_of_file, _MOST_SHARED * size_of_file + _ALWAYS
    try:
        (at,) = struct.unpack_from(order + pointer, head, 8 if big else 4)
        while at and at not in seen:
            seen.add(at)
            file.seek(at)
            (count,) = struct.unpack(order + counter, file.read(struct.calcsize(counter)))
            table = file.read(min(count * entry, size_of_file))
            (following,) = struct.unpack(order + pointer, file.read(struct.calcsize(pointer)))
            entries = [table[start : start + entry] for start in range(0, len(table), entry)]
            tables -= len(table)
            shared -= sum(min(_bytes_of(each, order, pointer), size_of_file) for each in entries)
            if tables < 0 or shared < 0 or len(seen) > _MOST_PAGES:
                raise InputError(f"{name_of(file)!r} is damaged: its pages say more than a file of its size can hold")
            yield TiffPage(at, big, order, dict(_numbers(file, each, order, pointer) for each in entries))
            at = following
    except InputError:
        raise
    except (struct.error, OSError, OverflowError):  # what is damaged is told by who reads its pixels
        return


def _bytes_of(entry: bytes, order: str, pointer: str) -> int:
    """Give how many bytes a tag takes, wherever they are."""
    _, kind, count = struct.unpack_from(f"{order}HH{pointer}", entry)
    return int(count) * _BYTES.get(kind, 1)


def _numbers(file: BinaryIO, entry: bytes, order: str, pointer: str) -> tuple[int, tuple[int, ...]]:
    """Read a tag and its whole numbers, of which a few are enough."""
    tag, kind, count = struct.unpack_from(f"{order}HH{pointer}", entry)
    inline, size = len(entry) - struct.calcsize(pointer), _SIZES.get(kind, 0)
    data = entry[inline:]
    if size * count > len(data):
        (at,) = struct.unpack_from(order + pointer, data)
        file.seek(at)
        data = file.read(size * min(count, 8))
    letter = {1: "B", 2: "H", 4: "I", 8: "Q"}.get(size, "")
    return tag, struct.unpack_from(f"{order}{min(count, 8, len(data) // max(size, 1))}{letter}", data) if letter else ()


def _of_tiff(file: BinaryIO, pages: list[TiffPage]) -> Iterator[tuple[Pixels, Orientation]]:
    name, data = name_of(file), bytearray(_whole(file))
    for page in pages:
        if not page.is_frame and page is not pages[0]:
            continue
        bits, kind = set(page.tags.get(_BITS) or (1,)), page.value(_FORMAT, 1)
        if page.big or (bits, kind) not in (({16}, 1), ({32}, _FLOATS)):
            called = f"{'BigTIFF' if page.big else 'TIFF'} of {sorted(bits)[-1]} bits{' of floats' * (kind == _FLOATS)}"
            raise InputError(f"{name!r} is a {called}: TIFFs of 8 or 16 bits or of floats of 32 are read, or use PNG")
        struct.pack_into(page.order + "I", data, 4, page.at)  # the page that a reader finds first
        pixels = _decoded("tiff", bytes(data), name)
        if page.value(_EXTRA, 0) == _PREMULTIPLIED and pixels.shape[2] in (2, 4):
            pixels = _straight(pixels)
        yield pixels, of_exif(page.value(_ORIENTATION, 1))


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
