"""A video for what can't be gone back in, such as a pipe: muxed while its frames are encoded, with its sound."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from math import ceil
from types import SimpleNamespace
from typing import BinaryIO, NamedTuple, Protocol, cast

import av
from av import Packet
from av.container import OutputContainer
from av.video.stream import VideoStream

from ..container.alpha_packets import VideoPacket, with_data
from ..container.fragments import FragmentReader, Piece
from ..deliver.file_objects import BinaryWriter
from ..encode.finish import Plan, add_video_stream, content_of, plan_of, rounded_up
from ..formats.containers import Container
from ..metadata.mp4 import replace_filler
from ..metadata.tags import EXACT_COPY, Metadata
from ..publish.hidden import Reader
from ..sound.encode import AudioPacket, Sound, Soundtrack, add_audio_stream, audio_frames
from ..sound.recognise import Samples
from ..support.pyav import open_input, seconds
from .fragments import Run, Sample, fragment

_ENDLESS = Fraction(1 << 40)  # seconds
_AHEAD = Fraction(1, 50)  # seconds of sound that an encoder is given at a time until it gives a packet


class Growth(NamedTuple):
    """How a video grows: by fragments of so many frames and seconds at most, each beginning with a key frame.

    With one frame they do not. Frames are held, where `is_held`, until the next one tells how long they are shown.
    """

    frames: int
    seconds: Fraction
    is_held: bool = False


class GrowingVideo:
    """Muxes what is written to a journal, frame by frame. The sound is in the journal before the first frame.

    What tells how bright HDR frames are is not in it, since nobody knows yet.
    """

    def __init__(
        self, outlet: BinaryWriter, container: Container, growth: Growth, sound: Sound, journal: BinaryIO
    ) -> None:
        self._outlet, self._container, self._growth = outlet, container, growth
        self._sound, self._journal = sound, journal
        self._reader, self._init = FragmentReader(), b""
        self._line: _Line | None = None

    def feed(self, data: bytes) -> None:
        """Take what the journal's muxer writes, in order."""
        for piece in self._reader.feed(data):
            if piece.is_init:
                self._init = piece.data
            else:
                self._line = self._line or self._open(piece)
                self._line.add(piece)

    def finish(self, duration: Fraction) -> None:
        """Write the rest of frames and sound that last so many seconds."""
        assert self._line is not None
        sound = self._soundtrack(duration)
        self._line.finish(duration, 0 if sound is None else sound.length)

    def _open(self, first: Piece) -> _Line:
        of_container = _MUXERS[self._container.muxer]
        container = replace(self._container, options=of_container.options(self._growth))
        sound = self._soundtrack(_ENDLESS)
        with open_input(io.BytesIO(self._init + first.data), "mp4", {"skip_frame": "all"}) as journal:
            (stream,) = journal.streams.video
            content = content_of(stream, Metadata.read(journal.metadata.get(EXACT_COPY)), None, sound)
            plan = plan_of(container, content)
            muxer = of_container(self._outlet, plan, container, self._growth)
            pictures = add_video_stream(muxer.target, stream, plan)
            tick = seconds(1, stream.time_base)
        encoder = None if sound is None else _SoundEncoder(muxer.target, sound)
        return _Line(muxer, pictures, tick, encoder, self._growth.is_held)

    def _soundtrack(self, duration: Fraction) -> Soundtrack | None:
        return self._sound.track_beside(cast(BinaryIO, Reader(self._journal)), duration)


