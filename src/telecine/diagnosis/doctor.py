"""`doctor`: what a report of trouble needs to say of a machine, and what works on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from . import disk, encoders, exports, machine, versions
from .findings import Check, Section, section

_SECTIONS: dict[str, Callable[[], Iterable[Check]]] = {
    "Versions": versions.checks,
    "Machine": machine.checks,
    "Disk": disk.checks,
    "Encoders": encoders.checks,
    "Exports of ten frames": exports.checks,
}


@dataclass(frozen=True)
class Diagnosis:
    """What `doctor` found. Its text is Markdown, for an issue; a notebook shows it as that.

    Attributes:
        sections: What was found, each with a title and findings, of which each has a name, what is said, and `ok`.
    """

    sections: tuple[Section, ...]

    @property
    def ok(self) -> bool:
        """Whether H.264 in MP4, which is what is written unless something else is asked for, is written and read."""
        return any(each.name == exports.NEEDED and each.ok for part in self.sections for each in part.findings)

    @property
    def verdict(self) -> str:
        """Say it in words, and what failed."""
        failed = [each.name for part in self.sections for each in part.findings if not each.ok]
        return f"H.264 in MP4 {'works' if self.ok else 'does not work'} here. Failed: {', '.join(failed) or 'nothing'}."

    def __str__(self) -> str:
        return "\n".join([*map(markdown, self.sections), self.verdict])

    def _repr_markdown_(self) -> str:
        return str(self)


def doctor() -> Diagnosis:
    """Look at this machine, and try an export of ten frames to each kind of file: what a report of trouble needs.

    It takes some seconds. Files are written in folders for temporary files and in the current one, and removed again;
    nothing is sent. What fails is among what is found, and not raised. Users' names and homes are left out, and of
    the environment's variables only names are told.
    """
    return Diagnosis(tuple(examined()))


def examined() -> Iterator[Section]:
    """Give each section as soon as all in it was looked at."""
    for title, checks in _SECTIONS.items():
        yield section(title, checks())


def markdown(part: Section) -> str:
    """Give a section as a table of Markdown.

    >>> from .findings import Finding
    >>> print(markdown(Section("Versions", (Finding("NumPy", "2|3"), Finding("PyAV", "ImportError: none", ok=False)))))
    ### Versions
    <BLANKLINE>
    | | |
    | --- | --- |
    | NumPy | 2\\|3 |
    | PyAV | failed: ImportError: none |
    <BLANKLINE>
    """
    rows = (f"| {each.name} | {each.text.replace('|', chr(92) + '|')} |" for each in part.findings)
    return "\n".join([f"### {part.title}", "", "| | |", "| --- | --- |", *rows, ""])
