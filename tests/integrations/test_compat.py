"""The drop-in functions beside the originals: torchvision's grid, mediapy's `write_video`, CogVideo's log in wandb."""

from __future__ import annotations

import inspect
import shutil
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

import telecine
from telecine import FrameError, OptionError, TelecineWarning
from telecine.compat import save_video, save_video_as_grid_and_mp4, save_videos_grid
from telecine.compat.mediapy import write_video

from ..compat.clips import FRAMES, HEIGHT, WIDTH, assert_pixels, shades

pytestmark = pytest.mark.slow  # torchvision takes seconds to be imported

# ---- torchvision's grid --------------------------------------------------------------------------------------------


def grid_of(batch: torch.Tensor, columns: int, **how: Any) -> npt.NDArray[np.float64]:
    make_grid = import_module("torchvision.utils").make_grid
    frames = [make_grid(frames, nrow=columns, **how) for frames in batch.unbind(2)]
    return torch.stack(frames).permute(0, 2, 3, 1).double().numpy()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("count", "columns"), [(1, 6), (2, 1), (2, 6), (5, 3), (9, 4)])
def test_a_grid_is_torchvisions(count: int, columns: int, channels: int, tmp_path: Path) -> None:
    batch = 2 * torch.rand((count, channels, 3, 9, 14), generator=torch.Generator().manual_seed(0)) - 1
    expected = {
        "rescaled": (grid_of(batch, columns) + 1) / 2,
        "zero to one": grid_of(batch.abs(), columns),
        "normalized": grid_of(batch, columns, normalize=True, value_range=(-1, 1)),
        "of a range": grid_of(batch.clamp(-0.5, 0.25), columns, normalize=True, value_range=(-0.5, 0.25)),
    }
    save_videos_grid(batch, tmp_path / "rescaled.apng", True, columns)
    save_videos_grid(batch.abs(), tmp_path / "zero to one.apng", n_rows=columns)
    save_video(batch, tmp_path / "normalized.apng", nrow=columns)
    save_video(batch, tmp_path / "of a range.apng", nrow=columns, value_range=(-0.5, 0.25))
    for name, values in expected.items():
        found = np.array([frame[..., :3] for frame in telecine.read_frames(tmp_path / f"{name}.apng")])
        assert found.shape == values.shape
        assert np.abs(found - 255 * values).max() <= 0.501


# ---- mediapy -------------------------------------------------------------------------------------------------------


def test_the_signature_is_that_of_mediapy() -> None:
    theirs = inspect.signature(import_module("mediapy").write_video).parameters.values()
    ours = inspect.signature(write_video).parameters.values()
    assert [(each.name, each.default, each.kind) for each in ours] == [
        (each.name, each.default, each.kind) for each in theirs
    ]


def test_every_keyword_of_mediapys_writer_is_known(tmp_path: Path) -> None:
    theirs = inspect.signature(import_module("mediapy").VideoWriter).parameters.values()
    keywords = {each.name: each.default for each in theirs if each.kind is each.KEYWORD_ONLY and each.name != "dtype"}
    write_video(tmp_path / "clip.mp4", shades(), **keywords)
    assert telecine.probe(tmp_path / "clip.mp4").fps == 60
    for unknown in ("dtype", "shape", "quality"):  # of which mediapy gives the first two itself
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{unknown}'"):
            write_video(tmp_path / "clip.mp4", shades(), **{unknown: None})  # type: ignore[arg-type]


def given_as(kind: str) -> Any:
    frames = shades()
    return {
        "uint8": frames,
        "float32": frames.astype(np.float32) / 255,
        "float64 list": list(frames / 255),
        "float16": (frames / 255).astype(np.float16),
        "uint16": frames.astype(np.uint16) * 257,
        "iterator": iter(frames),
    }[kind]


@pytest.mark.parametrize("kind", ["uint8", "float32", "float64 list", "float16", "uint16", "iterator"])
def test_images_are_what_mediapy_takes_them_for(kind: str, tmp_path: Path) -> None:
    assert write_video(tmp_path / "clip.mp4", given_as(kind), fps=12) is None  # type: ignore[func-returns-value]
    assert telecine.probe(tmp_path / "clip.mp4").fps == 12
    assert_pixels(str(tmp_path / "clip.mp4"), shades())


@pytest.mark.parametrize("kind", ["array", "list", "bool"])
def test_images_of_two_axes_are_gray(kind: str, tmp_path: Path) -> None:
    gray = np.full((3, HEIGHT, WIDTH), 255, np.uint8)  # three frames, no channels
    images: Any = {"array": gray, "list": list(gray), "bool": gray > 0}[kind]
    write_video(tmp_path / "clip.mp4", images, input_format="gray")
    found = np.array(list(telecine.read_frames(tmp_path / "clip.mp4")))
    assert found.shape == (3, HEIGHT, WIDTH, 3)
    assert found.min() > 250


