"""As near to the frames as was asked by a number: measured by FFmpeg's own program."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import av.filter
import pytest

import telecine
from telecine import FrameError, OptionError, TelecineWarning, export_video

from ..support.fidelity import luma_xpsnr, mean_of, vmaf
from ..support.helpers import greys, names_in
from ..support.journals import packets_of
from .test_floor import BOILING, SMOOTH, boiling
from .test_size import CLIP

pytestmark = pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning")

has_vmaf = pytest.mark.skipif("libvmaf" not in av.filter.filters_available, reason="PyAV 18's FFmpeg has no libvmaf")


def said_of(video: telecine.Video) -> tuple[str, float, float]:
    """The metric, what was reached and at which crf, as the note has them."""
    (note,) = (note for note in video.notes if "target=" in note)
    said = re.fullmatch(r"(\w+) ([\d.]+)(?: dB)? at crf ([\d.]+), for target='\w+:[\d.]+'", note)
    assert said
    return said[1], float(said[2]), float(said[3])


@pytest.mark.slow
@pytest.mark.parametrize("least", [32, 38, 44])
@pytest.mark.parametrize(
    ("container", "codec", "near"),
    [("mp4", "h264", 0.5), ("mp4", "hevc", 0.5), ("mp4", "av1", 0.7), ("webm", "vp9", 3)],
)
def test_the_xpsnr_is_what_was_asked_or_a_little_more(
    tmp_path: Path, container: str, codec: Any, near: float, least: float
) -> None:
    video = export_video(CLIP, tmp_path / f"clip.{container}", codec=codec, target=f"xpsnr:{least}")
    reached = mean_of(luma_xpsnr(video, CLIP, tmp_path)[1:])
    assert least <= reached <= least + near
    metric, said, crf = said_of(video)
    assert metric == "xpsnr"
    assert said == pytest.approx(reached, abs=0.011)
    given = export_video(CLIP, tmp_path / f"given.{container}", codec=codec, crf=crf)
    assert packets_of(video) == packets_of(given)
    assert telecine.probe(video).frame_count == len(CLIP)


@has_vmaf
@pytest.mark.slow
@pytest.mark.parametrize("least", [80, 95])
def test_the_vmaf_is_what_was_asked_or_a_little_more(tmp_path: Path, least: float) -> None:
    video = export_video(CLIP, tmp_path / "clip.mp4", target=f"VMAF: {least}")
    reached = vmaf(video, CLIP, tmp_path)
    assert least <= reached <= least + 1.5
    metric, said, _ = said_of(video)
    assert metric == "vmaf"
    assert said == pytest.approx(reached, abs=0.05)


def test_what_can_not_be_reached_is_warned_of_and_the_best_is_written(tmp_path: Path) -> None:
    with pytest.warns(TelecineWarning, match=r"target='xpsnr:60' is not reached: the best is xpsnr [\d.]+ dB at crf"):
        video = export_video(BOILING[:4], tmp_path / "clip.mp4", codec="av1", target="xpsnr:60")
    assert mean_of(luma_xpsnr(video, BOILING[:4], tmp_path)) > 45
    assert telecine.probe(video).frame_count == 4


def test_what_is_better_at_any_crf_is_at_the_highest(tmp_path: Path) -> None:
    video = export_video(SMOOTH, tmp_path / "clip.mp4", target="xpsnr:20")
    assert said_of(video)[1] >= 20
    assert video.size_bytes < export_video(SMOOTH, tmp_path / "high.mp4").size_bytes


@pytest.mark.parametrize(
    "options",
    [
        {"target": "xpsnr"},
        {"target": "vmaf:101"},
        {"target": "xpsnr:nan"},
        {"target": "ssim:0.98"},
        {"target": 95},
        {"target": "xpsnr:40", "crf": 21},
        {"target": "xpsnr:40", "bitrate": 100_000},
        {"target": "xpsnr:40", "max_bytes": 100_000},
        {"target": "xpsnr:40", "encoder_options": {"crf": 21}},
        {"target": "xpsnr:40", "bit_depth": 10},
        {"target": "xpsnr:40", "quality": "lossless"},
        {"target": "xpsnr:40", "also_to": print},
    ],
    ids=str,
)
def test_a_target_that_can_not_be_is_refused_before_the_first_frame(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="target"):
        telecine.VideoWriter(tmp_path / "clip.mp4", **options)
    assert names_in(tmp_path) == []


def test_frames_that_are_too_small_to_be_measured_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match="frames are 16x16: too small for target='xpsnr:40'"):
        export_video(boiling(2, 16, 16), tmp_path / "clip.mp4", target="xpsnr:40")


def test_frames_without_loss_are_no_trouble(tmp_path: Path) -> None:
    assert export_video(greys(8, 64, 64), tmp_path / "clip.mp4", target="xpsnr:50").frame_count == 8
