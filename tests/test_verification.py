"""`verify` says how far a file is from its frames, and finds what is wrong with it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import telecine
from telecine import FrameError, InputError, OptionError, TelecineWarning, VerifyReport

from .support.helpers import waves
from .support.reference import WEIGHTS, Real, planes_of, rgb_of

FRAMES = np.round(255 * waves(8)).astype(np.uint8)
NOISE = np.random.default_rng(0).integers(0, 256, FRAMES.shape, np.uint8)


def export(folder: Path, frames: Any = FRAMES, **how: Any) -> telecine.Video:
    return telecine.export_video(frames, folder / "clip.mp4", **how)


def planes_in(path: Any) -> list[list[npt.NDArray[np.uint8]]]:
    """Each frame's Y', Cb and Cr as PyAV decodes them."""
    with av.open(str(path)) as container:
        frames: list[Any] = list(container.decode(video=0))
    return [[np.frombuffer(p, np.uint8).reshape(p.height, -1)[:, : p.width] for p in frame.planes] for frame in frames]


def rounded_planes(frame: npt.NDArray[Any], matrix: str = "bt601") -> list[Real]:
    """The code values that a frame has before the encoder."""
    return [np.rint(plane) for plane in planes_of(frame / 255, matrix)]


def psnr(path: Any, frames: npt.NDArray[Any]) -> float:
    squares = [
        np.square(found - given).ravel()
        for decoded, frame in zip(planes_in(path), frames, strict=True)
        for found, given in zip(decoded, rounded_planes(frame), strict=True)
    ]
    return 10 * math.log10(255**2 / np.concatenate(squares).mean())


def ssim_of_plane(one: Real, other: Real) -> float:
    """Wang's SSIM over 8x8 windows every 4 samples, as the filter `ssim` defines it (libavfilter/vf_ssim.c)."""

    def windows(values: Real) -> Real:
        rows, columns = (side // 4 for side in values.shape)
        blocks = values[: 4 * rows, : 4 * columns].reshape(rows, 4, columns, 4).sum((1, 3))
        sums: Real = blocks[:-1, :-1] + blocks[1:, :-1] + blocks[:-1, 1:] + blocks[1:, 1:]
        return sums / 64

    mean_one, mean_other = windows(one), windows(other)
    # The filter's constants go with sums, of 64 samples and 64 * 63: the variances here are unbiased.
    variances = (windows(one**2) - mean_one**2 + windows(other**2) - mean_other**2) * 64 / 63
    covariance = (windows(one * other) - mean_one * mean_other) * 64 / 63
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    similar = (2 * mean_one * mean_other + c1) * (2 * covariance + c2)
    return float((similar / ((mean_one**2 + mean_other**2 + c1) * (variances + c2))).mean())


def ssim(path: Any, frames: npt.NDArray[Any]) -> float:
    of_frames = []
    for decoded, frame in zip(planes_in(path), frames, strict=True):
        pairs = list(zip(decoded, rounded_planes(frame), strict=True))
        weights = [found.size for found, _ in pairs]
        of_planes = [ssim_of_plane(found.astype(np.float64), given) for found, given in pairs]
        of_frames.append(np.average(of_planes, weights=weights))
    return float(np.mean(of_frames))


def only_problem(report: VerifyReport) -> str:
    assert not report.ok
    assert len(report.problems) == 1
    return report.problems[0]


# ---- what is right -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quality", ["draft", "balanced", "high", "visually-lossless"])
def test_an_export_is_ok_at_every_quality(tmp_path: Path, quality: str) -> None:
    frames = np.round(255 * waves(8, 192, 256)).astype(np.uint8)
    video = export(tmp_path, frames, quality=quality)
    report = telecine.verify(video, frames)
    assert report.problems == ()
    assert report.ok
    assert report.path == video.path
    assert report.frame_count == report.expected_frame_count == len(frames)
    assert report.psnr > 38
    assert 0.95 < report.ssim < 1
    assert 0 < report.color_error < 4
    assert report.worst_frame in range(len(FRAMES))


@pytest.mark.parametrize(("width", "height"), [(63, 48), (64, 47), (63, 47), (65, 129)])
def test_an_export_of_an_odd_size_is_ok(tmp_path: Path, width: int, height: int) -> None:
    frames = np.round(255 * waves(4, height, width)).astype(np.uint8)
    assert telecine.verify(export(tmp_path, frames), frames).problems == ()


@pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning")
@pytest.mark.parametrize(("width", "height"), [(321, 241), (320, 241), (321, 240), (63, 47)])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mov", {"codec": "prores"}),
        ("a.mov", {"codec": "prores", "chroma": "4:4:4"}),
        ("a.mp4", {"pixel_format": "yuv422p"}),
        ("a.mp4", {"pixel_format": "yuv444p"}),
        ("a.mkv", {"codec": "ffv1"}),
        ("a.mkv", {"quality": "lossless"}),
        ("a.mp4", {"codec": "hevc", "bit_depth": 10}),
    ],
    ids=str,
)
def test_each_pixel_format_is_known_by_its_own_padding(
    tmp_path: Path, name: str, options: dict[str, Any], width: int, height: int
) -> None:
    frames = np.round(255 * waves(2, height, width)).astype(np.uint8)
    report = telecine.verify(telecine.export_video(frames, tmp_path / name, **options), frames)
    assert report.problems == ()
    assert report.psnr > 40
    wrong = np.concatenate([frames, frames[:, -1:], frames[:, -1:]], axis=1)
    assert "the file is" in telecine.verify(tmp_path / name, wrong).problems[0]


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 2), (3, 5), (7, 9)])
def test_an_export_of_a_few_pixels_can_be_verified(tmp_path: Path, width: int, height: int) -> None:
    frames = np.full((3, height, width, 3), (180, 60, 90), np.uint8)
    report = telecine.verify(export(tmp_path, frames, layout="THWC"), frames, layout="THWC")
    assert (report.frame_count, report.expected_frame_count) == (3, 3)
    assert report.problems == ()


