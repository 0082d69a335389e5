"""Every form that frames come in gives a file that holds those frames, in order, once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

import telecine
from telecine import FrameError, TelecineWarning

from ..support.helpers import waves
from ..support.reference import codes_in, codes_of

T, H, W = 7, 48, 64
# In code values at crf 1: rounding gives 0.25 and 0.5, x264's finest quantiser the rest. Frames that follow one another
# are over 9 apart in the mean: one that is missing, doubled or in another's place shows.
MEAN_ERROR, LARGEST_ERROR = 0.6, 5.0

FRAMES = np.round(255 * waves()).astype(np.uint8)
GRAY = FRAMES[:, :, :, 0]
IMAGES = [Image.fromarray(frame) for frame in FRAMES]


class Exporter:
    """An array of a library that hands its memory over by DLPack alone."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __dlpack__(self, **how: Any) -> object:
        return self._array.__dlpack__(**how)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()


class OtherArray:
    """An array of a library that NumPy can look into, as JAX's is."""

    def __init__(self, array: npt.NDArray[Any]) -> None:
        self._array = array
        self.dtype, self.shape = array.dtype, array.shape

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return self._array


LIBRARIES: dict[str, Callable[[npt.NDArray[Any]], Any]] = {
    "numpy": lambda array: array,
    "torch": torch.from_numpy,
    "dlpack of torch": lambda array: Exporter(torch.from_numpy(array)),
    "dlpack of numpy": Exporter,
    "__array__": OtherArray,
}


def laid(layout: str, frames: npt.NDArray[Any] = FRAMES) -> npt.NDArray[Any]:
    """The (T, H, W, C) frames with their axes in another order, or without those that a layout leaves out."""
    here = "THWC"
    for letter in "TC":
        if letter not in layout:
            frames, here = frames.take(0, here.index(letter)), here.replace(letter, "")
    if "B" in layout:
        frames, here = frames[None], "B" + here
    return np.ascontiguousarray(frames.transpose([here.index(letter) for letter in layout]))


def assert_holds(video: telecine.Video, rgb: npt.NDArray[Any]) -> None:
    """Assert that a file at crf 1 holds exactly these frames."""
    found, expected = codes_in(video), codes_of(rgb)
    assert found.shape == expected.shape
    assert video.frame_count == len(rgb)
    errors = np.abs(found - expected)
    assert errors.mean() < MEAN_ERROR
    assert errors.max() < LARGEST_ERROR


@pytest.fixture
def export(tmp_path: Path) -> Callable[..., telecine.Video]:
    return lambda frames, **how: telecine.export_video(frames, tmp_path / "out" / "clip.mp4", crf=1, **how)


Export = Callable[..., telecine.Video]


# ---- arrays --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("layout", ["THWC", "TCHW", "CTHW", "BTHWC", "BTCHW", "BCTHW"])
def test_the_layout_of_an_array_of_colours_is_found(export: Export, layout: str, library: str) -> None:
    assert_holds(export(LIBRARIES[library](laid(layout))), FRAMES / 255)


@pytest.mark.parametrize("library", LIBRARIES)
def test_three_axes_without_channels_are_gray_frames(export: Export, library: str) -> None:
    assert_holds(export(LIBRARIES[library](GRAY)), np.stack([GRAY / 255] * 3, axis=3))


@pytest.mark.parametrize("library", LIBRARIES)
def test_one_frame_of_three_axes_is_a_video_of_one(export: Export, library: str) -> None:
    assert_holds(export(LIBRARIES[library](FRAMES[0])), FRAMES[:1] / 255)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("layout", ["THWC", "TCHW", "CTHW"])
def test_an_array_may_have_1_3_or_4_channels(export: Export, layout: str, channels: int) -> None:
    opaque = np.full((*FRAMES.shape[:3], 1), 255, np.uint8)
    frames = np.concatenate((FRAMES, opaque), axis=3)[:, :, :, :channels]
    assert_holds(export(laid(layout, frames)), (FRAMES if channels > 1 else GRAY[..., None].repeat(3, 3)) / 255)


@pytest.mark.parametrize("layout", ["HWTC", "HWCT", "WHTC", "CWHT", "TWHC", "WTCH", "HWTCB", "HBWCT", "CBTWH"])
def test_a_layout_that_is_given_may_be_in_any_order(export: Export, layout: str) -> None:
    assert_holds(export(laid(layout), layout=layout), FRAMES / 255)
    assert_holds(export(torch.from_numpy(laid(layout)), layout=layout), FRAMES / 255)


@pytest.mark.parametrize("layout", ["WCH", "CHW", "CWH"])
def test_a_layout_of_one_frame_is_that_of_each_in_a_list(export: Export, layout: str) -> None:
    assert_holds(export([laid(layout, FRAMES[at:]) for at in range(T)], layout=layout), FRAMES / 255)


