"""How near pictures are to others: the figures of FFmpeg's own program, and of their definitions."""

from __future__ import annotations

import math
import re
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

import telecine
from telecine.frames.recognise import Recognizer
from telecine.planes.frame import Frame
from telecine.read.fidelity import Fidelity, Meter, alike
from telecine.read.frames import Picture, decoded_frames

from ..support.helpers import Clip, waves

FPS = Fraction(16)
FRAMES = np.round(255 * waves(6, 96, 160)).astype(np.uint8)


def frames_of(clip: Clip) -> Iterator[Frame]:
    return Recognizer("THWC", "RGB").frames(clip)


def measured(one: Iterator[Picture | Frame], other: Iterator[Picture | Frame]) -> list[Fidelity]:
    meter = Meter(FPS)
    return [meter.measure(*alike(*pair)) for pair in zip(one, other, strict=True)]


def of_ffmpeg(measured: Path, reference: Path, folder: Path) -> dict[str, list[float]]:
    """What FFmpeg's program writes of each frame: its `psnr` average, `ssim` of all, and the lowest `xpsnr`."""
    graph = "[1:v]split=3[r][s][t];[0:v]split=3[a][b][c];[a][r]psnr=f=psnr.txt[p];[b][s]ssim=f=ssim.txt[q];"
    graph += "[t][c]xpsnr=f=xpsnr.txt[x]"
    program = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", measured, "-i", reference, "-lavfi", graph]
    outputs = [text for name in "pqx" for text in ("-map", f"[{name}]", "-f", "null", "-")]
    subprocess.run([*program, *outputs], cwd=folder, capture_output=True, check=True)
    lines = {name: (folder / f"{name}.txt").read_text() for name in ("psnr", "ssim", "xpsnr")}
    planes = re.findall(r"XPSNR y: *([\d.inf]+) +XPSNR u: *([\d.inf]+) +XPSNR v: *([\d.inf]+)", lines["xpsnr"])
    return {
        "psnr": [float(each) for each in re.findall(r"mse_avg:([\d.]+)", lines["psnr"])],
        "ssim": [float(each) for each in re.findall(r"All:([\d.]+)", lines["ssim"])],
        "xpsnr": [min(map(float, each)) for each in planes],
    }


@pytest.mark.parametrize("crf", [20, 40])
def test_each_frame_has_what_ffmpegs_program_gives(tmp_path: Path, crf: int) -> None:
    reference = telecine.export_video(FRAMES, tmp_path / "reference.mp4", crf=5).path
    video = telecine.export_video(FRAMES, tmp_path / "a.mp4", crf=crf).path
    found = measured(decoded_frames(video), decoded_frames(reference))
    expected = of_ffmpeg(video, reference, tmp_path)
    assert [each.mean_squared_error for each in found] == pytest.approx(expected["psnr"], abs=0.0051)
    assert [each.ssim for each in found] == pytest.approx(expected["ssim"], abs=2e-6)
    assert [each.xpsnr for each in found] == pytest.approx(expected["xpsnr"], abs=1e-4)


def test_psnr_is_that_of_the_planes(tmp_path: Path) -> None:
    videos = [telecine.export_video(FRAMES, tmp_path / f"{crf}.mp4", crf=crf).path for crf in (20, 40)]
    found = measured(*map(decoded_frames, videos))
    for each, *pair in zip(found, *map(decoded_frames, videos), strict=True):
        one, other = (picture.frame.to_ndarray().astype(float) for picture in pair)
        assert each.psnr == pytest.approx(10 * math.log10(255**2 / np.square(one - other).mean()), abs=1e-4)


def test_what_is_the_same_is_infinitely_near(tmp_path: Path) -> None:
    video = telecine.export_video(FRAMES, tmp_path / "a.mp4").path
    for each in measured(decoded_frames(video), decoded_frames(video)):
        assert (each.psnr, each.ssim, each.xpsnr) == (math.inf, 1, math.inf)


def test_two_matrices_are_compared_in_one(tmp_path: Path) -> None:
    """The same colours have other codes in each: compared as they are stored, they would be far apart."""
    frames = np.broadcast_to(np.array([200, 40, 60], np.uint8), FRAMES.shape)
    videos = [
        telecine.export_video(frames, tmp_path / f"{color}.mp4", color=color).path for color in ("bt601", "bt709")
    ]
    stored = [next(decoded_frames(video)).frame.to_ndarray().astype(float) for video in videos]
    assert np.abs(stored[0] - stored[1]).max() > 8
    assert min(each.psnr for each in measured(*map(decoded_frames, videos))) > 45
    assert min(each.psnr for each in measured(decoded_frames(videos[1]), frames_of(frames))) > 45


def test_a_turned_video_is_compared_as_it_is_shown(tmp_path: Path) -> None:
    video = telecine.export_video(FRAMES, tmp_path / "a.mp4", crf=10).path
    turned = tmp_path / "turned.mp4"
    program = [imageio_ffmpeg.get_ffmpeg_exe(), "-display_rotation", "90", "-i", video, "-c", "copy", turned]
    subprocess.run(program, capture_output=True, check=True)
    as_shown = np.stack(list(telecine.read_frames(turned)))
    assert as_shown.shape[1:3] == (160, 96)
    assert min(each.psnr for each in measured(decoded_frames(turned), frames_of(as_shown))) > 35


def test_what_is_transparent_is_compared_on_black() -> None:
    clear = np.dstack([FRAMES[0], np.zeros(FRAMES.shape[1:3], np.uint8)])[None]
    (found,) = measured(frames_of(clear), frames_of(np.zeros_like(FRAMES[:1])))
    assert found.psnr == math.inf


@pytest.mark.parametrize(
    ("width", "height", "has_ssim", "has_xpsnr"), [(2, 2, 0, 0), (16, 18, 1, 0), (44, 46, 1, 0), (45, 45, 1, 1)]
)
def test_of_a_few_pixels_there_is_what_can_be(width: int, height: int, has_ssim: int, has_xpsnr: int) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), np.uint8)
    for each in measured(frames_of(frames), frames_of(255 - frames)):
        assert each.psnr < 20
        assert (math.isnan(each.ssim), math.isnan(each.xpsnr)) == (not has_ssim, not has_xpsnr)


def test_without_a_rate_there_is_no_xpsnr() -> None:
    one, other = alike(next(frames_of(FRAMES)), next(frames_of(FRAMES[1:])))
    assert math.isnan(Meter().measure(one, other).xpsnr)
