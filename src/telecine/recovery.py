"""What a writer that died left behind, made playable."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import shutil
import stat
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import av

from .container.boxes import end_of_fragments
from .encode.finish import write_finished
from .encode.journal_packets import duration_of
from .errors import OptionError, PublishError, TelecineError
from .files.files import stored_path
from .files.quiet import take_closed_standard_descriptors
from .files.urls import InStore, StorageOptions, local_path, options_of_urls
from .formats.choose import OUTPUTS, output_of
from .formats.containers import CONTAINERS, PLAYLISTS, Container, PlaylistFormat
from .formats.images import SEQUENCES, MovingImageFormat
from .output.result import Video
from .publish.access import set_mode
from .publish.destination import free_path, naming
from .publish.folder import SUFFIX as FOLDER_SUFFIX
from .publish.folder import folders_in, has_left, left_in, locked, recover_folder
from .publish.frame_files import is_frame, size_of_frames
from .publish.hidden import free_name, new_file, put
from .publish.journal import NOT_OURS, SUFFIX, Journal, hidden_entry, journals_in, journals_of, orphan, target_of
from .publish.open_folder import Folder, os_error
from .publish.publication import FINISHED_SUFFIX
from .read.probe import probe, probe_whole
from .sound.encode import soundtrack_of
from .sound.track import track_in
from .support.ffmpeg_log import captured_log, in_words
from .support.handover import Latch
from .support.native_calls import Watched, run_apart
from .support.notes import Notes

if TYPE_CHECKING:
    from .stores.addresses import StoredPath


def recover(
    path: str | os.PathLike[str] | InStore,
    output: str | os.PathLike[str] | None = None,
    *,
    storage_options: StorageOptions | None = None,
) -> Video:
    """Make a video of the frames that an export left in its journal when it was killed, or failed, with their sound.

    Of a playlist it makes one file beside it, of a moving image one again, of "high" quality; of a folder of images the
    images before the first that is missing, whose `Video` has no rate: its `fps` and `duration` are 0.

    Args:
        path: The path, the URL or the (store, name) that the export was to write, or the journal itself.
        output: Where the video goes; folders that are missing are made. Without one it is `path`, or where that exists
            `clip.recovered.mp4` beside it. To a URL it goes if nothing is there.
        storage_options: What the store of a URL is opened with, as for `export_video`.

    The journal is removed once the video is at its path, synced, and was read back with all the frames that were
    recovered; one that can't be removed, as on a disk that is read-only, is left where it is. A recovery can be killed
    and run again. What is left out, or left there, a warning and the video's notes tell.

    Raises:
        PublishError: there is no journal, its writer lives, it holds no whole frame, or `output` exists or can't be
            written.
        OptionError: `output` is of no kind that holds what was left.
    """
    options_of_urls(storage_options, path)
    if (stored := stored_path(path, storage_options)) is not None:
        return _recovered_for_store(stored, output)
    name = local_path(cast("str | os.PathLike[str]", path), "read")
    to = None if output is None else local_path(output)
    notes, stop = Notes(), Latch()

    def recovered() -> Video:
        take_closed_standard_descriptors()
        target = os.path.realpath(name)
        folder = target_of(target, FOLDER_SUFFIX) or target
        return _recovered_folder(folder, to) if has_left(folder) else _recovered(name, to, notes, stop)

    with naming(name, "recovered"):
        video = run_apart(recovered, stop=stop)
    notes.tell()
    return video


def _recovered_for_store(stored: StoredPath, output: str | os.PathLike[str] | None) -> Video:
    """Recover what was to go to a URL, and remove what was uploaded of it."""
    from .deliver.staging import staged_path  # start-up: few files go to a store
    from .deliver.stores import Store

    format = _format_left(stored)
    left = staged_path(str(stored).rstrip("/"), OUTPUTS[format])
    if format in PLAYLISTS:
        format, stored = "mp4", stored.renamed(os.path.splitext(stored)[1], ".mp4")
    store = Store(stored, format, output is not None)
    store.prepare()
    video = recover(left, output)
    if output is not None:
        return video
    if os.path.isdir(video):
        store.deliver_folder(os.fspath(video), [each.name for each in os.scandir(video) if is_frame(each)])
        shutil.rmtree(video)
    else:
        with video.open() as file:
            store.deliver(file)
        os.remove(video)
    return replace(video, path=store.where)


def _format_left(stored: StoredPath) -> str:
    """Tell in which format a URL was to be written, by what was staged for it; first in that of its extension.

    Raises:
        PublishError: nothing was.
    """
    from .deliver.staging import make_folder_of, staged_path  # start-up: few files go to a store

    place = str(stored)
    paths = {name: staged_path(place.rstrip("/"), row) for name, row in OUTPUTS.items()}
    make_folder_of(paths["mp4"])
    with Folder(os.path.dirname(paths["mp4"])) as around:
        names = {name: os.path.basename(path) for name, path in paths.items()}
        left = [each for each, name in names.items() if left_in(around, name) or journals_of(around, name)]
    if not left:
        raise _no_journal(place)
    extension = os.path.splitext(place)[1].lower()
    return max(left, key=lambda each: extension in getattr(OUTPUTS[each], "extensions", ()))


def orphans_in(folder: str | os.PathLike[str]) -> tuple[list[Path], dict[Path, str]]:
    """Give the journals in a folder, and the hidden folders of images, whose writers are dead.

    And what has such a name and can't be read, with why.

    Raises:
        PublishError: the folder can't be read.
    """
    found, odd = [], {}
    with naming(os.fsdecode(folder), "listed"), Folder(os.path.realpath(folder)) as around:
        hidden_folders = folders_in(around)
        for name in [*journals_in(around, whosoever=True), *hidden_folders]:
            path = Path(folder, name)
            try:
                with locked(around, name, name) if name in hidden_folders else orphan(around, name) as left:
                    if isinstance(left, Journal) and end_of_fragments(left) == 0:
                        odd[path] = "it holds no whole frame"
                    else:
                        found.append(path)
            except FileNotFoundError:  # its writer has finished
                pass
            except PublishError as error:
                if error.errno != errno.EBUSY:  # its writer lives
                    odd[path] = NOT_OURS
            except OSError as error:
                odd[path] = error.strerror or str(error)
    return found, odd


def _recovered_folder(target: str, output: str | None) -> Video:
    folder, count = recover_folder(target, output)
    image = min(Path(folder).iterdir())
    first = probe(io.BytesIO(image.read_bytes()))  # by its name FFmpeg takes a large JPEG for a pattern of names
    return Video(
        path=Path(folder),
        width=first.width,
        height=first.height,
        fps=Fraction(0),
        frame_count=count,
        duration=Fraction(0),
        codec=next(row.name for row in SEQUENCES.values() if row.extension == image.suffix),
        size_bytes=size_of_frames(folder)[1],
        notes=(f"{count} frames were recovered",),
    )


def _recovered(name: str, output: str | None, notes: Notes, stop: Latch) -> Video:
    """Make the video and remove the journal, if all of it is in the video; give what is in that."""
    target = os.path.realpath(name)
    stands_for = target_of(target)
    named = stands_for is not None and os.path.exists(target)
    path = stands_for if stands_for is not None and named else target
    if not os.path.isdir(os.path.dirname(target)):
        raise _no_journal(name)
    with contextlib.ExitStack() as opened:
        folder = opened.enter_context(Folder(os.path.dirname(target)))
        own = os.path.basename(target)
        journals = [own] if named else journals_of(folder, own)
        if not journals:
            raise _no_journal(name, [folder.path_of(each) for each in journals_of(folder, own, whosoever=True)])
        row = _row_of(path) if output is None else _row_of(output, strict=True)
        journal = _newest(folder, journals, named, opened)
        destination = _free_path_for(path) if output is None else os.path.realpath(output)
        count = _write(journal, destination, row, notes, stop)
        info = probe_whole(destination)
        _remove(journal, os.path.basename(path), count, info.frame_count, notes)
        return Video.of(info.path, info, notes=(f"{info.frame_count} frames were recovered", *notes))


def _no_journal(name: str, others: Sequence[str] = ()) -> PublishError:
    if not others:
        return PublishError.of(errno.ENOENT, f"{name!r} has no journal: there is nothing to recover", name)
    said = f"{name!r} has no journal of yours: {others[-1]!r} is {NOT_OURS}: to recover it all the same, name it"
    return PublishError.of(errno.EPERM, said, name)


def _newest(folder: Folder, journals: Sequence[str], named: bool, opened: contextlib.ExitStack) -> Journal:
    """Open the newest journal that holds frames, or else the oldest. What has its name and can't be read is no bar."""
    for name in reversed(journals):
        last = name == journals[0]
        try:
            journal = opened.enter_context(orphan(folder, name, whosoever=named))
        except OSError as error:
            if last or isinstance(error, PublishError):
                raise
            continue
        if last or end_of_fragments(journal) > 0:  # a writer may have been killed before its first frame
            return journal
    raise AssertionError("the oldest journal is tried")


