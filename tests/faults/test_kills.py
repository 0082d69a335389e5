"""Exporters killed at random instants: the path holds the old or the whole new file, every closed fragment is kept."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

import telecine

from ..support.helpers import OLDER, ROOT, assert_frames, names_in, noise
from ..support.journals import JOURNAL, whole_pairs
from ..support.tiny_pipelines import frames_of, tiny
from . import length

pytestmark = pytest.mark.slow

COUNT = 40
# Says where it is, so that an instant is measured in its own steps and not in seconds.
EXPORTER = """
import sys, numpy, telecine
frames = numpy.random.default_rng(0).integers(0, 256, (40, 48, 64, 3), numpy.uint8)
print("started", flush=True)
with telecine.VideoWriter("clip.mp4", encoder_options={"tune": "zerolatency"}) as writer:
    for frame in frames:
        writer.write(frame)
        while writer.queued:
            pass
        print("frame", flush=True)
print("closed", flush=True)
"""


@pytest.mark.parametrize("seed", range(length(12, 1000)))
def test_a_kill_at_any_instant_changes_nothing_at_the_path_and_keeps_every_fragment(seed: int, tmp_path: Path) -> None:
    dice, path = random.Random(seed), tmp_path / "clip.mp4"
    older = seed % 2 == 0
    if older:
        path.write_bytes(OLDER)
    lines = dice.randint(1, COUNT + 1)
    with subprocess.Popen([sys.executable, "-c", EXPORTER], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(lines):
            process.stdout.readline()
        for _ in range(dice.randrange(1 << dice.randrange(20))):  # somewhere between this line and the next ones
            pass
        process.kill()
        process.wait(timeout=60)
    there = set(names_in(tmp_path))
    assert there <= {"clip.mp4", JOURNAL, ".clip.mp4.telecine-new"}
    held = path.read_bytes() if path.exists() else None
    if held != (OLDER if older else None):
        assert_frames(path, noise(COUNT))
        return
    count = whole_pairs((tmp_path / JOURNAL).read_bytes()) if JOURNAL in there else 0
    if count:
        video = telecine.recover(path)
        assert video.frame_count == count
        assert count >= min(COUNT, lines - 1) - 2  # the encoder's current frame, and the muxer's last
        assert_frames(video, noise(COUNT)[:count])
    else:
        assert lines <= 4
    assert ".clip.mp4.telecine-new" not in names_in(tmp_path) or not count


@pytest.mark.skipif(not hasattr(signal, "SIGTERM") or os.name != "posix", reason="no SIGTERM here")
def test_a_service_that_is_terminated_dies_and_its_frames_are_recovered(tmp_path: Path) -> None:
    script = EXPORTER.replace('print("frame", flush=True)', 'print("frame", flush=True) or input()')
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "started\n"
        for _ in range(9):
            assert process.stdout.readline() == "frame\n"
            process.stdin.write("\n")
            process.stdin.flush()
        assert process.stdout.readline() == "frame\n"
        process.terminate()
        assert process.wait(timeout=60) == -signal.SIGTERM
    count = whole_pairs((tmp_path / JOURNAL).read_bytes())
    assert count >= 8
    assert_frames(telecine.recover(tmp_path / "clip.mp4"), noise(COUNT)[:count])


def test_ctrl_c_while_the_generator_stalls_keeps_all_its_frames(tmp_path: Path) -> None:
    script = """
import signal, sys, numpy, telecine
signal.signal(signal.SIGINT, signal.default_int_handler)
frames = numpy.random.default_rng(0).integers(0, 256, (40, 48, 64, 3), numpy.uint8)
def stalling():
    yield from frames[:7]
    print("stalls", flush=True)
    input()
telecine.export_video(stalling(), "clip.mp4")
"""
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "stalls\n"
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert "\nKeyboardInterrupt" in said
    video = telecine.recover(tmp_path / "clip.mp4")
    assert 0 < video.frame_count <= 7
    assert_frames(video, noise(COUNT)[: video.frame_count])


# Two tapped runs, whose decoder stands at a chunk: the first is interrupted there, the second killed.
TAPPED = """
import sys, telecine
from tests.support.tiny_pipelines import frames_of, tiny
for name in ("interrupted.mp4", "killed.mp4"):
    pipe, count = tiny("wan"), 0
    def stand(decoder, arguments, chunk):
        global count
        count += chunk.shape[2]
        if count == DECODED:
            while writer.frame_count < count:
                pass
            writer._job.put_box(b"")  # which comes back when all frames before it are encoded
            print("stands", flush=True)
            input()
    try:
        with telecine.VideoWriter(sys.argv[1] + "/" + name) as writer, telecine.tap(pipe, writer):
            pipe.vae.decoder.register_forward_hook(stand)
            frames_of(pipe, WHOLE)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""
DECODED, WHOLE = 57, 81
LOOKED_AT = 6  # frames that the encoder holds before it gives one: it looks five ahead


@pytest.fixture(scope="module")
def tapped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tapped run that was interrupted, and of one that was killed, amid the decoding."""
    folder = tmp_path_factory.mktemp("tapped")
    script = TAPPED.replace("DECODED", str(DECODED)).replace("WHOLE", str(WHOLE))
    with subprocess.Popen(
        [sys.executable, "-c", script, folder], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "stands\n"
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "interrupted\n"
            assert process.stdout.readline() == "stands\n"
        finally:
            process.kill()
    return folder


@pytest.mark.parametrize("how", ["interrupted", "killed"])
def test_a_tapped_run_that_ends_amid_the_decoding_keeps_the_frames_of_the_whole_one(how: str, tapped: Path) -> None:
    path = tapped / f"{how}.mp4"
    assert not path.exists()
    video = telecine.recover(path)
    least = DECODED - LOOKED_AT if how == "killed" else DECODED
    assert least <= video.frame_count <= DECODED
    pipe = tiny("wan")
    whole = telecine.export_video(frames_of(pipe, WHOLE), tapped / f"whole-{how}.mp4", layout="BTCHW")
    # The last of those that were interrupted were encoded without those that the encoder would have looked ahead at.
    pairs = zip(telecine.read_frames(video), telecine.read_frames(whole), strict=False)
    for found, frame in islice(pairs, DECODED - LOOKED_AT):
        assert np.array_equal(found, frame)
