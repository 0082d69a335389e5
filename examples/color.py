"""Draws clips whose codes are read by another range, matrix or chroma siting, and prints how far off they are.

Run by hand, for docs/color.md: python -m examples.color docs/color.png docs/chroma.png
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from tests.support.chart import PATCHES, chart

from .demo import sea_at_dusk

Real = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]

# BT.601-7 §2.5.1 and BT.709-6 §3.2: luma's weights of red, green and blue.
WEIGHTS = {"BT.601": (0.299, 0.587, 0.114), "BT.709": (0.2126, 0.7152, 0.0722)}


@dataclass(frozen=True)
class Meaning:
    """How codes are meant."""

    matrix: str = "BT.709"
    full_range: bool = False
    depth: int = 8  # bits


@dataclass(frozen=True)
class Reading:
    """How a clip is written, and how it is read."""

    name: str
    written: Meaning
    read: Meaning


LIMITED, FULL, BT601 = Meaning(), Meaning(full_range=True), Meaning("BT.601")
READINGS = (
    Reading("as it is written", LIMITED, LIMITED),
    Reading("limited range, read as full", LIMITED, FULL),
    Reading("full range, read as limited", FULL, LIMITED),
    Reading("BT.601, read as BT.709", BT601, LIMITED),
    Reading("BT.709, read as BT.601", LIMITED, BT601),
)
NAMED = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "gray": (122, 122, 121),
    "skin": (194, 150, 130),
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
}  # all of them patches of the chart


def scales(meaning: Meaning) -> tuple[int, int, int, int]:
    """The code of black, the codes from black to white, those of chroma, and the code of no chroma."""
    step, peak, neutral = 2 ** (meaning.depth - 8), 2**meaning.depth - 1, 2 ** (meaning.depth - 1)
    return (0, peak, peak, neutral) if meaning.full_range else (16 * step, 219 * step, 224 * step, neutral)


def codes_of(rgb: npt.NDArray[np.generic], meaning: Meaning) -> Real:
    """Y', Cb and Cr of (…, 3) colours from 0 to 255, rounded."""
    return np.rint(real_codes_of(rgb, meaning)).clip(0, 2**meaning.depth - 1)


def real_codes_of(rgb: npt.NDArray[np.generic], meaning: Meaning) -> Real:
    """The same before they are rounded, as BT.709 §3.5 and H.273 equations 22 to 26 have them."""
    kr, kg, kb = WEIGHTS[meaning.matrix]
    red, green, blue = np.moveaxis(rgb.astype(np.float64) / 255, -1, 0)
    y = kr * red + kg * green + kb * blue
    cb, cr = (blue - y) / (2 - 2 * kb), (red - y) / (2 - 2 * kr)
    black, luma, chroma, neutral = scales(meaning)
    return np.stack((black + luma * y, neutral + chroma * cb, neutral + chroma * cr), axis=-1)


def colors_of(codes: Real, meaning: Meaning) -> Pixels:
    """What a reader shows of codes that it takes to be meant so: (…, 3) uint8 RGB."""
    kr, kg, kb = WEIGHTS[meaning.matrix]
    black, luma, chroma, neutral = scales(meaning)
    y, cb, cr = np.moveaxis(codes, -1, 0)
    y, cb, cr = (y - black) / luma, (cb - neutral) / chroma, (cr - neutral) / chroma
    red, blue = y + (2 - 2 * kr) * cr, y + (2 - 2 * kb) * cb
    green = (y - kr * red - kb * blue) / kg
    rgb: Pixels = np.rint(255 * np.stack((red, green, blue), axis=-1)).clip(0, 255).astype(np.uint8)
    return rgb


def shown(rgb: npt.NDArray[np.generic], reading: Reading) -> Pixels:
    """What a reading makes of colours."""
    return colors_of(codes_of(rgb, reading.written), reading.read)


# ---- what is measured ----------------------------------------------------------------------------------------------


def table_of_readings() -> Iterator[str]:
    """Give a row of each reading: the named colours, and the most that a channel of the chart's 40 is off."""
    yield f"| codes are | {' | '.join(NAMED)} | most of 40 colours |"
    yield "| --- |" + " --- |" * (len(NAMED) + 1)
    for reading in READINGS:
        colors = shown(np.array([*NAMED.values()]), reading)
        most = np.abs(shown(PATCHES, reading).astype(int) - PATCHES).max()
        cells = (", ".join(map(str, color)) for color in colors.tolist())
        yield f"| {reading.name} | {' | '.join(cells)} | {most} |"


def table_of_round_trips() -> Iterator[str]:
    """Give, of each way to hold 8-bit RGB, how many of its 16,777,216 colours come back, and the most one is off."""
    yield "| Y'CbCr 4:4:4 of | colours that come back as they were | most that a channel is off |"
    yield "| --- | --- | --- |"
    level = np.arange(256)
    plane = np.stack(np.meshgrid(level, level, indexing="ij"), axis=-1).reshape(-1, 2)
    for meaning in (LIMITED, BT601, FULL, Meaning(depth=10)):
        same, most = 0, 0
        for red in level:
            rgb = np.column_stack((np.full(len(plane), red), plane))
            off = np.abs(colors_of(codes_of(rgb, meaning), meaning).astype(int) - rgb).max(axis=1)
            same, most = same + int((off == 0).sum()), max(most, int(off.max()))
        of_range = "full" if meaning.full_range else "limited"
        yield f"| {meaning.depth} bit, {meaning.matrix}, {of_range} range | {100 * same / 256**3:.1f} % | {most} |"


# ---- chroma: half of its columns and rows --------------------------------------------------------------------------


