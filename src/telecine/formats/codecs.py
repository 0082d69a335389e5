"""The table of codecs: FFmpeg's encoder for each, and what each quality level is in its options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from .._convert import instruction_set


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
