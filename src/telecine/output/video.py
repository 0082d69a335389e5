"""Frames to a video file: planes, an encoder into the journal, and the finished file, which is checked."""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import av
from av import VideoFrame

from ..color.color import BT601, BT709, RGB, Color, parse_color
from ..color.hdr import LightMeter, parse_mastering_display
from ..deliver.target import Target
from ..encode.checks import check_audio, check_promises, check_times, sound_after_frames
from ..encode.encoder import Encoder, EncoderSettings, all_options
from ..encode.finish import write_finished
from ..encode.trial import settings_told, try_encoder
from ..errors import EncodeError, FrameError, OptionError, PublishError
from ..formats.choose import Format, choose_format, keeping_alpha
from ..formats.codecs import Codec
from ..formats.containers import Container
from ..formats.options import encoder_options
from ..planes.codes import composited
from ..planes.convert import BLACK, SHOWN_ON_BLACK, Conversion
from ..planes.frame import Frame
from ..planes.light import parse_light
from ..planes.pixel_formats import is_too_large
from ..publish.publication import Publication
from ..rates.floor import FlooredEncoder, floor_of
from ..read.frames import read_timestamps_whole
from ..read.probe import VideoInfo, probe_whole
from ..sound.encode import LOSSLESS_BESIDE, Sound
from ..support.clock import Clock
from ..support.ffmpeg_log import captured_log, in_words
from ..support.notes import Notes
from .options import WriterOptions, refuse_others
from .protocol import Common, Outlook
from .result import Video

if TYPE_CHECKING:
    from ..deliver.live import Listener, Sink
    from ..live.handout import Live, LiveJournal
    from ..rates.passes import Aim, CopyingEncoder, Passes


class VideoPlan:
    """A video of one container, codec and pixel format, of which the encoder was tried."""

    def __init__(
        self, container: Container, common: Common, options: WriterOptions, notes: Notes, target: Target | None
    ) -> None:
        refuse_others(options, "video", container.name)
        self.common, self.notes = common, notes
        self.color = parse_color(options["color"])
        hdr = self.color.hdr if self.color else None
        self.light = parse_light(hdr, options["light"], options["primaries"])
        chosen = _format(container, options, bool(hdr))
        if chosen.pixel_format.rgb:
            if self.color is not None:
                name = chosen.pixel_format.name
                raise OptionError(f"color={options['color']!r} is a matrix, and {name} has none: leave it out")
            self.color = RGB
        self.dither = options["dither"]
        if self.dither and chosen.pixel_format.depth != 8:
            raise OptionError(
                f"dither=True is for 8 bit, and {chosen.pixel_format.name} has more: leave it out", page="dither"
            )
        self.live = _live(options, chosen, common.fps, target, notes)
        streamed = _live_options(options, chosen, self.live.interval) if self.live else options
        of_encoder = _encoder_options(chosen, streamed)
        self.aim = _aim(options, chosen, of_encoder)
        self.floor = (
            None if self.live or options["target"] is not None else floor_of(options["quality"], chosen, of_encoder)
        )
        lossless = options["quality"] == "lossless" or chosen.codec.name in LOSSLESS_BESIDE
        self.sound = Sound(chosen.container, options["audio_rate"], options["audio_fit"], lossless, notes)
        display = parse_mastering_display(options["mastering_display"], hdr)
        trial = EncoderSettings(
            chosen,
            common.fps,
            tuple(of_encoder.items()),
            self.color or BT709,
            *chosen.codec.tried_at,
            mastering_display=display,
        )
        profile = try_encoder(trial).profile
        if self.color is None and options["encoder_options"]:
            _try_other_color(trial)
        self.settings = trial._replace(profile=profile, metadata=common.metadata)
        _note(notes, self.settings, self.dither, options["quality"])

    @property
    def listeners(self) -> tuple[Sink, ...]:
        """Who is given the video while it grows."""
        return self.live.listeners if self.live else ()

    @property
    def shown_for(self) -> None:
        """A frame of a video is shown for any time."""

    def publication(self, target: Target) -> Publication:
        """Open the file's publication."""
        return target.publication()

    def shape(self, first: Frame, clock: Clock) -> VideoShape:
        """Take the size of the first frame, and what follows from it: padding and colour."""
        return VideoShape(self, first, clock)


