"""Sounds to export, and what is heard of the files."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from av.audio.resampler import AudioResampler

from telecine import TelecineWarning, export_video

from .helpers import greys

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


STEREO = tone(0.3125)  # as long as five frames at 16 fps


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
