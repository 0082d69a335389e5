"""The clips of a folder while a run goes on: looked at again when somebody asks, and what is new since a moment."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from itertools import takewhile
from queue import SimpleQueue

from ..support.handover import Latch, start_thread
from ..support.in_order import in_parallel
from ..support.processors import available_processors
from .clips import Clip, ClipFolder, Stamp

_BETWEEN_LOOKS = 1.0  # seconds, and no less than ten times what the names took: 10,000 on a disk take a tenth
_AT_A_TIME = 64  # files; a second or two
_PATIENCE = 0.5  # seconds that the end waits for a file that is being read: Ctrl-C returns within two


@dataclass(frozen=True)
class Changes:
    """What became of the clips since a version: those that are there by now, and the ids of those that are not.

    `whole` tells that the version is not known, as after a new start: the clips are all there are. `left` is how many
    files are still to be looked at.
    """

    version: int
    clips: list[Clip]
    gone: list[str]
    whole: bool
    left: int


class Shelf:
    """The clips of a folder by their ids. As a context, a thread looks at the folder whenever it is asked about."""

    def __init__(self, folder: ClipFolder) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        # The version at which each came or went, which grows along the dict: None stands for one that went.
        self._clips: dict[str, tuple[int, Clip | None]] = {}
        self._ids: dict[str, str] = {}  # by their names
        self._seen: dict[str, Stamp] = {}  # by their names, of those too that are no clips
        # A later start begins with a larger one: no clip comes each second of a day.
        self._first = self._version = int(time.time())
        self._left, self._pause = 0, _BETWEEN_LOOKS
        self._asked: SimpleQueue[None] = SimpleQueue()
        self._stop, self._stopped = Latch(), Latch()

    def __enter__(self) -> Shelf:
        start_thread(self._run, "telecine-shelf")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._asked.put(None)
        self._stopped.wait(_PATIENCE)

    def clip(self, id: str) -> Clip | None:
        """Give the clip of an id, whatever somebody made up."""
        return self._clips.get(id, (0, None))[1]

    def changes(self, since: int = 0) -> Changes:
        """Give what became of the clips since a version, and have the folder looked at again."""
        if self._asked.empty():
            self._asked.put(None)
        with self._lock:
            whole = not self._first <= since <= self._version
            rows = reversed(self._clips.items())
            new = list(rows if whole else takewhile(lambda row: row[1][0] > since, rows))
            clips = [clip for _, (_, clip) in new if clip is not None]
            gone = [id for id, (_, clip) in new if clip is None]
            return Changes(self._version, clips, [] if whole else gone, whole, self._left)

    def _run(self) -> None:
        try:
            while not self._stop.is_set:
                self.look()
                if not self._left:
                    self._stop.wait(self._pause)
                    self._asked.get()
                    while not self._asked.empty():
                        self._asked.get()
        finally:
            self._stopped.set()

    def look(self) -> None:
        """Look at what is new in the folder, the newest first, up to some: more may have come by then."""
        begun = time.monotonic()
        found = self.folder.find()
        self._pause = max(_BETWEEN_LOOKS, 10 * (time.monotonic() - begun))
        for name in [name for name, stamp in self._seen.items() if found.get(name) != stamp]:
            del self._seen[name]
            if name in self._ids:
                self._put(self._ids.pop(name), None)
        new = sorted(found.keys() - self._seen.keys(), key=lambda name: (-found[name].modified, name))
        self._left = len(new)
        names = new[:_AT_A_TIME]
        read = in_parallel(lambda name: self.folder.read(name, found[name]), names, available_processors(), "clips")
        for name, clip in zip(names, read, strict=True):
            self._left -= 1
            self._seen[name] = found[name]
            if clip is not None:
                self._ids[name] = clip.id
                self._put(clip.id, clip)
            if self._stop.is_set:
                return

    def _put(self, id: str, clip: Clip | None) -> None:
        with self._lock:
            self._version += 1
            self._clips.pop(id, None)  # so that it comes last
            self._clips[id] = self._version, clip
