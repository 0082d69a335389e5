"""Frames of every kind give the same video: images, arrays, tensors, chunks, files, folders, a video."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from safetensors.numpy import save_file

import telecine
from telecine.compat import export_to_video

from .clips import COUNT, FPS, codes, floats
from .typed_user import main


class Tensor:
    """What hands its memory over by DLPack and nothing else, as torch's tensors do."""

    def __init__(self, array: npt.NDArray[Any]) -> None:
        self._array = array

    def __dlpack__(self, **how: Any) -> object:
        return self._array.__dlpack__(**how)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__()


class Array:
    """What NumPy makes an array of, as JAX's are."""

    def __init__(self, array: npt.NDArray[Any]) -> None:
        self._array, self.dtype = array, array.dtype

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return self._array


KINDS: dict[str, Callable[[], Any]] = {
    "images": lambda: [Image.fromarray(frame) for frame in codes()],
    "images with alpha": lambda: [
        Image.fromarray(np.dstack([each, np.full_like(each[..., :1], 255)])) for each in codes()
    ],
    "array": codes,
    "16 bit": lambda: np.rint(65535 * floats()).astype(np.uint16),
    "float64": lambda: floats().astype(np.float64),
    "float16": lambda: floats().astype(np.float16),
    "CTHW": lambda: np.ascontiguousarray(floats().transpose(3, 0, 1, 2)),
    "a batch": lambda: floats()[None],
    "a generator": lambda: (frame for frame in codes()),
    "chunks": lambda: iter([codes()[:4], codes()[4:]]),
    "by DLPack": lambda: Tensor(floats()),
    "a list by DLPack": lambda: [Tensor(frame) for frame in codes()],
    "by __array__": lambda: Array(codes()),
}


@pytest.mark.parametrize("kind", KINDS)
def test_frames_of_every_kind(tmp_path: Path, kind: str) -> None:
    layout = "HWC" if kind in ("a generator", "a list by DLPack") else "auto"
    video = telecine.export_video(KINDS[kind](), tmp_path / "clip.mp4", fps=FPS, layout=layout)
    assert video.frame_count == COUNT
    assert telecine.verify(video, codes()).problems == ()


def test_images_that_are_views_of_arrays(tmp_path: Path) -> None:
    gray = codes()[..., 0]
    video = telecine.export_video([Image.fromarray(frame) for frame in gray], tmp_path / "clip.mp4", fps=FPS)
    assert telecine.verify(video, gray).problems == ()


def test_floats_of_another_range(tmp_path: Path) -> None:
    video = telecine.export_video(2 * floats() - 1, tmp_path / "clip.mp4", value_range=(-1, 1))
    assert telecine.verify(video, codes()).problems == ()


def test_files_of_every_kind(tmp_path: Path) -> None:
    np.save(tmp_path / "frames.npy", codes())
    np.savez(tmp_path / "frames.npz", codes())
    save_file({"frames": floats()}, tmp_path / "frames.safetensors")
    (tmp_path / "images").mkdir()
    for index, frame in enumerate(codes()):
        Image.fromarray(frame).save(tmp_path / "images" / f"{index}.png")
    telecine.export_video(codes(), tmp_path / "video.mp4", quality="visually-lossless")
    for name in ("frames.npy", "frames.npz", "frames.safetensors", "images", "images/*.png", "video.mp4"):
        video = telecine.export_video(str(tmp_path / name), tmp_path / "clip.mp4")
        assert telecine.verify(video, codes()).problems == (), name


def test_a_stream_with_sound(tmp_path: Path) -> None:
    with telecine.VideoWriter(tmp_path / "clip.mp4", fps="24000/1001", audio_rate=16_000) as writer:
        for frame in codes():
            writer.write(frame)
            writer.write_audio(np.zeros(600, np.int16))
    assert (writer.video.frame_count, writer.video.fps) == (COUNT, Fraction(24000, 1001))
    assert telecine.probe(writer.video).audio is not None


def test_a_grid_and_the_function_of_diffusers(tmp_path: Path) -> None:
    video = telecine.export_video(telecine.grid([codes(), codes()[::-1]]), tmp_path / "grid.mp4")
    assert (video.width, video.height) == (128, 48)
    path = export_to_video(list(floats()), str(tmp_path / "compat.mp4"), fps=8)
    assert telecine.probe(path).frame_count == COUNT


@pytest.mark.parametrize("wrong", [[], np.zeros((2, 2)), np.full((3, 48, 64, 3), 7.0), [None]])
def test_what_is_no_video_is_one_clear_error(tmp_path: Path, wrong: Any) -> None:
    with pytest.raises(telecine.FrameError):
        telecine.export_video(wrong, tmp_path / "clip.mp4")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore::telecine.TelecineWarning")
def test_the_program_that_is_checked_for_types_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(tmp_path, np.zeros((4, 48, 64, 3), np.float32))
    printed = capsys.readouterr().out
    assert "('64x48', Fraction(16, 1))" in printed
    assert "a panda 8 (48, 64, 4) float32" in printed
