"""Sound beside the frames: every form it is given in, in step with the frames to a sample, and never at their cost."""

from __future__ import annotations

import errno
import json
import signal
import struct
import subprocess
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
import torch
from av.audio.resampler import AudioResampler

import telecine
from telecine import (
    EncodeError,
    InputError,
    OptionError,
    PublishError,
    TelecineWarning,
    Video,
    VideoWriter,
    export_video,
)
from telecine.cli.commands import run
from telecine.files.checksums import Checksums
from telecine.formats.choices import QualityName
from telecine.support.rate import parse_fps

from ..support.browser import Browser
from ..support.helpers import (
    BLANK,
    LIMITED,
    OLDER,
    ROOT,
    Asked,
    assert_frames,
    assert_untouched,
    greys,
    names_in,
    noise,
    run_python,
)
from ..support.journals import JOURNAL, leave_journal
from ..support.mp4 import box, boxes, clock, runs

Sound = npt.NDArray[Any]

RATE = 48_000
CLICK = (0.9 * np.exp(-0.5 * (np.arange(-20, 21) / 3) ** 2)).astype(np.float32)  # short, and below what AAC cuts off
LOUD = 0.4


def clicks(at: list[int], length: int) -> Sound:
    """Silence of one channel with a click around each of these samples."""
    sound = np.zeros(length, np.float32)
    for middle in at:
        sound[middle - 20 : middle + 21] += CLICK
    return sound


def tone(seconds: float, rate: int = RATE, channels: int = 2) -> Sound:
    """A tone of its own pitch in each channel, (samples, channels) int16."""
    time = np.arange(round(seconds * rate)) / rate
    return np.stack([12_000 * np.sin(time * 700 * (channel + 2)) for channel in range(channels)], axis=1).astype(
        np.int16
    )


def heard(path: Any) -> Sound:
    """The sound as PyAV decodes it, (samples, channels)."""
    with av.open(str(path)) as container:
        (stream,) = container.streams.audio
        packed = AudioResampler(stream.format.packed)  # PyAV reads beyond the end of eight planes
        frames = [each for frame in container.decode(stream) for each in packed.resample(frame)]
        return np.concatenate([frame.to_ndarray().reshape(-1, stream.channels) for frame in frames])


def peaks(sound: Sound) -> list[int]:
    """Where one channel has a click: each local maximum that is loud."""
    middle = sound[1:-1]
    return list(1 + np.flatnonzero((middle > LOUD) & (middle >= sound[:-2]) & (middle > sound[2:])))


def lossless(path: Path, sound: Any, rate: int | None = RATE, **how: Any) -> Sound:
    """The sound that comes back from an export to Matroska without loss."""
    with pytest.warns(TelecineWarning, match="does not play everywhere"):
        video = export_video(greys(), path.with_suffix(".mkv"), quality="lossless", audio=sound, audio_rate=rate, **how)
    return heard(video)


# ---- in step with the frames ---------------------------------------------------------------------------------------


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


def test_for_ten_minutes_a_click_at_a_frame_decodes_within_a_sample_of_the_frames_time(ten_minutes: Clicked) -> None:
    assert_clicks(peaks(heard(ten_minutes.video)[:, 0]), ten_minutes)
    video = ten_minutes.video
    assert video.duration * video.fps == video.frame_count == int(600 * video.fps)
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        times = sorted(packet.pts for packet in container.demux(stream) if packet.pts is not None)
        assert stream.time_base is not None
        assert [time * stream.time_base for time in times] == [index / video.fps for index in range(video.frame_count)]


def test_for_ten_minutes_it_does_so_in_chromium(ten_minutes: Clicked, browser: Browser) -> None:
    sound = browser.hear(ten_minutes.video, ten_minutes.rate, 1, LOUD)
    assert_clicks(sound.peaks[0], ten_minutes)
    assert abs(sound.length - ten_minutes.video.duration * ten_minutes.rate) <= 1


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


# ---- what is given -------------------------------------------------------------------------------------------------

