"""Real clips of video models, exported at their size and scaled up: they verify, play, and hold their colours twice."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import telecine

from ..support.browser import Browser

pytestmark = pytest.mark.slow

Export = Callable[[str, bool], telecine.Video]

COGVIDEOX = ["cogvideox-1.mp4", "cogvideox-2.mp4", "cogvideox-horse.mp4"]
FRAMES, FPS = 49, 8


def scaled(clip: Path, width: int, height: int) -> Iterator[Image.Image]:
    for frame in telecine.read_frames(clip):
        yield Image.fromarray(frame).resize((width, height), Image.Resampling.BICUBIC)


def mean_codes(path: Path | telecine.Video) -> npt.NDArray[np.float64]:
    """The mean Y', Cb and Cr of each frame, as they are decoded."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="yuv420p") for frame in container.decode(video=0)]
    rows = len(frames[0]) * 2 // 3  # of luma; those of Cb and Cr follow
    return np.array([[part.mean() for part in np.split(frame, [rows, rows * 5 // 4])] for frame in frames])


@pytest.fixture(scope="module")
def exported(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Export:
    """Give a clip's export at its own size, or scaled up; each is made once."""
    folder = tmp_path_factory.mktemp("clips")

    @functools.cache
    def export(name: str, own: bool) -> telecine.Video:
        if own:
            return telecine.export_video(clips / name, folder / name, fps=FPS)
        return telecine.export_video(scaled(clips / name, 1360, 768), folder / f"scaled {name}", fps=16)

    return export


@pytest.mark.parametrize("name", COGVIDEOX)
def test_a_cogvideox_clip_at_its_own_size_verifies(clips: Path, exported: Export, name: str) -> None:
    video = exported(name, True)
    assert (video.width, video.height, video.frame_count, video.fps) == (720, 480, FRAMES, Fraction(FPS))
    assert video.notes == ()
    report = telecine.verify(video, clips / name)
    assert report.problems == ()
    assert report.ok
    assert report.frame_count == report.expected_frame_count == FRAMES
    info = telecine.probe(video)
    assert (info.color.matrix_name, info.index_in_front) == ("smpte170m", True)
    assert info.duration == FRAMES / video.fps


@pytest.mark.parametrize("name", COGVIDEOX[:1])  # which take long, and differ in nothing but what they show
def test_a_cogvideox_clip_scaled_to_1360x768_verifies(clips: Path, exported: Export, name: str) -> None:
    video = exported(name, False)
    assert (video.width, video.height, video.frame_count, video.fps) == (1360, 768, FRAMES, Fraction(16))
    report = telecine.verify(video, scaled(clips / name, 1360, 768))
    assert report.problems == ()
    assert report.ok
    assert telecine.probe(video).color.matrix_name == "bt709"


@pytest.mark.parametrize(("name", "own"), [*((name, True) for name in COGVIDEOX), (COGVIDEOX[0], False)])
def test_a_cogvideox_clip_plays_in_chromium(browser: Browser, exported: Export, name: str, own: bool) -> None:
    video = exported(name, own)
    loaded = browser.load(video)
    assert (loaded.width, loaded.height) == (video.width, video.height)
    assert loaded.duration == pytest.approx(FRAMES / video.fps, abs=0.001)
    last = browser.show(float((FRAMES - Fraction(1, 2)) / video.fps))
    assert last.time == pytest.approx((FRAMES - 1) / video.fps, abs=0.001)
    assert browser.play() == (0, loaded.duration)


def test_a_wan_clip_of_720p_verifies(clips: Path, tmp_path: Path) -> None:
    source = clips / "wan-720p.mp4"
    fps = telecine.probe(source).fps
    with pytest.warns(telecine.TelecineWarning, match="the sound of '.*wan-720p.mp4' is left out"):
        video = telecine.export_video(source, tmp_path / "clip.mp4", fps=fps)
    assert (video.width, video.height, video.frame_count, video.fps) == (1280, 720, 164, Fraction(24))
    assert telecine.verify(video, source).problems == ()
    assert telecine.probe(video).color.matrix_name == "bt709"


@pytest.mark.parametrize("name", COGVIDEOX)
def test_a_second_encode_moves_no_mean_colour_by_more_than_one_code(
    exported: Export, tmp_path: Path, name: str
) -> None:
    first = exported(name, True)
    second = telecine.export_video(telecine.read_frames(first), tmp_path / "second.mp4", fps=FPS)
    moved = np.abs(mean_codes(second) - mean_codes(first))
    assert moved.shape == (FRAMES, 3)
    assert moved.max() <= 1


def test_an_image_to_video_input_is_exported(clips: Path, tmp_path: Path) -> None:
    video = telecine.export_video(clips / "beach.png", tmp_path / "clip.mp4")
    assert (video.width, video.height, video.frame_count) == (720, 480, 1)
    assert telecine.verify(video, Image.open(clips / "beach.png")).problems == ()
