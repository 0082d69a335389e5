"""Which of the frames given are written, and how often: every n-th, or as many as another frame rate takes."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import NamedTuple

from ..errors import OptionError
from ..support.rate import FrameRate, is_whole, parse_fps


class Pacing(NamedTuple):
    """How many frames are written of those given: `rate` of each one, counted so that the first is always written.

    With an `offset` of 1/2 a frame that is written is the one that was shown in the middle of its time, and the clip is
    within half a frame of as long as before; so does FFmpeg's filter `fps`, by "near", but for a first frame that is
    shown for less than half a frame of the file.
    """

    rate: Fraction
    offset: Fraction
    option: str
    fps: Fraction

    def written(self, given: int) -> int:
        """Count what is written of the first so many frames given.

        >>> half, fewer = Pacing(Fraction(1, 2), Fraction(1, 2), "every=2", 8), parse_pacing(1, 24, Fraction(16))
        >>> [half.written(given) for given in range(6)], [fewer.written(given) for given in range(7)]
        ([0, 1, 1, 2, 2, 3], [0, 1, 1, 2, 3, 3, 4])
        """
        return max(1, math.floor(given * self.rate + self.offset)) if given else 0

    def times(self, index: int) -> int:
        """Tell how many times a frame is written."""
        return self.written(index + 1) - self.written(index)

    def note(self, given: int) -> str:
        """Say what became of so many frames; nothing where each is written once."""
        written = self.written(given)
        if self.option.startswith("every"):
            return f"{self.option}: {written} of {given} frames are written"
        if written == given:
            return ""
        change = f"{given - written} are dropped" if written < given else f"{written - given} are repeats"
        return f"{self.option}: {given} frames are written as {written} at {self.fps} fps: {change}"


def parse_pacing(every: int, fps_from: FrameRate | None, fps: Fraction) -> Pacing | None:
    """Read which frames are written; None where all are, once.

    Args:
        every: 1, or n for frames 0, n, 2n and so on.
        fps_from: The rate at which the frames come, of a file of `fps`; None where they come at that.
        fps: The file's rate.

    Raises:
        OptionError: one is no such number, or both are given.
    """
    if not (is_whole(every) and every >= 1):
        raise OptionError(f"every={every!r} is not which frames are written: use 1 for all, 2 for every other one, …")
    if fps_from is None:
        step = Fraction(1, int(every))
        return None if every == 1 else Pacing(step, 1 - step, f"every={every}", fps)
    rate = parse_fps(fps_from, "fps_from")
    if every != 1:
        raise OptionError(f"every={every!r} and fps_from={fps_from!r} contradict: give one")
    return None if rate == fps else Pacing(fps / rate, Fraction(1, 2), f"fps_from={fps_from}", fps)
