"""Images give all of their frames, upright, by the full scale of what they hold: as cv2, tifffile and Pillow do."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import tifffile
import torch
from PIL import Image, ImageOps, ImageSequence

import telecine
from telecine import FrameError, InputError
from telecine.frames.recognise import Recognizer, count_frames
from telecine.frames.sources import open_source

from ..support.helpers import waves

Pixels = npt.NDArray[Any]
FRAMES = np.round(255 * waves(4, 47, 63)).astype(np.uint8)
DEEP = np.round(65535 * waves(4, 47, 63)).astype(np.uint16)
ALPHA = np.ascontiguousarray(DEEP[:, ::-1, :, :1])


def read(frames: Any, **how: Any) -> list[Pixels]:
    """The values that frames are recognised with."""
    return [frame.values.copy() for frame in Recognizer(**how).frames(open_source(frames).frames)]


def shown(path: Any, tmp_path: Path) -> Pixels:
    """The frames as an export keeps them without loss."""
    with pytest.warns(telecine.TelecineWarning, match="does not play everywhere"):
        video = telecine.export_video(path, tmp_path / "out" / "clip.mkv", quality="lossless")
    return np.stack(list(telecine.read_frames(video)))


def assert_read(given: Any, expected: Any, **how: Any) -> None:
    found = read(given, **how)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other if other.ndim == 3 else other[:, :, None])


# ---- turned --------------------------------------------------------------------------------------------------------


def with_exif(image: Image.Image, path: Path, orientation: int) -> Path:
    exif = image.getexif()
    exif[274] = orientation
    how: dict[str, Any] = {"lossless": True} if path.suffix == ".webp" else {}
    image.save(path, exif=exif, **how)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("extension", ["jpg", "png", "tiff", "webp"])
def test_an_image_file_is_turned_as_cv2_and_pillow_turn_it(tmp_path: Path, extension: str, orientation: int) -> None:
    path = with_exif(Image.fromarray(FRAMES[0]), tmp_path / f"a.{extension}", orientation)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    assert expected.shape[:2] == ((63, 47) if orientation > 4 else (47, 63))
    assert_read(path, [expected])
    assert_read([path], [expected])
    assert_read(tmp_path, [expected])
    assert_read(f"{tmp_path}/*.{extension}", [expected])
    by_cv2 = cv2.imread(str(path))
    if extension != "webp" and by_cv2 is not None:  # it turns no WebP, and reads no TIFF that lies on its side
        assert np.abs(read(path)[0].astype(int) - by_cv2[:, :, ::-1]).max() <= 3 * (extension == "jpg")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_in_memory_is_turned_as_load_image_of_diffusers_does(tmp_path: Path, orientation: int) -> None:
    path = with_exif(Image.fromarray(FRAMES[0]), tmp_path / "a.jpg", orientation)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    for image in (Image.open(path), Image.open(path).convert("RGB"), ImageOps.exif_transpose(Image.open(path))):
        assert_read([image], [expected])
    assert_read([Image.open(path).convert("L")], [np.asarray(ImageOps.exif_transpose(Image.open(path).convert("L")))])


def test_a_folder_of_turned_images_is_exported_and_verified_as_shown(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for index, frame in enumerate(FRAMES):
        with_exif(Image.fromarray(frame), folder / f"{index}.png", 6)
    upright = np.rot90(FRAMES, -1, axes=(1, 2))
    assert np.array_equal(shown(folder, tmp_path), upright)
    video = telecine.export_video(folder, tmp_path / "clip.mp4")
    assert (video.width - video.padding[0], video.height - video.padding[1]) == (47, 63)
    assert telecine.verify(video, upright).problems == ()
    assert telecine.verify(video, folder).problems == ()


@pytest.mark.parametrize("exif", [b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"\xff" * 40], ids=repr)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_an_exif_that_can_not_be_read_turns_nothing(tmp_path: Path, exif: bytes) -> None:
    Image.fromarray(FRAMES[0]).save(tmp_path / "a.png", exif=exif)
    assert_read(tmp_path / "a.png", FRAMES[:1])


# ---- all of them ---------------------------------------------------------------------------------------------------


def tiff(path: Path, frames: Pixels = FRAMES, **how: Any) -> Path:
    with tifffile.TiffWriter(path) as file:
        for frame in frames:
            file.write(frame, photometric="rgb" if frame.shape[-1] == 3 else "minisblack", **how)
    return path


def moving(path: Path) -> Path:
    first, *rest = map(Image.fromarray, FRAMES)
    how = {".webp": {"lossless": True}, ".gif": {}}.get(path.suffix, {})
    first.save(path, save_all=True, append_images=rest, duration=50, **how)  # type: ignore[arg-type]
    return path


def gif_frames(path: Path) -> list[Pixels]:
    """Of few colours, and of transparent ones where what was there before stays."""
    images = ImageSequence.Iterator(Image.open(path))
    return [np.asarray(each.convert("RGBA" if each.has_transparency_data else "RGB")) for each in images]


SEVERAL: dict[str, Callable[[Path], Path]] = {
    "tiff": lambda folder: tiff(folder / "a.tiff"),
    "tif by Pillow": lambda folder: moving(folder / "a.tif"),
    "tiff of 16 bits": lambda folder: tiff(folder / "a.tiff", DEEP),
    "gray tiff of 16 bits": lambda folder: tiff(folder / "a.tiff", DEEP[..., 0]),
    "webp": lambda folder: moving(folder / "a.webp"),
    "png": lambda folder: moving(folder / "a.png"),
    "gif": lambda folder: moving(folder / "a.gif"),
}


@pytest.mark.parametrize("kind", SEVERAL)
def test_all_frames_of_a_file_are_used_however_it_is_given(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    path = SEVERAL[kind](folder)
    if kind == "gif":  # of few colours
        expected: Any = gif_frames(path)
    else:
        expected = {"tiff of 16 bits": DEEP, "gray tiff of 16 bits": DEEP[..., :1]}.get(kind, FRAMES)
    if kind == "gif":  # by itself a video, of which FFmpeg gives each frame with alpha
        assert all(
            np.array_equal(one[..., :3], other[..., :3]) for one, other in zip(read(path), expected, strict=True)
        )
    else:
        assert_read(path, expected)
    assert_read([path, str(path)], [*expected, *expected])
    assert_read(iter([path]), expected)
    assert_read(folder, expected)
    assert_read(f"{folder}/a.*", expected)
    assert count_frames([path, path]) == 8
    video = telecine.export_video([path], tmp_path / "clip.mp4", timestamps=[0, 1, 2, 3])
    assert video.frame_count == 4
    assert telecine.verify(video, [path]).frame_count == telecine.verify(video, path).expected_frame_count == 4


@pytest.mark.parametrize("kind", ["tiff", "webp", "png", "gif"])
def test_an_opened_image_of_several_is_all_of_them_and_in_a_list_is_refused(tmp_path: Path, kind: str) -> None:
    path = SEVERAL[kind](tmp_path)
    expected = gif_frames(path) if kind == "gif" else FRAMES
    assert_read(Image.open(path), expected)
    assert_read((each for each in ImageSequence.Iterator(Image.open(path))), expected)  # each as it comes
    assert_read([each.copy() for each in ImageSequence.Iterator(Image.open(path))], expected)
    with pytest.raises(FrameError, match=r"frame 0 is a \w+ image of 4 pictures, in a list: .*image\.copy\(\)"):
        read(list(ImageSequence.Iterator(Image.open(path))))  # the same image four times
    with pytest.raises(FrameError, match="frame 1 is"):
        read((Image.fromarray(FRAMES[0]), Image.open(path)))


def test_views_of_a_jpeg_and_small_copies_in_a_tiff_are_no_frames(tmp_path: Path) -> None:
    first, second = Image.fromarray(FRAMES[0]), Image.fromarray(FRAMES[1]).resize((20, 20))
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second])
    assert Image.open(tmp_path / "a.jpg").n_frames == 2  # type: ignore[attr-defined]
    assert_read(tmp_path / "a.jpg", [np.asarray(Image.open(tmp_path / "a.jpg"))])
    for frames in (FRAMES, DEEP):
        with tifffile.TiffWriter(tmp_path / "a.tif") as file:
            for frame in frames:
                file.write(frame, photometric="rgb")
                file.write(frame[::2, ::2], photometric="rgb", subfiletype=1)
        assert_read(tmp_path / "a.tif", frames)
        assert count_frames([tmp_path / "a.tif"]) == 4


def test_pages_of_different_sizes_are_refused(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(FRAMES[0], photometric="rgb")
        file.write(FRAMES[0, ::2, ::2], photometric="rgb")
    with pytest.raises(FrameError, match="frame 1 is 32x24, frame 0 is 63x47"):
        read(tmp_path / "a.tif")


# ---- as deep as they are -------------------------------------------------------------------------------------------


def by_cv2(path: Path, pixels: Pixels) -> Path:
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[pixels.shape[2]]
    assert cv2.imwrite(str(path), np.ascontiguousarray(pixels[:, :, order]))
    return path


CHANNELS = {1: DEEP[0, :, :, :1], 3: DEEP[0], 4: np.dstack([DEEP[0], ALPHA[0]])}


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("extension", ["png", "tif"])
def test_16_bits_by_cv2_are_kept(tmp_path: Path, extension: str, channels: int) -> None:
    path = by_cv2(tmp_path / f"a.{extension}", CHANNELS[channels])
    assert_read(path, [CHANNELS[channels]])
    assert_read([path], [CHANNELS[channels]])
    assert_read(tmp_path, [CHANNELS[channels]])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("pixels", "how"),
    [
        (DEEP[0], {"photometric": "rgb"}),
        (DEEP[0], {"photometric": "rgb", "compression": "zlib", "predictor": True}),
        (DEEP[0, :, :, 0], {"photometric": "minisblack"}),
        (CHANNELS[4], {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
        (FRAMES[0], {"photometric": "rgb"}),
        (waves()[0].astype(np.float32), {"photometric": "rgb"}),
        (waves()[0, :, :, 0].astype(np.float32), {"photometric": "minisblack"}),
    ],
    ids=["rgb", "zlib", "gray", "rgba", "8 bits", "floats", "gray floats"],
)
def test_a_tiff_gives_the_array_that_tifffile_wrote(
    tmp_path: Path, pixels: Pixels, how: dict[str, Any], order: Any
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels, byteorder=order, **how)
    assert_read(tmp_path / "a.tif", [pixels])


def test_other_ways_to_lay_a_tiff_mean_the_same(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", DEEP[0].transpose(2, 0, 1), photometric="rgb", planarconfig="separate")
    assert_read(tmp_path / "a.tif", [DEEP[0]])
    tifffile.imwrite(tmp_path / "a.tif", DEEP[0, :, :, 0], photometric="miniswhite")
    assert_read(tmp_path / "a.tif", [65535 - DEEP[0, :, :, 0]])
    la = np.dstack([DEEP[0, :, :, 0], ALPHA[0]])
    tifffile.imwrite(
        tmp_path / "a.tif", la, photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"]
    )
    assert_read(tmp_path / "a.tif", [la[..., [0, 0, 0, 1]]])
    tifffile.imwrite(tmp_path / "a.tif", DEEP[0], photometric="rgb", extratags=[(274, "H", 1, 6, True)])
    assert_read(tmp_path / "a.tif", [np.rot90(DEEP[0], -1)])


def test_colours_under_alpha_in_a_tiff_are_divided_by_it(tmp_path: Path) -> None:
    straight = CHANNELS[4].copy()
    straight[:, :, 3] = straight[:, :, 3] // 2 + 32767
    multiplied = straight.astype(np.float64)
    multiplied[:, :, :3] *= multiplied[:, :, 3:] / 65535
    pixels = np.round(multiplied).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["assocalpha"])
    (found,) = read(tmp_path / "a.tif")
    assert np.array_equal(found[:, :, 3], straight[:, :, 3])
    assert np.abs(found.astype(int) - straight).max() <= 1  # half of one, at alpha of a half


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (waves()[0].astype(np.float16), "TIFF of 16 bits of floats"),
        (waves()[0].astype(np.float64), "TIFF of 64 bits of floats"),
        (DEEP[0].astype(np.uint32), "TIFF of 32 bits"),
        (DEEP[0].astype(np.int16), "TIFF of 16 bits"),
    ],
)
def test_a_tiff_of_other_samples_is_refused_with_those_that_are_read(tmp_path: Path, pixels: Pixels, said: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb")
    with pytest.raises(InputError, match=rf"a\.tif' is a {said}: TIFFs of 8 or 16 bits or of floats of 32 are read"):
        read(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "a.tif", DEEP[0], photometric="rgb", bigtiff=True)
    with pytest.raises(InputError, match="is a BigTIFF of 16 bits"):
        read(tmp_path / "a.tif")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_png_of_16_bits_is_turned(tmp_path: Path, orientation: int) -> None:
    path = by_cv2(tmp_path / "a.png", DEEP[0])
    data = path.read_bytes()
    exif = b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", 274, 3, 1, orientation, 0) + bytes(4)
    chunk = b"eXIf" + exif
    import zlib

    whole = struct.pack(">I", len(exif)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path.write_bytes(data[:33] + whole + data[33:])
    plain = Image.fromarray(np.arange(47 * 63, dtype=np.int32).reshape(47, 63))
    plain.getexif()[274] = orientation
    places = np.asarray(ImageOps.exif_transpose(plain))
    assert_read(path, [DEEP[0].reshape(-1, 3)[places]])


GRAY_MODES = {
    "I;16": lambda gray: Image.fromarray(gray),
    "I;16B": lambda gray: Image.frombytes("I;16B", gray.shape[::-1], gray.astype(">u2").tobytes()),
    "I": lambda gray: Image.fromarray(gray.astype(np.int32)),
}


@pytest.mark.parametrize("mode", GRAY_MODES)
def test_gray_of_16_bits_is_by_full_scale_as_an_array_is(tmp_path: Path, mode: str) -> None:
    gray = np.linspace(0, 65535, 47 * 63).round().astype(np.uint16).reshape(47, 63)
    image = GRAY_MODES[mode](gray)
    assert image.mode == mode
    assert_read([image], [gray])
    assert shown([image], tmp_path).mean() == pytest.approx(127.5, abs=0.1)
    folder = tmp_path / "images"
    folder.mkdir()
    GRAY_MODES["I;16"](gray).save(folder / "1.png")
    assert_read(folder, [gray])
    assert np.array_equal(shown(folder, tmp_path), shown(gray, tmp_path))


def test_values_that_are_not_of_16_bits_are_refused() -> None:
    for values in (np.full((8, 9), -1), np.full((8, 9), 65536)):
        with pytest.raises(FrameError, match=r"mode I has values from .* 16-bit gray, 0 to 65535"):
            read([Image.fromarray(values.astype(np.int32))])


def test_float_images_are_by_their_range_as_arrays_are(tmp_path: Path) -> None:
    gray = np.linspace(0, 1, 48 * 64, dtype=np.float32).reshape(48, 64)
    image = Image.fromarray(gray)
    assert image.mode == "F"
    assert_read([image], [gray])
    video = telecine.export_video([Image.fromarray(gray * 2 - 1)], tmp_path / "clip.mp4", value_range=(-1, 1), crf=1)
    assert next(telecine.read_frames(video)).mean() == pytest.approx(127.5, abs=1)
    with pytest.raises(FrameError, match=r"frame 0 is float32 .*pass value_range=\(0, 255\)"):
        telecine.export_video([Image.fromarray(gray * 255)], tmp_path / "clip.mp4")


def test_images_of_8_and_16_bits_go_together(tmp_path: Path) -> None:
    images = [Image.fromarray(FRAMES[0, :, :, 0]), Image.fromarray(FRAMES[1, :, :, 0].astype(np.uint16) * 257)]
    assert np.array_equal(shown(images, tmp_path), np.repeat(FRAMES[:2, :, :, :1], 3, axis=3))


@pytest.mark.parametrize("format", ["png", "tiff"])
@pytest.mark.parametrize("depth", [8, 16, 32])
def test_a_folder_that_telecine_wrote_is_read_as_deep_as_it_is(tmp_path: Path, format: Any, depth: Any) -> None:
    if (format, depth) == ("png", 32):
        return
    frames = np.concatenate([DEEP, ALPHA], axis=3)
    telecine.export_video(frames, tmp_path / "out", format=format, bit_depth=depth)
    found = np.stack(read(tmp_path / "out"))
    expected: Any = frames
    if depth == 8:
        expected = ((frames.astype(int) * 255 + 32767) // 65535).astype(np.uint8)
    elif depth == 32:
        expected = (frames / 65535).astype(np.float32)
    assert np.array_equal(found, expected)


# ---- damaged -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["png", "tif", "floats"])
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damage_anywhere_gives_an_error_of_ours_or_frames(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{'png' if kind == 'png' else 'tif'}"
    if kind == "png":
        by_cv2(path, DEEP[0, :16, :16])
    else:
        pixels = DEEP[:2, :16, :16] if kind == "tif" else waves(2, 16, 16).astype(np.float32)
        tifffile.imwrite(path, pixels, photometric="rgb", compression="zlib")
    whole, random = path.read_bytes(), np.random.default_rng(0)
    outcomes = set()
    for turn in range(150):
        damaged = bytearray(whole)
        if turn % 3:
            for at in random.integers(0, min(len(whole), 400 if turn % 2 else len(whole)), 4):
                damaged[at] = random.integers(256)
        else:
            del damaged[int(random.integers(8, len(whole))) :]
        path.write_bytes(damaged)
        try:
            read(path)
            outcomes.add("read")
        except (FrameError, InputError) as error:
            outcomes.add("refused" if "\n" not in str(error) else f"refused in several lines: {error}")
        assert (count_frames([path]) or 0) > 0
    assert outcomes == ({"refused"} if kind == "png" else {"read", "refused"})  # a PNG's checksums tell


# ---- what is known of what was read --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (3, 10), (10, 3), (4, 4), (2, 2), (5, 1)], ids=str)
def test_an_own_file_of_any_size_needs_no_layout(tmp_path: Path, size: tuple[int, int]) -> None:
    width, height = size
    frames = np.full((3, height, width, 3), (180, 60, 90), np.uint8)
    for name in ("a.mkv", "a.png", "a.gif"):
        how: Any = {"quality": "lossless"} if name == "a.mkv" else {"format": "apng"} if name == "a.png" else {}
        path = tmp_path / name
        with pytest.warns(telecine.TelecineWarning) if name == "a.mkv" else io.BytesIO():
            telecine.export_video(frames, path, layout="THWC", fps=10, **how)
        for given in (path, telecine.read_frames(path), telecine.grid([path, path])):
            again = telecine.export_video(given, tmp_path / "again.mp4", fps=10, layout="auto")
            assert again.frame_count == 3
        assert telecine.verify(path, path).problems == ()
        assert telecine.export_video(path, tmp_path / "again.mp4", fps=10, layout="CTHW").frame_count == 3


def test_channels_are_those_of_arrays_not_of_what_was_read(tmp_path: Path) -> None:
    rgb = np.broadcast_to(np.array([200, 60, 20], np.uint8), (3, 48, 64, 3))
    video = telecine.export_video(rgb[..., ::-1], tmp_path / "a.mp4", channels="BGR", fps=10, crf=1)
    assert np.abs(next(telecine.read_frames(video)).astype(int) - rgb[0]).max() <= 3
    assert telecine.verify(video, rgb).problems == ()
    assert telecine.verify(video, rgb[..., ::-1], channels="BGR").problems == ()
    assert not telecine.verify(video, rgb, channels="BGR").ok
    np.save(tmp_path / "a.npy", rgb[..., ::-1])
    Image.fromarray(rgb[0]).save(tmp_path / "a.png")
    known: list[Any] = [video, tmp_path / "a.npy", [tmp_path / "a.png"] * 3, [Image.fromarray(each) for each in rgb]]
    for given in known:
        again = telecine.export_video(given, tmp_path / "b.mp4", channels="BGR", fps=10, crf=1)
        assert telecine.verify(again, rgb).problems == ()
    tensor = torch.from_numpy(np.ascontiguousarray(rgb[..., ::-1].transpose(0, 3, 1, 2)))
    again = telecine.export_video(tensor, tmp_path / "b.mp4", channels="BGR", fps=10, layout="TCHW")
    assert telecine.verify(again, rgb).problems == ()


@pytest.mark.parametrize("layout", ["WHC", "TWHC", "WHCT", "CWH"])
def test_an_array_as_pygame_has_it_is_upright(tmp_path: Path, layout: str) -> None:
    letters = layout if "T" in layout else "T" + layout
    laid = FRAMES.transpose(["THWC".index(letter) for letter in letters])
    given = laid if "T" in layout else list(laid)
    assert_read(given, FRAMES, layout=layout)
    assert telecine.verify(telecine.export_video(given, tmp_path / "a.mp4", layout=layout), FRAMES).problems == ()
