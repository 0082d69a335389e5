"""Exports of every kind, of which every byte is pinned for the versions that the encoders come with.

`python -m tests.end_to_end.same_bytes` writes their hashes to `same_bytes.json`, beside those of other versions. Where
other bytes are meant, it is run with each PyAV that is admitted, and the diff says of which exports.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import PIL
from PIL import Image

import telecine

PINNED = Path(__file__).with_name("same_bytes.json")
VERSIONS = f"PyAV {av.__version__}, Pillow {PIL.__version__}"
COUNT, HEIGHT, WIDTH = 12, 64, 96

Clip = npt.NDArray[Any]

METADATA = {"prompt": "a panda", "workflow": {"nodes": [1, 2]}, "seed": 42, "generated": True}
SOUND = {"audio_rate": 48000}
BLOCKS = {"encoder_options": {"x265-params": "ctu=32"}}
HDR = {"color": "pq", "bit_depth": 10, "light": "display-linear"}

# What is exported, the name of the file, and the options.
EXPORTS: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "h264": ("floats", "mp4", {}),
    "h264 draft": ("floats", "mp4", {"quality": "draft"}),
    "h264 visually lossless": ("floats", "mp4", {"quality": "visually-lossless"}),
    "h264 of images": ("images", "mp4", {}),
    "h264 of bytes, BGR": ("bytes", "mp4", {"channels": "BGR", "color": "bt709"}),
    "h264 of grays": ("grays", "mp4", {}),
    "h264 of 16 bits, dithered": ("words", "mp4", {"dither": True}),
    "h264 composited": ("alpha", "mp4", {"background": "navy"}),
    "h264 4:4:4": ("floats", "mp4", {"chroma": "4:4:4"}),
    "h264 10 bit": ("floats", "mov", {"bit_depth": 10}),
    "h264 lossless": ("bytes", "mkv", {"quality": "lossless"}),
    "h264 crf": ("floats", "mkv", {"crf": 30, "preset": "fast"}),
    "h264 bitrate": ("floats", "mp4", {"bitrate": 200_000}),
    "h264 in so many bytes": ("floats", "mp4", {"max_bytes": 5_200}),
    "h264 encoder options": ("floats", "mp4", {"encoder_options": {"g": 4, "bf": 0}}),
    "h264 sound and metadata": ("floats", "mp4", {**SOUND, "metadata": METADATA}),
    "h264 metadata, mov": ("floats", "mov", {"metadata": METADATA}),
    "h264 timestamps": ("floats", "mp4", {"timestamps": [index**1.5 / 16 for index in range(COUNT)]}),
    "h264 hold": ("floats", "mp4", {"hold": 1, "fps": "24000/1001"}),
    "hevc": ("floats", "mp4", {"codec": "hevc"}),
    "hevc 12 bit": ("floats", "mkv", {"codec": "hevc", "bit_depth": 12}),
    # Where the size is not a multiple of its blocks of 64, x265's lossless writes other bytes now and then (6 of 100).
    "hevc lossless": ("bytes", "mp4", {"codec": "hevc", "quality": "lossless", **BLOCKS}),
    "hevc PQ": ("floats", "mp4", {"codec": "hevc", **HDR}),
    "hevc HLG": ("floats", "mp4", {"codec": "hevc", **HDR, "color": "hlg"}),
    "av1": ("floats", "mp4", {"codec": "av1", "quality": "draft"}),
    "av1 10 bit, metadata": ("floats", "webm", {"codec": "av1", "bit_depth": 10, "metadata": METADATA}),
    "vp9": ("floats", "webm", {"quality": "draft"}),
    "vp9 alpha": ("alpha", "webm", {"quality": "draft", "pixel_format": "yuva420p"}),
    "vp9 lossless, sound": ("bytes", "webm", {"quality": "lossless", **SOUND}),
    "prores": ("floats", "mov", {"codec": "prores"}),
    "prores alpha, sound": ("alpha", "mov", {"codec": "prores", "pixel_format": "yuva444p10le", **SOUND}),
    "ffv1": ("bytes", "mkv", {"codec": "ffv1"}),
    "ffv1 16 bit, metadata": ("words", "mkv", {"codec": "ffv1", "bit_depth": 16, "metadata": METADATA}),
    "gif": ("floats", "gif", {"loops": 2}),
    "webp": ("floats", "webp", {"metadata": METADATA}),
    "webp lossless": ("alpha", "webp", {"quality": "lossless"}),
    "apng": ("alpha", "apng", {"metadata": METADATA}),
    "avif": ("floats", "avif", {}),
    "png": ("alpha", "", {"format": "png"}),
    "png 16 bit": ("words", "", {"format": "png", "bit_depth": 16}),
    "tiff 32 bit": ("floats", "", {"format": "tiff", "bit_depth": 32}),
    "jpeg": ("bytes", "", {"format": "jpeg"}),
    "exr": ("floats", "", {"format": "exr"}),
}  # fmt: skip


def clip(kind: str) -> Any:
    """Give frames of a kind: colours that move, with some grain."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    steps = np.arange(COUNT)[:, None, None]
    waves = [np.sin((x + k * steps) / (9 + k)) * np.cos((y - steps) / (7 + k)) for k in range(4)]
    grain = np.random.default_rng(0).normal(0, 0.02, (COUNT, HEIGHT, WIDTH, 4))
    rgba = np.clip(np.stack(waves, -1) / 2 + 0.5 + grain, 0, 1)
    whole = (rgba * 255).round().astype(np.uint8)
    kinds: dict[str, Callable[[], Any]] = {
        "floats": lambda: rgba[..., :3].astype(np.float32),
        "bytes": lambda: whole[..., :3],
        "words": lambda: (rgba[..., :3] * 65535).round().astype(np.uint16),
        "grays": lambda: rgba[..., :1].astype(np.float32),
        "alpha": lambda: whole,
        "images": lambda: [Image.fromarray(frame[..., :3].copy()) for frame in whole],
    }
    return kinds[kind]()


def sound() -> Clip:
    """Give a tone of integers, as long as the clip at 16 fps."""
    times = np.arange(COUNT * 48000 // 16)
    samples: Clip = (np.sin(times * (440 * 2 * np.pi / 48000)) * 8000).astype(np.int16)
    return samples


def hash_of(name: str, folder: Path) -> str:
    """Export one of them, and hash its bytes, or those of its files in order."""
    kind, extension, options = EXPORTS[name]
    given = dict(options)
    if "audio_rate" in given:
        given["audio"] = sound()
    path = folder / (f"clip.{extension}" if extension else "clip")
    telecine.export_video(clip(kind), path, **given)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def pinned() -> dict[str, dict[str, str]]:
    """Give the hashes by versions and names."""
    found: dict[str, dict[str, str]] = json.loads(PINNED.read_text()) if PINNED.exists() else {}
    return found


def main() -> None:
    """Write down those of the versions that are installed."""
    warnings.simplefilter("ignore")
    hashes = {}
    for name in EXPORTS:
        with tempfile.TemporaryDirectory() as folder:
            hashes[name] = hash_of(name, Path(folder))
    PINNED.write_text(json.dumps({**pinned(), VERSIONS: hashes}, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
