"""Frames to a moving image or to a folder of images."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..color.color import RGB
from ..errors import EncodeError, FrameError, OptionError
from ..formats.images import MovingImageFormat, SequenceFormat
from ..images.moving import MovingImage, MovingImageSettings, check_file, check_frames, check_options, parse_quality
from ..images.numbered import Sequence, SequenceSettings, check_sequence
from ..planes.codes import Pixels, pixels_of
from ..planes.convert import BLACK, SHOWN_ON_BLACK, Background, Conversion, ValueRange
from ..planes.frame import Frame
from ..publish.folder import FolderPublication
from ..publish.frame_files import size_of_frames
from ..publish.publication import Publication
from ..sound.recognise import Audio
from ..support.clock import Clock
from ..support.notes import Notes
from .protocol import Asked
from .result import Video


@dataclass
class Picture:
    """A frame's codes, (height, width, 3 or 4), and its time in ticks."""

    pixels: Pixels
    pts: int


class _Pictures:
    """Makes pictures of frames: with the alpha that they have where it is kept, and else on the background."""

    def __init__(self, bits: int, value_range: ValueRange, background: Background | None, notes: Notes) -> None:
        self._bits, self._background, self._notes = bits, background, notes
        self._conversion = Conversion(RGB, value_range)
        self.alpha = False

    def settle(self, first: Frame, holds_alpha: bool) -> None:
        """Keep alpha if the first frame has it and the format holds it, unless there is a background."""
        self.alpha = holds_alpha and self._background is None and first.pixels.shape[2] == 4

    def picture(self, frame: Frame, pts: int) -> Picture:
        """Convert a frame. Raises FrameError where a value is NaN, infinite or out of the range."""
        if self.alpha:
            pixels = pixels_of(frame, self._conversion, self._bits)
            if pixels.shape[2] == 3:  # an image without alpha after one with it
                white = 1 if self._bits == 32 else 2**self._bits - 1
                pixels = np.dstack([pixels, np.full(pixels.shape[:2], white, pixels.dtype)])
            return Picture(pixels, pts)
        pixels = pixels_of(frame, self._conversion, self._bits, self._background or BLACK)
        if self._background is None and self._is_translucent(frame):
            self._background = BLACK
            self._notes.warn(SHOWN_ON_BLACK)
        return Picture(pixels, pts)

    def _is_translucent(self, frame: Frame) -> bool:
        _, opaque = self._conversion.stored_range(frame)
        return frame.pixels.shape[2] == 4 and bool((frame.values[:, :, 3] < opaque).any())


class MovingImageOutput:
    """A GIF, animated WebP, APNG or AVIF."""

    def __init__(self, row: MovingImageFormat, asked: Asked, loops: int) -> None:
        if asked.bit_depth not in (None, 8):
            raise OptionError(f"bit_depth={asked.bit_depth!r} does not go with {row.name}, which has 8: leave it out")
        if asked.seal is not None and asked.metadata is not None and row.name == "avif":
            # c2pa-rs leaves the offsets of an AVIF's items as they were, when its manifest moves these.
            raise OptionError("metadata= and provenance= don't go together in avif: leave one out, or write webp")
        self._seal = asked.seal
        self._row, self._quality, self._loops = row, parse_quality(row.name, asked.quality), loops
        check_options(row.name, loops, asked.clock.fps)
        self._clock, self._notes, self._metadata = asked.clock, asked.notes, asked.metadata
        self._pictures = _Pictures(8, asked.value_range, asked.background, asked.notes)

    def publication(self, path: str | os.PathLike[str], overwrite: bool) -> Publication:
        """Open the file's publication."""
        self._publication = Publication(path, overwrite)
        return self._publication

    def settle(self, first: Frame) -> None:
        """Take the size of the first frame, and whether it has alpha."""
        self._pictures.settle(first, holds_alpha=True)
        if self._pictures.alpha and self._row.alpha != "kept":
            self._notes.add(f"alpha is {self._row.alpha} in {self._row.name}: pass background= for soft edges")
        width, height = first.size
        alpha, time_base = self._pictures.alpha, self._clock.time_base
        self._settings = MovingImageSettings(
            self._row.name, width, height, alpha, time_base, self._quality, self._loops, metadata=self._metadata
        )
        check_frames(self._settings)

    @property
    def pixels(self) -> int:
        """The pixels of a frame."""
        return self._settings.width * self._settings.height

    @property
    def bytes_of_frame(self) -> int:
        """The bytes of a frame's codes."""
        return self.pixels * (4 if self._settings.alpha else 3)

    def convert(self, frame: Frame, pts: int) -> Picture:
        """Make 8-bit codes of a frame."""
        return self._pictures.picture(frame, pts)

    def release(self, item: Picture) -> None:
        """Let go of a picture."""

    def write_audio(self, audio: Audio, put_box: Callable[[bytes], None]) -> None:
        """Refuse sound."""
        raise OptionError(f"audio does not go into {self._row.name}: leave it out, or write a video")

    def encoder(self, threads: int) -> _TimedEncoder:
        """Open the encoder, which writes to the journal and to the finished file."""
        self._settings = replace(self._settings, threads=threads)
        file = self._publication.open_finished()
        return _TimedEncoder(MovingImage(self._publication.journal, file, self._settings), self._clock)

    def finish(self, stop: Callable[[], bool]) -> Video:
        """Read the file back, and compare it with what was promised."""
        settings, clock, publication = self._settings, self._clock, self._publication
        if self._seal is not None:
            self._seal.sign_finished(publication)
        file = publication.finished
        check_file(file, settings, clock.count)
        return Video(
            path=Path(publication.path),
            width=settings.width,
            height=settings.height,
            fps=clock.count / clock.duration if clock.uneven else clock.fps,
            frame_count=clock.count,
            duration=clock.duration,
            codec=settings.format,
            size_bytes=file.seek(0, os.SEEK_END),
        )


