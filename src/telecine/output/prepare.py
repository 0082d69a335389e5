"""From a path and all of a writer's options to what it works with: they are checked, and nothing is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..deliver.target import Target
from ..formats.choose import AnyFormat
from ..frames.changes import Changes, changes_of
from ..frames.recognise import Recognizer
from ..planes.convert import parse_value_range
from ..support.clock import Clock, parse_last_frame
from ..support.notes import Notes
from ..support.rate import parse_fps
from .options import WriterOptions
from .plan import plan_of
from .protocol import Plan

if TYPE_CHECKING:
    from ..pictures.last_frame import LastFrame


class Prepared(NamedTuple):
    """What frames pass on their way. The last of them is written `repeat` more times, and kept in `last_frame`."""

    recognizer: Recognizer
    changes: Changes | None
    plan: Plan
    clock: Clock
    repeat: int
    last_frame: LastFrame | None


def prepare(row: AnyFormat, target: Target, options: WriterOptions, notes: Notes) -> Prepared:
    """Check a writer's options against what is written, and try the encoder.

    Args:
        row: What is written.
        target: Where it goes.
        options: All of them.
        notes: Where what may surprise goes.

    Raises:
        OptionError: one is wrong, or does not go with what is written.
        PublishError: the last frame can't be written to its path.
    """
    recognizer = Recognizer(options["layout"], options["channels"])
    hold, repeat = parse_last_frame(options["hold"], options["repeat"])
    fps = parse_fps(options["fps"])
    changes = changes_of(options, fps, notes)
    plan = plan_of(row, options, hold, notes, target)
    clock = Clock(fps, hold, plan.shown_for)
    return Prepared(recognizer, changes, plan, clock, repeat, _last_frame_of(options, target))


def _last_frame_of(options: WriterOptions, target: Target) -> LastFrame | None:
    if (path := options["last_frame"]) is None:
        return None
    from ..pictures.last_frame import LastFrame  # start-up: Pillow, which videos have no need of

    value_range = parse_value_range(options["value_range"])
    return LastFrame(path, target.path, options["overwrite"], value_range, options["light"])
