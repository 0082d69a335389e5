"""Sound is taken in every form, and what is none is refused before the first frame."""

from __future__ import annotations

import io
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import fsspec
import numpy as np
import pytest
import torch

import telecine
from telecine import InputError, OptionError, TelecineWarning, VideoWriter, export_video

from ..support.helpers import Asked, Piped, assert_untouched, greys
from ..support.sounds import RATE, STEREO, clicks, heard, lossless, made, peaks, tone

# ---- what is given ---------------------------------------------------------------------------------------------------

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
        ([0.0] * 9, r"audio is of type list: arrays, tensors, files and dicts of them are accepted"),
        (np.array([0, np.nan, 0, np.inf, np.nan]), r"audio has 3 NaN or infinite values, the first at sample 1"),
        (np.array([[0, -np.inf]] * 70_000), r"audio has 70000 NaN or infinite values, the first at sample 0"),
        ("no such file.wav", r"'no such file.wav' can't be read: No such file"),
        (__file__, r"test_recognise.py' can't be read as sound: it is no MP4, "),
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


# ---- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "encoder"), [("a.wav", "pcm_s16le"), ("a.flac", "flac"), ("a.mka", "pcm_s16le"), ("a.mov", "pcm_s16be")]
)
def test_a_file_is_read_as_it_is(name: str, encoder: str, path: Path, tmp_path: Path) -> None:
    file = made(tmp_path / name, encoder, STEREO, 44_100, "stereo")
    fsspec.filesystem("memory").pipe_file(f"memory://sounds/{name}", file.read_bytes())
    data = file.read_bytes()
    for given in (file, str(file), io.BytesIO(data), Piped(data), f"memory://sounds/{name}"):
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


def test_an_open_file_gives_both_its_frames_and_its_sound(tmp_path: Path) -> None:
    given = export_video(greys(), tmp_path / "given.mov", audio=tone(0.5), audio_rate=RATE)
    expected = export_video(given, tmp_path / "expected.mp4", audio=given)
    file = io.BytesIO(given.read_bytes())
    video = export_video(file, tmp_path / "clip.mp4", audio=file)
    assert video.read_bytes() == expected.read_bytes()
    with pytest.warns(TelecineWarning, match="the sound of 'the open file' is left out: audio=file keeps it"):
        export_video(file, tmp_path / "clip.mp4")


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
