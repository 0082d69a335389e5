"""What an HDR video says of its light: the display it was judged on (SMPTE ST 2086), how bright it is (CTA-861.3).

In MP4 they are the boxes `mdcv` and `clli` (ISO/IEC 14496-12 12.1.6, 12.1.7), whose payloads are those of HEVC's SEI
messages (H.265 D.2.28, D.2.35); in AV1 they are metadata OBUs (AV1 5.8.3, 5.8.4). Every key frame has them.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import NamedTuple

from av import VideoFrame

from ..color.hdr import ContentLight, MasteringDisplay
from ..support.pyav import side_data
from .boxes import mp4_box


class HdrMetadata(NamedTuple):
    """Both, as they are written."""

    mastering_display: MasteringDisplay
    content_light: ContentLight

    @property
    def boxes(self) -> bytes:
        """The boxes of a sample entry."""
        return mp4_box(b"mdcv", self._mdcv) + mp4_box(b"clli", self._clli)

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
