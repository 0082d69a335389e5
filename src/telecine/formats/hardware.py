"""The table of hardware encoders.

They are chosen where they are asked for by name, or no other opens: at one size they look worse than the software
encoders. Their levels follow what their makers say of the scales. They are not measured, as those of codecs.py are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .codecs import CODECS, FF_QP2LAMBDA, Codec, CrfScale, Hardware, frozen

_SPEEDS = tuple(CODECS["h264"].presets)
_LEVELS = ("draft", "balanced", "high", "visually-lossless")
_P010 = MappingProxyType({"yuv420p10le": "p010le"})  # as the one below, 10 bit alone
_PAIRED = MappingProxyType({"yuv420p": "nv12", "yuv420p10le": "p010le"})  # chroma in pairs, in one plane


_NV12 = MappingProxyType({"h264": ("yuv420p",), "hevc": ("yuv420p", "yuv420p10le"), "av1": ("yuv420p", "yuv420p10le")})


@dataclass(frozen=True)
class _Maker:
    """What the encoders of one maker share. The crf of each level is that of H.264 and HEVC; AV1 has its own scale.

    `speeds` are the values of the option `speed` for x264's presets, and `effort` is that of each level.
    """

    suffix: str
    hardware: Hardware
    pixel_formats: Mapping[str, tuple[str, ...]]
    crf_options: tuple[str, ...]
    crfs: tuple[int, ...]
    av1_crfs: tuple[int, ...]
    crf_range: tuple[float, float] = (1, 51)
    av1_crf_range: tuple[float, float] = (1, 51)
    crf_unit: int = 1
    speed: str = "preset"
    speeds: tuple[str, ...] = ()
    effort: tuple[str, ...] = ("veryfast", "medium", "slow", "slower")
    always: tuple[tuple[str, str], ...] = ()
    at_crf: tuple[tuple[str, str], ...] = ()
    at_bitrate: tuple[tuple[str, str], ...] = ()
    exclusive: frozenset[str] = frozenset()


_PROFILES = {
    "h264": {"yuv420p": {"profile": "high"}},
    "hevc": {"yuv420p10le": {"profile": "main10"}},
    "av1": dict[str, dict[str, str]](),
}

_MAKERS = (
    _Maker(
        suffix="nvenc",
        hardware=Hardware("an NVIDIA GPU with NVENC and its driver", layouts=_P010),
        crf_options=("cq",),
        crfs=(33, 28, 23, 18),
        av1_crfs=(42, 35, 28, 20),
        av1_crf_range=(1, 63),
        speeds=("p1", "p1", "p2", "p3", "p3", "p4", "p5", "p6", "p7", "p7"),
        always=(("rc", "vbr"),),
        at_crf=(("b", "0"),),  # else its default of 2 Mb/s is the most that a cq may take (libavcodec/nvenc.c)
        exclusive=frozenset({"cq", "qp", "b", "global_quality"}),
        pixel_formats=MappingProxyType(
            {**_NV12, "h264": ("yuv420p", "yuv444p"), "hevc": ("yuv420p", "yuv420p10le", "yuv444p")}
        ),
    ),
    _Maker(
        suffix="qsv",
        hardware=Hardware("an Intel GPU with Quick Sync Video and its driver", layouts=_PAIRED),
        pixel_formats=_NV12,
        crf_options=("global_quality",),
        crfs=(32, 27, 22, 17),
        av1_crfs=(32, 27, 22, 17),
        speeds=("veryfast",) * 3 + ("faster", "fast", "medium", "slow", "slower", "veryslow", "veryslow"),
        exclusive=frozenset({"global_quality", "b"}),
    ),
    _Maker(
        suffix="vaapi",
        hardware=Hardware("a GPU with a VA-API driver", "vaapi", _PAIRED),
        pixel_formats=_NV12,
        crf_options=("global_quality",),
        crfs=(32, 27, 22, 17),
        av1_crfs=(160, 130, 100, 70),
        av1_crf_range=(1, 255),
        speed="compression_level",  # from the best, 1, to the fastest, 7
        speeds=("7", "7", "6", "6", "5", "4", "3", "2", "1", "1"),
        at_crf=(("rc_mode", "CQP"),),
        at_bitrate=(("rc_mode", "VBR"),),
        exclusive=frozenset({"global_quality", "qp", "b"}),
    ),
    _Maker(
        suffix="amf",
        hardware=Hardware("an AMD GPU and its driver", layouts=_P010),
        pixel_formats=_NV12,
        crf_options=("qp_i", "qp_p"),
        crfs=(32, 27, 22, 17),
        av1_crfs=(160, 130, 100, 70),
        av1_crf_range=(1, 255),
        speed="quality",
        speeds=("speed",) * 5 + ("balanced",) + ("quality",) * 4,
        at_crf=(("rc", "cqp"),),
        at_bitrate=(("rc", "vbr_peak"),),
        exclusive=frozenset({"qp_i", "b", "qvbr_quality_level"}),
    ),
    _Maker(
        suffix="videotoolbox",
        # Of a constant quality; Intel's know a bitrate alone.
        hardware=Hardware("a Mac with Apple silicon", layouts=_P010),
        crf_options=("global_quality",),
        crfs=(45, 55, 65, 80),
        av1_crfs=(),
        crf_range=(100, 1),
        crf_unit=FF_QP2LAMBDA,
        speed="prio_speed",
        speeds=("1",) * 5 + ("0",) * 5,
        at_crf=(("flags", "+qscale"),),
        at_bitrate=(("flags", "-qscale"),),
        exclusive=frozenset({"global_quality", "b"}),
        pixel_formats=MappingProxyType({"h264": ("yuv420p",), "hevc": ("yuv420p", "yuv420p10le")}),
    ),
)


def _rows(maker: _Maker) -> Iterator[Codec]:
    presets = frozen({name: {maker.speed: value} for name, value in zip(_SPEEDS, maker.speeds, strict=True)})
    for name, pixel_formats in maker.pixel_formats.items():
        usual, av1 = CODECS[name], name == "av1"
        qualities = {
            level: {
                **presets[speed],
                **{option: str(crf * maker.crf_unit) for option in maker.crf_options},
                **dict(maker.always + maker.at_crf),
            }
            for level, speed, crf in zip(_LEVELS, maker.effort, maker.av1_crfs if av1 else maker.crfs, strict=True)
        }
        yield Codec(
            name=name,
            encoder=f"{name}_{maker.suffix}",
            pixel_formats=pixel_formats,
            smallest_side=64,  # what some of them refuse beyond that they say themselves
            largest_side=4096 if name == "h264" else 8192,
            qualities=frozen(qualities),
            scale=CrfScale(
                *(maker.av1_crf_range if av1 else maker.crf_range),
                maker.exclusive,
                maker.crf_options,
                maker.crf_unit,
                step=1,
                at_bitrate=MappingProxyType(dict(maker.at_bitrate)),
            ),
            presets=presets,
            of_pixel_format=_PROFILES[name],
            hdr=usual.hdr,
            hardware=maker.hardware,
            usual=False,
            tried_at=(320, 256),  # the smallest that any of them is known to take is 192x128, NVENC's for AV1
            tag=usual.tag,
            plays_everywhere=usual.plays_everywhere,
        )


HARDWARE = {row.encoder: row for maker in _MAKERS for row in _rows(maker)}
