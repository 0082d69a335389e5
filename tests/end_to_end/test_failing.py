"""All or nothing: whatever fails, is aborted, dropped or killed leaves the path as it was, and the frames so far."""

from __future__ import annotations

import itertools
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import telecine
from telecine import FrameError, InputError, TelecineError, VideoWriter, export_video

from ..support.helpers import BLANK, Asked, Clip, assert_frames, assert_kept, assert_untouched, failing_at, greys, noise

pytestmark = pytest.mark.slow

# ---- the frames fail -----------------------------------------------------------------------------------------------


ERRORS = [RuntimeError("the model failed"), KeyboardInterrupt(), SystemExit(3), GeneratorExit(), MemoryError()]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_generator_that_fails_at_frame_150_of_300_leaves_the_clip_as_it_was(
    error: BaseException, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    path = export_video(greys(9), tmp_path / "folder" / "clip.mp4").path
    held, frames, error = path.read_bytes(), noise(150), type(error)(*error.args)  # each has notes of its own
    with pytest.raises(type(error)) as raised:
        export_video(failing_at(150, frames, error), path)
    assert raised.value is error
    kept = assert_kept(path, error, held)
    assert_frames(kept, frames[: telecine.probe(kept).frame_count])


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_with_body_that_fails_leaves_the_path_as_it_was(error: BaseException, path: Path) -> None:
    error, frames = type(error)(*error.args), noise(150)

    def body() -> None:
        with VideoWriter(path) as writer:
            for frame in failing_at(150, frames, error):
                writer.write(frame)

    with pytest.raises(type(error)) as raised:
        body()
    assert raised.value is error
    kept = assert_kept(path, error)
    assert_frames(kept, frames[: telecine.probe(kept).frame_count])


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (np.full_like(BLANK, np.nan), "frame 150 has 9216 NaN or infinite values of 9216"),
        (BLANK[:40], "frame 150 is 64x40, frame 0 is 64x48: all must be of one size"),
        (BLANK.astype(np.float64), "frame 150 is float64 and frame 0 is float32"),
        (BLANK[..., :1], "frame 150 has 1 channels and frame 0 has 3"),
        (BLANK + 200, r"frame 150 is float32 with values from 200 to 200, not \[0, 1\]: .*value_range=\(0, 255\)"),
        (BLANK.astype(complex), "frame 150 has dtype complex128: bool, uint8, .* are accepted"),
        ("no such image.png", "'no such image.png' can't be read: No such file"),
        (None, "frame 150 is NoneType None: PIL images, NumPy, torch or JAX arrays"),
    ],
)
def test_a_frame_that_is_none_at_150_of_300_leaves_the_path_as_it_was(frame: Any, said: str, path: Path) -> None:
    frames = [BLANK] * 150 + [frame] + [BLANK] * 149
    with pytest.raises(InputError if isinstance(frame, str) else FrameError, match=said) as raised:
        export_video(iter(frames), path)
    assert telecine.probe(assert_kept(path, raised.value)).frame_count == 150


@pytest.mark.parametrize(
    "frames", [[], iter([]), np.zeros((0, 48, 64, 3), np.uint8)], ids=["list", "iterator", "array"]
)
def test_no_frames_leave_the_path_as_it_was(frames: Any, path: Path) -> None:
    with pytest.raises(FrameError, match="no frames"):
        export_video(frames, path)
    assert_untouched(path)


def test_a_writer_closed_without_frames_leaves_the_path_as_it_was(path: Path) -> None:
    with pytest.raises(FrameError, match="no frames: there is nothing to write"):
        VideoWriter(path).close()
    assert_untouched(path)


@pytest.mark.parametrize("shape", [(1, 2, 16386, 3), (1, 16384, 16384, 3)])
def test_a_picture_too_large_for_the_encoder_leaves_the_path_as_it_was(shape: tuple[int, ...], path: Path) -> None:
    with pytest.raises(FrameError, match=f"frames are {shape[2]}x{shape[1]}: too large for h264"):
        export_video(np.broadcast_to(np.uint8(9), shape), path, layout="THWC")
    assert_untouched(path)