STEREO = tone(0.3125)  # as long as five frames at 16 fps
FORMS: dict[str, Any] = {
    "(n, channels)": STEREO,
    "(channels, n)": STEREO.T,
    "(1, channels, n)": STEREO.T[None],
    "(1, n, channels)": STEREO[None],
    "big-endian": STEREO.astype(">i2"),
    "not contiguous": np.repeat(STEREO, 2, axis=0)[::2],
    "torch": torch.from_numpy(STEREO.T.copy()),
    "torch that takes a gradient": torch.from_numpy(STEREO / 32768).requires_grad_(),
    "float32": (STEREO / 32768).astype(np.float32),
    "float64": STEREO / 32768,
    "int32": STEREO.astype(np.int32) << 16,
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_sound_comes_of_every_form(form: str, path: Path) -> None:
    found = lossless(path, FORMS[form])
    exact = {"int16": STEREO, "int32": STEREO.astype(np.int32) << 16, "float32": (STEREO / 32768).astype(np.float32)}
    assert np.array_equal(found, exact[found.dtype.name])


@pytest.mark.parametrize("given", ["float16", "bfloat16"])
def test_small_floats_keep_their_values(given: str, path: Path) -> None:
    sound = torch.from_numpy(STEREO / 32768).to(getattr(torch, given))
    assert np.array_equal(lossless(path, sound), sound.float().numpy())


@pytest.mark.parametrize("shape", [(-1,), (1, -1), (-1, 1), (1, 1, -1)], ids=str)
def test_one_channel_is_told_from_the_shape(shape: tuple[int, ...], path: Path) -> None:
    assert np.array_equal(lossless(path, STEREO[:, 0].reshape(shape)), STEREO[:, :1])


@pytest.mark.parametrize(
    ("sound", "said"),
    [
        (
            np.zeros((2, 2)),
            r"shape \(2, 2\) can be 2 channels of 2 samples or 2 of 2: give more than 8 samples at once",
        ),
        (np.zeros((3, 8)), r"shape \(3, 8\) can be 3 channels of 8 samples or 8 of 3"),
        (np.zeros((1, 2, 2)), r"shape \(2, 2\) can be 2 channels"),
        (np.zeros((480, 640)), r"shape \(480, 640\): \(channels, samples\), .* of 1 to 8 channels are accepted"),
        (np.zeros((3, 2, 480)), r"shape \(3, 2, 480\) holds 3 sounds: give one of them"),
        (np.zeros((1, 1, 2, 480)), r"shape \(1, 1, 2, 480\): "),
        (np.float32(0), r"shape \(\): "),
        (np.zeros((2, 0)), r"audio is empty: no samples in an array of shape \(2, 0\)"),
        (np.zeros(9, np.uint8), r"dtype uint8: int16, int32, float32, float16, bfloat16, float64 are accepted"),
        (np.zeros(9, complex), r"dtype complex128"),
        (torch.zeros(9).to_sparse(), r"torch.float32 tensor that can't be read"),
        ([0.0] * 9, r"audio is of type list: an array or tensor, or a file's path, is accepted"),
        (np.array([0, np.nan, 0, np.inf, np.nan]), r"audio has 3 NaN or infinite values, the first at sample 1"),
        (np.array([[0, -np.inf]] * 70_000), r"audio has 70000 NaN or infinite values, the first at sample 0"),
        ("no such file.wav", r"'no such file.wav' can't be read: No such file"),
        (__file__, r"test_encode.py' can't be read as sound: it is no MP4, "),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_what_is_no_sound_is_refused_before_the_first_frame_is_asked_for(sound: Any, said: str, path: Path) -> None:
    frames = Asked(greys())
    with pytest.raises(InputError if isinstance(sound, str) else OptionError, match=said) as refused:
        export_video(frames, path, audio=sound, audio_rate=None if isinstance(sound, str) else RATE)
    assert "\n" not in str(refused.value)
    assert frames.count == 0
    assert_untouched(path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "audio is an array without a rate: pass audio_rate=, such as 48_000"),
        ({"audio_rate": 0}, "audio_rate=0 is not in samples a second"),
        ({"audio_rate": 44.1}, "audio_rate=44.1 is not in samples a second: use an int, such as 48_000"),
        ({"audio_rate": True}, "audio_rate=True is not in samples a second"),
        (
            {"audio_rate": RATE, "audio_fit": "stretch"},
            "audio_fit='stretch' is not known: use 'pad' or 'trim' or 'loop'",
        ),
    ],
)
def test_an_option_of_the_sound_that_is_none_is_refused(options: Any, said: str, path: Path) -> None:
    with pytest.raises(OptionError, match=said):
        export_video(greys(), path, audio=STEREO, **options)
    assert_untouched(path)


@pytest.mark.filterwarnings("ignore:.*does not play everywhere")
def test_values_beyond_1_are_clipped_with_one_warning(tmp_path: Path) -> None:
    sound = np.array([[0.5, -1], [1, -1.5], [1.75, 0]] * 100_000, np.float32)
    with VideoWriter(tmp_path / "clip.mov", codec="prores", audio_rate=RATE) as writer:
        said = "the sound goes up to 1.75: what is beyond 1 is clipped"
        with pytest.warns(TelecineWarning) as warned:
            writer.write_audio(sound)
        assert [str(each.message) for each in warned] == [said]
        writer.write_audio(sound)
        writer.write(greys())
    assert said in writer.video.notes
    assert np.array_equal(heard(writer.video), np.tile(sound, (2, 1)).clip(-1, 1))


# ---- in pieces -----------------------------------------------------------------------------------------------------


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


# ---- files ---------------------------------------------------------------------------------------------------------


def made(path: Path, encoder: str, sound: Sound, rate: int, layout: str, late: float = 0, video: bool = False) -> Path:
    """A file with sound as another tool may write it."""
    exact = {"movie_timescale": str(rate)} if video else {}
    with av.open(str(path), "w", container_options=exact) as container:
        audio: Any = container.add_stream(encoder, rate=rate, layout=layout)
        if video:
            stream: Any = container.add_stream("libx264", rate=16)
            stream.width = stream.height = 32
            for index in range(8):
                picture = av.VideoFrame(32, 32, "yuv420p")
                picture.pts = index
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
        frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), "s16", layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, round(late * rate), Fraction(1, rate)
        container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "encoder"), [("a.wav", "pcm_s16le"), ("a.flac", "flac"), ("a.mka", "pcm_s16le"), ("a.mov", "pcm_s16be")]
)
def test_a_file_is_read_as_it_is(name: str, encoder: str, path: Path, tmp_path: Path) -> None:
    file = made(tmp_path / name, encoder, STEREO, 44_100, "stereo")
    for given in (file, str(file)):
        assert np.array_equal(lossless(path, given, None), STEREO)


