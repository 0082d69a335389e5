"""Frames to a GIF, animated WebP, APNG or AVIF, each shown for as long as the clock says."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from ..deliver.target import Outlet, Target
from ..errors import OptionError
from ..formats.images import MovingImageFormat
from ..images.moving import MovingImage, check_file, check_frames, check_options, parse_quality
from ..images.pictures import Pictures
from ..images.protocol import MovingImageSettings
from ..planes.codes import Pixels
from ..planes.frame import Frame
from ..publish.publication import Publication
from ..sound.recognise import NoSound
from ..support.clock import Clock
from ..support.notes import Notes
from .options import WriterOptions, refuse_others
from .protocol import Common, Outlook
from .result import Video


class MovingImagePlan:
    """A moving image of one format and quality."""

    def __init__(
        self, row: MovingImageFormat, common: Common, options: WriterOptions, notes: Notes, outlet: Outlet | None
    ) -> None:
        refuse_others(options, "moving image", row.name)
        if options["bit_depth"] not in (None, 8):
            given = options["bit_depth"]
            raise OptionError(f"bit_depth={given!r} does not go with {row.name}, which has 8: leave it out")
        if common.seal is not None and common.metadata is not None and row.metadata_moves:
            said = f"metadata= and provenance= don't go together in {row.name}: leave one out, or write webp"
            raise OptionError(said, page="provenance")
        self.row, self.common, self.notes = row, common, notes
        self.quality, self.loops = parse_quality(row.name, options["quality"]), options["loops"] or 0
        check_options(row.name, self.loops, common.fps)
        self.sound, self.listeners = NoSound(row.name), ()
        self.outlet = outlet if row.grows and common.seal is None else None
        self.shown_for = (row.shortest, row.longest)

    def publication(self, target: Target) -> Publication:
        """Open the file's publication."""
        return target.publication()

    def shape(self, first: Frame, clock: Clock) -> MovingImageShape:
        """Take the size of the first frame, and whether it has alpha."""
        return MovingImageShape(self, first, clock)


class MovingImageShape:
    """A moving image of one size, with alpha or without."""

    def __init__(self, plan: MovingImagePlan, first: Frame, clock: Clock) -> None:
        row, common = plan.row, plan.common
        self._pictures = Pictures(first, 8, True, common.value_range, common.background, plan.notes)
        if self._pictures.alpha and row.alpha != "kept":
            plan.notes.add(f"alpha is {row.alpha} in {row.name}: pass background= for soft edges")
        self.clock, self.seal, self.outlet = clock, common.seal, plan.outlet
        self.settings = MovingImageSettings(
            row.name,
            *first.size,
            self._pictures.alpha,
            clock.time_base,
            plan.quality,
            plan.loops,
            metadata=common.metadata,
        )
        check_frames(self.settings)
        self.pixels = self.settings.width * self.settings.height
        self.bytes_of_picture = self.pixels * (4 if self.settings.alpha else 3)

    def convert(self, frame: Frame) -> Pixels:
        """Make 8-bit codes of a frame."""
        return self._pictures.picture(frame)

    def outlook(self, threads: int) -> Outlook:
        """Say what it will be."""
        settings = self.settings
        options = {"quality": settings.quality, "loops": settings.loops}
        pixels = "RGBA" if settings.alpha else "RGB"
        return Outlook(settings.format, settings.width, settings.height, pixels, options)

    def release(self, picture: Pixels) -> None:
        """Let go of a picture."""

    def job(self, publication: Publication, threads: int) -> MovingImageJob:
        """Give the job of a publication."""
        return MovingImageJob(self, publication, threads)


class MovingImageJob:
    """A moving image that is being written."""

    def __init__(self, shape: MovingImageShape, publication: Publication, threads: int) -> None:
        self._settings, self._clock, self._seal = replace(shape.settings, threads=threads), shape.clock, shape.seal
        self._publication, self._outlet = publication, shape.outlet

    def encoder(self) -> _TimedEncoder:
        """Open the encoder, which writes to the journal and to the finished file."""
        journal, file = self._publication.journal, self._publication.open_finished()
        return _TimedEncoder(MovingImage(journal, file, self._settings, self._outlet), self._clock)

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
    """Tells a moving image for how long each picture is shown: one that depends on the next waits for it."""

    def __init__(self, image: MovingImage, clock: Clock) -> None:
        self._image, self._clock = image, clock
        self._waiting: list[tuple[Pixels, int]] = []  # one at most

    def encode(self, picture: Pixels, pts: int) -> None:
        """Take the next picture."""
        if not self._clock.uneven:
            self._image.encode(picture, self._clock.time_base)
            return
        self._encode_waiting(pts * self._clock.time_base)
        self._waiting.append((picture, pts))

    def finish(self, stop: Callable[[], bool]) -> None:
        """Write the last picture, and complete the file."""
        self._encode_waiting(self._clock.duration)
        self._image.finish(stop)

    def _encode_waiting(self, until: Fraction) -> None:
        tick = self._clock.time_base
        for picture, pts in self._waiting:
            self._image.encode(picture, max(until - pts * tick, tick))
        self._waiting.clear()

    def close(self) -> None:
        """Let go of the file."""
        self._image.close()