class _Line:
    """Brings frames, and the sound up to where each ends, to a muxer."""

    def __init__(
        self,
        muxer: _Muxer,
        pictures: VideoStream,
        tick: Fraction,
        sound: _SoundEncoder | None,
        is_held: bool,
    ) -> None:
        self._muxer, self._pictures, self._tick, self._sound = muxer, pictures, tick, sound
        self._is_held, self._held = is_held, list[VideoPacket]()  # one at most

    def add(self, piece: Piece) -> None:
        """Bring a frame, or hold it and bring the one before."""
        packet = cast(VideoPacket, Packet(piece.sample))
        packet.pts, packet.duration = piece.start, piece.duration
        packet.dts, packet.time_base, packet.is_keyframe = packet.pts, self._tick, piece.is_key
        packet.stream = self._pictures
        self._bring_held(packet.pts)
        self._held.append(packet)
        if not self._is_held:
            self._bring_held(packet.pts + packet.duration)

    def finish(self, duration: Fraction, samples: int) -> None:
        """Bring the rest: what is held until `duration` seconds, so many samples of the sound in all, the end."""
        self._bring_held(int(duration / self._tick))
        if self._sound is not None:
            self._muxer.add_sound(self._sound.rest(samples))
        self._muxer.close()

    def _bring_held(self, end: int) -> None:
        for packet in self._held:
            assert packet.pts is not None
            packet.duration = end - packet.pts
            self._muxer.add_picture(packet)
            if self._sound is not None:
                self._muxer.add_sound(self._sound.until(end * self._tick))
            self._muxer.settle()
        self._held.clear()


class _SoundEncoder:
    """Encodes sound as far as it is asked to, and at first until there is a packet."""

    def __init__(self, target: OutputContainer, sound: Soundtrack) -> None:
        self._stream = add_audio_stream(target, sound.track, sound.coding)
        self._track, self._samples, self._count = sound.track, _Cut(iter(sound.samples)), 0

    def until(self, end: Fraction) -> list[AudioPacket]:
        """Give the packets of the sound up to so many seconds."""
        is_first, packets = self._count == 0, self._encoded(int(end * self._track.format.rate))
        while is_first and not packets:
            packets = self._encoded(self._count + int(_AHEAD * self._track.format.rate))
        return packets

    def rest(self, length: int) -> list[AudioPacket]:
        """Give those up to so many samples, and of what is in the encoder."""
        return [*self._encoded(length), *self._stream.encode(None)]

    def _encoded(self, end: int) -> list[AudioPacket]:
        packets = list[AudioPacket]()
        for frame in audio_frames(self._track, self._samples.take(end - self._count), self._count):
            self._count += frame.samples
            packets += self._stream.encode(frame)
        return packets


class _Cut:
    """Pieces of samples, cut to what is taken of them."""

    def __init__(self, pieces: Iterator[Samples]) -> None:
        self._pieces, self._rest = pieces, list[Samples]()  # one at most

    def take(self, count: int) -> Iterator[Samples]:
        """Give so many samples."""
        while count > 0:
            piece = self._rest.pop() if self._rest else next(self._pieces)
            yield piece[:count]
            if len(piece) > count:
                self._rest.append(piece[count:])
            count -= len(piece)


class _Muxer(Protocol):
    """What hands out packets, which come in order of time but for a little."""

    target: OutputContainer

    def add_picture(self, packet: VideoPacket) -> None:
        """Take a picture."""

    def add_sound(self, packets: list[AudioPacket]) -> None:
        """Take packets of the sound."""

    def settle(self) -> None:
        """Hand out what is whole, now that the sound goes as far as the pictures."""

    def close(self) -> None:
        """Hand out the rest."""


class _ClusterMuxer:
    """Matroska as live streams have it: FFmpeg's muxer ends a cluster at a key frame, once it has that."""

    def __init__(self, outlet: BinaryWriter, plan: Plan, container: Container, growth: Growth) -> None:
        self._clock = container.clock
        self.target = av.open(
            SimpleNamespace(write=outlet.write), "w", format=container.muxer, container_options=dict(plan.options)
        )
        self.target.metadata.update(plan.tags)

    @staticmethod
    def options(growth: Growth) -> dict[str, str]:
        """Give the muxer's options, in place of those that put the index in front."""
        # At a key frame alone small clusters do not end: with a millisecond less than a fragment's they do.
        limit = 0 if growth.frames == 1 else ceil(growth.seconds * 1000) - 1
        return {"live": "1", "cluster_time_limit": str(limit), "fflags": "+bitexact+flush_packets"}

    def add_picture(self, packet: VideoPacket) -> None:
        """Take a picture."""
        self.target.mux(packet)

    def add_sound(self, packets: list[AudioPacket]) -> None:
        """Take packets of the sound."""
        for packet in packets if self._clock is None else rounded_up(packets, self._clock):
            self.target.mux(packet)

    def settle(self) -> None:
        """Do nothing: FFmpeg writes when it can."""

    def close(self) -> None:
        """Hand out the rest."""
        self.target.close()