def test_an_export_with_a_value_range_is_ok_with_the_same_one(tmp_path: Path) -> None:
    frames = (2 * waves() - 1).astype(np.float32)
    video = export(tmp_path, frames, value_range=(-1, 1))
    assert telecine.verify(video, frames, value_range=(-1, 1)).problems == ()
    with pytest.raises(FrameError, match=r"pass value_range=\(-1, 1\)"):
        telecine.verify(video, frames)


def test_an_export_with_a_layout_is_ok_with_the_same_one(tmp_path: Path) -> None:
    frames = np.ascontiguousarray(FRAMES.transpose(1, 2, 0, 3))
    assert telecine.verify(export(tmp_path, frames, layout="HWTC"), frames, layout="HWTC").problems == ()


def test_an_export_on_a_background_is_ok_with_the_same_one_only(tmp_path: Path) -> None:
    alpha = np.full((*FRAMES.shape[:3], 1), 100, np.uint8)
    frames = np.concatenate((FRAMES, alpha), axis=3)
    video = export(tmp_path, frames, background="white")
    assert telecine.verify(video, frames, background="white").problems == ()
    assert not telecine.verify(video, frames, background="blue").ok
    with pytest.warns(TelecineWarning, match="black"):
        on_black = export(tmp_path, frames)
    assert telecine.verify(on_black, frames).problems == ()


@pytest.mark.parametrize("color", ["bt601", "bt709"])
def test_an_export_of_another_matrix_is_ok_for_it_is_tagged(tmp_path: Path, color: str) -> None:
    assert telecine.verify(export(tmp_path, color=color), FRAMES).problems == ()


