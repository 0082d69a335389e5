"""A moving image file out of frames: GIF, animated WebP, APNG, AVIF.

Beside the file goes a journal of the frames as they are, which a kill leaves and of which the file can be made again.
"""

from __future__ import annotations

import contextlib
import math
import numbers
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import EncodeError, FrameError, OptionError
from ..files.quiet import pillow_warnings_ignored
from ..formats.images import MOVING_IMAGES
from ..images import avif
from ..metadata.images import add_metadata, read_image
from ..metadata.tags import Metadata, read_tags
from ..planes.pixel_formats import MOST_PIXELS, is_too_large
from ..support.rate import ticks_a_second
from ..support.words import differences
from .apng import Apng
from .avif import Avif
from .gif import Gif
from .lossless_journal import LosslessJournal, probe_lossless, read_lossless
from .webp import WebP

Pixels: TypeAlias = npt.NDArray[np.uint8]

_READ_BACK = ("GIF", "WEBP", "PNG", "AVIF")  # Pillow's names of what is written here


@dataclass(frozen=True)
class MovingImageSettings:
    """All that a moving image is opened with.

    `format` is a name in `MOVING_IMAGES`. Frames are `width` by `height`, of 4 channels with `alpha` and else 3. Those
    that are evenly timed are `time_base` seconds apart; any duration is a multiple of `tick` seconds. `quality` is what
    `parse_quality` gives. `loops` is how many times the clip is shown, 0 forever.
    `metadata` is what the file says of itself.
    """

    format: str
    width: int
    height: int
    alpha: bool
    time_base: Fraction
    quality: float | None
    loops: int = 0
    threads: int = 1
    metadata: Metadata | None = None

    @property
    def tick(self) -> Fraction:
        """The unit of durations, in seconds: as fine as a video's."""
        return Fraction(1, ticks_a_second(1 / self.time_base))


class Encoder(Protocol):
    """What writes one format: frames come in order, each with the number of ticks for which it is shown.

    Nobody changes a frame that was given: it may wait for a thread.
    """

    def encode(self, frame: Pixels, ticks: int) -> None:
        """Take the next frame."""

    def finish(self, again: Callable[[], Iterable[Pixels]]) -> None:
        """Complete the file; `again` gives the same frames again."""

    def close(self) -> None:
        """Let go of all that is open."""


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
    if format == "avif":
        avif.check_available()
    if not (isinstance(loops, numbers.Integral) and not isinstance(loops, bool) and 0 <= loops <= row.most_loops):
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


class Clock:
    """Counts durations in a format's ticks; what rounding one adds or takes, the next one makes good."""

    def __init__(self, format: str, tick: Fraction) -> None:
        """Take the tick of durations for that of a format whose times are exact."""
        self._format, self._tick = format, MOVING_IMAGES[format].tick or tick
        self._end, self._counted = Fraction(0), 0

    def ticks(self, duration: Fraction) -> int:
        """Give for how many ticks the next frame is shown.

        >>> clock = Clock("gif", Fraction(1, 24))
        >>> [clock.ticks(Fraction(1, 24)) for _ in range(6)]
        [4, 4, 5, 4, 4, 4]

        Raises:
            OptionError: the format or browsers can't show a frame for so long, or so short.
        """
        row = MOVING_IMAGES[self._format]
        if not row.shortest <= duration <= row.longest:
            raise OptionError(
                f"a frame is shown for {float(duration):g} s: {self._format} takes "
                f"{float(row.shortest):g} to {float(row.longest):g}, since browsers slow down what is shorter"
            )
        self._end += duration
        ticks = math.floor(self._end / self._tick + Fraction(1, 2)) - self._counted
        self._counted += ticks
        return ticks


# ---- the line ------------------------------------------------------------------------------------------------------


class MovingImage:
    """Writes frames to a journal and to a file, both open for reading and writing.

    Raises:
        FrameError: frames of this size are too large for the format.
    """

    def __init__(self, journal: BinaryIO, file: BinaryIO, settings: MovingImageSettings) -> None:
        check_frames(settings)
        self._settings = settings
        self._shape = settings.height, settings.width, 4 if settings.alpha else 3
        self._clock = Clock(settings.format, settings.tick)
        self._journal = journal
        self._kept = LosslessJournal(
            journal,
            settings.width,
            settings.height,
            self._shape[2],
            settings.tick,
            settings.threads,
            settings.metadata,
        )
        self._file = file
        self._encoder = _open(file, settings)

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
        ticks = self._clock.ticks(duration)
        frame = np.ascontiguousarray(frame)
        self._kept.encode(frame, duration)
        self._encoder.encode(frame, ticks)

    def finish(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Complete the journal, and the file unless told to stop."""
        self._kept.close()
        if not stop():
            self._encoder.finish(lambda: _until(stop, read_lossless(self._journal)))
            _say(self._file, self._settings)
        self._encoder.close()

    def close(self) -> None:
        """Let go of both, finished or not; the journal holds what it was given."""
        try:
            self._kept.close()
        finally:
            self._encoder.close()


def _open(file: BinaryIO, settings: MovingImageSettings) -> Encoder:
    width, height, quality, loops = settings.width, settings.height, settings.quality, settings.loops
    if settings.format == "apng":
        return Apng(file, width, height, settings.alpha, settings.tick, loops)
    if settings.format == "webp":
        return WebP(file, width, height, settings.alpha, quality, loops, settings.threads)
    assert quality is not None
    if settings.format == "gif":
        return Gif(file, width, height, int(quality), loops, settings.threads)
    return Avif(file, width, height, settings.alpha, quality, settings.threads, settings.metadata)


def _say(file: BinaryIO, settings: MovingImageSettings) -> None:
    """Write what a finished file says of itself; an AVIF has said it."""
    if settings.metadata is not None and settings.format != "avif":
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
    kept, count = probe_lossless(journal), 0
    settings = MovingImageSettings(
        format, kept.width, kept.height, kept.channels == 4, kept.time_base, quality, loops, metadata=kept.metadata
    )
    encoder, clock = _open(file, settings), Clock(format, settings.tick)
    try:
        for frame, duration in read_lossless(journal):
            encoder.encode(frame, clock.ticks(duration))
            count += 1
        encoder.finish(lambda: (frame for frame, _ in read_lossless(journal)))
        _say(file, settings)
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
            image = Image.open(file, formats=_READ_BACK)
    except Image.DecompressionBombError:
        return
    with image:
        promised = {
            "size": (image.size, (settings.width, settings.height)),
            "frame count": (getattr(image, "n_frames", 1), frame_count),
        }
    if broken := differences(promised, "is"):
        raise EncodeError(f"the written file is not what was promised: {broken}")
