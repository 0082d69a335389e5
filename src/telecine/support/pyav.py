"""What differs between the releases of PyAV that are admitted, 18.1 and 19: no other module asks which one it is."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, BinaryIO, Protocol, cast

import av
from av import VideoFrame
from av.container import InputContainer
from av.filter import Graph

_RELEASE = int(av.__version__.partition(".")[0])
# Text that is no UTF-8 comes as surrogates. PyAV 19 always does that, and knows no such argument.
_ANY_TEXT: dict[str, Any] = {"metadata_errors": "surrogateescape"} if _RELEASE < 19 else {}


class Rational(Protocol):
    """A `Fraction` of PyAV 18, or an `AVRational` of 19, whose denominator may be 0."""

    @property
    def numerator(self) -> int:
        """The upper number."""

    @property
    def denominator(self) -> int:
        """The lower number."""


def open_input(
    file: BinaryIO, format: str | None = None, options: Mapping[str, str] | None = None, buffer_size: int = 1 << 15
) -> InputContainer:
    """Open this file for reading, and no other that it names; its metadata may be of any bytes. Raises as `av.open`."""
    all_options = {**(options or {}), "protocol_whitelist": ""}
    opened = av.open(file, "r", format=format, options=all_options, buffer_size=buffer_size, **_ANY_TEXT)
    return cast(InputContainer, opened)


def exact(rate: Rational | None) -> Fraction | None:
    """Give a rate or a time base as a fraction; None where it is not set, which PyAV 19 says as 0/1 or 0/0."""
    return Fraction(rate.numerator, rate.denominator) if rate is not None and rate.numerator else None


def seconds(ticks: int, time_base: Rational | None) -> Fraction:
    """Give ticks of a time base as seconds; 0 where the time base is not set."""
    return ticks * (exact(time_base) or Fraction(0))


def readable(text: str) -> str:
    """Give metadata as text that can be encoded: what was no UTF-8 is replaced."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def tags_of_file(container: InputContainer) -> dict[str, str]:
    """Give what is tagged of a file as a whole, and not of a track.

    The time code in a track of QuickTime's is the file's where it is of no pictures. FFmpeg 8, which PyAV 18 has, tells
    one that is of pictures so too, unless the identifier of its track is its place in the index.
    """
    tags = dict(container.metadata)
    of_pictures = [stream.metadata.get("timecode") for stream in container.streams.video]
    if _RELEASE < 19 and "mp4" in container.format.name and tags.get("timecode") in of_pictures:
        tags.pop("timecode", None)
    return tags


def side_data(frame: VideoFrame) -> dict[str, bytes]:
    """Give what is beside a frame, by FFmpeg's names of its kinds. PyAV 18 types it as something else."""
    sides: Any = frame.side_data
    return {each.type.name: bytes(each) for each in (sides[index] for index in range(len(sides)))}


def single_threaded_graph() -> Graph:
    """Give an empty graph of filters, without threads that wait until garbage is collected; of PyAV 18 it has some."""
    graph: Any = Graph()
    if _RELEASE >= 19:
        graph.threads = 1
    return cast(Graph, graph)
