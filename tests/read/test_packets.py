"""An MP4 is probed by its index, with what reading all of it gives; anything odd is read whole."""

from __future__ import annotations

import io
import shlex
import shutil
import struct
import subprocess
import warnings
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import telecine
from telecine import InputError, VideoInfo, export_video, probe, read_timestamps
from telecine.read.frames import read_timestamps_whole
from telecine.read.probe import probe_whole

from ..support import mp4
from ..support.helpers import noise
from ..support.large import large_video

FRAMES = noise(24, 320, 240)  # large enough that a first frame is a small part
TIMES = [Fraction(index, 10) + (index > 3) + Fraction(index % 3, 50) for index in range(24)]
SOUND = np.zeros((8000, 1), np.float32)
MEGABYTE = 1_000_000


class Counted(io.FileIO):
    """An open file that counts how many bytes are read of it, and how many of its own are among them."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.count, self._seen = 0, np.zeros(path.stat().st_size, np.bool_)

    def read(self, size: int | None = -1, /) -> Any:
        at, data = self.tell(), super().read(size)
        self.count += len(data or b"")
        self._seen[at : self.tell()] = True
        return data

    @property
    def share(self) -> float:
        return float(self._seen.mean())


def bytes_read(read: Callable[[Any], object], path: Path) -> int:
    with Counted(path) as file:
        read(file)
        return file.count


def share_read(read: Callable[[Any], object], path: Path) -> float:
    with Counted(path) as file:
        read(file)
        return file.share


def outcome(read: Callable[[Any], Any], data: bytes) -> Any:
    try:
        return read(io.BytesIO(data))
    except InputError:
        return InputError


def probe_without_index(file: io.BytesIO) -> VideoInfo:
    """As `probe` does where an index is not to be trusted."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("telecine.read.probe.packets_by_index", lambda *given: [])
        return probe(file)


def assert_same(data: bytes) -> None:
    """What the index alone tells is what reading all packets tells."""
    assert outcome(probe, data) == outcome(probe_without_index, data)
    assert outcome(read_timestamps, data) == outcome(read_timestamps_whole, data)


def is_read_by_index(path: Path) -> bool:
    found = {share_read(read, path) < 0.9 for read in (probe, read_timestamps)}
    assert len(found) == 1
    return found == {True}


# ---- how much is read ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("movflags", ["+faststart", "+use_metadata_tags"], ids=["front", "end"])
def test_of_100_megabytes_less_than_one_is_read(movflags: str, tmp_path: Path) -> None:
    path = large_video(tmp_path / "clip.mp4", 100 * MEGABYTE, movflags)
    info = probe(path)
    assert path.stat().st_size > 100 * MEGABYTE
    assert info == probe_whole(path)
    assert info.frame_count == len(mp4.shown_times(path.read_bytes())[0]) > 400
    assert info.index_in_front == (movflags == "+faststart")
    assert bytes_read(probe, path) < MEGABYTE
    assert bytes_read(read_timestamps, path) < MEGABYTE
    assert read_timestamps(path) == read_timestamps_whole(path)
    path.unlink()


def test_what_is_only_now_written_is_read_to_its_last_byte(tmp_path: Path) -> None:
    path = Path(export_video(FRAMES, tmp_path / "clip.mp4"))
    assert share_read(probe_whole, path) == share_read(read_timestamps_whole, path) == 1


def test_the_times_are_those_of_the_tables(tmp_path: Path) -> None:
    path = Path(export_video(FRAMES, tmp_path / "clip.mp4", timestamps=TIMES))
    assert is_read_by_index(path)
    times, duration = mp4.shown_times(path.read_bytes())
    assert read_timestamps(path) == sorted(times) == [time - TIMES[0] for time in TIMES]
    assert (probe(path).frame_count, probe(path).duration) == (24, duration)


# ---- the kinds of files ----------------------------------------------------------------------------------------------


OURS: dict[str, dict[str, Any]] = {
    "h264.mp4": {},
    "uneven.mp4": {"timestamps": TIMES},
    "uneven.mov": {"timestamps": TIMES},
    "sound.mp4": {"audio": SOUND, "audio_rate": 8000},
    "hevc.mp4": {"codec": "hevc"},
    "av1.mp4": {"codec": "av1"},
    "prores.mov": {"codec": "prores"},
}


@pytest.mark.parametrize("name", OURS)
def test_our_files_are_read_by_their_index(name: str, tmp_path: Path) -> None:
    with warnings.catch_warnings(action="ignore", category=telecine.TelecineWarning):
        path = Path(export_video(FRAMES, tmp_path / name, **OURS[name]))
    assert_same(path.read_bytes())
    assert is_read_by_index(path)


