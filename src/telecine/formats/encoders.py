"""The encoders of each codec, the usual one first, by whose licence they may be used; and the choice of one by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..errors import OptionError
from .choose import either
from .codecs import CODECS, Codec, CrfScale, frozen
from .containers import Container
from .hardware import HARDWARE

# Each has about the PSNR of x264 at that level, on three real clips, for 1.4 to 1.8 times the bytes (openh264 2.3.1).
# There is no crf: a quantiser is the least and the most at once.
_QUANTISERS = {"draft": 29, "balanced": 25, "high": 19, "visually-lossless": 13}

_OPENH264 = Codec(
    name="h264",
    encoder="libopenh264",
    usual=False,
    pixel_formats=("yuv420p",),
    smallest_side=16,
    largest_side=16384,
    most_pixels=9_437_184,  # what H.264's level 5.2 holds (Rec. ITU-T H.264, table A-1: 36,864 macroblocks)
    qualities=frozen(
        {
            level: {"rc_mode": "quality", "qmin": str(quantiser), "qmax": str(quantiser), "g": "250"}
            for level, quantiser in _QUANTISERS.items()
        }
    ),
    # Below 12 it takes 12 (openh264, codec/encoder/core/src/encoder_ext.cpp, GOM_MIN_QP_MODE).
    scale=CrfScale(
        12, 51, frozenset({"qmin", "b"}), ("qmin", "qmax"), step=1, at_bitrate=MappingProxyType({"rc_mode": "bitrate"})
    ),
    of_pixel_format=frozen({"yuv420p": {"profile": "high"}}),
    live=MappingProxyType({"allow_skip_frames": "0"}),  # it holds no frame back, whatever it is told
    plays_everywhere=CODECS["h264"].plays_everywhere,
)

ENCODERS: Mapping[str, Codec] = MappingProxyType(
    {row.encoder: row for row in (*CODECS.values(), _OPENH264, *HARDWARE.values())}
)
_LICENCES = {
    "libx264": "GPL",
    "libx265": "GPL",
    "libopenh264": "BSD",
    "libsvtav1": "BSD",
    "libvpx-vp9": "BSD",
    "prores_ks": "LGPL",
    "ffv1": "LGPL",
}
_NO_STAND_INS = {"prores", "ffv1"}  # which are made to be edited or kept


def licence_of(encoder: str) -> str:
    """Give the group of the licence that an encoder's code has; of hardware, whose it is.

    >>> licence_of("libx264"), licence_of("h264_nvenc")
    ('GPL', "the driver's")
    """
    return _LICENCES.get(encoder, "the driver's")


def candidates(container: Container, codec: str | None, hdr: bool) -> list[Codec]:
    """Give the encoders that `encoder="auto"` tries, in order: of the codec asked for, else of all that may stand in.

    >>> from .containers import CONTAINERS
    >>> [row.encoder for row in candidates(CONTAINERS["webm"], None, False)]
    ['libvpx-vp9', 'libsvtav1', 'av1_nvenc', 'av1_qsv', 'av1_vaapi', 'av1_amf']
    """
    usual = [name for name in container.codecs if name not in _NO_STAND_INS and (CODECS[name].hdr or not hdr)]
    names = usual if codec is None else [codec]
    return [row for name in names for row in ENCODERS.values() if row.name == name]


def encoder_named(encoder: str, codec: str | None) -> Codec:
    """Give the row of an encoder that is asked for, beside a codec or alone.

    >>> encoder_named("libsvtav1", None).name
    'av1'

    Raises:
        OptionError: it is not known, or makes another codec.
    """
    row = ENCODERS.get(encoder) if isinstance(encoder, str) else None
    if row is None:
        raise OptionError(f"encoder={encoder!r} is not known: use {either([*ENCODERS, 'auto'])}")
    if codec not in (None, row.name):
        raise OptionError(f"encoder={encoder!r} makes {row.name}, not codec={codec!r}: leave one of them out")
    return row
