"""The tables of containers, codecs, moving images, folders of images and quality levels, and which go together."""

from __future__ import annotations

import numbers
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from .._convert import instruction_set
from ..errors import OptionError
from ..planes.pixel_formats import PIXEL_FORMATS, PixelFormat

Row = TypeVar("Row")


@dataclass(frozen=True, eq=False)
class Container:
    """A kind of file: FFmpeg's muxer for it, the codecs it may hold, the first being its default.

    `options` put the index in front. `clock` is the unit that it rounds times to, where it has one of its own.
    """

    name: str
    extensions: tuple[str, ...]
    muxer: str
    codecs: tuple[str, ...]
    options: Mapping[str, str]
    clock: Fraction | None = None
    plays_everywhere: bool = False


@dataclass(frozen=True, eq=False)
class Codec:
    """A codec: FFmpeg's encoder, what its options are called, and what each quality level means for it.

    `crf_range` goes from the best to the worst; it is None where there is no crf. `presets` are x264's names for speed,
    as options of this encoder; one that is given replaces a level's `effort`, the options that are about speed too.
    `journal` is the fragmented container that its packets are kept in while writing.
    """

    name: str
    encoder: str
    pixel_formats: tuple[str, ...]
    smallest_side: int
    largest_side: int
    qualities: Mapping[str, Mapping[str, str]]
    crf_range: tuple[float, float] | None = None
    crf_options: tuple[str, ...] = ("crf",)  # those that a crf sets, each to so many times it as `crf_unit` says
    crf_unit: int = 1
    crf_step: float = 0  # from one that it has to the next; 0 where it has them all
    rates: frozenset[str] = frozenset()  # options and parameters of which it obeys one alone
    at_bitrate: Mapping[str, str] = field(default_factory=dict)  # what goes with a bitrate, in place of the crf
    presets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    effort: frozenset[str] = frozenset()
    named_values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # of which it prints bad ones to stderr
    plays_everywhere: frozenset[str] = field(default_factory=frozenset)  # the profiles that do
    decoded: Mapping[str, str] = field(default_factory=dict)  # the pixel formats that decoders make another of
    of_pixel_format: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # options that go with it
    dithered: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # by level, what makes it keep dither
    lossless: Codec | None = None  # the row that keeps RGB bit by bit
    journal: str = "mp4"
    tag: str = ""  # what an MP4 calls it, if not what FFmpeg's muxer does
    parameters: str = ""  # the option for parameters of the encoder's own, "name=value:name=value"
    always: str = ""  # what it is told there
    at_constant_rate: str = ""  # and if frames are evenly timed
    between_crfs: str = ""  # and if the crf is not whole, which the option takes for the nearest
    statistics: str = ""  # and to write, as pass 1, or to read, as pass 2, what helps to share a bitrate out
    fewest_threads: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)  # what it asks there how much to print
    speaks: str = ""  # with what it prints to stderr why it can't be opened, which FFmpeg's log does not tell
    real_time: bool = False  # whether its threads are, where they may
    hdr: bool = False  # whether PQ and HLG are usual in it, in 10 bit and more
    needs: str = ""  # the hardware that it is made for
    device: str = ""  # FFmpeg's kind of device that frames are brought to, if it takes none from memory
    takes: Mapping[str, str] = field(default_factory=dict)  # the pixel formats that it wants the same codes laid out in
    tried_at: tuple[int, int] = (128, 96)  # the size of a trial's pictures

    @property
    def called(self) -> str:
        """The name that a caller asked for it by."""
        return self.encoder if self.needs else self.name

    def at_crf(self, crf: float) -> dict[str, str]:
        """The options that set it to a crf."""
        return dict.fromkeys(self.crf_options, f"{crf * self.crf_unit:g}")


@dataclass(frozen=True, eq=False)
class MovingImageFormat:
    """An image that moves: what picks it, its clock, its bounds, and what quality levels mean for it.

    `tick` is the unit of its clock in seconds, None where times are exact. `shortest` and `longest` bound how long a
    frame is shown. A level's quality is what its encoder takes, None for lossless; only with `numbers` are others
    accepted. `alpha` is "kept", or "on or off" where a pixel is shown or not.
    """

    name: str
    extensions: tuple[str, ...]
    tick: Fraction | None
    shortest: Fraction
    longest: Fraction
    largest_side: int
    most_loops: int
    qualities: Mapping[str, float | None]
    numbers: bool = False
    alpha: str = "kept"


