"""The modules that are named as libraries are: each is apart from its library, and says so where that is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..support.helpers import run_python

LIBRARIES = ["matplotlib", "gymnasium", "imageio"]

APART = """
import importlib, sys
name = sys.argv[1]
own = importlib.import_module(f"telecine.integrations.{name}")
library = importlib.import_module(name)
assert own is not library and "telecine" not in library.__file__, library.__file__
import telecine.integrations
assert getattr(telecine.integrations, name) is own
"""

MISSING = """
import importlib, sys
name = sys.argv[1]
sys.modules[name] = None
try:
    importlib.import_module(f"telecine.integrations.{name}")
except ImportError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("name", [*LIBRARIES, "gradio"])
def test_it_is_apart_from_its_library(name: str, tmp_path: Path) -> None:
    run_python(APART, tmp_path, name)


@pytest.mark.parametrize("name", LIBRARIES)
def test_it_says_what_to_install(name: str, tmp_path: Path) -> None:
    said = run_python(MISSING, tmp_path, name)
    assert said == f"MissingDependencyError telecine.integrations.{name} needs pip install {name}\n"


def test_telecine_imports_none_of_them(tmp_path: Path) -> None:
    script = (
        f"import sys, telecine.integrations.gradio; print(sorted({set(LIBRARIES) | {'gradio'}} & set(sys.modules)))"
    )
    assert run_python(script, tmp_path) == "[]\n"
