"""Faults: kills, calls that fail, power cuts, full disks, resources, fuzz. TELECINE_SOAK=1 runs them at full length."""

from __future__ import annotations

import os

SOAK = bool(os.environ.get("TELECINE_SOAK"))


def length(short: int, soak: int) -> int:
    """How many rounds: a few in `make test`, all in `make soak`."""
    return soak if SOAK else short
