"""The pages' scripts: their types hold, by TypeScript's own checker."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from ..support.helpers import ROOT
from ..support.pages import NODE


def test_the_types_of_the_scripts_hold() -> None:
    compiler = NODE / ".bin" / "tsc"
    if not compiler.exists() or shutil.which("node") is None:
        pytest.skip("TypeScript is not there: npm could not bring it")
    project = ROOT / "src" / "telecine" / "pages" / "tsconfig.json"
    found = subprocess.run([compiler, "--project", project], capture_output=True, text=True)
    assert found.stdout == ""
    assert found.returncode == 0
