"""The house as docs/architecture.md draws it: the rooms, their sizes, and the line by its functions' names."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from functools import reduce
from pathlib import Path

import pytest

import telecine

from .support.helpers import ROOT

SOURCES = ROOT / "src" / "telecine"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ROOMS = sorted(each.parent for each in SOURCES.glob("*/__init__.py"))
MODULES = sorted(each for each in SOURCES.rglob("*.py"))
MOST_MODULES, MOST_LINES, MOST_LINES_OF_A_FUNCTION = 10, 400, 60


def functions() -> Iterator[tuple[str, int]]:
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                assert node.end_lineno is not None
                yield f"{module.relative_to(SOURCES)}: {node.name}", node.end_lineno - node.lineno + 1


def test_the_page_names_every_room_and_no_other() -> None:
    rooms = set(re.findall(r"^\| `(\w+)/` \|", PAGE, re.MULTILINE))
    assert rooms == {room.name for room in ROOMS}


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_room_is_no_hall(room: Path) -> None:
    """At most ten modules, and an empty `__init__`, which costs nothing at import."""
    assert len([each for each in room.glob("*.py") if each.name != "__init__.py"]) <= MOST_MODULES
    assert (room / "__init__.py").read_bytes() == b"" or room.name in HANDS_OUT
    assert not any(each.is_dir() and each.name != "__pycache__" for each in room.iterdir())


def test_a_module_and_a_function_are_read_at_one_sitting() -> None:
    lines_of = {each.relative_to(SOURCES).as_posix(): each.read_bytes().count(b"\n") for each in MODULES}
    assert {name: lines for name, lines in lines_of.items() if lines > MOST_LINES} == {}
    assert {name: lines for name, lines in functions() if lines > MOST_LINES_OF_A_FUNCTION} == {}


def test_each_function_of_the_line_is_where_the_page_says() -> None:
    line = re.findall(r"^\| `([\w/]+)` \| `([\w.]+)` \|", PAGE, re.MULTILINE)
    assert len(line) > 12
    for module, name in line:
        place = importlib.import_module(f"{telecine.__name__}.{module.replace('/', '.')}")
        assert callable(reduce(getattr, name.split("."), place)), f"{module}: {name}"


HANDS_OUT = {  # when they are asked for
    "batch",  # telecine.batch.Exporter and VideoDatasink
    "compat",  # what replaces the functions of others, but for `write_video`, of which there are two
}
OPTIONAL = {
    "c2pa",
    "cryptography",
    "fsspec",
    "obstore",
    "pyarrow",
    "ray",
    "rich",
    "safetensors",
    "starlette",
    "tifffile",
    "torch",
    "typer",
    "uvicorn",
}


def imports_in_functions(module: Path) -> Iterator[tuple[int, str]]:
    """Give the line and the package of each import that waits for a call."""
    for function in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for each in ast.walk(function):
                if isinstance(each, ast.Import):
                    yield each.lineno, each.names[0].name.partition(".")[0]
                elif isinstance(each, ast.ImportFrom):
                    yield each.lineno, "" if each.level else str(each.module).partition(".")[0]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(SOURCES)))
def test_an_import_that_waits_is_of_an_optional_dependency_or_says_why(module: Path) -> None:
    lines = module.read_text(encoding="utf-8").splitlines()
    for number, package in imports_in_functions(module):
        # Of imports in a row, with a blank line between packages, the first speaks for all.
        row = [line for line in lines[max(0, number - 3) : number] if line.lstrip().startswith(("from ", "import "))]
        assert package in OPTIONAL or any("  # " in line for line in row), f"line {number}: {lines[number - 1]}"
