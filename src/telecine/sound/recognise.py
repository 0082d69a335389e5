"""Recognises what came in as sound, an array of samples or a file, and gives it on in checked pieces.

A piece is (samples, channels), of the int16 or int32 that was given or of float32 in [-1, 1].
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer

from ..errors import InputError, OptionError
from ..files.demux import opened_container, packets_of, video_streams
from ..files.files import Source, is_place, name_of, source_of
from ..frames.recognise import ArrayLike, DLPackLike
from ..support.pyav import exact
from .forms import Audio, parse_rate, sound_in

Samples: TypeAlias = "npt.NDArray[Any]"

# FFmpeg's names of the speakers, in the order of WAVE's channel mask. FLAC (RFC 9639 9.1.3) and Opus (RFC 7845 5.1.1.2)
# have the same ones for so many channels.
LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
PACKED = {"int16": "s16", "int32": "s32", "float32": "flt"}  # what FFmpeg calls a piece's samples

_KINDS = {name: name for name in PACKED} | dict.fromkeys(("float16", "bfloat16", "float64"), "float32")
_KINDS_DECODED = {"u8": "int16", "s16": "int16", "s32": "int32", "s64": "int32", "flt": "float32", "dbl": "float32"}
_PIECE = 1 << 16  # samples: half a megabyte of stereo floats
_ACCEPTED = "(channels, samples), (samples, channels) and (samples,) of 1 to 8 channels are accepted"


class AudioFormat(NamedTuple):
    """What samples are: "int16", "int32" or "float32", how many a second, and how many channels."""

    kind: str
    rate: int
    channels: int

    @property
    def layout(self) -> str:
        """FFmpeg's name of the speakers."""
        return LAYOUTS[self.channels]


class AudioRecognizer:
    """Turns whatever is written as sound into pieces; what the first one settles, `format`, holds for the rest.

    `peak` is the largest magnitude met: what is beyond 1 was clipped.
    """

    def __init__(self, rate: int | None = None) -> None:
        self._rate = None if rate is None else parse_rate(rate, "audio_rate")
        self._channels_first: bool | None = None
        self.format: AudioFormat | None = None
        self.peak = 0.0

    def pieces(self, given: Audio) -> Iterator[Samples]:
        """Give the samples in an array, a tensor or a file that FFmpeg reads, also in the forms that `sound_in` takes.

        Raises:
            OptionError: it is none, is empty, holds NaN or infinite values, or contradicts what was given before.
            InputError: a file can't be read, or is one of those.
        """
        sound, rate = sound_in(given)
        if is_place(sound):
            yield from self._of_file(source_of(sound), rate)
        else:
            yield from self._of_array(_as_array(sound), rate)

    def _of_array(self, array: Samples, of_sound: int | None) -> Iterator[Samples]:
        kind = _KINDS.get(array.dtype.name)
        if kind is None:
            raise OptionError(f"audio has dtype {array.dtype}: {', '.join(_KINDS)} are accepted")
        if 0 in array.shape:
            raise OptionError(f"audio is empty: no samples in an array of shape {array.shape}")
        if array.ndim == 3:
            if len(array) != 1:
                raise OptionError(f"audio of shape {array.shape} holds {len(array)} sounds: give one of them, audio[i]")
            array = array[0]
        rate = of_sound or self._rate or (self.format.rate if self.format else None)
        if self._rate not in (None, rate):
            raise OptionError(f"audio_rate={self._rate} contradicts the sound, which has {rate}: leave it out")
        if rate is None:
            raise OptionError("audio is an array without a rate: pass audio_rate=, such as 48_000")
        channels_first = self._channels_first_in(array)
        samples = array.T if channels_first else array.reshape(len(array), -1)
        _check_finite(samples)
        self._settle(AudioFormat(kind, rate, samples.shape[1]))
        self._channels_first = self._channels_first if channels_first is None else channels_first
        for at in range(0, len(samples), _PIECE):
            yield self._clipped(samples[at : at + _PIECE])

    def _channels_first_in(self, array: Samples) -> bool | None:
        """Tell whether an array is (channels, samples) or (samples, channels); None where it has one axis."""
        shape = array.shape
        if array.ndim not in (1, 2):
            raise OptionError(f"audio of shape {shape}: {_ACCEPTED}")
        if array.ndim == 1:
            return None
        channels = [self.format.channels] if self.format else list(LAYOUTS)
        readings = [first for first in (True, False) if shape[0 if first else 1] in channels]
        if len(readings) == 2 and self._channels_first is not None:
            return self._channels_first
        if len(readings) == 2:
            raise OptionError(
                f"audio of shape {shape} can be {shape[0]} channels of {shape[1]} samples or {shape[1]} of {shape[0]}: "
                f"give more than {max(LAYOUTS)} samples at once"
            )
        if not readings:
            before = f"{self.format.channels} channels were given before" if self.format else _ACCEPTED
            raise OptionError(f"audio of shape {shape}: {before}")
        return readings[0]

    def _of_file(self, path: Source, of_sound: int | None) -> Iterator[Samples]:
        name = name_of(path)
        with _open_audio(path) as (container, stream):
            kind = _KINDS_DECODED[stream.format.packed.name]
            found = AudioFormat(kind, stream.rate, stream.channels)
            if found.channels not in LAYOUTS:
                raise InputError(f"{name!r} has {found.channels} channels: 1 to 8 are accepted")
            for what, rate in (("audio_rate=", self._rate), ("the sound's rate of ", of_sound)):
                if rate not in (None, found.rate):
                    raise OptionError(f"{what}{rate} contradicts {name!r}, which has {found.rate}: leave it out")
            self._settle(found)
            count = 0
            for samples in _decoded(container, stream, found):
                _check_finite(samples, count, name)
                yield self._clipped(samples)
                count += len(samples)
            if count == 0:
                raise InputError(f"{name!r} has no samples")

    def _settle(self, found: AudioFormat) -> None:
        settled = self.format = self.format or found
        for what, now, before in (
            ("dtype", found.kind, settled.kind),
            ("rate", found.rate, settled.rate),
            ("number of channels", found.channels, settled.channels),
        ):
            if now != before:
                raise OptionError(f"audio has a {what} of {now}, what was given before has {before}: give it as before")

    def _clipped(self, samples: Samples) -> Samples:
        """Give samples as they are kept, little-endian, floats in [-1, 1]."""
        assert self.format is not None
        if self.format.kind == "float32":
            self.peak = max(self.peak, float(np.abs(samples).max()))
            samples = samples.clip(-1, 1)
        return np.ascontiguousarray(samples, np.dtype(self.format.kind).newbyteorder("<"))


