"""An encoder by its own name: those of hardware where there is some, else an error that says what to use."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from av import VideoFrame
from av.codec.codec import UnknownCodecError

import telecine
from telecine import OptionError, VideoWriter, export_video
from telecine.encode.encoder import Encoder, EncoderSettings
from telecine.formats.choose import Format
from telecine.formats.codecs import CODECS, Codec, Hardware
from telecine.formats.containers import CONTAINERS
from telecine.formats.hardware import HARDWARE
from telecine.formats.ignored import GENERAL, ignored_options
from telecine.planes.pixel_formats import PIXEL_FORMATS

from ..support.helpers import Asked, assert_frames, assert_untouched, greys

pytestmark = pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning")

USUAL = {"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1"}
MAKERS = {"nvenc": "NVIDIA", "qsv": "Intel", "vaapi": "VA-API", "amf": "AMD", "videotoolbox": "Apple"}


def known_to_ffmpeg(name: str) -> av.Codec | None:
    try:
        return av.Codec(name, "w")
    except UnknownCodecError:
        return None


def opens(encoder: str, path: Path) -> bool:
    """Whether this machine has what the encoder needs."""
    try:
        VideoWriter(path, encoder=encoder).abort()
    except OptionError:
        return False
    return True


def why_refused(folder: Path, encoder: str, arguments: dict[str, Any]) -> str:
    """FFmpeg's reason; nothing where the encoder opens."""
    try:
        VideoWriter(folder / "clip.mkv", encoder=encoder, **arguments).abort()
    except OptionError as refused:
        return str(refused).partition(" can't be opened: ")[2].partition("; it needs ")[0] or str(refused)
    return ""


# ---- hardware ------------------------------------------------------------------------------------------------------


def test_every_encoder_that_is_promised_is_in_the_table() -> None:
    promised = {f"{codec}_{maker}" for codec in ("h264", "hevc", "av1") for maker in MAKERS}
    assert set(HARDWARE) == promised - {"av1_videotoolbox"}  # Apple's chips decode AV1, and encode none


@pytest.mark.parametrize("encoder", HARDWARE)
def test_where_the_machine_lacks_an_encoder_the_error_says_so_and_what_to_use(encoder: str, path: Path) -> None:
    codec, _, maker = encoder.partition("_")
    if opens(encoder, path):
        frames = greys(12, 384, 256)
        video = export_video(frames, path, encoder=encoder)
        assert telecine.probe(video).codec == codec
        assert_frames(video, frames)
        return
    frames_asked = Asked(greys())
    with pytest.raises(OptionError) as refused:
        export_video(frames_asked, path, encoder=encoder)
    message = str(refused.value)
    if known_to_ffmpeg(encoder):
        assert message.startswith(f"{encoder} with ")
        assert " can't be opened: " in message
        assert MAKERS[maker] in message.partition("; it needs ")[2]
    else:
        assert message.startswith(f"encoder={encoder!r} is not in the FFmpeg that PyAV has here: ")
    assert message.endswith(f"use encoder={USUAL[codec]!r} or leave encoder= out")
    assert "\n" not in message
    assert frames_asked.count == 0
    assert_untouched(path)


@pytest.mark.parametrize(
    "row", [row for row in HARDWARE.values() if known_to_ffmpeg(row.encoder)], ids=lambda r: r.encoder
)
def test_ffmpeg_understands_every_level_preset_and_rate_of_an_encoder(row: Codec, tmp_path: Path) -> None:
    assert row.scale is not None
    assert set(row.presets) == set(CODECS["h264"].presets)
    assert list(row.qualities) == ["draft", "balanced", "high", "visually-lossless"]
    asked: list[dict[str, Any]] = [{"quality": quality} for quality in row.qualities]
    asked += [{"preset": preset} for preset in row.presets]
    asked += [{"crf": crf} for crf in (row.scale.best, row.scale.worst)] + [{"bitrate": 2_000_000}]
    asked += [{"pixel_format": name} for name in row.pixel_formats]
    for arguments in asked:
        # The options are read before the hardware is looked for: what is said is of the hardware.
        assert not re.search("parse|constant|range|ignores|nvalid", why_refused(tmp_path, row.encoder, arguments))


@pytest.mark.parametrize(
    "row", [row for row in HARDWARE.values() if known_to_ffmpeg(row.encoder)], ids=lambda r: r.encoder
)
def test_an_encoder_takes_the_pixel_formats_that_it_is_given(row: Codec) -> None:
    taken = {each.name for each in av.Codec(row.encoder, "w").video_formats or []}
    assert {row.layout_of(name) for name in row.pixel_formats} <= taken


@pytest.mark.parametrize("row", HARDWARE.values(), ids=lambda row: row.encoder)
def test_an_encoder_reads_the_general_options_that_its_levels_use(row: Codec) -> None:
    assert row.scale is not None
    options_of = (*row.qualities.values(), *row.presets.values(), row.scale.at_bitrate)
    used = {name for options in options_of for name in options}
    assert ignored_options(row.encoder, used | {"b", "g"}) == []
    assert "dct" in ignored_options(row.encoder, GENERAL)


