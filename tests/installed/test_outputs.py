"""An export of every kind: every container and codec, moving image and folder of images, HDR, sound, alpha."""

from __future__ import annotations

import io
import os
import wave
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

import telecine
from telecine.formats.codecs import CODECS
from telecine.formats.containers import CONTAINERS
from telecine.formats.images import MOVING_IMAGES, SEQUENCES

from .clips import COUNT, FPS, HEIGHT, WIDTH, codes, floats, transparent

pytestmark = pytest.mark.filterwarnings("ignore::telecine.TelecineWarning")  # of what does not play everywhere
VIDEOS = [(container.name, codec) for container in CONTAINERS.values() for codec in container.codecs]


@pytest.mark.parametrize(("container", "codec"), VIDEOS)
def test_a_video_of_every_container_and_codec(tmp_path: Path, container: str, codec: Any) -> None:
    video = telecine.export_video(codes(), tmp_path / f"clip.{container}", fps=FPS, codec=codec)
    info = telecine.probe(video)
    assert (info.container, info.codec, info.width, info.height) == (container, codec, WIDTH, HEIGHT)
    assert (info.frame_count, info.fps, info.duration) == (COUNT, Fraction(FPS), Fraction(COUNT, FPS))
    assert telecine.verify(video, codes()).problems == ()
    assert not telecine.verify(video, codes()[::-1]).ok


@pytest.mark.parametrize("codec", [name for name, row in CODECS.items() if "lossless" in row.qualities or row.lossless])
def test_a_lossless_video_gives_the_same_rgb(tmp_path: Path, codec: Any) -> None:
    video = telecine.export_video(codes(), tmp_path / "clip.mkv", codec=codec, quality="lossless")
    assert np.array_equal(list(telecine.read_frames(video)), codes())


@pytest.mark.parametrize("format", MOVING_IMAGES)
def test_a_moving_image_of_every_format(tmp_path: Path, format: str) -> None:
    video = telecine.export_video(codes(), tmp_path / f"clip.{format}", fps=FPS)
    with Image.open(os.fspath(video)) as image:
        assert (image.size, getattr(image, "n_frames", 1)) == ((WIDTH, HEIGHT), COUNT)
    report = telecine.verify(video, codes())
    assert (report.frame_count, report.psnr > 25) == (COUNT, True)  # a GIF of so many colours has 28 dB


def test_a_still_avif(tmp_path: Path) -> None:
    with Image.open(os.fspath(telecine.export_video(codes(1), tmp_path / "still.avif"))) as image:
        assert getattr(image, "n_frames", 1) == 1
        assert np.abs(np.asarray(image.convert("RGB")).astype(int) - codes(1)[0]).mean() < 3


@pytest.mark.parametrize(("format", "bits"), [(row.name, bits) for row in SEQUENCES.values() for bits in row.bits])
def test_a_folder_of_images_of_every_format_and_depth(tmp_path: Path, format: Any, bits: Any) -> None:
    light: Any = {"light": "scene-linear"} if format == "exr" else {}
    folder = telecine.export_video(floats(), tmp_path / "frames", format=format, bit_depth=bits, **light)
    names = sorted(os.listdir(folder))
    assert names == [f"{index:06d}{SEQUENCES[format].extension}" for index in range(COUNT)]
    if format != "exr":
        again = telecine.export_video(folder.path, tmp_path / "again.mkv", quality="lossless")
        assert np.abs(np.array(list(telecine.read_frames(again))).astype(int) - codes()).mean() < 3


@pytest.mark.parametrize("color", ["pq", "hlg"])
def test_hdr(tmp_path: Path, color: Any) -> None:
    light = 2 * floats()
    video = telecine.export_video(light, tmp_path / "clip.mp4", color=color, light="display-linear", primaries="bt2020")
    info = telecine.probe(video)
    assert (info.pixel_format, info.color.hdr) == ("yuv420p10le", color)
    found = list(telecine.read_frames(video, light="display-linear", primaries="bt2020"))
    assert np.abs(np.array(found) / light - 1).mean() < 0.05


def test_sound_of_an_array_and_of_a_file(tmp_path: Path) -> None:
    samples = np.rint(8000 * np.sin(np.arange(24_000) / 12)).astype(np.int16)
    video = telecine.export_video(codes(), tmp_path / "a.mp4", fps=FPS, audio=samples, audio_rate=48_000)
    with wave.open(str(tmp_path / "sound.wav"), "wb") as file:
        file.setparams((1, 2, 48_000, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    other = telecine.export_video(codes(), tmp_path / "b.mkv", fps=FPS, audio=tmp_path / "sound.wav")
    for each in (video, other):
        info = telecine.probe(each).audio
        assert info is not None
        assert (info.sample_rate, info.channels) == (48_000, 1)
        with av.open(str(each)) as container:
            heard = np.concatenate([frame.to_ndarray().ravel() for frame in container.decode(audio=0)])
        assert abs(len(heard) / 48_000 - COUNT / FPS) < 0.05


@pytest.mark.parametrize(("name", "how"), [("a.webm", {"pixel_format": "yuva420p"}), ("a.webp", {}), ("a.apng", {})])
def test_alpha_is_kept(tmp_path: Path, name: str, how: dict[str, Any]) -> None:
    video = telecine.export_video(transparent(), tmp_path / name, **how)
    found = np.array(list(telecine.read_frames(video, alpha=True)))
    assert np.abs(found[..., 3].astype(int) - transparent()[..., 3]).mean() < 3


def test_alpha_is_composited_where_there_is_none(tmp_path: Path) -> None:
    with pytest.warns(telecine.TelecineWarning, match="transparent pixels are shown on black"):
        video = telecine.export_video(transparent(), tmp_path / "clip.mp4", crf=1)
    shown = next(telecine.read_frames(video))
    assert shown[:, :4].mean() < 12
    assert np.abs(shown[:, -4:].astype(int) - transparent()[0, :, -4:, :3]).mean() < 12


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.webm", "a.gif", "a.webp", "a.apng", "a.avif"])
def test_metadata_comes_back(tmp_path: Path, name: str) -> None:
    said: dict[str, Any] = {
        "prompt": "a panda — 熊猫",
        "seed": 7,
        "workflow": {"nodes": [1, 2.5, None]},
    }
    assert telecine.probe(telecine.export_video(codes(), tmp_path / name, metadata=said)).metadata == said


def test_a_limit_of_bytes_is_kept(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (12, 96, 128, 3), np.uint8)
    video = telecine.export_video(noise, tmp_path / "clip.mp4", max_bytes=30_000)
    assert video.path.stat().st_size <= 30_000
    assert video.frame_count == 12


def test_times_hold_and_dither(tmp_path: Path) -> None:
    times: list[int | Fraction] = [0, Fraction(1, 10), Fraction(1, 2), 1, 2, 3]
    video = telecine.export_video(codes(), tmp_path / "clip.mp4", timestamps=times, hold=2, dither=True)
    assert telecine.read_timestamps(video) == times
    assert video.duration == 5


def test_files_go_to_file_objects_and_stores() -> None:
    file = io.BytesIO()
    telecine.export_video(codes(), file, format="mp4")
    video = telecine.export_video(codes(), "memory://somewhere/clip.mp4")
    assert file.getvalue() == telecine.export_bytes(codes()) == video.read_bytes()
    options = {"key": "me", "secret": "unknown", "endpoint_url": "http://127.0.0.1:9"}
    with pytest.raises(telecine.PublishError, match=r"'s3://nobody/clip\.mp4' can't be written"):
        telecine.export_video(codes(), "s3://nobody/clip.mp4", storage_options=options)
