"""Frames to a folder of numbered images, which have no times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

from ..deliver.target import Target
from ..errors import EncodeError, FrameError, OptionError
from ..formats.images import SequenceFormat
from ..images.numbered import ImageSequence, SequenceSettings, check_sequence
from ..images.pictures import Pictures
from ..planes.codes import Pixels
from ..planes.frame import Frame
from ..publish.folder import FolderPublication
from ..publish.frame_files import size_of_frames
from ..sound.recognise import NoSound
from ..support.clock import Clock
from ..support.notes import Notes
from .options import WriterOptions, refuse_others
from .protocol import Common, Outlook
from .result import Video


class ImageFolderPlan:
    """Images of one format, depth and quality."""

    def __init__(self, row: SequenceFormat, common: Common, options: WriterOptions, notes: Notes) -> None:
        _refuse_times(row, common.hold is not None)
        linear = row.name == "exr" and options["light"] == "scene-linear"
        refuse_others(
            cast(WriterOptions, {**options, "light": None}) if linear else options, "folder of images", row.name
        )
        quality, bit_depth = options["quality"], options["bit_depth"]
        if not (isinstance(quality, str) and quality in row.qualities):
            accepted = " or ".join(map(repr, row.qualities))
            raise OptionError(f"quality={quality!r} is not known for {row.name}: use {accepted}")
        if common.metadata is not None and not row.metadata:
            raise OptionError(f"metadata does not go into {row.name} images here: write png, or leave it out")
        bits = row.bits[0] if bit_depth is None else bit_depth
        self.settings = SequenceSettings(
            row.name, 1, 1, False, bits, linear, row.qualities[quality] or 0, metadata=common.metadata
        )
        check_sequence(self.settings)
        self.row, self.common, self.notes = row, common, notes
        self.sound, self.listeners = NoSound(row.name), ()
        self.shown_for = None

    def publication(self, target: Target) -> FolderPublication:
        """Open the folder's publication."""
        return target.folder_publication()

    def shape(self, first: Frame, clock: Clock) -> ImageFolderShape:
        """Take the size of the first frame, and whether it has alpha."""
        _refuse_times(self.row, clock.uneven)
        if self.settings.linear and first.full_scale is not None:
            raise FrameError(f"frame 0 is {first.dtype}: light='scene-linear' is for floats, where 1.0 is white")
        return ImageFolderShape(self, first, clock)


class ImageFolderShape:
    """Images of one size, with alpha or without."""

    def __init__(self, plan: ImageFolderPlan, first: Frame, clock: Clock) -> None:
        settings, common = plan.settings, plan.common
        bits = 32 if settings.bits == 32 or plan.row.name == "exr" else settings.bits
        # Of light what is brighter than 1 is kept.
        value_range = (0.0, 1.0) if settings.linear and common.value_range == "auto" else common.value_range
        self._pictures = Pictures(first, bits, plan.row.alpha, value_range, common.background, plan.notes)
        width, height = first.size
        self.clock = clock
        self.settings = replace(settings, width=width, height=height, alpha=self._pictures.alpha)
        check_sequence(self.settings)
        self.pixels = width * height
        self.bytes_of_picture = self.pixels * (4 if self.settings.alpha else 3) * max(1, settings.bits // 8)

    def convert(self, frame: Frame) -> Pixels:
        """Make codes, or floats, of a frame."""
        return self._pictures.picture(frame)

    def outlook(self, threads: int) -> Outlook:
        """Say what it will be."""
        settings = self.settings
        pixels = f"{'RGBA' if settings.alpha else 'RGB'} of {settings.bits} bits"
        options = {"quality": settings.quality} if settings.format == "jpeg" else {}
        return Outlook(settings.format, settings.width, settings.height, pixels, options)

    def release(self, picture: Pixels) -> None:
        """Let go of a picture."""

    def job(self, publication: FolderPublication, threads: int) -> ImageFolderJob:
        """Give the job of a publication."""
        return ImageFolderJob(self, publication, threads)


class ImageFolderJob:
    """A folder of images that is being written."""

    def __init__(self, shape: ImageFolderShape, publication: FolderPublication, threads: int) -> None:
        self._settings = replace(shape.settings, threads=threads)
        self._clock, self._publication = shape.clock, publication

    def encoder(self) -> _SequenceEncoder:
        """Open the encoders, which write into the hidden folder."""
        return _SequenceEncoder(ImageSequence(self._publication.folder, self._settings))

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
            codec=self._settings.format,
            size_bytes=size_bytes,
        )


class _SequenceEncoder:
    """A sequence that is given pictures; images have no times."""

    def __init__(self, sequence: ImageSequence) -> None:
        self._sequence = sequence

    def encode(self, picture: Pixels, pts: int) -> None:
        """Take the next picture."""
        self._sequence.encode(picture)

    def finish(self, stop: Callable[[], bool]) -> None:
        """Write what waits, unless told to stop."""
        if stop():
            self._sequence.close()
        else:
            self._sequence.finish()

    def close(self) -> None:
        """Let go of the encoders."""
        self._sequence.close()


def _refuse_times(row: SequenceFormat, uneven: bool) -> None:
    if uneven:
        raise OptionError(
            f"timestamps= and hold= do not go with {row.name}, whose images have no times: leave them out"
        )
