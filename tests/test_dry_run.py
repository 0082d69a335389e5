"""`telecine export --dry-run`: it says what the export does then, fails as that fails, and leaves nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
import wave
from pathlib import Path

import numpy as np
import pytest

import telecine
from telecine.cli.commands import run

from .support.helpers import waves

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::telecine.TelecineWarning")]

FRAMES = np.round(255 * waves(12, 47, 64)).astype(np.uint8)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # which the command replaces
    monkeypatch.setenv("COLUMNS", "4000")
    monkeypatch.chdir(tmp_path)
    np.save("frames.npy", FRAMES)


def facts(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, list[str]]:
    """What the command prints as a table: the values of each name."""
    assert run([*arguments]) == 0
    rows = (re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in capsys.readouterr().out.splitlines())
    found: dict[str, list[str]] = {}
    for name, value in rows:
        found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize(
    "options",
    [
        "-o clip.mp4",
        "-o new/folder/clip.mp4 --codec hevc --crf 20.5 --fps 29.97",
        "-o clip.mov --codec prores --color bt709",
        "-o clip.mov --hold 2.5",
        "-o clip.webm --codec av1 --fps 25",
        "-o clip.mkv --codec ffv1 --repeat 3",
        "-o clip.mp4 --every 2 --height 96 --dither",
        "-o clip.mp4 --fps 30 --fps-from 24",
        "-o clip.gif --quality draft --loops 2",
        "-o clip.avif",
        "-o images --format tiff --bit-depth 16",
        "-o clip.m3u8",
    ],
)
def test_it_says_what_the_export_does(options: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["export", "frames.npy", *options.split()]
    said = facts(capsys, *given, "--dry-run")
    assert sorted(Path.cwd().iterdir()) == [Path.cwd() / "frames.npy"]
    done = facts(capsys, *given)
    assert (said["codec"][0].split()[0], said["written"]) == (done["codec"][0], ["nothing: this was a dry run"])
    assert {name: said[name] for name in done if name not in ("size", "codec")} == {
        name: value for name, value in done.items() if name not in ("size", "codec")
    }


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_it_says_the_encoders_final_settings(codec: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["export", "frames.npy", "-o", "clip.mkv", "--codec", codec, "--crf", "17", "--preset", "veryfast"]
    said = facts(capsys, *given, "--dry-run")
    assert {"preset=veryfast", "crf=17"} <= set(said["options"][0].split())
    assert said["encoder"] == [{"h264": "libx264", "hevc": "libx265"}[codec]]
    assert run([*given, "--quiet"]) == 0
    written = re.search(rb"options: ([ -~]+)", Path("clip.mkv").read_bytes())
    assert written is not None
    assert said["settings"] == [written[1].decode()]


def test_the_file_and_its_colours_are_those_that_the_export_writes(capsys: pytest.CaptureFixture[str]) -> None:
    said = facts(capsys, "export", "frames.npy", "-o", "clip.mp4", "--dry-run")
    info = telecine.probe(telecine.export_video(FRAMES, "clip.mp4"))
    assert (said["codec"], said["pixel format"]) == ([f"h264 {info.profile}"], [info.pixel_format])
    assert (said["colour"], said["format"]) == ([str(info.color)], ["mp4"])
    said = facts(capsys, "export", "frames.npy", "-o", "clip.mp4", "--dry-run", "--max-bytes", "1MB")
    assert (said["replaces"], said["at most"]) == ([f"a file of {info.size_bytes:,} bytes"], ["1,000,000 bytes"])


def test_nothing_changes_at_the_path_nor_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    Path("clip.mp4").write_bytes(b"older")
    telecine.export_video(FRAMES, "list.m3u8")
    before = {each: (each.read_bytes(), each.stat().st_mtime_ns) for each in Path.cwd().iterdir()}
    for where in ("clip.mp4", "clip.mp4 --live", "list.m3u8", "a/b/c.mp4", "a --format png"):
        assert run(["export", "frames.npy", "--dry-run", "-o", *where.split()]) == 0
        assert {each: (each.read_bytes(), each.stat().st_mtime_ns) for each in Path.cwd().iterdir()} == before
    assert "http://" not in capsys.readouterr().err  # nothing is served
    assert run(["export", "frames.npy", "-o", "clip.mp4", "--dry-run", "--quiet"]) == 0
    assert capsys.readouterr().out == ""


def test_the_standard_output_gets_no_video() -> None:
    asked = [sys.executable, "-m", "telecine", "export", "frames.npy", "-o", "-", "--format", "mp4", "--dry-run"]
    done = subprocess.run(asked, capture_output=True, text=True, env={**os.environ, "COLUMNS": "100"})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("file          <stdout>  ")


def broken_sound() -> str:
    with wave.open("empty.wav", "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
    return "--audio empty.wav"


def not_a_number() -> str:
    np.save("frames.npy", np.full((2, 48, 64, 3), np.nan, np.float32))
    return ""


@pytest.mark.parametrize(
    "options",
    [
        "--fps 0",
        "--codec vp9",
        "--quality best",
        "--preset fast --encoder libopenh264",
        "--no-overwrite",
        "--last-frame clip.mp4",
        "--background no-colour",
        "--only-rank 3",
        "--layout THW",
        broken_sound,
        not_a_number,
    ],
)
def test_it_fails_as_the_export_fails(options: object, capsys: pytest.CaptureFixture[str]) -> None:
    Path("clip.mp4").write_bytes(b"older")
    given = ["export", "frames.npy", "-o", "clip.mp4", *(options() if callable(options) else str(options)).split()]
    code, told = run([*given, "--dry-run"]), capsys.readouterr()
    assert code in (1, 2)
    assert (run(given), capsys.readouterr()) == (code, told)
    assert Path("clip.mp4").read_bytes() == b"older"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_can_not_be_written_to_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("closed").mkdir(mode=0o500)
    assert run(["export", "frames.npy", "-o", "closed/clip.mp4", "--dry-run"]) == 1
    assert "'closed/clip.mp4' can't be written: Permission denied" in capsys.readouterr().err


def test_a_place_where_no_file_can_be_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("folder.mp4").mkdir()
    for output, said in (("folder.mp4", "is a folder"), ("frames.npy/clip.mp4", "can't be written: Not a directory")):
        assert run(["export", "frames.npy", "-o", output, "--dry-run"]) == 1
        assert said in capsys.readouterr().err
