"""Moving images and folders of images come out of `export_video`, `VideoWriter` and the command as videos do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import telecine
from telecine import FrameError, InputError, OptionError, PublishError, TelecineWarning, VideoWriter, export_video
from telecine.cli.commands import run
from telecine.formats.choices import QualityName

from ..support.helpers import ROOT, Clip, assert_kept, encoding_threads, failing_at, kept_by, names_in, noise, waves

MOVING = ["gif", "webp", "apng", "avif"]
FOLDERS = ["png", "tiff", "jpeg", "exr"]


def soft(count: int = 5, width: int = 63, height: int = 47) -> Clip:
    """A clip of soft colours, of an odd size."""
    return (255 * waves(count, height, width) + 0.5).astype(np.uint8)


def with_alpha(clip: Clip) -> Clip:
    """The clip in a disc whose edge is soft."""
    _, height, width, _ = clip.shape
    down, right = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    alpha = (255 * np.clip(4 * (0.8 - np.hypot(down, right)), 0, 1)).astype(np.uint8)
    return np.concatenate([clip, np.broadcast_to(alpha[..., None], (*clip.shape[:3], 1))], axis=3)


def by_pillow(path: os.PathLike[str], mode: str = "RGB") -> tuple[npt.NDArray[np.uint8], list[float]]:
    """A moving image's frames, and how many milliseconds each is shown."""
    with Image.open(path) as image:
        frames, times = [], []
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            frames.append(np.array(image.convert(mode)))
            times.append(image.info.get("duration", 0))
    return np.array(frames), times


def images_in(folder: Path) -> npt.NDArray[Any]:
    """The images of a folder, in the order of their names."""
    return np.array([np.array(Image.open(each)) for each in sorted(folder.iterdir())])


# ---- moving images -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("format", "error"), [("gif", 14), ("webp", 3), ("apng", 0), ("avif", 2.5)])
def test_a_moving_image_is_picked_by_its_extension(format: str, error: float, tmp_path: Path) -> None:
    video = export_video(soft(), tmp_path / f"clip.{format}", fps=20)
    found, times = by_pillow(video)
    assert (video.width, video.height, video.frame_count, video.duration) == (63, 47, 5, Fraction(1, 4))
    assert (video.codec, video.padding, video.notes) == (format, (0, 0), ())
    assert video.fps == 20
    assert video.size_bytes == video.path.stat().st_size
    assert found.shape == (5, 47, 63, 3)
    assert np.sqrt(np.square(found.astype(float) - soft()).mean((1, 2, 3))).max() <= error
    assert times == [50] * 5
    assert names_in(tmp_path) == [f"clip.{format}"]
    assert encoding_threads() == []


@pytest.mark.parametrize("format", MOVING)
def test_a_format_goes_before_the_extension(format: Any, tmp_path: Path) -> None:
    export_video(soft(2), tmp_path / "clip.bin", fps=20, format=format)
    assert len(by_pillow(tmp_path / "clip.bin")[0]) == 2


@pytest.mark.parametrize("format", MOVING)
def test_a_moving_image_without_a_path_has_its_extension(format: Any) -> None:
    video = export_video(soft(2), fps=20, format=format)
    assert video.path.suffix == f".{format}"
    video.path.unlink()


@pytest.mark.parametrize("format", ["webp", "apng"])
@pytest.mark.parametrize("clip", [noise(), with_alpha(soft())])
def test_lossless_moving_images_give_back_the_same_pixels(format: str, clip: Clip, tmp_path: Path) -> None:
    video = export_video(clip, tmp_path / f"clip.{format}", quality="lossless")
    assert np.array_equal(by_pillow(video, "RGBA" if clip.shape[3] == 4 else "RGB")[0], clip)


def test_float_frames_are_rounded_to_8_bit_once(tmp_path: Path) -> None:
    clip = np.random.default_rng(3).random((3, 3, 16, 20)).astype(np.float32)  # TCHW
    video = export_video(2 * clip - 1, tmp_path / "clip.apng", value_range=(-1, 1), layout="TCHW")
    expected = np.floor(255 * ((2 * clip - 1).astype(np.float64) + 1) / 2 + 0.5)
    assert np.array_equal(by_pillow(video)[0], expected.transpose(0, 2, 3, 1))


