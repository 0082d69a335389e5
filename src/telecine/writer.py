"""`VideoWriter`: the line put together. Frames are converted in the caller's thread and encoded in another.

write → recognise → planes → [bounded queue] → encoding thread: encode → journal → finished file → check → publish
"""

from __future__ import annotations

import os
import threading
import warnings
import weakref
from _thread import start_new_thread
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from fractions import Fraction
from operator import length_hint
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .color.hdr import MasteringDisplay
from .errors import FrameError, OptionError, TelecineError, TelecineWarning
from .files.urls import local_path
from .formats.choices import (
    AudioFitName,
    BitDepth,
    ChannelOrder,
    ChromaName,
    CodecName,
    ColorName,
    FormatName,
    LightName,
    PixelFormatName,
    PresetName,
    PrimariesName,
    QualityName,
)
from .formats.choose import output_of
from .formats.containers import Container
from .formats.images import MovingImageFormat, SequenceFormat
from .frames.recognise import Frames, Recognizer, count_frames
from .metadata.tags import Json, parse_metadata
from .output.progress import Progress, check_progress, reporting
from .output.protocol import Asked, Output, Publishing
from .output.result import Video
from .output.thread import EncodingThread
from .output.video import VideoOptions, VideoOutput
from .planes.convert import parse_background, parse_value_range
from .publish.journal import Kept
from .sound.recognise import Audio
from .support.clock import Clock, Seconds, Timestamps, parse_last_frame
from .support.notes import Notes, callers_line
from .support.rate import FrameRate, parse_fps
from .support.words import shell_word

if TYPE_CHECKING:
    from .provenance.seal import Provenance, Seal

_LOOK_AGAIN = 0.2  # seconds after which one who waits for another thread's `write` sees that the writer was closed


