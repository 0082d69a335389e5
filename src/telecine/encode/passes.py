"""Fits a file under a number of bytes: its frames are encoded again, from an exact copy, until it is small enough.

The first pass is the export's own, at its quality, and beside the journal it keeps an exact copy of the planes. Where
the first file is within the limit, that is all. Else comes a second: x264 and x265 share a bitrate out by what the
first pass noted of each frame; the others get the crf that the first size suggests. A pass that misses corrects the
next.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
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
from ..support.rate import is_whole
from .encoder import Encoder, EncoderSettings
from .rate_search import Bracket, Try, scale_and_level
from .trial import is_here

_LEAST = 1000  # an MP4's index alone takes about as many
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
    if not (is_whole(max_bytes) and max_bytes >= _LEAST):
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
        first: BinaryIO = self._publication.journal
        packet_bytes = _packet_bytes(first)
        scale, first_level = scale_and_level(self._settings, 8 * packet_bytes / made.duration)
        bracket, refusal = Bracket(self._limit, scale, Try(first_level, packet_bytes, made, first)), ""
        with captured_log() as lines:
            while (level := bracket.propose()) is not None:
                journal = self._publication.scratch_file()
                try:
                    self._encode(journal, scale.options(level), stop)
                except av.FFmpegError as error:  # x264 and x265 take no rate below their headers'
                    refusal = in_words(error, lines)
                    bracket.refuse(level)
                else:
                    bracket.accept(Try(level, _packet_bytes(journal), finish(journal), journal))
            best, latest = bracket.best, bracket.tries[-1]
            if best is None:
                raise self._unmet(bracket.tries, refusal)
            return best.info if best is latest else finish(best.journal), scale.in_words(best.level)

    def _unmet(self, tries: Sequence[Try], refusal: str) -> EncodeError:
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
        return self._settings._replace(options=tuple(options.items()))


class _CopyingEncoder(Encoder):
    """An encoder that keeps an exact copy of the planes that it takes."""

    def __init__(self, journal: BinaryIO, settings: EncoderSettings, copy: BinaryIO) -> None:
        super().__init__(journal, settings)
        by_x264 = settings.format.pixel_format.name in CODECS["h264"].pixel_formats and is_here("libx264")
        exact, options = _X264_EXACTLY if by_x264 else _FFV1_EXACTLY
        format = settings.format._replace(codec=exact)
        self._copy = Encoder(copy, settings._replace(format=format, options=tuple(options.items())))

    def encode(self, frame: VideoFrame, pts: int) -> None:
        super().encode(frame, pts)
        self._copy.encode(frame, pts)

    def finish(self, stop: Callable[[], bool]) -> None:
        super().finish(stop)
        self._copy.finish(stop)

    def close(self) -> None:
        super().close()
        self._copy.close()


def _packet_bytes(journal: BinaryIO) -> int:
    return sum(box.end - box.start - 8 for box in whole_fragments(journal))
