"""An encoder: opens a stream with its options, takes planes, and writes packets to a journal, a fragmented MP4."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from contextlib import nullcontext
from fractions import Fraction
from typing import Any, BinaryIO, NamedTuple

import av
from av import Packet, VideoFrame
from av.codec.hwaccel import HWAccel
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from ..color.color import BT709, Color
from ..color.hdr import ContentLight, MasteringDisplay
from ..container import alpha_packets as alpha
from ..container.hdr_boxes import HdrMetadata
from ..formats.choose import Format
from ..formats.codecs import NARROW, UNEVEN, Library
from ..metadata.tags import EXACT_COPY, Metadata
from ..support.processors import MOST_THREADS, ordinary_threads
from ..support.rate import VARIABLE_TIME_BASE, ticks_a_second

# Bytes that are taken and freed once, for glibc to keep twice as many: an encoder of 16 frames of 512x512 has 28 MB.
_FREED_ONCE = 16 << 20
# How many frames are decoded in the order that they are shown in. Of so few x265 subtracts from the times of decoding a
# delay that it has not set, whatever is in its memory (x265 source/encoder/encoder.cpp, m_bframeDelayTime).
_NEVER_REORDERED = 2
_MACROBLOCK = 16  # pixels (Rec. ITU-T H.264, 3.86)


class EncoderSettings(NamedTuple):
    """All that an encoder is opened with. Size, colour, threads and timing are those of a trial, until frames come.

    `profile` is what it must give. Frames come at the rate `fps`, or, where that is `variable`, at any times.
    `metadata` is what the file says of itself.
    Of PQ and HLG, `mastering_display` is what the finished file says.
    """

    format: Format
    fps: Fraction
    options: tuple[tuple[str, str], ...] = ()
    color: Color = BT709
    width: int = 128
    height: int = 96
    threads: int = 1
    profile: str | None = None
    variable: bool = False
    metadata: Metadata | None = None
    mastering_display: MasteringDisplay | None = None

    @property
    def time_base(self) -> Fraction:
        """The unit of frames' times, in seconds."""
        return VARIABLE_TIME_BASE if self.variable else 1 / self.fps

    def hdr_metadata(self, content_light: ContentLight | None) -> HdrMetadata | None:
        """What the finished file says of frames that are so bright; None unless it is PQ or HLG."""
        if self.mastering_display is None or content_light is None:
            return None
        return HdrMetadata(self.mastering_display, content_light)


class Encoder:
    """A stream of one picture size in a fragmented MP4 that is being written to `journal`."""

    def __init__(self, journal: BinaryIO, settings: EncoderSettings) -> None:
        _keep_freed_memory()
        self._time_base = settings.time_base
        self._interval = round(1 / settings.fps / settings.time_base)
        self._count = 0
        self._real_time = settings.format.codec.library.real_time
        codec = settings.format.codec
        for name, value in codec.library.environment.items():
            os.environ.setdefault(name, value)
        self._container = av.open(
            journal,
            "w",
            format=codec.journal,
            container_options=_muxer_options(settings),
            buffer_size=1 << 18,
        )
        hardware = codec.hardware
        device: dict[str, Any] = {"hwaccel": HWAccel(hardware.device)} if hardware and hardware.device else {}
        stream = self._container.add_stream(codec.encoder, rate=settings.fps, **device)
        assert isinstance(stream, VideoStream)
        self._stream = stream
        self.context = stream.codec_context
        _configure(stream.codec_context, settings)
        stream.time_base = settings.time_base
        if settings.metadata is not None:
            self._container.metadata[EXACT_COPY] = settings.metadata.exact_copy
        if settings.format.pixel_format.alpha and codec.name in alpha.DECODERS:
            stream.metadata.update(alpha.SAYS_JOINED)

    def encode(self, frame: VideoFrame, pts: int) -> None:
        """Encode the next frame, to be shown at a time in ticks, and write the packets that are ready."""
        self._count += 1
        frame.pts, frame.time_base, frame.duration = pts, self._time_base, self._interval
        # prores_ks writes the frame's tags, the others the context's.
        frame.colorspace, frame.color_range = self.context.colorspace, self.context.color_range
        frame.color_primaries, frame.color_trc = self.context.color_primaries, self.context.color_trc
        # The first frame opens the encoder.
        with ordinary_threads() if self._count == 1 and self._real_time else nullcontext():
            packets = self._stream.encode(frame)
        for packet in packets:
            self._mux(packet)

    def finish(self, stop: Callable[[], bool]) -> None:
        """Write what is still in the encoder, unless told to stop, and close the journal."""
        if not stop():
            for packet in self._stream.codec_context.encode_lazy(None):
                packet.stream = self._stream
                if self._count <= _NEVER_REORDERED:
                    packet.dts = packet.pts
                self._mux(packet)
                if stop():
                    break
        self._container.close()

    def close(self) -> None:
        """Let go of the journal, finished or not."""
        self._container.close()

    def _mux(self, packet: Packet[VideoStream]) -> None:
        self._container.mux(alpha.joined(packet))


