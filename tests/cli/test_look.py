"""`telecine sheet` and `telecine grid`: what they make, what they say, and their exit codes."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import telecine
from telecine.cli.commands import run

from ..support.helpers import OLDER, waves

FRAMES = np.round(255 * waves(9, 96, 128)).astype(np.uint8)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command runs in its own folder, where two clips of unequal length lie."""
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # which the command replaces
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    telecine.export_video(FRAMES, "long.mp4", fps=24)
    telecine.export_video(FRAMES[::-1][:4], "short.mp4", fps=24)


def printed(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_a_sheet_is_that_of_python_in_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    sheet = telecine.contact_sheet("long.mp4", 3, 5, width=120)
    for name, format in (("a.png", "PNG"), ("a.jpg", "JPEG"), ("b.JPEG", "JPEG"), ("a.webp", "WEBP")):
        assert run(["sheet", "long.mp4", "-o", name, "--columns", "3", "--count", "5", "--width", "120"]) == 0
        out, err = printed(capsys)
        assert (name in out, f"{sheet.width}x{sheet.height}" in out, err) == (True, True, "")
        with Image.open(name) as image:
            assert image.format == format
            assert np.abs(np.asarray(image.convert("RGB"), int) - np.asarray(sheet)).mean() < (
                1e-9 if format == "PNG" else 6
            )
    assert run(["sheet", "long.mp4", "-o", "bare.png", "--no-times"]) == 0
    with Image.open("bare.png") as image:
        assert np.array_equal(np.asarray(image), np.asarray(telecine.contact_sheet("long.mp4", times=False)))


def test_a_sheet_is_made_of_arrays_too() -> None:
    np.save("frames.npy", FRAMES[..., ::-1] / 127.5 - 1)
    options = ["--channels", "BGR", "--value-range", "-1,1", "--fps", "8"]
    assert run(["sheet", "frames.npy", "-o", "a.png", *options]) == 0
    with Image.open("a.png") as image:
        assert np.array_equal(np.asarray(image), np.asarray(telecine.contact_sheet(FRAMES, fps=8)))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["long.mp4", "-o", "a.bmp"], 2, "output='a.bmp' has another extension: name a file that ends in .png or"),
        (["long.mp4", "-o", "a.png", "--columns", "0"], 2, "columns=0 is none"),
        (["none.mp4", "-o", "a.png"], 1, "'none.mp4' does not exist"),
        (["long.mp4", "-o", "old.png", "--no-overwrite"], 1, "'old.png' exists and overwrite is False"),
        (["old.png", "-o", "old.png"], 1, "'old.png' can't be read as an image"),
    ],
)
def test_what_makes_no_sheet_leaves_no_file(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("old.png").write_bytes(OLDER)
    assert run(["sheet", *arguments]) == code
    assert printed(capsys)[1].startswith(f"telecine: {message}")
    assert Path("old.png").read_bytes() == OLDER
    assert sorted(os.listdir()) == ["long.mp4", "old.png", "short.mp4"]


def test_a_grid_has_the_names_of_its_clips_and_their_rate(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["grid", "long.mp4", "short.mp4", "-o", "grid.mp4", "--last-frame", "last.png"]) == 0
    out, err = printed(capsys)
    assert ("grid.mp4" in out, "24 fps" in out, err) == (True, True, "")
    expected = list(telecine.grid(["long.mp4", "short.mp4"], labels=["long.mp4", "short.mp4"]))
    assert telecine.verify("grid.mp4", expected).ok
    with Image.open("last.png") as last:  # the short one holds its last frame
        assert np.array_equal(np.asarray(last), expected[-1])


@pytest.mark.filterwarnings("default")  # the one of the rates is printed
def test_a_grid_has_the_texts_columns_and_options_that_it_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    telecine.export_video(FRAMES, "slow.mp4", fps=8)
    laid_out = ["--columns", "1", "--padding", "4", "--label", "one", "--label", "two", "--quiet"]
    assert run(["grid", "long.mp4", "slow.mp4", "-o", "a.gif", *laid_out]) == 0
    out, err = printed(capsys)
    assert out == ""
    assert err == "telecine: warning: the clips have 24, 8 fps: at 24 fps others are shown faster or slower\n"
    assert telecine.probe("a.gif").height == 2 * 96 + 4
    assert run(["grid", "long.mp4", "slow.mp4", "-o", "a.mp4", "--no-labels", "--fps", "10", "--crf", "9"]) == 0
    assert printed(capsys)[1] == ""
    assert telecine.probe("a.mp4").fps == 10
    assert telecine.verify("a.mp4", telecine.grid(["long.mp4", "slow.mp4"])).ok
    assert run(["grid", "long.mp4", "slow.mp4", "-o", "b.mp4", "--label", "one"]) == 2
    assert "labels=['one'] for 2 videos: give a text for each" in printed(capsys)[1]
    assert not Path("b.mp4").exists()
