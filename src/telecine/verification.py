"""How far a video file is from the frames it was made of."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Unpack

import numpy as np
import numpy.typing as npt
from av import VideoFrame

from .color.color import Color
from .files.files import Place, path_of, source_of
from .files.urls import StorageOptions, options_of_urls
from .frames.options import FrameOptions, complete, with_options
from .frames.recognise import Frames, Recognizer
from .frames.sources import open_source
from .planes.codes import composited
from .planes.convert import BLACK, Conversion, parse_background, parse_value_range
from .planes.frame import Frame
from .planes.light import parse_light
from .planes.orientation import Orientation
from .planes.pixel_formats import has_alpha
from .planes.to_rgb import to_rgba
from .read.fidelity import Meter, planes_of_frame, planes_of_picture, psnr_of
from .read.frames import Picture, decoded_frames

LEAST_PSNR = 30.0
LEAST_SSIM = 0.9
MOST_COLOR_ERROR = 4.0
_CELLS, _LEAST_CELL = 4, 16  # a frame's colours are averaged in 4 by 4 cells, of 16 pixels a side at least


@dataclass(frozen=True)
class VerifyReport:
    """What `verify` found. `ok` is true where `problems` is empty: the thresholds below hold.

    Attributes:
        path: The file.
        frame_count: Frames in the file; `expected_frame_count` were given, and must be as many.
        psnr: Of all samples of all frames together, as 8-bit 4:2:0 Y'CbCr, with alpha where the file keeps it, in dB:
            at least 30. Infinite if equal.
        ssim: The mean over the frames of FFmpeg's `All`, on the same planes, 1 being equal: at least 0.9. NaN for
            frames that are smaller than its windows.
        color_error: The largest difference of a mean colour, in steps of 255: at most 4. It is taken on RGB, decoded by
            the file's tags, and on alpha, in each of 4x4 cells of each frame (fewer of a small one) and each channel,
            against the frame with its chroma halved as 4:2:0 has it. At "draft" it may be more: of AV1, up to 8 in
            dark parts of the clips that it was tried on.
        worst_frame: The index of the frame with the lowest PSNR.
        problems: What is wrong, in words.
    """

    path: Path
    frame_count: int
    expected_frame_count: int
    psnr: float
    ssim: float
    color_error: float
    worst_frame: int | None
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the file holds the frames given, within the thresholds."""
        return not self.problems


@dataclass(frozen=True)
class _Difference:
    mean_squared_error: float
    ssim: float
    color_error: float


@with_options(FrameOptions)
def verify(
    path: Place,
    frames: Frames,
    *,
    storage_options: StorageOptions | None = None,
    **options: Unpack[FrameOptions],
) -> VerifyReport:
    """Compare a video file with the frames it was made of, one by one.

    Args:
        path: The video: its path or URL, or the open file.
        frames: What `export_video` takes, and was given.
        storage_options: What the stores of URLs are opened with: that of the path, and those of frames of its scheme.
        **options: Those below; light and primaries are of a PQ or HLG file.

    Raises:
        InputError: the file is no video that can be read.
        FrameError: the frames are none.
        OptionError: an argument.

    >>> import telecine, tempfile, os
    >>> frames = [np.full((48, 64, 3), level, np.uint8) for level in range(0, 250, 10)]
    >>> video = telecine.export_video(frames, os.path.join(tempfile.mkdtemp(), "a.mp4"))
    >>> report = verify(video, frames)
    >>> report.ok, report.frame_count
    (True, 25)
    >>> verify(video, frames[::-1]).problems[0].startswith("PSNR")
    True
    """
    complete_options = complete(FrameOptions, options, "verify")
    conversion_to = _conversions(complete_options)
    recognizer = Recognizer(complete_options["layout"], complete_options["channels"])
    of_video, of_frames = options_of_urls(storage_options, path, frames)
    path, source = source_of(path, of_video), open_source(frames, storage_options=of_frames)
    differences: list[_Difference] = []
    decoded_count = frame_count = 0
    problems: list[str] = []
    pictures = decoded_frames(path, alpha=True)
    for decoded, frame in zip_longest(pictures, recognizer.frames(source.frames)):
        decoded_count += decoded is not None
        frame_count += frame is not None
        if decoded is None or frame is None or problems:
            continue
        if (problem := _misfit(decoded, frame)) is not None:
            problems.append(problem)
            continue
        frame, conversion = conversion_to(decoded, _as_stored(frame, decoded.orientation))
        differences.append(_difference(decoded, frame, conversion))
    if decoded_count != frame_count:
        problems.insert(0, f"the file has {decoded_count} frames, {frame_count} were given")
    return _report(path_of(path), decoded_count, frame_count, differences, problems)


