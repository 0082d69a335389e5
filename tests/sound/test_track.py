"""Sound in pieces is one sound, fitted to the video."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import telecine
from telecine import OptionError, VideoWriter, export_video

from ..support.browser import Browser
from ..support.helpers import assert_frames, assert_untouched, greys, run_python
from ..support.sounds import RATE, STEREO, heard, tone

# ---- in pieces -------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*does not play everywhere")
def test_pieces_before_between_and_after_the_frames_make_one_sound(tmp_path: Path) -> None:
    sound, frames = tone(1), greys(16)
    with VideoWriter(tmp_path / "clip.mkv", quality="lossless", audio_rate=RATE) as writer:
        writer.write_audio(sound[:10_000])
        writer.write_audio(sound[10_000:10_003])  # of three samples: read as those before
        for index, frame in enumerate(frames):
            writer.write(frame)
            writer.write_audio(sound[10_003 + 1000 * index : 11_003 + 1000 * index][None])
        writer.write_audio(torch.from_numpy(sound[26_003:]))
    assert np.array_equal(heard(writer.video), sound)
    assert_frames(writer.video, frames)


@pytest.mark.parametrize(
    ("piece", "said"),
    [
        (STEREO / 32768, "audio has a dtype of float32, what was given before has int16: give it as before"),
        (STEREO[:, :1], r"audio of shape \(15000, 1\): 2 channels were given before"),
        (STEREO[:, 0], "audio has a number of channels of 1, what was given before has 2"),
        (STEREO[:0], "audio is empty"),
    ],
)
def test_a_piece_that_contradicts_is_refused_and_the_video_goes_on(piece: Any, said: str, tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.mov", audio_rate=RATE) as writer:
        writer.write_audio(STEREO)
        writer.write(greys()[:2])
        with pytest.raises(OptionError, match=said):
            writer.write_audio(piece)
        writer.write(greys()[2:])
    assert_frames(writer.video, greys())
    info = telecine.probe(writer.video)
    assert info.audio is not None
    assert info.audio.duration == Fraction(5, 16)


def test_a_writer_that_is_closed_takes_no_sound(path: Path) -> None:
    writer = VideoWriter(path, audio_rate=RATE)
    writer.write(greys())
    writer.close()
    with pytest.raises(telecine.TelecineError, match=r"clip\.mp4' is closed"):
        writer.write_audio(STEREO)


def test_sound_alone_is_no_video(path: Path) -> None:
    writer = VideoWriter(path, audio_rate=RATE)
    writer.write_audio(STEREO)
    with pytest.raises(telecine.FrameError, match="no frames: there is nothing to write"):
        writer.close()
    assert_untouched(path)


@pytest.mark.slow
def test_sound_takes_no_more_memory_the_longer_it_is(tmp_path: Path) -> None:
    script = """
import resource, sys, numpy, telecine
seconds = int(sys.argv[1])
piece, frame = numpy.zeros((48000, 2), numpy.float32), numpy.zeros((32, 32, 3), numpy.uint8)
with telecine.VideoWriter("clip.mp4", fps=1, audio_rate=48000) as writer:
    for _ in range(seconds):
        writer.write_audio(piece)
        writer.write(frame)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    short, long = (int(run_python(script, tmp_path, seconds, timeout=300)) for seconds in (20, 200))
    assert long - short < 10 << 10  # kilobytes; what is longer is 69 MB


# ---- fitted to the video ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fit", ["pad", "trim", "loop"])
@pytest.mark.parametrize("fps", [16, "30000/1001"])
@pytest.mark.parametrize("seconds", [0.3, 1, 3.7])
@pytest.mark.filterwarnings("ignore:.*does not play everywhere")
def test_sound_is_fitted_to_the_video_and_no_frame_to_the_sound(
    seconds: float, fps: Any, fit: Any, tmp_path: Path
) -> None:
    frames, sound = greys(24), tone(seconds)
    path = tmp_path / "clip.mov"
    video = export_video(frames, path, fps=fps, quality="lossless", audio=sound, audio_rate=RATE, audio_fit=fit)
    assert_frames(video, frames)
    assert video.duration * video.fps == 24
    of_video = round(video.duration * RATE)
    expected = {
        "pad": np.concatenate([sound, np.zeros((max(0, of_video - len(sound)), 2), np.int16)]),
        "trim": np.concatenate([sound, np.zeros((of_video, 2), np.int16)])[:of_video],
        "loop": np.tile(sound, (10, 1))[:of_video],
    }[fit]
    assert np.array_equal(heard(video), expected)
    goes_on = any("the sound goes on for" in note for note in video.notes)
    assert goes_on == (fit == "pad" and seconds > video.duration)


@pytest.mark.slow
@pytest.mark.parametrize("extension", ["mp4", "webm"])
@pytest.mark.parametrize(("fit", "lasting"), [("pad", 2), ("trim", 1)])
@pytest.mark.filterwarnings("ignore:.*does not play everywhere")
def test_chromium_plays_frames_and_sound_to_the_end(
    fit: Any, lasting: int, extension: str, browser: Browser, tmp_path: Path
) -> None:
    path = tmp_path / f"clip.{extension}"
    export_video(greys(16), path, quality="draft", audio=tone(2), audio_rate=RATE, audio_fit=fit)
    assert browser.load(path).duration == pytest.approx(lasting, abs=0.01)  # WebM counts Opus' 6.5 ms
    start, end = browser.play()
    assert start == 0
    assert end == pytest.approx(lasting, abs=0.01)


@pytest.mark.parametrize("fps", [16.66667, "48693/1000"])
@pytest.mark.parametrize("rate", [44_100, 96_000])
def test_rates_without_a_common_clock_keep_frames_and_sound(rate: int, fps: Any, tmp_path: Path) -> None:
    video = export_video(greys(), tmp_path / "clip.mp4", fps=fps, audio=tone(1, rate), audio_rate=rate)
    info = telecine.probe(video)
    assert info.audio is not None
    assert info.duration * info.fps == 5
    assert abs(info.audio.duration - 1) <= Fraction(1, 10_000)


def test_a_last_frame_that_is_held_has_sound(tmp_path: Path) -> None:
    video = export_video(greys(), tmp_path / "clip.mp4", hold=2, audio=tone(0.5), audio_rate=RATE)
    info = telecine.probe(video)
    assert info.audio is not None
    assert video.duration == Fraction(4, 16) + 2 == info.duration == info.audio.duration
