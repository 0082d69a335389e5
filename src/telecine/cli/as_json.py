"""What the command prints as JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..color.color import Color


def plain(value: Any) -> Any:
    """Give what JSON holds: fractions as text, paths as text, records as objects, what is infinite as null."""
    if isinstance(value, Color):
        return {
            "matrix": value.matrix_name,
            "primaries": value.primaries_name,
            "transfer": value.transfer_name,
            "range": value.range_name,
        }
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (Fraction, Path)):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
