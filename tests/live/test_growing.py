"""Videos into what can't be gone back in, as they come: pipes, sockets, responses."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import telecine
from telecine import OptionError, PublishError, VideoWriter, export_video

from ..support.helpers import assert_frames, greys, names_in
from ..support.pipes import Taker, packets
from ..support.sounds import RATE, tone

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("temporary"),
    pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning"),
]

FPS = 16
VIDEOS = ["mp4", "mov", "webm", "mkv"]


@contextmanager
def written_to(path: Path) -> Iterator[Taker]:
    """Give what takes bytes, and write them to a file in the end."""
    taker = Taker()
    yield taker
    path.write_bytes(taker.taken)


@pytest.mark.parametrize("format", VIDEOS)
def test_a_pipe_gets_frames_while_others_are_still_to_come(format: Any, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    taker, path = Taker(), tmp_path / f"clip.{format}"

    def read() -> None:
        with open(reading, "rb", buffering=0) as pipe:
            while data := pipe.read(1 << 16):
                taker.write(data)

    def frames() -> Iterator[Any]:
        for index, frame in enumerate(greys(24)):
            taker.wait_for(max(0, index - 9))  # of a fragment's eight, and the first of the next one
            yield frame

    reader = threading.Thread(target=read)
    reader.start()
    with open(writing, "wb") as pipe:
        video = export_video(frames(), pipe, format=format, fps=FPS, crf=1)
    reader.join(60)
    path.write_bytes(taker.taken)
    assert_frames(path, greys(24))
    found = telecine.read_timestamps(path)
    assert [round(time * FPS, 1) for time in found] == list(range(24))  # Matroska counts milliseconds
    assert (str(video), video.size_bytes, video.frame_count) == ("<BufferedWriter>", len(taker.taken), 24)


@pytest.mark.parametrize("format", VIDEOS)
def test_each_half_second_begins_with_a_key_frame(format: Any, tmp_path: Path) -> None:
    still = np.repeat(greys(1), 20, axis=0)
    for fragment, frames in ((None, 8), (0.25, 4)):
        with written_to(tmp_path / f"clip.{format}") as taker:
            export_video(still, taker, format=format, fps=FPS, fragment=fragment)
        keys = [key for _, key, _ in packets(tmp_path / f"clip.{format}", "video")]
        assert keys == [index % frames == 0 for index in range(20)]


@pytest.mark.parametrize("format", VIDEOS)
@pytest.mark.parametrize("sounds", [0, 1])
def test_low_latency_hands_out_each_frame_when_the_next_one_is_there(format: Any, sounds: int) -> None:
    taker = Taker()
    options: dict[str, Any] = {"fps": FPS, "latency": "low", "format": format, "crf": 1, "audio_rate": RATE}
    with VideoWriter(taker, **options) as writer:
        for _ in range(sounds):
            writer.write_audio(tone(2))
        for count, frame in enumerate(greys(20), 1):
            writer.write(frame)
            taker.wait_for(count - 2)
    assert taker.frames == 20


@pytest.mark.parametrize("format", VIDEOS)
@pytest.mark.parametrize(("fit", "length"), [("pad", 0.7), ("pad", 2.0), ("trim", 2.0), ("loop", 0.3)])
def test_the_sound_is_that_of_the_file(format: Any, fit: Any, length: float, tmp_path: Path) -> None:
    sound: dict[str, Any] = {"audio": tone(length), "audio_rate": RATE, "audio_fit": fit}
    how: dict[str, Any] = {"format": format, "fps": FPS, "crf": 1, "metadata": {"seed": 1}}
    with written_to(tmp_path / f"streamed.{format}") as taker:
        streamed = export_video(greys(20), taker, **how, **sound)
    file = export_video(greys(20), tmp_path / f"clip.{format}", **how, **sound)
    found, expected = (packets(each, "audio") for each in (tmp_path / f"streamed.{format}", file))
    assert [data for _, _, data in found] == [data for _, _, data in expected]
    assert [time for time, _, _ in found] == [time for time, _, _ in expected]
    assert_frames(tmp_path / f"streamed.{format}", greys(20))
    assert telecine.probe(tmp_path / f"streamed.{format}").metadata == {"seed": 1}
    assert [note for note in streamed.notes if "sound" in note] == [note for note in file.notes if "sound" in note]


@pytest.mark.parametrize("format", VIDEOS)
@pytest.mark.parametrize(
    "timing", [{"hold": 2}, {"timestamps": [0, 0.3, 0.35, 0.5, 1]}, {"timestamps": [0, 1, 2, 3, 4], "hold": 3}], ids=str
)
def test_times_are_those_of_the_file(format: Any, timing: Any, tmp_path: Path) -> None:
    with written_to(tmp_path / f"streamed.{format}") as taker:
        streamed = export_video(greys(5), taker, format=format, **timing)
    file = export_video(greys(5), tmp_path / f"clip.{format}", **timing)
    assert telecine.read_timestamps(tmp_path / f"streamed.{format}") == telecine.read_timestamps(file)
    found = telecine.probe(tmp_path / f"streamed.{format}").duration
    assert abs(found - file.duration) <= (Fraction(1, 1000) if format in ("webm", "mkv") else 0)
    assert streamed.duration == file.duration


def test_another_program_reads_it_from_its_standard_input() -> None:
    asked = ["-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", "-i", "-"]
    format: Any
    for format in VIDEOS:
        with subprocess.Popen(["ffprobe", *asked], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None
            export_video(greys(20), process.stdin, format=format, fps=FPS)
            assert process.communicate()[0].split() == [b"20"]


@pytest.mark.parametrize("opened", [False, True])
def test_a_socket_gets_it_too(opened: bool) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        export_video(greys(5), ours.makefile("wb") if opened else ours, format="mp4", fps=FPS)
        ours.shutdown(socket.SHUT_WR)
        with theirs.makefile("rb") as file:
            assert len(packets(io.BytesIO(file.read()), "video")) == 5


@pytest.mark.parametrize("format", VIDEOS)
def test_a_reader_that_goes_away_is_one_error_and_the_frames_are_kept(format: Any, temporary: Path) -> None:
    reading, writing = os.pipe()
    still, gone = np.repeat(greys(1), 20, axis=0), threading.Event()

    def read() -> None:
        size = 0
        while size < 1000:
            size += len(os.read(reading, 1 << 16))
        os.close(reading)
        gone.set()

    def frames() -> Iterator[Any]:
        yield from still
        assert gone.wait(60)
        yield from still

    reader = threading.Thread(target=read)
    reader.start()
    with open(writing, "wb", buffering=0) as pipe, pytest.raises(PublishError, match="Broken pipe; ") as failed:
        export_video(frames(), pipe, format=format, fps=FPS)
    reader.join(60)
    assert isinstance(failed.value.__cause__, BrokenPipeError)
    kept = telecine.recover(str(failed.value).rpartition(" ")[2])
    assert kept.frame_count >= 8
    assert names_in(temporary) == [Path(kept).name]


def made_in_the_end(**how: Any) -> Callable[[Any], Any]:
    return lambda output: export_video(greys(20), output, fps=FPS, **how)


LATE: dict[str, tuple[dict[str, Any], str]] = {
    "webp": ({"format": "webp"}, ""),
    "apng": ({"format": "apng"}, ""),
    "prores": ({"format": "mov", "codec": "prores"}, "does not go with prores in yuv422p10le, which no player streams"),
    "lossless": ({"format": "mp4", "quality": "lossless"}, "does not go with h264 in rgb24, which no player"),
    "alpha": ({"format": "webm", "pixel_format": "yuva420p"}, "does not go with vp9 in yuva420p, which no player"),
    "limit": ({"format": "mp4", "max_bytes": 20000}, "does not go with max_bytes=, since what was handed out"),
}


@pytest.mark.parametrize("case", LATE)
def test_what_can_not_be_written_as_it_comes_is_written_in_the_end(case: str, tmp_path: Path) -> None:
    how, said = LATE[case]
    taker = Taker()
    streamed = made_in_the_end(**how)(taker)
    assert bytes(taker.taken) == made_in_the_end(**how)(tmp_path / "clip").read_bytes()
    assert [said in note for note in streamed.notes if "at the end" in note] == ([True] if said else [])


def test_sound_that_comes_after_the_first_frame_is_refused() -> None:
    taker = Taker()
    with VideoWriter(taker, format="mp4", fps=FPS, audio_rate=RATE) as writer:
        writer.write_audio(tone(0.5))
        writer.write(greys(5))
        with pytest.raises(OptionError, match="the sound of what is handed out while it grows is written before"):
            writer.write_audio(tone(0.5))
    assert taker.frames == 5


def test_an_export_that_fails_ends_what_it_wrote_at_a_frame(temporary: Path) -> None:
    taker = Taker()
    writer = VideoWriter(taker, format="mp4", fps=FPS)
    writer.write(greys(20))
    writer.abort()
    if taker.taken:  # of what was encoded by then
        assert all(time * FPS == index for index, (time, _, _) in enumerate(packets(io.BytesIO(taker.taken), "video")))
    assert list(temporary.iterdir()) == []


def test_a_fragment_of_nothing_that_is_handed_out_is_refused(tmp_path: Path) -> None:
    for wrong in ({"fragment": 0.5}, {"latency": "low"}):
        with pytest.raises(OptionError, match="fragment= and latency= go with also_to=, live= or a pipe: leave them"):
            export_video(greys(), tmp_path / "clip.mp4", **wrong)
    with pytest.raises(OptionError, match="fragment=0 is no length: give seconds"):
        export_video(greys(), Taker(), format="mp4", fragment=0)
    assert names_in(tmp_path) == ["temporary"]
