"""Fits a file under a number of bytes: its frames are encoded again, from an exact copy, until it is small enough.

The first pass is the export's own, at its quality, and beside the journal it keeps an exact copy of the planes. Where
the first file is within the limit, that is all. Else comes a second: x264 and x265 share a bitrate out by what the
first pass noted of each frame; the others get the crf that the first size suggests. A pass that misses corrects the
next.
"""

from __future__ import annotations

import math
import numbers
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import BinaryIO

import av
from av import VideoFrame

from ..container.boxes import whole_fragments
from ..errors import EncodeError, OptionError, TelecineError
from ..formats.choose import Format
from ..formats.codecs import CODECS, Codec
from ..publish.publication import Publication
from ..read.probe import VideoInfo
from ..support.ffmpeg_log import captured_log, in_words
from ..support.pyav import open_input, seconds
from .encoder import Encoder, EncoderSettings

_LEAST = 1000  # an MP4's index alone takes about as many
_AIM = 0.97  # of the limit: what a pass makes is a few percent off
_GOOD = 0.9  # of the limit: one more pass would gain little
_MOST_PASSES = 6  # after the first
_HALVINGS = 8  # of the bytes, from the best crf to the worst on any encoder's scale, roughly
_NO_SMALLER = 0.99
_ROUNDING = 1e-6  # what a logarithm and back is off by
_LOWEST_RATE = math.log2(1000)  # encoders count in kilobits
# Without loss; x264 takes half of FFV1's time, and FFV1 any pixel format.
_X264_EXACTLY: tuple[Codec, Mapping[str, str]] = CODECS["h264"], {"preset": "ultrafast", "qp": "0"}
_FFV1_EXACTLY: tuple[Codec, Mapping[str, str]] = CODECS["ffv1"], CODECS["ffv1"].qualities["lossless"]
_UNITS = {"": 1, "b": 1} | {
    f"{letter}{kind}": base**power
    for power, letter in enumerate("kmgt", 1)
    for kind, base in (("", 1000), ("b", 1000), ("ib", 1024))
}


def parse_bytes(text: str) -> int:
    """Read a number of bytes with its unit: kB, MB and GB are powers of 1000, KiB, MiB and GiB of 1024.

    >>> parse_bytes("10MB"), parse_bytes("1.5 MiB"), parse_bytes("8000000")
    (10000000, 1572864, 8000000)

    Raises:
        OptionError: it is none.
    """
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)\s*", text.lower())
    if found is None or found[2] not in _UNITS:
        raise OptionError(f"{text!r} is no number of bytes: use one such as 10MB, 9.5MiB or 8000000")
    return int(Fraction(found[1]) * _UNITS[found[2]])


def parse_max_bytes(max_bytes: int | None, format: Format, options: Mapping[str, str]) -> int | None:
    """Check a limit against the format and the encoder's options.

    Raises:
        OptionError: it is no number of bytes, or there is no rate to choose.
    """
    if max_bytes is None:
        return None
    given, codec = f"max_bytes={max_bytes!r}", format.codec
    if isinstance(max_bytes, bool) or not (isinstance(max_bytes, numbers.Integral) and max_bytes >= _LEAST):
        raise OptionError(f"{given} is no limit in bytes: use an int from {_LEAST}, such as 10_000_000")
    if codec.scale is None:
        raise OptionError(f"{given} does not go with {codec.encoder} here, which has no rate to lower: leave it out")
    if codec.scale.options[0] not in options:
        raise OptionError(f"{given} sets the bitrate itself, below what a crf takes: leave bitrates and quantisers out")
    # In 8 bit, x264's crf 0 is lossless, and of another profile than all that is smaller.
    if codec.encoder == "libx264" and format.pixel_format.depth == 8 and options.get("crf") == "0":
        raise OptionError(f"{given} and crf=0, which is lossless, contradict: give one")
    return int(max_bytes)


