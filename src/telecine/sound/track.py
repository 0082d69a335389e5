"""The sound of a video that is being written: kept in boxes of the journal, and in the end fitted to the video.

A box stands between two of the journal's fragments, or in front of them, and readers of MP4 pass over it
(ISO/IEC 14496-12 4.2). Each says what its samples are, so that the sound outlives its writer as the frames do.
"""

from __future__ import annotations

import itertools
import os
import struct
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import BinaryIO, NamedTuple

import numpy as np

from ..container.boxes import top_level_boxes
from ..errors import OptionError
from .recognise import LAYOUTS, PACKED, AudioFormat, Samples

FITS = ("pad", "trim", "loop")
_HEADER = struct.Struct(">I4s16s8sII4s?")  # size, "uuid", whose, kind, rate, channels, fit, lossless
_WHOSE = b"telecine samples"
_SILENCE = 1 << 14  # samples


class AudioTrack(NamedTuple):
    """What the sound is to become: of these samples, fitted to the video so, and coded without loss or not."""

    format: AudioFormat
    fit: str = "pad"
    lossless: bool = False


def parse_fit(fit: str) -> str:
    """Check the name of a rule.

    Raises:
        OptionError: it is unknown.
    """
    if not (isinstance(fit, str) and fit in FITS):
        raise OptionError(f"audio_fit={fit!r} is not known: use {' or '.join(map(repr, FITS))}")
    return fit


def box_of(track: AudioTrack, samples: Samples) -> bytes:
    """Give a box of samples, little-endian as `AudioRecognizer` gives them."""
    format = track.format
    head = (format.kind.encode(), format.rate, format.channels, track.fit.encode(), track.lossless)
    return _HEADER.pack(_HEADER.size + samples.nbytes, b"uuid", _WHOSE, *head) + samples.tobytes()


def track_in(journal: BinaryIO) -> AudioTrack | None:
    """Give what the sound in a journal is to become; None if it has none."""
    return next((track for track, _, _ in _boxes(journal)), None)


def fitted_length(track: AudioTrack, journal: BinaryIO, duration: Fraction) -> int:
    """Give how many samples of sound go with a video of `duration` seconds: as many, but "pad" leaves none out."""
    of_video = max(1, round(duration * track.format.rate))
    if track.fit != "pad":
        return of_video
    given = sum(size for found, _, size in _boxes(journal) if found == track) // _bytes_of_sample(track)
    return max(given, of_video)


def fitted(track: AudioTrack, journal: BinaryIO, length: int) -> Iterator[Samples]:
    """Give so many samples of the sound in a journal; where it is shorter "loop" begins again, else silence follows."""
    silence = np.zeros((_SILENCE, track.format.channels), track.format.kind)
    again: Iterable[None] = itertools.repeat(None) if track.fit == "loop" else [None]
    samples = itertools.chain.from_iterable(_samples_in(journal, track) for _ in again)
    for piece in itertools.chain(samples, itertools.repeat(silence)):
        yield piece[:length]
        length -= len(piece)
        if length <= 0:
            return


def silence_of(track: AudioTrack, length: int) -> Iterator[Samples]:
    """Give so many samples of silence."""
    for at in range(0, length, _SILENCE):
        yield np.zeros((min(_SILENCE, length - at), track.format.channels), track.format.kind)


def _samples_in(journal: BinaryIO, track: AudioTrack) -> Iterator[Samples]:
    kind = np.dtype(track.format.kind).newbyteorder("<")
    for found, start, size in _boxes(journal):
        if found == track:
            journal.seek(start)
            data = journal.read(size - size % _bytes_of_sample(track))
            yield np.frombuffer(data, kind).reshape(-1, track.format.channels).astype(track.format.kind, copy=False)


def _bytes_of_sample(track: AudioTrack) -> int:
    return np.dtype(track.format.kind).itemsize * track.format.channels


def _boxes(journal: BinaryIO) -> Iterator[tuple[AudioTrack, int, int]]:
    """Give what each whole box of samples says they are, where they start and how many bytes they take."""
    size_of_file = journal.seek(0, os.SEEK_END)
    for box in top_level_boxes(journal):
        if box.kind != b"uuid" or not box.start + _HEADER.size < box.end <= size_of_file:
            continue
        journal.seek(box.start)
        _, _, whose, kind, rate, channels, fit, lossless = _HEADER.unpack(journal.read(_HEADER.size))
        name, rule = (text.rstrip(b"\0").decode("latin-1") for text in (kind, fit))
        if whose == _WHOSE and name in PACKED and channels in LAYOUTS and rule in FITS and rate:
            start = box.start + _HEADER.size
            yield AudioTrack(AudioFormat(name, rate, channels), rule, lossless), start, box.end - start
