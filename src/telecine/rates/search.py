"""The search for the rate at which a file is just below a limit of bytes: which to try next, by what came of others.

A rate is told as a level, of which the next whole one doubles the bytes, roughly: the logarithm of a bitrate, or a crf
on a scale of that kind.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO, Protocol

from ..encode.encoder import EncoderSettings
from ..formats.codecs import CrfScale
from ..read.probe import VideoInfo

_AIM = 0.97  # of the limit: what a pass makes is a few percent off
_GOOD = 0.9  # of the limit: one more pass would gain little
_NO_SMALLER = 0.99  # of the smallest file: the encoder has reached its lowest rate
_MOST_PASSES = 6  # after the first
_GENTLEST, _STEEPEST = 0.25, 4.0  # doublings of the bytes from one level to the next, as far as two tries are believed
_HALVINGS = 8  # of the bytes, from the best crf to the worst on any encoder's scale, roughly
_ROUNDING = 1e-6  # what a logarithm and back is off by


# ---- what an encoder can be set to ---------------------------------------------------------------------------------


class RateScale(Protocol):
    """The levels of one encoder's rate."""

    @property
    def lowest(self) -> float:
        """The level of the smallest file."""

    def rounded(self, level: float) -> float:
        """Give the next level below that the encoder can be set to."""

    def options(self, level: float) -> dict[str, str]:
        """Give the encoder's options at a level."""

    def in_words(self, level: float) -> str:
        """Say what the encoder is told at a level."""


def scale_and_level(settings: EncoderSettings, bit_rate: float | Fraction) -> tuple[RateScale, float]:
    """Give an encoder's scale, and the level of a pass with these settings that took so many bits a second."""
    options, codec = dict(settings.options), settings.format.codec
    assert codec.scale is not None
    if codec.parameters.statistics:
        return _Bitrates(settings, codec.scale), math.log2(bit_rate)
    crfs = _Crfs(settings, codec.scale)
    return crfs, crfs.level(codec.scale.crf_of(options))


@dataclass(frozen=True)
class _Bitrates:
    """Whole kilobits a second, in place of the crf that the settings have."""

    settings: EncoderSettings
    scale: CrfScale

    @property
    def lowest(self) -> float:
        return math.log2(1000)

    def rounded(self, level: float) -> float:
        return math.log2(1000 * self._kilobits(level))

    def options(self, level: float) -> dict[str, str]:
        others = {name: value for name, value in self.settings.options if name not in self.scale.options}
        return others | dict(self.scale.at_bitrate) | {"b": f"{self._kilobits(level)}k"}

    def in_words(self, level: float) -> str:
        return f"{self._kilobits(level)} kb/s"

    def _kilobits(self, level: float) -> int:
        return max(1, int(2**level / 1000 + _ROUNDING))


@dataclass(frozen=True)
class _Crfs:
    """The crfs that an encoder has, from the worst at level 0 to the best, each a step from the next."""

    settings: EncoderSettings
    scale: CrfScale

    @property
    def lowest(self) -> float:
        return 0.0

    def level(self, crf: float) -> float:
        """Give the level of a crf."""
        return _HALVINGS * (self.scale.worst - crf) / (self.scale.worst - self.scale.best)

    def rounded(self, level: float) -> float:
        return math.floor(level * self._steps_a_level + _ROUNDING) / self._steps_a_level

    def options(self, level: float) -> dict[str, str]:
        return dict(self.settings.options) | self.scale.options_at(self._crf(level))

    def in_words(self, level: float) -> str:
        return f"crf {self._crf(level):g}"

    def _crf(self, level: float) -> float:
        best, worst = self.scale.best, self.scale.worst
        return worst - math.copysign(self.scale.step, worst - best) * round(level * self._steps_a_level)

    @property
    def _steps_a_level(self) -> float:
        return abs(self.scale.worst - self.scale.best) / self.scale.step / _HALVINGS


# ---- which of them to try ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Try:
    """What came of a pass at a level: the bytes of its packets, the finished file, and the journal it is made from."""

    level: float
    packet_bytes: int
    info: VideoInfo
    journal: BinaryIO

    @property
    def size(self) -> int:
        """The bytes of the file."""
        return self.info.size_bytes


class Bracket:
    """Closes in on a limit of bytes, from tries that are too large above it and others that are not below.

    Each level that `propose` gives comes back by `accept`, or by `refuse` where the encoder does not take it.
    """

    def __init__(self, limit: int, scale: RateScale, first: Try) -> None:
        """Begin with the first pass's file, which is too large."""
        self._limit, self._scale = limit, scale
        self._tries, self._refused = [first], [-math.inf]

    @property
    def tries(self) -> Sequence[Try]:
        """All that were accepted, the latest last."""
        return self._tries

    @property
    def best(self) -> Try | None:
        """The largest file that is not too large; None as long as all are."""
        return max(self._within(), key=lambda each: each.size, default=None)

    def propose(self) -> float | None:
        """Give the level to try next; None where one more pass would gain nothing."""
        if len(self._tries) > _MOST_PASSES or self._is_settled():
            return None
        refused, level = max(self._refused), self._scale.rounded(self._estimate())
        if level <= refused:  # which it was rounded down to
            level = self._scale.rounded((refused + self._lowest_too_large()) / 2)
        return None if level <= refused or level in {each.level for each in self._tries} else level

    def accept(self, tried: Try) -> None:
        """Take in what came of a level, too large or not."""
        self._tries.append(tried)

    def refuse(self, level: float) -> None:
        """Leave out a level and all below it, which the encoder does not take."""
        self._refused.append(level)

    def _within(self) -> list[Try]:
        return [each for each in self._tries if each.size <= self._limit]

    def _lowest_too_large(self) -> float:
        return min(each.level for each in self._tries if each.size > self._limit)

    def _is_settled(self) -> bool:
        """Tell whether a file is near the limit, or the last was to be smaller than all others and isn't."""
        if any(each.size >= _GOOD * self._limit for each in self._within()):
            return True
        *before, last = self._tries
        if not before or last.size <= self._limit or any(each.level <= last.level for each in before):
            return False
        return last.size >= _NO_SMALLER * min(each.size for each in before)

    def _estimate(self) -> float:
        """Give the level at which the file would be just below the limit, by a line through the two nearest tries.

        It lies between what was within the limit, or was refused, and what was not.
        """
        last = self._tries[-1]
        wanted = max(1.0, _AIM * self._limit - (last.size - last.packet_bytes))
        nearest, *others = sorted(self._tries, key=lambda each: abs(math.log2(each.packet_bytes / wanted)))
        slope = 1.0
        if others:
            slope = math.log2(others[0].packet_bytes / nearest.packet_bytes) / (others[0].level - nearest.level)
        level = nearest.level + math.log2(wanted / nearest.packet_bytes) / min(max(slope, _GENTLEST), _STEEPEST)
        lowest, refused, high = self._scale.lowest, max(self._refused), self._lowest_too_large()
        low = max((each.level for each in self._within()), default=max(lowest, refused))
        if low < level < high:
            return level
        return lowest if level <= low == lowest > refused else (low + high) / 2
