"""`VideoWriter`: the line put together. Frames are converted in the caller's thread and encoded in another.

write → recognise → planes → [bounded queue] → encoding thread: encode → journal → finished file → check → publish
"""

from __future__ import annotations

import os
import threading
import warnings
import weakref
from _thread import start_new_thread
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from fractions import Fraction
from operator import length_hint
from types import TracebackType
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from .deliver.ranks import share_of, use_up
from .deliver.target import Output, Target, target_of
from .errors import FrameError, OptionError, TelecineError, TelecineWarning
from .formats.choose import output_of
from .frames.options import complete, with_options
from .frames.recognise import Frames, count_frames
from .output.options import WriterOptions
from .output.prepare import prepare
from .output.progress import Reporter, check_progress, reporting
from .output.protocol import Publishing, Shape
from .output.result import Video
from .output.thread import EncodingThread
from .publish.journal import Kept
from .sound.forms import Audio
from .support.clock import Clock, Timestamps
from .support.notes import Notes, callers_line
from .support.rate import parse_fps
from .support.words import shell_word

if TYPE_CHECKING:
    from .deliver.live import Sink

_LOOK_AGAIN = 0.2  # seconds after which one who waits for another thread's `write` sees that the writer was closed


@with_options(WriterOptions)
class VideoWriter:
    """Writes frames to a video file, a moving image or a folder of images as they come.

    Every option is checked, a trial encoder opened and the folder written to before this returns. Leaving the `with` by
    an exception leaves the path as it was. The arrays given may be reused at once. Several threads may write: each call
    waits for the one before it, so that its frames stay together. A writer that is never closed makes no file: what it
    keeps is told in a `TelecineWarning`.

    Args:
        path: The file to write; missing folders are made. Or a URL such as "s3://bucket/clip.mp4", or a store of
            obstore's with a name in it, as (store, "clip.mp4"), or a file object that takes bytes, such as
            `io.BytesIO()`: each gets the finished and checked file, but for one that can't be gone back in, such as a
            pipe, which gets the video while it grows. Without one, a new file in the folder for temporary files.
        **options: Those below.

    Raises:
        OptionError: an argument is not accepted.
        PublishError: the path can't be written.

    >>> import numpy as np, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "clip.mp4")
    >>> with VideoWriter(path, fps=16) as writer:
    ...     for chunk in range(3):
    ...         writer.write(np.zeros((4, 48, 64, 3), np.uint8))
    >>> writer.video.frame_count, writer.video.duration
    (12, Fraction(3, 4))
    """

    _video: Video | None = None  # once it is closed

    def __init__(self, path: Output | None = None, **options: Unpack[WriterOptions]) -> None:
        given = complete(WriterOptions, options, "VideoWriter")
        check_progress(given["progress"])
        report, (format, overwrite) = reporting(given["progress"]), (given["format"], given["overwrite"])
        target = target_of(path, format, overwrite, given["storage_options"], given["fragment"], report.uploaded)
        row = output_of(target.name, given["format"])
        share = share_of(given["only_rank"])
        if share and path is None:
            raise OptionError("only_rank= goes with a path, which all ranks know: give one", page="ranks")
        self._is_elsewhere = share is not None and not share.writes
        if share and self._is_elsewhere:
            fps, none = parse_fps(given["fps"]), Fraction(0)
            self._video = Video(target.where, 0, 0, fps, 0, none, codec="", size_bytes=0, notes=(share.note,))
            return
        self._notes = Notes([share.note] if share else [])
        prepared = prepare(row, target, given, self._notes)
        self._recognizer, self._changes, self._plan, self._clock, self._repeat, self._last_frame = prepared
        plan = prepared.plan
        self._shape: Shape[Any] | None = None  # once there is a frame
        self._writing, self._writing_audio = threading.RLock(), threading.RLock()
        self._job = _Job(target, lambda: plan.publication(target), report, plan.listeners)
        # A writer that is dropped, or still open when the interpreter ends, keeps what it has, as one that failed.
        self._dropped = weakref.finalize(self, _keep_dropped, self._job, self._clock, callers_line())
        try:
            self._job.open()
        except BaseException:
            self.abort()
            raise

    def write(self, frames: Frames, timestamps: Timestamps | None = None) -> None:
        """Write a frame, a chunk of frames or an iterable of them; returns once they are converted and queued.

        Args:
            frames: As for `export_video`.
            timestamps: When each of them is shown, in seconds that go up; of a single frame a number will do. The
                video begins with its first frame. They replace the frame rate, so all frames have one or none has.

        Raises:
            FrameError: they are no frames, or contradict the first.
            OptionError: the timestamps are not in order, or not one for each frame.
            EncodeError: the encoder has failed, on this frame or an earlier one.
            PublishError: the disk has failed.
        """
        if self._is_elsewhere:
            use_up(frames)
            return
        with self._alone(self._writing):
            for _ in self._steps(frames, timestamps):
                pass

    def _steps(self, frames: Frames, timestamps: Timestamps | None) -> Iterator[None]:
        """Write frames, one at a step."""
        times = self._clock.times(timestamps, count_frames(frames, self._recognizer.layout))
        given = self._recognizer.frames(frames)
        for frame in self._changes.frames(given, timestamps is not None) if self._changes else given:
            time = next(times, None)
            if time is None:
                raise OptionError(f"frame {self._clock.count} has no timestamp: give one for each frame")
            with np.errstate(all="ignore"):  # the caller may have NumPy raise, of what is too small to matter here
                if self._shape is None or self._clock.count == 0:
                    self._shape = self._plan.shape(frame, self._clock)
                picture = self._shape.convert(frame)
            self._job.put(self._shape, picture, time)
            self._clock.advance(time)
            if self._last_frame is not None:
                self._last_frame.take(frame)
            self._job.report(self._clock.count, None)
            yield
        if left := length_hint(times):
            raise OptionError(f"{left} timestamps are left over after {self._clock.count} frames: give one for each")

    def _settled_steps(self, frames: Frames, timestamps: Timestamps | None) -> Generator[None]:
        """Write frames, one at a step, each of which ends once it is encoded."""
        for _ in self._steps(frames, timestamps):
            self._job.put_box(b"")
            yield

    def write_audio(self, audio: Audio) -> None:
        """Write the sound, or its next piece: before, between or after the frames, with whose first one it begins.

        Args:
            audio: As for `export_video`. All pieces are of one dtype, rate and number of channels.

        Raises:
            OptionError: it is no sound, is empty, holds NaN or infinite values, or contradicts the first piece.
            PublishError: the disk has failed.
        """
        if self._is_elsewhere:
            return
        with self._alone(self._writing_audio):
            self._job.check()
            self._plan.sound.write(audio, self._job.put_box)

    def close(self) -> Video:
        """Finish the file, check it and publish it. Closing again gives the same video.

        Raises:
            FrameError: no frame was written.
            EncodeError: the encoder failed, or the file does not hold what was promised.
            ProvenanceError: the file can't be signed.
            PublishError: the disk failed, or the path exists by now and `overwrite` is false.
        """
        if self._video is not None:
            return self._video
        with self._alone(self._writing, self._writing_audio):
            try:
                if self._clock.count == 0:
                    raise FrameError("no frames: there is nothing to write", page="troubleshooting#there-are-no-frames")
                video = self._job.finish([self._clock.repeat() for _ in range(self._repeat)])
                if self._clock.starts_at:
                    start = float(self._clock.starts_at)
                    self._notes.add(f"the video begins with its first frame: its timestamps count from {start:g} s")
                if self._changes:
                    self._changes.note(self._recognizer.count, self._notes)
                problems = (*(each.problem for each in self._plan.listeners), self._job.report.problem)
                for each in filter(None, problems):
                    self._notes.warn_later(each)
                self._video = replace(video, path=self._job.target.where, notes=tuple(self._notes))
            except BaseException as error:
                self._give_up(error)
                raise
        self._dropped.detach()
        if self._last_frame is not None:
            self._last_frame.put()
        self._notes.tell()
        return self._video

    @contextmanager
    def _alone(self, *locks: threading.RLock) -> Iterator[None]:
        """Keep other threads out of what they can't do at the same time, as long as the writer is open."""
        self._job.check_open()
        with ExitStack() as held:
            for lock in locks:
                while not lock.acquire(timeout=_LOOK_AGAIN):
                    self._job.check_open()
                held.callback(lock.release)
            self._job.check_open()
            yield

    def _give_up(self, error: BaseException) -> None:
        """Keep what is encoded, and say in the error where."""
        kept = self._job.keep(error)
        if said := _in_words(kept, self._clock.count, self._job.target.path):
            if isinstance(error, TelecineError):
                error.args = (f"{error}; {said}",)
            else:
                error.add_note(f"telecine: {said}")
        if not isinstance(error, SystemExit):  # which shows no note
            self._dropped.detach()

    def abort(self) -> None:
        """Stop, drop what was encoded, and leave the path as it was. Aborting a closed writer does nothing."""
        if not self._is_elsewhere and self._dropped.alive:
            self._job.abort()
            self._dropped.detach()

    @property
    def video(self) -> Video:
        """The finished video, once the writer is closed."""
        if self._video is None:
            raise TelecineError(f"the writer of {self._job.path!r} has not finished: close it first")
        return self._video

    @property
    def queued(self) -> int:
        """How many frames wait to be encoded. When the queue is full, `write` waits."""
        return 0 if self._is_elsewhere else self._job.queued

    @property
    def frame_count(self) -> int:
        """How many frames have been written so far."""
        return 0 if self._is_elsewhere else self._clock.count

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_elsewhere:
            return
        if error is not None:
            self._give_up(error)
        elif self._video is None and not self._job.aborted:
            self.close()


