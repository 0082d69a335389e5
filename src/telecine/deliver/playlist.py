"""HLS: fragments in files of their own, and a playlist of them that is replaced as they come (RFC 8216)."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from ..container.fragments import FragmentReader, ticks_a_second
from ..publish.access import NEW_FILE, mode_of_new
from ..publish.hidden import new_file, put
from ..publish.journal import hidden_entry
from ..publish.open_folder import Folder

SECONDS = 2.0  # of a segment, if nobody says: a clip is few files, and plays soon
_NEW = ".telecine-new"
_VERSION = 7  # which has fragmented MP4 (RFC 8216 7)
_LONGEST_STEM = 100  # characters of a segment's name, none of which a URL would have to escape


class Place(Protocol):
    """A folder, or a prefix of a store. Its methods raise OSError or PublishError."""

    def prepare(self) -> None:
        """Prove that it can be written, if that does not show elsewhere."""

    def put(self, name: str, data: bytes) -> None:
        """Put a file there in one step, in place of what has the name."""

    def read(self, name: str) -> bytes | None:
        """Give what a file holds; None where there is none."""

    def remove(self, names: Iterable[str]) -> None:
        """Remove files, those that can be."""


class LocalFolder:
    """A folder on this machine."""

    def __init__(self, path: str) -> None:
        self._path = path

    def prepare(self) -> None:
        """Do nothing: who opens the journal beside proves it."""

    def put(self, name: str, data: bytes) -> None:
        """Put a file there, synced."""
        with Folder(self._path) as folder:
            file = new_file(folder, hidden_entry(name, _NEW), mode_of_new(None, NEW_FILE))
            try:
                file.write(data)
                os.fsync(file.fileno())
                put(file, name, overwrite=True)
            except BaseException:
                with contextlib.suppress(OSError):
                    file.remove()
                file.close()
                raise
            folder.sync()

    def read(self, name: str) -> bytes | None:
        """Give what a file holds."""
        try:
            return Path(self._path, name).read_bytes()
        except FileNotFoundError:
            return None

    def remove(self, names: Iterable[str]) -> None:
        """Remove files."""
        with Folder(self._path) as folder:
            for name in names:
                with contextlib.suppress(OSError):
                    folder.unlink(name)


class Segment(NamedTuple):
    """A file of a playlist, and how many seconds it lasts."""

    name: str
    duration: Fraction


class Playlist:
    """A playlist and its segments, in one place. Each file is named after what is in it, so none ever changes.

    While it grows it is what players take for live. Its end is said when all is there.
    """

    takes_finished = False

    def __init__(self, where: Path, place: Place, fragment: float | None, staged: str | None = None) -> None:
        """Take where it goes; what is `staged` for it on this machine is beside it, or at a path of its own."""
        self.name, self.title, self.where = str(where), where.name, where
        self.path, self.is_staged = staged or self.name, staged is not None
        self.fragment = SECONDS if fragment is None else fragment
        self.size = 0
        self._stem = re.sub(r"[^A-Za-z0-9._-]", "_", os.path.splitext(self.title)[0])[:_LONGEST_STEM]
        self._place, self._reader = place, FragmentReader()
        self._before: bytes | None = None
        self._init, self._ticks, self._segments = "", 1, list[Segment]()

    @property
    def outlet(self) -> Playlist:
        """What takes the video while it grows."""
        return self

    def prepare(self) -> None:
        """Prove that it can be written, and read what is replaced. Raises PublishError."""
        self._place.prepare()
        self._before = self._place.read(self.title)

    def write(self, data: bytes) -> None:
        """Take the next bytes of a fragmented MP4, and put each fragment where it can be played."""
        for piece in self._reader.feed(data):
            if piece.is_init:
                self._init, self._ticks = self._put(piece.data, self._stem, ".mp4"), ticks_a_second(piece.data)
            else:
                name = self._put(piece.data, f"{self._stem}-{len(self._segments):05}", ".m4s")
                self._segments.append(Segment(name, Fraction(piece.duration, self._ticks)))
                self._put_playlist(is_over=False)

    def deliver(self, finished: BinaryIO) -> None:
        """Say that this is all, and remove the segments of the playlist that was there."""
        self._put_playlist(is_over=True)
        self._place.remove(self._named_before() - self._own())

    def deliver_folder(self, folder: str, names: Iterable[str]) -> None:
        """Refuse: it takes a video."""
        raise NotImplementedError

    def drop(self) -> None:
        """Put back what was there, and remove the rest."""
        if self._segments and self._before is not None:
            self._place.put(self.title, self._before)
        elif self._segments:
            self._place.remove([self.title])
        self._place.remove(self._own() - self._named_before())

    def _put(self, data: bytes, beginning: str, extension: str) -> str:
        name = f"{beginning}-{hashlib.sha256(data).hexdigest()[:8]}{extension}"
        self._place.put(name, data)
        self.size += len(data)
        return name

    def _put_playlist(self, is_over: bool) -> None:
        text = text_of(self._init, self._segments, Fraction(self.fragment), is_over)
        self._place.put(self.title, text.encode())

    def _own(self) -> set[str]:
        return {self._init, *(each.name for each in self._segments)} - {""}

    def _named_before(self) -> set[str]:
        """Give the files of the playlist that was there, as far as they have such names as are given here."""
        ours = re.compile(re.escape(self._stem) + r"(-\d{5,})?-[0-9a-f]{8}\.(mp4|m4s)")
        lines = (self._before or b"").decode("utf-8", "replace").splitlines()
        names = (line.removeprefix('#EXT-X-MAP:URI="').removesuffix('"') for line in lines)
        return {name for name in names if ours.fullmatch(name)}


def text_of(init: str, segments: Sequence[Segment], longest: Fraction, is_over: bool) -> str:
    """Give the text of a playlist, of which no segment is longer than so many seconds, if its frames are evenly timed.

    >>> print(text_of("clip.mp4", [Segment("clip-0.m4s", Fraction(2))], Fraction(2), True))
    #EXTM3U
    #EXT-X-VERSION:7
    #EXT-X-TARGETDURATION:2
    #EXT-X-PLAYLIST-TYPE:EVENT
    #EXT-X-INDEPENDENT-SEGMENTS
    #EXT-X-MAP:URI="clip.mp4"
    #EXTINF:2.000000,
    clip-0.m4s
    #EXT-X-ENDLIST
    <BLANKLINE>
    """
    target = max(1, ceil(longest), *(round(each.duration) for each in segments))  # which is not to change (4.3.3.1)
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{_VERSION}",
        f"#EXT-X-TARGETDURATION:{target}",
        "#EXT-X-PLAYLIST-TYPE:EVENT",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f'#EXT-X-MAP:URI="{init}"',
        *(f"#EXTINF:{float(each.duration):.6f},\n{each.name}" for each in segments),
        *(["#EXT-X-ENDLIST"] if is_over else []),
    ]
    return "\n".join(lines) + "\n"