def _format(container: Container, options: WriterOptions, hdr: bool) -> Format:
    codec: Codec | str | None = options["codec"]
    if options["encoder"] is not None:
        from ..formats.encoders import encoder_named  # start-up: few name an encoder

        codec = encoder_named(options["encoder"], options["codec"])
    return choose_format(
        container,
        codec,
        options["pixel_format"],
        options["quality"],
        options["bit_depth"],
        options["chroma"],
        hdr,
    )


def _live(options: WriterOptions, chosen: Format, fps: Fraction, target: Target | None, notes: Notes) -> Live | None:
    """Read how the video is handed out while it grows; None where it is not, of which a note says why."""
    outlet, bar = target.outlet if target else None, _bar(options, chosen)
    listeners: dict[str, Listener | Sink] = {}
    if options["also_to"] is not None:
        listeners["also_to="] = options["also_to"]
    if options["live"]:
        listeners["live=True"] = _viewer(target, fps)
    if not listeners and outlet is None and (options["fragment"] is not None or options["latency"] != "normal"):
        raise OptionError(
            "fragment= and latency= go with also_to=, live= or a pipe: leave them out", page="anywhere#while-it-grows"
        )
    is_playlist = outlet is not None and not outlet.takes_finished
    if bar and (listeners or is_playlist):
        raise OptionError(
            f"{'hls' if is_playlist else next(iter(listeners))} does not go with {bar}", page="anywhere#while-it-grows"
        )
    if is_playlist and options["latency"] != "normal":
        said = "latency='low' does not go with hls, whose segments begin with key frames: leave it out"
        raise OptionError(said, page="anywhere#hls")
    if outlet is not None and (bar or options["provenance"] is not None):
        why = bar or "provenance=, which signs a finished file"
        notes.add(f"{outlet.name!r} gets the finished file at the end: to write it before does not go with {why}")
        outlet = None
    if not listeners and outlet is None:
        return None
    from ..live.handout import live_of  # start-up: few are

    return live_of(listeners.values(), outlet, options["fragment"], options["latency"], fps)


def _viewer(target: Target | None, fps: Fraction) -> Sink:
    from ..deliver.viewer import Viewer  # start-up: a web server, which few look at

    return Viewer(target, fps)


def _bar(options: WriterOptions, chosen: Format) -> str:
    """Say with what a video can't be handed out before its end; nothing where it can."""
    if not chosen.codec.live or chosen.pixel_format.alpha:
        what = f"{chosen.codec.called} in {chosen.pixel_format.name}"
        return f"{what}, which no player streams: use h264, hevc, av1 or vp9"
    again = next((name for name in ("max_bytes", "target") if options[name] is not None), None)
    return f"{again}=, since what was handed out can't be encoded again" if again else ""


def _live_options(options: WriterOptions, chosen: Format, frames: int) -> WriterOptions:
    """Give the options with which each fragment begins with a key frame, and no frame is held back."""
    interval = options["keyframe_interval"]
    live: WriterOptions = {**options}
    live["keyframe_interval"] = frames if interval is None else min(frames, interval)
    live["encoder_options"] = {**chosen.codec.live, **(options["encoder_options"] or {})}
    return live


def _encoder_options(chosen: Format, options: WriterOptions) -> dict[str, str]:
    of_format = chosen.codec.of_pixel_format.get(chosen.pixel_format.name, {})
    return {**of_format} | encoder_options(
        chosen.codec,
        options["quality"],
        options["crf"],
        options["bitrate"],
        options["preset"],
        options["keyframe_interval"],
        options["encoder_options"],
        options["dither"],
    )


def _aim(options: WriterOptions, chosen: Format, of_encoder: dict[str, str]) -> Aim | None:
    """Read what the frames may be encoded again for; None where they are encoded once."""
    max_bytes, target = options["max_bytes"], options["target"]
    if max_bytes is None and target is None:
        return None
    if max_bytes is not None and target is not None:
        raise OptionError(f"max_bytes={max_bytes!r} and target={target!r} contradict: give one", page="limits")
    if target is None:
        from ..rates.size import parse_max_bytes  # start-up: few limit the size

        return parse_max_bytes(max_bytes, chosen, of_encoder)
    from ..rates.target import parse_target  # start-up: few name a metric

    return parse_target(target, chosen, of_encoder, options["quality"])


