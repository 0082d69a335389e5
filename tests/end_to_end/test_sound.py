"""Sound is never at the cost of the video: killed, on a full disk, beside metadata, alpha and limits."""

from __future__ import annotations

import errno
import json
import signal
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import telecine
from telecine import EncodeError, OptionError, PublishError, TelecineWarning, VideoWriter, export_video
from telecine.cli.commands import run
from telecine.files.checksums import Checksums

from ..support.helpers import BLANK, LIMITED, OLDER, ROOT, assert_frames, greys, names_in, noise, run_python
from ..support.journals import JOURNAL, leave_journal
from ..support.mp4 import boxes
from ..support.sounds import RATE, STEREO, heard, made, tone

# ---- never at the cost of the video ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
@pytest.mark.filterwarnings("ignore:.*does not play everywhere")
def test_of_a_writer_that_was_killed_the_sound_is_recovered_with_the_frames(name: str, tmp_path: Path) -> None:
    script = f"""
import os, signal, numpy, telecine
from tests.support.helpers import greys
writer = telecine.VideoWriter({name!r}, quality="lossless", audio_rate=48000)
frames, sound = greys(40), numpy.load("sound.npy")
for second in range(2):
    writer.write_audio(sound[second * 48000 : (second + 1) * 48000])
    writer.write(frames[second * 20 : (second + 1) * 20])
writer.write_audio(sound[96000:])
while writer.queued:
    pass
os.kill(os.getpid(), signal.SIGKILL)
"""
    np.save(tmp_path / "sound.npy", tone(2.3))
    environment = {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    video = telecine.recover(tmp_path / name)
    assert video.frame_count >= 30  # the encoder had the others
    assert_frames(video, greys(40)[: video.frame_count])
    assert np.array_equal(heard(video)[: len(tone(2.3))], tone(2.3))
    assert names_in(tmp_path) == [name, "sound.npy"]


@pytest.mark.parametrize("fit", ["pad", "trim", "loop"])
def test_what_is_recovered_is_what_the_export_would_have_given(fit: str, tmp_path: Path) -> None:
    how: dict[str, Any] = {"fps": 24, "audio_rate": 44_100, "audio_fit": fit}
    exported = export_video(greys(23), tmp_path / "exported.mp4", audio=tone(1.5, 44_100), **how)
    writer = VideoWriter(tmp_path / "clip.mp4", overwrite=False, **how)
    writer.write(greys(23))
    writer.write_audio(tone(1.5, 44_100))
    (tmp_path / "clip.mp4").write_bytes(OLDER)
    with pytest.raises(PublishError, match="23 of 23 frames are kept"):
        writer.close()
    video = telecine.recover(tmp_path / "clip.mp4", tmp_path / "recovered.mp4")
    assert telecine.probe(video).audio == telecine.probe(exported).audio
    assert np.array_equal(heard(video), heard(exported))
    assert_frames(video, greys(23))


def with_nan(journal: Path) -> None:
    """Damage each sample in a journal's boxes of sound."""
    data = bytearray(journal.read_bytes())
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"uuid":
            data[at + size - 4000 : at + size] = struct.pack("<f", float("nan")) * 1000
        at += size
    journal.write_bytes(data)


def test_sound_that_can_not_be_encoded_costs_the_recovered_video_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Checksums, "whole", lambda self, file: self.latest.end)  # as if NaN had been written
    writer = VideoWriter(tmp_path / "clip.mp4", audio_rate=RATE)
    writer.write_audio(np.zeros(200_000, np.float32))
    writer.write(greys())
    with_nan(tmp_path / JOURNAL)
    with pytest.raises(
        EncodeError, match=r"the file can't be finished: aac: .*NaN.*; 5 of 5 frames are kept: telecine re"
    ):
        writer.close()
    with pytest.warns(TelecineWarning, match="the sound can't be recovered: "):
        video = telecine.recover(tmp_path / "clip.mp4")
    assert_frames(video, greys())
    assert telecine.probe(video).audio is None
    assert names_in(tmp_path) == ["clip.mp4"]


