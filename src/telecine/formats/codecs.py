"""The table of codecs: FFmpeg's encoder for each, and what each quality level is in its options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from .._convert import instruction_set

NARROW = 48  # pixels: see PrivateParameters
UNEVEN = 16  # macroblocks

_EMPTY: Mapping[str, Any] = MappingProxyType({})


def _empty() -> Mapping[str, Any]:  # which a dataclass takes for mutable before Python 3.12
    return _EMPTY


class CrfScale(NamedTuple):
    """An encoder's scale of constant quality: FFmpeg's crf, or what stands for it.

    A crf sets each of `options` to so many times it as `unit` says. Of the options and parameters in `exclusive` the
    encoder obeys one alone.
    """

    best: float
    worst: float
    exclusive: frozenset[str]
    options: tuple[str, ...] = ("crf",)
    unit: int = 1
    step: float = 0  # from one crf to the next; 0 where the encoder has them all
    at_bitrate: Mapping[str, str] = _EMPTY  # options that go with a bitrate, in place of the crf

    def options_at(self, crf: float) -> dict[str, str]:
        """Give the options that set the encoder to a crf."""
        return dict.fromkeys(self.options, f"{crf * self.unit:g}")

    def crf_of(self, options: Mapping[str, str]) -> float:
        """Give the crf that an encoder's options have."""
        return float(options[self.options[0]]) / self.unit


class PrivateParameters(NamedTuple):
    """The option that takes parameters of an encoder's own, "name=value:name=value", and those that are set here."""

    option: str = ""
    always: str = ""
    at_constant_rate: str = ""  # where frames are evenly timed
    at_fractional_crf: str = ""  # where the crf is not whole: the encoder's option takes it for the nearest that is
    statistics: str = ""  # to write, as pass 1, or to read, as pass 2, what helps to share a bitrate out
    narrow: str = ""  # of frames at most NARROW wide, whatever the caller says
    uneven: str = ""  # where a row of macroblocks is no multiple of UNEVEN
    side_by_side: str = ""  # to encode frames so on many threads, which holds them back: not where none may be


class Library(NamedTuple):
    """How an encoder's library behaves in the process that it is loaded into."""

    fewest_threads: int = 1  # on fewer it writes other bytes
    threads_a_processor: int = 1  # of several: those that wait for one another
    environment: Mapping[str, str] = _EMPTY  # what it reads there of how much to print
    explains_with: str = ""  # what makes it print to stderr why it can't be opened, which FFmpeg's log does not tell
    real_time: bool = False  # whether its threads are, where the process may have such


class Hardware(NamedTuple):
    """What a hardware encoder needs, in words, and how it takes frames.

    `device` is FFmpeg's kind of device that frames are brought to, where the encoder takes none from memory. `layouts`
    are the pixel formats of which it takes the same codes in another one.
    """

    needs: str
    device: str = ""
    layouts: Mapping[str, str] = _EMPTY


_NO_PARAMETERS = PrivateParameters()
_USUAL_LIBRARY = Library()


@dataclass(frozen=True, eq=False)
class Codec:
    """A codec: FFmpeg's encoder, what each quality level is in its options, and what of the codec files say.

    `presets` are x264's names for speed, as options of this encoder; one that is given replaces a level's `effort`, the
    options that are about speed too. `journal` is the fragmented container that packets are kept in while writing.
    """

    name: str
    encoder: str
    pixel_formats: tuple[str, ...]
    smallest_side: int
    largest_side: int
    qualities: Mapping[str, Mapping[str, str]]
    scale: CrfScale | None = None
    presets: Mapping[str, Mapping[str, str]] = field(default_factory=_empty)
    effort: frozenset[str] = frozenset()
    tunes: Mapping[str, frozenset[str]] = field(default_factory=_empty)  # what of a level a tune settles
    dithered: Mapping[str, Mapping[str, str]] = field(default_factory=_empty)  # by level: what keeps dither
    of_pixel_format: Mapping[str, Mapping[str, str]] = field(default_factory=_empty)  # options that go with it
    named_values: Mapping[str, tuple[str, ...]] = field(default_factory=_empty)  # of which it prints bad ones to stderr
    parameters: PrivateParameters = _NO_PARAMETERS
    lossless: Codec | None = None  # the row that keeps RGB bit by bit
    rate: frozenset[str] = frozenset()  # of that row: the options and parameters that would lose some of it
    key_frames_only: bool = False  # whether every frame is one
    hdr: bool = False  # whether PQ and HLG are usual in it, in 10 bit and more
    # What lets it hold no frame back; empty where no player streams.
    live: Mapping[str, str] = field(default_factory=_empty)
    library: Library = _USUAL_LIBRARY
    hardware: Hardware | None = None
    usual: bool = True  # whether it is what the codec's name stands for
    most_pixels: int = 2**31 - 1  # of a frame
    tried_at: tuple[int, int] = (128, 96)  # the size of a trial's pictures
    journal: str = "mp4"
    tag: str = ""  # what an MP4 calls it, if not what FFmpeg's muxer does
    decoded: Mapping[str, str] = field(default_factory=_empty)  # the pixel formats that decoders make another of
    plays_everywhere: frozenset[str] = frozenset()  # the profiles that do

    @property
    def called(self) -> str:
        """The name that a caller asked for it by."""
        return self.name if self.usual else self.encoder

    def layout_of(self, pixel_format: str) -> str:
        """Give the pixel format in which the encoder takes the codes of this one."""
        return self.hardware.layouts.get(pixel_format, pixel_format) if self.hardware else pixel_format


