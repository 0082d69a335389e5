"""GIFs into what can't be gone back in, as they come."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageSequence

import telecine
from telecine import OptionError, export_video

from ..support.helpers import greys, waves
from ..support.pipes import Taker

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("temporary")]

FPS = 16


def pictures(data: bytes | bytearray) -> list[tuple[int, npt.NDArray[np.uint8]]]:
    """For how many milliseconds each picture is shown, and how Pillow decodes it."""
    with Image.open(io.BytesIO(data)) as image:
        return [(each.info["duration"], np.array(each.convert("RGB"))) for each in ImageSequence.Iterator(image)]


def test_half_seconds_are_handed_out_as_they_come() -> None:
    taker = Taker()

    def frames() -> Iterator[Any]:
        for index, frame in enumerate(greys(24)):
            taker.wait_for(max(0, index - 9))  # of a group's eight, and the one that the muxer holds back
            yield frame

    video = export_video(frames(), taker, format="gif", fps=FPS)
    found = pictures(taker.taken)
    assert [shown for shown, _ in found] == [60, 70, 60, 60, 60, 70, 60, 60] * 3
    for (_, picture), given in zip(found, greys(24), strict=True):
        assert np.array_equal(picture, given)  # its few colours are all in its group's palette
    assert (video.frame_count, video.size_bytes) == (24, len(taker.taken))


@pytest.mark.parametrize("timing", [{}, {"hold": 2}, {"timestamps": [0, 0.1, 0.7, 0.8, 2], "hold": 3}], ids=str)
def test_times_loops_and_metadata_are_those_of_the_file(timing: Any, tmp_path: Path) -> None:
    taker, how = Taker(), {"format": "gif", "loops": 3, "metadata": {"prompt": "a panda"}, **timing}
    export_video(greys(5), taker, **how)
    file = export_video(greys(5), tmp_path / "clip.gif", **how)
    (tmp_path / "streamed.gif").write_bytes(taker.taken)
    found, expected = telecine.probe(tmp_path / "streamed.gif"), telecine.probe(file)
    assert (found.frame_count, found.duration, found.metadata) == (5, expected.duration, {"prompt": "a panda"})
    assert [shown for shown, _ in pictures(taker.taken)] == [shown for shown, _ in pictures(file.read_bytes())]
    with Image.open(tmp_path / "streamed.gif") as image:
        assert image.info["loop"] == 2  # more times


def test_colours_that_change_are_as_near_as_in_the_file(tmp_path: Path) -> None:
    frames = (waves(32, 96, 128) * 255).astype(np.uint8)
    frames[16:] = 255 - frames[16:]
    taker = Taker()
    export_video(frames, taker, format="gif", fps=FPS)
    file = export_video(frames, tmp_path / "clip.gif", fps=FPS)
    off, off_in_file = (
        [np.abs(picture.astype(int) - given).mean() for (_, picture), given in zip(pictures(data), frames, strict=True)]
        for data in (taker.taken, file.read_bytes())
    )
    assert np.mean(off) <= np.mean(off_in_file)
    assert max(off) < 12  # dithered


def test_transparent_pixels_stay_so() -> None:
    frames = np.zeros((12, 48, 64, 4), np.uint8)
    frames[:, 8:40, 8:56] = 255
    for index, frame in enumerate(frames):
        frame[8:40, 8:56, 0] = 20 * index
    taker = Taker()
    export_video(frames, taker, format="gif", fps=FPS)
    with Image.open(io.BytesIO(taker.taken)) as image:
        shown = [np.array(each.convert("RGBA")) for each in ImageSequence.Iterator(image)]
    assert np.array_equal(shown, frames)


def test_one_frame_is_a_whole_gif() -> None:
    taker = Taker()
    export_video(greys(1), taker, format="gif", metadata={"seed": 1})
    [(_, picture)] = pictures(taker.taken)
    assert np.array_equal(picture, greys(1)[0])
    assert telecine.probe(io.BytesIO(taker.taken)).metadata == {"seed": 1}
    with pytest.raises(OptionError, match="fragment=1 does not go with gif: leave it out"):
        export_video(greys(1), Taker(), format="gif", fragment=1)
