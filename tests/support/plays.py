"""The matrix of files and readers: what each is expected to make of each, which test_plays.py asserts cell by cell.

`python -m tests.support.plays` writes it to docs/plays.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from telecine.cli.tables import rows_of_places
from telecine.formats.codecs import CODECS
from telecine.formats.containers import CONTAINERS
from telecine.formats.images import MOVING_IMAGES
from telecine.planes.pixel_formats import PIXEL_FORMATS

from .chart import Color, Pixels, chart, patches_of
from .helpers import ROOT
from .readers import READERS

PAGE = ROOT / "docs" / "plays.md"


# ---- the clip ------------------------------------------------------------------------------------------------------

WIDTH, HEIGHT, FRAMES, FPS = 320, 240, 8, 16
CHART_HEIGHT = 200  # below it the frame's number, as a gray
_FIRST_GRAY, _STEP = 20, 30


def clip() -> list[Pixels]:
    """The chart above a strip of another gray in each frame."""
    frames = np.empty((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    frames[:, :CHART_HEIGHT] = chart(WIDTH, CHART_HEIGHT)
    frames[:, CHART_HEIGHT:] = (_FIRST_GRAY + _STEP * np.arange(FRAMES))[:, None, None, None]
    return list(frames)


def number_of(frame: Pixels) -> int:
    """Which frame of the clip it is."""
    return round((float(frame[CHART_HEIGHT + 10 :].mean()) - _FIRST_GRAY) / _STEP)


def error_of(frame: Pixels) -> float:
    """How far the patches of the chart are off, in steps of 255."""
    error = patches_of(frame[:CHART_HEIGHT]) - patches_of(chart(WIDTH, CHART_HEIGHT))
    return float(np.abs(error).max())


# ---- what is expected ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class File:
    """A kind of file that exports make; a moving image has no codec of its own."""

    container: str
    codec: str = ""
    pixel_format: str = ""
    lossless: bool = False

    def __str__(self) -> str:
        return " ".join(filter(None, (self.container, self.codec, self.pixel_format, "lossless" * self.lossless)))


def files() -> list[File]:
    """Each codec of each container, in its first pixel format, without loss where it can, and with alpha; images."""
    found = []
    for container in CONTAINERS.values():
        for codec in (CODECS[name] for name in container.codecs):
            first, *others = codec.pixel_formats
            found.append(File(container.name, codec.name, first))
            if codec.lossless:
                found.append(File(container.name, codec.name, codec.lossless.pixel_formats[0], lossless=True))
            found += [File(container.name, codec.name, name) for name in others if PIXEL_FORMATS[name].alpha]
    for image in MOVING_IMAGES.values():
        found.append(File(image.name))
        if image.qualities["high"] and "lossless" in image.qualities:
            found.append(File(image.name, lossless=True))
    return found


@dataclass(frozen=True)
class No:
    """The reader refuses the file, or gives something else."""

    why: str


@dataclass(frozen=True)
class IfDecoded:
    """The browser plays the file where it says that it plays the codec (RFC 6381), and else refuses it."""

    codec: str
    error: int
    why: str


@dataclass(frozen=True)
class Since:
    """The reader gives every frame where its FFmpeg's libavformat is of this version or later, and else refuses it."""

    libavformat: int
    error: int
    why: str


# A number: the reader gives every frame, and no patch of the chart is further off than so many steps of 255.
Cell: TypeAlias = int | No | IfDecoded | Since

COLUMNS = ("Chromium", *READERS)

_WHY = "plays where the browser says that it decodes this profile, which on Linux takes a GPU that does"
MAIN, LOSSLESS = IfDecoded("hvc1.1.6.L60.90", 3, _WHY), IfDecoded("hvc1.4.10.L60.9e.8", 3, _WHY)
NO_PRORES, NO_FFV1 = (No(f"Chromium has no {codec} decoder") for codec in ("ProRes", "FFV1"))
NO_AV1 = No("the FFmpeg in OpenCV's wheels has no AV1 decoder")
NO_WEBP = No("FFmpeg reads no animated WebP before version 9")
PYAV_WEBP, PYAV_WEBP_LOSSLESS = (Since(63, error, "reads animated WebP since FFmpeg 9 (PyAV 19)") for error in (3, 0))
STILL = No("takes the still picture that the file begins with for all of it")