class _Job:
    """What a writer has open: the thread that the file belongs to, the progress bar, and who listens."""

    def __init__(
        self,
        target: Target,
        open_publication: Callable[[], Publishing],
        report: Reporter,
        listeners: Sequence[Sink],
    ) -> None:
        self.target, self.path = target, target.name
        self._thread = EncodingThread(self.path, open_publication)
        self._process = os.getpid()
        self._open = ExitStack()
        self.report, self._listeners = self._open.enter_context(report), listeners
        self.aborted = False
        self._finished = False

    @property
    def is_forked(self) -> bool:
        """Whether the file belongs to the process that forked this one."""
        return os.getpid() != self._process

    @property
    def is_own_thread(self) -> bool:
        """Whether this is the thread that the file belongs to: garbage is collected in any."""
        return self._thread.is_current

    def check_open(self) -> None:
        if self.is_forked:
            raise TelecineError(f"the writer of {self.path!r} belongs to the process that forked this one")
        if self.aborted or self._finished:
            state = "was aborted" if self.aborted else "is closed"
            raise TelecineError(f"the writer of {self.path!r} {state}")

    def open(self) -> None:
        for each in self._listeners:
            self._open.enter_context(each)
        self._thread.open()

    def put(self, shape: Shape[Any], picture: object, pts: int) -> None:
        self.check_open()
        self._thread.put(shape, picture, pts)

    def check(self) -> None:
        self._thread.check()

    def put_box(self, box: bytes) -> None:
        self._thread.put_box(box)

    @property
    def queued(self) -> int:
        return self._thread.queued

    def finish(self, repeats: Sequence[int]) -> Video:
        self._finished = True
        with self._open:
            return self._thread.finish(repeats)

    def abort(self) -> None:
        if self.is_forked:
            return
        self.aborted = True
        try:
            self._thread.abort()
        finally:
            self._leave(TelecineError("the writer was aborted"))

    def keep(self, error: BaseException) -> Kept:
        if self.is_forked:
            return Kept()
        self.aborted = True
        try:
            return self._thread.keep()
        finally:
            self._leave(error)

    def _leave(self, error: BaseException) -> None:
        """Tell what is open why there is no file."""
        self._open.__exit__(type(error), error, error.__traceback__)


