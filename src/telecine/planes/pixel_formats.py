"""The table of pixel formats that frames are converted to: their planes, depth, chroma and alpha."""

from __future__ import annotations

import functools
from typing import NamedTuple

from av.video.format import VideoFormat


class PixelFormat(NamedTuple):
    """How the pixels of one format lie in memory, by FFmpeg's name of it.

    `components` are in the order of the planes, or of the samples in a packed pixel: Y'CbCr as "YUV", RGB as "GBR" or
    another order, then "A" where alpha is held. `depth` is the bits of each, in native 16-bit words beyond 8 bit.
    `log2_chroma` is how often chroma is halved in width and height.

    >>> yuv422p10 = PIXEL_FORMATS["yuv422p10le"]
    >>> yuv422p10.depth, yuv422p10.log2_chroma, yuv422p10.rgb, yuv422p10.alpha
    (10, (1, 0), False, False)
    """

    name: str
    components: str
    depth: int = 8
    log2_chroma: tuple[int, int] = (0, 0)
    packed: bool = False

    @property
    def rgb(self) -> bool:
        """Whether the codes are RGB, in full range; else Y'CbCr."""
        return not self.components.startswith("YUV")

    @property
    def alpha(self) -> bool:
        """Whether it holds alpha, which is straight and in full range."""
        return self.components.endswith("A")

    @property
    def chroma(self) -> str:
        """How chroma is sampled: "4:2:0", "4:2:2" or "4:4:4", or "rgb"."""
        return "rgb" if self.rgb else {(1, 1): "4:2:0", (1, 0): "4:2:2", (0, 0): "4:4:4"}[self.log2_chroma]

    @property
    def bytes_per_sample(self) -> int:
        """The bytes that a sample takes in memory."""
        return 1 if self.depth == 8 else 2

    def bytes_of(self, width: int, height: int) -> int:
        """Give the bytes of a picture of these sides.

        >>> PIXEL_FORMATS["yuv420p"].bytes_of(64, 48), PIXEL_FORMATS["yuv422p10le"].bytes_of(64, 48)
        (4608, 12288)
        """
        whole = width * height * self.bytes_per_sample
        return whole * (len(self.components) - 2) + 2 * (whole >> sum(self.log2_chroma))

    def padding(self, width: int, height: int) -> tuple[int, int]:
        """Give the columns and lines by which a picture grows to sides that the halved chroma can hold.

        >>> PIXEL_FORMATS["yuv420p"].padding(63, 47), PIXEL_FORMATS["yuv422p"].padding(63, 47)
        ((1, 1), (1, 0))
        """
        wide, high = self.log2_chroma
        return -width % (1 << wide), -height % (1 << high)


_ROWS = (
    PixelFormat("yuv420p", "YUV", 8, (1, 1)),
    PixelFormat("yuv422p", "YUV", 8, (1, 0)),
    PixelFormat("yuv444p", "YUV", 8),
    PixelFormat("yuv420p10le", "YUV", 10, (1, 1)),
    PixelFormat("yuv422p10le", "YUV", 10, (1, 0)),
    PixelFormat("yuv444p10le", "YUV", 10),
    PixelFormat("yuv420p12le", "YUV", 12, (1, 1)),
    PixelFormat("yuv422p12le", "YUV", 12, (1, 0)),
    PixelFormat("yuv444p12le", "YUV", 12),
    PixelFormat("yuva420p", "YUVA", 8, (1, 1)),
    PixelFormat("yuva444p10le", "YUVA", 10),
    PixelFormat("yuva444p12le", "YUVA", 12),
    PixelFormat("gbrp", "GBR", 8),
    PixelFormat("gbrp10le", "GBR", 10),
    PixelFormat("gbrp12le", "GBR", 12),
    PixelFormat("gbrp16le", "GBR", 16),
    PixelFormat("gbrap", "GBRA", 8),
    PixelFormat("gbrap10le", "GBRA", 10),
    PixelFormat("gbrap12le", "GBRA", 12),
    PixelFormat("gbrap16le", "GBRA", 16),
    PixelFormat("rgb24", "RGB", 8, packed=True),
    PixelFormat("bgr24", "BGR", 8, packed=True),
    PixelFormat("rgba", "RGBA", 8, packed=True),
    PixelFormat("bgra", "BGRA", 8, packed=True),
    PixelFormat("rgb48le", "RGB", 16, packed=True),
    PixelFormat("rgba64le", "RGBA", 16, packed=True),
)
PIXEL_FORMATS = {row.name: row for row in _ROWS}


def codes_of_range(depth: int, full_range: bool) -> tuple[int, int, int]:
    """Give the codes of black and white, and the swing of chroma (BT.709 §4.6, BT.2100 table 9).

    >>> codes_of_range(8, False), codes_of_range(10, True)
    ((16, 235, 224), (0, 1023, 1023))
    """
    if full_range:
        return 0, 2**depth - 1, 2**depth - 1
    return 16 << depth - 8, 235 << depth - 8, 224 << depth - 8


MOST_PIXELS = 2**28 - 1  # FFmpeg's bound, with 128 added to each side (libavutil/imgutils.c); libavif's is as large


def is_too_large(width: int, height: int, largest_side: int) -> bool:
    """Tell whether no picture of these sides can be made, by FFmpeg or by a format whose sides are bounded.

    >>> is_too_large(16255, 16256, 65535), is_too_large(16256, 16256, 65535), is_too_large(4097, 1, 4096)
    (False, True, True)
    """
    return max(width, height) > largest_side or (width + 128) * (height + 128) > MOST_PIXELS


@functools.cache
def has_alpha(name: str) -> bool:
    """Tell whether FFmpeg's pixel format of a name has alpha, be it in its palette."""
    if name == "unknown":
        return False
    pixel_format = VideoFormat(name)
    return pixel_format.has_palette or any(component.is_alpha for component in pixel_format.components)
