"""An option that an encoder ignores is an error that names it, for every encoder that there is."""

from __future__ import annotations

import io
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av import VideoFrame
from av.codec.context import CodecContext

from telecine import OptionError, VideoWriter, export_video, probe
from telecine.encode.encoder import Encoder, EncoderSettings
from telecine.formats.choose import Format
from telecine.formats.codecs import CODECS, Codec
from telecine.formats.containers import CONTAINERS
from telecine.formats.hardware import HARDWARE
from telecine.formats.ignored import GENERAL, ignored_options
from telecine.planes.pixel_formats import PIXEL_FORMATS
from telecine.support.ffmpeg_log import captured_log

from ..support.helpers import Asked, assert_untouched

pytestmark = pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning")

LOSSLESS = [codec.lossless for codec in CODECS.values() if codec.lossless]
ROWS = [*CODECS.values(), *LOSSLESS]
IDS = [f"{row.encoder}-{row.pixel_formats[0]}" for row in ROWS]
# General options that FFmpeg itself obeys, and those that the written file is compared with.
FFMPEGS_OWN = {"flags", "time_base", "debug", "dump_separator", "max_pixels", "export_side_data"}
COMPARED = {"aspect", "sar", "colorspace", "color_primaries", "color_trc", "color_range"}
# Values that an encoder that reads the option would make something else of.
VALUES = {
    "b": "100k", "bt": "10k", "bufsize": "20k", "maxrate": "20k", "minrate": "900k", "alpha_mode": "straight",
    "b_qfactor": "3", "i_qfactor": "0.3", "qcomp": "0.6", "qmin": "40", "qmax": "45", "level": "41", "trellis": "2",
    "me_range": "8", "slices": "4", "chroma_sample_location": "center", "field_order": "tt", "flags2": "+fast",
    "qblur": "3", "global_quality": "2000", "rc_init_occupancy": "1k", "strict": "experimental", "g": "2", "mbd": "2",
    "err_detect": "crccheck", "idct": "simple", "dct": "int", "thread_type": "slice", "threads": "3", "bf": "0",
    "profile": "3", "refs": "2", "subq": "1", "keyint_min": "2", "qdiff": "1", "cmp": "0",
}  # fmt: skip
# What makes other packets, and so is read, of each encoder: one of every kind.
READ: dict[str, dict[str, str]] = {
    "libx264": {name: VALUES[name] for name in ("bf", "g", "qmin", "refs", "trellis", "cmp", "slices", "i_qfactor")},
    "libx265": {name: VALUES[name] for name in ("bf", "g", "qmin", "refs")},
    "libsvtav1": {"g": "2", "level": "62"},
    "libvpx-vp9": {"g": "2", "qmin": "50"},
    "prores_ks": {"global_quality": "118"},
    "ffv1": {"g": "4", "slices": "6"},
}


def format_of(row: Codec) -> Format:
    container = next(each for each in CONTAINERS.values() if row.name in each.codecs)
    return Format(container, row, PIXEL_FORMATS[row.pixel_formats[0]])


def packets(row: Codec, count: int, more: Mapping[str, str]) -> list[bytes] | str:
    """Encode some frames of texture with the draft level's options and more; gives the packets, or what was refused."""
    name = row.pixel_formats[0]
    options = {**next(iter(row.qualities.values())), **row.of_pixel_format.get(name, {}), **more}
    # Of a size that 64 divides: else x265 without loss does not come to the same each time.
    settings = EncoderSettings(format_of(row), Fraction(16), tuple(options.items()), width=128, height=64)
    file = io.BytesIO()
    with captured_log() as lines:
        try:
            encoder = Encoder(file, settings)
            for pts in range(count):
                encoder.encode(texture(name, pts), pts)
            encoder.finish(lambda: False)
        except (av.FFmpegError, OSError, ValueError) as error:
            return f"{error} {lines}"
    file.seek(0)
    with av.open(file, "r") as container:
        return [bytes(packet) for packet in container.demux() if packet.size]


