"""How a video is handed out while it grows: to who listens, and to what can't be gone back in."""

from __future__ import annotations

from fractions import Fraction
from typing import BinaryIO, NamedTuple, cast

from ..deliver.live import Grouping, Listener, Sink, frames_of_fragment, sink_of
from ..deliver.target import Outlet
from ..formats.containers import Container
from ..sound.encode import Sound
from .growing import GrowingVideo, Growth

_FRAGMENT = 0.5  # seconds


class Live(NamedTuple):
    """What a video is handed out to while it grows, and in fragments of how many frames and seconds at most."""

    listener: Sink | None
    outlet: Outlet | None
    frames: int
    fragment: Fraction
    latency: str

    def open(self, journal: BinaryIO, container: Container, sound: Sound, is_held: bool) -> LiveJournal:
        """Begin to hand out what is written to a journal; `is_held` as of `Growth`."""
        growing = None
        if self.outlet is not None:
            growing = GrowingVideo(self.outlet, container, Growth(self.fragment, self.latency, is_held), sound, journal)
        grouping = None if self.listener is None else Grouping(self.listener, self.frames, self.latency)
        return LiveJournal(journal, growing, grouping)


def live_of(
    listener: Listener | Sink | None, outlet: Outlet | None, fragment: float | None, latency: str, fps: Fraction
) -> Live:
    """Read how a video is handed out.

    Raises:
        OptionError: the length of a fragment or the latency is not accepted, or the listener can't be called.
    """
    seconds = fragment if fragment is not None else outlet.fragment if outlet else _FRAGMENT
    frames = frames_of_fragment(seconds, latency, fps)
    return Live(None if listener is None else sink_of(listener), outlet, frames, Fraction(seconds), latency)


class LiveJournal:
    """A journal, of which what is written is handed out too."""

    def __init__(self, journal: BinaryIO, growing: GrowingVideo | None, grouping: Grouping | None) -> None:
        self.seek, self.tell, self._journal, self._growing = journal.seek, journal.tell, journal, growing
        self._takers = [each for each in (growing, grouping) if each is not None]

    @property
    def file(self) -> BinaryIO:
        """It, as what an encoder writes to."""
        return cast(BinaryIO, self)

    def write(self, data: bytes) -> int:
        """Write to the journal, and hand it out."""
        written = self._journal.write(data)
        for each in self._takers:
            each.feed(bytes(data))
        return written

    def finish(self, duration: Fraction) -> int | None:
        """Hand out the rest of frames that last so many seconds; gives how many bytes it was, where that is known."""
        return None if self._growing is None else self._growing.finish(duration)
