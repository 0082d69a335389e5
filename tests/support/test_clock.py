"""Frames are shown when their timestamps say, and the last as long as asked; no frame rate is changed in silence."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

import telecine
from telecine import FrameError, InputError, OptionError, TelecineWarning, VideoWriter, export_video

from .helpers import assert_frames, greys, run_python
from .mp4 import shown_times

FRAMES = greys(8)
UNEVEN = [Fraction(time) for time in ("0", "0.04", "0.1", "0.5", "0.505", "2", "3.25", "3.3")]


def times_and_duration(path: Path) -> tuple[list[Fraction], Fraction]:
    """Read from the boxes themselves."""
    times, duration = shown_times(path.read_bytes())
    return sorted(times), duration


def assert_means(video: telecine.Video, expected: list[Any]) -> None:
    """Each of the frames, whose greys differ by 27, is in its place; some more than once."""
    found = [frame.mean() for frame in telecine.read_frames(video)]
    assert found == pytest.approx([frame.mean() for frame in expected], abs=2)


# ---- timestamps ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "times",
    [
        UNEVEN,
        [Fraction(index * 1001, 30000) for index in range(8)],
        [Fraction(index * 1001, 24000) for index in range(8)],
        [Fraction(index, 1000) for index in range(8)],
        [Fraction(index, 240) for index in range(8)],
        [index * 500 for index in range(8)],
    ],
    ids=["uneven", "30000/1001", "24000/1001", "milliseconds", "240 fps", "far apart"],
)
def test_each_frame_is_shown_at_its_timestamp_exactly(tmp_path: Path, times: list[Fraction]) -> None:
    video = export_video(FRAMES, tmp_path / "clip.mp4", timestamps=times)
    assert times_and_duration(video.path) == (times, 2 * times[-1] - times[-2])  # the last lasts as the one before it
    assert video.duration == 2 * times[-1] - times[-2]
    assert telecine.read_timestamps(video) == times
    assert_frames(video, FRAMES)


def test_other_readers_see_the_same_times(tmp_path: Path) -> None:
    video = export_video(FRAMES, tmp_path / "clip.mp4", timestamps=UNEVEN)
    with av.open(str(video)) as container:
        assert [frame.time for frame in container.decode(video=0)] == pytest.approx([float(each) for each in UNEVEN])
    capture, seen = cv2.VideoCapture(str(video)), []
    while capture.grab():
        seen.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
    assert seen == pytest.approx([float(each) for each in UNEVEN])


@pytest.mark.parametrize("kind", [list, tuple, np.array, iter], ids=lambda kind: kind.__name__)
def test_floats_of_any_kind_are_kept_to_the_tick(tmp_path: Path, kind: Any) -> None:
    times = np.cumsum(np.random.default_rng(0).uniform(0.001, 0.2, 8))
    video = export_video(FRAMES, tmp_path / "clip.mp4", timestamps=kind(times.tolist()))
    found, _ = times_and_duration(video.path)
    assert np.abs(np.array(found, np.float64) - (times - times[0])).max() <= 0.5 / 120_000 + 1e-9


def test_chunks_and_single_frames_come_with_their_times(tmp_path: Path) -> None:
    times = iter(UNEVEN[5:])
    with VideoWriter(tmp_path / "clip.mp4") as writer:
        writer.write(FRAMES[0], timestamps=0)
        writer.write(FRAMES[1:5], timestamps=UNEVEN[1:5])
        for frame in FRAMES[5:]:  # times that come with the frames, from one iterator
            writer.write(frame, timestamps=times)
    assert telecine.read_timestamps(writer.video) == UNEVEN
    assert_frames(writer.video, FRAMES)


def test_the_video_begins_with_its_first_frame(tmp_path: Path) -> None:
    video = export_video(FRAMES, tmp_path / "clip.mp4", timestamps=[each + 1_700_000_000 for each in UNEVEN])
    assert telecine.read_timestamps(video) == UNEVEN
    assert video.notes == ("the video begins with its first frame: its timestamps count from 1.7e+09 s",)


def test_a_clip_too_short_for_reordering_is_written_whatever_is_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """x265 subtracts a delay that it has not set then: of some hundred such clips one was not written."""
    monkeypatch.setenv("MALLOC_PERTURB_", "254")  # glibc fills what it hands out with 1, and the times still fit FFmpeg
    script = """
