"""What the encoder of a moving image is opened with, and what it does, whatever the format."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from ..metadata.tags import Metadata
from ..support.rate import ticks_a_second

Pixels: TypeAlias = npt.NDArray[np.uint8]


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

    @property
    def level(self) -> float:
        """The quality of a format that is never lossless."""
        assert self.quality is not None
        return self.quality


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