@pytest.mark.parametrize("layout", ["THW", "HWT", "WTH"])
def test_a_layout_without_channels_is_gray(export: Export, layout: str) -> None:
    given = np.ascontiguousarray(GRAY.transpose(["THW".index(letter) for letter in layout]))
    assert_holds(export(given, layout=layout), np.stack([GRAY / 255] * 3, axis=3))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "bfloat16", "float32", "float64"])
def test_every_dtype_gives_the_same_video(export: Export, dtype: str) -> None:
    given = torch.tensor(waves())
    if dtype in ("uint8", "uint16"):
        full_scale = np.iinfo(dtype).max
        given = torch.from_numpy(np.round(waves() * full_scale).astype(dtype))
        expected = given.numpy() / full_scale
    else:
        given = given.to(getattr(torch, dtype))
        expected = given.double().numpy()
    assert_holds(export(given), expected)
    if dtype != "bfloat16":
        assert_holds(export(given.numpy()), expected)


def test_bool_is_black_and_white(export: Export) -> None:
    given = np.zeros((T, H, W), bool)
    for at in range(T):
        given[at, 8 * at % H :, 16:48] = True  # at even lines and columns: chroma is gray anyway
    assert_holds(export(given), np.stack([given.astype(float)] * 3, axis=3))
    assert_holds(export(torch.from_numpy(given)), np.stack([given.astype(float)] * 3, axis=3))


@pytest.mark.parametrize("value_range", [(-1, 1), (0, 255), (0.0, 1.0), (2, 6)])
def test_floats_of_another_range_are_the_same_video(export: Export, value_range: tuple[float, float]) -> None:
    low, high = value_range
    given = (waves() * (high - low) + low).astype(np.float32)
    assert_holds(export(given, value_range=value_range), waves())


def test_a_view_is_read_as_it_lies(export: Export) -> None:
    assert_holds(export(FRAMES[::-1, ::-1, 4:60:2]), FRAMES[::-1, ::-1, 4:60:2] / 255)


def test_a_tensor_with_a_gradient_is_read(export: Export) -> None:
    assert_holds(export(torch.tensor(waves(), requires_grad=True)), waves())


# ---- images and files ----------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The frames as 0.png, 2.png, … 12.png: their order by letters is another."""
    folder = tmp_path / "images"
    folder.mkdir()
    for index, image in enumerate(IMAGES):
        image.save(folder / f"{2 * index}.png")
    return folder


IMAGE_FORMS: dict[str, Callable[[list[Image.Image]], Any]] = {
    "list": list,
    "tuple": tuple,
    "iterator": iter,
    "generator": lambda images: (image for image in images),
    "batch of one": lambda images: [images],
    "batch of one in tuples": lambda images: (tuple(images),),
    "list of chunks of one": lambda images: iter([[image] for image in images]),
    "with arrays between": lambda images: [np.asarray(image) if at % 2 else image for at, image in enumerate(images)],
}


@pytest.mark.parametrize("form", IMAGE_FORMS)
def test_images_come_in_every_form(export: Export, form: str) -> None:
    assert_holds(export(IMAGE_FORMS[form](IMAGES)), FRAMES / 255)


def test_one_image_is_a_video_of_one(export: Export) -> None:
    assert_holds(export(IMAGES[0]), FRAMES[:1] / 255)


FILE_FORMS: dict[str, Callable[[Path], Any]] = {
    "folder": lambda folder: folder,
    "folder as text": str,
    "glob": lambda folder: f"{folder}/*.png",
    "list of paths": lambda folder: [folder / f"{2 * at}.png" for at in range(T)],
    "list of text": lambda folder: [f"{folder}/{2 * at}.png" for at in range(T)],
    "generator of paths": lambda folder: (folder / f"{2 * at}.png" for at in range(T)),
    "generator of text": lambda folder: (f"{folder}/{2 * at}.png" for at in range(T)),
    "opened": lambda folder: telecine.open_frames(folder),
}


@pytest.mark.parametrize("form", FILE_FORMS)
def test_image_files_come_in_every_form(export: Export, folder: Path, form: str) -> None:
    assert_holds(export(FILE_FORMS[form](folder)), FRAMES / 255)


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "RGBA", "LA", "1"])
def test_images_of_every_mode_are_shown_as_pillow_converts_them(export: Export, mode: str) -> None:
    if mode == "1":  # bars, for dots are no smooth content
        images = [image.resize((4, 3)).resize((W, H), 0).convert("L").point(lambda v: v > 127, "1") for image in IMAGES]
    else:
        images = [image.convert(mode) for image in IMAGES]
    assert {image.mode for image in images} == {mode}
    expected = np.stack([np.asarray(image.convert("RGB")) for image in images]) / 255
    if mode == "P":  # a palette is no smooth content: at crf 1 it is off where its colours meet
        found = np.abs(codes_in(export(images)) - codes_of(expected))
        assert found.mean() < MEAN_ERROR
    else:
        assert_holds(export(images), expected)