TESTS = "-f lavfi -i testsrc2=s=192x144:r=25:d=1,noise=alls=90:allf=t"
SINE = "-f lavfi -i sine=d=1.3"
UNEVEN = """-vf "setpts='if(lt(N,10),N,N*2+random(0)*0.9)/25/TB'" -vsync vfr"""
BY_INDEX = {
    "b-frames.mp4": f"{TESTS} -c:v libx264",
    "no-b-frames.mov": f"{TESTS} -c:v libx264 -bf 0",
    "open-gop.mp4": f"{TESTS} -c:v libx264 -x264-params open-gop=1:keyint=10",
    "interlaced.mp4": f"{TESTS} -c:v libx264 -flags +ilme+ildct -x264-params tff=1",
    "negative.mp4": f"{TESTS} -c:v libx264 -movflags negative_cts_offsets",
    "uneven.mp4": f"{TESTS} {UNEVEN} -c:v libx264",
    "sound.mp4": f"{TESTS} {SINE} -c:v libx264 -c:a aac -movflags +faststart",
    "samples.mov": f"{TESTS} {SINE} -c:v mpeg4 -c:a pcm_s16le",
    "jpeg.mov": f"{TESTS} {SINE} -c:v mjpeg -c:a ac3",
    "time-code.mov": f"{TESTS} -c:v libx264 -timecode 01:00:00:00",
    "turned.mp4": f"{TESTS} -c:v libx264 -metadata:s:v rotate=90",
    "two.mp4": f"{TESTS} -f lavfi -i testsrc=s=32x32:d=1 -map 0 -map 1 -c:v libx264",
    "vp9.mp4": f"{TESTS} -c:v libvpx-vp9 -cpu-used 8 -deadline realtime",
}
WHOLE = {
    "fragments.mp4": f"{TESTS} -c:v libx264 -g 5 -movflags frag_keyframe+empty_moov",
    "indexed-fragments.mp4": f"{TESTS} -c:v libx264 -g 5 -movflags dash+global_sidx+frag_keyframe",
    "mpeg1.mp4": f"{TESTS} -c:v mpeg1video -bf 0",
    "b-frames-of-mpeg4.mp4": f"{TESTS} -c:v mpeg4 -bf 2",
    "other.mkv": f"{TESTS} {SINE} -c:v libx264 -c:a aac",
}


def by_ffmpeg(options: str, path: Path) -> Path:
    if shutil.which("ffmpeg") is None:
        pytest.skip("there is no ffmpeg")
    subprocess.run(["ffmpeg", "-v", "error", *shlex.split(options), str(path)], check=True)
    return path


@pytest.mark.parametrize("name", BY_INDEX | WHOLE)
def test_files_of_others_are_as_when_they_are_read_whole(name: str, tmp_path: Path) -> None:
    path = by_ffmpeg((BY_INDEX | WHOLE)[name], tmp_path / name)
    assert_same(path.read_bytes())
    assert is_read_by_index(path) == (name in BY_INDEX)


@pytest.mark.parametrize("options", ["-ss 0.4 -i {} -c copy", "-itsoffset 0.7 -i {} -i {} -map 0:v -map 1:a -c copy"])
def test_an_edit_list_moves_times_as_when_all_is_read(options: str, tmp_path: Path) -> None:
    sound = by_ffmpeg(BY_INDEX["sound.mp4"], tmp_path / "sound.mp4")
    edited = by_ffmpeg(options.replace("{}", str(sound)), tmp_path / "edited.mp4")
    assert b"elst" in edited.read_bytes()
    assert_same(edited.read_bytes())


# ---- what is not as it should be -------------------------------------------------------------------------------------


def test_a_file_that_is_cut_off_is_read_to_where_it_ends(tmp_path: Path) -> None:
    data = Path(export_video(FRAMES, tmp_path / "clip.mp4")).read_bytes()
    half = data[: len(data) // 2]
    assert_same(half)
    assert 0 < probe(io.BytesIO(half)).frame_count < 24


def test_a_sample_beyond_the_file_is_no_frame(tmp_path: Path) -> None:
    path = Path(export_video(FRAMES, tmp_path / "clip.mp4"))
    data = bytearray(path.read_bytes())
    sizes = data.index(b"stsz") + 16  # after version, flags, the size of all and how many (ISO/IEC 14496-12 8.7.3.2)
    struct.pack_into(">I", data, sizes + 4 * 23, len(data))
    path.write_bytes(data)
    assert not is_read_by_index(path)
    assert_same(bytes(data))
    assert probe(path).frame_count == 23


def test_a_word_of_fragments_in_the_index_is_no_reason_to_trust_it(tmp_path: Path) -> None:
    path = Path(export_video(FRAMES, tmp_path / "clip.mp4", metadata={"title": "a moof"}))
    assert not is_read_by_index(path)
    assert probe(path).frame_count == 24


def test_times_that_ffmpeg_amends_are_amended(tmp_path: Path) -> None:
    with warnings.catch_warnings(action="ignore", category=telecine.TelecineWarning):
        path = Path(export_video(FRAMES, tmp_path / "clip.mov", codec="prores"))
    data = bytearray(path.read_bytes())
    struct.pack_into(">I", data, data.index(b"stts") + 12, 0)  # the run of all samples is of none
    path.write_bytes(data)
    assert not is_read_by_index(path)
    assert_same(bytes(data))


def test_a_damaged_index_gives_what_reading_all_gives(tmp_path: Path) -> None:
    kinds: dict[str, dict[str, Any]] = {"a.mp4": {}, "b.mov": {"timestamps": TIMES[:12]}, "c.mp4": OURS["sound.mp4"]}
    small = FRAMES[:12, :48, :64]
    wholes = [Path(export_video(small, tmp_path / name, **kinds[name])).read_bytes() for name in kinds]
    tables = b"stts ctts elst stsz stsc stco stss mdhd".split()
    random, found = np.random.default_rng(0), set()
    for turn in range(120):
        damaged = bytearray(wholes[turn % 3])
        end = damaged.index(b"mdat")
        for at in (damaged.index(tables[turn % 8]) + random.integers(0, 40), random.integers(0, end)):
            damaged[at] = random.choice([0, 1, 2, 255, int(random.integers(256))])
        assert_same(bytes(damaged))
        found.add(type(outcome(probe, bytes(damaged))))
    assert found == {VideoInfo, type}
