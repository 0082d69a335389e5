"""Chooses what an export writes: by the path and the arguments, a row of each table that go together."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias, TypeVar

from ..errors import OptionError
from ..planes.pixel_formats import PIXEL_FORMATS, PixelFormat
from .codecs import CODECS, Codec
from .containers import CONTAINERS, PLAYLISTS, Container, PlaylistFormat
from .images import MOVING_IMAGES, SEQUENCES, MovingImageFormat, SequenceFormat

Row = TypeVar("Row")

AnyFormat: TypeAlias = Container | PlaylistFormat | MovingImageFormat | SequenceFormat

OUTPUTS: Mapping[str, AnyFormat] = {**CONTAINERS, **PLAYLISTS, **MOVING_IMAGES, **SEQUENCES}


class Format(NamedTuple):
    """What an export writes: one row of each table, and the pixel format."""

    container: Container
    codec: Codec
    pixel_format: PixelFormat


def output_of(path: str | os.PathLike[str], format: str | None = None) -> AnyFormat:
    """Choose what is written by `format`, or else by the path's extension. A folder of images needs a `format`.

    >>> output_of("clip.gif").name, output_of("frames", "png").name
    ('gif', 'png')

    Raises:
        OptionError: the format is unknown, or the extension stands for none.
    """
    if format is not None:
        return choice("format", format, OUTPUTS)
    name = str(os.fsdecode(path))
    extension = Path(name).suffix.lower()
    rows = (row for row in OUTPUTS.values() if not isinstance(row, SequenceFormat))
    known = {each: row for row in rows for each in row.extensions}
    if extension in known:
        return known[extension]
    image = next((row for row in SEQUENCES.values() if row.extension == extension), None)
    if image is not None:
        apng = ", or format='apng' for an animation" if image.name == "png" else ""
        raise OptionError(f"{name!r} names one image: say format={image.name!r} for a folder of them{apng}")
    raise OptionError(
        f"the extension {Path(name).suffix!r} of {name!r} is not known: use {either(known)}, or say format='mp4'"
    )


def extension_of(row: AnyFormat) -> str:
    """Give the usual extension of what is written; a folder of images has none.

    >>> extension_of(OUTPUTS["mkv"]), extension_of(OUTPUTS["png"])
    ('.mkv', '')
    """
    return "" if isinstance(row, SequenceFormat) else row.extensions[0]


def choose_format(
    container: Container,
    codec: str | Codec | None = None,
    pixel_format: str | None = None,
    quality: str = "high",
    bit_depth: int | None = None,
    chroma: str | None = None,
    hdr: bool = False,
) -> Format:
    """Choose the codec and the pixel format that fit a container.

    The pixel format is the codec's first that has the bit depth and the chroma that are asked for. A codec may be a row
    of its own, for an encoder that is not the usual one. HDR is in 10 bit or more, of the first codec that is used for
    it.

    >>> mov = CONTAINERS["mov"]
    >>> choose_format(mov).codec.encoder, choose_format(mov, codec="prores").pixel_format.name
    ('libx264', 'yuv422p10le')

    Raises:
        OptionError: one is unknown, or they don't go together.
    """
    if codec is None:
        usual = (name for name in container.codecs if hdr and CODECS[name].hdr)
        codec = CODECS[next(usual, container.codecs[0])]
    chosen = codec if isinstance(codec, Codec) else choice("codec", codec, CODECS)
    if chosen.name not in container.codecs:
        raise OptionError(f"codec={chosen.name!r} does not go into {container.name}: use {either(container.codecs)}")
    if hdr and not CODECS[chosen.name].hdr:
        hdr_codecs = (name for name, each in CODECS.items() if each.hdr)
        raise OptionError(f"{chosen.name} is not used for PQ and HLG: use codec={either(hdr_codecs)}", page="hdr")
    if quality == "lossless" and quality not in chosen.qualities:
        if chosen.lossless is None:
            lossless = [name for name, each in CODECS.items() if each.lossless or quality in each.qualities]
            raise OptionError(f"quality='lossless' is not what {chosen.called} does: use codec={either(lossless)}")
        chosen = chosen.lossless
    arguments = {"pixel_format": pixel_format, "bit_depth": bit_depth, "chroma": chroma}
    wanted = {name: value for name, value in arguments.items() if value is not None}
    rows = [PIXEL_FORMATS[name] for name in chosen.pixel_formats if not hdr or PIXEL_FORMATS[name].depth >= 10]
    kinds = [{"pixel_format": row.name, "bit_depth": row.depth, "chroma": row.chroma} for row in rows]
    for row, has in zip(rows, kinds, strict=True):
        if all(has[name] == value for name, value in wanted.items()):
            return Format(container, chosen, row)
    said = ", ".join(f"{name}={value!r}" for name, value in wanted.items())
    what = f"HDR in {chosen.called}" if hdr else chosen.called
    asked = next(iter(wanted)) if len(wanted) == 1 else "pixel_format"
    taken = " or ".join(dict.fromkeys(repr(has[asked]) for has in kinds))
    raise OptionError(f"{said} does not go with {what}: use {asked}={taken}")


def keeping_alpha(format: Format) -> str:
    """Say which arguments keep alpha: of the codec where it can, else of others.

    >>> keeping_alpha(choose_format(CONTAINERS["webm"]))
    "pixel_format='yuva420p'"
    """
    own = next((name for name in format.codec.pixel_formats if PIXEL_FORMATS[name].alpha), None)
    if own is not None:
        return f"pixel_format={own!r}"
    return "a WebM with pixel_format='yuva420p' or a MOV with codec='prores', pixel_format='yuva444p10le'"


def choice(argument: str, name: str, table: Mapping[str, Row]) -> Row:
    """Give the row of a name; raise OptionError, which lists the names, where it has none."""
    if isinstance(name, str) and name in table:
        return table[name]
    raise OptionError(f"{argument}={name!r} is not known: use {either(table)}")


def either(names: Iterable[str]) -> str:
    """List names in an error: 'h264' or 'hevc'."""
    return " or ".join(map(repr, names))
