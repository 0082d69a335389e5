"""A bfloat16 tensor on a CUDA device to a published file, against the ways that go through the host.

The same tensor through `.cpu()` to telecine, and through 8-bit PIL images to diffusers' `export_to_video`, as pipelines
do it. Where there is no device, nothing is measured.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from PIL import Image

import telecine

from .frames import large
from .measure import in_turns, ratio
from .overhead import inputs
from .report import BarPlot, Report, Table, alone
from .writers import DIFFUSERS, write
from .x264 import FPS

ON_DEVICE, BY_CPU, BY_PIL = "telecine, on the device", "telecine, through .cpu()", f"{DIFFUSERS}, through PIL"


def run() -> Report:
    """Measure where torch finds a device."""
    if not torch.cuda.is_available():
        return Report("GPU", f"{__doc__}\nThere is no CUDA device here.")
    clip = large()
    tensor = inputs(clip)["bfloat16 CTHW"]
    assert isinstance(tensor, torch.Tensor)
    tensor = tensor.cuda()
    torch.cuda.synchronize()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip.mp4")
        taken = in_turns(
            {
                ON_DEVICE: lambda: telecine.export_video(tensor, path, fps=FPS),
                BY_CPU: lambda: telecine.export_video(tensor.cpu(), path, fps=FPS),
                BY_PIL: lambda: write(DIFFUSERS, images_of(tensor), path, FPS),
            }
        )
    ratios = {name: ratio(each, taken[ON_DEVICE]) for name, each in taken.items()}
    rows = [(name, f"{each:.2f}") for name, each in ratios.items()]
    table = Table(("way", f"/ {ON_DEVICE}"), rows, f"{torch.cuda.get_device_name()}, bfloat16 CTHW of {clip}:")
    plot = BarPlot("gpu", f"From a tensor on {torch.cuda.get_device_name()} to a file", "wall time, ratio", ratios)
    return Report("GPU", __doc__ or "", [table], [], [plot])


def images_of(tensor: torch.Tensor) -> list[Image.Image]:
    """As diffusers' video processor makes them (`VaeImageProcessor.pt_to_numpy`, `numpy_to_pil`)."""
    pixels = (tensor.permute(1, 2, 3, 0).cpu().float().numpy() * 255).round().astype("uint8")
    return [Image.fromarray(each) for each in pixels]


if __name__ == "__main__":
    alone(run)
