"""A contact sheet: frames of a clip, evenly spaced, in one picture with their times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Unpack, cast

from PIL import Image

from ..errors import FrameError, OptionError
from ..files.files import Place
from ..frames.options import ArrayOptions, complete, with_options
from ..frames.recognise import Frames
from ..frames.sources import FrameSource, open_source
from ..planes.codes import pixels_of
from ..planes.convert import BLACK, Conversion
from ..planes.frame import Frame
from ..read.frames import read_timestamps
from ..support.rate import FrameRate, is_whole, parse_fps
from .arrange import grid
from .given import reading, recognized
from .label import label

_PADDING = 4
_HELD = 4  # times as many as are shown: each is within a quarter of the spacing of its place
_LINES_OF_WIDTH = 20  # of the times: a cell of 320 pixels has letters of 16


@with_options(ArrayOptions)
def contact_sheet(
    frames: Frames,
    columns: int = 4,
    count: int = 16,
    *,
    times: bool = True,
    width: int = 320,
    fps: FrameRate | None = None,
    **options: Unpack[ArrayOptions],
) -> Image.Image:
    """Make one picture of frames that are evenly spaced from the first to the last, row by row.

    Args:
        frames: What `export_video` takes, such as the path of a video.
        columns: How many stand in a row.
        count: How many in all; a clip that has fewer is shown whole.
        times: Whether each says when it is shown: by the file of a video or by `fps`; of other frames, which it is.
        width: That of each in pixels. Its height is that of a frame which players show so wide.
        fps: Frames per second, in place of the times of the file.
        **options: Those below, of arrays.

    Frames are read one by one, and small pictures alone are held: `count`, or where it can't be known before how many
    frames there are, up to four times as many. Then they are the nearest to even spacing that were held.

    Returns:
        An 8-bit RGB image; what is transparent is black.

    Raises:
        FrameError: there are no frames, or they are none.
        OptionError: `columns`, `count` or `width` is under 1, or another argument.
        InputError: a file can't be read.

    >>> import numpy as np
    >>> contact_sheet(np.zeros((40, 90, 160, 3), np.uint8), fps=8).size
    (1292, 732)
    """
    for name, value in (("columns", columns), ("count", count), ("width", width)):
        if not (is_whole(value) and value >= 1):
            raise OptionError(f"{name}={value!r} is none: use a whole number, 1 or more")
    arguments = complete(ArrayOptions, options, "contact_sheet")
    source, rate = open_source(frames), None if fps is None else parse_fps(fps)
    say = _saying(frames, source, rate) if times else lambda index: ""
    conversion, shape = reading(arguments), source.video.sample_aspect_ratio if source.video else Fraction(1)

    def small(frame: Frame) -> Image.Image:
        return _small(frame, conversion, width, shape)

    total = source.count(arguments["layout"])
    given = enumerate(recognized(source.frames, arguments))
    chosen = _spread(given, count, small) if total is None else _exactly(given, total, count, small)
    if not chosen:
        raise FrameError("no frames: there is nothing to show")
    size = max(1, width // _LINES_OF_WIDTH)
    cells = [label(image, say(index), position="bottom-left", size=size) for index, image in chosen.items()]
    return Image.fromarray(next(grid(cells, columns, padding=_PADDING)))


def evenly(total: int, count: int) -> list[int]:
    """Give the indices of so many frames of all, from the first to the last.

    >>> evenly(81, 5), evenly(3, 16), evenly(9, 1)
    ([0, 20, 40, 60, 80], [0, 1, 2], [0])
    """
    if count >= total:
        return list(range(total))
    return [round(Fraction(at * (total - 1), max(1, count - 1))) for at in range(count)]


def _exactly(
    frames: Iterator[tuple[int, Frame]], total: int, count: int, small: Callable[[Frame], Image.Image]
) -> dict[int, Image.Image]:
    wanted = set(evenly(total, count))
    return {index: small(frame) for index, frame in frames if index in wanted}


def _spread(
    frames: Iterator[tuple[int, Frame]], count: int, small: Callable[[Frame], Image.Image]
) -> dict[int, Image.Image]:
    """Choose of frames whose number shows at their end: every one is held, then every second, every fourth."""
    held, step, last = dict[int, Image.Image](), 1, None
    for index, frame in frames:
        last = index, frame.copy()  # the next one may come in its memory
        if index % step == 0:
            held[index] = small(frame)
        if len(held) > _HELD * count:
            step *= 2
            held = {at: image for at, image in held.items() if at % step == 0}
    if last is None:
        return {}
    held.setdefault(last[0], small(last[1]))
    nearest = (min(held, key=lambda at: abs(at - ideal)) for ideal in evenly(last[0] + 1, count))
    return {index: held[index] for index in nearest}


def _small(frame: Frame, conversion: Conversion, width: int, shape: Fraction) -> Image.Image:
    image = Image.fromarray(pixels_of(frame, conversion, 8, BLACK))
    height = max(1, round(width * image.height / (image.width * shape)))
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3)


def _saying(given: Frames, source: FrameSource, fps: Fraction | None) -> Callable[[int], str]:
    """Give what says when a frame is shown, or which it is."""
    if fps is not None:
        return lambda index: _clock(index / fps)
    if source.video is None:
        return lambda index: f"#{index}"
    shown_at = read_timestamps(cast(Place, given))
    return lambda index: _clock(shown_at[index])


def _clock(seconds: Fraction) -> str:
    """Write a time in minutes and seconds.

    >>> _clock(Fraction(5, 4)), _clock(Fraction(3661)), _clock(Fraction(599999, 10000))
    ('0:01.250', '1:01:01.000', '1:00.000')
    """
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    whole = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{whole}:{milliseconds / 1000:06.3f}"
