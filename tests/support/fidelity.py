"""How near a video is to its frames, by FFmpeg's own program, from the same planes encoded without loss."""

from __future__ import annotations

import json
import math
import re
import subprocess
import warnings
from pathlib import Path
from typing import Any

import imageio_ffmpeg

import telecine


def _reference(frames: Any, folder: Path, **options: Any) -> Path:
    with warnings.catch_warnings(action="ignore", category=telecine.TelecineWarning):  # few players take it
        return telecine.export_video(frames, folder / "reference.mp4", crf=0, **options).path


def _graph(video: telecine.Video, reference: Path, graph: str, folder: Path) -> None:
    program = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-y", "-i", video.path, "-i", reference]
    subprocess.run([*program, "-lavfi", graph, "-f", "null", "-"], cwd=folder, capture_output=True, check=True)


def luma_xpsnr(video: telecine.Video, frames: Any, folder: Path, **options: Any) -> list[float]:
    """The XPSNR of luma of each frame, in dB."""
    graph = "[0:v]settb=1/16,setpts=N[a];[1:v]settb=1/16,setpts=N[r];[r][a]xpsnr=f=xpsnr.txt"
    _graph(video, _reference(frames, folder, **options), graph, folder)
    return [float(each) for each in re.findall(r"XPSNR y: *([\d.inf]+)", (folder / "xpsnr.txt").read_text())]


def mean_of(each: list[float]) -> float:
    """That of a video: the mean of the roots of errors."""
    return -20 * math.log10(sum(10 ** (-xpsnr / 20) for xpsnr in each) / len(each))


def vmaf(video: telecine.Video, frames: Any, folder: Path) -> float:
    """The mean VMAF."""
    graph = "[0:v]settb=1/16,setpts=N[a];[1:v]settb=1/16,setpts=N[r];[a][r]libvmaf=log_path=vmaf.json:log_fmt=json"
    _graph(video, _reference(frames, folder), graph, folder)
    return float(json.loads((folder / "vmaf.json").read_text())["pooled_metrics"]["vmaf"]["mean"])