def _try_other_color(settings: EncoderSettings) -> None:
    """Refuse an option that is right for frames of some sizes only, which are not known yet."""
    try:
        try_encoder(settings._replace(color=BT601))
    except OptionError as error:
        raise OptionError(f"{error}; the colour is by the frames' size: use color='bt601' or 'bt709'") from error


def _note(notes: Notes, settings: EncoderSettings, dither: bool, quality: str) -> None:
    """Say what may surprise of the format."""
    codec, container = settings.format.codec, settings.format.container
    if settings.profile not in codec.plays_everywhere or not container.plays_everywhere:
        what = f"{' '.join(filter(None, (codec.name, settings.profile)))} in {container.name}"
        notes.warn(f"{what} does not play everywhere: some players, browsers or phones refuse it")
    if dither and quality not in codec.dithered:
        what = f"{codec.called} at quality={quality!r}"
        notes.warn(f"{what} takes most of the dither for noise: use h264 at 'high', or bit_depth=10")


class VideoShape:
    """A video of one picture size and colour."""

    def __init__(self, plan: VideoPlan, first: Frame, clock: Clock) -> None:
        pixel_format = plan.settings.format.pixel_format
        self.padding = pixel_format.padding(*first.size)
        if any(self.padding):
            size, why = "{}x{}".format(*first.size), f"as {pixel_format.chroma} needs"
            plan.notes.add(f"{size} is padded to even sides, {why}, by repeating the last line")
        width, height = (side + more for side, more in zip(first.size, self.padding, strict=True))
        _check_size(width, height, plan.settings.format.codec)
        if plan.aim:
            plan.aim.check_size(width, height)
        common, color = plan.common, plan.color or Color.of_size(width, height)
        self.settings = plan.settings._replace(color=color, width=width, height=height, variable=bool(clock.variable))
        self.seal, self.aim, self.sound, self.meter = common.seal, plan.aim, plan.sound, LightMeter()
        self.floor = plan.floor
        self.live = plan.live
        if self.live and (self.live.outlet or self.sound.is_given):
            self.sound.end("the sound of what is handed out while it grows is written before the first frame")
        self.clock, self.notes = clock, plan.notes
        self._background = common.background
        self._conversion = Conversion(color, common.value_range, common.background or BLACK, plan.dither, plan.light)
        self.pixels, self.bytes_of_picture = width * height, pixel_format.bytes_of(width, height)
        self._encoded: queue.SimpleQueue[VideoFrame] = queue.SimpleQueue()

    def convert(self, frame: Frame) -> VideoFrame:
        """Write a frame's planes into one that is encoded by now, or a new one."""
        settings, conversion = self.settings, self._conversion
        try:
            planes = self._encoded.get_nowait()
            planes.make_writable()  # other memory, should the encoder still look at this one's
        except queue.Empty:
            planes = VideoFrame(settings.width, settings.height, settings.format.pixel_format.name)
        if self._background is not None and settings.format.pixel_format.alpha:
            frame, conversion = composited(frame, conversion)
        converted = conversion.to_planes(frame, planes)
        if converted.light is not None:
            self.meter.add(converted.light)
        if converted.composited and self._background is None:
            keeping = keeping_alpha(settings.format)
            self.notes.warn(f"{SHOWN_ON_BLACK}; {keeping} keeps them")
        return planes

    def outlook(self, threads: int) -> Outlook:
        """Say what it will be, by a trial of the encoder at this size."""
        settings = self.settings._replace(threads=threads)
        _, codec, pixel_format = settings.format
        return Outlook(
            codec=" ".join(filter(None, (codec.name, settings.profile))),
            width=settings.width,
            height=settings.height,
            pixel_format=pixel_format.name,
            options=all_options(settings),
            color=settings.color,
            encoder=codec.encoder,
            settings=settings_told(settings),
        )

    def release(self, picture: VideoFrame) -> None:
        """Take back the memory of a frame."""
        self._encoded.put(picture)

    def job(self, publication: Publication, threads: int) -> VideoJob:
        """Give the job of a publication."""
        return VideoJob(self, publication, threads)


