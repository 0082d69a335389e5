"""Animated WebP: stills by Pillow's libwebp in parallel, put in a container as they come.

libwebp's own encoder of animations holds the whole file in memory, and loses the colours under transparent pixels even
where it is told to be exact; FFmpeg's muxer blends each frame with the one before. On a real clip neither is smaller.
The container is that of https://developers.google.com/speed/webp/docs/riff_container.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import BinaryIO

from PIL import Image

from ..container.chunks import WEBP_ANIMATION, WEBP_PICTURE, parts_of, riff_chunk
from ..errors import EncodeError
from ..support.in_order import InOrder
from .protocol import MovingImageSettings, Pixels

_MOST_BYTES = 2**32 - 2  # the size of a RIFF file has 32 bits
_HAS_ALPHA = 0x10  # of VP8X
_NO_BLENDING = 0x02  # of ANMF: alpha replaces what was there
# As small as at more effort, which takes up to four times as long (1280x720, two frames of a real clip).
_LOSSLESS_EFFORT = 20
_METHOD = 4


class WebP:
    """Writes frames of (height, width, 3 or 4) uint8 to a file; the quality is 0 to 100, or None for lossless.

    Frames that wait are bounded by the number of threads.
    """

    def __init__(self, file: BinaryIO, settings: MovingImageSettings) -> None:
        self._file = file
        self._size = _bytes24(settings.width - 1) + _bytes24(settings.height - 1)
        self._options: dict[str, float] = {"quality": _LOSSLESS_EFFORT, "lossless": True, "exact": True}
        if settings.quality is not None:
            self._options = {"quality": settings.quality}
        self._frames = InOrder(self._frame, settings.threads, "webp")
        self._start = file.tell()
        self._write(b"RIFF" + bytes(4) + b"WEBP")
        self._write(riff_chunk(b"VP8X", bytes([WEBP_ANIMATION | settings.alpha * _HAS_ALPHA, 0, 0, 0]) + self._size))
        self._write(riff_chunk(b"ANIM", bytes(4) + settings.loops.to_bytes(2, "little")))

    def encode(self, frame: Pixels, ticks: int) -> None:
        """Encode the next frame, shown for so many milliseconds, which nobody may change from now on.

        Waits while too many are in work.
        """
        for encoded in self._frames.call(frame, ticks):
            self._write(encoded)

    def finish(self, again: Callable[[], Iterable[Pixels]]) -> None:
        """Write what is in work, and the size in front."""
        for encoded in self._frames.rest():
            self._write(encoded)
        end = self._file.tell()
        self._file.seek(self._start + 4)
        self._file.write((end - self._start - 8).to_bytes(4, "little"))
        self._file.seek(end)
        self.close()

    def close(self) -> None:
        """Drop what is in work."""
        self._frames.close()

    def _frame(self, frame: Pixels, ticks: int) -> bytes:
        header = bytes(6) + self._size + _bytes24(ticks) + bytes([_NO_BLENDING])
        return riff_chunk(b"ANMF", header + _still(frame, self._options))

    def _write(self, data: bytes) -> None:
        if self._file.tell() + len(data) - self._start > _MOST_BYTES:
            raise EncodeError("the file would be larger than 4 GiB, more than WebP can be: write a video")
        self._file.write(data)


def _still(frame: Pixels, options: dict[str, float]) -> bytes:
    """Encode a frame, and give the chunks that an animation takes of it."""
    still = io.BytesIO()
    try:
        Image.fromarray(frame).save(still, "WEBP", method=_METHOD, **options)
    except (OSError, ValueError) as error:
        raise EncodeError(f"libwebp failed: {error}") from error
    data, chunks = still.getbuffer(), parts_of(still, "webp")
    return b"".join(data[chunk.start : chunk.end] for chunk in chunks if chunk.kind in WEBP_PICTURE)


def _bytes24(number: int) -> bytes:
    return number.to_bytes(3, "little")
