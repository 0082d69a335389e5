"""PQ and HLG: the codes are BT.2100's of the light given, the file tells what they are, and the light comes back."""

from __future__ import annotations

import contextlib
import io
import json
import re
import struct
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext

import telecine
from telecine import Color, ContentLight, FrameError, MasteringDisplay, OptionError, TelecineWarning
from telecine.cli.commands import run

from ..support.browser import Browser
from ..support.bt2100 import SIGNALS, TO_BT2020, WHITE, hlg, pq
from ..support.documents import blocks_of, run_python
from ..support.helpers import ROOT, Asked, assert_kept, failing_at
from ..support.mp4 import box
from ..support.pixels import components_in
from ..support.reference import Real, planes_of

# HEVC and AV1 do not play everywhere, which each export says.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::telecine.errors.TelecineWarning")]

LOSSLESS = {"x265-params": "lossless=1"}
STEP = 1 / 876  # of the signal in 10 bit of limited range
LIMITED = 1  # FFmpeg's AVCOL_RANGE_MPEG


def lights(count: int = 2, height: int = 48, width: int = 64, stops: float = 8) -> Any:
    """Frames of random linear light, from far below white to 3 times it, some pixels black."""
    rng = np.random.default_rng(count)
    levels = 3 * 2 ** (-stops * rng.random((count, height, width, 3)))
    levels[:, :4, :4] = 0
    return levels.astype(np.float32)


def grey(level: float, dtype: Any = np.float32) -> Any:
    return np.full((3, 48, 64, 3), level, dtype)


def codes_in(path: Path) -> list[list[Real]]:
    with av.open(str(path)) as container:
        return [[plane.astype(np.float64) for plane in components_in(frame)] for frame in container.decode(video=0)]


# ---- the codes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("color", "level", "code"),
    [
        ("pq", 0, 64),
        ("pq", 100 / 203, 509),
        ("pq", 1, 573),
        ("pq", 1000 / 203, 723),
        ("pq", 4000 / 203, 855),
        ("pq", 1e6, 940),
        ("hlg", 0, 64),
        ("hlg", 1, 721),
        ("hlg", 1000 / 203, 940),
    ],
)
def test_grey_of_known_light_has_the_code_of_the_recommendation(
    color: Any, level: float, code: int, tmp_path: Path
) -> None:
    """64 + 876 E', rounded (BT.2100 table 9): E' is 0.5081, 0.5807, 0.7518, 0.9026, 1 in PQ and 0.75, 1 in HLG."""
    path = tmp_path / "clip.mp4"
    telecine.export_video(grey(level), path, color=color, light="display-linear", encoder_options=LOSSLESS)
    for y, cb, cr in codes_in(path):
        assert set(y.ravel()) == {code}
        assert set(cb.ravel()) == set(cr.ravel()) == {512}


