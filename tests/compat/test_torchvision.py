"""`write_video` in the place of torchvision's, of which 0.24 was the last to have it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import telecine
from telecine import FrameError, OptionError, TelecineWarning
from telecine.compat.torchvision import write_video

from .clips import FRAMES, HEIGHT, WIDTH, assert_pixels, shades

VIDEO = torch.from_numpy(shades())
SOUND = 0.5 * torch.sin(torch.arange(24_000) * (2 * torch.pi * 440 / 24_000)).repeat(2, 1)


def test_the_signature_is_that_of_torchvision() -> None:
    empty = inspect.Parameter.empty  # torchvision/io/video.py of 0.24
    parameters = inspect.signature(write_video).parameters.values()
    assert [(each.name, each.default) for each in parameters] == [
        ("filename", empty),
        ("video_array", empty),
        ("fps", empty),
        ("video_codec", "libx264"),
        ("options", None),
        ("audio_array", None),
        ("audio_fps", None),
        ("audio_codec", None),
        ("audio_options", None),
    ]
    assert {each.kind for each in parameters} == {inspect.Parameter.POSITIONAL_OR_KEYWORD}


@pytest.mark.parametrize("of", [lambda video: video, np.asarray, torch.Tensor.float, torch.Tensor.double])
def test_frames_are_0_to_255(of: Callable[[torch.Tensor], Any], tmp_path: Path) -> None:
    path = str(tmp_path / "clip.mp4")
    assert write_video(path, of(VIDEO), 8) is None  # type: ignore[func-returns-value]
    info = telecine.probe(path)
    assert (info.codec, info.pixel_format, info.frame_count) == ("h264", "yuv420p", FRAMES)
    assert info.fps == 8
    assert_pixels(path, shades())


@pytest.mark.parametrize("video", [VIDEO / 255, (VIDEO / 255).bfloat16(), np.asarray(VIDEO) / 255])
def test_floats_of_0_to_1_which_would_be_black_are_refused(video: Any, tmp_path: Path) -> None:
    with pytest.raises(FrameError, match=r"nowhere above 1, and write_video takes 0 to 255: .*255 times as much"):
        write_video(tmp_path / "clip.mp4", video, 8)
    assert list(tmp_path.iterdir()) == []


def test_a_black_video_of_floats_is_black_either_way(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", torch.zeros(FRAMES, HEIGHT, WIDTH, 3), 8)
    assert np.array(list(telecine.read_frames(tmp_path / "clip.mp4"))).max() < 3


@pytest.mark.parametrize("shape", [(3, 3, 64, 3), (3, 4, 4, 3), (4, 3, 3, 1)])
def test_the_last_axis_is_colours_whatever_the_others_are(shape: tuple[int, ...], tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", torch.full(shape, 255, dtype=torch.uint8), 8)
    assert telecine.probe(tmp_path / "clip.mp4").frame_count == shape[0]


def test_the_rate_is_exact(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", VIDEO, 29.97)  # which torchvision makes 30
    assert telecine.probe(tmp_path / "clip.mp4").fps == Fraction(30000, 1001)


def test_options_go_to_the_encoder(tmp_path: Path) -> None:
    sizes = []
    for crf in ("10", "30", "50"):
        write_video(tmp_path / "clip.mp4", VIDEO, 8, "libx264", {"crf": crf, "preset": "fast", "g": 3})
        sizes.append((tmp_path / "clip.mp4").stat().st_size)
    assert sizes == sorted(set(sizes), reverse=True)


@pytest.mark.parametrize(("codec", "name", "found"), [("h264", "mp4", "h264"), ("libvpx-vp9", "webm", "vp9")])
def test_a_codec_or_an_encoder_is_taken_by_its_name(codec: str, name: str, found: str, tmp_path: Path) -> None:
    path = tmp_path / f"clip.{name}"
    if found == "h264":
        write_video(path, VIDEO, 8, codec)
    else:
        with pytest.warns(TelecineWarning, match="does not play everywhere"):
            write_video(path, VIDEO, 8, video_codec=codec)
    assert telecine.probe(path).codec == found


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"video_codec": "mpeg4"}, "'mpeg4' is not known: use 'libx264'"),
        ({"options": {"movflags": "faststart"}}, "no option 'movflags'"),
        ({"audio_array": SOUND}, "pass audio_fps=, such as 48_000"),
        ({"audio_array": SOUND, "audio_fps": 44_100.5, "audio_codec": "aac"}, "audio_rate=44100.5"),
        ({"audio_array": SOUND, "audio_fps": 24_000, "audio_codec": "mp3"}, "leave it out, or 'aac'"),
        ({"audio_array": SOUND, "audio_fps": 24_000, "audio_options": {"b": "64k"}}, "audio_options=.*leave it out"),
    ],
)
def test_what_is_not_taken_is_refused(arguments: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=said):
        write_video(tmp_path / "clip.mp4", VIDEO, 8, **arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("codec", ["aac", None])
@pytest.mark.parametrize("rate", [24_000, 24_000.0])
def test_sound_is_written(rate: float, codec: str | None, tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", VIDEO, 12, "libx264", None, SOUND, rate, codec, {})
    found = telecine.probe(tmp_path / "clip.mp4").audio
    assert found is not None
    assert (found.codec, found.sample_rate, found.channels) == ("aac", 24_000, 2)


def test_a_list_of_frames_is_taken(tmp_path: Path) -> None:
    write_video(str(tmp_path / "clip.mp4"), list(shades()), 8)
    assert_pixels(str(tmp_path / "clip.mp4"), shades())


@pytest.mark.parametrize(
    ("video", "said"),
    [
        (VIDEO[:0], "no frames in an array of shape"),
        (VIDEO[:0].float(), "no frames in an array of shape"),
        (VIDEO.movedim(3, 1), "48 channels|64 channels"),
        (VIDEO.long(), "dtype int64"),
        (VIDEO.float() * torch.nan, "NaN"),
    ],
)
def test_frames_that_are_none_are_refused(video: torch.Tensor, said: str, tmp_path: Path) -> None:
    with pytest.raises(FrameError, match=said):
        write_video(tmp_path / "clip.mp4", video, 8)
    assert list(tmp_path.iterdir()) == []


def test_no_path_is_refused() -> None:
    with pytest.raises(OptionError, match="filename is of type NoneType: give a path"):
        write_video(None, VIDEO, 8)  # type: ignore[arg-type]
