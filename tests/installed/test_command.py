"""The command as it is installed, what a kill leaves and `recover` makes of it, `strip`, and signed files."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import telecine
from telecine import Provenance

from .clips import COUNT, codes

# Says when the last of its frames is being encoded; then it waits to be killed.
EXPORTER = """
import sys, numpy, telecine
frames = numpy.load("frames.npy")
how = {"encoder_options": {"tune": "zerolatency"}} if sys.argv[1].endswith("mp4") else {}
how |= {"format": "png"} if sys.argv[1] == "frames" else {}
writer = telecine.VideoWriter(sys.argv[1], **how)
writer.write(frames)
while writer.queued:
    pass
print("written", flush=True)
sys.stdin.read()
"""


def telecine_command(folder: Path, *arguments: str, code: int = 0) -> str:
    program = shutil.which("telecine", path=sysconfig.get_path("scripts"))
    assert program is not None
    done = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_the_command_exports_probes_verifies_and_lists(tmp_path: Path) -> None:
    np.save(tmp_path / "frames.npy", codes())
    assert telecine.__version__ in telecine_command(tmp_path, "--version")
    assert "recover" in telecine_command(tmp_path, "--help")
    telecine_command(tmp_path, "export", "frames.npy", "-o", "clip.mp4", "--fps", "12")
    facts = json.loads(telecine_command(tmp_path, "probe", "clip.mp4", "--json"))
    assert (facts["frame_count"], facts["codec"]) == (COUNT, "h264")
    telecine_command(tmp_path, "verify", "clip.mp4", "frames.npy")
    np.save(tmp_path / "wrong.npy", codes()[::-1])
    telecine_command(tmp_path, "verify", "clip.mp4", "wrong.npy", code=1)
    assert "prores" in telecine_command(tmp_path, "formats")


@pytest.mark.parametrize(
    "arguments",
    [
        ["export", "frames.npy"],
        ["export", "frames.npy", "-o", "clip.mp4", "--no-such-option"],
        ["export", "frames.npy", "-o", "clip.mp4", "--quality", "best"],
        ["export", "frames.npy", "-o", "clip.mp4", "--crf", "x"],
        ["no-such-command"],
    ],
)
def test_a_wrong_command_line_is_exit_code_2(tmp_path: Path, arguments: list[str]) -> None:
    np.save(tmp_path / "frames.npy", codes())
    telecine_command(tmp_path, *arguments, code=2)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.gif", "clip.avif", "frames"])
def test_what_a_kill_left_is_recovered(tmp_path: Path, name: str) -> None:
    np.save(tmp_path / "frames.npy", codes(24))
    with subprocess.Popen(
        [sys.executable, "-c", EXPORTER, name], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        process.kill()
    assert not (tmp_path / name).exists()
    assert name in telecine_command(tmp_path, "recover", "--list", ".")
    telecine_command(tmp_path, "recover", name)
    found = len(list((tmp_path / name).iterdir())) if name == "frames" else telecine.probe(tmp_path / name).frame_count
    assert 12 <= found <= 24  # what an encoder has in work is lost
    assert {each.name for each in tmp_path.iterdir()} == {"frames.npy", name}


def test_strip_takes_the_metadata_away(tmp_path: Path) -> None:
    video = telecine.export_video(codes(), tmp_path / "clip.mp4", metadata={"prompt": "secret words"})
    assert b"secret words" in video.path.read_bytes()
    telecine_command(tmp_path, "strip", "clip.mp4")
    assert b"secret words" not in video.path.read_bytes()
    assert telecine.verify(video, codes()).ok


def test_signed_files_are_valid_until_a_byte_is_changed(tmp_path: Path) -> None:
    telecine_command(tmp_path, "provenance", "init", "keys")
    keys = {each.name: each for each in (tmp_path / "keys").iterdir()}
    texts = {name: path.read_text() for name, path in keys.items()}
    key = next(path for name, path in keys.items() if "PRIVATE KEY" in texts[name])
    root = next(path for name, path in keys.items() if "root" in name)
    chain = next(path for path in keys.values() if path not in (key, root))
    said = Provenance(certificate=chain, private_key=key, model="CogVideoX-5b")
    np.save(tmp_path / "frames.npy", codes())
    for name in ("clip.mp4", "clip.webp"):
        path = telecine.export_video(codes(), tmp_path / name, provenance=said).path
        assert telecine.read_provenance(path).state == "valid but untrusted"
        assert telecine.read_provenance(path, root).state == "valid"
        telecine_command(tmp_path, "provenance", "show", name, code=3)
    data = bytearray((tmp_path / "clip.mp4").read_bytes())
    data[-10] ^= 1
    (tmp_path / "clip.mp4").write_bytes(data)
    telecine_command(tmp_path, "provenance", "show", "clip.mp4", code=1)
    export = ["export", "frames.npy", "-o", "signed.mp4", "--provenance-certificate"]
    telecine_command(tmp_path, *export, str(chain), "--provenance-key", str(key))
    shown: dict[str, Any] = json.loads(telecine_command(tmp_path, "provenance", "show", "signed.mp4", "--json", code=3))
    assert shown["state"] == "valid but untrusted"
