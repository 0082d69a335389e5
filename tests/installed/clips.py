"""The clips that these tests export."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

COUNT, HEIGHT, WIDTH, FPS = 6, 48, 64, 12


def floats(count: int = COUNT) -> npt.NDArray[np.float32]:
    """A clip of soft moving colours, (T, H, W, 3) in [0.1, 0.9]."""
    time, down, right = np.mgrid[:count, 0 : 1 : HEIGHT * 1j, 0 : 1 : WIDTH * 1j]
    rgb = [np.sin(5 * right + time), np.sin(4 * down - time), np.cos(3 * (right + down) + time)]
    return (0.5 + 0.4 * np.stack(rgb, axis=3)).astype(np.float32)


def codes(count: int = COUNT) -> npt.NDArray[np.uint8]:
    """The same in uint8."""
    return np.rint(255 * floats(count)).astype(np.uint8)


def transparent() -> npt.NDArray[np.uint8]:
    """The same under an alpha that goes from 0 on the left to 255."""
    alpha = np.broadcast_to(np.linspace(0, 255, WIDTH).astype(np.uint8)[:, None], (COUNT, HEIGHT, WIDTH, 1))
    return np.concatenate([codes(), alpha], axis=3)
