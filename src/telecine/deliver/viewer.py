"""A page of this machine that shows a video while it is written, and the finished file in the end."""

from __future__ import annotations

import atexit
import json
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from http import HTTPStatus
from itertools import chain
from queue import Empty
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from ..container.fragments import media_type
from ..errors import PublishError, TelecineError
from ..formats.containers import media_type_of
from ..pages.page import page
from ..support.words import one_line, shown
from .live import Broadcast, Fragment, Listening
from .loopback import LoopbackServer

if TYPE_CHECKING:
    from .loopback import Exchange
    from .target import Target

_MOST_VIEWERS = 16
_LOOK_AGAIN = 1.0  # seconds without a fragment after which one sees whether the viewer is still there
_SAID_FOR = 1.0  # seconds in which pages learn of a failure: they ask twice a second
_SERVED = 4  # of the writers that have ended, so many: ten thousand don't leave as many servers
_PATIENCE = {True: 2.0, False: 0.2}  # seconds that the interpreter waits for pages to have the file, or know why not
_SOURCES = "connect-src 'self'; media-src 'self' blob:"


class _Outcome(NamedTuple):
    """How the writing ended, after so many seconds, and why there is no file."""

    is_finished: bool
    seconds: float
    said: str = ""


class Viewer:
    """A sink that shows what it is given to browsers of this machine: what `live=True` stands for.

    It tells its address when it is entered. It lives on for a while after the end, for who has its page open.
    """

    problem = ""

    def __init__(self, target: Target | None, fps: Fraction) -> None:
        self._name, self._fps = shown(target.name) if target else "", fps
        # What grew at its place is no finished file: a pipe, a playlist.
        self._path = target.where if target and target.outlet is None else None
        self._broadcast, self._frames = Broadcast(), 0
        self._began = time.monotonic()
        self._outcome: _Outcome | None = None
        self._counting, self._viewers = threading.Lock(), 0  # who watch, or lack what came of it
        self._process = os.getpid()

    def give(self, fragment: Fragment) -> None:
        """Take a fragment, in the encoding thread."""
        self._frames += fragment.frames
        self._broadcast.give(fragment)

    def __enter__(self) -> Self:
        """Open the page.

        Raises:
            PublishError: this machine has no loopback, or no thread left.
        """
        routes = {
            "": self._page,
            "stream": self._stream,
            "state": self._state,
            "clip": self._clip,
            "seen": self._seen,
        }
        try:
            self._server = LoopbackServer(routes)
        except (OSError, RuntimeError) as error:
            why, number = getattr(error, "strerror", None) or error, getattr(error, "errno", None)
            said = f"live=True can't serve a page on 127.0.0.1: {why}; leave it out"
            raise PublishError.of(number, said, "127.0.0.1") from error
        if sys.stderr is not None:
            with suppress(OSError, ValueError):  # it is closed
                print(f"telecine: live at {self._server.url}", file=sys.stderr, flush=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._outcome = _Outcome(error is None, time.monotonic() - self._began, _in_words(error))
        self._broadcast.__exit__(kind, error, trace)
        if error is not None:
            self._server.close(_SAID_FOR)
        _ended.append(self)
        while len(_ended) > _SERVED:
            _ended.popleft()._server.close()

    def is_awaited(self, seconds: float) -> bool:
        """Whether somebody who watched lacks what came of it, so many seconds after the interpreter began to end."""
        if self._outcome is None or self._process != os.getpid():
            return False
        return self._viewers > 0 and seconds < _PATIENCE[self._outcome.is_finished]

    # ---- what is asked for, each in a thread -----------------------------------------------------------------------

    def _page(self, exchange: Exchange) -> None:
        data = {"name": self._name, "fps": float(self._fps)}
        html = "".join(page(f"{self._name} · live", "live", data, sources=_SOURCES))
        exchange.send("text/html; charset=utf-8", html.encode())

    def _state(self, exchange: Exchange) -> None:
        outcome = self._outcome
        state = {
            "frames": self._frames,
            "seconds": outcome.seconds if outcome else time.monotonic() - self._began,
            "outcome": None if outcome is None else "finished" if outcome.is_finished else "failed",
            "said": outcome.said if outcome else "",
        }
        exchange.send("application/json", json.dumps(state).encode())

    def _stream(self, exchange: Exchange) -> None:
        with self._watching() as has_room:
            pieces = _pieces(self._broadcast.listen(), exchange)
            if not has_room:
                exchange.refuse(HTTPStatus.SERVICE_UNAVAILABLE)
            elif (init := next(pieces, None)) is None:
                exchange.refuse(HTTPStatus.NOT_FOUND)
            else:
                exchange.send_pieces(media_type(init), chain([init], pieces))

    def _clip(self, exchange: Exchange) -> None:
        outcome, path = self._outcome, self._path
        if path is None or outcome is None or not outcome.is_finished:
            exchange.refuse(HTTPStatus.NOT_FOUND)
            return
        try:
            file = path.open("rb")
        except OSError:  # it went to no path, or is gone
            exchange.refuse(HTTPStatus.NOT_FOUND)
            return
        with file:
            exchange.send_file(media_type_of(path.suffix), file)

    def _seen(self, exchange: Exchange) -> None:
        exchange.refuse(HTTPStatus.NO_CONTENT)
        self._leave()

    @contextmanager
    def _watching(self) -> Iterator[bool]:
        """Count one who watches, if there is room; who watches to the end then says when it has what came of it."""
        with self._counting:
            has_room = self._viewers < _MOST_VIEWERS
            self._viewers += has_room
        is_over = False
        try:
            yield has_room
            is_over = self._outcome is not None
        finally:
            if has_room and not is_over:
                self._leave()

    def _leave(self) -> None:
        with self._counting:
            self._viewers = max(0, self._viewers - 1)


def _pieces(listening: Listening, exchange: Exchange) -> Iterator[bytes]:
    """Give what comes, until the end, or until who asked is gone."""
    while True:
        try:
            piece = listening.take(_LOOK_AGAIN)
        except Empty:
            if exchange.is_gone:
                return
        else:
            if piece is None:
                return
            yield piece


def _in_words(error: BaseException | None) -> str:
    if error is None or isinstance(error, TelecineError):
        return str(error or "")
    return one_line(f"{type(error).__name__}: {error}".removesuffix(": "))


_ended: deque[Viewer] = deque()  # which are served still


@atexit.register
def _wait_for_viewers() -> None:
    """Give those who watched a moment to have what came of it, when the interpreter ends."""
    began = time.monotonic()
    with suppress(KeyboardInterrupt):
        while any(each.is_awaited(time.monotonic() - began) for each in _ended):
            time.sleep(0.01)
