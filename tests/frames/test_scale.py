"""`height=` and `width=`: frames scaled as Lanczos' formula says, of whatever dtype, and only if that is asked for."""

from __future__ import annotations

import itertools
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
import OpenEXR
import pytest
import torch
from av.filter import Graph
from PIL import Image

import telecine
from telecine import FrameError, OptionError, VideoWriter, export_bytes, export_video
from telecine.frames.recognise import Recognizer
from telecine.frames.scale import Scaler
from telecine.planes.frame import Frame
from telecine.support.notes import Notes

from ..support.fake_accelerator import Accelerator, OnDevice, entered
from ..support.helpers import OLDER, Asked, assert_untouched, names_in, noise, waves
from ..support.reference import Real

SIZES = {"half": (32, 24), "odd": (33, 25), "larger": (101, 96), "narrow": (64, 7), "a pixel": (1, 1), "tall": (9, 200)}
NOISE = np.random.default_rng(0).random((48, 64, 3))


def lanczos(given: int, wanted: int) -> Real:
    """Lanczos' kernel of three lobes, widened by as much as is left out, of what is inside the picture."""
    step = given / wanted
    reach = max(step, 1.0)
    centers = (np.arange(wanted) + 0.5) * step
    distances = (np.arange(given) + 0.5 - centers[:, None]) / reach
    weights = np.where(np.abs(distances) < 3, np.sinc(distances) * np.sinc(distances / 3), 0)
    scaled: Real = weights / weights.sum(1, keepdims=True)
    return scaled


def expected(pixels: npt.NDArray[Any], width: int, height: int) -> Real:
    rows, columns = lanczos(pixels.shape[0], height), lanczos(pixels.shape[1], width)
    scaled: Real = np.einsum("yh,hwc,xw->yxc", rows, pixels.astype(np.float64), columns)
    return scaled


def recognised(frames: Any, layout: str = "HWC") -> Frame:
    return next(Recognizer(layout).frames(frames))


def scaled(
    frames: Any, width: int | None, height: int | None, value_range: Any = "auto", layout: str = "HWC"
) -> npt.NDArray[Any]:
    pixels = Scaler(width, height, value_range, Notes()).scaled(recognised(frames, layout)).pixels
    assert isinstance(pixels, np.ndarray)
    return pixels


# ---- the arithmetic ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_integers_are_half_a_code_off_at_most(dtype: str, size: tuple[int, int]) -> None:
    white = np.iinfo(dtype).max
    given = np.round(NOISE * white).astype(dtype)
    found = scaled(given, *size)
    assert (found.dtype.name, found.shape) == (dtype, (size[1], size[0], 3))
    assert np.abs(found - expected(given, *size).clip(0, white)).max() <= 0.5 + 2**-7


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.bool_], ids=str)
def test_floats_and_masks_are_as_exact_as_float32(dtype: Any, size: tuple[int, int]) -> None:
    given = (NOISE > 0.5) if dtype is np.bool_ else NOISE.astype(dtype)
    found = scaled(given, *size)
    assert found.dtype == np.float32
    assert np.abs(found - expected(given, *size).clip(0, 1)).max() < 3e-7


def test_bfloat16_and_gray_are_scaled_as_what_they_are() -> None:
    tensor = torch.from_numpy(NOISE[:, :, :1]).bfloat16()
    found = scaled(tensor, 20, 15)
    assert np.abs(found - expected(tensor.double().numpy(), 20, 15).clip(0, 1)).max() < 3e-7


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_what_is_constant_stays_so(dtype: str, channels: int) -> None:
    for level in (0, 1, 77, 128, 254, 255):
        given = (
            np.full((48, 64, channels), level, dtype) if dtype[0] == "u" else np.full((48, 64, channels), level / 255)
        )
        if channels == 4 and level == 0:
            continue  # which is transparent: of no colour
        found = scaled(given.astype(dtype), 37, 100)
        assert np.abs(found - given.astype(dtype)[0, 0].astype(np.float64)).max() <= (0 if dtype[0] == "u" else 3e-7)


def test_half_a_ramp_is_a_ramp() -> None:
    ramp = np.broadcast_to(np.linspace(0, 1, 64)[None, :, None], (48, 64, 3))
    inside = scaled(ramp, 32, 24)[:, 4:-4, 0]
    means = ramp[0, :, 0].reshape(32, 2).mean(1)[4:-4]
    assert np.abs(inside - means).max() < 1e-6


