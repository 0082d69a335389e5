"""Frames to the pictures of an image format: with the alpha that they have where it is kept, else on a background."""

from __future__ import annotations

import numpy as np

from ..color.color import RGB
from ..planes.codes import Pixels, pixels_of
from ..planes.convert import BLACK, SHOWN_ON_BLACK, Background, Conversion, ValueRange
from ..planes.frame import Frame
from ..support.notes import Notes


class Pictures:
    """Makes codes of `bits` bits of frames, or floats of 32.

    `alpha` tells whether they keep it: if the first frame has it and the format holds it, unless there is a background.
    """

    def __init__(
        self,
        first: Frame,
        bits: int,
        holds_alpha: bool,
        value_range: ValueRange,
        background: Background | None,
        notes: Notes,
    ) -> None:
        self._bits, self._background, self._notes = bits, background, notes
        self._conversion = Conversion(RGB, value_range)
        self.alpha = holds_alpha and background is None and first.pixels.shape[2] == 4

    def picture(self, frame: Frame) -> Pixels:
        """Convert a frame to (height, width, 3 or 4).

        Raises:
            FrameError: a value is NaN, infinite or out of the range.
        """
        if self.alpha:
            pixels = pixels_of(frame, self._conversion, self._bits)
            if pixels.shape[2] == 3:  # an image without alpha after one with it
                white = 1 if self._bits == 32 else 2**self._bits - 1
                pixels = np.dstack([pixels, np.full(pixels.shape[:2], white, pixels.dtype)])
            return pixels
        pixels = pixels_of(frame, self._conversion, self._bits, self._background or BLACK)
        if self._background is None and self._is_translucent(frame):
            self._notes.warn(SHOWN_ON_BLACK)
        return pixels

    def _is_translucent(self, frame: Frame) -> bool:
        _, opaque = self._conversion.stored_range(frame)
        return frame.pixels.shape[2] == 4 and bool((frame.values[:, :, 3] < opaque).any())
