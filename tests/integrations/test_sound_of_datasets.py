"""A row of a data set is a sound: what `datasets` hands out goes into a video as it is."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import telecine

from ..support.helpers import greys
from ..support.sounds import heard, made, tone

pytestmark = [
    pytest.mark.slow,  # the library takes seconds to be imported
    pytest.mark.filterwarnings("ignore:.*does not play everywhere"),  # beside ProRes, sound is lossless
]

RATE = 24_000
STEREO = tone(0.3125, RATE)  # as long as five frames at 16 fps
FLOATS = (STEREO / 32768).astype(np.float32)


@pytest.fixture
def rows(tmp_path: Path) -> Any:
    wav = made(tmp_path / "talk.wav", "pcm_s16le", STEREO, RATE, "stereo")
    return import_module("datasets").Dataset.from_dict(
        {"audio": [{"bytes": wav.read_bytes(), "path": "talk.wav"}, {"bytes": None, "path": str(wav)}]}
    )


def exported(sound: Any, tmp_path: Path) -> Any:
    return telecine.export_video(greys(), tmp_path / "clip.mov", codec="prores", audio=sound)


@pytest.mark.parametrize("row", [0, 1], ids=["bytes", "path"])
def test_a_decoded_row_is_heard_to_the_sample(row: int, rows: Any, tmp_path: Path) -> None:
    sound = rows.cast_column("audio", import_module("datasets").Audio())[row]["audio"]
    assert np.array_equal(heard(exported(sound, tmp_path)), FLOATS)


@pytest.mark.parametrize("row", [0, 1], ids=["bytes", "path"])
def test_a_row_that_is_not_decoded_is_heard_to_the_sample(row: int, rows: Any, tmp_path: Path) -> None:
    sound = rows.cast_column("audio", import_module("datasets").Audio(decode=False))[row]["audio"]
    assert set(sound) == {"bytes", "path"}
    assert np.array_equal(heard(exported(sound, tmp_path)), STEREO)


def test_a_row_has_the_rate_and_channels_that_its_feature_says(rows: Any, tmp_path: Path) -> None:
    sound = rows.cast_column("audio", import_module("datasets").Audio(sampling_rate=16_000, num_channels=1))[0]["audio"]
    found = telecine.probe(exported(sound, tmp_path)).audio
    assert found is not None
    assert (found.sample_rate, found.channels) == (16_000, 1)


def test_what_older_releases_gave_of_a_row_is_taken(rows: Any, tmp_path: Path) -> None:
    """Before 4.0 a decoded row was a dict of an array and its rate, which the decoder of today gives by these names."""
    row = rows.cast_column("audio", import_module("datasets").Audio(num_channels=1))[0]["audio"]
    sound = {"path": "talk.wav", "array": row["array"], "sampling_rate": row["sampling_rate"]}
    assert np.array_equal(heard(exported(sound, tmp_path))[:, 0], row["array"])


def test_a_whole_row_is_refused_with_its_names(rows: Any, tmp_path: Path) -> None:
    row = rows.add_column("text", ["a", "b"])[0]
    with pytest.raises(telecine.OptionError, match="audio is a dict with 'audio', 'text': it is to have one of"):
        exported(row, tmp_path)
    assert not (tmp_path / "clip.mov").exists()