def _remove(journal: Journal, target: str, count: int, in_file: int, notes: Notes) -> None:
    """Remove a journal of `count` frames if they are all in the new file, and note where it can't be."""
    left = f"the journal {journal.path!r} is left where it is"
    if in_file < count:
        notes.warn_later(f"{in_file} of {count} frames are in the new file: {left}")
        return
    try:
        journal.remove()
    except OSError as error:
        notes.warn_later(f"{left}: {error.strerror}")
        return
    if journal.entry == hidden_entry(target, SUFFIX):  # of a writer that was killed in its last step
        with contextlib.suppress(OSError):
            free_name(journal.parent, hidden_entry(target, FINISHED_SUFFIX))


def _row_of(path: str, strict: bool = False) -> Container | MovingImageFormat:
    try:
        row = output_of(path)
    except OptionError:
        if strict:
            raise
        return CONTAINERS["mp4"]  # it was exported with `format=`
    if isinstance(row, PlaylistFormat):
        if strict:
            raise OptionError(f"{path!r} is a playlist, and a recovery makes one file: name an .mp4")
        return row.segments
    assert isinstance(row, (Container, MovingImageFormat))
    return row


def _free_path_for(path: str) -> str:
    """Give where what was to go to a path is put: there, or beside it; beside a playlist is one file."""
    stem, extension = os.path.splitext(path)
    extension = ".mp4" if extension in PLAYLISTS["hls"].extensions else extension
    return free_path(stem + extension, extension)