# ---- the same codes in the layout that hardware takes --------------------------------------------------------------


def frame_of(name: str, codes: list[npt.NDArray[np.uint16]]) -> VideoFrame:
    width, height = codes[0].shape[1], codes[0].shape[0]
    frame = VideoFrame(width, height, name)
    dtype = np.uint8 if PIXEL_FORMATS[name].depth == 8 else np.uint16
    for plane, values in zip(frame.planes, codes, strict=True):
        lines = np.zeros((plane.height, plane.line_size // np.dtype(dtype).itemsize), dtype)
        lines[:, : plane.width] = values
        plane.update(lines.tobytes())
    return frame


@pytest.mark.parametrize(
    ("name", "paired", "depth", "shift"), [("yuv420p", "nv12", 8, 0), ("yuv420p10le", "p010le", 10, 6)]
)
@pytest.mark.parametrize("full_range", [False, True])
def test_pairs_of_chroma_hold_the_same_codes(name: str, paired: str, depth: int, shift: int, full_range: bool) -> None:
    random = np.random.default_rng(0)
    y, cb, cr = (random.integers(0, 1 << depth, size, np.uint16) for size in ((34, 50), (17, 25), (17, 25)))
    frame = frame_of(name, [y, cb, cr])
    frame.colorspace, frame.color_range = 1, 2 if full_range else 1
    planes = frame.reformat(format=paired).planes
    dtype: type[np.unsignedinteger[Any]] = np.uint8 if depth == 8 else np.uint16
    found = [np.frombuffer(bytes(plane), dtype).reshape(plane.height, -1) for plane in planes]
    assert np.array_equal(found[0][:, :50] >> shift, y)
    assert np.array_equal(found[1][:, :50:2] >> shift, cb)
    assert np.array_equal(found[1][:, 1:50:2] >> shift, cr)


PAIRED = Hardware("nothing", layouts={"yuv420p": "nv12"})


def test_an_encoder_is_given_the_layout_that_it_takes() -> None:
    random = np.random.default_rng(0)
    codes = [[random.integers(0, 256, size, np.uint16) for size in ((96, 128), (48, 64), (48, 64))] for _ in range(5)]

    def encoded(codec: Codec) -> bytes:
        file = io.BytesIO()
        options = tuple({"preset": "fast", "crf": "20", "mbtree": "0"}.items())
        format = Format(CONTAINERS["mp4"], codec, PIXEL_FORMATS["yuv420p"])
        encoder = Encoder(file, EncoderSettings(format, Fraction(16), options))
        for pts, each in enumerate(codes):
            encoder.encode(frame_of("yuv420p", each), pts)
        encoder.finish(lambda: False)
        assert encoder.context.pix_fmt == codec.layout_of("yuv420p")
        return file.getvalue()

    assert encoded(replace(CODECS["h264"], hardware=PAIRED)) == encoded(CODECS["h264"])


# ---- software, by name ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", CODECS.values(), ids=lambda codec: codec.name)
def test_the_usual_encoder_may_be_named(tmp_path: Path, codec: Codec) -> None:
    frames = greys(5, 64, 64)
    name: Any = codec.name
    for named in (None, name):
        container = next(each.name for each in CONTAINERS.values() if codec.name in each.codecs)
        path = tmp_path / f"clip.{container}"
        video = export_video(frames, path, encoder=codec.encoder, codec=named)
        assert video.codec == codec.name
        assert_frames(video, frames)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"encoder": "h265"}, "encoder='h265' is not known: use 'libx264' or 'libx265' or .* or 'h264_nvenc' or "),
        ({"encoder": 5}, "encoder=5 is not known: use 'libx264' or "),
        ({"encoder": "libx264", "codec": "hevc"}, "'libx264' makes h264, not codec='hevc': leave one of them out"),
        ({"encoder": "libx264", "format": "webm"}, "codec='h264' does not go into webm: use 'vp9' or 'av1'"),
        ({"encoder": "h264_nvenc", "quality": "lossless"}, "'lossless' is not what h264_nvenc does: use codec='h264'"),
        ({"encoder": "h264_nvenc", "bit_depth": 10}, "bit_depth=10 does not go with h264_nvenc: use bit_depth=8"),
        ({"encoder": "h264_nvenc", "crf": 52}, r"crf=52 is not in h264_nvenc's range: use 1 \(best\) to 51"),
        ({"encoder": "av1_nvenc", "crf": 20.5}, "crf=20.5 is between what av1_nvenc has: use a multiple of 1"),
        ({"encoder": "h264_qsv", "preset": "fastest"}, "preset='fastest' is not known: use 'ultrafast' or"),
        (
            {"encoder": "h264_nvenc", "crf": 20, "encoder_options": {"qp": 5}},
            "crf=20 and qp=5 contradict: give one",
        ),
    ],
)
def test_what_does_not_go_with_an_encoder_is_refused(arguments: dict[str, Any], said: str, path: Path) -> None:
    with pytest.raises(OptionError, match=said):
        VideoWriter(path, **arguments)
    assert_untouched(path)
