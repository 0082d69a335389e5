"""Finds the crf at which a video is as near to its frames as was asked by a number, such as "vmaf:95"."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, ClassVar, NamedTuple

from ..errors import FrameError, OptionError
from ..formats.choose import Format
from ..formats.codecs import CrfScale
from ..formats.options import is_crf_of_level
from ..read.probe import VideoInfo
from .floor import is_measurable
from .metrics import METRICS, Bench, Metric, is_here, is_large_enough
from .passes import Passes, Settled

_MOST_PASSES = 6  # after the first
_STEP = 0.1  # from one crf to the next that is tried, where the encoder has them all
_RANGE = 51  # of x264's crf, which a metric's steps are told for


def parse_target(target: str | None, format: Format, options: Mapping[str, str], quality: str) -> Target | None:
    """Read "vmaf:95" or "xpsnr:42", and check it against the format and the encoder's options.

    Raises:
        OptionError: it is no such text, can't be measured here, or there is no crf to choose.
    """
    if target is None:
        return None
    given, scale = f"target={target!r}", format.codec.scale
    name, _, number = target.partition(":") if isinstance(target, str) else ("", "", "")
    metric, value = METRICS.get(name.strip().lower()), _number(number)
    if metric is None or value is None or not metric.least <= value <= metric.most:
        ranges = " or ".join(f"{each}:{row.least:g} to {each}:{row.most:g}" for each, row in METRICS.items())
        raise OptionError(f"{given} is no metric with a number: use {ranges}, such as 'vmaf:95'")
    if not is_here(metric):
        raise OptionError(f"{given} can't be measured: the FFmpeg of PyAV has no libvmaf here: use 'xpsnr:42'")
    if scale is None or not is_measurable(format):
        kind = f"{format.codec.called} in {format.pixel_format.name}"
        raise OptionError(f"{given} does not go with {kind}: it is for a crf and 8-bit Y'CbCr: leave it out")
    if not is_crf_of_level(format.codec, quality, options):
        raise OptionError(f"{given} chooses the crf itself: leave crf=, bitrates and quantisers out")
    return Target(name.strip().lower(), metric, value, scale)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


class _Try(NamedTuple):
    """What came of a crf, told by how far it is from the scale's best: the score, and the journal."""

    distance: float
    score: float
    journal: BinaryIO


@dataclass(frozen=True)
class Target:
    """A metric, and the least that it is to be."""

    name: str
    metric: Metric
    least: float
    scale: CrfScale
    notes_frames: ClassVar[bool] = False

    def check_size(self, width: int, height: int) -> None:
        """Raise FrameError where frames of this size are too small for the metric."""
        if not is_large_enough(self.metric, width, height):
            raise FrameError(f"frames are {width}x{height}: too small for target={self}")

    def __str__(self) -> str:
        return f"'{self.name}:{self.least:g}'"

    def drops(self, info: VideoInfo) -> bool:
        """Keep what comes first: nothing says yet that it is not near enough."""
        return False

    def settle(
        self, passes: Passes, made: VideoInfo, finish: Callable[[BinaryIO], VideoInfo], stop: Callable[[], bool]
    ) -> Settled:
        """Encode again until the score is what was asked, or a little more. Raises as `Aim.settle`."""
        options = dict(passes.settings.options)
        first = abs(self.scale.crf_of(options) - self.scale.best)
        tries = [_Try(first, self._score(passes, passes.journal), passes.journal)]
        while (distance := self._next(tries)) is not None:
            journal = passes.scratch_file()
            passes.encode(journal, options | self.scale.options_at(self._crf(distance)), stop)
            tries.append(_Try(distance, self._score(passes, journal), journal))
        enough = [each for each in tries if each.score >= self.least]
        best = max(enough) if enough else max(tries, key=lambda each: each.score)
        info = made if best is tries[0] else finish(best.journal)
        metric = f"{self.name} {best.score:.2f}{self.metric.unit} at crf {self._crf(best.distance):g}"
        if not enough:
            return Settled(info, warning=f"target={self} is not reached: the best is {metric}")
        return Settled(info, f"{metric}, for target={self}")

    def _score(self, passes: Passes, journal: BinaryIO) -> float:
        pairs = zip(passes.frames(journal), passes.frames(), strict=True)
        return self.metric.measure(pairs, Bench(passes.scratch_folder(), passes.settings.threads))

    def _next(self, tries: Sequence[_Try]) -> float | None:
        """Give the next distance to try, by the tries next to it; None where one more would gain nothing."""
        near = max((each for each in tries if each.score >= self.least), default=None)
        far = min((each for each in tries if each.score < self.least), default=None)
        if len(tries) > _MOST_PASSES or (near and near.score <= self.least + self.metric.near):
            return None
        aim, usual = self.least + self.metric.near / 2, self.metric.step * _RANGE / self._length
        if near and far:
            part = (near.score - aim) / max(near.score - far.score, 1e-9)
            inside = (far.distance - near.distance) * min(max(part, 0.1), 0.9)
            found = near.distance + inside
        else:
            (only, *_) = sorted(tries, key=lambda each: abs(each.score - aim))
            further = len(tries) * (only.score - aim) / usual  # a metric near its end hardly moves with the crf
            found = only.distance + min(max(further, -self._length), self._length)
        step = self.scale.step or _STEP
        found = min(max(math.floor(found / step + 0.5) * step, self._least), self._length)
        return None if any(abs(each.distance - found) < step / 2 for each in tries) else found

    def _crf(self, distance: float) -> float:
        return round(self.scale.best + math.copysign(distance, self.scale.worst - self.scale.best), 2)

    @property
    def _length(self) -> float:
        return abs(self.scale.worst - self.scale.best)

    @property
    def _least(self) -> float:
        """Above 0, at which x264 is lossless, and of another profile."""
        return self.scale.step or 1.0
