"""AVIF, by Pillow: frames are encoded as they come, in 4:4:4, and the file is written at the end.

Pillow asks for frames, so a thread of its own waits for them. What it holds is what is encoded.
"""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Iterable, Mapping
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt
from PIL import Image, features

from .boxes import forget_times
from .errors import EncodeError, MissingDependencyError
from .handover import Latch, start_thread
from .image_metadata import exif_of
from .metadata import Json
from .xmp import packet_of

# At 8 a frame takes a tenth of what it takes at Pillow's 6; the file is a quarter larger, and 1 dB worse.
_SPEED = 8
_LOOK_AGAIN = 0.2  # seconds after which one who waits for room sees that the encoder has failed


def check_available() -> None:
    """Raise MissingDependencyError where Pillow has no AVIF."""
    if not features.check("avif"):
        raise MissingDependencyError("this Pillow can't write AVIF: pip install 'pillow>=11.3', or write WebP")


class Avif:
    """Writes frames of (height, width, 3 or 4) uint8 to a file; `quality` is 0 to 100."""

    def __init__(
        self, file: BinaryIO, quality: float, threads: int, metadata: Mapping[str, Json] | None = None
    ) -> None:
        self._said = {} if metadata is None else {"xmp": packet_of(metadata), "exif": exif_of(metadata)}
        self._file, self._quality, self._threads = file, quality, threads
        self._frames = _Incoming()
        self._durations: list[int] = []
        # Not of a pool, for whose threads the interpreter waits at its end, while this one waits for frames.
        self._first: Image.Image | None = None
        self._ended = Latch()
        self._error: BaseException | None = None

    def encode(self, frame: npt.NDArray[np.uint8], ticks: int) -> None:
        """Hand over the next frame, which is shown for so many milliseconds; waits while the encoder is busy."""
        self._durations.append(ticks)
        image = Image.fromarray(frame.copy())
        if self._first is None:
            self._first = image
            start_thread(self._run, "telecine-avif")
        else:
            self._put(image)

    def finish(self, again: Callable[[], Iterable[npt.NDArray[np.uint8]]]) -> None:
        """Wait until all is encoded and written."""
        self._put(None)
        self._ended.wait()
        self._check()
        forget_times(self._file)  # libavif writes the time of day

    def close(self) -> None:
        """Stop the encoder."""
        self._frames.stop()
        if self._first is not None:
            self._ended.wait()

    def _run(self) -> None:
        assert self._first is not None
        try:
            self._save(self._first)
        except BaseException as error:
            self._error = error
        finally:
            self._ended.set()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _save(self, first: Image.Image) -> None:
        try:
            first.save(
                self._file,
                "AVIF",
                save_all=True,
                append_images=[cast(Image.Image, self._frames)],
                duration=self._durations,
                quality=round(self._quality),
                subsampling="4:4:4",
                range="limited",  # Chromium and torchcodec take a sequence's codes for it, whatever its tags say
                speed=_SPEED,
                max_threads=max(2, self._threads),  # on one libaom writes other bytes than on any more
                **self._said,
            )
        except (OSError, ValueError, RuntimeError) as error:
            if isinstance(error, OSError) and error.errno is not None:  # the disk
                raise
            raise EncodeError(f"libavif failed: {error}") from error

    def _put(self, image: Image.Image | None) -> None:
        while not self._ended.is_set:
            with contextlib.suppress(queue.Full):
                self._frames.waiting.put(image, timeout=_LOOK_AGAIN)
                return
        self._check()


class _Incoming:
    """What Pillow takes for an image of several frames: `seek` waits for the next one."""

    mode = ""
    size = 0, 0

    def __init__(self) -> None:
        self.waiting: queue.Queue[Image.Image | None] = queue.Queue(2)
        self._stopped = False

    def seek(self, frame: int) -> None:
        image = self.waiting.get()
        if self._stopped:
            raise EncodeError("stopped")
        if image is None:
            raise EOFError
        self.mode, self.size, self.tobytes = image.mode, image.size, image.tobytes

    def stop(self) -> None:
        """Let whoever waits in `seek` end."""
        self._stopped = True
        with contextlib.suppress(queue.Full):
            self.waiting.put_nowait(None)
