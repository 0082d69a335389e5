"""A video file's frames as RGB, by the colour it is tagged with."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from typing import TypeVar, overload

import numpy as np
import numpy.typing as npt
from av import FFmpegError, VideoFrame
from av.container import InputContainer
from av.video.stream import VideoStream

from ..color.color import RGB, Color
from ..container import alpha_packets as alphas
from ..errors import InputError, OptionError
from ..files.files import Place, Source, name_of, opened_file, said_of, source_of
from ..files.urls import StorageOptions
from ..formats.choices import LightName, PrimariesName
from ..planes.light import ENCODED, parse_light
from ..planes.orientation import UPRIGHT, Orientation
from ..planes.to_rgb import CENTER_SITED, LEFT_SITED, to_float_rgb, to_rgb, to_rgba
from ..support.pyav import exact
from . import animations
from .packets import decodable, frame_packets, is_part
from .probe import color_of, first_orientation, is_cut_off, open_video, orientation_of

# Where chroma sits is not tagged by most encoders; these codecs site it in the middle (JFIF 1.02, ISO/IEC 11172-2).
_CENTER_SITED_CODECS = {"mjpeg", "mpeg1video"}
_UNSPECIFIED_MATRICES = {0, 2, 3}  # H.273 table 4: identity, unspecified, reserved

Sample = TypeVar("Sample", np.uint8, np.float32)
Pixel = TypeVar("Pixel", bound=np.generic)


class ReadFrames(Iterator[npt.NDArray[Pixel]]):
    """Frames that telecine itself reads or makes: each is (height, width, 1, 3 or 4), of whatever size."""

    def __init__(self, frames: Iterator[npt.NDArray[Pixel]]) -> None:
        self._frames = frames

    def __next__(self) -> npt.NDArray[Pixel]:
        return next(self._frames)

    def close(self) -> None:
        """Let go of the file before the last frame."""
        if isinstance(self._frames, Generator):
            self._frames.close()


@overload
def read_frames(
    path: Place, *, alpha: bool = False, rotate: bool = True, storage_options: StorageOptions | None = None
) -> Iterator[npt.NDArray[np.uint8]]: ...


@overload
def read_frames(
    path: Place,
    *,
    light: LightName,
    primaries: PrimariesName | None = None,
    rotate: bool = True,
    storage_options: StorageOptions | None = None,
) -> Iterator[npt.NDArray[np.float32]]: ...


def read_frames(
    path: Place,
    *,
    alpha: bool = False,
    light: LightName | None = None,
    primaries: PrimariesName | None = None,
    rotate: bool = True,
    storage_options: StorageOptions | None = None,
) -> Iterator[npt.NDArray[np.uint8]] | Iterator[npt.NDArray[np.float32]]:
    """Read a video's frames one by one, each (height, width, 3) uint8 RGB of its own memory; or RGBA, or float32 RGB.

    The matrix and range are those of the file's tags; where it has no matrix, BT.601 of VP8, VP9 and AV1, and of others
    BT.601 under 720 lines and BT.709 from there on, as Chromium shows them. Chroma is interpolated linearly between
    its samples. Nothing is tone mapped: of PQ and HLG, uint8 is the signal too. Nothing is scaled: of pixels that are
    not square, `probe(path).sample_aspect_ratio` tells the shape.

    Args:
        path: The video: its path or URL, or the open file.
        alpha: Whether frames are (height, width, 4) RGBA: straight alpha, 0 transparent to 255 opaque, which all is
            where the video has none. Else alpha is left out: what colours transparent pixels have is seen.
        light: "encoded" for the signal in float32: 0 is black, 1 is the signal's white, nothing is clipped. Of a PQ or
            HLG file "scene-linear" or "display-linear" for its light, as for `export_video`: 1.0 is 203 cd/m2.
        primaries: Those of the light: "bt709" unless it is "p3-d65" or "bt2020", as for `export_video`. What they can't
            show is below 0.
        rotate: Whether frames are turned as the file says, as players show them, by quarter turns; else they are as
            they are stored.
        storage_options: What the store of a URL is opened with, as for `export_video`.

    >>> import telecine, tempfile, os
    >>> video = telecine.export_video(np.full((3, 48, 64, 3), 200, np.uint8), os.path.join(tempfile.mkdtemp(), "a.mp4"))
    >>> [(frame.shape, int(frame[0, 0, 0])) for frame in read_frames(video)]
    [((48, 64, 3), 200), ((48, 64, 3), 200), ((48, 64, 3), 200)]

    Raises:
        InputError: it is no video of the kinds that are read, or is to be turned by another angle.
        OptionError: `light` or `primaries` is not known or not what the file has, `light` is given with `alpha`, or the
            storage options go with no URL.
    """
    path = source_of(path, storage_options)
    if light is None:
        if primaries is not None:
            raise OptionError(
                f"primaries={primaries!r} goes with light='scene-linear' or 'display-linear': give both",
                page="hdr#back-to-light",
            )
        return ReadFrames(_read_codes(path, alpha, rotate))
    if alpha:
        said = f"alpha=True does not go with light={light!r}, which is read as RGB: leave one out"
        raise OptionError(said, page="hdr#transparent-frames")
    parse_light("pq", light, primaries)
    return ReadFrames(_read_light(path, light, primaries, rotate))


def _read_codes(path: Source, alpha: bool, rotate: bool) -> Iterator[npt.NDArray[np.uint8]]:
    convert = to_rgba if alpha else to_rgb
    for picture in decoded_frames(path, alpha):
        yield _turned(path, colors_of(picture, convert, path), picture, rotate)


def _read_light(path: Source, light: str, primaries: str | None, rotate: bool) -> Iterator[npt.NDArray[np.float32]]:
    for picture in decoded_frames(path):
        rgb, hdr = colors_of(picture, to_float_rgb, path), picture.color.hdr
        if light != ENCODED and hdr is None:
            raise OptionError(
                f"{name_of(path)!r} is neither PQ nor HLG: of its frames only light={ENCODED!r} is read",
                page="hdr#back-to-light",
            )
        reading = parse_light(hdr, light, primaries) if hdr else None
        yield _turned(path, reading.decode(rgb) if reading else rgb, picture, rotate)


def colors_of(
    picture: Picture,
    convert: Callable[[VideoFrame, Color, tuple[float, float]], npt.NDArray[Sample]],
    path: Source,
) -> npt.NDArray[Sample]:
    """Convert a decoded picture; one too large for the memory that is left is a file that can't be read."""
    with said_of(path, "a video"):
        return convert(picture.frame, picture.color, picture.location)


