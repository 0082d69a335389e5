"""Compares a written file with what was promised, before it is published."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TypeAlias

from ..container.hdr_boxes import HdrMetadata
from ..errors import EncodeError
from ..read.probe import AudioInfo, VideoInfo
from ..sound.encode import Soundtrack
from ..support.words import differences
from .encoder import EncoderSettings

_Promised: TypeAlias = dict[str, tuple[object, object]]  # what was found and what was promised, by what it is called

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
    codec, pixel_format = settings.format.codec, settings.format.pixel_format.name
    display, light = (hdr.mastering_display, hdr.content_light) if hdr else (None, None)
    promised: _Promised = {
        "container": (info.container, settings.format.container.name),
        "codec": (info.codec, codec.name),
        "pixel format": (info.pixel_format, codec.decoded.get(pixel_format, pixel_format)),
    }
    if settings.profile:
        promised["profile"] = info.profile, settings.profile
    promised |= {
        "size": (f"{info.width}x{info.height}", f"{settings.width}x{settings.height}"),
        "frame count": (info.frame_count, frame_count),
        **_promised_times(info, settings, frame_count, duration),
        "colour": (info.color, settings.color),
        "mastering display": (info.mastering_display, display),
        "content light": (info.content_light, light),
        "index in front": (info.index_in_front, True),
    }
    broken = differences(promised, "is")
    if settings.metadata is not None and info.metadata != settings.metadata.values:
        broken = "the metadata is not what was given"  # which may be long
    if broken:
        raise EncodeError(f"the written file is not what was promised: {broken}")


def _promised_times(info: VideoInfo, settings: EncoderSettings, frame_count: int, duration: Fraction) -> _Promised:
    """Pair the times that were found with those that were promised, without what the container's clock rounds off."""
    clock, has_rate = settings.format.container.clock, not settings.variable and frame_count > 1
    is_rounded = False
    if clock is not None:
        # The first and the last time are rounded, and few frames may be between them.
        rate_error = max(_ROUNDED_RATE, 2 * clock * settings.fps / max(1, frame_count - 1))
        rate_is_near = not has_rate or abs(info.fps / settings.fps - 1) <= rate_error
        is_rounded = rate_is_near and abs(info.duration - duration) <= 2 * clock
    promised: _Promised = {}
    if has_rate and not is_rounded:
        promised["frame rate"] = info.fps, settings.fps
    if not settings.variable:
        promised["constant rate"] = info.constant_rate, True
    if not is_rounded:
        promised["duration"] = info.duration, duration
    return promised


def check_audio(info: AudioInfo | None, sound: Soundtrack | None, clock: Fraction | None) -> None:
    """Compare a written file's sound with what it was to be, which may be none.

    Raises:
        EncodeError: it differs.
    """
    promised: _Promised = {}
    if info is None or sound is None:
        promised["sound"] = info, sound and sound.coding.codec.name
    else:
        promised["codec"] = info.codec, sound.coding.codec.name
        promised["rate"] = info.sample_rate, sound.coding.rate
        promised["channels"] = info.channels, sound.track.format.channels
        # Resampling ends a sample sooner or later, and a file's clock may not count samples.
        if abs(info.duration - sound.duration) > Fraction(1, sound.coding.rate) + 2 * (clock or _MOVIE_TICK):
            promised["duration"] = info.duration, sound.duration
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


def sound_after_frames(sound: Fraction, frames: Fraction) -> str:
    """Say how long a sound that ends there goes on after frames that end there; nothing where it does not."""
    over = round(float(sound - frames), 2)
    return f"the sound goes on for {over:g} s after the last frame" if over > 0 else ""
