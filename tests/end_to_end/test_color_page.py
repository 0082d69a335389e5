"""docs/color.md: its tables are those that examples/color.py prints, and real files in real readers show them."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import av
import cv2
import imageio.v3 as iio
import imageio_ffmpeg
import numpy as np
import pytest
from diffusers.utils.export_utils import export_to_video
from PIL import Image

import telecine
from examples import color
from examples.color import LEFT, READINGS, Meaning, Reading

from ..support.browser import Browser
from ..support.chart import PATCHES, Pixels, chart, patches_of
from ..support.helpers import ROOT
from ..support.reference import Real, planes_of, rgb_of

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "color.md").read_text(encoding="utf-8")
SMALL, LARGE = (720, 480), (1360, 768)
MATRIX = {"BT.601": 6, "BT.709": 1}  # H.273 table 4
UNSPECIFIED, BT709, SRGB = 2, 1, 13  # H.273 table 3
OF_READER = 3  # what PyAV and OpenCV, which cut off, and Chromium's integers add to an error


def oracle_name(meaning: Meaning) -> str:
    return meaning.matrix.lower().replace(".", "")


def frame_of(rgb: Pixels, meaning: Meaning) -> av.VideoFrame:
    planes = planes_of(rgb / 255, oracle_name(meaning), "yuv420p", meaning.full_range)
    codes = np.concatenate([np.rint(plane).astype(np.uint8).ravel() for plane in planes])
    return av.VideoFrame.from_ndarray(codes.reshape(-1, rgb.shape[1]), format="yuv420p")


def written(
    path: Path, rgb: Pixels, meaning: Meaning, tags: Meaning | None, transfer: int = BT709, primaries: int = BT709
) -> Path:
    """A clip whose codes are of a meaning, and whose tags say what they say."""
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=16, options={"crf": "1"})
        stream.height, stream.width = rgb.shape[:2]
        stream.pix_fmt = "yuv420p"
        if tags is not None:
            context = stream.codec_context
            context.colorspace, context.color_range = MATRIX[tags.matrix], 2 if tags.full_range else 1
            context.color_primaries, context.color_trc = primaries, transfer
        for time in range(4):
            frame = frame_of(rgb, meaning)
            frame.pts = time
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def through_pyav(path: Path) -> Pixels:
    with av.open(path) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24").astype(np.uint8, copy=False)


def through_opencv(path: Path) -> Pixels:
    found, bgr = cv2.VideoCapture(str(path)).read()
    assert found
    return bgr[:, :, ::-1].astype(np.uint8, copy=False)


def through_telecine(path: Path) -> Pixels:
    return next(telecine.read_frames(path))


READERS: dict[str, Callable[[Path], Pixels]] = {
    "PyAV": through_pyav,
    "OpenCV": through_opencv,
    "telecine.read_frames": through_telecine,
}


# ---- the tables are the script's, and the script's numbers are the oracle's -----------------------------


@pytest.mark.parametrize("table", [color.table_of_readings, color.table_of_round_trips, color.table_of_chroma])
def test_the_page_has_the_table_that_the_script_prints(table: Callable[[], Iterator[str]]) -> None:
    assert "\n".join(table()) in PAGE


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.name)
def test_a_reading_is_the_standards_inverted(reading: Reading) -> None:
    def codes(rgb: Real, meaning: Meaning) -> Real:
        planes = planes_of(rgb[None], oracle_name(meaning), "yuv444p", meaning.full_range)
        return np.stack([plane[0] for plane in planes], axis=-1)

    offset = codes(np.zeros((1, 3)), reading.read)
    half = codes(np.eye(3) / 2, reading.read) - offset  # of full range the whole of chroma would be clipped
    expected = 255 * np.linalg.solve(2 * half.T, (np.rint(codes(PATCHES / 255, reading.written)) - offset).T).T
    assert np.abs(color.shown(PATCHES, reading) - expected.clip(0, 255)).max() <= 0.5 + 1e-9


def test_chroma_of_half_the_size_is_the_oracles() -> None:
    things = color.small_things()
    y, cb, cr = (np.rint(plane) for plane in planes_of(things / 255, "bt709"))
    assert np.abs(color.through_420(things, LEFT) - rgb_of(y, cb, cr, "bt709")).max() <= 0.5 + 1e-9


# ---- what readers show ----------------------------------------------------------------------------------


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.name)
def test_readers_show_what_the_table_says_of_a_file_whose_tags_are_wrong(
    browser: Browser, tmp_path: Path, reading: Reading
) -> None:
    path = written(tmp_path / "clip.mp4", chart(*SMALL), reading.written, reading.read)
    expected = color.shown(PATCHES, reading)
    for read in READERS.values():
        assert np.abs(patches_of(read(path)) - expected).max() <= OF_READER
    if reading.read.matrix == "BT.601":  # Chromium's own BT.709 has another blue: tests/end_to_end/test_colors.py
        browser.load(path)
        assert np.abs(patches_of(browser.show(0.1).rgb) - expected).max() <= OF_READER
    verified = telecine.verify(path, [chart(*SMALL)] * 4)
    assert verified.ok == (reading.written == reading.read)
    assert verified.ok or verified.problems[-1].startswith("a mean colour is ")


def takes_for_bt601(path: Path, width: int, height: int, show: Callable[[Path], Pixels]) -> bool:
    """Whether a reader shows more of the right colours where untagged codes are of BT.601 than of BT.709."""
    errors = {}
    for matrix in ("BT.601", "BT.709"):
        written(path, chart(width, height), Meaning(matrix), tags=None)
        errors[matrix] = np.abs(patches_of(show(path)) - PATCHES).max()
    assert max(errors.values()) > 20  # the two can be told apart
    return bool(errors["BT.601"] < errors["BT.709"])


@pytest.mark.parametrize(
    ("size", "is_bt601"),
    [(SMALL, True), ((1026, 578), True), ((1280, 718), True), ((960, 720), False), (LARGE, False)],
    ids=str,
)
def test_each_guesses_the_matrix_as_the_table_says(
    browser: Browser, tmp_path: Path, size: tuple[int, int], is_bt601: bool
) -> None:
    def through_chromium(path: Path) -> Pixels:
        browser.load(path)
        return browser.show(0.1).rgb

    path = tmp_path / "clip.mp4"
    assert takes_for_bt601(path, *size, through_chromium) is is_bt601
    assert takes_for_bt601(path, *size, through_telecine) is is_bt601
    assert takes_for_bt601(path, *size, through_pyav) is True
    assert takes_for_bt601(path, *size, through_opencv) is True


@pytest.mark.parametrize(("size", "meaning"), [(SMALL, Meaning("BT.601")), (LARGE, Meaning("BT.709"))], ids=str)
def test_chromium_shows_the_same_pixels_whatever_the_transfer_tag(
    browser: Browser, tmp_path: Path, size: tuple[int, int], meaning: Meaning
) -> None:
    shown = []
    for transfer in (BT709, SRGB, UNSPECIFIED):
        browser.load(written(tmp_path / "clip.mp4", chart(*size), meaning, meaning, transfer))
        shown.append(browser.show(0.1).rgb)
    assert np.array_equal(shown[0], shown[1])
    assert np.array_equal(shown[0], shown[2])


@pytest.mark.parametrize("lacking", ["primaries", "transfer"])
def test_chromium_guesses_the_matrix_too_where_another_tag_is_missing(
    browser: Browser, tmp_path: Path, lacking: str
) -> None:
    """Of 480 lines it takes BT.601, though the file says BT.709."""
    tags = {lacking: UNSPECIFIED}
    browser.load(written(tmp_path / "clip.mp4", chart(*SMALL), Meaning("BT.709"), Meaning("BT.709"), **tags))
    expected = color.shown(PATCHES, READINGS[-1])
    assert np.abs(patches_of(browser.show(0.1).rgb) - expected).max() <= OF_READER


def test_a_power_of_1_96_shown_at_2_2_makes_138_of_128() -> None:
    assert "a gray of 128 becomes about 138" in " ".join(PAGE.split())
    assert round(255 * (128 / 255) ** (1.96 / 2.2)) == 138


# ---- ten round trips ------------------------------------------------------------------------------------


def by_telecine(frames: list[Pixels], path: Path) -> list[Pixels]:
    telecine.export_video(frames, path, fps=16)
    return list(telecine.read_frames(path))


def by_pyav(frames: list[Pixels], path: Path) -> list[Pixels]:
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=16)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    with av.open(path) as container:
        return [frame.to_ndarray(format="rgb24").astype(np.uint8) for frame in container.decode(video=0)]


def by_diffusers(frames: list[Pixels], path: Path) -> list[Pixels]:
    export_to_video([Image.fromarray(frame) for frame in frames], str(path), fps=16)
    return list(iio.imread(path, plugin="FFMPEG"))


@pytest.mark.parametrize(
    ("name", "trip"),
    [("telecine", by_telecine), ("PyAV", by_pyav), ("diffusers", by_diffusers)],
    ids=["telecine", "PyAV", "diffusers"],
)
def test_ten_round_trips_darken_as_the_table_says(
    name: str, trip: Callable[[list[Pixels], Path], list[Pixels]], tmp_path: Path
) -> None:
    row = re.search(rf"^\| {name}\b[^|]*\| ([-\d.]+) \| (\d+) \|$", PAGE, re.MULTILINE)
    assert row is not None
    frames = [chart(*SMALL)] * 8
    for index in range(10):
        frames = trip(frames, tmp_path / f"{index}.mp4")
    error = patches_of(frames[4]) - PATCHES
    assert error.mean() == pytest.approx(float(row[1]), abs=0.1 if name == "telecine" else 0.7)  # of their versions
    assert np.abs(error).max() == pytest.approx(float(row[2]), abs=0.5 if name == "telecine" else 3)


# ---- mending --------------------------------------------------------------------------------------------


def test_the_command_of_the_page_tags_a_file_without_encoding_it_again(tmp_path: Path) -> None:
    (line,) = re.findall(r"^ {4}(ffmpeg .*)$", PAGE, re.MULTILINE)
    untagged = written(tmp_path / "untagged.mp4", chart(*LARGE), Meaning("BT.601"), tags=None)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), *shlex.split(line)[1:]]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    tagged = tmp_path / "tagged.mp4"
    assert telecine.probe(untagged).color.matrix_name == "unspecified"
    assert str(telecine.probe(tagged).color) == ("smpte170m matrix, bt709 primaries, bt709 transfer, limited range")
    assert np.abs(patches_of(through_telecine(untagged)) - PATCHES).max() > 30
    for frame in islice(telecine.read_frames(tagged), 4):
        assert np.abs(patches_of(frame) - PATCHES).max() <= 2
