"""A video as a part of a longer one: what must be alike in both, and when exactly its pictures and sound are."""

from __future__ import annotations

from array import array
from collections.abc import Generator, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from av import Packet
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream

from ..container.boxes import movie_tick
from ..errors import InputError, OptionError
from ..files.demux import packets_of, sound_stream
from ..files.files import Source, opened_file
from ..formats.containers import CONTAINERS
from ..support.pyav import exact, seconds
from .packets import is_frame, is_part
from .parameter_sets import bar_to_joining, parameter_sets
from .probe import VideoInfo, open_video, probe
from .sound_packets import can_be_joined, is_each_by_itself, setup_of_sound

_Ticks = npt.NDArray[np.int64]


class ClipSound(NamedTuple):
    """The sound of a clip. `kind` is what must be alike in all, `setup` what a decoder is told.

    Of a clip in the middle so many packets are `skipped`; then it starts at `start`, in seconds from the first picture.
    A packet usually lasts `length_of_packet` seconds.
    """

    kind: Mapping[str, object]
    setup: bytes
    rate: int
    skipped: int
    start: Fraction
    length_of_packet: Fraction


class Clip(NamedTuple):
    """A clip. `kind` is what must be alike in all that are joined, `setup` what a decoder is told.

    Its pictures last `duration` seconds, and each is shown from a whole number of ticks to another. The `rate` is None
    where some are shown longer than others; then the first is shown for `step` seconds, one for `longest` at most. To
    show them in order, a decoder holds `depth` of them back.
    """

    source: Source
    info: VideoInfo
    kind: Mapping[str, object]
    setup: tuple[bytes, ...]
    origin: Fraction
    tick: Fraction
    duration: Fraction
    rate: Fraction | None
    step: Fraction
    longest: Fraction
    depth: int
    frame_count: int
    sound: ClipSound | None
    track_count: int

    @property
    def name(self) -> str:
        """What errors call it."""
        return str(self.info.path)

    def time_of(self, packet: Packet[Any]) -> Fraction:
        """Give when a packet is seen or heard, in seconds from the first picture on, as exactly as its file says."""
        assert packet.pts is not None
        return seconds(packet.pts, packet.time_base) - self.origin

    def ticks_of(self, packet: Packet[Any]) -> int:
        """Give when a picture's packet is shown, in ticks from the first one on."""
        return round(self.time_of(packet) / self.tick)

    def packets(self) -> Generator[Packet[Any]]:
        """Give the packets of its pictures and its sound, in the file's order. Raises InputError."""
        with open_video(self.source) as (container, pictures):
            track = sound_stream(container) if self.sound else None
            yield from (packet for packet in packets_of(container, *filter(None, (pictures, track))) if packet.size)


def read_clip(source: Source, audio: bool = True) -> Clip:
    """Read all packets of a video, and with `audio` of its sound.

    Raises:
        InputError: it can't be read, or is cut off.
        OptionError: it can't follow another: it is in another container, or begins within a recording.
    """
    info = probe(source)
    name = str(info.path)
    if info.container not in CONTAINERS:
        raise OptionError(f"{name!r} is {info.container}, which can't be joined: use {' or '.join(CONTAINERS)}")
    if info.cut_off:
        raise InputError(f"{name!r} is cut off: of its frames {info.frame_count} are whole")
    with opened_file(source) as file:
        movie = movie_tick(file) if info.container in ("mp4", "mov") else None
        with open_video(file) as (container, pictures):
            track = sound_stream(container) if audio else None
            found = _read(name, container, pictures, track)
            if bar := _bar(found):
                raise OptionError(f"{name!r} can't follow another clip: {bar}: export it again")
            return _clip(source, info, container, found, movie)._replace(
                sound=None if track is None else _sound(name, track, found)
            )


def _clip(source: Source, info: VideoInfo, container: InputContainer, found: _Packets, movie: Fraction | None) -> Clip:
    """Give a clip of what was found in a file, but for its sound."""
    context, unit, shown = found.stream.codec_context, found.unit, np.sort(found.times) - found.times[0]
    if movie is None:
        timing = _timing_of_matroska(info, shown, info.duration - found.origin, unit)
    else:
        timing = _timing_of_mp4(info, shown, found.end * unit, unit, movie)
    if timing.duration <= int(shown[-1]) * unit:
        raise InputError(f"{str(info.path)!r} does not say how long its last frame is shown: export it again")
    return Clip(
        source=source,
        info=info,
        kind=_kind(info),
        setup=parameter_sets(context.codec.canonical_name, context.extradata or b""),
        origin=found.origin,
        tick=timing.tick,
        duration=timing.duration,
        rate=timing.rate,
        step=round(int(shown[1]) * unit / timing.tick) * timing.tick if len(shown) > 1 else timing.duration,
        longest=max(int(np.diff(shown).max(initial=0)) * unit, timing.duration - int(shown[-1]) * unit),
        depth=max(depth_of(found.times), found.early),
        frame_count=len(shown),
        sound=None,
        track_count=len(container.streams),
    )


class _Packets(NamedTuple):
    """All packets: when each picture is shown, in the file's order and its ticks, and when each of the sound is.

    The last picture ends at `end`, from the first one on. So many are decoded `early`, before the first is shown.
    """

    stream: VideoStream
    first: bytes
    times: _Ticks
    end: int
    early: int
    sound_starts: _Ticks
    sound_ends: _Ticks
    is_cut: bool
    is_changing: bool

    @property
    def unit(self) -> Fraction:
        """How long a tick is."""
        return exact(self.stream.time_base) or Fraction(1)

    @property
    def origin(self) -> Fraction:
        """When the first picture is shown, in seconds."""
        return int(self.times[0]) * self.unit


