"""`export_batch`: many exports, each exactly once in effect, and a ledger of what became of them."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias, Unpack, cast

from ..engines.choose import engine_of
from ..engines.pending import Attempt, Pending
from ..engines.place import Place
from ..engines.work import Job, Outcome
from ..errors import OptionError
from ..frames.options import complete, options_of, with_options
from ..output.options import ExportOptions
from ..sets.parquet import check_pyarrow
from ..support.rate import is_whole
from .identity import identity_of
from .jobs import Rows, check_jobs, read_jobs
from .ledger import DONE, FAILED, RETRIED, STAGED, Entry, Ledger
from .names import slug
from .options import BatchOptions, Shard
from .report import write_report
from .sink import Sink, packable, packing_of, put_manifest

_LEDGER = "telecine-ledger.sqlite"
_ONE_EXPORTS = {
    "also_to", "before_encode", "fragment", "last_frame", "latency", "live", "only_rank", "overwrite", "progress",
    "timestamps",
}  # fmt: skip
_LEAST = {"workers": 1, "memory": 1, "attempts": 1, "limit": 0}
_NOT_OF_A_BATCH = {*_ONE_EXPORTS, "storage_options"}


@dataclass(frozen=True)
class BatchReport:
    """What became of a batch: of `total` jobs so many are done, `skipped` among them, which were done before.

    Those that `failed` are set aside: `ledger` is the path of the ledger, which says why. `left` were not tried.
    """

    total: int
    done: int
    skipped: int
    failed: int
    left: int
    seconds: float
    ledger: str

    @property
    def ok(self) -> bool:
        """Whether all jobs are done."""
        return self.done == self.total


Listener: TypeAlias = Callable[[Entry, BatchReport], object]


@with_options(BatchOptions)
def export_batch(jobs: Rows, output: str | os.PathLike[str], **options: Unpack[BatchOptions]) -> BatchReport:
    """Export many videos, and go on where an earlier run of the same jobs ended.

    Every row is looked at before the first frame. Outputs appear whole or not at all. What is in the ledger and, as
    large, at its place is not done again.

    Args:
        jobs: Rows, or a JSONL, CSV or Parquet file of them: `frames` (a folder, a glob, a file of arrays with the `key`
            of one, a video; local or a URL), `output` (a name under the prefix), any option of `export_video`, and
            facts, such as a prompt.
        output: The folder or the URL under which outputs go.
        **options: Those below; those of an export for all jobs, of which a row's own come first.

    Raises:
        OptionError: an argument, or rows: it tells of each, with its number.
        InputError: the table or the ledger can't be read.
        PublishError: the prefix or the ledger can't be written.
        MissingDependencyError: the library of a URL, pyarrow for a Parquet file or a training set, or Ray.
    """
    start, given = time.monotonic(), complete(BatchOptions, options, "export_batch")
    _check_numbers(cast(Mapping[str, Any], given))
    for_all, template, shard = options_for_all(options), given["template"], given["shard"]
    engine, packing = engine_of(given), packing_of(given["to"], given["shard_bytes"], shard)
    if given["manifest"]:
        check_pyarrow()
    place = Place.of(output, given["storage_options"])
    rows = jobs if isinstance(jobs, (str, os.PathLike)) else list(jobs)
    read = read_jobs(rows, template, for_all, given["dry_run"], place.stores)
    total = check_jobs(packable(read, packing, for_all), shard)
    path = _ledger_path(place, shard) if given["ledger"] is None else os.fspath(given["ledger"])
    if given["dry_run"]:
        return BatchReport(total, 0, 0, 0, total, time.monotonic() - start, path)
    place.prove()
    with Ledger(path) as ledger, contextlib.ExitStack() as opened:
        sink = None if packing is None else opened.enter_context(Sink(ledger, place, packing, given["shard_bytes"]))
        run = _Run(ledger, place, for_all, given, total, start, sink)
        jobs_left = (each for each in read_jobs(rows, template, for_all, stores=place.stores) if isinstance(each, Job))
        pending = Pending(run.left(_of_shard(jobs_left, shard), given["limit"]))
        results = opened.enter_context(contextlib.closing(engine(pending, sink.staging if sink else place, for_all)))
        for attempt, outcome in results:
            run.take(attempt, outcome, pending)
        run.finish()
        if packing is not None or given["manifest"]:
            put_manifest(ledger, place, shard)
        if given["report"] is not None:
            write_report(ledger, place, os.fspath(given["report"]))
        return run.report()


class _Run:
    """One run: what is left to do by the ledger and the place, and what became of it."""

    def __init__(
        self,
        ledger: Ledger,
        place: Place,
        options: Mapping[str, Any],
        of_batch: BatchOptions,
        total: int,
        start: float,
        sink: Sink | None,
    ) -> None:
        self._ledger, self._place, self._options, self._sink = ledger, place, options, sink
        self._attempts, self._retry_failed = of_batch["attempts"], of_batch["retry_failed"]
        self._listener, self._fail_fast = of_batch["listener"], of_batch["fail_fast"]
        self._total, self._start = total, start
        self._counts: Counter[str] = Counter()

    def left(self, jobs: Iterator[Job], limit: int | None) -> Iterator[Job]:
        """Give the jobs that are to be done."""
        sizes = self._place.sizes()
        for job in jobs:
            if limit is not None and self._counts["given"] >= limit:
                return
            job = replace(job, id=identity_of(job, self._options))
            entry = self._ledger.get(job.id)
            if entry is not None and entry.status == DONE and self._is_there(entry, sizes):
                self._counts["skipped"] += 1
            elif entry is not None and entry.status == FAILED and not self._retry_failed:
                self._counts["set aside"] += 1
            elif self._sink is None or self._is_for_a_worker(job, entry, self._sink):
                self._counts["given"] += 1
                yield job

    def _is_there(self, entry: Entry, sizes: Mapping[str, int]) -> bool:
        return sizes.get(entry.output) == entry.bytes if self._sink is None else self._sink.is_packed(entry)

    def _is_for_a_worker(self, job: Job, entry: Entry | None, sink: Sink) -> bool:
        """Keep the place of a job in a training set; False where its clip is there, or can't be packed."""
        if said := sink.problem(job):
            self._write(Entry(job.id, job.index, job.output, FAILED, 0, 0, error=said))
            return False
        sink.expect(job)
        if entry is None or entry.status != STAGED or not sink.is_staged(entry):
            return True
        self._told(sink.take(entry))
        return False

    def take(self, attempt: Attempt, outcome: Outcome, pending: Pending) -> None:
        """Write down what became of an attempt, and have it made again where that may help."""
        status = DONE if self._sink is None else STAGED
        if outcome.error:
            status = RETRIED if outcome.may_pass and attempt.number < self._attempts else FAILED
        entry = _entry(attempt, status, outcome)
        self._write(entry)
        if status == RETRIED:
            pending.again(attempt)
        elif self._sink is not None:
            self._told(self._sink.take(entry))
        if self._counts[FAILED] and self._fail_fast:
            pending.stop()

    def finish(self) -> None:
        """Have the rest of a training set packed, and wait for it."""
        if self._sink is not None:
            self._told(self._sink.finish())

    def _write(self, entry: Entry) -> None:
        self._ledger.put(entry)
        self._told([entry])

    def _told(self, entries: Iterable[Entry]) -> None:
        """Count entries as they are written, and hand them on."""
        for entry in entries:
            self._counts[entry.status] += 1
            if self._listener is not None:
                self._listener(entry, self.report())

    def report(self) -> BatchReport:
        """Say what it did."""
        done, failed = self._counts[DONE] + self._counts["skipped"], self._counts[FAILED] + self._counts["set aside"]
        left = self._total - done - failed
        seconds = time.monotonic() - self._start
        return BatchReport(self._total, done, self._counts["skipped"], failed, left, seconds, self._ledger.path)


