"""What a user's editor and type checker see: the names of the package, and types that say what the tables say."""

from __future__ import annotations

import inspect
from itertools import chain
from typing import Any, get_args

import pytest

import telecine
from telecine.color.color import parse_color
from telecine.color.primaries import PRIMARIES
from telecine.formats import choices
from telecine.formats.choose import OUTPUTS
from telecine.formats.codecs import CODECS
from telecine.formats.images import MOVING_IMAGES, SEQUENCES
from telecine.frames.recognise import check_channels
from telecine.planes.light import DISPLAY, ENCODED, SCENE
from telecine.planes.pixel_formats import PIXEL_FORMATS
from telecine.sound.track import FITS

from ..support.certificates import KEYS

EVERY_CODEC = [*CODECS.values(), *(codec.lossless for codec in CODECS.values() if codec.lossless)]
LEVELED: list[Any] = [*EVERY_CODEC, *MOVING_IMAGES.values(), *SEQUENCES.values()]
DEPTHS = {PIXEL_FORMATS[name].depth for codec in EVERY_CODEC for name in codec.pixel_formats}

TABLES = {
    "FormatName": set(OUTPUTS),
    "CodecName": set(CODECS),
    "QualityName": set(chain.from_iterable(row.qualities for row in LEVELED)),
    "PresetName": set(chain.from_iterable(codec.presets for codec in EVERY_CODEC)),
    "PixelFormatName": set(PIXEL_FORMATS),
    "BitDepth": DEPTHS.union(*(row.bits for row in SEQUENCES.values())),
    "ChromaName": {row.chroma for row in PIXEL_FORMATS.values()} - {"rgb"},
    "LightName": {SCENE, DISPLAY, ENCODED},
    "PrimariesName": set(PRIMARIES),
    "AudioFitName": set(FITS),
    "AlgorithmName": set(KEYS),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_type_has_the_names_of_the_table(name: str) -> None:
    assert set(get_args(getattr(choices, name))) == TABLES[name]


def test_a_type_has_the_names_that_are_accepted() -> None:
    for color in get_args(choices.ColorName):
        parse_color(color)
    with pytest.raises(telecine.OptionError) as refused:
        parse_color("red")
    assert set(str(refused.value).split("'")[3::2]) == set(get_args(choices.ColorName))
    for order in get_args(choices.ChannelOrder):
        check_channels(order)
    with pytest.raises(telecine.OptionError) as refused:
        check_channels("GRB")
    assert set(str(refused.value).split("'")[3:6:2]) == set(get_args(choices.ChannelOrder))


def test_an_argument_has_one_type_everywhere() -> None:
    writer = inspect.signature(telecine.VideoWriter).parameters
    for function in (telecine.export_video, telecine.verify, telecine.grid):
        for name, parameter in inspect.signature(function).parameters.items():
            if name in writer and name != "path":
                assert parameter.annotation == writer[name].annotation, f"{name} of {function.__name__}"


def test_the_package_shows_its_public_names_and_nothing_else() -> None:
    shown = {name for name in dir(telecine) if not (name.startswith("__") and name.endswith("__"))}
    assert shown == set(telecine.__all__)
    assert all(getattr(telecine, name) is not None for name in dir(telecine) if name != "__cached__")
    assert "__version__" in dir(telecine)