def test_the_mean_is_kept() -> None:
    given = waves(1)[0]
    assert np.abs(scaled(given, 20, 15).mean((0, 1)) - given.mean((0, 1))).max() < 0.003


def test_it_is_near_to_what_others_call_lanczos() -> None:
    """FFmpeg rounds its weights to 14 bits, and repeats the border's pixels where this has none beyond."""
    given = np.round(waves(1)[0, :, :, :1] * 255).astype(np.uint8)
    graph = Graph()
    source = graph.add_buffer(width=64, height=48, format=av.VideoFormat("gray"), time_base=Fraction(1))
    filters = [source, graph.add("scale", "20:15:flags=lanczos+accurate_rnd"), graph.add("buffersink")]
    for one, other in itertools.pairwise(filters):
        one.link_to(other)
    graph.configure()
    frame = av.VideoFrame.from_ndarray(given[:, :, 0], "gray")
    frame.pts = 0
    graph.push(frame)
    of_ffmpeg = graph.pull().to_ndarray().astype(int)
    assert np.abs(scaled(given, 20, 15)[:, :, 0] - of_ffmpeg)[2:-2, 2:-2].max() <= 1


# ---- values that mean something else -------------------------------------------------------------------------------


def test_alpha_weighs_the_colours() -> None:
    """What is scaled and then composited is what is composited and then scaled; the unseen green is nowhere."""
    rgba = np.zeros((48, 64, 4))
    rgba[..., 1] = 1  # green where nothing is seen
    rgba[12:36, 16:48] = (1, 0, 0.25, 1)
    rgba[20:30, 20:30, 3] = 0.5
    found = scaled(rgba, 21, 17).astype(np.float64)
    on_black = expected(rgba[..., :3] * rgba[..., 3:], 21, 17)
    assert np.abs(found[..., 3] - expected(rgba[..., 3:], 21, 17)[..., 0].clip(0, 1)).max() < 1e-6
    shown = found[..., 3] > 0.05
    assert np.abs(found[..., :3] * found[..., 3:] - on_black.clip(0, 1))[shown].max() < 0.06  # what overshoots is cut
    assert found[shown][:, 1].max() < 1e-6


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_colours_behind_edges_are_exact(dtype: str) -> None:
    white = np.iinfo(dtype).max
    rgba = np.zeros((48, 64, 4), dtype)
    rgba[12:36, 16:48] = (white, white // 3, 7, white)
    found = scaled(rgba, 31, 23)
    seen = found[..., 3] > white // 50
    assert (found[seen][:, :3].astype(int) == (white, white // 3, 7)).all()


def test_opaque_frames_with_alpha_are_as_those_without() -> None:
    rgba = np.dstack([np.round(NOISE * 255), np.full((48, 64), 255)]).astype(np.uint8)
    assert (scaled(rgba, 33, 25)[..., :3] == scaled(rgba[..., :3], 33, 25)).all()


def test_light_above_white_is_not_clipped(tmp_path: Path) -> None:
    light = (waves(3) * 40).astype(np.float32)
    folder = export_video(light, tmp_path / "light", format="exr", light="scene-linear", height=24).path
    halves = OpenEXR.File(os.fspath(folder / "000000.exr")).channels()["RGB"].pixels
    truth = expected(light[0], 32, 24)
    assert truth.max() > 30
    assert np.abs(halves / truth.clip(0.01) - 1)[truth > 0.01].max() < 2**-10


@pytest.mark.filterwarnings("ignore::telecine.errors.TelecineWarning")  # HEVC does not play everywhere
@pytest.mark.parametrize("light", ["scene-linear", "display-linear", "encoded"])
def test_light_of_hdr_is_metered_as_that_of_scaled_frames(light: Any, tmp_path: Path) -> None:
    clip = (waves(3, 64, 96) * (0.9 if light == "encoded" else 15)).astype(np.float32)
    options: dict[str, Any] = {"codec": "hevc", "color": "pq", "light": light}
    found = telecine.probe(export_video(clip, tmp_path / "clip.mp4", width=48, **options)).content_light
    truth = np.array([expected(frame, 48, 32) for frame in clip])
    given = telecine.probe(export_video(truth.clip(0), tmp_path / "given.mp4", **options)).content_light
    assert found == given


def test_what_lanczos_overshoots_is_no_error_and_what_is_out_of_range_is_one() -> None:
    edges = np.zeros((48, 64, 3), np.float32)
    edges[:, 32:] = 1
    assert scaled(edges, 100, 48).min() == 0
    assert scaled(edges, 100, 48).max() == 1
    signed = scaled(edges * 2 - 1, 100, 48, (-1, 1))
    assert (signed.min(), signed.max()) == (-1, 1)
    outside = edges.copy()
    outside[5, 5, 0] = 1.5  # of which the mean with its neighbours would be in range
    with pytest.raises(FrameError, match=r"frame 0 is float32 with values from 0 to 1\.5, not \[0, 1\]"):
        scaled(outside, 8, 6)
    outside[5, 5, 0] = np.nan
    with pytest.raises(FrameError, match="frame 0 has 1 NaN or infinite values of 9216"):
        scaled(outside, 8, 6)
    with pytest.raises(FrameError, match="frame 0 is uint8, whose range is"):
        scaled(np.zeros((48, 64, 3), np.uint8), 8, 6, (-1, 1))


def test_a_tensor_on_an_accelerator_comes_to_the_host() -> None:
    tensor = torch.from_numpy(NOISE.astype(np.float32))
    with entered(Accelerator()) as accelerator:
        found = scaled(OnDevice(tensor), 33, 25)
        assert len(accelerator.crossed) == 1
    assert (found == scaled(tensor, 33, 25)).all()


# ---- sizes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "width", "height", "size", "note"),
    [
        ((720, 480), None, 240, (360, 240), "scaled from 720x480 to 360x240, by Lanczos"),
        ((720, 480), 360, None, (360, 240), "scaled from 720x480 to 360x240, by Lanczos"),
        ((720, 480), 360, 240, (360, 240), "scaled from 720x480 to 360x240, by Lanczos"),
        ((101, 50), None, 25, (51, 25), "scaled from 101x50 to 51x25, by Lanczos"),
        ((101, 50), 51, 25, (51, 25), "scaled from 101x50 to 51x25, by Lanczos"),
        ((100, 6), 3, None, (3, 1), "scaled from 100x6 to 3x1, by Lanczos"),
        ((64, 48), 64, 24, (64, 24), "scaled from 64x48 to 64x24, by Lanczos, which changes the shape of the picture"),
        ((64, 48), 64, None, (64, 48), None),
        ((64, 48), None, np.int64(48), (64, 48), None),
    ],
)
def test_the_other_side_follows_from_the_shape(
    given: tuple[int, int], width: Any, height: Any, size: tuple[int, int], note: str | None
) -> None:
    notes = Notes()
    frame = Scaler(width, height, "auto", notes).scaled(recognised(np.zeros((*given[::-1], 3), np.uint8)))
    assert frame.size == size
    assert notes == ([] if note is None else [note])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"height": 0}, "height=0 is no size: use a whole number of pixels, 1 to 65535"),
        ({"width": -2}, "width=-2 is no size"),
        ({"height": True}, "height=True is no size"),
        ({"height": 240.0}, r"height=240\.0 is no size"),
        ({"width": "240"}, "width='240' is no size"),
        ({"height": 1 << 20}, "height=1048576 is no size"),
        ({"height": 60_000, "width": 60_000}, "frames scaled to 60000x60000 would be too large"),
    ],
)
def test_a_size_that_is_none_is_refused_before_the_first_frame(options: dict[str, Any], said: str, path: Path) -> None:
    frames = Asked(noise())
    with pytest.raises(OptionError, match=said):
        export_video(frames, path, **options)
    assert frames.count == 0
    assert_untouched(path)


