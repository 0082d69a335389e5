"""Frames to a video file: planes, an encoder into the journal, and the finished file, which is checked."""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import BinaryIO

import av
from av import VideoFrame

from ..color.color import BT601, BT709, RGB, Color, parse_color
from ..color.hdr import LightMeter, MasteringDisplay, parse_mastering_display
from ..encode.checks import check_audio, check_promises, check_times
from ..encode.encoder import Encoder, EncoderSettings
from ..encode.finish import write_finished
from ..encode.passes import Passes, parse_max_bytes
from ..encode.trial import try_encoder
from ..errors import EncodeError, FrameError, OptionError, PublishError
from ..formats.choose import choose_format, keeping_alpha
from ..formats.containers import CONTAINERS
from ..formats.hardware import choose_encoder
from ..formats.options import encoder_options
from ..planes.codes import composited
from ..planes.convert import BLACK, SHOWN_ON_BLACK, Conversion
from ..planes.frame import Frame
from ..planes.light import parse_light
from ..planes.pixel_formats import is_too_large
from ..publish.publication import Publication
from ..read.frames import read_timestamps
from ..read.probe import VideoInfo, probe
from ..sound.encode import Sound
from ..sound.recognise import Audio
from ..support.ffmpeg_log import captured_log, in_words
from .protocol import Asked
from .result import Video

_LOSSLESS_BESIDE = {"prores", "ffv1"}  # what is made to be edited or kept has its sound so too


@dataclass(frozen=True)
class VideoOptions:
    """The arguments of `VideoWriter` that only a video has."""

    codec: str | None = None
    encoder: str | None = None
    crf: float | None = None
    bitrate: int | None = None
    max_bytes: int | None = None
    preset: str | None = None
    encoder_options: Mapping[str, str | int | float] | None = None
    pixel_format: str | None = None
    chroma: str | None = None
    dither: bool = False
    color: str = "auto"
    audio_rate: int | None = None
    audio_fit: str = "pad"
    light: str | None = None
    primaries: str | None = None
    mastering_display: MasteringDisplay | None = None

    def refuse(self, format: str) -> None:
        """Raise OptionError if one is given for what is no video."""
        for field in fields(self):
            given = getattr(self, field.name)
            if given != field.default:
                raise OptionError(f"{field.name}={given!r} does not go with {format}: leave it out")


