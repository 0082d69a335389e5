"""Fits a file under a number of bytes: its frames are encoded again until it is small enough.

The first pass is the export's own, at its quality, and beside the journal it keeps an exact copy of the planes. Where
the first file is within the limit, that is all. Else comes a second: x264 and x265 share a bitrate out by what the
first pass noted of each frame; the others get the crf that the first size suggests. A pass that misses corrects the
next.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO, ClassVar

import av

from ..container.boxes import whole_fragments
from ..errors import EncodeError, OptionError
from ..formats.choose import Format
from ..read.probe import VideoInfo
from ..support.ffmpeg_log import captured_log, in_words
from ..support.rate import is_whole
from .passes import Passes, Settled
from .search import Bracket, Try, scale_and_level

_LEAST = 1000  # an MP4's index alone takes about as many
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


def parse_max_bytes(max_bytes: int | None, format: Format, options: Mapping[str, str]) -> SizeLimit | None:
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
    return SizeLimit(int(max_bytes))


@dataclass(frozen=True)
class SizeLimit:
    """The most bytes that a file may have."""

    most: int
    notes_frames: ClassVar[bool] = True

    def check_size(self, width: int, height: int) -> None:
        """Take frames of any size."""

    def drops(self, info: VideoInfo) -> bool:
        """Tell whether a file is too large."""
        return info.size_bytes > self.most

    def settle(
        self, passes: Passes, made: VideoInfo, finish: Callable[[BinaryIO], VideoInfo], stop: Callable[[], bool]
    ) -> Settled:
        """Encode again until the finished file is within the limit.

        Args:
            passes: Those of the export.
            made: The first pass's file.
            finish: Makes the finished file of a pass's journal, in place of the one before.
            stop: Tells when to give up.

        Raises:
            EncodeError: no pass came within the limit.
            TelecineError: it was told to stop.
        """
        if not self.drops(made):
            return Settled(made)
        first, settings = passes.journal, passes.settings
        packet_bytes = _packet_bytes(first)
        scale, first_level = scale_and_level(settings, 8 * packet_bytes / made.duration)
        bracket, refusal = Bracket(self.most, scale, Try(first_level, packet_bytes, made, first)), ""
        with captured_log() as lines:
            while (level := bracket.propose()) is not None:
                journal = passes.scratch_file()
                try:
                    passes.encode(journal, scale.options(level), stop)
                except av.FFmpegError as error:  # x264 and x265 take no rate below their headers'
                    refusal = in_words(error, lines)
                    bracket.refuse(level)
                else:
                    bracket.accept(Try(level, _packet_bytes(journal), finish(journal), journal))
            best, latest = bracket.best, bracket.tries[-1]
            if best is None:
                raise self._unmet(bracket.tries, refusal)
            info = best.info if best is latest else finish(best.journal)
        at = scale.in_words(best.level)
        said = f"at the quality asked for it takes {made.size_bytes} bytes: encoded again at {at}, for max_bytes"
        return Settled(info, said)

    def _unmet(self, tries: Sequence[Try], refusal: str) -> EncodeError:
        smallest = f"the smallest file made of these frames has {min(each.size for each in tries)} bytes"
        if refusal and len(tries) == 1:
            smallest += f", and the encoder takes no other rate: {refusal}"
        return EncodeError(f"max_bytes={self.most} can't be met: {smallest}: allow more, or write fewer frames")


def _packet_bytes(journal: BinaryIO) -> int:
    return sum(box.end - box.start - 8 for box in whole_fragments(journal))