@functools.cache
def _keep_freed_memory() -> None:
    """Let this process keep what an encoder frees for the next: a short clip takes a tenth of its time to get it anew.

    glibc gives back what is free beyond twice the largest block that had pages of its own and was freed, so a process
    that works on large arrays does so later (mallopt(3), M_MMAP_THRESHOLD). No page of this one is touched. Whoever has
    set a threshold keeps it.
    """
    bytes(_FREED_ONCE)


def _muxer_options(settings: EncoderSettings) -> dict[str, str]:
    ticks = str(ticks_a_second(1 / settings.time_base))
    return {
        # The index first, then each frame in a fragment of its own, handed over at once. Tags of any name and length.
        "movflags": "+empty_moov+default_base_moof+frag_every_frame+use_metadata_tags",
        # Packets as the encoder gives them: what FFmpeg looks for at the end of VP9's is not there with alpha behind.
        "fflags": "+flush_packets-autobsf",
        "video_track_timescale": ticks,
        "movie_timescale": ticks,
    }


def all_options(settings: EncoderSettings) -> dict[str, str]:
    """Give the options that the encoder is opened with: those of the settings, and what goes with them in any case.

    >>> from ..formats.choose import choose_format
    >>> from ..formats.containers import CONTAINERS
    >>> all_options(EncoderSettings(choose_format(CONTAINERS["mp4"], "hevc"), Fraction(16), (("crf", "18"),)))
    {'crf': '18', 'x265-params': 'log-level=none:aq-strength=0.3'}
    """
    options, parameters = dict(settings.options), settings.format.codec.parameters
    # The last is obeyed where they differ.
    values = (
        parameters.always,
        "" if options.get("tune") == "zerolatency" else parameters.side_by_side,
        parameters.uneven if -(-settings.width // _MACROBLOCK) % UNEVEN else "",
        "" if settings.variable else parameters.at_constant_rate,
        parameters.at_fractional_crf.format(crf=options["crf"]) if "." in options.get("crf", "") else "",
        options.get(parameters.option, ""),
        parameters.narrow if settings.width <= NARROW else "",
    )
    if any(values):
        options[parameters.option] = ":".join(filter(None, values))
    return options


def threads_of(library: Library, processors: int) -> int:
    """How many threads an encoder has, for so many processors."""
    threads = processors * library.threads_a_processor if processors > 1 else 1
    return max(min(threads, MOST_THREADS), library.fewest_threads)


def _configure(context: VideoCodecContext, settings: EncoderSettings) -> None:
    context.width, context.height = settings.width, settings.height
    context.pix_fmt = settings.format.codec.layout_of(settings.format.pixel_format.name)  # PyAV lays the codes out anew
    context.framerate = settings.fps
    context.time_base = settings.time_base
    context.colorspace = settings.color.matrix
    context.color_primaries = settings.color.primaries
    context.color_trc = settings.color.transfer
    context.color_range = 2 if settings.color.full_range else 1  # AVCOL_RANGE_JPEG, AVCOL_RANGE_MPEG
    context.thread_count = threads_of(settings.format.codec.library, settings.threads)
    context.options = all_options(settings)
    if settings.format.codec.tag:
        context.codec_tag = settings.format.codec.tag
