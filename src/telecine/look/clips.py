"""The clips in a folder as a gallery knows them: the facts of each or why it can't be read, and its poster."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import InputError, MissingDependencyError, TelecineError
from ..files.files import opened_file
from ..files.urls import local_path
from ..formats.containers import CONTAINERS
from ..formats.images import MOVING_IMAGES
from ..provenance.certificates import Pem, load_trust_anchors
from ..provenance.report import MEDIA_TYPES, read_provenance
from ..read.frames import read_frames
from ..read.probe import VideoInfo, probe
from ..support.words import shown

_IMAGES = frozenset(extension for row in MOVING_IMAGES.values() for extension in row.extensions)
_EXTENSIONS = _IMAGES.union(*(row.extensions for row in CONTAINERS.values()))
_LARGEST = 480  # pixels a side of a poster: a card is 250 to 500 wide
_QUALITY = 70
_TRIED, _LEAST_CONTRAST = 24, 6.0  # a clip that fades in is black at first
# Characters of a value that go to the page. A prompt comes whole; a workflow of ComfyUI's is no card's matter.
_LONGEST, _LONGEST_PROMPT, _MOST_FACTS = 2_000, 1 << 17, 64
_PROMPTS = ("prompt", "negative_prompt")


class Stamp(NamedTuple):
    """What tells one state of a file from another: its bytes, when it was changed in nanoseconds, which file it is."""

    bytes: int
    modified: int
    inode: int

    @classmethod
    def of(cls, found: os.stat_result) -> Stamp:
        """Take it from a file's status."""
        return cls(found.st_size, found.st_mtime_ns, found.st_ino)


@dataclass(frozen=True)
class Clip:
    """What is known of a clip; of one that can't be read `problem` says why, and the rest is empty.

    `name` is its path in the folder, with slashes. `texts` and `values` are its metadata: what is text, and the JSON of
    what is none. `signature` is `read_provenance`'s state, or "not looked at" without the extra.
    """

    name: str
    stamp: Stamp
    problem: str = ""
    codec: str = ""
    width: int = 0
    height: int = 0
    pixel_aspect: float = 1.0
    fps: str = ""
    is_even: bool = True
    frames: int = 0
    duration: float = 0.0
    texts: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    signature: str = "no manifest"

    @property
    def id(self) -> str:
        """What a page calls it: another one once the file is changed, so that no browser shows what was before."""
        said = f"{self.stamp.bytes} {self.stamp.modified} {self.name}"
        return hashlib.blake2b(said.encode("utf-8", "surrogateescape"), digest_size=10).hexdigest()


