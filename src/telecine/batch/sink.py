"""What packs a batch's finished clips into the shards of a training set, each once in effect.

Workers put clips into a folder beside the ledger, which notes them as staged. They go on in the order of the rows. A
shard is written and put at its place whole; the ledger notes it with its jobs, in one step; then the clips are removed.
A shard that was begun and is not noted is none: the next run removes it, and packs the staged clips again.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from hashlib import file_digest
from itertools import count, takewhile
from types import TracebackType
from typing import Any, NamedTuple, Self

from ..deliver.staging import make_own_folder
from ..engines.place import Place
from ..engines.work import Job, upload
from ..errors import OptionError, PublishError
from ..files.files import stored_path
from ..formats.choose import either, output_of
from ..formats.containers import PlaylistFormat
from ..formats.images import SequenceFormat
from ..publish.destination import naming
from ..publish.open_folder import Folder
from ..sets.clips import Clip, Packing
from ..sets.lerobot import LeRobot
from ..sets.parquet import ParquetSet, check_pyarrow, write_manifest
from ..sets.webdataset import WebDataset
from ..support.handover import Latch, start_thread
from ..support.in_order import InOrder
from .ledger import DONE, FAILED, STAGED, Entry, Ledger
from .options import Shard

_PACKINGS: Mapping[str, Callable[[str], Packing]] = {
    "webdataset": WebDataset,
    "parquet": ParquetSet,
    "lerobot": lambda _: LeRobot(),
}
_MANIFEST = "manifest.parquet"
_PATIENCE = 2.0  # seconds that Ctrl-C waits for a shard
_MOST_CLIPS = 10_000  # in a shard: what is known of them is in memory
_OF_CLIP = [each.name for each in fields(Clip) if each.name not in ("path", "name", "facts")]


def packing_of(to: str | None, shard_bytes: int | None, shard: Shard | None) -> Packing | None:
    """Give a format of training sets, if one is asked for. Runs of one set have names of their own.

    Raises:
        OptionError: it is unknown, or not of several runs, or so many bytes are none.
        MissingDependencyError: pyarrow is missing.
    """
    if shard_bytes is not None and (to is None or shard_bytes < 1):
        raise OptionError(f"shard_bytes={shard_bytes!r} goes with to=, and is 1 or more: leave it out")
    if to is None:
        return None
    if to not in _PACKINGS:
        raise OptionError(f"to={to!r} is no training set: use {either(_PACKINGS)}")
    packing = _PACKINGS[to](f"shard{_of_run(shard)}")
    if packing.is_one_whole and shard is not None:
        raise OptionError(f"to={to!r} is of one run, whose files count on those before them: leave shard= out")
    check_pyarrow()  # of which the manifest is
    return packing


def packable(
    jobs: Iterable[Job | OptionError], packing: Packing | None, options: Mapping[str, Any]
) -> Iterator[Job | OptionError]:
    """Give the jobs whose clips can be packed, if they are to be, and what is wrong with the others."""
    for job in jobs:
        if packing is not None and isinstance(job, Job):
            all_options = {**options, **job.options}
            row = output_of(job.output, all_options.get("format"))
            said = packing.problem_of_row(job.output, all_options)
            if isinstance(row, (PlaylistFormat, SequenceFormat)):
                said = f"{row.name} makes several files, of which a training set takes one: use .mp4"
            yield OptionError(f"row {job.index}: {said}") if said else job
        else:
            yield job


class Sink:
    """A training set that grows: a context, which ends with the last shard where nothing failed."""

    def __init__(self, ledger: Ledger, place: Place, packing: Packing, shard_bytes: int | None) -> None:
        """Go on where the ledger says that the last run has ended.

        Raises:
            OptionError: the ledger is of another kind of set.
            PublishError: there are shards that it does not know, or it knows some that are not there.
        """
        self._ledger, self._place, self._packing = ledger, place, packing
        self._shard_bytes = packing.shard_bytes if shard_bytes is None else shard_bytes
        self.staging = Place.of(f"{ledger.path}-staged", None)
        self._finished: OrderedDict[str, Entry | None] = OrderedDict()  # in the order of the rows: None is at work
        self._entries, self._bytes = list[Entry](), 0
        self._shards, self._next = self._resume()
        self._packer, self._ended = InOrder(self._write, 1, "shards"), Latch()

    def _resume(self) -> tuple[set[str], int]:
        """Give the shards that are there, and the number of the next."""
        known, sizes = self._ledger.shards(), self._place.sizes()
        there = {name for name, size in known.items() if size and sizes.get(name) == size}
        kind = os.path.splitext(self._packing.names(0)[0])[1]
        if other := next((name for name in known if os.path.splitext(name)[1] != kind), None):
            raise OptionError(f"{self._ledger.path!r} is of another set, with {other!r}: name another place and ledger")
        number = next(number for number in count() if not known.get(self._packing.names(number)[0]))
        for names in takewhile(lambda names: names[0] in known, map(self._packing.names, count(number))):
            _remove_from(self._place, names)
            for name in names:
                _path_before(self._place, name, self.staging)
            self._ledger.drop_shard(names[0])
        name = self._packing.names(number)[0]
        if sizes.get(name) is not None and name not in known:
            path = self._place.path_of(name)
            said = f"{path!r} is there, and {self._ledger.path!r} does not know it: name its ledger, or another place"
            raise PublishError.of(errno.EEXIST, said, path)
        gone = {name for name, size in known.items() if size} - there
        if gone and self._packing.is_one_whole:
            path = self._place.path_of(min(gone))
            said = f"{path!r} is not as the ledger says, and the files behind it count on it: begin at another place"
            raise PublishError.of(errno.ENOENT, said, path)
        self._remove_packed()
        self._packing.resume(self._clip(entry) for entry in self._ledger.in_shards())
        return there, number

    def _remove_packed(self) -> None:
        """Remove the staged clips whose shard is noted, as a run leaves them that is killed by then."""
        for folder, _, files in os.walk(self.staging.prefix):
            for path in (os.path.join(folder, file) for file in files):
                name = os.path.relpath(path, self.staging.prefix).replace(os.sep, "/")
                if any(True for _ in self._ledger.packed(name)):
                    os.remove(path)

    # ---- what is known of a job ------------------------------------------------------------------------------------

    def is_packed(self, entry: Entry) -> bool:
        """Whether a job that is done is in a shard that is there."""
        return entry.shard in self._shards

    def is_staged(self, entry: Entry) -> bool:
        """Whether the clip of a staged job is still what was staged."""
        try:
            with open(self.staging.path_of(entry.output), "rb") as file:
                return file_digest(file, "sha256").hexdigest() == entry.sha256
        except OSError:
            return False

    def problem(self, job: Job) -> str:
        """Say why a job that is not packed can't be: another clip of its name is."""
        for entry in self._ledger.packed(job.output):
            if entry.id != job.id and self.is_packed(entry):
                return f"{job.output!r} is in {entry.shard}, of another input or options: name it otherwise"
        return ""

    # ---- clips on their way ----------------------------------------------------------------------------------------

    def expect(self, job: Job) -> None:
        """Keep the place of a job in the order: the jobs behind it wait for it."""
        self._finished[job.id] = None

    def take(self, entry: Entry) -> list[Entry]:
        """Take what became of a job in the end, staged or failed; gives what was written of others meanwhile."""
        self._finished[entry.id] = entry
        written = list[Entry]()
        while self._finished and (first := next(iter(self._finished.values()))) is not None:
            self._finished.popitem(last=False)
            written += self._add(first)
        return written

    def finish(self) -> list[Entry]:
        """Pack what is left, jobs that were not tried aside, and wait; gives what was written."""
        written = list[Entry]()
        while self._finished:
            _, entry = self._finished.popitem(last=False)
            written += [] if entry is None else self._add(entry)
        written += self._pack()
        for packed in self._packer.rest():
            written += self._note(packed)
        for name, data in self._packing.finish().items():
            put(self._place, name, lambda path, data=data: _write_bytes(path, data), self.staging)  # type: ignore[misc]
        for folder, _, _ in os.walk(self.staging.prefix, topdown=False):
            with contextlib.suppress(OSError):  # something is in it
                os.rmdir(folder)
        return written

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        is_interrupt = error is not None and not isinstance(error, Exception)
        start_thread(self._end, "telecine-sink")
        self._ended.wait(_PATIENCE if is_interrupt else None)  # an upload may take long

    def _end(self) -> None:
        self._packer.close()
        self._ended.set()

    def _add(self, entry: Entry) -> list[Entry]:
        if entry.status != STAGED:
            return []
        if said := self._packing.problem(self._clip(entry)):
            failed = replace(entry, status=FAILED, error=said)
            self._ledger.put(failed)
            self._remove_staged(failed)
            return [failed]
        is_full = self._bytes + entry.bytes > self._shard_bytes or len(self._entries) == _MOST_CLIPS
        written = self._pack() if is_full else []
        self._entries.append(entry)
        self._bytes += entry.bytes
        return written

    def _pack(self) -> list[Entry]:
        """Have a shard written, and note those that are by now."""
        if not self._entries:
            return []
        entries, self._entries, self._bytes = self._entries, [], 0
        self._ledger.begin_shard(self._packing.names(self._next)[0])
        self._next += 1
        return [entry for packed in self._packer.call(self._next - 1, entries) for entry in self._note(packed)]

    def _write(self, number: int, entries: Sequence[Entry]) -> _Packed:
        names = self._packing.names(number)
        paths = [_path_before(self._place, name, self.staging) for name in names]
        with naming(self._place.path_of(names[0]), "written"):
            self._packing.pack(number, [self._clip(entry) for entry in entries], paths)
            size = os.path.getsize(paths[0])
            for path, name in zip(reversed(paths), reversed(names), strict=True):
                _deliver(path, self._place, name)
        return _Packed(names[0], size, entries)

    def _note(self, packed: _Packed) -> list[Entry]:
        done = [replace(entry, status=DONE, shard=packed.name) for entry in packed.entries]
        self._ledger.end_shard(packed.name, packed.bytes, done)
        for entry in done:
            self._remove_staged(entry)
        return done

    def _remove_staged(self, entry: Entry) -> None:
        with contextlib.suppress(OSError):
            os.remove(self.staging.path_of(entry.output))

    def _clip(self, entry: Entry) -> Clip:
        known = {name: getattr(entry, name) for name in _OF_CLIP}
        return Clip(self.staging.path_of(entry.output), entry.output, **known, facts=json.loads(entry.facts))