def _turned(path: Source, pixels: npt.NDArray[Sample], picture: Picture, rotate: bool) -> npt.NDArray[Sample]:
    """Give a decoded picture as it is shown, in memory of its own."""
    orientation = picture.orientation
    if not rotate or orientation.upright:
        return pixels
    if not orientation.known:
        raise InputError(
            f"{name_of(path)!r} is to be turned by {orientation.rotation} degrees, which is no quarter turn: "
            "read_frames(path, rotate=False) gives the frames as they are stored"
        )
    return np.ascontiguousarray(orientation.shown(pixels))


def read_timestamps(path: Place, *, storage_options: StorageOptions | None = None) -> list[Fraction]:
    """Read when each frame of a video is shown, in seconds from the first: one time for each that `read_frames` gives.

    Nothing is decoded, unless the file does not say the times of all of its packets. A frame that has none then follows
    or precedes its neighbours as they follow each other. Of an MP4 or MOV the index is read, and the first frames.

    Args:
        path: The video: its path or URL, or the open file.
        storage_options: What the store of a URL is opened with, as for `export_video`.

    >>> import telecine, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "a.mp4")
    >>> video = telecine.export_video(np.zeros((3, 48, 64, 3), np.uint8), path, timestamps=[0, 0.5, 2])
    >>> read_timestamps(video)
    [Fraction(0, 1), Fraction(1, 2), Fraction(2, 1)]

    Raises:
        InputError: it is no video of the kinds that are read, or has no times.
        OptionError: it is no file, or the storage options go with no URL.
    """
    return _timestamps(source_of(path, storage_options), whole=False)


def read_timestamps_whole(path: Source) -> list[Fraction]:
    """Read what `read_timestamps` does, and all packets too. Raises as `read_timestamps`."""
    return _timestamps(path, whole=True)


