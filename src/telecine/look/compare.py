"""Two clips on one page, in step: wipe, side by side, flicker, difference; how near they are; the facts of both."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path, PurePath
from typing import NamedTuple

from ..errors import InputError, OptionError
from ..files.files import is_place, name_of, source_of
from ..frames.recognise import Frames, Recognizer
from ..frames.sources import FrameSource, open_source
from ..metadata.tags import Json
from ..output.options import ExportOptions
from ..pages.page import page
from ..publish.publication import Publication
from ..read.frames import decoded_frames
from ..read.probe import VideoInfo
from ..support.words import shown
from .measure import Curve, Measured, Side, measure
from .stand_in import Playable, playable, plays, stand_in

_MOST_HELD = 256 << 20  # of files: a page holds them as base64, a third larger, and browsers take half a GiB of text
_FPS = Fraction(16)  # of frames that no video gives a rate


class _Clip(NamedTuple):
    """One of the two: what was given, what that is, and what plays of it."""

    given: Frames
    source: FrameSource
    held: Playable


def compare(
    first: Frames,
    second: Frames,
    reference: Frames | None = None,
    output: str | os.PathLike[str] = "compare.html",
    *,
    titles: Sequence[str] | None = None,
    overwrite: bool = True,
) -> Path:
    """Make a page that shows two clips in step: one file of HTML, which holds both and asks for nothing else.

    Frames of the same number are shown together, whatever the clips' rates: as a wipe, side by side, in turns, or as
    their difference times 8. Below are PSNR, SSIM and XPSNR by frame, as 8-bit 4:2:0, and what is in both files. What
    browsers don't play everywhere, such as HEVC, ProRes or a folder of images, is shown through a stand-in, which the
    page says. Its pixels are measured as they are.

    Args:
        first: The video, or frames as `export_video` takes them, but no iterator.
        second: The other.
        reference: What both were made of, as `export_video` takes it. Without one, the second is measured against the
            first.
        output: The page, or what is to be replaced by it.
        titles: What the two are called; without, by their names.
        overwrite: Whether a page that is there is replaced; else it is an error.

    Returns:
        The path of the page.

    Raises:
        InputError: a file can't be read, or both have more bytes than a page holds, 256 MiB.
        FrameError: the frames.
        OptionError: an argument.
        EncodeError: the encoder of a stand-in.
        PublishError: the page can't be written.

    >>> import numpy as np, tempfile, telecine
    >>> folder = tempfile.mkdtemp()
    >>> ramp = np.linspace(0, 255, 64).astype(np.uint8)
    >>> frames = [np.tile(np.roll(ramp, at)[None, :, None], (48, 1, 3)) for at in range(8)]
    >>> clips = [telecine.export_video(frames, f"{folder}/{crf}.mp4", crf=crf) for crf in (20, 40)]
    >>> telecine.compare(*clips, frames, f"{folder}/compare.html").name
    'compare.html'
    """
    publication = Publication(output, overwrite)
    try:
        parts = _page(first, second, reference, titles)
        publication.put(part.encode("utf-8", "replace") for part in parts)
    except BaseException:
        publication.discard()
        raise
    return Path(publication.path)


def _page(first: Frames, second: Frames, reference: Frames | None, titles: Sequence[str] | None) -> Iterator[str]:
    names = _titles(titles, first, second)
    sources = [open_source(first), open_source(second)]
    _check_size([each.video.size_bytes for each in sources if each.video and plays(each.video)])
    fps = next((each.video.fps for each in sources if each.video), _FPS)
    clips = [_clip(*each, fps) for each in zip((first, second), sources, strict=True)]
    _check_size([len(clip.held.content) for clip in clips])
    measured = _measured(clips, reference, fps)
    data = _contents(names, clips, measured, reference is not None)
    held = {f"clip-{at}": clip.held.content for at, clip in enumerate(clips)}
    scripts = ("steps.js", "transport.js", "compare_views.js", "compare_chart.js")
    return page(" and ".join(names), "compare", data, scripts=scripts, held=held)


def _check_size(sizes: Sequence[int]) -> None:
    if sum(sizes) > _MOST_HELD:
        given = f"{sum(sizes) / (1 << 20):.4g} MiB"
        raise InputError(f"the clips have {given}, and a page holds {_MOST_HELD >> 20} MiB: compare shorter ones")


def _titles(titles: Sequence[str] | None, first: Frames, second: Frames) -> list[str]:
    """Give the titles, or of two paths what tells them apart: their names, with the folders in which they differ."""
    if titles is not None:
        if isinstance(titles, str) or len(titles) != 2 or not all(isinstance(each, str) for each in titles):
            raise OptionError(f"titles={titles!r}: give two texts")
        return list(titles)
    parts = [PurePath(name_of(source_of(each))).parts if is_place(each) else ("frames",) for each in (first, second)]
    least = next((at for at in range(1, max(map(len, parts))) if parts[0][-at:] != parts[1][-at:]), 1)
    return [str(PurePath(*each[-least:])) for each in parts]


def _clip(given: Frames, source: FrameSource, fps: Fraction) -> _Clip:
    if source.video is not None and is_place(given):
        return _Clip(given, source, playable(source_of(given)))
    if isinstance(source.frames, Iterator):
        raise OptionError("an iterator of frames is read once, and they are shown and measured: give a list or a path")
    return _Clip(given, source, stand_in(source.frames, "it is frames, no video", ExportOptions(fps=fps)))


def _measured(clips: Sequence[_Clip], reference: Frames | None, fps: Fraction) -> Measured:
    sides = {name: _sides(clip.given, clip.source) for name, clip in zip("AB", clips, strict=True)}
    if reference is None:
        return measure(sides, [("B", "A")], fps)
    sides["the reference"] = _sides(reference, open_source(reference))
    return measure(sides, [("A", "the reference"), ("B", "the reference")], fps)


def _sides(given: Frames, source: FrameSource) -> Iterator[Side]:
    """Give the frames of a clip as they are measured."""
    if source.video is not None and is_place(given):
        return decoded_frames(source_of(given), alpha=True)
    return Recognizer("auto", "RGB").frames(source.frames)


# ---- what is on the page -------------------------------------------------------------------------------------------


def _contents(titles: Sequence[str], clips: Sequence[_Clip], measured: Measured, has_reference: bool) -> object:
    facts = [_facts(clip) for clip in clips]
    return {
        "clips": [
            {
                "title": shown(title),
                "kind": clip.held.kind,
                "times": [float(time) for time in clip.held.times],
                "duration": float(clip.held.duration),
                "size": [clip.held.width, clip.held.height],
                "note": clip.held.note,
            }
            for title, clip in zip(titles, clips, strict=True)
        ],
        "curves": [_values(curve) for curve in measured.curves if curve.frames],
        "against": "the reference" if has_reference else "A",
        "note": measured.note,
        "facts": _beside(facts),
        "metadata": _beside([_metadata(clip.source.video) for clip in clips]),
    }


def _values(curve: Curve) -> dict[str, object]:
    """Give the values of each metric that all frames have: null is infinite, which JSON can't say."""
    rows = [(each.psnr, each.ssim, each.xpsnr) for each in (*curve.frames, curve.whole)]
    columns = dict(zip(("psnr", "ssim", "xpsnr"), zip(*rows, strict=True), strict=True))
    return {
        "name": curve.name,
        "values": {
            name: [None if math.isinf(each) else round(each, 6) for each in column]
            for name, column in columns.items()
            if not any(map(math.isnan, column))
        },
    }


