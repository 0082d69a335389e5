"""An export never holds its frames a second time: what Python, torch and the process allocate is counted."""

from __future__ import annotations

import ctypes
import gc
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import telecine

pytestmark = pytest.mark.slow

FRAMES, HEIGHT, WIDTH = 100, 192, 256
# What an export may allocate is a few frames, whatever their number: of 100, a tenth is far from any copy of them.
MOST = 0.1


class TorchMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of the tensors that operations make in memory of their own."""

    def __init__(self, given: object) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.allocated = 0
        self._known = {given.untyped_storage().data_ptr()} if isinstance(given, torch.Tensor) else set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                if storage.data_ptr() not in self._known:
                    self._known.add(storage.data_ptr())
                    self.allocated += storage.nbytes()
        return made


@dataclass(frozen=True)
class Allocated:
    """Bytes: the most that Python and NumPy held at once, all that torch made, how far the process grew."""

    python: int
    torch: int
    process: int


def kilobytes(field: str) -> int:
    """A field of /proc/self/status; 0 where there is none."""
    with suppress(OSError):
        return int(Path("/proc/self/status").read_text(encoding="ascii").split(f"{field}:")[1].split()[0])
    return 0


def allocated_by(run: Callable[[Any], object], given: object) -> Allocated:
    gc.collect()
    with suppress(AttributeError):  # glibc's: a copy in memory that was used before would not show
        ctypes.CDLL(None).malloc_trim(0)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew (proc_pid_clear_refs(5))
    before = kilobytes("VmRSS")
    tracemalloc.start()
    try:
        with TorchMemory(given) as torch_memory:
            run(given)
        _, python = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return Allocated(python, torch_memory.allocated, (kilobytes("VmHWM") - before) << 10)


def tensor(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(dtype)


def array(*shape: int, dtype: str = "float32") -> Any:
    return np.random.default_rng(0).random(shape).astype(dtype)


GIVEN: dict[str, Callable[[], Any]] = {
    "torch, float32, CTHW": lambda: tensor(3, FRAMES, HEIGHT, WIDTH),
    "torch, bfloat16, BTCHW": lambda: tensor(1, FRAMES, 3, HEIGHT, WIDTH, dtype=torch.bfloat16),
    "torch, float16, THWC of CTHW": lambda: tensor(3, FRAMES, HEIGHT, WIDTH, dtype=torch.float16).permute(1, 2, 3, 0),
    "NumPy, float32, THWC": lambda: array(FRAMES, HEIGHT, WIDTH, 3),
    "NumPy, float32, Fortran order": lambda: np.asfortranarray(array(FRAMES, HEIGHT, WIDTH, 3)),
    "NumPy, float32, every other frame, backwards": lambda: array(2 * FRAMES, HEIGHT, WIDTH, 3)[::-2],
    "NumPy, float32, bytes of the other order": lambda: array(FRAMES, HEIGHT, WIDTH, 3, dtype=">f4"),
}


@pytest.mark.parametrize("what", GIVEN)
def test_100_float_frames_are_never_held_twice(tmp_path: Path, what: str) -> None:
    frames = GIVEN[what]()
    size = FRAMES * HEIGHT * WIDTH * 3 * (frames.element_size() if isinstance(frames, torch.Tensor) else 4)

    def export(frames: Any) -> None:
        telecine.export_video(frames, tmp_path / "clip.mp4", preset="ultrafast", crf=51)

    with TorchMemory(None):  # what is made once, such as modules
        export(tensor(2, 3, HEIGHT, WIDTH))
    allocated = allocated_by(export, frames)
    assert allocated.python < MOST * size
    assert allocated.torch < MOST * size
    assert allocated.process < 0.5 * size


@pytest.mark.parametrize("copy", [torch.Tensor.clone, torch.Tensor.double, lambda frames: frames.numpy().copy()])
def test_the_counts_see_a_copy(copy: Callable[[torch.Tensor], object]) -> None:
    frames = tensor(FRAMES, HEIGHT, WIDTH, 3)
    size = frames.nbytes
    allocated = allocated_by(copy, frames)
    assert max(allocated.python, allocated.torch) >= size
    assert allocated.process >= 0.9 * size or not kilobytes("VmRSS")
