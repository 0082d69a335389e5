"""`before_encode=`: a function of the caller's that changes each frame, such as one that puts a watermark in."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

import telecine
from telecine import FrameError, OptionError, VideoWriter, export_bytes, export_video

from ..support.fake_accelerator import Accelerator, OnDevice, entered
from ..support.helpers import BLANK, OLDER, ROOT, Asked, assert_kept, assert_untouched, noise, waves


def inverted(frame: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.asarray(255 - frame, np.uint8)


def test_what_the_function_gives_is_what_is_encoded(tmp_path: Path) -> None:
    assert export_bytes(noise(), before_encode=inverted) == export_bytes(255 - noise())
    video = export_video(noise(), tmp_path / "clip.gif", before_encode=inverted)
    assert video.notes == ()
    assert (tmp_path / "clip.gif").read_bytes() == export_bytes(255 - noise(), format="gif")


def test_it_may_draw_into_its_frame_and_the_callers_stays() -> None:
    def marked(frame: npt.NDArray[Any]) -> npt.NDArray[Any]:
        cv2.putText(frame, "seed 42", (2, 30), cv2.FONT_HERSHEY_PLAIN, 1, (255, 255, 255))
        return frame

    clip = noise()
    given = clip.copy()
    assert export_bytes(clip, before_encode=marked) == export_bytes(np.array([marked(frame) for frame in given]))
    assert (clip == noise()).all()


KINDS: dict[str, tuple[Any, dict[str, Any], str, tuple[int, ...]]] = {
    "uint8": (noise(2), {}, "uint8", (48, 64, 3)),
    "uint16": (noise(2).astype(np.uint16) * 257, {}, "uint16", (48, 64, 3)),
    "float16": (waves(2).astype(np.float16), {}, "float16", (48, 64, 3)),
    "bool": (noise(2) > 127, {}, "bool", (48, 64, 3)),
    "gray": (noise(2)[..., 0], {}, "uint8", (48, 64, 1)),
    "images": ([Image.fromarray(frame) for frame in noise(2)], {}, "uint8", (48, 64, 3)),
    "CHW": (waves(2).transpose(0, 3, 1, 2), {}, "float64", (48, 64, 3)),
    "scaled": (noise(2), {"height": 24}, "uint8", (24, 32, 3)),
    "scaled floats": (waves(2), {"height": 24}, "float32", (24, 32, 3)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_called_with_an_array_of_the_frames_own_dtype(kind: str) -> None:
    frames, options, dtype, shape = KINDS[kind]
    seen: list[Any] = []

    def looked_at(frame: npt.NDArray[Any]) -> npt.NDArray[Any]:
        seen.append(frame)
        return frame

    assert export_bytes(frames, before_encode=looked_at, **options) == export_bytes(frames, **options)
    assert [(type(each), each.dtype.name, each.shape) for each in seen] == [(np.ndarray, dtype, shape)] * 2
    assert all(each.flags.c_contiguous and each.flags.writeable for each in seen)


def test_bgr_comes_as_rgb() -> None:
    def looked_at(frame: npt.NDArray[Any]) -> npt.NDArray[Any]:
        assert (frame == noise(1)[0]).all()
        return frame

    export_bytes(noise(1)[..., ::-1], channels="BGR", before_encode=looked_at)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.bfloat16, torch.float16, torch.float32, torch.bool], ids=str)
def test_of_tensors_it_gets_tensors(dtype: torch.dtype) -> None:
    clip = torch.from_numpy(noise(2)).permute(0, 3, 1, 2)
    frames = (clip > 127) if dtype == torch.bool else clip if dtype == torch.uint8 else (clip / 255).to(dtype)
    seen: list[torch.Tensor] = []

    def flipped(frame: torch.Tensor) -> torch.Tensor:
        seen.append(frame)
        return frame.flip(0)

    kept = frames.clone()
    assert export_bytes(frames, before_encode=flipped) == export_bytes(frames.flip(2))
    assert [(each.dtype, tuple(each.shape)) for each in seen] == [(dtype, (48, 64, 3))] * 2
    for each in seen:
        each.zero_()
    assert (frames == kept).all()


def test_a_tensor_on_an_accelerator_stays_there() -> None:
    clip = torch.from_numpy(waves(2).astype(np.float32))
    with entered(Accelerator()) as accelerator:
        found = export_bytes(OnDevice(clip), before_encode=lambda frame: frame * 0.5)
        assert all(each.dtype == torch.uint8 for each in accelerator.crossed)  # planes, and no frame
    assert found == export_bytes(clip * 0.5)


def test_it_is_called_in_order_in_the_callers_thread_once_for_each_frame_that_is_written(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []

    def counted(frame: npt.NDArray[Any]) -> npt.NDArray[Any]:
        calls.append((threading.get_ident(), int(frame[0, 0, 0])))
        return frame

    clip = np.stack([np.full((48, 64, 3), level, np.uint8) for level in range(9)])
    with VideoWriter(tmp_path / "clip.mp4", before_encode=counted, every=2, repeat=3) as writer:
        writer.write(clip[:3])
        assert len(calls) == 2
        writer.write(iter(clip[3:]))
    assert calls == [(threading.get_ident(), level) for level in (0, 2, 4, 6, 8)]
    calls.clear()
    export_bytes(clip[:2], before_encode=counted, fps_from=8, fps=16)
    assert [level for _, level in calls] == [0, 0, 1, 1]


def test_the_last_frame_and_a_limit_of_bytes_are_of_what_is_encoded(tmp_path: Path) -> None:
    options: dict[str, Any] = {"max_bytes": 20_000}
    export_video(noise(), tmp_path / "clip.mp4", before_encode=inverted, last_frame=tmp_path / "last.png", **options)
    found = cv2.imread(os.fspath(tmp_path / "last.png"))
    assert found is not None
    assert (found[:, :, ::-1] == 255 - noise()[-1]).all()
    assert (tmp_path / "clip.mp4").read_bytes() == export_bytes(255 - noise(), **options)


WRONG: dict[str, tuple[Callable[[Any], Any], str]] = {
    "None": (lambda frame: None, "before_encode gave None for frame 2: it must give one of uint8 and shape"),
    "a shape": (lambda frame: frame[:, :-1], r"gave ndarray of uint8 and shape \(48, 63, 3\) for frame 2: .*, 64, 3\)"),
    "a dtype": (lambda frame: frame / 255, "gave ndarray of float64 and shape"),
    "a byte order": (lambda frame: frame.astype(">u2"), "gave ndarray of >u2 and shape"),
    "an image": (Image.fromarray, "gave Image for frame 2"),
    "a tensor": (torch.from_numpy, "gave Tensor of torch.uint8 and shape"),
    "a list": (lambda frame: frame.tolist(), "gave list for frame 2"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_such_frame_is_refused_by_its_number(kind: str, path: Path) -> None:
    function, said = WRONG[kind]
    count = iter(range(5))
    with pytest.raises(FrameError, match=said) as failed:
        export_video(noise(), path, before_encode=lambda frame: frame if next(count) < 2 else function(frame))
    assert_kept(path, failed.value)


def test_an_exception_passes_through_and_leaves_the_path_as_it_was(path: Path) -> None:
    mistake = ZeroDivisionError("the model of the watermark")
    count = iter(range(5))

    def failing(frame: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if next(count) == 3:
            raise mistake
        return frame

    with pytest.raises(ZeroDivisionError) as failed:
        export_video(noise(), path, before_encode=failing)
    assert failed.value is mistake
    assert failed.value.args == ("the model of the watermark",)
    assert telecine.probe(assert_kept(path, failed.value)).frame_count == 3


def test_values_that_it_spoils_are_refused(path: Path) -> None:
    with pytest.raises(FrameError, match="frame 0 has 9216 NaN or infinite values"):
        export_video([BLANK] * 2, path, before_encode=lambda frame: frame * np.float32(np.nan))
    assert_untouched(path)


def test_what_is_no_function_is_refused_before_the_first_frame(path: Path) -> None:
    frames = Asked(noise())
    with pytest.raises(OptionError, match="before_encode='mark' is no function of a frame: give one, or leave it out"):
        export_video(frames, path, before_encode="mark")  # type: ignore[arg-type]
    assert frames.count == 0
    assert_untouched(path, OLDER)


def test_the_notes_are_those_that_the_docs_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "size-and-time.md").read_text(encoding="utf-8")
    frames = np.zeros((49, 480, 720, 3), np.uint8)
    names = {"telecine": telecine, "cv2": cv2, "frames": frames, "chunks": [frames[:8]], "model": np.copy}
    blocks = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "video.notes" in block]
    assert blocks
    for block in blocks:
        exec(re.sub("(video.notes)  # (.*)", r"assert \1 == \2", block), names)
