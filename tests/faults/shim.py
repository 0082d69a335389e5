"""Builds the shim of `shim.c` and runs exporters with it."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest


def shim() -> Path:
    """The compiled shim; skips where it can't be had."""
    return shim_of("shim.c")


@functools.cache
def shim_of(name: str) -> Path:
    """What a source in this folder is compiled to; skips where it can't be had."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("the shim needs Linux and a C compiler")
    library = Path(tempfile.mkdtemp(prefix="telecine-shim-"), "shim.so")
    source = Path(__file__).with_name(name)
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source, "-ldl"], check=True, timeout=60
    )
    return library


def run_with_shim(
    script: str,
    folder: Path,
    *arguments: object,
    call: int | None = None,
    number: int | None = None,
    log: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a script in a folder whose calls are counted; its `call`-th fails with errno `number`, or kills for -1."""
    environment = {**os.environ, "LD_PRELOAD": str(shim()), "FAULT_FOLDER": str(folder)}
    given = {"FAULT_CALL": call, "FAULT_ERRNO": number, "FAULT_LOG": log}
    environment |= {name: str(value) for name, value in given.items() if value is not None}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
