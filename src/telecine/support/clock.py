"""When each frame is shown: at a constant rate or at the caller's times, always in whole ticks."""

from __future__ import annotations

import itertools
import math
import numbers
from array import array
from collections.abc import Iterable, Iterator, Sized
from fractions import Fraction
from typing import SupportsFloat, TypeAlias

from ..errors import OptionError
from .rate import MOST_TICKS_A_FRAME, VARIABLE_TIME_BASE, is_whole, ticks_a_second

Seconds: TypeAlias = "int | float | Fraction | SupportsFloat"
Timestamps: TypeAlias = "Seconds | Iterable[Seconds]"

_LONGEST = int(MOST_TICKS_A_FRAME * VARIABLE_TIME_BASE)
_MOST_TICKS = 2**31


class Clock:
    """Gives each frame of a video its time, in ticks of `time_base` from the first frame on.

    `bounds` are the least and most seconds that the format shows a frame. The first call of `times` settles whether the
    rate is constant or the caller gives the times. `advance` is told of each frame that is written; it is what `count`,
    `ticks` and `duration` know.
    """

    def __init__(
        self, fps: Fraction, hold: Fraction | None = None, bounds: tuple[Fraction, Fraction] | None = None
    ) -> None:
        self.fps = fps
        self.variable: bool | None = None
        self.ticks = array("q")  # of each frame, where they are the caller's
        self.count = 0
        self.starts_at = Fraction(0)
        self._hold = hold
        self._shortest, self._longest = bounds or (VARIABLE_TIME_BASE, MOST_TICKS_A_FRAME * VARIABLE_TIME_BASE)
        if hold is None:
            return
        if not 0 < hold * ticks_a_second(fps) < _MOST_TICKS:
            raise OptionError(f"hold={float(hold):g} is no time to show a frame: use seconds, up to {_LONGEST}")
        if bounds and not self._shortest <= hold <= self._longest:
            accepted = f"use {float(self._shortest):g} to {float(self._longest):g} s"
            raise OptionError(f"hold={float(hold):g} is no time that this format shows a frame: {accepted}")

    @property
    def time_base(self) -> Fraction:
        """The length of a tick in seconds."""
        return VARIABLE_TIME_BASE if self.variable else 1 / self.fps

    def times(self, timestamps: Timestamps | None, frame_count: int | None) -> Iterator[int]:
        """Give the ticks of the frames to come; of timestamps whose number is known, once all are found right.

        Raises:
            OptionError: timestamps are missing, not in order, no numbers, or not as many as the frames.
        """
        variable = timestamps is not None
        if self.variable not in (None, variable):
            raise OptionError(f"timestamps={timestamps!r}: all frames of a video have one, or none has")
        self.variable = variable
        if timestamps is None:
            return itertools.count(self.count)
        several = timestamps if isinstance(timestamps, Iterable) else [timestamps]
        ticks = self._read(several)
        if not isinstance(several, Sized):
            return ticks
        if frame_count not in (None, len(several)):
            raise OptionError(f"{len(several)} timestamps for {frame_count} frames: give one for each")
        return iter(list(ticks))

    def _read(self, timestamps: Iterable[Seconds]) -> Iterator[int]:
        before = self.ticks[-1] if self.count else None
        for index, value in enumerate(timestamps, self.count):
            name = f"timestamps[{index}]={value!r}"
            seconds = parse_seconds(name, value)
            if index == 0:
                self.starts_at = seconds
            tick = round((seconds - self.starts_at) / VARIABLE_TIME_BASE)
            if before is not None and not self._shortest <= (tick - before) * VARIABLE_TIME_BASE <= self._longest:
                shown = float(before * VARIABLE_TIME_BASE + self.starts_at)
                raise OptionError(
                    f"{name} does not follow {shown:g}: each is to be after the one before, "
                    f"by {self._shortest} to {int(self._longest)} seconds"
                )
            before = tick
            yield tick

    def advance(self, tick: int) -> None:
        """Count a frame as written."""
        self.count += 1
        if self.variable:
            self.ticks.append(tick)

    def repeat(self) -> int:
        """Count one more frame, as long after the last as that is after the one before it, and give its time."""
        tick = self._next_tick()
        self.advance(tick)
        return tick

    def _next_tick(self) -> int:
        if not self.variable:
            return self.count
        before = self.ticks[-2] if self.count > 1 else -round(1 / self.fps / VARIABLE_TIME_BASE)
        return 2 * self.ticks[-1] - before

    @property
    def uneven(self) -> bool:
        """Whether some frames are shown longer than others."""
        return bool(self.variable) or self._hold is not None

    @property
    def duration(self) -> Fraction:
        """From the first frame to the end of the last, in seconds that the file's clock can count."""
        if self._hold is None:
            return self._next_tick() * self.time_base
        ticks = ticks_a_second(1 / self.time_base)
        last = self.ticks[-1] if self.variable else self.count - 1
        return last * self.time_base + Fraction(max(1, round(self._hold * ticks)), ticks)


def parse_seconds(name: str, value: Seconds) -> Fraction:
    """Read a number of seconds, exactly.

    Raises:
        OptionError: it is no finite number.
    """
    if isinstance(value, numbers.Rational) and not isinstance(value, bool):
        return Fraction(int(value.numerator), int(value.denominator))
    try:
        if isinstance(value, (bool, str, bytes)) or not math.isfinite(float(value)):
            raise TypeError
        return Fraction(float(value))
    except (TypeError, ValueError, OverflowError, RuntimeError):  # RuntimeError: a tensor of several
        raise OptionError(f"{name} is no time: give seconds, such as 0.04 or Fraction(1, 24)") from None


def parse_last_frame(hold: Seconds | None, repeat: int) -> tuple[Fraction | None, int]:
    """Read how long the last frame is shown, or how many more times.

    Raises:
        OptionError: one is no number, or both are given.
    """
    if not (is_whole(repeat) and repeat >= 0):
        raise OptionError(f"repeat={repeat!r} is not how many more times the last frame is shown: use 0 or more")
    if hold is None:
        return None, int(repeat)
    seconds = parse_seconds(f"hold={hold!r}", hold)
    if repeat:
        raise OptionError(f"hold={hold!r} and repeat={repeat!r} contradict: give one")
    return seconds, 0