_SPEEDS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo")


def frozen(rows: Mapping[str, Mapping[str, str]]) -> Mapping[str, Mapping[str, str]]:
    """Give options by the name of a level or a preset as what nobody can change."""
    return MappingProxyType({name: MappingProxyType(options) for name, options in rows.items()})


def _speeds(option: str, values: Iterable[str | int], **others: str) -> Mapping[str, Mapping[str, str]]:
    options = ({option: str(value), **others} for value in values)
    return frozen(dict(zip(_SPEEDS, options, strict=True)))


def _levels(**levels: Mapping[str, str]) -> Mapping[str, Mapping[str, str]]:
    return frozen({name.replace("_", "-"): options for name, options in levels.items()})


def _planar(*depths: int) -> tuple[str, ...]:
    """Y'CbCr of each chroma and depth, 4:2:0 and 8 bit first."""
    return tuple(f"yuv{chroma}p{'' if depth == 8 else f'{depth}le'}" for depth in depths for chroma in (420, 422, 444))


def _lossless(
    name: str,
    encoder: str,
    pixel_formats: tuple[str, ...],
    options: Mapping[str, str],
    rate: frozenset[str],
    parameters: PrivateParameters = _NO_PARAMETERS,
    smallest_side: int = 1,
    tag: str = "",
    library: Library = _USUAL_LIBRARY,
) -> Codec:
    return Codec(
        name=name,
        encoder=encoder,
        pixel_formats=pixel_formats,
        smallest_side=smallest_side,
        largest_side=16384,
        qualities=_levels(lossless=options),
        dithered=_levels(lossless={}),
        rate=rate,
        parameters=parameters,
        library=library,
        tag=tag,
        decoded=MappingProxyType({"rgb24": "gbrp"}),
    )


_X265_PROFILES = ("main", "main10", "main12", "main422-10", "main422-12", "main444-8", "main444-10", "main444-12")
_X265_SMALLEST = 32  # below, x265 writes outside its memory
_HVC1 = "hvc1"  # which QuickTime and Safari ask for: parameter sets in the index (ISO/IEC 14496-15 8.4.1.1)
FF_QP2LAMBDA = 118  # libavutil/avutil.h: the unit of global_quality with the flag qscale
_LIBVPX = Library(fewest_threads=2)  # all of which give the same bytes
_FFV1 = {"level": "3", "g": "1", "slicecrc": "1"}  # every frame by itself, and checked (RFC 9043)


def _scale(quantiser: int) -> dict[str, str]:
    return {"flags": "+qscale", "global_quality": str(FF_QP2LAMBDA * quantiser)}


# On AVX-512 x264's mbtree reads past the ends of rows of macroblocks, unless a row has a multiple of 16 of them: what
# comes out depends on what was in that memory (x264 165, mbtree_propagate_list; `MALLOC_PERTURB_` shows it). Without,
# the bytes are the same each time and on older processors, for 3 to 12 % more of the encoder's time. Rows of 256, 512,
# 768, 1024 and 1280 pixels need it not.
_SAME_BYTES = "asm=AVX2,FMA3,BMI2" if instruction_set() == "avx512" else ""

# A frame on each thread, not a slice, whose edges cost 1 % of bytes on two threads, 7 % on sixteen (bench/cores.py).
# The lookahead has no thread of its own, for which it would look at more frames. Threads wait for rows of the frames
# that theirs refer to, so there are two to a processor.
_SIDE_BY_SIDE = "sliced-threads=0:sync-lookahead=0"
_X264 = Library(threads_a_processor=2)

