"""What is known of an HDR video's light: the display it was judged on (SMPTE ST 2086), how bright it is (CTA-861.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from ..errors import OptionError
from .primaries import D65, PRIMARIES, Chromaticity

_RED, _GREEN, _BLUE = PRIMARIES["p3-d65"]


@dataclass(frozen=True)
class ContentLight:
    """How bright a video is, in cd/m2: its brightest pixel, and the mean over the pixels of its brightest frame.

    A pixel is as bright as the brightest of its red, green and blue (CTA-861.3 annex A). 0 means unknown.
    """

    max_cll: int
    max_fall: int

    def __str__(self) -> str:
        return f"MaxCLL {self.max_cll}, MaxFALL {self.max_fall} cd/m2"


class FrameLight(NamedTuple):
    """How bright one frame is, in cd/m2: its brightest pixel, and the mean over its pixels."""

    brightest: float
    mean: float


class LightMeter:
    """Takes in how bright each frame of a video is."""

    def __init__(self) -> None:
        self._brightest = self._brightest_mean = 0.0

    def add(self, light: FrameLight) -> None:
        """Take in a frame."""
        self._brightest = max(self._brightest, light.brightest)
        self._brightest_mean = max(self._brightest_mean, light.mean)

    @property
    def content_light(self) -> ContentLight:
        """How bright the frames so far are."""
        return ContentLight(round(self._brightest), round(self._brightest_mean))


@dataclass(frozen=True)
class MasteringDisplay:
    """The display that a video was judged on: x and y of its primaries and white, and its luminance in cd/m2.

    Without arguments it is one of P3's primaries and 1000 cd/m2. Values are kept to 4 decimals, `max_luminance` to 2,
    which every file format can hold.

    >>> MasteringDisplay(max_luminance=4000, min_luminance=0.005).max_luminance
    4000.0
    """

    red: Chromaticity = _RED
    green: Chromaticity = _GREEN
    blue: Chromaticity = _BLUE
    white: Chromaticity = D65
    max_luminance: float = 1000.0
    min_luminance: float = 0.0001

    def __post_init__(self) -> None:
        for name in ("red", "green", "blue", "white"):
            x, y = getattr(self, name)
            object.__setattr__(self, name, (round(float(x), 4), round(float(y), 4)))
        object.__setattr__(self, "max_luminance", round(float(self.max_luminance), 2))
        object.__setattr__(self, "min_luminance", round(float(self.min_luminance), 4))

    def __str__(self) -> str:
        points = " ".join(f"{name} ({x:g}, {y:g})" for name, (x, y) in self.chromaticities.items())
        return f"{self.min_luminance:g} to {self.max_luminance:g} cd/m2, {points}"

    @property
    def chromaticities(self) -> dict[str, Chromaticity]:
        """The points by name."""
        return {"red": self.red, "green": self.green, "blue": self.blue, "white": self.white}


def parse_mastering_display(value: Any, hdr: str | None) -> MasteringDisplay | None:
    """Check `mastering_display`; None unless the colour is HDR's, "pq" or "hlg", whose default is `MasteringDisplay()`.

    Raises:
        OptionError: it is none, is out of what a file can hold, or does not go with the colour.
    """
    if hdr is None:
        if value is not None:
            raise OptionError("mastering_display= is for color='pq' and color='hlg': leave it out")
        return None
    display = MasteringDisplay() if value is None else value
    if not isinstance(display, MasteringDisplay):
        raise OptionError(f"mastering_display={value!r} is none: use telecine.MasteringDisplay(max_luminance=1000)")
    # H.265 D.3.28
    if not all(0.0001 <= x <= 0.74 and 0.0001 <= y <= 0.84 for x, y in display.chromaticities.values()):
        raise OptionError(f"mastering_display={display} has a colour out of range: x is 0.0001 to 0.74, y up to 0.84")
    if not (5 <= display.max_luminance <= 10000 and 0.0001 <= display.min_luminance <= 5):
        raise OptionError(
            f"mastering_display={display} is out of range: max_luminance is 5 to 10000, min_luminance 0.0001 to 5"
        )
    if hdr == "hlg" and display.max_luminance != 1000:
        raise OptionError(
            f"max_luminance={display.max_luminance:g} does not go with color='hlg', whose light is that of a display "
            "of 1000 cd/m2: leave it out"
        )
    return display
