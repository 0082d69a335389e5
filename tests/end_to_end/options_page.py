"""docs/options.md, made of the record of options. `python -m tests.end_to_end.options_page` writes it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from telecine.cli.options import flag_of
from telecine.frames.options import Kind, Option, options_of, type_of
from telecine.output.options import ExportOptions, WriterOptions

PAGE = Path(__file__).parents[2] / "docs" / "options.md"
_INTRODUCTION = """\
# Options

`telecine.export_video(frames, path, …)` and the command `telecine export` take these; `VideoWriter(path, …)` takes all
but `timestamps` and `audio`, which are arguments of its `write` and `write_audio`. `telecine.verify` takes those of how
values are read: `layout`, `channels`, `value_range`, `background`, `light` and `primaries`. What an output does not
take is refused before the first frame. This page is made of the record in `telecine/output/options.py`.
"""


def page() -> str:
    """Give the page."""
    return "\n".join([_INTRODUCTION, *_options()])


def _options() -> Iterator[str]:
    for name, option in options_of(ExportOptions).items():
        yield f"## `{name}`\n"
        yield re.sub(r"\bdocs/([\w-]+\.md)", r"[\1](\1)", f"{option.line}\n")
        yield f"- Type: `{_shown(type_of(ExportOptions, name))}`; default: `{option.default!r}`."
        yield f"- For {_kinds(option)}; {_command(name)}{_of_writer(name)}.\n"


def _shown(kind: Any) -> str:
    """Give a type as it is written, on every Python."""
    if isinstance(kind, str):
        return kind
    if get_origin(kind) is Literal:
        return " | ".join(map(repr, get_args(kind)))
    if get_origin(kind) in (Union, UnionType):
        return " | ".join(map(_shown, get_args(kind)))
    if kind is NoneType:
        return "None"
    return str(kind).replace("collections.abc.", "") if get_origin(kind) else str(kind.__name__)


def _kinds(option: Option) -> str:
    return "all outputs" if option.takes == get_args(Kind) else " and ".join(f"a {kind}" for kind in option.takes)


def _command(name: str) -> str:
    return "not of the command" if (flag := flag_of(name)) is None else f"`{flag}`"


def _of_writer(name: str) -> str:
    return "" if name in options_of(WriterOptions) else "; not of `VideoWriter`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