@pytest.mark.parametrize("shape", [(3, 3, 64, 3), (3, 4, 4, 3), (4, 6, 3, 3)])
def test_the_last_axis_is_colours(shape: tuple[int, ...], tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", np.zeros(shape, np.uint8))
    assert telecine.probe(tmp_path / "clip.mp4").frame_count == shape[0]


@pytest.mark.parametrize("rate", ["bps", "qp", "crf"])
def test_a_rate_sets_the_size(rate: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    sizes = []
    for value in {"bps": (2_000_000, 200_000), "qp": (10, 40), "crf": (10.5, 40)}[rate]:
        write_video(tmp_path / "clip.mp4", noise, fps=30, **{rate: value})  # type: ignore[arg-type]
        sizes.append((tmp_path / "clip.mp4").stat().st_size)
    assert sizes[0] > 1.5 * sizes[1]


def test_metadata_gives_the_rates(tmp_path: Path) -> None:
    mediapy = import_module("mediapy")
    metadata = mediapy.VideoMetadata(FRAMES, (HEIGHT, WIDTH), 24000 / 1001, 300_000)
    images = mediapy._VideoArray(shades(), metadata)  # as its read_video gives
    write_video(tmp_path / "own.mp4", images)
    write_video(tmp_path / "given.mp4", shades(), metadata=metadata)
    write_video(tmp_path / "other.mp4", images, fps=10, crf=30)
    assert telecine.probe(tmp_path / "own.mp4").fps == telecine.probe(tmp_path / "given.mp4").fps
    assert telecine.probe(tmp_path / "own.mp4").fps == Fraction(24000, 1001)
    assert telecine.probe(tmp_path / "other.mp4").fps == 10


def test_a_gif_is_written_at_25_fps(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.gif", shades(), codec="gif", qp=3, encoded_format="yuv420p")  # of no use there too
    with Image.open(tmp_path / "clip.gif") as gif:
        assert (gif.format, getattr(gif, "n_frames", 1), gif.info["duration"]) == ("GIF", FRAMES, 40)


def test_a_codec_and_a_pixel_format_are_taken(tmp_path: Path) -> None:
    with pytest.warns(TelecineWarning, match="does not play everywhere"):
        write_video(tmp_path / "clip.mp4", given_as("uint16"), codec="hevc", encoded_format="yuv420p10le")
    info = telecine.probe(tmp_path / "clip.mp4")
    assert (info.codec, info.pixel_format) == ("hevc", "yuv420p10le")


def test_an_odd_size_still_plays_everywhere(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", shades(65, 49))  # of which mediapy makes yuv444p
    info = telecine.probe(tmp_path / "clip.mp4")
    assert (info.pixel_format, info.width, info.height) == ("yuv420p", 66, 50)


@pytest.mark.parametrize("given", ["-g 1 -bf 0", ["-g", "1", "-bf", "0"]])
def test_options_of_an_encoder_are_taken(given: Any, tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", shades(), ffmpeg_args=given)
    with import_module("av").open(str(tmp_path / "clip.mp4")) as container:
        keys = [packet.is_keyframe for packet in container.demux(video=0) if packet.size]
    assert keys == FRAMES * [True]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"qp": 20, "crf": 20}, "qp=20 and crf=20 contradict: give one"),
        ({"ffmpeg_args": "-vf scale=32:32"}, "no option 'vf'"),
        ({"ffmpeg_args": "-an"}, "no options of an encoder"),
        ({"ffmpeg_args": ["30", "-g"]}, "no options of an encoder"),
        ({"input_format": "yuv"}, "mediapy.rgb_from_yuv"),
        ({"input_format": "bgr"}, "use 'rgb' or 'gray'"),
        ({"codec": "gif"}, "for a file that ends in .gif"),
        ({"codec": "mpeg4"}, "'mpeg4' is not known"),
        ({"encoded_format": "yuv411p"}, "pixel_format='yuv411p' does not go with h264"),
        ({"fps": 0}, "fps=0"),
        ({"bps": 3}, "bitrate=3"),
        ({"metadata": 3}, "metadata=3 has no fps"),
    ],
)
def test_what_is_not_taken_is_refused(arguments: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=said):
        write_video(tmp_path / "clip.mp4", shades(), **arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("images", "said"),
    [
        ([], "no frames"),
        (None, "iterable of images"),
        (np.zeros((48, 64, 3), np.uint8), r"is one image: give \[image\]"),
    ],
)
def test_images_that_are_none_are_refused(images: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(FrameError, match=said):
        write_video(tmp_path / "clip.mp4", images)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="mediapy runs ffmpeg, which is not installed")
def test_mediapy_itself_writes_the_same_picture(tmp_path: Path) -> None:
    import_module("mediapy").write_video(tmp_path / "theirs.mp4", shades(), fps=12, crf=10)
    write_video(tmp_path / "ours.mp4", shades(), fps=12, crf=10)
    theirs, ours = (np.array(list(telecine.read_frames(tmp_path / f"{who}.mp4"))) for who in ("theirs", "ours"))
    assert np.abs(theirs.astype(int) - ours).mean() < 2


# ---- CogVideo's training -------------------------------------------------------------------------------------------


def test_a_training_of_cogvideo_has_its_clips_in_wandb(tmp_path: Path) -> None:
    wandb = import_module("wandb")
    settings = wandb.Settings(console="off", x_disable_meta=True, x_disable_stats=True)
    batch = torch.from_numpy(np.stack([shades(), shades()])).permute(0, 1, 4, 2, 3) / 255
    args = SimpleNamespace(wandb=True, iteration=99)
    with wandb.init(project="panda", dir=str(tmp_path), mode="offline", settings=settings) as run:
        save_video_as_grid_and_mp4(batch, str(tmp_path / "clips"), 1, 8, args, "samples")
        save_video_as_grid_and_mp4(batch, str(tmp_path / "sampled"), 8, args, "not logged")  # as sample_video.py does
        media = Path(run.dir) / "media" / "videos"
        logged = {path.name[: len("samples_video_0")]: path.read_bytes() for path in media.rglob("*.mp4")}
    wandb.teardown()  # its service, which is a process
    names = ("samples_video_0", "samples_video_1")
    assert logged == {name: (tmp_path / "clips" / f"00000{name[-1]}.mp4").read_bytes() for name in names}
