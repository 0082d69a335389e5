"""`every=` and `fps_from=`: which of the frames given are written, as exact fractions and FFmpeg's own filter say."""

from __future__ import annotations

import io
import itertools
import tempfile
import tracemalloc
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.filter import Graph
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

import telecine
from telecine import OptionError, TelecineWarning, VideoWriter, export_bytes, export_video, stream_video
from telecine.frames.pacing import Pacing, parse_pacing

from ..support.helpers import OLDER, Asked, assert_frames, assert_untouched, greys, noise

RATES = [Fraction(8), Fraction(16), Fraction(24), Fraction(24000, 1001), Fraction(25), Fraction(30), Fraction(60)]


def paced(fps_from: Fraction, fps: Fraction) -> Pacing:
    pacing = parse_pacing(1, fps_from, fps)
    assert pacing is not None
    return pacing


def indices(pacing: Pacing, count: int) -> list[int]:
    return [index for index in range(count) for _ in range(pacing.times(index))]


def by_ffmpeg(fps_from: Fraction, fps: Fraction, count: int) -> list[int]:
    """Which frames FFmpeg's filter `fps` gives: each is of a grey of its own."""
    graph = Graph()
    source = graph.add_buffer(width=16, height=16, format=av.VideoFormat("gray"), time_base=1 / fps_from)
    filters = [source, graph.add("fps", f"fps={fps}:round=near"), graph.add("buffersink")]
    for one, other in itertools.pairwise(filters):
        one.link_to(other)
    graph.configure()
    for index in range(count):
        frame = av.VideoFrame.from_ndarray(np.full((16, 16), index, np.uint8), "gray")
        frame.pts, frame.time_base = index, 1 / fps_from
        frame.duration = 1
        graph.push(frame)
    graph.push(None)
    return list(_greys(graph))


def _greys(graph: Graph) -> Iterator[int]:
    while True:
        try:
            yield int(graph.pull().to_ndarray()[0, 0])
        except (EOFError, BlockingIOError):
            return


# ---- which frames --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fps_from", "fps"), [*itertools.permutations(RATES, 2)], ids=str)
def test_frames_are_those_that_ffmpeg_takes(fps_from: Fraction, fps: Fraction) -> None:
    """But for the first: it is always written, even where it is shown for less than half a frame of the file."""
    for count in (1, 2, 7, 49):
        found, theirs = indices(paced(fps_from, fps), count), by_ffmpeg(fps_from, fps, count)
        assert found[1:] == theirs[1:]
        assert found[0] == 0
        if fps / fps_from >= Fraction(1, 2):
            assert found == theirs


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    fps_from=st.fractions(5, 120, max_denominator=1001),
    fps=st.fractions(5, 120, max_denominator=1001),
    count=st.integers(1, 30),
)
def test_the_clip_lasts_as_long_and_each_frame_is_the_nearest(fps_from: Fraction, fps: Fraction, count: int) -> None:
    assume(fps_from != fps)
    found = indices(paced(fps_from, fps), count)
    assert found == sorted(found)
    assert len(found) == 1 or abs(len(found) / fps - count / fps_from) <= 1 / (2 * fps)
    for at, index in list(enumerate(found))[1:]:  # whose middle is within the time that the frame given was shown
        assert abs((index + Fraction(1, 2)) / fps_from - (at + Fraction(1, 2)) / fps) <= 1 / (2 * fps_from)


@pytest.mark.parametrize("every", [2, 3, 7, 100])
@pytest.mark.parametrize("count", [1, 2, 6, 7, 8, 49])
def test_every_nth_frame_is_as_a_slice_says(every: int, count: int) -> None:
    pacing = parse_pacing(every, None, Fraction(16))
    assert pacing is not None
    assert indices(pacing, count) == list(range(count))[::every]
    assert pacing.written(count) == len(range(0, count, every))


# ---- the file ------------------------------------------------------------------------------------------------------


def test_every_other_frame_is_in_the_file_at_its_rate(tmp_path: Path) -> None:
    clip = greys(9)
    video = export_video(clip, tmp_path / "clip.mp4", every=2, fps=8, crf=1)
    assert (video.fps, video.frame_count, video.duration) == (Fraction(8), 5, Fraction(5, 8))
    assert video.notes == ("every=2: 5 of 9 frames are written",)
    assert_frames(video.path, clip[::2])


@pytest.mark.parametrize(
    ("fps_from", "fps", "count", "note"),
    [
        (24, 16, 6, "fps_from=24: 9 frames are written as 6 at 16 fps: 3 are dropped"),
        (24, 30, 11, "fps_from=24: 9 frames are written as 11 at 30 fps: 2 are repeats"),
        ("24000/1001", 23.976, 9, None),
        (24, 24, 9, None),
        (Fraction(16), "16000/1001", 9, None),
    ],
)
def test_a_clip_of_another_rate_lasts_as_long(
    fps_from: Any, fps: Any, count: int, note: str | None, tmp_path: Path
) -> None:
    clip = greys(9)
    video = export_video(iter(clip), tmp_path / "clip.mp4", fps_from=fps_from, fps=fps, crf=1)
    assert video.frame_count == count
    assert video.notes == (() if note is None else (note,))
    expected = by_ffmpeg(Fraction(fps_from), Fraction(video.fps), 9)
    if len(set(expected)) == len(expected):
        assert_frames(video.path, clip[expected])
    else:
        found = np.array(list(telecine.read_frames(video.path)), float).mean((1, 2, 3))
        assert np.abs(found - clip[expected].mean((1, 2, 3))).max() < 1.5


