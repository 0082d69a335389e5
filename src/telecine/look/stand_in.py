"""What a browser plays of a clip: its own bytes where browsers play them, else a stand-in made of its frames."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from io import BytesIO
from typing import NamedTuple

from ..export import export_bytes
from ..files.files import Source, opened_file
from ..formats.containers import media_type_of
from ..frames.recognise import Frames
from ..output.options import ExportOptions
from ..planes.pixel_formats import has_alpha
from ..read.frames import read_frames, read_timestamps
from ..read.probe import VideoInfo, probe

# Chrome, Firefox and Safari play these containers,
_CONTAINERS = ("mp4", "mov", "webm")
# with these codecs, whatever the machine, in these pixel formats (caniuse.com; formats/plays.py).
_PLAYED = {
    "h264": ("yuv420p", "yuvj420p"),
    "vp8": ("yuv420p", "yuva420p"),
    "vp9": ("yuv420p", "yuva420p", "yuv420p10le"),
    "av1": ("yuv420p", "yuv420p10le"),
}
_CRF = 1  # of 51: within a step or two of 255, of what 4:2:0 holds


class Playable(NamedTuple):
    """What a browser plays: the bytes of a file, their media type, and when each frame is shown, in seconds.

    `width` and `height` are in pixels. `note` says what a stand-in is, and is empty for a file itself.
    """

    content: bytes
    kind: str
    times: Sequence[Fraction]
    duration: Fraction
    width: int
    height: int
    note: str


def playable(source: Source) -> Playable:
    """Give what plays of a video file.

    Raises:
        InputError: it can't be read.
        EncodeError: the encoder of the stand-in.
    """
    info = probe(source)
    if plays(info):
        with opened_file(source) as file:
            return _playable(file.read(), info, read_timestamps(source), "")
    times = read_timestamps(source)
    frames = read_frames(source, alpha=has_alpha(info.pixel_format))
    last = info.duration - times[-1]
    timing = ExportOptions(timestamps=times, hold=last if last > 0 else None)
    why = f"not every browser plays {info.codec}, {info.pixel_format}, in {info.container}"
    return stand_in(frames, why, timing)


def plays(info: VideoInfo) -> bool:
    """Tell whether browsers play a file."""
    return info.container in _CONTAINERS and info.pixel_format in _PLAYED.get(info.codec, ())


def stand_in(frames: Frames, why: str, timing: ExportOptions) -> Playable:
    """Make what plays in place of frames: H.264 so near to them that no difference is seen.

    Raises:
        FrameError: the frames.
        EncodeError: the encoder.
    """
    options: ExportOptions = {**timing, "quality": "draft", "crf": _CRF}  # at a draft's speed
    content = export_bytes(frames, **options)
    note = f"shown through a stand-in, 8-bit 4:2:0 H.264 at crf={_CRF}: {why}"
    made = BytesIO(content)
    return _playable(content, probe(made), read_timestamps(made), note)


def _playable(content: bytes, info: VideoInfo, times: Sequence[Fraction], note: str) -> Playable:
    return Playable(content, media_type_of(f".{info.container}"), times, info.duration, info.width, info.height, note)