def _read(name: str, container: InputContainer, pictures: VideoStream, track: AudioStream | None) -> _Packets:
    times, starts, ends = array("q"), array("q"), array("q")
    first, end, early, is_cut, is_changing = b"", 0, 0, False, False
    for packet in packets_of(container, *filter(None, (pictures, track))):
        if not packet.size:
            continue
        if packet.pts is None or is_part(packet):
            raise InputError(f"{name!r} is damaged, or does not say when each of its packets is")
        if packet.stream_index != pictures.index:
            starts.append(packet.pts)
            ends.append(packet.pts + (packet.duration or 0))
            continue
        is_cut |= not is_frame(packet) or not (times or packet.is_keyframe)
        is_changing |= packet.has_sidedata("new_extradata")
        first = first or bytes(packet)
        times.append(packet.pts)
        end = max(end, packet.pts - times[0] + (packet.duration or 0))
        early += packet.dts is not None and packet.dts < times[0]
    if len(set(times)) < max(1, len(times)):
        raise InputError(f"{name!r} has no frames, or shows two of them at one time")
    ticks, of_sound = np.array(times, np.int64), (np.array(starts, np.int64), np.array(ends, np.int64))
    return _Packets(pictures, first, ticks, end, early, *of_sound, is_cut, is_changing)


def _bar(found: _Packets) -> str:
    """Say why a clip can't follow another; nothing where it can."""
    if found.is_cut:
        return "it begins within a recording, or its edit list hides frames"
    if found.times.min() < found.times[0]:
        return "some of its frames are shown before its first key frame"
    if found.is_changing:
        return "its parameter sets change within it"
    context = found.stream.codec_context
    return bar_to_joining(context.codec.canonical_name, context.extradata or b"", found.first)


def _kind(info: VideoInfo) -> Mapping[str, object]:
    turned = f"turned by {info.rotation} degrees{' and mirrored' if info.mirrored else ''}"
    return {
        "codec": info.codec,
        "size": f"{info.width}x{info.height}",
        "pixel format": info.pixel_format,
        "profile": info.profile,
        "colour": info.color,
        "mastering display": info.mastering_display,
        "content light": info.content_light,
        "picture": turned if info.rotation or info.mirrored else "upright",
        "sample aspect ratio": info.sample_aspect_ratio,
    }


# ---- times ---------------------------------------------------------------------------------------------------------


class _Timing(NamedTuple):
    tick: Fraction
    duration: Fraction
    rate: Fraction | None


def _timing_of_matroska(info: VideoInfo, shown: _Ticks, duration: Fraction, unit: Fraction) -> _Timing:
    """Tell the times of a file whose clock rounds them: at a constant rate they are those of the rate."""
    numbers = np.round(shown * float(unit * info.fps)).astype(np.int64)
    if not (info.constant_rate and info.fps and np.array_equal(numbers, np.arange(len(shown)))):
        return _Timing(unit, max(duration, (int(shown[-1]) + 1) * unit), None)
    of_rate = len(shown) / info.fps
    if abs(of_rate - duration) <= 2 * unit:
        return _Timing(1 / info.fps, of_rate, info.fps)
    return _Timing(1 / info.fps, max(duration, of_rate), None)


def _timing_of_mp4(info: VideoInfo, shown: _Ticks, end: Fraction, unit: Fraction, movie: Fraction) -> _Timing:
    """Tell the times of a file that says twice when its last frame ends: its media does, and its edit list.

    The edit list does so in ticks of the movie, often thousandths: where it only rounds what the media says, that is
    right. Else the edit list is, which cuts off what follows. Where times vary and there are B-frames, what the media
    says is how long another frame is shown.
    """
    of_edits = round(info.duration / unit) * unit
    is_rounded = abs(of_edits - end) < movie or of_edits <= int(shown[-1]) * unit
    duration = end if is_rounded else of_edits
    step = int(shown[1]) * unit if len(shown) > 1 else duration
    is_even = np.array_equal(shown, np.arange(len(shown)) * int(step / unit)) and 0 < duration == len(shown) * step
    return _Timing(unit, duration, 1 / step if is_even else None)


def depth_of(times: _Ticks) -> int:
    """Give how many frames are decoded before the first can be shown, so that each is decoded by when it is.

    >>> depth_of(np.array([0, 4, 2, 1, 3]))
    2
    """
    ranks = np.argsort(np.argsort(times))
    return int((np.arange(len(times)) - ranks).max())


# ---- sound ---------------------------------------------------------------------------------------------------------


def _sound(name: str, track: AudioStream, found: _Packets) -> ClipSound | None:
    """Tell what of a clip's sound is needed from its first picture on; None where it has no packet.

    Raises:
        OptionError: nobody knows how many samples its packets have.
    """
    if not len(found.sound_starts):
        return None
    context, unit = track.codec_context, exact(track.time_base) or Fraction(1)
    codec = context.codec.canonical_name
    if not can_be_joined(codec):
        raise OptionError(f"the sound of {name!r} is {codec}, which can't be joined: leave it out with audio=False")
    heard = np.flatnonzero(found.sound_ends > float(found.origin / unit))
    first = int(heard[0]) if len(heard) else len(found.sound_starts) - 1
    # The packet before is still heard in the first: without it the clip would begin with what came before it.
    skipped = first if is_each_by_itself(codec) else max(0, first - 1)
    return ClipSound(
        kind={
            "codec of sound": codec,
            "sample rate": context.sample_rate,
            "channels": context.layout.name,
            "samples": context.format.name,
        },
        setup=setup_of_sound(codec, context.extradata or b""),
        rate=context.sample_rate,
        skipped=skipped,
        start=int(found.sound_starts[skipped]) * unit - found.origin,
        length_of_packet=int(np.median(found.sound_ends - found.sound_starts)) * unit,
    )
