"""Frames kept exactly, one by one, in a fragmented MP4 of FFV1: the journal of what isn't a video, read back twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import BinaryIO

import av
import numpy as np
import numpy.typing as npt
from av import VideoFrame
from av.video.stream import VideoStream

from ..container.boxes import whole_fragments
from ..errors import OptionError
from ..metadata.tags import EXACT_COPY, Metadata
from ..support.pyav import exact, open_input, seconds
from ..support.rate import ticks_a_second

# By the number of channels: a frame's pixel format, and the one that FFV1 takes its bytes in, in another order.
_PIXEL_FORMATS = {3: ("rgb24", "bgr0"), 4: ("rgba", "bgra")}
_CHANNELS: dict[str | None, int] = {stored: channels for channels, (_, stored) in _PIXEL_FORMATS.items()}


class LosslessJournal:
    """Writes (height, width, 3 or 4) uint8 frames to a file, each whole in it when the next one is encoded.

    `time_base` is the unit of durations, in seconds.
    """

    def __init__(
        self,
        file: BinaryIO,
        width: int,
        height: int,
        channels: int,
        time_base: Fraction,
        threads: int = 1,
        metadata: Metadata | None = None,
    ) -> None:
        self._pixel_format, stored = _PIXEL_FORMATS[channels]
        self._time_base, self._at = time_base, 0
        ticks = str(ticks_a_second(1 / time_base))
        self._container = av.open(
            file,
            "w",
            format="mp4",
            container_options={
                # The index first, then each frame in a fragment of its own, handed over at once.
                "movflags": "+empty_moov+default_base_moof+frag_every_frame+use_metadata_tags",
                "fflags": "+flush_packets",
                "video_track_timescale": ticks,
                "movie_timescale": ticks,
            },
            buffer_size=1 << 18,
        )
        if metadata is not None:
            self._container.metadata[EXACT_COPY] = metadata.exact_copy
        stream = self._container.add_stream("ffv1", rate=1 / time_base)
        assert isinstance(stream, VideoStream)
        self._stream = stream
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = width, height, stored
        context.time_base = stream.time_base = time_base
        context.thread_count = threads
        # Every frame decodes alone and has checksums.
        context.options = {"g": "1", "level": "3", "slicecrc": "1"}

    def encode(self, frame: npt.NDArray[np.uint8], duration: Fraction) -> None:
        """Keep the next frame, which is shown for so many seconds, a multiple of the time base."""
        picture = VideoFrame.from_ndarray(frame, format=self._pixel_format).reformat(
            format=self._stream.codec_context.pix_fmt
        )
        picture.pts, picture.time_base = self._at, self._time_base
        picture.duration = max(1, round(duration / self._time_base))
        self._at += picture.duration
        for packet in self._stream.encode(picture):
            packet.duration = picture.duration
            self._container.mux(packet)

    def close(self) -> None:
        """Complete the file."""
        self._container.close()


@dataclass(frozen=True)
class JournalInfo:
    """What a journal says of its frames: their size, 3 or 4 channels, and the unit of their durations in seconds.

    `metadata` is what the file is to say of itself.
    """

    width: int
    height: int
    channels: int
    time_base: Fraction
    metadata: Metadata | None = None


def probe_lossless(journal: BinaryIO) -> JournalInfo:
    """Say what frames are in a journal.

    Raises:
        av.FFmpegError: it can't be read: it has no index, or no fragment.
        OptionError: it is a video's, which keeps no such frames.
    """
    journal.seek(0)
    with open_input(journal, "mp4") as container:
        stream = container.streams.video[0]
        if stream.codec_context.pix_fmt not in _CHANNELS:
            raise OptionError("the journal is a video's, not a moving image's: name an output such as 'clip.mp4'")
        channels, metadata = _CHANNELS[stream.codec_context.pix_fmt], Metadata.read(container.metadata.get(EXACT_COPY))
        return JournalInfo(stream.width, stream.height, channels, exact(stream.time_base) or Fraction(1), metadata)


def read_lossless(journal: BinaryIO) -> Iterator[tuple[npt.NDArray[np.uint8], Fraction]]:
    """Give the frames in a journal's whole fragments, and for how many seconds each is shown.

    Raises:
        av.FFmpegError: it can't be read: it has no index, or no fragment.
    """
    count = sum(1 for _ in whole_fragments(journal))
    journal.seek(0)
    with open_input(journal, "mp4") as container:
        stream = container.streams.video[0]
        stream.codec_context.options = {"err_detect": "explode"}
        for frame in islice(container.decode(stream), count):
            pixel_format, _ = _PIXEL_FORMATS[_CHANNELS[frame.format.name]]
            yield (
                frame.to_ndarray(format=pixel_format).astype(np.uint8, copy=False),
                seconds(frame.duration, frame.time_base),
            )
