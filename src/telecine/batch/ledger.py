"""The ledger: what became of each job, in a SQLite database that the driver alone writes."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from typing import Self

from ..errors import InputError, PublishError

DONE, FAILED, RETRIED, STAGED = "done", "failed", "retried", "staged"
_VERSION = 1  # of the table, in the database's `user_version`


@dataclass(frozen=True)
class Entry:
    """What became of a job.

    `id` is a hash of the job and of what its input is. `status` is "done", "failed", "retried", which is to be tried
    again, or "staged": the clip is there, and the `shard` of the training set that it goes into is not. Of a file that
    is there `sha256` and `bytes` are what it holds, and `fps` a fraction; else `error` says why in a line. `facts` are
    the row's other columns, and its metadata, in JSON.
    """

    id: str
    index: int
    output: str
    status: str
    attempts: int
    seconds: float
    frames: int = 0
    bytes: int = 0
    sha256: str = ""
    width: int = 0
    height: int = 0
    fps: str = ""
    codec: str = ""
    error: str = ""
    facts: str = "{}"
    shard: str = ""


_COLUMNS = [field.name for field in fields(Entry)]
_TYPES = {"str": "TEXT", "int": "INTEGER", "float": "REAL"}
_TABLE = ", ".join(f'"{field.name}" {_TYPES[str(field.type)]} NOT NULL' for field in fields(Entry))
_SHARDS = "CREATE TABLE shards (name TEXT PRIMARY KEY, bytes INTEGER NOT NULL)"
_OUTPUTS_OF_SHARDS = "CREATE INDEX outputs_of_shards ON jobs (output) WHERE shard <> ''"
_PUT = f"INSERT OR REPLACE INTO jobs VALUES ({', '.join('?' * (len(_COLUMNS) + 1))})"


class Ledger:
    """An open ledger: a context, one writer at a time.

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "ledger.sqlite")
    >>> with Ledger(path) as ledger:
    ...     ledger.put(Entry("a1", 0, "clip.mp4", DONE, 1, 0.5, frames=49))
    >>> with Ledger(path) as ledger:
    ...     ledger.get("a1").frames, ledger.get("b2"), ledger.counts()
    (49, None, {'done': 1})
    """

    def __init__(self, path: str | os.PathLike[str], create: bool = True) -> None:
        """Open one, or make it.

        Raises:
            InputError: it is none, of a later version, or there is none and none is to be made.
            PublishError: it can't be written, or another driver has it.
        """
        self.path = os.fspath(path)
        if not create and not os.path.exists(self.path):
            raise InputError.of(errno.ENOENT, f"{self.path!r} does not exist: name the ledger of a batch", self.path)
        with self._said():
            self._database = sqlite3.connect(self.path, timeout=0, isolation_level=None)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")  # a power cut costs the last jobs, which are redone
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute("BEGIN IMMEDIATE")
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            if version == 0:
                self._database.execute(f"CREATE TABLE jobs ({_TABLE}, updated REAL NOT NULL, PRIMARY KEY (id))")
                self._database.execute(_SHARDS)
                self._database.execute(_OUTPUTS_OF_SHARDS)
                self._database.execute(f"PRAGMA user_version = {_VERSION}")
            self._database.execute("COMMIT")
            if version > _VERSION:
                raise InputError(f"{self.path!r} is a ledger of a later telecine")

    def get(self, id: str) -> Entry | None:
        """Give the entry of a job; None where it has none."""
        with self._said():
            row = self._database.execute(f"{_SELECT} WHERE id = ?", (id,)).fetchone()
        return None if row is None else Entry(*row)

    def put(self, entry: Entry) -> None:
        """Write an entry, in place of that job's older one. Raises PublishError."""
        with self._said():
            self._database.execute(_PUT, (*astuple(entry), time.time()))

    def entries(self, status: str | None = None) -> Iterator[Entry]:
        """Give all entries, or those of a status, in the order of the rows."""
        where = "" if status is None else " WHERE status = ?"
        with self._said():
            found = self._database.execute(
                f'{_SELECT}{where} ORDER BY "index", id', () if status is None else (status,)
            )
            for row in found:
                yield Entry(*row)

    def latest(self) -> Iterator[Entry]:
        """Give of each output the entry written last, in the order of the rows."""
        with self._said():
            for row in self._database.execute(f'SELECT {_NAMES} FROM ({_LAST}) ORDER BY "index"'):
                yield Entry(*row)

    def counts(self) -> dict[str, int]:
        """Give how many outputs have each status, by the entry of each that was written last."""
        with self._said():
            return dict(
                self._database.execute(f"SELECT status, count(*) FROM ({_LAST}) GROUP BY status ORDER BY status")
            )

    # ---- training sets ---------------------------------------------------------------------------------------------

    def begin_shard(self, name: str) -> None:
        """Note that a shard is about to be there, of which no job says so yet. Raises PublishError."""
        with self._said():
            self._database.execute("INSERT OR REPLACE INTO shards VALUES (?, 0)", (name,))

    def end_shard(self, name: str, bytes: int, entries: Iterable[Entry]) -> None:
        """Note in one step that a shard is there, and its jobs' entries. Raises PublishError."""
        now = time.time()
        with self._said():
            self._database.execute("BEGIN")
            self._database.execute("INSERT OR REPLACE INTO shards VALUES (?, ?)", (name, bytes))
            self._database.executemany(_PUT, ((*astuple(entry), now) for entry in entries))
            self._database.execute("COMMIT")

    def drop_shard(self, name: str) -> None:
        """Forget a shard that was begun. Raises PublishError."""
        with self._said():
            self._database.execute("DELETE FROM shards WHERE name = ?", (name,))

    def shards(self) -> dict[str, int]:
        """Give how many bytes each shard has: 0 where it was begun, and did not end."""
        with self._said():
            return dict(self._database.execute("SELECT name, bytes FROM shards ORDER BY name"))

    def packed(self, output: str) -> Iterator[Entry]:
        """Give the entries of an output that are in shards."""
        with self._said():
            for row in self._database.execute(f"{_SELECT} WHERE output = ? AND shard <> ''", (output,)):
                yield Entry(*row)

    def in_shards(self) -> Iterator[Entry]:
        """Give all entries that are in shards, in the order of these, and in each of its rows."""
        with self._said():
            for row in self._database.execute(f"""{_SELECT} WHERE shard <> '' ORDER BY shard, "index" """):
                yield Entry(*row)

    def merge(self, other: Ledger) -> int:
        """Take another ledger's entries, the later one of each job, and give how many were taken. Raises as `put`."""
        taken = 0
        with self._said():
            rows = other._database.execute(f"{_SELECT_TIMED} ORDER BY id")
            self._database.execute("BEGIN")
            for row in rows:
                known = self._database.execute("SELECT updated FROM jobs WHERE id = ?", row[:1]).fetchone()
                if known is None or known[0] < row[-1]:
                    self._database.execute(_PUT, row)
                    taken += 1
            self._database.executemany("INSERT OR REPLACE INTO shards VALUES (?, ?)", other.shards().items())
            self._database.execute("COMMIT")
        return taken

    def close(self) -> None:
        """Let go of it."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _said(self) -> Iterator[None]:
        """Raise what SQLite raises as errors of telecine's."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                said = f"{self.path!r} is the ledger of a batch that runs: wait for it, or name another"
                raise PublishError.of(errno.EBUSY, said, self.path) from error
            raise PublishError.of(errno.EIO, f"{self.path!r} can't be written: {error}", self.path) from error
        except sqlite3.DatabaseError as error:
            raise InputError(f"{self.path!r} is no ledger: {error}") from error


_NAMES = ", ".join(f'"{name}"' for name in _COLUMNS)
_SELECT = f"SELECT {_NAMES} FROM jobs"
# A bare column is of the row that has the maximum: https://sqlite.org/lang_select.html#bareagg
_LAST = "SELECT *, max(updated) FROM jobs GROUP BY output"
_SELECT_TIMED = f"SELECT {_NAMES}, updated FROM jobs"


def merge_ledgers(path: str | os.PathLike[str], others: Iterable[str | os.PathLike[str]]) -> dict[str, int]:
    """Merge ledgers, as those of shards, into one, which is made if it is not there; gives its counts.

    Raises:
        InputError: one can't be read.
        PublishError: the one can't be written.
    """
    with Ledger(path) as ledger:
        for each in others:
            with Ledger(each, create=False) as other:
                ledger.merge(other)
        return ledger.counts()