@pytest.mark.parametrize("format", MOVING)
def test_timestamps_and_a_held_last_frame_are_kept(format: str, tmp_path: Path) -> None:
    video = export_video(soft(4), tmp_path / f"clip.{format}", timestamps=[1, 1.1, 1.5, 1.75], hold=2)
    assert by_pillow(video)[1] == [100, 400, 250, 2000]
    assert video.duration == Fraction(11, 4)
    assert video.notes == ("the video begins with its first frame: its timestamps count from 1 s",)


@pytest.mark.parametrize("format", MOVING)
def test_the_last_frame_is_repeated(format: str, tmp_path: Path) -> None:
    frames, times = by_pillow(export_video(soft(3), tmp_path / f"clip.{format}", fps=10, repeat=4))
    assert sum(times) == pytest.approx(700)  # equal frames may be one that is shown longer
    assert np.abs(frames[-1].astype(int) - soft(3)[-1]).mean() < 6


@pytest.mark.parametrize("format", ["gif", "webp", "apng"])
def test_loops_are_written(format: str, tmp_path: Path) -> None:
    with Image.open(export_video(soft(3), tmp_path / f"clip.{format}", loops=3)) as image:
        assert image.info["loop"] == (2 if format == "gif" else 3)  # Netscape's block counts what follows the first


@pytest.mark.parametrize("format", MOVING)
def test_a_writer_takes_frames_as_they_come(format: str, tmp_path: Path) -> None:
    with VideoWriter(tmp_path / f"clip.{format}", fps=20) as writer:
        for frame in soft(6):
            writer.write(Image.fromarray(frame))
    assert writer.video.frame_count == len(by_pillow(writer.video)[0]) == 6


def test_a_notebook_shows_a_moving_image_as_an_image(tmp_path: Path) -> None:
    shown = export_video(soft(2), tmp_path / "clip.gif")._repr_html_()
    assert shown.startswith('<img width="63" ')
    assert 'src="data:image/gif;base64,R0lGODlh' in shown


# ---- alpha ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["webp", "apng", "avif"])
def test_alpha_is_kept(format: str, tmp_path: Path) -> None:
    clip = with_alpha(soft())
    found, _ = by_pillow(export_video(clip, tmp_path / f"clip.{format}"), "RGBA")
    assert np.abs(found[..., 3].astype(int) - clip[..., 3]).mean() < 3


def test_gif_shows_a_pixel_or_not_and_says_so(tmp_path: Path) -> None:
    clip = with_alpha(soft())
    video = export_video(clip, tmp_path / "clip.gif")
    assert video.notes == ("alpha is on or off in gif: pass background= for soft edges",)
    assert np.array_equal(by_pillow(video, "RGBA")[0][..., 3], np.where(clip[..., 3] >= 128, 255, 0))


@pytest.mark.parametrize("format", ["apng", "png"])
def test_alpha_is_composited_in_encoded_values_on_a_background(format: Any, tmp_path: Path) -> None:
    clip = with_alpha(soft(2))
    video = export_video(clip, tmp_path / "clip", format=format, background=(1, 0.5, 0))
    found = by_pillow(video)[0] if format == "apng" else images_in(video.path)
    alpha = clip[..., 3:] / 255
    expected = alpha * clip[..., :3] + (1 - alpha) * 255 * np.array([1, 0.5, 0])
    assert np.abs(found - expected).max() <= 0.5 + 1e-9


def test_what_holds_no_alpha_is_composited_on_black_with_a_warning(tmp_path: Path) -> None:
    with pytest.warns(TelecineWarning, match="transparent pixels are shown on black") as warned:
        video = export_video(with_alpha(soft(3)), tmp_path / "clip", format="jpeg")
    assert len(warned) == len(video.notes) == 1
    assert warned[0].filename == __file__
    assert images_in(video.path)[0][0, 0].tolist() == [0, 0, 0]


