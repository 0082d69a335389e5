"""`trim`, `loop` and `ping_pong` put frames in another order, and change nothing in them."""

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
from telecine import OptionError

from ..support.helpers import Asked, greys

FRAMES = np.random.default_rng(0).integers(0, 256, (6, 12, 16, 3), np.uint8)
TENSOR = torch.from_numpy(FRAMES).movedim(3, 1).float().div(255)


def reusing(frames: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    """Make each frame in the memory of the one before, and wipe it in the end."""
    buffer = np.empty_like(frames[0])
    for frame in frames:
        buffer[:] = frame
        yield buffer
    buffer[:] = 0


# What is given, and the frames that are to come.
FORMS: dict[str, tuple[Callable[[], Any], npt.NDArray[Any]]] = {
    "array": (lambda: FRAMES, FRAMES),
    "uint16": (lambda: FRAMES.astype(np.uint16) * 257, FRAMES.astype(np.uint16) * 257),
    "float64": (lambda: FRAMES / 255, FRAMES / 255),
    "bool": (lambda: FRAMES > 127, FRAMES > 127),
    "list of arrays": (lambda: list(FRAMES), FRAMES),
    "images": (lambda: [Image.fromarray(frame) for frame in FRAMES], FRAMES),
    "batch of one": (lambda: [[Image.fromarray(frame) for frame in FRAMES]], FRAMES),
    "tensor": (lambda: TENSOR, TENSOR.movedim(1, 3).numpy()),
    "bfloat16": (lambda: TENSOR.bfloat16(), TENSOR.bfloat16().float().movedim(1, 3).numpy()),
    "iterator": (lambda: iter(FRAMES), FRAMES),
    "iterator of one buffer": (lambda: reusing(FRAMES), FRAMES),
    "iterator of bfloat16": (
        lambda: iter(TENSOR.bfloat16().movedim(1, 3)),
        TENSOR.bfloat16().float().movedim(1, 3).numpy(),
    ),
    "chunks": (lambda: iter([FRAMES[:4], FRAMES[4:]]), FRAMES),
}


@pytest.mark.parametrize("form", FORMS)
def test_frames_of_every_kind_come_in_the_other_order_and_as_they_were(form: str) -> None:
    given, frames = FORMS[form]
    ways: list[tuple[Callable[[Any], Iterator[npt.NDArray[Any]]], list[int]]] = [
        (lambda of: telecine.trim(of, 1, 4), [1, 2, 3]),
        (lambda of: telecine.trim(of, -3, -1), [3, 4]),
        (lambda of: telecine.loop(of, 2), [*range(6), *range(6)]),
        (lambda of: telecine.ping_pong(of), [0, 1, 2, 3, 4, 5, 4, 3, 2, 1]),
    ]
    for way, order in ways:
        found = [np.array(frame) for frame in way(given())]
        assert {frame.dtype for frame in found} == {frames.dtype}
        assert np.array_equal(found, frames[order])


@pytest.mark.parametrize("count", [0, 1, 5])
@pytest.mark.parametrize("start", [None, 0, 2, 9, -1, -3, -9])
@pytest.mark.parametrize("end", [None, 0, 2, 9, -1, -3, -9])
def test_what_is_trimmed_is_a_lists_slice(start: int | None, end: int | None, count: int) -> None:
    found = [
        int(frame[0, 0, 0])
        for frame in telecine.trim((np.full((9, 9, 3), n, np.uint8) for n in range(count)), start, end)
    ]
    assert found == list(range(count))[start:end]


def test_trimmed_frames_are_asked_for_as_they_come_and_none_after_the_end() -> None:
    asked = Asked(FRAMES)
    trimmed = telecine.trim(asked, 1, 3)
    assert asked.count == 0
    next(trimmed)
    assert asked.count == 2
    assert len(list(trimmed)) == 1
    assert asked.count == 3


def test_frames_of_an_array_are_held_where_they_lie() -> None:
    frames = telecine.ping_pong(FRAMES)
    assert all(np.shares_memory(frame, FRAMES) for frame in frames)


def test_forth_and_back_doubles_neither_end_however_often_it_is_looped() -> None:
    for count, times, expected in ((3, 1, "abcb"), (3, 2, "abcbabcb"), (2, 2, "abab"), (1, 3, "aaa")):
        order = telecine.ping_pong(FRAMES[:count], times)
        names = ["abc"[next(at for at in range(3) if np.array_equal(frame, FRAMES[at]))] for frame in order]
        assert "".join(names) == expected
        if count > 1:  # as a player sees it, which shows the first frame after the last
            assert all(one != other for one, other in zip(names, names[1:] + names[:1], strict=True))


def test_a_gif_that_goes_forth_and_back_is_looped_without_a_still(tmp_path: Path) -> None:
    frames = greys(5)
    telecine.export_video(telecine.loop(telecine.ping_pong(frames), 2), tmp_path / "a.gif", loops=0)
    with Image.open(tmp_path / "a.gif") as image:
        shown = []
        for number in range(16):
            image.seek(number)
            shown.append(float(np.asarray(image.convert("L")).mean()))
        assert image.n_frames == 16  # type: ignore[attr-defined]
    expected = [float(frames[at].mean()) for at in (0, 1, 2, 3, 4, 3, 2, 1) * 2]
    assert shown == pytest.approx(expected, abs=2)


def test_images_of_several_modes_and_files_go_through(tmp_path: Path) -> None:
    gray, color = Image.new("L", (16, 12), 90), Image.new("RGBA", (16, 12), (1, 2, 3, 128))
    gray.save(tmp_path / "0.png")
    color.save(tmp_path / "1.png")
    frames = list(telecine.loop(tmp_path, 2))
    assert [frame.shape[2] for frame in frames] == [1, 4, 1, 4]
    video = telecine.export_video(telecine.trim(telecine.loop(tmp_path, 2), 1), tmp_path / "a.apng")
    read = list(telecine.read_frames(video, alpha=True))
    assert [tuple(frame[0, 0]) for frame in read] == [(1, 2, 3, 128), (90, 90, 90, 255), (1, 2, 3, 128)]
    assert np.array_equal(list(telecine.trim(video, -2)), read[1:])


WRONG: list[Callable[[], object]] = [
    lambda: telecine.trim(FRAMES, 1.5),  # type: ignore[arg-type]
    lambda: telecine.trim(FRAMES, end=True),
    lambda: telecine.loop(FRAMES, 0),
    lambda: telecine.loop(FRAMES, 2.0),  # type: ignore[arg-type]
    lambda: telecine.ping_pong(FRAMES, -1),
    lambda: telecine.ping_pong(FRAMES, True),
    lambda: telecine.trim(FRAMES, layout="XY"),
]


@pytest.mark.parametrize("call", WRONG)
def test_a_wrong_argument_is_refused_at_once(call: Callable[[], object]) -> None:
    with pytest.raises(OptionError) as raised:
        call()
    assert "\n" not in str(raised.value)
