"""The packets of clips to one finished file, one clip behind the other. Nothing is encoded.

Pictures are at exactly the times that they have in their clip, from the sum of the durations before it on. Sound can be
cut between its packets only, but for PCM: a packet is left out where less than half of it has room, and follows the one
before without a gap. So a clip's sound is in step with its pictures within half a packet, whichever clip it is.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from itertools import accumulate, chain
from math import lcm
from typing import Any, BinaryIO, NamedTuple, cast

from av import Packet
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from ..container import alpha_packets as alpha
from ..container.alpha_packets import VideoPacket
from ..errors import OptionError
from ..files.demux import sound_stream, video_streams
from ..formats.codecs import CODECS
from ..formats.containers import Container
from ..metadata.mp4 import replace_filler
from ..metadata.tags import Metadata
from ..read.clips import Clip
from ..read.sound_packets import SoundCoding, cut_off_end
from ..sound.encode import AudioPacket, silent_packet
from ..support.pyav import exact
from ..support.rate import ticks_a_second
from .finish import MOST_MOVIE_TICKS, Content, Plan, add_video_stream, opened_muxer, plan_of, rounded_up, show_until

_NO_TAG = "\0\0\0\0"
_MOST_SILENCE = 1 << 14  # samples of a packet
_LONGEST_GAP = 3600  # seconds that are filled with silence: a damaged file may say any


class Joined(NamedTuple):
    """What was written: when each picture is shown, in ticks, of so many a second, in the order of decoding.

    `gaps` are the clips before or in whose sound there is none, and no silence could be made, and for how long.
    """

    times: array[int]
    ticks: int
    gaps: dict[int, Fraction]


def starts_of(clips: Sequence[Clip]) -> list[Fraction]:
    """Give when each clip starts, and when the last one ends, in seconds."""
    return list(accumulate((clip.duration for clip in clips), initial=Fraction(0)))


def common_ticks(clips: Sequence[Clip]) -> int:
    """Give how many ticks a second count the times of all clips exactly.

    Raises:
        OptionError: they are more than a file's clock has.
    """
    ticks, longest = 1, Fraction(1)
    for clip in clips:
        ticks = lcm(ticks, clip.tick.denominator, clip.duration.denominator)
        longest = clip.longest if clip.longest > longest else longest
        if ticks * longest > MOST_MOVIE_TICKS:
            said = f"{clip.name!r} and the clips before it have no common clock that a file can count: it would tick"
            raise OptionError(f"{said} {ticks:,} times a second: export them at one frame rate")
    return ticks_a_second(Fraction(ticks))


def write_joined(clips: Sequence[Clip], finished: BinaryIO, container: Container, metadata: Metadata | None) -> Joined:
    """Write the packets of all clips, which are alike, to a file. One of them is open at a time.

    Raises:
        InputError: a clip can't be read.
        OptionError: the container has no place for the codecs, the clips have no common clock, or the sound ends long
            before the frames.
        av.FFmpegError: the muxer refuses the packets.
    """
    first, ticks, starts = clips[0], common_ticks(clips), starts_of(clips)
    rate = first.rate if all(clip.rate == first.rate for clip in clips) else None
    content = Content(
        metadata,
        ticks,
        rate=rate,
        duration=None if rate else starts[-1],
        sample_rate=first.sound.rate if first.sound else None,
        alpha_beside=first.info.pixel_format == alpha.PIXEL_FORMAT,
    )
    plan = plan_of(container, content)
    with opened_muxer(finished, container, plan) as target, closing(_packets(clips)) as packets:
        first_packet = next(packets)
        file = first_packet[1].stream.container
        pictures = _Pictures(target, file, clips, plan, ticks)
        sound = _Sound(target, file, clips, container.clock) if first.sound else None
        for at, packet in chain([first_packet], packets):
            if isinstance(packet.stream, VideoStream):
                pictures.write(at, cast(VideoPacket, packet))
            elif sound is not None:
                sound.write(at, cast(AudioPacket, packet))
    if plan.boxes is not None:
        replace_filler(finished, *plan.boxes)
    return Joined(pictures.times, ticks, sound.gaps if sound else {})


def _packets(clips: Sequence[Clip]) -> Generator[tuple[int, Packet[Any]]]:
    """Give the packets of all clips, and the number of each one's clip."""
    for at, clip in enumerate(clips):
        with closing(clip.packets()) as packets:
            for packet in packets:
                yield at, packet


class _Pictures:
    """The stream of pictures: each packet gets its time in the whole, and one to be decoded at."""

    def __init__(
        self, target: OutputContainer, source: InputContainer, clips: Sequence[Clip], plan: Plan, ticks: int
    ) -> None:
        self._target, self._clips, self._plan, self._ticks = target, clips, plan, ticks
        self._stream = add_video_stream(target, video_streams(source)[0], plan)
        context, stored, tag = self._stream.codec_context, video_streams(source)[0], CODECS[clips[0].info.codec].tag
        if pixel := exact(stored.sample_aspect_ratio):  # by the container, which may say another than the pictures
            context.sample_aspect_ratio = pixel
        if plan.keeps_codec_tag and tag and context.codec_tag == _NO_TAG:  # of a Matroska
            context.codec_tag = tag
        self._starts = [int(start * ticks) for start in starts_of(clips)]
        self._count = sum(clip.frame_count for clip in clips)
        self.times = array("q")
        gap, depth = int(clips[0].step * ticks), max(clip.depth for clip in clips)
        self._decoded = [-gap * number for number in range(depth, 0, -1)]  # a heap

    def write(self, at: int, packet: VideoPacket) -> None:
        """Write a packet of a clip.

        Each is decoded when the one is shown that comes `depth` before it in the order of time: so they follow each
        other also from one clip to the next, and none is decoded after it is shown.
        """
        clip = self._clips[at]
        packet.pts = self._starts[at] + int(clip.ticks_of(packet) * clip.tick * self._ticks)
        packet.dts = heapq.heappushpop(self._decoded, packet.pts)
        self.times.append(packet.pts)
        if self._plan.rate is not None:
            packet.duration = int(self._ticks / self._plan.rate)
        else:
            show_until(self._starts[-1], packet, is_last=len(self.times) == self._count)
        packet.time_base, packet.stream = Fraction(1, self._ticks), self._stream
        self._target.mux(packet)


