"""Progress of an export: a bar on the terminal, or a function of the caller's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

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


@contextmanager
def reporting(progress: Progress, total: int | None = None) -> Iterator[Report]:
    """Give the function to call with (frames done, frames in all); where `total` is known, it is what is passed on."""
    if callable(progress):
        report = progress
        yield lambda done, in_all: report(done, in_all if total is None else total)
    elif progress:
        with _bar(total) as report:
            yield report
    else:
        yield lambda done, in_all: None


@contextmanager
def _bar(total: int | None) -> Iterator[Report]:
    """A bar on standard error, shown from the first frame on."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("exporting"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]} frames/s"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    task = bar.add_task("export", total=total, speed="0")

    def report(done: int, in_all: int | None) -> None:
        bar.start()
        seconds = bar.tasks[0].elapsed
        bar.update(task, completed=done, speed=f"{done / seconds:.1f}" if seconds else "0")

    try:
        yield report
    finally:
        bar.stop()