@dataclass(frozen=True, eq=False)
class SequenceFormat:
    """A folder of numbered images: their extension, their depths, the first being the default, and alpha.

    32 bits are floats, as are OpenEXR's 16. `qualities` is libjpeg's scale of 0 to 100 for each level, None elsewhere.
    """

    name: str
    extension: str
    bits: tuple[int, ...]
    alpha: bool
    qualities: Mapping[str, int | None]
    largest_side: int = 2**31 - 1
    metadata: bool = False


_MP4 = MappingProxyType({"movflags": "+faststart"})
# Bit-exact, for its identifiers are random otherwise.
_MATROSKA = MappingProxyType({"cues_to_front": "1", "fflags": "+bitexact"})
_MILLISECOND = Fraction(1, 1000)  # what FFmpeg's muxer sets as Matroska's TimestampScale (RFC 9559 5.1.2.9)

CONTAINERS = {
    "mp4": Container("mp4", (".mp4", ".m4v"), "mp4", ("h264", "hevc", "av1"), _MP4, plays_everywhere=True),
    "mov": Container("mov", (".mov",), "mov", ("h264", "hevc", "prores"), _MP4, plays_everywhere=True),
    "webm": Container("webm", (".webm",), "webm", ("vp9", "av1"), _MATROSKA, _MILLISECOND),
    "mkv": Container("mkv", (".mkv",), "matroska", ("h264", "hevc", "av1", "vp9", "ffv1"), _MATROSKA, _MILLISECOND),
}

# Chromium, Firefox and WebKit show a frame of up to 10 ms for 100 ms.
_SHORTEST = Fraction(11, 1000)
_LOSSY_LEVELS = ("draft", "balanced", "high", "visually-lossless")
_ALL_LEVELS = (*_LOSSY_LEVELS, "lossless")

_MOVING_IMAGES = (
    MovingImageFormat(
        name="gif",
        extensions=(".gif",),
        tick=Fraction(1, 100),
        shortest=Fraction(2, 100),
        longest=Fraction(65535, 100),
        largest_side=65535,
        most_loops=65536,
        # How many colours. Where the clip has no more than that, it is exact.
        qualities={"draft": 64, "balanced": 128, "high": 256, "visually-lossless": 256},
        alpha="on or off",
    ),
    MovingImageFormat(
        name="webp",
        extensions=(".webp",),
        tick=Fraction(1, 1000),
        shortest=_SHORTEST,
        longest=Fraction(2**24 - 1, 1000),
        largest_side=16383,
        most_loops=65535,
        qualities={"draft": 50, "balanced": 75, "high": 90, "visually-lossless": 97, "lossless": None},
        numbers=True,
    ),
    MovingImageFormat(
        name="apng",
        extensions=(".apng",),
        tick=None,
        shortest=_SHORTEST,
        longest=Fraction(65535),
        largest_side=65535,
        most_loops=65535,
        qualities=dict.fromkeys(_ALL_LEVELS),
    ),
    MovingImageFormat(
        name="avif",
        extensions=(".avif",),
        tick=Fraction(1, 1000),
        shortest=_SHORTEST,
        longest=Fraction(2**31 - 1, 1000),
        largest_side=16384,
        most_loops=0,  # Pillow's are shown forever
        qualities={"draft": 50, "balanced": 65, "high": 80, "visually-lossless": 92},
        numbers=True,
    ),
)
MOVING_IMAGES = {row.name: row for row in _MOVING_IMAGES}

_JPEG = {"draft": 75, "balanced": 85, "high": 95, "visually-lossless": 98}
_SEQUENCES = (
    SequenceFormat("png", ".png", bits=(8, 16), alpha=True, qualities=dict.fromkeys(_ALL_LEVELS), metadata=True),
    SequenceFormat("tiff", ".tif", bits=(8, 16, 32), alpha=True, qualities=dict.fromkeys(_ALL_LEVELS)),
    SequenceFormat("jpeg", ".jpg", bits=(8,), alpha=False, qualities=_JPEG, largest_side=65500),
    SequenceFormat("exr", ".exr", bits=(16,), alpha=True, qualities=dict.fromkeys(_LOSSY_LEVELS)),
)
SEQUENCES = {row.name: row for row in _SEQUENCES}