def _keep_dropped(job: _Job, clock: Clock, made_at: tuple[str, int]) -> None:
    """Keep what a writer has that was never closed, and say so where it was made."""
    if job.is_own_thread:  # which can't wait for itself
        start_new_thread(_keep_dropped, (job, clock, made_at))
        return
    kept = job.keep(TelecineError("the writer was not closed"))
    said = _in_words(kept, clock.count, job.target.path) or (clock.count and f"none of {clock.count} frames is kept")
    if said:
        left = f", and left {kept.place!r}" if kept.place else ""
        file, line = made_at
        text, place = f"the writer of {job.path!r} was not closed{left}: {said}", f"{file}:{line}"
        # In one line: Python shows the source too, where it finds a file of the name.
        warnings.warn_explicit(text, TelecineWarning, place, 0, module=os.path.splitext(os.path.basename(file))[0])


def _in_words(kept: Kept, count: int, path: str) -> str:
    """Say what is kept of how many frames; nothing where there is none."""
    if kept.lost:
        return f"none of {count} frames is kept: what was written of them was removed by somebody else"
    if not kept.frames:
        return ""
    of = max(count, kept.frames)  # Ctrl-C may come before a frame that was handed over is counted
    return f"{kept.frames} of {of} frames are kept: telecine recover {shell_word(kept.place if kept.moved else path)}"
