"""What frames become, as the writer sees it: a plan, then a shape, then a job; of a video and of images each their own.

A plan is made of the options, and all of them are right: no path is touched. The first frame gives it a shape, by which
frames are converted, in the caller's thread. A job is what the encoding thread has open, of a shape and a publication.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from ..color.color import Color
from ..deliver.target import Target
from ..errors import PublishError
from ..metadata.tags import Metadata
from ..planes.convert import Background, ValueRange
from ..planes.frame import Frame
from ..publish.journal import Kept
from ..sound.forms import Audio
from ..support.clock import Clock
from .result import Video

if TYPE_CHECKING:
    from ..deliver.live import Sink
    from ..provenance.seal import Seal

Picture = TypeVar("Picture")
Encoded = TypeVar("Encoded", contravariant=True)


class Outlook(NamedTuple):
    """What is to be written, as its shape has it.

    `options` are what the encoder is opened with, and `settings` what it makes of them, where it tells.
    """

    codec: str
    width: int
    height: int
    pixel_format: str
    options: Mapping[str, object]
    color: Color | None = None
    encoder: str = ""
    settings: str = ""


class Common(NamedTuple):
    """What every kind of file has of a writer's options, read. `hold` is in seconds, of the last frame.

    `metadata` is what the file says of itself; `seal` signs it.
    """

    fps: Fraction
    hold: Fraction | None
    value_range: ValueRange
    background: Background | None
    metadata: Metadata | None
    seal: Seal | None


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

    def kept_meanwhile(self) -> Kept:
        """Tell what is kept while another thread is in `commit`, should that not come to its end."""

    def discard(self) -> None:
        """Remove it."""


class Sound(Protocol):
    """What takes the sound."""

    def write(self, audio: Audio, insert: Callable[[bytes], None]) -> None:
        """Take sound, or its next piece, and make boxes for the journal of it.

        Raises:
            OptionError: it is no sound, or there is no place for it.
        """


class Encoder(Protocol[Encoded]):
    """What takes pictures in order."""

    def encode(self, picture: Encoded, pts: int) -> None:
        """Take the next one, and when it is shown, in ticks."""

    def finish(self, stop: Callable[[], bool]) -> None:
        """Write what is still held back, unless told to stop, and let go of the file."""

    def close(self) -> None:
        """Let go of the file, finished or not."""


class Job(Protocol[Encoded]):
    """What is being written, in the encoding thread."""

    def encoder(self) -> Encoder[Encoded]:
        """Open the encoder; it is done when it is freed: x264 writes its statistics then."""

    def finish(self, stop: Callable[[], bool]) -> Video:
        """Complete what the encoder has written, unless told to stop, and check that it is what was promised."""


class Shape(Protocol[Picture]):
    """The size of the frames and what follows from it, in the caller's thread."""

    @property
    def pixels(self) -> int:
        """The pixels of a frame."""

    @property
    def bytes_of_picture(self) -> int:
        """The bytes that a converted frame takes."""

    def outlook(self, threads: int) -> Outlook:
        """Say what is to be written by an encoder of so many threads, which is tried.

        Raises:
            EncodeError: it fails.
        """

    def convert(self, frame: Frame) -> Picture:
        """Make of a frame what the encoder takes, with memory of its own."""

    def release(self, picture: Picture) -> None:
        """Take back what is encoded."""

    def job(self, publication: Any, threads: int) -> Job[Picture]:
        """Give the job of a publication that the plan has opened, for an encoder of so many threads."""


class Plan(Protocol):
    """What is to be written. Every option is checked, and the encoder tried, when one is made."""

    @property
    def sound(self) -> Sound:
        """What takes the sound."""

    @property
    def shown_for(self) -> tuple[Fraction, Fraction] | None:
        """The least and most seconds that the format shows a frame, where it has bounds of its own."""

    @property
    def listeners(self) -> Sequence[Sink]:
        """What is given the file while it grows, beside where it goes."""

    def publication(self, target: Target) -> Publishing:
        """Open the destination, which proves that it can be written."""

    def shape(self, first: Frame, clock: Clock) -> Shape[Any]:
        """Give the shape of the frames by the first of them.

        Raises:
            FrameError: its size, or what its values are, does not go with the format.
        """
