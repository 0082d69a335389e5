"""What several test modules share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .helpers import OLDER


@pytest.fixture(scope="session")
def clips() -> Path:
    """The folder of real clips; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("TELECINE_CLIPS", "clips-not-set"))
    if not folder.is_dir():
        pytest.skip(f"no real clips at {folder}: set TELECINE_CLIPS")
    return folder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A path that holds an older file, alone in its folder."""
    path = tmp_path / "folder" / "clip.mp4"
    path.parent.mkdir()
    path.write_bytes(OLDER)
    return path
