"""Runs every benchmark, each in a process of its own, and writes bench/RESULTS.md with its plots beside it."""

from __future__ import annotations

import shutil
import time
import traceback
from importlib import import_module
from pathlib import Path

import imageio_ffmpeg

import telecine

from .frames import names
from .measure import TURNS, in_a_process, machine
from .plot import draw
from .report import BAR_HEADING, Report, markdown, table_of

BENCHMARKS = (
    *("overhead", "peers", "quality", "floors", "bd_rate", "third_eye", "frontier", "cores", "startup", "latency"),
    *("convert", "memory", "destinations", "live", "tap", "batch", "gallery", "gpu"),
)
PAGE, PLOTS = Path(__file__).with_name("RESULTS.md"), Path(__file__).with_name("plots")

HEAD = """\
# Results

Written by `make bench`, in one run on one machine. Every figure is a ratio to a peer or to a limit, or stands beside
one. Contestants take turns on the same frames, and a figure is the median of {turns} turns with the least and the most,
unless it says otherwise. On another machine the ratios differ a little, and the order should not.
"""


def main() -> None:
    """Measure, draw and write; a benchmark that fails is said, and the others go on."""
    reports = [measured(name) for name in BENCHMARKS]
    shutil.rmtree(PLOTS, ignore_errors=True)
    PLOTS.mkdir()
    for report in reports:
        for plot in report.plots:
            draw(plot, PLOTS)
    PAGE.write_text(page(reports))
    print(f"wrote {PAGE}")


def measured(name: str) -> Report:
    """What one benchmark found."""
    start = time.perf_counter()
    try:
        report: Report = in_a_process(import_module(f"bench.{name}").run)
    except Exception as error:
        traceback.print_exc()
        report = Report(name, f"Failed: {type(error).__name__}: {error}")
    print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
    return report


def page(reports: list[Report]) -> str:
    """The whole of RESULTS.md."""
    facts = [("telecine", telecine.__version__), ("frames", ", ".join(names())), *machine()]
    facts.append(("ffmpeg of the peers that start one", imageio_ffmpeg.get_ffmpeg_version()))
    bars = [(report.title, *bar.row) for report in reports for bar in report.bars]
    parts = [
        HEAD.format(turns=TURNS),
        table_of(("machine", ""), facts),
        "## Bars",
        table_of(("benchmark", *BAR_HEADING), bars),
        *(markdown(report, PLOTS.name) for report in reports),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


if __name__ == "__main__":
    main()