@pytest.mark.parametrize("primaries", ["bt709", "p3-d65", "bt2020"])
@pytest.mark.parametrize("light", ["scene-linear", "display-linear"])
@pytest.mark.parametrize("color", ["pq", "hlg"])
def test_codes_are_those_of_the_light_rounded(color: Any, light: Any, primaries: Any, tmp_path: Path) -> None:
    frames = lights()
    path = tmp_path / "clip.mp4"
    telecine.export_video(frames, path, color=color, light=light, primaries=primaries, encoder_options=LOSSLESS)
    near = {"bt709": 0.502, "p3-d65": 0.51, "bt2020": 0.502}[primaries]
    for frame, planes in zip(frames.astype(np.float64), codes_in(path), strict=True):
        rgb = np.maximum(frame @ TO_BT2020[primaries].T, 1e-12)
        real = planes_of(SIGNALS[color, light](rgb), "bt2020", "yuv420p10le")
        for found, expected in zip(planes, real, strict=True):
            assert np.abs(found - expected).max() <= near


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "uint16"])
def test_a_signal_that_is_encoded_already_is_kept(dtype: str, tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((2, 48, 64, 3))
    full = 65535 if dtype == "uint16" else 1
    frames = (values * full).round(0 if full > 1 else 9).astype(dtype)
    path = tmp_path / "clip.mp4"
    telecine.export_video(frames, path, color="pq", light="encoded", encoder_options=LOSSLESS)
    for frame, planes in zip(frames.astype(np.float64) / full, codes_in(path), strict=True):
        for found, real in zip(planes, planes_of(frame, "bt2020", "yuv420p10le"), strict=True):
            assert np.abs(found - real).max() <= 0.501


def test_a_value_range_scales_light_to_any_unit(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    options: Any = {"color": "pq", "light": "display-linear", "encoder_options": LOSSLESS}
    telecine.export_video(grey(1000.0), path, value_range=(0, 203), **options)  # cd/m2
    assert set(codes_in(path)[0][0].ravel()) == {723}


def test_twelve_bits_and_whole_chroma(tmp_path: Path) -> None:
    frames, path = lights() / 4, tmp_path / "clip.mp4"
    options: Any = {"bit_depth": 12, "chroma": "4:4:4", "encoder_options": LOSSLESS}
    telecine.export_video(frames, path, color="hlg", light="scene-linear", primaries="bt2020", **options)
    for frame, planes in zip(frames.astype(np.float64), codes_in(path), strict=True):
        real = planes_of(hlg(WHITE["hlg"] * frame), "bt2020", "yuv444p12le")
        for found, expected in zip(planes, real, strict=True):
            assert np.abs(found - expected).max() <= 0.51


# ---- round trip ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("primaries", ["bt709", "bt2020"])
@pytest.mark.parametrize("light", ["scene-linear", "display-linear"])
@pytest.mark.parametrize("color", ["pq", "hlg"])
def test_light_comes_back_within_the_steps_of_the_codes(color: Any, light: str, primaries: str, tmp_path: Path) -> None:
    frames, path = lights(stops=5), tmp_path / "clip.mp4"
    how: Any = {"light": light, "primaries": primaries}
    telecine.export_video(frames, path, color=color, chroma="4:4:4", encoder_options=LOSSLESS, **how)
    found: list[Any] = list(telecine.read_frames(path, **how))
    assert [(each.dtype, each.shape) for each in found] == [(np.float32, (48, 64, 3))] * 2
    to_bt2020 = TO_BT2020[primaries].T
    for frame, back in zip(frames.astype(np.float64), found, strict=True):
        assert np.abs(back[:4, :4]).max() < 0.002  # black
        given, read = (SIGNALS[color, light](np.maximum(rgb @ to_bt2020, 1e-9))[4:] for rgb in (frame, back))
        # Half a step of Y' and of the larger chroma, whose weight in blue is 1.8814 (BT.2020 table 4).
        assert np.abs(given - read).max() < 0.5 * STEP * (1 + 1.8814 * 876 / 896) + 2e-4


def test_the_signal_comes_back_in_float(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    telecine.export_video(grey(0.5), path, color="pq", light="encoded", encoder_options=LOSSLESS)
    first = next(telecine.read_frames(path, light="encoded"))
    assert first.dtype == np.float32
    assert np.abs(first - 438 / 876).max() < 1e-6
    again = telecine.export_video(
        telecine.read_frames(path, light="encoded"),
        tmp_path / "again.mp4",
        color="pq",
        light="encoded",
        encoder_options=LOSSLESS,
    )
    for ours, theirs in zip(codes_in(again.path), codes_in(path), strict=True):
        assert all(np.array_equal(*planes) for planes in zip(ours, theirs, strict=True))


def test_an_sdr_video_is_read_as_an_encoded_signal_only(tmp_path: Path) -> None:
    video = telecine.export_video(grey(0.5), tmp_path / "clip.mp4", crf=1)
    first = next(telecine.read_frames(video, light="encoded"))
    assert np.abs(first - 0.5).max() < 0.01
    with pytest.raises(OptionError, match=r"clip.mp4' is neither PQ nor HLG: .* only light='encoded'"):
        next(telecine.read_frames(video, light="display-linear"))


def test_verify_compares_the_signals(tmp_path: Path) -> None:
    frames = lights(stops=1)
    frames[:] = frames.mean((1, 2), keepdims=True)
    how: Any = {"light": "scene-linear", "primaries": "bt2020"}
    for color in ("pq", "hlg"):
        video = telecine.export_video(frames, tmp_path / f"{color}.mp4", color=color, **how)
        assert telecine.verify(video, frames, **how).ok
        report = telecine.verify(video, frames / 4, **how)
        assert report.problems[0].startswith("PSNR")
        with pytest.raises(OptionError, match=f"{color.upper()} needs to know what values mean: use light="):
            telecine.verify(video, frames)


# ---- what the file says --------------------------------------------------------------------------------------------

TRANSFERS = {"pq": 16, "hlg": 18}  # H.273 table 3
FILES = [("hevc", "clip.mp4"), ("hevc", "clip.mov"), ("hevc", "clip.mkv"), ("av1", "clip.mp4"), ("av1", "clip.mkv")]
FILES.append(("av1", "clip.webm"))
# P3-D65 and D65 in steps of 0.00002, green, blue, red, white; 1000 and 0.0001 cd/m2 in steps of 0.0001.
MDCV = struct.pack(">8H2L", 13250, 34500, 7500, 3000, 34000, 16000, 15635, 16450, 10_000_000, 1)
OWN_DISPLAY = MasteringDisplay(
    (0.708, 0.292), (0.17, 0.797), (0.131, 0.046), (0.3127, 0.329), max_luminance=4000, min_luminance=0.005
)
OWN_MDCV = struct.pack(">8H2L", 8500, 39850, 6550, 2300, 35400, 14600, 15635, 16450, 40_000_000, 50)


def spotted(peak: float = 600, ground: float = 12) -> Any:
    """Three frames of a dark grey; the second has one spot of red light, a quarter of the picture."""
    frames = np.full((3, 48, 64, 3), ground / 203, np.float32)
    frames[1, :24, :32, 0] = peak / 203
    return frames


MEASURED = ContentLight(600, (600 + 3 * 12) // 4)


def exported(path: Path, color: Any = "pq", **options: Any) -> telecine.Video:
    how: Any = {"light": "display-linear", "primaries": "bt2020"} | options
    return telecine.export_video(spotted(), path, color=color, **how)


@pytest.mark.parametrize("color", ["pq", "hlg"])
@pytest.mark.parametrize(("codec", "name"), FILES)
def test_probe_tells_colour_mastering_display_and_measured_light(
    codec: str, name: str, color: str, tmp_path: Path
) -> None:
    info = telecine.probe(exported(tmp_path / name, color, codec=codec))
    assert (info.codec, info.profile) == (codec, {"hevc": "Main 10", "av1": "Main"}[codec])
    assert info.pixel_format == "yuv420p10le"
    assert info.color == Color(matrix=9, primaries=9, transfer=TRANSFERS[color], full_range=False)
    assert info.mastering_display == MasteringDisplay()
    assert info.content_light == MEASURED


@pytest.mark.parametrize(
    ("codec", "entry", "name"),
    [("hevc", "hvc1", "clip.mp4"), ("hevc", "hvc1", "clip.mov"), ("av1", "av01", "clip.mp4")],
)
@pytest.mark.parametrize(("display", "mdcv"), [(None, MDCV), (OWN_DISPLAY, OWN_MDCV)])
def test_the_boxes_of_an_mp4(
    codec: str, entry: str, name: str, display: MasteringDisplay | None, mdcv: bytes, tmp_path: Path
) -> None:
    video = exported(tmp_path / name, codec=codec, mastering_display=display)
    table = box(video.path.read_bytes(), "moov", "trak", "mdia", "minf", "stbl")
    fields_of_a_picture = 78  # of a VisualSampleEntry, before its boxes (ISO/IEC 14496-12 12.1.3)
    entry_boxes = box(box(table, "stsd")[8:], entry)[fields_of_a_picture:]
    assert box(entry_boxes, "mdcv") == mdcv
    assert box(entry_boxes, "clli") == struct.pack(">HH", 600, 159)
    # Primaries, transfer, matrix, and in MP4 full_range_flag and 7 bits reserved (12.1.5).
    described = struct.pack(">HHH", 9, 16, 9)
    assert box(entry_boxes, "colr") == (b"nclx" + described + b"\0" if name == "clip.mp4" else b"nclc" + described)


def packets(path: Path) -> list[tuple[bool, bytes]]:
    with av.open(str(path)) as container:
        return [(packet.is_keyframe, bytes(packet)) for packet in container.demux(video=0) if packet.size]


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_each_hevc_key_frame_has_the_sei_messages(name: str, tmp_path: Path) -> None:
    video = exported(tmp_path / name, mastering_display=OWN_DISPLAY, encoder_options={"g": 2, "bf": 0})
    found = []
    for is_key, data in packets(video.path):
        messages: dict[int, bytes] = {}
        at = slices_before = 0
        while at < len(data):
            size = int.from_bytes(data[at : at + 4], "big")
            unit = data[at + 4 : at + 4 + size]
            at += 4 + size
            kind = unit[0] >> 1 & 63
            slices_before += kind < 32
            if kind == 39 and not slices_before:  # a prefix SEI
                messages |= sei_messages(unit)
        found.append((is_key, messages.get(137), messages.get(144)))
    told = (True, OWN_MDCV, struct.pack(">HH", 600, 159))
    assert found == [told, (False, None, None), told]


def sei_messages(unit: bytes) -> dict[int, bytes]:
    """Payloads by type (H.265 7.3.5), emulation prevention taken out."""
    assert re.search(b"\0\0[\0-\2]", unit) is None
    payload = re.sub(b"\0\0\3", b"\0\0", unit[2:])
    messages = {}
    while len(payload) > 1:
        kind, size = payload[0], payload[1]
        messages[kind], payload = payload[2 : 2 + size], payload[2 + size :]
    assert payload == b"\x80"
    return messages


@pytest.mark.parametrize("name", ["clip.mp4", "clip.webm"])
def test_each_av1_key_frame_has_the_metadata_obus(name: str, tmp_path: Path) -> None:
    video = exported(tmp_path / name, codec="av1", mastering_display=OWN_DISPLAY, encoder_options={"g": 2})
    key_frames = [obus(data) for is_key, data in packets(video.path) if is_key]
    assert len(key_frames) == 2
    # Red, green, blue, white in steps of 2^-16; 4000 in steps of 2^-8 and 0.005 in steps of 2^-14 (AV1 6.7.4).
    mdcv = struct.pack(">8H2L", 46399, 19137, 11141, 52232, 8585, 3015, 20493, 21561, 1_024_000, 82)
    for found in key_frames:
        assert [kind for kind, _ in found[:3]] == [1, 5, 5]  # sequence header, metadata, metadata
        assert [payload for _, payload in found[1:3]] == [
            b"\1" + struct.pack(">HH", 600, 159) + b"\x80",
            b"\2" + mdcv + b"\x80",
        ]


def obus(data: bytes) -> list[tuple[int, bytes]]:
    """Type and payload of each OBU, all of which have their size (AV1 5.3)."""
    found, at = [], 0
    while at < len(data):
        kind, extension, has_size = data[at] >> 3 & 15, data[at] >> 2 & 1, data[at] >> 1 & 1
        assert has_size
        at, size, shift = at + 1 + extension, 0, 0
        while True:
            byte = data[at]
            size, shift, at = size | (byte & 127) << shift, shift + 7, at + 1
            if byte < 128:
                break
        found.append((kind, data[at : at + size]))
        at += size
    return found


@pytest.mark.parametrize("color", ["pq", "hlg"])
def test_the_hevc_stream_alone_is_tagged(color: str, tmp_path: Path) -> None:
    video = exported(tmp_path / "clip.mp4", color)
    with av.open(str(video.path)) as container:
        stream = container.streams.video[0]
        to_annex_b = BitStreamFilterContext("hevc_mp4toannexb", stream)
        raw = b"".join(bytes(each) for packet in container.demux(stream) for each in to_annex_b.filter(packet))
    with av.open(io.BytesIO(raw), "r", "hevc") as container:
        frame = next(container.decode(video=0))
        sides: Any = frame.side_data  # PyAV 18 types it as something else; the names are those of its `Type`
        names = ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL")
        found = {name: bytes(sides[name]) for name in names}
        tags = frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range
    assert tags == (9, TRANSFERS[color], 9, LIMITED)
    assert struct.unpack("=2I", found["CONTENT_LIGHT_LEVEL"]) == (600, 159)
    numbers = struct.unpack_from("=20i", found["MASTERING_DISPLAY_METADATA"])
    assert [top / bottom for top, bottom in zip(numbers[::2], numbers[1::2], strict=True)] == pytest.approx(
        [0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329, 0.0001, 1000]
    )


@pytest.mark.parametrize(("codec", "name"), [("hevc", "clip.mkv"), ("av1", "clip.webm")])
def test_the_elements_of_matroska(codec: str, name: str, tmp_path: Path) -> None:
    """RFC 9559 5.1.4.1.28.16 and what is in it: by their identifiers, which nothing else in so short a head has."""
    head = exported(tmp_path / name, codec=codec, mastering_display=OWN_DISPLAY).path.read_bytes()[:2000]
    colour = head[head.index(b"\x55\xb0") :]

    def value(identifier: int) -> float:
        at = colour.index(identifier.to_bytes(2, "big")) + 2
        payload = colour[at + 1 : at + 1 + (colour[at] & 127)]
        is_float = 0x55D1 <= identifier <= 0x55DA
        return float(struct.unpack(">d", payload)[0]) if is_float else int.from_bytes(payload, "big")

    assert [value(0x55B1), *map(value, range(0x55BA, 0x55BE))] == [9, 16, 9, 600, 159]
    expected = [0.708, 0.292, 0.17, 0.797, 0.131, 0.046, 0.3127, 0.329, 4000, 0.005]
    assert [*map(value, range(0x55D1, 0x55DB))] == pytest.approx(expected)


def test_light_is_measured_as_it_is_shown(tmp_path: Path) -> None:
    """The largest of a pixel's channels, of BT.2020's primaries and clamped to the peak; the mean is of one frame."""
    how: Any = {"color": "pq", "light": "display-linear"}
    with pytest.warns(TelecineWarning, match=r"brightest pixel is of 10000 cd/m2, beyond the mastering display's 1000"):
        video = telecine.export_video(spotted(peak=40_000), tmp_path / "a.mp4", primaries="bt2020", **how)
    assert any("pass mastering_display=" in note for note in video.notes)
    assert telecine.probe(video).content_light == ContentLight(10_000, (10_000 + 3 * 12) // 4)
    red = (spotted() * [1, 0, 0]).astype(np.float32)
    found = telecine.probe(telecine.export_video(red, tmp_path / "b.mp4", **how)).content_light
    assert found is not None
    assert found.max_cll == round(0.6274 * 600)  # BT.709's red is less of BT.2020's


def test_a_frame_that_was_refused_is_not_measured(tmp_path: Path) -> None:
    with telecine.VideoWriter(tmp_path / "clip.mp4", color="pq", light="encoded") as writer:
        for level in (0.25, 1.5, 0.25):
            with contextlib.suppress(FrameError):
                writer.write(np.full((48, 64, 3), level, np.float32))
    info = telecine.probe(writer.video)
    assert (info.frame_count, info.content_light) == (2, ContentLight(5, 5))  # 5.15 cd/m2


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_a_black_video_is_of_unknown_light(name: str, tmp_path: Path) -> None:
    video = telecine.export_video(grey(0), tmp_path / name, color="pq", light="scene-linear")
    assert telecine.probe(video).content_light == ContentLight(0, 0)


def test_frame_times_are_kept_with_metadata_in_the_packets(tmp_path: Path) -> None:
    options: Any = {"color": "pq", "light": "encoded", "encoder_options": {"g": 3}}
    times = [0, 0.5, 0.75, 2, 2.5, 4, 7]
    frames = np.random.default_rng(0).random((7, 48, 64, 3)).astype(np.float32)
    video = telecine.export_video(frames, tmp_path / "clip.mp4", timestamps=times, hold=1, **options)
    assert [float(time) for time in telecine.read_timestamps(video)] == times
    assert video.duration == 8


def test_what_a_failed_export_leaves_is_recovered_with_its_colour(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "clip.mp4"
    path.parent.mkdir()
    frames = list(np.random.default_rng(0).random((40, 48, 64, 3)).astype(np.float32))
    with pytest.raises(KeyError) as failed:
        telecine.export_video(failing_at(30, frames, KeyError("the model")), path, color="pq", light="encoded")
    recovered = assert_kept(path, failed.value, held=None)
    assert telecine.probe(recovered).color == Color(matrix=9, primaries=9, transfer=16)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.webm"])
@pytest.mark.parametrize("color", ["pq", "hlg"])
def test_chromium_shows_reference_white_as_white(browser: Browser, color: Any, name: str, tmp_path: Path) -> None:
    """On an SDR screen it takes 203 cd/m2 for white, and what is darker for as much of it."""
    levels = [0.05, 0.1, 0.25, 0.5, 1]
    frames = np.stack([np.full((96, 128, 3), level, np.float32) for level in levels])
    options: Any = {"codec": "av1", "light": "display-linear", "encoder_options": {"g": 2}}
    browser.load(telecine.export_video(frames, tmp_path / name, fps=4, color=color, **options))
    for index, level in enumerate(levels):
        shown = browser.show((index + 0.5) / 4).rgb
        srgb = 255 * (1.055 * level ** (1 / 2.4) - 0.055)  # IEC 61966-2-1
        assert np.abs(shown - srgb).max() <= 6


# ---- alpha ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("background", "behind"),
    [("white", 203.0), ("black", 0.0), ((188 / 255,) * 3, 203 * 0.50289)],  # sRGB's 188 is half of white's light
)
def test_linear_light_is_composited_as_light(background: Any, behind: float, tmp_path: Path) -> None:
    frames = np.full((2, 48, 64, 4), 2.0, np.float32)
    frames[..., 3] = 0.5
    path, how = tmp_path / "clip.mp4", {"color": "pq", "light": "display-linear", "encoder_options": LOSSLESS}
    options: Any = how
    telecine.export_video(frames, path, background=background, **options)
    expected = float(pq(np.array((406 + behind) / 2)))
    assert np.abs(codes_in(path)[0][0] - (64 + 876 * expected)).max() <= 0.51


def test_an_encoded_signal_is_composited_as_it_is(tmp_path: Path) -> None:
    frames = np.full((2, 48, 64, 4), 0.3, np.float32)
    frames[..., 3] = 0.5
    path = tmp_path / "clip.mp4"
    options: Any = {"color": "pq", "light": "encoded", "encoder_options": LOSSLESS}
    telecine.export_video(frames, path, background="white", **options)
    expected = (0.3 + float(pq(np.array(203.0)))) / 2
    assert np.abs(codes_in(path)[0][0] - (64 + 876 * expected)).max() <= 0.51


def test_alpha_without_a_background_is_said(tmp_path: Path) -> None:
    frames = np.full((2, 48, 64, 4), 0.5, np.float32)
    with pytest.warns(TelecineWarning, match="transparent pixels are shown on black"):
        telecine.export_video(frames, tmp_path / "clip.mp4", color="hlg", light="scene-linear")


# ---- what is asked for ---------------------------------------------------------------------------------------------

HOW: Any = {"color": "pq", "light": "display-linear"}
KINDS = "use light='scene-linear' or 'display-linear', where 1.0 is white of 203 cd/m2, or 'encoded'"


@pytest.mark.parametrize(
    ("name", "options", "codec", "pixel_format"),
    [
        ("clip.mp4", {}, "hevc", "yuv420p10le"),
        ("clip.mov", {}, "hevc", "yuv420p10le"),
        ("clip.mkv", {}, "hevc", "yuv420p10le"),
        ("clip.webm", {}, "av1", "yuv420p10le"),
        ("clip.mp4", {"codec": "av1"}, "av1", "yuv420p10le"),
        ("clip.mp4", {"bit_depth": 12}, "hevc", "yuv420p12le"),
        ("clip.mp4", {"chroma": "4:2:2"}, "hevc", "yuv422p10le"),
    ],
)
def test_hdr_alone_chooses_codec_and_depth(
    name: str, options: dict[str, Any], codec: str, pixel_format: str, tmp_path: Path
) -> None:
    with pytest.warns(TelecineWarning, match="does not play everywhere"):
        video = telecine.export_video(grey(1), tmp_path / name, **HOW, **options)
    info = telecine.probe(video)
    assert (info.codec, info.pixel_format) == (codec, pixel_format)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"color": "pq"}, f"PQ needs to know what values mean: {KINDS}"),
        ({"color": "hlg", "light": "linear"}, f"light='linear' is not known: {KINDS}"),
        ({"light": "encoded"}, "light='encoded' is for color='pq' and color='hlg': leave it out"),
        ({"primaries": "bt709", "color": "bt709"}, "primaries='bt709' is for color='pq' and color='hlg'"),
        ({"mastering_display": MasteringDisplay()}, "mastering_display= is for color='pq' and color='hlg'"),
        (HOW | {"primaries": "aces"}, "primaries='aces' is not known: use 'bt709' or 'p3-d65' or 'bt2020'"),
        (HOW | {"light": "encoded", "primaries": "bt709"}, "does not go with light='encoded', which is BT.2020"),
        (HOW | {"codec": "h264"}, "h264 is not used for PQ and HLG: use codec='hevc' or 'av1'"),
        (HOW | {"bit_depth": 8}, "bit_depth=8 does not go with HDR in hevc: use bit_depth=10 or 12"),
        (HOW | {"pixel_format": "yuv420p"}, "pixel_format='yuv420p' does not go with HDR in hevc"),
        (HOW | {"quality": "lossless"}, "color='pq' is a matrix, and gbrp10le has none: leave it out"),
        (HOW | {"dither": True}, "dither=True is for 8 bit, and yuv420p10le has more: leave it out"),
        (HOW | {"mastering_display": 1000}, "use telecine.MasteringDisplay(max_luminance=1000)"),
        (HOW | {"mastering_display": MasteringDisplay(max_luminance=0)}, "max_luminance is 5 to 10000"),
        (HOW | {"mastering_display": MasteringDisplay(red=(0.8, 0.3))}, "a colour out of range: x is 0.0001 to 0.74"),
        (HOW | {"format": "gif"}, "color='pq' does not go with gif: leave it out"),
        ({"format": "png", "light": "scene-linear"}, "light='scene-linear' does not go with png: leave it out"),
        (HOW | {"color": "hlg", "mastering_display": OWN_DISPLAY}, "max_luminance=4000 does not go with color='hlg'"),
    ],
)
def test_what_does_not_go_together_is_refused_before_the_first_frame(
    options: dict[str, Any], said: str, tmp_path: Path
) -> None:
    frames = Asked(grey(1))
    with pytest.raises(OptionError, match=re.escape(said)) as refused:
        telecine.export_video(frames, tmp_path / "clip.mp4", **options)
    assert "\n" not in str(refused.value)
    assert frames.count == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("frames", "light", "said"),
    [
        (
            grey(200, np.uint8),
            "scene-linear",
            "frame 0 is uint8, and light='scene-linear' comes in floats: pass floats",
        ),
        (grey(np.nan), "display-linear", "frame 0 has 9216 NaN or infinite values of 9216"),
        (grey(np.inf), "scene-linear", "frame 0 has 9216 NaN or infinite values of 9216"),
        (grey(1.5), "encoded", "frame 0 is float32 with values from 1.5 to 1.5, not [0, 1]"),
    ],
)
def test_values_that_are_no_light_are_refused(frames: Any, light: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(FrameError, match=re.escape(said)):
        telecine.export_video(frames, tmp_path / "clip.mp4", color="pq", light=light)


def test_one_infinite_value_of_alpha_is_refused_too(tmp_path: Path) -> None:
    frames = np.full((2, 48, 64, 4), 0.5, np.float32)
    frames[1, 5, 5, 3] = np.inf
    with pytest.raises(FrameError, match="frame 1 has 1 NaN or infinite values"):
        telecine.export_video(frames, tmp_path / "clip.mp4", **HOW)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"light": "linear"}, "light='linear' is not known"),
        ({"light": "encoded", "primaries": "bt709"}, "does not go with light='encoded'"),
        ({"primaries": "bt709"}, "goes with light='scene-linear' or 'display-linear': give both"),
    ],
)
def test_reading_refuses_what_it_does_not_know_at_once(options: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=re.escape(said)):
        telecine.read_frames(tmp_path / "no.mp4", **options)