OUTPUTS: Mapping[str, Container | MovingImageFormat | SequenceFormat] = {**CONTAINERS, **MOVING_IMAGES, **SEQUENCES}

_SPEEDS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo")


def _speeds(option: str, values: Iterable[str | int], **others: str) -> Mapping[str, Mapping[str, str]]:
    return MappingProxyType({name: {option: str(value), **others} for name, value in zip(_SPEEDS, values, strict=True)})


def _levels(**levels: Mapping[str, str]) -> Mapping[str, Mapping[str, str]]:
    return MappingProxyType({name.replace("_", "-"): options for name, options in levels.items()})


def _planar(*depths: int) -> tuple[str, ...]:
    """Y'CbCr of each chroma and depth, 4:2:0 and 8 bit first."""
    return tuple(f"yuv{chroma}p{'' if depth == 8 else f'{depth}le'}" for depth in depths for chroma in (420, 422, 444))


def _lossless(name: str, encoder: str, pixel_formats: tuple[str, ...], options: Mapping[str, str]) -> Codec:
    return Codec(
        fewest_threads=2 if name == "vp9" else 1,
        name=name,
        encoder=encoder,
        pixel_formats=pixel_formats,
        smallest_side=32 if name == "hevc" else 1,
        largest_side=16384,
        qualities=_levels(lossless=options),
        dithered=_levels(lossless={}),
        decoded=MappingProxyType({"rgb24": "gbrp"}),
        tag="hvc1" if name == "hevc" else "",
    )


_FFV1 = {"level": "3", "g": "1", "slicecrc": "1"}  # every frame by itself, and checked (RFC 9043)


def _scale(quantiser: int) -> dict[str, str]:
    return {"flags": "+qscale", "global_quality": str(118 * quantiser)}  # FF_QP2LAMBDA


# On AVX-512 x264's mbtree reads past the ends of rows of macroblocks, unless a row has a multiple of 16 of them: what
# comes out depends on what was in that memory (x264 165, mbtree_propagate_list; `MALLOC_PERTURB_` shows it). Without,
# the bytes are the same each time and on older processors, for 3 to 12 % more of the encoder's time.
_SAME_BYTES = "asm=AVX2,FMA3,BMI2" if instruction_set() == "avx512" else ""

# x264's medium without what costs most and gains least here: more than one reference, and 8x8 partitions in B-frames.
# The lookahead is short, since it is what remains to encode after a model's last frame (bench/latency.py).
_H264 = {"preset": "medium", "refs": "1", "partitions": "p8x8,i8x8,i4x4", "rc-lookahead": "8"}
_HEVC = {"preset": "superfast", "x265-params": "aq-strength=0.3"}

