"""`VideoWriter` and `export_video` on real files: every frame once, in order, at its exact time."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

import telecine
from telecine import FrameError, TelecineError, Video, VideoWriter, export_video

from .helpers import HEIGHT, WIDTH, Clip, assert_frames, greys, run_python
from .mp4 import boxes, shown_times

RATES: dict[Any, Fraction] = {
    16: Fraction(16),
    8: Fraction(8),
    "24000/1001": Fraction(24000, 1001),
    29.97: Fraction(30000, 1001),
    0.5: Fraction(1, 2),
    12.5: Fraction(25, 2),
    Fraction(1, 3): Fraction(1, 3),
    120: Fraction(120),
}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(
    count=st.integers(1, 60),
    width=st.integers(1, 130),
    height=st.integers(1, 130),
    fps=st.sampled_from(list(RATES)),
    b_frames=st.sampled_from([0, 3, 16]),
)
@example(count=1, width=1, height=1, fps=16, b_frames=3)
@example(count=2, width=129, height=1, fps="24000/1001", b_frames=16)
@example(count=60, width=1, height=130, fps=29.97, b_frames=3)
@example(count=59, width=130, height=129, fps=0.5, b_frames=16)
def test_every_frame_is_in_the_file_in_order_once_at_its_exact_time(
    count: int, width: int, height: int, fps: Any, b_frames: int
) -> None:
    frames = greys(count, width, height)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip.mp4")
        options = {"bf": b_frames}
        video = export_video(frames, path, fps=fps, layout="THWC", crf=1, encoder_options=options)
        data = path.read_bytes()
        assert video == Video(
            path=path,
            width=width + width % 2,
            height=height + height % 2,
            fps=RATES[fps],
            frame_count=count,
            duration=count / RATES[fps],
            codec="h264",
            size_bytes=len(data),
            padding=(width % 2, height % 2),
            notes=video.notes,
        )
        assert len(video.notes) == (1 if width % 2 or height % 2 else 0)
        assert_frames(path, frames)
        kinds = [kind for kind, _ in boxes(data)]
        assert kinds.index("moov") < kinds.index("mdat")
        times, duration = shown_times(data)
        assert sorted(times) == [index / RATES[fps] for index in range(count)]
        assert duration == count / RATES[fps]


@pytest.mark.parametrize("fps", list(RATES))
def test_a_reader_gets_exact_times(fps: Any, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    export_video(greys(25), path, fps=fps)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == RATES[fps]
        assert stream.time_base is not None
        times = [frame.pts * stream.time_base for frame in container.decode(stream) if frame.pts is not None]
        assert times == [index / RATES[fps] for index in range(25)]
        assert stream.duration is not None
        assert stream.duration * stream.time_base * RATES[fps] == 25 == stream.frames


def test_two_pixels_of_an_even_picture_are_not_padded(tmp_path: Path) -> None:
    video = export_video(greys(3, 2, 2), tmp_path / "clip.mp4", layout="THWC")
    assert (video.width, video.height, video.padding, video.notes) == (2, 2, (0, 0), ())


def test_chunks_of_any_length_and_single_frames_make_one_clip(tmp_path: Path) -> None:
    frames = greys(23)
    with VideoWriter(tmp_path / "clip.mp4", crf=1) as writer:
        assert writer.frame_count == 0
        writer.write(frames[:1])
        writer.write(frames[1])
        writer.write(list(frames[2:9]))
        writer.write(iter([frames[9:12], frames[12]]))
        writer.write(np.asfortranarray(frames[13:20]))
        writer.write([Image.fromarray(frame) for frame in frames[20:]])
        assert writer.frame_count == 23
    assert writer.video.frame_count == 23
    assert_frames(writer.video, frames)


def test_the_same_frame_many_times_is_as_many_frames(tmp_path: Path) -> None:
    video = export_video([greys(1)[0]] * 40, tmp_path / "clip.mp4")
    assert video.frame_count == 40 == len(list(telecine.read_frames(video)))


def test_a_buffer_may_be_refilled_as_soon_as_write_returns(tmp_path: Path) -> None:
    frames, buffer = greys(60, 128, 96), np.zeros((96, 128, 3), np.uint8)
    with VideoWriter(tmp_path / "clip.mp4", crf=1) as writer:
        for frame in frames:
            buffer[:] = frame
            writer.write(buffer)
            buffer[:] = 0
    assert_frames(writer.video, frames)


def test_a_generator_may_give_one_buffer_refilled(tmp_path: Path) -> None:
    frames, buffer = greys(60), np.zeros((HEIGHT, WIDTH, 3), np.uint8)

    def refilled() -> Iterator[Clip]:
        for frame in frames:
            buffer[:] = frame
            yield buffer

    assert_frames(export_video(refilled(), tmp_path / "clip.mp4", crf=1), frames)


# ---- a frame that is refused ---------------------------------------------------------------------------------------


def test_a_caught_frame_error_leaves_the_writer_usable_and_its_count_right(tmp_path: Path) -> None:
    frames = greys(12) / np.float32(255)
    broken = frames[5:10].copy()
    broken[2] = np.nan
    with VideoWriter(tmp_path / "clip.mp4", crf=1) as writer:
        with pytest.raises(FrameError, match="frame 0 has 9216 NaN"):
            writer.write(broken[2])
        writer.write(frames[:5])
        with pytest.raises(FrameError, match="frame 7 has 9216 NaN"):
            writer.write(broken)  # of which the two before the broken one are in the video
        assert writer.frame_count == 7
        with pytest.raises(FrameError, match="frame 7 is 63x48, frame 0 is 64x48"):
            writer.write(frames[7, :, 1:])
        with pytest.raises(FrameError, match="frame 7 is uint8 and frame 0 is float32"):
            writer.write(greys(1))
        writer.write(frames[7:])
        assert writer.frame_count == 12
    assert writer.video.frame_count == 12
    assert_frames(writer.video, greys(12))


def test_a_refused_first_frame_settles_nothing(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.mp4") as writer:
        with pytest.raises(FrameError, match="NaN"):
            writer.write(np.full((30, 40, 3), np.nan))
        writer.write(greys(3, 40, 30))
    assert writer.video.frame_count == 3


# ---- closing -------------------------------------------------------------------------------------------------------


def test_a_closed_writer_takes_no_frames_and_gives_the_same_video_again(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "clip.mp4")
    with pytest.raises(TelecineError, match="has not finished: close it first"):
        _ = writer.video
    writer.write(greys())
    video = writer.close()
    assert writer.close() is video is writer.video
    with pytest.raises(TelecineError, match=r"clip\.mp4' is closed"):
        writer.write(greys())
    writer.abort()
    assert writer.close() is video
    assert telecine.probe(video).frame_count == 5


def test_closing_inside_the_with_is_closing(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.mp4") as writer:
        writer.write(greys())
        video = writer.close()
    assert writer.video is video


def test_closing_inside_the_generator_ends_the_write_with_what_was_given(tmp_path: Path) -> None:
    frames = greys(9)

    def closing() -> Iterator[Clip]:
        yield from frames[:3]
        writer.close()
        yield from frames[3:]

    writer = VideoWriter(tmp_path / "clip.mp4", crf=1)
    with pytest.raises(TelecineError, match=r"clip\.mp4' is closed"):
        writer.write(closing())
    assert writer.video.frame_count == 3
    assert_frames(writer.video, frames[:3])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_neither_writes_nor_disturbs_its_parents_writer(tmp_path: Path) -> None:
    said = run_python(
        """
import os, sys, warnings, numpy, telecine
warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads, from Python 3.12 on
frames = numpy.zeros((5, 48, 64, 3), numpy.uint8)
writer = telecine.VideoWriter("clip.mp4")
writer.write(frames)
child = os.fork()
if child == 0:
    for call in (lambda: writer.write(frames), writer.close):
        try:
            call()
        except telecine.TelecineError as error:
            print(error)
    writer.abort()
    sys.exit(7)  # with all that an interpreter does at its end
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
writer.write(frames)
print(writer.close().frame_count)
""",
        tmp_path,
    )
    refused = "the writer of 'clip.mp4' belongs to the process that forked this one"
    assert said.splitlines() == [refused, refused, "7", "10"]
    assert [each.name for each in tmp_path.iterdir()] == ["clip.mp4"]
    assert telecine.probe(tmp_path / "clip.mp4").frame_count == 10