def test_frames_come_in_every_form(tmp_path: Path) -> None:
    video = export(tmp_path)
    images = [Image.fromarray(frame) for frame in FRAMES]
    (tmp_path / "images").mkdir()
    for index, image in enumerate(images):
        image.save(tmp_path / "images" / f"{index}.png")
    reports = [
        telecine.verify(video, given)
        for given in (FRAMES, images, [images], iter(FRAMES), tmp_path / "images", f"{tmp_path}/images/*.png")
    ]
    assert reports == [reports[0]] * 6
    assert reports[0].ok


def test_a_file_is_itself(tmp_path: Path) -> None:
    video = export(tmp_path)
    assert telecine.verify(video, video).problems == ()


# ---- the figures ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frames", [FRAMES, NOISE], ids=["waves", "noise"])
@pytest.mark.parametrize("crf", [5, 23, 45])
def test_psnr_and_ssim_are_those_of_their_definitions(tmp_path: Path, crf: int, frames: npt.NDArray[Any]) -> None:
    video = export(tmp_path, frames, crf=crf)
    report = telecine.verify(video, frames)
    assert report.psnr == pytest.approx(psnr(video, frames), abs=0.01)
    assert report.ssim == pytest.approx(ssim(video, frames), abs=0.001)


def test_the_colour_error_is_that_of_the_mean_colours_of_cells(tmp_path: Path) -> None:
    video = export(tmp_path, crf=40)
    largest = 0.0
    for decoded, frame in zip(planes_in(video), FRAMES, strict=True):
        shown, given = (np.rint(rgb_of(y, cb, cr, "bt601")) for y, cb, cr in (decoded, rounded_planes(frame)))
        cells = np.abs((shown - given).reshape(3, 16, 4, 16, 3).mean((1, 3)))
        largest = max(largest, float(cells.max()))
    assert telecine.verify(video, FRAMES).color_error == pytest.approx(largest, abs=0.1)


def test_a_lossless_file_has_no_error_at_all(tmp_path: Path) -> None:
    with pytest.warns(TelecineWarning, match="does not play everywhere"):
        video = export(tmp_path, NOISE, crf=0)
    report = telecine.verify(video, NOISE)
    assert report.ok
    assert report.psnr == math.inf
    assert (report.ssim, report.color_error) == (1, 0)


# ---- what is wrong -------------------------------------------------------------------------------------------------


def test_a_frame_that_is_missing_or_too_many_is_found(tmp_path: Path) -> None:
    video = export(tmp_path)
    for frames, count in ((FRAMES[:-1], 7), (np.concatenate((FRAMES, FRAMES[-1:])), 9)):
        report = telecine.verify(video, frames)
        assert only_problem(report) == f"the file has 8 frames, {count} were given"
        assert (report.frame_count, report.expected_frame_count) == (8, count)


def test_a_frame_dropped_in_the_middle_shows_in_the_picture_too(tmp_path: Path) -> None:
    report = telecine.verify(export(tmp_path, np.delete(FRAMES, 3, axis=0)), FRAMES)
    assert report.problems[0] == "the file has 7 frames, 8 were given"
    assert report.problems[1].startswith("PSNR is ")
    assert report.worst_frame in range(3, 7)


def test_frames_in_another_order_are_found(tmp_path: Path) -> None:
    report = telecine.verify(export(tmp_path), FRAMES[[0, 1, 2, 4, 3, 5, 6, 7]])
    assert not report.ok
    assert report.frame_count == report.expected_frame_count
    assert report.worst_frame in (3, 4)
    assert report.problems[0].startswith("PSNR is ")
    assert "under 30" in report.problems[0]


@pytest.mark.parametrize("spoilt", [0, 5, 7])
def test_the_worst_frame_is_named(tmp_path: Path, spoilt: int) -> None:
    frames = FRAMES.copy()
    frames[spoilt] = np.clip(frames[spoilt] + 12.0, 0, 255).astype(np.uint8)
    report = telecine.verify(export(tmp_path, frames), FRAMES)
    assert report.worst_frame == spoilt
    assert only_problem(report).startswith("a mean colour is 1")
    assert only_problem(report).endswith("/255 off, over 4")


