"""Every option is accepted or refused before the first frame, with what is accepted."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import telecine
from telecine import OptionError, VideoWriter, export_video

from ..support.helpers import Asked, assert_frames, assert_untouched, greys, noise
from ..support.journals import packets_of
from ..support.mp4 import shown_times

NUMBER = "use a number above 0, a Fraction or text such as '24000/1001'"
CRF = r"use 0 \(best\) to 51"
BITRATE = "use an int from 1000, such as 5_000_000"
PRESET = "'ultrafast' or .* or 'placebo'"
LAYOUT = "letters of T, H, W, C, B such as 'CTHW'"
RANGE = r"use 'auto' or \(low, high\) such as \(-1, 1\)"
BACKGROUND = r"use a name, '#rrggbb' or \(r, g, b\) in \[0, 1\]"

# An argument, what the message says is accepted, and what is not.
UNKNOWN: list[tuple[str, str, list[Any]]] = [
    ("fps", NUMBER, [0, 0.0, -1, -0.5, "0", "-24", Fraction(-1, 3), np.nan, np.inf, -np.inf, "nan", "abc"]),
    ("fps", NUMBER, ["", "24 fps", "1/0", "24000/", None, True, False, 1j, [16], (24000, 1001), b"16", {}, object]),
    ("fps", "use a simpler fraction", [1e-12, 2**31, 10**12, Fraction(1, 2**30), "3000000000/7"]),
    ("crf", CRF, [-1, 52, np.nan, "18", True]),
    ("bitrate", BITRATE, [0, 999, 2**31, 5e6, "5M", True]),
    ("preset", PRESET, ["fastest", 3, ""]),
    ("quality", "'draft' or 'balanced' or 'high' or 'visually-lossless'", ["best", 5, None]),
    ("codec", "use 'h264' or 'hevc' or 'av1' or 'vp9' or 'prores' or 'ffv1'", ["divx", "libx264", ["h264"]]),
    ("pixel_format", "use pixel_format='yuv420p' or .* or 'yuv444p10le'", ["gbrp", "nv12"]),
    ("bit_depth", "use bit_depth=8 or 10$", [9, 12, "8"]),
    ("chroma", "use chroma='4:2:0' or '4:2:2' or '4:4:4'$", ["4:1:1", "420", 420]),
    ("format", "use 'mp4' or 'mov' or 'webm' or 'mkv'", ["avi", ".mp4"]),
    ("color", "use 'auto', 'bt601', 'bt709'", ["bt2020", None, 709]),
    ("layout", LAYOUT, ["XYZ", "thwc", "THHW", "HHW", "", "TC", "TCH", "THWCBX", "T H W C", 5, None, ["H", "W"]]),
    ("value_range", RANGE, ["full", "", (0,), (1, 0), (0, 0), (0, 1, 2), (0, "x"), None, 5, 255, (0, np.nan)]),
    ("value_range", RANGE, [(0, np.inf), (-np.inf, 0), (0, 1e39), (1e9, 1e9 + 1)]),
    ("background", BACKGROUND, ["no such colour", "", "#12", 0, 5, (0, 0), (2, 0, 0), (0, 0, 2), (0, 0, np.nan)]),
    ("background", BACKGROUND, [(255, 255, 255), ("a", "b", "c")]),
    ("progress", r"use True, False or a function of \(done, total\)", [1, 5, None, "bar"]),
    ("encoder_options", "{'tune': 'animation'}", ["tune=film", [("tune", "film")], {1: 2}]),
]
# Arguments, what the message says was given, what it says is accepted or came of it.
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    *(({name: value}, f"{name}={value!r} ", accepted) for name, accepted, values in UNKNOWN for value in values),
    ({"crf": 18, "bitrate": 5_000_000}, "crf=18 and bitrate=5000000", "give one"),
    ({"encoder_options": {"tune": "nice"}}, "tune='nice'", "'film' or 'animation' or .* or 'zerolatency'"),
    ({"encoder_options": {"profile": "low"}}, "profile='low'", "'baseline' or 'main' or 'high' or"),
    ({"encoder_options": {"preset": "fastest"}}, "preset='fastest'", PRESET),
    ({"codec": "vp9"}, "codec='vp9' does not go into mp4", "use 'h264' or 'hevc' or 'av1'"),
    ({"codec": "hevc", "preset": "fastest"}, "preset='fastest'", PRESET),
    ({"codec": "av1", "crf": 0}, "crf=0", r"use 1 \(best\) to 63"),
    ({"codec": "av1", "encoder_options": {"preset": 99}}, "preset=99", "can't be opened: .*[Pp]reset"),
    ({"codec": "av1", "encoder_options": {"svtav1-params": "foo=1"}}, "foo=1", "Error parsing option foo"),
    ({"codec": "hevc", "encoder_options": {"x265-params": "foo=1"}}, "foo=1", "Unknown option: foo"),
    ({"codec": "hevc", "encoder_options": {"nonsense": 1}}, "nonsense=1", "ignores a part: no option 'nonsense'"),
    ({"codec": "av1", "quality": "lossless"}, "quality='lossless' is not what av1 does", "'h264' or 'hevc' or 'vp9'"),
    ({"bit_depth": 10, "dither": True}, "dither=True is for 8 bit", "yuv420p10le has more: leave it out"),
    ({"quality": "lossless", "color": "bt709"}, "color='bt709' is a matrix", "rgb24 has none: leave it out"),
    # What only the trial finds: the encoder's own refusals, what it ignores, and what it makes of the rest.
    ({"encoder_options": {"nonsense": 1}}, "nonsense=1", "ignores a part: no option 'nonsense'"),
    ({"encoder_options": {"": ""}}, " with =", "no option ''"),
    ({"encoder_options": {"pix_fmt": "yuv444p"}}, "pix_fmt=yuv444p", "no option 'pix_fmt'"),
    ({"encoder_options": {"crf": "abc"}}, "crf=abc", 'Unable to parse "crf" option value "abc"'),
    ({"encoder_options": {"x264-params": "foo=1"}}, "x264-params=foo=1", "Error parsing option 'foo = 1'"),
    ({"encoder_options": {"x264-params": "keyint=many"}}, "x264-params=keyint=many", "Error parsing option 'keyint"),
    ({"encoder_options": {"x264opts": "foo=1"}}, "x264opts=foo=1", "bad option 'foo'"),
    ({"encoder_options": {"x264-params": "crop-rect=8,8,8,8"}}, "crop-rect", "112x80.* not .*128.*96"),
    ({"encoder_options": {"x264-params": "sar=2/1"}}, "sar=2/1", "aspect ratio becomes 2, not 1"),
    ({"encoder_options": {"aspect": "2"}}, "aspect=2", "aspect ratio becomes .*, not 1"),
    (
        {"encoder_options": {"x264-params": "colormatrix=bt470bg"}},
        "colormatrix",
        "colour is bt470bg matrix.* not bt709",
    ),
    ({"encoder_options": {"x264-params": "transfer=linear"}}, "transfer=linear", "linear transfer.* not bt709"),
    ({"encoder_options": {"colorspace": "bt470bg"}}, "colorspace=bt470bg", "colour is bt470bg matrix.*not bt709"),
    ({"encoder_options": {"color_range": "pc"}}, "color_range=pc", "full range, not bt709.*limited range"),
    ({"encoder_options": {"color_primaries": "bt2020"}}, "color_primaries", "bt2020 primaries.*not bt709"),
    ({"encoder_options": {"time_base": "1/1000"}}, "time_base=1/1000", "1/1000"),  # of which 1/16 is no multiple
    ({"encoder_options": {"x264-params": "interlaced=1"}}, "interlaced=1", "interlaced becomes True, not False"),
    ({"encoder_options": {"flags": "+ildct+ilme"}}, "flags=+ildct", "interlaced becomes True, not False"),
    ({"encoder_options": {"flags": "-global_header"}}, "flags=-global_header", "can't be opened"),
]


@pytest.mark.parametrize(
    ("arguments", "named", "accepted"),
    [pytest.param(*row, id=f"{row[0]}".encode("ascii", "replace").decode()) for row in REFUSED],
)
def test_an_argument_is_refused_before_the_first_frame(
    arguments: dict[str, Any], named: str, accepted: str, path: Path
) -> None:
    frames = Asked(greys())
    with pytest.raises(OptionError) as refused:
        export_video(frames, path, **arguments)
    message = str(refused.value)
    assert isinstance(refused.value, ValueError)
    assert named in message
    assert re.search(accepted, message)
    assert "\n" not in message
    assert len(message) < 400
    assert frames.count == 0
    with pytest.raises(OptionError) as again:
        VideoWriter(path, **arguments)
    assert str(again.value) == message
    assert_untouched(path)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (lambda folder: folder / "clip.avi", r"'\.avi'.* use '\.mp4' or .* or '\.avif', or say format='mp4'"),
        (lambda folder: folder / "clip", r"extension ''.* use '\.mp4' or '\.m4v'"),
        (lambda folder: f"{folder}/a\0b.mp4", r"'.*a\\x00b\.mp4'.* no file name can have"),
        (lambda folder: f"{folder}/\ud800.mp4", r"'.*\\ud800\.mp4'.* no file name can have"),
        (lambda folder: "~/clip.mp4", r"'~/clip\.mp4' is not in your home: use os\.path\.expanduser"),
        (lambda folder: 5, "path=5 is no path, and no file object that takes bytes"),
        (lambda folder: io.BytesIO(), r"extension '' of '<BytesIO>' is not known: use '\.mp4'"),
    ],
)
def test_what_can_be_no_path_is_refused_before_the_first_frame(
    place: Callable[[Path], Any], said: str, tmp_path: Path
) -> None:
    path, frames = place(tmp_path), Asked(greys())
    with pytest.raises(OptionError, match=said) as refused:
        export_video(frames, path)
    assert "\n" not in str(refused.value)
    assert frames.count == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options",
    [
        {"bf": 16, "x264-params": "b-adapt=0:open-gop=1"},
        {"g": 1},
        {"tune": "zerolatency"},
        {"profile": "baseline"},
        {"x264-params": "rc-lookahead=250:force-cfr=0:fps=5"},
        {"threads": 200},
        {"preset": "placebo"},
    ],
    ids=str,
)
def test_options_that_are_accepted_keep_every_frame_at_its_time(options: dict[str, Any], tmp_path: Path) -> None:
    frames = greys(40)
    video = export_video(frames, tmp_path / "clip.mp4", fps="24000/1001", crf=1, encoder_options=options)
    assert_frames(video, frames)
    times, duration = shown_times(video.path.read_bytes())
    assert sorted(times) == [index * Fraction(1001, 24000) for index in range(40)]
    assert duration == video.duration == 40 * Fraction(1001, 24000)


@pytest.mark.parametrize("options", [{"preset": "slow"}, {"encoder_options": {"preset": "slow"}}], ids=str)
def test_a_preset_replaces_what_a_level_says_about_speed(options: dict[str, Any], tmp_path: Path) -> None:
    def references(**options: Any) -> list[bytes]:
        video = export_video(greys(2), tmp_path / "clip.mp4", **options)
        return re.findall(rb" ref=(\d+) ", video.path.read_bytes())  # x264 writes its settings into the stream

    assert references() == [b"3"]
    assert references(**options) == [b"5"]  # as `x264 --fullhelp` has it


@pytest.mark.parametrize(("options", "slices"), [({}, {1}), ({"tune": "zerolatency"}, {4})], ids=str)
def test_h264_on_threads_has_a_frame_on_each_unless_none_may_be_held(
    options: dict[str, str], slices: set[int], tmp_path: Path
) -> None:
    video = export_video(noise(8, 128, 256), tmp_path / "clip.mp4", encoder_options={"threads": 4, **options})
    assert {len(slices_of(packet)) for *_, packet in packets_of(video.path)} == slices


def slices_of(packet: bytes) -> list[int]:
    """The types of the slices in a packet of H.264, each unit after its length (ISO/IEC 14496-15 5.3.3)."""
    types, at = [], 0
    while at < len(packet):
        types.append(packet[at + 4] & 0x1F)
        at += 4 + int.from_bytes(packet[at : at + 4])
    return [each for each in types if each in (1, 5)]  # Rec. ITU-T H.264, table 7-1


@pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning")
@pytest.mark.parametrize(
    ("codec", "options"),
    [("h264", {"x264-params": "bframes=1"}), ("hevc", {"x265-params": "bframes=1"}), ("vp9", {"cpu-used": 5})],
)
def test_options_beside_lossless_leave_it_so(tmp_path: Path, codec: Any, options: dict[str, Any]) -> None:
    frames = noise(4)
    video = export_video(frames, tmp_path / "a.mkv", codec=codec, quality="lossless", encoder_options=options)
    assert np.array_equal(np.stack(list(telecine.read_frames(video))), frames)


@pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning")
@pytest.mark.parametrize("interval", [1, 5])
@pytest.mark.parametrize(
    ("codec", "quality"),
    [
        ("h264", "draft"),
        ("h264", "lossless"),
        ("hevc", "draft"),
        ("hevc", "lossless"),
        ("av1", "draft"),
        ("vp9", "draft"),
    ],
)
def test_of_so_many_frames_in_a_row_one_is_a_key_frame(tmp_path: Path, codec: Any, quality: Any, interval: int) -> None:
    frames = greys(17, 64, 64)
    video = export_video(frames, tmp_path / "a.mkv", codec=codec, quality=quality, keyframe_interval=interval)
    with av.open(str(video)) as container:
        packets = sorted((packet.pts, packet.is_keyframe) for packet in container.demux(video=0) if packet.size)
    key_frames = [index for index, (_, is_key) in enumerate(packets) if is_key]
    assert key_frames[0] == 0
    assert max(np.diff([*key_frames, len(frames)])) <= interval


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keyframe_interval": 0}, "keyframe_interval=0 is no number of frames: use an int from 1"),
        ({"keyframe_interval": 2.0}, "keyframe_interval=2.0 is no number of frames"),
        ({"keyframe_interval": True}, "keyframe_interval=True is no number of frames"),
        ({"keyframe_interval": 9, "encoder_options": {"g": 4}}, "keyframe_interval=9 and g=4 contradict: give one"),
        (
            {"keyframe_interval": 9, "encoder_options": {"x264-params": "me=hex:keyint=4"}},
            "keyframe_interval=9 and keyint=4 contradict: give one",
        ),
        (
            {"keyframe_interval": 9, "codec": "ffv1", "format": "mkv"},
            "keyframe_interval=9 does not go with ffv1, of which every frame is a key frame: leave it out",
        ),
        ({"keyframe_interval": 9, "format": "gif"}, "keyframe_interval=9 does not go with gif: leave it out"),
    ],
)
def test_a_keyframe_interval_that_would_not_hold_is_refused(options: dict[str, Any], message: str, path: Path) -> None:
    with pytest.raises(OptionError, match=message):
        VideoWriter(path, **options)
    assert_untouched(path)
