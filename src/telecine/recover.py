"""What a writer that died left behind, made playable."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, cast

import av

from .access import set_mode
from .audio_encode import soundtrack_of
from .audio_track import track_in
from .boxes import end_of_fragments
from .destination import free_path
from .errors import OptionError, PublishError, TelecineError
from .ffmpeg_log import captured_log, in_words
from .folders import SUFFIX as FOLDER_SUFFIX
from .folders import folders_in, has_left, locked, recover_folder, size_of_frames
from .formats import CONTAINERS, SEQUENCES, Container, MovingImageFormat, output_of
from .hidden import Folder, free_name, new_file, put
from .journal import SUFFIX, Journal, hidden_entry, journals_in, journals_of, orphan, target_of
from .notes import Notes
from .probe import probe
from .publish import FINISHED_SUFFIX
from .remux import duration_of, write_finished
from .urls import local_path
from .video import Video


def recover(path: str | os.PathLike[str], output: str | os.PathLike[str] | None = None) -> Video:
    """Make a video of the frames that an export left in its journal when it was killed, or failed, with their sound.

    Of a moving image it makes one again, of "high" quality; of a folder of images the images before the first that is
    missing, whose `Video` has no rate: its `fps` and `duration` are 0.

    Args:
        path: The path that the export was to write, or the journal itself.
        output: Where the video goes. Without one it is `path`, or where that exists `clip.recovered.mp4` beside it.

    The journal is removed once the video is at its path, synced. A recovery can be killed and run again. Sound that
    can't be encoded is left out, which a warning and the video's notes tell.

    Raises:
        PublishError: there is no journal, its writer lives, it holds no whole frame, or `output` exists or can't be
            written.
        OptionError: `output` is of no kind that holds what was left.
    """
    name = local_path(path, "read")
    to = None if output is None else local_path(output)
    target = os.path.realpath(name)
    folder = target_of(target, FOLDER_SUFFIX) or target
    if has_left(folder):
        return _recovered_folder(folder, to)
    try:
        return _recovered(name, to)
    except PublishError:
        raise
    except OSError as error:
        said = f"{name!r} can't be recovered: {error.strerror or error}"
        raise PublishError.of(error.errno or errno.EIO, said, name) from error


def orphans_in(folder: str | os.PathLike[str]) -> list[Path]:
    """Give the journals in a folder, and the hidden folders of images, that are ours and whose writers are dead.

    Raises:
        PublishError: the folder can't be read.
    """
    found = []
    try:
        with Folder(os.path.realpath(folder)) as around:
            for name in journals_in(around):
                with contextlib.suppress(PublishError, FileNotFoundError), orphan(around, name):
                    found.append(Path(folder, name))
            for name in folders_in(around):
                with contextlib.suppress(PublishError, FileNotFoundError), locked(around, name, name):
                    found.append(Path(folder, name))
    except OSError as error:
        said = f"{os.fsdecode(folder)!r} can't be listed: {error.strerror or error}"
        raise PublishError.of(error.errno or errno.EIO, said, folder) from error
    return found


def _recovered_folder(target: str, output: str | None) -> Video:
    folder, count = recover_folder(target, output)
    first = probe(min(Path(folder).iterdir()))
    return Video(
        path=Path(folder),
        width=first.width,
        height=first.height,
        fps=Fraction(0),
        frame_count=count,
        duration=Fraction(0),
        codec=next(row.name for row in SEQUENCES.values() if row.extension == first.path.suffix),
        size_bytes=size_of_frames(folder)[1],
        notes=(f"{count} frames were recovered",),
    )


def _recovered(name: str, output: str | None) -> Video:
    """Make the video and remove the journal; give what is in the video."""
    target = os.path.realpath(name)
    stands_for = target_of(target)
    named = stands_for is not None and os.path.exists(target)
    if stands_for is None or not named:
        stands_for = target
    if not os.path.isdir(os.path.dirname(target)):
        raise _no_journal(name)
    with Folder(os.path.dirname(target)) as folder:
        own = os.path.basename(target)
        journals = [own] if named else journals_of(folder, own)
        if not journals:
            raise _no_journal(name, [folder.path_of(each) for each in journals_of(folder, own, whosoever=True)])
        row = _row_of(stands_for) if output is None else _row_of(output, strict=True)
        for each in reversed(journals):
            with orphan(folder, each, whosoever=named) as journal:
                if end_of_fragments(journal) == 0 and each != journals[0]:
                    continue  # of a writer that was killed before its first frame: an older one may hold some
                extension = os.path.splitext(stands_for)[1]
                destination = free_path(stands_for, extension) if output is None else os.path.realpath(output)
                notes = Notes()
                _write(journal, destination, row, notes)
                info = probe(destination)
                journal.remove()
                if each == hidden_entry(os.path.basename(stands_for), SUFFIX):  # of a writer killed in its last step
                    with contextlib.suppress(OSError):
                        free_name(folder, hidden_entry(os.path.basename(stands_for), FINISHED_SUFFIX))
                return Video.of(info.path, info, notes=(f"{info.frame_count} frames were recovered", *notes))
    raise AssertionError("the oldest journal is tried")


def _no_journal(name: str, others: Sequence[str] = ()) -> PublishError:
    if not others:
        return PublishError.of(errno.ENOENT, f"{name!r} has no journal: there is nothing to recover", name)
    whose = "another user's, a link, or open for all to write: to recover it all the same, name it"
    return PublishError.of(errno.EPERM, f"{name!r} has no journal of yours: {others[-1]!r} is {whose}", name)


def _row_of(path: str, strict: bool = False) -> Container | MovingImageFormat:
    try:
        row = output_of(path)
    except OptionError:
        if strict:
            raise
        return CONTAINERS["mp4"]  # it was exported with `format=`
    assert isinstance(row, (Container, MovingImageFormat))
    return row


def _write(journal: Journal, destination: str, row: Container | MovingImageFormat, notes: Notes) -> None:
    # Named after the journal, of which this is the only owner: a living writer's file has another name, and a recovery
    # that is run again takes what a killed one left.
    digest = hashlib.sha256(os.fsencode(journal.path)).hexdigest()[:8]
    name = os.path.basename(target_of(journal.path) or destination)
    with _saying(destination), Folder(os.path.dirname(destination)) as folder:
        finished = new_file(folder, hidden_entry(name, f".{digest}{FINISHED_SUFFIX}"))
        try:
            # What was private stays so.
            set_mode(finished.fileno(), stat.S_IMODE(journal.identity.st_mode) & 0o666)
            try:
                count = _rewritten(cast(BinaryIO, journal), cast(BinaryIO, finished), row, notes)
            except TelecineError:
                raise
            except (av.FFmpegError, ValueError):  # no index
                count = 0
            if count == 0:
                raise PublishError.of(errno.ENODATA, f"{journal.path!r} holds no whole frame", journal.path)
            os.fsync(finished.fileno())
            try:
                put(finished, os.path.basename(destination), overwrite=False)
            except FileExistsError as error:
                said = f"{destination!r} exists: name another output"
                raise PublishError.of(errno.EEXIST, said, destination) from error
            folder.sync()
        except BaseException:
            with contextlib.suppress(OSError):
                finished.close()
                finished.remove()
            raise


def _rewritten(journal: BinaryIO, finished: BinaryIO, row: Container | MovingImageFormat, notes: Notes) -> int:
    if isinstance(row, Container):
        return _with_sound(journal, finished, row, notes)
    from .moving_images import parse_quality, rewrite

    return rewrite(journal, finished, row.name, parse_quality(row.name, "high"))


def _with_sound(journal: BinaryIO, finished: BinaryIO, container: Container, notes: Notes) -> int:
    """Write the frames with the sound in the journal, or else without, which is noted; give how many there are."""
    track = track_in(journal)
    if track is None:
        return write_finished(journal, finished, container, torn=True)
    duration = duration_of(journal, torn=True)
    with captured_log() as lines:
        try:
            sound = soundtrack_of(track, journal, container, duration)
            return write_finished(journal, finished, container, torn=True, sound=sound)
        except (av.FFmpegError, ValueError) as error:
            why = in_words(error, lines)
    finished.seek(0)
    finished.truncate()
    count = write_finished(journal, finished, container, torn=True)
    notes.warn(f"the sound can't be recovered: {why}")
    return count


@contextlib.contextmanager
def _saying(path: str) -> Iterator[None]:
    try:
        yield
    except PublishError:
        raise
    except OSError as error:
        raise PublishError.of(
            error.errno or errno.EIO, f"{path!r} can't be written: {error.strerror or error}", path
        ) from error
