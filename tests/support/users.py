"""Other users of the machine, whom only root can be, and folders that they share."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import telecine

from .helpers import greys

VICTIM, ATTACKER = 64001, 64002
only_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be two users")


@contextlib.contextmanager
def user(number: int, *groups: int) -> Iterator[None]:
    """Be another user, of a group of the same number: but for 0, with none of root's rights."""
    before = os.geteuid(), os.getegid(), os.getgroups()
    _become(number, number, groups)
    try:
        yield
    finally:
        _become(*before)


def _become(owner: int, group: int, groups: Sequence[int]) -> None:
    os.seteuid(0)
    os.setgroups(groups)
    os.setegid(group)
    os.seteuid(owner)


@contextlib.contextmanager
def folder_for_all(mode: int = 0o755) -> Iterator[Path]:
    """A folder that every user can enter, as pytest's own are not, and what an export imports late imported."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        folder = Path(name).resolve()
        if any(not each.stat().st_mode & 0o001 for each in folder.parents):
            pytest.skip(f"only its owner can enter {folder.parent}")
        telecine.export_video(greys(1), folder / "warm" / "a.mp4")
        telecine.export_video(greys(1), folder / "warm" / "frames", format="png")
        (folder / "shared").mkdir()
        (folder / "shared").chmod(mode)
        yield folder / "shared"
