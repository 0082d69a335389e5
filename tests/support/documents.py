"""Pages for users, whose blocks are run as they are pasted: Python in a fresh namespace each, commands line by line."""

from __future__ import annotations

import contextlib
import dis
import io
import itertools
import re
import shlex
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import metadata
from importlib.util import find_spec
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple
from urllib.request import urlopen

import telecine
from telecine.cli.commands import run

from .helpers import ROOT

# Python, a shell's lines, or indented lines each of which begins with a command.
_BLOCKS = re.compile(
    r"^```(python|sh)\n((?:.*\n)*?)```|((?:^ {4}(?:telecine|pip|python|make) (?:.*\\\n)*.*\n)+)", re.MULTILINE
)


class Block(NamedTuple):
    """What is pasted, where it is, and whether it is Python."""

    place: str
    text: str
    is_python: bool


def blocks_of(page: Path) -> Iterator[Block]:
    """Give the blocks of a page in its order; of commands, each line."""
    text = page.read_text(encoding="utf-8")
    for found in _BLOCKS.finditer(text):
        place = f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, found.start()) + 1}"
        if found[1] == "python":
            yield Block(place, found[2], True)
        else:
            lines = (found[2] or found[3]).replace("\\\n", "").splitlines()
            yield from (Block(place, line.strip(), False) for line in lines)


def names_in(code: CodeType) -> set[str]:
    """The names that code asks of its globals or builtins."""
    asked = {each.argval for each in dis.get_instructions(code) if each.opname in ("LOAD_NAME", "LOAD_GLOBAL")}
    return asked.union(*(names_in(each) for each in code.co_consts if isinstance(each, CodeType)))


def run_python(block: Block, inputs: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """Run a block of Python with `telecine` and those inputs that it names, and give all names that it leaves."""
    code = compile(block.text, block.place, "exec")
    names: dict[str, Any] = {name: inputs[name]() for name in sorted(names_in(code) & inputs.keys())}
    names["telecine"] = telecine
    with visited():
        exec(code, names)
    return names


def run_command(line: str) -> int:
    """Run a line of a shell and give its exit code: of `telecine`, without what it is piped into.

    Of what works on this project or installs it, it is looked that it is there.
    """
    name, *arguments = itertools.takewhile(lambda word: word != "|", shlex.split(line, comments=True))
    match name, arguments:
        case "telecine", _:
            with visited():
                return run(arguments)
        case "python", ["-m", module, *_]:
            return int(find_spec(module) is None)
        case "make", [target, *_]:
            return int(not re.search(rf"^.*\b{target}\b.*:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
        case "pip", ["install", *packages]:
            extras = {each for package in packages for each in re.findall(r"^telecine\[([\w,]+)\]$", package)}
            return len(set(",".join(extras).split(",")) - {"", *(metadata("telecine").get_all("Provides-Extra") or ())})
        case _:
            raise ValueError(line)


@contextlib.contextmanager
def visited() -> Iterator[None]:
    """Open the address that is printed, and press Ctrl-C then."""
    with contextlib.redirect_stdout(_Standard()):
        yield


class _Standard(io.TextIOWrapper):
    def __init__(self) -> None:
        super().__init__(io.BytesIO(), "utf-8")

    def write(self, text: str) -> int:
        if text.startswith("http://"):
            threading.Thread(target=_visit, args=(text.strip(),)).start()
        return super().write(text)


def _visit(address: str) -> None:
    with urlopen(address) as page:
        assert b"<title>" in page.read()
    signal.raise_signal(signal.SIGINT)
