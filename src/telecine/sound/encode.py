"""The table of audio codecs, and a finished file's second stream: samples in, packets out."""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import chain
from typing import BinaryIO, NamedTuple, TypeAlias, cast

import av
import numpy as np
from av import AudioFrame, Packet
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.container import OutputContainer

from ..errors import OptionError
from ..formats.containers import Container
from ..support.ffmpeg_log import captured_log, in_words
from ..support.notes import Notes
from .forms import Audio
from .recognise import PACKED, AudioRecognizer, Samples
from .track import AudioTrack, box_of, fitted, fitted_length, parse_fit, silence_of

AudioPacket: TypeAlias = "Packet[AudioStream]"


class AudioCodec(NamedTuple):
    """A codec: FFmpeg's encoder, the samples that it is given, and bits a second for each channel if it is lossy.

    `rates` are those that it has; without any it takes all.
    """

    name: str
    encoder: str
    samples: str
    bit_rate: int | None = None
    rates: tuple[int, ...] = ()


# ISO/IEC 14496-3 table 1.18.
_AAC_RATES = (7350, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
_AAC = AudioCodec("aac", "aac", "fltp", 96_000, _AAC_RATES)
_OPUS = AudioCodec("opus", "libopus", "flt", 64_000, (48_000,))  # at which all of it is decoded (RFC 7845 5.1)
_FLAC_16 = AudioCodec("flac", "flac", "s16")
_FLAC_24 = AudioCodec("flac", "flac", "s32")  # of which FFmpeg keeps 24 bits
_PCM = {
    "int16": AudioCodec("pcm_s16le", "pcm_s16le", "s16"),
    "int32": AudioCodec("pcm_s32le", "pcm_s32le", "s32"),
    "float32": AudioCodec("pcm_f32le", "pcm_f32le", "flt"),
}
LOSSY = {"mp4": _AAC, "mov": _AAC, "webm": _OPUS, "mkv": _OPUS}
# By what the samples are. Browsers play FLAC in MP4, but PCM nowhere; QuickTime knows no FLAC.
_LOSSLESS: Mapping[str, Mapping[str, AudioCodec]] = {
    "mp4": {"int16": _FLAC_16, "int32": _FLAC_24, "float32": _FLAC_24},
    "mov": _PCM,
    "mkv": _PCM | {"int16": _FLAC_16},
}
LOSSLESS_BESIDE = {"prores", "ffv1"}  # pictures that are made to be edited or kept have their sound so too
_UNTIL_SILENT = 4  # packets, in the last of which nothing is heard of how the encoder began
_MOST_BITS_A_SAMPLE = 4  # of each channel, in AAC, which takes no more than 6 (ISO/IEC 14496-3 4.5.3.1)


class AudioCoding(NamedTuple):
    """How a track is coded: with which codec, at which rate. `notes` say what becomes of the samples."""

    codec: AudioCodec
    rate: int
    notes: tuple[str, ...] = ()


@functools.lru_cache(maxsize=64)
def choose_audio(container: Container, track: AudioTrack) -> AudioCoding:
    """Choose the codec of a track and its rate, which is another than the samples' only if the codec needs it.

    It is tried on silence: what it refuses shows before the first frame.

    Raises:
        OptionError: the container holds no sound, or FFmpeg's encoder can't be opened.
    """
    codec = LOSSY.get(container.name)
    if codec is None:
        raise OptionError(f"audio does not go into {container.name}: use {' or '.join(map(repr, LOSSY))}")
    notes = []
    if track.lossless and container.name not in _LOSSLESS:
        notes.append(f"the sound is not lossless: {container.name} holds only {codec.name}")
    elif track.lossless:
        codec = _LOSSLESS[container.name][track.format.kind]
        if codec is _FLAC_24:
            notes.append(f"of each sample of the sound {container.name} keeps the upper 24 bits")
    rate = _rate_for(codec, track.format.rate)
    if rate != track.format.rate:
        notes.append(f"the sound is resampled from {track.format.rate} to {rate} Hz, as {codec.name} needs")
    coding = AudioCoding(codec, rate, tuple(notes))
    _try_encoder(container, track, coding)
    return coding


def _try_encoder(container: Container, track: AudioTrack, coding: AudioCoding) -> None:
    silence = np.zeros((track.format.rate // 10, track.format.channels), track.format.kind)
    with captured_log() as lines:
        try:
            with av.open(io.BytesIO(), "w", format=container.muxer) as target:
                target.mux(list(encoded(add_audio_stream(target, track, coding), track, [silence])))
        except (av.FFmpegError, ValueError, OSError) as error:
            what = f"{coding.codec.encoder} of {track.format.channels} channels at {track.format.rate} Hz"
            raise OptionError(f"audio: {what} can't be opened: {in_words(error, lines)}") from error


def _rate_for(codec: AudioCodec, rate: int) -> int:
    """Give the rate itself if the codec has it, or else its next higher one, or its highest."""
    return min((each for each in codec.rates if each >= rate), default=max(codec.rates, default=rate))


class Soundtrack(NamedTuple):
    """The sound that goes beside the frames: what it is, how it is coded, and its samples from the first frame on."""

    track: AudioTrack
    coding: AudioCoding
    samples: Iterable[Samples]
    length: int

    @property
    def duration(self) -> Fraction:
        """How long it is, in seconds."""
        return Fraction(self.length, self.track.format.rate)

    def after_silence(self, seconds: Fraction) -> Soundtrack:
        """Give it with silence in front, for a video whose first frame is not shown at 0."""
        length = max(0, round(seconds * self.track.format.rate))
        return self._replace(samples=chain(silence_of(self.track, length), self.samples), length=length + self.length)


class Sound:
    """The sound of one video: its pieces go to the journal, from which it comes back fitted to the frames."""

    def __init__(self, container: Container, rate: int | None, fit: str, lossless: bool, notes: Notes) -> None:
        self._container, self._notes = container, notes
        self._recognizer = AudioRecognizer(rate)
        self._new_track = functools.partial(AudioTrack, fit=parse_fit(fit), lossless=lossless)
        self._track: AudioTrack | None = None
        self._clipped = False
        self._refusal = ""

    @property
    def is_given(self) -> bool:
        """Whether there is any by now."""
        return self._track is not None

    def end(self, refusal: str) -> None:
        """Take no more, and say so."""
        self._refusal = refusal

    def write(self, audio: Audio, insert: Callable[[bytes], object]) -> None:
        """Insert the boxes of a piece of sound, or of all of it.

        Raises:
            OptionError: it is no sound, does not go into the container, or comes too late.
        """
        if self._refusal:
            raise OptionError(self._refusal)
        for samples in self._recognizer.pieces(audio):
            if self._track is None:
                assert self._recognizer.format is not None
                self._track = self._new_track(self._recognizer.format)
                self._notes.extend(choose_audio(self._container, self._track).notes)
            insert(box_of(self._track, samples))
        if self._recognizer.peak > 1 and not self._clipped:
            self._clipped = True
            self._notes.warn(f"the sound goes up to {self._recognizer.peak:.3g}: what is beyond 1 is clipped")

    def track_beside(self, journal: BinaryIO, duration: Fraction) -> Soundtrack | None:
        """Give what the journal has of it, for a video of `duration` seconds; None where none was written."""
        return soundtrack_of(self._track, journal, self._container, duration) if self._track else None


def soundtrack_of(track: AudioTrack, journal: BinaryIO, container: Container, duration: Fraction) -> Soundtrack:
    """Give the sound in a journal, fitted to a video of `duration` seconds; raises as `choose_audio`."""
    length = fitted_length(track, journal, duration)
    return Soundtrack(track, choose_audio(container, track), fitted(track, journal, length), length)


def add_audio_stream(target: OutputContainer, track: AudioTrack, coding: AudioCoding) -> AudioStream:
    """Add a stream for a track to a file whose header is not written yet."""
    stream = target.add_stream(coding.codec.encoder, rate=coding.rate)
    assert isinstance(stream, AudioStream)
    context = stream.codec_context
    context.layout, context.format = track.format.layout, coding.codec.samples
    if coding.codec.bit_rate is not None:
        a_channel = min(coding.codec.bit_rate, _MOST_BITS_A_SAMPLE * coding.rate)
        context.bit_rate = a_channel * track.format.channels
    if coding.codec is _OPUS and track.format.channels > 2:
        context.options = {"mapping_family": "1"}  # without, FFmpeg swaps channels of 5.0 and 6.1 (RFC 7845 5.1.1.2)
    stream.time_base = Fraction(1, coding.rate)
    return stream


def encoded(stream: AudioStream, track: AudioTrack, pieces: Iterable[Samples]) -> Iterator[AudioPacket]:
    """Encode pieces of samples, the first of which is heard at 0."""
    return chain.from_iterable(map(stream.encode, chain(audio_frames(track, pieces), [None])))


def audio_frames(track: AudioTrack, pieces: Iterable[Samples], at: int = 0) -> Iterator[AudioFrame]:
    """Give pieces of samples as an encoder takes them; the first is heard after `at` of them."""
    for piece in pieces:
        frame = AudioFrame.from_ndarray(piece.reshape(1, -1), PACKED[piece.dtype.name], track.format.layout)
        frame.sample_rate, frame.time_base, frame.pts = track.format.rate, Fraction(1, track.format.rate), at
        at += len(piece)
        yield frame


def silent_packet(track: AudioStream, setup: bytes) -> tuple[bytes, int]:
    """Give a packet of silence for a track whose decoder is told this setup, and its samples; none where it can't be.

    It is one of AAC or Opus that follows another.
    """
    context = track.codec_context
    row = {_AAC.name: _AAC, _OPUS.name: _OPUS}.get(context.codec.canonical_name)
    if row is None or context.channels > 2:
        return b"", 0
    encoder = cast(AudioCodecContext, av.CodecContext.create(row.encoder, "w"))
    encoder.sample_rate, encoder.layout, encoder.format = context.sample_rate, context.layout.name, row.samples
    with captured_log(), contextlib.suppress(av.FFmpegError, ValueError):
        encoder.open()
        silence = np.zeros((encoder.frame_size * _UNTIL_SILENT, context.channels), np.float32)
        frame = AudioFrame.from_ndarray(silence.reshape(1, -1), PACKED["float32"], context.layout.name)
        frame.sample_rate = context.sample_rate
        *_, last = [packet for given in (frame, None) for packet in encoder.encode(given)]
        # AAC's begins with its profile, rate and channels (ISO/IEC 14496-3 1.6.2.1); what follows may differ.
        if row is _OPUS or (encoder.extradata or b"")[:2] == setup[:2]:
            return bytes(last), encoder.frame_size
    return b"", 0