@pytest.mark.parametrize(
    ("name", "encoder", "kind"),
    [
        ("a.mp3", "libmp3lame", float),
        ("a.m4a", "aac", float),
        ("a.ogg", "libopus", float),
        ("a.opus", "libopus", float),
    ],
)
def test_a_file_that_is_coded_begins_where_its_sound_does(
    name: str, encoder: str, kind: type, path: Path, tmp_path: Path
) -> None:
    sound = (32767 * clicks([9_000, 30_000], RATE)).astype(np.int16)
    found = lossless(path, made(tmp_path / name, encoder, sound, RATE, "mono"), None)
    assert np.abs(np.array(peaks(found[:, 0])) - [9_000, 30_000]).max() <= 1


@pytest.mark.parametrize("late", [0, 0.25])
def test_the_sound_of_a_video_is_as_late_as_there(late: float, path: Path, tmp_path: Path) -> None:
    sound = (32767 * clicks([9_000], RATE)).astype(np.int16)
    file = made(tmp_path / "given.mp4", "aac", sound, RATE, "mono", late, video=True)
    (found,) = peaks(lossless(path, file, None)[:, 0])
    assert abs(found - 9_000 - late * RATE) <= 1


@pytest.mark.parametrize("channels", [4, 6])
def test_the_channels_of_a_wave_file_without_a_mask_stay_in_their_order(
    channels: int, path: Path, tmp_path: Path
) -> None:
    sound = tone(0.4, channels=channels)
    head = struct.pack("<HHIIHH", 1, channels, RATE, 2 * channels * RATE, 2 * channels, 16)
    data = (
        b"WAVEfmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", sound.nbytes) + sound.tobytes()
    )
    (tmp_path / "a.wav").write_bytes(b"RIFF" + struct.pack("<I", len(data)) + data)
    assert np.array_equal(lossless(path, tmp_path / "a.wav", None), sound)


