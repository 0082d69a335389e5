"""GIF: one palette for the whole clip, dithered, by FFmpeg's palettegen and paletteuse. The frames are seen twice.

A palette for each frame, as Pillow makes, flickers and takes more bytes: with one for the clip, four real clips are
0.67 to 0.99 times the size of Pillow's. Only a clip whose colours change altogether is closer with many. Of the dithers
that diffuse errors, sierra3 comes out smallest.
"""

from __future__ import annotations

import contextlib
import threading
from array import array
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import BinaryIO, cast

import av
import numpy as np
import numpy.typing as npt
from av import VideoFrame
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.stream import VideoStream

from ..support.in_order import in_parallel
from .protocol import MovingImageSettings, Pixels

_TICK = Fraction(1, 100)
_OPAQUE = 128  # GIF has no half transparent pixels: from this alpha on one is shown, as in paletteuse
# palettegen remembers every colour that it meets and looks it up in a list: a clip with a million takes a second of
# work a frame. So what comes after so many is told in steps of 8, which keeps its memory bounded too; on real clips the
# palette is as good.
_EXACT_COLORS = 2**15
_STEP = 8


class Gif:
    """Collects the colours of frames of (height, width, 3 or 4) uint8, then writes them to a file.

    The quality is how many colours at most, with one for transparency.
    """

    def __init__(self, file: BinaryIO, settings: MovingImageSettings) -> None:
        self._file, self._settings = file, settings
        self._ticks, self._colors = array("l"), Colors(settings)

    def encode(self, frame: Pixels, ticks: int) -> None:
        """Take in the colours of the next frame, which is shown for so many hundredths of a second."""
        self._ticks.append(ticks)
        self._colors.add(frame)

    def finish(self, again: Callable[[], Iterable[Pixels]]) -> None:
        """Write the file. `again` gives the same frames again."""
        muxer = GifMuxer(self._file, self._settings, self._ticks[-1])
        try:
            for frame, ticks in zip(
                reduced(again(), self._colors.palette(), self._settings), self._ticks, strict=False
            ):
                muxer.write(frame, ticks)
        except BaseException:
            with contextlib.suppress(Exception):  # that it can't be completed
                muxer.close()
            raise
        muxer.close()

    def close(self) -> None:
        """Nothing is open in between."""


class GifMuxer:
    """Writes frames in the colours of a palette to a file, the last of which is shown for so many ticks."""

    def __init__(self, file: BinaryIO, settings: MovingImageSettings, last: int) -> None:
        # FFmpeg counts how many times more; -1 says nothing, and the clip is shown once.
        loops = settings.loops
        options = {
            "loop": str(loops - 1 if loops != 1 else -1) if loops else "0",
            "final_delay": str(last),
            "fflags": "+flush_packets",
        }
        self._container = av.open(file, "w", format="gif", container_options=options)
        self._stream, self._at = self._container.add_stream("gif", rate=1 / _TICK), 0
        assert isinstance(self._stream, VideoStream)
        self._stream.width, self._stream.height, self._stream.pix_fmt = settings.width, settings.height, "pal8"

    def write(self, frame: VideoFrame, ticks: int) -> None:
        """Write the next frame, which is shown for so many ticks."""
        frame.pts, frame.time_base = self._at, _TICK
        self._container.mux(self._stream.encode(frame))
        self._at += ticks

    def close(self) -> None:
        """Complete the file."""
        self._container.mux(self._stream.encode(None))
        self._container.close()


