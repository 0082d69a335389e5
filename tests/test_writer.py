"""`VideoWriter` and `export_video` on real files: every frame once, in order, at its exact time."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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

from .support.helpers import HEIGHT, WIDTH, Clip, assert_frames, greys, run_python
from .support.mp4 import boxes, shown_times

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


@pytest.mark.parametrize("name", ["clip.png", "clip.apng", "clip.webp"])
def test_a_buffer_may_be_refilled_whatever_becomes_of_it(tmp_path: Path, name: str) -> None:
    frames, buffer = greys(20), np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    options: Any = {"format": "png"} if name == "clip.png" else {"quality": "lossless"}
    with VideoWriter(tmp_path / name, fps=10, **options) as writer:
        for frame in frames:
            buffer[:] = frame
            writer.write(buffer)
            buffer[:] = 0
    images = sorted((tmp_path / name).iterdir()) if name == "clip.png" else [tmp_path / name]
    found = [frame for image in images for frame in telecine.read_frames(image)]
    assert np.array_equal(found, frames)


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


# ---- several threads and processes ---------------------------------------------------------------------------------


def test_frames_that_several_threads_write_are_all_in_the_file_those_of_a_call_together(tmp_path: Path) -> None:
    frames = np.repeat(np.linspace(0, 255, 48).astype(np.uint8), HEIGHT * WIDTH * 3).reshape(12, 4, HEIGHT, WIDTH, 3)
    start = threading.Barrier(4)

    def write(worker: int) -> None:
        start.wait(timeout=60)
        for call in frames[worker::4]:
            writer.write(frame for frame in call)

    with VideoWriter(tmp_path / "clip.mp4", crf=1) as writer, ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert writer.video.frame_count == 48
    levels = [frame.mean() for frame in telecine.read_frames(writer.video)]
    found = [int(np.abs(frames[:, :, 0, 0, 0] - level).reshape(-1).argmin()) for level in levels]
    assert sorted(found) == list(range(48))
    assert all(found[at : at + 4] == list(range(found[at], found[at] + 4)) for at in range(0, 48, 4))


def test_closing_in_another_thread_waits_for_the_write(tmp_path: Path) -> None:
    frames, closes = greys(9), threading.Event()

    def asking() -> Iterator[Clip]:
        yield from frames[:4]
        closer.start()
        assert closes.wait(timeout=60)
        yield from frames[4:]

    def close() -> None:
        closes.set()
        writer.close()

    writer = VideoWriter(tmp_path / "clip.mp4", crf=1)
    closer = threading.Thread(target=close)
    writer.write(asking())
    closer.join(timeout=60)
    assert_frames(writer.video, frames)


def test_a_write_that_was_interrupted_before_its_frame_was_counted_is_written_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = greys(5)
    with VideoWriter(tmp_path / "clip.mp4", crf=1) as writer:
        writer.write(frames[:2])
        with monkeypatch.context() as patched:

            def interrupted(_: int) -> None:
                raise KeyboardInterrupt

            patched.setattr(writer._clock, "advance", interrupted)
            with pytest.raises(KeyboardInterrupt):
                writer.write(frames[2])
        assert writer.frame_count == 2
        writer.write(frames[2:])
    assert_frames(writer.video, frames)


FORKING = """
import os, signal, sys, warnings, numpy, telecine
warnings.simplefilter("ignore", DeprecationWarning)
frames = numpy.zeros((5, 48, 64, 3), numpy.uint8)
writer = telecine.VideoWriter(sys.argv[1], format=sys.argv[2])
writer.write(frames)
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    writer.abort()
    os.close(writing)
    os.read(reading, 1)  # until the parent is gone
    os._exit(0)
os.close(reading)
print(child, flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("format", ["mp4", "gif", "png"])
@pytest.mark.parametrize("ending", ["writer.close()", "writer.write([None])", "writer.abort()", "del writer"])
def test_a_child_that_lives_on_does_not_hold_the_path(ending: str, format: str, tmp_path: Path) -> None:
    said = run_python(
        FORKING
        + f"""
try:
    {ending}
except telecine.FrameError:
    writer.__exit__(*sys.exc_info())
with telecine.VideoWriter(sys.argv[1], format=sys.argv[2]) as again:
    again.write(frames)
print(again.video.frame_count)
""",
        tmp_path,
        "clip",
        format,
    )
    assert said.splitlines()[1:] == ["5"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("format", ["mp4", "gif", "png"])
def test_of_a_parent_that_is_killed_its_child_holds_nothing(format: Any, tmp_path: Path) -> None:
    script = FORKING.replace("os.read(reading, 1)", "os.read(0, 1)") + (
        "while writer.queued:\n    pass\nprint(flush=True)\nsignal.pause()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, "clip", format],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for _ in range(2):
            process.stdout.readline()
        process.kill()
        process.wait(timeout=60)
        with contextlib.suppress(telecine.PublishError):  # whose frames are in the encoder still
            telecine.recover(tmp_path / "clip")
        with VideoWriter(tmp_path / "clip", format=format) as writer:
            writer.write(greys())
        assert writer.video.frame_count == 5
