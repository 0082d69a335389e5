"""The table of containers, codecs, pixel formats and quality levels, and which go together."""

from __future__ import annotations

import numbers
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from .errors import OptionError

Row = TypeVar("Row")


@dataclass(frozen=True)
class Container:
    """A kind of file: FFmpeg's muxer for it, the codecs it may hold, the first being its default."""

    name: str
    extensions: tuple[str, ...]
    muxer: str
    codecs: tuple[str, ...]


@dataclass(frozen=True)
class Codec:
    """A codec: FFmpeg's encoder, what its options are called, and what each quality level means for it."""

    name: str
    encoder: str
    pixel_formats: tuple[str, ...]
    largest_side: int
    crf_range: tuple[float, float]
    named_values: Mapping[str, tuple[str, ...]]  # options whose bad values the encoder itself prints to stderr
    qualities: Mapping[str, Mapping[str, str]]
    plays_everywhere: frozenset[str] = field(default_factory=frozenset)  # the profiles that do
    parameters: str = ""  # the option for parameters of the encoder's own, "name=value:name=value"
    at_constant_rate: str = ""  # what it is told there if frames are evenly timed


CONTAINERS = {
    "mp4": Container("mp4", (".mp4", ".m4v"), "mp4", ("h264",)),
}

# As `x264 --fullhelp` lists them.
_X264_NAMED_VALUES = MappingProxyType(
    {
        name: tuple(values.split())
        for name, values in {
            "preset": "ultrafast superfast veryfast faster fast medium slow slower veryslow placebo",
            "tune": "film animation grain stillimage psnr ssim fastdecode zerolatency",
            "profile": "baseline main high high10 high422 high444",
        }.items()
    }
)

CODECS = {
    "h264": Codec(
        name="h264",
        encoder="libx264",
        pixel_formats=("yuv420p",),
        largest_side=16384,
        crf_range=(0, 51),
        named_values=_X264_NAMED_VALUES,
        # A short lookahead, since it is what remains to encode after a model's last frame (bench/latency.py). With
        # "balanced" VMAF is no lower than with diffusers' defaults (medium, crf 25) and the size at most 3 % larger, on
        # each of four real clips: less adaptive quantisation makes up for the lookahead.
        qualities=MappingProxyType(
            {
                "draft": {"preset": "veryfast", "crf": "28", "rc-lookahead": "8"},
                "balanced": {
                    "preset": "fast",
                    "crf": "25.5",
                    "rc-lookahead": "8",
                    "aq-strength": "0.2",
                    "qcomp": "0.54",
                },
                "high": {"preset": "fast", "crf": "18", "rc-lookahead": "8", "aq-strength": "0.5"},
                "visually-lossless": {"preset": "medium", "crf": "12"},
            }
        ),
        plays_everywhere=frozenset({"Constrained Baseline", "Baseline", "Main", "High"}),
        parameters="x264-params",
        # Else x264 waits for one frame more, to know how long the one before it is shown (x264, encoder/encoder.c).
        at_constant_rate="force-cfr=1",
    ),
}


@dataclass(frozen=True)
class Format:
    """What an export writes: one row of each table, and the pixel format."""

    container: Container
    codec: Codec
    pixel_format: str


def choose_format(
    path: str | os.PathLike[str], format: str | None = None, codec: str | None = None, pixel_format: str | None = None
) -> Format:
    """Choose the container by `format` or else by the path's extension, and the codec and pixel format that fit it.

    >>> choose_format("clip.mp4").codec.encoder
    'libx264'

    Raises:
        OptionError: one is unknown, or they don't go together.
    """
    container = _by_extension(path) if format is None else _choice("format", format, CONTAINERS)
    chosen = CODECS[container.codecs[0]] if codec is None else _choice("codec", codec, CODECS)
    if chosen.name not in container.codecs:
        raise OptionError(f"codec={codec!r} does not go into {container.name}: use {_either(container.codecs)}")
    if pixel_format is None:
        pixel_format = chosen.pixel_formats[0]
    elif pixel_format not in chosen.pixel_formats:
        accepted = _either(chosen.pixel_formats)
        raise OptionError(f"pixel_format={pixel_format!r} does not go with {chosen.name}: use {accepted}")
    return Format(container, chosen, pixel_format)


def _choice(argument: str, given: str, table: Mapping[str, Row]) -> Row:
    if isinstance(given, str) and given in table:
        return table[given]
    raise OptionError(f"{argument}={given!r} is not known: use {_either(table)}")


def _by_extension(path: str | os.PathLike[str]) -> Container:
    extension = Path(os.fsdecode(path)).suffix
    for container in CONTAINERS.values():
        if extension.lower() in container.extensions:
            return container
    known = [each for container in CONTAINERS.values() for each in container.extensions]
    raise OptionError(
        f"the extension {extension!r} of {os.fsdecode(path)!r} is not known: use {_either(known)}, or say format='mp4'"
    )


def _either(names: Iterable[str]) -> str:
    return " or ".join(map(repr, names))


def encoder_options(
    codec: Codec,
    quality: str = "high",
    crf: float | None = None,
    bitrate: int | None = None,
    preset: str | None = None,
    extra: Mapping[str, str | int | float] | None = None,
) -> dict[str, str]:
    """Give the encoder's options: those of the quality level, overridden by what is given.

    `crf` and `bitrate` (bits per second) each replace the level's crf; `extra` goes to the encoder as it is.

    Raises:
        OptionError: one is unknown or out of range, or two contradict.
    """
    options = dict(_choice("quality", quality, codec.qualities))
    if crf is not None and bitrate is not None:
        raise OptionError(f"crf={crf!r} and bitrate={bitrate!r} contradict: give one")
    if crf is not None:
        low, high = codec.crf_range
        if isinstance(crf, bool) or not (isinstance(crf, numbers.Real) and low <= crf <= high):
            raise OptionError(f"crf={crf!r} is not in {codec.name}'s range: use {low:g} (best) to {high:g}")
        options["crf"] = f"{float(crf):g}"
    if bitrate is not None:
        if isinstance(bitrate, bool) or not (isinstance(bitrate, numbers.Integral) and 1000 <= bitrate < 2**31):
            raise OptionError(f"bitrate={bitrate!r} is not in bits per second: use an int from 1000, such as 5_000_000")
        del options["crf"]
        options["b"] = str(int(bitrate))
    if preset is not None:
        options["preset"] = preset
    options.update(_checked_mapping(extra or {}))
    for name, accepted in codec.named_values.items():
        if name in options and options[name] not in accepted:
            raise OptionError(f"{name}={options[name]!r} is not known: use {_either(accepted)}")
    return options


def _checked_mapping(extra: Mapping[str, str | int | float]) -> dict[str, str]:
    if not (isinstance(extra, Mapping) and all(isinstance(name, str) for name in extra)):
        raise OptionError(f"encoder_options={extra!r} is no dict of names, such as {{'tune': 'animation'}}")
    return {name: str(value) for name, value in extra.items()}