def _as_array(given: object) -> Samples:
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(given, torch.Tensor):
        try:
            tensor = given.detach().cpu()
            array: Samples = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
        except (TypeError, RuntimeError) as error:  # sparse, meta: NotImplementedError is a RuntimeError
            raise OptionError(f"audio is a {given.dtype} tensor that can't be read: {error}") from error
    elif isinstance(given, ArrayLike) and hasattr(given, "dtype"):
        array = np.asarray(given)
    elif isinstance(given, DLPackLike):
        array = np.from_dlpack(given)  # type: ignore[arg-type]
    else:
        taken = "arrays, tensors, files and dicts of them are accepted"
        raise OptionError(f"audio is of type {type(given).__name__}: {taken}")
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def _check_finite(samples: Samples, start: int = 0, name: str | None = None) -> None:
    if samples.dtype.kind != "f":
        return
    count, first = 0, 0
    for at in range(0, len(samples), _PIECE):
        bad = ~np.isfinite(samples[at : at + _PIECE])
        if bad.any():
            first = first if count else at + int(bad.any(axis=1).argmax())
            count += int(bad.sum())
    if count:
        said = f"has {count} NaN or infinite values, the first at sample {start + first}"
        raise OptionError(f"audio {said}") if name is None else InputError(f"{name!r} {said}")


# ---- files ---------------------------------------------------------------------------------------------------------


class NoSound:
    """What takes the sound where there is no place for it."""

    def __init__(self, format: str) -> None:
        self._format = format

    def write(self, audio: Audio, insert: Callable[[bytes], object]) -> None:
        """Refuse it.

        Raises:
            OptionError: always.
        """
        raise OptionError(f"audio does not go into {self._format}: leave it out, or write a video")


@contextlib.contextmanager
def _open_audio(path: Source) -> Iterator[tuple[InputContainer, AudioStream]]:
    """Open a file's first audio stream. A name is only ever a path: FFmpeg gets an open file."""
    with opened_container(path, "sound") as container:
        stream = next(iter(container.streams.audio), None)
        if stream is None or stream.codec_context is None or not stream.rate or stream.format is None:
            raise InputError(f"{name_of(path)!r} has no sound that FFmpeg reads")
        yield container, stream


def _decoded(container: InputContainer, stream: AudioStream, format: AudioFormat) -> Iterator[Samples]:
    """Decode a stream into packed samples, from where its video begins if it has one to where the file says it ends."""
    unnamed = stream.layout.name == f"{format.channels} channels"  # as in a plain WAVE: they stay in their order
    resampler = AudioResampler(PACKED[format.kind], None if unnamed else format.layout, format.rate)
    frames = _frames(container, stream, resampler)
    first = next(frames, None)
    if first is None:
        return
    late = _lateness(container, stream, first)
    if late > 0:
        yield np.zeros((late, format.channels), format.kind)
    pieces = (frame.to_ndarray().reshape(-1, format.channels) for frame in chain([first], frames))
    yield from _cut(pieces, max(0, -late), _length(container, stream))


def _cut(pieces: Iterator[Samples], start: int, length: int) -> Iterator[Samples]:
    """Give so many samples of some pieces, from one on."""
    for piece in pieces:
        in_front = min(len(piece), start)
        start -= in_front
        samples = piece[in_front : in_front + length]
        length -= len(samples)
        if len(samples):
            yield samples


def _frames(container: InputContainer, stream: AudioStream, resampler: AudioResampler) -> Iterator[AudioFrame]:
    for packet in packets_of(container, stream):
        for frame in stream.decode(packet):
            yield from resampler.resample(frame)
    yield from resampler.resample(None)


def _length(container: InputContainer, stream: AudioStream) -> int:
    """Give how many samples an MP4's edit list leaves: FFmpeg's decoders give the last packet of AAC whole."""
    tick = exact(stream.time_base)
    if "mp4" in container.format.name and stream.duration and tick is not None:
        return round(stream.duration * tick * stream.rate)
    return sys.maxsize


def _lateness(container: InputContainer, stream: AudioStream, first: AudioFrame) -> int:
    """Give by how many samples the sound begins after the video; below 0: before it."""
    video = next(iter(video_streams(container)), None)
    if video is None or video.start_time is None or first.pts is None:
        return 0
    of_video, of_sound, coarse = exact(video.time_base), exact(first.time_base), exact(stream.time_base)
    if of_video is None or of_sound is None or coarse is None:
        return 0
    late = first.pts * of_sound - video.start_time * of_video
    return 0 if abs(late) <= coarse else round(late * first.sample_rate)  # a coarse clock rounds off