# ---- the command line ----------------------------------------------------------------------------------------------


def test_the_command_line_exports_verifies_and_probes_hdr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "light.npy", spotted())
    how = ["--light", "display-linear", "--primaries", "bt2020"]
    frames, clip = str(tmp_path / "light.npy"), str(tmp_path / "clip.mp4")
    assert run(["export", frames, "-o", clip, "--color", "pq", *how, "--quiet"]) == 0
    assert run(["verify", clip, frames, *how]) == 0
    capsys.readouterr()
    assert run(["probe", clip, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["content_light"] == {"max_cll": 600, "max_fall": 159}
    assert found["mastering_display"]["max_luminance"] == 1000
    assert run(["probe", clip]) == 0
    shown = capsys.readouterr().out
    assert "MaxCLL 600, MaxFALL 159 cd/m2" in shown
    assert "0.0001 to 1000 cd/m2" in shown


def test_every_line_of_python_on_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    inputs = {"frames": lambda: lights(stops=2) / 3}
    *_, names = (run_python(block, inputs) for block in blocks_of(ROOT / "docs" / "hdr.md"))
    assert names["frame"].dtype == np.float32
    assert telecine.probe("clip.mp4").mastering_display == MasteringDisplay(max_luminance=4000, min_luminance=0.005)
