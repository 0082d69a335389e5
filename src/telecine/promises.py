"""Compares a written file with what was promised, before it is published."""

from __future__ import annotations

from collections.abc import Mapping

from .color import Color
from .encode import EncoderSettings
from .errors import EncodeError
from .probe import VideoInfo


def check_promises(
    info: VideoInfo, settings: EncoderSettings, color: Color, width: int, height: int, frame_count: int
) -> None:
    """Compare a written file with what it was to be.

    Raises:
        EncodeError: it differs, naming what was found and what was promised.
    """
    codec = settings.format.codec
    promised = {
        "codec": (info.codec, codec.name),
        "pixel format": (info.pixel_format, settings.format.pixel_format),
        "profile": (info.profile, settings.profile or info.profile),
        "size": (f"{info.width}x{info.height}", f"{width}x{height}"),
        "frame count": (info.frame_count, frame_count),
        "frame rate": (info.fps, settings.fps),
        "duration": (info.duration, frame_count / settings.fps),
        "colour": (info.color, color),
        "index in front": (info.index_in_front, True),
    }
    broken = differences(promised, "is")
    if broken:
        raise EncodeError(f"the written file is not what was promised: {broken}")


def differences(promised: Mapping[str, tuple[object, object]], verb: str) -> str:
    """Say which of what was found, the first of each pair, is not what was wanted."""
    return "; ".join(
        f"{what} {verb} {found}, not {wanted}" for what, (found, wanted) in promised.items() if found != wanted
    )
