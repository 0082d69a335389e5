"""The ledger of a batch: what is written stays, for one driver at a time, and ledgers of shards are merged."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from telecine import InputError, PublishError
from telecine.batch.ledger import DONE, FAILED, Entry, Ledger, merge_ledgers

ENTRY = Entry("a1", 0, "clip.mp4", DONE, 1, 0.5, 49, 1000, "f" * 64, 64, 48, "16", "h264", facts='{"seed": 1}')


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    failed = Entry("b2", 1, "other.mp4", FAILED, 3, 0.1, error="it is none")
    with Ledger(path) as ledger:
        for each in (replace(ENTRY, status=FAILED), failed, ENTRY):
            ledger.put(each)
    with Ledger(path, create=False) as ledger:
        assert list(ledger.entries()) == [ENTRY, failed]
        assert list(ledger.entries(FAILED)) == [failed]
        assert (ledger.get("a1"), ledger.get("c3"), ledger.counts()) == (ENTRY, None, {DONE: 1, FAILED: 1})


def test_what_was_made_again_is_counted_as_it_is_now(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.put(replace(ENTRY, id="before", status=FAILED, error="its input was not there"))
        assert ledger.counts() == {FAILED: 1}
        ledger.put(ENTRY)
        assert (ledger.counts(), list(ledger.latest())) == ({DONE: 1}, [ENTRY])


def test_a_ledger_has_one_driver(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger(path), pytest.raises(PublishError, match="is the ledger of a batch that runs: wait for it, or name"):
        Ledger(path)
    Ledger(path).close()


def test_what_is_no_ledger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with pytest.raises(InputError, match="does not exist: name the ledger of a batch"):
        Ledger(path, create=False)
    path.write_bytes(b"no database at all, and of some length")
    with pytest.raises(InputError, match="is no ledger: file is not a database"):
        Ledger(path)
    later = tmp_path / "later.sqlite"
    with sqlite3.connect(later) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(InputError, match="is a ledger of a later telecine"):
        Ledger(later)
    with pytest.raises(PublishError, match="can't be written: unable to open database file"):
        Ledger(tmp_path / "none" / "ledger.sqlite")


def test_of_merged_ledgers_the_later_entry_stands(tmp_path: Path) -> None:
    paths = [tmp_path / f"{index}.sqlite" for index in range(3)]
    for index, path in enumerate(paths):
        with Ledger(path) as ledger:
            ledger.put(replace(ENTRY, attempts=index + 1))
            ledger.put(replace(ENTRY, id=f"own{index}", index=index, output=f"{index}.mp4"))
    assert merge_ledgers(tmp_path / "all.sqlite", reversed(paths)) == {DONE: 4}
    with Ledger(tmp_path / "all.sqlite") as ledger:
        found = ledger.get("a1")
        assert found is not None
        assert found.attempts == 3
