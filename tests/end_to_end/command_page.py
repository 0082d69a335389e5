"""docs/command.md, made of the command's own help. `python -m tests.end_to_end.command_page` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from telecine.cli.commands import app

PAGE = Path(__file__).parents[2] / "docs" / "command.md"
_INTRODUCTION = """\
# The command

`pip install 'telecine[cli]'` brings it. `telecine COMMAND --help` prints what is here. An error is a line on standard
error, and one that names the page or the help for it. The exit code is then 1, or 2 where the command line is wrong.
This page is made of the command itself.

`telecine --install-completion` has bash, zsh, fish and PowerShell complete commands, options, the names of codecs,
formats, qualities and so on, and files. `telecine --show-completion` prints the script instead.
"""


def page() -> str:
    """Give the page."""
    return "\n".join([_INTRODUCTION, *_command("telecine", get_command(app))])


def _command(name: str, command: Any) -> Iterator[str]:
    context, subcommands = command.context_class(command, info_name=name), getattr(command, "commands", {})
    if not subcommands:
        records = [each.get_help_record(context) for each in command.params]
        yield f"## `{name}`\n"
        yield f"{' '.join(command.help.split())}\n"
        yield f"```text\n{' '.join([name, *command.collect_usage_pieces(context)])}\n```\n"
        yield from (f"- `{' '.join(spelled.split())}`: {' '.join(text.split())}" for spelled, text in records)
        yield ""
    for sub, found in subcommands.items():
        yield from _command(f"{name} {sub}", found)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
