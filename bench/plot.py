"""Draws plots as SVG files that are the same for the same figures."""

from __future__ import annotations

import os
from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot
from matplotlib.axes import Axes

from .report import BarPlot, LinePlot, Plot

# No dates and no random names in the files; text stays text.
matplotlib.rcParams.update({"svg.hashsalt": "telecine", "svg.fonttype": "none", "font.size": 9})
OURS, THEIRS, LIMIT = "#1f6feb", "#8c959f", "#cf222e"


def draw(plot: Plot, folder: str | os.PathLike[str]) -> None:
    """Write the plot's file into a folder."""
    height = 1.2 + 0.28 * len(plot.lengths) if isinstance(plot, BarPlot) else 4
    figure, axes = pyplot.subplots(figsize=(7.5, height), layout="constrained")
    axes.set_title(plot.title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    if isinstance(plot, BarPlot):
        _bars(plot, axes)
    else:
        _lines(plot, axes)
    figure.savefig(Path(folder, f"{plot.name}.svg"), metadata={"Date": None})
    pyplot.close(figure)


def _bars(plot: BarPlot, axes: Axes) -> None:
    names, spreads = list(plot.lengths), list(plot.lengths.values())
    medians = [spread.median for spread in spreads]
    reach = [[spread.median - spread.low for spread in spreads], [spread.high - spread.median for spread in spreads]]
    colors = [OURS if "telecine" in name else THEIRS for name in names]
    axes.barh(names, medians, xerr=reach, color=colors, error_kw={"linewidth": 0.8, "capsize": 2})
    axes.invert_yaxis()
    axes.set_xlabel(plot.axis)
    if plot.limit is not None:
        axes.axvline(plot.limit, color=LIMIT, linestyle="--", linewidth=1)


def _lines(plot: LinePlot, axes: Axes) -> None:
    for name, points in plot.series.items():
        axes.plot(*zip(*points, strict=True), marker="o", markersize=4, linewidth=1, label=name)
    for point, label in plot.labels.items():
        axes.annotate(label, point, xytext=(4, 4), textcoords="offset points", fontsize=7)
    axes.set_xlabel(plot.axes[0])
    axes.set_ylabel(plot.axes[1])
    if "x" in plot.logarithmic:
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:g}")
    if "y" in plot.logarithmic:
        axes.set_yscale("log")
    axes.grid(linewidth=0.3)
    axes.legend(frameon=False)
