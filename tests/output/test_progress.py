"""An export tells its progress."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from telecine import OptionError, VideoWriter, export_video

from ..support.helpers import Clip, greys

# ---- progress --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_as", "total"),
    [
        (list, 5),
        (tuple, 5),
        (np.asarray, 5),
        (lambda frames: frames[None], 5),
        (lambda frames: np.moveaxis(frames, 3, 0), 5),
        (lambda frames: [frames[:2], frames[2:]], 5),
        (lambda frames: [[Image.fromarray(frame) for frame in frames]], 5),
        (iter, None),
        (lambda frames: (frame for frame in frames), None),
    ],
    ids=["list", "tuple", "THWC", "BTHWC", "CTHW", "chunks", "batch", "iterator", "generator"],
)
def test_progress_gets_what_is_done_of_what_there_is(
    given_as: Callable[[Clip], Any], total: int | None, tmp_path: Path
) -> None:
    seen: list[tuple[int, int | None]] = []
    video = export_video(
        given_as(greys()), tmp_path / "clip.mp4", progress=lambda done, in_all: seen.append((done, in_all))
    )
    assert seen == [(done, total) for done in range(1, 6)]
    assert video.frame_count == 5


def test_a_writers_progress_knows_no_total(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    with VideoWriter(tmp_path / "clip.mp4", progress=lambda done, in_all: seen.append((done, in_all))) as writer:
        writer.write(greys(2))
        writer.write(greys(1)[0])
    assert seen == [(1, None), (2, None), (3, None)]


def test_progress_true_draws_a_bar_on_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export_video(greys(), tmp_path / "clip.mp4", progress=True)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.search(r"exporting .*5/5 .*frames/s", printed.err)


def test_without_progress_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    export_video(greys(), tmp_path / "clip.mp4")
    with pytest.raises(OptionError):
        export_video(greys(), tmp_path / "clip.mp4", encoder_options={"x264-params": "foo=1"})
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")
