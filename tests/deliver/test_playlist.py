"""HLS as files: segments, and a playlist that names what is there."""

from __future__ import annotations

import io
import re
import subprocess
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import telecine
from telecine import OptionError, PublishError, VideoWriter, export_video

from ..support.helpers import Asked, assert_frames, failing_at, greys
from ..support.pipes import packets
from ..support.sounds import RATE, tone

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning"),
]

FPS = 16


def listed(playlist: Path) -> list[str]:
    """The files that a playlist names, the beginning of all first."""
    text = playlist.read_text()
    return [*re.findall('URI="([^"]+)"', text), *re.findall("(?m)^[^#].*$", text)]


def durations(playlist: Path) -> list[float]:
    return [float(each) for each in re.findall("EXTINF:([0-9.]+),", playlist.read_text())]


def joined(playlist: Path) -> bytes:
    return b"".join((playlist.parent / name).read_bytes() for name in listed(playlist))


def held(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


@pytest.mark.parametrize(("codec", "sound"), [("h264", False), ("h264", True), ("hevc", False), ("av1", True)])
def test_segments_begin_with_key_frames_and_are_the_video(codec: Any, sound: bool, tmp_path: Path) -> None:
    path = tmp_path / "live" / "clip.m3u8"
    still = np.repeat(greys(1), 8, axis=0)
    audio: dict[str, Any] = {"audio": tone(1.5), "audio_rate": RATE} if sound else {}
    video = export_video([*greys(20), *still], path, fps=FPS, fragment=0.5, codec=codec, crf=1, **audio)
    begin, *segments = listed(path)
    assert sum(durations(path)) == pytest.approx(28 / FPS, abs=1e-5)
    assert max(durations(path)) <= 0.5
    for name in segments:
        found = packets(io.BytesIO((path.parent / begin).read_bytes() + (path.parent / name).read_bytes()), "video")
        assert found[0][1]
    (tmp_path / "joined.mp4").write_bytes(joined(path))
    assert telecine.verify(tmp_path / "joined.mp4", [*greys(20), *still]).ok
    assert (telecine.probe(tmp_path / "joined.mp4").audio is not None) == sound
    assert path.read_text().endswith("#EXT-X-ENDLIST\n")
    assert (str(video), video.size_bytes, video.frame_count) == (str(path), len(joined(path)), 28)
    assert set(held(path.parent)) == {"clip.m3u8", *listed(path)}


def test_the_rest_of_the_sound_is_in_the_last_segment(tmp_path: Path) -> None:
    path = tmp_path / "clip.m3u8"
    export_video(np.repeat(greys(1), 16, axis=0), path, fps=FPS, fragment=0.5, audio=tone(2), audio_rate=RATE)
    assert durations(path) == [0.5, 0.5]
    (tmp_path / "joined.mp4").write_bytes(joined(path))
    audio = telecine.probe(tmp_path / "joined.mp4").audio
    assert audio is not None
    assert audio.duration == pytest.approx(2, abs=0.03)


def test_another_program_plays_it(tmp_path: Path) -> None:
    path = tmp_path / "a clip.m3u8"
    export_video(greys(40), path, fps=FPS, audio=tone(2), audio_rate=RATE)
    asked = ["-v", "error", "-count_frames", "-select_streams", "v", "-show_entries", "stream=nb_read_frames"]
    done = subprocess.run(["ffprobe", *asked, "-of", "csv=p=0", path], capture_output=True, check=True)
    assert b"40" in done.stdout.split()


def test_at_every_moment_all_that_it_names_is_there(tmp_path: Path) -> None:
    path, seen = tmp_path / "clip.m3u8", list[str]()
    with VideoWriter(path, fps=FPS, fragment=0.25) as writer:
        for frame in greys(64):
            writer.write(frame)
            while writer.queued:
                pass
            if path.exists():
                seen.append(path.read_text())
                assert all((tmp_path / name).exists() for name in listed(path))
    assert "ENDLIST" not in "".join(seen)
    assert len(set(seen)) > 3
    assert all(after.startswith(before) for before, after in pairwise(seen))
    assert path.read_text().startswith(seen[-1])
    assert {*re.findall("TARGETDURATION:(.*)", "\n".join(seen))} == {"1"}


def test_the_same_frames_are_the_same_files(tmp_path: Path) -> None:
    for name in ("one", "other"):
        export_video(greys(40), tmp_path / name, format="hls", fps=FPS)
    assert held(tmp_path / "one") == held(tmp_path / "other")
    assert "index.m3u8" in held(tmp_path / "one")


def test_what_is_replaced_plays_until_the_other_is_there(tmp_path: Path) -> None:
    path = tmp_path / "clip.m3u8"
    (tmp_path / "clip-00000-holiday.m4s").write_bytes(b"mine")
    export_video(greys(40), path, fps=FPS)
    older = listed(path)
    with pytest.raises(PublishError, match="exists and overwrite is False"):
        export_video(greys(20), path, fps=FPS, overwrite=False)
    with VideoWriter(path, fps=FPS) as writer:
        writer.write(greys(60))
        assert all((tmp_path / name).exists() for name in older)
    assert set(held(tmp_path)) == {"clip.m3u8", "clip-00000-holiday.m4s", *listed(path)}
    assert not set(older[1:]) & set(listed(path))


@pytest.mark.parametrize("replaced", [False, True])
def test_an_aborted_export_leaves_what_was_there(replaced: bool, tmp_path: Path) -> None:
    path = tmp_path / "clip.m3u8"
    if replaced:
        export_video(greys(40), path, fps=FPS)
    before = held(tmp_path)
    writer = VideoWriter(path, fps=FPS, fragment=0.25)
    for frame in greys(60):
        writer.write(frame)
        while writer.queued:
            pass
    assert path.read_bytes() != before.get("clip.m3u8")
    writer.abort()
    assert held(tmp_path) == before


def test_of_an_export_that_fails_the_playlist_has_no_end_and_the_frames_are_recovered(tmp_path: Path) -> None:
    path = tmp_path / "clip.m3u8"
    with pytest.raises(RuntimeError, match="the model failed"):
        export_video(failing_at(30, greys(40), RuntimeError("the model failed")), path, fps=FPS, fragment=0.5, crf=1)
    assert "ENDLIST" not in path.read_text()
    assert len(durations(path)) >= 3
    with pytest.raises(OptionError, match="is a playlist, and a recovery makes one file: name"):
        telecine.recover(path, tmp_path / "other.m3u8")
    video = telecine.recover(path)
    assert str(video) == str(tmp_path / "clip.mp4")
    assert_frames(video, greys(40)[: video.frame_count])
    assert video.frame_count == 30


def test_segments_last_as_long_as_their_frames(tmp_path: Path) -> None:
    path, times = tmp_path / "clip.m3u8", [0, 0.1, 0.2, 1.7, 2, 2.5, 7, 8]
    export_video(greys(8), path, fps=4, fragment=1, timestamps=times, hold=1.5)
    assert sum(durations(path)) == pytest.approx(9.5, abs=1e-5)
    target = int(re.findall("TARGETDURATION:(.*)", path.read_text())[0])
    assert round(max(durations(path))) <= target
    assert [time for time, _, _ in packets(io.BytesIO(joined(path)), "video")] == [
        Fraction(str(each)) for each in times
    ]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "prores": ({"codec": "prores"}, "codec='prores' does not go into mp4"),
    "lossless": ({"quality": "lossless"}, "hls does not go with h264 in rgb24, which no player streams"),
    "limit": ({"max_bytes": 100000}, "hls does not go with max_bytes=, since what was handed out can't be"),
    "latency": ({"latency": "low"}, "latency='low' does not go with hls, whose segments begin with key frames"),
    "fragment": ({"fragment": 0}, "fragment=0 is no length: give seconds"),
    "alpha": ({"pixel_format": "yuva420p"}, "pixel_format='yuva420p' does not go with h264"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_no_player_streams_is_refused_before_the_first_frame(case: str, tmp_path: Path) -> None:
    options, said = WRONG[case]
    with pytest.raises(OptionError, match=said):
        VideoWriter(tmp_path / "clip.m3u8", **options)
    with pytest.raises(OptionError, match="format='hls' is a folder of files, and '<BytesIO>' takes one file"):
        VideoWriter(io.BytesIO(), format="hls")
    assert held(tmp_path) == {}


def test_a_full_folder_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "clip.m3u8").mkdir()
    with pytest.raises(PublishError, match="is a folder: name a file in it"):
        export_video(greys(), tmp_path / "clip.m3u8")


def test_a_notebook_is_told_where_it_is(tmp_path: Path) -> None:
    video = export_video(greys(), tmp_path / "clip.m3u8")
    assert re.search("clip.m3u8.* is a playlist: serve its folder", video._repr_html_())


def test_what_must_not_be_replaced_is_refused_and_a_new_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "clip.m3u8"
    video = export_video(greys(8), path, overwrite=False)
    assert video.frame_count == 8
    before, frames = {each: each.read_bytes() for each in tmp_path.iterdir()}, Asked(greys(8))
    with pytest.raises(PublishError, match=r"(?m)clip.m3u8' exists and overwrite is False$"):
        export_video(frames, path, overwrite=False)
    assert frames.count == 0
    assert {each: each.read_bytes() for each in tmp_path.iterdir()} == before
