"""A Gradio server and a Chromium: the video plays while its frames come, and the file is there in the end."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import telecine
from telecine import FrameError, InputError, OptionError, PublishError, TelecineError
from telecine.integrations.gradio import VideoChunks

from ..support.browser import Browser
from ..support.documents import blocks_of, run_python
from ..support.helpers import (
    OLDER,
    ROOT,
    Asked,
    assert_frames,
    assert_kept,
    assert_untouched,
    encoding_threads,
    failing_at,
    greys,
    noise,
    threads_left,
)
from ..support.pages import READ_NUMBER, looked_at, numbered

FPS = 16
SHOWN = f"""(() => {{
    const video = document.querySelector("#live video"), canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext("2d").drawImage(video, 0, 0);
    return [({READ_NUMBER})(canvas), Math.floor(video.currentTime * {FPS} + 1e-3)];
}})()"""


# ---- chunks --------------------------------------------------------------------------------------------------------


def frames_in(chunk: str) -> tuple[int, float]:
    """Tell how many frames a chunk has, and when its last one ends, as FFmpeg's programs have it."""
    info = telecine.probe(chunk)
    return info.frame_count, float(telecine.read_timestamps(chunk)[-1])


def test_chunks_are_videos_of_their_own_of_the_frames_of_the_file(path: Path, temporary: Path) -> None:
    given = greys(40)
    chunks = VideoChunks(iter(given), path, fps=FPS, fragment=0.5)
    counts, found = [], []
    for chunk in chunks:
        counts.append(frames_in(chunk))
        found += list(telecine.read_frames(chunk))
        assert len(list(temporary.rglob("*.mp4"))) == 1
        assert path.read_bytes() == OLDER or chunks.video.frame_count == 40
    assert sum(count for count, _ in counts) == 40
    assert all(4 <= count <= 12 and end == (count - 1) / FPS for count, end in counts[:-1])
    assert np.array_equal(np.stack(found), np.stack(list(telecine.read_frames(path))))
    assert_frames(path, given)
    assert (chunks.video.path, chunks.video.frame_count) == (path, 40)
    assert chunks.video.fps == FPS
    assert list(temporary.iterdir()) == []
    assert list(chunks) == []


def test_frames_are_asked_for_as_chunks_are(path: Path) -> None:
    """Where each frame is a cut too, a chunk has half a second."""
    asked = Asked(noise(64))
    chunks = VideoChunks(asked, path, fps=FPS)
    assert asked.count == 0
    assert frames_in(next(chunks))[0] == 8
    assert asked.count < 24
    chunks.close()
    assert_untouched(path)
    assert list(chunks) == []


def test_without_a_path_the_file_is_temporary(temporary: Path) -> None:
    chunks = VideoChunks(np.zeros((3, 49, 65, 3), np.uint8))
    with pytest.raises(TelecineError, match="has not finished"):
        _ = chunks.video
    assert len(list(chunks)) == 1
    assert list(temporary.iterdir()) == [chunks.video.path]
    assert chunks.video.padding == (1, 1)
    dropped = VideoChunks(iter(greys(40)), fps=FPS, fragment=0.5)
    next(dropped)
    del dropped
    assert list(temporary.iterdir()) == [chunks.video.path]
    assert encoding_threads() == []


def test_a_failure_keeps_what_was_encoded(path: Path) -> None:
    chunks = VideoChunks(failing_at(30, greys(40), RuntimeError("the model failed")), path, fps=FPS)
    next(chunks)
    with pytest.raises(RuntimeError, match="the model failed") as caught:
        list(chunks)
    assert_kept(path, caught.value)
    with pytest.raises(FrameError, match="no frames"):
        next(VideoChunks(iter([]), path))
    assert_untouched(path)