class VideoOutput:
    """A video of one container, codec and pixel format."""

    def __init__(self, container: str, asked: Asked, options: VideoOptions) -> None:
        quality, clock, notes = asked.quality, asked.clock, asked.notes
        self._seal = asked.seal
        self._color = parse_color(options.color)
        hdr = self._color.hdr if self._color else None
        self._light = parse_light(hdr, options.light, options.primaries)
        display = parse_mastering_display(options.mastering_display, hdr)
        codec = choose_encoder(options.encoder, options.codec)
        chosen = choose_format(
            CONTAINERS[container], codec, options.pixel_format, quality, asked.bit_depth, options.chroma, bool(hdr)
        )
        of_format = dict(chosen.codec.of_pixel_format.get(chosen.pixel_format.name, {}))
        of_format |= encoder_options(
            chosen.codec, quality, options.crf, options.bitrate, options.preset, options.encoder_options, options.dither
        )
        self._limit = parse_max_bytes(options.max_bytes, chosen, of_format)
        self._passes: Passes | None = None
        if chosen.pixel_format.rgb:
            if self._color is not None:
                name = chosen.pixel_format.name
                raise OptionError(f"color={options.color!r} is a matrix, and {name} has none: leave it out")
            self._color = RGB
        if options.dither and chosen.pixel_format.depth != 8:
            raise OptionError(f"dither=True is for 8 bit, and {chosen.pixel_format.name} has more: leave it out")
        self._settings = EncoderSettings(
            chosen,
            clock.fps,
            tuple(of_format.items()),
            self._color or BT709,
            *chosen.codec.tried_at,
            mastering_display=display,
        )
        self._value_range, self._background, self._dither = asked.value_range, asked.background, options.dither
        self._clock, self._notes = clock, notes
        self._padding, self._meter = (0, 0), LightMeter()
        lossless = quality == "lossless" or chosen.codec.name in _LOSSLESS_BESIDE
        self._sound = Sound(chosen.container, options.audio_rate, options.audio_fit, lossless, notes)
        self._encoded: queue.SimpleQueue[VideoFrame] = queue.SimpleQueue()
        tried = try_encoder(self._settings)
        if self._color is None and options.encoder_options:
            self._try_other_color()
        self._settings = replace(self._settings, profile=tried.profile, metadata=asked.metadata)
        if tried.profile not in chosen.codec.plays_everywhere or not chosen.container.plays_everywhere:
            what = f"{chosen.codec.name} {tried.profile} in {chosen.container.name}"
            notes.warn(f"{what} does not play everywhere: some browsers and phones refuse it")
        if options.dither and quality not in chosen.codec.dithered:
            what = f"{chosen.codec.called} at quality={quality!r}"
            notes.warn(f"{what} takes most of the dither for noise: use h264 at 'high', or bit_depth=10")

    def _try_other_color(self) -> None:
        """Refuse an option that is right for frames of some sizes only, which are not known yet."""
        try:
            try_encoder(replace(self._settings, color=BT601))
        except OptionError as error:
            raise OptionError(f"{error}; the colour is by the frames' size: use color='bt601' or 'bt709'") from error

    def publication(self, path: str | os.PathLike[str], overwrite: bool) -> Publication:
        """Open the file's publication."""
        self._publication = Publication(path, overwrite)
        return self._publication

    def settle(self, first: Frame) -> None:
        """Take the size of the first frame, and what follows from it: padding and colour."""
        (width, height), codec = first.size, self._settings.format.codec
        self._padding = self._settings.format.pixel_format.padding(width, height)
        if any(self._padding):
            why = f"as {self._settings.format.pixel_format.chroma} needs"
            self._notes.add(f"{width}x{height} is padded to even sides, {why}, by repeating the last line")
        width, height = width + self._padding[0], height + self._padding[1]
        if is_too_large(width, height, codec.largest_side):
            raise FrameError(f"frames are {width}x{height}: too large for {codec.name} in FFmpeg")
        if min(width, height) < codec.smallest_side:
            least = codec.smallest_side
            raise FrameError(
                f"frames are {width}x{height}: too small for {codec.name}, which takes {least}x{least} and up"
            )
        color = self._color or Color.of_size(width, height)
        self._conversion = Conversion(color, self._value_range, self._background or BLACK, self._dither, self._light)
        self._settings = replace(
            self._settings, color=color, width=width, height=height, variable=bool(self._clock.variable)
        )

    @property
    def pixels(self) -> int:
        """The pixels of a frame."""
        return self._settings.width * self._settings.height

    @property
    def bytes_of_frame(self) -> int:
        """The bytes of a frame's planes."""
        return self._settings.format.pixel_format.bytes_of(self._settings.width, self._settings.height)

    def convert(self, frame: Frame, pts: int) -> VideoFrame:
        """Write a frame's planes into one that is encoded by now, or a new one."""
        try:
            planes = self._encoded.get_nowait()
            planes.make_writable()  # other memory, should the encoder still look at this one's
        except queue.Empty:
            settings = self._settings
            planes = VideoFrame(settings.width, settings.height, settings.format.pixel_format.name)
        conversion = self._conversion
        if self._background is not None and self._settings.format.pixel_format.alpha:
            frame, conversion = composited(frame, conversion)
        converted = conversion.to_planes(frame, planes)
        if converted.light is not None:
            self._meter.add(converted.light)
        if converted.composited and self._background is None:
            self._background = BLACK
            keeping = keeping_alpha(self._settings.format)
            self._notes.warn(f"{SHOWN_ON_BLACK}; {keeping} keeps them")
        planes.pts = pts
        return planes

    def release(self, item: VideoFrame) -> None:
        """Take back the memory of a frame."""
        self._encoded.put(item)

    def write_audio(self, audio: Audio, put_box: Callable[[bytes], None]) -> None:
        """Keep sound in the journal, or its next piece."""
        self._sound.write(audio, put_box)

    def encoder(self, threads: int) -> Encoder:
        """Open the encoder, which writes to the journal."""
        self._settings = replace(self._settings, threads=threads)
        if self._limit is None:
            return Encoder(self._publication.journal, self._settings)
        self._passes = Passes(self._limit, self._settings, self._publication)
        return self._passes.first()

    def finish(self, stop: Callable[[], bool]) -> Video:
        """Make the finished file, in more passes where it is to be smaller."""
        self._publication.check_journal()
        info = self._finished_from(self._publication.journal)
        if self._passes is not None and self._limit is not None and info.size_bytes > self._limit:
            whole = info.size_bytes
            try:
                info, rate = self._passes.fit(info, self._finished_from, stop)
            except OSError as error:
                raise error if isinstance(error, PublishError) else self._publication.failure(error) from error
            self._notes.add(f"at the quality asked for it takes {whole} bytes: encoded again at {rate}, for max_bytes")
        if info.audio is not None and (over := round(float(info.audio.duration - info.duration), 2)) > 0:
            self._notes.add(f"the sound goes on for {over:g} s after the last frame")
        light, display = info.content_light, info.mastering_display
        if light and display and light.max_cll > display.max_luminance:
            beyond = f"{light.max_cll} cd/m2, beyond the mastering display's {display.max_luminance:g}"
            self._notes.warn_later(f"the brightest pixel is of {beyond}: pass mastering_display= if it showed that")
        return Video.of(Path(self._publication.path), info, self._padding)

    def _finished_from(self, journal: BinaryIO) -> VideoInfo:
        """Copy a journal's packets to the finished file and compare it with what was promised."""
        settings, clock, publication = self._settings, self._clock, self._publication
        hdr = settings.hdr_metadata(self._meter.content_light)
        file = publication.open_finished()
        try:
            with captured_log() as lines:
                end = clock.duration if clock.uneven else None
                sound = self._sound.track_beside(publication.journal, clock.duration)
                write_finished(journal, file, settings.format.container, end, sound=sound, hdr=hdr)
        except av.FFmpegError as error:
            raise EncodeError(f"the file can't be finished: {in_words(error, lines)}") from error
        except OSError as error:
            raise publication.failure(error) from error
        if self._seal is not None:
            self._seal.sign_finished(publication)
        publication.start_sync()
        info = probe(file)
        check_promises(info, settings, clock.count, clock.duration, hdr)
        check_audio(info.audio, sound, settings.format.container.clock)
        if clock.variable:
            check_times(
                read_timestamps(file), [tick * clock.time_base for tick in clock.ticks], settings.format.container.clock
            )
        if self._limit is not None and info.size_bytes > self._limit:
            publication.drop_finished()
        return info
