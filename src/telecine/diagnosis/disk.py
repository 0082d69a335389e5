"""What a folder can do of what telecine does there: each step is done to files in a folder that is removed again."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from ..publish.hidden import new_file
from ..publish.locks import release_lock, take_lock
from ..publish.open_folder import LIST, Folder
from .findings import Check, in_gibibytes

_PAGE = 4096


def checks() -> Iterator[Check]:
    """Give what is to be looked at."""
    yield "temporary folder", tempfile.gettempdir
    for name, find in (("temporary folder", tempfile.gettempdir), ("current folder", os.getcwd)):
        yield f"{name}, space", partial(_of, find, _space)
        yield f"{name}, steps", partial(_of, find, _steps)


def _of(find: Callable[[], str], look: Callable[[str], str]) -> str:
    """Look at a folder. Its path stays out of the error, for it is nobody's business.

    Raises:
        OSError: as the look does.
    """
    try:
        return look(find())
    except OSError as error:
        raise OSError(error.strerror or str(error)) from error


def _space(folder: str) -> str:
    found = shutil.disk_usage(folder)
    return f"{in_gibibytes(found.free)} of {in_gibibytes(found.total)} are free, on {_filesystem(folder)}"


def _filesystem(folder: str) -> str:
    """Give the kind of filesystem that a folder is on, as Linux tells it (proc_pid_mountinfo(5))."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return "a filesystem whose kind the system does not tell"
    number = os.stat(folder).st_dev
    device = f"{os.major(number)}:{os.minor(number)}"
    real = os.path.realpath(folder)
    kinds = {}
    for line in lines:
        before, _, after = line.partition(" - ")
        _, _, on, _, at, options, *_ = before.split()
        at = re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), at)
        if os.path.commonpath([real, at]) == at:
            kinds[(on == device, len(at))] = f"{after.split()[0]}{', read-only' if 'ro' in options.split(',') else ''}"
    return kinds[max(kinds)]


def _steps(path: str) -> str:
    """Do each step to files of its own, and say whether it can be done.

    Raises:
        OSError: files can't be made there, synced or replaced.
    """
    with tempfile.TemporaryDirectory(prefix=".telecine-doctor-", dir=path) as made:
        problems = {name: _problem(step, tempfile.mkdtemp(dir=made)) for name, step in _STEPS.items()}
    said = ", ".join(f"{name} {f'no ({problem})' if problem else 'yes'}" for name, problem in problems.items())
    if any(problems[name] for name in _NEEDED):
        raise OSError(said)
    return said


def _problem(step: Callable[[Folder], object], path: str) -> str:
    with Folder(path) as folder:
        try:
            step(folder)
        except OSError as error:
            return error.strerror or str(error)
    return ""


def _write(folder: Folder) -> None:
    with new_file(folder, "one") as file:
        file.write(bytes(_PAGE))
        os.fsync(file.fileno())


def _replace(folder: Folder) -> None:
    for name in ("one", "other"):
        new_file(folder, name).close()
    folder.replace("one", "other")


def _link(folder: Folder) -> None:
    new_file(folder, "one").close()
    folder.link("one", "other")


def _lock(folder: Folder) -> None:
    with new_file(folder, "one") as file:
        take_lock(file.fileno())
        other = folder.open("one", os.O_RDWR)
        try:
            if take_lock(other):
                raise OSError("two have it")
        finally:
            release_lock(other)
            os.close(other)


def _exchange(folder: Folder) -> None:
    for name in ("one", "other"):
        folder.make_folder(name, 0o700)
    if not folder.exchange("one", "other"):
        raise OSError("not in one step")


def _sync(folder: Folder) -> None:
    descriptor = folder.open(".", LIST)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_STEPS: dict[str, Callable[[Folder], object]] = {
    "write and fsync": _write,
    "replace": _replace,
    "hard link": _link,
    "lock": _lock,
    "exchange of folders": _exchange,
    "fsync of a folder": _sync,
}
_NEEDED = ("write and fsync", "replace")
