"""The one thread that owns an encoder and its muxer, and the bounded queue that feeds it."""

from __future__ import annotations

import contextlib
import math
import queue
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import av

from .errors import EncodeError, TelecineError
from .ffmpeg_log import captured_log, in_words
from .outputs import Encoder, Output, Publishing

_QUEUED_BYTES = 8 << 20  # five frames of 1360x768: enough to keep the encoder busy while the caller converts
_GRACE = 1.0  # seconds that `keep` gives to what is queued: Ctrl-C returns within two
_LOOK_AGAIN = 0.2  # seconds after which a caller that waits for room sees that the thread was stopped by another


class EncodingThread:
    """Encodes converted frames into a file, in order, until `finish` or `abort`.

    An error waits for the caller's next call.
    """

    def __init__(self, publication: Publishing, output: Output[Any], threads: int) -> None:
        self._publication, self._output, self._threads = publication, output, threads
        self._queue: queue.Queue[Any] = queue.Queue(max(2, _QUEUED_BYTES // output.bytes_of_frame))
        self._stop_at = math.inf
        self._repeats: Sequence[int] = ()
        self._error: TelecineError | None = None
        # A daemon, for an open writer must not keep the interpreter from ending: the writer's finalizer stops it then.
        self._thread = threading.Thread(target=self._run, name="telecine-encode", daemon=True)

    def start(self) -> None:
        """Open the encoder and wait for frames."""
        self._thread.start()

    @property
    def queued(self) -> int:
        """How many frames wait to be encoded."""
        return self._queue.qsize()

    def put(self, frame: object) -> None:
        """Queue a converted frame, or None for the end; waits while the queue is full.

        Raises:
            EncodeError, PublishError: the thread has failed.
            TelecineError: the thread was stopped.
        """
        while True:
            self.check()
            if not self._thread.is_alive():
                raise TelecineError(f"the writer of {self._publication.path!r} is closed")
            with contextlib.suppress(queue.Full):
                return self._queue.put(frame, timeout=_LOOK_AGAIN)

    def check(self) -> None:
        """Raise what the thread has failed with, if it has."""
        if self._error is not None:
            raise self._error

    def finish(self, repeats: Sequence[int] = ()) -> None:
        """Encode what is queued, the last frame again at each of `repeats`, and complete the file. Raises as `put`."""
        self._repeats = repeats
        self.put(None)
        self._thread.join()
        self.check()

    def abort(self) -> None:
        """Drop what is queued and let go of the journal."""
        self._stop(at=-math.inf)

    def keep(self) -> int:
        """Encode what is queued, for a second at most, and complete the journal. Gives the frames that are in it."""
        self._stop(at=time.monotonic() + _GRACE)
        with contextlib.suppress(OSError, ValueError):  # ValueError: it is closed
            # Counted in the journal: of the last frame, a part may be on the disk.
            return self._publication.whole_frames()
        return 0

    def _stop(self, at: float) -> None:
        self._stop_at = at
        if self._thread.ident is None or self._thread is threading.current_thread():
            return
        while self._thread.is_alive():  # it drains the queue to its first None, after an error too
            with contextlib.suppress(queue.Full):
                self._queue.put(None, timeout=_LOOK_AGAIN)
                break
        self._thread.join()

    def _run(self) -> None:
        frames = self._frames()
        with captured_log() as lines:
            try:
                self._encode(self._output.encoder(self._threads), frames)
            except BaseException as error:
                self._error = self._as_telecine_error(error, lines)
        for _ in frames:  # a writer that waits to put a frame must get to see the error
            pass

    def _frames(self) -> Iterator[Any]:
        """Give what is queued, up to the end; syncs the journal while the caller is slow."""
        publication = self._publication
        while True:
            try:
                frame = self._queue.get(timeout=publication.sync_due_in() if self._error is None else None)
            except queue.Empty:
                publication.sync()
                continue
            if frame is None:
                return
            yield frame

    def _encode(self, encoder: Encoder[Any], frames: Iterable[Any]) -> None:
        try:
            last: Any = None  # not for reuse yet: it may be repeated
            for frame in frames:
                if not self._stopped():
                    encoder.encode(frame)
                if last is not None:
                    self._output.release(last)
                last = frame
            for pts in self._repeats:
                if last is not None and not self._stopped():
                    last.pts = pts
                    encoder.encode(last)
            encoder.finish(self._stopped)
        except BaseException:
            with contextlib.suppress(Exception):
                encoder.close()
            raise

    def _stopped(self) -> bool:
        return time.monotonic() >= self._stop_at

    def _as_telecine_error(self, error: BaseException, lines: list[tuple[int, str, str]]) -> TelecineError:
        failed: TelecineError
        if isinstance(error, TelecineError):
            return error
        if isinstance(error, OSError) and not isinstance(error, av.FFmpegError):
            failed = self._publication.failure(error)
        else:
            failed = EncodeError(f"the encoder failed: {in_words(error, lines)}")
        failed.__cause__ = error
        return failed