def texture(name: str, pts: int) -> VideoFrame:
    frame = VideoFrame(128, 64, name)
    random, deep = np.random.default_rng(pts), PIXEL_FORMATS[name].depth > 8
    for index, plane in enumerate(frame.planes):
        shape = (plane.height, plane.buffer_size // plane.height // (2 if deep else 1))
        still = np.kron(np.random.default_rng(index).integers(60, 180, (40, 200)), np.ones((4, 4)))
        moving = still[2 * pts : 2 * pts + shape[0], 3 * pts : 3 * pts + shape[1]]
        codes = np.resize(moving, shape) + random.integers(0, 30, shape)
        plane.update(np.ascontiguousarray(codes.astype(np.uint16) << 2 if deep else codes.astype(np.uint8)).tobytes())
    frame.pts = pts
    return frame


# ---- FFmpeg's general options --------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_every_general_option_that_an_encoder_does_not_read_is_refused_by_name(row: Codec, path: Path) -> None:
    ignored = ignored_options(row.encoder, sorted(GENERAL))
    assert len(ignored) > 25
    how: dict[str, Any] = {"format": format_of(row).container.name, "codec": row.name}
    how |= {"quality": "lossless"} if row in LOSSLESS else {}
    exclusive = row.scale.exclusive if row.scale else row.rate
    options: dict[str, str | int | float] = dict.fromkeys(set(ignored) - exclusive, 1)
    with pytest.raises(OptionError, match=f"{row.encoder} with .* ignores a part: ") as refused:
        VideoWriter(path, encoder_options=options, **how)
    assert {name for name in ignored if f"{name!r} is not read" in str(refused.value)} == set(ignored) - exclusive
    assert_untouched(path)


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_what_is_refused_would_change_nothing(row: Codec) -> None:
    plain = packets(row, 6, {})
    assert isinstance(plain, list)
    changing = []
    for name in ignored_options(row.encoder, sorted(GENERAL)):
        found = packets(row, 6, {name: VALUES.get(name, "1")})
        assert isinstance(found, list), f"{name}: {found}"
        if found != plain:
            changing.append(name)
    assert changing == []


@pytest.mark.parametrize("row", CODECS.values(), ids=lambda row: row.encoder)
def test_what_is_taken_does_change_something(row: Codec) -> None:
    plain = packets(row, 12, {})
    for name, value in READ[row.encoder].items():
        assert packets(row, 12, {name: value}) != plain, name
    assert ignored_options(row.encoder, READ[row.encoder]) == []


@pytest.mark.skipif(not hasattr(CodecContext, "supported_options"), reason="PyAV before 18 does not list options")
def test_every_general_option_of_this_ffmpeg_is_known() -> None:
    context = CodecContext.create("libx264", "w")
    video_encoding = 1 | 16  # AV_OPT_FLAG_ENCODING_PARAM, AV_OPT_FLAG_VIDEO_PARAM
    names = {each.name for each in context.supported_options.generic if each.flags & video_encoding == video_encoding}
    assert len(names) > 50
    assert names - FFMPEGS_OWN - COMPARED <= GENERAL


# ---- what it does not know at all, and what it can't obey ----------------------------------------------------------


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_an_option_that_nobody_knows_is_refused_by_name(row: Codec, path: Path) -> None:
    options: dict[str, str | int | float] = {"nonsense": 1, "x264-opts": "a"}
    how: dict[str, Any] = {"format": format_of(row).container.name, "codec": row.name}
    how |= {"quality": "lossless"} if row in LOSSLESS else {}
    with pytest.raises(OptionError, match=r"(?m)ignores a part: no option 'nonsense'; no option 'x264-opts'$"):
        VideoWriter(path, encoder_options=options, **how)
    assert_untouched(path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"crf": 20, "encoder_options": {"qp": 30}}, "crf=20 and qp=30 contradict: give one"),
        ({"crf": 20, "encoder_options": {"b": "1M"}}, "crf=20 and b=1M contradict: give one"),
        ({"bitrate": 100_000, "encoder_options": {"crf": 20}}, "bitrate=100000 and crf=20 contradict: give one"),
        ({"bitrate": 100_000, "encoder_options": {"qp": 20}}, "bitrate=100000 and qp=20 contradict: give one"),
        ({"crf": 20, "encoder_options": {"x264-params": "me=hex:crf=18"}}, "crf=20 and crf=18 contradict: give one"),
        ({"encoder_options": {"qp": 20, "b": "1M"}}, "qp=20 and b=1M contradict: give one"),
        ({"codec": "hevc", "crf": 20, "encoder_options": {"x265-params": "qp=3"}}, "crf=20 and qp=3 contradict"),
        ({"codec": "av1", "crf": 20, "encoder_options": {"b": "1M"}}, "crf=20 and b=1M contradict: give one"),
        ({"codec": "av1", "bitrate": 10**6, "encoder_options": {"svtav1-params": "crf=9"}}, "crf=9 contradict"),
        ({"codec": "av1", "crf": 20.1}, "crf=20.1 is between what av1 has: use a multiple of 0.25"),
        ({"codec": "vp9", "crf": 20.5, "format": "webm"}, "crf=20.5 is between what vp9 has: use a multiple of 1"),
        ({"codec": "vp9", "crf": 9, "format": "webm", "encoder_options": {"lossless": 1}}, "crf=9 and lossless=1"),
        *(
            (
                {"codec": codec, "quality": "lossless", "format": "mkv"} | how,
                f"quality='lossless' and {said} contradict: give one",
            )
            for codec, how, said in (
                ("h264", {"crf": 3}, "crf=3"),
                ("h264", {"encoder_options": {"qp": 20}}, "qp=20"),
                ("h264", {"encoder_options": {"x264-params": "me=hex:crf=20"}}, "crf=20"),
                ("hevc", {"bitrate": 100_000}, "bitrate=100000"),
                ("hevc", {"encoder_options": {"x265-params": "no-lossless=1"}}, "no-lossless=1"),
                ("vp9", {"encoder_options": {"lossless": 0}}, "lossless=0"),
            )
        ),
    ],
)
def test_of_two_rates_the_encoder_would_ignore_one(arguments: dict[str, Any], said: str, path: Path) -> None:
    with pytest.raises(OptionError, match=said):
        VideoWriter(path, **arguments)
    assert_untouched(path)


