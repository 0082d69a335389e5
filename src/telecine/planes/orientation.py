"""How a stored picture is turned to be shown: the eight ways that Exif and a video's display matrix can say."""

from __future__ import annotations

import math
import struct
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

_ROUND = 1  # degree: what FFmpeg's players take for a quarter turn (fftools/ffplay.c)


class Orientation(NamedTuple):
    """What is done to a stored picture to show it.

    Where `mirrored`, left and right change places first; then it is turned clockwise by `rotation` degrees.
    """

    rotation: int = 0
    mirrored: bool = False

    @property
    def upright(self) -> bool:
        """Whether the picture is shown as it is stored."""
        return self == UPRIGHT

    @property
    def lying(self) -> bool:
        """Whether width and height change places."""
        return self.rotation in (90, 270)

    @property
    def known(self) -> bool:
        """Whether it is by quarter turns: another angle can't be shown without scaling."""
        return self.rotation % 90 == 0

    def shown(self, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """View a stored picture, (height, width, …), as it is shown.

        >>> Orientation(90).shown(np.array([[1, 2, 3], [4, 5, 6]])).tolist()
        [[4, 1], [5, 2], [6, 3]]
        """
        return np.rot90(stored[:, ::-1] if self.mirrored else stored, -self.rotation // 90)

    def stored(self, shown: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """View a picture that is shown as it is stored: the inverse."""
        turned = np.rot90(shown, self.rotation // 90)
        return turned[:, ::-1] if self.mirrored else turned


UPRIGHT = Orientation()
# TIFF 6.0, tag 274; Exif 2.32, 4.6.4 A.
_OF_EXIF = {
    2: Orientation(0, mirrored=True),
    3: Orientation(180),
    4: Orientation(180, mirrored=True),
    5: Orientation(270, mirrored=True),
    6: Orientation(90),
    7: Orientation(90, mirrored=True),
    8: Orientation(270),
}
ORIENTATION_TAG = 274  # of Exif, and of TIFF 6.0


def of_exif(value: object) -> Orientation:
    """Give what a value of Exif's tag says; what none of the eight is says nothing."""
    return _OF_EXIF.get(value, UPRIGHT) if isinstance(value, int) else UPRIGHT


def of_display_matrix(matrix: bytes) -> Orientation:
    """Read a display matrix as FFmpeg has it: nine native ints, of which four turn (ISO/IEC 14496-12 6.2.2).

    A picture's x and y, which goes down, become a x + c y and b x + d y.
    """
    a, b, _, c, d = struct.unpack_from("=5i", matrix)
    if a == b == c == d == 0:
        return UPRIGHT
    degrees = math.degrees(math.atan2(-c, d)) % 360
    quarter = round(degrees / 90) * 90
    return Orientation(round(degrees if abs(degrees - quarter) > _ROUND else quarter) % 360, a * d < b * c)
