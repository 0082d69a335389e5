"""FFmpeg's own log lines, for error messages: kept for the thread that asks, printed nowhere."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TypeAlias

import av
import av.logging

from .words import one_line

LogLine: TypeAlias = tuple[int, str, str]  # its level, the component that says it, the text

_MOST_SAID = 8  # of a damaged file there may be a line for each of its elements
_NOTHING = logging.CRITICAL + 1
_listeners: set[object] = set()
_before: dict[str, int | None] = {}  # what to put back, of what was changed


@contextmanager
def captured_log() -> Iterator[list[LogLine]]:
    """Collect (level, component, message) of the warnings and errors that FFmpeg logs on this thread.

    There is no lock, which Ctrl-C could leave held: each step may be done again.
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
    """Raise PyAV's log level, which belongs to the whole process, while somebody listens.

    So does its habit to drop a line that is the same as the one before, which may be another listener's. Lines of
    threads where nobody listens, such as an encoder's own, go to Python's logging, which prints them where it is not
    set up: where nobody had asked PyAV for lines, they are dropped there.
    """
    level, logger = av.logging.get_level(), logging.getLogger("libav")
    if level is None and "logger" not in _before:
        _before["logger"] = logger.level
        logger.setLevel(_NOTHING)
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
    with suppress(KeyError):
        logging.getLogger("libav").setLevel(_before.pop("logger") or logging.NOTSET)


def in_words(error: BaseException, lines: list[LogLine]) -> str:
    """Say what FFmpeg said: its logged errors, or else its warnings, or else the error's own text."""
    for level in (av.logging.ERROR, av.logging.WARNING):
        said = dict.fromkeys((component, message) for severity, component, message in lines if severity <= level)
        if said:
            first = [f"{component}: {one_line(message)}" for component, message in islice(said, _MOST_SAID)]
            return "; ".join(first) + (f"; and {len(said) - _MOST_SAID} more" if len(said) > _MOST_SAID else "")
    return one_line(str(error)) or type(error).__name__
