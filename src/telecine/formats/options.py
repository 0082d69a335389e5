"""The options of an encoder: those of a quality level, and in their place what is given."""

from __future__ import annotations

import numbers
from collections.abc import Iterator, Mapping

from ..errors import OptionError
from .choose import choice, either
from .codecs import Codec


def encoder_options(
    codec: Codec,
    quality: str = "high",
    crf: float | None = None,
    bitrate: int | None = None,
    preset: str | None = None,
    extra: Mapping[str, str | int | float] | None = None,
    dither: bool = False,
) -> dict[str, str]:
    """Give the encoder's options: those of the quality level, and of dither at it, overridden by what is given.

    `crf` and `bitrate` (bits per second) each replace the level's crf; `extra` goes to the encoder as it is.

    Raises:
        OptionError: one is unknown or out of range, or two contradict.
    """
    level = {**choice("quality", quality, codec.qualities), **(codec.dithered.get(quality, {}) if dither else {})}
    own = _checked_mapping(extra or {})
    rates = [*_rates(codec, crf, bitrate, own)]
    if len(rates) > 1:
        raise OptionError(f"{' and '.join(rates)} contradict: give one")
    given = {**_speed(codec, preset), **own}
    replaced = {*(codec.crf_options if rates else ()), *(codec.effort if "preset" in given else ())}
    kept = {name: value for name, value in level.items() if name not in replaced}
    options = {**kept, **_rate(codec, crf, bitrate, own), **given}
    for name, accepted in codec.named_values.items():
        if name in options and options[name] not in accepted:
            raise OptionError(f"{name}={options[name]!r} is not known: use {either(accepted)}")
    return options


def _rates(codec: Codec, crf: float | None, bitrate: int | None, own: Mapping[str, str]) -> Iterator[str]:
    """Name all that is given of what decides how many bits there are."""
    yield from (f"{name}={value!r}" for name, value in (("crf", crf), ("bitrate", bitrate)) if value is not None)
    told = [part.partition("=")[::2] for part in own.get(codec.parameters, "").split(":")]
    yield from (f"{name}={value}" for name, value in (*own.items(), *told) if name in codec.rates)


def _rate(codec: Codec, crf: float | None, bitrate: int | None, own: Mapping[str, str]) -> dict[str, str]:
    """Give the options of a crf or a bitrate."""
    if crf is not None:
        _check_crf(codec, crf)
        return codec.at_crf(float(crf))
    if bitrate is not None:
        _check_bitrate(codec, bitrate)
        return {**codec.at_bitrate, "b": str(int(bitrate))}
    return dict(codec.at_bitrate) if "b" in own else {}


def _check_crf(codec: Codec, crf: float) -> None:
    if codec.crf_range is None:
        raise OptionError(f"crf={crf!r} does not go with {codec.called}, which has no such scale: leave it out")
    best, worst = codec.crf_range
    between = isinstance(crf, numbers.Real) and min(codec.crf_range) <= crf <= max(codec.crf_range)
    if isinstance(crf, bool) or not between:
        raise OptionError(f"crf={crf!r} is not in {codec.called}'s range: use {best:g} (best) to {worst:g}")
    if codec.crf_step and crf % codec.crf_step:
        raise OptionError(f"crf={crf!r} is between what {codec.called} has: use a multiple of {codec.crf_step:g}")


def _check_bitrate(codec: Codec, bitrate: int) -> None:
    if codec.crf_range is None:
        raise OptionError(f"bitrate={bitrate!r} does not go with {codec.called}, which has none: leave it out")
    if isinstance(bitrate, bool) or not (isinstance(bitrate, numbers.Integral) and 1000 <= bitrate < 2**31):
        raise OptionError(f"bitrate={bitrate!r} is not in bits per second: use an int from 1000, such as 5_000_000")


def _speed(codec: Codec, preset: str | None) -> Mapping[str, str]:
    if preset is None:
        return {}
    if not codec.presets:
        raise OptionError(f"preset={preset!r} does not go with {codec.called}, which has one speed: leave it out")
    return choice("preset", preset, codec.presets)


def _checked_mapping(extra: Mapping[str, str | int | float]) -> dict[str, str]:
    if not (isinstance(extra, Mapping) and all(isinstance(name, str) for name in extra)):
        raise OptionError(f"encoder_options={extra!r} is no dict of names, such as {{'tune': 'animation'}}")
    return {name: str(value) for name, value in extra.items()}