class Colors:
    """The colours of some frames, of which a palette is made."""

    def __init__(self, settings: MovingImageSettings) -> None:
        self._most, self._count = int(settings.level), 0
        self._seen: npt.NDArray[np.bool_] | None = np.zeros(2**24, np.bool_)
        self._graph = Graph()
        self._source, self._palette = _buffer(self._graph, settings, "colors"), self._graph.add("buffersink")
        _link(self._source, self._graph.add("palettegen", f"max_colors={self._most}"), self._palette)

    def add(self, frame: Pixels) -> None:
        """Take in those of a frame."""
        self._count += 1
        if self._seen is not None:
            shown = frame[:, :, :3] if frame.shape[2] == 3 else frame[frame[:, :, 3] >= _OPAQUE, :3]
            self._seen[shown @ np.array([1 << 16, 1 << 8, 1])] = True
            if np.count_nonzero(self._seen) > _EXACT_COLORS:
                self._seen = None
        self._source.push(_picture(frame if self._seen is not None else _in_steps(frame), self._count))

    def palette(self) -> VideoFrame:
        """Give the palette. No more come after."""
        self._source.push(None)
        palette = cast(VideoFrame, self._palette.pull())
        if self._seen is not None and np.count_nonzero(self._seen) < self._most:
            palette = _palette_of(np.flatnonzero(self._seen))
        return palette


def reduced(frames: Iterable[Pixels], palette: VideoFrame, settings: MovingImageSettings) -> Iterator[VideoFrame]:
    """Give frames in the palette's colours. Each is dithered alone, so several are at the same time."""
    ends = threading.local()

    def in_colors(frame: Pixels) -> VideoFrame:
        if not hasattr(ends, "source"):
            ends.graph, ends.source, ends.sink = _reducer(palette, settings)
        ends.source.push(_picture(frame, 0))
        return cast(VideoFrame, ends.sink.pull())

    palette.pts, palette.time_base = 0, _TICK
    palette.colorspace, palette.color_range = 2, 0  # not told, as of the buffer that takes it: else FFmpeg warns
    yield from in_parallel(in_colors, frames, settings.threads, "gif")


def _reducer(palette: VideoFrame, settings: MovingImageSettings) -> tuple[Graph, FilterContext, FilterContext]:
    graph = Graph()
    source, sink = _buffer(graph, settings, "frames"), graph.add("buffersink")
    colors = graph.add_buffer(
        width=palette.width, height=palette.height, format=palette.format, time_base=_TICK, name="palette"
    )
    use = graph.add("paletteuse", f"dither=sierra3:alpha_threshold={_OPAQUE}")
    colors.link_to(use, 0, 1)
    _link(source, use, sink)
    colors.push(palette)
    colors.push(None)
    return graph, source, sink  # the graph too, of which what is in it keeps no hold


def _buffer(graph: Graph, settings: MovingImageSettings, name: str) -> FilterContext:
    width, height = settings.width, settings.height
    return graph.add_buffer(width=width, height=height, format=av.VideoFormat("bgra"), time_base=_TICK, name=name)


def _link(source: FilterContext, through: FilterContext, sink: FilterContext) -> None:
    source.link_to(through)
    through.link_to(sink)
    through.graph.configure()


def _picture(frame: Pixels, pts: int) -> VideoFrame:
    picture = VideoFrame.from_ndarray(frame, format="rgb24" if frame.shape[2] == 3 else "rgba").reformat(format="bgra")
    picture.pts, picture.time_base = pts, _TICK
    return picture


def _palette_of(colors: npt.NDArray[np.intp]) -> VideoFrame:
    """Lay out a palette as palettegen does: opaque colours, and at the end the transparent one."""
    codes = np.zeros(256, np.uint32)
    codes[: len(colors)] = colors
    codes[len(colors) : -1] = colors[-1] if len(colors) else 0
    codes[:-1] |= 0xFF000000
    return VideoFrame.from_ndarray(codes.astype("<u4").view(np.uint8).reshape(16, 16, 4), format="bgra")


def _in_steps(frame: Pixels) -> Pixels:
    """Take the middle of each colour's step; alpha stays."""
    coarse: Pixels = frame & np.uint8(256 - _STEP) | np.uint8(_STEP // 2)
    coarse[:, :, 3:] = frame[:, :, 3:]
    return coarse