CODECS = {
    "h264": Codec(
        name="h264",
        encoder="libx264",
        pixel_formats=_planar(8, 10),
        lossless=_lossless("h264", "libx264rgb", ("rgb24",), {"preset": "fast", "qp": "0"}),
        smallest_side=1,
        largest_side=16384,
        crf_range=(0, 51),
        presets=_speeds("preset", _SPEEDS),
        # As `x264 --fullhelp` lists them.
        named_values=MappingProxyType(
            {
                "preset": _SPEEDS,
                "tune": ("film", "animation", "grain", "stillimage", "psnr", "ssim", "fastdecode", "zerolatency"),
                "profile": ("baseline", "main", "high", "high10", "high422", "high444"),
            }
        ),
        # Settled by search on four real clips (bench/quality.py). Against diffusers' defaults (medium, crf 25) VMAF of
        # "balanced" is +0.07 to +1.13 at -23 to +2.6 % of the bytes: less adaptive quantisation and a lower qcomp make
        # up for the short lookahead. VMAF is at least 96.7 at "high", 98.3 at "visually-lossless", 88.4 at "draft",
        # which superfast with mbtree reaches in half of veryfast's time.
        qualities=_levels(
            draft={"preset": "superfast", "crf": "27", "mbtree": "1", "rc-lookahead": "8"}
            | {"aq-strength": "0.2", "qcomp": "0.5"},
            balanced=_H264 | {"crf": "25.3", "aq-strength": "0.2", "qcomp": "0.5", "psy-rd": "0.8:0"},
            high=_H264 | {"crf": "20", "aq-strength": "0.5"},
            visually_lossless=_H264 | {"crf": "13", "aq-strength": "0.5"},
        ),
        # Else dither is quantised away, and the bands are as without (docs/dither.md). PSNR is that of the level or
        # up to 1 dB more, on real clips, with 15 to 60 % more bytes.
        dithered=_levels(high={"crf": "16", "aq-strength": "1.5"}, visually_lossless={"crf": "11", "aq-strength": "1"}),
        effort=frozenset({"refs", "partitions", "mbtree"}),
        plays_everywhere=frozenset({"Constrained Baseline", "Baseline", "Main", "High"}),
        rates=frozenset({"crf", "qp", "b", "bitrate"}),
        parameters="x264-params",
        always=_SAME_BYTES,
        statistics="pass={number}:stats={file}",
        # Else x264 waits for one frame more, to know how long the one before it is shown (x264, encoder/encoder.c).
        at_constant_rate="force-cfr=1",
    ),
    "hevc": Codec(
        name="hevc",
        encoder="libx265",
        pixel_formats=_planar(8, 10, 12),
        lossless=_lossless(
            "hevc",
            "libx265",
            ("gbrp", "gbrp10le", "gbrp12le"),
            {"preset": "fast", "x265-params": "log-level=none:lossless=1"},
        ),
        smallest_side=32,  # below, x265 writes outside its memory
        largest_side=16384,
        crf_range=(0, 51),
        presets=_speeds("preset", _SPEEDS),
        named_values=MappingProxyType(
            {
                "preset": _SPEEDS,
                "tune": ("psnr", "ssim", "grain", "zerolatency", "fastdecode", "animation"),
                "profile": (
                    "main",
                    "main10",
                    "main12",
                    "main422-10",
                    "main422-12",
                    "main444-8",
                    "main444-10",
                    "main444-12",
                ),
            }
        ),
        # Each is about as near as H.264's of that name (bench/frontier.py). At equal VMAF preset fast takes 1.2 to 1.8
        # times as long for no fewer bytes. superfast has no adaptive quantisation: its strength is for a preset that is
        # given, of which x265's own, 1, makes 8 to 12 % more bytes.
        qualities=_levels(
            draft=_HEVC | {"crf": "29"},
            balanced=_HEVC | {"crf": "23.5"},
            high=_HEVC | {"crf": "19"},
            visually_lossless=_HEVC | {"crf": "14"},
        ),
        tag="hvc1",  # which QuickTime and Safari ask for: parameter sets in the index (ISO/IEC 14496-15 8.4.1.1)
        rates=frozenset({"crf", "qp", "b", "bitrate", "lossless"}),
        parameters="x265-params",
        always="log-level=none",
        speaks="encoder_options={'x265-params': 'log-level=error'}",
        hdr=True,
        # The first pass may be the only one.
        statistics="slow-firstpass=1:pass={number}:stats={file}",
    ),
    "av1": Codec(
        name="av1",
        encoder="libsvtav1",
        pixel_formats=("yuv420p", "yuv420p10le"),
        smallest_side=48,  # SVT-AV1 4 refuses its own packets up to 36 at crf 1, and writes beyond its memory up to 8
        largest_side=16384,
        crf_range=(1, 63),
        presets=_speeds("preset", (12, 10, 9, 8, 7, 6, 5, 4, 3, 1)),
        qualities=_levels(  # as for HEVC
            draft={"preset": "10", "crf": "40"},
            balanced={"preset": "8", "crf": "32"},
            high={"preset": "6", "crf": "20"},
            visually_lossless={"preset": "6", "crf": "8"},
        ),
        crf_step=0.25,
        rates=frozenset({"crf", "qp", "b", "tbr"}),
        parameters="svtav1-params",
        between_crfs="crf={crf}",
        real_time=True,
        environment=MappingProxyType({"SVT_LOG": "0"}),  # what it dies of alone (SVT-AV1 Docs/CommonQuestions.md)
        speaks="SVT_LOG=1 in the environment",
        hdr=True,
    ),
    "vp9": Codec(
        name="vp9",
        encoder="libvpx-vp9",
        pixel_formats=(*_planar(8), "yuva420p"),
        lossless=_lossless(
            "vp9", "libvpx-vp9", ("gbrp",), {"lossless": "1", "deadline": "good", "cpu-used": "4", "row-mt": "1"}
        ),
        smallest_side=1,
        largest_side=16384,
        crf_range=(0, 63),
        crf_step=1,
        rates=frozenset({"crf", "lossless"}),  # a bitrate beside a crf is the most that it may take
        presets=_speeds("cpu-used", (8, 7, 6, 5, 4, 3, 2, 1, 0, 0), deadline="good"),
        qualities=_levels(  # as for HEVC
            draft={"deadline": "good", "cpu-used": "5", "row-mt": "1", "crf": "41", "b": "0"},
            balanced={"deadline": "good", "cpu-used": "4", "row-mt": "1", "crf": "31", "b": "0"},
            high={"deadline": "good", "cpu-used": "3", "row-mt": "1", "crf": "22", "b": "0"},
            visually_lossless={"deadline": "good", "cpu-used": "2", "row-mt": "1", "crf": "12", "b": "0"},
        ),
        fewest_threads=2,  # on one libvpx writes other bytes than on any more
    ),
    "prores": Codec(
        name="prores",
        encoder="prores_ks",
        pixel_formats=("yuv422p10le", "yuv444p10le", "yuva444p10le"),
        smallest_side=16,
        largest_side=16384,
        qualities=_levels(draft=_scale(16), balanced=_scale(9), high=_scale(4), visually_lossless=_scale(2)),
        of_pixel_format=MappingProxyType(
            {"yuv422p10le": {"profile": "hq"}, "yuv444p10le": {"profile": "4444"}, "yuva444p10le": {"profile": "4444"}}
        ),
        decoded=MappingProxyType({"yuv444p10le": "yuv444p12le", "yuva444p10le": "yuva444p12le"}),  # as 4444 may be
        journal="mov",
    ),
    "ffv1": Codec(
        name="ffv1",
        encoder="ffv1",
        pixel_formats=("bgra", "gbrp10le", "gbrp12le", "gbrp16le"),
        smallest_side=1,
        largest_side=16384,
        qualities=_levels(draft=_FFV1, balanced=_FFV1, high=_FFV1, visually_lossless=_FFV1, lossless=_FFV1),
        dithered=_levels(draft={}, balanced={}, high={}, visually_lossless={}, lossless={}),
    ),
}


