"""`last_frame=`: the exact last frame of an export as a PNG, or no PNG at all."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

import telecine
from telecine import FrameError, OptionError, PublishError, TelecineWarning

from ..support.fake_accelerator import Accelerator, OnDevice, entered
from ..support.helpers import OLDER, failing_at

RGB = np.random.default_rng(0).integers(0, 256, (4, 48, 64, 3), np.uint8)
RGBA = np.random.default_rng(1).integers(0, 256, (4, 48, 64, 4), np.uint8)
DEEP = np.random.default_rng(2).integers(0, 65536, (4, 48, 64, 3), np.uint16)
FLOATS = np.random.default_rng(3).random((4, 48, 64, 3), np.float32)
TENSOR = torch.from_numpy(FLOATS).movedim(3, 1)


def pixels_of(path: Path) -> npt.NDArray[Any]:
    """Read a PNG at its own depth, by OpenCV."""
    image = cv2.imread(os.fspath(path), cv2.IMREAD_UNCHANGED)
    assert image is not None
    return image[:, :, [2, 1, 0, 3][: image.shape[2]]]


# What is given with which options, and the pixels that the PNG is to have.
KINDS: dict[str, tuple[Any, dict[str, Any], npt.NDArray[Any]]] = {
    "uint8": (RGB, {}, RGB[-1]),
    "BGR": (RGB[..., ::-1], {"channels": "BGR"}, RGB[-1]),
    "images": ([Image.fromarray(frame) for frame in RGB], {}, RGB[-1]),
    "gray": (RGB[..., :1], {}, np.repeat(RGB[-1, :, :, :1], 3, 2)),
    "bool": (RGB > 127, {}, np.where(RGB[-1] > 127, 255, 0).astype(np.uint8)),
    "uint16": (DEEP, {}, DEEP[-1]),
    "float32": (FLOATS, {}, np.floor(FLOATS[-1].astype(np.float64) * 255 + 0.5).astype(np.uint8)),
    "tensor in [-1, 1]": (
        TENSOR * 2 - 1,
        {"value_range": (-1, 1), "layout": "TCHW"},
        np.rint(FLOATS[-1] * 255).astype(np.uint8),
    ),
    "bfloat16": (
        TENSOR.bfloat16(),
        {"layout": "TCHW"},
        torch.floor(TENSOR[-1].bfloat16().double() * 255 + 0.5).movedim(0, 2).byte().numpy(),
    ),
    "shown longer": (RGB, {"hold": 2}, RGB[-1]),
    "repeated": (RGB, {"repeat": 3}, RGB[-1]),
    "RGBA on a background": (RGBA, {"background": "red"}, RGBA[-1]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_frame_is_there_bit_by_bit(kind: str, tmp_path: Path) -> None:
    frames, options, expected = KINDS[kind]
    path = tmp_path / "last.png"
    telecine.export_video(frames, tmp_path / "a.mp4", last_frame=path, quality="draft", **options)
    found = pixels_of(path)
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)
    assert sorted(os.listdir(tmp_path)) == ["a.mp4", "last.png"]


def test_it_goes_with_every_kind_of_output(tmp_path: Path) -> None:
    outputs: list[tuple[Any, dict[str, Any]]] = [
        (tmp_path / "a.gif", {}),
        (tmp_path / "images", {"format": "png"}),
        (io.BytesIO(), {"format": "mp4"}),
        (None, {}),
    ]
    for number, (output, options) in enumerate(outputs):
        telecine.export_video(RGB, output, last_frame=tmp_path / f"{number}.png", **options)
        assert np.array_equal(pixels_of(tmp_path / f"{number}.png"), RGB[-1])
    telecine.export_bytes(RGB, last_frame=tmp_path / "of_bytes.PNG")
    assert np.array_equal(pixels_of(tmp_path / "of_bytes.PNG"), RGB[-1])
    telecine.export_video(RGBA, tmp_path / "a.apng", last_frame=os.fspath(tmp_path / "a.png"))
    assert np.array_equal(pixels_of(tmp_path / "a.png"), RGBA[-1])


def test_a_chain_of_clips_goes_on_with_the_same_pixels(tmp_path: Path) -> None:
    telecine.export_video(RGB, tmp_path / "0.mp4", last_frame=tmp_path / "0.png")
    with Image.open(tmp_path / "0.png") as first:
        telecine.export_video([first, *RGB[:2]], tmp_path / "1.mp4", last_frame=tmp_path / "1.png")
        assert np.array_equal(np.asarray(first), RGB[-1])
    assert np.array_equal(pixels_of(tmp_path / "1.png"), RGB[1])


def test_pq_and_hlg_have_sixteen_bits(tmp_path: Path) -> None:
    video = tmp_path / "a.mp4"
    how: dict[str, Any] = {"codec": "hevc", "color": "pq", "bit_depth": 10}
    with pytest.warns(TelecineWarning, match="does not play everywhere"):
        telecine.export_video(FLOATS / 2, video, light="encoded", last_frame=tmp_path / "a.png", **how)
    expected = np.floor(FLOATS[-1].astype(np.float64) / 2 * 65535 + 0.5).astype(np.uint16)
    assert np.array_equal(pixels_of(tmp_path / "a.png"), expected)
    refused = pytest.raises(OptionError, match="light='scene-linear', which no PNG holds")
    with pytest.warns(TelecineWarning), refused:
        telecine.export_video(FLOATS, video, light="scene-linear", last_frame=tmp_path / "b.png", **how)


def test_a_writer_keeps_the_last_frame_that_it_took_whatever_becomes_of_its_memory(tmp_path: Path) -> None:
    buffer = np.empty((1, 48, 64, 3), np.uint8)
    with telecine.VideoWriter(tmp_path / "a.mp4", last_frame=tmp_path / "a.png") as writer:
        for frame in RGB:
            buffer[0] = frame
            writer.write(buffer)
            buffer[:] = 0
        with pytest.raises(FrameError):
            writer.write(RGB[:, :8])
        assert not (tmp_path / "a.png").exists()
    assert np.array_equal(pixels_of(tmp_path / "a.png"), RGB[-1])


FAILING: dict[str, Callable[[Path], object]] = {
    "frames": lambda folder: telecine.export_video(
        failing_at(2, RGB, ValueError("no more")), folder / "a.mp4", last_frame=folder / "last.png"
    ),
    "no frames": lambda folder: telecine.export_video([], folder / "a.mp4", last_frame=folder / "last.png"),
    "an abort": lambda folder: _aborted(folder),
}


def _aborted(folder: Path) -> None:
    writer = telecine.VideoWriter(folder / "a.mp4", last_frame=folder / "last.png")
    writer.write(RGB)
    writer.abort()


@pytest.mark.parametrize("older", [True, False])
@pytest.mark.parametrize("what", FAILING)
def test_an_export_that_fails_leaves_the_path_as_it_was(what: str, older: bool, tmp_path: Path) -> None:
    if older:
        (tmp_path / "last.png").write_bytes(OLDER)
    with contextlib.suppress(ValueError):
        FAILING[what](tmp_path)
    assert ((tmp_path / "last.png").exists(), list(tmp_path.glob(".last*"))) == (older, [])
    if older:
        assert (tmp_path / "last.png").read_bytes() == OLDER


def test_what_is_there_is_replaced_or_not_as_overwrite_says(tmp_path: Path) -> None:
    last = tmp_path / "last.png"
    last.write_bytes(OLDER)
    last.chmod(0o600)
    with pytest.raises(PublishError, match=r"last\.png' exists and overwrite is False"):
        telecine.export_video(RGB, tmp_path / "a.mp4", last_frame=last, overwrite=False)
    assert (last.read_bytes(), (tmp_path / "a.mp4").exists()) == (OLDER, False)
    telecine.export_video(RGB, tmp_path / "a.mp4", last_frame=last)
    assert np.array_equal(pixels_of(last), RGB[-1])
    assert last.stat().st_mode & 0o777 == 0o600


def test_a_missing_folder_is_made_when_there_is_something_to_put(tmp_path: Path) -> None:
    with telecine.VideoWriter(tmp_path / "a.mp4", last_frame=tmp_path / "new" / "last.png") as writer:
        assert not (tmp_path / "new").exists()
        writer.write(RGB)
    assert np.array_equal(pixels_of(tmp_path / "new" / "last.png"), RGB[-1])


def test_a_name_that_somebody_planted_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(OLDER)
    for suffix in ("journal", "new", "trial"):
        (tmp_path / f".last.png.telecine-{suffix}").symlink_to(victim)
    telecine.export_video(RGB, tmp_path / "a.mp4", last_frame=tmp_path / "last.png")
    assert victim.read_bytes() == OLDER
    assert np.array_equal(pixels_of(tmp_path / "last.png"), RGB[-1])


def frames_not_to_be_asked_for() -> Iterator[Any]:
    pytest.fail("a frame was asked for")
    yield


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("a.jpg", OptionError, "last_frame='a.jpg' has another extension: name a file that ends in .png"),
        ("png", OptionError, "last_frame='png' has another extension"),
        ("s3://bucket/a.png", OptionError, "last_frame='s3://bucket/a.png' is no path of this machine"),
        (7, OptionError, "last_frame=7 is no path of this machine"),
        ("same.png", OptionError, "last_frame='same.png' is the output too: name another file"),
        ("file/a.png", PublishError, "'file/a.png' can't be written: Not a directory"),
        ("folder.png", PublishError, "'folder.png' is a folder: name a file in it"),
    ],
)
def test_a_path_that_will_not_do_is_refused_before_the_first_frame(
    path: Any, error: type[Exception], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_bytes(b"")
    Path("folder.png").mkdir()
    with pytest.raises(error) as raised:
        telecine.export_video(frames_not_to_be_asked_for(), "same.png", format="mp4", last_frame=path)
    assert str(raised.value).startswith(message)
    assert sorted(os.listdir()) == ["file", "folder.png"]


def test_the_frame_of_a_device_stays_there_until_it_is_written(tmp_path: Path) -> None:
    frames = torch.from_numpy(RGB)
    with entered(Accelerator()) as device:
        telecine.export_video(OnDevice(frames), tmp_path / "a.mp4", last_frame=tmp_path / "a.png")
        assert [each.size_bytes for each in device.crossed].count(RGB[0].nbytes) == 1
    assert np.array_equal(pixels_of(tmp_path / "a.png"), RGB[-1])


def test_a_batch_takes_it_of_each_row_and_not_for_all(tmp_path: Path) -> None:
    rows = [
        {"frames": RGB[: 2 + at], "output": f"{at}.mp4", "last_frame": str(tmp_path / f"{at}.png")} for at in (0, 1)
    ]
    assert telecine.export_batch(rows, tmp_path / "out", workers=1).ok
    for at in (0, 1):
        assert np.array_equal(pixels_of(tmp_path / f"{at}.png"), RGB[1 + at])
    with pytest.raises(OptionError, match="last_frame= is of one export, not of a batch"):
        telecine.export_batch(rows, tmp_path / "out", last_frame=tmp_path / "a.png")
