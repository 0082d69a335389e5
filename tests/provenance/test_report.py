"""A signed file tells when a byte of it was changed."""

from __future__ import annotations

import errno
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from PIL import Image

import telecine
from telecine.cli.commands import run
from telecine.errors import DOCUMENTATION

from ..faults.shim import shim_of
from ..support.certificates import MADE_BY_MODEL, Identity, by
from ..support.documents import blocks_of, run_command, run_python
from ..support.helpers import ROOT, greys, names_in, noise, threads_left
from ..support.mp4 import boxes

pytestmark = pytest.mark.slow

UNTRUSTED = "signingCredential.untrusted: signing certificate untrusted"

# ---- what was changed ------------------------------------------------------------------------------------------------


def spans(path: Path) -> dict[str, range]:
    """Where each box lies in a file, by its type; the last of several."""
    found, at = {}, 0
    for kind, payload in boxes(path.read_bytes()):
        found[kind] = range(at, at + 8 + len(payload))
        at += 8 + len(payload)
    return found


@pytest.mark.parametrize("kind", ["ftyp", "uuid", "moov", "mdat", "free"])
def test_one_flipped_bit_anywhere_is_found(kind: str, clip: Path, tmp_path: Path) -> None:
    data, span = clip.read_bytes(), spans(clip)[kind]
    dice = random.Random(kind)
    places = list(span) if len(span) <= 256 else [*span[:64], *sorted(dice.sample(span, 256)), *span[-16:]]
    path, unfound = tmp_path / "clip.mp4", []
    for place in places:
        changed = bytearray(data)
        changed[place] ^= 1 << dice.randrange(8)
        path.write_bytes(changed)
        if telecine.read_provenance(path).state != "tampered":
            unfound.append(place)
    assert unfound == []


