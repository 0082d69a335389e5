"""Clips of many kinds, to choose an encoder's options by and to judge them: 31, where the real ones are there.

A hash of its name puts a clip into one half or the other. Options are searched on the tuning half alone; what is said
of them is said of the test half. But how far motion is looked for was changed for "dark"; five clips of its kind came
afterwards. Those that are made here are 49 frames of 832x480, of things that generated videos have and that encoders
find hard: rain, confetti, grain, small text, fades, cuts, soft light, dark gradients, flat colours, a still.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import islice
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageFont

import telecine
from examples.demo import sea_at_dusk

from .frames import Clip, path_of

Light: TypeAlias = npt.NDArray[np.floating]  # (height, width, 3) in [0, 1]
Half = Literal["tuning", "test"]

WIDTH, HEIGHT, FRAMES = 832, 480, 49
REAL = (
    "cogvideox-1",
    "cogvideox-2",
    "cogvideox-horse",
    "cosmos",
    "ltx2",
    "wan-720p",
    "wan-cartoon",
    "wan-i2v",
)


def names(half: Half | None = None) -> list[str]:
    """The names of all clips that there are, or of a half of them."""
    there = [name for name in REAL if path_of(name).is_file()]
    return [name for name in sorted([*there, *MADE]) if half is None or half_of(name) == half]


def half_of(name: str) -> Half:
    """The half that a clip is in, whatever other clips there are."""
    return "test" if hashlib.blake2b(name.encode()).digest()[0] % 2 else "tuning"


def clip_of(name: str) -> Clip:
    """The frames of a clip."""
    if name in MADE:
        return Clip(name, [np.rint(255 * frame.clip(0, 1)).astype(np.uint8) for frame in MADE[name]()])
    return Clip(name, list(islice(telecine.read_frames(path_of(name)), FRAMES)))


# ---- what the made ones are made of ----------------------------------------------------------------------------------


@cache
def _texture(seed: int, fine: float = 0.02) -> Light:
    """Something like a photograph, twice as large as a clip: leaves that lie on one another, shaded, with fine noise.

    Their radii r are as frequent as 1/r^3, as those of things in pictures are (Lee, Mumford, Huang 2001, "Occlusion
    models for natural images").
    """
    dice = np.random.default_rng(seed)
    width, height = 2 * WIDTH, 2 * HEIGHT
    image = Image.new("RGB", (width, height), (110, 115, 120))
    draw = ImageDraw.Draw(image)
    hues = dice.uniform(50, 205, (5, 1)) + dice.normal(0, 35, (5, 3))
    for _ in range(5000):
        radius = min(300.0, 5 / np.sqrt(1 - dice.random()))
        x, y, flat = dice.uniform(-50, width + 50), dice.uniform(-50, height + 50), dice.uniform(0.4, 1)
        color = (hues[dice.integers(5)] + dice.normal(0, 22, 3)).clip(0, 255)
        draw.ellipse(
            (x - radius, y - flat * radius, x + radius, y + flat * radius), fill=tuple(color.astype(int).tolist())
        )
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(0.8)), np.float32) / 255
    shade = Image.fromarray(dice.integers(0, 255, (9, 16), np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
    lit = soft * (0.6 + 0.6 * np.asarray(shade, np.float32)[..., None] / 255)
    texture: Light = (lit + dice.normal(0, fine, (height, width, 1))).clip(0, 1).astype(np.float32)
    return texture


def _window(texture: Light, x: float, y: float, scale: float = 1.0, turned: float = 0.0) -> Light:
    """The part of a texture around a place, in its pixels, that a camera sees."""
    image = Image.fromarray(np.rint(255 * texture).astype(np.uint8))
    cosine, sine = scale * np.cos(turned), scale * np.sin(turned)
    middle_x, middle_y = texture.shape[1] / 2 + x, texture.shape[0] / 2 + y
    corner_x = middle_x - cosine * WIDTH / 2 + sine * HEIGHT / 2
    corner_y = middle_y - sine * WIDTH / 2 - cosine * HEIGHT / 2
    seen = image.transform(
        (WIDTH, HEIGHT),
        Image.Transform.AFFINE,
        (cosine, -sine, corner_x, sine, cosine, corner_y),
        Image.Resampling.BICUBIC,
    )
    return np.asarray(seen, np.float32) / 255


@cache
def _sea() -> tuple[Light, ...]:
    images = (Image.fromarray(np.rint(255 * frame).astype(np.uint8)) for frame in islice(sea_at_dusk(), FRAMES))
    return tuple(np.asarray(image.resize((WIDTH, HEIGHT)), np.float32) / 255 for image in images)


def _pan(seed: int, step: float = 3.0) -> Iterator[Light]:
    for at in range(FRAMES):
        yield _window(_texture(seed), step * (at - FRAMES / 2), 0.4 * at)


def _drops(seed: int, count: int, size: tuple[int, int], speed: tuple[float, float], color: Light) -> Iterator[Light]:
    """Layers of things that fall, each as an alpha of one channel times its colour: (H, W, 4)."""
    dice = np.random.default_rng(seed)
    places = dice.uniform((0, 0), (WIDTH, HEIGHT), (count, 2))
    depths = dice.uniform(0.4, 1.0, count)
    colors = color[dice.integers(0, len(color), count)]
    for at in range(FRAMES):
        layer = Image.new("RGBA", (WIDTH, HEIGHT))
        draw = ImageDraw.Draw(layer)
        for (x, y), depth, shade in zip(places, depths, colors, strict=True):
            left, top = (x + speed[0] * depth * at) % WIDTH, (y + speed[1] * depth * at) % HEIGHT
            box = (left, top, left + size[0] * depth, top + size[1] * depth)
            draw.ellipse(box, fill=(*np.rint(255 * shade).astype(int).tolist(), int(255 * depth)))
        yield np.asarray(layer, np.float32) / 255


def _over(layer: Light, below: Light) -> Light:
    alpha = layer[..., 3:]
    return layer[..., :3] * alpha + below * (1 - alpha)


# ---- the clips -------------------------------------------------------------------------------------------------------


def _falling(below: Iterable[Light], drops: Iterable[Light]) -> Iterator[Light]:
    return (_over(layer, frame) for layer, frame in zip(drops, below, strict=True))


def _rain() -> Iterator[Light]:
    return _falling(_pan(1, 1.0), _drops(11, 900, (2, 26), (4.0, 47.0), np.full((1, 3), 0.85, np.float32)))


def _snow() -> Iterator[Light]:
    return _falling(_pan(2, 0.5), _drops(12, 700, (7, 7), (2.5, 6.0), np.full((1, 3), 0.97, np.float32)))


def _confetti() -> Iterator[Light]:
    colors = np.random.default_rng(3).uniform(0, 1, (12, 3)).astype(np.float32)
    return _falling(_sea(), _drops(13, 900, (12, 8), (5.0, 11.0), colors))


def _fade_in() -> Iterator[Light]:
    return (frame * (at / (FRAMES - 1)) ** 1.5 for at, frame in enumerate(_pan(4)))


def _dissolve() -> Iterator[Light]:
    for at, (first, second) in enumerate(zip(_pan(5, 2.0), _sea(), strict=True)):
        part = np.clip((at - 12) / 24, 0, 1)
        yield first * (1 - part) + second * part


def _cuts() -> Iterator[Light]:
    scenes = [list(_pan(20 + number, 2.0)) for number in range(6)]
    return (scenes[at // 8 % 6][at] for at in range(FRAMES))


def _still() -> Iterator[Light]:
    return (_window(_texture(6), 0, 0) for _ in range(FRAMES))


def _text() -> Iterator[Light]:
    page = Image.new("RGB", (WIDTH, 3 * HEIGHT), (24, 26, 32))
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(17)
    words = (telecine.export_video.__doc__ or "").split()
    for row in range(3 * HEIGHT // 24):
        line = " ".join(words[(7 * row + number) % len(words)] for number in range(11))
        draw.text((30, 24 * row), line, (226, 228, 220) if row % 5 else (240, 160, 60), font)
    whole = np.asarray(page, np.float32) / 255
    return (whole[4 * at : 4 * at + HEIGHT] for at in range(FRAMES))


def _dark() -> Iterator[Light]:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    for at in range(FRAMES):
        far = np.hypot(x - 200 - 6 * at, y - 300 + 2 * at) / 500
        glow = np.exp(-(far**2))[..., None] * np.array((0.20, 0.12, 0.06), np.float32)
        yield glow + np.array((0.02, 0.025, 0.04), np.float32) * (1 + y / HEIGHT)[..., None]


def _animation() -> Iterator[Light]:
    dice = np.random.default_rng(8)
    shapes = [
        (dice.uniform(0, WIDTH), dice.uniform(120, 400), dice.uniform(30, 110), dice.integers(0, 255, 3))
        for _ in range(9)
    ]
    for at in range(FRAMES):
        image = Image.new("RGB", (2 * WIDTH, 2 * HEIGHT), (120, 190, 235))
        draw = ImageDraw.Draw(image)
        draw.rectangle((0, 760, 2 * WIDTH, 2 * HEIGHT), fill=(92, 160, 70))
        for number, (x, y, size, color) in enumerate(shapes):
            left, top = 2 * ((x + (3 + number) * at) % WIDTH), 2 * (y + 30 * np.sin(at / 5 + number))
            box = (left - size, top - size, left + size, top + size)
            (draw.ellipse if number % 2 else draw.rectangle)(
                box, fill=tuple(color.tolist()), outline=(20, 20, 20), width=6
            )
        yield np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS), np.float32) / 255


def _grain() -> Iterator[Light]:
    dice = np.random.default_rng(9)
    return (frame + dice.normal(0, 0.03, (HEIGHT, WIDTH, 1)).astype(np.float32) for frame in _sea())


def _few_steps() -> Iterator[Light]:
    """A model at few steps: its texture boils, in blotches of a latent pixel of 8."""
    dice = np.random.default_rng(10)
    for frame in _pan(10, 1.5):
        small = dice.normal(0, 9, (HEIGHT // 8, WIDTH // 8, 3)).clip(-127, 127) + 128
        noise = Image.fromarray(small.astype(np.uint8)).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        yield frame + (np.asarray(noise, np.float32) - 128) / 255


def _water() -> Iterator[Light]:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    depth = (y + 40) / HEIGHT
    for at in range(FRAMES):
        wave = sum(np.sin(k * x / (40 * depth) + 25 / depth + 0.35 * k * at + k * k) / k for k in range(1, 7))
        yield (0.35 + 0.12 * wave)[..., None] * np.array((0.5, 0.9, 1.1), np.float32)


def _zoom() -> Iterator[Light]:
    return (_window(_texture(14, 0.0), 0, 0, 1.6 * 0.975**at) for at in range(FRAMES))


def _turning() -> Iterator[Light]:
    return (_window(_texture(15), 0, 0, 1.0, 0.03 * at) for at in range(FRAMES))


def _shaken() -> Iterator[Light]:
    walk = np.random.default_rng(16).normal(0, 4, (FRAMES, 3)).cumsum(0)
    return (_window(_texture(16, 0.01), x, y, 1.0, 0.001 * turned) for x, y, turned in walk)


def _neon() -> Iterator[Light]:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    for at in range(FRAMES):
        frame = np.full((HEIGHT, WIDTH, 3), 0.03, np.float32)
        for number, color in enumerate(((1, 0, 0.1), (0, 0.2, 1), (1, 0, 1), (0, 1, 0.5))):
            line = np.abs(y - 90 - 100 * number - 50 * np.sin(x / 90 + at / 6 + number))
            frame += np.exp(-((line / 5) ** 2))[..., None] * np.array(color, np.float32)
            frame += 0.25 * np.exp(-((line / 40) ** 2))[..., None] * np.array(color, np.float32)
        yield frame


def _blurred_run() -> Iterator[Light]:
    for at in range(FRAMES):
        yield np.mean([_window(_texture(18), 14 * (at + part / 5) - 340, 0) for part in range(5)], 0)


def _smooth(seed: int, cells: int) -> Light:
    """Smooth noise in [-1, 1], of three pictures' width, whose hills are a picture's width by so many."""
    small = np.random.default_rng(seed).uniform(-1, 1, (cells, 3 * cells)).astype(np.float32)
    return np.asarray(Image.fromarray(small).resize((3 * WIDTH, HEIGHT), Image.Resampling.BICUBIC), np.float32)


def _mist() -> Iterator[Light]:
    layers = [(_smooth(21 + cells, cells), step, 0.25 / cells) for cells, step in ((2, 4), (4, 7), (7, 11))]
    for at in range(FRAMES):
        thick = np.sum([deep * layer[:, step * at : step * at + WIDTH] for layer, step, deep in layers], axis=0)
        yield (0.55 + thick)[..., None] * np.array((0.92, 0.97, 1.0), np.float32)


def _bokeh() -> Iterator[Light]:
    dice = np.random.default_rng(23)
    discs = list(
        zip(dice.uniform((0, 0, 20), (WIDTH, HEIGHT, 80), (40, 3)), dice.uniform(0.1, 0.6, (40, 3)), strict=True)
    )
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    for at in range(FRAMES):
        frame = np.full((HEIGHT, WIDTH, 3), 0.06, np.float32)
        for (left, top, radius), color in discs:
            far = np.hypot(x - left - 30 * np.sin(at / 20 + radius), y - top - 0.8 * at)
            frame += ((radius - far) / 12).clip(0, 1)[..., None] * color.astype(np.float32)
        yield frame


def _lit_by(x: float, y: float, wide: float, color: tuple[float, float, float]) -> Light:
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    far = ((columns - x) ** 2 + (rows - y) ** 2) / wide**2
    glow: Light = (1 / (1 + far))[..., None] * np.array(color, np.float32)
    return glow


def _candle() -> Iterator[Light]:
    flicker = np.random.default_rng(24).normal(0, 1, (FRAMES, 3))
    for at, (x, y, light) in enumerate(flicker):
        glow = _lit_by(420 + 3 * x, 260 + 3 * y, 190 + 9 * light, (0.75, 0.42, 0.14))
        yield 0.4 * glow * _window(_texture(25, 0.0), 0.5 * at, 0) + glow**3


def _moonlight() -> Iterator[Light]:
    land = _window(_texture(26, 0.0), 0, 0) * np.linspace(0, 0.12, HEIGHT, dtype=np.float32)[:, None, None]
    for at in range(FRAMES):
        yield 0.02 + land + _lit_by(150 + 5 * at, 120 - at, 70, (0.5, 0.55, 0.65))


def _sunrise() -> Iterator[Light]:
    height = np.linspace(1, 0, HEIGHT, dtype=np.float32)[:, None, None]
    for at in range(FRAMES):
        day = at / FRAMES
        sky = height * np.array((0.2, 0.35, 0.7), np.float32) + (1 - height) * np.array((0.7, 0.4, 0.3), np.float32)
        yield (0.4 + 0.4 * day) * sky + _lit_by(480, 430 - 4 * at, 60 + 60 * day, (0.9, 0.7, 0.4))


# By name; the seeds are fixed, so that a clip is the same on every machine but for what Pillow and NumPy round.
MADE: dict[str, Callable[[], Iterator[Light]]] = {
    "animation": _animation,
    "blurred-run": _blurred_run,
    "bokeh": _bokeh,
    "candle": _candle,
    "confetti": _confetti,
    "cuts": _cuts,
    "dark": _dark,
    "dissolve": _dissolve,
    "fade-in": _fade_in,
    "few-steps": _few_steps,
    "grain": _grain,
    "mist": _mist,
    "moonlight": _moonlight,
    "neon": _neon,
    "rain": _rain,
    "shaken": _shaken,
    "snow": _snow,
    "still": _still,
    "sunrise": _sunrise,
    "text": _text,
    "turning": _turning,
    "water": _water,
    "zoom": _zoom,
}