@dataclass(frozen=True)
class Plays:
    """Where an output plays, in its codec's first pixel format: "yes"; "some" of them or some machines; "no".

    `browser` is Chrome, Firefox and Safari; `quicktime` Apple's player; `editor` Premiere Pro, DaVinci Resolve and
    Final Cut Pro. `archive` is "yes" for what the Library of Congress prefers for keeping, and "if lossless" for what
    gives the same RGB back with quality="lossless".
    """

    browser: str
    quicktime: str
    editor: str
    archive: str


# By output, and by codec where it has one. Browsers and QuickTime: caniuse.com (hevc, av1, webm, avif, webp, apng),
# WebKit's and Apple's release notes: AV1 where the chip decodes it, HEVC in Chrome and Firefox where the machine does.
# Editors: their lists of formats. Archives: the Recommended Formats Statement of the Library of Congress, which prefers
# FFV1 in Matroska and ProRes 422 HQ.
PLAYS = {
    ("mp4", "h264"): Plays("yes", "yes", "yes", "if lossless"),
    ("mp4", "hevc"): Plays("some", "yes", "yes", "if lossless"),
    ("mp4", "av1"): Plays("some", "some", "some", "no"),
    ("mov", "h264"): Plays("yes", "yes", "yes", "if lossless"),
    ("mov", "hevc"): Plays("some", "yes", "yes", "if lossless"),
    ("mov", "prores"): Plays("some", "yes", "yes", "yes"),
    ("webm", "vp9"): Plays("yes", "no", "some", "if lossless"),
    ("webm", "av1"): Plays("some", "no", "some", "no"),
    ("mkv", "h264"): Plays("some", "no", "some", "if lossless"),
    ("mkv", "hevc"): Plays("some", "no", "some", "if lossless"),
    ("mkv", "av1"): Plays("some", "no", "some", "no"),
    ("mkv", "vp9"): Plays("some", "no", "some", "if lossless"),
    ("mkv", "ffv1"): Plays("no", "no", "some", "yes"),
    ("gif", ""): Plays("yes", "no", "some", "no"),
    ("webp", ""): Plays("yes", "no", "no", "if lossless"),
    ("apng", ""): Plays("yes", "no", "no", "if lossless"),
    ("avif", ""): Plays("yes", "no", "no", "no"),
    ("png", ""): Plays("no", "some", "yes", "if lossless"),
    ("tiff", ""): Plays("no", "some", "yes", "if lossless"),
    ("jpeg", ""): Plays("no", "some", "yes", "no"),
    ("exr", ""): Plays("no", "no", "some", "no"),
}


