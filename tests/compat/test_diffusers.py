"""`export_to_video`, `export_to_gif` and `encode_video` in the place of those of diffusers."""

from __future__ import annotations

import inspect
import tempfile
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

import telecine
from telecine import FrameError, OptionError
from telecine.compat import diffusers, encode_video, export_to_gif, export_to_video

from .clips import FRAMES, HEIGHT, WIDTH, assert_pixels, shades


def noise() -> npt.NDArray[np.uint8]:
    """A clip that takes many bits, so that what sets their number shows in the size of the file."""
    return np.random.default_rng(0).integers(0, 256, (FRAMES, HEIGHT, WIDTH, 3), np.uint8)


def size_of(path: Path, **how: Any) -> int:
    return Path(export_to_video(noise(), path, **how)).stat().st_size


# ---- export_to_video ----


@pytest.mark.parametrize("name", ["export_to_video", "export_to_gif", "encode_video"])
def test_the_signature_is_that_of_diffusers(name: str) -> None:
    theirs = inspect.signature(getattr(import_module("diffusers.utils"), name)).parameters.values()
    ours = inspect.signature(getattr(diffusers, name)).parameters.values()
    assert [(each.name, each.default, each.kind) for each in ours] == [
        (each.name, each.default, each.kind) for each in theirs
    ]


def test_export_to_video_gives_the_path_as_text(tmp_path: Path) -> None:
    path = export_to_video(shades(), tmp_path / "clip.mp4")
    assert type(path) is str
    assert path == str(tmp_path / "clip.mp4")
    assert export_to_video(shades(), path) == path


def test_export_to_video_makes_a_temporary_file_without_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    first, second = export_to_video(shades()), export_to_video(shades())
    assert first != second
    assert sorted(tmp_path.iterdir()) == sorted([Path(first), Path(second)])
    assert {Path(path).suffix for path in (first, second)} == {".mp4"}
    assert telecine.probe(first).frame_count == FRAMES


@pytest.mark.parametrize("arguments", [{}, {"fps": 10}])
def test_export_to_video_is_at_10_fps_unless_told(arguments: dict[str, Any], tmp_path: Path) -> None:
    info = telecine.probe(export_to_video(shades(), tmp_path / "clip.mp4", **arguments))
    assert (info.codec, info.frame_count) == ("h264", FRAMES)
    assert info.fps == 10
    assert info.duration == Fraction(FRAMES, 10)


@pytest.mark.parametrize(
    ("fps", "exact"),
    [(8, Fraction(8)), (12.5, Fraction(25, 2)), (29.97, Fraction(30000, 1001)), (23.976, Fraction(24000, 1001))],
)
def test_export_to_video_holds_the_rate_exactly(fps: float, exact: Fraction, tmp_path: Path) -> None:
    info = telecine.probe(export_to_video(shades(), tmp_path / "clip.mp4", fps))
    assert info.fps == exact
    assert info.duration == FRAMES / exact


def given_as(kind: str, frames: npt.NDArray[np.uint8]) -> Any:
    floats = frames.astype(np.float32) / 255
    return {
        "PIL images": [Image.fromarray(frame) for frame in frames],
        "float arrays": list(floats),
        "uint8 arrays": list(frames),
        "one float array": floats,
        "the np batch of a pipeline": floats[None],
        "the pt batch of a pipeline": torch.from_numpy(floats).movedim(3, 1)[None],
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "PIL images",
        "float arrays",
        "uint8 arrays",  # which diffusers multiplies by 255: 100 becomes 156
        "one float array",
        "the np batch of a pipeline",
        "the pt batch of a pipeline",
    ],
)
def test_export_to_video_keeps_the_pixels_of(kind: str, tmp_path: Path) -> None:
    assert_pixels(export_to_video(given_as(kind, shades()), tmp_path / "clip.mp4"), shades())


def test_a_higher_quality_takes_more_bytes_and_is_closer(tmp_path: Path) -> None:
    sizes, distances = [], []
    for quality in (0, 2.5, 5, 7.5, 10):
        path = export_to_video(noise(), tmp_path / f"{quality}.mp4", quality=quality)
        sizes.append(Path(path).stat().st_size)
        distances.append(-telecine.verify(path, noise()).psnr)
    assert sizes == sorted(set(sizes))
    assert distances == sorted(set(distances), reverse=True)
    assert sizes[-1] > 20 * sizes[0]