class Passes:
    """The passes over one export's frames."""

    def __init__(self, limit: int, settings: EncoderSettings, publication: Publication) -> None:
        """Open what they need, which goes with the publication."""
        self._limit, self._settings, self._publication = limit, settings, publication
        self._copy = publication.scratch_file()
        has_statistics = bool(settings.format.codec.parameters.statistics)
        self._statistics = os.path.join(publication.scratch_folder(), "statistics") if has_statistics else ""

    def first(self) -> Encoder:
        """Open the encoder of the first pass, which writes to the publication's journal."""
        settings = self._with(dict(self._settings.options), 1)
        return _CopyingEncoder(self._publication.journal, settings, self._copy)

    def fit(
        self, made: VideoInfo, finish: Callable[[BinaryIO], VideoInfo], stop: Callable[[], bool]
    ) -> tuple[VideoInfo, str]:
        """Encode again until the finished file is within the limit.

        Args:
            made: The first pass's file, which has too many bytes.
            finish: Makes the finished file of a pass's journal, in place of the one before.
            stop: Tells when to give up.

        Returns:
            What the file is, and at what it was encoded, in words.

        Raises:
            EncodeError: no pass came within the limit.
            TelecineError: it was told to stop.
        """
        journal: BinaryIO = self._publication.journal
        encoded = _encoded_bytes(journal)
        dial = _Dial.of(self._settings, 8 * encoded / made.duration)
        tries = [_Try(dial.first, encoded, made, journal)]
        refused, why = -math.inf, ""  # the highest turn that the encoder did not take
        with captured_log() as lines:
            while len(tries) <= _MOST_PASSES and not _settled(tries, self._limit):
                turn = dial.rounded(_next_turn(tries, self._limit, dial.lowest, refused))
                if turn <= refused:  # which it was rounded down to
                    above = min(each.turn for each in tries if each.size > self._limit)
                    turn = dial.rounded((refused + above) / 2)
                if turn <= refused or turn in (each.turn for each in tries):
                    break
                journal = self._publication.scratch_file()
                try:
                    self._encode(journal, dial.options(turn), stop)
                except av.FFmpegError as error:
                    refused, why = turn, in_words(error, lines)  # x264 and x265 take no rate below their headers'
                    continue
                tries.append(_Try(turn, _encoded_bytes(journal), finish(journal), journal))
            best = max((each for each in tries if each.size <= self._limit), key=lambda each: each.size, default=None)
            if best is None:
                raise self._unmet(tries, why)
            return best.made if best is tries[-1] else finish(best.journal), dial.in_words(best.turn)

    def _unmet(self, tries: Sequence[_Try], refusal: str) -> EncodeError:
        smallest = f"the smallest file made of these frames has {min(each.size for each in tries)} bytes"
        if refusal and len(tries) == 1:
            smallest += f", and the encoder takes no other rate: {refusal}"
        return EncodeError(f"max_bytes={self._limit} can't be met: {smallest}: allow more, or write fewer frames")

    def _encode(self, journal: BinaryIO, options: dict[str, str], stop: Callable[[], bool]) -> None:
        with closing(Encoder(journal, self._with(options, 2))) as encoder:
            for frame in self._frames():
                if stop():
                    break
                encoder.encode(frame, frame.pts or 0)
            encoder.finish(stop)
        if stop():
            raise TelecineError(f"the writer of {self._publication.path!r} was aborted")

    def _frames(self) -> Iterator[VideoFrame]:
        """Give the frames of the copy, for the encoder to choose their types."""
        self._copy.seek(0)
        with open_input(self._copy, "mp4") as source:
            (stream,) = source.streams.video
            stream.thread_type = "SLICE"
            stream.codec_context.thread_count = self._settings.threads
            for frame in source.decode(stream):
                assert frame.pts is not None
                frame.pts = round(seconds(frame.pts, frame.time_base) / self._settings.time_base)
                frame.pict_type = 0  # AV_PICTURE_TYPE_NONE, in place of what it is in the copy
                yield frame

    def _with(self, options: dict[str, str], number: int) -> EncoderSettings:
        """The settings of a pass: its options, and where its statistics are."""
        parameters = self._settings.format.codec.parameters
        if parameters.statistics:
            file = re.sub(r"([\\':])", r"\\\1", self._statistics)  # as FFmpeg reads a value (ffmpeg-utils, Quoting)
            told = options.get(parameters.option), parameters.statistics.format(file=file, number=number)
            options[parameters.option] = ":".join(filter(None, told))
        return replace(self._settings, options=tuple(options.items()))


class _CopyingEncoder(Encoder):
    """An encoder that keeps an exact copy of the planes that it takes."""

    def __init__(self, journal: BinaryIO, settings: EncoderSettings, copy: BinaryIO) -> None:
        super().__init__(journal, settings)
        by_x264 = settings.format.pixel_format.name in CODECS["h264"].pixel_formats
        exact, options = _X264_EXACTLY if by_x264 else _FFV1_EXACTLY
        format = replace(settings.format, codec=exact)
        self._copy = Encoder(copy, replace(settings, format=format, options=tuple(options.items())))

    def encode(self, frame: VideoFrame, pts: int) -> None:
        super().encode(frame, pts)
        self._copy.encode(frame, pts)

    def finish(self, stop: Callable[[], bool]) -> None:
        super().finish(stop)
        self._copy.finish(stop)

    def close(self) -> None:
        super().close()
        self._copy.close()


