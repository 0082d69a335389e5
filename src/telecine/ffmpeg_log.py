"""FFmpeg's own log lines, for error messages: kept for the thread that asks, printed nowhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import av
import av.logging

_lock = threading.Lock()
_listeners = 0
_level_before: int | None = None


@contextmanager
def captured_log() -> Iterator[list[tuple[int, str, str]]]:
    """Collect (level, component, message) of the warnings and errors that FFmpeg logs on this thread.

    PyAV's log level belongs to the whole process: it is raised while somebody listens, and put back after.
    """
    global _listeners, _level_before
    with _lock:
        if _listeners == 0:
            _level_before = av.logging.get_level()
            if _level_before is None or _level_before < av.logging.WARNING:
                av.logging.set_level(av.logging.WARNING)
        _listeners += 1
    try:
        with av.logging.Capture(local=True) as lines:
            yield lines
    finally:
        with _lock:
            _listeners -= 1
            if _listeners == 0:
                av.logging.set_level(_level_before)


def in_words(error: BaseException, lines: list[tuple[int, str, str]]) -> str:
    """Say what FFmpeg said: its logged errors, or else its warnings, or else the error's own text."""
    for level in (av.logging.ERROR, av.logging.WARNING):
        said = [f"{component}: {message.strip()}" for severity, component, message in lines if severity <= level]
        if said:
            return "; ".join(dict.fromkeys(said))
    return str(error) or type(error).__name__