def _timestamps(path: Source, whole: bool) -> list[Fraction]:
    with opened_file(path) as file:
        if (format := animations.format_of(file)) is not None:
            durations = animations.durations_of(file, format)
            return list(accumulate(durations[:-1], initial=Fraction(0)))
        with open_video(file) as (container, stream):
            packets, time_base = frame_packets(file, container, stream, whole), exact(stream.time_base)
    times = [Fraction(time) for time in sorted({time for time in decodable(packets) if time is not None})]
    if len(times) < len(packets):  # some have none, or the recording begins within
        with open_video(path) as (container, stream):
            times = _filled([frame.pts for frame in _decoded(container, stream)])
    if not times or time_base is None:
        raise InputError(f"{name_of(path)!r} does not say when its frames are shown")
    return [(time - times[0]) * time_base for time in times]


def _filled(times: list[int | None]) -> list[Fraction]:
    """Give a time to each frame that has none: between its neighbours, or at their distance where one is missing.

    >>> [int(time) for time in _filled([None, None, 80, 120, None, 200, None])]
    [0, 40, 80, 120, 160, 200, 240]
    """
    known = [index for index, time in enumerate(times) if time is not None]
    if len(known) < 2:
        return [Fraction(0)] if len(known) == len(times) == 1 else []
    found = []
    for index in range(len(times)):
        at = min(max(bisect_right(known, index) - 1, 0), len(known) - 2)
        start, end = known[at], known[at + 1]
        first, last = times[start] or 0, times[end] or 0
        found.append(first + Fraction(last - first, end - start) * (index - start))
    return sorted(found)


@dataclass(frozen=True)
class Picture:
    """A decoded frame as it is stored, the colour and the chroma location to read it by, and how it is shown."""

    frame: VideoFrame
    color: Color
    location: tuple[float, float]
    orientation: Orientation = UPRIGHT

    @cached_property
    def rgba(self) -> npt.NDArray[np.uint8]:
        """The frame's pixels as `to_rgba` gives them, as it is stored."""
        return to_rgba(self.frame, self.color, self.location)


def decoded_frames(path: Source, alpha: bool = False) -> Iterator[Picture]:
    """Decode a video's frames.

    With `alpha` also what is beside the pictures, which takes a slower decoder.
    """
    with opened_file(path) as file, said_of(file, "a video"):  # FFmpeg takes no picture of any size
        if animations.format_of(file) is not None:
            for image in animations.images_of(file):
                pixel_format = "rgba" if image.shape[2] == 4 else "rgb24"
                yield Picture(VideoFrame.from_ndarray(image, format=pixel_format), RGB, LEFT_SITED)
            return
    with opened_file(path) as file, open_video(file) as (container, stream):
        color, codec = color_of(stream.codec_context), stream.codec_context.codec.canonical_name
        if color.matrix in _UNSPECIFIED_MATRICES:
            color = replace(color, matrix=Color.of_untagged(codec, stream.height).matrix)
        location = CENTER_SITED if codec in _CENTER_SITED_CODECS else LEFT_SITED
        orientation = None
        if alpha and alphas.is_beside(stream):  # that decoder is not told what the container says
            place = file.tell()
            with open_video(path) as (again, of_pictures):
                orientation = first_orientation(again, of_pictures)
            file.seek(place)  # an open file has one place for both
        count, failure = 0, None
        try:
            for frame in _decoded(container, stream, alpha):
                yield Picture(frame, color, location, orientation or orientation_of(frame))
                count += 1
        except FFmpegError as error:
            failure = error
        if is_cut_off(container, file):
            raise InputError(f"{name_of(path)!r} is cut off: {count} of its frames can be read") from failure
        if failure is not None:
            raise failure


def _decoded(container: InputContainer, stream: VideoStream, alpha: bool = False) -> Iterator[VideoFrame]:
    packets = (packet for packet in container.demux(stream) if not is_part(packet))
    try:
        if alpha and alphas.is_beside(stream):
            yield from alphas.decoded(packets, stream)
        else:
            for packet in packets:
                yield from packet.decode()
    finally:
        # A decoder that is freed while its threads log, of a damaged file, waits for them with the GIL that they wait
        # for.
        stream.codec_context.flush_buffers()
