"""Who signs in the tests of provenance, and what is signed."""

from __future__ import annotations

from pathlib import Path

import pytest

import telecine
from telecine import Provenance

from ..support.certificates import Identity, identity
from ..support.helpers import greys


@pytest.fixture(scope="module")
def me() -> Identity:
    return identity()


@pytest.fixture(scope="module")
def key(me: Identity, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key in a file for its owner alone."""
    path = tmp_path_factory.mktemp("keys") / "key.pem"
    path.write_bytes(me.pem())
    path.chmod(0o600)
    return path


@pytest.fixture(scope="module")
def clip(me: Identity, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small signed clip."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    telecine.export_video(greys(), path, provenance=Provenance(certificate=me.chain, private_key=me.pem()))
    return path
