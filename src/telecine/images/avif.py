"""AVIF, by Pillow's libavif: frames are encoded as they come, in 4:4:4, and the file is written at the end.

Pillow's `save` wants to know how many frames there will be: before 12.3 it reads `n_frames` of all that it is given. So
what it saves by is called itself, as all Pillows from 11.3 to 13.0 call it. What that holds is what is encoded.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

from PIL import features

from ..container.boxes import forget_times
from ..errors import EncodeError, MissingDependencyError
from ..metadata.images import exif_of
from ..metadata.xmp import packet_of
from .protocol import MovingImageSettings, Pixels

# At 8 a frame takes a tenth of what it takes at Pillow's 6; the file is a quarter larger, and 1 dB worse.
_SPEED = 8


def require_avif() -> None:
    """Raise MissingDependencyError where Pillow has no AVIF, or one that is called otherwise."""
    if not features.check("avif"):
        raise MissingDependencyError("this Pillow can't write AVIF: pip install 'pillow>=11.3', or write WebP")
    try:
        _encoder((1, 1), 50, 2)
    except TypeError as error:
        raise MissingDependencyError(
            f"this Pillow makes AVIF otherwise than 11.3 to 13.0 ({error}): pip install 'pillow<=13.0', or write WebP"
        ) from error


def _encoder(size: tuple[int, int], quality: int, threads: int, exif: bytes = b"", xmp: bytes = b"") -> Any:
    from PIL import _avif  # which not every Pillow has

    return _avif.AvifEncoder(
        size,
        "4:4:4",
        quality,
        _SPEED,
        threads,
        "auto",  # codec
        "limited",  # Chromium and torchcodec take a sequence's codes for it, whatever its tags say
        0,  # log2 of rows of tiles
        0,  # and of columns
        False,  # premultiplied alpha
        True,  # tiles as the size asks for
        b"",  # ICC profile
        exif,
        1,  # the orientation that Exif would tell
        xmp,
        None,  # options of the codec's own
    )


class Avif:
    """Writes frames of (height, width, 3 or 4) uint8 to a file; the quality is 0 to 100, and it loops forever.

    One frame waits for the next: alone it is a still image.
    """

    def __init__(self, file: BinaryIO, settings: MovingImageSettings) -> None:
        self._file, self._mode = file, "RGBA" if settings.alpha else "RGB"
        self._size, metadata = (settings.width, settings.height), settings.metadata
        texts = {} if metadata is None else {"xmp": packet_of(metadata), "exif": exif_of(metadata)}
        # On one thread libaom writes other bytes than on any more.
        self._encoder = _encoder(self._size, round(settings.level), max(2, settings.threads), **texts)
        self._waiting: deque[tuple[bytes, int]] = deque()
        self._count = 0

    def encode(self, frame: Pixels, ticks: int) -> None:
        """Encode the next frame, which is shown for so many milliseconds."""
        self._encode_waiting(alone=False)
        self._waiting.append((frame.tobytes(), ticks))
        self._count += 1

    def finish(self, again: Callable[[], Iterable[Pixels]]) -> None:
        """Write the file."""
        self._encode_waiting(alone=self._count == 1)
        with _libavif_errors():
            encoded = self._encoder.finish()
        if encoded is None:
            raise EncodeError("libavif failed: it gives no file")
        self._file.write(encoded)
        forget_times(self._file)  # libavif writes the time of day

    def close(self) -> None:
        """Drop the frame that waits."""
        self._waiting.clear()

    def _encode_waiting(self, alone: bool) -> None:
        while self._waiting:
            pixels, ticks = self._waiting.popleft()
            with _libavif_errors():
                self._encoder.add(pixels, ticks, self._size, self._mode, alone)


@contextlib.contextmanager
def _libavif_errors() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        raise EncodeError(f"libavif failed: {error}") from error