class _TimedEncoder:
    """Tells a moving image for how long each frame is shown: one that depends on the next is held back for it."""

    def __init__(self, image: MovingImage, clock: Clock) -> None:
        self._image, self._clock = image, clock
        self._held: Picture | None = None

    def encode(self, frame: Picture) -> None:
        """Take the next frame."""
        if not self._clock.uneven:
            self._image.encode(frame.pixels, self._clock.time_base)
            return
        if self._held is not None:
            self._image.encode(self._held.pixels, (frame.pts - self._held.pts) * self._clock.time_base)
        self._held = Picture(frame.pixels, frame.pts)  # the frame's own time may change, should it be repeated

    def finish(self, stop: Callable[[], bool]) -> None:
        """Write the last frame and complete the file."""
        if self._held is not None:
            end = max(self._clock.duration, (self._held.pts + 1) * self._clock.time_base)
            self._image.encode(self._held.pixels, end - self._held.pts * self._clock.time_base)
        self._image.finish(stop)

    def close(self) -> None:
        """Let go of the file."""
        self._image.close()


class SequenceOutput:
    """A folder of numbered images."""

    def __init__(self, row: SequenceFormat, asked: Asked, linear: bool) -> None:
        quality, value_range = asked.quality, asked.value_range
        _refuse_times(row.name, asked.clock)
        if not (isinstance(quality, str) and quality in row.qualities):
            accepted = " or ".join(map(repr, row.qualities))
            raise OptionError(f"quality={quality!r} is not known for {row.name}: use {accepted}")
        self._row, self._clock = row, asked.clock
        bits = row.bits[0] if asked.bit_depth is None else asked.bit_depth
        if asked.metadata is not None and not row.metadata:
            raise OptionError(f"metadata does not go into {row.name} images here: write png, or leave it out")
        self._settings = SequenceSettings(
            row.name, 1, 1, False, bits, linear, row.qualities[quality] or 0, metadata=asked.metadata
        )
        check_sequence(self._settings)
        floats = bits == 32 or row.name == "exr"
        if linear and value_range == "auto":
            value_range = (0.0, 1.0)  # and light that is brighter
        self._pictures = _Pictures(32 if floats else bits, value_range, asked.background, asked.notes)

    def publication(self, path: str | os.PathLike[str], overwrite: bool) -> FolderPublication:
        """Open the folder's publication."""
        self._publication = FolderPublication(path, overwrite)
        return self._publication

    def settle(self, first: Frame) -> None:
        """Take the size of the first frame, and whether it has alpha."""
        _refuse_times(self._row.name, self._clock)
        if self._settings.linear and first.full_scale is not None:
            raise FrameError(f"frame 0 is {first.dtype}: light='scene-linear' is for floats, where 1.0 is white")
        self._pictures.settle(first, self._row.alpha)
        width, height = first.size
        self._settings = replace(self._settings, width=width, height=height, alpha=self._pictures.alpha)
        check_sequence(self._settings)

    @property
    def pixels(self) -> int:
        """The pixels of a frame."""
        return self._settings.width * self._settings.height

    @property
    def bytes_of_frame(self) -> int:
        """The bytes of a frame's codes."""
        return self.pixels * (4 if self._settings.alpha else 3) * max(1, self._settings.bits // 8)

    def convert(self, frame: Frame, pts: int) -> Picture:
        """Make codes, or floats, of a frame."""
        return self._pictures.picture(frame, pts)

    def release(self, item: Picture) -> None:
        """Let go of a picture."""

    def write_audio(self, audio: Audio, put_box: Callable[[bytes], None]) -> None:
        """Refuse sound."""
        raise OptionError(f"audio does not go into {self._row.name}: leave it out, or write a video")

    def encoder(self, threads: int) -> _SequenceEncoder:
        """Open the encoders, which write into the hidden folder."""
        return _SequenceEncoder(Sequence(self._publication.folder, replace(self._settings, threads=threads)))

    def finish(self, stop: Callable[[], bool]) -> Video:
        """Count the images and their bytes, and compare the number with what was promised."""
        count, size_bytes = size_of_frames(self._publication.folder)
        if count != self._clock.count:
            raise EncodeError(f"the folder holds {count} images, not {self._clock.count}")
        return Video(
            path=Path(self._publication.path),
            width=self._settings.width,
            height=self._settings.height,
            fps=self._clock.fps,
            frame_count=count,
            duration=self._clock.duration,
            codec=self._row.name,
            size_bytes=size_bytes,
        )


class _SequenceEncoder:
    """A sequence that is fed pictures; images have no times."""

    def __init__(self, sequence: Sequence) -> None:
        self._sequence = sequence
        self.close = sequence.close

    def encode(self, frame: Picture) -> None:
        """Take the next frame."""
        self._sequence.encode(frame.pixels)

    def finish(self, stop: Callable[[], bool]) -> None:
        """Write what waits, unless told to stop."""
        if stop():
            self._sequence.close()
        else:
            self._sequence.finish()


def _refuse_times(format: str, clock: Clock) -> None:
    if clock.uneven:
        raise OptionError(f"timestamps= and hold= do not go with {format}, whose images have no times: leave them out")
