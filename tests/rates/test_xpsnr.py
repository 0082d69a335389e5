"""XPSNR is that of FFmpeg's own program."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from telecine.rates.xpsnr import luma_xpsnr

SIZES = [(50, 70), (96, 128), (256, 256), (480, 640), (480, 720), (768, 1360), (1440, 2560), (1200, 2080)]


def planes(height: int, width: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """A moving wave, noisy on one side, flat in a corner; and what a codec may make of it."""
    random = np.random.default_rng(0)
    down, right = np.mgrid[:height, :width]
    originals, made = [], []
    for at in range(4):
        wave = 128 + 50 * np.sin((right + 3 * at) / 9) * np.cos(down / 13)
        wave += random.normal(0, 6, (height, width)) * (right > width / 2)
        wave[: height // 3, : width // 3] = 90
        originals.append(wave.clip(0, 255).astype(np.uint8))
        made.append((originals[-1] + random.normal(0, 3, (height, width))).clip(0, 255).astype(np.uint8))
    return originals, made


def by_ffmpeg(originals: list[np.ndarray], made: list[np.ndarray], folder: Path) -> list[float]:
    height, width = originals[0].shape
    given: list[str] = []
    for name, frames in (("original", originals), ("made", made)):
        (folder / name).write_bytes(b"".join(frame.tobytes() for frame in frames))
        given += ["-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{width}x{height}", "-r", "16", "-i", name]
    program = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", *given, "-lavfi", "[0][1]xpsnr=f=each.txt"]
    subprocess.run([*program, "-f", "null", "-"], cwd=folder, capture_output=True, check=True)
    return [float(each) for each in re.findall(r"XPSNR y: *([\d.]+)", (folder / "each.txt").read_text())]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_each_picture_has_what_ffmpegs_program_gives(tmp_path: Path, height: int, width: int) -> None:
    originals, made = planes(height, width)
    found = [luma_xpsnr(made[at], originals[at], originals[at - 1]) for at in (1, 2, 3)]
    assert found == pytest.approx(by_ffmpeg(originals, made, tmp_path)[1:], abs=0.002)
