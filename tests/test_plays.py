"""Plays everywhere: every kind of file through every reader, cell by cell of the matrix that docs/plays.md shows."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

import telecine
from telecine.formats import CODECS, CONTAINERS, PLAYS
from telecine.pixel_formats import PIXEL_FORMATS

from .browser import Browser
from .chart import Pixels, chart, colors_off
from .plays import (
    CHART_HEIGHT,
    COLUMNS,
    FPS,
    FRAMES,
    HEIGHT,
    LARGE_BARS,
    MATRIX,
    PAGE,
    WIDTH,
    Cell,
    File,
    IfDecoded,
    No,
    clip,
    error_of,
    files,
    number_of,
    page,
)
from .readers import READERS, CanNotReadError, Seen, through_chromium
from .stalling_server import stalling_server

pytestmark = pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning")

CELLS = [
    pytest.param(name, file, cell, id=f"{name}-{file}")
    for file, cells in MATRIX.items()
    for name, cell in zip(COLUMNS, cells, strict=True)
]
IN_CHROMIUM = [file for file, cells in MATRIX.items() if isinstance(cells[0], int) and not file.lossless]
# Of each codec that has a matrix one file, through each reader that takes it.
CODED = {
    file.codec: file for file in reversed(MATRIX) if not file.lossless and not PIXEL_FORMATS[file.pixel_format].rgb
}
LARGE = [(name, file) for file in CODED.values() for name, cell in zip(COLUMNS, MATRIX[file], strict=True) if cell == 3]
# Chromium looks at some 50 frames of H.264 in Matroska before it shows the first; of the others, at a few.
LOOKED_AT = {"mkv h264 yuv420p": 56}


def exported(folder: Path, file: File, frames: list[Pixels]) -> Path:
    """Export a clip to a file of a kind, opaque where that has alpha."""
    if PIXEL_FORMATS[file.pixel_format].alpha:
        frames = [np.dstack([frame, np.full(frame.shape[:2], 255, np.uint8)]) for frame in frames]
    path = folder / f"{file.codec}-{file.pixel_format}-{file.lossless}-{frames[0].shape[0]}.{file.container}"
    quality = "lossless" if file.lossless else "high"
    pixel_format = None if file.lossless else file.pixel_format
    telecine.export_video(frames, path, fps=FPS, codec=file.codec, quality=quality, pixel_format=pixel_format)
    return path


@pytest.fixture(scope="module")
def path_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[File], Path]:
    """Give the clip's export of a kind; each is made once."""
    folder = tmp_path_factory.mktemp("clips")
    return functools.cache(lambda file: exported(folder, file, clip()))


def through(name: str, path: Path, request: pytest.FixtureRequest) -> Seen:
    if name == "Chromium":
        return through_chromium(request.getfixturevalue("browser"), path, FPS)
    return READERS[name](path)


@pytest.mark.parametrize(("name", "file", "cell"), CELLS)
def test_a_reader_makes_of_a_file_what_the_matrix_says(
    request: pytest.FixtureRequest, path_of: Callable[[File], Path], name: str, file: File, cell: Cell
) -> None:
    path = path_of(file)
    if isinstance(cell, IfDecoded):
        browser: Browser = request.getfixturevalue("browser")
        cell = cell.error if browser.says_it_plays(f'video/mp4; codecs="{cell.codec}"') else No(cell.why)
    if isinstance(cell, No):
        with pytest.raises(CanNotReadError):
            through(name, path, request)
        return
    seen = through(name, path, request)
    assert (seen.width, seen.height) == (WIDTH, HEIGHT)
    assert {frame.shape for frame in seen.frames} == {(HEIGHT, WIDTH, 3)}
    # Matroska counts milliseconds, and the last frame's end is rounded up from 62.5.
    assert seen.duration == pytest.approx(FRAMES / FPS, abs=0.0011)
    assert [number_of(frame) for frame in seen.frames] == list(range(FRAMES))
    assert max(map(error_of, seen.frames)) <= cell


@pytest.mark.parametrize(("name", "file"), LARGE, ids=str)
def test_colours_hold_where_the_matrix_is_bt709(
    request: pytest.FixtureRequest, tmp_path: Path, name: str, file: File
) -> None:
    path = exported(tmp_path, file, [chart(1360, 768)] * 3)
    assert telecine.probe(path).color.matrix_name == "bt709"
    seen = through(name, path, request)
    assert len(seen.frames) == 3
    for frame in seen.frames:
        assert colors_off(frame, LARGE_BARS[name]) == {}


# ---- before the whole file is read ---------------------------------------------------------------------------------


@pytest.mark.parametrize("file", IN_CHROMIUM, ids=str)
def test_chromium_shows_the_first_frame_before_the_whole_file_is_sent(
    browser: Browser, tmp_path: Path, file: File
) -> None:
    looked_at = LOOKED_AT.get(str(file), 8)
    noise = np.random.default_rng(0).integers(0, 256, (4 * looked_at, HEIGHT - CHART_HEIGHT, WIDTH, 3), np.uint8)
    frames = [np.concatenate((chart(WIDTH, CHART_HEIGHT), strip)) for strip in noise]
    path = exported(tmp_path, file, frames)
    stop = end_of_packets(path, looked_at)
    assert stop < path.stat().st_size / 2
    with stalling_server(path, stop) as server:
        loaded = browser.load_from(server.url)
        first = browser.show(0)
        assert server.sent == stop
    assert (loaded.width, loaded.height) == (WIDTH, HEIGHT)
    assert loaded.duration == pytest.approx(len(frames) / FPS, abs=0.0011)
    assert first.time == 0
    assert error_of(first.rgb) <= 3


def end_of_packets(path: Path, count: int) -> int:
    """Where the first packets of a file end, rounded up to what Chromium reads at once."""
    with av.open(str(path)) as container:
        packets = [packet for packet, _ in zip(container.demux(video=0), range(count), strict=False)]
    end: int = max((packet.pos or 0) + packet.size for packet in packets)
    block = 1 << 15  # of Chromium's buffer (url_index.cc, kBlockSizeShift)
    return -(-end // block) * block


# ---- the page ------------------------------------------------------------------------------------------------------


def test_the_matrix_has_a_row_for_each_kind_of_file() -> None:
    assert list(MATRIX) == files()


def test_the_formats_say_of_each_codec_in_each_container_where_it_plays() -> None:
    assert list(PLAYS) == [(container.name, codec) for container in CONTAINERS.values() for codec in container.codecs]
    for (container, codec), plays in PLAYS.items():
        assert {plays.browser, plays.quicktime, plays.editor} <= {"yes", "some", "no"}
        assert plays.archive in ("yes", "if lossless", "no")
        assert plays.archive != "if lossless" or CODECS[codec].lossless
        chromium = MATRIX[File(container, codec, CODECS[codec].pixel_formats[0])][0]
        # What Chromium plays, some browsers do; where every browser does, it does.
        assert plays.browser != "no" or isinstance(chromium, No)
        assert plays.browser != "yes" or isinstance(chromium, int)
        assert not isinstance(chromium, int) or plays.browser != "no"


def test_the_page_is_the_one_that_is_made_of_the_matrix() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "write it anew: python -m tests.plays"
