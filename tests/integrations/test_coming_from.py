"""docs/coming-from.md: each call is run, theirs where its library is there, and what it wrote is measured."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Callable, Iterator
from fractions import Fraction
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import matplotlib
import numpy as np
import numpy.typing as npt
import pytest
import torch
from matplotlib import pyplot
from matplotlib.animation import FuncAnimation
from PIL import Image

import telecine
import telecine.compat
import telecine.compat.torchvision
import telecine.integrations.matplotlib

from ..support.chart import PATCHES, chart, patches_of
from ..support.documents import blocks_of, run_command
from ..support.helpers import ROOT, failing_at, waves

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

PATH = ROOT / "docs" / "coming-from.md"
PAGE = PATH.read_text(encoding="utf-8")
Array = npt.NDArray[np.uint8]

# Where the names of their calls are from; of Wan and HunyuanVideo the drop-ins stand for what is no package.
LIBRARIES = {
    "export_to_video": "diffusers.utils",
    "encode_video": "diffusers.utils",
    "export_to_gif": "diffusers.utils",
    "imageio": "imageio",
    "iio": "imageio.v3",
    "mediapy": "mediapy",
    "ImageSequenceClip": "moviepy",
    "write_video": "telecine.compat.torchvision",
    "VideoEncoder": "torchcodec.encoders",
    "animation": "matplotlib",
    "save_video": "telecine.compat",
    "save_videos_grid": "telecine.compat",
}
MODULES = {"imageio", "iio", "mediapy"}


def rows(heading: str) -> list[list[str]]:
    """The cells of the table that has a heading, without it."""
    table = PAGE[PAGE.index(heading) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]


CALLS = {f"{of}, {call}": (call, ours) for of, call, ours in rows("| of | there | here |")}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder, and a program ffmpeg that is not the machine's."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "ffmpeg").symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(matplotlib.rcParams, "animation.ffmpeg_path", str(programs / "ffmpeg"))
    yield tmp_path
    pyplot.close("all")


def animation_of(array: Array) -> FuncAnimation:
    """An animation whose figure is each frame, pixel by pixel."""
    count, height, width, _ = array.shape
    figure = pyplot.figure(figsize=(width / 100, height / 100), dpi=100)
    image = figure.figimage(array[0])
    return FuncAnimation(figure, lambda index: image.set_data(array[index]), frames=count)


def names_of(array: Array) -> dict[str, Any]:
    tensor = torch.from_numpy(array).permute(0, 3, 1, 2)
    floats = tensor.movedim(0, 1)[None] / 255
    return {
        "array": array,
        "frames": [Image.fromarray(frame) for frame in array],
        "bgr": np.ascontiguousarray(array[..., ::-1]),
        "tensor": tensor,
        "floats": floats,
        "batch": 2 * floats - 1,
        "samples": torch.zeros(2, 48_000 * len(array) // 16),
        "telecine": telecine,
    }


def run(code: str, array: Array) -> None:
    """Run a call or a block, with what it names: the reader's own values, and a library that may not be there."""
    names = names_of(array)
    for name, library in LIBRARIES.items():
        if re.search(rf"\b{name}\b", code) and name not in names:
            module = pytest.importorskip(library)
            names[name] = module if name in MODULES else getattr(module, name, None)
    if "animation" in names:
        names["animation"] = animation_of(array)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        exec(code, names)


def clip(count: int = 12, width: int = 64, height: int = 48) -> Array:
    return np.rint(255 * waves(count, height, width)).astype(np.uint8)


# ---- the calls ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CALLS)
def test_their_call_and_ours_write_the_frames(name: str) -> None:
    theirs, ours = (cell.strip("`") for cell in CALLS[name])
    suffix = ".gif" if "a.gif" in ours else ".mp4"
    frames = clip()
    run(ours, frames)
    info = telecine.probe("a" + suffix)
    fps = Fraction(24 if "fps=24" in ours else 16)
    assert (info.width, info.height, info.frame_count, info.duration) == (64, 48, 12, 12 / fps)
    assert suffix == ".gif" or info.fps == fps
    assert suffix == ".gif" or telecine.verify("a.mp4", frames).ok
    Path("a" + suffix).unlink()
    run(theirs, frames)
    info = telecine.probe("a" + suffix)
    assert (info.width, info.height, info.frame_count) == (64, 48, 12)