def test_a_disk_that_is_full_for_sound_leaves_the_frames(tmp_path: Path) -> None:
    script = (
        LIMITED
        + """
import os
writer = telecine.VideoWriter("clip.mp4", audio_rate=48000)
writer.write(noise)
limit(500_000)
try:
    writer.write_audio(numpy.zeros(1_000_000, numpy.float32))
except telecine.PublishError as error:
    print(json.dumps(described(error)))
limit(resource.RLIM_INFINITY)
writer.write(noise)
writer.close()
"""
    )
    kind, number, filename, said, *_ = json.loads(run_python(script, tmp_path))
    assert (kind, number, filename) == ("PublishError", errno.EFBIG, "clip.mp4")
    assert said.startswith("'clip.mp4' can't be written: ")
    info = telecine.probe(tmp_path / "clip.mp4")
    assert info.frame_count == 10
    assert info.audio is not None
    assert names_in(tmp_path) == ["clip.mp4"]


@pytest.mark.parametrize("name", ["clip.gif", "clip.webp", "clip.apng"])
def test_moving_images_hold_no_sound(name: str, tmp_path: Path) -> None:
    kind = name.removeprefix("clip.")
    with pytest.raises(OptionError, match=f"audio does not go into {kind}: leave it out, or write a video"):
        export_video(greys(), tmp_path / name, audio=STEREO)
    with pytest.raises(OptionError, match=f"audio_rate=48000 does not go with {kind}: leave it out"):
        export_video(greys(), tmp_path / name, audio=STEREO, audio_rate=RATE)
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
@pytest.mark.filterwarnings("ignore:.*does not play everywhere")
def test_hdr_frames_keep_their_metadata_beside_sound(name: str, tmp_path: Path) -> None:
    lights = np.linspace(0, 3, 5 * 48 * 64 * 3, dtype=np.float32).reshape(5, 48, 64, 3)
    how: dict[str, Any] = {"color": "pq", "light": "display-linear"}
    silent = telecine.probe(export_video(lights, tmp_path / f"silent.{name}", **how))
    with_sound = telecine.probe(export_video(lights, tmp_path / name, audio=STEREO, audio_rate=RATE, **how))
    assert with_sound.content_light == silent.content_light is not None
    assert with_sound.mastering_display == silent.mastering_display
    assert with_sound.audio is not None


@pytest.mark.parametrize("name", ["clip.webm", "clip.mkv"])
@pytest.mark.filterwarnings("ignore:.*does not play everywhere")
def test_alpha_beside_the_pictures_stays_beside_sound(name: str, tmp_path: Path) -> None:
    frames = np.concatenate([greys(), np.full((5, 48, 64, 1), 90, np.uint8)], axis=3)
    how: dict[str, Any] = {"codec": "vp9", "pixel_format": "yuva420p"}
    silent = export_video(frames, tmp_path / f"silent.{name}", **how)
    with_sound = export_video(frames, tmp_path / name, audio=STEREO, audio_rate=RATE, **how)
    info = telecine.probe(with_sound)
    assert info.pixel_format == telecine.probe(silent).pixel_format == "yuva420p"
    assert info.frame_count == 5
    assert heard(with_sound).shape == STEREO.shape


def test_a_limit_of_bytes_counts_the_sound(tmp_path: Path) -> None:
    sound = np.random.default_rng(0).integers(-(2**15), 2**15, (48_000, 2), np.int16)
    video = export_video(noise(16), tmp_path / "clip.mp4", audio=sound, audio_rate=RATE, max_bytes=80_000)
    assert 50_000 < video.size_bytes <= 80_000
    info = telecine.probe(video)
    assert (info.frame_count, info.audio) == (16, telecine.AudioInfo("aac", RATE, 2, Fraction(1)))


def test_the_journal_of_frames_alone_is_as_it_was(tmp_path: Path) -> None:
    journal = leave_journal(tmp_path / "clip.mp4", greys(), audio_rate=RATE)
    kinds = [kind for kind, _ in boxes(journal.read_bytes())]
    assert set(kinds) == {"ftyp", "moov", "moof", "mdat", "mfra"}


# ---- on the command line ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command_takes_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = made(tmp_path / "a.wav", "pcm_s16le", tone(2, 44_100), 44_100, "stereo")
    np.save(tmp_path / "frames.npy", np.repeat(np.uint8(BLANK[None]), 16, axis=0))
    arguments = ["export", str(tmp_path / "frames.npy"), "-o", str(tmp_path / "clip.mp4"), "--audio", str(file)]
    assert run([*arguments, "--audio-fit", "trim"]) == 0
    capsys.readouterr()
    assert run(["probe", str(tmp_path / "clip.mp4")]) == 0
    assert "aac, 44100 Hz, 2 channels, 1.000 s" in capsys.readouterr().out
    assert run([*arguments, "--audio-fit", "cut"]) == 2
    assert "audio_fit='cut' is not known" in capsys.readouterr().err
