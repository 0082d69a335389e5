"""The one thread that a file belongs to from its opening to its end, and what feeds it.

Ctrl-C is raised in the main thread, never in this one: what it does to the file and to the journal it does to the end.
Others tell it what is to become of them, once, and wait for it to say that it has ended.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import chain
from queue import Empty
from typing import Any, NamedTuple

import av

from ..errors import EncodeError, PublishError, TelecineError
from ..files.quiet import take_closed_standard_descriptors
from ..publish.journal import Kept
from ..support.ffmpeg_log import captured_log, in_words
from ..support.handover import Channel, Decision, Latch, start_thread
from ..support.processors import encoder_threads
from .protocol import Encoder, Publishing, Shape
from .result import Video

_QUEUED_BYTES = 8 << 20  # five frames of 1360x768: enough to keep the encoder busy while the caller converts
_GRACE = 1.0  # seconds that `keep` gives to what is queued: Ctrl-C returns within two
_PATIENCE = 1.7  # seconds that it waits in all: the encoder may be in a call that takes longer
_LOOK_AGAIN = 0.2  # seconds after which one who waits sees that the thread was stopped by another


class _Fate(Enum):
    """What becomes of the file."""

    PUBLISHED = "published"
    KEPT = "kept"
    DROPPED = "dropped"


class _Picture(NamedTuple):
    """A converted frame, and when it is shown, in ticks."""

    shape: Shape[Any]
    picture: Any
    pts: int


class _End(NamedTuple):
    """What follows the last picture: when that is shown again."""

    repeats: Sequence[int] = ()


@dataclass
class _Box:
    """What is to stand between two frames, and what came of it."""

    data: bytes
    is_done: Latch = field(default_factory=Latch)
    error: PublishError | None = None


class EncodingThread:
    """Opens a publication, encodes converted frames into it in order, and ends it as `finish`, `keep` or `abort` says.

    An error waits for the caller's next call.
    """

    def __init__(self, path: str, open_publication: Callable[[], Publishing]) -> None:
        self._path, self._open_publication = path, open_publication
        self._items: Channel[Any] = Channel()
        self._at_end = False
        self._latest: _Picture | None = None
        self._stop_at = math.inf
        self._begun, self._opened, self._ended = Decision[bool](), Latch(), Latch()
        self._fate = Decision[_Fate]()
        self._identifier: int | None = None
        self._publication: Publishing | None = None
        self._error: BaseException | None = None
        self._video: Video | None = None
        self._kept = Kept()

    def open(self) -> None:
        """Open the publication. Raises what that does."""
        try:
            start_thread(self._run, "telecine-encode")
        except RuntimeError as error:
            raise EncodeError(f"{self._path!r} can't be written: {error}") from error
        self._opened.wait()
        self.check()

    @property
    def is_current(self) -> bool:
        """Whether this is the thread itself."""
        return threading.get_ident() == self._identifier

    @property
    def queued(self) -> int:
        """How many frames wait to be encoded."""
        return len(self._items)

    def put(self, shape: Shape[Any], picture: object, pts: int) -> None:
        """Queue a converted frame; waits while the queue is full. One at the time of the one before is left out.

        Raises:
            EncodeError, PublishError: the thread has failed.
            TelecineError: the thread was stopped.
        """
        self._put(_Picture(shape, picture, pts), shape.bytes_of_picture)

    def put_box(self, data: bytes) -> None:
        """Write a box to the journal, between two frames. Raises as `put`; after a PublishError more may come."""
        box = _Box(data)
        self._put(box, max(1, len(data)))
        while not box.is_done.wait(_LOOK_AGAIN):
            self._check_open()
        self.check()
        if box.error is not None:
            raise box.error

    def _put(self, item: object, size: int) -> None:
        self._check_open()
        while not self._items.has_room(max(2, _QUEUED_BYTES // size)):
            self._check_open()
        self._items.put(item)

    def check(self) -> None:
        """Raise what the thread has failed with, if it has."""
        if self._error is not None:
            raise self._error

    def _check_open(self) -> None:
        self.check()
        if self._ended.is_set or self._stop_at < math.inf:
            raise TelecineError(f"the writer of {self._path!r} is closed")

    def finish(self, repeats: Sequence[int] = ()) -> Video:
        """Encode what is queued, the last frame again at each of `repeats`, and publish the file. Raises as `put`."""
        self._check_open()
        self._items.put(_End(repeats))
        self._ended.wait()
        self.check()
        if self._video is None:
            raise TelecineError(f"the writer of {self._path!r} was aborted")
        return self._video

    def abort(self) -> None:
        """Drop what is queued and the journal."""
        self._stop(_Fate.DROPPED, at=-math.inf)
        if not self.is_current:
            self._ended.wait()

    def keep(self) -> Kept:
        """Encode what is queued, for a second at most, and let go of the journal. Again it only waits."""
        fate = self._stop(_Fate.KEPT, at=time.monotonic() + _GRACE)
        if self.is_current or self._ended.wait(_PATIENCE):
            return self._kept
        if fate is _Fate.DROPPED or self._publication is None:
            return Kept()
        return self._publication.give_up() if fate is _Fate.KEPT else self._publication.kept_meanwhile()

    def _stop(self, fate: _Fate, at: float) -> _Fate:
        """Tell the thread to end, and what is to become of the file, unless that is decided; gives what is."""
        fate = self._fate.make(fate)
        self._stop_at = min(self._stop_at, at)
        self._items.put(_End())
        if not self._begun.make(False):
            self._ended.set()
        return fate

    # ---- in the thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        if not self._begun.make(True):
            return
        self._identifier = threading.get_ident()
        try:
            take_closed_standard_descriptors()
            self._publication = self._open_publication()
            self._opened.set()
            self._end(self._made(self._publication), self._publication)
        except BaseException as error:  # it could not be opened
            self._error = error
        finally:
            self._opened.set()
            self._ended.set()

    def _made(self, publication: Publishing) -> Video | None:
        """Make the file of what is queued, up to the end; None where that failed or was stopped."""
        video = None
        with contextlib.ExitStack() as opened:
            lines: list[tuple[int, str, str]] = []
            try:
                for first in self._pictures(publication):
                    lines = opened.enter_context(captured_log())
                    threads = opened.enter_context(encoder_threads(first.shape.pixels))
                    job = first.shape.job(publication, threads)
                    self._encode(job.encoder(), chain([first], self._pictures(publication)))
                    if not self._is_told():
                        video = job.finish(self._is_told)
            except BaseException as error:
                self._error = self._as_telecine_error(error, lines, publication)
        for _ in self._pictures(publication):  # a writer that waits to put a frame must get to see the error
            pass
        return video

    def _pictures(self, publication: Publishing) -> Iterator[_Picture]:
        """Give the pictures that are queued, up to the end, and write the boxes; syncs while the caller is slow."""
        while not self._at_end:
            try:
                item = self._items.get(None if self._error else publication.sync_due_in())
            except Empty:
                publication.sync()
                continue
            latest = self._latest
            if isinstance(item, _End):
                self._at_end = True
                if latest is not None:
                    yield from (latest._replace(pts=pts) for pts in item.repeats)
            elif isinstance(item, _Box):
                self._insert(item, publication)
            elif latest is None or item.pts > latest.pts:  # or else its `write` was interrupted, and it came again
                self._latest = item
                yield item

    def _insert(self, box: _Box, publication: Publishing) -> None:
        try:
            if self._error is None:
                publication.insert(box.data)
        except PublishError as error:
            box.error = error
        box.is_done.set()

    def _encode(self, encoder: Encoder[Any], pictures: Iterable[_Picture]) -> None:
        try:
            last: _Picture | None = None  # not for reuse yet: it may be repeated
            for each in pictures:
                if not self._stopped():
                    encoder.encode(each.picture, each.pts)
                if last is not None and last.picture is not each.picture:
                    last.shape.release(last.picture)
                last = each
            encoder.finish(self._stopped)
        except BaseException:
            with contextlib.suppress(Exception):
                encoder.close()
            raise

    def _end(self, video: Video | None, publication: Publishing) -> None:
        """Do with the file what was decided."""
        fate = self._fate.make(_Fate.KEPT if video is None else _Fate.PUBLISHED)
        if fate is _Fate.PUBLISHED:
            try:
                publication.commit()
                self._video = video
                return
            except BaseException as error:
                self._error = self._as_telecine_error(error, [], publication)
        if fate is _Fate.DROPPED:
            publication.discard()
        else:
            self._kept = publication.keep()

    def _stopped(self) -> bool:
        return time.monotonic() >= self._stop_at

    def _is_told(self) -> bool:
        return self._stop_at < math.inf

    def _as_telecine_error(
        self, error: BaseException, lines: list[tuple[int, str, str]], publication: Publishing
    ) -> TelecineError:
        failed: TelecineError
        if isinstance(error, TelecineError):
            return error
        if isinstance(error, OSError) and not isinstance(error, av.FFmpegError):
            failed = publication.failure(error)
        else:
            failed = EncodeError(f"the encoder failed: {in_words(error, lines)}")
        failed.__cause__ = error
        return failed
