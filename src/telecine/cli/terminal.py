"""What the command prints: tables, JSON and text on standard output; complaints, each in a line, on standard error."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import sys
import traceback
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..errors import PublishError, TelecineWarning
from ..support.words import one_line, shown
from .as_json import plain
from .tables import Facts


def complain(line: str) -> None:
    """Print a line on standard error."""
    with contextlib.suppress(OSError):  # nobody can be told
        print(line, file=sys.stderr)


def errors_are_seen() -> bool:
    """Tell whether standard error is a terminal, where progress can be shown."""
    return sys.stderr is not None and sys.stderr.isatty()


def show_warning(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    """Print a warning of this package; others are the developers'. In place of `warnings.showwarning`."""
    if issubclass(category, TelecineWarning):
        complain(f"telecine: warning: {one_line(str(message))}")


def show_traceback(_: type[BaseException], error: BaseException, __: object) -> None:
    """Print a traceback of which no name controls the terminal. In place of `sys.excepthook`."""
    for line in "".join(traceback.format_exception(error)).split("\n"):
        complain(shown(line))


def print_text(text: str) -> None:
    """Print what was asked for. Who has read enough of it, as `head` does, is no reason to fail.

    Raises:
        PublishError: the disk is full, for example.
    """
    try:
        print(text, flush=True)
    except OSError as error:
        drop_output()
        if not isinstance(error, BrokenPipeError):
            said = f"the output can't be printed: {error.strerror or error}"
            raise PublishError.of(error.errno or errno.EIO, said, "<stdout>") from error


def drop_output() -> None:
    """Let what Python still has to print go nowhere, for it would try again at its end."""
    with contextlib.suppress(OSError, ValueError, AttributeError), open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def print_json(value: object) -> None:
    """Print JSON, which is ASCII and has escapes for its controls, but for one."""
    print_text(json.dumps(plain(value), indent=2, allow_nan=False).replace("\x7f", r"\u007f"))


def print_facts(facts: Facts) -> None:
    """Print names and values in two columns; a path is never cut."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(Text(shown(name)), Text(shown(value)))  # Text: rich finds no markup in it
    _print_rendered(table)


def print_rows(headings: Iterable[str], rows: Iterable[tuple[str, ...]]) -> None:
    """Print a table, and an empty line."""
    table = Table(*headings, box=None, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*row)
    _print_rendered(table)
    print_text("")


def _print_rendered(table: Table) -> None:
    terminal, text = Console(), io.StringIO()
    Console(file=text, width=terminal.width, force_terminal=terminal.is_terminal).print(table)
    print_text(text.getvalue().rstrip("\n"))
