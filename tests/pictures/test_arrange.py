"""`grid` lays videos side by side: each keeps its pixels, its frames and its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

import telecine
from telecine import FrameError, InputError, OptionError

H, W = 12, 16
VIDEOS = np.random.default_rng(0).integers(1, 256, (5, 4, H, W, 3), np.uint8)


def grid(videos: Any, *how: Any, **named: Any) -> list[npt.NDArray[Any]]:
    return list(telecine.grid(videos, *how, **named))


@pytest.mark.parametrize(
    ("count", "columns", "rows", "wide"),
    [(1, 2, 1, 1), (2, 2, 1, 2), (3, 2, 2, 2), (4, 2, 2, 2), (5, 3, 2, 3), (3, 1, 3, 1), (2, 9, 1, 2)],
)
def test_videos_stand_row_by_row(count: int, columns: int, rows: int, wide: int) -> None:
    frames = grid(list(VIDEOS[:count]), columns)
    assert len(frames) == 4
    for index, frame in enumerate(frames):
        assert frame.shape == (rows * H, wide * W, 3)
        expected = np.zeros_like(frame)
        for at in range(count):
            top, left = at // wide * H, at % wide * W
            expected[top : top + H, left : left + W] = VIDEOS[at, index]
        assert (frame == expected).all()


def test_without_a_number_of_columns_there_are_two() -> None:
    assert grid(list(VIDEOS[:4]))[0].shape == (2 * H, 2 * W, 3)


def test_padding_is_black_and_between_the_videos_only() -> None:
    (frame, *_) = grid(list(VIDEOS[:4]), 2, padding=3)
    assert frame.shape == (2 * H + 3, 2 * W + 3, 3)
    assert (frame[:H, :W] == VIDEOS[0, 0]).all()
    assert (frame[H + 3 :, W + 3 :] == VIDEOS[3, 0]).all()
    assert (frame[H : H + 3] == 0).all()
    assert (frame[:, W : W + 3] == 0).all()


def test_a_video_that_ends_early_holds_its_last_frame() -> None:
    frames = grid([VIDEOS[0], VIDEOS[1, :2], VIDEOS[2, :1]], 3)
    assert len(frames) == 4
    for index, frame in enumerate(frames):
        expected = [VIDEOS[0, index], VIDEOS[1, min(index, 1)], VIDEOS[2, 0]]
        assert (frame == np.concatenate(expected, axis=1)).all()


def test_a_smaller_video_is_centred_and_not_scaled() -> None:
    (frame, *_) = grid([VIDEOS[0], VIDEOS[1, :, 2:8, 3:11]])
    assert frame.shape == (H, 2 * W, 3)
    expected = np.zeros((H, W, 3), np.uint8)
    expected[3:9, 4:12] = VIDEOS[1, 0, 2:8, 3:11]
    assert (frame[:, W:] == expected).all()


DTYPES = ["uint8", "uint16", "float16", "float32", "float64"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_dtype_and_its_values_are_kept(dtype: str) -> None:
    videos = VIDEOS[:2].astype(dtype) / (255 if dtype.startswith("float") else 1)
    videos = videos.astype(dtype)
    for index, frame in enumerate(grid(list(videos))):
        assert frame.dtype == dtype
        assert (frame == np.concatenate(list(videos[:, index]), axis=1)).all()


def test_bfloat16_becomes_float32_and_bool_stays_bool() -> None:
    videos = torch.from_numpy(VIDEOS[:2]).float().div(255).bfloat16()
    (frame, *_) = grid(list(videos))
    assert frame.dtype == np.float32
    assert (frame == np.concatenate(list(videos[:, 0].float().numpy()), axis=1)).all()
    (frame, *_) = grid(list(VIDEOS[:2] > 127))
    assert frame.dtype == np.bool_
    assert (frame == np.concatenate(list(VIDEOS[:2, 0] > 127), axis=1)).all()


def test_what_is_between_floats_of_a_range_is_its_low_end() -> None:
    videos = (VIDEOS[:3] / 127.5 - 1).astype(np.float32)
    (frame, *_) = grid(list(videos), 2, padding=2, value_range=(-1, 1))
    assert (frame[:H, :W] == videos[0, 0]).all()
    assert (frame[H : H + 2] == -1).all()
    assert (frame[H:, W:] == -1).all()
    (frame, *_) = grid(list(videos[:, :, :, :, :1]), 2, padding=2, value_range=(-1, 1))
    assert frame.shape[2] == 3


def test_what_is_between_videos_with_alpha_is_opaque_black() -> None:
    rgba = np.concatenate((VIDEOS[0], VIDEOS[1, :, :, :, :1]), axis=3)
    (frame, *_) = grid([rgba, VIDEOS[2], VIDEOS[3]], 2, padding=1)
    assert frame.shape == (2 * H + 1, 2 * W + 1, 4)
    assert (frame[:H, :W] == rgba[0]).all()
    assert (frame[:H, W + 1 :, :3] == VIDEOS[2, 0]).all()
    assert (frame[:H, W + 1 :, 3] == 255).all()
    assert (frame[H] == (0, 0, 0, 255)).all()
    assert (frame[H + 1 :, W + 1 :] == (0, 0, 0, 255)).all()


def test_gray_stands_beside_colour() -> None:
    (frame, *_) = grid([VIDEOS[0], VIDEOS[1, :, :, :, :1]])
    assert (frame[:, W:] == VIDEOS[1, 0, :, :, :1]).all()


BATCHES: dict[str, Any] = {
    "list": list(VIDEOS),
    "tuple": tuple(VIDEOS),
    "iterator": iter(list(VIDEOS)),
    "array": VIDEOS,
    "tensor BTCHW": torch.from_numpy(VIDEOS).movedim(4, 2),
    "tensor BTHWC": torch.from_numpy(VIDEOS),
    "batch of images": [[Image.fromarray(frame) for frame in video] for video in VIDEOS],
    "iterators": [iter(video) for video in VIDEOS],
    "batches of one": [video[None] for video in VIDEOS],
}


@pytest.mark.parametrize("form", BATCHES)
def test_videos_come_in_every_form(form: str) -> None:
    layout = "TCHW" if form == "tensor BTCHW" else "auto"  # four frames of three channels can be either
    for index, frame in enumerate(grid(BATCHES[form], 5, layout=layout)):
        assert (frame == np.concatenate(list(VIDEOS[:, index]), axis=1)).all()


def test_videos_may_be_files(tmp_path: Path) -> None:
    video = telecine.export_video(np.repeat(np.repeat(VIDEOS[0], 4, 1), 4, 2), tmp_path / "clip.mp4")
    frames = grid([video, str(video)])
    for frame, read in zip(frames, telecine.read_frames(video), strict=True):
        assert (frame == np.concatenate((read, read), axis=1)).all()


def test_a_grid_is_exported_as_it_comes(tmp_path: Path) -> None:
    large = np.full((3, 6, 48, 64, 3), 90, np.uint8)
    frames = telecine.grid(list(large), 3)
    video = telecine.export_video(frames, tmp_path / "grid.mp4")
    assert (video.width, video.height, video.frame_count) == (192, 48, 6)
    assert telecine.verify(video, telecine.grid(list(large), 3)).ok


def test_frames_are_asked_for_one_by_one() -> None:
    asked = []

    def frames() -> Any:
        for index, frame in enumerate(VIDEOS[0]):
            asked.append(index)
            yield frame

    laid = telecine.grid([frames(), VIDEOS[1]])
    assert asked == []
    next(laid)
    assert asked == [0]


# ---- errors --------------------------------------------------------------------------------------------------------

NOT_VIDEOS: dict[str, tuple[Any, str]] = {
    "nothing": ([], "no videos: there is nothing to lay out"),
    "None": (None, "grid takes several videos, not None"),
    "a path": ("clip.mp4", "grid takes several videos, not 'clip.mp4'"),
    "an empty video": ([VIDEOS[0], []], "video 1 has no frames"),
    "another dtype": ([VIDEOS[0], VIDEOS[1] / 255], "the videos are uint8, float64: all must be of one dtype"),
    "a number": ([VIDEOS[0], 5], "frame 0 is int 5"),
    "two sizes in one": ([VIDEOS[0], [VIDEOS[1, 0], VIDEOS[1, 1, :8]]], "frame 1 is 16x8, frame 0 is 16x12"),
    "a missing file": (["no.mp4"], "'no.mp4' does not exist"),
}


@pytest.mark.parametrize("what", NOT_VIDEOS)
def test_what_are_no_videos_is_refused(what: str) -> None:
    given, message = NOT_VIDEOS[what]
    with pytest.raises(InputError if what == "a missing file" else FrameError) as raised:
        grid(given)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


WRONG: list[dict[str, Any]] = [
    *({"columns": each} for each in (0, -1, 2.0, "2", None)),
    *({"padding": each} for each in (-1, 0.5, None)),
    {"layout": "XY"},
    {"value_range": (1, 0)},
    {"value_range": "x"},
]


@pytest.mark.parametrize("how", WRONG, ids=str)
def test_an_argument_is_refused_at_once(how: dict[str, Any]) -> None:
    ((name, value),) = how.items()
    with pytest.raises(OptionError, match=name) as raised:
        telecine.grid([VIDEOS[0]], **how)
    assert repr(value) in str(raised.value)


# ---- labels, and a row ---------------------------------------------------------------------------------------------


def test_a_row_is_a_grid_of_as_many_columns() -> None:
    row = list(telecine.side_by_side(VIDEOS[0], VIDEOS[1, :2], list(VIDEOS[2]), padding=2))
    assert np.array_equal(row, grid([VIDEOS[0], VIDEOS[1, :2], VIDEOS[2]], 3, padding=2))
    with pytest.raises(FrameError, match="no videos"):
        telecine.side_by_side()


def test_each_video_may_have_a_label() -> None:
    videos = np.repeat(np.repeat(VIDEOS, 4, 2), 4, 3)
    labelled = [list(telecine.label(video, text)) for video, text in zip(videos, "ab", strict=False)]
    for index, frame in enumerate(grid(videos[:2], labels=["a", "b"])):
        assert (frame == np.concatenate([labelled[0][index], labelled[1][index]], axis=1)).all()
    row = telecine.side_by_side(videos[0], videos[1], labels=["a", "b"])
    assert np.array_equal(next(row), np.concatenate([labelled[0][0], labelled[1][0]], axis=1))


@pytest.mark.parametrize("labels", [["a"], ["a", "b", "c"], "ab", []])
def test_labels_that_are_not_one_for_each_video_are_refused(labels: Any) -> None:
    with pytest.raises(OptionError, match="give a text for each"):
        telecine.grid(list(VIDEOS[:2]), labels=labels)
