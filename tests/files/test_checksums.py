"""Checksums tell up to where a file is whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from telecine.files.checksums import Checksums


@pytest.mark.parametrize("writes", [1, 3, 5000])
def test_checksums_tell_up_to_where_a_file_is_whole(writes: int, tmp_path: Path) -> None:
    checksums, data = Checksums(), os.urandom(writes)
    for at in range(writes):
        checksums.add(at, data[at : at + 1])
    with open(tmp_path / "file", "w+b") as file:
        file.write(data)
        assert checksums.whole(file) == writes
        for at in {0, writes // 2, writes - 1}:
            file.seek(at)
            file.write(bytes([data[at] ^ 1]))
            assert max(0, at - writes // 512) <= checksums.whole(file) <= at
            file.seek(at)
            file.write(data[at : at + 1])
        file.truncate(writes - 1)
        assert max(0, writes - 1 - writes // 512) <= checksums.whole(file) < writes


def test_what_was_taken_back_is_no_damage(tmp_path: Path) -> None:
    checksums = Checksums()
    with open(tmp_path / "file", "w+b") as file:
        checksums.add(0, b"first")
        before = checksums.latest
        checksums.add(5, b"lost")
        checksums.go_back(before)
        checksums.add(5, b"second")
        file.write(b"firstsecond")
        assert checksums.whole(file) == 11


def test_a_head_whose_sizes_are_filled_in_later_is_no_damage_and_what_follows_is_known(tmp_path: Path) -> None:
    checksums = Checksums()
    with open(tmp_path / "file", "w+b") as file:
        for at, data in ((0, b"????moov"), (0, b"0008"), (8, b"frame"), (13, b"frame")):
            checksums.add(at, data)
            file.seek(at)
            file.write(data)
        assert checksums.whole(file) == 18
        file.seek(13)
        file.write(b"g")
        assert checksums.whole(file) == 13
