"""The last frame of an export as a PNG of its own pixels: what the next clip of a chain begins with."""

from __future__ import annotations

import os

from ..color.color import RGB
from ..errors import OptionError
from ..images.numbered import png_of
from ..planes.codes import pixels_of
from ..planes.convert import Conversion, ValueRange
from ..planes.frame import Frame
from ..planes.light import ENCODED
from .image_file import ImageFile


class LastFrame:
    """Keeps the frame that came last, and puts it at its path."""

    def __init__(
        self, path: str | os.PathLike[str], video: str, overwrite: bool, value_range: ValueRange, light: str | None
    ) -> None:
        """Take the path, which is not the video's, and what the frames' values are.

        Raises:
            OptionError: it is no path of a PNG, it is the video's, or the frames are light.
            PublishError: it can't be written or replaced.
        """
        if light not in (None, ENCODED):
            raise OptionError(f"last_frame= does not go with light={light!r}, which no PNG holds: leave it out")
        self._file = ImageFile(path, {".png": "PNG"}, "last_frame", overwrite)
        if os.path.realpath(self._file.path) == os.path.realpath(video):
            raise OptionError(f"last_frame={self._file.path!r} is the output too: name another file")
        self._conversion, self._is_hdr = Conversion(RGB, value_range), light is not None
        self._frame: Frame | None = None

    def take(self, frame: Frame) -> None:
        """Keep a frame in place of the one before, as a copy: its memory is the caller's."""
        self._frame = frame.copy()

    def put(self) -> None:
        """Write it: of 8 bit, as models take their first frame; of 16 where its values are uint16, or PQ or HLG.

        Raises:
            PublishError: it can't be written.
        """
        assert self._frame is not None
        bits = 16 if self._is_hdr or self._frame.dtype == "uint16" else 8
        self._file.put(png_of(pixels_of(self._frame, self._conversion, bits)))