def tagged(path: Path, frames: npt.NDArray[Any], matrix: str, tag: int, full_range: bool = False) -> Path:
    """A file of the planes that a matrix gives, tagged with another."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=16, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        stream.codec_context.colorspace = tag
        stream.codec_context.color_range = 2 if full_range else 1
        for index, rgb in enumerate(frames):
            frame = av.VideoFrame(stream.width, stream.height, "yuv420p")
            for plane, codes in zip(frame.planes, rounded_planes(rgb, matrix), strict=True):
                rows = np.zeros((plane.height, plane.line_size), np.uint8)
                rows[:, : plane.width] = codes
                plane.update(rows.tobytes())
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("matrix", WEIGHTS)
def test_tags_that_lie_about_the_matrix_are_found(tmp_path: Path, matrix: str) -> None:
    frames = np.broadcast_to(np.array([180, 60, 40], np.uint8), FRAMES.shape)
    honest, other = {"bt601": (6, 1), "bt709": (1, 6)}[matrix]
    assert telecine.verify(tagged(tmp_path / "a.mp4", frames, matrix, honest), frames).problems == ()
    report = telecine.verify(tagged(tmp_path / "b.mp4", frames, matrix, other), frames)
    assert not report.ok
    assert report.color_error > 8
    assert report.problems[-1].startswith("a mean colour is ")


def test_tags_that_lie_about_the_range_are_found(tmp_path: Path) -> None:
    report = telecine.verify(tagged(tmp_path / "a.mp4", FRAMES, "bt601", 6, full_range=True), FRAMES)
    assert not report.ok
    assert report.color_error > 4


def test_swapped_channels_are_found(tmp_path: Path) -> None:
    report = telecine.verify(export(tmp_path, FRAMES[..., ::-1]), FRAMES)
    assert len(report.problems) >= 2


def test_a_file_of_another_size_is_found(tmp_path: Path) -> None:
    small = np.stack([np.asarray(Image.fromarray(frame).resize((32, 24))) for frame in FRAMES])
    report = telecine.verify(export(tmp_path, small), FRAMES)
    assert only_problem(report) == "the file is 32x24, the frames 64x48"
    assert report.frame_count == report.expected_frame_count == 8
    assert report.worst_frame is None
    assert math.isnan(report.color_error)


def test_heavy_compression_is_found(tmp_path: Path) -> None:
    report = telecine.verify(export(tmp_path, NOISE, crf=51), NOISE)
    assert [problem.split()[0] for problem in report.problems[:2]] == ["PSNR", "SSIM"]
    assert report.psnr < 20


# ---- what can't be compared ----------------------------------------------------------------------------------------


def test_what_is_no_video_and_what_are_no_frames_are_errors(tmp_path: Path) -> None:
    video = export(tmp_path)
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(InputError, match=r"text\.mp4' can't be read as a video"):
        telecine.verify(tmp_path / "text.mp4", FRAMES)
    with pytest.raises(FrameError, match="frame 0 is NoneType None"):
        telecine.verify(video, None)  # type: ignore[arg-type]
    with pytest.raises(FrameError, match="2 videos"):
        telecine.verify(video, np.stack([FRAMES, FRAMES]))
    with pytest.raises(OptionError, match="layout='XY'"):
        telecine.verify(video, FRAMES, layout="XY")
    with pytest.raises(OptionError, match="value_range='XY'"):
        telecine.verify(video, FRAMES, value_range="XY")  # type: ignore[arg-type]


def test_no_frames_are_no_match(tmp_path: Path) -> None:
    report = telecine.verify(export(tmp_path), [])
    assert not report.ok
    assert report.problems[0] == "the file has 8 frames, 0 were given"
