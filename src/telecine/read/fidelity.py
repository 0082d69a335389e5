"""How near pictures are to others: FFmpeg's PSNR, SSIM and XPSNR, on planes of one kind, 8-bit 4:2:0."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple, TypeAlias, cast

from av import VideoFrame

from ..color.color import BT709
from ..planes.convert import Conversion
from ..planes.frame import Frame
from ..planes.pixel_formats import has_alpha
from ..support.pyav import single_threaded_graph
from .frames import Picture

Pair: TypeAlias = tuple[VideoFrame, VideoFrame]

_PEAK = 255
_LEAST_SIDE_OF_SSIM = 16  # its windows are of 8 samples, of halved chroma too
# The sides of XPSNR's blocks go with the square root of the pixels; of fewer than these they are 0, and FFmpeg divides
# by that (libavfilter/vf_xpsnr.c). Of more than 8 bits it takes lines for unpadded, which few are.
LEAST_PIXELS_OF_XPSNR = 2025


class Fidelity(NamedTuple):
    """How near a picture is to another, of all samples of its planes.

    `mean_squared_error` is in squared steps of 255; `ssim` is FFmpeg's `All`, 1 being equal; `xpsnr` in dB is that of
    the worst plane, infinite if equal, and weighs errors by what is around them in place and time (Helmrich et al.,
    ICASSP 2020). Those of pictures that are too small for their windows are NaN.
    """

    mean_squared_error: float
    ssim: float
    xpsnr: float

    @property
    def psnr(self) -> float:
        """The peak signal-to-noise ratio in dB; infinite if equal."""
        return psnr_of(self.mean_squared_error)


def psnr_of(mean_squared_error: float) -> float:
    """Give the PSNR in dB of 8-bit samples.

    >>> psnr_of(0), round(psnr_of(6.5025), 9)
    (inf, 40.0)
    """
    return 10 * math.log10(_PEAK**2 / mean_squared_error) if mean_squared_error else math.inf


class Meter:
    """Tells how near each picture of a clip is to that of another in its place. All are of one size and format."""

    def __init__(self, fps: Fraction | None = None) -> None:
        """Take the frame rate, which XPSNR goes by; without one that is left out."""
        self._fps = fps
        self._filters: Filters | None = None

    def measure(self, measured: VideoFrame, reference: VideoFrame) -> Fidelity:
        """Measure the next picture."""
        self._filters = self._filters or Filters(_metrics_of(reference, self._fps), reference, self._fps)
        found = self._filters.measure(measured, reference)
        xpsnr = min(float(found.get(f"lavfi.xpsnr.xpsnr.{plane}", "nan")) for plane in "yuv")
        return Fidelity(float(found["lavfi.psnr.mse_avg"]), float(found.get("lavfi.ssim.All", "nan")), xpsnr)


def _metrics_of(picture: VideoFrame, fps: Fraction | None) -> list[str]:
    """Name what pictures are large enough for."""
    names = ["psnr"]
    if min(picture.width, picture.height) >= _LEAST_SIDE_OF_SSIM:
        names.append("ssim")
    if fps is not None and picture.width * picture.height >= LEAST_PIXELS_OF_XPSNR:
        names.append("xpsnr")
    return names


class Filters:
    """FFmpeg's filters of two inputs, through which a reference goes, and at each the picture that is measured."""

    def __init__(
        self, metrics: Sequence[str], like: VideoFrame, fps: Fraction | None = None, options: str = ""
    ) -> None:
        """Build them for pictures like one; the options are those of each."""
        self._graph, rate, self._index = single_threaded_graph(), fps or Fraction(1), 0
        self._tick = 1 / rate
        like_this = (
            f"video_size={like.width}x{like.height}:pix_fmt={like.format.name}:pixel_aspect=1"
            f":time_base={self._tick}:frame_rate={rate}:colorspace={int(like.colorspace)}:range={int(like.color_range)}"
        )
        reference, measured = (self._graph.add("buffer", like_this) for _ in range(2))
        split, self._sink = self._graph.add("split", str(len(metrics))), self._graph.add("buffersink")
        measured.link_to(split)
        last = reference
        for at, name in enumerate(metrics):
            metric = self._graph.add(name, options or None)
            last.link_to(metric, 0, 0)
            split.link_to(metric, at, 1)
            last = metric
        last.link_to(self._sink)
        self._graph.configure()
        self._buffers = reference, measured

    def measure(self, measured: VideoFrame, reference: VideoFrame) -> Mapping[str, str]:
        """Measure the next picture, and give what the filters say of it, by FFmpeg's names."""
        for buffer, each in zip(self._buffers, (reference, measured), strict=True):
            each.pts, each.time_base = self._index, self._tick
            buffer.push(each)
        self._index += 1
        return cast(VideoFrame, self._sink.pull()).metadata


def alike(measured: Picture | Frame, reference: Picture | Frame) -> Pair:
    """Give two pictures as planes of 8-bit 4:2:0, of one matrix and limited range: what is transparent is on black.

    Pictures of one matrix keep the planes that they have. Of two matrices both go through RGB, as they are shown, which
    softens the chroma of both.
    """
    pictures = [each for each in (measured, reference) if isinstance(each, Picture)]
    color = replace(pictures[0].color, full_range=False) if pictures else BT709
    is_stored = len({each.color.luma_weights for each in pictures}) == 1 and all(
        each.orientation.upright and not has_alpha(each.frame.format.name) for each in pictures
    )

    def planes(each: Picture | Frame) -> VideoFrame:
        if isinstance(each, Frame):
            return planes_of_frame(each, Conversion(color))
        if is_stored:
            return planes_of_picture(each, Conversion(color))
        return planes_of_frame(_shown(each), Conversion(color))

    return planes(measured), planes(reference)


def planes_of_picture(picture: Picture, conversion: Conversion, name: str = "yuv420p") -> VideoFrame:
    """Give a decoded picture's planes, as it is stored, in a format of halved chroma."""
    stored = picture.frame
    if not (stored.format.is_rgb or stored.width % 2 or stored.height % 2):
        return stored.reformat(format=name, dst_color_range="MPEG")
    # FFmpeg would scale an odd size, and choose a matrix.
    rgba = Frame(picture.rgba, "uint8", "array", 0)
    return planes_of_frame(rgba, replace(conversion, value_range="auto", light=None), name)


def planes_of_frame(frame: Frame, conversion: Conversion, name: str = "yuv420p") -> VideoFrame:
    """Convert a frame to planes of a format of halved chroma; an odd side grows by its last line.

    Raises:
        FrameError: a value is NaN, infinite or out of the range.
    """
    width, height = frame.size
    planes = VideoFrame(width + width % 2, height + height % 2, name)
    conversion.to_planes(frame, planes)
    return planes


def _shown(picture: Picture) -> Frame:
    return Frame(picture.orientation.shown(picture.rgba), "uint8", "array", 0)
