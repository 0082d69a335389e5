"""Plays everywhere: every kind of file through every reader, cell by cell of the matrix that docs/plays.md shows."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import telecine
from telecine.formats.choose import OUTPUTS
from telecine.formats.codecs import CODECS
from telecine.formats.containers import CONTAINERS, PLAYLISTS
from telecine.formats.images import MOVING_IMAGES, SEQUENCES
from telecine.formats.plays import PLAYS
from telecine.planes.pixel_formats import PIXEL_FORMATS

from ..support.browser import Browser
from ..support.chart import Pixels, chart, colors_off
from ..support.plays import (
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
    Since,
    clip,
    error_of,
    files,
    number_of,
    page,
)
from ..support.readers import READERS, REFUSALS, Seen, through_chromium
from ..support.stalling_server import stalling_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning"),
]

CELLS = [
    pytest.param(name, file, cell, id=f"{name}-{file}")
    for file, cells in MATRIX.items()
    for name, cell in zip(COLUMNS, cells, strict=True)
]
IN_CHROMIUM = [file for file, cells in MATRIX.items() if file.codec and cells[0] == 3]
# Of each codec that has a matrix one file, through each reader that takes it.
CODED = {file.codec: file for file in reversed(MATRIX) if file.codec and not PIXEL_FORMATS[file.pixel_format].rgb}
LARGE = [(name, file) for file in CODED.values() for name, cell in zip(COLUMNS, MATRIX[file], strict=True) if cell == 3]
# Chromium looks at some 50 frames of H.264 in Matroska before it shows the first; of the others, at a few.
LOOKED_AT = {"mkv h264 yuv420p": 56}


def exported(folder: Path, file: File, frames: list[Pixels]) -> Path:
    """Export a clip to a file of a kind, opaque where that has alpha."""
    if file.codec and PIXEL_FORMATS[file.pixel_format].alpha:
        frames = [np.dstack([frame, np.full(frame.shape[:2], 255, np.uint8)]) for frame in frames]
    path = folder / f"{file.codec}-{file.pixel_format}-{file.lossless}-{frames[0].shape[0]}.{file.container}"
    how: dict[str, Any] = {"codec": file.codec or None}
    how |= {"quality": "lossless"} if file.lossless else {"pixel_format": file.pixel_format or None}
    telecine.export_video(frames, path, fps=FPS, **how)
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
    elif isinstance(cell, Since):
        cell = cell.error if av.library_versions["libavformat"][0] >= cell.libavformat else No(cell.why)
    if isinstance(cell, No):
        with pytest.raises((*REFUSALS, AssertionError)):
            assert_is_the_clip(through(name, path, request), 4)
    else:
        assert_is_the_clip(through(name, path, request), cell)


def assert_is_the_clip(seen: Seen, error: int) -> None:
    assert (seen.width, seen.height) == (WIDTH, HEIGHT)
    assert {frame.shape for frame in seen.frames} == {(HEIGHT, WIDTH, 3)}
    assert [number_of(frame) for frame in seen.frames] == list(range(FRAMES))
    assert max(map(error_of, seen.frames)) <= error
    # Chromium counts an image's frames in whole milliseconds, of 62.5; Matroska rounds its end.
    assert seen.duration is None or seen.duration == pytest.approx(FRAMES / FPS, abs=0.0005 * (FRAMES + 1))


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
    codecs = {name: row.codecs for name, row in CONTAINERS.items()}
    codecs |= {name: row.segments.codecs for name, row in PLAYLISTS.items()}
    levels = {name: row.qualities for name, row in MOVING_IMAGES.items()}
    levels |= {name: row.qualities for name, row in SEQUENCES.items()}
    assert list(PLAYS) == [(output, codec) for output in OUTPUTS for codec in codecs.get(output, ("",))]
    for (output, codec), plays in PLAYS.items():
        assert {plays.browser, plays.quicktime, plays.editor} <= {"yes", "some", "no"}
        assert plays.archive in ("yes", "if lossless", "no")
        if plays.archive == "if lossless":
            assert CODECS[codec].lossless if codec else "lossless" in levels[output]


def test_chromium_plays_what_browsers_are_said_to_play() -> None:
    for file in files():
        chromium, said = MATRIX[file][0], PLAYS[file.container, file.codec].browser
        # It is one of the three: what all play it does, and what none plays it doesn't.
        assert said != "yes" or isinstance(chromium, int)
        assert said != "no" or isinstance(chromium, No)


def test_the_page_is_the_one_that_is_made_of_the_matrix() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "write it anew: python -m tests.support.plays"
