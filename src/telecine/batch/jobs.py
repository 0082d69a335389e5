"""Jobs: a row each of a table, or a dictionary, all of which are right before the first frame is asked for."""

from __future__ import annotations

import csv
import difflib
import io
import json
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO, TypeAlias, cast

from ..engines.work import Job, inputs_of
from ..errors import InputError, MissingDependencyError, OptionError, TelecineError
from ..files.files import is_open_file, name_of, opened_file, said_of
from ..files.urls import StorageOptions, scheme_of
from ..formats.choose import output_of
from ..formats.containers import PlaylistFormat
from ..frames.changes import changes_of
from ..frames.options import complete, options_of, part
from ..output.options import ExportOptions, WriterOptions
from ..output.plan import plan_of
from ..support.clock import parse_last_frame
from ..support.notes import Notes
from ..support.rate import parse_fps
from .names import Names

Row: TypeAlias = Mapping[str, object]
Rows: TypeAlias = "str | os.PathLike[str] | Iterable[Row]"

_MOST_SAID = 20  # errors of rows in one message
_AT_ONCE = 1024  # rows of a Parquet file
_OF_EACH = {"audio", "last_frame", "metadata", "timestamps"}  # options that no encoder is told of
_LIKE = 0.8  # how alike a column and an option are of which one is taken for a misspelling


def read_jobs(
    rows: Rows,
    template: str | None,
    options: Mapping[str, Any],
    look: bool = False,
    stores: Mapping[str, StorageOptions] | None = None,
) -> Iterator[Job | OptionError]:
    """Read rows, and give for each a job, or what is wrong with it. The encoder is tried once for the same options.

    Args:
        rows: A JSONL, CSV or Parquet file, or the rows themselves.
        template: The name of an output whose row has none, such as "{index:06d}-{prompt_slug}.mp4".
        options: Those of `export_video` that hold for all rows; a row's own come first.
        look: Whether inputs are opened too.
        stores: What the stores of inputs are opened with, by the schemes of their URLs; a row's own comes first.

    Raises:
        InputError: the file can't be read.
        OptionError: it is of another kind, or the template is wrong.
        MissingDependencyError: a Parquet file without pyarrow.
    """
    names, seen, tried = Names(template), dict[str, int](), dict[str, str]()
    for index, row in enumerate(_rows_of(rows)):
        try:
            job = _job(index, row, names, stores or {})
            if (other := seen.setdefault(job.output, index)) != index:
                raise OptionError(f"its output {job.output!r} is that of row {other} too")
            if said := _said_of_options(job, options, tried):
                raise OptionError(said)
            if look:
                _look_at(job, options)
        except (TelecineError, TypeError) as error:
            yield OptionError(f"row {index}: {error}")
        else:
            yield job


def check_jobs(jobs: Iterable[Job | OptionError], shard: tuple[int, int] | None) -> int:
    """Count the jobs, or those of a shard, if all of them are right.

    Raises:
        OptionError: some are not; it tells of each, up to twenty. Or the shard is none.
    """
    if shard is not None and not 0 <= shard[0] < shard[1]:
        raise OptionError(f"shard={shard!r} is none: use (i, n) with i from 0 to n - 1")
    count, wrong = 0, list[str]()
    for each in jobs:
        if isinstance(each, OptionError):
            wrong.append(str(each))
        elif shard is None or each.index % shard[1] == shard[0]:
            count += 1
    if wrong:
        more = f"; and {len(wrong) - _MOST_SAID} more" if len(wrong) > _MOST_SAID else ""
        raise OptionError("; ".join(wrong[:_MOST_SAID]) + more)
    return count


def _job(index: int, row: Row, names: Names, stores: Mapping[str, StorageOptions]) -> Job:
    if not isinstance(row, Mapping):
        raise OptionError(f"{row!r} is no row: give a dictionary with frames and options of export_video")
    given = {str(name): value for name, value in row.items() if value is not None and not _is_empty(value)}
    frames, key = given.get("frames"), given.get("key")
    if frames is None:
        raise OptionError("it has no frames: give a folder, a glob, a file of arrays or a video")
    if hasattr(frames, "__next__") or is_open_file(frames):
        raise OptionError("its frames can be read once, and by this process: name a file, or give a list or an array")
    if key is not None and not isinstance(key, str):
        raise OptionError(f"key={key!r} is no name of an array")
    output = names.name(index, given)
    known = _options_of_rows()
    facts = {name: value for name, value in given.items() if name not in {*known, "frames", "key", "output"}}
    for name in facts:
        if meant := difflib.get_close_matches(name, [*known, "frames", "output"], 1, _LIKE):
            raise OptionError(f"{name!r} is no option: {meant[0]!r} is; name a fact otherwise")
    options = {name: given[name] for name in known if name in given}
    own = _own_store(options.pop("storage_options", None), frames, options.get("audio"))
    return Job(index, frames, output, options, key, facts, {**stores, **own})


