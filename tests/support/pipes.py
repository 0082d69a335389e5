"""What takes bytes and can't be gone back in, and how many frames are in what it has."""

from __future__ import annotations

import io
import threading
from fractions import Fraction
from typing import Any

import av

from telecine.support.pyav import seconds


def packets(path: Any, kind: str) -> list[tuple[Fraction, bool, bytes]]:
    """When each packet of the first stream of a kind is shown or heard, whether it is a key frame, and its bytes."""
    with av.open(path if isinstance(path, io.BytesIO) else str(path), "r") as container:
        stream = next(each for each in container.streams if each.type == kind)
        whole = (packet for packet in container.demux(stream) if packet.size)
        return [(seconds(packet.pts or 0, packet.time_base), packet.is_keyframe, bytes(packet)) for packet in whole]


class Taker(io.RawIOBase):
    """Takes bytes, and can't be gone back in."""

    def __init__(self) -> None:
        self.taken = bytearray()
        self._changed = threading.Condition()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        with self._changed:
            self.taken += data
            self._changed.notify_all()
        return len(data)

    @property
    def frames(self) -> int:
        """How many frames are in what it has."""
        try:
            return len(packets(io.BytesIO(self.taken), "video"))
        except (av.FFmpegError, StopIteration):  # not all of the index
            return 0

    def wait_for(self, frames: int) -> None:
        """Wait until it has so many frames."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.frames >= frames, 60), f"{self.frames} frames came"
