"""FFmpeg's own log lines, for error messages: kept for the thread that asks, printed nowhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import av
import av.logging

from .words import one_line

_lock = threading.Lock()
_listeners = 0
_before: tuple[int | None, bool] = None, True


@contextmanager
def captured_log() -> Iterator[list[tuple[int, str, str]]]:
    """Collect (level, component, message) of the warnings and errors that FFmpeg logs on this thread.

    PyAV's log level belongs to the whole process: it is raised while somebody listens, and put back after. So is its
    habit to drop a line that is the same as the one before, which may be another listener's.
    """
    global _listeners, _before
    with _lock:
        if _listeners == 0:
            _before = av.logging.get_level(), av.logging.get_skip_repeated()
            if _before[0] is None or _before[0] < av.logging.WARNING:
                av.logging.set_level(av.logging.WARNING)
            av.logging.set_skip_repeated(False)
        _listeners += 1
    try:
        with av.logging.Capture(local=True) as lines:
            yield lines
    finally:
        with _lock:
            _listeners -= 1
            if _listeners == 0:
                av.logging.set_level(_before[0])
                av.logging.set_skip_repeated(_before[1])


def in_words(error: BaseException, lines: list[tuple[int, str, str]]) -> str:
    """Say what FFmpeg said: its logged errors, or else its warnings, or else the error's own text."""
    for level in (av.logging.ERROR, av.logging.WARNING):
        said = [f"{component}: {one_line(message)}" for severity, component, message in lines if severity <= level]
        if said:
            return "; ".join(dict.fromkeys(said))
    return str(error) or type(error).__name__
