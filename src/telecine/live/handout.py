"""How a video is handed out while it grows: to who listens, and to what can't be gone back in."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import BinaryIO, NamedTuple, cast

from ..deliver.file_objects import FRAGMENT, BinaryWriter
from ..deliver.live import Listener, ListenerOutlet, Sink, frames_of_fragment, sink_of
from ..deliver.target import Outlet
from ..formats.containers import CONTAINERS, Container
from ..sound.encode import Sound
from .growing import GrowingVideo, Growth


class Live(NamedTuple):
    """What a video is handed out to while it grows, and in fragments of how many frames and seconds at most.

    Each begins with a key frame, which comes every `interval` frames at least.
    """

    listeners: tuple[Sink, ...]
    outlet: Outlet | None
    interval: int
    growth: Growth

    def open(self, journal: BinaryIO, container: Container, sound: Sound, is_held: bool) -> LiveJournal:
        """Begin to hand out what is written to a journal; `is_held` as of `Growth`."""
        growth = self.growth._replace(is_held=is_held)
        outlets: list[tuple[BinaryWriter, Container]] = [(self.outlet, container)] if self.outlet else []
        if self.listeners:
            outlets.append((ListenerOutlet(self.listeners), CONTAINERS["mp4"]))
        return LiveJournal(journal, [GrowingVideo(*each, growth, sound, journal) for each in outlets])


def live_of(
    listeners: Iterable[Listener | Sink], outlet: Outlet | None, fragment: float | None, latency: str, fps: Fraction
) -> Live:
    """Read how a video is handed out.

    Raises:
        OptionError: the length of a fragment or the latency is not accepted, or a listener can't be called.
    """
    seconds = fragment if fragment is not None else outlet.fragment if outlet else FRAGMENT
    interval = frames_of_fragment(seconds, latency, fps)
    growth = Growth(1 if latency == "low" else interval, Fraction(seconds))
    return Live(tuple(map(sink_of, listeners)), outlet, interval, growth)


class LiveJournal:
    """A journal, of which what is written is handed out too."""

    def __init__(self, journal: BinaryIO, growing: list[GrowingVideo]) -> None:
        self.seek, self.tell, self._journal, self._growing = journal.seek, journal.tell, journal, growing

    @property
    def file(self) -> BinaryIO:
        """It, as what an encoder writes to."""
        return cast(BinaryIO, self)

    def write(self, data: bytes) -> int:
        """Write to the journal, and hand it out."""
        written = self._journal.write(data)
        for each in self._growing:
            each.feed(bytes(data))
        return written

    def finish(self, duration: Fraction) -> None:
        """Hand out the rest of frames that last so many seconds."""
        for each in self._growing:
            each.finish(duration)
