"""An encoder: opens a stream with its options, takes planes, and writes packets to a journal, a fragmented MP4."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import BinaryIO

import av
from av import VideoFrame
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from .color import Color
from .formats import Format
from .rate import MOST_TICKS_A_FRAME


@dataclass(frozen=True)
class EncoderSettings:
    """All that an encoder is opened with, but the size: that is the first frame's. `profile` is what it must give."""

    format: Format
    fps: Fraction
    options: Mapping[str, str] = field(default_factory=dict)
    threads: int = 1
    profile: str | None = None


class Encoder:
    """A stream of one picture size in a fragmented MP4 that is being written to `journal`."""

    def __init__(self, journal: BinaryIO, settings: EncoderSettings, color: Color, width: int, height: int) -> None:
        self._fps = settings.fps
        self._count = 0
        self._container = av.open(
            journal, "w", format="mp4", container_options=_muxer_options(settings.fps), buffer_size=1 << 18
        )
        stream = self._container.add_stream(settings.format.codec.encoder, rate=settings.fps)
        assert isinstance(stream, VideoStream)
        self._stream = stream
        self.context = stream.codec_context
        _configure(stream.codec_context, settings, color, width, height)
        stream.time_base = 1 / settings.fps

    def encode(self, frame: VideoFrame) -> None:
        """Encode the next frame and write the packets that are ready."""
        frame.pts, frame.time_base, frame.duration = self._count, 1 / self._fps, 1
        self._count += 1
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def finish(self, stop: Callable[[], bool]) -> None:
        """Write what is still in the encoder, unless told to stop, and close the journal."""
        if not stop():
            for packet in self._stream.codec_context.encode_lazy(None):
                packet.stream = self._stream
                self._container.mux(packet)
                if stop():
                    break
        self._container.close()

    def close(self) -> None:
        """Let go of the journal, finished or not."""
        self._container.close()


def _muxer_options(fps: Fraction) -> dict[str, str]:
    # The media and the movie count in the same ticks, of which every frame lasts a whole number: durations are exact
    # (ISO/IEC 14496-12 8.2.2, 8.4.2). At least 10,000 ticks a second, as FFmpeg itself takes, while a frame's fit its
    # 32 bits with room for what encoders add.
    ticks = fps.numerator
    while ticks < 10_000 and 2 * ticks / fps <= MOST_TICKS_A_FRAME:
        ticks *= 2
    return {
        # The index first, then each frame in a fragment of its own, handed over at once.
        "movflags": "+empty_moov+default_base_moof+frag_every_frame",
        "fflags": "+flush_packets",
        "video_track_timescale": str(ticks),
        "movie_timescale": str(ticks),
    }


def _configure(context: VideoCodecContext, settings: EncoderSettings, color: Color, width: int, height: int) -> None:
    context.width, context.height = width, height
    context.pix_fmt = settings.format.pixel_format
    context.framerate = settings.fps
    context.time_base = 1 / settings.fps
    context.colorspace = color.matrix
    context.color_primaries = color.primaries
    context.color_trc = color.transfer
    context.color_range = 2 if color.full_range else 1  # AVCOL_RANGE_JPEG, AVCOL_RANGE_MPEG
    context.thread_count = settings.threads
    context.options = dict(settings.options)
