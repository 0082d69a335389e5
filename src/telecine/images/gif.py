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
from av.container import OutputContainer
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.stream import VideoStream

from ..support.in_order import InOrder
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
        self._ticks, self._most_colors = array("l"), int(settings.level)
        self._seen: npt.NDArray[np.bool_] | None = np.zeros(2**24, np.bool_)
        self._graph = Graph()
        self._colors, self._palette = self._buffer(self._graph, "colors"), self._graph.add("buffersink")
        _link(self._colors, self._graph.add("palettegen", f"max_colors={self._most_colors}"), self._palette)

    def encode(self, frame: Pixels, ticks: int) -> None:
        """Take in the colours of the next frame, which is shown for so many hundredths of a second."""
        self._ticks.append(ticks)
        if self._seen is not None:
            shown = frame[:, :, :3] if frame.shape[2] == 3 else frame[frame[:, :, 3] >= _OPAQUE, :3]
            self._seen[shown @ np.array([1 << 16, 1 << 8, 1])] = True
            if np.count_nonzero(self._seen) > _EXACT_COLORS:
                self._seen = None
        coarse = frame if self._seen is not None else _in_steps(frame)
        self._colors.push(_picture(coarse, len(self._ticks)))

    def finish(self, again: Callable[[], Iterable[Pixels]]) -> None:
        """Write the file. `again` gives the same frames again."""
        self._colors.push(None)
        palette = cast(VideoFrame, self._palette.pull())
        if self._seen is not None and np.count_nonzero(self._seen) < self._most_colors:
            palette = _palette_of(np.flatnonzero(self._seen))
        # FFmpeg counts how many times more; -1 says nothing, and the clip is shown once.
        loops = self._settings.loops
        options = {"loop": str(loops - 1 if loops != 1 else -1) if loops else "0"}
        options["final_delay"] = str(self._ticks[-1])
        container = av.open(self._file, "w", format="gif", container_options=options)
        try:
            self._write(container, self._reduced(palette, again()))
        except BaseException:
            with contextlib.suppress(Exception):  # that it can't be completed
                container.close()
            raise
        container.close()

    def close(self) -> None:
        """Nothing is open in between."""

    def _write(self, container: OutputContainer, frames: Iterable[VideoFrame]) -> None:
        stream = container.add_stream("gif", rate=1 / _TICK)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = self._settings.width, self._settings.height, "pal8"
        at = 0
        for frame, ticks in zip(frames, self._ticks, strict=False):
            frame.pts, frame.time_base = at, _TICK
            for packet in stream.encode(frame):
                container.mux(packet)
            at += ticks
        for packet in stream.encode(None):
            container.mux(packet)

    def _reduced(self, palette: VideoFrame, frames: Iterable[Pixels]) -> Iterator[VideoFrame]:
        """Give the frames in the palette's colours. Each is dithered alone, so several are at the same time."""
        ends = threading.local()

        def reduced(frame: Pixels) -> VideoFrame:
            if not hasattr(ends, "source"):
                ends.graph, ends.source, ends.sink = self._reducer(palette)
            ends.source.push(_picture(frame, 0))
            return cast(VideoFrame, ends.sink.pull())

        palette.pts, palette.time_base = 0, _TICK
        palette.colorspace, palette.color_range = 2, 0  # not told, as of the buffer that takes it: else FFmpeg warns
        work = InOrder(reduced, self._settings.threads, "gif")
        try:
            for frame in frames:
                yield from work.call(frame)
            yield from work.rest()
        finally:
            work.close()

    def _reducer(self, palette: VideoFrame) -> tuple[Graph, FilterContext, FilterContext]:
        graph = Graph()
        source, sink = self._buffer(graph, "frames"), graph.add("buffersink")
        colors = graph.add_buffer(
            width=palette.width, height=palette.height, format=palette.format, time_base=_TICK, name="palette"
        )
        use = graph.add("paletteuse", f"dither=sierra3:alpha_threshold={_OPAQUE}")
        colors.link_to(use, 0, 1)
        _link(source, use, sink)
        colors.push(palette)
        colors.push(None)
        return graph, source, sink  # the graph too, of which what is in it keeps no hold

    def _buffer(self, graph: Graph, name: str) -> FilterContext:
        width, height = self._settings.width, self._settings.height
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
