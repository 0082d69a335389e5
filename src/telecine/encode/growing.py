"""A video for what can't be gone back in, such as a pipe: muxed while its frames are encoded, with its sound."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from math import ceil
from types import SimpleNamespace
from typing import BinaryIO, NamedTuple, cast

import av
from av import Packet
from av.container import InputContainer, OutputContainer

from ..container.alpha_packets import VideoPacket
from ..container.boxes import top_level_boxes
from ..container.fragments import FragmentReader, Piece
from ..deliver.target import Outlet
from ..formats.containers import Container
from ..metadata.mp4 import replace_filler
from ..metadata.tags import EXACT_COPY, Metadata
from ..publish.hidden import Reader
from ..sound.encode import AudioPacket, Sound, Soundtrack, add_audio_stream, audio_frames
from ..sound.recognise import Samples
from ..support.pyav import open_input, seconds
from .finish import Content, add_video_stream, plan_of, rounded_up

_ENDLESS = Fraction(1 << 40)  # seconds
# The index waits for a packet of each stream: an encoder of sound says with its first how much it added in front.
_FRAGMENTS = "+empty_moov+default_base_moof+delay_moov"
_CUT = {"normal": "+frag_keyframe", "low": "+frag_every_frame"}


class Growth(NamedTuple):
    """How a video grows: by fragments of so many seconds at most, or, where the latency is "low", of a frame each.

    Its frames are held, where `is_held`, until the next one tells how long they are shown.
    """

    fragment: Fraction
    latency: str
    is_held: bool = False

    def options(self, muxer: str) -> dict[str, str]:
        """Give a muxer's options, in place of those that put the index in front."""
        if muxer in ("mp4", "mov"):
            return {"movflags": _FRAGMENTS + _CUT[self.latency], "fflags": "+flush_packets"}
        # Matroska's clusters end at a key frame too, but not the small ones: a millisecond less, and these do.
        limit = 0 if self.latency == "low" else ceil(self.fragment * 1000) - 1
        return {"live": "1", "cluster_time_limit": str(limit), "fflags": "+bitexact+flush_packets"}


class GrowingVideo:
    """Muxes what is written to a journal, frame by frame. The sound is in the journal before the first frame.

    What tells how bright HDR frames are is not in it, since nobody knows yet.
    """

    def __init__(self, outlet: Outlet, container: Container, growth: Growth, sound: Sound, journal: BinaryIO) -> None:
        self._outlet, self._sound, self._journal, self._is_held = outlet, sound, journal, growth.is_held
        self._container = replace(container, options=growth.options(container.muxer))
        self._reader, self._init = FragmentReader(), b""
        self._muxer: _Muxer | None = None

    def feed(self, data: bytes) -> None:
        """Take what the journal's muxer writes, in order."""
        for piece in self._reader.feed(data):
            if piece.is_init:
                self._init = piece.data
            elif piece.data:
                self._muxer = self._muxer or self._open(piece)
                self._muxer.add(piece)

    def finish(self, duration: Fraction) -> int:
        """Write the rest of frames and sound that last so many seconds, and give how many bytes it has."""
        assert self._muxer is not None
        sound = self._soundtrack(duration)
        self._muxer.finish(duration, 0 if sound is None else sound.length)
        return self._outlet.size

    def _open(self, first: Piece) -> _Muxer:
        with open_input(io.BytesIO(self._init + first.data), "mp4", {"skip_frame": "all"}) as journal:
            return _Muxer(self._outlet, journal, self._container, self._soundtrack(_ENDLESS), self._is_held)

    def _soundtrack(self, duration: Fraction) -> Soundtrack | None:
        return self._sound.track_beside(cast(BinaryIO, Reader(self._journal)), duration)


class _Muxer:
    """An open muxer: pictures, and the sound, which is encoded up to where each picture ends."""

    def __init__(
        self, outlet: Outlet, journal: InputContainer, container: Container, sound: Soundtrack | None, is_held: bool
    ) -> None:
        (stream,) = journal.streams.video
        plan = plan_of(stream, container, Content(Metadata.read(journal.metadata.get(EXACT_COPY)), None, sound))
        written = outlet if plan.boxes is None else _Filled(outlet, *plan.boxes)
        self._target = av.open(
            SimpleNamespace(write=written.write), "w", format=container.muxer, container_options=dict(plan.options)
        )
        self._target.metadata.update(plan.tags)
        self._pictures, self._time_base = add_video_stream(self._target, stream, plan), stream.time_base
        self._sound = None if sound is None else _SoundStream(self._target, sound, container.clock)
        self._is_held, self._held = is_held, list[VideoPacket]()  # one at most

    def add(self, piece: Piece) -> None:
        """Write a frame, or hold it and write the one before."""
        packet = cast(VideoPacket, Packet(piece.sample))
        packet.pts, packet.duration = piece.times
        packet.dts, packet.time_base, packet.is_keyframe = packet.pts, self._time_base, piece.is_key
        self._mux_held(packet.pts)
        self._held.append(packet)
        if not self._is_held:
            self._mux_held(packet.pts + packet.duration)

    def finish(self, duration: Fraction, samples: int) -> None:
        """Write the rest: what is held until `duration` seconds, so many samples of the sound in all, the end."""
        self._mux_held(int(duration / seconds(1, self._time_base)))
        if self._sound is not None:
            self._sound.finish(samples)
        self._target.close()

    def _mux_held(self, end: int) -> None:
        for packet in self._held:
            assert packet.pts is not None
            packet.duration, packet.stream = end - packet.pts, self._pictures
            self._target.mux(packet)
            if self._sound is not None:
                self._sound.encode(seconds(end, self._time_base))
        self._held.clear()


class _SoundStream:
    """A stream of sound that is encoded as far as the pictures go."""

    def __init__(self, target: OutputContainer, sound: Soundtrack, clock: Fraction | None) -> None:
        self._target, self._track, self._clock = target, sound.track, clock
        self._stream = add_audio_stream(target, sound.track, sound.coding)
        self._samples, self._count = _Cut(iter(sound.samples)), 0

    def encode(self, end: Fraction) -> None:
        """Encode and write it up to so many seconds."""
        self._encode(int(end * self._track.format.rate))

    def finish(self, length: int) -> None:
        """Encode and write it up to so many samples, and what is in the encoder."""
        self._encode(length)
        self._mux(self._stream.encode(None))

    def _encode(self, end: int) -> None:
        for frame in audio_frames(self._track, self._samples.take(end - self._count), self._count):
            self._count += frame.samples
            self._mux(self._stream.encode(frame))

    def _mux(self, packets: list[AudioPacket]) -> None:
        for packet in packets if self._clock is None else rounded_up(packets, self._clock):
            self._target.mux(packet)


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


class _Filled:
    """Puts the boxes of the metadata into the index, which comes first, in the place of what fills it."""

    def __init__(self, outlet: Outlet, in_index: bytes, beside: bytes) -> None:
        self._outlet, self._boxes, self._index = outlet, (in_index, beside), bytearray()
        self._is_over = False

    def write(self, data: bytes) -> int:
        """Take what the muxer writes."""
        if self._is_over:
            self._outlet.write(data)
            return len(data)
        self._index += data
        file = io.BytesIO(self._index)
        if any(box.kind == b"moov" and box.end <= len(self._index) for box in top_level_boxes(file)):
            self._is_over = True
            replace_filler(file, *self._boxes)
            self._outlet.write(file.getvalue())
        return len(data)
