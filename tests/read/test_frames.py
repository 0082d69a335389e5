"""`read_frames` gives the colours that a file's tags mean, to the rounding, whatever the file holds them as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

import telecine
from telecine import InputError
from telecine.support.processors import ordinary_threads

from ..support.browser import Browser
from ..support.reference import Real, rgb_of

# BT.601-7 §2.5.1, BT.709-6 §3.2, BT.2020-2 table 4: luma's weights of red and blue, by H.273 table 4.
WEIGHTS = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
NEAR_TIE = 0.501
Planes = list[npt.NDArray[Any]]


def chroma_shape(pixel_format: str, width: int, height: int) -> tuple[int, int]:
    halved = {"420": (True, True), "422": (False, True), "444": (False, False)}[pixel_format[3:6]]
    return tuple(-(-side // 2) if half else side for side, half in zip((height, width), halved, strict=True))  # type: ignore[return-value]


def depth_of(pixel_format: str) -> int:
    return int(pixel_format.partition("p")[2].removesuffix("le") or 8)


def random_planes(pixel_format: str, width: int, height: int) -> Planes:
    """Planes of every code value, those beyond the limited range too."""
    random, depth = np.random.default_rng(0), depth_of(pixel_format)
    chroma = chroma_shape(pixel_format, width, height)
    dtype = np.uint8 if depth == 8 else np.uint16
    return [random.integers(0, 2**depth, shape, dtype) for shape in ((height, width), chroma, chroma)]


def written(
    path: Path, planes: Planes, pixel_format: str, tags: dict[str, int], codec: str = "ffv1", **options: str
) -> Path:
    """Write two frames of these planes without loss."""
    height, width = planes[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        for index in range(2):
            frame = av.VideoFrame(width, height, pixel_format)
            for plane, values in zip(frame.planes, planes, strict=True):
                rows = values.reshape(len(values), -1)
                padded = np.zeros((plane.height, plane.line_size // rows.itemsize), rows.dtype)
                padded[:, : rows.shape[1]] = rows
                plane.update(padded.tobytes())
            frame.pts = index
            for name, value in tags.items():
                setattr(frame, name, value)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def linear(values: Real, length: int, offset: float, axis: int) -> Real:
    """Interpolate to `length` samples, of which every second lies `offset` before a given one."""
    if values.shape[axis] == length:
        return values
    at, known = (np.arange(length) - offset) / 2, np.arange(values.shape[axis])
    result: Real = np.apply_along_axis(lambda line: np.interp(at, known, line), axis, values)
    return result


def oracle(planes: Planes, pixel_format: str, matrix: int, full_range: bool) -> Real:
    """RGB from 0 to 255 in float64, from the standards alone."""
    depth = depth_of(pixel_format)
    y, cb, cr = (plane.astype(np.float64) for plane in planes)
    height, width = y.shape
    cb, cr = (linear(linear(plane, height, 0.5, 0), width, 0, 1) for plane in (cb, cr))
    black, luma, swing = (
        (0, 2**depth - 1, 2**depth - 1) if full_range else (each << depth - 8 for each in (16, 219, 224))
    )
    y, cb, cr = (y - black) / luma, (cb - 2 ** (depth - 1)) / swing, (cr - 2 ** (depth - 1)) / swing
    kr, kb = WEIGHTS[matrix]
    red, blue = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    rgb: Real = 255 * np.clip(np.stack((red, green, blue), axis=2), 0, 1)
    return rgb


def assert_shown(path: Path, expected: Real) -> None:
    frames = list(telecine.read_frames(path))
    assert len(frames) == 2
    for frame in frames:
        assert frame.dtype == np.uint8
        assert frame.shape == expected.shape
        assert np.abs(frame - expected).max() <= NEAR_TIE


def tagged(matrix: int, full_range: bool = False) -> dict[str, int]:
    return {"colorspace": matrix, "color_range": 2 if full_range else 1}


FORMATS = ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv444p12le", "yuv420p16le"]


def test_the_oracle_is_that_of_the_other_tests() -> None:
    planes = random_planes("yuv420p", 64, 48)
    for matrix, name in ((1, "bt709"), (6, "bt601")):
        assert np.allclose(oracle(planes, "yuv420p", matrix, False), rgb_of(planes[0], planes[1], planes[2], name))


@pytest.mark.parametrize("full_range", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", WEIGHTS)
@pytest.mark.parametrize("pixel_format", FORMATS)
def test_colours_are_those_of_the_tags(tmp_path: Path, pixel_format: str, matrix: int, full_range: bool) -> None:
    planes = random_planes(pixel_format, 64, 48)
    path = written(tmp_path / "clip.mkv", planes, pixel_format, tagged(matrix, full_range))
    assert telecine.probe(path).color.matrix == matrix
    assert telecine.probe(path).color.full_range == full_range
    assert_shown(path, oracle(planes, pixel_format, matrix, full_range))


@pytest.mark.parametrize(("width", "height"), [(63, 48), (64, 47), (63, 47), (1, 1), (2, 2), (3, 1), (515, 5)])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le"])
def test_odd_sizes_are_read(tmp_path: Path, pixel_format: str, width: int, height: int) -> None:
    planes = random_planes(pixel_format, width, height)
    path = written(tmp_path / "clip.nut", planes, pixel_format, tagged(1), codec="rawvideo")
    matrix = 1 if telecine.probe(path).color.matrix == 1 else 6  # rawvideo keeps no tags: by size
    assert_shown(path, oracle(planes, pixel_format, matrix, False))


@pytest.mark.parametrize("full_range", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", [1, 6])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le"])
def test_lossless_h264_in_mp4_is_read_exactly(tmp_path: Path, pixel_format: str, matrix: int, full_range: bool) -> None:
    planes = random_planes(pixel_format, 64, 48)
    path = written(tmp_path / "clip.mp4", planes, pixel_format, tagged(matrix, full_range), "libx264", qp="0")
    assert_shown(path, oracle(planes, pixel_format, matrix, full_range))


@pytest.mark.parametrize(
    ("width", "height", "matrix"), [(720, 480, 6), (1026, 578, 6), (1280, 718, 6), (960, 720, 1), (1280, 720, 1)]
)
@pytest.mark.parametrize("untagged", [2, 0], ids=["unspecified", "identity"])
def test_without_a_matrix_it_is_by_its_lines(
    tmp_path: Path, width: int, height: int, matrix: int, untagged: int
) -> None:
    planes = random_planes("yuv420p", width, height)
    path = written(tmp_path / "clip.mkv", planes, "yuv420p", {"colorspace": untagged, "color_range": 0})
    assert telecine.probe(path).color.matrix == untagged
    for frame in telecine.read_frames(path):
        assert (
            np.abs(frame - rgb_of(planes[0], planes[1], planes[2], {1: "bt709", 6: "bt601"}[matrix])).max() <= NEAR_TIE
        )


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(640, 480), (1280, 720)])
@pytest.mark.parametrize(
    ("codec", "extension"),
    [("libvpx-vp9", "webm"), ("libvpx-vp9", "mp4"), ("libsvtav1", "webm"), ("libsvtav1", "mkv"), ("libx264", "mp4")],
)
def test_without_a_matrix_it_is_as_chromium_shows_it(
    tmp_path: Path, browser: Browser, codec: str, extension: str, width: int, height: int
) -> None:
    """Flat colours: of those codes BT.601 and BT.709 make colours that are 8 apart."""
    planes = [np.full(chroma_shape("yuv420p", width, height) if at else (height, width), code, np.uint8)
              for at, code in enumerate((100, 90, 170))]  # fmt: skip
    options = {"preset": "12"} if codec == "libsvtav1" else {"cpu-used": "8", "deadline": "realtime"}
    tags = {"colorspace": 2, "color_range": 0}
    with ordinary_threads():
        path = written(
            tmp_path / f"clip.{extension}", planes, "yuv420p", tags, codec, **({} if "x264" in codec else options)
        )
    assert telecine.probe(path).color.matrix == 2
    browser.load(path)
    shown = browser.show(0).rgb[height // 2, width // 2].astype(int)
    found = next(telecine.read_frames(path))[height // 2, width // 2].astype(int)
    assert np.abs(shown - found)[:2].max() <= 1  # Chromium's blues are further off, whatever the file


def test_rgb_is_read_as_it_is(tmp_path: Path) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    path = written(tmp_path / "clip.nut", [rgb], "rgb24", {}, codec="rawvideo")
    for frame in telecine.read_frames(path):
        assert (frame == rgb).all()
    planar = written(tmp_path / "clip.mp4", [rgb], "rgb24", {}, "libx264rgb", qp="0")
    assert telecine.probe(planar).pixel_format == "gbrp"
    for frame in telecine.read_frames(planar):
        assert (frame == rgb).all()


@pytest.mark.parametrize("full_range", [False, True], ids=["limited", "full"])
def test_gray_is_read_as_gray(tmp_path: Path, full_range: bool) -> None:
    codes = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    path = written(tmp_path / "clip.mkv", [codes], "gray", {"color_range": 2 if full_range else 1})
    neutral = np.full(codes.shape, 128, np.uint8)
    assert_shown(path, oracle([codes, neutral, neutral], "yuv444p", 6, full_range))


def test_each_frame_has_its_own_memory(tmp_path: Path) -> None:
    path = written(tmp_path / "clip.mkv", random_planes("yuv420p", 64, 48), "yuv420p", tagged(1))
    first, second = telecine.read_frames(path)
    first[:] = 0
    assert second.any()
    assert second.flags.c_contiguous


def test_frames_are_read_one_by_one(tmp_path: Path) -> None:
    video = telecine.export_video(np.zeros((20, 48, 64, 3), np.uint8), tmp_path / "clip.mp4")
    frames = telecine.read_frames(video)
    assert next(frames).shape == (48, 64, 3)
    assert len(list(frames)) == 19


def test_what_was_exported_comes_back(tmp_path: Path) -> None:
    colors = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (12, 34, 56)], np.uint8)
    frames = np.broadcast_to(colors[:, None, None], (5, 48, 64, 3))
    video = telecine.export_video(frames, tmp_path / "clip.mp4", crf=1)
    for found, color in zip(telecine.read_frames(video), colors, strict=True):
        assert np.abs(found.astype(int) - color).max() <= 3


# ---- files that are cut off ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning")
@pytest.mark.parametrize("share", [0.3, 0.5, 0.8, 0.99])
@pytest.mark.parametrize("name", ["clip.mp4", "clip.mov", "clip.mkv", "clip.webm"])
def test_of_a_file_that_is_cut_off_the_whole_frames_are_counted_and_read(
    tmp_path: Path, name: str, share: float
) -> None:
    path, noise = tmp_path / name, np.random.default_rng(0).integers(0, 256, (14, 96, 128, 3), np.uint8)
    telecine.export_video(noise, path)
    assert not telecine.probe(path).cut_off
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    info = telecine.probe(path)
    assert info.cut_off
    assert info.notes == (f"the file is cut off: of its frames {info.frame_count} are whole",)
    with pytest.raises(InputError, match=f"clip.* is cut off: {info.frame_count} of its frames can be read"):
        list(telecine.read_frames(path))
    with pytest.raises(InputError, match=f"clip.* is cut off: {info.frame_count} of its frames are whole"):
        telecine.export_video(path, tmp_path / "again.mp4")
    assert [each.name for each in tmp_path.iterdir()] == [name]
