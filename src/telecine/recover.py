"""What a writer that died left behind, made playable."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import av

from .audio_encode import soundtrack_of
from .audio_track import track_in
from .boxes import end_of_fragments
from .errors import OptionError, PublishError, TelecineWarning
from .formats import CONTAINERS, Container, container_of
from .journal import SUFFIX, Journal, hidden_name, journals_in, journals_of, orphan, sync_folder, target_of
from .probe import VideoInfo, probe
from .publish import FINISHED_SUFFIX, move_without_overwriting, open_anew
from .remux import duration_of, write_finished
from .video import Video


def recover(path: str | os.PathLike[str], output: str | os.PathLike[str] | None = None) -> Video:
    """Make a video of the frames that an export left in its journal when it was killed, or failed, with their sound.

    Args:
        path: The path that the export was to write, or the journal itself.
        output: Where the video goes. Without one it is `path`, or where that exists `clip.recovered.mp4` beside it.

    The journal is removed once the video is at its path, synced. A recovery can be killed and run again. Sound that
    can't be encoded is left out, which a warning and the video's notes tell.

    Raises:
        PublishError: there is no journal, its writer lives, it holds no whole frame, or `output` exists or can't be
            written.
    """
    name = os.fsdecode(path)
    try:
        info, silenced = _recovered(name, None if output is None else os.fsdecode(output))
    except PublishError:
        raise
    except OSError as error:
        said = f"{name!r} can't be recovered: {error.strerror or error}"
        raise PublishError.of(error.errno or errno.EIO, said, name) from error
    if silenced is not None:
        warnings.warn(silenced, TelecineWarning, stacklevel=2)
    return Video.of(info.path, info, notes=tuple(filter(None, (f"{info.frame_count} frames were recovered", silenced))))


def orphans_in(folder: str | os.PathLike[str]) -> list[Path]:
    """Give the journals in a folder whose writers are dead."""
    found = []
    for path in journals_in(folder):
        with contextlib.suppress(PublishError, FileNotFoundError), orphan(path):
            found.append(path)
    return found


def _recovered(name: str, output: str | None) -> tuple[VideoInfo, str | None]:
    """Make the video and remove the journal; give what is in the video, and why its sound is not, should that be so."""
    target = os.path.realpath(name)
    stands_for = target_of(target)
    if stands_for is not None and os.path.exists(target):
        journals, target = [Path(target)], stands_for
    else:
        journals = journals_of(target) if os.path.isdir(os.path.dirname(target)) else []
    if not journals:
        raise PublishError.of(errno.ENOENT, f"{name!r} has no journal: there is nothing to recover", name)
    container = _container_of(target) if output is None else container_of(output)
    for path in reversed(journals):
        with orphan(path) as journal:
            if end_of_fragments(journal) == 0 and path != journals[0]:
                continue  # of a writer that was killed before its first frame: an older one may hold some
            destination = _free_path(target) if output is None else os.path.realpath(output)
            silenced = _write(journal, destination, container)
            info = probe(destination)
            os.unlink(journal.path)
            if journal.path == hidden_name(target, SUFFIX):  # of a writer that was killed in its last step
                with contextlib.suppress(OSError):
                    os.unlink(hidden_name(target, FINISHED_SUFFIX))
            return info, silenced
    raise AssertionError("the oldest journal is tried")


def _container_of(target: str) -> Container:
    try:
        return container_of(target)
    except OptionError:  # it was exported with `format=`
        return CONTAINERS["mp4"]


def _write(journal: Journal, destination: str, container: Container) -> str | None:
    """Write the video; give why it is without the sound that the journal has, should it be."""
    # Named after the journal, of which this is the only owner: a living writer's file has another name, and a recovery
    # that is run again takes what a killed one left.
    digest = hashlib.sha256(os.fsencode(journal.path)).hexdigest()[:8]
    name = os.path.basename(target_of(journal.path) or destination)
    hidden = hidden_name(os.path.join(os.path.dirname(destination), name), f".{digest}{FINISHED_SUFFIX}")
    with _removed_on_error(hidden, destination), open_anew(hidden) as finished:
        with contextlib.suppress(OSError):  # what was private stays so
            os.chmod(hidden, stat.S_IMODE(os.fstat(journal.fileno()).st_mode))
        count, silenced = _copy(journal, finished, container)
        if count == 0:
            raise PublishError.of(errno.ENODATA, f"{journal.path!r} holds no whole frame", journal.path)
        os.fsync(finished.fileno())
        try:
            move_without_overwriting(hidden, destination)
        except FileExistsError as error:
            raise PublishError.of(errno.EEXIST, f"{destination!r} exists: name another output", destination) from error
    sync_folder(os.path.dirname(destination))
    return silenced


def _copy(journal: Journal, finished: BinaryIO, container: Container) -> tuple[int, str | None]:
    """Write the frames with their sound, or else without; give how many there are, and why there is no sound."""
    kept = cast(BinaryIO, journal)
    track = track_in(kept)
    try:
        try:
            sound = soundtrack_of(track, kept, container, duration_of(kept, torn=True)) if track else None
            return write_finished(kept, finished, container, torn=True, sound=sound), None
        except (av.FFmpegError, ValueError) as error:
            if track is None:
                raise
            silenced = f"the sound can't be recovered: {error}"
            finished.seek(0)
            finished.truncate()
        return write_finished(kept, finished, container, torn=True), silenced
    except (av.FFmpegError, ValueError):  # no index
        return 0, None


@contextlib.contextmanager
def _removed_on_error(hidden: str, path: str) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(hidden)
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
