"""`poster` chooses a frame that is sharp, well exposed and not at a cut, and says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

import telecine
from telecine import FrameError, OptionError

from ..support.helpers import Asked

H, W = 96, 128
CLIPS = np.random.default_rng(0)


def scene(seed: int) -> Any:
    """A picture with edges: rectangles of greys."""
    random, picture = np.random.default_rng(seed), np.full((H, W, 3), 128, np.uint8)
    for _ in range(40):
        y, x, level = random.integers(0, H - 16), random.integers(0, W - 16), random.integers(60, 200)
        picture[y : y + 16, x : x + 16] = level
    return picture


def blurred(picture: Any, radius: float) -> Any:
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius)))


SCENE, OTHER = scene(1), scene(2)


def test_the_sharpest_of_blurred_frames_is_chosen() -> None:
    clip = [blurred(SCENE, radius) for radius in (3, 2, 1, 0, 1, 2)]
    assert telecine.poster(clip).index == 3


def test_a_frame_of_a_fade_from_black_or_to_white_is_not() -> None:
    fade = [np.rint(SCENE * part).astype(np.uint8) for part in (0, 0.2, 0.4, 0.7, 1)]
    white = [np.rint(255 - (255 - SCENE.astype(float)) * part).astype(np.uint8) for part in (0.7, 0.4, 0.1, 0)]
    assert telecine.poster([*fade, *white]).index == 4


def test_a_frame_at_a_cut_or_of_a_flash_is_not() -> None:
    sharper = np.clip(SCENE.astype(int) + CLIPS.integers(-10, 11, SCENE.shape), 0, 255).astype(np.uint8)
    flash = np.clip(sharper.astype(int) + 60, 0, 255).astype(np.uint8)
    assert telecine.poster([SCENE] * 3 + [flash] + [SCENE] * 3).index != 3
    found = telecine.poster([SCENE, SCENE, SCENE, OTHER, OTHER, OTHER]).index
    assert found not in (2, 3)


def test_a_frame_of_a_dissolve_is_not() -> None:
    steps = [np.rint(SCENE * (1 - part) + OTHER * part).astype(np.uint8) for part in np.linspace(0, 1, 9)]
    assert telecine.poster([SCENE, SCENE, *steps, OTHER, OTHER]).index in (0, 1, 11, 12)


def test_the_image_is_the_frame_itself_and_the_reason_has_its_numbers(tmp_path: Path) -> None:
    clip = np.stack([blurred(SCENE, 2), SCENE, blurred(SCENE, 2)])
    found = telecine.poster(clip)
    assert (found.image.mode, found.image.size) == ("RGB", (W, H))
    assert np.array_equal(np.asarray(found.image), SCENE)
    luma = np.asarray(Image.fromarray(SCENE).convert("L"), np.float64) / 255
    padded = np.pad(luma, 1, mode="edge")
    sides = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    sharpness, exposure = (sides - 4 * luma).var(), 4 * luma.mean() * (1 - luma.mean())
    changed = np.abs(luma - np.asarray(Image.fromarray(clip[0]).convert("L"), np.float64) / 255).mean()
    rest = 1 / (1 + (changed / 0.1) ** 2)
    numbers = f"sharpness {sharpness:.3g}, exposure {exposure:.2f}, rest {rest:.2f}"
    assert found.reason == f"frame 1, the best of 3: {numbers}"
    of_file = telecine.poster(telecine.export_video(clip, tmp_path / "a.apng"))
    assert (of_file.index, of_file.reason) == (found.index, found.reason)


def test_alpha_stays_and_depth_becomes_eight_bit() -> None:
    rgba = np.dstack([SCENE, np.full((H, W), 7, np.uint8)])
    assert np.array_equal(np.asarray(telecine.poster([rgba]).image), rgba)
    for deep in (SCENE.astype(np.uint16) * 257, (SCENE / 255).astype(np.float32)):
        assert np.array_equal(np.asarray(telecine.poster([deep]).image), SCENE)
    signed = (SCENE / 127.5 - 1).astype(np.float32)
    assert np.array_equal(np.asarray(telecine.poster(signed[None], value_range=(-1, 1)).image), SCENE)


def test_so_many_frames_are_compared_as_are_asked_for() -> None:
    clip = [blurred(SCENE, 1)] * 9
    clip[3] = SCENE
    assert telecine.poster(clip).index == 3
    found = telecine.poster(clip, 3)
    assert found.index in (0, 4, 8)
    assert "the best of 3" in found.reason
    assert telecine.poster(iter(clip), 3).index == 3  # whose number can't be known


def test_of_frames_that_are_all_alike_the_first_is_taken() -> None:
    assert telecine.poster(np.zeros((4, H, W, 3), np.uint8)).index == 0


def test_a_wrong_count_is_refused_and_so_are_no_frames() -> None:
    asked = Asked([SCENE])
    for count in (0, -1, 1.5, True):
        with pytest.raises(OptionError, match="count="):
            telecine.poster(asked, count)  # type: ignore[arg-type]
    assert asked.count == 0
    with pytest.raises(FrameError, match="no frames"):
        telecine.poster([])