class VideoWriter:
    """Writes frames to a video file, a moving image or a folder of images as they come.

    Args:
        path: The file to write; missing folders are made. Without one, a new file in the folder for temporary files.
        fps: Frames per second: a number, a Fraction or text such as "24000/1001". 29.97 means 30000/1001.
        codec: "h264", "hevc", "av1", "vp9", "prores" or "ffv1". Without one, h264, and vp9 in WebM.
        encoder: FFmpeg's name of the encoder, in place of the codec's usual one, such as "h264_nvenc".
        quality: "draft", "balanced", "high", "visually-lossless", or "lossless" for RGB that comes back bit by bit.
        crf: The encoder's constant rate factor, in place of the quality level's: 0 to 51, lower is better.
        bitrate: Bits per second, in place of a crf.
        max_bytes: The most bytes that the file may have. Where it takes more, its frames are encoded again at close, in
            two passes or more; the quality or the crf is the most that they get. The copy of the frames that this needs
            lies unseen beside the journal, compressed without loss.
        preset: The encoder's speed, "ultrafast" to "placebo", in place of the quality level's.
        encoder_options: FFmpeg's options of the encoder, by name. One that it would ignore is an error.
        pixel_format: FFmpeg's name of one that the codec takes, "yuv420p" unless the codec begins with another.
        bit_depth: 8, 10 or 12, in place of a pixel format.
        chroma: "4:2:0", "4:2:2" or "4:4:4", in place of a pixel format.
        dither: Whether 8-bit codes are dithered, so that slow gradients have no bands; h264 keeps it from "high" on.
        color: "auto" (BT.601 up to 576 lines and 1024 columns, BT.709 above), "bt601", "bt709", or for HDR "pq" or
            "hlg" of BT.2100, in HEVC or AV1 of 10 bit or more.
        light: What the values of HDR frames are: "scene-linear" or "display-linear" light in floats, where 1.0 is
            reference white, 203 cd/m2, and brighter is more; or "encoded", PQ or HLG already. For OpenEXR
            "scene-linear", in place of sRGB.
        primaries: Those of linear light: "bt709" unless it is "p3-d65" or "bt2020".
        mastering_display: The display that HDR frames were judged on, which the file tells: P3-D65 of 1000 cd/m2 if not
            given. How bright the frames are is measured.
        layout: "auto" or the letters of an array's axes, in any order: T time, H height, W width, C channels, B batch.
            "WHC" is that of pygame's surfaces.
        channels: "RGB", or "BGR" for OpenCV's arrays: the order of an array's colours, alpha being the fourth.
            Images and files know theirs.
        value_range: "auto" (integers: full scale, floats: [0, 1]) or (low, high), such as (-1, 1) for floats.
        background: What transparent pixels are composited on: a colour's name, "#rrggbb" or (r, g, b) in [0, 1], all
            sRGB. Without one, formats with alpha keep it, and others get black, with a warning. Encoded values are
            mixed as they are, as browsers do: half transparent white on black is 128 of 255. Linear light is mixed as
            light.
        metadata: What the file says of itself: JSON values by any names (docs/metadata.md); `probe` gives them back.
        overwrite: Whether a file at the path may be replaced.
        hold: How many seconds the last frame is shown, in place of as long as the one before it.
        repeat: How many more times the last frame is written.
        audio_rate: The samples a second of the sound that is written as arrays.
        audio_fit: "pad" keeps all frames and all sound, and silence follows the sound where it is shorter; "trim" ends
            the sound with the video; "loop" does too, and lets it begin again as often as it takes.
        provenance: What a signed C2PA manifest says of where the file comes from; what signs it is tried at once.
        progress: True for a bar on the terminal, or a function of (frames done, frames in all or None).
        loops: How many times a GIF, WebP or APNG is shown; 0, and without one, forever.
        format: "mp4", "mov", "webm", "mkv", "gif", "webp", "apng" or "avif", in place of the path's extension; or
            "png", "tiff", "jpeg" or "exr" for a folder of images, which has no times.

    Every option is checked, a trial encoder opened and the folder written to before this returns. Leaving the `with` by
    an exception leaves the path as it was. The arrays given may be reused at once. Several threads may write: each call
    waits for the one before it, so that its frames stay together. A writer that is never closed makes no file: what it
    keeps is told in a `TelecineWarning`.

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
        codec: CodecName | None = None,
        encoder: str | None = None,
        quality: QualityName = "high",
        crf: float | None = None,
        bitrate: int | None = None,
        max_bytes: int | None = None,
        preset: PresetName | None = None,
        encoder_options: Mapping[str, str | int | float] | None = None,
        pixel_format: PixelFormatName | None = None,
        bit_depth: BitDepth | None = None,
        chroma: ChromaName | None = None,
        dither: bool = False,
        color: ColorName = "auto",
        light: LightName | None = None,
        primaries: PrimariesName | None = None,
        mastering_display: MasteringDisplay | None = None,
        layout: str = "auto",
        channels: ChannelOrder = "RGB",
        value_range: tuple[float, float] | Literal["auto"] = "auto",
        background: str | tuple[float, float, float] | None = None,
        hold: Seconds | None = None,
        repeat: int = 0,
        audio_rate: int | None = None,
        audio_fit: AudioFitName = "pad",
        metadata: Mapping[str, Json] | None = None,
        provenance: Provenance | None = None,
        overwrite: bool = True,
        progress: Progress = False,
        loops: int | None = None,
        format: FormatName | None = None,
    ) -> None:
        if path is None:
            path = _temporary_path(format)
        if not isinstance(path, (str, bytes, os.PathLike)):
            raise OptionError(f"path={path!r} is no path")
        path = local_path(path)
        row = output_of(path, format)
        self._recognizer = Recognizer(layout, channels)
        held, self._repeat = parse_last_frame(hold, repeat)
        self._clock = Clock(parse_fps(fps), held, _bounds(row))
        self._notes = Notes()
        self._video: Video | None = None
        check_progress(progress)
        of_video = VideoOptions(
            codec=codec,
            encoder=encoder,
            crf=crf,
            bitrate=bitrate,
            max_bytes=max_bytes,
            preset=preset,
            encoder_options=encoder_options,
            pixel_format=pixel_format,
            chroma=chroma,
            dither=dither,
            color=color,
            audio_rate=audio_rate,
            audio_fit=audio_fit,
            light=light,
            primaries=primaries,
            mastering_display=mastering_display,
        )
        asked = Asked(
            quality=quality,
            bit_depth=bit_depth,
            value_range=parse_value_range(value_range),
            background=parse_background(background),
            metadata=None if metadata is None else parse_metadata(metadata, self._notes),
            seal=None if provenance is None else _seal(provenance, row),
            clock=self._clock,
            notes=self._notes,
        )
        self._output = _output(row, asked, of_video, loops)
        self._path = Path(path)
        self._writing, self._writing_audio = threading.RLock(), threading.RLock()
        output = self._output
        self._job = _Job(os.fspath(self._path), output, lambda: output.publication(path, overwrite), progress)
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
        with self._alone(self._writing):
            times = self._clock.times(timestamps, count_frames(frames, self._recognizer.layout))
            for frame in self._recognizer.frames(frames):
                time = next(times, None)
                if time is None:
                    raise OptionError(f"frame {self._clock.count} has no timestamp: give one for each frame")
                with np.errstate(all="ignore"):  # the caller may have NumPy raise, of what is too small to matter here
                    if self._clock.count == 0:
                        self._output.settle(frame)
                    converted = self._output.convert(frame, time)
                self._job.put(converted)
                self._clock.advance(time)
                self._job.report(self._clock.count, None)
        if left := length_hint(times):
            raise OptionError(f"{left} timestamps are left over after {self._clock.count} frames: give one for each")

    def write_audio(self, audio: Audio) -> None:
        """Write the sound, or its next piece: before, between or after the frames, with whose first one it begins.

        Args:
            audio: As for `export_video`. All pieces are of one dtype, rate and number of channels.

        Raises:
            OptionError: it is no sound, is empty, holds NaN or infinite values, or contradicts the first piece.
            PublishError: the disk has failed.
        """
        with self._alone(self._writing_audio):
            self._job.write_audio(audio)

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
                    raise FrameError("no frames: there is nothing to write")
                video = self._job.finish([self._clock.repeat() for _ in range(self._repeat)])
                if self._clock.starts_at:
                    start = float(self._clock.starts_at)
                    self._notes.add(f"the video begins with its first frame: its timestamps count from {start:g} s")
                self._video = replace(video, notes=tuple(self._notes))
            except BaseException as error:
                self._give_up(error)
                raise
        self._dropped.detach()
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
        kept = self._job.keep()
        if said := _in_words(kept, self._clock.count, os.fspath(self._path)):
            if isinstance(error, TelecineError):
                error.args = (f"{error}; {said}",)
            else:
                error.add_note(f"telecine: {said}")
        if not isinstance(error, SystemExit):  # which shows no note
            self._dropped.detach()

    def abort(self) -> None:
        """Stop, drop what was encoded, and leave the path as it was. Aborting a closed writer does nothing."""
        if self._dropped.alive:
            self._job.abort()
            self._dropped.detach()

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
    """What a writer has open: the thread that the file belongs to, and the progress bar."""

    def __init__(
        self, path: str, output: Output[Any], open_publication: Callable[[], Publishing], progress: Progress
    ) -> None:
        self.path, self._output = path, output
        self._thread = EncodingThread(path, output, open_publication)
        self._process = os.getpid()
        self._open = ExitStack()
        self.report = self._open.enter_context(reporting(progress))
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
        self._thread.open()

    def put(self, frame: object) -> None:
        self.check_open()
        self._thread.put(frame)

    def write_audio(self, audio: Audio) -> None:
        self._thread.check()
        self._output.write_audio(audio, self._thread.put_box)

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
        with self._open:
            self._thread.abort()

    def keep(self) -> Kept:
        if self.is_forked:
            return Kept()
        self.aborted = True
        with self._open:
            return self._thread.keep()


def _keep_dropped(job: _Job, clock: Clock, made_at: tuple[str, int]) -> None:
    """Keep what a writer has that was never closed, and say so where it was made."""
    if job.is_own_thread:  # which can't wait for itself
        start_new_thread(_keep_dropped, (job, clock, made_at))
        return
    kept = job.keep()
    said = _in_words(kept, clock.count, job.path) or (clock.count and f"none of {clock.count} frames is kept")
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


# ---- what is written -----------------------------------------------------------------------------------------------

_Row = Container | MovingImageFormat | SequenceFormat


def _temporary_path(format: str | None) -> Path:
    from tempfile import gettempdir

    row = output_of("clip.mp4", format)
    extension = "" if isinstance(row, SequenceFormat) else row.extensions[0]
    return Path(gettempdir()) / f"telecine-{os.urandom(4).hex()}{extension}"


def _bounds(row: _Row) -> tuple[Fraction, Fraction] | None:
    return (row.shortest, row.longest) if isinstance(row, MovingImageFormat) else None


def _seal(provenance: Provenance, row: _Row) -> Seal:
    if isinstance(row, SequenceFormat):
        raise OptionError(f"provenance= signs one file, and {row.name} is a folder of images: leave it out")
    from .provenance.seal import seal_of

    return seal_of(provenance, row.name)


def _output(row: _Row, asked: Asked, of_video: VideoOptions, loops: int | None) -> Output[Any]:
    """Choose what the frames become; raises OptionError for what does not go with it."""
    if loops is not None and not isinstance(row, MovingImageFormat):
        raise OptionError(f"loops={loops!r} does not go with {row.name}: leave it out")
    if isinstance(row, Container):
        return VideoOutput(row.name, asked, of_video)
    linear = row.name == "exr" and of_video.light == "scene-linear"
    (replace(of_video, light=None) if linear else of_video).refuse(row.name)
    from .output.images import MovingImageOutput, SequenceOutput

    if isinstance(row, SequenceFormat):
        return SequenceOutput(row, asked, linear)
    return MovingImageOutput(row, asked, loops or 0)
