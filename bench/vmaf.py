"""VMAF of a file against its frames, by the ffmpeg that imageio-ffmpeg carries."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from .frames import Picture

_FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
_EXACT = "flags=accurate_rnd+full_chroma_int:in_range=tv:out_range=tv"


def vmaf(path: str | Path, frames: Sequence[Picture], matrix: str) -> float:
    """The mean VMAF of a file whose pixels are of `matrix`, "bt601" or "bt709", tagged or not.

    Both pictures are compared as BT.709: luma of two matrices is not to be compared.
    """
    height, width, _ = frames[0].shape
    with tempfile.TemporaryDirectory() as folder:
        log, reference = Path(folder) / "vmaf.json", Path(folder) / "reference.y4m"
        _run(
            *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-i", "-"),
            *("-vf", f"scale=out_color_matrix=bt709:{_EXACT.replace('in_range=tv:', '')}", "-pix_fmt", "yuv420p"),
            str(reference),
            stdin=b"".join(np.ascontiguousarray(frame).tobytes() for frame in frames),
        )
        graph = (
            f"[0:v]setpts=N/TB,scale=in_color_matrix={matrix}:out_color_matrix=bt709:{_EXACT},format=yuv420p[a];"
            f"[1:v]setpts=N/TB[b];[a][b]libvmaf=log_path={log}:log_fmt=json"
        )
        _run("-i", str(path), "-i", str(reference), "-lavfi", graph, "-f", "null", "-")
        return float(json.loads(log.read_text())["pooled_metrics"]["vmaf"]["mean"])


def _run(*arguments: str, stdin: bytes = b"") -> None:
    subprocess.run([_FFMPEG, "-v", "error", "-y", *arguments], input=stdin, check=True)