def test_a_rate_that_contradicts_the_file_is_refused(path: Path, tmp_path: Path) -> None:
    file = made(tmp_path / "a.wav", "pcm_s16le", STEREO, 44_100, "stereo")
    with pytest.raises(OptionError, match=r"audio_rate=48000 contradicts '.*a\.wav', which has 44100: leave it out"):
        export_video(greys(), path, audio=file, audio_rate=48_000)
    assert_untouched(path)


def test_a_file_that_holds_nan_or_nothing_is_refused(path: Path, tmp_path: Path) -> None:
    head = struct.pack("<4sI4s4sIHHIIHH4s", b"RIFF", 0, b"WAVE", b"fmt ", 16, 3, 1, RATE, 4 * RATE, 4, 32, b"data")
    samples = struct.pack("<I4f", 16, 0, float("nan"), 0, 1)
    (tmp_path / "nan.wav").write_bytes(head + samples)
    (tmp_path / "empty.wav").write_bytes(head + struct.pack("<I", 0))
    with pytest.raises(InputError, match=r"nan\.wav' has 1 NaN or infinite values, the first at sample 1"):
        export_video(greys(), path, audio=tmp_path / "nan.wav")
    with pytest.raises(InputError, match=r"empty\.wav' (has no sa|can't be re)"):
        export_video(greys(), path, audio=tmp_path / "empty.wav")
    assert_untouched(path)


def test_a_video_without_sound_has_none_to_give(path: Path, tmp_path: Path) -> None:
    silent = export_video(greys(), tmp_path / "silent.mp4")
    with pytest.raises(InputError, match=r"silent\.mp4' has no sound that FFmpeg reads"):
        export_video(greys(), path, audio=silent)
    assert_untouched(path)


def test_the_sound_of_a_video_given_as_frames_is_missed_and_can_be_kept(tmp_path: Path) -> None:
    given = export_video(greys(), tmp_path / "given.mov", audio=tone(0.5), audio_rate=RATE)
    said = f"the sound of '{given}' is left out: audio='{given}' keeps it"
    with pytest.warns(TelecineWarning, match="is left out") as warned:
        video = export_video(given, tmp_path / "clip.mp4")
    assert [str(each.message) for each in warned] == [said]
    assert said in video.notes
    assert telecine.probe(video).audio is None
    video = export_video(given, tmp_path / "clip.mp4", audio=given)
    assert telecine.probe(video).audio == telecine.probe(given).audio


def test_real_speech_stays_as_it_is(clips: Path, path: Path) -> None:
    with av.open(str(clips / "talk.wav")) as container:
        speech = np.concatenate([frame.to_ndarray().reshape(-1, 2) for frame in container.decode(audio=0)])
    assert np.array_equal(lossless(path, clips / "talk.wav", None), speech)
    video = export_video(clips / "cogvideox-1.mp4", path, fps=8, audio=clips / "talk.wav")
    found, length = heard(video), len(speech)
    assert np.corrcoef(speech[:, 0], found[:length, 0])[0, 1] > 0.99
    shifted = [np.corrcoef(speech[5:-5, 0], found[5 + by : length - 5 + by, 0])[0, 1] for by in range(-5, 6)]
    assert int(np.argmax(shifted)) == 5
    assert (video.frame_count, video.duration) == (49, Fraction(49, 8))


# ---- codecs, rates, channels ---------------------------------------------------------------------------------------


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


# ---- fitted to the video -------------------------------------------------------------------------------------------


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