def test_the_quality_is_5_unless_told(tmp_path: Path) -> None:
    unsaid = size_of(tmp_path / "clip.mp4")
    assert size_of(tmp_path / "clip.mp4", quality=4) < unsaid < size_of(tmp_path / "clip.mp4", quality=6)


def test_the_highest_quality_still_plays_everywhere(tmp_path: Path) -> None:
    assert telecine.probe(export_to_video(noise(), tmp_path / "clip.mp4", quality=10)).profile == "High"


def test_no_quality_is_the_encoders_own(tmp_path: Path) -> None:
    without = size_of(tmp_path / "clip.mp4", quality=None)  # crf 23, between those of 5 (25) and 6 (20)
    assert size_of(tmp_path / "clip.mp4", quality=5) < without < size_of(tmp_path / "clip.mp4", quality=6)


@pytest.mark.parametrize("quality", [-1, -0.1, 10.1, 51, float("nan")])
def test_a_quality_out_of_range_is_refused(quality: float, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"quality=.*use 0 \(worst\) to 10, or None"):
        export_to_video(shades(), tmp_path / "clip.mp4", quality=quality)
    assert list(tmp_path.iterdir()) == []


def test_a_quality_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="quality='high'"):
        export_to_video(shades(), tmp_path / "clip.mp4", quality="high")  # type: ignore[arg-type]


def test_a_bitrate_sets_the_size(tmp_path: Path) -> None:
    frames = np.concatenate([noise()] * 10)  # 12 s, for the rate control to settle
    for bitrate in (100_000, 400_000):
        info = telecine.probe(export_to_video(frames, tmp_path / "clip.mp4", bitrate=bitrate))
        assert info.size_bytes * 8 / info.duration == pytest.approx(bitrate, rel=0.15)


def test_a_bitrate_is_in_place_of_the_quality(tmp_path: Path) -> None:
    lowest, none, highest = (
        size_of(tmp_path / "clip.mp4", quality=quality, bitrate=200_000) for quality in (0, None, 10)
    )
    assert lowest == pytest.approx(highest, rel=0.02) == none


@pytest.mark.parametrize("macro_block_size", [16, 8, 2, 1, None])
def test_a_macro_block_size_is_accepted_and_the_frame_keeps_its_size(
    macro_block_size: int | None, tmp_path: Path
) -> None:
    path = export_to_video(shades(66, 50), tmp_path / "clip.mp4", macro_block_size=macro_block_size)
    info = telecine.probe(path)
    assert (info.width, info.height) == (66, 50)
    assert_pixels(path, shades(66, 50))


def test_every_argument_can_be_given_by_position(tmp_path: Path) -> None:
    path = export_to_video(list(shades()), str(tmp_path / "clip.mp4"), 24, 7.0, None, 8)
    assert telecine.probe(path).fps == 24


# ---- export_to_gif ----


def images_of(frames: npt.NDArray[np.uint8]) -> list[Image.Image]:
    return [Image.fromarray(frame) for frame in frames]


def test_export_to_gif_writes_a_gif_that_loops(tmp_path: Path) -> None:
    path = export_to_gif(images_of(shades()), str(tmp_path / "clip.gif"))
    assert type(path) is str
    assert path == str(tmp_path / "clip.gif")
    with Image.open(path) as gif:
        assert (gif.format, gif.n_frames, gif.info["loop"]) == ("GIF", FRAMES, 0)  # type: ignore[attr-defined]
        assert gif.info["duration"] == 100
    assert_pixels(path, shades())


def test_export_to_gif_is_as_long_as_the_rate_says(tmp_path: Path) -> None:
    path = export_to_gif(images_of(shades()), tmp_path / "clip.gif", fps=16)  # 62.5 ms: Pillow would write 60
    assert telecine.probe(path).duration == Fraction(FRAMES, 16)


def test_export_to_gif_makes_a_temporary_file_without_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = export_to_gif(images_of(shades()))
    assert list(tmp_path.iterdir()) == [Path(path)]
    assert Path(path).suffix == ".gif"


