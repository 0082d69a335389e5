"""Progress of an export and of its upload: a bar on the terminal, or a function of the caller's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self, TypeAlias

from ..errors import MissingDependencyError, OptionError

Report: TypeAlias = "Callable[[int, int | None], object]"
Progress: TypeAlias = "bool | Report"


def check_progress(progress: Progress) -> None:
    """Check `progress` before any work.

    Raises:
        OptionError: it is neither a bool nor callable.
        MissingDependencyError: it is True, and the library of the bar is missing.
    """
    if callable(progress) or progress is False:
        return
    if progress is not True:
        raise OptionError(f"progress={progress!r} is not known: use True, False or a function of (done, total)")
    try:
        import rich.progress  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError("progress=True needs rich: pip install 'telecine[cli]'") from error


class Reporter:
    """What is told how many frames are done of how many, and how many bytes a store has of the file. It says nothing.

    It is used as a context, in which it may show something. `problem` is what is to be said of it in the end.
    """

    problem = ""

    def __call__(self, done: int, in_all: int | None) -> None:
        """Take how many frames are done, in the thread that writes them."""

    def uploaded(self, done: int, in_all: int) -> None:
        """Take how many bytes a store has, in any thread."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


def reporting(progress: Progress, total: int | None = None) -> Reporter:
    """Give what is told; where `total` is known, it is what is passed on."""
    if callable(progress):
        return _Function(progress, total)
    return _Bar(total) if progress else Reporter()


class _Function(Reporter):
    """A function of the caller's, and its `uploaded`, if it has one."""

    def __init__(self, report: Report, total: int | None) -> None:
        self._report, self._total = report, total
        self._uploaded: Report | None = getattr(report, "uploaded", None)

    def __call__(self, done: int, in_all: int | None) -> None:
        self._report(done, in_all if self._total is None else self._total)

    def uploaded(self, done: int, in_all: int) -> None:
        if self._uploaded is None:
            return
        try:
            self._uploaded(done, in_all)
        except Exception as error:  # the caller's, of which the upload, which may be done, does not fail
            self.problem = f"progress.uploaded failed, and was told no more: {error!r}"
            self._uploaded = None
        self.problem = self.problem or getattr(self._report, "problem", "")


class _Bar(Reporter):
    """A bar on standard error, shown from the first frame on, and below it one of the upload."""

    def __init__(self, total: int | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

        columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"), TimeElapsedColumn()
        self._bar = Progress(*columns, console=Console(stderr=True))
        self._total = total
        self._frames = self._bar.add_task("exporting", total=total, said="")
        self._upload: TaskID | None = None

    def __call__(self, done: int, in_all: int | None) -> None:
        self._bar.start()
        seconds = self._bar.tasks[0].elapsed
        speed = f"{done / seconds:.1f}" if seconds else "0"
        said = f"{done}/{'?' if self._total is None else self._total} {speed} frames/s"
        self._bar.update(self._frames, completed=done, said=said)

    def uploaded(self, done: int, in_all: int) -> None:
        if self._upload is None:
            self._upload = self._bar.add_task("uploading", said="")
        said = f"{done / 1e6:.1f} of {in_all / 1e6:.1f} MB"
        self._bar.update(self._upload, completed=done, total=in_all, said=said)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