def _own_store(storage_options: Any, *inputs: object) -> Mapping[str, StorageOptions]:
    """Give what a row opens its inputs' store with, by the scheme of the first that is in one. Raises OptionError."""
    if storage_options is None:
        return {}
    if not isinstance(storage_options, Mapping):
        raise OptionError(f"storage_options={storage_options!r} are none: give names and values")
    scheme = next(filter(None, map(scheme_of, inputs)), None)
    if scheme is None:
        raise OptionError("storage_options= of a row goes with a URL of its frames or sound: leave it out")
    return {scheme: storage_options}


def _options_of_rows() -> list[str]:
    """Give the options that a row may have: width and height are what tables say of clips, and scale none."""
    return [name for name in options_of(ExportOptions) if name not in ("width", "height")]


def _is_empty(value: object) -> bool:
    return isinstance(value, str) and value == ""


def _said_of_options(job: Job, options: Mapping[str, Any], tried: dict[str, str]) -> str:
    """Say what is wrong with a job's options; the same ones are looked at once."""
    all_options = {**options, **job.options}
    looked_at = {name: value for name, value in all_options.items() if name not in _OF_EACH}
    extension = os.path.splitext(job.output)[1].lower()
    if (alike := f"{extension} {looked_at!r}") not in tried:
        tried[alike] = problem_of(job.output, all_options)
    return tried[alike]


def problem_of(output: str, options: Mapping[str, Any]) -> str:
    """Say what is wrong with the options of an output; a trial encoder is opened. Nothing where they are right."""
    try:
        given = part(WriterOptions, complete(ExportOptions, cast(ExportOptions, options), "export_video"))
        row = output_of(output, given["format"])
        if isinstance(row, PlaylistFormat):
            return f"{row.name} makes several files, of which a batch can't tell whether all are there: use .mp4"
        hold, _ = parse_last_frame(given["hold"], given["repeat"])
        with warnings.catch_warnings(action="ignore"):
            plan_of(row, given, hold, Notes())
            changes_of(given, parse_fps(given["fps"]), Notes())
    except (TelecineError, TypeError) as error:
        return str(error)
    return ""


def _look_at(job: Job, options: Mapping[str, Any]) -> None:
    """Open a job's input. Raises as `open_source`; of sound InputError."""
    _, audio = inputs_of(job, {**options, **job.options}.get("audio"))
    if isinstance(audio, (str, os.PathLike)):
        with opened_file(audio):
            pass


# ---- tables --------------------------------------------------------------------------------------------------------


def _rows_of(rows: Rows) -> Iterator[Row]:
    if not isinstance(rows, (str, os.PathLike)):
        yield from rows
        return
    name = os.fspath(rows)
    read = next((read for extension, read in _READERS.items() if name.lower().endswith(extension)), None)
    if read is None:
        raise OptionError(f"jobs={name!r} is no table: use a .jsonl, .csv or .parquet file, or rows")
    with opened_file(name) as file:
        if file.seek(0, os.SEEK_END) == 0:
            raise InputError(f"{name_of(file)!r} is empty: it has no jobs")
        file.seek(0)
        with said_of(file, "a table of jobs"):
            yield from read(file)


def _jsonl(file: BinaryIO) -> Iterator[Row]:
    for number, line in enumerate(io.TextIOWrapper(file, "utf-8-sig"), 1):
        if line.strip():
            try:
                yield cast(Row, json.loads(line))
            except json.JSONDecodeError as error:
                raise InputError(f"{name_of(file)!r}, line {number}, is no JSON: {error.msg}") from error


def _csv(file: BinaryIO) -> Iterator[Row]:
    """Give the rows of a CSV, whose options are read as JSON where they are such: 16, true, {"seed": 1}."""
    known = _options_of_rows()
    for row in csv.DictReader(io.TextIOWrapper(file, "utf-8-sig", newline="")):
        yield {name: _value(text) if name in known else text for name, text in row.items() if name is not None}


def _value(text: str | None) -> object:
    try:
        return json.loads(text or '""')
    except json.JSONDecodeError:
        return text


def _parquet(file: BinaryIO) -> Iterator[Row]:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise MissingDependencyError("a Parquet file of jobs needs pip install 'telecine[batch]'") from error
    for batch in parquet.ParquetFile(file).iter_batches(_AT_ONCE):
        yield from batch.to_pylist()


_READERS: Mapping[str, Callable[[BinaryIO], Iterator[Row]]] = {".jsonl": _jsonl, ".csv": _csv, ".parquet": _parquet}
