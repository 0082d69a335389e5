"""What dither is for, in files: on a slow gradient the steps between bands fall below a tenth of a code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

import telecine
from telecine import TelecineWarning

WIDTH, HEIGHT, AREA = 640, 352, 16

pytestmark = pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning")


def gradient() -> npt.NDArray[np.float32]:
    """Greys of five codes in 8 bit over 640 columns: bands of 128 columns."""
    grey = np.linspace(0.100, 0.123, WIDTH, dtype=np.float32)
    return np.broadcast_to(grey[None, None, :, None], (4, HEIGHT, WIDTH, 3))


def area_error(path: Path, **options: Any) -> float:
    """How far the mean of 16x16 luma codes is from the gradient's at the worst, in codes of 8 bit."""
    telecine.export_video(gradient(), path, **options)
    with av.open(str(path)) as container:
        frame = list(container.decode(video=0))[-1]
    dtype, step = (np.uint8, 1) if frame.format.components[0].bits == 8 else (np.uint16, 4)
    plane: Any = frame.planes[0]
    luma: npt.NDArray[Any] = np.frombuffer(plane, dtype).reshape(HEIGHT, -1)[:, :WIDTH]
    error = luma / step - (16 + 219 * gradient()[0, :, :, 0].astype(np.float64))
    return float(np.abs(error.reshape(HEIGHT // AREA, AREA, WIDTH // AREA, AREA).mean(axis=(1, 3))).max())


@pytest.mark.parametrize("quality", ["high", "visually-lossless"])
def test_dither_takes_the_bands_out_of_a_slow_gradient(tmp_path: Path, quality: str) -> None:
    path = tmp_path / "clip.mp4"
    assert 0.4 < area_error(path, quality=quality) < 0.6
    assert area_error(path, quality=quality, dither=True) < 0.1


def test_frames_are_not_dithered_unless_it_is_asked_for(tmp_path: Path) -> None:
    ways: list[dict[str, Any]] = [{}, {"dither": False}, {"dither": True}]
    default, off, on = (
        telecine.export_video(gradient(), tmp_path / "clip.mp4", **options).path.read_bytes() for options in ways
    )
    assert default == off
    assert off != on


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("clip.mp4", {"quality": "draft"}),
        ("clip.mp4", {"quality": "balanced"}),
        ("clip.mp4", {"codec": "hevc"}),
        ("clip.mp4", {"codec": "av1"}),
        ("clip.webm", {}),
    ],
)
def test_an_encoder_that_takes_dither_for_noise_is_told_of(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    with pytest.warns(TelecineWarning, match="takes most of the dither for noise: use h264 at 'high', or bit_depth=10"):
        error = area_error(tmp_path / name, dither=True, **options)
    assert error > 0.3  # when it no longer is, the warning is wrong


def test_a_crf_that_is_given_holds_with_dither_too(tmp_path: Path) -> None:
    coarse, fine = (
        telecine.export_video(gradient(), tmp_path / "clip.mp4", dither=True, crf=crf).size_bytes for crf in (30, 10)
    )
    assert coarse < fine / 4
