"""Videos as a notebook shows them: one in a player, several in one grid that plays in step, large ones as a preview."""

from __future__ import annotations

import html
import io
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple, Unpack, cast

import numpy.typing as npt

from ..errors import FrameError, InputError, OptionError
from ..export import export_bytes
from ..files.files import Place, Source, is_place, name_of, opened_file, source_of
from ..formats.containers import media_type_of
from ..formats.images import MOVING_IMAGES
from ..frames.options import ArrayOptions, complete, with_options
from ..frames.recognise import Frames, check_channels, check_layout, find_layout
from ..frames.sources import FrameSource, open_source
from ..output.result import Video
from ..pages.page import data_url, page
from ..planes.convert import parse_value_range
from ..read.probe import VideoInfo, probe
from ..support.rate import FrameRate, parse_fps
from ..support.words import shown
from .reencode import reencoded
from .stand_in import Playable, playable, plays

# A notebook saves what it shows, and all of it is loaded when it is opened.
_MOST_HELD = 32 << 20
_MOST_OF_A_PREVIEW = 4 << 20
_WIDEST, _SECONDS = 480, 10  # of a preview


class Clip(NamedTuple):
    """A video's name, the title above it, and what plays in its place."""

    name: str
    title: str
    playable: Playable


@dataclass(frozen=True)
class Shown:
    """What `show` gives: in a notebook players, where it is a cell's last expression, and in a terminal their facts."""

    clips: tuple[Clip, ...]
    columns: int

    def _repr_html_(self) -> str:
        element = _player(self.clips[0]) if len(self.clips) == 1 else _grid(self.clips, self.columns)
        return element + "".join(_line(clip.playable.note) for clip in self.clips)

    def __repr__(self) -> str:
        return f"<for a notebook to show: {shown('; '.join(map(_facts, self.clips)))}>"


@with_options(ArrayOptions)
def show(
    *videos: Frames,
    fps: FrameRate = 16,
    columns: int | None = None,
    titles: str | Sequence[str] | None = None,
    **options: Unpack[ArrayOptions],
) -> Shown:
    """Show videos in a notebook: one in a player, several in one grid that plays in step, with one set of controls.

    They are muted, play when they are seen, and begin again at the end. The notebook holds what it shows, up to 32 MiB;
    of more it holds smaller previews, and says so.

    Args:
        *videos: Each is what `export_video` takes: a path, a `Video`, a list, an array, an iterator. A batch is several
            videos, and so is a list of videos' paths; a list of images or arrays is one.
        fps: Frames per second of what is no video yet.
        columns: How many stand in a row; without, about as many as there are rows.
        titles: A text for each. Without, several that are files have their names.
        **options: Those below, of arrays.

    Returns:
        What a notebook shows where it is the last expression of a cell, and `IPython.display.display` anywhere.

    Raises:
        FrameError: the frames, or there are none.
        InputError: a file can't be read.
        OptionError: an argument.
        EncodeError: the encoder.

    >>> import numpy as np
    >>> show(np.zeros((8, 48, 64, 3), np.uint8), fps=8)
    <for a notebook to show: 8 frames of 64x48, 1 s>
    """
    rate, arguments = parse_fps(fps), complete(ArrayOptions, options, "show")
    check_layout(arguments["layout"])
    check_channels(arguments["channels"])
    parse_value_range(arguments["value_range"])
    if columns is not None and not (isinstance(columns, int) and columns >= 1):
        raise OptionError(f"columns={columns!r}: at least one")
    each = [one for video in videos for one in _videos_in(video, arguments["layout"])]
    if not each:
        raise FrameError("no videos: there is nothing to show")
    given_titles = _checked(titles, len(each))
    given = [_given(one, rate) for one in each]
    opened = [_opened(one, arguments) for one in given]
    clips = tuple(_clips(opened, given_titles))
    return Shown(clips, min(columns or math.ceil(math.sqrt(len(clips))), len(clips)))


