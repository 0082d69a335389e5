"""What a benchmark found, and how it is shown: tables, plots, and bars that hold or don't."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, TypeAlias

from .measure import Spread

Rows: TypeAlias = Sequence[Sequence[str]]
Plot: TypeAlias = "BarPlot | LinePlot"


@dataclass(frozen=True)
class Bar:
    """A figure that is to stay at or under a limit, or at or over it; of a spread, the median counts."""

    what: str
    figure: Spread | float
    limit: float
    at_least: bool = False
    form: str = ".3f"

    @property
    def holds(self) -> bool:
        """Whether the figure is on the right side."""
        value = self.figure.median if isinstance(self.figure, Spread) else self.figure
        return value >= self.limit if self.at_least else value <= self.limit

    @property
    def row(self) -> tuple[str, str, str, str]:
        """The bar as a row of a table."""
        limit = f"{'≥' if self.at_least else '≤'} {self.limit:{self.form}}"
        return self.what, f"{self.figure:{self.form}}", limit, "yes" if self.holds else "no"


@dataclass(frozen=True)
class Table:
    """Rows under a heading; the first column names them."""

    heading: Sequence[str]
    rows: Rows
    caption: str = ""


@dataclass(frozen=True)
class BarPlot:
    """A length for each name, with its spread, and a limit across."""

    name: str
    title: str
    axis: str
    lengths: Mapping[str, Spread]
    limit: float | None = None


@dataclass(frozen=True)
class LinePlot:
    """Points of several series, joined in their order; a logarithmic axis where asked for."""

    name: str
    title: str
    axes: tuple[str, str]
    series: Mapping[str, Sequence[tuple[float, float]]]
    logarithmic: str = ""  # "x", "y" or "xy"
    labels: Mapping[tuple[float, float], str] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """What a benchmark found: how it was measured in words, and the figures."""

    title: str
    about: str
    tables: Sequence[Table] = ()
    bars: Sequence[Bar] = ()
    plots: Sequence[Plot] = ()


def markdown(report: Report, plots: str | os.PathLike[str] | None = None) -> str:
    """The report as a section of a page; with its plots, where they lie in a folder."""
    parts = [f"## {report.title}", report.about]
    parts += [_captioned(table) for table in report.tables]
    if report.bars:
        parts.append(table_of(BAR_HEADING, [bar.row for bar in report.bars]))
    if plots is not None:
        parts += [f"![{plot.title}]({os.fspath(plots)}/{plot.name}.svg)" for plot in report.plots]
    return "\n\n".join(parts) + "\n"


BAR_HEADING = ("bar", "figure", "limit", "holds")


def table_of(heading: Sequence[str], rows: Rows) -> str:
    """A table of Markdown, its columns aligned."""
    widths = [max(map(len, column)) for column in zip(heading, *rows, strict=True)]
    lines = [heading, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )


def _captioned(table: Table) -> str:
    return "\n\n".join(filter(None, [table.caption, table_of(table.heading, table.rows)]))


def alone(run: Callable[[], Report]) -> NoReturn:
    """Run one benchmark, print what it found, and tell by the exit code whether its bars hold."""
    report = run()
    print(markdown(report))
    raise SystemExit(0 if all(bar.holds for bar in report.bars) else 1)
