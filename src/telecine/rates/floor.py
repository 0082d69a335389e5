"""The floor of a quality level: an export whose first frames are further off than that begins anew, at a lower crf.

A crf fits most clips: of rain or of noise it may be too high. The first frames are measured by XPSNR on a thread while
more are encoded, from a decoded copy of their packets. Until then all that came is held, to encode it again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple, Protocol, cast

from av import CodecContext, Packet, VideoFrame
from av.video.stream import VideoStream

from ..encode.encoder import Encoder, EncoderSettings
from ..formats.choose import Format
from ..formats.codecs import CrfScale
from ..support.in_order import InOrder
from ..support.notes import Notes
from .xpsnr import xpsnr_of_frames

_MEASURED = 2  # frames; the first is left out, on which encoders spend more than on others
_LEAST_PIXELS = 256 * 256  # of fewer, XPSNR takes steps that nobody sees for large ones
_MOST_HELD = 256 << 20  # bytes
_MOST_TIMES = 6  # that it begins anew
_STEP = 0.7  # dB of XPSNR that one crf of x264 is, until two are known
_LONGEST = 1.5  # times the step that this makes: faint noise is not kept at all, and then most of it is
_MARGIN = 0.5  # dB that the first frames are to have above the floor, since later ones have less
_MORE = 0.2  # dB beyond that, to aim at
_RANGE = 51  # of x264's crf
# By level; docs/quality.md says what the clips have that they were settled on.
FLOORS: Mapping[str, float] = MappingProxyType({"draft": 30, "balanced": 33.5, "high": 36.5, "visually-lossless": 41.5})
_DECODERS = {"av1": "libdav1d"}  # FFmpeg's own only asks the hardware


class Floor(NamedTuple):
    """The least XPSNR of luma in dB, by the name of a quality level."""

    quality: str
    xpsnr: float


def is_measurable(format: Format) -> bool:
    """Tell whether the frames of a format are measured: those of 8-bit Y'CbCr, where the encoder has a crf."""
    pixel_format = format.pixel_format
    return pixel_format.depth == 8 and not (pixel_format.rgb or pixel_format.alpha) and bool(format.codec.scale)


def floor_of(quality: str, format: Format, options: Mapping[str, str]) -> Floor | None:
    """Give the floor of a level, if all of its options stand, and if it can be measured."""
    level = format.codec.qualities.get(quality, {})
    if quality not in FLOORS or any(options.get(name) != value for name, value in level.items()):
        return None
    return Floor(quality, FLOORS[quality]) if is_measurable(format) else None


class Journal(Protocol):
    """What an encoder writes to, which can begin anew."""

    def begin_anew(self) -> bytes:
        """Drop the frames in it; gives what else is in it, to be inserted again."""

    def insert(self, box: bytes) -> None:
        """Write what is no frame."""