# ---- how a pass is told to spend fewer bytes, and how many --------------------------------------------------------


@dataclass(frozen=True)
class _Try:
    """What came of a pass: the bytes of its packets, and the file."""

    turn: float
    encoded: int
    made: VideoInfo
    journal: BinaryIO

    @property
    def size(self) -> int:
        return self.made.size_bytes


@dataclass(frozen=True)
class _Dial:
    """An encoder's rate as a dial of which one turn doubles the bytes, roughly: a bitrate's logarithm, or the crf."""

    settings: EncoderSettings
    by_rate: bool
    first: float

    @classmethod
    def of(cls, settings: EncoderSettings, rate: float | Fraction) -> _Dial:
        """Give the dial, set as the first pass was, which took `rate` bits a second."""
        options, codec = dict(settings.options), settings.format.codec
        if codec.parameters.statistics:
            return cls(settings, True, math.log2(rate))
        scale = codec.scale
        assert scale is not None
        crf = float(options[scale.options[0]]) / scale.unit
        return cls(settings, False, _HALVINGS * (scale.worst - crf) / (scale.worst - scale.best))

    @property
    def lowest(self) -> float:
        """The turn that makes the smallest file."""
        return _LOWEST_RATE if self.by_rate else 0.0

    def rounded(self, turn: float) -> float:
        """The next turn below that the encoder can be set to: whole kilobits a second, or a crf that it has."""
        if self.by_rate:
            return math.log2(1000 * self._rate(turn))
        return math.floor(turn * self._steps + _ROUNDING) / self._steps

    def options(self, turn: float) -> dict[str, str]:
        """The encoder's options at a turn."""
        options, scale = dict(self.settings.options), self.settings.format.codec.scale
        assert scale is not None
        if self.by_rate:
            for name in scale.options:
                options.pop(name, None)
            return options | dict(scale.at_bitrate) | {"b": f"{self._rate(turn)}k"}
        return options | scale.options_at(self._crf(turn))

    def in_words(self, turn: float) -> str:
        """What the encoder is told at a turn."""
        return f"{self._rate(turn)} kb/s" if self.by_rate else f"crf {self._crf(turn):g}"

    def _rate(self, turn: float) -> int:
        return max(1, int(2**turn / 1000 + _ROUNDING))

    def _crf(self, turn: float) -> float:
        best, worst, step = self._scale
        return worst - math.copysign(step, worst - best) * round(turn * self._steps)

    @property
    def _steps(self) -> float:
        """How many crfs there are to a turn."""
        best, worst, step = self._scale
        return abs(worst - best) / step / _HALVINGS

    @property
    def _scale(self) -> tuple[float, float, float]:
        scale = self.settings.format.codec.scale
        assert scale is not None
        return scale.best, scale.worst, scale.step


def _next_turn(tries: Sequence[_Try], limit: int, lowest: float, refused: float) -> float:
    """Where the file would be just below the limit, by a line through the two tries that were nearest.

    It lies between what was within the limit, or was refused, and what was not.
    """
    wanted = max(1.0, _AIM * limit - (tries[-1].size - tries[-1].encoded))
    near = sorted(tries, key=lambda each: abs(math.log2(each.encoded / wanted)))[:2]
    slope = 1.0
    if len(near) == 2:
        slope = math.log2(near[1].encoded / near[0].encoded) / (near[1].turn - near[0].turn)
    turn = near[0].turn + math.log2(wanted / near[0].encoded) / min(max(slope, 0.25), 4.0)
    low = max((each.turn for each in tries if each.size <= limit), default=max(lowest, refused))
    high = min(each.turn for each in tries if each.size > limit)
    if low < turn < high:
        return turn
    return lowest if turn <= low == lowest > refused else (low + high) / 2


def _settled(tries: Sequence[_Try], limit: int) -> bool:
    """Whether one more pass would gain nothing: one is near the limit, or the last was told to shrink and did not."""
    if any(_GOOD * limit <= each.size <= limit for each in tries):
        return True
    *before, last = tries
    told = all(last.turn < each.turn for each in before)
    return bool(before) and told and last.size > limit and last.size >= _NO_SMALLER * min(each.size for each in before)


def _encoded_bytes(journal: BinaryIO) -> int:
    return sum(box.end - box.start - 8 for box in whole_fragments(journal))
