"""Runs native code that calls back for a file's bytes: what it would lose of an error or of Ctrl-C is raised."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, BinaryIO, TypeVar, cast

Result = TypeVar("Result")

_SECONDS_TO_STOP = 1.0
_REACHES_THE_DISK = {"read", "readinto", "write", "flush"}  # a seek fails where a damaged file leads nowhere


class _Watched:
    """A file whose first error is kept. Once stopped, it fails."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None
        self.stopped = False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._file, name)
        if not callable(found):
            return found

        def call(*arguments: object) -> Any:
            if self.stopped:
                raise InterruptedError
            try:
                return found(*arguments)
            except OSError as error:
                if name in _REACHES_THE_DISK:
                    self.error = self.error or error
                raise

        return call


def run_apart(call: Callable[..., Result], *files: BinaryIO) -> Result:
    """Run a call on files in a thread of its own, and give what it gives.

    Ctrl-C is raised here at once: in a callback, native code would take it for the end of the file.

    Raises:
        OSError: a file failed, whatever the call made of it.
    """
    watched = [_Watched(file) for file in files]
    results: list[Result] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call(*cast(list[BinaryIO], watched)))
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, name="telecine-apart", daemon=True)
    thread.start()
    try:
        thread.join()
    except BaseException:
        for each in watched:
            each.stopped = True
        thread.join(_SECONDS_TO_STOP)
        raise
    for error in [each.error for each in watched if each.error is not None] + raised:
        raise error
    return results[0]
