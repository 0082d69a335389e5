"""The descriptors of stdin, stdout and stderr: a file must not take their place."""

from __future__ import annotations

import os

_STANDARD = 2  # the last of them


def take_closed_standard_descriptors() -> None:
    """Open the null device where one is closed, for good: what a library prints would go into the next file opened."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STANDARD:
        pass
    os.close(descriptor)