def _checked(titles: str | Sequence[str] | None, count: int) -> Sequence[str | None]:
    if titles is None:
        return [None] * count
    each = [titles] if isinstance(titles, str) else list(titles)
    if len(each) != count or not all(isinstance(one, str) for one in each):
        raise OptionError(f"titles={titles!r}: give one text for each video, of which there are {count}")
    return each


# ---- what is given -------------------------------------------------------------------------------------------------


class _Given(NamedTuple):
    """What one video was given as, looked at: its name and its file, if it has one, and its frames."""

    name: str
    file: Source | None
    source: FrameSource
    fps: Fraction


class _Opened(NamedTuple):
    """A video's file, or one in memory that was made of frames."""

    name: str
    file: Source
    info: VideoInfo


def _videos_in(video: Frames, layout: str) -> Sequence[Frames]:
    """Give the videos that one argument is: those of a batch, those at paths, or itself."""
    shape = tuple(getattr(video, "shape", ()))
    if len(shape) == 5:
        batch = cast("npt.NDArray[Any]", video)  # or a tensor, of which a slice is taken alike
        before = (slice(None),) * (find_layout(shape) if layout == "auto" else layout).find("B")
        return [batch[(*before, slice(at, at + 1))] for at in range(shape[len(before)])]
    if not isinstance(video, (list, tuple)) or is_place(video) or not video:
        return [video]
    first = video[0]
    is_several = not _is_picture(first) if is_place(first) else isinstance(first, (list, tuple))
    return video if is_several else [video]


def _is_picture(place: Place) -> bool:
    """Tell whether a file is an image, of which several are the frames of one video."""
    if isinstance(place, (str, os.PathLike)) and (_is_playlist(os.fspath(place)) or os.path.isdir(place)):
        return False
    source = open_source(place)
    return source.video is None and isinstance(source.frames, list)


def _is_playlist(name: str) -> bool:
    return name.lower().endswith(".m3u8")


def _given(video: Frames, fps: Fraction) -> _Given:
    name, file = "", None
    if is_place(video):
        file = source_of(video)
        name = name_of(file)
        if _is_playlist(name):
            raise InputError(f"{name!r} is a playlist: serve its folder, and play it from there")
    if isinstance(video, Video):
        fps = video.fps  # which a folder of images does not tell
        if not os.path.isdir(video):  # nor is its name a pattern
            return _Given(name, file, FrameSource(video, probe(video)), fps)
    return _Given(name, file, open_source(video if file is None else file), fps)


def _opened(given: _Given, options: ArrayOptions) -> _Opened:
    if given.file is not None and given.source.video is not None:
        return _Opened(given.name, given.file, given.source.video)
    made = io.BytesIO(export_bytes(given.source.frames, fps=given.fps, **options))
    return _Opened(given.name, made, probe(made))


# ---- what is held --------------------------------------------------------------------------------------------------


def _clips(videos: Sequence[_Opened], titles: Sequence[str | None]) -> Iterator[Clip]:
    """Give what plays of each: itself, a stand-in, or a preview of one that is too large."""
    is_alone = len(videos) == 1
    size = sum(video.info.size_bytes for video in videos)
    most = _MOST_HELD if size <= _MOST_HELD else _MOST_HELD // len(videos)
    for video, name, title in zip(videos, _short_names(videos), titles, strict=True):
        held = _whole(video, is_alone) if video.info.size_bytes <= most else None
        if held is None or len(held.content) > most:
            held = _preview(video, min(_MOST_OF_A_PREVIEW, most))
        default = "" if is_alone else name
        yield Clip(video.name, default if title is None else title, held)


def _short_names(videos: Sequence[_Opened]) -> list[str]:
    short = [os.path.basename(video.name) for video in videos]
    return short if len(set(short)) == len(short) else [video.name for video in videos]


def _whole(video: _Opened, is_alone: bool) -> Playable:
    name, file, info = video
    if is_alone and info.codec in MOVING_IMAGES:
        kind = media_type_of(f".{info.codec}")
        with opened_file(file) as opened:
            return Playable(opened.read(), kind, (), info.duration, info.width, info.height, "")
    if plays(info):
        return playable(file)
    note = f"{name} is {info.codec} in {info.container}, which not every browser plays: this is H.264 of its frames"
    return reencoded(file, info)._replace(note=note + _said_of_light(info))


