"""Runs a call in a thread of its own: what native code would lose of a file's error or of Ctrl-C is raised.

Ctrl-C is raised in the main thread alone, so what the call changes on the disk it changes to the end, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, BinaryIO, TypeVar, cast

from .handover import Latch, start_thread

Result = TypeVar("Result")

_SECONDS_TO_STOP = 1.0
_REACHES_THE_DISK = {"read", "readinto", "write", "flush"}  # a seek fails where a damaged file leads nowhere


class Watched:
    """A file whose first error is kept. Once stopped, it fails."""

    def __init__(self, file: BinaryIO, stop: Latch) -> None:
        self._file, self._stop = file, stop
        self.error: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._file, name)
        if not callable(found):
            return found

        def call(*arguments: object) -> Any:
            if self._stop.is_set:
                raise InterruptedError
            try:
                return found(*arguments)
            except OSError as error:
                if name in _REACHES_THE_DISK:
                    self.error = self.error or error
                raise

        return call


def run_apart(call: Callable[..., Result], *files: BinaryIO, stop: Latch | None = None) -> Result:
    """Run a call on files in a thread of its own, and give what it gives.

    Ctrl-C is raised here at once: in a callback, native code would take it for the end of the file. The files fail
    then, and `stop` is set, for the call to end; it has a second for that.

    Raises:
        OSError: a file failed, whatever the call made of it.
    """
    stop = stop or Latch()
    watched = [Watched(file, stop) for file in files]
    results: list[Result] = []
    raised: list[BaseException] = []
    ended = Latch()

    def run() -> None:
        try:
            results.append(call(*cast(list[BinaryIO], watched)))
        except BaseException as error:
            raised.append(error)
        finally:
            ended.set()

    try:
        start_thread(run, "telecine-apart")
        ended.wait()
    except BaseException:
        stop.set()
        ended.wait(_SECONDS_TO_STOP)
        raise
    for error in [each.error for each in watched if each.error is not None] + raised:
        raise error
    return results[0]
