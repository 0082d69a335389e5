"""What a writer that died left behind, made playable."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import av

from .errors import PublishError
from .formats import choose_format
from .journal import SUFFIX, Journal, WholeWrites, hidden_name, journals_in, journals_of, orphan, sync_folder
from .probe import probe
from .publish import FINISHED_SUFFIX, move_without_overwriting
from .remux import write_finished
from .video import Video


def recover(path: str | os.PathLike[str], output: str | os.PathLike[str] | None = None) -> Video:
    """Make a video of the frames that an export left in its journal when it was killed, or failed.

    Args:
        path: The path that the export was to write, or the journal itself.
        output: Where the video goes. Without one it is `path`, or where that exists `clip.recovered.mp4` beside it.

    The journal is removed once the video is at its path, synced. A recovery can be killed and run again.

    Raises:
        PublishError: there is no journal, its writer lives, it holds no whole frame, or `output` exists or can't be
            written.
    """
    name = os.fsdecode(path)
    target = os.path.realpath(name)
    if os.path.basename(target).endswith(SUFFIX) and os.path.exists(target):
        journals = [Path(target)]
        target = os.path.join(os.path.dirname(target), os.path.basename(target)[1 : -len(SUFFIX)])
    else:
        journals = journals_of(target) if os.path.isdir(os.path.dirname(target)) else []
    if not journals:
        raise PublishError.of(errno.ENOENT, f"{name!r} has no journal: there is nothing to recover", name)
    with orphan(journals[-1]) as journal:
        destination = _free_path(target) if output is None else os.path.realpath(output)
        _write(journal, destination)
        os.unlink(journal.path)
        with contextlib.suppress(FileNotFoundError):  # of a writer that was killed in its last step
            os.unlink(hidden_name(target, FINISHED_SUFFIX))
    info = probe(destination)
    return Video(
        path=Path(destination),
        width=info.width,
        height=info.height,
        fps=info.fps,
        frame_count=info.frame_count,
        duration=info.duration,
        codec=info.codec,
        size_bytes=info.size_bytes,
        notes=(f"{info.frame_count} frames were recovered",),
    )


def orphans_in(folder: str | os.PathLike[str]) -> list[Path]:
    """Give the journals in a folder whose writers are dead."""
    found = []
    for path in journals_in(folder):
        with contextlib.suppress(PublishError, FileNotFoundError), orphan(path):
            found.append(path)
    return found


def _write(journal: Journal, destination: str) -> None:
    hidden = hidden_name(destination, FINISHED_SUFFIX)
    muxer = choose_format(destination).container.muxer
    with _removed_on_error(hidden), cast(BinaryIO, WholeWrites(hidden, "w+b")) as finished:
        try:
            count = write_finished(cast(BinaryIO, journal), finished, muxer)
        except (av.FFmpegError, ValueError):  # no index
            count = 0
        if count == 0:
            raise PublishError.of(errno.ENODATA, f"{journal.path!r} holds no whole frame", journal.path)
        os.fsync(finished.fileno())
        try:
            move_without_overwriting(hidden, destination)
        except FileExistsError as error:
            raise PublishError.of(errno.EEXIST, f"{destination!r} exists: name another output", destination) from error
    sync_folder(os.path.dirname(destination))


@contextlib.contextmanager
def _removed_on_error(path: str) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(path)
        if isinstance(error, OSError) and not isinstance(error, PublishError):
            said = f"{path!r} can't be written: {error.strerror or error}"
            raise PublishError.of(error.errno or errno.EIO, said, path) from error
        raise


def _free_path(target: str) -> str:
    stem, extension = os.path.splitext(target)
    candidates = [target, f"{stem}.recovered{extension}"]
    number = 2
    while os.path.lexists(candidates[-1]):
        candidates.append(f"{stem}.recovered-{number}{extension}")
        number += 1
    return next(each for each in candidates if not os.path.lexists(each))