import numpy, telecine, warnings
warnings.simplefilter("ignore")
for times in ([0], [0, 0.5]):
    frames = numpy.zeros((len(times), 48, 64, 3), numpy.uint8)
    print(telecine.export_video(frames, "clip.mp4", codec="hevc", timestamps=times, hold=1).duration)
"""
    assert run_python(script, tmp_path).split() == ["1", "3/2"]


def test_a_probe_tells_an_average_from_a_rate(tmp_path: Path) -> None:
    uneven = telecine.probe(export_video(FRAMES, tmp_path / "uneven.mp4", timestamps=UNEVEN))
    assert (uneven.constant_rate, uneven.duration) == (False, Fraction("3.35"))
    assert uneven.fps == 8 / Fraction("3.35")
    even = telecine.probe(export_video(FRAMES, tmp_path / "even.mp4", timestamps=[each / 25 for each in range(8)]))
    assert (even.constant_rate, even.fps) == (True, Fraction(25))


def test_what_was_killed_is_recovered_with_its_times(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "clip.mp4", encoder_options={"tune": "zerolatency"})
    writer.write(FRAMES, timestamps=UNEVEN)
    with pytest.raises(ZeroDivisionError), writer:
        raise ZeroDivisionError
    video = telecine.recover(tmp_path / "clip.mp4")
    assert telecine.read_timestamps(video) == UNEVEN[: video.frame_count]
    assert_frames(video, FRAMES[: video.frame_count])
    assert video.frame_count == 8


REFUSED: dict[str, tuple[Any, str]] = {
    "equal": ([0, 1, 1, 2, 3, 4, 5, 6], r"timestamps\[2\]=1 does not follow 1"),
    "back": ([0, 1, 0.5, 2, 3, 4, 5, 6], r"timestamps\[2\]=0.5 does not follow 1"),
    "closer than a tick": ([0, 1e-9, 1, 2, 3, 4, 5, 6], r"timestamps\[1\]=1e-09 does not follow 0"),
    "too far": ([0, 1, 2, 3, 4, 5, 6, 1000], r"timestamps\[7\]=1000 does not follow 6: .* to 559 seconds"),
    "NaN": ([0, float("nan")] * 4, r"timestamps\[1\]=nan is no time"),
    "infinite": ([0, float("inf")] * 4, r"timestamps\[1\]=inf is no time"),
    "text": (["0"] * 8, r"timestamps\[0\]='0' is no time: give seconds"),
    "bool": ([False] * 8, r"timestamps\[0\]=False is no time"),
    "None": ([None] * 8, r"timestamps\[0\]=None is no time"),
    "too few": ([0, 1], "2 timestamps for 8 frames"),
    "too many": (list(range(9)), "9 timestamps for 8 frames"),
    "a number": (3, "1 timestamps for 8 frames"),
}


@pytest.mark.parametrize(("times", "message"), REFUSED.values(), ids=REFUSED)
def test_wrong_timestamps_are_refused_before_the_first_frame(tmp_path: Path, times: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        export_video(FRAMES, tmp_path / "clip.mp4", timestamps=times)
    assert list(tmp_path.iterdir()) == []


def stream() -> Iterator[Any]:
    yield from FRAMES


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (iter(UNEVEN[:5]), "frame 5 has no timestamp"),
        (UNEVEN[:5], "frame 5 has no timestamp"),
        ([*UNEVEN, 4, 5], "2 timestamps are left over after 8 frames"),
    ],
)
def test_a_stream_with_the_wrong_number_of_times_keeps_its_frames(tmp_path: Path, times: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message + ".*frames are kept: telecine recover"):
        export_video(stream(), tmp_path / "clip.mp4", timestamps=times)
    recovered = telecine.recover(tmp_path / "clip.mp4")
    assert telecine.read_timestamps(recovered) == UNEVEN[: recovered.frame_count]


@pytest.mark.parametrize("first", [None, 0])
def test_all_frames_have_a_time_or_none_has(tmp_path: Path, first: int | None) -> None:
    with VideoWriter(tmp_path / "clip.mp4") as writer:
        writer.write(FRAMES[0], timestamps=first)
        with pytest.raises(OptionError, match="all frames of a video have one, or none has"):
            writer.write(FRAMES[1], timestamps=1 if first is None else None)
    assert writer.video.frame_count == 1


def test_a_refused_frame_leaves_its_time_to_the_next(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.mp4") as writer:
        writer.write(np.float32(FRAMES[0] / 255), timestamps=0)
        with pytest.raises(FrameError, match="NaN"):
            writer.write(np.full(FRAMES[1].shape, np.nan, np.float32), timestamps=0.5)
        writer.write(np.float32(FRAMES[1] / 255), timestamps=0.5)
    assert telecine.read_timestamps(writer.video) == [0, Fraction(1, 2)]


# ---- the last frame ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fps", [8, 16, Fraction(30000, 1001), Fraction(999983, 1009)], ids=str)
def test_the_last_frame_is_held(tmp_path: Path, fps: Fraction) -> None:
    video = export_video(FRAMES, tmp_path / "clip.mp4", fps=fps, hold=2)
    times, duration = times_and_duration(video.path)
    assert times == [index / Fraction(fps) for index in range(8)]
    assert abs(duration - (times[-1] + 2)) <= Fraction(1, 20_000)
    assert (video.fps, video.frame_count, video.duration) == (fps, 8, duration)
    assert telecine.probe(video).constant_rate


def test_the_last_of_timed_frames_is_held(tmp_path: Path) -> None:
    video = export_video(FRAMES, tmp_path / "clip.mp4", timestamps=UNEVEN, hold=Fraction("0.25"))
    assert times_and_duration(video.path) == (UNEVEN, UNEVEN[-1] + Fraction("0.25"))


def test_a_single_frame_is_held(tmp_path: Path) -> None:
    assert export_video(FRAMES[0], tmp_path / "clip.mp4", hold=5).duration == 5
    assert export_video(FRAMES[0], tmp_path / "clip.mp4", timestamps=[7]).duration == Fraction(1, 16)


def test_the_last_frame_is_repeated(tmp_path: Path) -> None:
    video = export_video(FRAMES, tmp_path / "clip.mp4", fps=24, repeat=4)
    assert (video.frame_count, video.duration, video.fps) == (12, Fraction(1, 2), Fraction(24))
    assert_means(video, [*FRAMES, *[FRAMES[-1]] * 4])


def test_a_repeated_frame_of_timed_ones_keeps_the_last_distance(tmp_path: Path) -> None:
    video = export_video(FRAMES, tmp_path / "clip.mp4", timestamps=UNEVEN, repeat=2)
    expected = [*UNEVEN, Fraction("3.35"), Fraction("3.4")]
    assert times_and_duration(video.path) == (expected, Fraction("3.45"))
    assert_means(video, [*FRAMES, *[FRAMES[-1]] * 2])


def test_a_frame_that_was_refused_last_is_not_the_one_repeated(tmp_path: Path) -> None:
    half_bad = np.zeros(FRAMES[0].shape, np.float32)
    half_bad[-1, -1] = np.nan
    with VideoWriter(tmp_path / "clip.mp4", repeat=3) as writer:
        writer.write(np.float32(FRAMES / 255))
        with pytest.raises(FrameError, match="NaN"):
            writer.write(half_bad)
    assert_means(writer.video, [*FRAMES, *[FRAMES[-1]] * 3])


LAST: dict[str, tuple[dict[str, Any], str]] = {
    "no time": ({"hold": 0}, "hold=0 is no time to show a frame: use seconds, up to 559"),
    "negative": ({"hold": -1}, "hold=-1 is no time to show a frame"),
    "too long": ({"hold": 1e9}, r"hold=1e\+09 is no time to show a frame"),
    "not a number": ({"hold": "x"}, "hold='x' is no time: give seconds"),
    "repeated less than not": ({"repeat": -1}, "repeat=-1 is not how many more times"),
    "repeated in part": ({"repeat": 1.5}, "repeat=1.5 is not how many more times"),
    "both": ({"hold": 1, "repeat": 2}, "hold=1 and repeat=2 contradict: give one"),
}


@pytest.mark.parametrize(("options", "message"), LAST.values(), ids=LAST)
def test_a_wrong_last_frame_is_refused_before_the_first(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        VideoWriter(tmp_path / "clip.mp4", **options)
    assert list(tmp_path.iterdir()) == []


# ---- a video's own rate --------------------------------------------------------------------------------------------


def test_a_video_exported_at_another_rate_says_so(tmp_path: Path) -> None:
    source = export_video(FRAMES, tmp_path / "source.mp4", fps=8)
    lasts = "it lasts 0.500 s in place of 1.000 s, which fps_from=8 keeps"
    with pytest.warns(TelecineWarning, match=f"source.mp4' has 8 fps: at 16 fps {lasts}"):
        video = export_video(source, tmp_path / "clip.mp4")
    assert [note for note in video.notes if note.endswith(lasts)] == list(video.notes)
    assert export_video(source, tmp_path / "clip.mp4", fps=8).notes == ()


def test_a_video_of_uneven_timing_says_what_a_rate_makes_of_it_and_how_to_keep_it(tmp_path: Path) -> None:
    source = export_video(FRAMES, tmp_path / "source.mp4", timestamps=UNEVEN)
    with pytest.warns(TelecineWarning, match=r"not evenly timed, and at 16 fps they will be: .*read_timestamps\("):
        assert export_video(source, tmp_path / "even.mp4").fps == 16
    kept = export_video(source, tmp_path / "kept.mp4", timestamps=telecine.read_timestamps(source))
    assert (telecine.read_timestamps(kept), kept.notes) == (UNEVEN, ())


# ---- the times of other tools' files -------------------------------------------------------------------------------


def matroska_of(path: Path, frames: int = 25) -> bytearray:
    """A Matroska of one cluster, with frames that are shown before ones in front of them."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25, options={"bf": "3", "b-pyramid": "normal"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for pts in range(frames):
            frame = av.VideoFrame.from_ndarray(FRAMES[pts % 8], format="rgb24")
            frame.pts = pts
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return bytearray(path.read_bytes())