def _write(journal: Journal, destination: str, row: Container | MovingImageFormat, notes: Notes, stop: Latch) -> int:
    """Write the new file and give how many frames it is to have."""
    # Named after the journal, of which this is the only owner: a living writer's file has another name, and a recovery
    # that is run again takes what a killed one left.
    digest = hashlib.sha256(os.fsencode(journal.path)).hexdigest()[:8]
    name = os.path.basename(target_of(journal.path) or destination)
    around = os.path.dirname(destination)
    with naming(destination, "written"):
        os.makedirs(around, exist_ok=True)  # as an export does
    with naming(destination, "written"), Folder(around) as folder:
        finished = new_file(folder, hidden_entry(name, f".{digest}{FINISHED_SUFFIX}"))
        try:
            set_mode(finished.fileno(), stat.S_IMODE(journal.identity.st_mode) & 0o666)  # what was private stays so
            source = cast(BinaryIO, Watched(cast(BinaryIO, journal), stop))
            try:
                count = _rewritten(source, cast(BinaryIO, finished), row, notes)
            except TelecineError:
                raise
            except (av.FFmpegError, ValueError):  # no index
                count = 0
            if count == 0:
                raise PublishError.of(errno.ENODATA, f"{journal.path!r} holds no whole frame", journal.path)
            os.fsync(finished.fileno())
            if stop.is_set:
                raise os_error(errno.EINTR)
            try:
                put(finished, os.path.basename(destination), overwrite=False)
            except FileExistsError as error:
                said = f"{destination!r} exists: name another output"
                raise PublishError.of(errno.EEXIST, said, destination) from error
        except BaseException:
            with contextlib.suppress(OSError):
                finished.close()
            with contextlib.suppress(OSError):
                finished.remove()
            raise
        folder.sync()
    return count


def _rewritten(journal: BinaryIO, finished: BinaryIO, row: Container | MovingImageFormat, notes: Notes) -> int:
    if isinstance(row, Container):
        return _with_sound(journal, finished, row, notes)
    from .images.moving import parse_quality, rewrite  # start-up: Pillow, which few journals need

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
    notes.warn_later(f"the sound can't be recovered: {why}")
    return count
