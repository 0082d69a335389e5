"""`VideoWriter`: the line put together. Frames are converted in the caller's thread and encoded in another.

write → recognise → planes → [bounded queue] → encoding thread: encode → journal → finished file → check → publish
"""

from __future__ import annotations

import os
import shlex
import warnings
import weakref
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from operator import length_hint
from pathlib import Path
from types import TracebackType
from typing import Literal

import av
from av import VideoFrame

from .color import BT709, RGB, Color, parse_color
from .convert import BLACK, Conversion, parse_background, parse_value_range
from .encode import EncoderSettings
from .encoding_thread import EncodingThread
from .errors import EncodeError, FrameError, OptionError, TelecineError, TelecineWarning
from .ffmpeg_log import captured_log, in_words
from .formats import choose_format
from .formats import encoder_options as options_of
from .frames import Frame, Frames, Recognizer, count_frames
from .metadata import Json, exact_text, parse_metadata
from .probe import VideoInfo, probe
from .processors import encoder_threads
from .progress import Progress, check_progress, reporting
from .promises import check_promises, check_times
from .publish import Publication
from .rate import FrameRate, parse_fps
from .read import read_timestamps
from .remux import write_finished
from .timing import Clock, Seconds, Timestamps, parse_last_frame
from .trial import try_encoder
from .video import Video

_MOST_PIXELS = 2**28 - 1  # FFmpeg's bound, with 128 added to each side (libavutil/imgutils.c)