def test_a_size_that_follows_and_is_too_large_is_refused_before_memory_is_taken(path: Path) -> None:
    with pytest.raises(OptionError, match="frames scaled to 65535x4096 would be too large for FFmpeg"):
        export_video(np.zeros((2, 4, 64, 3), np.uint8), path, width=65535, layout="THWC")
    assert path.read_bytes() == OLDER


@pytest.mark.parametrize("name", ["clip.mp4", "clip.gif", "clip.webp"])
def test_the_frames_own_size_changes_no_byte(name: str, tmp_path: Path) -> None:
    video = export_video(noise(), tmp_path / name, width=64, height=48)
    assert video.notes == ()
    export_video(noise(), tmp_path / f"other-{name}")
    assert (tmp_path / name).read_bytes() == (tmp_path / f"other-{name}").read_bytes()


# ---- what is written -----------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::telecine.errors.TelecineWarning")  # WebM and Matroska do not play everywhere
@pytest.mark.parametrize("format", ["mp4", "mov", "webm", "mkv", "gif", "webp", "apng", "avif"])
def test_every_moving_output_takes_it(format: Any, tmp_path: Path) -> None:
    clip = np.round(waves(4) * 255).astype(np.uint8)
    video = export_video(iter(clip), tmp_path / f"clip.{format}", height=24)
    assert (video.width, video.height, video.frame_count) == (32, 24, 4)
    assert "scaled from 64x48 to 32x24, by Lanczos" in video.notes
    found = np.array(list(telecine.read_frames(video)), np.float64)
    truth = np.array([expected(frame, 32, 24) for frame in clip])
    assert np.abs(found - truth).mean() < (12 if format == "gif" else 4)  # which has few colours