def _preview(video: _Opened, most: int) -> Playable:
    name, file, info = video
    held = reencoded(file, info, widest=_WIDEST, seconds=_SECONDS, most=most)
    size = f"{info.size_bytes / (1 << 20):.4g} MiB"
    part = f", its first {float(held.duration):.3g} s" if held.duration < info.duration else ""
    note = f"{name or 'The video'} has {size}, and a notebook is given {_MOST_HELD >> 20} MiB to hold in all: "
    note += f"this is a preview of {held.width}x{held.height}{part}"
    return held._replace(note=note + _said_of_light(info))


def _said_of_light(info: VideoInfo) -> str:
    return "; its light is not shown as of HDR, but pale" if info.color.hdr else ""


def _facts(clip: Clip) -> str:
    held = clip.playable
    frames = f"{len(held.times)} frames of " if held.times else ""
    return f"{clip.name}{': ' if clip.name else ''}{frames}{held.width}x{held.height}, {float(held.duration):.4g} s"


# ---- what is shown -------------------------------------------------------------------------------------------------

_LEAST_WIDTH = 360  # CSS pixels, for the controls
_GAP = 8  # around and between what is in the grid
_TITLE = 48  # of two lines


def _player(clip: Clip) -> str:
    """Give an element that plays without any script, for not every notebook runs one."""
    held, name = clip.playable, _text(clip.title or clip.name)
    source = data_url(held.kind, held.content)
    attributes = f'width="{held.width}" height="{held.height}" style="max-width: 100%; height: auto" src="{source}"'
    if held.kind.startswith("image/"):
        element = f'<img {attributes} alt="{name}">'
    else:
        element = f'<video controls loop muted autoplay playsinline {attributes} title="{name}"></video>'
    return _line(clip.title) + element


def _grid(clips: Sequence[Clip], columns: int) -> str:
    """Give a frame with a page of its own, as high as that is: of a page in a sandbox nobody is told."""
    rows = -(-len(clips) // columns)
    width = max(clip.playable.width for clip in clips)
    height = max(clip.playable.height for clip in clips)
    across = columns * (width + _GAP) + _GAP
    down = rows * (height + _GAP)
    titles = rows * _TITLE if any(clip.title for clip in clips) else 0
    # The controls take a row of 36 px where it is wide, and three where it is narrow.
    room = f"calc(min({100 * down / across:.4g}%, {down}px) + {titles + _GAP}px + clamp(52px, 260px - 25%, 140px))"
    source = html.escape("".join(_page(clips, columns)))
    return (
        f'<div style="max-width: {max(_LEAST_WIDTH, across)}px">'
        f'<div style="position: relative; padding-bottom: {room}">'
        '<iframe sandbox="allow-scripts" style="position: absolute; width: 100%; height: 100%; border: 0" '
        f'title="{len(clips)} videos" srcdoc="{source}"></iframe></div></div>'
    )


def _page(clips: Sequence[Clip], columns: int) -> Iterator[str]:
    data = [
        {
            "id": f"clip-{at}",
            "kind": clip.playable.kind,
            "title": shown(clip.title),
            "width": clip.playable.width,
            "height": clip.playable.height,
            "times": [float(time) for time in clip.playable.times],
            "duration": float(clip.playable.duration),
        }
        for at, clip in enumerate(clips)
    ]
    content = {f"clip-{at}": clip.playable.content for at, clip in enumerate(clips)}
    scripts = ("steps.js", "transport.js")
    return page("Videos", "grid", {"columns": columns, "clips": data}, scripts=scripts, held=content)


def _line(text: str) -> str:
    """Give a line of text, of which one that is long is scrolled; nothing where there is none."""
    style = "max-height: 4.5em; overflow: auto; overflow-wrap: anywhere"
    return f'<div style="{style}">{_text(text)}</div>' if text else ""


def _text(text: str) -> str:
    return html.escape(shown(text))
