"""What an export has to say of its file: notes, some of them warnings at the caller's own line."""

from __future__ import annotations

import sys
import warnings

from .errors import TelecineWarning
from .words import one_line

_PACKAGE = __name__.partition(".")[0]


class Notes(list[str]):
    """Notes in the order that they came."""

    def add(self, message: str) -> None:
        """Note what may surprise, once."""
        if (note := one_line(message)) not in self:
            self.append(note)

    def warn(self, message: str) -> None:
        """Note it, and warn."""
        self.add(message)
        warn(message)


def warn(message: str) -> None:
    """Warn of what the caller's line, the nearest outside of this package, brings about."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        frame, level = frame.f_back, level + 1
    warnings.warn(one_line(message), TelecineWarning, stacklevel=level)
