"""Compares a written file with what was promised, before it is published."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from ..container.hdr_boxes import HdrMetadata
from ..errors import EncodeError
from ..metadata.tags import read_exact
from ..read.probe import AudioInfo, VideoInfo
from ..sound.encode import Soundtrack
from ..support.words import differences
from .encoder import EncoderSettings

_MOVIE_TICK = Fraction(1, 10_000)  # or less (rate.ticks_a_second)
_ROUNDED_RATE = Fraction(1, 10_000)  # a tenth of what tells 30 from 30000/1001


def check_promises(
    info: VideoInfo,
    settings: EncoderSettings,
    frame_count: int,
    duration: Fraction,
    hdr: HdrMetadata | None = None,
) -> None:
    """Compare a written file with what it was to be, but for frames' times where they are the caller's.

    Raises:
        EncodeError: it differs, naming what was found and what was promised.
    """
    codec, clock = settings.format.codec, settings.format.container.clock
    pixel_format = settings.format.pixel_format.name
    rate = info.fps if settings.variable or frame_count == 1 else settings.fps
    if clock:
        rounded = max(_ROUNDED_RATE, 2 * clock * rate / max(1, frame_count - 1))  # both ends are, and few are between
        if abs(info.fps / rate - 1) <= rounded and abs(info.duration - duration) <= 2 * clock:
            rate, duration = info.fps, info.duration
    display, light = (hdr.mastering_display, hdr.content_light) if hdr else (None, None)
    promised = {
        "container": (info.container, settings.format.container.name),
        "codec": (info.codec, codec.name),
        "pixel format": (info.pixel_format, codec.decoded.get(pixel_format, pixel_format)),
        "profile": (info.profile, settings.profile or info.profile),
        "size": (f"{info.width}x{info.height}", f"{settings.width}x{settings.height}"),
        "frame count": (info.frame_count, frame_count),
        "frame rate": (info.fps, rate),
        "constant rate": (info.constant_rate, info.constant_rate or not settings.variable),
        "duration": (info.duration, duration),
        "colour": (info.color, settings.color),
        "mastering display": (info.mastering_display, display),
        "content light": (info.content_light, light),
        "index in front": (info.index_in_front, True),
    }
    broken = differences(promised, "is")
    if settings.metadata is not None and info.metadata != read_exact(settings.metadata):
        broken = "the metadata is not what was given"  # which may be long
    if broken:
        raise EncodeError(f"the written file is not what was promised: {broken}")


def check_audio(info: AudioInfo | None, sound: Soundtrack | None, clock: Fraction | None) -> None:
    """Compare a written file's sound with what it was to be, which may be none.

    Raises:
        EncodeError: it differs.
    """
    if info is None or sound is None:
        promised: dict[str, tuple[object, object]] = {"sound": (info, sound and sound.coding.codec.name)}
    else:
        # Resampling ends a sample sooner or later, and a file's clock may not count samples.
        near = abs(info.duration - sound.duration) <= Fraction(1, sound.coding.rate) + 2 * (clock or _MOVIE_TICK)
        promised = {
            "codec": (info.codec, sound.coding.codec.name),
            "rate": (info.sample_rate, sound.coding.rate),
            "channels": (info.channels, sound.track.format.channels),
            "duration": (info.duration, info.duration if near else sound.duration),
        }
    if broken := differences(promised, "is"):
        raise EncodeError(f"the written file's sound is not what was promised: {broken}")


def check_times(times: Sequence[Fraction], promised: Sequence[Fraction], clock: Fraction | None) -> None:
    """Compare when a written file's frames are shown with when they were to be, but for what its clock rounds off.

    Raises:
        EncodeError: one is shown at another time.
    """
    for index, (found, wanted) in enumerate(zip(times, promised, strict=True)):
        if abs(found - wanted) > (clock or 0):
            raise EncodeError(f"the written file is not what was promised: frame {index} is at {found} s, not {wanted}")
