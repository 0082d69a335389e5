"""What an export has to say is a note and a warning, before the first frame."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import telecine
from telecine import TelecineWarning, VideoWriter, export_video

from .helpers import HEIGHT, WIDTH, Asked, Clip, assert_untouched, greys, noise


def decoded(path: os.PathLike[str]) -> Clip:
    """A file's frames as PyAV and swscale give them."""
    with av.open(io.BytesIO(Path(path).read_bytes()), "r") as container:
        return np.array([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)], np.uint8)


def see_through(count: int = 5) -> Clip:
    """Red frames, see-through in their right half."""
    frames = np.zeros((count, HEIGHT, WIDTH, 4), np.uint8)
    frames[..., 0] = 255
    frames[:, :, : WIDTH // 2, 3] = 255
    return frames


@pytest.mark.parametrize("background", ["black", "#00ff00", (0.0, 1.0, 0.0), "white"])
def test_alpha_on_a_given_background_is_shown_on_it_without_a_word(background: Any, tmp_path: Path) -> None:
    video = export_video(see_through(), tmp_path / "clip.mp4", background=background)
    assert video.notes == ()
    shown = {"black": (0, 0, 0), "white": (255, 255, 255)}.get(background, (0, 255, 0))
    right = decoded(video)[:, :, WIDTH // 2 + 8 :].astype(int)
    assert np.abs(right - shown).max() <= 4


def test_an_alpha_channel_that_hides_nothing_is_not_mentioned(tmp_path: Path) -> None:
    frames = see_through()
    frames[..., 3] = 255
    assert export_video(frames, tmp_path / "clip.mp4").notes == ()


def test_alpha_is_an_error_where_warnings_are_and_leaves_the_path_as_it_was(path: Path) -> None:
    with pytest.raises(TelecineWarning, match="transparent"):  # as pytest is set up here
        export_video(see_through(), path)
    assert_untouched(path)


@pytest.mark.parametrize(
    "lossless", [{"crf": 0}, {"crf": 0.5}, {"encoder_options": {"x264-params": "qp=0"}}], ids=["0", "0.5", "qp"]
)
def test_what_does_not_play_everywhere_is_said_before_the_first_frame(lossless: Any, tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", TelecineWarning)
        before: list[int] = []

        def frames() -> Iterator[Clip]:
            before.append(len(said))
            yield from noise()

        video = export_video(frames(), tmp_path / "clip.mp4", **lossless)
    assert before == [1]
    assert [str(each.message) for each in said] == list(video.notes)
    assert [each.category for each in said] == [TelecineWarning]
    (note,) = video.notes
    assert note.startswith("h264 High 4:4:4 Predictive in mp4 does not play everywhere")
    assert telecine.probe(video).profile == "High 4:4:4 Predictive"


def test_where_warnings_are_errors_a_lossless_export_writes_nothing(path: Path) -> None:
    frames = Asked(greys())
    with warnings.catch_warnings():
        warnings.simplefilter("error", TelecineWarning)
        with pytest.raises(TelecineWarning, match="does not play everywhere"):
            export_video(frames, path, crf=0)
    assert frames.count == 0
    assert_untouched(path)


def test_a_warning_points_at_the_callers_line(tmp_path: Path) -> None:
    with pytest.warns(TelecineWarning) as said:
        VideoWriter(tmp_path / "clip.mp4", crf=0).abort()
    assert said[0].filename == __file__