class _FragmentMuxer:
    """MP4 and MOV in fragments. FFmpeg's muxer gives what comes before them, made of the first packets."""

    def __init__(self, outlet: BinaryWriter, plan: Plan, container: Container, growth: Growth) -> None:
        self._outlet, self._plan, self._frames = outlet, plan, growth.frames
        self._beginning, self._count = io.BytesIO(), 0
        self.target = av.open(self._beginning, "w", format=container.muxer, container_options=dict(plan.options))
        self.target.metadata.update(plan.tags)
        self._pictures, self._sounds = list[VideoPacket](), list[AudioPacket]()
        self._sound_begins: int | None = None

    @staticmethod
    def options(growth: Growth) -> dict[str, str]:
        """Give the muxer's options, in place of those that put the index in front."""
        # It waits for a packet of each stream: an encoder of sound says with its first how much it added in front.
        return {"movflags": "+empty_moov+default_base_moof+delay_moov"}

    def add_picture(self, packet: VideoPacket) -> None:
        """Take a picture."""
        if self._pictures and (packet.is_keyframe or len(self._pictures) == self._frames):
            self._hand_out()
        self._pictures.append(packet)

    def add_sound(self, packets: list[AudioPacket]) -> None:
        """Take packets of the sound."""
        self._sounds += packets

    def settle(self) -> None:
        """Hand out a fragment if it has all its frames, and before the first what comes before."""
        if not self._count:
            self._begin()
        # With sound it waits for the next frame: the rest of the sound is to come with the last.
        if self._sound_begins is None and len(self._pictures) == self._frames:
            self._hand_out()

    def close(self) -> None:
        """Hand out the rest."""
        self._hand_out()

    def _begin(self) -> None:
        firsts: list[VideoPacket | AudioPacket] = [*self._pictures[:1], *self._sounds[:1]]
        for packet in firsts:
            self.target.mux(with_data(packet, bytes(packet)))  # a muxer takes packets away
        self.target.close()
        self._sound_begins = self._sounds[0].dts if self._sounds else None
        init = next(piece.data for piece in FragmentReader().feed(self._beginning.getvalue()) if piece.is_init)
        if self._plan.boxes is not None:
            file = io.BytesIO(init)
            replace_filler(file, *self._plan.boxes)
            init = file.getvalue()
        self._outlet.write(init)
        self._count = 1

    def _hand_out(self) -> None:
        if not self._pictures:
            return
        runs = [_run(1, self._pictures, 0)]
        if self._sounds:
            runs.append(_run(2, self._sounds, self._sound_begins or 0))
        self._outlet.write(fragment(self._count, runs))
        self._count += 1
        self._pictures.clear()
        self._sounds.clear()


def _run(track: int, packets: list[VideoPacket] | list[AudioPacket], zero: int) -> Run:
    """Give packets as a run that counts from the first packet of its track."""
    samples = [Sample(bytes(each), each.duration or 0, each.is_keyframe) for each in packets]
    return Run(track, (packets[0].dts or 0) - zero, samples)


_MUXERS: dict[str, type[_ClusterMuxer] | type[_FragmentMuxer]] = {
    "mp4": _FragmentMuxer,
    "mov": _FragmentMuxer,
    "webm": _ClusterMuxer,
    "matroska": _ClusterMuxer,
}