def test_what_does_not_fit_is_refused_before_a_frame_is_asked_for(path: Path) -> None:
    for error, options in (
        (OptionError, {"fps": 0}),
        (OptionError, {"fragment": -1}),
        (OptionError, {"latency": "low"}),
        (OptionError, {"also_to": print}),
        (OptionError, {"max_bytes": 1000}),
        (PublishError, {"overwrite": False}),
        (TypeError, {"audio": None}),
    ):
        asked: Any = Asked(greys())
        with pytest.raises(error):
            VideoChunks(asked, path, **options)
        assert asked.count == 0
    with pytest.raises(InputError):
        VideoChunks(str(path.with_name("absent.mp4")), path)
    assert_untouched(path)


# ---- in Gradio -----------------------------------------------------------------------------------------------------


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Run an app on this machine as long as the `with`, and give its address."""
    app.launch(prevent_thread_lock=True, server_name="127.0.0.1", quiet=True, ssr_mode=False)
    try:
        yield app.local_url
    finally:
        app.close()


@pytest.fixture
def gradio(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The library, which asks nothing of the network."""
    for name, value in {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}.items():
        monkeypatch.setenv(name, value)
    if not (shutil.which("ffmpeg") and shutil.which("ffprobe")):
        pytest.skip("Gradio's streams need the programs ffmpeg and ffprobe")
    return pytest.importorskip("gradio")


def test_the_pages_blocks_run(gradio: Any) -> None:
    given = greys(40)
    inputs = {
        "pipe": lambda: lambda prompt: SimpleNamespace(frames=[given]),
        "frames_of": lambda: lambda prompt: iter(given),
    }
    finished, live = (run_python(block, inputs) for block in blocks_of(ROOT / "docs" / "gradio.md"))
    *chunks, (none, file) = live["generate_live"]("a panda")
    assert len(chunks) >= 3
    assert {(Path(chunk).suffix, at_end) for chunk, at_end in chunks} == {(".mp4", None)}
    assert none is None
    for path in (Path(file), Path(finished["generate"]("a panda"))):
        assert_frames(path, given)
        path.unlink()


@pytest.mark.slow
def test_a_browser_plays_while_frames_come_and_has_the_file_in_the_end(
    gradio: Any, browser: Browser, tmp_path: Path
) -> None:
    given, is_playing = numbered(64), threading.Event()
    path = Path(tempfile.mkdtemp(dir=tempfile.gettempdir())) / "a b.mp4"  # which Gradio serves

    def frames() -> Iterator[Any]:
        yield from given[:48]
        assert is_playing.wait(60)
        yield from given[48:]

    def generate(prompt: str) -> Iterator[tuple[str | None, str | None]]:
        chunks = VideoChunks(frames(), path, fps=FPS)
        for chunk in chunks:
            yield chunk, None
        yield None, chunks.video

    outputs = [gradio.Video(streaming=True, autoplay=True, elem_id="live"), gradio.Video(elem_id="file")]
    app = gradio.Interface(generate, gradio.Textbox(label="prompt"), outputs, flagging_mode="never")
    with served(app) as url, looked_at(browser, url) as looked:
        looked.page.get_by_role("button", name="Submit").click()
        looked.until("document.querySelector('#live video')?.currentTime > 0.5")
        assert not path.exists()
        number, due = looked.page.evaluate(SHOWN)
        assert 0 < number < 48
        assert abs(number - due) <= 1
        is_playing.set()
        looked.until("document.querySelector('#file video')?.readyState >= 2")
        looked.until(f"document.querySelector('#live video').duration > {63.5 / FPS}")
        looked.page.evaluate("document.querySelector('#live video').pause()")
        for number in (60, 7, 48):
            looked.page.evaluate(f"document.querySelector('#live video').currentTime = {(number + 0.5) / FPS}")
            looked.until(f"({SHOWN})[0] === {number}")
        assert [each for each in looked.asked if not each.startswith(url)] == []
        shown = looked.page.evaluate("document.querySelector('#file video').duration")
    assert shown == 64 / FPS
    assert_frames(path, given)
    shutil.rmtree(path.parent)
    assert threads_left("telecine-encode") == []
