"""The options of an encoder: those of a quality level, and in their place what is given."""

from __future__ import annotations

import numbers
from collections.abc import Iterator, Mapping

from ..errors import OptionError
from ..support.rate import is_whole
from .choose import choice, either
from .codecs import Codec, CrfScale


def encoder_options(
    codec: Codec,
    quality: str = "high",
    crf: float | None = None,
    bitrate: int | None = None,
    preset: str | None = None,
    keyframe_interval: int | None = None,
    extra: Mapping[str, str | int | float] | None = None,
    dither: bool = False,
) -> dict[str, str]:
    """Give the encoder's options: those of the quality level, and of dither at it, overridden by what is given.

    `crf` and `bitrate` (bits per second) each replace the level's crf; `keyframe_interval` is the most frames from one
    key frame to the next; `extra` goes to the encoder as it is.

    Raises:
        OptionError: one is unknown or out of range, or two contradict.
    """
    known = {**codec.qualities, **({"lossless": {}} if codec.lossless else {})}  # which is a row of its own
    level = {**choice("quality", quality, known), **(codec.dithered.get(quality, {}) if dither else {})}
    own = _checked_mapping(extra or {})
    rates = [*_rates(codec, crf, bitrate, own)]
    if rates and codec.rate:
        rates.insert(0, f"quality={quality!r}")
    if len(rates) > 1:
        raise OptionError(f"{' and '.join(rates)} contradict: give one")
    overrides = {**_speed(codec, preset), **_group(codec, keyframe_interval, own), **own}
    crf_options = codec.scale.options if rates and codec.scale else ()
    of_tune = codec.tunes.get(own.get("tune", ""), frozenset())
    replaced = {*crf_options, *(codec.effort if "preset" in overrides else ()), *of_tune}
    level = {name: value for name, value in level.items() if name not in replaced}
    options = {**level, **_rate(codec, crf, bitrate, own), **overrides}
    for name, accepted in codec.named_values.items():
        if name in options and options[name] not in accepted:
            raise OptionError(f"{name}={options[name]!r} is not known: use {either(accepted)}")
    return options


def is_crf_of_level(codec: Codec, quality: str, options: Mapping[str, str]) -> bool:
    """Tell whether an encoder's options have the crf of a quality level."""
    option, level = codec.scale.options[0] if codec.scale else "", codec.qualities.get(quality, {})
    return option in level and options.get(option) == level[option]


def _rates(codec: Codec, crf: float | None, bitrate: int | None, own: Mapping[str, str]) -> Iterator[str]:
    """Name all that is given of what decides how many bits there are."""
    yield from (f"{name}={value!r}" for name, value in (("crf", crf), ("bitrate", bitrate)) if value is not None)
    exclusive = codec.scale.exclusive if codec.scale else codec.rate
    yield from (f"{name}={value}" for name, value in (*own.items(), *_parameters(codec, own)) if name in exclusive)


def _rate(codec: Codec, crf: float | None, bitrate: int | None, own: Mapping[str, str]) -> dict[str, str]:
    """Give the options of a crf or a bitrate."""
    if crf is not None:
        return _scale_for_crf(codec, crf).options_at(float(crf))
    if bitrate is not None:
        return {**_scale_for_bitrate(codec, bitrate).at_bitrate, "b": str(int(bitrate))}
    return dict(codec.scale.at_bitrate) if codec.scale and "b" in own else {}


def _scale_for_crf(codec: Codec, crf: float) -> CrfScale:
    """Give the codec's scale. Raises OptionError where it has none, or has no such crf."""
    scale = codec.scale
    if scale is None:
        raise OptionError(f"crf={crf!r} does not go with {codec.called}, which has no such scale: leave it out")
    low, high = sorted((scale.best, scale.worst))
    if isinstance(crf, bool) or not (isinstance(crf, numbers.Real) and low <= crf <= high):
        accepted = f"{scale.best:g} (best) to {scale.worst:g}"
        raise OptionError(f"crf={crf!r} is not in {codec.called}'s range: use {accepted}")
    if scale.step and crf % scale.step:
        raise OptionError(f"crf={crf!r} is between what {codec.called} has: use a multiple of {scale.step:g}")
    return scale


def _scale_for_bitrate(codec: Codec, bitrate: int) -> CrfScale:
    """Give the codec's scale. Raises OptionError where it has none, or it is no number of bits per second."""
    if codec.scale is None:
        raise OptionError(f"bitrate={bitrate!r} does not go with {codec.called}, which has none: leave it out")
    if not (is_whole(bitrate) and 1000 <= bitrate < 2**31):
        raise OptionError(f"bitrate={bitrate!r} is not in bits per second: use an int from 1000, such as 5_000_000")
    return codec.scale


def _speed(codec: Codec, preset: str | None) -> Mapping[str, str]:
    if preset is None:
        return {}
    if not codec.presets:
        raise OptionError(f"preset={preset!r} does not go with {codec.called}, which has one speed: leave it out")
    return choice("preset", preset, codec.presets)


def _group(codec: Codec, keyframe_interval: int | None, own: Mapping[str, str]) -> dict[str, str]:
    """Give the option of the longest group of pictures: a key frame, and the frames that build on it."""
    if keyframe_interval is None:
        return {}
    given = f"keyframe_interval={keyframe_interval!r}"
    if not (is_whole(keyframe_interval) and 1 <= keyframe_interval < 2**31):
        raise OptionError(f"{given} is no number of frames: use an int from 1")
    if codec.key_frames_only:
        raise OptionError(f"{given} does not go with {codec.called}, of which every frame is a key frame: leave it out")
    for name, value in (*own.items(), *_parameters(codec, own)):
        if name in ("g", "keyint"):
            raise OptionError(f"{given} and {name}={value} contradict: give one")
    return {"g": str(int(keyframe_interval))}


def _parameters(codec: Codec, own: Mapping[str, str]) -> list[tuple[str, str]]:
    """Give the names and values in the option of the encoder's private parameters."""
    parts = (part.partition("=") for part in own.get(codec.parameters.option, "").split(":"))
    return [(name, value) for name, _, value in parts]


def _checked_mapping(extra: Mapping[str, str | int | float]) -> dict[str, str]:
    if not (isinstance(extra, Mapping) and all(isinstance(name, str) for name in extra)):
        raise OptionError(f"encoder_options={extra!r} is no dict of names, such as {{'tune': 'animation'}}")
    return {name: str(value) for name, value in extra.items()}
