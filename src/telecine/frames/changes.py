"""What is done to frames before planes are made of them, if asked for: dropped or repeated, scaled, changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from ..errors import OptionError
from ..planes.convert import parse_value_range
from ..planes.frame import Frame
from ..planes.light import ENCODED
from ..support.notes import Notes
from .before_encode import BeforeEncode, changed, check_before_encode
from .options import ChangeOptions
from .pacing import Pacing, parse_pacing
from .scale import Scaler


@dataclass(frozen=True)
class Changes:
    """Makes of the frames given those that are written."""

    pacing: Pacing | None
    scaler: Scaler | None
    function: BeforeEncode | None

    def frames(self, given: Iterable[Frame], are_timed: bool) -> Iterator[Frame]:
        """Give the frames that are written, one by one.

        Raises:
            OptionError: frames are dropped or repeated that have timestamps; or scaled, they are too large.
            FrameError: a value can't be scaled, or the caller's function gives something else than such a frame.
            What that function raises.
        """
        if are_timed and self.pacing is not None:
            raise OptionError(f"timestamps= does not go with {self.pacing.option}: leave one out")
        for frame in given:
            times = 1 if self.pacing is None else self.pacing.times(frame.index)
            if times and self.scaler is not None:
                frame = self.scaler.scaled(frame)
            for _ in range(times):
                yield frame if self.function is None else changed(frame, self.function)

    def note(self, given: int, notes: Notes) -> None:
        """Note how many frames of those given are written, where it is not each of them once."""
        if self.pacing is not None and (said := self.pacing.note(given)):
            notes.add(said)


def changes_of(options: ChangeOptions, fps: Fraction, notes: Notes) -> Changes | None:
    """Read what is to be done to frames of a file of so many a second; None where it is nothing.

    Raises:
        OptionError: an option is none, or contradicts another.
    """
    pacing, scaler = parse_pacing(options["every"], options["fps_from"], fps), None
    if options["width"] is not None or options["height"] is not None:
        is_light = options["light"] not in (None, ENCODED)  # which may be brighter than 1
        value_range = parse_value_range(options["value_range"])
        range_of_light = (0.0, 1.0) if is_light and value_range == "auto" else value_range
        scaler = Scaler(options["width"], options["height"], range_of_light, notes)
    if (function := options["before_encode"]) is not None:
        check_before_encode(function)
    return Changes(pacing, scaler, function) if pacing or scaler or function else None
