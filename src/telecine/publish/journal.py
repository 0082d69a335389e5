"""The journal: a hidden fragmented MP4 beside the target, which keeps every frame in it should its writer die.

It is named after the target, `.clip.mp4.telecine-journal`, and locked while its writer lives. One that a dead writer
left is set aside, as `.clip.mp4.telecine-journal-1f6a09e2`, when another writer takes the name.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
from collections.abc import Iterator
from typing import NamedTuple, cast

from ..container.boxes import Box, end_of_fragments, top_level_boxes, whole_fragments
from ..errors import PublishError
from ..files.checksums import Checksums
from .hidden import HiddenFile, free_name, newest_last, open_ours
from .locks import release_lock
from .open_folder import CREATE, Folder, os_error, token

SUFFIX = ".telecine-journal"
NOT_OURS = "another user's, no file, or open for all to write"
_NAME_BYTES = 255  # what every common filesystem allows in a name
_ASIDE_BYTES = 9
_OF_A_MUXER = (b"ftyp", b"moov", b"moof", b"mdat", b"mfra")
_SECONDS_AT_RISK = 1.0  # what a power cut may cost: how long written frames may stay unsynced


class Kept(NamedTuple):
    """What a writer that failed leaves: how many frames a recovery will find, and where.

    `place` is the journal or hidden folder; it `moved` where the export's own path does not lead a recovery to it. Of
    `lost` frames no name leads to them any more.
    """

    frames: int = 0
    place: str = ""
    moved: bool = False
    lost: int = 0


class Journal(HiddenFile):
    """An open journal. What is written is synced within a second, if its writer looks at `sync_due_in` when idle."""

    def __init__(self, parent: Folder, entry: str, flags: int = CREATE, mode: int = 0o600) -> None:
        super().__init__(parent, entry, flags, mode)
        self._unsynced_since: float | None = None
        self._folder_synced = False
        self._checksums = Checksums()
        self.given_up = False

    def insert(self, box: bytes) -> None:
        """Write a box that is no fragment's; after an error nothing is left of it, for fragments may follow."""
        start, before = self.tell(), self._checksums.latest
        try:
            self.write(box)
        except BaseException:
            with contextlib.suppress(OSError):
                self.seek(start)
                self.truncate()
                self._checksums.go_back(before)
            raise

    def write(self, data: object) -> int:
        """Write all of it, unless it was given up."""
        if self.given_up:
            return memoryview(cast(bytes, data)).nbytes
        if self._unsynced_since is None:
            self._unsynced_since = time.monotonic()
        start = self.tell()
        written = super().write(data)
        self._checksums.add(start, cast(bytes, data))
        if self.sync_due_in() == 0:
            self.sync()
        return written

    def begin_anew(self) -> bytes:
        """Drop what was written; gives the boxes that were inserted, which are to be inserted again."""
        if self.given_up:
            return b""
        inserted = [box for box in top_level_boxes(self) if box.kind not in _OF_A_MUXER]
        kept = b"".join(self._read(box) for box in inserted)
        self.seek(0)
        self.truncate()
        self._checksums = Checksums()
        return kept

    def _read(self, box: Box) -> bytes:
        self.seek(box.start)
        return self.read(box.end - box.start)

    def sync_due_in(self) -> float | None:
        """How many seconds what is written may still stay unsynced; None where all is synced."""
        if self._unsynced_since is None:
            return None
        return max(0.0, self._unsynced_since + _SECONDS_AT_RISK - time.monotonic())

    def sync(self) -> None:
        """Bring what is written, and the name, to the disk."""
        os.fsync(self.fileno())
        if not self._folder_synced:
            self.parent.sync()
            self._folder_synced = True
        self._unsynced_since = None

    def cut_damage(self) -> int | None:
        """Cut off what is not as it was written, with the frames after it; gives where that began, None of nothing."""
        whole = self._checksums.whole(self)
        if whole == self._checksums.latest.end:
            return None
        ends = [box.end for box in whole_fragments(self) if box.end <= whole]
        self.truncate(max(ends, default=0))
        return whole

    def kept(self) -> Kept:
        """Count the frames that are whole in it, and tell where it is."""
        count, place = sum(1 for _ in whole_fragments(self)), self.place()
        if count == 0:
            return Kept()
        return Kept(lost=count) if place is None else Kept(count, place, place != self.path)

    def give_up(self) -> Kept:
        """Tell what is in it, and unlock it, while another thread still has it open: that writes nothing more."""
        if self.look().frames == 0:  # it is left to the other thread
            return Kept()
        self.given_up = True
        kept = self.look()
        release_lock(self.fileno())
        return kept

    def look(self) -> Kept:
        """Count as `kept` does, without moving to where the other thread would write."""
        place = self.place()
        if place is None:
            return Kept()
        with open(place, "rb") as file:
            return Kept(sum(1 for _ in whole_fragments(file)), place, place != self.path)


