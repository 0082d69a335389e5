"""What several test modules share."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

# The tests run beside one another. A torch that waits for a second thread, on a processor that another test has, takes
# ten times as long as with one. It is read when torch is imported, and so do the tests' processes.
os.environ.setdefault("OMP_NUM_THREADS", "1")

pytest.register_assert_rewrite("tests.support")  # before a module of it is imported

from .support.browser import Browser, chromium, find_chromium  # noqa: E402
from .support.helpers import OLDER  # noqa: E402
from .support.object_store import BUCKET, SECRET, ObjectStore, object_store  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def ctrl_c() -> None:
    """Let Ctrl-C interrupt, here and in the tests' processes, though the tests run where it is ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


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


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, in which nothing else is."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture(scope="session")
def running_store() -> Iterator[ObjectStore]:
    """An S3 server, one for all tests of a process, with one bucket."""
    with object_store() as running:
        yield running


@pytest.fixture(scope="module")
def s3(running_store: ObjectStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """The server, to which s3:// leads without an option, with another bucket: "bucket"."""
    config = tmp_path_factory.mktemp("s3") / "config"
    own = {"aws_access_key_id": "somebody", "aws_secret_access_key": SECRET, "aws_endpoint_url": running_store.url}
    config.write_text("\n".join(["[profile films]", *(f"{name} = {value}" for name, value in own.items())]))
    with contextlib.suppress(FileExistsError):
        running_store.filesystem.mkdir("bucket")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**own, "aws_allow_http": "true", "aws_config_file": str(config)}.items():
            patch.setenv(name.upper(), value)
        fsspec.get_filesystem_class("s3").clear_instance_cache()  # of those that have no option
        yield running_store
    fsspec.get_filesystem_class("s3").clear_instance_cache()


@pytest.fixture
def empty_store(running_store: ObjectStore) -> Iterator[ObjectStore]:
    """The server, with nothing in the bucket and without a fault."""
    for name in running_store.names():
        running_store.filesystem.rm_file(f"{BUCKET}/{name}")
    running_store.requests.clear()
    yield running_store
    running_store.fault = lambda _: None


@pytest.fixture
def store(empty_store: ObjectStore) -> ObjectStore:
    """The same."""
    return empty_store


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium, of which each module that needs one starts its own; its tests skip where none is installed."""
    executable = find_chromium()
    if executable is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    with chromium(executable) as running:
        yield running