def shift_blocks(data: bytearray, milliseconds: int) -> int:
    """Add to the time of each block, which counts from its cluster's (RFC 9559 10.1); gives how many there are."""
    leading_to = {0x18538067, 0x1F43B675, 0xA0}  # Segment, Cluster, BlockGroup
    count, at = 0, 0
    while at < len(data):
        identifier, at = number(data, at, marked=True)
        size, at = number(data, at, marked=False)
        if identifier in leading_to:
            continue
        if identifier in (0xA3, 0xA1):  # SimpleBlock, Block: the track's number, and the time
            time = int.from_bytes(data[at + 1 : at + 3], "big", signed=True) + milliseconds
            data[at + 1 : at + 3] = time.to_bytes(2, "big", signed=True)
            count += 1
        at += size
    return count


def number(data: bytearray, at: int, marked: bool) -> tuple[int, int]:
    """Read a number of variable length (RFC 8794 4), and give where it ends."""
    length = 9 - data[at].bit_length()
    value = int.from_bytes(data[at : at + length], "big")
    return value if marked else value & ((1 << 7 * length) - 1), at + length


@pytest.mark.parametrize("late", [0, -40, -200, -10_000])
def test_a_matroska_that_begins_before_0_has_a_time_for_each_frame(tmp_path: Path, late: int) -> None:
    data = matroska_of(tmp_path / "clip.mkv")
    assert shift_blocks(data, late) == 25
    (tmp_path / "clip.mkv").write_bytes(data)
    count = len(list(telecine.read_frames(tmp_path / "clip.mkv")))
    if late == -10_000:  # no frame has a time
        with pytest.raises(InputError, match="does not say when its frames are shown"):
            telecine.read_timestamps(tmp_path / "clip.mkv")
        return
    times = telecine.read_timestamps(tmp_path / "clip.mkv")
    assert times == [Fraction(index, 25) for index in range(count)]
    assert count == telecine.probe(tmp_path / "clip.mkv").frame_count == 25
    video = export_video(tmp_path / "clip.mkv", tmp_path / "out.mp4", timestamps=times)
    assert telecine.read_timestamps(video) == times


@pytest.mark.slow
@pytest.mark.parametrize("skipped", [0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
@pytest.mark.parametrize("open_gop", ["0", "1"])
def test_a_recording_that_begins_within_has_a_time_for_each_frame(
    tmp_path: Path, skipped: float, open_gop: str
) -> None:
    path = tmp_path / "clip.ts"
    with av.open(str(path), "w") as container:
        options = {"x264-params": f"keyint=10:min-keyint=10:scenecut=0:open-gop={open_gop}", "crf": "20"}
        stream: Any = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for pts, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (40, 96, 128, 3), np.uint8)):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = pts
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    data = path.read_bytes()
    path.write_bytes(data[: 3 * 188] + data[(3 + int(skipped * len(data) / 188)) * 188 :])
    count = len(list(telecine.read_frames(path)))
    times = telecine.read_timestamps(path)
    assert len(times) == count > 0
    assert all(after > before for before, after in pairwise(times))
    assert abs(telecine.probe(path).frame_count - count) <= 1  # which decodes none