@pytest.mark.parametrize(
    "block", [block for block in blocks_of(PATH) if block.is_python], ids=lambda block: block.place
)
def test_both_loops_of_a_block_write_the_frames(block: Any) -> None:
    frames = clip()
    run(block.text, frames)
    assert telecine.verify("ours.mp4", frames).ok
    assert telecine.probe("theirs.mp4").frame_count == 12


def test_the_command_takes_a_folder() -> None:
    Path("frames").mkdir()
    for index, frame in enumerate(clip()):
        Image.fromarray(frame).save(f"frames/{index:06}.png")
    (command,) = [block.text for block in blocks_of(PATH) if not block.is_python]
    assert run_command(command) == 0
    assert telecine.verify("clip.mp4", clip()).ok


# ---- what is different in the file ----------------------------------------------------------------------------------

FACTS = {row[0]: row[1:] for row in rows("| of | tags |")}
LOOPS = {"OpenCV": "cv2.VideoWriter", "imageio v2, `get": "imageio.get_writer", "PyAV": "av.open", "ffmpeg": "rawvideo"}


def code_of(name: str) -> str:
    """What writes "a.mp4" at 16 fps: a call of the first table, or the first half of a block."""
    for beginning, part in LOOPS.items():
        if name.startswith(beginning):
            (text,) = (block.text for block in blocks_of(PATH) if part in block.text)
            return text.split("\n\nwith telecine")[0].split("\n\ntelecine")[0].replace("theirs.mp4", "a.mp4")
    if name == "telecine":
        return 'telecine.export_video(array, "a.mp4", fps=16)'
    of, _, function = name.replace("`", "").partition(", ")
    (code,) = (call.strip("`") for key, (call, _) in CALLS.items() if key.startswith(of) and function in call)
    return code.replace(", samples, 48000", "")


def tags_of(info: telecine.VideoInfo) -> str:
    names = {info.color.matrix_name, info.color.primaries_name, info.color.transfer_name}
    return "none" if names == {"unspecified"} else "all" if "unspecified" not in names else "some"


def setting_of(path: Path) -> str:
    """What x264 notes of itself in the stream."""
    found = re.search(rb"options: (.*?)\x00", path.read_bytes())
    if found is None:
        return "MPEG-4"
    options = dict(each.split("=") for each in found[1].decode().split() if "=" in each)
    name = "crf" if options["rc"] == "crf" else "qp"
    return f"{name} {float(options[name]):g}"


def said(measure: Callable[[], str]) -> str:
    try:
        return measure()
    except Exception as error:
        if isinstance(error, pytest.skip.Exception):
            raise
        return "an error"


def measured(name: str) -> list[str]:
    code = code_of(name)

    def wrote(array: Array, fps: str = "16") -> telecine.VideoInfo:
        run(re.sub(r"\b16\b", fps, code), array)
        return telecine.probe("a.mp4")

    def size() -> str:
        info = wrote(clip(width=65, height=49))
        chroma = {"yuv420p": "4:2:0", "yuv444p": "4:4:4"}[info.pixel_format]
        return f"{info.width}\N{MULTIPLICATION SIGN}{info.height}, {chroma}"

    large = wrote(np.stack([chart(1360, 768)] * 4))
    off = max(np.abs(patches_of(frame) - PATCHES).max() for frame in telecine.read_frames("a.mp4"))
    index, setting = "in front" if large.index_in_front else "behind", setting_of(Path("a.mp4"))
    rate, count = said(lambda: str(wrote(clip(), "29.97").fps)), said(lambda: str(wrote(clip(7), "24").frame_count))
    return [tags_of(large), f"{off:.0f}", said(size), rate, count, index, setting]