class _Sound:
    """The stream of sound: packets one behind the other, those left out that have no room."""

    def __init__(
        self, target: OutputContainer, source: InputContainer, clips: Sequence[Clip], clock: Fraction | None
    ) -> None:
        track, sounds = sound_stream(source), [clip.sound for clip in clips if clip.sound]
        assert track is not None
        self._target, self._clock, self._clips = target, clock, clips
        self._coding = SoundCoding.of(track, sounds[0].length_of_packet)
        self._stream = _added(target, track, sounds[0].setup)
        self._stream.time_base = Fraction(1, self._coding.rate)
        self._starts = starts_of(clips)[:-1]
        # Where the sound of each clip but the first begins, there that of the one before ends.
        earliest = Fraction(0) if self._coding.bytes_of_sample else min(sound.start for sound in sounds)
        begins = (start + max(earliest, sound.start) for start, sound in zip(self._starts, sounds, strict=True))
        self._begins = [round(begin * self._coding.rate) for begin in begins]
        self._limits = [*self._begins[1:], None]
        self._skipped = [0, *(sound.skipped for sound in sounds[1:])]
        self._end: int | None = None  # of what is written
        self._last = -1  # the clip of which that is
        self._silence = silent_packet(track, sounds[0].setup)
        self.gaps: dict[int, Fraction] = {}

    def write(self, at: int, packet: AudioPacket) -> None:
        """Write a packet of a clip, as far as it has room."""
        if self._skipped[at]:
            self._skipped[at] -= 1
            return
        due = round((self._starts[at] + self._clips[at].time_of(packet)) * self._coding.rate)
        end = due if self._end is None else self._end
        if (gap := (due - end) // self._coding.rate) > _LONGEST_GAP:
            said = f"the sound of {self._clips[at].name!r} begins, or goes on, {gap:,} s after what is before it"
            raise OptionError(f"{said}: leave it out with audio=False")
        if self._coding.bytes_of_sample:
            self._write_samples(at, packet, due, end)
        else:
            self._write_whole(at, packet, due, end)

    def _write_samples(self, at: int, packet: AudioPacket, due: int, end: int) -> None:
        """Write what of a packet has room. In front of a clip's first is silence, as long as the sound before lacks."""
        size, data, limit = self._coding.bytes_of_sample, bytes(packet), self._limits[at]
        if at != self._last:
            begin = self._begins[at] if at else due
            data = data[max(0, begin - due) * size :]
            for length in _pieces(max(begin, due) - end if data else 0):
                self._mux(at, alpha.with_data(packet, bytes(length * size)), end, length)
                end += length
        data = data if limit is None else data[: max(0, limit - end) * size]
        if data:
            self._mux(at, alpha.with_data(packet, data), end, len(data) // size)

    def _write_whole(self, at: int, packet: AudioPacket, due: int, end: int) -> None:
        """Write a packet if at least half of it has room, behind the one before it if that leaves no gap as long."""
        length, limit = self._coding.samples_in(packet), self._limits[at]
        # A clip that begins up to half a packet off is so to its end, and clocks round.
        tolerance = length / 2 if at != self._last else length
        if due - end > tolerance and (limit is None or due + length / 2 <= limit):
            end = self._write_silence(at, packet, due, end)
        start = due if due - end > tolerance else end
        if end - due > tolerance or (limit is not None and start + length / 2 > limit):
            return
        if limit is not None:  # of the last clip alone the end may be cut off
            packet = alpha.with_data(packet, bytes(packet))
        self._mux(at, packet, start, length)

    def _write_silence(self, at: int, packet: AudioPacket, due: int, end: int) -> int:
        """Fill a gap in front of a packet, as near as whole packets do, and give where they end."""
        data, length = self._silence
        if not data:
            self.gaps[at] = Fraction(due - end, self._coding.rate)
            return end
        for _ in range(round(Fraction(due - end, length))):
            self._mux(at, alpha.with_data(packet, data), end, length)
            end += length
        return end

    def _mux(self, at: int, packet: AudioPacket, start: int, length: int) -> None:
        packet.stream, packet.time_base = self._stream, Fraction(1, self._coding.rate)
        packet.pts = packet.dts = start
        packet.duration = length - cut_off_end(packet)
        self._end, self._last = start + length, at
        for each in [packet] if self._clock is None else rounded_up([packet], self._clock):
            self._target.mux(each)


def _pieces(length: int) -> Iterator[int]:
    """Give the lengths of pieces that are so long together."""
    for start in range(0, length, _MOST_SILENCE):
        yield min(_MOST_SILENCE, length - start)


def _added(target: OutputContainer, track: AudioStream, setup: bytes) -> AudioStream:
    """Add a stream of sound to a file whose header is not written yet.

    Raises:
        OptionError: the container has no place for the codec.
    """
    try:
        stream = target.add_stream_from_template(track, opaque=True)
    except ValueError as error:
        codec, file = track.codec_context.codec.canonical_name, target.format.name
        said = f"sound of {codec} does not go into {file}: use another container, or leave it out with audio=False"
        raise OptionError(said) from error
    if setup:
        stream.codec_context.extradata = setup
    return stream
