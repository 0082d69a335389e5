"""`save_videos_grid` in the place of AnimateDiff's, `save_video` and `cache_video` in that of Wan's."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

import telecine
from telecine import FrameError, OptionError
from telecine.compat import cache_video, save_video, save_videos_grid

HEIGHT, WIDTH, FRAMES = 9, 14, 4
GRIDS: dict[str, Callable[..., Any]] = {"AnimateDiff": save_videos_grid, "Wan 2.2": save_video, "Wan 2.1": cache_video}


def batch_of(count: int, channels: int = 3) -> torch.Tensor:
    """(B, C, T, H, W) of noise in [0, 1]."""
    return torch.from_numpy(np.random.default_rng(0).random((count, channels, FRAMES, HEIGHT, WIDTH), np.float32))


def frames_in(path: str | Path) -> npt.NDArray[np.uint8]:
    return np.array([frame[:, :, :3] for frame in telecine.read_frames(path)])


def laid_out(batch: torch.Tensor, columns: int, around: float = 0) -> npt.NDArray[np.float64]:
    """Lay a batch in [0, 1] out by hand: each cell has 2 pixels above and left of it, the grid 2 below and right."""
    videos = batch.numpy().astype(np.float64).transpose(0, 2, 3, 4, 1)
    blank = np.full_like(videos[0], around)
    cells = [np.pad(each, ((0, 0), (2, 0), (2, 0), (0, 0)), constant_values=around) for each in (*videos, blank)]
    columns = min(columns, len(videos))
    rows = [cells[at : at + columns] for at in range(0, len(videos), columns)]
    rows[-1] += [np.full_like(cells[0], around)] * (columns - len(rows[-1]))
    grid = np.concatenate([np.concatenate(row[:columns], axis=2) for row in rows], axis=1)
    return np.pad(grid, ((0, 0), (0, 2), (0, 2), (0, 0)), constant_values=around)


def assert_holds(path: str | Path, values: npt.NDArray[np.float64]) -> None:
    """Each pixel is what rounding the value gives, or at a tie either neighbour."""
    assert np.abs(frames_in(path) - 255 * values).max() <= 0.501


# ---- both ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "columns"), [(2, 6), (2, 1), (5, 3), (6, 3), (7, 8)])
def test_each_pixel_is_where_it_is_in_a_grid_with_borders(count: int, columns: int, tmp_path: Path) -> None:
    batch, expected = batch_of(count), laid_out(batch_of(count), columns)
    save_videos_grid(batch, str(tmp_path / "a.apng"), False, columns)
    save_videos_grid(2 * batch - 1, tmp_path / "rescaled.apng", rescale=True, n_rows=columns)
    save_video(2 * batch - 1, tmp_path / "b.apng", nrow=columns)
    save_video(batch, tmp_path / "c.apng", nrow=columns, normalize=False)
    save_video(10 * batch, tmp_path / "d.apng", nrow=columns, value_range=(0, 10))
    assert_holds(tmp_path / "a.apng", expected)
    assert_holds(tmp_path / "rescaled.apng", laid_out(batch, columns, around=0.5))
    for name in ("b", "c", "d"):
        assert_holds(tmp_path / f"{name}.apng", expected)


@pytest.mark.parametrize("name", GRIDS)
def test_a_single_video_has_no_border(name: str, tmp_path: Path) -> None:
    batch = batch_of(1)
    GRIDS[name](batch if name == "AnimateDiff" else 2 * batch - 1, tmp_path / "clip.apng")
    assert_holds(tmp_path / "clip.apng", batch[0].numpy().transpose(1, 2, 3, 0).astype(np.float64))


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("count", [1, 3])
def test_gray_becomes_rgb(name: str, count: int, tmp_path: Path) -> None:
    GRIDS[name](batch_of(count, channels=1), tmp_path / "clip.apng", fps=8)
    found = frames_in(tmp_path / "clip.apng")
    assert (found[..., 0] == found[..., 1]).all()
    assert found.shape[1:3] == ((HEIGHT, WIDTH) if count == 1 else (HEIGHT + 4, 3 * (WIDTH + 2) + 2))


@pytest.mark.parametrize("name", GRIDS)
def test_bfloat16_lists_and_arrays_are_taken(name: str, tmp_path: Path) -> None:
    batch = batch_of(2)
    given: list[Any] = [batch.bfloat16(), list(batch), batch.numpy(), [video.numpy() for video in batch], batch.half()]
    for index, videos in enumerate(given):
        GRIDS[name](videos, tmp_path / f"{index}.apng")
    first, *others = [frames_in(tmp_path / f"{index}.apng").astype(int) for index in range(len(given))]
    assert all(np.abs(other - first).max() <= 1 for other in others)


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("extension", ["mp4", "gif", "mov"])
def test_a_video_or_a_gif_is_written_in_a_new_folder(name: str, extension: str, tmp_path: Path) -> None:
    path = tmp_path / "new folder" / f"100% ü.{extension}"
    GRIDS[name](batch_of(2), str(path), fps=8)
    info = telecine.probe(path)
    assert info.frame_count == FRAMES
    assert info.fps == 8
    if extension == "gif":
        with Image.open(path) as gif:
            assert gif.info["loop"] == 0


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize(
    ("batch", "said"),
    [
        (batch_of(1)[:0], "no videos"),
        (batch_of(1)[0], "CTHW"),
        (batch_of(2) * torch.nan, "NaN"),
        ([batch_of(1)[0], batch_of(1)[0, ..., 1:]], "the videos of a batch differ"),
        (3, "no batch of videos"),
        ("clip.mp4", "no batch of videos"),
    ],
)
def test_what_is_no_batch_is_refused(name: str, batch: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(FrameError, match=said):
        GRIDS[name](batch, tmp_path / "clip.mp4")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", GRIDS)
def test_a_video_that_ends_early_is_refused_and_the_frames_so_far_are_kept(name: str, tmp_path: Path) -> None:
    with pytest.raises(FrameError, match=r"the videos of a batch differ: .* 3 of 3 frames are kept"):
        GRIDS[name]([batch_of(1)[0], batch_of(1)[0, :, 1:]], tmp_path / "clip.mp4")
    assert not (tmp_path / "clip.mp4").exists()


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("columns", [0, -1, 1.5])
def test_no_column_is_refused(name: str, columns: Any, tmp_path: Path) -> None:
    how = {"n_rows" if name == "AnimateDiff" else "nrow": columns}
    with pytest.raises(OptionError, match="in a row: use 1 or more"):
        GRIDS[name](batch_of(2), tmp_path / "clip.mp4", **how)


def parameters_of(function: Callable[..., Any]) -> list[tuple[str, object]]:
    assert {each.kind for each in inspect.signature(function).parameters.values()} == {
        inspect.Parameter.POSITIONAL_OR_KEYWORD
    }
    return [(each.name, each.default) for each in inspect.signature(function).parameters.values()]


# ---- AnimateDiff ---------------------------------------------------------------------------------------------------


def test_save_videos_grid_has_the_signature_of_animatediff() -> None:
    empty = inspect.Parameter.empty  # animatediff/utils/util.py
    assert parameters_of(save_videos_grid) == [
        ("videos", empty),
        ("path", empty),
        ("rescale", False),
        ("n_rows", 6),
        ("fps", 8),
    ]


def test_values_that_were_not_rescaled_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match=r"look like \[-1, 1\]"):
        save_videos_grid(2 * batch_of(2) - 1, tmp_path / "clip.gif")
    assert list(tmp_path.iterdir()) == []


def test_integers_are_taken_as_they_are(tmp_path: Path) -> None:
    codes = (255 * batch_of(2)).round().byte()
    assert save_videos_grid(codes, tmp_path / "clip.apng") is None  # type: ignore[func-returns-value]
    assert_holds(tmp_path / "clip.apng", laid_out(codes.double() / 255, 6))


@pytest.mark.parametrize("path", [None, 3])
def test_no_path_is_refused(path: Any) -> None:
    with pytest.raises(OptionError, match=f"path is of type {type(path).__name__}: give a path"):
        save_videos_grid(batch_of(1), path)


# ---- Wan -----------------------------------------------------------------------------------------------------------


def test_save_video_has_the_signature_of_wan() -> None:
    of_both = [  # wan/utils/utils.py
        ("tensor", inspect.Parameter.empty),
        ("save_file", None),
        ("fps", 30),
        ("suffix", ".mp4"),
        ("nrow", 8),
        ("normalize", True),
        ("value_range", (-1, 1)),
    ]
    assert parameters_of(save_video) == of_both
    assert parameters_of(cache_video) == [*of_both, ("retry", 5)]


@pytest.mark.parametrize("save", [save_video, cache_video])
def test_the_path_is_given_as_text(save: Callable[..., str], tmp_path: Path) -> None:
    path = save(batch_of(1), tmp_path / "clip.mp4")
    assert type(path) is str
    assert path == str(tmp_path / "clip.mp4")
    assert telecine.probe(path).fps == Fraction(30)


@pytest.mark.parametrize(("suffix", "extension"), [(".mp4", ".mp4"), ("mp4", ".mp4"), (".gif", ".gif")])
def test_a_new_file_has_the_suffix(
    suffix: str, extension: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = save_video(batch_of(1), suffix=suffix)
    assert list(tmp_path.iterdir()) == [Path(path)]
    assert Path(path).suffix == extension


def test_what_is_outside_of_the_range_is_clipped(tmp_path: Path) -> None:
    batch = 4 * batch_of(2) - 2
    save_video(batch, tmp_path / "clip.apng")
    assert_holds(tmp_path / "clip.apng", laid_out((batch.clamp(-1, 1) + 1) / 2, 8))
    save_video(batch.abs(), tmp_path / "clip.apng", normalize=False, value_range=(1, 0))
    assert_holds(tmp_path / "clip.apng", laid_out(batch.abs().clamp(0, 1), 8))


def test_values_below_0_are_refused_where_they_are_not_normalized(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match=r"look like \[-1, 1\]"):
        save_video(2 * batch_of(2) - 1, tmp_path / "clip.mp4", normalize=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value_range", [None, (), 1, ("a", 1), (0, 0)])
def test_a_range_that_is_none_is_refused(value_range: Any, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="value_range="):
        save_video(batch_of(1), tmp_path / "clip.mp4", value_range=value_range)
    assert list(tmp_path.iterdir()) == []
