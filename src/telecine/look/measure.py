"""How near clips are to others, frame by frame."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import zip_longest
from typing import NamedTuple, TypeAlias

from ..planes.frame import Frame
from ..read.fidelity import Fidelity, Meter, alike
from ..read.frames import Picture

Side: TypeAlias = Picture | Frame
_NOTHING = Fidelity(math.nan, math.nan, math.nan)


class Curve(NamedTuple):
    """How near a clip is to another, frame by frame."""

    name: str
    frames: Sequence[Fidelity]

    @property
    def whole(self) -> Fidelity:
        """How near all frames are: the mean error and SSIM, and XPSNR as FFmpeg sums it up, by the mean root error."""
        if not self.frames:
            return _NOTHING
        errors, similarities, weighted = zip(*self.frames, strict=True)
        root = _mean([10 ** (-each / 20) for each in weighted])
        return Fidelity(_mean(errors), _mean(similarities), -20 * math.log10(root) if root else math.inf)


class Measured(NamedTuple):
    """Curves, and in words why they have not all frames."""

    curves: Sequence[Curve]
    note: str


def measure(clips: Mapping[str, Iterator[Side]], pairs: Sequence[tuple[str, str]], fps: Fraction) -> Measured:
    """Measure the first clip of each pair of names against the second, its reference.

    Frames of the same number belong together, as far as all clips have one. They are taken one by one.

    Raises:
        InputError: a clip can't be read to its end.
        FrameError: a frame is none.
    """
    curves = [(Meter(fps), list[Fidelity]()) for _ in pairs]
    note = ""
    for number, row in enumerate(zip_longest(*clips.values())):
        sides = {name: side for name, side in zip(clips, row, strict=True) if side is not None}
        note = _why_not(clips, sides, pairs)
        if note:
            note = f"Measured are the first {number} frames: {note}" if number else f"There is no curve: {note}"
            break
        for (meter, found), (name, reference) in zip(curves, pairs, strict=True):
            found.append(meter.measure(*alike(sides[name], sides[reference])))
    return Measured([Curve(name, found) for (name, _), (_, found) in zip(pairs, curves, strict=True)], note)


def _why_not(clips: Mapping[str, object], sides: Mapping[str, Side], pairs: Sequence[tuple[str, str]]) -> str:
    """Say why the frames of one number can't be measured; empty where they can."""
    if missing := [name for name in clips if name not in sides]:
        return f"{' and '.join(missing)} end{'s' * (len(missing) == 1)} there"
    for name, side in sides.items():
        if isinstance(side, Picture) and not side.orientation.known:
            return f"{name} is to be turned by {side.orientation.rotation} degrees, which is no quarter turn"
    for name, reference in pairs:
        one, other = sides[name], sides[reference]
        if _size(one) != _size(other):
            return f"{name} is {_in_words(one)}, {reference} {_in_words(other)}"
        if _hdr(one) != _hdr(other):
            return f"{name} is {_hdr(one)}, {reference} {_hdr(other)}"
    return ""


def _size(side: Side) -> tuple[int, int]:
    """Give the sides as shown, even as 4:2:0 has them."""
    width, height = side.size if isinstance(side, Frame) else (side.frame.width, side.frame.height)
    if isinstance(side, Picture) and side.orientation.lying:
        width, height = height, width
    return width + width % 2, height + height % 2


def _in_words(side: Side) -> str:
    return "{}x{}".format(*_size(side))


def _hdr(side: Side) -> str:
    hdr = side.color.hdr if isinstance(side, Picture) else None
    return hdr.upper() if hdr else "SDR"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