def _entry(attempt: Attempt, status: str, outcome: Outcome) -> Entry:
    job, metadata = attempt.job, attempt.job.options.get("metadata")
    known = {**(metadata if isinstance(metadata, Mapping) else {}), **job.facts}
    facts = json.dumps(known, default=str, sort_keys=True)
    what = {each.name: getattr(outcome, each.name) for each in fields(Outcome) if each.name != "may_pass"}
    said = {"status": status, "attempts": attempt.number, "facts": facts, **what}
    return Entry(id=job.id, index=job.index, output=job.output, **said)


def options_for_all(options: BatchOptions | ExportOptions) -> dict[str, Any]:
    """Give the options of an export that are given for all jobs.

    Raises:
        OptionError: one is of one export alone.
    """
    for name, value in cast(Mapping[str, Any], options).items():
        if name in _ONE_EXPORTS and value != options_of(ExportOptions)[name].default:
            raise OptionError(f"{name}= is of one export, not of a batch: leave it out")
    known = options_of(ExportOptions).keys() - _NOT_OF_A_BATCH
    return {name: value for name, value in options.items() if name in known}


def _check_numbers(options: Mapping[str, Any]) -> None:
    """Raise OptionError where a number is none, or too small: of no workers nothing would be done, and nothing said."""
    for name, least in _LEAST.items():
        number = options[name]
        if number is not None and not (is_whole(number) and number >= least):
            raise OptionError(f"{name}={number!r} is no whole number from {least} on")


def _of_shard(jobs: Iterator[Job], shard: Shard | None) -> Iterator[Job]:
    return jobs if shard is None else (job for job in jobs if job.index % shard[1] == shard[0])


def _ledger_path(place: Place, shard: Shard | None) -> str:
    name = _LEDGER if shard is None else _LEDGER.replace(".", f"-{shard[0]}-of-{shard[1]}.")
    return f"{slug(place.prefix)}-{name}" if place.is_url else os.path.join(place.prefix, name)
