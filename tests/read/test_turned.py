"""A video that is to be turned is shown as FFmpeg's own command turns it, and everything agrees with what is shown."""

from __future__ import annotations

import itertools
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

import telecine
from telecine import InputError
from telecine.cli.tables import facts_of_file

from ..support.helpers import waves

WIDTH, HEIGHT = 64, 48
FRAMES = np.round(255 * waves(3, HEIGHT, WIDTH)).astype(np.uint8)
# a, b, c, d of ISO/IEC 14496-12 6.2.2: x and y become a x + c y and b x + d y, and y goes down.
MATRICES = {
    (0, False): (1, 0, 0, 1),
    (90, False): (0, 1, -1, 0),
    (180, False): (-1, 0, 0, -1),
    (270, False): (0, -1, 1, 0),
    (0, True): (-1, 0, 0, 1),
    (90, True): (0, -1, -1, 0),
    (180, True): (1, 0, 0, -1),
    (270, True): (0, 1, 1, 0),
}
TURNS = pytest.mark.parametrize("turn", MATRICES, ids=lambda turn: f"{turn[0]}{'-mirrored' * turn[1]}")


def turned(path: Path, matrix: tuple[float, ...]) -> Path:
    """Write a matrix into the header of an MP4's or MOV's video track (ISO/IEC 14496-12 8.3.2)."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 4 + 20 + 16
    a, b, c, d = (round(each * 65536).to_bytes(4, "big", signed=True) for each in matrix)
    data[at : at + 36] = b"".join([a, b, bytes(4), c, d, bytes(12), (1 << 30).to_bytes(4, "big")])
    path.write_bytes(data)
    return path


def lossless(path: Path, pixel_format: str = "rgb24", frames: npt.NDArray[Any] = FRAMES) -> Path:
    """Write frames by FFmpeg's own encoders: RGB as H.264, and with alpha as QuickTime's animation."""
    codec = "qtrle" if pixel_format == "argb" else "libx264rgb"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=10, options={"qp": "0"} if codec == "libx264rgb" else {})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pixel_format
        for pts, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgba" if pixels.shape[2] == 4 else "rgb24")
            frame = frame.reformat(format=pixel_format)
            frame.pts = pts
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def by_ffmpeg(path: Path, width: int, height: int, pixel_format: str = "rgb24") -> npt.NDArray[np.uint8]:
    asked = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", pixel_format, "-"]
    shown = subprocess.run(asked, capture_output=True, check=True).stdout
    return np.frombuffer(shown, np.uint8).reshape(-1, height, width, len(pixel_format) if "a" in pixel_format else 3)


def read(path: Any, **how: Any) -> npt.NDArray[Any]:
    return np.stack(list(telecine.read_frames(path, **how)))


@pytest.mark.slow
@TURNS
@pytest.mark.parametrize("extension", ["mp4", "mov"])
def test_frames_are_shown_as_ffmpeg_shows_them(tmp_path: Path, turn: tuple[int, bool], extension: str) -> None:
    path = turned(lossless(tmp_path / f"phone.{extension}"), MATRICES[turn])
    info = telecine.probe(path)
    assert (info.rotation, info.mirrored) == turn
    assert (info.width, info.height) == ((HEIGHT, WIDTH) if turn[0] in (90, 270) else (WIDTH, HEIGHT))
    shown = read(path)
    assert np.array_equal(shown, by_ffmpeg(path, info.width, info.height))
    assert all(frame.flags.c_contiguous for frame in telecine.read_frames(path))
    assert np.array_equal(read(path, rotate=False), FRAMES)


@pytest.mark.slow
@TURNS
def test_alpha_and_light_are_turned_too(tmp_path: Path, turn: tuple[int, bool]) -> None:
    rgba = np.concatenate([FRAMES, FRAMES[:, ::-1, :, :1]], axis=3)
    path = turned(lossless(tmp_path / "phone.mov", "argb", rgba), MATRICES[turn])
    info = telecine.probe(path)
    assert np.array_equal(read(path, alpha=True), by_ffmpeg(path, info.width, info.height, "rgba"))
    opaque = turned(lossless(tmp_path / "opaque.mov"), MATRICES[turn])
    assert np.allclose(read(opaque, light="encoded") * 255, by_ffmpeg(opaque, info.width, info.height), atol=1e-3)
    assert np.array_equal(np.round(read(opaque, light="encoded", rotate=False) * 255), FRAMES)


@pytest.mark.slow
@TURNS
@pytest.mark.parametrize("size", [(64, 48), (63, 47), (62, 47)], ids=str)
def test_exported_and_verified_as_shown(tmp_path: Path, turn: tuple[int, bool], size: tuple[int, int]) -> None:
    frames = np.round(255 * waves(3, size[1], size[0])).astype(np.uint8)
    path = turned(lossless(tmp_path / "phone.mov", frames=frames), MATRICES[turn])
    shown = by_ffmpeg(path, *(size[::-1] if turn[0] in (90, 270) else size))
    assert telecine.verify(path, shown).problems == ()
    assert telecine.verify(path, shown.astype(np.float32) / 255).problems == ()
    video = telecine.export_video(path, tmp_path / "clip.mp4", fps=10, crf=1)
    assert telecine.verify(video, path).problems == ()
    assert telecine.verify(video, shown).problems == ()
    assert (telecine.probe(video).rotation, telecine.probe(video).mirrored) == (0, False)
    if turn != (0, False):
        report = telecine.verify(path, frames)
        assert not report.ok


@pytest.mark.parametrize("background", [None, "white"])
def test_an_odd_size_that_is_padded_before_it_is_turned_is_verified(tmp_path: Path, background: str | None) -> None:
    stored = np.round(255 * waves(3, 47, 63)).astype(np.uint8)
    for turn, matrix in MATRICES.items():
        video = telecine.export_video(stored, tmp_path / "clip.mp4")
        shown = np.rot90(stored[:, :, ::-1] if turn[1] else stored, -turn[0] // 90, axes=(1, 2))
        assert telecine.verify(turned(video.path, matrix), shown, background=background).problems == ()


def test_alpha_beside_the_pictures_is_turned(tmp_path: Path) -> None:
    rgba = np.concatenate([FRAMES, FRAMES[:, ::-1, :, :1]], axis=3)
    with pytest.warns(telecine.TelecineWarning, match="does not play everywhere"):
        video = telecine.export_video(rgba, tmp_path / "clip.webm", pixel_format="yuva420p", crf=4)
    upright = read(video, alpha=True)
    path = tmp_path / "turned.webm"
    with av.open(str(video)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        copied = target.add_stream_from_template(stream, opaque=True)
        copied.codec_context.pix_fmt = "yuva420p"
        copied.set_display_rotation(-90)  # PyAV counts the other way round
        for packet in source.demux(stream):
            if packet.size:
                packet.stream = copied
                target.mux(packet)
    assert telecine.probe(path).rotation == 90
    assert np.array_equal(read(path, alpha=True), np.rot90(upright, -1, axes=(1, 2)))
    assert np.array_equal(read(path, alpha=True, rotate=False), upright)
    assert telecine.verify(path, np.rot90(rgba, -1, axes=(1, 2))).problems == ()


def test_another_angle_is_told_and_not_shown_as_what_it_is_not(tmp_path: Path) -> None:
    half = 0.5**0.5
    path = turned(lossless(tmp_path / "tilted.mov"), (half, half, -half, half))
    assert telecine.probe(path).rotation == 45
    with pytest.raises(InputError, match=r"turned by 45 degrees, which is no quarter turn: .*rotate=False"):
        next(telecine.read_frames(path))
    assert np.array_equal(read(path, rotate=False), FRAMES)
    assert "turned by 45 degrees" in telecine.verify(path, FRAMES).problems[0]


def test_a_stripped_video_is_turned_still(tmp_path: Path) -> None:
    path = turned(lossless(tmp_path / "phone.mp4"), MATRICES[90, False])
    assert telecine.strip(path, tmp_path / "out.mp4").rotation == 90
    assert np.array_equal(read(tmp_path / "out.mp4"), read(path))


@pytest.mark.parametrize(
    ("turn", "ratio"), list(itertools.product([(0, False), (90, False), (180, True)], ["4/3", "1/2"]))
)
def test_the_shape_of_pixels_is_told_as_they_are_shown(tmp_path: Path, turn: tuple[int, bool], ratio: str) -> None:
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(ratio)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(FRAMES[0], format="rgb24")))
        container.mux(stream.encode(None))
    turned(path, MATRICES[turn])
    shown = 1 / Fraction(ratio) if turn[0] == 90 else Fraction(ratio)
    assert telecine.probe(path).sample_aspect_ratio == shown
    with pytest.warns(telecine.TelecineWarning, match=rf"pixels of .* are shown {shown} times as wide as high"):
        video = telecine.export_video(path, tmp_path / "out.mp4", fps=10)
    assert any("times as wide as high" in note for note in video.notes)
    assert telecine.probe(video).sample_aspect_ratio == 1
    shown_by_command = dict(facts_of_file(telecine.probe(path)))
    assert shown_by_command["pixels"] == f"shown {shown} times as wide as high"
    assert (
        shown_by_command.get("shown")
        == {
            (0, False): None,
            (90, False): "turned by 90 degrees clockwise",
            (180, True): "turned by 180 degrees clockwise, mirrored before",
        }[turn]
    )


def test_pixels_that_are_square_to_the_rounding_of_a_width_are_no_warning(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(999, 1000)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(FRAMES[0], format="rgb24")))
        container.mux(stream.encode(None))
    assert telecine.probe(path).sample_aspect_ratio == Fraction(999, 1000)
    assert telecine.export_video(path, tmp_path / "out.mp4", fps=10).notes == ()