def _check_size(width: int, height: int, codec: Codec) -> None:
    if is_too_large(width, height, codec.largest_side) or width * height > codec.most_pixels:
        raise FrameError(f"frames are {width}x{height}: too large for {codec.called} in FFmpeg")
    if min(width, height) < codec.smallest_side:
        least = codec.smallest_side
        name = codec.called
        raise FrameError(f"frames are {width}x{height}: too small for {name}, which takes {least}x{least} and up")


class VideoJob:
    """A video that is being written: into its journal, and then into the finished file."""

    def __init__(self, shape: VideoShape, publication: Publication, threads: int) -> None:
        self._shape, self._publication = shape, publication
        self._settings = shape.settings._replace(threads=threads)
        self._passes = None if shape.aim is None else _passes(shape.aim, self._settings, publication)
        self._live: LiveJournal | None = None
        if shape.live is not None:
            container, uneven = self._settings.format.container, shape.clock.uneven
            self._live = shape.live.open(publication.journal, container, shape.sound, uneven)

    def encoder(self) -> Encoder | FlooredEncoder | CopyingEncoder:
        """Open the encoder, which writes to the journal."""
        shape, journal = self._shape, self._publication.journal
        if self._passes is not None:
            return self._passes.first(shape.floor, shape.notes)
        if shape.floor is not None:
            return FlooredEncoder(journal, self._settings, shape.floor, shape.notes)
        return Encoder(self._live.file if self._live else journal, self._settings)

    def finish(self, stop: Callable[[], bool]) -> Video:
        """Make the finished file, in more passes where it is to be smaller."""
        publication, notes, aim = self._publication, self._shape.notes, self._shape.aim
        publication.check_journal()
        info = self._finished_from(publication.journal)
        if self._passes is not None and aim is not None:
            try:
                info, note, warning = aim.settle(self._passes, info, self._finished_from, stop)
            except OSError as error:
                raise error if isinstance(error, PublishError) else publication.failure(error) from error
            if note:
                notes.add(note)
            if warning:
                notes.warn_later(warning)
        if info.audio is not None and (note := sound_after_frames(info.audio.duration, info.duration)):
            notes.add(note)
        light, display = info.content_light, info.mastering_display
        if light and display and light.max_cll > display.max_luminance:
            beyond = f"{light.max_cll} cd/m2, beyond the mastering display's {display.max_luminance:g}"
            notes.warn_later(f"the brightest pixel is of {beyond}: pass mastering_display= if it showed that")
        if self._live is not None:
            self._live.finish(self._shape.clock.duration)
        if self._shape.live and self._shape.live.outlet:
            info = replace(info, size_bytes=self._shape.live.outlet.size)
        return Video.of(Path(publication.path), info, self._shape.padding)

    def _finished_from(self, journal: BinaryIO) -> VideoInfo:
        """Copy a journal's packets to the finished file and compare it with what was promised."""
        shape, settings, publication = self._shape, self._settings, self._publication
        clock, container = shape.clock, settings.format.container
        hdr = settings.hdr_metadata(shape.meter.content_light)
        file = publication.open_finished()
        try:
            with captured_log() as lines:
                end = clock.duration if clock.uneven else None
                sound = shape.sound.track_beside(publication.journal, clock.duration)
                write_finished(journal, file, container, end, sound=sound, hdr=hdr)
        except av.FFmpegError as error:
            raise EncodeError(f"the file can't be finished: {in_words(error, lines)}") from error
        except OSError as error:
            raise publication.failure(error) from error
        if shape.seal is not None:
            shape.seal.sign_finished(publication)
        publication.start_sync()
        info = probe_whole(file)
        check_promises(info, settings, clock.count, clock.duration, hdr)
        check_audio(info.audio, sound, container.clock)
        if clock.variable:
            times = [tick * clock.time_base for tick in clock.ticks]
            check_times(read_timestamps_whole(file), times, container.clock)
        if shape.aim is not None and shape.aim.drops(info):
            publication.drop_finished()
        return info


def _passes(aim: Aim, settings: EncoderSettings, publication: Publication) -> Passes:
    from ..rates.passes import Passes  # start-up, as above

    return Passes(settings, publication, aim.notes_frames)
