"""Files of any bytes: what reads them gives what is in them or one error of ours, and no crash, no hang."""

from __future__ import annotations

import itertools
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import safetensors.numpy
import tifffile
from PIL import Image

import telecine
from telecine import Provenance

from ..support.certificates import identity
from ..support.journals import leave_journal
from . import length
from .fuzz_inputs import FAILED, READERS

pytestmark = pytest.mark.slow

FRAMES = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), np.uint8)
TONE = np.sin(np.arange(800, dtype=np.float32) / 9)
SAID: Any = {"prompt": "a panda", "seed": 42, "generated": True}


def by_telecine(path: Path, frames: Any = FRAMES, **options: Any) -> None:
    telecine.export_video(frames, path, fps=16, **options)


def by_ffmpeg(path: Path, codec: str | None, sound: str | None = None, pixel_format: str = "yuv420p") -> None:
    """Write a file as another tool may."""
    with av.open(str(path), "w") as container:
        stream: Any = codec and container.add_stream(codec, rate=16)
        if codec:
            stream.height, stream.width = FRAMES.shape[1:3]
            stream.pix_fmt = pixel_format
        audio: Any = sound and container.add_stream(sound, rate=8000 if codec != "flv1" else 11025, layout="mono")
        if sound:
            samples = av.AudioFrame.from_ndarray(TONE[None], format="fltp", layout="mono")
            samples.sample_rate, samples.pts = audio.rate, 0
            resampler = av.AudioResampler(audio.format, audio.layout, audio.rate, audio.frame_size or 400)
            for piece in [*resampler.resample(samples), None]:
                container.mux(audio.encode(piece))
        for index, rgb in enumerate(FRAMES if codec else ()):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pixel_format)
            frame.pts = index
            container.mux(stream.encode(frame))
        if codec:
            container.mux(stream.encode(None))


def by_pillow(path: Path, modes: str, **options: Any) -> None:
    """Write an animation of images of these modes."""
    first, *rest = (Image.fromarray(frame).convert(modes) for frame in FRAMES)
    first.save(path, save_all=True, append_images=rest, **options)


def signed(path: Path) -> None:
    me = identity()
    by_telecine(path, FRAMES[:2], provenance=Provenance(certificate=me.chain, private_key=me.pem()), loops=None)


def write_seeds(folder: Path, kind: str) -> None:
    """Write small files of a kind, different ones, to be damaged."""
    a, b, c = (folder / f"{name}.{kind}" for name in "abc")
    match kind:
        case "mp4" | "mov":
            by_telecine(a, metadata=SAID, audio=TONE, audio_rate=8000)
            by_telecine(b, codec="hevc", timestamps=[0, 0.5, 2])
            by_ffmpeg(c, "mpeg4", "aac")
        case "mkv" | "webm":
            by_telecine(a, metadata=SAID, audio=TONE, audio_rate=8000)
            by_telecine(b, np.dstack([FRAMES[0], FRAMES[0, :, :, :1]])[None].repeat(2, 0), codec="vp9")
            by_telecine(c, codec="av1")
        case "gif" | "webp" | "apng":
            by_telecine(a, metadata=SAID)
            by_pillow(b, "RGBA", duration=[10, 20, 30], format="PNG" if kind == "apng" else None)
            by_pillow(c, "P" if kind != "webp" else "L", duration=50, format="PNG" if kind == "apng" else None)
        case "avif":
            by_telecine(a, metadata=SAID)
            by_pillow(b, "RGB")
        case "png" | "jpeg":
            for path, mode in ((a, "RGB"), (b, "L"), (c, "P" if kind == "png" else "CMYK")):
                Image.fromarray(FRAMES[0]).convert(mode).save(path)
        case "xmp.png":
            by_telecine(folder / "images", FRAMES[:1], format="png", metadata=SAID)
            next((folder / "images").iterdir()).rename(a)
        case "tiff":
            tifffile.imwrite(a, FRAMES, photometric="rgb", compression="zlib")
            Image.fromarray(FRAMES[0]).save(b, compression="tiff_lzw")
            tifffile.imwrite(c, FRAMES[:1, :, :, 0].astype(np.uint16) * 257)
        case "exr":
            by_telecine(folder / "images", FRAMES[:1], format="exr")
            next((folder / "images").iterdir()).rename(a)
        case "npy":
            np.save(a, FRAMES)
            np.save(b, FRAMES[:, :, :, 0].astype(np.float32))
            np.save(c, np.asfortranarray(FRAMES), allow_pickle=False)
        case "npz":
            np.savez(a, frames=FRAMES[:2])
            np.savez_compressed(b, FRAMES[:2])
        case "safetensors":
            safetensors.numpy.save_file({"frames": FRAMES}, a)
            safetensors.numpy.save_file({"frames": FRAMES.astype(np.float16)}, b, {"prompt": "a panda"})
        case "wav":
            by_ffmpeg(a, None, "pcm_s16le")
            by_ffmpeg(b, None, "pcm_f32le")
        case "flac" | "mp3":
            by_ffmpeg(a, None, kind if kind == "flac" else "libmp3lame")
        case "telecine-journal":
            alone = folder / "alone"
            alone.mkdir()
            leave_journal(alone / "clip.mp4", FRAMES).rename(a)
            leave_journal(alone / "clip.mp4", FRAMES[:2], metadata=SAID).rename(b)
        case "c2pa.mp4" | "c2pa.png":
            signed(a.with_suffix(f".{kind[5:]}") if kind == "c2pa.mp4" else folder / "a.apng")
            next(folder.glob("a.*")).rename(a)
        case _:
            codecs = {"avi": "mjpeg", "ts": "libx264", "ogg": "libvpx", "flv": "flv1", "h264": "libx264"}
            sounds = {"avi": "pcm_s16le", "ts": "aac", "ogg": "libopus", "flv": "libmp3lame"}
            pixel_format = "yuvj420p" if kind == "avi" else "yuv420p"
            by_ffmpeg(a, codecs[kind], sounds.get(kind), pixel_format)


@pytest.mark.filterwarnings("ignore::telecine.errors.TelecineWarning")
def test_a_damaged_file_gives_what_is_in_it_or_one_error_of_ours(tmp_path: Path) -> None:
    for kind in READERS:
        (tmp_path / kind).mkdir()
        write_seeds(tmp_path / kind, kind)
    kinds = tuple(READERS)
    with ThreadPoolExecutor() as pool:
        found = pool.map(lambda share: failures(tmp_path, length(250, 100_000), share), (kinds[::2], kinds[1::2]))
        assert [*itertools.chain.from_iterable(found)] == []


def failures(folder: Path, count: int, kinds: tuple[str, ...]) -> list[str]:
    """Read so many damaged files of each kind, and give what failed; a process that dies is followed by another."""
    found: list[str] = []
    first = 0
    while True:
        command = [sys.executable, "-m", f"{__package__}.fuzz_inputs", str(folder), str(first), str(count), *kinds]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        lines = done.stdout.splitlines()
        found += [line for line in lines if line.startswith(FAILED)]
        if done.returncode == 0:
            return found
        begun = [int(line) for line in lines if line.isdecimal()]
        assert begun, done.stderr
        ended = f"the process ended with {done.returncode}: {done.stderr[-500:]}"
        found.append(f"{FAILED} {kinds[begun[-1] // count]} {begun[-1]} {ended}")
        first = begun[-1] + 1
