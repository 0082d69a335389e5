"""Sound comes with its rate in the forms that nodes, pipelines and data sets have it in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torchcodec.decoders import AudioDecoder  # type: ignore[attr-defined]

import telecine
from telecine import InputError, OptionError, VideoWriter, export_video

from ..support.helpers import Asked, assert_untouched, greys
from ..support.sounds import STEREO, heard, lossless, made

TOLD = 44_100  # a rate that no default is
FLOATS = (STEREO / 32768).astype(np.float32)
MONO = FLOATS[:, 0]


class Lazy(Mapping[str, object]):
    """A mapping that is no dict, as of nodes that load a sound when it is asked for."""

    def __init__(self, **values: object) -> None:
        self._values = values

    def __getitem__(self, name: str) -> object:
        return self._values[name]

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


TENSOR = torch.from_numpy(FLOATS.T.copy())
FORMS: dict[str, Any] = {
    "ComfyUI": {"waveform": TENSOR[None], "sample_rate": TOLD},
    "ComfyUI, with more in it": {"waveform": TENSOR[None], "sample_rate": TOLD, "metadata": {"seed": 1}},
    "a mapping": Lazy(waveform=TENSOR[None], sample_rate=TOLD),
    "datasets": {"path": None, "array": FLOATS.T, "sampling_rate": TOLD},
    "a path that is not there is not read": {"path": "gone.wav", "array": FLOATS.T, "sampling_rate": TOLD},
    "transformers": {"audio": FLOATS.T, "sampling_rate": TOLD},
    "NumPy's rate": {"audio": FLOATS.T, "sampling_rate": np.int64(TOLD)},
    "a tensor's rate": {"audio": FLOATS.T, "sampling_rate": torch.tensor(TOLD)},
    "soundfile": (FLOATS, TOLD),
    "torchaudio": (TENSOR, TOLD),
    "gradio": (TOLD, FLOATS),
    "torchcodec": SimpleNamespace(data=TENSOR, sample_rate=TOLD, pts_seconds=0.0, duration_seconds=1.0),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_samples_and_their_rate_are_those_of_the_form(form: str, path: Path) -> None:
    found = lossless(path, FORMS[form], rate=None)
    assert np.array_equal(found, FLOATS)
    audio = telecine.probe(path.with_suffix(".mkv")).audio
    assert audio is not None
    assert (audio.sample_rate, audio.channels) == (TOLD, 2)


def test_the_same_rate_said_twice_is_none_too_many(path: Path) -> None:
    assert np.array_equal(lossless(path, FORMS["ComfyUI"], rate=TOLD), FLOATS)


def test_a_pipeline_s_channel_of_a_batch_of_one(path: Path) -> None:
    """MusicGen's and Bark's are (1, n) and (1, 1, n)."""
    for shape in ((1, -1), (1, 1, -1), (-1,)):
        sound = {"audio": MONO.reshape(shape), "sampling_rate": TOLD}
        assert np.array_equal(lossless(path, sound, rate=None), MONO[:, None])


def test_a_decoder_gives_what_its_file_holds(path: Path, tmp_path: Path) -> None:
    wav = made(tmp_path / "talk.wav", "pcm_s16le", STEREO, TOLD, "stereo")
    for sound in (AudioDecoder(wav), AudioDecoder(wav).get_all_samples()):
        assert np.array_equal(lossless(path, sound, rate=None), FLOATS)


@pytest.mark.parametrize("with_bytes", [True, False])
def test_a_row_that_is_not_decoded_is_the_file_of_its_bytes_or_else_of_its_path(
    with_bytes: bool, path: Path, tmp_path: Path
) -> None:
    wav = made(tmp_path / "talk.wav", "pcm_s16le", STEREO, TOLD, "stereo")
    row = {"bytes": wav.read_bytes(), "path": "in/the/archive.wav"} if with_bytes else {"bytes": None, "path": str(wav)}
    assert np.array_equal(lossless(path, row, rate=None), STEREO)


@pytest.mark.filterwarnings("ignore:.*does not play everywhere")
def test_pieces_may_be_dicts_and_then_arrays_of_the_same_rate(path: Path) -> None:
    half = len(FLOATS) // 2
    with VideoWriter(path.with_suffix(".mov"), codec="prores") as writer:
        writer.write_audio({"waveform": TENSOR[None, :, :half], "sample_rate": TOLD})
        with pytest.raises(OptionError, match="audio has a rate of 8000, what was given before has 44100"):
            writer.write_audio({"waveform": TENSOR[None, :, half:], "sample_rate": 8000})
        writer.write_audio(FLOATS[half:])
        writer.write(greys())
    assert np.array_equal(heard(path.with_suffix(".mov"))[: len(FLOATS)], FLOATS)


KEYS = r"it is to have one of 'waveform', 'array', 'audio' with 'sample_rate' or 'sampling_rate', or 'bytes' or 'path'"


@pytest.mark.parametrize(
    ("sound", "said"),
    [
        ({}, rf"audio is a dict with no key: {KEYS} of a file"),
        ({"samples": MONO, "rate": TOLD}, rf"audio is a dict with 'samples', 'rate': {KEYS}"),
        ({"waveform": TENSOR}, rf"audio is a dict with 'waveform': {KEYS}"),
        ({"waveform": None, "sample_rate": TOLD}, r"audio is a dict with 'waveform', 'sample_rate': "),
        ({"waveform": TENSOR, "array": MONO, "sample_rate": TOLD}, r"dict with 'waveform', 'array', 'sample_rate'"),
        ({"bytes": None, "path": None}, r"audio is a dict with 'bytes', 'path': it is to have"),
        ({str(number): 1 for number in range(99)}, r"with '0', '1', '2', '3', '4', '5', '6', '7' and 91 more: "),
        ({"bytes": "text", "path": None}, r"audio\['bytes'\] is of type str: 'bytes' are bytes, a 'path' is text"),
        ({"bytes": 7}, r"audio\['bytes'\] is of type int: "),
        ({"bytes": b"no sound", "path": "a.wav"}, r"can't be read as sound"),
        ({"path": "no such file.wav"}, r"'no such file.wav' can't be read: No such file"),
        ({"array": MONO, "sampling_rate": 44.1}, r"audio\['sampling_rate'\]=44.1 is not in samples a second"),
        ({"array": [0.0] * 9, "sampling_rate": TOLD}, r"audio is of type list: arrays, tensors, files and dicts"),
        ({"waveform": torch.zeros(3, 2, 480), "sample_rate": TOLD}, r"holds 3 sounds: give one of them, audio\[i\]"),
        ([FORMS["ComfyUI"], FORMS["ComfyUI"]], r"audio is a list of 2: give one sound, such as audio\[0\]"),
        ((MONO, MONO), r"audio is a tuple \(ndarray, ndarray\): it is to be \(samples, rate\) or \(rate, samples\)"),
        ((TOLD, 2), r"audio is a tuple \(int, int\)"),
        ((MONO, TOLD, 2), r"audio is a tuple \(ndarray, int, int\)"),
        ((MONO, True), r"audio\[1\]=True is not in samples a second"),
        ((TOLD, None), r"audio is of type NoneType"),
        (SimpleNamespace(data=MONO, sample_rate=0), r"the sample_rate of the sound=0 is not in samples a second"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_what_is_no_such_form_is_refused_before_the_first_frame_is_asked_for(sound: Any, said: str, path: Path) -> None:
    frames = Asked(greys())
    with pytest.raises((OptionError, InputError), match=said) as refused:
        export_video(frames, path, audio=sound)
    assert "\n" not in str(refused.value)
    assert frames.count == 0
    assert_untouched(path)


def test_a_rate_that_contradicts_is_refused(path: Path, tmp_path: Path) -> None:
    wav = made(tmp_path / "folder.wav", "pcm_s16le", STEREO, TOLD, "stereo").read_bytes()
    (tmp_path / "folder.wav").unlink()
    for form in ("ComfyUI", "gradio", "torchcodec"):
        with pytest.raises(OptionError, match=r"audio_rate=48000 contradicts the sound, which has 44100: leave it out"):
            export_video(greys(), path, audio=FORMS[form], audio_rate=48_000)
    with pytest.raises(OptionError, match=r"audio_rate=48000 contradicts 'the open file', which has 44100"):
        export_video(greys(), path, audio={"bytes": wav}, audio_rate=48_000)
    with pytest.raises(OptionError, match=r"the sound's rate of 8000 contradicts 'the open file', which has 44100"):
        export_video(greys(), path, audio={"bytes": wav, "sampling_rate": 8000})
    assert_untouched(path)
