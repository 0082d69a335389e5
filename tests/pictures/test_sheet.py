"""`contact_sheet`: frames evenly spaced, in their order and place, each with its time."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import telecine
from telecine import FrameError, InputError, OptionError

from ..support.helpers import Asked

H, W = 48, 64


def levels(count: int, height: int = H, width: int = W) -> Any:
    """Frames whose grey is their number, times 2."""
    return np.repeat(np.arange(count, dtype=np.uint8) * 2, height * width * 3).reshape(count, height, width, 3)


def cells_of(sheet: Image.Image, columns: int, count: int, width: int, height: int) -> list[Image.Image]:
    """Cut a sheet up."""
    places = ((at % columns * (width + 4), at // columns * (height + 4)) for at in range(count))
    return [sheet.crop((x, y, x + width, y + height)) for x, y in places]


def numbers_in(sheet: Image.Image, columns: int, count: int, width: int = 80, height: int = 60) -> list[int]:
    """Which frame of `levels` is in each cell."""
    cells = cells_of(sheet, columns, count, width, height)
    return [round(float(np.asarray(cell)[: height // 2].mean()) / 2) for cell in cells]


FORMS: dict[str, Any] = {
    "array": lambda frames: frames,
    "images": lambda frames: [Image.fromarray(frame) for frame in frames],
    "uint16": lambda frames: frames.astype(np.uint16) * 257,
    "float": lambda frames: frames / 255,
    "bfloat16": lambda frames: torch.from_numpy(frames).movedim(3, 1).float().div(255).bfloat16(),
    "RGBA": lambda frames: np.concatenate((frames, np.full((len(frames), H, W, 1), 255, np.uint8)), 3),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_frames_are_evenly_spaced_from_the_first_to_the_last(form: str) -> None:
    sheet = telecine.contact_sheet(FORMS[form](levels(81)), 3, 5, width=80)
    assert sheet.mode == "RGB"
    assert sheet.size == (3 * 80 + 2 * 4, 2 * 60 + 4)
    assert numbers_in(sheet, 3, 5) == [0, 20, 40, 60, 80]


def test_there_are_four_in_a_row_and_sixteen_in_all_unless_told() -> None:
    sheet = telecine.contact_sheet(levels(46))
    assert sheet.size == (4 * 320 + 3 * 4, 4 * 240 + 3 * 4)
    assert numbers_in(sheet, 4, 16, 320, 240) == list(range(0, 46, 3))


def test_a_clip_of_few_frames_is_shown_whole() -> None:
    assert numbers_in(telecine.contact_sheet(levels(3), 2, 16, width=80), 2, 3) == [0, 1, 2]
    assert telecine.contact_sheet(levels(1), width=80).size == (80, 60)


@pytest.mark.parametrize("total", [1, 4, 9, 40, 100])
def test_of_an_iterator_few_are_held_and_the_spacing_is_even_all_but(total: int) -> None:
    asked = Asked(levels(total))
    count = min(5, total)
    found = numbers_in(telecine.contact_sheet(asked, 5, 5, width=80), min(5, count), count)
    even = np.linspace(0, total - 1, count)
    assert (found[0], found[-1]) == (0, total - 1)
    assert np.abs(found - even).max() <= total / 5 / 4 + 0.5


def test_each_says_when_its_file_shows_it(tmp_path: Path) -> None:
    """The text is what `label` draws of the time."""
    times = [Fraction(0), Fraction(1, 4), Fraction(61)]
    frames = np.full((3, 240, 320, 3), 90, np.uint8)
    video = telecine.export_video(frames, tmp_path / "a.apng", timestamps=times)
    with open(video, "rb") as file:
        for given, fps, said in (
            (video, None, ["0:00.000", "0:00.250", "1:01.000"]),
            (file, None, ["0:00.000", "0:00.250", "1:01.000"]),
            (video, 10, ["0:00.000", "0:00.100", "0:00.200"]),
            (frames, "24000/1001", ["0:00.000", "0:00.042", "0:00.083"]),
            (frames, None, ["#0", "#1", "#2"]),
        ):
            cells = cells_of(telecine.contact_sheet(given, 3, fps=fps), 3, 3, 320, 240)
            drawn = telecine.label(frames, said, position="bottom-left", size=16)
            assert all(np.array_equal(np.asarray(cell), frame) for cell, frame in zip(cells, drawn, strict=True))
    bare = telecine.contact_sheet(video, 3, times=False)
    assert (np.asarray(cells_of(bare, 3, 3, 320, 240)) == 90).all()


def test_a_folder_and_a_moving_image_are_read_too(tmp_path: Path) -> None:
    telecine.export_video(levels(7), tmp_path / "images", format="png")
    telecine.export_video(levels(7), tmp_path / "a.gif", fps=10)
    for path in (tmp_path / "images", tmp_path / "a.gif"):
        assert numbers_in(telecine.contact_sheet(path, 4, 4, width=80), 4, 4) == [0, 2, 4, 6]


def test_what_is_transparent_is_black() -> None:
    frames = np.full((1, H, W, 4), 200, np.uint8)
    frames[..., 3] = 0
    assert not np.asarray(telecine.contact_sheet(frames, times=False)).any()


def test_pixels_that_are_not_square_are_shown_as_players_do(tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "a.mp4"), "w") as file:
        stream = file.add_stream("libx264", rate=16)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(2)
        for _ in range(2):
            file.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        file.mux(stream.encode(None))
    assert telecine.contact_sheet(tmp_path / "a.mp4", 1, 1).size == (320, 120)


def test_nothing_is_shown_of_no_frames(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match="no frames"):
        telecine.contact_sheet([])
    with pytest.raises(FrameError, match="no frames"):
        telecine.contact_sheet(iter([]))
    with pytest.raises(InputError):
        telecine.contact_sheet(tmp_path / "none.mp4")


WRONG: list[dict[str, Any]] = [
    *({name: value} for name, value in itertools.product(("columns", "count", "width"), (0, 2.5, True, None))),
    {"fps": 0},
    {"layout": "XY"},
]


@pytest.mark.parametrize("how", WRONG, ids=str)
def test_a_wrong_argument_is_refused_before_a_frame_is_asked_for(how: dict[str, Any]) -> None:
    asked = Asked(levels(3))
    with pytest.raises(OptionError):
        telecine.contact_sheet(asked, **how)
    assert asked.count == 0
