"""What frames become, as the writer sees it: the part of the line that a video and images have each their own way."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from ..errors import PublishError
from ..metadata.tags import Metadata
from ..planes.convert import Background, ValueRange
from ..planes.frame import Frame
from ..publish.journal import Kept
from ..sound.recognise import Audio
from ..support.clock import Clock
from ..support.notes import Notes
from .result import Video

if TYPE_CHECKING:
    from ..provenance.seal import Seal

Item = TypeVar("Item")
Given = TypeVar("Given", contravariant=True)


@dataclass(frozen=True)
class Asked:
    """What a writer is asked for that concerns every kind of file. `metadata` is what it says of itself."""

    quality: str
    bit_depth: int | None
    value_range: ValueRange
    background: Background | None
    metadata: Metadata | None
    seal: Seal | None
    clock: Clock
    notes: Notes


class Publishing(Protocol):
    """Where the bytes go. Until `commit` the path holds what it held; `keep` leaves what `telecine.recover` finds."""

    path: str

    def sync_due_in(self) -> float | None:
        """How many seconds what is written may still stay unsynced; None where all is synced."""

    def sync(self) -> None:
        """Bring what is written to the disk."""

    def insert(self, box: bytes) -> None:
        """Write a box between two frames."""

    def failure(self, error: OSError) -> PublishError:
        """Say of an error of the filesystem which path it cost."""

    def commit(self) -> None:
        """Put what is written at its path in one step."""

    def keep(self) -> Kept:
        """Let go of it, for a recovery, and tell what that will find; nothing stays of no frame."""

    def give_up(self) -> Kept:
        """Tell what is kept, and let others have it, while another thread still is in a call that writes it."""

    def discard(self) -> None:
        """Remove it."""


class Encoder(Protocol[Given]):
    """What takes frames in order, each with its `pts` in ticks."""

    def encode(self, frame: Given) -> None:
        """Take the next one."""

    def finish(self, stop: Callable[[], bool]) -> None:
        """Write what is still held back, unless told to stop, and let go of the file."""

    def close(self) -> None:
        """Let go of the file, finished or not."""


class Output(Protocol[Item]):
    """A kind of file. Options are checked when one is made, and the size when the first frame settles it."""

    def publication(self, path: str | os.PathLike[str], overwrite: bool) -> Publishing:
        """Open the destination, which proves that it can be written."""

    def settle(self, first: Frame) -> None:
        """Take the size and all that the first frame says."""

    @property
    def pixels(self) -> int:
        """The pixels of a frame."""

    @property
    def bytes_of_frame(self) -> int:
        """The bytes that a converted frame takes."""

    def convert(self, frame: Frame, pts: int) -> Item:
        """Make of a frame what the encoder takes, with memory of its own."""

    def release(self, item: Item) -> None:
        """Take back what is encoded."""

    def write_audio(self, audio: Audio, put_box: Callable[[bytes], None]) -> None:
        """Take sound, or its next piece, and make boxes for the journal of it."""

    def encoder(self, threads: int) -> Encoder[Item]:
        """Open the encoder."""

    def finish(self, stop: Callable[[], bool]) -> Video:
        """Complete what the encoder has written, unless told to stop, and check that it is what was promised."""
