"""`telecine doctor`: what it finds here, what it does where something fails, and what it never tells."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import telecine
from telecine.cli.commands import run
from telecine.diagnosis import disk, exports, machine, versions
from telecine.diagnosis.doctor import Diagnosis
from telecine.diagnosis.findings import Finding, Section, discreet, section
from telecine.formats.containers import CONTAINERS
from telecine.formats.encoders import ENCODERS
from telecine.formats.images import MOVING_IMAGES, SEQUENCES

from ..support.mounts import image_of, mounted
from ..support.terminals import on_a_terminal

pytestmark = pytest.mark.slow

TITLES = ["Versions", "Machine", "Disk", "Encoders", "Exports of ten frames"]


@pytest.fixture(scope="module")
def diagnosis() -> Diagnosis:
    return telecine.doctor()


def found(diagnosis: Diagnosis, title: str) -> dict[str, Finding]:
    return {each.name: each for part in diagnosis.sections if part.title == title for each in part.findings}


def test_it_tells_the_versions_that_are_installed(diagnosis: Diagnosis) -> None:
    told = found(diagnosis, "Versions")
    assert told["telecine"].said.startswith(telecine.__version__)
    assert (told["PyAV"].said, told["NumPy"].said) == (av.__version__, np.__version__)
    assert "libavcodec {}.{}.{}".format(*av.library_versions["libavcodec"]) in told["FFmpeg's libraries"].said
    assert "GPL" in told["FFmpeg's licence"].said
    assert "--enable-" in told["FFmpeg's configuration"].said
    assert re.fullmatch(r"typer [\d.]+, rich [\d.]+, safetensors [\d.]+", told["telecine[cli]"].said)
    extras = {name for name in told if name.startswith("telecine[")}
    assert extras == {f"telecine[{name}]" for name in ("batch", "c2pa", "cli", "ray", "remote", "tiff", "web")}


def test_every_kind_of_file_is_exported_and_read_back(diagnosis: Diagnosis) -> None:
    told = found(diagnosis, "Exports of ten frames")
    videos = {f"{each.name} {codec}" for each in CONTAINERS.values() for codec in each.codecs}
    with_sound = {"mp4 with aac", "mov with aac", "webm with opus", "mkv with opus"}
    folders = {f"folder of {name}" for name in SEQUENCES}
    assert told.keys() == {*videos, *with_sound, "hls", *MOVING_IMAGES, *folders}
    for name, each in told.items():
        read_back = "10 images" if name in folders else r"read back, 10 frames (of \d\d\.\d dB|that are equal)"
        sound = r" and (aac|opus) of 1\.00 s" if name in with_sound else ""
        assert re.fullmatch(rf"[\d,]+ bytes in \d+ ms; {read_back}{sound}", each.said), each
    assert {told[name].said.rpartition(" frames ")[2] for name in ("mkv ffv1", "gif", "apng")} == {"that are equal"}


def test_it_tells_which_encoders_open(diagnosis: Diagnosis) -> None:
    told = found(diagnosis, "Encoders")
    assert told.keys() == ENCODERS.keys()
    assert told["libx264"].said == "yes (h264, GPL)"
    assert {each.ok for each in told.values()} == {True}  # a machine without a GPU is no trouble


def test_the_machine_and_its_disk_are_told(diagnosis: Diagnosis) -> None:
    told = found(diagnosis, "Machine") | found(diagnosis, "Disk")
    assert re.fullmatch(
        r"(scalar|baseline|avx2|avx512|neon|\w+), of telecine's own kernel", told["instruction set"].said
    )
    assert re.fullmatch(r"\d+ of \d+ may be used", told["processors"].said)
    steps = "write and fsync yes, replace yes, hard link yes, lock yes, exchange of folders yes, fsync of a folder yes"
    assert told["current folder, steps"].said == steps
    assert re.fullmatch(r"[\d.]+ GiB of [\d.]+ GiB are free, on \w+", told["temporary folder, space"].said)
    assert "Aileron" in told["fonts"].said


def test_its_text_is_tables_of_markdown(diagnosis: Diagnosis) -> None:
    assert diagnosis.ok
    *lines, verdict = str(diagnosis).splitlines()
    assert verdict == "H.264 in MP4 works here. Failed: nothing."
    assert [line.removeprefix("### ") for line in lines if line.startswith("#")] == TITLES
    assert {len(re.split(r"(?<!\\)\|", line)) for line in lines if line.startswith("|")} == {4}
    assert diagnosis._repr_markdown_() == str(diagnosis)


# ---- where something fails -------------------------------------------------------------------------------------------


def test_a_check_that_raises_is_a_finding_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Any:
        raise ZeroDivisionError("of two\nlines")

    monkeypatch.setattr(machine, "instruction_set", fail)
    told = {each.name: each for each in section("Machine", machine.checks()).findings}
    assert told["instruction set"] == Finding("instruction set", "ZeroDivisionError: of two lines", ok=False)
    assert told["memory"].ok
    monkeypatch.setattr(versions, "_extras", fail)  # of the checks themselves
    *before, last = section("Versions", versions.checks()).findings
    assert last == Finding("what else there is", "ZeroDivisionError: of two lines", ok=False)
    assert all(each.ok for each in before)


def test_what_an_extra_would_install_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tifffile", None)
    [tiff] = section("", (each for each in exports.checks() if each[0] == "folder of tiff")).findings
    assert (tiff.said, tiff.ok) == ("left out: TIFF needs tifffile: pip install 'telecine[tiff]'", True)


def test_the_verdict_is_that_of_h264_in_mp4() -> None:
    works, fails = Finding("mp4 h264", "4 bytes"), Finding("mp4 h264", "EncodeError: no", ok=False)
    other = Finding("gif", "EncodeError: no", ok=False)
    assert Diagnosis((Section("", (works, other)),)).verdict == "H.264 in MP4 works here. Failed: gif."
    assert Diagnosis((Section("", (works, other)),)).ok
    assert Diagnosis((Section("", (fails,)),)).verdict == "H.264 in MP4 does not work here. Failed: mp4 h264."
    assert not Diagnosis((Section("", (fails,)),)).ok
    assert not Diagnosis(()).ok


def script(code: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TMPDIR": str(folder), **variables}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, env=environment)


DOCTOR = "import sys; from telecine.cli.commands import run; sys.exit(run(['doctor']))"


def test_where_no_file_can_be_written_the_report_is_whole_and_the_exit_code_1(tmp_path: Path) -> None:
    """Of a disk that takes 100 bytes of a file."""
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); "
    done = script(limited + DOCTOR, tmp_path)
    assert done.returncode == 1
    assert re.findall("^### (.*)$", done.stdout, re.MULTILINE) == TITLES
    assert "| mp4 h264 | failed: PublishError: " in done.stdout
    assert "| temporary folder, steps | failed: OSError: write and fsync no (File too large), " in done.stdout
    assert done.stdout.splitlines()[-1].startswith("H.264 in MP4 does not work here. Failed: temporary folder, steps, ")
    assert [*tmp_path.iterdir()] == []


def test_a_filesystem_without_hard_links_is_told(tmp_path: Path) -> None:
    with image_of("vfat", tmp_path) as fat:
        steps = disk._steps(str(fat))
        assert steps.startswith("write and fsync yes, replace yes, hard link no (Operation not permitted), lock yes, ")
        assert disk._space(str(fat)).endswith(" are free, on vfat")


def test_the_path_of_the_current_folder_stays_out_of_its_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "of-a-client"
    gone.mkdir()
    monkeypatch.chdir(gone)
    monkeypatch.setattr("os.getcwd", lambda: str(gone))  # as shells go on saying
    gone.rmdir()
    told = {each.name: each for each in section("Disk", disk.checks()).findings}
    for name in ("current folder, space", "current folder, steps"):
        assert told[name] == Finding(name, "OSError: No such file or directory", ok=False)
    assert told["temporary folder, steps"].ok


def test_a_full_disk_and_a_read_only_one_are_told(tmp_path: Path) -> None:
    for options, said in (
        ("size=64k", r"write and fsync no \(No space left on device\)"),
        ("ro", "Read-only file system"),
    ):
        with mounted(tmp_path, "-t", "tmpfs", "-o", options, "none") as at:
            if options != "ro":
                (at / "all").write_bytes(bytes(1 << 16))
            with pytest.raises(OSError, match=said):
                disk._steps(str(at))
            assert " are free, on tmpfs" in disk._space(str(at))


# ---- what it does not tell, and does not leave -----------------------------------------------------------------------


def test_it_tells_no_secret_and_no_user_and_leaves_nothing(tmp_path: Path) -> None:
    home = tmp_path / "wilhelmina"
    (home / "work").mkdir(parents=True)
    variables = {
        "HOME": str(home),
        "AWS_SECRET_ACCESS_KEY": "hunter2",
        "LOGNAME": "wilhelmina",
        "OWN_VARIABLE": "hunter3",
    }
    done = script(DOCTOR, home / "work", **variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert not re.search("hunter|wilhelmina|OWN_VARIABLE", done.stdout)
    assert "AWS_SECRET_ACCESS_KEY" in done.stdout
    assert "| temporary folder | ~/work |" in done.stdout
    assert [*(home / "work").iterdir()] == []


def test_homes_and_users_are_left_out_of_a_line() -> None:
    assert discreet("no '/home/mia/clip.mp4', no\n/Users/mia: C:\\Users\\mia\\clip") == "no '~/clip.mp4', no ~: ~\\clip"
    assert discreet("/homes/x and /usr/lib/users") == "/homes/x and /usr/lib/users"


# ---- how it is shown -------------------------------------------------------------------------------------------------


def test_on_a_terminal_it_is_a_table_of_its_width() -> None:
    shown = on_a_terminal("doctor", term="xterm", columns=80)
    lines = re.sub(r"\x1b\[[\d;]*m", "", shown.stdout).splitlines()
    assert shown.returncode == 0
    assert max(map(len, lines)) <= 80
    assert [line.strip() for line in lines if line.strip() in TITLES] == TITLES
    assert not any(line.startswith("|") for line in lines)
    assert any(re.match(r"  mp4 h264 +[\d,]+ bytes in \d+ ms; read back", line) for line in lines)


def test_json_has_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is True
    assert [each["title"] for each in told["sections"]] == TITLES
    assert {"name": "PyAV", "said": av.__version__, "ok": True} in told["sections"][0]["findings"]
