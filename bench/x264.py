"""The limit: libx264 alone, through PyAV, on planes that are ready, with the options that telecine gives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from av import VideoFrame
from av.video.codeccontext import VideoCodecContext

from telecine.color.color import Color
from telecine.encode import encoder
from telecine.encode.encoder import EncoderSettings
from telecine.formats.choose import choose_format
from telecine.formats.codecs import CODECS
from telecine.formats.containers import CONTAINERS
from telecine.formats.options import encoder_options
from telecine.frames.recognise import Recognizer
from telecine.planes.convert import Conversion
from telecine.support.processors import available_processors

FPS = 16


def options_of(quality: str = "high", preset: str | None = None) -> dict[str, str]:
    """The options that a quality level and a preset are, with what telecine adds for frames at a constant rate."""
    format = choose_format(CONTAINERS["mp4"], "h264")
    given = encoder_options(format.codec, quality, preset=preset)
    return encoder.all_options(EncoderSettings(format, Fraction(FPS), tuple(given.items())))


def ready_planes(pictures: Sequence[npt.NDArray[np.uint8]]) -> list[VideoFrame]:
    """The frames as the encoder takes them."""
    height, width, _ = pictures[0].shape
    conversion, planes = Conversion(Color.of_size(width, height)), []
    for frame in Recognizer("HWC").frames(pictures):
        planes.append(VideoFrame(width, height, "yuv420p"))
        conversion.to_planes(frame, planes[-1])
    return planes


def threads_of(processors: int | None = None) -> int:
    """How many threads telecine's encoder has, for so many processors or all that there are."""
    return encoder.threads_of(CODECS["h264"].library, processors or available_processors())


def encode(planes: Sequence[VideoFrame], options: Mapping[str, str], processors: int | None = None) -> bytes:
    """Encode into a stream of H.264 as it is, with the threads that telecine's encoder has for so many processors."""
    context = VideoCodecContext.create("libx264", "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = planes[0].width, planes[0].height, "yuv420p"
    context.framerate, context.time_base = Fraction(FPS), Fraction(1, FPS)
    context.thread_count, context.options = threads_of(processors), dict(options)
    packets = []
    for index, frame in enumerate(planes):
        frame.pts, frame.time_base = index, context.time_base
        packets += context.encode(frame)
    return b"".join(map(bytes, (*packets, *context.encode(None))))