@pytest.mark.parametrize(("extension", "format"), [("webp", "WEBP"), ("png", "PNG"), ("avif", "AVIF"), ("GIF", "GIF")])
def test_export_to_gif_writes_the_moving_image_that_its_path_names(extension: str, format: str, tmp_path: Path) -> None:
    with Image.open(export_to_gif(images_of(shades()), tmp_path / f"clip.{extension}")) as image:
        assert (image.format, image.n_frames) == (format, FRAMES)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["clip.mp4", "clip", "clip.jpg"])
def test_export_to_gif_refuses_what_is_no_moving_image(name: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"is no moving image: use '.gif' or .*export_to_video for a video"):
        export_to_gif(images_of(shades()), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_export_to_gif_refuses_what_is_no_path() -> None:
    with pytest.raises(OptionError, match="output_gif_path is of type int: give a path"):
        export_to_gif(images_of(shades()), 3)  # type: ignore[arg-type]


# ---- encode_video ----


@pytest.mark.parametrize("kind", ["PIL images", "float array", "uint8 array", "tensor", "chunks", "bfloat16"])
def test_encode_video_keeps_the_pixels_of(kind: str, tmp_path: Path) -> None:
    frames = shades()
    floats, tensor = frames.astype(np.float32) / 255, torch.from_numpy(frames)
    given: dict[str, Any] = {
        "PIL images": images_of(frames),
        "float array": floats,
        "uint8 array": frames,
        "tensor": tensor,
        "chunks": iter(torch.tensor_split(tensor, 3)),
        "bfloat16": torch.from_numpy(floats).bfloat16(),
    }
    assert encode_video(given[kind], 8, str(tmp_path / "clip.mp4")) is None  # type: ignore[func-returns-value]
    assert_pixels(str(tmp_path / "clip.mp4"), frames)


def test_encode_video_takes_dark_uint8_frames_as_they_are(tmp_path: Path) -> None:
    encode_video(np.ones((FRAMES, HEIGHT, WIDTH, 3), np.uint8), 8, tmp_path / "clip.mp4")  # diffusers writes white
    assert np.array(list(telecine.read_frames(tmp_path / "clip.mp4"))).max() < 5


@pytest.mark.parametrize("height", [3, 4])
def test_encode_video_takes_the_last_axis_for_colours(height: int, tmp_path: Path) -> None:
    encode_video(np.zeros((3, height, WIDTH, 3), np.uint8), 8, tmp_path / "clip.mp4")
    assert telecine.probe(tmp_path / "clip.mp4").frame_count == 3


def test_encode_video_keeps_a_fractional_rate(tmp_path: Path) -> None:
    encode_video(shades(), 29.97, tmp_path / "clip.mp4")
    assert telecine.probe(tmp_path / "clip.mp4").fps == Fraction(30000, 1001)


@pytest.mark.parametrize("layout", ["channels first", "channels last", "mono", "int16"])
def test_encode_video_writes_the_sound(layout: str, tmp_path: Path) -> None:
    tone = 0.5 * torch.sin(torch.arange(24_000) * (2 * torch.pi * 440 / 24_000))
    stereo = torch.stack([tone, -tone])
    sound = {"channels first": stereo, "channels last": stereo.T, "mono": tone[None]}
    audio = sound.get(layout, (stereo * 32767).to(torch.int16))
    encode_video(shades(), 12, tmp_path / "clip.mp4", audio=audio, audio_sample_rate=24_000, video_chunks_number=4)
    found = telecine.probe(tmp_path / "clip.mp4").audio
    assert found is not None
    assert (found.codec, found.sample_rate, found.channels) == ("aac", 24_000, 1 if layout == "mono" else 2)


def test_encode_video_refuses_sound_without_a_rate(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="audio_sample_rate=, such as 48_000"):
        encode_video(shades(), 8, tmp_path / "clip.mp4", torch.zeros(2, 1000))
    assert list(tmp_path.iterdir()) == []


def test_encode_video_refuses_floats_that_are_no_0_to_1(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match=r"look like \[0, 255\]"):
        encode_video(shades().astype(np.float32), 8, tmp_path / "clip.mp4")


@pytest.mark.parametrize("path", [None, torch.zeros(2, 9)])  # an older one had the sound as its third parameter
def test_encode_video_refuses_no_path(path: Any) -> None:
    with pytest.raises(OptionError, match=f"output_path is of type {type(path).__name__}: give a path"):
        encode_video(shades(), 8, path)
