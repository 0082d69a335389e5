"""FFmpeg's own log lines, for error messages: kept for the thread that asks, printed nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import av
import av.logging

_listeners: set[object] = set()
_before: dict[str, int | None] = {}  # the level to put back, where it was lower


@contextmanager
def captured_log() -> Iterator[list[tuple[int, str, str]]]:
    """Collect (level, component, message) of the warnings and errors that FFmpeg logs on this thread.

    PyAV's log level belongs to the whole process: it is raised while somebody listens, and put back after. So is its
    habit to drop a line that is the same as the one before, which may be another listener's. There is no lock, which
    Ctrl-C could leave held: each step may be done again.
    """
    listener = object()
    try:
        _listeners.add(listener)
        _raise_level()
        with av.logging.Capture(local=True) as lines:
            yield lines
    finally:
        _listeners.discard(listener)
        if not _listeners:
            _lower_level()
        if _listeners:  # another came meanwhile
            _raise_level()


def _raise_level() -> None:
    level = av.logging.get_level()
    if level is None or level < av.logging.WARNING:
        _before["level"] = level
        av.logging.set_level(av.logging.WARNING)
    if av.logging.get_skip_repeated():
        _before["skips"] = True
        av.logging.set_skip_repeated(False)


def _lower_level() -> None:
    with suppress(KeyError):
        av.logging.set_level(_before.pop("level"))
    with suppress(KeyError):
        av.logging.set_skip_repeated(bool(_before.pop("skips")))


def in_words(error: BaseException, lines: list[tuple[int, str, str]]) -> str:
    """Say what FFmpeg said: its logged errors, or else its warnings, or else the error's own text."""
    for level in (av.logging.ERROR, av.logging.WARNING):
        said = [
            f"{component}: {' '.join(message.split())}" for severity, component, message in lines if severity <= level
        ]
        if said:
            return "; ".join(dict.fromkeys(said))
    return str(error) or type(error).__name__
