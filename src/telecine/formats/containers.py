"""The tables of containers, FFmpeg's muxer for each and the codecs that it may hold, and of playlists of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType


@dataclass(frozen=True, eq=False)
class Container:
    """A kind of file: FFmpeg's muxer for it, the codecs it may hold, the first being its default.

    `options` put the index in front. `clock` is the unit that it rounds times to, where it has one of its own.
    """

    name: str
    extensions: tuple[str, ...]
    muxer: str
    codecs: tuple[str, ...]
    options: Mapping[str, str]
    clock: Fraction | None = None
    plays_everywhere: bool = False


@dataclass(frozen=True, eq=False)
class PlaylistFormat:
    """A playlist of files, each of which holds a part of a video: what picks it, and what the parts are of."""

    name: str
    extensions: tuple[str, ...]
    segments: Container


_MP4 = MappingProxyType({"movflags": "+faststart"})
# Bit-exact, for its identifiers are random otherwise.
_MATROSKA = MappingProxyType({"cues_to_front": "1", "fflags": "+bitexact"})
_MILLISECOND = Fraction(1, 1000)  # what FFmpeg's muxer sets as Matroska's TimestampScale (RFC 9559 5.1.2.9)

CONTAINERS = {
    "mp4": Container("mp4", (".mp4", ".m4v"), "mp4", ("h264", "hevc", "av1"), _MP4, plays_everywhere=True),
    "mov": Container("mov", (".mov",), "mov", ("h264", "hevc", "prores"), _MP4, plays_everywhere=True),
    "webm": Container("webm", (".webm",), "webm", ("vp9", "av1"), _MATROSKA, _MILLISECOND),
    "mkv": Container("mkv", (".mkv",), "matroska", ("h264", "hevc", "av1", "vp9", "ffv1"), _MATROSKA, _MILLISECOND),
}

PLAYLISTS = {"hls": PlaylistFormat("hls", (".m3u8",), CONTAINERS["mp4"])}

# IANA's media types, of what is none of MP4's: QuickTime's files browsers play as that too, and refuse as their own.
_MEDIA_TYPES = {
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".apng": "image/apng",
    ".avif": "image/avif",
}


def media_type_of(extension: str) -> str:
    """Give the media type under which browsers play a file of an extension.

    >>> media_type_of(".WebM"), media_type_of(".mov")
    ('video/webm', 'video/mp4')
    """
    return _MEDIA_TYPES.get(extension.lower(), "video/mp4")
