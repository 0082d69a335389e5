"""How near a file is to its frames: VMAF and XPSNR, by the ffmpeg that imageio-ffmpeg carries."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from av import VideoFrame

from telecine.support.processors import available_processors

from .frames import Clip, Picture
from .writers import DIFFUSERS

_FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
_EXACT = "flags=accurate_rnd+full_chroma_int:in_range=tv:out_range=tv"


@dataclass(frozen=True)
class Fidelity:
    """The mean VMAF (0 to 100), and the XPSNR of luma in dB."""

    vmaf: float
    xpsnr: float


def fidelity(path: str | Path, frames: Sequence[Picture], matrix: str) -> Fidelity:
    """Compare a file whose pixels are of `matrix`, "bt601" or "bt709", tagged or not, with its frames.

    Both pictures are compared as BT.709: luma of two matrices is not to be compared.
    """
    height, width, _ = frames[0].shape
    given = (np.ascontiguousarray(frame).tobytes() for frame in frames)
    to_bt709 = f"scale=out_color_matrix=bt709:{_EXACT.replace('in_range=tv:', '')},format=yuv420p"
    from_file = f"scale=in_color_matrix={matrix}:out_color_matrix=bt709:{_EXACT}"
    return _compared(path, given, ("rgb24", width, height), to_bt709, from_file)


def fidelity_of(writer: str, path: Path, clip: Clip) -> Fidelity:
    """Compare a writer's file of a clip: diffusers leaves its matrix to swscale, which bench/chart.py finds."""
    return fidelity(path, clip.pictures, "bt601" if writer == DIFFUSERS else clip.matrix)


def fidelity_of_planes(path: str | Path, planes: Sequence[VideoFrame]) -> Fidelity:
    """Compare a file with the planes of 8-bit 4:2:0 that were encoded, as they are."""
    given = (plane.to_ndarray().tobytes() for plane in planes)
    return _compared(path, given, ("yuv420p", planes[0].width, planes[0].height), "null", "null")


def _compared(
    path: str | Path, given: Iterable[bytes], shape: tuple[str, int, int], reference_filter: str, filter: str
) -> Fidelity:
    pixel_format, width, height = shape
    with tempfile.TemporaryDirectory() as folder:
        log, reference = Path(folder) / "vmaf.json", Path(folder) / "reference.y4m"
        _run(
            *("-f", "rawvideo", "-pix_fmt", pixel_format, "-s", f"{width}x{height}", "-i", "-"),
            *("-vf", reference_filter, str(reference)),
            stdin=b"".join(given),
        )
        threads = available_processors()
        # A reference that is not tagged would be taken for BT.601 and converted once more. xpsnr weighs by its first
        # input, the original (libavfilter/vf_xpsnr.c).
        tagged = "setparams=colorspace=bt709:range=tv"
        graph = (
            f"[0:v]setpts=N/TB,{filter},{tagged},format=yuv420p,split[a][b];[1:v]setpts=N/TB,{tagged},split[c][d];"
            f"[a][c]libvmaf=log_path={log}:log_fmt=json:n_threads={threads},nullsink;[d][b]xpsnr"
        )
        said = _run("-i", str(path), "-i", str(reference), "-lavfi", graph, "-f", "null", "-")
        luma = re.search(r"XPSNR +y: *([\d.]+|inf)", said)
        assert luma is not None, said
        return Fidelity(json.loads(log.read_text())["pooled_metrics"]["vmaf"]["mean"], float(luma[1]))


def _run(*arguments: str, stdin: bytes = b"") -> str:
    done = subprocess.run([_FFMPEG, "-hide_banner", "-y", *arguments], input=stdin, capture_output=True, check=True)
    return done.stderr.decode()