# ---- iterators -----------------------------------------------------------------------------------------------------

STREAMS: dict[str, Callable[[], Any]] = {
    "list of frames": lambda: list(FRAMES),
    "iterator of frames": lambda: iter(FRAMES),
    "generator of tensors": lambda: (torch.from_numpy(frame) for frame in FRAMES),
    "frames by DLPack": lambda: (Exporter(frame) for frame in FRAMES),
    "chunks of one length": lambda: iter([FRAMES[:3], FRAMES[3:6], FRAMES[6:]]),
    "chunks of the VAE": lambda: (laid("BCTHW", FRAMES[at : at + 2]) for at in range(0, T, 2)),
    "list of one chunk": lambda: [FRAMES],
    "list of one batch": lambda: [FRAMES[None]],
    "frames and chunks": lambda: iter([FRAMES[0], FRAMES[1:3], FRAMES[3], FRAMES[None, 4:]]),
    "iterator of iterators": lambda: (iter(FRAMES[at : at + 3]) for at in range(0, T, 3)),
    "batch of one of arrays": lambda: [list(FRAMES)],
    "map": lambda: map(torch.from_numpy, FRAMES),
}


@pytest.mark.parametrize("stream", STREAMS)
def test_frames_and_chunks_come_one_after_another(export: Export, stream: str) -> None:
    assert_holds(export(STREAMS[stream]()), FRAMES / 255)


@pytest.mark.parametrize("stream", STREAMS)
def test_a_writer_takes_what_an_export_takes(tmp_path: Path, stream: str) -> None:
    with telecine.VideoWriter(tmp_path / "clip.mp4", crf=1) as writer:
        writer.write(STREAMS[stream]())
    assert_holds(writer.video, FRAMES / 255)


def test_an_iterator_is_asked_for_no_frame_before_the_one_before_is_written(tmp_path: Path) -> None:
    written = []

    def frames() -> Iterator[npt.NDArray[Any]]:
        for frame in FRAMES:
            written.append(writer.frame_count)
            yield frame

    with telecine.VideoWriter(tmp_path / "clip.mp4") as writer:
        writer.write(frames())
    assert written == list(range(T))


def test_what_the_first_chunk_settles_makes_a_later_one_clear(tmp_path: Path) -> None:
    tchw = laid("TCHW")
    with telecine.VideoWriter(tmp_path / "clip.mp4", crf=1) as writer:
        writer.write(tchw[:2])
        writer.write(tchw[2:5])  # (3, 3, H, W): by itself it can be CTHW too
        writer.write(tchw[5:])
    assert_holds(writer.video, FRAMES / 255)


# ---- what is not clear ---------------------------------------------------------------------------------------------

AMBIGUOUS = {
    (3, H, W): ("CHW", "THW"),
    (4, H, W): ("CHW", "THW"),
    (3, 3, H, W): ("TCHW", "CTHW"),
    (4, 3, H, W): ("TCHW", "CTHW"),
    (3, 4, H, W): ("TCHW", "CTHW"),
    (4, 4, H, W): ("TCHW", "CTHW"),
    (1, 3, 3, H, W): ("BTCHW", "BCTHW"),
    (5, 4, 4, 4): ("THWC", "TCHW"),  # sides this small are believed only where nothing else fits
    (4, 4, 4): ("HWC", "CHW", "THW"),
    (3, 3, 3): ("HWC", "CHW", "THW"),  # and smaller ones never
    (2, 3, 3, 3): ("THWC", "TCHW"),
}


@pytest.mark.parametrize("shape", AMBIGUOUS, ids=str)
def test_a_shape_that_can_be_read_two_ways_is_refused_with_its_readings(
    export: Export, tmp_path: Path, shape: tuple[int, ...]
) -> None:
    with pytest.raises(FrameError) as raised:
        export(np.zeros(shape, np.uint8))
    message = str(raised.value)
    assert str(shape) in message
    assert "\n" not in message
    for layout in AMBIGUOUS[shape]:
        assert f"{layout} (" in message
        assert f"layout={layout!r}" in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shape", [shape for shape in AMBIGUOUS if min(shape[-2:]) > 2], ids=str)
def test_each_reading_of_an_unclear_shape_can_be_asked_for(export: Export, shape: tuple[int, ...]) -> None:
    for layout in AMBIGUOUS[shape]:
        axes = dict(zip(layout, shape, strict=True))
        opaque = np.full(shape, 255, np.uint8)
        video = export(opaque, layout=layout)
        assert video.frame_count == axes.get("T", 1)
        assert (video.width - video.padding[0], video.height - video.padding[1]) == (axes["W"], axes["H"])