MATRIX: dict[File, tuple[Cell, ...]] = {
    File("mp4", "h264", "yuv420p"):                (3, 3, 3, 3, 3, 3),
    File("mp4", "h264", "rgb24", lossless=True):   (0, 0, 0, 0, 0, 0),
    File("mp4", "hevc", "yuv420p"):                (MAIN, 3, 3, 3, 3, 3),
    File("mp4", "hevc", "gbrp", lossless=True):    (LOSSLESS, 0, 0, 0, 0, 0),
    File("mp4", "av1", "yuv420p"):                 (3, 3, NO_AV1, 3, 3, 3),
    File("mov", "h264", "yuv420p"):                (3, 3, 3, 3, 3, 3),
    File("mov", "h264", "rgb24", lossless=True):   (0, 0, 0, 0, 0, 0),
    File("mov", "hevc", "yuv420p"):                (MAIN, 3, 3, 3, 3, 3),
    File("mov", "hevc", "gbrp", lossless=True):    (LOSSLESS, 0, 0, 0, 0, 0),
    File("mov", "prores", "yuv422p10le"):          (NO_PRORES, 3, 3, 3, 3, 3),
    File("mov", "prores", "yuva444p10le"):         (NO_PRORES, 3, 3, 3, 3, 3),
    File("webm", "vp9", "yuv420p"):                (3, 3, 3, 3, 3, 3),
    File("webm", "vp9", "gbrp", lossless=True):    (0, 0, 0, 0, 0, 0),
    File("webm", "vp9", "yuva420p"):               (3, 3, 3, 3, 3, 3),
    File("webm", "av1", "yuv420p"):                (3, 3, NO_AV1, 3, 3, 3),
    File("mkv", "h264", "yuv420p"):                (3, 3, 3, 3, 3, 3),
    File("mkv", "h264", "rgb24", lossless=True):   (0, 0, 0, 0, 0, 0),
    File("mkv", "hevc", "yuv420p"):                (MAIN, 3, 3, 3, 3, 3),
    File("mkv", "hevc", "gbrp", lossless=True):    (LOSSLESS, 0, 0, 0, 0, 0),
    File("mkv", "av1", "yuv420p"):                 (3, 3, NO_AV1, 3, 3, 3),
    File("mkv", "vp9", "yuv420p"):                 (3, 3, 3, 3, 3, 3),
    File("mkv", "vp9", "gbrp", lossless=True):     (0, 0, 0, 0, 0, 0),
    File("mkv", "vp9", "yuva420p"):                (3, 3, 3, 3, 3, 3),
    File("mkv", "ffv1", "bgra"):                   (NO_FFV1, 0, 0, 0, 0, 0),
    File("gif"):                                   (0, 0, 0, 0, 0, 0),
    File("webp"):                                  (3, PYAV_WEBP, 3, 3, NO_WEBP, NO_WEBP),
    File("webp", lossless=True):                   (0, PYAV_WEBP_LOSSLESS, 0, 0, NO_WEBP, NO_WEBP),
    File("apng"):                                  (0, 0, 0, 0, 0, 0),
    File("avif"):                                  (4, STILL, 4, 4, 4, 4),
}  # fmt: skip

# Without a GPU Chromium converts with libyuv, whose BT.709 weighs Cb in blue by 128/64 in place of 135/64
# (row_common.cc, kYuvH709Constants): up to 13 off where blue is full, whatever the file.
LARGE_BARS: dict[str, Color] = {name: (3, 3, 13) if name == "Chromium" else (3, 3, 3) for name in COLUMNS}


# ---- the page ------------------------------------------------------------------------------------------------------

_PAGE = """\
# What plays where

`python -m tests.support.plays` writes this page, from the table in `formats/plays.py` and from what
`tests/formats/test_plays.py` asserts.

## Programs

The formats' default pixel formats: see `telecine formats` for the others. "some" is some of these programs, or only on
some machines. Browsers are Chrome, Firefox and Safari; editors Premiere Pro, DaVinci Resolve and Final Cut Pro. For an
archive, "yes" is what the Library of Congress prefers for keeping, and "if lossless" is what gives the same RGB back
with `quality="lossless"`. This table is from what their makers say; the next one is from tests.

{places}

## Readers, tested

Eight frames at {width}x{height}: a chart of 40 colours, and a gray that numbers the frame. Each reader has to
give the size, the duration, and every frame in order, once. A number is how far a colour of the chart may be off in any
frame, in steps of 255. "no" is refused, or not the clip. Chromium, without a GPU, also seeks to each frame and plays to
the end, and decodes images. FFmpeg is Debian's, its `ffprobe` and `ffmpeg`; torchcodec uses Debian's libraries; imageio
an ffmpeg of its own, and Pillow for images. Not every reader tells how long an image is shown.

{matrix}

{notes}

- At 1360x768, where the matrix is BT.709 and not BT.601, the same codecs are within 3 in every reader, but for blue in
  Chromium: its conversion without a GPU weighs it wrong, up to 13 off, whatever the file.
- Chromium shows the first frame of each kind of file that it plays when no more than the index and the first eight
  frames were sent: the tests have a server that stops there. Of H.264 in Matroska it takes 56.
"""


def page() -> str:
    """The page: where programs play each codec, and what each reader makes of each file."""
    why: list[str] = []

    def shown(cell: Cell) -> str:
        if isinstance(cell, int):
            return str(cell)
        if cell.why not in why:
            why.append(cell.why)
        note = f"[{why.index(cell.why) + 1}]"
        return f"no {note}" if isinstance(cell, No) else f"some {note}"

    matrix = [
        (
            f".{file.container}",
            file.codec,
            ", ".join(filter(None, (file.pixel_format, "lossless" * file.lossless))),
            *map(shown, cells),
        )
        for file, cells in MATRIX.items()
    ]
    return _PAGE.format(
        width=WIDTH,
        height=HEIGHT,
        places=_table(("file", "codec", "browser", "QuickTime", "editor", "archive"), rows_of_places()),
        matrix=_table(("file", "codec", "pixel format", *COLUMNS), matrix),
        notes="\n".join(f"- [{number}] {reason}." for number, reason in enumerate(why, 1)),
    )


def _table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [headings, ("---",) * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