def test_an_image_without_alpha_after_one_with_it_is_opaque(tmp_path: Path) -> None:
    clip = with_alpha(soft(2))
    video = export_video([Image.fromarray(clip[0]), Image.fromarray(soft(2)[1])], tmp_path / "clip.apng")
    found, _ = by_pillow(video, "RGBA")
    assert np.array_equal(found[0], clip[0])
    assert np.array_equal(found[1], np.dstack([soft(2)[1], np.full((47, 63), 255, np.uint8)]))


# ---- folders -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("format", "extension"), [("png", "png"), ("tiff", "tif"), ("jpeg", "jpg"), ("exr", "exr")])
def test_a_folder_of_images_holds_every_frame(format: Any, extension: str, tmp_path: Path) -> None:
    video = export_video(soft(), tmp_path / "frames", format=format, fps=8)
    assert names_in(video.path) == [f"{index:06d}.{extension}" for index in range(5)]
    assert (video.width, video.height, video.frame_count, video.codec) == (63, 47, 5, format)
    assert video.fps == 8
    assert video.size_bytes == sum(each.stat().st_size for each in video.path.iterdir())
    assert names_in(tmp_path) == ["frames"]


@pytest.mark.parametrize("format", ["png", "tiff"])
def test_16_bit_images_are_rounded_from_the_floats(format: Any, tmp_path: Path) -> None:
    clip = np.random.default_rng(5).random((2, 9, 11, 3))
    video = export_video(clip, tmp_path / "frames", format=format, bit_depth=16)
    expected = np.floor(65535 * clip + 0.5).astype(np.uint16)
    found = [_codes_of_16_bit(each) for each in sorted(video.path.iterdir())]
    assert np.array_equal(found, expected)


def _codes_of_16_bit(path: Path) -> npt.NDArray[np.uint16]:
    import cv2

    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None
    return np.asarray(image[:, :, ::-1], np.uint16)


def test_openexr_holds_the_light_that_is_given_or_that_srgb_means(tmp_path: Path) -> None:
    import OpenEXR

    light = np.float32(4 * np.random.default_rng(5).random((2, 9, 11, 3)))
    encoded = np.minimum(light / 4, 1)
    folders = {
        "given": (export_video(light, tmp_path / "given", format="exr", light="scene-linear"), light),
        "srgb": (
            export_video(encoded, tmp_path / "srgb", format="exr"),
            np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4),  # IEC 61966-2-1
        ),
    }
    for video, expected in folders.values():
        for each, frame in zip(sorted(video.path.iterdir()), expected, strict=True):
            with OpenEXR.File(str(each)) as file:
                assert np.allclose(file.channels()["RGB"].pixels, frame, rtol=2**-10, atol=1e-6)
    with pytest.raises(FrameError, match="light='scene-linear' is for floats"):
        export_video(soft(), tmp_path / "given", format="exr", light="scene-linear")
    with pytest.raises(OptionError, match="light='scene-linear' does not go with png"):
        export_video(light, tmp_path / "given", format="png", light="scene-linear")


def test_the_frames_of_a_folder_can_be_exported_again(tmp_path: Path) -> None:
    folder = export_video(noise(), tmp_path / "frames", format="png")
    video = export_video(folder.path, tmp_path / "clip.apng", quality="lossless")
    assert np.array_equal(by_pillow(video)[0], noise())


def test_jpegs_follow_the_quality(tmp_path: Path) -> None:
    levels: list[QualityName] = ["draft", "balanced", "high", "visually-lossless"]
    sizes = [export_video(noise(2), tmp_path / each, format="jpeg", quality=each).size_bytes for each in levels]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 4