@pytest.mark.parametrize(
    ("shape", "layout", "count"),
    [
        ((3, H, W, 3), "THWC", 3),
        ((4, H, W, 3), "THWC", 4),
        ((3, 16, H, W), "CTHW", 16),
        ((16, 4, H, W), "TCHW", 16),
        ((1, 3, H, W), "TCHW", 1),
        ((3, 1, H, W), "CTHW", 1),
        ((1, 3, 1, H, W), "BCTHW", 1),
        ((1, H, W), "THW", 1),
        ((H, W, 1), "HWC", 1),
        ((H, W), "HW", 1),
        ((1, 1, H, W), "TCHW", 1),
        ((H, W, 2), "HWC", 1),
        ((5, H, W, 2), "THWC", 5),
    ],
    ids=str,
)
def test_a_shape_that_only_one_layout_fits_is_not_refused(
    export: Export, shape: tuple[int, ...], layout: str, count: int
) -> None:
    video = export(np.full(shape, 255, np.uint8))
    assert (video.frame_count, video.width, video.height) == (count, W, H)
    assert telecine.verify(video, np.full(shape, 255, np.uint8), layout=layout).problems == ()


# ---- chunks that contradict ----------------------------------------------------------------------------------------

CONTRADICTIONS: dict[str, tuple[Any, str]] = {
    "another order": (laid("CTHW", FRAMES[:5]), "frame 7 .*THWC"),
    "another size": (FRAMES[:2, :46], "frame 7 is 64x46, frame 0 is 64x48"),
    "another dtype": (waves()[:2].astype(np.float32), "frame 7 is float32 and frame 0 is uint8"),
    "another number of channels": (FRAMES[:2, :, :, :1], "frame 7 has 1 channels and frame 0 has 3"),
    "two videos": (np.stack([FRAMES, FRAMES]), "holds 2 videos"),
    "an image of another size": (IMAGES[0].resize((W, H - 2)), "frame 7 is 64x46, frame 0 is 64x48"),
    "five channels": (np.zeros((2, H, W, 5), np.uint8), "frame 7 has 5 channels, read as THWC"),
}


@pytest.mark.parametrize("what", CONTRADICTIONS)
def test_a_chunk_that_contradicts_the_first_is_refused_and_is_not_in_the_video(tmp_path: Path, what: str) -> None:
    chunk, message = CONTRADICTIONS[what]
    with telecine.VideoWriter(tmp_path / "clip.mp4", crf=1) as writer:
        writer.write(FRAMES)
        with pytest.raises(FrameError, match=message):
            writer.write(chunk)
    assert_holds(writer.video, FRAMES / 255)


def test_a_layout_that_does_not_fit_the_axes_is_refused(export: Export) -> None:
    with pytest.raises(FrameError, match=r"layout 'TCHW' does not name the 5 axes of shape \(1, 7, 48, 64, 3\)"):
        export(FRAMES[None], layout="TCHW")
    with pytest.raises(FrameError, match="frame 0 has 48 channels, read as TCWH"):
        export(FRAMES, layout="TCWH")


# ---- alpha and odd sizes -------------------------------------------------------------------------------------------


def test_alpha_is_shown_on_the_background_given(export: Export) -> None:
    alpha = waves(T, H, W)[:, ::-1, :, :1]
    rgba = np.concatenate((waves(), alpha), axis=3).astype(np.float32)
    video = export(rgba, background=(1, 0.5, 0))
    assert_holds(video, waves() * alpha + np.array((1, 0.5, 0)) * (1 - alpha))
    assert video.notes == ()


def test_alpha_is_shown_on_black_with_one_warning(export: Export) -> None:
    rgba = np.concatenate((FRAMES, np.full((T, H, W, 1), 128, np.uint8)), axis=3)
    with pytest.warns(TelecineWarning, match="^transparent pixels are shown on black: pass background= ") as warned:
        video = export(rgba)
    assert len(warned) == 1
    assert video.notes == (str(warned[0].message),)
    assert_holds(video, FRAMES / 255 * 128 / 255)


@pytest.mark.parametrize(("width", "height"), [(63, 48), (64, 47), (63, 47), (1, 1), (5, 3)])
def test_an_odd_size_is_padded_by_repeating_the_last_line(export: Export, width: int, height: int) -> None:
    frames = waves(3, height, width).astype(np.float32) if min(width, height) > 1 else np.full((3, 1, 1, 3), 0.3, "f4")
    video = export(frames, layout="THWC")
    assert video.padding == (width % 2, height % 2)
    assert (video.width, video.height) == (width + width % 2, height + height % 2)
    assert video.notes == (f"{width}x{height} is padded to even sides, as 4:2:0 needs, by repeating the last line",)
    assert_holds(video, frames)