@dataclass(frozen=True)
class Format:
    """What an export writes: one row of each table, and the pixel format."""

    container: Container
    codec: Codec
    pixel_format: PixelFormat


def output_of(
    path: str | os.PathLike[str], format: str | None = None
) -> Container | MovingImageFormat | SequenceFormat:
    """Choose what is written by `format`, or else by the path's extension. A folder of images needs a `format`.

    >>> output_of("clip.gif").name, output_of("frames", "png").name
    ('gif', 'png')

    Raises:
        OptionError: the format is unknown, or the extension stands for none.
    """
    if format is not None:
        return _choice("format", format, OUTPUTS)
    name = os.fsdecode(path)
    extension = Path(name).suffix.lower()
    rows: list[Container | MovingImageFormat] = [*CONTAINERS.values(), *_MOVING_IMAGES]
    known = {each: row for row in rows for each in row.extensions}
    if extension in known:
        return known[extension]
    image = next((row for row in _SEQUENCES if row.extension == extension), None)
    if image is not None:
        apng = ", or format='apng' for an animation" if image.name == "png" else ""
        raise OptionError(f"{name!r} names one image: say format={image.name!r} for a folder of them{apng}")
    raise OptionError(
        f"the extension {Path(name).suffix!r} of {name!r} is not known: use {_either(known)}, or say format='mp4'"
    )


def choose_format(
    path: str | os.PathLike[str],
    format: str | None = None,
    codec: str | Codec | None = None,
    pixel_format: str | None = None,
    quality: str = "high",
    bit_depth: int | None = None,
    chroma: str | None = None,
    hdr: bool = False,
) -> Format:
    """Choose the container by `format` or else by the path's extension, and the codec and pixel format that fit it.

    The pixel format is the codec's first that has the bit depth and the chroma that are asked for. A codec may be a row
    of its own, for an encoder that is not the usual one.
    HDR is in 10 bit or more, of the first codec that is used for it.

    >>> choose_format("clip.mp4").codec.encoder, choose_format("clip.mov", codec="prores").pixel_format.name
    ('libx264', 'yuv422p10le')

    Raises:
        OptionError: one is unknown, or they don't go together.
    """
    container = output_of(path, format)
    if not isinstance(container, Container):
        raise OptionError(f"{container.name} has no codecs: use {_either(CONTAINERS)}")
    if codec is None:
        usual = (name for name in container.codecs if hdr and CODECS[name].hdr)
        codec = CODECS[next(usual, container.codecs[0])]
    chosen = codec if isinstance(codec, Codec) else _choice("codec", codec, CODECS)
    if chosen.name not in container.codecs:
        raise OptionError(f"codec={chosen.name!r} does not go into {container.name}: use {_either(container.codecs)}")
    if hdr and not CODECS[chosen.name].hdr:
        used = [name for name, each in CODECS.items() if each.hdr]
        raise OptionError(f"{chosen.name} is not used for PQ and HLG: use codec={_either(used)}")
    if quality == "lossless" and quality not in chosen.qualities:
        if chosen.lossless is None:
            lossless = [name for name, each in CODECS.items() if each.lossless or quality in each.qualities]
            raise OptionError(f"quality='lossless' is not what {chosen.called} does: use codec={_either(lossless)}")
        chosen = chosen.lossless
    asked = {"pixel_format": pixel_format, "bit_depth": bit_depth, "chroma": chroma}
    rows = [PIXEL_FORMATS[name] for name in chosen.pixel_formats if not hdr or PIXEL_FORMATS[name].depth >= 10]
    for row in rows:
        its_own = {"pixel_format": row.name, "bit_depth": row.depth, "chroma": row.chroma}
        if all(value is None or value == its_own[name] for name, value in asked.items()):
            return Format(container, chosen, row)
    given = ", ".join(f"{name}={value!r}" for name, value in asked.items() if value is not None)
    what = f"HDR in {chosen.called}" if hdr else chosen.called
    raise OptionError(f"{given} does not go with {what}: use {_either(row.name for row in rows)}")


