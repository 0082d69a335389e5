"""What is found, in lines: a check that raises is a finding too, and nothing in one says whose machine it is."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from ..support.words import one_line


@dataclass(frozen=True)
class Finding:
    """What a check found, in a line. It is `ok` unless what it looks at does not work."""

    name: str
    said: str
    ok: bool = True

    @property
    def text(self) -> str:
        """What is shown: where something does not work, that in front."""
        return self.said if self.ok else f"failed: {self.said}"


@dataclass(frozen=True)
class Section:
    """Findings about one thing."""

    title: str
    findings: tuple[Finding, ...]


# What a check is called, and what looks: it gives a line, or raises where something does not work.
Check = tuple[str, Callable[[], str]]


def section(title: str, checks: Iterable[Check]) -> Section:
    """Look at all that is to be looked at, whatever becomes of each."""
    findings: list[Finding] = []
    try:
        findings.extend(_finding(name, look) for name, look in checks)
    except Exception as error:
        findings.append(_failed("what else there is", error))
    return Section(title, tuple(findings))


def _finding(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, discreet(look()))
    except Exception as error:
        return _failed(name, error)


def _failed(name: str, error: Exception) -> Finding:
    return Finding(name, discreet(f"{type(error).__name__}: {error}"), ok=False)


def in_gibibytes(count: int) -> str:
    """Give so many bytes as a reader takes them in.

    >>> in_gibibytes(3 << 29)
    '1.5 GiB'
    """
    return f"{count / (1 << 30):.1f} GiB"


def discreet(text: str) -> str:
    """Give a text in one line, with ~ for the folder of whoever is at home there, and no user's name in a path.

    >>> discreet("/home/somebody/clips and /Users/else/clips")
    '~/clips and ~/clips'
    """
    for pattern, shown in _private():
        text = pattern.sub(shown, text)
    return one_line(text)


@lru_cache(maxsize=1)
def _private() -> list[tuple[re.Pattern[str], str]]:
    parts = [(r"(?:/home|/Users|[A-Za-z]:\\Users)[/\\][^/\\\s'\":,;]+", "~")]
    home = os.path.expanduser("~")
    if len(home) > 1 and os.path.isabs(home):
        parts.insert(0, (re.escape(home.rstrip("/\\")) + r"(?![^/\\\s'\":])", "~"))
    with contextlib.suppress(ImportError, KeyError, OSError):  # a user without a name, as of a container
        parts.append((rf"(?<=[/\\]){re.escape(getpass.getuser())}(?![^/\\\s'\":])", "…"))
    return [(re.compile(pattern), shown) for pattern, shown in parts]
