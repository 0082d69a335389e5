"""What an HDR video says of its light: the display it was judged on (SMPTE ST 2086), how bright it is (CTA-861.3).

In MP4 they are the boxes `mdcv` and `clli` (ISO/IEC 14496-12 12.1.6, 12.1.7), whose payloads are those of HEVC's SEI
messages (H.265 D.2.28, D.2.35); in AV1 they are metadata OBUs (AV1 5.8.3, 5.8.4). Every key frame has them.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from av import VideoFrame

from .errors import OptionError
from .pyav import side_data

Chromaticity = tuple[float, float]


@dataclass(frozen=True)
class ContentLight:
    """How bright a video is, in cd/m2: its brightest pixel, and the mean over the pixels of its brightest frame.

    A pixel is as bright as the brightest of its red, green and blue (CTA-861.3 annex A). 0 means unknown.
    """

    max_cll: int
    max_fall: int

    def __str__(self) -> str:
        return f"MaxCLL {self.max_cll}, MaxFALL {self.max_fall} cd/m2"


@dataclass(frozen=True)
class MasteringDisplay:
    """The display that a video was judged on: x and y of its primaries and white, and its luminance in cd/m2.

    Without arguments it is one of P3's primaries and 1000 cd/m2. Values are kept to 4 decimals, `max_luminance` to 2,
    which every file format can hold.

    >>> MasteringDisplay(max_luminance=4000, min_luminance=0.005).max_luminance
    4000.0
    """

    red: Chromaticity = (0.680, 0.320)  # SMPTE EG 432-1, "P3-D65"
    green: Chromaticity = (0.265, 0.690)
    blue: Chromaticity = (0.150, 0.060)
    white: Chromaticity = (0.3127, 0.3290)
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


def parse_mastering_display(given: Any, hdr: str | None) -> MasteringDisplay | None:
    """Check `mastering_display`; None unless the colour is HDR's, "pq" or "hlg", whose default is `MasteringDisplay()`.

    Raises:
        OptionError: it is none, is out of what a file can hold, or does not go with the colour.
    """
    if hdr is None:
        if given is not None:
            raise OptionError("mastering_display= is for color='pq' and color='hlg': leave it out")
        return None
    display = MasteringDisplay() if given is None else given
    if not isinstance(display, MasteringDisplay):
        raise OptionError(f"mastering_display={given!r} is none: use telecine.MasteringDisplay(max_luminance=1000)")
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


@dataclass(frozen=True)
class HdrMetadata:
    """Both, as they are written."""

    mastering_display: MasteringDisplay
    content_light: ContentLight

    @property
    def boxes(self) -> bytes:
        """The boxes of a sample entry."""
        boxes = ((b"mdcv", self._mdcv), (b"clli", self._clli))
        return b"".join(struct.pack(">L", 8 + len(payload)) + kind + payload for kind, payload in boxes)

    def in_key_frame(self, codec: str, packet: bytes) -> bytes:
        """Give a key frame's packet of "hevc" or "av1" with them in it."""
        return _WRITERS[codec](self, packet)

    @property
    def _mdcv(self) -> bytes:
        display = self.mastering_display
        points = *display.green, *display.blue, *display.red, *display.white
        return struct.pack(
            ">8H2L",
            *(round(50000 * value) for value in points),
            round(10000 * display.max_luminance),
            round(10000 * display.min_luminance),
        )

    @property
    def _clli(self) -> bytes:
        return struct.pack(">2H", self.content_light.max_cll, self.content_light.max_fall)

    def _in_hevc(self, packet: bytes) -> bytes:
        """In a prefix SEI unit in front of the first slice (H.265 7.3.1.1, 7.4.2.4.4)."""
        at = 0
        while at + 4 < len(packet) and packet[at + 4] >> 1 & 63 >= 32:  # nal_unit_type of what is no slice
            at += 4 + int.from_bytes(packet[at : at + 4], "big")
        messages = b"\x89\x18" + self._mdcv + b"\x90\x04" + self._clli  # payloadType 137 and 144, their sizes
        payload = re.sub(rb"\0\0(?=[\0-\3])", b"\0\0\3", messages + b"\x80")  # H.265 7.4.2: no start code within
        unit = b"\x4e\x01" + payload  # nal_unit_type 39
        return packet[:at] + struct.pack(">L", len(unit)) + unit + packet[at:]

    def _in_av1(self, packet: bytes) -> bytes:
        """In metadata OBUs after the sequence header (AV1 7.5)."""
        display, light = self.mastering_display, self.content_light
        points = *display.red, *display.green, *display.blue, *display.white
        mdcv = struct.pack(
            ">8H2L",
            *(round(65536 * value) for value in points),
            round(256 * display.max_luminance),
            round(16384 * display.min_luminance),
        )
        clli = struct.pack(">2H", light.max_cll, light.max_fall)
        obus = b"".join(
            bytes((5 << 3 | 2, 2 + len(payload), kind)) + payload + b"\x80"  # OBU_METADATA, with its size
            for kind, payload in ((1, clli), (2, mdcv))
        )
        at = _end_of_sequence_header(packet)
        return packet[:at] + obus + packet[at:]


_WRITERS: dict[str, Callable[[HdrMetadata, bytes], bytes]] = {
    "hevc": HdrMetadata._in_hevc,
    "av1": HdrMetadata._in_av1,
}


def _end_of_sequence_header(packet: bytes) -> int:
    """Where the OBU ends that a key frame begins with; 0 if that is no sequence header (AV1 5.3.2, 4.10.5)."""
    if packet[0] >> 3 & 15 != 1:
        return 0
    at, size, shift = 1 + (packet[0] >> 2 & 1), 0, 0
    while True:
        size |= (packet[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if packet[at - 1] < 128:
            return at + size


def metadata_of(frame: VideoFrame) -> tuple[MasteringDisplay | None, ContentLight | None]:
    """Give what FFmpeg found of them with a decoded frame."""
    found = side_data(frame)
    display = light = None
    if "MASTERING_DISPLAY_METADATA" in found:
        # AVMasteringDisplayMetadata: ten rationals, and whether the first eight and the last two are known.
        numbers = struct.unpack_from("=22i", found["MASTERING_DISPLAY_METADATA"])
        if numbers[20] and numbers[21]:
            values = [top / bottom for top, bottom in zip(numbers[0:20:2], numbers[1:20:2], strict=True)]
            red, green, blue, white = zip(values[0:8:2], values[1:8:2], strict=True)
            display = MasteringDisplay(red, green, blue, white, max_luminance=values[9], min_luminance=values[8])
    if "CONTENT_LIGHT_LEVEL" in found:
        light = ContentLight(*struct.unpack_from("=2I", found["CONTENT_LIGHT_LEVEL"]))
    return display, light
