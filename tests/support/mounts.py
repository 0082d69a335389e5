"""Filesystems that only root can mount, for the tests that need one."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


def run_or_skip(*command: object) -> None:
    """Run what changes the system; skips where that may not be."""
    name = str(command[0])
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which(name) is None:
        pytest.skip(f"only root can {name}, where there is one")
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        pytest.skip(f"{' '.join(map(str, command))}: {done.stderr.strip()}")


@contextlib.contextmanager
def mounted(at: Path, *options: object) -> Iterator[Path]:
    """Mount a filesystem, as mount's options say; skips where that may not be."""
    run_or_skip("mount", *options, at)
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True, timeout=60)


@contextlib.contextmanager
def image_of(kind: str, folder: Path, megabytes: int = 8) -> Iterator[Path]:
    """A filesystem of a kind in a file."""
    image, at = folder / f"{kind}.img", folder / kind
    image.write_bytes(b"")
    os.truncate(image, megabytes << 20)
    at.mkdir()
    run_or_skip(f"mkfs.{kind}", image)
    with mounted(at, "-t", kind, "-o", "loop", image):
        yield at


@contextlib.contextmanager
def attribute(path: Path, letter: str) -> Iterator[None]:
    """Make a file or folder immutable (i) or one that can only grow (a)."""
    run_or_skip("chattr", f"+{letter}", path)
    try:
        yield
    finally:
        subprocess.run(["chattr", f"-{letter}", str(path)], check=True, timeout=60)