def test_a_folder_replaces_one_of_images_and_nothing_else(tmp_path: Path) -> None:
    export_video(noise(7), tmp_path / "frames", format="png")
    export_video(noise(3), tmp_path / "frames", format="png")
    assert len(names_in(tmp_path / "frames")) == 3
    (tmp_path / "frames" / "notes.txt").write_text("mine")
    with pytest.raises(PublishError, match=r"holds 'notes.txt', which is no numbered image"):
        export_video(noise(3), tmp_path / "frames", format="png")
    assert len(names_in(tmp_path / "frames")) == 4


# ---- what does not go together -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "options", "said"), [
    ("clip.png", {}, "names one image: say format='png' for a folder of them, or format='apng' for an animation"),
    ("clip.jpg", {}, "names one image: say format='jpeg' for a folder of them"),
    ("clip.gif", {"codec": "h264"}, "codec='h264' does not go with gif: leave it out"),
    ("clip.gif", {"crf": 20}, "crf=20 does not go with gif: leave it out"),
    ("clip.webp", {"dither": True}, "dither=True does not go with webp: leave it out"),
    ("clip.apng", {"color": "bt709"}, "color='bt709' does not go with apng: leave it out"),
    ("clip.gif", {"bit_depth": 10}, "bit_depth=10 does not go with gif, which has 8: leave it out"),
    ("clip.gif", {"fps": 60}, "fps=60 is too fast for gif, of which browsers slow down what is above 50"),
    ("clip.gif", {"quality": "lossless"}, "quality='lossless' is not known for gif: use 'draft' or"),
    ("clip.gif", {"loops": -1}, "loops=-1 is not how many times gif can be shown"),
    ("clip.mp4", {"loops": 2}, "loops=2 does not go with mp4: leave it out"),
    ("frames", {"format": "png", "loops": 2}, "loops=2 does not go with png: leave it out"),
    ("frames", {"format": "png", "hold": 2}, "timestamps= and hold= do not go with png, whose images have no times"),
    ("frames", {"format": "png", "bit_depth": 12}, "bit_depth=12 does not go with png: use 8 or 16"),
    ("frames", {"format": "jpeg", "quality": "lossless"}, "quality='lossless' is not known for jpeg: use 'draft'"),
    ("clip.gif", {"hold": 0.001}, "hold=0.001 is no time that this format shows a frame: use 0.02 to 655.35 s"),
])  # fmt: skip
def test_what_a_format_lacks_is_said_before_the_first_frame(
    path: str, options: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(OptionError) as raised:
        VideoWriter(tmp_path / path, **options)
    assert said in str(raised.value)
    assert names_in(tmp_path) == []


def test_timestamps_that_a_format_cannot_keep_are_refused_before_the_first_frame(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"timestamps\[2\]=0.11 does not follow 0.1: .* by 1/50 to 655 seconds"):
        export_video(soft(3), tmp_path / "clip.gif", timestamps=[0, 0.1, 0.11])
    with pytest.raises(OptionError, match="do not go with png, whose images have no times"):
        export_video(soft(3), tmp_path / "frames", format="png", timestamps=[0, 1, 2])
    assert names_in(tmp_path) == []


# ---- what fails ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", MOVING)
def test_a_moving_image_that_fails_keeps_its_frames(format: str, path: Path) -> None:
    path = path.rename(path.with_suffix(f".{format}"))
    with pytest.raises(FrameError, match="NaN") as raised:
        export_video(failing_at(4, [*soft(9)], FrameError("NaN")), path, fps=20)
    assert kept_by(raised.value) == 4
    video = telecine.recover(path)
    assert video.path == path.with_name(f"clip.recovered.{format}")
    assert (video.frame_count, len(by_pillow(video)[0])) == (4, 4)
    assert names_in(path.parent) == sorted([f"clip.{format}", f"clip.recovered.{format}"])


def test_a_folder_that_fails_keeps_its_frames(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="broken") as raised:
        export_video(failing_at(4, [*soft(9)], ValueError("broken")), tmp_path / "frames", format="png")
    assert kept_by(raised.value) in (4, None)
    assert names_in(tmp_path) == [".frames.telecine-frames"]
    video = telecine.recover(tmp_path / "frames")
    assert (video.path, video.frame_count, video.codec, video.width) == (tmp_path / "frames", 4, "png", 63)
    assert np.array_equal(images_in(video.path), soft(9)[:4])


@pytest.mark.parametrize("format", [*MOVING, *FOLDERS])
def test_an_aborted_writer_leaves_nothing(format: Any, tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "made" / "clip", format=format)
    writer.write(soft(4))
    writer.abort()
    assert names_in(tmp_path) == []
    assert encoding_threads() == []


KILLED = """
import os, sys
from telecine import VideoWriter
from tests.output.test_images import soft
writer = VideoWriter(sys.argv[1], fps=20, format=sys.argv[2])
for frame in soft(30):
    writer.write(frame)
while writer.queued:
    pass
os.kill(os.getpid(), 9)
"""


@pytest.mark.slow
@pytest.mark.parametrize("format", ["gif", "png"])
def test_a_killed_writer_is_listed_and_recovered(
    format: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "clip.gif"
    command = [sys.executable, "-c", KILLED, str(path), format]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    hidden = ".clip.gif.telecine-journal" if format == "gif" else ".clip.gif.telecine-frames"
    assert run(["recover", "--list", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path / hidden}\n"
    video = telecine.recover(tmp_path / hidden)
    assert video.path == path
    assert 20 < video.frame_count <= 30
    assert names_in(tmp_path) == ["clip.gif"]


def test_a_videos_journal_makes_no_moving_image(path: Path) -> None:
    with pytest.raises(ValueError, match="broken"):
        export_video(failing_at(4, [*soft(9)], ValueError("broken")), path)
    with pytest.raises(OptionError, match="the journal is a video's"):
        telecine.recover(path, path.with_suffix(".gif"))
    assert_kept(path)


# ---- the command ---------------------------------------------------------------------------------------------------


def test_the_command_writes_moving_images_and_folders(tmp_path: Path) -> None:
    np.save(tmp_path / "frames.npy", soft())
    assert run(["export", str(tmp_path / "frames.npy"), "-o", str(tmp_path / "clip.gif"), "--loops", "2"]) == 0
    with Image.open(tmp_path / "clip.gif") as image:
        assert (getattr(image, "n_frames", 1), image.info["loop"]) == (5, 1)
    assert run(["export", str(tmp_path / "frames.npy"), "-o", str(tmp_path / "folder"), "--format", "png"]) == 0
    assert np.array_equal(images_in(tmp_path / "folder"), soft())


# ---- reading back --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("format", "error"), [("gif", 14), ("webp", 3), ("apng", 0), ("avif", 2.5)])
def test_what_is_written_is_probed_read_and_verified(format: str, error: float, tmp_path: Path) -> None:
    path = export_video(soft(), tmp_path / f"clip.{format}", timestamps=[0, 0.1, 0.2, 0.5, 0.6]).path
    info = telecine.probe(path)
    assert (info.codec, info.width, info.height, info.frame_count) == (format, 63, 47, 5)
    assert (info.duration, info.constant_rate) == (Fraction(7, 10), False)
    found = np.array(list(telecine.read_frames(path)))
    assert np.sqrt(np.square(found.astype(float) - soft()).mean((1, 2, 3))).max() <= error
    assert telecine.read_timestamps(path) == [0, Fraction(1, 10), Fraction(1, 5), Fraction(1, 2), Fraction(3, 5)]
    report = telecine.verify(path, soft())
    assert (report.frame_count, report.ok or format == "gif") == (5, True), report.problems


@pytest.mark.parametrize("format", ["webp", "apng"])
def test_a_moving_image_is_taken_for_a_video(format: str, tmp_path: Path) -> None:
    path = export_video(soft(), tmp_path / f"clip.{format}", fps=20, quality="lossless").path
    again = export_video(path, tmp_path / "again.apng", fps=20)
    assert np.array_equal(by_pillow(again)[0], soft())


def test_a_damaged_animation_is_said_to_be(tmp_path: Path) -> None:
    path = export_video(soft(), tmp_path / "clip.webp").path
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match="can't be read"):
        telecine.probe(path)
