"""Arguments, journals, memory, random or guided by coverage: a file that verifies or one clear error, no report."""

from __future__ import annotations

import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import warnings
from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import telecine
from telecine import TelecineError, TelecineWarning, export_video

from ..support.helpers import ROOT, greys, names_in, noise
from ..support.journals import assert_recovers_or_says, leave_journal
from . import length

pytestmark = pytest.mark.slow

DTYPES = ["uint8", "uint16", "float16", "float32", "float64", "bool", "int64", "complex64"]
ARGUMENTS: dict[str, st.SearchStrategy[Any]] = {
    "fps": st.one_of(st.sampled_from([16, 29.97, "24000/1001", 0.5, "x", 0]), st.floats(), st.fractions(), st.text()),
    "codec": st.sampled_from([None, "h264", "hevc", "av1", "vp9", 3]),
    "quality": st.sampled_from(["draft", "balanced", "high", "visually-lossless", "best"]),
    "crf": st.one_of(st.none(), st.integers(-2, 53), st.floats(0, 51)),
    "bitrate": st.one_of(st.none(), st.integers(-1, 2**33)),
    "preset": st.sampled_from([None, "ultrafast", "slow", "warp"]),
    "encoder_options": st.one_of(
        st.none(),
        st.dictionaries(
            st.sampled_from(["g", "bf", "tune", "x264-params", "profile", "refs", "flags", "nonsense"]),
            st.one_of(st.integers(-3, 300), st.sampled_from(["film", "zerolatency", "baseline", "keyint=9", "+x"])),
        ),
    ),
    "pixel_format": st.sampled_from([None, "yuv420p", "yuv444p"]),
    "color": st.sampled_from(["auto", "bt601", "bt709", "bt2020"]),
    "layout": st.sampled_from(["auto", "THWC", "TCHW", "CTHW", "HWC", "THW", "X"]),
    "value_range": st.one_of(
        st.just("auto"), st.tuples(st.floats(), st.floats()), st.sampled_from([(-1, 1), (0, 255)])
    ),
    "background": st.sampled_from([None, "red", "#00ff00", (0.0, 1.0, 2.0), "no colour"]),
    "hold": st.one_of(st.none(), st.floats()),
    "repeat": st.integers(-1, 3),
    "timestamps": st.one_of(st.none(), st.lists(st.floats()), st.just(range(10))),
    "overwrite": st.booleans(),
    "format": st.sampled_from([None, "mp4", "mov", "webm", "mkv", "avi"]),
}


@st.composite
def clips(draw: st.DrawFn) -> Any:
    shape = draw(st.lists(st.sampled_from([1, 2, 3, 4, 16, 33]), min_size=1, max_size=5))
    dice = np.random.default_rng(draw(st.integers(0, 99)))
    values = dice.random(shape) * draw(st.sampled_from([1, 1, 1, 2, 255])) - draw(st.sampled_from([0, 0, 1]))
    dtype = draw(st.sampled_from(DTYPES))
    whole = np.abs(values) * (255 if dtype != "bool" else 1) if np.dtype(dtype).kind in "iub" else values
    with np.errstate(all="ignore"):
        return whole.astype(dtype)


