"""Sound is in step with the frames to a sample, in every codec, rate and number of channels."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

import telecine
from telecine import Video, VideoWriter, export_video
from telecine.formats.choices import QualityName
from telecine.support.rate import parse_fps

from ..support.browser import Browser
from ..support.helpers import greys
from ..support.mp4 import box, boxes, clock, runs
from ..support.sounds import LOUD, RATE, STEREO, clicks, heard, peaks, tone

# ---- in step with the frames -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Clicked:
    """A long video with a click at the time of some frames, and where in the sound these should be."""

    video: Video
    rate: int
    at: list[Fraction]


def clicked(path: Path, fps: Any, rate: int, seconds: int, **how: Any) -> Clicked:
    """Write a video whose sound is given in between its frames, a second of both at a time."""
    exact = parse_fps(fps)
    frame_count = int(seconds * exact)
    frames = range(7, frame_count - 7, frame_count // 100)
    sound = clicks([round(index / exact * rate) for index in frames], seconds * rate)
    blank = np.zeros((round(exact), 32, 32, 3), np.uint8)
    with VideoWriter(path, fps=fps, audio_rate=rate, audio_fit="trim", **how) as writer:
        for second in range(seconds):
            writer.write_audio(sound[second * rate : (second + 1) * rate])
            writer.write(blank[: frame_count - writer.frame_count])
    return Clicked(writer.video, rate, [index / exact * rate for index in frames])


@pytest.fixture(
    scope="module", params=[(16, 48_000), (24, 44_100), ("30000/1001", 48_000)], ids=lambda param: f"{param[0]} fps"
)
def ten_minutes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Clicked:
    fps, rate = request.param
    return clicked(tmp_path_factory.mktemp("clicks") / "clip.mp4", fps, rate, 600, preset="ultrafast", quality="draft")


def assert_clicks(found: list[int], clip: Clicked) -> None:
    assert len(found) == len(clip.at)
    assert max(abs(peak - exact) for peak, exact in zip(found, clip.at, strict=True)) <= 1


@pytest.mark.slow
def test_for_ten_minutes_a_click_at_a_frame_decodes_within_a_sample_of_the_frames_time(ten_minutes: Clicked) -> None:
    assert_clicks(peaks(heard(ten_minutes.video)[:, 0]), ten_minutes)
    video = ten_minutes.video
    assert video.duration * video.fps == video.frame_count == int(600 * video.fps)
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        times = sorted(packet.pts for packet in container.demux(stream) if packet.pts is not None)
        assert stream.time_base is not None
        assert [time * stream.time_base for time in times] == [index / video.fps for index in range(video.frame_count)]


@pytest.mark.slow
def test_for_ten_minutes_it_does_so_in_chromium(ten_minutes: Clicked, browser: Browser) -> None:
    sound = browser.hear(ten_minutes.video, ten_minutes.rate, 1, LOUD)
    assert_clicks(sound.peaks[0], ten_minutes)
    assert abs(sound.length - ten_minutes.video.duration * ten_minutes.rate) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("fps", [16, "30000/1001"])
@pytest.mark.parametrize("extension", ["mov", "webm", "mkv"])
@pytest.mark.filterwarnings("ignore:.*does not play everywhere")
def test_in_other_containers_too(extension: str, fps: Any, browser: Browser, tmp_path: Path) -> None:
    clip = clicked(tmp_path / f"clip.{extension}", fps, RATE, 10, quality="draft")
    assert_clicks(peaks(heard(clip.video)[:, 0]), clip)
    assert_clicks(browser.hear(clip.video, RATE, 1, LOUD).peaks[0], clip)


@pytest.mark.parametrize("fps", [16, 24, "30000/1001"])
def test_the_edit_lists_cut_off_what_the_encoders_put_in_front_and_end_with_the_sound(fps: Any, tmp_path: Path) -> None:
    video = export_video(greys(), tmp_path / "clip.mp4", fps=fps, audio=tone(1.1, 44_100)[:, :1], audio_rate=44_100)
    movie = box(video.path.read_bytes(), "moov")
    _, of_audio = (track for kind, track in boxes(movie) if kind == "trak")
    ((duration, start, _),) = runs(box(of_audio, "edts", "elst"), ">IiI")
    assert start == 1024  # the AAC encoder's delay
    assert Fraction(duration, clock(box(movie, "mvhd"))) == Fraction(48_510, 44_100)
    samples = [lasting * count for count, lasting in runs(box(of_audio, "mdia", "minf", "stbl", "stts"), ">II")]
    assert sum(samples) == 1024 + 48_510


@pytest.mark.parametrize("extension", ["webm", "mkv"])
@pytest.mark.filterwarnings("ignore:.*does not play everywhere")
def test_opus_decodes_to_as_many_samples_as_were_given(extension: str, tmp_path: Path) -> None:
    sound = tone(1.2345)
    video = export_video(greys(), tmp_path / f"clip.{extension}", audio=sound, audio_rate=RATE)
    assert heard(video).shape == sound.shape


# ---- codecs, rates, channels -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "kind", "codec", "exact"),
    [
        ("a.mp4", {}, "int16", "aac", False),
        ("a.mov", {}, "int16", "aac", False),
        ("a.webm", {}, "int16", "opus", False),
        ("a.mkv", {}, "int16", "opus", False),
        ("a.mp4", {"quality": "lossless"}, "int16", "flac", True),
        ("a.mov", {"quality": "lossless"}, "int16", "pcm_s16le", True),
        ("a.mov", {"quality": "lossless"}, "int32", "pcm_s32le", True),
        ("a.mov", {"quality": "lossless"}, "float32", "pcm_f32le", True),
        ("a.mov", {"codec": "prores"}, "float32", "pcm_f32le", True),
        ("a.mkv", {"quality": "lossless"}, "int16", "flac", True),
        ("a.mkv", {"quality": "lossless"}, "int32", "pcm_s32le", True),
        ("a.mkv", {"codec": "ffv1"}, "float32", "pcm_f32le", True),
    ],
)
@pytest.mark.filterwarnings("ignore:.*does not play everywhere")
def test_each_container_has_its_codec(
    name: str, options: Any, kind: str, codec: str, exact: bool, tmp_path: Path
) -> None:
    sound = np.random.default_rng(0).integers(-(2**31), 2**31, (20_000, 2), np.int32)
    kinds: dict[str, npt.NDArray[Any]] = {"int16": sound >> 16, "int32": sound, "float32": sound / 2**31}
    sound = kinds[kind].astype(kind)
    video = export_video(greys(), tmp_path / name, audio=sound, audio_rate=RATE, **options)
    info = telecine.probe(video).audio
    assert info is not None
    assert (info.codec, info.sample_rate, info.channels) == (codec, RATE, 2)
    assert np.array_equal(heard(video)[: len(sound)], sound) == exact


@pytest.mark.parametrize("kind", ["int32", "float32"])
@pytest.mark.filterwarnings("ignore:.*does not play everywhere")
def test_lossless_mp4_keeps_24_bits_and_says_so(kind: str, tmp_path: Path) -> None:
    exact = np.random.default_rng(0).integers(-(2**23), 2**23, (20_000, 2), np.int32) << 8
    sound = exact if kind == "int32" else np.float32(exact / 2**31)
    video = export_video(greys(), tmp_path / "a.mp4", quality="lossless", audio=sound, audio_rate=RATE)
    assert np.array_equal(heard(video), exact)
    assert "of each sample of the sound mp4 keeps the upper 24 bits" in video.notes


@pytest.mark.filterwarnings("ignore:.*does not play everywhere")
def test_webm_has_no_lossless_sound_and_says_so(tmp_path: Path) -> None:
    video = export_video(greys(), tmp_path / "a.webm", quality="lossless", audio=STEREO, audio_rate=RATE)
    assert "the sound is not lossless: webm holds only opus" in video.notes


@pytest.mark.parametrize("name", ["clip.webm", "clip.mkv"])
@pytest.mark.parametrize("last", [1, 3, 23, 24, 47, 48, 480, 959, 960])
@pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning")
def test_whatever_is_left_of_the_last_packet_the_sound_is_as_long_as_given(
    name: str, last: int, tmp_path: Path
) -> None:
    length = 10 * 960 + last - 312  # packets of 20 ms, of which FFmpeg's Opus puts 312 samples in front
    video = telecine.export_video(greys(2), tmp_path / name, fps=16, audio=tone(1)[:length], audio_rate=48_000)
    audio = telecine.probe(video).audio
    assert audio is not None
    assert abs(audio.duration - Fraction(length, 48_000)) <= Fraction(1, 1000)
    assert len(heard(video)) == length


@pytest.mark.parametrize(
    ("name", "given", "found"),
    [
        *[("a.mp4", rate, rate) for rate in (8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000)],
        ("a.mp4", 20_000, 22_050),
        ("a.mp4", 192_000, 96_000),
        ("a.webm", 48_000, 48_000),
        ("a.webm", 44_100, 48_000),
        ("a.webm", 16_000, 48_000),
        ("a.webm", 96_000, 48_000),
    ],
)
@pytest.mark.filterwarnings("ignore:.*does not play everywhere")
def test_sound_is_resampled_only_where_the_codec_needs_it(name: str, given: int, found: int, tmp_path: Path) -> None:
    at = [given // 4, given // 2, given]
    wide = np.convolve(clicks(at, given * 5 // 4), np.ones(5) / 5, "same")  # of few high frequencies
    video = export_video(greys(), tmp_path / name, audio=np.float32(wide), audio_rate=given)
    info = telecine.probe(video).audio
    assert info is not None
    assert info.sample_rate == found
    note = f"the sound is resampled from {given} to {found} Hz, as {info.codec} needs"
    assert (note in video.notes) == (given != found)
    exact = [Fraction(each, given) * found for each in at]
    assert max(abs(peak - each) for peak, each in zip(peaks(heard(video)[:, 0]), exact, strict=True)) <= 1


LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


@pytest.mark.slow
@pytest.mark.parametrize("channels", LAYOUTS)
@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.webm", "a.mkv", "lossless.mp4", "lossless.mov", "lossless.mkv"])
@pytest.mark.filterwarnings("ignore:.*does not play everywhere")
def test_mono_to_7_1_keep_their_channels_here_and_in_chromium(
    name: str, channels: int, browser: Browser, tmp_path: Path
) -> None:
    at = [3_000 * (channel + 1) for channel in range(channels)]
    sound = np.stack([clicks([middle], 30_000) for middle in at], axis=1)
    quality: QualityName = "lossless" if "lossless" in name else "draft"
    video = export_video(greys(16), tmp_path / name, quality=quality, audio=sound, audio_rate=RATE)
    with av.open(str(video)) as container:
        name = LAYOUTS[channels]  # what lies at the side in FLAC; PCM in Matroska and AAC's 6.1 have no names
        told = container.streams.audio[0].layout.name
    assert told in (name, f"{name}(side)", f"{name}(back)", f"{channels} channels")
    # FFmpeg 9 names AAC's 6.1, as 6.1(back): readers give its two at the back in front of the one in the middle.
    order = [0, 1, 2, 3, 5, 6, 4] if told == "6.1(back)" else list(range(channels))
    # The low-frequency channel holds up to 120 Hz in AAC and Opus: its click is long, and its middle less certain.
    near = [10 if channels >= 6 and channel == 3 else 1 for channel in range(channels)]
    for loudest in (
        np.abs(heard(video).astype(float)).argmax(axis=0),
        browser.hear(video, RATE, channels, LOUD).loudest,
    ):
        assert (np.abs(np.array(loudest) - np.array(at)[order]) <= near).all()
