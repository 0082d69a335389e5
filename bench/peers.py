"""telecine and its peers, each with its defaults, from a list of PIL images to a file.

Memory is the peak above the frames, child processes counted. VMAF and XPSNR are taken with the file's pixels read by
the matrix that they are of; the colour error is what a reader shows that goes by the tags or else by the size, on a
chart of 27 colours.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .chart import shown
from .fidelity import Fidelity, fidelity
from .footprint import peak_above_frames
from .frames import Clip, clip, names
from .measure import Spread, in_turns, ratio
from .report import Bar, BarPlot, LinePlot, Plot, Report, Table, alone
from .writers import OURS, usable, write

HEADING = ("writer", "wall / telecine", "seconds", "MB above the frames", "bytes", "VMAF", "XPSNR dB", "colour error")
MOST_MEGABYTES = 60


@dataclass(frozen=True)
class Figures:
    """Of one writer on one clip."""

    wall: Spread  # as a ratio to telecine's
    seconds: Spread
    megabytes: float
    size: int
    alike: Fidelity
    color_error: float

    @property
    def row(self) -> tuple[str, ...]:
        """As `HEADING` names them."""
        return (
            *(f"{self.wall:.2f}", f"{self.seconds:.2f}", f"{self.megabytes:.0f}", f"{self.size:,}"),
            *(f"{self.alike.vmaf:.2f}", f"{self.alike.xpsnr:.2f}", f"{self.color_error:.1f}"),
        )


def run() -> Report:
    """Measure on every clip."""
    tables: list[Table] = []
    bars: list[Bar] = []
    plots: list[Plot] = []
    with tempfile.TemporaryDirectory() as folder:
        tried = usable(Path(folder))
        for each in map(clip, names()):
            figures = measured(each, [name for name, error in tried.items() if not error], Path(folder))
            rows = [(name, *of_writer.row) for name, of_writer in figures.items()]
            rows += [(name, error, *[""] * (len(HEADING) - 2)) for name, error in tried.items() if error]
            tables.append(Table(HEADING, rows, f"{each}:"))
            bars.append(Bar(f"{each.name}: MB above the frames", figures[OURS].megabytes, MOST_MEGABYTES, form=".0f"))
            plots += _plots(each, figures)
    return Report("Peers", __doc__ or "", tables, bars, plots)


def measured(each: Clip, writers: list[str], folder: Path) -> dict[str, Figures]:
    """What each writer makes of a clip."""
    paths = {name: folder / f"{index}.mp4" for index, name in enumerate(writers)}
    images = each.images
    seconds = in_turns({name: partial(write, name, images, path) for name, path in paths.items()})
    figures = {}
    for name, path in paths.items():
        chart = shown(name, *images[0].size)
        figures[name] = Figures(
            wall=ratio(seconds[name], seconds[OURS]),
            seconds=Spread.of(seconds[name]),
            megabytes=peak_above_frames(name, each.name),
            size=path.stat().st_size,
            alike=fidelity(path, each.pictures, chart.matrix),
            color_error=chart.color_error,
        )
    return figures


def _plots(each: Clip, figures: dict[str, Figures]) -> tuple[Plot, Plot]:
    walls = {name: of_writer.wall for name, of_writer in figures.items()}
    points = {name: [(of_writer.size / 1e6, of_writer.alike.vmaf)] for name, of_writer in figures.items()}
    return (
        BarPlot(f"peers-wall-{each.name}", f"Wall time / telecine's, {each}", "wall time, ratio", walls),
        LinePlot(f"peers-vmaf-{each.name}", f"Defaults of each, {each}", ("megabytes of the file", "VMAF"), points),
    )


if __name__ == "__main__":
    alone(run)
