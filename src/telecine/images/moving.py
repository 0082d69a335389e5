"""A moving image file out of frames: GIF, animated WebP, APNG, AVIF.

Beside the file goes a journal of the frames as they are, which a kill leaves and of which the file can be made again.
"""

from __future__ import annotations

import contextlib
import math
import numbers
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import BinaryIO

import numpy as np
from PIL import Image

from ..deliver.target import Outlet
from ..errors import EncodeError, FrameError, OptionError
from ..files.quiet import pillow_warnings_ignored
from ..formats.images import MOVING_IMAGES
from ..metadata.images import add_metadata, read_image
from ..metadata.tags import read_tags
from ..planes.pixel_formats import MOST_PIXELS, is_too_large
from ..support.rate import is_whole
from ..support.words import differences
from .apng import Apng
from .avif import Avif, require_avif
from .gif import Gif
from .growing_gif import GrowingGif
from .lossless_journal import LosslessJournal, probe_lossless, read_lossless
from .protocol import Encoder, MovingImageSettings, Pixels
from .webp import WebP


@dataclass(frozen=True)
class _Encoding:
    """How one format is written: its encoder, what else must be there for it, and who writes the metadata.

    `pillow` is Pillow's name of the format, by which the file is read back.
    """

    encoder: Callable[[BinaryIO, MovingImageSettings], Encoder]
    pillow: str
    require: Callable[[], None] = lambda: None
    writes_metadata: bool = False  # whether the encoder does; else it is added to the finished file


_ENCODINGS: Mapping[str, _Encoding] = MappingProxyType(
    {
        "gif": _Encoding(Gif, "GIF"),
        "webp": _Encoding(WebP, "WEBP"),
        "apng": _Encoding(Apng, "PNG"),
        "avif": _Encoding(Avif, "AVIF", require=require_avif, writes_metadata=True),
    }
)


# ---- options -------------------------------------------------------------------------------------------------------


def parse_quality(format: str, quality: str | float) -> float | None:
    """Give what a format's encoder takes for a quality level, or for a number of 0 to 100; None is lossless.

    >>> parse_quality("webp", "high"), parse_quality("webp", "lossless"), parse_quality("avif", 61.5)
    (90, None, 61.5)

    Raises:
        OptionError: the format has no such quality.
    """
    row = MOVING_IMAGES[format]
    if isinstance(quality, str) and quality in row.qualities:
        return row.qualities[quality]
    if row.numbers and isinstance(quality, numbers.Real) and not isinstance(quality, bool) and 0 <= quality <= 100:
        return float(quality)
    accepted = " or ".join(map(repr, row.qualities)) + " or a number from 0 to 100 (best)" * row.numbers
    raise OptionError(f"quality={quality!r} is not known for {format}: use {accepted}")


def check_options(format: str, loops: int, fps: Fraction) -> None:
    """Raise what a format can't do, before there are frames.

    Raises:
        OptionError: it can't be shown so many times, or its clock or a browser can't show so many frames a second.
        MissingDependencyError: Pillow lacks AVIF.
    """
    row = MOVING_IMAGES[format]
    _ENCODINGS[format].require()
    if not (is_whole(loops) and 0 <= loops <= row.most_loops):
        accepted = f"0 (forever) to {row.most_loops}" if row.most_loops else "0, forever"
        raise OptionError(f"loops={loops!r} is not how many times {format} can be shown: use {accepted}")
    if 1 / fps < row.shortest:
        raise OptionError(
            f"fps={fps} is too fast for {format}, of which browsers slow down what is above "
            f"{math.floor(1 / row.shortest)}: use that, or a video"
        )


def check_frames(settings: MovingImageSettings) -> None:
    """Raise FrameError where the frames are too large for the format."""
    row, (width, height) = MOVING_IMAGES[settings.format], (settings.width, settings.height)
    if is_too_large(width, height, row.largest_side):
        raise FrameError(
            f"frames are {width}x{height}: too large for {settings.format}, "
            f"whose sides are up to {row.largest_side} and whose pixels up to {MOST_PIXELS}"
        )


class TickCounter:
    """Counts durations in a format's ticks; what rounding one adds or takes, the next one makes good."""

    def __init__(self, format: str, tick: Fraction) -> None:
        """Take the tick of durations for that of a format whose times are exact."""
        self._row = MOVING_IMAGES[format]
        self._tick = self._row.tick or tick
        self._end, self._counted = Fraction(0), 0

    def ticks(self, duration: Fraction) -> int:
        """Give for how many ticks the next frame is shown.

        >>> counter = TickCounter("gif", Fraction(1, 24))
        >>> [counter.ticks(Fraction(1, 24)) for _ in range(6)]
        [4, 4, 5, 4, 4, 4]

        Raises:
            OptionError: the format or browsers can't show a frame for so long, or so short.
        """
        row = self._row
        if not row.shortest <= duration <= row.longest:
            raise OptionError(
                f"a frame is shown for {float(duration):g} s: {row.name} takes "
                f"{float(row.shortest):g} to {float(row.longest):g}, since browsers slow down what is shorter"
            )
        self._end += duration
        ticks = math.floor(self._end / self._tick + Fraction(1, 2)) - self._counted
        self._counted += ticks
        return ticks