@pytest.mark.parametrize(
    ("codec", "options", "others"),
    [
        ("h264", {"qp": 45}, {"qp": 10}),
        ("h264", {"b": "20k"}, {"b": "2M"}),
        ("hevc", {"qp": 45}, {"qp": 10}),
        ("hevc", {"b": "20k"}, {"b": "2M"}),
        ("av1", {"qp": 60}, {"qp": 10}),
    ],
)
def test_a_rate_among_the_options_replaces_the_levels(
    codec: Any, options: dict[str, Any], others: dict[str, Any], tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (24, 96, 128, 3), np.uint8)
    few, many = (
        export_video(noise, tmp_path / "clip.mp4", codec=codec, preset="veryfast", encoder_options=each).size_bytes
        for each in (options, others)
    )
    assert many > 2 * few


def test_a_crf_between_whole_numbers_is_between_them_in_av1(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (12, 96, 128, 3), np.uint8)
    sizes = [
        export_video(noise, tmp_path / "clip.mp4", codec="av1", preset="fast", crf=crf).size_bytes
        for crf in (30, 30.5, 31)
    ]
    assert sizes[0] > sizes[1] > sizes[2]


def test_the_rates_of_every_row_are_options_that_it_has() -> None:
    for row in (*CODECS.values(), *HARDWARE.values()):
        if row.scale:
            assert set(row.scale.options) & row.scale.exclusive
            assert row.scale.options_at(20).keys() == set(row.scale.options)


@pytest.mark.parametrize("lines", [480, 720])
@pytest.mark.parametrize(
    "options",
    [
        {"colorspace": "bt709"},
        {"colorspace": "smpte170m"},
        {"x264-params": "colormatrix=bt709"},
        {"x264-params": "colormatrix=smpte170m"},
        {"color_primaries": "bt2020"},
        {"color_trc": "linear"},
    ],
    ids=str,
)
def test_a_colour_that_is_not_that_of_every_size_is_refused_before_the_first_frame(
    tmp_path: Path, options: dict[str, str], lines: int
) -> None:
    frames = Asked(np.zeros((8, lines, 32, 3), np.uint8))
    with pytest.raises(OptionError, match="colour is"):
        export_video(frames, tmp_path / "clip.mp4", encoder_options=options)
    assert frames.count == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("color", "matrix"), [("bt709", "bt709"), ("bt601", "smpte170m")])
def test_a_colour_that_is_asked_for_may_be_said_twice(tmp_path: Path, color: Any, matrix: str) -> None:
    frames = np.zeros((2, 48, 64, 3), np.uint8)
    export_video(frames, tmp_path / "clip.mp4", color=color, encoder_options={"colorspace": matrix})
    assert probe(tmp_path / "clip.mp4").color.matrix_name == matrix
