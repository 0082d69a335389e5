"""The one thread that owns an encoder and its muxer, and the bounded queue that feeds it."""

from __future__ import annotations

import contextlib
import errno
import queue
import threading
from collections.abc import Iterable
from typing import BinaryIO

import av
from av import VideoFrame

from .color import Color
from .encode import Encoder, EncoderSettings
from .errors import EncodeError, PublishError, TelecineError
from .ffmpeg_log import captured_log, in_words

_QUEUED_FRAMES = 8  # 12 MiB of planes at 1360x768: enough to keep the encoder busy while the caller converts


class EncodingThread:
    """Encodes planes into a file, in order, until `finish` or `abort`; an error waits for the caller's next call."""

    def __init__(self, file: BinaryIO, settings: EncoderSettings, color: Color, width: int, height: int) -> None:
        self._queue: queue.Queue[VideoFrame | None] = queue.Queue(_QUEUED_FRAMES)
        self._aborted = threading.Event()
        self._error: TelecineError | None = None
        # A daemon, for an open writer must not keep the interpreter from ending: the writer's finalizer stops it then.
        self._thread = threading.Thread(
            target=self._run, args=(file, settings, color, width, height), name="telecine-encode", daemon=True
        )
        self._thread.start()

    def put(self, planes: VideoFrame) -> None:
        """Queue a frame; waits while the queue is full. Raises the error that the thread met."""
        if self._error is not None:
            raise self._error
        self._queue.put(planes)

    def finish(self) -> None:
        """Encode what is queued and complete the file. Raises the error that the thread met."""
        self._queue.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def abort(self) -> None:
        """Drop what is queued and let go of the file."""
        self._aborted.set()
        if not self._thread.is_alive() or self._thread is threading.current_thread():
            return
        self._queue.put(None)  # the thread drains the queue to its first None, so this can't wait forever
        self._thread.join()

    def _run(self, file: BinaryIO, settings: EncoderSettings, color: Color, width: int, height: int) -> None:
        frames = iter(self._queue.get, None)
        with captured_log() as lines:
            try:
                self._encode(Encoder(file, settings, color, width, height), frames)
            except BaseException as error:
                self._error = _as_telecine_error(error, lines, file)
        for _ in frames:  # a writer that waits to put a frame must get to see the error
            pass

    def _encode(self, encoder: Encoder, frames: Iterable[VideoFrame]) -> None:
        try:
            for frame in frames:
                if not self._aborted.is_set():
                    encoder.encode(frame)
            encoder.finish(self._aborted.is_set)
        except BaseException:
            with contextlib.suppress(Exception):
                encoder.abandon()
            raise


def _as_telecine_error(error: BaseException, lines: list[tuple[int, str, str]], file: BinaryIO) -> TelecineError:
    if isinstance(error, OSError) and not isinstance(error, av.FFmpegError):
        failed = PublishError.of(error.errno or errno.EIO, f"writing failed: {error.strerror or error}", file.name)
    else:
        failed = EncodeError(f"the encoder failed: {in_words(error, lines)}")  # type: ignore[assignment]
    failed.__cause__ = error
    return failed
