"""The colour description of a video: matrix, primaries, transfer and range, and FFmpeg's names for them.

The numbers are the code points of ITU-T H.273, which FFmpeg, the H.264 VUI and the MP4 `colr` box share.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import OptionError

# H.273 table 4: the weights of red and blue in luma, by matrix coefficients.
_LUMA_WEIGHTS = {
    1: (0.2126, 0.0722),  # BT.709 §3.2
    4: (0.30, 0.11),  # FCC
    5: (0.299, 0.114),  # BT.601 §2.5.1, 625 lines
    6: (0.299, 0.114),  # BT.601, 525 lines
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020 non-constant luminance
}

_MATRIX_NAMES = {0: "rgb", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020nc"}
_PRIMARIES_NAMES = {1: "bt709", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020", 12: "smpte432"}
_TRANSFER_NAMES = {1: "bt709", 6: "smpte170m", 8: "linear", 13: "iec61966-2-1", 16: "smpte2084", 18: "arib-std-b67"}
_UNSPECIFIED = 2
_BT601_IF_UNTAGGED = {"vp8", "vp9", "av1"}  # of any size, in any container


def _name(names: dict[int, str], code: int) -> str:
    return "unspecified" if code == _UNSPECIFIED else names.get(code, f"h273-{code}")


@dataclass(frozen=True)
class Color:
    """How code values are meant: H.273 code points, and whether they use the full range.

    >>> Color.of_size(720, 480).matrix_name, Color.of_size(1360, 768).matrix_name
    ('smpte170m', 'bt709')
    """

    matrix: int = _UNSPECIFIED
    primaries: int = _UNSPECIFIED
    transfer: int = _UNSPECIFIED
    full_range: bool = False

    @classmethod
    def of_size(cls, width: int, height: int) -> Color:
        """BT.601 up to 576 lines and 1024 columns, BT.709 above: what readers that ignore the tags assume."""
        return BT601 if height <= 576 and width <= 1024 else BT709

    @classmethod
    def of_untagged(cls, codec: str, height: int) -> Color:
        """Give what Chromium shows a video by that says no matrix: BT.601 of VP8, VP9, AV1, and under 720 lines.

        >>> Color.of_untagged("vp9", 720).matrix_name, Color.of_untagged("h264", 720).matrix_name
        ('smpte170m', 'bt709')
        """
        return BT601 if codec in _BT601_IF_UNTAGGED or height < 720 else BT709

    @property
    def luma_weights(self) -> tuple[float, float]:
        """The weights of red and blue in luma; those of BT.709 where the matrix has none (H.273 table 4)."""
        return _LUMA_WEIGHTS.get(self.matrix, _LUMA_WEIGHTS[1])

    @property
    def matrix_name(self) -> str:
        """FFmpeg's name of the matrix."""
        return _name(_MATRIX_NAMES, self.matrix)

    @property
    def primaries_name(self) -> str:
        """FFmpeg's name of the primaries."""
        return _name(_PRIMARIES_NAMES, self.primaries)

    @property
    def transfer_name(self) -> str:
        """FFmpeg's name of the transfer function."""
        return _name(_TRANSFER_NAMES, self.transfer)

    @property
    def range_name(self) -> str:
        """`limited` or `full`."""
        return "full" if self.full_range else "limited"

    @property
    def hdr(self) -> str | None:
        """Give "pq" or "hlg", the two transfer functions of BT.2100, or None."""
        return {16: "pq", 18: "hlg"}.get(self.transfer)

    def __str__(self) -> str:
        return (
            f"{self.matrix_name} matrix, {self.primaries_name} primaries, "
            f"{self.transfer_name} transfer, {self.range_name} range"
        )


# Generated frames are display-referred RGB with BT.709's primaries, whatever their size: only the matrix differs.
BT601 = Color(matrix=6, primaries=1, transfer=1)
BT709 = Color(matrix=1, primaries=1, transfer=1)
# RGB itself (H.273: matrix 0 is the identity), in full range.
RGB = Color(matrix=0, primaries=1, transfer=1, full_range=True)
# BT.2100 tables 2, 4, 5 and 6, as H.273 counts them.
PQ = Color(matrix=9, primaries=9, transfer=16)
HLG = Color(matrix=9, primaries=9, transfer=18)

_CHOICES = {"bt601": BT601, "bt709": BT709, "pq": PQ, "hlg": HLG}


def parse_color(color: str) -> Color | None:
    """Give the colour that `color` names, or None for "auto", which is by size.

    Raises:
        OptionError: it is none of "auto", "bt601", "bt709", "pq" and "hlg".
    """
    if color == "auto":
        return None
    if not (isinstance(color, str) and color in _CHOICES):
        raise OptionError(f"color={color!r} is not known: use 'auto', {', '.join(map(repr, _CHOICES))}")
    return _CHOICES[color]