def keeping_alpha(format: Format) -> str:
    """Say which arguments keep alpha: of the codec where it can, else of others.

    >>> keeping_alpha(choose_format("clip.webm"))
    "pixel_format='yuva420p'"
    """
    own = next((name for name in format.codec.pixel_formats if PIXEL_FORMATS[name].alpha), None)
    if own is not None:
        return f"pixel_format={own!r}"
    return "a WebM with pixel_format='yuva420p' or a MOV with codec='prores', pixel_format='yuva444p10le'"


def _choice(argument: str, given: str, table: Mapping[str, Row]) -> Row:
    if isinstance(given, str) and given in table:
        return table[given]
    raise OptionError(f"{argument}={given!r} is not known: use {_either(table)}")


def _either(names: Iterable[str]) -> str:
    return " or ".join(map(repr, names))


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
    options = dict(_choice("quality", quality, codec.qualities))
    if dither:
        options |= codec.dithered.get(quality, {})
    given = _checked_mapping(extra or {})
    told = [part.partition("=")[::2] for part in given.get(codec.parameters, "").split(":")]
    rates = [f"{name}={value!r}" for name, value in (("crf", crf), ("bitrate", bitrate)) if value is not None]
    rates += [f"{name}={value}" for name, value in (*given.items(), *told) if name in codec.rates]
    if len(rates) > 1:
        raise OptionError(f"{' and '.join(rates)} contradict: give one")
    if rates:
        options = {name: value for name, value in options.items() if name not in codec.crf_options}
    if bitrate is not None or "b" in given:
        options |= codec.at_bitrate
    if crf is not None:
        if codec.crf_range is None:
            raise OptionError(f"crf={crf!r} does not go with {codec.called}, which has no such scale: leave it out")
        best, worst = codec.crf_range
        between = isinstance(crf, numbers.Real) and min(codec.crf_range) <= crf <= max(codec.crf_range)
        if isinstance(crf, bool) or not between:
            raise OptionError(f"crf={crf!r} is not in {codec.called}'s range: use {best:g} (best) to {worst:g}")
        if codec.crf_step and crf % codec.crf_step:
            raise OptionError(f"crf={crf!r} is between what {codec.called} has: use a multiple of {codec.crf_step:g}")
        options |= codec.at_crf(float(crf))
    if bitrate is not None:
        if codec.crf_range is None:
            raise OptionError(f"bitrate={bitrate!r} does not go with {codec.called}, which has none: leave it out")
        if isinstance(bitrate, bool) or not (isinstance(bitrate, numbers.Integral) and 1000 <= bitrate < 2**31):
            raise OptionError(f"bitrate={bitrate!r} is not in bits per second: use an int from 1000, such as 5_000_000")
        options["b"] = str(int(bitrate))
    if preset is not None:
        if not codec.presets:
            raise OptionError(f"preset={preset!r} does not go with {codec.called}, which has one speed: leave it out")
        given = {**_choice("preset", preset, codec.presets), **given}
    if "preset" in given:
        options = {name: value for name, value in options.items() if name not in codec.effort}
    options.update(given)
    for name, accepted in codec.named_values.items():
        if name in options and options[name] not in accepted:
            raise OptionError(f"{name}={options[name]!r} is not known: use {_either(accepted)}")
    return options


def _checked_mapping(extra: Mapping[str, str | int | float]) -> dict[str, str]:
    if not (isinstance(extra, Mapping) and all(isinstance(name, str) for name in extra)):
        raise OptionError(f"encoder_options={extra!r} is no dict of names, such as {{'tune': 'animation'}}")
    return {name: str(value) for name, value in extra.items()}