def test_a_progress_callback_that_fails_leaves_the_path_as_it_was(path: Path) -> None:
    error = RuntimeError("the page is gone")

    def progress(done: int, total: int | None) -> None:
        raise error

    with pytest.raises(RuntimeError) as raised:
        export_video(greys(), path, progress=progress)
    assert raised.value is error
    assert_frames(assert_kept(path, error), greys()[:1])


# ---- the program ends ----------------------------------------------------------------------------------------------


def test_a_writer_that_is_dropped_leaves_the_path_as_it_was(path: Path) -> None:
    writer = VideoWriter(path)
    writer.write(noise())
    del writer
    assert_frames(assert_kept(path), noise())


@pytest.mark.parametrize("how", ["sys.exit(0)", "pass", "1 / 0"])
def test_an_interpreter_that_ends_with_an_open_writer_leaves_the_path_as_it_was(how: str, path: Path) -> None:
    script = f"""
import sys, numpy, telecine
writer = telecine.VideoWriter("clip.mp4")
writer.write(numpy.random.default_rng(0).integers(0, 256, (30, 48, 64, 3), numpy.uint8))
{how}
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=path.parent, capture_output=True, text=True, timeout=60)
    assert done.returncode == (1 if how == "1 / 0" else 0)
    assert ("ZeroDivisionError" in done.stderr) == (how == "1 / 0")
    kept = assert_kept(path)
    assert_frames(kept, noise(30)[: telecine.probe(kept).frame_count])


def test_ctrl_c_during_a_long_export_leaves_the_path_as_it_was(path: Path) -> None:
    script = """
import itertools, signal, numpy, telecine
signal.signal(signal.SIGINT, signal.default_int_handler)  # should the tests run where it is ignored
noise = numpy.random.default_rng(0).integers(0, 256, (5, 360, 480, 3), numpy.uint8)
def endless():
    for index, frame in enumerate(itertools.cycle(noise)):
        if index == 20:
            print("encoding", flush=True)
        yield frame
telecine.export_video(endless(), "clip.mp4", preset="slow")
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=path.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "encoding\n"
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGINT
    assert "\nKeyboardInterrupt" in said
    assert_kept(path)


# ---- the writer is aborted -----------------------------------------------------------------------------------------


def test_an_aborted_writer_takes_no_frames_and_has_no_video(path: Path) -> None:
    writer = VideoWriter(path)
    writer.write(greys())
    writer.abort()
    writer.abort()
    for call in (lambda: writer.write(greys()), writer.close):
        with pytest.raises(TelecineError, match=r"clip\.mp4' was aborted"):
            call()
    with pytest.raises(TelecineError, match="has not finished"):
        _ = writer.video
    assert_untouched(path)


def test_aborting_inside_the_with_leaves_the_path_as_it_was(path: Path) -> None:
    with VideoWriter(path) as writer:
        writer.write(greys())
        writer.abort()
    assert_untouched(path)


def test_aborting_in_another_thread_wakes_a_write_that_waits(path: Path) -> None:
    many, ended = threading.Event(), list[BaseException]()
    picture = noise(1, 480, 360)[0]

    def endless() -> Iterator[Clip]:
        for index in itertools.count():
            if index == 12:  # the queue is full: the encoder takes each one at once and long
                many.set()
            yield picture

    def write() -> None:
        try:
            writer.write(endless())
        except BaseException as error:
            ended.append(error)

    writer = VideoWriter(path, preset="placebo", encoder_options={"tune": "zerolatency"})
    thread = threading.Thread(target=write)
    thread.start()
    assert many.wait(timeout=60)
    writer.abort()
    thread.join(timeout=60)
    assert not thread.is_alive()
    (error,) = ended
    assert type(error) is TelecineError
    assert re.search(r"clip\.mp4' (is closed|was aborted)", str(error))
    assert_untouched(path)


def test_aborting_in_the_progress_callback_ends_the_write(path: Path) -> None:
    def progress(done: int, total: int | None) -> None:
        if done == 3:
            writer.abort()

    frames = Asked(itertools.cycle(greys()))
    writer = VideoWriter(path, progress=progress)
    with pytest.raises(TelecineError, match=r"clip\.mp4' was aborted"):
        writer.write(frames)
    assert frames.count == 4
    assert_untouched(path)
