"""Exports a clip of a small synthetic scene, prints its facts, and draws a contact sheet of six of its frames.

Run by `make demo`, or: python -m examples.demo FOLDER
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

import telecine
from telecine.cli.tables import facts_of_export, facts_of_file
from telecine.cli.terminal import print_facts

WIDTH, HEIGHT, FRAMES = 1360, 768, 81  # what CogVideoX 1.5 makes: five seconds

THREE_LINES = """\
import telecine
frames = sea_at_dusk()          # or pipe(prompt).frames, a list of PIL images, a tensor, a folder of images
video = telecine.export_video(frames, "{path}", fps=16)"""

Picture = npt.NDArray[np.float32]


def sea_at_dusk() -> Iterator[Picture]:
    """Give the frames one by one: (768, 1360, 3) float32 in [0, 1], as a pipeline with output_type="np" does."""
    x = np.linspace(-WIDTH / HEIGHT, WIDTH / HEIGHT, WIDTH, dtype=np.float32)[None, :, None]
    y = np.linspace(-1, 1, HEIGHT, dtype=np.float32)[:, None, None]
    for index in range(FRAMES):
        yield _picture(x, y, index / FRAMES)


def _picture(x: Picture, y: Picture, time: float) -> Picture:
    sun_x, sun_y = 1.1 * (time - 0.5), -0.25 + 0.35 * time
    distance = np.hypot(x - sun_x, y - sun_y)
    height = np.clip((y + 1) / 1.15, 0, 1)  # 0 above, 1 at the horizon
    sky = _mixed((0.08, 0.12, 0.42), (0.98, 0.55, 0.25), height**1.5)
    sky = sky + _color(1.0, 0.55, 0.2) * (0.25 / (1 + 14 * distance**2))
    sky = np.where(distance < 0.16, _color(1.0, 0.93, 0.72), sky)

    depth = np.clip((y - 0.15) / 0.85, 0.001, 1)  # 0 at the horizon, 1 below
    wave = np.sin(18 / (depth + 0.12) + 3 * np.sin(2.2 * x / depth**0.5) + 12.6 * time) * np.sin(5 * x + 9 * depth)
    sea = _mixed((0.62, 0.36, 0.34), (0.02, 0.13, 0.28), depth**0.5) + 0.05 * wave
    glitter = np.exp(-((x - sun_x) ** 2) / (0.02 + 0.25 * depth)) * np.clip(wave, 0, 1) ** 2
    sea = sea + _color(1.0, 0.7, 0.35) * glitter * 0.7
    return np.clip(np.where(y < 0.15, sky, sea), 0, 1).astype(np.float32)


def _color(red: float, green: float, blue: float) -> Picture:
    return np.array((red, green, blue), np.float32)


def _mixed(start: tuple[float, float, float], end: tuple[float, float, float], part: Picture) -> Picture:
    mixed: Picture = _color(*start) * (1 - part) + _color(*end) * part
    return mixed


def contact_sheet(video: telecine.Video, path: Path) -> None:
    """Draw six frames of a video, evenly spaced, at a third of their size."""
    shown = {round(index * (video.frame_count - 1) / 5) for index in range(6)}
    frames = [Image.fromarray(frame) for at, frame in enumerate(telecine.read_frames(video)) if at in shown]
    small = [[frame.resize((frame.width // 3, frame.height // 3), Image.Resampling.LANCZOS)] for frame in frames]
    (sheet,) = telecine.grid(small, columns=3, padding=4)
    Image.fromarray(sheet).save(path)


def main() -> None:
    """Export, look, and say how."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
    path = folder / "demo.mp4"
    video = telecine.export_video(sea_at_dusk(), path, fps=16)
    contact_sheet(video, path.with_suffix(".png"))
    facts = dict(facts_of_file(telecine.probe(video))) | dict(facts_of_export(video))
    print_facts([*facts.items(), ("contact sheet", str(path.with_suffix(".png")))])
    print(f"\n{THREE_LINES.format(path=path)}")


if __name__ == "__main__":
    main()
