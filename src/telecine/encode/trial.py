"""A trial of the encoder: what its options do to a file shows before the first frame."""

from __future__ import annotations

import contextlib
import functools
import io
import re
from fractions import Fraction

import av
from av import VideoFrame
from av.codec.codec import UnknownCodecError

from ..color.hdr import ContentLight
from ..errors import EncodeError, InputError, OptionError
from ..formats.codecs import CODECS, Codec
from ..formats.ignored import ignored_options
from ..read.probe import VideoInfo, color_of, open_video, probe_whole
from ..support.ffmpeg_log import captured_log, in_words
from ..support.pyav import exact, side_data
from ..support.words import differences
from .checks import check_promises
from .encoder import Encoder, EncoderSettings
from .finish import write_finished

_FRAMES = 3
_BLACK = {"Y": 16, "U": 128, "V": 128}  # of 8 bit; 0 in RGB
_LIGHT = ContentLight(1, 1)  # not of black, which is 0: that means unknown
# What FFmpeg says of parameters that it hands on (libavcodec/libx264.c, libx265.c, libsvtav1.c).
_REFUSALS = "Error parsing option|Unknown option|Invalid value for"


class EncoderMissingError(OptionError):
    """An encoder that can't be had on this machine: `reason` says why, without what to do about it."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


def is_here(encoder: str) -> bool:
    """Tell whether the FFmpeg of PyAV has an encoder."""
    try:
        av.Codec(encoder, "w")
    except UnknownCodecError:
        return False
    return True


def check_is_here(codec: Codec) -> None:
    """Raise EncoderMissingError if the FFmpeg of PyAV has not the codec's encoder."""
    if not is_here(codec.encoder):
        reason = "not in the FFmpeg that PyAV has here"
        raise EncoderMissingError(f"encoder={codec.encoder!r} is {reason}: {_way_out(codec)}", reason)


def try_encoder(settings: EncoderSettings) -> VideoInfo:
    """Encode three black frames into memory with these settings, and look at what came out.

    Raises:
        OptionError: the encoder refuses an option, ignores it, or makes of it what is not promised.
        EncoderMissingError: it is not here, or can't be opened.
    """
    check_is_here(settings.format.codec)
    return _tried(settings)


@functools.lru_cache(maxsize=64)  # what comes out is the same each time: a writer of many clips tries once
def _tried(settings: EncoderSettings) -> VideoInfo:
    codec = settings.format.codec
    asked = f"{codec.encoder} with {_shown(codec, settings.options)}"
    ignored = [f"{name!r} is not read" for name in ignored_options(codec.encoder, dict(settings.options))]
    if ignored:
        said = f"{asked} ignores a part: {'; '.join(ignored)}"
        raise OptionError(said, page="encoders#what-an-encoder-ignores")
    journal, file = io.BytesIO(), io.BytesIO()
    with captured_log() as lines:
        try:
            encoder = Encoder(journal, settings)
            with contextlib.closing(encoder):
                for pts in range(_FRAMES):
                    encoder.encode(_black(settings), pts)
                encoder.finish(lambda: False)
            write_finished(journal, file, settings.format.container, hdr=settings.hdr_metadata(_LIGHT))
        except (av.FFmpegError, ValueError, OSError, NotImplementedError) as error:
            reason = f"can't be opened: {in_words(error, lines)}"
            raise EncoderMissingError(f"{asked} {reason}{_advice(codec)}", reason) from error
    refused = [message.strip() for _, _, message in lines if re.match(_REFUSALS, message)]
    if (tick := exact(encoder.context.time_base)) != settings.time_base:
        raise OptionError(f"{asked} counts in {tick} s, not in frames of {settings.time_base} s")
    ignored = [f"no option {name!r}" for name in encoder.context.options]
    if ignored or refused:
        said = f"{asked} ignores a part: {'; '.join(ignored + refused)}"
        raise OptionError(said, page="encoders#what-an-encoder-ignores")
    try:
        info = probe_whole(file)
        check_promises(info, settings, _FRAMES, _FRAMES / settings.fps, settings.hdr_metadata(_LIGHT))
        _check_picture(file, settings)
    except (EncodeError, InputError) as error:
        raise OptionError(f"{asked}: {error}") from error
    return info


def settings_told(settings: EncoderSettings) -> str:
    """Encode a black frame into memory, and give what the encoder says there of its settings; nothing of most.

    x264 and x265 say it in the stream, in a message of H.264's and HEVC's for anything (Rec. ITU-T H.264, D.1.7).

    Raises:
        EncodeError: it fails.
    """
    file = io.BytesIO()
    with captured_log() as lines:
        try:
            with contextlib.closing(Encoder(file, settings)) as encoder:
                encoder.encode(_black(settings), 0)
                encoder.finish(lambda: False)
            with open_video(file) as (container, stream):
                (frame, *_) = container.decode(stream)
                told = side_data(frame).get("SEI_UNREGISTERED", b"")
        except (av.FFmpegError, ValueError, OSError, NotImplementedError) as error:
            raise EncodeError(f"the encoder failed: {in_words(error, lines)}") from error
    return told.decode("utf-8", "replace").partition("options: ")[2].rstrip("\0")


def _black(settings: EncoderSettings) -> VideoFrame:
    pixel_format = settings.format.pixel_format
    frame = VideoFrame(settings.width, settings.height, pixel_format.name)
    for component, plane in zip(pixel_format.components, frame.planes, strict=False):  # packed pixels have one plane
        code = _BLACK.get(component, 0) << pixel_format.depth - 8
        samples = plane.buffer_size // pixel_format.bytes_per_sample
        plane.update(code.to_bytes(pixel_format.bytes_per_sample, "little") * samples)
    return frame


def _check_picture(file: io.BytesIO, settings: EncoderSettings) -> None:
    """Compare what the stream itself says, which a decoder believes before the container."""
    with open_video(file) as (container, stream):
        (frame, *_) = container.decode(stream)
        tagged = color_of(frame)
        promised = {
            "picture": ((frame.width, frame.height), (settings.width, settings.height)),
            "matrix": (tagged.matrix, settings.color.matrix),
            "primaries": (tagged.primaries, settings.color.primaries),
            "transfer": (tagged.transfer, settings.color.transfer),
            "range": (tagged.full_range, settings.color.full_range),
            "pixel aspect ratio": (exact(stream.sample_aspect_ratio) or Fraction(1), Fraction(1)),
            "interlaced": (frame.interlaced_frame, False),
        }
    broken = differences(promised, "becomes")
    if broken:
        raise EncodeError(broken)


def _advice(codec: Codec) -> str:
    if codec.hardware is None:
        return f"; it prints why with {codec.library.explains_with}" if codec.library.explains_with else ""
    return f"; it needs {codec.hardware.needs}: where there is none, {_way_out(codec)}"


def _way_out(codec: Codec) -> str:
    usual = CODECS[codec.name].encoder
    return f"use encoder={usual!r} or leave encoder= out" if is_here(usual) else "encoder='auto' takes one that opens"


def _shown(codec: Codec, options: tuple[tuple[str, str], ...]) -> str:
    """What was asked for: of a level's own options, which are many, none."""
    of_levels = {option for level in codec.qualities.values() for option in level.items()}
    asked = [f"{name}={value}" for name, value in options if (name, value) not in of_levels]
    return ", ".join(asked) or "its level's options"