class FlooredEncoder:
    """An encoder of a video whose first frames are at the level's floor or above it."""

    def __init__(
        self,
        journal: BinaryIO,
        settings: EncoderSettings,
        floor: Floor,
        notes: Notes,
        chosen: Callable[[Mapping[str, str]], None] = lambda options: None,
    ) -> None:
        """Open it; `chosen` is told of the options of another crf."""
        assert settings.format.codec.scale is not None
        self._journal, self._floor, self._notes, self._chosen = journal, floor, notes, chosen
        self._scale: CrfScale = settings.format.codec.scale
        self._begun_at, self._settings = self._crf_of(settings), settings
        self._held: list[tuple[VideoFrame, int]] = []
        self._tried: list[tuple[float, float]] = []  # crfs, and the XPSNR at each
        self._room = _MOST_HELD
        self._encoder, self._is_settled = _Watched(journal, settings), False
        self._measurements: InOrder[float] = InOrder(_xpsnr_of, 1, "floor")
        if settings.width * settings.height < _LEAST_PIXELS:
            self._let_go()

    def encode(self, frame: VideoFrame, pts: int) -> None:
        """Encode the next frame, and begin anew where the first are known to be too far off."""
        if self._is_settled:
            self._encoder.encode(frame, pts)
            return
        self._room -= self._settings.format.pixel_format.bytes_of(frame.width, frame.height)
        self._held.append((_copy_of(frame), pts))
        self._encoder.encode(frame, pts)
        while not self._is_settled and (self._measurements or self._encoder.has(self._wanted)):
            if not self._settle(wait=self._room < 0):
                return
        if self._room < 0:
            self._let_go()

    def finish(self, stop: Callable[[], bool]) -> None:
        """Write what is still in the encoder, unless told to stop; of a short clip that settles it."""
        self._encoder.finish(stop)
        while not self._is_settled and not stop():
            encoder = self._encoder
            self._settle(wait=True)
            if self._encoder is not encoder:
                self._encoder.finish(stop)

    def close(self) -> None:
        """Let go of the journal, finished or not."""
        self._measurements.close()
        self._encoder.close()

    @property
    def _wanted(self) -> list[int]:
        """The times of the frames that are decoded."""
        return [pts for _, pts in self._held[: _MEASURED + 1]]

    def _settle(self, wait: bool) -> bool:
        """Measure the first frames, and begin anew where they are too far off; tells whether that is known."""
        if not self._measurements:
            self._measurements.call(self._encoder.first_packets(self._wanted), self._held[: _MEASURED + 1])
        xpsnr = next(self._measurements.rest() if wait else self._measurements.ended(), None)
        if xpsnr is None:
            return False
        self._judge(xpsnr)
        return True

    def _judge(self, xpsnr: float) -> None:
        """Begin anew where that is too little, or let the crf stand."""
        crf = self._crf_of(self._settings)
        lower = (
            crf if xpsnr >= self._floor.xpsnr + _MARGIN or len(self._tried) == _MOST_TIMES else self._lower(crf, xpsnr)
        )
        if lower != crf:
            self._begin_anew(lower)
            return
        if self._tried:
            quality, least = self._floor
            said = f"crf {crf:g} in place of {self._begun_at:g}: quality={quality!r} is at least {least:g} dB of XPSNR"
            self._notes.add(f"{said}, of which the first frames have {xpsnr:.1f} now")
        self._let_go()

    def _lower(self, crf: float, xpsnr: float) -> float:
        """Give the crf that is thought to be enough, or the best but for one that x264 takes for lossless."""
        best, worst = self._scale.best, self._scale.worst
        a_crf, unit = _STEP * _RANGE / abs(worst - best), self._scale.step or 0.5
        if self._tried:
            before, less = self._tried[-1]
            a_crf = max((xpsnr - less) / abs(before - crf), a_crf / _LONGEST)
        self._tried.append((crf, xpsnr))
        steps = math.ceil((self._floor.xpsnr + _MARGIN + _MORE - xpsnr) / a_crf / unit) * unit
        left = max(abs(crf - best) - steps, self._scale.step or 1.0)
        return best + math.copysign(left, worst - best)

    def _begin_anew(self, crf: float) -> None:
        options = self._scale.options_at(crf)
        self._chosen(options)
        self._settings = self._settings._replace(options=tuple((dict(self._settings.options) | options).items()))
        self._encoder.close()
        journal = cast(Journal, self._journal)
        others = journal.begin_anew()
        self._encoder = _Watched(self._journal, self._settings)
        for frame, pts in self._held:
            self._encoder.encode(frame, pts)
        if others:
            journal.insert(others)  # behind the head: a muxer that goes back counts from the beginning

    def _crf_of(self, settings: EncoderSettings) -> float:
        return self._scale.crf_of(dict(settings.options))

    def _let_go(self) -> None:
        self._is_settled = True
        self._measurements.close()
        self._encoder.forget()
        self._held.clear()


class _Watched(Encoder):
    """An encoder whose packets are kept beside, until they are forgotten."""

    def __init__(self, journal: BinaryIO, settings: EncoderSettings) -> None:
        super().__init__(journal, settings)
        self._codec = settings.format.codec.name
        self._packets: list[Packet[VideoStream]] | None = []

    def _mux(self, packet: Packet[VideoStream]) -> None:
        if self._packets is not None:
            kept: Packet[Any] = Packet(bytes(packet))
            kept.pts, kept.dts = packet.pts, packet.dts
            self._packets.append(kept)
        super()._mux(packet)

    def has(self, times: list[int]) -> bool:
        """Tell whether the frames of these times, and as many as are measured, are encoded."""
        if len(times) <= _MEASURED or len(self._packets or ()) <= _MEASURED:
            return False
        return set(times) <= {packet.pts for packet in self._packets or ()}

    def first_packets(self, times: list[int]) -> _Stream:
        """Give the packets up to the last of these times, to be decoded."""
        packets = self._packets or []
        last = max(at for at, packet in enumerate(packets) if packet.pts in times)
        return _Stream(self._codec, self.context.extradata, packets[: last + 1])

    def forget(self) -> None:
        """Keep no packets any more."""
        self._packets = None


class _Stream(NamedTuple):
    """Packets, and what a decoder needs for them."""

    codec: str
    extradata: bytes | None
    packets: list[Packet[VideoStream]]

    def frames(self) -> Iterator[VideoFrame]:
        """Decode all."""
        decoder: Any = CodecContext.create(_DECODERS.get(self.codec, self.codec), "r")
        decoder.extradata = self.extradata
        decoder.thread_count = 1
        for packet in (*self.packets, None):
            yield from decoder.decode(packet)


def _xpsnr_of(stream: _Stream, originals: list[tuple[VideoFrame, int]]) -> float:
    """Measure the frames of some times."""
    made = {frame.pts: frame for frame in stream.frames()}
    return xpsnr_of_frames((made[pts], frame) for frame, pts in originals)


def _copy_of(frame: VideoFrame) -> VideoFrame:
    """Copy a frame, whose memory will be written to again."""
    copy = VideoFrame(frame.width, frame.height, frame.format.name)
    for plane, of in zip(copy.planes, frame.planes, strict=True):
        cast(Any, plane).update(of)  # any buffer, though it is typed as bytes
    return copy