def halved(codes: Real) -> Real:
    """Chroma of 4:2:0, sited left: the mean of two rows, 1-2-1 about every even column; luma stays."""
    rows = (codes[0::2, :, 1:] + codes[1::2, :, 1:]) / 2
    wider = np.pad(rows, ((0, 0), (1, 1), (0, 0)), mode="edge")
    chroma: Real = np.rint((wider[:, 0:-2:2] + 2 * wider[:, 1:-1:2] + wider[:, 2::2]) / 4)
    return chroma


def doubled(chroma: Real, siting: float) -> Real:
    """Chroma of all pixels, linear between samples that lie `siting` columns right of every even one."""
    for axis, offset in ((0, 0.5), (1, siting)):
        at = ((np.arange(2 * chroma.shape[axis]) - offset) / 2).clip(0, chroma.shape[axis] - 1)
        low = np.floor(at).astype(int)
        part = np.expand_dims(at - low, (1 - axis, 2))
        after = np.minimum(low + 1, chroma.shape[axis] - 1)
        chroma = chroma.take(low, axis) * (1 - part) + chroma.take(after, axis) * part
    return chroma


LEFT, CENTER = 0.0, 0.5


def through_420(rgb: Pixels, siting: float) -> Pixels:
    """What is seen of a picture in 4:2:0 whose chroma a reader takes to be sited so."""
    codes = real_codes_of(rgb, LIMITED)
    chroma = doubled(halved(codes), siting)
    return colors_of(np.concatenate((np.rint(codes[:, :, :1]), chroma), axis=2), LIMITED)


def small_things() -> Pixels:
    """Red text and lines of one and of two pixels on blue: the hardest for chroma."""
    picture = Image.new("RGB", (64, 32), (0, 0, 120))
    draw = ImageDraw.Draw(picture)
    draw.text((3, 2), "seed 42", (255, 40, 40), ImageFont.load_default(12))
    draw.line([(4, 20), (59, 20)], (255, 40, 40), 1)
    draw.rectangle((4, 24, 33, 29), (255, 40, 40))
    for column in (40, 45, 50, 55):
        draw.line([(column, 24), (column, 29)], (255, 40, 40), 1 + column % 2)
    return np.asarray(picture)


def table_of_chroma() -> Iterator[str]:
    """Give how far the small things are off."""
    yield "| held as | read | mean error | largest error |"
    yield "| --- | --- | --- | --- |"
    things = small_things()
    for name, read, seen in (
        ("4:4:4", "", shown(things, READINGS[0])),
        ("4:2:0, chroma left", "as left", through_420(things, LEFT)),
        ("4:2:0, chroma left", "as centre", through_420(things, CENTER)),
    ):
        error = np.abs(seen.astype(int) - things)
        yield f"| {name} | {read} | {error.mean():.1f} | {error.max()} |"


# ---- the pictures --------------------------------------------------------------------------------------------------

PAPER, INK = (255, 255, 255), (30, 30, 30)
TITLE, GAP = 30, 12


def drawn_readings() -> Image.Image:
    """A frame and the chart in each reading; the middle of each patch is the colour that it should be."""
    width, height = 420, 236
    picture = Image.fromarray(np.rint(255 * next(islice(sea_at_dusk(), 40, None))).astype(np.uint8))
    frame = np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS))
    right = chart(width, height)
    columns, rows = np.arange(width) * 8 % width / width, np.arange(height) * 5 % height / height
    middle = (np.abs(rows - 0.5) < 0.22)[:, None] & (np.abs(columns - 0.5) < 0.22)[None, :]
    sheet = Image.new("RGB", (3 * width + 4 * GAP, 2 * (2 * height + TITLE + 2 * GAP)), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(19)
    for index, reading in enumerate(READINGS):
        across, down = divmod(index + 1, 2) if index else (0, 0)
        left, top = GAP + across * (width + GAP), down * (2 * height + TITLE + 2 * GAP)
        draw.text((left, top + 5), reading.name, INK, font)
        sheet.paste(Image.fromarray(shown(frame, reading)), (left, top + TITLE))
        patches = np.where(middle[:, :, None], right, shown(right, reading))
        sheet.paste(Image.fromarray(patches), (left, top + TITLE + height + GAP))
    below = 2 * height + TITLE + 2 * GAP
    said = "The middle of each patch is\nthe colour as it should be."
    draw.multiline_text((GAP, below + TITLE), said, INK, font, spacing=8)
    return sheet


def drawn_chroma() -> Image.Image:
    """The small things, each pixel eight wide."""
    things, scale = small_things(), 8
    panels = {
        "as given": things,
        "4:2:0, read as it is sited": through_420(things, LEFT),
        "4:4:4": shown(things, READINGS[0]),
        "4:2:0, read as sited in the centre": through_420(things, CENTER),
    }
    height, width = (scale * side for side in things.shape[:2])
    sheet = Image.new("RGB", (2 * width + 3 * GAP, 2 * (height + TITLE + GAP)), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(19)
    for index, (name, panel) in enumerate(panels.items()):
        left, top = GAP + index % 2 * (width + GAP), index // 2 * (height + TITLE + GAP)
        draw.text((left, top + 5), name, INK, font)
        large = Image.fromarray(panel).resize((width, height), Image.Resampling.NEAREST)
        sheet.paste(large, (left, top + TITLE))
    return sheet


def main() -> None:
    """Draw both pictures and print the tables."""
    readings, chroma = map(Path, sys.argv[1:])
    for table in (table_of_readings, table_of_round_trips, table_of_chroma):
        print(*table(), "", sep="\n")
    drawn_readings().save(readings, optimize=True)
    drawn_chroma().save(chroma, optimize=True)


if __name__ == "__main__":
    main()