def _conversions(options: FrameOptions) -> Callable[[Picture, Frame], tuple[Frame, Conversion]]:
    """Give what tells how a frame becomes a decoded picture: by the file's colour, and on the background if one is."""
    background, light, primaries = parse_background(options["background"]), options["light"], options["primaries"]
    base = Conversion(Color(), parse_value_range(options["value_range"]), background or BLACK)

    def conversion_to(decoded: Picture, frame: Frame) -> tuple[Frame, Conversion]:
        color = replace(decoded.color, full_range=False)
        conversion = replace(base, color=color, light=parse_light(color.hdr, light, primaries))
        if background is not None and has_alpha(decoded.frame.format.name):
            return composited(frame, conversion)
        return frame, conversion

    return conversion_to


def _misfit(decoded: Picture, frame: Frame) -> str | None:
    """Say why a decoded picture can't be compared with a frame; None where it can be."""
    orientation = decoded.orientation
    if not orientation.known:
        return f"the file is to be turned by {orientation.rotation} degrees, which is no quarter turn"
    width, height = decoded.frame.width, decoded.frame.height
    size = frame.size[::-1] if orientation.lying else frame.size
    if (width, height) in (size, _padded(size, decoded.frame)):
        return None
    shown = f"{height}x{width}" if orientation.lying else f"{width}x{height}"
    return f"the file is {shown}, the frames {frame.size[0]}x{frame.size[1]}"


def _report(
    path: Path, decoded_count: int, frame_count: int, differences: list[_Difference], problems: list[str]
) -> VerifyReport:
    errors = [each.mean_squared_error for each in differences]
    mean = sum(errors) / len(errors) if errors else math.nan
    psnr = psnr_of(mean)
    ssim = sum(each.ssim for each in differences) / len(differences) if differences else math.nan
    color_error = max((each.color_error for each in differences), default=math.nan)
    if psnr < LEAST_PSNR:
        problems.append(f"PSNR is {psnr:.1f} dB, under {LEAST_PSNR:g}")
    if ssim < LEAST_SSIM:
        problems.append(f"SSIM is {ssim:.3f}, under {LEAST_SSIM:g}")
    if color_error > MOST_COLOR_ERROR:
        problems.append(f"a mean colour is {color_error:.1f}/255 off, over {MOST_COLOR_ERROR:g}")
    worst = max(range(len(errors)), key=errors.__getitem__) if errors else None
    return VerifyReport(path, decoded_count, frame_count, psnr, ssim, color_error, worst, tuple(problems))


def _as_stored(frame: Frame, orientation: Orientation) -> Frame:
    """Lay a frame as a file stores it that is turned to be shown."""
    if orientation.upright:
        return frame
    values = frame.values.view(np.uint8) if frame.dtype == "bool" else frame.values
    return replace(
        frame, pixels=orientation.stored(values), dtype="bool" if frame.dtype == "bool" else str(values.dtype)
    )


def _padded(size: tuple[int, int], decoded: VideoFrame) -> tuple[int, int]:
    """Give the sides to which the decoded frame's format pads a size: whole samples of chroma."""
    (width, height), pixel_format = size, decoded.format
    across, down = ((1 << 8) // each(1 << 8) for each in (pixel_format.chroma_width, pixel_format.chroma_height))
    return width + -width % across, height + -height % down


@np.errstate(all="ignore")  # as in `VideoWriter.write`
def _difference(decoded: Picture, frame: Frame, conversion: Conversion) -> _Difference:
    name = "yuva420p" if has_alpha(decoded.frame.format.name) else "yuv420p"
    reference = planes_of_frame(frame, conversion, name)
    figures = Meter().measure(planes_of_picture(decoded, conversion, name), reference)
    width, height = frame.size
    shown = _cell_means(decoded.rgba[:height, :width])
    expected = _cell_means(to_rgba(reference, conversion.color)[:height, :width])
    return _Difference(figures.mean_squared_error, figures.ssim, float(np.abs(shown - expected).max()))


def _cell_means(rgba: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    height, width, _ = rgba.shape
    rows, columns = (
        np.linspace(0, side, max(1, min(_CELLS, side // _LEAST_CELL)), endpoint=False, dtype=int)
        for side in (height, width)
    )
    sums = np.add.reduceat(np.add.reduceat(rgba, rows, axis=0, dtype=np.float64), columns, axis=1)
    pixels = np.outer(np.diff(rows, append=height), np.diff(columns, append=width))
    means: npt.NDArray[np.float64] = sums / pixels[:, :, None]
    return means