# ---- the line ------------------------------------------------------------------------------------------------------


class MovingImage:
    """Writes frames to a journal and to a file, both open for reading and writing; of a GIF, to an `outlet` too.

    Raises:
        FrameError: frames of this size are too large for the format.
    """

    def __init__(
        self, journal: BinaryIO, file: BinaryIO, settings: MovingImageSettings, outlet: Outlet | None = None
    ) -> None:
        check_frames(settings)
        self._settings = settings
        self._shape = settings.height, settings.width, 4 if settings.alpha else 3
        self._counter = TickCounter(settings.format, settings.tick)
        self._journal = journal
        self._lossless = LosslessJournal(
            journal,
            settings.width,
            settings.height,
            self._shape[2],
            settings.tick,
            settings.threads,
            settings.metadata,
        )
        self._file = file
        self._encoder = _open(file, settings) if outlet is None else GrowingGif(file, settings, outlet)
        self._needs_metadata = outlet is None

    def encode(self, frame: Pixels, duration: Fraction) -> None:
        """Write the next frame: (height, width, 3 or 4) uint8, shown for `duration` seconds.

        Nobody may change it from now on.

        Raises:
            FrameError: it is of another shape or dtype than the settings say.
            OptionError: the format or browsers can't show a frame for so long, or so short.
            EncodeError: the encoder failed.
        """
        if frame.shape != self._shape or frame.dtype != np.uint8:
            raise FrameError(f"a frame is {frame.dtype} of shape {frame.shape}: uint8 of {self._shape} was promised")
        ticks = self._counter.ticks(duration)
        frame = np.ascontiguousarray(frame)
        self._lossless.encode(frame, duration)
        self._encoder.encode(frame, ticks)

    def finish(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Complete the journal, and the file unless told to stop."""
        self._lossless.close()
        if not stop():
            self._encoder.finish(lambda: _until(stop, read_lossless(self._journal)))
            if self._needs_metadata:
                _add_metadata(self._file, self._settings)
        self._encoder.close()

    def close(self) -> None:
        """Let go of both, finished or not; the journal holds what it was given."""
        try:
            self._lossless.close()
        finally:
            self._encoder.close()


def _open(file: BinaryIO, settings: MovingImageSettings) -> Encoder:
    return _ENCODINGS[settings.format].encoder(file, settings)


def _add_metadata(file: BinaryIO, settings: MovingImageSettings) -> None:
    """Add the metadata to a finished file whose encoder wrote none."""
    if settings.metadata is not None and not _ENCODINGS[settings.format].writes_metadata:
        add_metadata(file, settings.metadata)


def _until(stop: Callable[[], bool], frames: Iterable[tuple[Pixels, Fraction]]) -> Iterator[Pixels]:
    for frame, _ in frames:
        if stop():
            return
        yield frame


def rewrite(journal: BinaryIO, file: BinaryIO, format: str, quality: float | None, loops: int = 0) -> int:
    """Make the file of the frames that a killed writer left in its journal, and give how many they are.

    `quality` is what `parse_quality` gives.

    Raises:
        av.FFmpegError: the journal can't be read: it has no index, or no fragment.
        EncodeError: the encoder failed.
    """
    info, count = probe_lossless(journal), 0
    settings = MovingImageSettings(
        format, info.width, info.height, info.channels == 4, info.time_base, quality, loops, metadata=info.metadata
    )
    encoder, counter = _open(file, settings), TickCounter(format, settings.tick)
    try:
        for frame, duration in read_lossless(journal):
            encoder.encode(frame, counter.ticks(duration))
            count += 1
        encoder.finish(lambda: (frame for frame, _ in read_lossless(journal)))
        _add_metadata(file, settings)
    finally:
        with contextlib.suppress(Exception):
            encoder.close()
    return count


def _check_metadata(file: BinaryIO, settings: MovingImageSettings) -> None:
    if settings.metadata is not None and read_tags(*(read_image(file) or ({},))) != settings.metadata.values:
        raise EncodeError("the written file is not what was promised: the metadata is not what was given")


def check_file(file: BinaryIO, settings: MovingImageSettings, frame_count: int) -> None:
    """Read a written file back, by Pillow, and compare it with what was promised, unless Pillow takes it for a bomb.

    Raises:
        EncodeError: it differs, naming what was found and what was promised.
    """
    _check_metadata(file, settings)
    file.seek(0)
    try:
        with pillow_warnings_ignored():
            image = Image.open(file, formats=[_ENCODINGS[settings.format].pillow])
    except Image.DecompressionBombError:
        return
    with image:
        promised = {
            "size": (image.size, (settings.width, settings.height)),
            "frame count": (getattr(image, "n_frames", 1), frame_count),
        }
    if broken := differences(promised, "is"):
        raise EncodeError(f"the written file is not what was promised: {broken}")
