"""Exports a slow gradient in 8 bit, in 8 bit with dither and in 10 bit, draws what is shown, and measures its bands.

Run by hand, for docs/dither.md: python -m examples.dither docs/dither.png
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

import telecine
from telecine.formats.choices import QualityName
from telecine.planes.to_rgb import to_float_rgb
from telecine.read.frames import decoded_frames

WIDTH, HEIGHT, FRAMES = 1360, 768, 8
DARK, LIGHT = 0.10, 0.14  # ten codes of 8 bit over 1360 columns: each of them a band of 155 columns
AREA = 16  # columns and lines whose mean stands for what the eye sees from afar

Picture = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Way:
    """A way to export the gradient."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


WAYS = (
    Way("8 bit, the default"),
    Way("8 bit, dither=True", {"dither": True}),
    Way("10 bit HEVC", {"codec": "hevc", "bit_depth": 10}),
)
QUALITIES: tuple[QualityName, ...] = ("high", "visually-lossless")


def gradient() -> npt.NDArray[np.float32]:
    """The frames: a grey that slowly grows from left to right, and a little from top to bottom."""
    right, down = np.linspace(DARK, LIGHT, WIDTH), np.linspace(0, 0.004, HEIGHT)
    grey = (right[None, :] + down[:, None]).astype(np.float32)
    return np.broadcast_to(grey[None, :, :, None], (FRAMES, HEIGHT, WIDTH, 3))


def shown(way: Way, quality: QualityName) -> tuple[Picture, int]:
    """The fourth frame of an export as a player has it: grey in [0, 1], unrounded; and the bytes of the file."""
    with tempfile.TemporaryDirectory() as folder:
        video = telecine.export_video(gradient(), Path(folder, "clip.mp4"), quality=quality, **way.options)
        decoded = next(islice(decoded_frames(video), 3, None))
        rgb = to_float_rgb(decoded.frame, decoded.color, decoded.location)
        return rgb.mean(axis=2, dtype=np.float64), video.size_bytes


def band_error(picture: Picture) -> float:
    """How far the mean of an area is from the gradient's at the worst, in codes of 8 bit: half of one in bands."""
    error = (picture - gradient()[0, :, :, 0]) * 219
    areas = error.reshape(HEIGHT // AREA, AREA, WIDTH // AREA, AREA).mean(axis=(1, 3))
    return float(np.abs(areas).max())


# ---- the picture ---------------------------------------------------------------------------------------------------

STRIP, TITLE, PLOT, MARGIN = 120, 34, 300, 16
PAPER, INK, RULE = (255, 255, 255), (30, 30, 30), (215, 215, 215)
COLORS = ((200, 60, 50), (40, 90, 180), (40, 140, 80))


def drawn(pictures: list[Picture]) -> Image.Image:
    """A strip of each with its contrast stretched, and the codes along them."""
    height = len(pictures) * (TITLE + STRIP) + TITLE + PLOT + 2 * MARGIN
    sheet = Image.new("RGB", (WIDTH, height), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(20)
    for index, (way, picture) in enumerate(zip(WAYS, pictures, strict=True)):
        top = index * (TITLE + STRIP)
        draw.rectangle((MARGIN, top + 10, MARGIN + 16, top + 26), COLORS[index])
        draw.text((MARGIN + 26, top + 6), f"{way.name}, with the contrast 20 times as high", INK, font)
        stretched = 0.5 + 20 * (picture[:STRIP] - (DARK + LIGHT) / 2)
        strip = Image.fromarray((stretched.clip(0, 1) * 255).round().astype(np.uint8))
        sheet.paste(strip, (0, top + TITLE))
    top = len(pictures) * (TITLE + STRIP)
    draw.text((MARGIN, top + 6), f"their luma along a part of it, in codes of 8 bit: means of {AREA}x{AREA}", INK, font)
    _plot(draw, pictures, top + TITLE + MARGIN)
    return sheet


def _plot(draw: ImageDraw.ImageDraw, pictures: list[Picture], top: int) -> None:
    """A line of each picture over a rule at each whole code."""
    font = ImageFont.load_default(16)
    columns = slice(640, 1120)
    scale = (WIDTH - 2 * MARGIN) / (columns.stop - columns.start)
    lowest, codes = 42, 3

    def at(column: float, code: float) -> tuple[float, float]:
        return MARGIN + (column - columns.start) * scale, top + PLOT * (1 - (code - lowest) / codes)

    for code in range(lowest, lowest + codes + 1):
        draw.line([at(columns.start, code), at(columns.stop, code)], RULE)
        draw.text(at(columns.start, code), str(code), INK, font, anchor="ls")
    kernel = np.full(AREA, 1 / AREA)
    for picture, color in zip(pictures, COLORS, strict=True):
        line = np.convolve(16 + 219 * picture[:AREA].mean(axis=0), kernel, "same")
        draw.line([at(column, line[column]) for column in range(columns.start, columns.stop)], color, 3, "curve")


def main() -> None:
    """Draw the picture at "visually-lossless", and print the table of all."""
    path = Path(sys.argv[1])
    pictures = []
    print("| quality | export | largest error of a 16x16 mean, in codes of 8 bit | bytes |\n| --- | --- | --- | --- |")
    for quality in QUALITIES:
        for way in WAYS:
            picture, size = shown(way, quality)
            print(f'| "{quality}" | {way.name} | {band_error(picture):.2f} | {size:,} |')
            pictures.append(picture)
    drawn(pictures[-len(WAYS) :]).save(path, optimize=True)


if __name__ == "__main__":
    main()
