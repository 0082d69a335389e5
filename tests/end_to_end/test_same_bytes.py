"""What is written does not change by accident."""

from __future__ import annotations

from pathlib import Path

import pytest

from .same_bytes import EXPORTS, VERSIONS, hash_of, pinned

pytestmark = pytest.mark.filterwarnings("ignore::telecine.errors.TelecineWarning")


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_has_the_bytes_that_it_had(name: str, tmp_path: Path) -> None:
    """Bytes that are meant to be others are written down by `python -m tests.end_to_end.same_bytes`."""
    hashes = pinned().get(VERSIONS)
    if hashes is None:
        pytest.skip(f"no hashes are written down for {VERSIONS}")
    assert hash_of(name, tmp_path) == hashes[name]
