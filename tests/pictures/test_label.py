"""`label` draws text into frames: white on a darkened strip, whatever the frames are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

import telecine
from telecine import InputError, OptionError, TelecineWarning

H, W = 60, 96
GRAY = np.full((3, H, W, 3), 128, np.uint8)


def label(frames: Any, text: Any, **how: Any) -> list[npt.NDArray[Any]]:
    return list(telecine.label(frames, text, **how))


def strip_of(frame: npt.NDArray[Any], before: npt.NDArray[Any]) -> tuple[int, int, int, int]:
    """Where a frame was changed: from row, to row, from column, to column."""
    rows, columns = np.nonzero((frame != before).any(2))
    return int(rows.min()), int(rows.max()) + 1, int(columns.min()), int(columns.max()) + 1


# Each as the same grey of 128 of 255: what is given, and its white.
KINDS: dict[str, tuple[Any, float]] = {
    "uint8": (GRAY, 255),
    "uint16": (GRAY.astype(np.uint16) * 257, 65535),
    "float16": ((GRAY / 255).astype(np.float16), 1),
    "float32": ((GRAY / 255).astype(np.float32), 1),
    "float64": (GRAY / 255, 1),
    "gray": (GRAY[..., :1], 255),
    "images": ([Image.fromarray(frame) for frame in GRAY], 255),
    "bfloat16": (torch.from_numpy(GRAY).float().div(255).bfloat16(), 1),
}


@pytest.mark.parametrize("kind", KINDS)
def test_text_is_white_on_a_darkened_strip_in_the_frames_own_dtype(kind: str) -> None:
    given, white = KINDS[kind]
    before = [np.array(frame) for frame in telecine.trim(given)]
    for frame, old in zip(label(given, "Text", size=24), before, strict=True):
        assert frame.dtype == old.dtype
        assert frame.shape == old.shape
        strip = strip_of(frame, old)
        assert strip[0] == strip[2] == 0
        assert strip[1] < H
        assert strip[3] < W
        inside = frame[: strip[1], : strip[3]]
        assert float(inside.max()) == white
        assert float(inside.min()) == pytest.approx(128 * 0.4 / 255 * white, abs=0.5 if white > 1 else 1e-3)


def test_what_was_given_stays_as_it_is() -> None:
    frames = GRAY.copy()
    label(frames, "Text")
    assert (frames == GRAY).all()


def test_white_and_black_are_the_ends_of_the_range() -> None:
    frames = np.zeros((1, H, W, 3), np.float32)  # the middle of it
    (frame,) = label(frames, "Text", size=24, value_range=(-1, 1))
    assert float(frame.max()) == 1
    assert float(frame.min()) == pytest.approx(-0.6)


def test_black_and_white_frames_take_text() -> None:
    (frame,) = label(np.ones((1, H, W, 1), bool), "Text", size=24)
    assert frame.dtype == np.bool_
    assert 0 < np.count_nonzero(~frame) < H * W


def test_text_is_seen_where_a_frame_is_transparent() -> None:
    """As Pillow composites the strip and the letters over it."""
    rgba = np.random.default_rng(0).integers(0, 256, (1, H, W, 4), np.uint8)
    rgba[0, :, : W // 2, 3] = 0
    black = np.zeros((1, H, W, 3), np.float64)
    ink = label(black, "Text", size=30)[0][:, :, 0]  # on black only the letters show
    (frame,) = label(rgba, "Text", size=30)
    strip = strip_of(frame, rgba[0])
    layer = np.zeros((H, W, 4), np.uint8)
    layer[: strip[1], : strip[3], 3] = np.rint(255 * (1 - 0.4 * (1 - ink[: strip[1], : strip[3]])))
    cover = np.maximum(layer[:, :, 3:] / 255, 1e-9)
    layer[:, :, :3] = np.rint(255 * np.minimum(ink[:, :, None] / cover, 1)) * (layer[:, :, 3:] > 0)
    expected = Image.alpha_composite(Image.fromarray(rgba[0]), Image.fromarray(layer))
    assert np.abs(np.asarray(expected).astype(int) - frame).max() <= 3


@pytest.mark.parametrize(
    ("position", "rows", "columns"),
    [
        ("top-left", "begin", "begin"),
        ("top", "begin", "middle"),
        ("top-right", "begin", "end"),
        ("bottom-left", "end", "begin"),
        ("bottom", "end", "middle"),
        ("bottom-right", "end", "end"),
    ],
)
def test_text_stands_where_it_is_told_to(position: str, rows: str, columns: str) -> None:
    (frame, *_) = label(GRAY, "Text", size=20, position=position)
    top, bottom, left, right = strip_of(frame, GRAY[0])
    places = {
        "begin": (top == 0, left == 0),
        "end": (bottom == H, right == W),
        "middle": (True, abs(left + right - W) < 2),
    }
    assert places[rows][0]
    assert places[columns][1]


def test_each_frame_may_have_a_text_of_its_own() -> None:
    by_list = label(GRAY, ["one", "", "three"])
    assert not np.array_equal(by_list[0], by_list[2])
    assert np.array_equal(by_list[1], GRAY[1])
    by_function = label(GRAY, lambda index: ("one", "", "three")[index])
    by_iterator = label(iter(GRAY), iter(["one", "", "three"]))
    assert np.array_equal(by_list, by_function)
    assert np.array_equal(by_list, by_iterator)


def test_letters_are_a_twentieth_of_the_height_unless_a_size_is_given() -> None:
    large = np.zeros((1, 480, 640, 3), np.uint8)
    assert np.array_equal(label(large, "Text")[0], label(large, "Text", size=24)[0])
    assert not np.array_equal(label(large, "Text")[0], label(large, "Text", size=25)[0])


@pytest.mark.parametrize("text", ["W" * 100_000, "W\n" * 50_000, "<script>\u202e\x1b[2J" * 5000, "W", " "])
def test_a_text_of_any_length_stays_within_the_frame(text: str) -> None:
    for side in (5, 24, 96):
        (frame,) = label(np.full((1, side, side, 3), 128, np.uint8), text, size=20)
        assert frame.shape == (side, side, 3)
        assert (frame < 128).any()


def test_a_line_that_is_too_long_ends_in_an_ellipsis() -> None:
    (cut,) = label(GRAY[:1], "WWW" * 20, size=20)
    (whole,) = label(GRAY[:1], "WWW…", size=20)
    top, bottom, left, right = strip_of(cut, GRAY[0])
    assert (top, left) == (0, 0)
    assert W - 25 < right <= W
    assert np.array_equal(cut[:bottom, :60], whole[:bottom, :60])


def test_letters_that_the_font_lacks_are_told_of() -> None:
    with pytest.warns(TelecineWarning, match="font=") as warned:
        label(GRAY, "a panda: \u718a\u732b", size=17)
    assert len(warned) == 1
    assert warned[0].filename == __file__


def test_a_font_of_the_users_is_taken(tmp_path: Path) -> None:
    from PIL import ImageFont

    font = tmp_path / "own.ttf"
    default = ImageFont.load_default(20)
    assert isinstance(default, ImageFont.FreeTypeFont)
    default.path.seek(0)  # type: ignore[union-attr]
    font.write_bytes(default.path.read())  # type: ignore[union-attr]
    own, pillows = (label(GRAY[:1], "Text", size=20, font=each)[0] for each in (font, None))
    assert np.abs(np.subtract(strip_of(own, GRAY[0]), strip_of(pillows, GRAY[0]))).max() <= 4  # for kerning
    label(GRAY, "\u718a", font=font)  # of which nobody is told: it may be a font that has it
    with pytest.raises(InputError, match="can't be read as a font"):
        telecine.label(GRAY, "Text", font=tmp_path / "none.ttf")


def test_labelled_videos_are_exported_and_laid_out_as_they_come(tmp_path: Path) -> None:
    large = np.full((4, 96, 128, 3), 90, np.uint8)
    frames = telecine.label(telecine.grid([telecine.label(large, "a"), iter(large)]), lambda index: f"{index}")
    video = telecine.export_video(frames, tmp_path / "a.mp4")
    assert (video.width, video.height, video.frame_count) == (256, 96, 4)


def test_what_can_be_known_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="layout="):
        telecine.label(GRAY, "Text", layout="XY")
    with pytest.raises(InputError, match="does not exist"):
        telecine.label(tmp_path / "none.mp4", "Text")


WRONG: list[dict[str, Any]] = [
    {"position": "middle"},
    {"size": 0},
    {"size": 2.5},
    {"size": True},
    {"text": None},
    {"text": 7},
    {"text": ["one", "two"]},
    {"text": ["one", "two", "three", "four"]},
    {"text": ["one", 2, "three"]},
    {"text": int},  # a function that gives no text
]


@pytest.mark.parametrize("how", WRONG, ids=str)
def test_a_wrong_argument_is_refused(how: dict[str, Any]) -> None:
    with pytest.raises(OptionError) as raised:
        label(GRAY, **{"text": "Text", **how})
    assert "\n" not in str(raised.value)
