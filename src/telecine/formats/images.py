"""The tables of images that move, and of folders of numbered images."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple


class MovingImageFormat(NamedTuple):
    """An image that moves: what picks it, its clock, its bounds, and what quality levels mean for it.

    `tick` is the unit of its clock in seconds, None where times are exact. `shortest` and `longest` bound how long a
    frame is shown. A level's quality is what its encoder takes, None for lossless; only with `numbers` are others
    accepted. `alpha` is "kept", or "on or off" where a pixel is shown or not. `metadata_moves` where a manifest that is
    put into the file moves the metadata from where the file says that it is. It `grows` where it can be handed out so.
    """

    name: str
    extensions: tuple[str, ...]
    tick: Fraction | None
    shortest: Fraction
    longest: Fraction
    largest_side: int
    most_loops: int
    qualities: Mapping[str, float | None]
    numbers: bool = False
    alpha: str = "kept"
    metadata_moves: bool = False
    grows: bool = False


class SequenceFormat(NamedTuple):
    """A folder of numbered images: their extension, their depths, the first being the default, and alpha.

    32 bits are floats, as are OpenEXR's 16. `qualities` is libjpeg's scale of 0 to 100 for each level, None elsewhere.
    """

    name: str
    extension: str
    bits: tuple[int, ...]
    alpha: bool
    qualities: Mapping[str, int | None]
    largest_side: int = 2**31 - 1
    metadata: bool = False


# Chromium, Firefox and WebKit show a frame of up to 10 ms for 100 ms.
_SHORTEST = Fraction(11, 1000)
_LOSSY_LEVELS = ("draft", "balanced", "high", "visually-lossless")
_LOSSLESS = MappingProxyType(dict.fromkeys((*_LOSSY_LEVELS, "lossless")))  # the same at every level

_MOVING_IMAGES = (
    MovingImageFormat(
        name="gif",
        grows=True,
        extensions=(".gif",),
        tick=Fraction(1, 100),
        shortest=Fraction(2, 100),
        longest=Fraction(65535, 100),
        largest_side=65535,
        most_loops=65536,
        # How many colours. Where the clip has no more than that, it is exact.
        qualities=MappingProxyType({"draft": 64, "balanced": 128, "high": 256, "visually-lossless": 256}),
        alpha="on or off",
    ),
    MovingImageFormat(
        name="webp",
        extensions=(".webp",),
        tick=Fraction(1, 1000),
        shortest=_SHORTEST,
        longest=Fraction(2**24 - 1, 1000),
        largest_side=16383,
        most_loops=65535,
        qualities=MappingProxyType(
            {"draft": 50, "balanced": 75, "high": 90, "visually-lossless": 97, "lossless": None}
        ),
        numbers=True,
    ),
    MovingImageFormat(
        name="apng",
        extensions=(".apng",),
        tick=None,
        shortest=_SHORTEST,
        longest=Fraction(65535),
        largest_side=65535,
        most_loops=65535,
        qualities=_LOSSLESS,
    ),
    MovingImageFormat(
        name="avif",
        extensions=(".avif",),
        tick=Fraction(1, 1000),
        shortest=_SHORTEST,
        longest=Fraction(2**31 - 1, 1000),
        largest_side=16384,
        most_loops=0,  # Pillow's are shown forever
        qualities=MappingProxyType({"draft": 50, "balanced": 65, "high": 80, "visually-lossless": 92}),
        numbers=True,
        metadata_moves=True,  # c2pa-rs leaves the offsets of items as they were
    ),
)
MOVING_IMAGES = {row.name: row for row in _MOVING_IMAGES}

_JPEG = MappingProxyType({"draft": 75, "balanced": 85, "high": 95, "visually-lossless": 98})
_HALVES = MappingProxyType(dict.fromkeys(_LOSSY_LEVELS))  # which are not what came
_SEQUENCES = (
    SequenceFormat("png", ".png", bits=(8, 16), alpha=True, qualities=_LOSSLESS, metadata=True),
    SequenceFormat("tiff", ".tif", bits=(8, 16, 32), alpha=True, qualities=_LOSSLESS),
    SequenceFormat("jpeg", ".jpg", bits=(8,), alpha=False, qualities=_JPEG, largest_side=65500),
    SequenceFormat("exr", ".exr", bits=(16,), alpha=True, qualities=_HALVES),
)
SEQUENCES = {row.name: row for row in _SEQUENCES}
