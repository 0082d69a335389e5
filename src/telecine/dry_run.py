"""`dry_run`: what an export will write. All is checked that can be before the first frame, and nothing is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np

from .deliver.ranks import share_of
from .deliver.target import Output, Target, target_of
from .errors import FrameError
from .export import count_of_written, differences_of
from .formats.choose import output_of
from .frames.recognise import count_frames
from .frames.sources import FrameSource
from .output.options import ExportOptions
from .output.prepare import Prepared, prepare
from .output.protocol import Outlook
from .planes.frame import Frame
from .support.notes import Notes
from .support.processors import encoder_threads


@dataclass(frozen=True)
class DryRun:
    """What will be written, and where. How many frames and seconds it will have is None where only reading them tells.

    `fps` is an average where frames are given timestamps. `replaces` is how many bytes the file at the path has, None
    where there is none.
    """

    path: Path
    format: str
    replaces: int | None
    outlook: Outlook
    fps: Fraction
    frame_count: int | None
    duration: Fraction | None
    max_bytes: int | None
    notes: tuple[str, ...]


def dry_run(source: FrameSource, path: Output | None, options: ExportOptions) -> DryRun:
    """Do what `export` does until it writes: options, sound, destination, the first frame, and a trial of the encoder.

    Raises as `export_video` does.
    """
    differences, share = differences_of(source, options), share_of(options["only_rank"])
    notes = Notes([share.note] if share else [])
    target = target_of(path, options["format"], options["overwrite"], options["storage_options"], options["fragment"])
    row = output_of(target.name, options["format"])
    prepared = prepare(row, target, options, notes)
    plan, clock = prepared.plan, prepared.clock
    plan.publication(target).discard()  # opening it proves that it can be written
    if options["audio"] is not None:
        plan.sound.write(options["audio"], lambda box: None)
    times = clock.times(options["timestamps"], count_frames(source.frames, options["layout"]))
    with np.errstate(all="ignore"):  # as in `VideoWriter.write`
        frame = _first_frame(prepared, source, options["timestamps"] is not None)
        shape = plan.shape(frame, clock)
        shape.convert(frame)
    with encoder_threads(shape.pixels) as threads:
        outlook = shape.outlook(threads)
    count = _count(prepared, source, options, times, notes)
    notes.tell()
    return DryRun(
        path=target.where,
        format=row.name,
        replaces=_replaces(target),
        outlook=outlook,
        fps=clock.count / clock.duration if count and clock.variable else clock.fps,
        frame_count=count,
        duration=clock.duration if count else None,
        max_bytes=options["max_bytes"],
        notes=(*notes, *differences),
    )


def _first_frame(prepared: Prepared, source: FrameSource, are_timed: bool) -> Frame:
    given = prepared.recognizer.frames(source.frames)
    for frame in prepared.changes.frames(given, are_timed) if prepared.changes else given:
        return frame
    raise FrameError("no frames: there is nothing to write", page="troubleshooting#there-are-no-frames")


def _count(
    prepared: Prepared, source: FrameSource, options: ExportOptions, times: Iterator[int], notes: Notes
) -> int | None:
    """Count the frames that will be written, by the clock; None where that is not known before they are read."""
    given, count = source.count(options["layout"]), count_of_written(source, options)
    if given is None or count is None:
        return None
    for time in islice(times, count):
        prepared.clock.advance(time)
    for _ in range(prepared.repeat):
        prepared.clock.repeat()
    if prepared.changes:
        prepared.changes.note(given, notes)
    return prepared.clock.count


def _replaces(target: Target) -> int | None:
    return os.path.getsize(target.path) if target.delivery is None and os.path.isfile(target.path) else None