def _beside(columns: Sequence[Mapping[str, str]]) -> list[list[str]]:
    """Give a row for each name, with its text in each column, empty where it has none."""
    names = dict.fromkeys(name for column in columns for name in column)
    return [[name, *(column.get(name, "") for column in columns)] for name in names]


def _facts(clip: _Clip) -> dict[str, str]:
    if (info := clip.source.video) is not None:
        return {name: shown(text) for name, say in _FACTS.items() if (text := say(info))}
    return {"picture": f"{clip.held.width}x{clip.held.height}", "frames": str(len(clip.held.times))}


def _metadata(info: VideoInfo | None) -> dict[str, str]:
    """Give what a file says of itself, in lines, with nothing in them that is not seen."""
    said = {} if info is None else info.metadata
    return {shown(name): "\n".join(map(shown, _text(said[name]).split("\n"))) for name in sorted(said)}


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)


def _rate(info: VideoInfo) -> str:
    exact = f" ({info.fps})" if info.fps.denominator > 1 else ""
    return f"{float(info.fps):.6g} fps{exact}" + ("" if info.constant_rate else ", on average")


def _bit_rate(info: VideoInfo) -> str:
    return f"{info.size_bytes * 8 / float(info.duration) / 1e6:.4g} Mbit/s" if info.duration else ""


def _turned(info: VideoInfo) -> str:
    turned = f"by {info.rotation} degrees clockwise" if info.rotation else ""
    return ", ".join(filter(None, ("mirrored" * info.mirrored, turned)))


def _sound(info: VideoInfo) -> str:
    audio = info.audio
    return f"{audio.codec}, {audio.sample_rate} Hz, {audio.channels} channels" if audio else ""


_FACTS: Mapping[str, Callable[[VideoInfo], str]] = {
    "container": lambda info: info.container,
    "codec": lambda info: info.codec,
    "profile": lambda info: info.profile or "",
    "pixel format": lambda info: info.pixel_format,
    "picture": lambda info: f"{info.width}x{info.height}",
    "shape of a pixel": lambda info: "" if info.sample_aspect_ratio == 1 else f"{info.sample_aspect_ratio}",
    "turned": _turned,
    "frames": lambda info: f"{info.frame_count}",
    "frame rate": _rate,
    "duration": lambda info: f"{float(info.duration):.3f} s",
    "matrix": lambda info: info.color.matrix_name,
    "primaries": lambda info: info.color.primaries_name,
    "transfer": lambda info: info.color.transfer_name,
    "range": lambda info: info.color.range_name,
    "mastering display": lambda info: f"{info.mastering_display or ''}",
    "content light": lambda info: f"{info.content_light or ''}",
    "size": lambda info: f"{info.size_bytes:,} bytes",
    "bit rate": _bit_rate,
    "sound": _sound,
    "index in front": lambda info: {True: "yes", False: "no", None: ""}[info.index_in_front],
    "note": lambda info: "; ".join(info.notes),
}