@pytest.mark.parametrize("format", ["png", "tiff"])
def test_folders_of_images_hold_what_is_scaled(format: Any, tmp_path: Path) -> None:
    clip = noise()
    video = export_video(clip, tmp_path / "clip", format=format, height=24)
    found = np.array([np.asarray(Image.open(video.path / name)) for name in names_in(video.path)])
    assert (found == [scaled(frame, 32, 24) for frame in clip]).all()


def test_odd_sizes_are_padded_as_ever(tmp_path: Path) -> None:
    video = export_video(noise(), tmp_path / "clip.mp4", width=33, height=25)
    assert (video.width, video.height, video.padding) == (34, 26, (1, 1))
    assert video.notes[0].startswith("scaled from 64x48 to 33x25")
    assert video.notes[1].startswith("33x25 is padded")


@pytest.mark.filterwarnings("ignore::telecine.errors.TelecineWarning")  # FFV1 does not play everywhere
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_deep_frames_stay_deep(dtype: str, tmp_path: Path) -> None:
    clip = np.round(waves(2) * 65535) if dtype == "uint16" else waves(2)
    options: dict[str, Any] = {"codec": "ffv1", "pixel_format": "gbrp16le", "height": 24}
    video = export_video(clip.astype(dtype), tmp_path / "clip.mkv", **options)
    with av.open(os.fspath(video.path)) as file:
        found = np.array([frame.to_ndarray(format="rgb48le") for frame in file.decode(video=0)], np.float64)
    truth = np.array([expected(frame, 32, 24) for frame in clip]) * (1 if dtype == "uint16" else 65535)
    assert np.abs(found - truth).max() < 0.55


def test_files_of_frames_are_scaled_and_sound_and_times_are_as_without(tmp_path: Path) -> None:
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 4000).astype(np.float32)
    times = [0, 0.1, 0.5, 0.6]
    options: dict[str, Any] = {"timestamps": times, "audio": sound, "audio_rate": 8000, "hold": 0.3}
    whole = export_video(noise(4), tmp_path / "whole.mp4", **options)
    half = export_video(noise(4), tmp_path / "half.mp4", height=24, **options)
    assert (half.duration, half.frame_count, half.height) == (whole.duration, 4, 24)
    assert telecine.read_timestamps(half) == telecine.read_timestamps(whole)
    assert telecine.probe(half).audio == telecine.probe(whole).audio
    again = export_video(whole.path, tmp_path / "again.mp4", height=24, audio=whole.path, timestamps=times)
    assert (again.width, again.height, again.frame_count) == (32, 24, 4)
    folder = export_video(noise(4), tmp_path / "folder", format="png").path
    assert export_video(folder, tmp_path / "of-images.gif", width=16).height == 12


def test_the_last_frame_is_the_one_that_is_encoded(tmp_path: Path) -> None:
    clip = noise()
    export_video(clip, tmp_path / "clip.mp4", height=24, last_frame=tmp_path / "last.png")
    found = cv2.imread(os.fspath(tmp_path / "last.png"))
    assert found is not None
    assert (found[:, :, ::-1] == scaled(clip[-1], 32, 24)).all()


def test_verify_names_both_sizes(tmp_path: Path) -> None:
    video = export_video(noise(), tmp_path / "clip.mp4", height=24)
    assert telecine.verify(video, noise()).problems[0] == "the file is 32x24, the frames 64x48"
    assert telecine.verify(video, [scaled(frame, None, 24) for frame in noise()]).frame_count == 5


def test_chunks_of_a_writer_are_scaled_alike(tmp_path: Path) -> None:
    clip = noise(6)
    with VideoWriter(tmp_path / "clip.mp4", height=24) as writer:
        writer.write(clip[:4])
        writer.write(torch.from_numpy(clip[4]))
        writer.write([Image.fromarray(clip[5])])
    assert writer.video.notes == ("scaled from 64x48 to 32x24, by Lanczos",)
    assert writer.video.path.read_bytes() == export_bytes(clip, height=24)