@pytest.mark.parametrize("cut", [1, 8, 100, 5000])
def test_what_is_cut_off_is_found(cut: int, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(clip.read_bytes()[:-cut])
    assert telecine.read_provenance(tmp_path / "clip.mp4").state == "tampered"


@pytest.mark.parametrize("added", [b"\0", b"\0\0\0\x08free", b"\0\0\0\x10skipsecrets!", b"\0\0\0\x09mdat!"])
def test_what_is_added_is_found(added: bytes, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(clip.read_bytes() + added)
    assert telecine.read_provenance(tmp_path / "clip.mp4").state == "tampered"


@pytest.mark.parametrize("extension", ["mp4", "mov", "gif", "webp", "apng"])
def test_a_url_and_an_open_file_are_read_as_the_path_is(extension: str, me: Identity, tmp_path: Path) -> None:
    url, store = f"memory://signed/clip.{extension}", fsspec.filesystem("memory")
    path = telecine.export_video(greys(), tmp_path / f"clip.{extension}", provenance=by(me))
    data = path.read_bytes()
    store.pipe_file(url, data)
    expected = {**vars(telecine.read_provenance(path, me.anchors)), "path": None}
    assert expected["state"] == "valid"
    for source in (url, io.BytesIO(data)):
        report = telecine.read_provenance(source, me.anchors)
        assert {**vars(report), "path": None} == expected
        assert str(report.path) == (url if source == url else "the open file")
    with path.open() as file:
        assert telecine.read_provenance(file, me.anchors).path == path.path


def test_a_trace_of_a_manifest_is_found_wherever_it_lies_in_an_open_file(clip: Path) -> None:
    data, start = clip.read_bytes(), spans(clip)["uuid"].start
    damaged = data[: start + 8] + bytes(16) + data[start + 24 :]
    assert telecine.read_provenance(io.BytesIO(damaged)).state == "tampered"
    trace = bytes.fromhex("6332706100110010800000aa00389b71")  # C2PA 2.2, 11.1.4: the type of a manifest store
    for before in (0, (1 << 20) - 15, (1 << 20) - 1, (1 << 20) + 1):  # in one piece that is read, or in two
        assert telecine.read_provenance(io.BytesIO(bytes(before) + trace)).state == "tampered"
    assert telecine.read_provenance(io.BytesIO(bytes(1 << 20) + trace[1:])).state == "no manifest"


def test_another_clip_under_the_manifest_is_found(clip: Path, me: Identity, tmp_path: Path) -> None:
    other = telecine.export_video(noise(), tmp_path / "other.mp4", provenance=by(me))
    ours, theirs = clip.read_bytes(), Path(other).read_bytes()
    moved = ours[: spans(clip)["uuid"].stop] + theirs[spans(Path(other))["uuid"].stop :]
    (tmp_path / "moved.mp4").write_bytes(moved)
    assert telecine.read_provenance(tmp_path / "moved.mp4", me.anchors).state == "tampered"


def test_the_checksum_of_the_manifest_may_be_lost_without_harm(clip: Path, me: Identity, tmp_path: Path) -> None:
    """Other programs may drop a free box at the end; what was signed holds without it."""
    data = clip.read_bytes()
    (tmp_path / "clip.mp4").write_bytes(data[: spans(clip)["free"].start])
    assert telecine.read_provenance(tmp_path / "clip.mp4", me.anchors).state == "valid"


def test_a_file_without_a_manifest_has_none(tmp_path: Path) -> None:
    video = telecine.export_video(greys(), tmp_path / "clip.mp4")
    assert telecine.read_provenance(video).state == "no manifest"
    for name, data in {
        "text.mp4": b"no video",
        "empty.mp4": b"",
        "none": b"of no kind",
        "clip.mkv": b"\x1a\x45",
    }.items():
        (tmp_path / name).write_bytes(data)
        assert telecine.read_provenance(tmp_path / name).state == "no manifest"


def test_a_file_is_read_whatever_its_name(clip: Path, me: Identity, tmp_path: Path) -> None:
    (tmp_path / "clip").write_bytes(clip.read_bytes())
    assert telecine.read_provenance(tmp_path / "clip", me.anchors).state == "valid"


def test_a_disk_that_fails_while_reading_is_not_called_tampering(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(io.FileIO):
        def readinto(self, buffer: Any) -> int:
            if self.tell() > 5000:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().readinto(buffer) or 0

    monkeypatch.setattr("builtins.open", lambda name, *_, **__: Failing(name))
    with pytest.raises(telecine.InputError, match="can't be read as a file with a manifest: Input/output error"):
        telecine.read_provenance(clip)


def test_ctrl_c_while_reading_is_not_called_tampering(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopping(io.FileIO):
        def readinto(self, buffer: Any) -> int:
            os.kill(os.getpid(), signal.SIGINT)
            reading.wait(timeout=60)
            return super().readinto(buffer) or 0

    reading = threading.Event()
    monkeypatch.setattr("builtins.open", lambda name, *_, **__: Stopping(name))
    with pytest.raises(KeyboardInterrupt):
        telecine.read_provenance(clip)
    monkeypatch.undo()
    reading.set()
    for thread in threading.enumerate():
        if thread.name == "telecine-apart":
            thread.join()


def test_a_file_that_can_not_be_read_is_one_error(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.mp4", tmp_path):
        with pytest.raises(telecine.InputError, match=f"{re.escape(repr(str(path)))} can't be read: "):
            telecine.read_provenance(path)


def read_in_three_days(folder: Path) -> list[str]:
    """The state of a folder's clip, and the problems, by a clock that is ahead."""
    script = """
import telecine
report = telecine.read_provenance("clip.mp4", "root.pem")
print(report.state, *report.problems, sep="\\n")
"""
    environment = {**os.environ, "LD_PRELOAD": str(shim_of("clock.c")), "CLOCK_AHEAD": str(3 * 24 * 3600)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_certificate_that_has_expired_since_is_not_called_tampering(me: Identity, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(clip.read_bytes())
    (tmp_path / "root.pem").write_bytes(me.anchors)
    state, *problems = read_in_three_days(tmp_path)
    assert state == "valid but untrusted"
    assert any(each.startswith("signingCredential.expired") for each in problems)
    changed = bytearray(clip.read_bytes())
    changed[-100] ^= 1
    (tmp_path / "clip.mp4").write_bytes(changed)
    assert read_in_three_days(tmp_path)[0] == "tampered"


# ---- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # which the command replaces
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    np.save("frames.npy", greys())


@pytest.mark.usefixtures("_in_a_folder")
def test_the_command_tells_the_four_states_apart(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["provenance", "init"]) == 0
    said = capsys.readouterr().out
    assert "no verifier trusts this chain" in said
    assert names_in(Path("provenance")) == ["certificate.pem", "private-key.pem", "root.pem"]
    signing = [
        "--provenance-certificate",
        "provenance/certificate.pem",
        "--provenance-key",
        "provenance/private-key.pem",
    ]
    more = ["--provenance-model", "CogVideoX-5b", "--provenance-prompt", "a panda"]
    assert run(["export", "frames.npy", "-o", "clip.mp4", "--quiet", *signing, *more]) == 0
    assert run(["export", "clip.mp4", "-o", "edited.mp4", "--quiet", *signing, "--provenance-parent", "clip.mp4"]) == 0
    assert run(["export", "frames.npy", "-o", "plain.mp4", "--quiet"]) == 0
    changed = bytearray(Path("clip.mp4").read_bytes())
    changed[-200] ^= 1
    Path("tampered.mp4").write_bytes(changed)
    capsys.readouterr()

    assert run(["provenance", "show", "clip.mp4"]) == 3
    shown = dict(re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert shown == {
        "file": "clip.mp4",
        "state": "valid but untrusted",
        "title": "clip.mp4",
        "generator": f"telecine {telecine.__version__}",
        "action": "c2pa.created",
        "source type": MADE_BY_MODEL,
        "model": "CogVideoX-5b",
        "prompt": "a panda",
        "signed by": "telecine development signer, For development: trusted by nobody",
        "problem": UNTRUSTED,
    }
    expected = {"clip.mp4": (0, "valid"), "tampered.mp4": (1, "tampered"), "plain.mp4": (4, "no manifest")}
    for name, (code, state) in expected.items():
        assert run(["provenance", "show", name, "--trust", "provenance/root.pem"]) == code
        assert re.search(rf"^state +{state} *$", capsys.readouterr().out, re.MULTILINE)
    assert run(["provenance", "show", "edited.mp4", "--json"]) == 3
    printed = json.loads(capsys.readouterr().out)
    assert (printed["actions"], printed["ingredients"]) == (["c2pa.opened", "c2pa.edited"], ["clip.mp4"])
    assert printed["manifest"]["validation_state"] == "Valid"


@pytest.mark.usefixtures("_in_a_folder")
def test_the_key_for_development_is_for_its_owner_alone_and_never_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    umask = os.umask(0)
    try:
        assert run(["provenance", "init", "some/where"]) == 0
    finally:
        os.umask(umask)
    key = Path("some/where/private-key.pem")
    assert key.stat().st_mode & 0o777 == 0o600 or os.name != "posix"
    capsys.readouterr()
    before = key.read_bytes()
    assert run(["provenance", "init", "some/where"]) == 2
    said = "telecine: 'some/where/private-key.pem' exists: name another folder\n"
    assert capsys.readouterr().err.startswith(said)
    assert key.read_bytes() == before


@pytest.mark.usefixtures("_in_a_folder")
def test_half_of_what_signs_is_an_error_of_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    for half in (["--provenance-key", "key.pem"], ["--provenance-model", "m"]):
        assert run(["export", "frames.npy", "-o", "clip.mp4", *half]) == 2
        said = "telecine: a manifest takes --provenance-certificate and --provenance-key\n"
        assert capsys.readouterr().err == f"{said}telecine: see {DOCUMENTATION}provenance.html\n"
    assert not Path("clip.mp4").exists()
    assert run(["provenance", "show", "missing.mp4"]) == 1
    assert capsys.readouterr().err.startswith("telecine: 'missing.mp4' can't be read: No such file or directory\n")


def test_the_page_on_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, me: Identity, key: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("chain.pem").write_bytes(me.chain)
    Path("key.pem").symlink_to(key)
    for index, frame in enumerate(greys()):
        Path("frames").mkdir(exist_ok=True)
        Image.fromarray(frame).save(f"frames/{index}.png")
    telecine.export_video(greys(), "input.mp4")
    blocks = [*blocks_of(ROOT / "docs" / "provenance.md")]
    codes = [run_command(block.text) for block in blocks if not block.is_python]
    assert codes == [0, 0, 0, 3, 0]  # after that of pip: init, export, show, show --trust
    for block in filter(lambda block: block.is_python, blocks):
        run_python(block, {"frames": greys})
    assert telecine.read_provenance("clip.mp4", me.anchors).models == ("CogVideoX-5b",)


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert threads_left("telecine-apart") == []