class _Packed(NamedTuple):
    """A shard that is at its place."""

    name: str
    bytes: int
    entries: Sequence[Entry]


def put_manifest(ledger: Ledger, place: Place, shard: Shard | None) -> None:
    """Write a table of what became of each output of a ledger, and put it under the prefix. Raises PublishError."""
    entries = (asdict(entry) for entry in ledger.latest())
    rows = ({name: value or None for name, value in {**entry, "path": entry["output"]}.items()} for entry in entries)
    scratch = Place.of(f"{ledger.path}-staged", None)
    put(place, _MANIFEST.replace(".", f"{_of_run(shard)}."), lambda path: write_manifest(path, rows), scratch)


# ---- files at their places ------------------------------------------------------------------------------------------


def put(place: Place, name: str, write: Callable[[str], object], scratch: Place) -> None:
    """Have a file written, and put it under the prefix, whole or not at all. Raises PublishError."""
    with naming(place.path_of(name), "written"):
        path = _path_before(place, name, scratch)
        write(path)
        _deliver(path, place, name)


def _path_before(place: Place, name: str, scratch: Place) -> str:
    """Give a path, free of what a dead process has left there: beside where the file goes, or for a URL here.

    It is in a folder that nobody else may enter: what opens it by its name would follow a link that others plant.
    """
    if place.is_url:
        beside, file = scratch.prefix, name.replace("/", "-")
    else:
        beside, file = os.path.split(place.path_of(name))
    folder = os.path.join(beside, f".{file}.telecine-new")
    os.makedirs(beside, exist_ok=True)
    if not make_own_folder(folder):
        raise PublishError(f"{folder!r} is somebody else's, and in the way: remove it")
    path = os.path.join(folder, file)
    with contextlib.suppress(FileNotFoundError):
        os.remove(path)
    return path


def _deliver(path: str, place: Place, name: str) -> None:
    if place.is_url:
        upload(path, place.path_of(name), place, "mp4")  # any format that is one file
        os.remove(path)
        os.rmdir(os.path.dirname(path))
        with contextlib.suppress(OSError):  # other clips are in it
            os.rmdir(os.path.dirname(os.path.dirname(path)))
        return
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
    target = place.path_of(name)
    os.replace(path, target)
    os.rmdir(os.path.dirname(path))
    with Folder(os.path.dirname(target)) as folder:
        folder.sync()


def _write_bytes(path: str, data: bytes) -> None:
    with open(path, "xb") as file:
        file.write(data)


def _remove_from(place: Place, names: Iterable[str]) -> None:
    if place.is_url:
        from ..deliver.stores import StoredFolder  # start-up: few batches go to a store

        stored = stored_path(place.path_of("_"), place.storage_options)
        assert stored is not None
        StoredFolder(stored, overwrite=True).remove(names)
        return
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            os.remove(place.path_of(name))


def _of_run(shard: Shard | None) -> str:
    return "" if shard is None else f"-{shard[0]}-of-{shard[1]}"
