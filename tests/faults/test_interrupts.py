"""Ctrl-C at any bytecode, and again: what is said to be kept is recovered, nothing hangs and no lock stays held."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys

import pytest

from ..support.helpers import ROOT
from . import SOAK
from .interrupts import HOWS, KINDS, WAYS

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")]

ALL = list(itertools.product(KINDS, WAYS, HOWS))
FEW = [
    ("mp4", "export", "bytecode"),
    ("mp4", "close", "bytecode"),
    ("mp4", "with", "signals"),
    ("sound", "with", "bytecode"),
    ("png", "with", "bytecode"),
    ("webp", "close", "signal"),
    ("apng", "abort", "bytecode"),
    ("mkv", "recover", "bytecode"),
    ("gif", "recover", "signal"),
]
ROUNDS = 2000 // len(ALL) + 1 if SOAK else 4


@pytest.mark.parametrize(("kind", "way", "how"), ALL if SOAK else FEW)
def test_whenever_ctrl_c_comes_what_is_said_to_be_kept_is_recovered(kind: str, way: str, how: str) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "tests.faults.interrupts", kind, way, how, "0", str(ROUNDS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=3600 if SOAK else 300, check=False)
    assert done.returncode == 0, done.stderr
    assert sum(json.loads(done.stdout)["came"].values()) == ROUNDS + 2