class VideoWriter:
    """Writes frames to a video file as they come.

    Args:
        path: The file to write; missing folders are made. Without one, a new file in the folder for temporary files.
        fps: Frames per second: a number, a Fraction or text such as "24000/1001". 29.97 means 30000/1001.
        codec: "h264", "hevc", "av1", "vp9", "prores" or "ffv1". Without one, h264, and vp9 in WebM.
        quality: "draft", "balanced", "high", "visually-lossless", or "lossless" for RGB that comes back bit by bit.
        crf: The encoder's constant rate factor, in place of the quality level's: 0 to 51, lower is better.
        bitrate: Bits per second, in place of a crf.
        preset: The encoder's speed, "ultrafast" to "placebo", in place of the quality level's.
        encoder_options: FFmpeg's options of the encoder, by name. One that it would ignore is an error.
        pixel_format: FFmpeg's name of one that the codec takes, "yuv420p" unless the codec begins with another.
        bit_depth: 8, 10 or 12, in place of a pixel format.
        chroma: "4:2:0", "4:2:2" or "4:4:4", in place of a pixel format.
        dither: Whether 8-bit codes are dithered, so that slow gradients have no bands.
        color: "auto" (BT.601 up to 576 lines and 1024 columns, BT.709 above), "bt601" or "bt709".
        layout: "auto" or the letters of an array's axes: T time, H height, W width, C channels, B batch.
        value_range: "auto" (integers: full scale, floats: [0, 1]) or (low, high), such as (-1, 1) for floats.
        background: What transparent pixels are composited on: a colour's name, "#rrggbb" or (r, g, b) in [0, 1].
            Without one, black, with a warning.
        metadata: What the file says of itself: JSON values by any names (docs/metadata.md); `probe` gives them back.
        overwrite: Whether a file at the path may be replaced.
        hold: How many seconds the last frame is shown, in place of as long as the one before it.
        repeat: How many more times the last frame is written.
        progress: True for a bar on the terminal, or a function of (frames done, frames in all or None).
        format: "mp4", "mov", "webm" or "mkv", in place of the path's extension.

    Every option is checked, a trial encoder opened and the folder written to before this returns. Leaving the `with` by
    an exception leaves the path as it was. One thread may write at a time; the arrays given may be reused at once.

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

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        fps: FrameRate = 16,
        codec: str | None = None,
        quality: str = "high",
        crf: float | None = None,
        bitrate: int | None = None,
        preset: str | None = None,
        encoder_options: Mapping[str, str | int | float] | None = None,
        pixel_format: str | None = None,
        bit_depth: int | None = None,
        chroma: str | None = None,
        dither: bool = False,
        color: str = "auto",
        layout: str = "auto",
        value_range: tuple[float, float] | Literal["auto"] = "auto",
        background: str | tuple[float, float, float] | None = None,
        hold: Seconds | None = None,
        repeat: int = 0,
        metadata: Mapping[str, Json] | None = None,
        overwrite: bool = True,
        progress: Progress = False,
        format: str | None = None,
    ) -> None:
        if path is None:
            from tempfile import gettempdir

            path = Path(gettempdir()) / f"telecine-{os.urandom(4).hex()}.mp4"
        if not isinstance(path, (str, bytes, os.PathLike)):
            raise OptionError(f"path={path!r} is no path")
        self._path = Path(os.fsdecode(path))
        self._recognizer = Recognizer(layout)
        self._color = parse_color(color)
        self._value_range = parse_value_range(value_range)
        self._background = parse_background(background)
        chosen = choose_format(path, format, codec, pixel_format, quality, bit_depth, chroma)
        options = dict(chosen.codec.of_pixel_format.get(chosen.pixel_format.name, {}))
        options |= options_of(chosen.codec, quality, crf, bitrate, preset, encoder_options)
        held, self._repeat = parse_last_frame(hold, repeat)
        self._clock = Clock(parse_fps(fps), held)
        if chosen.pixel_format.rgb:
            if self._color is not None:
                raise OptionError(f"color={color!r} is a matrix, and {chosen.pixel_format.name} has none: leave it out")
            self._color = RGB
        if dither and chosen.pixel_format.depth != 8:
            raise OptionError(f"dither=True is for 8 bit, and {chosen.pixel_format.name} has more: leave it out")
        self._dither = dither
        self._settings = EncoderSettings(chosen, self._clock.fps, tuple(options.items()), self._color or BT709)
        told = None if metadata is None else exact_text(parse_metadata(metadata))
        self._conversion: Conversion | None = None
        self._padding = (0, 0)
        self._notes: list[str] = []
        self._video: Video | None = None
        check_progress(progress)
        tried = try_encoder(self._settings)
        self._settings = replace(self._settings, profile=tried.profile, metadata=told)
        if tried.profile not in chosen.codec.plays_everywhere or not chosen.container.plays_everywhere:
            what = f"{chosen.codec.name} {tried.profile} in {chosen.container.name}"
            self._note(f"{what} does not play everywhere: some browsers and phones refuse it", warn=True)
        self._job = _Job(Publication(path, overwrite), progress)
        # A writer that is dropped, or still open when the interpreter ends, keeps what it has, as one that failed.
        self._keep = weakref.finalize(self, self._job.keep)

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
        self._job.check_open()
        times = self._clock.times(timestamps, count_frames(frames, self._recognizer.layout))
        for frame in self._recognizer.frames(frames):
            time = next(times, None)
            if time is None:
                raise OptionError(f"frame {self._clock.count} has no timestamp: give one for each frame")
            conversion = self._conversion or self._start(frame)
            planes = self._job.blank()
            if conversion.to_planes(frame, planes) and self._background is None:
                self._background = BLACK
                self._note("transparent pixels are shown on black: pass background= to choose another", warn=True)
            planes.pts = time
            self._job.put(planes)
            self._clock.advance(time)
            self._job.report(self._clock.count, None)
        if left := length_hint(times):
            raise OptionError(f"{left} timestamps are left over after {self._clock.count} frames: give one for each")

    def _start(self, first: Frame) -> Conversion:
        (width, height), codec = first.size, self._settings.format.codec
        self._padding = self._settings.format.pixel_format.padding(width, height)
        if any(self._padding):
            why = f"as {self._settings.format.pixel_format.chroma} needs"
            self._note(f"{width}x{height} is padded to even sides, {why}, by repeating the last line")
        width, height = width + self._padding[0], height + self._padding[1]
        if max(width, height) > codec.largest_side or (width + 128) * (height + 128) > _MOST_PIXELS:
            raise FrameError(f"frames are {width}x{height}: too large for {codec.name} in FFmpeg")
        if min(width, height) < codec.smallest_side:
            least = codec.smallest_side
            raise FrameError(
                f"frames are {width}x{height}: too small for {codec.name}, which takes {least}x{least} and up"
            )
        color = self._color or Color.of_size(width, height)
        conversion = Conversion(color, self._value_range, self._background or BLACK, self._dither)
        self._job.start(
            replace(self._settings, color=color, width=width, height=height, variable=bool(self._clock.variable))
        )
        self._conversion = conversion
        return conversion

    def _note(self, message: str, warn: bool = False) -> None:
        self._notes.append(message)
        if warn:
            warnings.warn(message, TelecineWarning, stacklevel=3)

    def close(self) -> Video:
        """Finish the file, check it and publish it. Closing again gives the same video.

        Raises:
            FrameError: no frame was written.
            EncodeError: the encoder failed, or the file does not hold what was promised.
            PublishError: the disk failed, or the path exists by now and `overwrite` is false.
        """
        if self._video is not None:
            return self._video
        self._job.check_open()
        try:
            if self._clock.count == 0:
                raise FrameError("no frames: there is nothing to write")
            info = self._job.finish(self._clock, [self._clock.repeat() for _ in range(self._repeat)])
            if self._clock.starts_at:
                start = float(self._clock.starts_at)
                self._note(f"the video begins with its first frame: its timestamps count from {start:g} s")
            self._video = Video.of(self._path, info, self._padding, tuple(self._notes))
        except BaseException as error:
            self._give_up(error)
            raise
        self._keep.detach()
        return self._video

    def _give_up(self, error: BaseException) -> None:
        """Keep what is encoded, and say in the error where."""
        kept = self._keep() or 0
        if not kept:
            return
        note = f"{kept} of {self._clock.count} frames are kept: telecine recover {shlex.quote(str(self._path))}"
        if isinstance(error, TelecineError):
            error.args = (f"{error}; {note}",)
        elif hasattr(error, "add_note"):  # Python 3.11
            error.add_note(f"telecine: {note}")

    def abort(self) -> None:
        """Stop, drop what was encoded, and leave the path as it was. Aborting a closed writer does nothing."""
        if self._keep.detach():
            self._job.abort()

    @property
    def video(self) -> Video:
        """The finished video, once the writer is closed."""
        if self._video is None:
            raise TelecineError(f"the writer of {str(self._path)!r} has not finished: close it first")
        return self._video

    @property
    def queued(self) -> int:
        """How many frames wait to be encoded. When the queue is full, `write` waits."""
        return self._job.queued

    @property
    def frame_count(self) -> int:
        """How many frames have been written so far."""
        return self._clock.count

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._give_up(error)
        elif self._video is None and not self._job.aborted:
            self.close()


class _Job:
    """What a writer has open: the journal, the encoding thread, its share of the processors, the progress bar."""

    def __init__(self, publication: Publication, progress: Progress) -> None:
        self._publication = publication
        self._thread: EncodingThread | None = None
        self._process = os.getpid()
        self._open = ExitStack()
        self.report = self._open.enter_context(reporting(progress))
        self.aborted = False
        self._finished = False

    def check_open(self) -> None:
        if os.getpid() != self._process:
            raise TelecineError(f"the writer of {self._publication.path!r} belongs to the process that forked this one")
        if self.aborted or self._finished:
            state = "was aborted" if self.aborted else "is closed"
            raise TelecineError(f"the writer of {self._publication.path!r} {state}")

    def start(self, settings: EncoderSettings) -> None:
        settings = replace(
            settings, threads=self._open.enter_context(encoder_threads(settings.width * settings.height))
        )
        self._thread = EncodingThread(self._publication, settings)
        self._thread.start()

    def blank(self) -> VideoFrame:
        self.check_open()
        assert self._thread is not None
        return self._thread.blank()

    def put(self, planes: VideoFrame) -> None:
        assert self._thread is not None
        self._thread.put(planes)

    @property
    def queued(self) -> int:
        return 0 if self._thread is None else self._thread.queued

    def finish(self, clock: Clock, repeats: Sequence[int]) -> VideoInfo:
        assert self._thread is not None
        self._finished = True
        with self._open:
            self._thread.finish(repeats)
        settings = self._thread.settings
        file = self._publication.open_finished()
        try:
            with captured_log() as lines:
                end = clock.duration if clock.uneven else None
                write_finished(self._publication.journal, file, settings.format.container, end)
        except av.FFmpegError as error:
            raise EncodeError(f"the file can't be finished: {in_words(error, lines)}") from error
        except OSError as error:
            raise self._publication.failure(error) from error
        self._publication.start_sync()
        info = probe(file)
        check_promises(info, settings, clock.count, clock.duration)
        if clock.variable:
            check_times(
                read_timestamps(file), [tick * clock.time_base for tick in clock.ticks], settings.format.container.clock
            )
        self._publication.commit()
        return info

    def abort(self) -> None:
        self.aborted = True
        try:
            with self._open:
                if self._thread is not None:
                    self._thread.abort()
        finally:  # a second Ctrl-C while the thread ends
            self._publication.discard()

    def keep(self) -> int:
        if os.getpid() != self._process:  # a forked child: the journal and the thread are its parent's
            return 0
        self.aborted = True
        kept = 0
        try:
            with self._open:
                if self._thread is not None:
                    kept = self._thread.keep()
        finally:
            if kept:
                self._publication.keep()
            else:
                self._publication.discard()
        return kept
