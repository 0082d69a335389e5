"""`save_video_as_grid_and_mp4` in the place of CogVideo's: of `sat/sample_video.py`, and of `sat/train_video.py`."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

import telecine
from telecine import FrameError, OptionError
from telecine.compat import save_video_as_grid_and_mp4

from .clips import FRAMES, HEIGHT, WIDTH, assert_pixels, shades


def batch_of(count: int) -> torch.Tensor:
    """(B, T, C, H, W) floats in [0, 1], each video darker than the one before it."""
    video = torch.from_numpy(shades()).movedim(3, 1).float() / 255
    return torch.stack([video * (1 - 0.2 * index) for index in range(count)])


def frames_of(video: torch.Tensor) -> npt.NDArray[np.uint8]:
    return np.asarray((255 * video.movedim(1, 3)).round().byte())


ARGS = SimpleNamespace(wandb=False, iteration=99)
SAMPLING: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "nothing": ((), {}),
    "fps=": ((), {"fps": 5}),
    "fps= and args=": ((), {"fps": 5, "args": ARGS, "key": "samples"}),
    "fps, args": ((5, ARGS), {}),
    "fps, args, key": ((5, ARGS, "samples"), {}),
    "fps, None": ((5, None), {}),
    "fps, None, key": ((5, None, "samples"), {}),
    "fps, args, key=": ((5, ARGS), {"key": "samples"}),
}
TRAINING: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "T, fps": ((2, 5), {}),
    "T, fps, args, key": ((2, 5, ARGS, "samples"), {}),  # as train_video.py calls it
    "T of a tensor": ((torch.tensor(2), 5.0, ARGS, "samples"), {}),
    "T, fps as text": ((2, "5"), {}),
    "T, fps=": ((2,), {"fps": 5}),
    "T, fps=, args=": ((2,), {"fps": 5, "args": ARGS, "key": "samples"}),
    "T=": ((), {"T": 2}),
    "T=, fps=": ((), {"T": 2, "fps": 5, "args": ARGS}),
}


@pytest.mark.parametrize("how", [*SAMPLING, *TRAINING])
def test_the_rate_is_known_in_both_scripts_forms(how: str, tmp_path: Path) -> None:
    arguments, named = (SAMPLING | TRAINING)[how]
    save_video_as_grid_and_mp4(batch_of(1), str(tmp_path), *arguments, **named)
    assert telecine.probe(tmp_path / "000000.mp4").fps == telecine.probe(tmp_path / "grid.mp4").fps == 5


@pytest.mark.parametrize("named", [{}, {"args": ARGS}, {"key": "samples"}])
def test_a_number_that_can_be_either_is_refused(named: dict[str, Any], tmp_path: Path) -> None:
    said = r"can be fps=8, as in sample_video.py, or T=8 at 5 fps, as in train_video.py: say fps=, or T= and fps="
    with pytest.raises(OptionError, match=said):
        save_video_as_grid_and_mp4(batch_of(1), tmp_path / "folder", 8, **named)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [((), {"quality": 3}), ((2, 8, None, "key", 5), {}), ((2,), {"T": 2, "fps": 8, "args": None, "steps": 3})],
)
def test_what_neither_script_takes_is_refused(
    arguments: tuple[Any, ...], named: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(TypeError, match="argument"):
        save_video_as_grid_and_mp4(batch_of(1), tmp_path / "folder", *arguments, **named)


@pytest.mark.parametrize("named", [{"fps": 0}, {"fps": "fast"}, {"T": 3, "fps": None}])
def test_a_rate_that_is_none_is_refused_as_such(named: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="fps="):
        save_video_as_grid_and_mp4(batch_of(1), tmp_path, **named)


def test_both_parameters_can_have_their_names(tmp_path: Path) -> None:
    save_video_as_grid_and_mp4(video_batch=batch_of(1), save_path=str(tmp_path), fps=8)
    assert telecine.probe(tmp_path / "000000.mp4").fps == 8


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
