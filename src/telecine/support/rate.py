"""Numbers as they are given: whole ones, and the frame rate, always an exact fraction."""

from __future__ import annotations

import math
import numbers
from fractions import Fraction
from typing import SupportsFloat, TypeAlias, TypeGuard

from ..errors import OptionError

FrameRate: TypeAlias = "int | float | str | Fraction | SupportsFloat"

# ITU-R BT.709 part 2 and SMPTE ST 2036: 24, 30, 60 and 120 divided by 1.001, as they are written in short.
_SHORT = {Fraction(nominal): Fraction(exact * 1000, 1001) for nominal, exact in
          (("23.976", 24), ("29.97", 30), ("59.94", 60), ("119.88", 120))}  # fmt: skip
_MOST_TICKS = 2**31 - 1  # a media time scale is 32 bit (ISO/IEC 14496-12 8.4.2)
# 1/120000 s divides milliseconds, the frames of every common rate and those of the n/1001 ones.
VARIABLE_TIME_BASE = Fraction(1, 120_000)
MOST_TICKS_A_FRAME = 2**26  # and so are a sample's duration and its offset, by what frames are reordered (8.6.1)


def is_whole(number: object) -> TypeGuard[int]:
    """Tell whether this is a whole number, of Python's or NumPy's."""
    return isinstance(number, numbers.Integral) and not isinstance(number, bool)


def parse_fps(fps: FrameRate, name: str = "fps") -> Fraction:
    """Read a frame rate as an exact fraction; errors call it by the name.

    >>> parse_fps(16), parse_fps("24000/1001"), parse_fps(29.97), parse_fps(12.5)
    (Fraction(16, 1), Fraction(24000, 1001), Fraction(30000, 1001), Fraction(25, 2))

    Raises:
        OptionError: it is no number, not above 0, or no fraction that a file can hold.
    """
    accepted = "use a number above 0, a Fraction or text such as '24000/1001'"
    try:
        rate = _fraction(fps)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        raise OptionError(f"{name}={fps!r} is no frame rate: {accepted}") from None
    if rate <= 0:
        raise OptionError(f"{name}={fps!r} is not above 0: {accepted}")
    if rate.numerator > _MOST_TICKS or rate.denominator > MOST_TICKS_A_FRAME:
        raise OptionError(f"{name}={fps!r} is {rate}, which an MP4's clock can't count: use a simpler fraction")
    return rate


def ticks_a_second(rate: Fraction) -> int:
    """Give the time scale for a file of so many frames a second.

    Every frame lasts a whole number of ticks, so that durations are exact (ISO/IEC 14496-12 8.2.2, 8.4.2). They are
    10,000 a second or more, as FFmpeg itself takes, while a frame's fit their 32 bits with room for what encoders add.
    """
    ticks = rate.numerator
    while ticks < 10_000 and 2 * ticks / rate <= MOST_TICKS_A_FRAME:
        ticks *= 2
    return ticks


def _fraction(fps: FrameRate) -> Fraction:
    if isinstance(fps, bool):
        raise TypeError
    if isinstance(fps, numbers.Rational):  # int, Fraction, NumPy's integers
        return Fraction(int(fps.numerator), int(fps.denominator))
    # A float is the short decimal that it prints as: 12.5 is 25/2, and 29.97 stands for 30000/1001.
    text = fps.strip() if isinstance(fps, str) else str(fps if math.isfinite(float(fps)) else "no number")
    decimal = Fraction(text)
    if "/" in text:
        return decimal
    simple = decimal.limit_denominator(1001)  # 23.976023976023978 is 24000/1001
    return _SHORT.get(decimal) or (simple if math.isclose(simple, decimal, rel_tol=1e-15) else decimal)
