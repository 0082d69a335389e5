"""`telecine batch`: many exports, seen while they run."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any, Self, TextIO

import typer

from ..batch.ledger import DONE
from ..batch.options import BatchOptions
from ..errors import OptionError
from ..publish.destination import naming
from ..support.words import one_line
from .options import DebugOption, given_options, with_options
from .terminal import complain, errors_are_seen, print_facts

if TYPE_CHECKING:
    from ..batch.ledger import Entry
    from ..batch.run import BatchReport

_EVERY = 5.0  # seconds between lines where there is no terminal


@with_options(BatchOptions)
def batch(
    jobs: Annotated[
        list[str],
        typer.Argument(metavar="JOBS", help="A .jsonl, .csv or .parquet file; or: merge LEDGER OTHER…, of shards."),
    ],
    output: Annotated[str | None, typer.Option("--output", "-o", metavar="PREFIX", help="A folder or a URL.")] = None,
    log_json: Annotated[str | None, typer.Option(metavar="FILE", help="A line of JSON for each attempt.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say only what is wrong.")] = False,
    debug: DebugOption = False,
    **options: Any,
) -> int:
    """Export many videos, and go on where an earlier run ended."""
    if jobs[0] == "merge":
        return _merge(jobs[1:])
    if output is None or len(jobs) != 1:
        raise OptionError("batch takes one table of jobs and where they go: telecine batch jobs.jsonl -o folder")
    from ..batch.run import export_batch  # start-up: few run a batch

    given = given_options(BatchOptions, options)
    with ExitStack() as opened:
        log = None if log_json is None else opened.enter_context(_opened_log(log_json))
        view = opened.enter_context(_View(quiet, log))
        done = export_batch(jobs[0], output, listener=view, **given)
    if not quiet:
        print_facts(_facts(done))
    return 1 if done.failed else 0


def _opened_log(path: str) -> TextIO:
    with naming(path, "written"):
        return open(path, "a", encoding="utf-8")


def _merge(paths: list[str]) -> int:
    if len(paths) < 2:
        raise OptionError("batch merge takes the ledger to write and those to take: batch merge all.sqlite 0.sqlite …")
    from ..batch.ledger import FAILED, merge_ledgers  # start-up: as above

    counts = merge_ledgers(paths[0], paths[1:])
    print_facts([("ledger", paths[0]), *((status, str(count)) for status, count in counts.items())])
    return 1 if counts.get(FAILED) else 0


def _facts(report: BatchReport) -> list[tuple[str, str]]:
    return [
        ("jobs", f"{report.total}"),
        ("done", f"{report.done}" + (f", {report.skipped} of them before" if report.skipped else "")),
        *([("failed", f"{report.failed}")] if report.failed else []),
        *([("left", f"{report.left}")] if report.left else []),
        ("seconds", f"{report.seconds:.1f}"),
        ("ledger", report.ledger),
    ]


class _View:
    """What is seen while a batch runs: a line that changes on a terminal, lines elsewhere, a log if that is wanted."""

    def __init__(self, quiet: bool, log: TextIO | None) -> None:
        self._log, self._quiet, self._bytes, self._said = log, quiet, 0, time.monotonic()
        self._is_terminal = not quiet and errors_are_seen()

    def __call__(self, entry: Entry, report: BatchReport) -> None:
        """Take an entry of the ledger, and what was done by then."""
        self._bytes += entry.bytes if entry.status == DONE else 0
        if self._log is not None:
            self._log.write(json.dumps(dataclasses.asdict(entry), ensure_ascii=False) + "\n")
            self._log.flush()
        if entry.error:
            self._clear()
            complain(f"telecine: row {entry.index}, {one_line(entry.output)}: {entry.status}: {one_line(entry.error)}")
        self._show(report)

    def _show(self, report: BatchReport) -> None:
        now = time.monotonic()
        if self._quiet or (not self._is_terminal and now - self._said < _EVERY):
            return
        self._said = now
        fresh = report.done - report.skipped
        speed = fresh / report.seconds if report.seconds else 0
        left = f"{report.left / speed:.0f} s left" if speed and report.left else ""
        line = (
            f"{report.done}/{report.total} clips, {speed:.1f} clips/s, "
            f"{self._bytes / 1e6 / max(report.seconds, 1e-9):.1f} MB/s, {report.failed} failed {left}"
        )
        if self._is_terminal:
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()
        else:
            complain(line)

    def _clear(self) -> None:
        if self._is_terminal:
            sys.stderr.write("\r\x1b[K")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._clear()