def test_chunks_are_one_clip(tmp_path: Path) -> None:
    clip = greys(23)
    with VideoWriter(tmp_path / "clip.mp4", fps=16, fps_from=24) as writer:
        for chunk in (clip[:1], clip[1], clip[2:9], iter(clip[9:20]), list(clip[20:])):
            writer.write(chunk)
        assert writer.frame_count == 15
    assert writer.video.path.read_bytes() == export_bytes(clip, fps=16, fps_from=24)


def test_without_change_no_byte_changes() -> None:
    assert export_bytes(noise(), every=1, fps_from=16, fps=16) == export_bytes(noise())


def test_a_clip_shorter_than_half_a_frame_has_its_first_one(tmp_path: Path) -> None:
    video = export_video(greys(2), tmp_path / "clip.mp4", fps=1, fps_from=60, crf=1)
    assert_frames(video.path, greys(2)[:1])


def test_the_last_frame_is_held_and_repeated_as_ever(tmp_path: Path) -> None:
    held = export_video(greys(9), tmp_path / "held.mp4", every=4, fps=8, hold=1)
    assert (held.frame_count, held.duration) == (3, Fraction(5, 4))
    repeated = export_video(greys(9), tmp_path / "repeated.mp4", every=4, fps=8, repeat=2, crf=1)
    assert repeated.notes == ("every=4: 3 of 9 frames are written",)
    assert_frames_but_repeats(repeated, 2)
    last = tmp_path / "last.png"
    export_video(noise(9), tmp_path / "clip.mp4", every=3, last_frame=last)
    assert (np.asarray(Image.open(last)) == noise(9)[6]).all()


def assert_frames_but_repeats(video: telecine.Video, repeats: int) -> None:
    found = np.array(list(telecine.read_frames(video.path)), float).mean((1, 2, 3))
    given = greys(9)[::4].mean((1, 2, 3))
    assert np.abs(found - [*given, *[given[-1]] * repeats]).max() < 1.5


@pytest.mark.parametrize("name", ["clip.gif", "clip.webp", "clip.mp4"])
def test_sound_and_moving_images_last_as_long(name: str, tmp_path: Path) -> None:
    sound: dict[str, Any] = {"audio": np.zeros(8000, np.float32), "audio_rate": 8000} if name == "clip.mp4" else {}
    video = export_video(noise(24), tmp_path / name, fps_from=24, fps=10, **sound)
    assert (video.frame_count, video.duration) == (10, Fraction(1))
    if sound:
        info = telecine.probe(video.path)
        assert info.audio is not None
        assert info.audio.duration == 1


def test_a_stream_has_the_frames_of_the_file() -> None:
    with stream_video(iter(noise(8)), every=2, fragment=0.25) as stream:
        data = b"".join(stream)
    assert telecine.probe(io.BytesIO(data)).frame_count == 4


def test_the_progress_is_of_what_is_written() -> None:
    seen: list[tuple[int, int | None]] = []
    export_bytes(noise(9), every=4, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (3, 3)


def test_a_videos_rate_is_compared_with_that_of_the_frames_given(tmp_path: Path) -> None:
    source = export_video(noise(9), tmp_path / "source.mp4", fps=24).path
    assert export_video(source, tmp_path / "a.mp4", fps=12, every=2).notes == ("every=2: 5 of 9 frames are written",)
    assert len(export_video(source, tmp_path / "b.mp4", fps=16, fps_from=24).notes) == 1
    with pytest.warns(TelecineWarning, match=r"has 24 fps: at 24 fps it lasts 0\.208 s in place of 0\.375 s"):
        export_video(source, tmp_path / "c.mp4", fps=24, every=2)


def test_frames_that_are_dropped_are_not_held() -> None:
    frame = noise(1, 640, 480)[0]
    tracemalloc.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            export_video((frame.copy() for _ in range(60)), Path(folder, "clip.mp4"), every=20, quality="draft")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12 * frame.nbytes


# ---- errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"every": 0}, "every=0 is not which frames are written: use 1 for all, 2 for every other one"),
        ({"every": True}, "every=True is not which"),
        ({"every": 2.0}, r"every=2\.0 is not which"),
        ({"fps_from": 0}, "fps_from=0 is not above 0"),
        ({"fps_from": "fast"}, "fps_from='fast' is no frame rate"),
        ({"every": 2, "fps_from": 24}, "every=2 and fps_from=24 contradict: give one"),
        ({"every": 2, "timestamps": range(5)}, "timestamps= does not go with every=2: leave one out"),
        ({"fps_from": 24, "timestamps": range(5)}, "timestamps= does not go with fps_from=24: leave one out"),
    ],
)
def test_what_makes_no_pace_is_refused_before_the_first_frame(options: dict[str, Any], said: str, path: Path) -> None:
    frames = Asked(noise())
    with pytest.raises(OptionError, match=said):
        export_video(frames, path, **options)
    assert frames.count == 0
    assert_untouched(path, OLDER)