@pytest.mark.parametrize("name", FACTS)
def test_a_row_of_the_table_is_what_the_call_wrote(name: str) -> None:
    assert FACTS[name] == measured(name)


# ---- what they do without a word ------------------------------------------------------------------------------------


def gray_of(path: str) -> int:
    return round(float(next(telecine.read_frames(path)).mean()))


def test_diffusers_makes_other_pixels_of_uint8_minus_one_and_nan_which_are_errors_here() -> None:
    export_to_video = import_module("diffusers.utils").export_to_video
    for frames, there, words in (
        (np.full((12, 48, 64, 3), 100, np.uint8), 156, None),
        (np.full((12, 48, 64, 3), -0.5, np.float32), 129, r"value_range=\(-1, 1\)"),
        (np.full((12, 48, 64, 3), np.nan, np.float32), 0, "frame 0"),
    ):
        with warnings.catch_warnings(action="ignore"):
            export_to_video(list(frames), "theirs.mp4", fps=16)
        assert gray_of("theirs.mp4") == there
        if words is None:
            assert gray_of(telecine.export_video(frames, "ours.mp4", fps=16)) == 100
        else:
            with pytest.raises(telecine.FrameError, match=words):
                telecine.export_video(frames, "ours.mp4", fps=16)


def test_a_gif_and_sound_of_diffusers_are_shorter() -> None:
    utils = import_module("diffusers.utils")
    frames, sound = names_of(clip(24))["frames"], torch.zeros(2, 12_000)
    utils.export_to_gif(frames, "theirs.gif", fps=16)
    assert telecine.probe("theirs.gif").duration == Fraction(144, 100)
    assert telecine.export_video(frames, "ours.gif", fps=16).duration == Fraction(3, 2)
    with contextlib.redirect_stderr(io.StringIO()):
        utils.encode_video(frames, 16, "theirs.mp4", sound, 48_000)
    telecine.export_video(frames, "ours.mp4", fps=16, audio=sound, audio_rate=48_000)
    for path, seconds in (("theirs.mp4", 0.25), ("ours.mp4", 1.5)):
        audio = telecine.probe(path).audio
        assert audio is not None
        assert audio.duration == pytest.approx(seconds, abs=0.03)  # a packet of AAC


def test_their_default_rates_are_as_said() -> None:
    utils, compat = import_module("diffusers.utils"), telecine.compat
    for function, fps in (
        (utils.export_to_video, 10),
        (utils.export_to_gif, 10),
        (import_module("mediapy").write_video, 60),
        (compat.save_video, 30),
        (compat.save_videos_grid, 8),
    ):
        default = signature(function).parameters.get("fps")
        assert default is None or default.default == fps
    run('imageio.mimwrite("a.mp4", array)', clip())
    assert telecine.probe("a.mp4").fps == 10


def test_imageio_at_quality_8_which_wan_asks_for_is_crf_10() -> None:
    run('imageio.mimwrite("a.mp4", array, fps=16, quality=8)', clip())
    assert setting_of(Path("a.mp4")) == "crf 10"


class Failing:
    """300 frames, as far as its shape says: the model fails at frame 150."""

    shape = (300, 48, 64, 3)

    def __iter__(self) -> Iterator[Array]:
        return failing_at(150, clip(300), RuntimeError("out of memory"))


@pytest.mark.parametrize("name", ["imageio v2, `get_writer`", "PyAV, by hand"])
def test_a_model_that_fails_costs_them_the_file_that_was_there(name: str) -> None:
    code = code_of(name)
    run(code, clip())
    older = Path("a.mp4").read_bytes()
    with pytest.raises(RuntimeError, match="out of memory"):
        exec(code, {"array": Failing()})
    assert Path("a.mp4").read_bytes() != older


def test_a_model_that_fails_costs_nothing_here() -> None:
    older = telecine.export_video(clip(), "a.mp4").read_bytes()
    with pytest.raises(RuntimeError, match="out of memory"):
        telecine.export_video(iter(Failing()), "a.mp4")
    assert Path("a.mp4").read_bytes() == older
    assert telecine.recover("a.mp4", "kept.mp4").frame_count == 150