# ---- never at the cost of the video --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
@pytest.mark.filterwarnings("ignore:.*does not play everywhere")
def test_of_a_writer_that_was_killed_the_sound_is_recovered_with_the_frames(name: str, tmp_path: Path) -> None:
    script = f"""
import os, signal, numpy, telecine
from tests.support.helpers import greys
writer = telecine.VideoWriter({name!r}, quality="lossless", audio_rate=48000)
frames, sound = greys(40), numpy.load("sound.npy")
for second in range(2):
    writer.write_audio(sound[second * 48000 : (second + 1) * 48000])
    writer.write(frames[second * 20 : (second + 1) * 20])
writer.write_audio(sound[96000:])
while writer.queued:
    pass
os.kill(os.getpid(), signal.SIGKILL)
"""
    np.save(tmp_path / "sound.npy", tone(2.3))
    environment = {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    video = telecine.recover(tmp_path / name)
    assert video.frame_count >= 30  # the encoder had the others
    assert_frames(video, greys(40)[: video.frame_count])
    assert np.array_equal(heard(video)[: len(tone(2.3))], tone(2.3))
    assert names_in(tmp_path) == [name, "sound.npy"]


@pytest.mark.parametrize("fit", ["pad", "trim", "loop"])
def test_what_is_recovered_is_what_the_export_would_have_given(fit: str, tmp_path: Path) -> None:
    how: dict[str, Any] = {"fps": 24, "audio_rate": 44_100, "audio_fit": fit}
    exported = export_video(greys(23), tmp_path / "exported.mp4", audio=tone(1.5, 44_100), **how)
    writer = VideoWriter(tmp_path / "clip.mp4", overwrite=False, **how)
    writer.write(greys(23))
    writer.write_audio(tone(1.5, 44_100))
    (tmp_path / "clip.mp4").write_bytes(OLDER)
    with pytest.raises(PublishError, match="23 of 23 frames are kept"):
        writer.close()
    video = telecine.recover(tmp_path / "clip.mp4", tmp_path / "recovered.mp4")
    assert telecine.probe(video).audio == telecine.probe(exported).audio
    assert np.array_equal(heard(video), heard(exported))
    assert_frames(video, greys(23))


def with_nan(journal: Path) -> None:
    """Damage each sample in a journal's boxes of sound."""
    data = bytearray(journal.read_bytes())
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"uuid":
            data[at + size - 4000 : at + size] = struct.pack("<f", float("nan")) * 1000
        at += size
    journal.write_bytes(data)


def test_sound_that_can_not_be_encoded_costs_the_recovered_video_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Checksums, "whole", lambda self, file: self.latest.end)  # as if NaN had been written
    writer = VideoWriter(tmp_path / "clip.mp4", audio_rate=RATE)
    writer.write_audio(np.zeros(200_000, np.float32))
    writer.write(greys())
    with_nan(tmp_path / JOURNAL)
    with pytest.raises(
        EncodeError, match=r"the file can't be finished: aac: .*NaN.*; 5 of 5 frames are kept: telecine re"
    ):
        writer.close()
    with pytest.warns(TelecineWarning, match="the sound can't be recovered: "):
        video = telecine.recover(tmp_path / "clip.mp4")
    assert_frames(video, greys())
    assert telecine.probe(video).audio is None
    assert names_in(tmp_path) == ["clip.mp4"]


def test_a_disk_that_is_full_for_sound_leaves_the_frames(tmp_path: Path) -> None:
    script = (
        LIMITED
        + """
import os
writer = telecine.VideoWriter("clip.mp4", audio_rate=48000)
writer.write(noise)
limit(500_000)
try:
    writer.write_audio(numpy.zeros(1_000_000, numpy.float32))
except telecine.PublishError as error:
    print(json.dumps(described(error)))
limit(resource.RLIM_INFINITY)
writer.write(noise)
writer.close()
"""
    )
    kind, number, filename, said, *_ = json.loads(run_python(script, tmp_path))
    assert (kind, number, filename) == ("PublishError", errno.EFBIG, "clip.mp4")
    assert said.startswith("'clip.mp4' can't be written: ")
    info = telecine.probe(tmp_path / "clip.mp4")
    assert info.frame_count == 10
    assert info.audio is not None
    assert names_in(tmp_path) == ["clip.mp4"]


