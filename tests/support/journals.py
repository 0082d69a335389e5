"""Journals as dead writers leave them, and an independent look into them."""

from __future__ import annotations

import errno
import os
import re
import struct
import warnings
from pathlib import Path
from typing import Any

import av
import pytest

import telecine
from telecine import PublishError, VideoWriter, export_video

from .helpers import OLDER, Clip, failing_at, greys, names_in

JOURNAL = ".clip.mp4.telecine-journal"


def leave_journal(path: Path, frames: Clip, **options: Any) -> Path:
    """Export all but the last step, in a folder that holds nothing under these names; gives the whole journal."""
    writer = VideoWriter(path, overwrite=False, **options)
    writer.write(frames)
    path.write_bytes(OLDER)
    with pytest.raises(PublishError, match=f"{len(frames)} of {len(frames)} frames are kept") as failed:
        writer.close()
    assert failed.value.errno == errno.EEXIST
    path.unlink()
    (journal,) = (each for each in path.parent.iterdir() if each.name.endswith(".telecine-journal"))
    return journal


def leave_many(path: Path, counts: list[int]) -> None:
    for count in counts:
        with pytest.raises(RuntimeError):
            export_video(failing_at(count, greys(count), RuntimeError()), path)


def whole_pairs(data: bytes) -> int:
    """How many fragments the first bytes of a journal hold whole: a `moof`, then its `mdat`."""
    at, count, before = 0, 0, b""
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8 or at + size > len(data):
            break
        count += (before, kind) == (b"moof", b"mdat")
        at, before = at + size, kind
    return count


def packets_of(path: os.PathLike[str]) -> list[tuple[Any, ...]]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [
            (packet.pts, packet.dts, packet.duration, packet.time_base, packet.is_keyframe, bytes(packet))
            for packet in container.demux(stream)
            if packet.size
        ]


def assert_recovers_or_says(data: bytes, path: Path) -> None:
    """Recover a damaged journal: a file that can be demuxed, or a PublishError and nothing but the journal."""
    journal = path.with_name(JOURNAL)
    journal.write_bytes(data)
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            video = telecine.recover(path)
    except PublishError:
        assert names_in(path.parent) == [JOURNAL]
        journal.unlink()
        return
    if said:  # it stays where frames of it are not in the file
        (warned,) = said
        found = re.search(r"(\d+) of (\d+) frames are in the new file", str(warned.message))
        assert found is not None
        assert video.frame_count <= int(found[1]) < int(found[2])
        journal.unlink()
    assert names_in(path.parent) == [path.name]
    assert 0 < video.frame_count <= len(packets_of(path))  # those shown: a flipped time may hide one
    path.unlink()
