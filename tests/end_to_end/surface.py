"""What others build on: the public names with their parameters and defaults, and the command's options.

`python -m tests.end_to_end.surface` writes them to `surface.txt`, in which a change of the surface shows as a diff.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import telecine
from telecine.cli.commands import app

PINNED = Path(__file__).with_name("surface.txt")


def surface() -> str:
    """Give it in lines."""
    return "\n".join([*_names(), "", *_commands()]) + "\n"


def _names() -> Iterator[str]:
    of_batch = {f"batch.{name}": getattr(telecine.batch, name) for name in telecine.batch.__all__}
    for name, public in {**{name: getattr(telecine, name) for name in telecine.__all__}, **of_batch}.items():
        if not inspect.isclass(public):
            yield f"{name}{_parameters(public)}"
            continue
        bases = ", ".join(base.__name__ for base in public.__bases__ if base is not object)
        yield f"class {name}({bases})"
        yield from (f"  {line}" for line in _members(public))


def _members(public: type) -> Iterator[str]:
    if not issubclass(public, BaseException):
        yield f"__init__{_parameters(public)}"
    for name, member in sorted(inspect.getmembers_static(public)):
        if name.startswith("_") or name not in vars(public):
            continue
        function = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        yield f"{name}{_parameters(function)}" if inspect.isfunction(function) else name


def _parameters(function: Any) -> str:
    """Give the parameters and defaults without types, which the checkers pin on `installed/typed_user.py`."""
    signature = inspect.signature(function)
    bare = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def _commands() -> Iterator[str]:
    from typer.main import get_command

    yield from _command("telecine", get_command(app))


def _command(name: str, command: Any) -> Iterator[str]:
    yield name
    for each in command.params:
        spelled = "/".join((*each.opts, *each.secondary_opts))
        yield f"  {spelled}{' (a flag)' if getattr(each, 'is_flag', False) else ''}: {each.default!r}"
    for sub, found in sorted(getattr(command, "commands", {}).items()):
        yield from _command(f"{name} {sub}", found)


if __name__ == "__main__":
    PINNED.write_text(surface(), encoding="utf-8")
