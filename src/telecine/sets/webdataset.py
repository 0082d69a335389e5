"""WebDataset: tar files, in which the video of a clip and a JSON of what is known of it follow one another."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from .clips import Clip

_SKIPPED = re.compile(r"__[^/]*__($|/)")  # webdataset's own: what its reader takes for no sample


class WebDataset:
    """Packs clips into `{stem}-000000.tar` and so on."""

    shard_bytes = 1_000_000_000  # WebDataset's documentation has shards of about a gigabyte
    is_one_whole = False

    def __init__(self, stem: str) -> None:
        self._stem = stem
        self._keys: dict[str, str] = {}

    def names(self, number: int) -> tuple[str, ...]:
        """Give the name of a tar."""
        return (f"{self._stem}-{number:06d}.tar",)

    def problem_of_row(self, name: str, options: Mapping[str, Any]) -> str:
        """Say why a clip can't have this name: webdataset would skip it, or take it for another clip."""
        key, extension = _split(name)
        if _SKIPPED.match(name):
            return f"its output {name!r} is none that webdataset reads: it skips what begins with __…__"
        if extension in ("", "json"):
            return f"its output {name!r} has no extension, or that of what is known of it: use .mp4"
        if (other := self._keys.setdefault(key, name)) != name:
            return f"its output {name!r} has the key {key!r} in webdataset, as {other!r} has"
        return ""

    def problem(self, clip: Clip) -> str:
        """Give "": all clips go together."""
        return ""

    def resume(self, clips: Iterable[Clip]) -> None:
        """Do nothing: a tar tells nothing of others."""

    def pack(self, number: int, clips: Sequence[Clip], paths: Sequence[str]) -> None:
        """Write a tar, without times and owners."""
        (path,) = paths
        with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
            for clip in clips:
                key, extension = _split(clip.name)
                with open(clip.path, "rb") as file:
                    tar.addfile(_member(f"{key}.{extension}", clip.bytes), file)
                known = json.dumps(_known(clip), sort_keys=True).encode()
                tar.addfile(_member(f"{key}.json", len(known)), io.BytesIO(known))

    def finish(self) -> Mapping[str, bytes]:
        """Give none."""
        return {}


def _split(name: str) -> tuple[str, str]:
    """Split a name into webdataset's key and extension: what is behind the first dot of a file's name is the latter.

    >>> _split("v1.0/take.2.mp4")
    ('v1.0/take_2', 'mp4')
    """
    stem, extension = os.path.splitext(name)
    folder, slash, file = stem.rpartition("/")
    return f"{folder}{slash}{file.replace('.', '_')}", extension[1:].lower()


def _known(clip: Clip) -> Mapping[str, object]:
    """Give what the JSON says: what was measured comes before what a row says under the same name."""
    measured = {name: value for name, value in asdict(clip).items() if name not in ("path", "name", "facts")}
    return {"prompt": None, "seed": None, **clip.facts, "output": clip.name, **measured}


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    return member
