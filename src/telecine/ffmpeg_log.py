"""FFmpeg's own log lines, for error messages: kept for the thread that asks, printed nowhere."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import av
import av.logging

from .words import one_line

_NOTHING = logging.CRITICAL + 1


class _Before(NamedTuple):
    level: int | None
    skips_repeated: bool
    level_of_logger: int


_lock = threading.Lock()
_listeners = 0
_before = _Before(None, True, logging.WARNING)


@contextmanager
def captured_log() -> Iterator[list[tuple[int, str, str]]]:
    """Collect (level, component, message) of the warnings and errors that FFmpeg logs on this thread."""
    _listen()
    try:
        with av.logging.Capture(local=True) as lines:
            yield lines
    finally:
        _let_go()


def _listen() -> None:
    """Raise PyAV's log level, which belongs to the whole process, while somebody listens.

    So does its habit to drop a line that is the same as the one before, which may be another listener's. Lines of
    threads where nobody listens, such as an encoder's own, go to Python's logging, which prints them where it is not
    set up: where nobody had asked PyAV for lines, they are dropped there.
    """
    global _listeners, _before
    logger = logging.getLogger("libav")
    with _lock:
        if _listeners == 0:
            _before = _Before(av.logging.get_level(), av.logging.get_skip_repeated(), logger.level)
            if _before.level is None:
                logger.setLevel(_NOTHING)
            if _before.level is None or _before.level < av.logging.WARNING:
                av.logging.set_level(av.logging.WARNING)
            av.logging.set_skip_repeated(False)
        _listeners += 1


def _let_go() -> None:
    global _listeners
    with _lock:
        _listeners -= 1
        if _listeners == 0:
            av.logging.set_level(_before.level)
            av.logging.set_skip_repeated(_before.skips_repeated)
            logging.getLogger("libav").setLevel(_before.level_of_logger)


def in_words(error: BaseException, lines: list[tuple[int, str, str]]) -> str:
    """Say what FFmpeg said: its logged errors, or else its warnings, or else the error's own text."""
    for level in (av.logging.ERROR, av.logging.WARNING):
        said = [f"{component}: {one_line(message)}" for severity, component, message in lines if severity <= level]
        if said:
            return "; ".join(dict.fromkeys(said))
    return str(error) or type(error).__name__
