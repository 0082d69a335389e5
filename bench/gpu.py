"""Bfloat16 CTHW tensors on a CUDA device to planes on the host, per frame, and to a published file.

The floor of the first is its bytes: the planes copied to pinned memory in one piece, with nothing to convert, while the
device reads the pixels and writes the planes once, at the rate of a copy within it. Beside it, the same pixels through
`.cpu()`. The second is against the ways that go through the host: the same tensor through `.cpu()` to telecine, and
through 8-bit PIL images to diffusers' `export_to_video`, as pipelines do it. Every byte of the planes is compared with
the host's first. Where there is no device, nothing is measured.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from av import VideoFrame
from PIL import Image

import telecine
from telecine.color.color import BT709
from telecine.frames.recognise import Recognizer
from telecine.planes.convert import Conversion

from .frames import large
from .measure import Spread, in_turns, ratio
from .overhead import inputs
from .report import BarPlot, Report, Table, alone
from .writers import DIFFUSERS, write
from .x264 import FPS

COUNTS = (81, 1000)
PLANES, RGB = "to planes on the host", "the pixels through .cpu()"
BUS_FLOOR = "floor: the planes' bytes to pinned memory"
DEVICE_FLOOR = "floor: pixels read and planes written on the device"
ON_DEVICE, BY_CPU, BY_PIL = "telecine, on the device", "telecine, through .cpu()", f"{DIFFUSERS}, through PIL"


def run() -> Report:
    """Measure where torch finds a device."""
    if not torch.cuda.is_available():
        return Report("GPU", f"{__doc__}\nThere is no CUDA device here: nothing was measured.")
    clip = large()
    tensor = inputs(clip)["bfloat16 CTHW"]
    assert isinstance(tensor, torch.Tensor)
    compare(tensor)
    tensor = tensor.cuda()
    where = torch.cuda.get_device_name()
    rows = [row for count in COUNTS for row in conversion_rows(tensor, count)]
    heading = ("frames", "what", "µs a frame, the fastest", f"/ {BUS_FLOOR}")
    conversion = Table(heading, rows, f"{where}, {clip}, repeated to as many frames:")
    ratios = exports(tensor)
    export_rows = [(name, f"{each:.2f}") for name, each in ratios.items()]
    export = Table(("way", f"/ {ON_DEVICE}"), export_rows, f"{where}, {clip}, to a file:")
    plot = BarPlot("gpu", f"From a tensor on {where} to a file", "wall time, ratio", ratios)
    return Report("GPU", __doc__ or "", [conversion, export], [], [plot])


def compare(tensor: torch.Tensor) -> None:
    """Assert that the planes made on the device are the host's, byte by byte."""
    for there, here in zip(planes_of(tensor.cuda()), planes_of(tensor), strict=True):
        assert there == here, "the device gives other planes than the host"


def planes_of(tensor: torch.Tensor) -> list[bytes]:
    """The planes of each frame of a CTHW tensor."""
    found: list[bytes] = []
    convert(tensor, lambda planes: found.append(planes.to_ndarray().tobytes()))  # without the lines' padding
    return found


def convert(tensor: torch.Tensor, taken: Callable[[VideoFrame], object] = lambda planes: None) -> None:
    """What `VideoWriter.write` does to a CTHW tensor before its frames are queued."""
    _, _, height, width = tensor.shape
    conversion, planes = Conversion(BT709), VideoFrame(width, height, "yuv420p")
    for frame in Recognizer("CTHW").frames(tensor):
        conversion.to_planes(frame, planes)
        taken(planes)


def conversion_rows(clip: torch.Tensor, count: int) -> list[tuple[str, str, str, str]]:
    """The time a frame of each, and as a ratio to the bytes' floor."""
    _, length, height, width = clip.shape
    if torch.cuda.mem_get_info()[0] < 2 * count * clip[:, 0].nbytes:
        return [(str(count), "more than the device's free memory", "", "")]
    tensor = clip[:, torch.arange(count, device=clip.device) % length]
    pixel_bytes, plane_bytes = 2 * 3 * height * width, 3 * height * width // 2
    on_device = torch.zeros((length, plane_bytes), dtype=torch.uint8, device=clip.device)
    pinned = torch.empty(on_device.shape, dtype=torch.uint8, pin_memory=True)
    # A copy of n bytes reads and writes 2n: as many as the pixels' and the planes' together.
    half = torch.zeros((length, (pixel_bytes + plane_bytes) // 2), dtype=torch.uint8, device=clip.device)
    other_half = torch.empty_like(half)
    contestants: dict[str, tuple[int, Callable[[], object]]] = {
        PLANES: (count, lambda: convert(tensor)),
        RGB: (count, tensor.cpu),
        BUS_FLOOR: (length, lambda: pinned.copy_(on_device, non_blocking=True)),
        DEVICE_FLOOR: (length, lambda: other_half.copy_(half)),
    }
    taken = in_turns({what: finished(each) for what, (_, each) in contestants.items()})
    frame = {what: [seconds / frames for seconds in taken[what]] for what, (frames, _) in contestants.items()}
    floor = frame[BUS_FLOOR]
    return [
        (str(count), what, f"{1e6 * min(frame[what]):.1f}", f"{ratio(frame[what], floor):.2f}") for what in contestants
    ]


def finished(contestant: Callable[[], object]) -> Callable[[], None]:
    """The same, until the device has done it."""

    def call() -> None:
        contestant()
        torch.cuda.synchronize()

    return call


def exports(tensor: torch.Tensor) -> dict[str, Spread]:
    """The wall time of whole exports, as ratios to telecine's."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip.mp4")
        taken = in_turns(
            {
                ON_DEVICE: lambda: telecine.export_video(tensor, path, fps=FPS),
                BY_CPU: lambda: telecine.export_video(tensor.cpu(), path, fps=FPS),
                BY_PIL: lambda: write(DIFFUSERS, images_of(tensor), path, FPS),
            }
        )
    return {name: ratio(each, taken[ON_DEVICE]) for name, each in taken.items()}


def images_of(tensor: torch.Tensor) -> list[Image.Image]:
    """As diffusers' video processor makes them (`VaeImageProcessor.pt_to_numpy`, `numpy_to_pil`)."""
    pixels = (tensor.permute(1, 2, 3, 0).cpu().float().numpy() * 255).round().astype("uint8")
    return [Image.fromarray(each) for each in pixels]


if __name__ == "__main__":
    alone(run)
