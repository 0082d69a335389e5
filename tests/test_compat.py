"""The drop-in functions: diffusers' `export_to_video` and SAT's `save_video_as_grid_and_mp4`."""

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
from telecine.compat import export_to_video, save_video_as_grid_and_mp4

WIDTH, HEIGHT, FRAMES = 64, 48, 12
MEAN_ERROR = 2.5  # of 255, of a flat area: measured is up to 2.0; frames that follow one another are 6 to 10 apart


def shades(width: int = WIDTH, height: int = HEIGHT, count: int = FRAMES) -> npt.NDArray[np.uint8]:
    """A clip that brightens, reddish on the left and bluish on the right."""
    frames = np.full((count, height, width, 3), 90, np.uint8)
    levels = np.arange(80, 80 + 10 * count, 10)[:, None, None]
    frames[:, :, : width // 2, 0] = frames[:, :, width // 2 :, 2] = levels
    return frames


def noise() -> npt.NDArray[np.uint8]:
    """A clip that takes many bits, so that what sets their number shows in the size of the file."""
    return np.random.default_rng(0).integers(0, 256, (FRAMES, HEIGHT, WIDTH, 3), np.uint8)


def assert_pixels(path: str, expected: npt.NDArray[np.uint8]) -> None:
    """Every frame is there, in its place, left and right of the edge in the middle, where 4:2:0 mixes colours."""
    found = np.array(list(telecine.read_frames(path)), np.float64)
    assert found.shape == expected.shape
    middle = expected.shape[2] // 2
    for side in (slice(middle - 8), slice(middle + 8, None)):
        difference = found[:, :, side].mean((1, 2)) - expected[:, :, side].mean((1, 2))
        assert np.abs(difference).max() < MEAN_ERROR


def size_of(path: Path, **how: Any) -> int:
    return Path(export_to_video(noise(), path, **how)).stat().st_size


# ---- diffusers -----------------------------------------------------------------------------------------------------


def test_export_to_video_has_the_signature_of_diffusers() -> None:
    theirs = inspect.signature(import_module("diffusers.utils").export_to_video).parameters.values()
    ours = inspect.signature(export_to_video).parameters.values()
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


# ---- SAT -----------------------------------------------------------------------------------------------------------


def batch_of(count: int) -> torch.Tensor:
    """(B, T, C, H, W) floats in [0, 1], each video darker than the one before it."""
    video = torch.from_numpy(shades()).movedim(3, 1).float() / 255
    return torch.stack([video * (1 - 0.2 * index) for index in range(count)])


def frames_of(video: torch.Tensor) -> npt.NDArray[np.uint8]:
    return np.asarray((255 * video.movedim(1, 3)).round().byte())


def test_save_video_as_grid_and_mp4_has_the_signature_of_sat() -> None:
    parameters = inspect.signature(save_video_as_grid_and_mp4).parameters.values()
    empty = inspect.Parameter.empty
    assert [(each.name, each.default) for each in parameters] == [
        ("video_batch", empty),
        ("save_path", empty),
        ("fps", 5),
        ("args", None),
        ("key", None),
    ]
    assert {each.kind for each in parameters} == {inspect.Parameter.POSITIONAL_OR_KEYWORD}


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_batch_becomes_one_numbered_file_each_and_a_grid(count: int, tmp_path: Path) -> None:
    batch, folder = batch_of(count), tmp_path / "made" / "here"
    save_video_as_grid_and_mp4(batch, str(folder), fps=8)
    numbered = [f"{index:06d}.mp4" for index in range(count)]
    assert sorted(path.name for path in folder.iterdir()) == [*numbered, "grid.mp4"]
    for name, video in zip(numbered, batch, strict=True):
        info = telecine.probe(folder / name)
        assert (info.codec, info.width, info.height, info.frame_count) == ("h264", WIDTH, HEIGHT, FRAMES)
        assert info.fps == 8
        assert_pixels(str(folder / name), frames_of(video))


def test_the_grid_holds_the_videos_row_by_row(tmp_path: Path) -> None:
    batch = batch_of(3)
    save_video_as_grid_and_mp4(batch, tmp_path, fps=8)
    info = telecine.probe(tmp_path / "grid.mp4")
    assert (info.width, info.height, info.frame_count) == (2 * WIDTH, 2 * HEIGHT, FRAMES)
    assert info.fps == 8
    cells = [*map(frames_of, batch), np.zeros((FRAMES, HEIGHT, WIDTH, 3), np.uint8)]
    rows = [np.concatenate(row, axis=2) for row in (cells[:2], cells[2:])]
    report = telecine.verify(tmp_path / "grid.mp4", np.concatenate(rows, axis=1))
    assert report.problems == ()


def test_the_rate_is_5_unless_told_as_in_sat(tmp_path: Path) -> None:
    save_video_as_grid_and_mp4(batch_of(1), tmp_path)
    assert telecine.probe(tmp_path / "000000.mp4").fps == telecine.probe(tmp_path / "grid.mp4").fps == 5


def test_what_sat_passes_besides_is_accepted(tmp_path: Path) -> None:
    save_video_as_grid_and_mp4(batch_of(1), tmp_path, 8, object(), "samples")
    assert telecine.probe(tmp_path / "000000.mp4").frame_count == FRAMES


@pytest.mark.parametrize("frames", [3, 4])
def test_as_many_frames_as_channels_are_still_frames(frames: int, tmp_path: Path) -> None:
    save_video_as_grid_and_mp4(batch_of(2)[:, :frames], tmp_path, fps=8)
    for name in ("000000.mp4", "grid.mp4"):
        assert telecine.probe(tmp_path / name).frame_count == frames


def test_a_bfloat16_batch_is_saved(tmp_path: Path) -> None:
    save_video_as_grid_and_mp4(batch_of(2).bfloat16(), tmp_path, fps=8)
    assert_pixels(str(tmp_path / "000001.mp4"), frames_of(batch_of(2)[1]))


def test_a_batch_that_was_not_brought_to_0_to_1_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match=r"look like \[-1, 1\]"):
        save_video_as_grid_and_mp4(2 * batch_of(2) - 1, tmp_path, fps=8)
    assert list(tmp_path.iterdir()) == []


def test_a_video_that_is_no_batch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match="TCHW"):
        save_video_as_grid_and_mp4(batch_of(1)[0], tmp_path, fps=8)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_batch_is_refused_as_such(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match="no videos"):
        save_video_as_grid_and_mp4(batch_of(1)[:0], tmp_path, fps=8)