def open_journal(folder: Folder, name: str, mode: int) -> Journal:
    """Make and lock the journal of a target, empty; what a dead writer left in it is set aside.

    It is never one that was there: somebody may have it open. Where somebody else's entry has its name, it has another.

    Args:
        folder: The target's.
        name: The target's.
        mode: The permissions, less the umask.

    Raises:
        PublishError: another writer lives.
        OSError: the folder can't be written.
    """
    entry, path = hidden_entry(name, SUFFIX), folder.path_of(name)
    while True:
        with contextlib.suppress(FileNotFoundError):
            if not _cleared(folder, entry, path):
                entry = free_name(folder, hidden_entry(name, SUFFIX) + token())
        try:
            journal = Journal(folder, entry, CREATE, mode)
        except FileExistsError:  # another writer was faster
            continue
        try:
            journal.lock_for_writer(path)
            if journal.is_there():
                return journal
        except BaseException:
            journal.close()
            raise
        journal.close()


def _cleared(folder: Folder, entry: str, path: str) -> bool:
    """Set a dead writer's journal aside, or remove it if it holds no frame; False where the entry isn't ours."""
    left = open_ours(folder, entry, Journal)
    if left is None:
        return False
    with left:
        left.lock_for_writer(path)
        if left.is_there():
            if end_of_fragments(left) > 0:
                left.move(entry + token())
            else:
                left.remove()
    return True


def hidden_entry(name: str, suffix: str) -> str:
    """Give a hidden name for the target's; of a long one its beginning and a hash."""
    encoded = os.fsencode(name)
    room = _NAME_BYTES - max(len(suffix), len(SUFFIX) + _ASIDE_BYTES) - 1
    if len(encoded) > room:
        import hashlib  # start-up: few names are that long

        digest = "~" + hashlib.sha256(encoded).hexdigest()[:16]
        name = encoded[: room - len(digest)].decode("utf-8", "ignore") + digest
    return f".{name}{suffix}"


def journals_in(folder: Folder, whosoever: bool = False) -> list[str]:
    """Give the names of the journals in a folder that are ours, or whosoever's, newest last; their writers may live."""
    names = [name for name in folder.names() if target_of(name) is not None]
    return newest_last(folder, names) if whosoever else newest_last(folder, names, folder.is_our_file)


def target_of(hidden: str | os.PathLike[str], suffix: str = SUFFIX) -> str | None:
    """Give the path that a hidden name stands for, of a long one what is left of it; None if it is no journal's.

    `suffix` is that of another kind of hidden name.
    """
    if suffix not in os.fspath(hidden):  # at once: each export looks at all names in its folder, which may be many
        return None
    folder, name = os.path.split(os.fspath(hidden))
    kind = re.search(re.escape(suffix) + r"(-[0-9a-f]{8})?$", name)
    return os.path.join(folder, name[1 : kind.start()]) if kind and kind.start() > 1 and name[0] == "." else None


def journals_of(folder: Folder, name: str, whosoever: bool = False) -> list[str]:
    """Give those of a target, those set aside among them."""
    own = target_of(hidden_entry(name, SUFFIX))
    return [each for each in journals_in(folder, whosoever) if target_of(each) == own]


@contextlib.contextmanager
def orphan(folder: Folder, name: str, whosoever: bool = False) -> Iterator[Journal]:
    """Open and lock the journal of a dead writer: ours, or whosoever's.

    Raises:
        PublishError: its writer lives, or it isn't ours.
        OSError: it is gone, or can't be read.
    """
    path = folder.path_of(name)
    journal = open_ours(folder, name, Journal, whosoever)
    if journal is None:
        raise PublishError.of(errno.EPERM, f"{path!r} is no journal of yours: it is {NOT_OURS}", path)
    with journal:
        if not journal.lock():
            raise PublishError.of(errno.EBUSY, f"{path!r} belongs to a writer that is still at work", path)
        if not journal.is_there():  # its writer has finished since it was opened
            raise os_error(errno.ENOENT, path)
        yield journal


def remove_orphans(folder: Folder, name: str) -> None:
    """Remove a target's journals that were set aside."""
    for each in journals_of(folder, name):
        with contextlib.suppress(OSError, PublishError), orphan(folder, each) as left:
            left.remove()
