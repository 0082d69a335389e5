"""A video file's frames as RGB, by the colour it is tagged with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import overload

import numpy as np
import numpy.typing as npt
from av import VideoFrame

from . import alpha as alphas
from . import animations
from .color import RGB, Color
from .convert import CENTER_SITED, LEFT_SITED, to_float_rgb, to_rgb, to_rgba
from .errors import FrameError, OptionError
from .light import ENCODED, parse_light
from .probe import VideoSource, color_of, frame_times, open_video, opened_file
from .pyav import exact

# Where chroma sits is not tagged by most encoders; these codecs site it in the middle (JFIF 1.02, ISO/IEC 11172-2).
_CENTER_SITED_CODECS = {"mjpeg", "mpeg1video"}
_UNSPECIFIED_MATRICES = {0, 2, 3}  # H.273 table 4: identity, unspecified, reserved


@overload
def read_frames(path: str | os.PathLike[str], *, alpha: bool = False) -> Iterator[npt.NDArray[np.uint8]]: ...


@overload
def read_frames(
    path: str | os.PathLike[str], *, light: str, primaries: str | None = None
) -> Iterator[npt.NDArray[np.float32]]: ...


def read_frames(
    path: str | os.PathLike[str], *, alpha: bool = False, light: str | None = None, primaries: str | None = None
) -> Iterator[npt.NDArray[np.uint8]] | Iterator[npt.NDArray[np.float32]]:
    """Read a video's frames one by one, each (height, width, 3) uint8 RGB of its own memory; or RGBA, or float32 RGB.

    The matrix and range are those of the file's tags; where it has no matrix, BT.601 up to 576 lines and 1024 columns
    and BT.709 above, as players assume. Chroma is interpolated linearly between its samples. Nothing is tone mapped: of
    PQ and HLG, uint8 is the signal too.

    Args:
        path: The video.
        alpha: Whether frames are (height, width, 4) RGBA: straight alpha, 0 transparent to 255 opaque, which all is
            where the video has none. Else alpha is left out: what colours transparent pixels have is seen.
        light: "encoded" for the signal in float32: 0 is black, 1 is the signal's white, nothing is clipped. Of a PQ or
            HLG file "scene-linear" or "display-linear" for its light, as for `export_video`: 1.0 is 203 cd/m2.
        primaries: Those of the light: "bt709" unless it is "p3-d65" or "bt2020", as for `export_video`. What they can't
            show is below 0.

    >>> import telecine, tempfile, os
    >>> video = telecine.export_video(np.full((3, 48, 64, 3), 200, np.uint8), os.path.join(tempfile.mkdtemp(), "a.mp4"))
    >>> [(frame.shape, int(frame[0, 0, 0])) for frame in read_frames(video)]
    [((48, 64, 3), 200), ((48, 64, 3), 200), ((48, 64, 3), 200)]

    Raises:
        FrameError: it is no video that FFmpeg reads.
        OptionError: `light` or `primaries` is not known or not what the file has, or `light` is given with `alpha`.
    """
    if light is None:
        if primaries is not None:
            raise OptionError(f"primaries={primaries!r} goes with light='scene-linear' or 'display-linear': give both")
        convert = to_rgba if alpha else to_rgb
        return (convert(frame, color, location) for frame, color, location in decoded_frames(path, alpha))
    if alpha:
        raise OptionError(f"alpha=True does not go with light={light!r}, which is read as RGB: leave one out")
    parse_light("pq", light, primaries)
    return _read_light(path, light, primaries)


def _read_light(path: str | os.PathLike[str], light: str, primaries: str | None) -> Iterator[npt.NDArray[np.float32]]:
    for frame, color, location in decoded_frames(path):
        rgb = to_float_rgb(frame, color, location)
        if light != ENCODED and color.hdr is None:
            raise OptionError(
                f"{os.fspath(path)!r} is neither PQ nor HLG: of its frames only light={ENCODED!r} is read"
            )
        reading = parse_light(color.hdr, light, primaries) if color.hdr else None
        yield reading.decode(rgb) if reading else rgb


def read_timestamps(path: VideoSource) -> list[Fraction]:
    """Read when each frame of a video is shown, in seconds from the first, without decoding any.

    >>> import telecine, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "a.mp4")
    >>> video = telecine.export_video(np.zeros((3, 48, 64, 3), np.uint8), path, timestamps=[0, 0.5, 2])
    >>> read_timestamps(video)
    [Fraction(0, 1), Fraction(1, 2), Fraction(2, 1)]

    Raises:
        FrameError: it is no video that FFmpeg reads, or has no times.
    """
    with opened_file(path) as file:
        if animations.format_of(file) is not None:
            durations = [duration for _, duration in animations.images_of(file)]
            return [sum(durations[:index], Fraction(0)) for index in range(len(durations))]
    with open_video(path) as (container, stream):
        times = [time for time in frame_times(container, stream) if time is not None]
        tick = exact(stream.time_base)
        if not times or tick is None:
            raise FrameError(f"{str(path)!r} does not say when its frames are shown")
        first = min(times)
        return [(time - first) * tick for time in sorted(times)]


def decoded_frames(
    path: str | os.PathLike[str], alpha: bool = False
) -> Iterator[tuple[VideoFrame, Color, tuple[float, float]]]:
    """Decode a video's frames, each with the colour and the chroma location to read it by.

    With `alpha` also what is beside the pictures, which takes a slower decoder.
    """
    with opened_file(path) as file:
        if animations.format_of(file) is not None:
            for image, _ in animations.images_of(file):
                pixel_format = "rgba" if image.shape[2] == 4 else "rgb24"
                yield VideoFrame.from_ndarray(image, format=pixel_format), RGB, LEFT_SITED
            return
    with open_video(path) as (container, stream):
        # Not frames in threads: when a caller drops the iterator, closing waits for one that waits for the GIL to log.
        stream.thread_type = "SLICE"
        color = color_of(stream.codec_context)
        if color.matrix in _UNSPECIFIED_MATRICES:
            color = replace(color, matrix=Color.of_size(stream.width, stream.height).matrix)
        location = CENTER_SITED if stream.codec_context.name in _CENTER_SITED_CODECS else LEFT_SITED
        beside = alpha and alphas.is_beside(stream)
        try:
            for frame in alphas.decoded(container, stream) if beside else container.decode(stream):
                yield frame, color, location
        finally:
            # A decoder that is freed while its threads log, of a damaged file, waits for them with the GIL that they
            # wait for.
            stream.codec_context.flush_buffers()
