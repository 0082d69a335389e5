"""What an export has to say of its file: notes, some of them warnings at the caller's own line."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from types import FrameType

from ..errors import TelecineWarning
from .words import one_line

_PACKAGE = __name__.partition(".")[0]


class Notes(list[str]):
    """Notes in the order that they came."""

    def __init__(self, notes: Iterable[str] = ()) -> None:
        super().__init__(notes)
        self._untold: list[str] = []

    def add(self, message: str) -> None:
        """Note what may surprise, once."""
        if (note := one_line(message)) not in self:
            self.append(note)

    def warn(self, message: str) -> None:
        """Note it, and warn, once."""
        if one_line(message) not in self:
            self.add(message)
            warn(message)

    def warn_later(self, message: str) -> None:
        """Note it, from a thread of this package, where there is no line of the caller's; `tell` warns."""
        self.add(message)
        self._untold.append(message)

    def tell(self) -> None:
        """Warn of what was to be told later."""
        while self._untold:
            warn(self._untold.pop(0))


def warn(message: str) -> None:
    """Warn of what the caller's line, the nearest outside of this package, brings about."""
    warnings.warn(one_line(message), TelecineWarning, stacklevel=1 + _callers_frame()[1])


def callers_line() -> tuple[str, int]:
    """Give the file and the line of the caller, the nearest outside of this package."""
    frame, _ = _callers_frame()
    return frame.f_code.co_filename, frame.f_lineno


def _callers_frame() -> tuple[FrameType, int]:
    """Give the frame of the nearest line outside of this package, and how far above the asking function's it is."""
    frame, above = sys._getframe(1), 0
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        frame, above = frame.f_back, above + 1
    return frame, above
