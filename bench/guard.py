"""What became slower since bench/baseline.json: instructions of the kernels, and ratios of the rest. For information.

`python -m bench.guard` compares, and `python -m bench.guard --update` writes the baseline. Instructions are counted by
valgrind's callgrind where it is installed; they depend on the compiler, which the baseline names. Ratios are of
processor time, which other processes disturb less than wall time, on frames that need no clips.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import telecine
from telecine.formats.choices import PresetName

from . import convert
from .frames import Picture, clip
from .measure import in_turns, ratio
from .report import table_of
from .x264 import FPS, encode, options_of, ready_planes

ROOT, BASELINE = Path(__file__).parents[1], Path(__file__).with_name("baseline.json")
KERNELS = ("baseline", "avx2")
CASES = ("uint8-HWC", "uint8-RGBA", "float32-CHW", "float32-HWC", "bfloat16-CHW", "to-rgb")
INSTRUCTIONS, RATIO = "million instructions", "ratio"
TOLERANCES = {INSTRUCTIONS: 1.02, RATIO: 1.15}
TURNS = 5
IMPORT = """
import time
times = [time.process_time()]
import av, numpy
times.append(time.process_time())
from telecine import export_video
times.append(time.process_time())
print(times[2] - times[1], times[1] - times[0])
"""


def main() -> None:
    """Measure, and print beside the baseline."""
    compiler, counts = instructions()
    figures = {f"{what}, {INSTRUCTIONS}": count for what, count in counts.items()}
    figures |= {f"{what}, {RATIO}": each for what, each in ratios().items()}
    if "--update" in sys.argv:
        BASELINE.write_text(json.dumps({"compiler": compiler, "figures": figures}, indent=1) + "\n")
    known = json.loads(BASELINE.read_text())
    rows = [_row(what, now, known["figures"].get(what)) for what, now in figures.items()]
    print(table_of(("what", "now", "baseline", "change", ""), rows))
    if counts and compiler != known["compiler"]:
        print(f"The baseline was compiled by {known['compiler']}, this by {compiler}.")


def _row(what: str, now: float, before: float | None) -> tuple[str, ...]:
    if before is None:
        return what, f"{now:.3f}", "", "", "new"
    more = now / before > TOLERANCES[what.rpartition(", ")[2]]
    return what, f"{now:.3f}", f"{before:.3f}", f"{now / before - 1:+.1%}", "more" if more else ""


def instructions() -> tuple[str, dict[str, float]]:
    """The compiler, and the millions of instructions of each kernel on one frame; none where they can't be counted."""
    valgrind, cmake = shutil.which("valgrind"), shutil.which("cmake", path=Path(sys.executable).parent)
    if valgrind is None or cmake is None:
        print("No valgrind or no CMake here: the kernels' instructions are not counted.")
        return "", {}
    build = ROOT / "build" / "guard"
    for step in (
        ["-S", str(ROOT), "-B", str(build), f"-DPython_EXECUTABLE={sys.executable}"],
        ["--build", str(build), "--target", "kernel_once"],
    ):
        subprocess.run([cmake, *step], check=True, stdout=subprocess.DEVNULL)
    counts = {}
    for kernel in KERNELS:
        command = [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        command += [f"--toggle-collect=telecine::{kernel}::to_*", str(build / "kernel_once"), kernel]
        for case in CASES:
            said = subprocess.run([*command, case], capture_output=True, text=True, check=False)
            found = re.search(r"Collected : (\d+)", said.stderr)
            if said.returncode == 0 and found:  # else the machine has no such kernel
                counts[f"{kernel} {case}"] = int(found[1]) / 1e6
    compiler = re.search(r"CMAKE_CXX_COMPILER:\w+=(.*)", (build / "CMakeCache.txt").read_text())
    assert compiler is not None
    return subprocess.check_output([compiler[1], "--version"], text=True).splitlines()[0], counts


def ratios() -> dict[str, float]:
    """Ratios to a limit, of processor time; of the conversion, of wall time, for it is one thread's."""
    seconds = convert.measured(4 * TURNS)
    found = {f"{ours} / {theirs}": seconds[ours] / seconds[theirs] for ours, theirs, _ in convert.BARS}
    pictures = clip("scene-480p").pictures
    for preset in (None, "ultrafast"):
        found[f"export / libx264, 720x480, {preset or 'default'}"] = export_ratio(pictures, preset)
    short = [np.ascontiguousarray(picture[:256, :256]) for picture in pictures[:16]]
    found["export / libx264, 16 frames of 256x256, ultrafast"] = export_ratio(short, "ultrafast")
    imports = [subprocess.check_output([sys.executable, "-c", IMPORT]).split() for _ in range(2 * TURNS)]
    ours, theirs = (min(map(float, each)) for each in zip(*imports, strict=True))
    return found | {"export_video imported / import av, numpy": ours / theirs}


def export_ratio(pictures: list[Picture], preset: PresetName | None) -> float:
    """An export of float32 CTHW to libx264 alone."""
    planes, options = ready_planes(pictures), options_of(preset=preset)
    floats = np.ascontiguousarray(np.stack(pictures).transpose(3, 0, 1, 2), np.float32) / np.float32(255)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip.mp4")
        contestants = {
            "export": lambda: telecine.export_video(floats, path, fps=FPS, preset=preset),
            "libx264": lambda: encode(planes, options),
        }
        taken = in_turns(contestants, TURNS, time.process_time)
    return ratio(taken["export"], taken["libx264"]).median


if __name__ == "__main__":
    main()