@settings(
    max_examples=length(300, 100_000),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=not os.environ.get("TELECINE_SOAK"),
)
@given(frames=clips(), arguments=st.fixed_dictionaries({}, optional=ARGUMENTS))
def test_any_arguments_give_a_whole_file_or_one_clear_error(frames: Any, arguments: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore", TelecineWarning)
        path = Path(name, "clip.mp4")
        error, video = None, None
        try:
            video = export_video(frames, path, **arguments)
        except TelecineError as raised:
            error = str(raised)
        if video is not None:
            info = telecine.probe(path)
            assert (info.frame_count, info.width, info.height) == (video.frame_count, video.width, video.height)
            if arguments.get("hold") is arguments.get("timestamps") is None:
                assert round(info.duration * info.fps) == video.frame_count  # Matroska counts milliseconds
            assert names_in(path.parent) == [path.name]
            return
        assert error is not None
        assert "\n" not in error
        assert path.name not in names_in(path.parent)
        if names_in(path.parent):
            assert f"; {telecine.recover(path).frame_count} of " in error


@pytest.mark.parametrize("seed", range(length(4, 2000)))
def test_any_journal_gives_a_file_that_plays_or_a_publish_error(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    journal = leave_journal(tmp_path / "clip.mp4", greys(6) if seed % 2 else noise(4))
    held = journal.read_bytes()
    journal.unlink()
    for _ in range(25):
        data = bytearray(held)
        for _ in range(dice.randint(1, 4)):
            at, size = dice.randrange(len(data)), dice.choice([1, 4, 8, 300])
            how = dice.randrange(5)
            if how == 0:
                data[at : at + size] = dice.randbytes(len(data[at : at + size]))
            elif how == 1:
                del data[at : at + size]
            elif how == 2:
                data[at:at] = data[at : at + size]
            elif how == 3:  # a length
                at = dice.choice([held.find(kind, dice.randrange(at + 1)) for kind in (b"moof", b"mdat", b"trun")])
                data[max(0, at - 4) : max(0, at - 4) + 4] = dice.choice([bytes(4), b"\xff" * 4, dice.randbytes(4)])
            else:
                data[at : at + size] = bytes(len(data[at : at + size]))
            if len(data) < 10:
                break
        assert_recovers_or_says(bytes(data), tmp_path / "clip.mp4")


def test_no_bytes_taken_for_a_journal_break_recovery(tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    journals = [leave_journal(tmp_path / "clip.mp4", each).read_bytes() for each in (greys(6), noise(2))]
    assert_finds_nothing([sys.executable, "-m", f"{__package__}.fuzz_recovery"], journals)


def test_random_frames_make_the_kernels_touch_no_other_memory_and_do_nothing_undefined(tmp_path: Path) -> None:
    compilers, sources = ["c++", "g++", "clang++"], ["kernel_driver.cpp", "kernel_random.cpp"]
    driver, rounds = built(compilers, sources, "address,undefined", tmp_path), length(2000, 2_000_000)
    done = run([driver, "1", str(rounds)])
    assert (done.stdout, done.stderr, done.returncode) == (f"{rounds}\n", "", 0)


def test_frames_that_coverage_leads_to_make_the_kernels_do_neither(tmp_path: Path) -> None:
    driver = built(["clang++"], ["kernel_driver.cpp"], "address,undefined,fuzzer", tmp_path)
    assert_finds_nothing([driver], [random.Random(seed).randbytes(512) for seed in range(40)])


def built(compilers: list[str], sources: list[str], sanitizers: str, folder: Path) -> Path:
    """Build the kernels, and these sources beside this file, by the first of the compilers that is here."""
    compiler = next(filter(None, map(shutil.which, compilers)), None)
    if compiler is None:
        pytest.skip(f"no {compilers[0]} here")
    native = Path(telecine.__file__).parents[1] / "native"
    if not native.is_dir():
        native = ROOT / "src" / "native"
    checks = [f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all", "-std=c++17", "-O1", "-g1", f"-I{native}"]
    sets: dict[str, list[str]] = {"baseline": []}
    if platform.machine() in ("x86_64", "AMD64"):
        sets = {"baseline": [], "avx2": ["-march=x86-64-v3"], "avx512": ["-march=x86-64-v4"]}
        checks.append("-DTELECINE_X86")
    kernels = sorted(native.glob("to_*.cpp"))
    units = [[str(kernel), f"-DTELECINE_ISA={isa}", *sets[isa]] for isa in sets for kernel in kernels]
    units += [[str(Path(__file__).with_name(source))] for source in sources]
    objects = [folder / f"{index}.o" for index in range(len(units))]
    compiling = [
        subprocess.Popen([compiler, *checks, "-ffp-contract=off", "-c", *unit, "-o", to], stderr=subprocess.PIPE)
        for unit, to in zip(units, objects, strict=True)
    ]
    for each in compiling:
        _, said = each.communicate(timeout=300)
        assert each.returncode == 0, said.decode()
    linked = run([compiler, *checks, *objects, "-o", folder / "driver"])
    if linked.returncode:
        pytest.skip(f"no sanitizers here: {linked.stderr.splitlines()[-1]}")
    return folder / "driver"


def assert_finds_nothing(fuzzer: list[str | Path], seeds: list[bytes]) -> None:
    """Run what libFuzzer drives, from these inputs on; an input that it reports is in what the assertion says."""
    runs, any_seed = length(1500, 2_000_000), 0
    with tempfile.TemporaryDirectory() as corpus, tempfile.TemporaryDirectory() as reported:
        for index, seed in enumerate(seeds):
            Path(corpus, str(index)).write_bytes(seed)
        options = [f"-runs={runs}", f"-seed={length(1, any_seed)}", f"-artifact_prefix={reported}/"]
        options.append("-report_slow_units=600")  # a machine that stands still for ten seconds is no finding
        # A child's largest resident set begins with its parent's (getrusage(2), ru_maxrss), and pytest's may be larger
        # than what is allowed here.
        options += ["-rss_limit_mb=0", "-malloc_limit_mb=2048"]
        done = run([*fuzzer, corpus, *options])
        reports = [f"{each.name}, in base64: {b64encode(each.read_bytes())!r}" for each in Path(reported).iterdir()]
    assert (reports, done.returncode) == ([], 0), "\n".join([done.stdout, done.stderr[-9000:], *reports])
    assert f"Done {runs} runs" in done.stderr


def run(command: list[str | Path]) -> subprocess.CompletedProcess[str]:
    timeout = length(300, 36_000)
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False)
