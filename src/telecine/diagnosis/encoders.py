"""The encoders that telecine knows, and which of them open here."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial

from ..color.color import BT709, RGB
from ..encode.encoder import EncoderSettings
from ..encode.trial import EncoderMissingError, try_encoder
from ..formats.choose import choose_format
from ..formats.codecs import CODECS, Codec
from ..formats.containers import CONTAINERS
from ..formats.encoders import ENCODERS, licence_of
from ..formats.options import encoder_options
from .findings import Check


def known_encoders() -> list[Codec]:
    """Give those that `encoder=` takes, of each codec in the order of "auto"."""
    return sorted(ENCODERS.values(), key=lambda row: list(CODECS).index(row.name))


def checks() -> Iterator[Check]:
    """Give what is to be looked at."""
    for row in known_encoders():
        yield row.encoder, partial(_said, row)


def _said(row: Codec) -> str:
    return f"{opens(row)} ({row.name}, {licence_of(row.encoder)})"


def opens(row: Codec) -> str:
    """Say whether an encoder opens here: "yes", or why not."""
    container = next(each for each in CONTAINERS.values() if row.name in each.codecs)
    format, options = choose_format(container, row), {**encoder_options(row)}
    options |= row.of_pixel_format.get(format.pixel_format.name, {})
    color = RGB if format.pixel_format.rgb else BT709
    settings = EncoderSettings(format, Fraction(16), tuple(options.items()), color, *row.tried_at)
    try:
        try_encoder(settings)
    except EncoderMissingError as error:
        return error.reason
    return "yes"