@pytest.mark.parametrize("name", ["clip.gif", "clip.webp", "clip.apng"])
def test_moving_images_hold_no_sound(name: str, tmp_path: Path) -> None:
    kind = name.removeprefix("clip.")
    with pytest.raises(OptionError, match=f"audio does not go into {kind}: leave it out, or write a video"):
        export_video(greys(), tmp_path / name, audio=STEREO)
    with pytest.raises(OptionError, match=f"audio_rate=48000 does not go with {kind}: leave it out"):
        export_video(greys(), tmp_path / name, audio=STEREO, audio_rate=RATE)
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
@pytest.mark.filterwarnings("ignore:.*does not play everywhere")
def test_hdr_frames_keep_their_metadata_beside_sound(name: str, tmp_path: Path) -> None:
    lights = np.linspace(0, 3, 5 * 48 * 64 * 3, dtype=np.float32).reshape(5, 48, 64, 3)
    how: dict[str, Any] = {"color": "pq", "light": "display-linear"}
    silent = telecine.probe(export_video(lights, tmp_path / f"silent.{name}", **how))
    with_sound = telecine.probe(export_video(lights, tmp_path / name, audio=STEREO, audio_rate=RATE, **how))
    assert with_sound.content_light == silent.content_light is not None
    assert with_sound.mastering_display == silent.mastering_display
    assert with_sound.audio is not None


@pytest.mark.parametrize("name", ["clip.webm", "clip.mkv"])
@pytest.mark.filterwarnings("ignore:.*does not play everywhere")
def test_alpha_beside_the_pictures_stays_beside_sound(name: str, tmp_path: Path) -> None:
    frames = np.concatenate([greys(), np.full((5, 48, 64, 1), 90, np.uint8)], axis=3)
    how: dict[str, Any] = {"codec": "vp9", "pixel_format": "yuva420p"}
    silent = export_video(frames, tmp_path / f"silent.{name}", **how)
    with_sound = export_video(frames, tmp_path / name, audio=STEREO, audio_rate=RATE, **how)
    info = telecine.probe(with_sound)
    assert info.pixel_format == telecine.probe(silent).pixel_format == "yuva420p"
    assert info.frame_count == 5
    assert heard(with_sound).shape == STEREO.shape


def test_a_limit_of_bytes_counts_the_sound(tmp_path: Path) -> None:
    sound = np.random.default_rng(0).integers(-(2**15), 2**15, (48_000, 2), np.int16)
    video = export_video(noise(16), tmp_path / "clip.mp4", audio=sound, audio_rate=RATE, max_bytes=80_000)
    assert 50_000 < video.size_bytes <= 80_000
    info = telecine.probe(video)
    assert (info.frame_count, info.audio) == (16, telecine.AudioInfo("aac", RATE, 2, Fraction(1)))


def test_the_journal_of_frames_alone_is_as_it_was(tmp_path: Path) -> None:
    journal = leave_journal(tmp_path / "clip.mp4", greys(), audio_rate=RATE)
    kinds = [kind for kind, _ in boxes(journal.read_bytes())]
    assert set(kinds) == {"ftyp", "moov", "moof", "mdat", "mfra"}


# ---- on the command line -------------------------------------------------------------------------------------------


def test_the_command_takes_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = made(tmp_path / "a.wav", "pcm_s16le", tone(2, 44_100), 44_100, "stereo")
    np.save(tmp_path / "frames.npy", np.repeat(np.uint8(BLANK[None]), 16, axis=0))
    arguments = ["export", str(tmp_path / "frames.npy"), "-o", str(tmp_path / "clip.mp4"), "--audio", str(file)]
    assert run([*arguments, "--audio-fit", "trim"]) == 0
    capsys.readouterr()
    assert run(["probe", str(tmp_path / "clip.mp4")]) == 0
    assert "aac, 44100 Hz, 2 channels, 1.000 s" in capsys.readouterr().out
    assert run([*arguments, "--audio-fit", "cut"]) == 2
    assert "audio_fit='cut' is not known" in capsys.readouterr().err