class ClipFolder:
    """A folder of clips, and those in its folders. Nothing outside of it is read, wherever links and names lead."""

    def __init__(
        self, path: str | os.PathLike[str], trust_anchors: Pem | None = None, without: str | None = None
    ) -> None:
        """Take a folder. What is in `without`, a folder of somebody else's pictures in it, is left out.

        Raises:
            InputError: it is no folder.
            OptionError: the trust anchors hold no certificate.
        """
        self.path = Path(os.path.abspath(local_path(path, "read", InputError)))
        if not self.path.is_dir():
            raise InputError(f"{os.fspath(path)!r} is no folder: give one with clips in it")
        self._root = os.path.realpath(self.path)
        self._without = without and os.path.realpath(without)
        self.anchors = None if trust_anchors is None else load_trust_anchors(trust_anchors).encode()

    def find(self) -> dict[str, Stamp]:
        """Give the names of all that may be a clip, with the state of each. Hidden names are left out."""
        found: dict[str, Stamp] = {}
        folders = [""]
        for folder in folders:
            with suppress(OSError), os.scandir(os.path.join(self._root, folder)) as entries:
                for entry in entries:
                    if entry.name.startswith(".") or entry.path == self._without:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(f"{folder}{entry.name}/")
                    elif os.path.splitext(entry.name)[1].lower() in _EXTENSIONS:
                        name = folder + entry.name
                        with suppress(OSError):  # it went away, or leads out of the folder
                            found[name] = self._stamp(self._inside(name) if entry.is_symlink() else entry.path)
        return found

    def read(self, name: str, stamp: Stamp) -> Clip | None:
        """Look at a file. None of an image that does not move."""
        extension = os.path.splitext(name)[1].lower()
        try:
            with self.opened(name, stamp) as file:
                info = probe(file)
                if extension in _IMAGES and info.frame_count < 2:
                    return None
                signature = self._signature(file) if extension in MEDIA_TYPES else "no manifest"
        except (TelecineError, OSError) as error:
            return Clip(name, stamp, str(error))
        return _clip_of(name, stamp, info, signature)

    def poster(self, clip: Clip) -> bytes:
        """Give a picture of a clip as WebP: its first frame, or where that is a single colour one soon after.

        Raises:
            InputError: it can't be read, or has changed.
        """
        with self.opened(clip.name, clip.stamp) as file:
            picture = _first_good(read_frames(file))
        if picture is None:
            raise InputError(f"{clip.name!r} has no frames")
        height, width = picture.shape[0], picture.shape[1] * clip.pixel_aspect
        scale = min(1.0, _LARGEST / max(width, height))
        image = Image.fromarray(picture)
        image = image.resize((max(1, round(width * scale)), max(1, round(height * scale))), reducing_gap=2)
        written = io.BytesIO()
        image.save(written, "WEBP", quality=_QUALITY)
        return written.getvalue()

    @contextmanager
    def opened(self, name: str, stamp: Stamp) -> Iterator[BinaryIO]:
        """Open a file that `find` found, for its name in the folder, and none that is in its place by now.

        Raises:
            InputError: it is another one, or can't be opened.
        """
        with opened_file(self._inside(name)) as file:
            if Stamp.of(os.fstat(file.fileno())) != stamp:
                raise InputError(f"{name!r} has changed since it was found")
            # An error that names it goes to a page, where nobody is to read where the folder is.
            with open(name, "rb", opener=lambda *_: os.dup(file.fileno())) as named:
                yield named

    def _inside(self, name: str) -> str:
        """Give where a name leads. Raises InputError where that is outside of the folder."""
        real = os.path.realpath(os.path.join(self._root, name))
        if os.path.commonpath([real, self._root]) != self._root:
            raise InputError(f"{name!r} leads out of the folder")
        return real

    @staticmethod
    def _stamp(path: str) -> Stamp:
        found = os.stat(path, follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode):
            raise InputError(f"{path!r} is no file")
        return Stamp.of(found)

    def _signature(self, file: BinaryIO) -> str:
        try:
            return read_provenance(file, self.anchors).state
        except MissingDependencyError:
            return "not looked at"


def _clip_of(name: str, stamp: Stamp, info: VideoInfo, signature: str) -> Clip:
    facts = [(key[:255], value) for key, value in islice(info.metadata.items(), _MOST_FACTS)]
    written = {key: json.dumps(value) for key, value in facts if not isinstance(value, str)}
    texts = {key: _beginning(key, value) for key, value in facts if isinstance(value, str)}
    texts |= {key: _beginning(key, text) for key, text in written.items() if len(text) > _LONGEST}
    return Clip(
        name,
        stamp,
        codec=info.codec,
        width=info.width,
        height=info.height,
        pixel_aspect=float(info.sample_aspect_ratio),
        fps=str(info.fps),
        is_even=info.constant_rate,
        frames=info.frame_count,
        duration=float(info.duration),
        texts=texts,
        values={key: text for key, text in written.items() if len(text) <= _LONGEST},
        signature=signature,
    )


def _first_good(frames: Iterator[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8] | None:
    first = next(frames, None)
    if first is None:
        return None
    tried = chain([first], islice(frames, _TRIED))
    return next((frame for frame in tried if frame[::8, ::8].std() >= _LEAST_CONTRAST), first)


def _beginning(name: str, text: str) -> str:
    most = _LONGEST_PROMPT if name in _PROMPTS else _LONGEST
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters: telecine probe shows all)"


def row_of(clip: Clip, address: str, poster: str) -> dict[str, object]:
    """Give what the page is told of a clip, with the addresses of its file and its poster.

    A stranger's text stays text: the page makes no HTML of it.
    """
    row: dict[str, object] = {
        "id": clip.id,
        "name": shown(clip.name),
        "address": address,
        "bytes": clip.stamp.bytes,
        "modified": clip.stamp.modified / 1e9,
    }
    if clip.problem:
        return {**row, "problem": clip.problem}
    return {
        **row,
        "poster": poster,
        "moves": os.path.splitext(clip.name)[1].lower() in _IMAGES,
        "codec": clip.codec,
        "width": clip.width,
        "height": clip.height,
        "fps": clip.fps,
        "isEven": clip.is_even,
        "frames": clip.frames,
        "duration": clip.duration,
        "texts": clip.texts,
        "values": clip.values,
        "signature": clip.signature,
    }