# x264's medium without what costs most and gains least here: 8x8 partitions in B-frames, the search for how many of
# those, chroma in the search for motion, and, where bits are many, mixed references. The lookahead is short, since it
# is what remains to encode after a model's last frame (bench/latency.py): mbtree, which sees less, is the stronger
# (qcomp), adaptive quantisation the weaker. psy-rd, which keeps something like the detail, costs by each metric.
_BITS = {"aq-strength": "0.55", "qcomp": "0.4", "psy-rd": "0:0"}
_DRAFT_BITS = {"aq-strength": "0.2", "qcomp": "0.35"}
_MOTION = {"cmp": "sad", "direct-pred": "auto", "weightp": "1"}
_SEARCH = {"refs": "3", "mixed-refs": "0", "partitions": "p8x8,i8x8,i4x4", **_MOTION}
_DELAY = {"bf": "2", "b_strategy": "0", "rc-lookahead": "3"}
_H264 = {"preset": "medium", **_SEARCH, **_DELAY, **_BITS}
_HEVC = {"preset": "superfast"}

_X264_RATE = frozenset({"crf", "qp", "b", "bitrate"})
_X265_RATE = _X264_RATE | {"lossless", "no-lossless"}
_VP9_RATE = frozenset({"crf", "lossless"})

CODECS = {
    "h264": Codec(
        name="h264",
        encoder="libx264",
        pixel_formats=_planar(8, 10),
        lossless=_lossless(
            "h264",
            "libx264rgb",
            ("rgb24",),
            {"preset": "fast", "qp": "0"},
            rate=_X264_RATE,
            parameters=PrivateParameters("x264-params", side_by_side=_SIDE_BY_SIDE),
            library=_X264,
        ),
        smallest_side=1,
        largest_side=16384,
        scale=CrfScale(0, 51, _X264_RATE),
        presets=_speeds("preset", _SPEEDS),
        # As `x264 --fullhelp` lists them.
        named_values=MappingProxyType(
            {
                "preset": _SPEEDS,
                "tune": ("film", "animation", "grain", "stillimage", "psnr", "ssim", "fastdecode", "zerolatency"),
                "profile": ("baseline", "main", "high", "high10", "high422", "high444"),
            }
        ),
        # Settled by search on half of the clips of bench/clip_set.py; docs/quality.md says what comes of the others.
        qualities=_levels(
            draft={"preset": "superfast", "mbtree": "1", **_DRAFT_BITS, **_DELAY, "rc-lookahead": "4", "crf": "25"},
            balanced=_H264 | {"mixed-refs": "1", "crf": "21"},
            high=_H264 | {"crf": "16.5"},
            visually_lossless=_H264 | {"crf": "10"},
        ),
        # Else dither is quantised away, and the bands are as without (docs/dither.md).
        dithered=_levels(
            high={"crf": "14.5", "aq-strength": "1.5", "psy-rd": "1:0"},
            visually_lossless={"crf": "9.5", "aq-strength": "1", "psy-rd": "1:0"},
        ),
        effort=frozenset({*_SEARCH, "b_strategy", "mbtree"}),
        tunes=MappingProxyType(
            dict.fromkeys(("film", "animation", "grain", "stillimage"), frozenset(_BITS))
            | {"zerolatency": frozenset(_DELAY)}
        ),
        live=MappingProxyType({"tune": "zerolatency"}),
        plays_everywhere=frozenset({"Constrained Baseline", "Baseline", "Main", "High"}),
        library=_X264,
        parameters=PrivateParameters(
            "x264-params",
            # Else the picture parameters say the crf, and clips of two can't be joined (x264, encoder/set.c).
            always="stitchable=1",
            uneven=_SAME_BYTES,
            side_by_side=_SIDE_BY_SIDE,
            # Else x264 waits for one frame more, to know how long the one before it is shown (x264, encoder/encoder.c).
            at_constant_rate="force-cfr=1",
            statistics="pass={number}:stats={file}",
        ),
    ),
    "hevc": Codec(
        name="hevc",
        encoder="libx265",
        pixel_formats=_planar(8, 10, 12),
        lossless=_lossless(
            "hevc",
            "libx265",
            ("gbrp", "gbrp10le", "gbrp12le"),
            {"preset": "fast"},
            rate=_X265_RATE,
            parameters=PrivateParameters("x265-params", always="log-level=none:lossless=1"),
            smallest_side=_X265_SMALLEST,
            tag=_HVC1,
        ),
        smallest_side=_X265_SMALLEST,
        largest_side=16384,
        scale=CrfScale(0, 51, _X265_RATE),
        presets=_speeds("preset", _SPEEDS),
        named_values=MappingProxyType(
            {
                "preset": _SPEEDS,
                "tune": ("psnr", "ssim", "grain", "zerolatency", "fastdecode", "animation"),
                "profile": _X265_PROFILES,
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
        parameters=PrivateParameters(
            "x265-params",
            always="log-level=none:aq-strength=0.3",
            statistics="slow-firstpass=1:pass={number}:stats={file}",  # the first pass may be the only one
            # Of a row of fewer than four 8x8 blocks, at half the size, cuTreePropagateCost for AVX writes four and more
            # all the same, outside its memory (x265 4.3, Lookahead::m_scratch; valgrind shows it). `asm` comes too
            # late: which instructions x265 uses, the first encoder settles for the whole process.
            narrow="cutree=0",
        ),
        hdr=True,
        live=MappingProxyType({"tune": "zerolatency"}),
        library=Library(explains_with="encoder_options={'x265-params': 'log-level=error'}"),
        tag=_HVC1,
    ),
    "av1": Codec(
        name="av1",
        encoder="libsvtav1",
        pixel_formats=("yuv420p", "yuv420p10le"),
        smallest_side=48,  # SVT-AV1 4 refuses its own packets up to 36 at crf 1, and writes beyond its memory up to 8
        largest_side=16384,
        scale=CrfScale(1, 63, frozenset({"crf", "qp", "b", "tbr"}), step=0.25),
        presets=_speeds("preset", (12, 10, 9, 8, 7, 6, 5, 4, 3, 1)),
        qualities=_levels(  # as for HEVC
            draft={"preset": "10", "crf": "40"},
            balanced={"preset": "8", "crf": "32"},
            high={"preset": "6", "crf": "20"},
            visually_lossless={"preset": "6", "crf": "8"},
        ),
        parameters=PrivateParameters("svtav1-params", at_fractional_crf="crf={crf}"),
        hdr=True,
        live=MappingProxyType({"svtav1-params": "pred-struct=1"}),  # low delay (SVT-AV1 Docs/Parameters.md)
        library=Library(
            environment=MappingProxyType({"SVT_LOG": "0"}),  # fatal errors alone (SVT-AV1 Docs/CommonQuestions.md)
            explains_with="SVT_LOG=1 in the environment",
            real_time=True,
        ),
    ),
    "vp9": Codec(
        name="vp9",
        encoder="libvpx-vp9",
        pixel_formats=(*_planar(8), "yuva420p"),
        lossless=_lossless(
            "vp9",
            "libvpx-vp9",
            ("gbrp",),
            {"lossless": "1", "deadline": "good", "cpu-used": "4", "row-mt": "1"},
            rate=_VP9_RATE,
            library=_LIBVPX,
        ),
        smallest_side=1,
        largest_side=16384,
        # A bitrate beside a crf is the most that it may take.
        scale=CrfScale(0, 63, _VP9_RATE, step=1),
        presets=_speeds("cpu-used", (8, 7, 6, 5, 4, 3, 2, 1, 0, 0), deadline="good"),
        qualities=_levels(  # as for HEVC
            draft={"deadline": "good", "cpu-used": "5", "row-mt": "1", "crf": "41", "b": "0"},
            balanced={"deadline": "good", "cpu-used": "4", "row-mt": "1", "crf": "31", "b": "0"},
            high={"deadline": "good", "cpu-used": "3", "row-mt": "1", "crf": "22", "b": "0"},
            visually_lossless={"deadline": "good", "cpu-used": "2", "row-mt": "1", "crf": "12", "b": "0"},
        ),
        live=MappingProxyType({"lag-in-frames": "0"}),
        library=_LIBVPX,
    ),
    "prores": Codec(
        name="prores",
        encoder="prores_ks",
        pixel_formats=("yuv422p10le", "yuv444p10le", "yuva444p10le"),
        smallest_side=16,
        largest_side=16384,
        qualities=_levels(draft=_scale(16), balanced=_scale(9), high=_scale(4), visually_lossless=_scale(2)),
        of_pixel_format=frozen(
            {"yuv422p10le": {"profile": "hq"}, "yuv444p10le": {"profile": "4444"}, "yuva444p10le": {"profile": "4444"}}
        ),
        key_frames_only=True,
        decoded=MappingProxyType({"yuv444p10le": "yuv444p12le", "yuva444p10le": "yuva444p12le"}),  # as 4444 may be
        journal="mov",
    ),
    "ffv1": Codec(
        name="ffv1",
        encoder="ffv1",
        pixel_formats=("bgra", "gbrp10le", "gbrp12le", "gbrp16le"),
        smallest_side=1,
        largest_side=16384,
        key_frames_only=True,
        qualities=_levels(draft=_FFV1, balanced=_FFV1, high=_FFV1, visually_lossless=_FFV1, lossless=_FFV1),
        dithered=_levels(draft={}, balanced={}, high={}, visually_lossless={}, lossless={}),
    ),
}
