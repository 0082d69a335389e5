"""A file under a limit of bytes: as good as the limit allows, never better than asked, and never lost."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest

import telecine
from telecine import EncodeError, OptionError, PublishError, TelecineError, VideoWriter, export_video
from telecine.output.thread import EncodingThread
from telecine.publish.publication import Publication
from telecine.rates import passes as limits
from telecine.rates.size import parse_bytes

from ..support.helpers import (
    OLDER,
    Asked,
    Clip,
    assert_frames,
    assert_kept,
    assert_untouched,
    greys,
    names_in,
    run_python,
)
from ..support.journals import packets_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning"),
]

FILES = [("mp4", "h264"), ("mkv", "h264"), ("mp4", "hevc"), ("mov", "hevc"), ("mp4", "av1"), ("webm", "vp9")]
FAST: dict[str, Any] = {"fps": 24, "preset": "veryfast"}


def textured(count: int = 48, height: int = 96, width: int = 128) -> Clip:
    """A moving texture with some grain, of which every codec keeps less the fewer the bits are."""
    random = np.random.default_rng(0)
    down, right = np.mgrid[: height + 2 * count, : width + 3 * count]
    waves = np.sin(down / 5) * np.cos(right / 7) + np.sin((down + 2 * right) / 11)
    plane = 128 + 40 * waves + random.normal(0, 12, waves.shape)
    frames = [plane[2 * i : 2 * i + height, 3 * i : 3 * i + width] for i in range(count)]
    grain = random.normal(0, 3, (count, height, width))
    gray = np.clip(np.stack(frames) + grain, 0, 255).round().astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=3)


CLIP = textured()


def limited(folder: Path, container: str, codec: Any, limit: int | None, **options: Any) -> telecine.Video:
    return export_video(CLIP, folder / f"clip.{container}", codec=codec, max_bytes=limit, **{**FAST, **options})


def said_of(video: telecine.Video) -> str:
    """What the video's notes say of the rate that it was encoded at again."""
    (note,) = (note for note in video.notes if "max_bytes" in note)
    found = re.fullmatch(r"at the quality asked for it takes \d+ bytes: encoded again at (.*), for max_bytes", note)
    assert found
    return found[1]


def psnr(video: telecine.Video) -> float:
    return telecine.verify(video, CLIP).psnr


# ---- within the limit, and near it ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("container", "codec"), FILES)
def test_the_file_is_within_the_limit_and_uses_it(tmp_path: Path, container: str, codec: str) -> None:
    whole = limited(tmp_path, container, codec, None)
    closeness = [psnr(whole)]
    for part in (0.9, 0.5, 0.2):
        limit = int(part * whole.size_bytes)
        video = limited(tmp_path, container, codec, limit)
        assert 0.85 * limit <= video.size_bytes <= limit
        assert video.path.stat().st_size == video.size_bytes
        assert said_of(video).endswith(" kb/s") == (codec in ("h264", "hevc"))
        info = telecine.probe(video)
        assert (info.codec, info.frame_count, info.index_in_front) == (codec, 48, True)
        assert (info.fps, info.constant_rate, info.color.matrix_name) == (Fraction(24), True, "smpte170m")
        closeness.append(psnr(video))
    assert closeness == sorted(closeness, reverse=True)
    assert names_in(tmp_path) == [f"clip.{container}"]


@pytest.mark.parametrize(("container", "codec"), FILES)
def test_a_file_that_is_within_the_limit_is_the_one_without(tmp_path: Path, container: str, codec: str) -> None:
    options = {"encoder_options": {"mbtree": 0}} if codec == "h264" else {}  # with which x264 repeats itself
    packets = packets_of(limited(tmp_path, container, codec, None, **options))
    video = limited(tmp_path, container, codec, 10_000_000, **options)
    assert packets_of(video) == packets
    assert not [note for note in video.notes if "max_bytes" in note]


@pytest.mark.parametrize(("codec", "chroma", "depth"), [("vp9", "4:2:0", 8), ("vp9", "4:4:4", 8), ("av1", "4:2:0", 10)])
def test_the_last_pass_is_an_export_at_its_crf(tmp_path: Path, codec: str, chroma: str, depth: int) -> None:
    layout: dict[str, Any] = {"chroma": chroma, "bit_depth": depth}
    whole = limited(tmp_path, "webm", codec, None, **layout)
    fitted = limited(tmp_path, "webm", codec, whole.size_bytes // 3, **layout)
    crf = float(said_of(fitted).removeprefix("crf "))
    packets = packets_of(fitted)
    assert packets == packets_of(limited(tmp_path, "webm", codec, None, crf=crf, **layout))


@pytest.mark.parametrize(
    ("codec", "layout"), [("h264", {"bit_depth": 10}), ("hevc", {"bit_depth": 12, "chroma": "4:4:4"})]
)
def test_every_frame_of_a_deep_format_is_there_in_order(tmp_path: Path, codec: Any, layout: dict[str, Any]) -> None:
    frames = greys(30, 128, 96)
    path = tmp_path / "clip.mp4"
    whole = export_video(frames, path, codec=codec, crf=4, **layout)
    video = export_video(frames, path, codec=codec, crf=4, max_bytes=int(0.8 * whole.size_bytes), **layout)
    assert video.size_bytes <= 0.8 * whole.size_bytes
    assert f"p{layout['bit_depth']}le" in telecine.probe(video).pixel_format
    assert_frames(video, frames)


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_frames_keep_their_times(tmp_path: Path, codec: str) -> None:
    times = [Fraction(index * index, 1000) for index in range(48)]
    video = limited(tmp_path, "mp4", codec, 30_000, timestamps=times, hold=2)
    assert video.size_bytes <= 30_000
    assert telecine.read_timestamps(video) == times
    assert video.duration == times[-1] + 2
    repeated = limited(tmp_path, "mp4", codec, 30_000, repeat=5)
    assert (repeated.frame_count, repeated.size_bytes <= 30_000) == (53, True)


@pytest.mark.parametrize("codec", ["hevc", "av1"])
def test_hdr_is_told_of_the_same_light_in_a_smaller_file(tmp_path: Path, codec: str) -> None:
    light: dict[str, Any] = {"color": "pq", "light": "display-linear", "codec": codec, "preset": "veryfast"}
    frames, path = np.float32(CLIP) / 255 * 3, tmp_path / "clip.mp4"
    whole = telecine.probe(export_video(frames, path, **light))
    limit = whole.size_bytes // 2
    fitted = telecine.probe(export_video(frames, path, max_bytes=limit, **light))
    assert fitted.size_bytes <= limit
    assert fitted.color == whole.color
    assert fitted.pixel_format == whole.pixel_format == "yuv420p10le"
    assert fitted.content_light == whole.content_light is not None


@pytest.mark.parametrize("asked", [{"crf": 27}, {"quality": "draft"}], ids=str)
@pytest.mark.parametrize(("container", "codec"), [("mp4", "h264"), ("mp4", "av1"), ("webm", "vp9")])
def test_what_is_asked_for_is_the_most_that_is_spent(
    tmp_path: Path, container: str, codec: str, asked: dict[str, Any]
) -> None:
    without = limited(tmp_path, container, codec, None, **asked)
    enough = limited(tmp_path, container, codec, 2 * without.size_bytes, **asked)
    assert abs(enough.size_bytes / without.size_bytes - 1) < 0.02  # x264's mbtree is not alike each time
    less = limited(tmp_path, container, codec, int(0.7 * without.size_bytes), **asked)
    assert less.size_bytes <= 0.7 * without.size_bytes


# ---- what can't be ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("container", "codec"), FILES)
def test_a_limit_that_can_not_be_met_is_an_error_and_the_frames_are_kept(
    tmp_path: Path, container: str, codec: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "folder" / f"clip.{container}"
    path.parent.mkdir()
    path.write_bytes(OLDER)
    with pytest.raises(
        EncodeError,
        match=r"max_bytes=1200 can't be met: .*the smallest file made of these frames has \d{4} bytes: allow more",
    ) as failed:
        limited(path.parent, container, codec, 1200)
    assert "\n" not in str(failed.value)
    assert capfd.readouterr() == ("", "")
    if container == "mp4":
        assert telecine.probe(assert_kept(path, failed.value)).frame_count == 48
    else:
        path.unlink()
        assert telecine.recover(path).frame_count == 48


REFUSED: list[tuple[dict[str, Any], str]] = [
    *(({"max_bytes": value}, "use an int from 1000, such as 10_000_000") for value in (0, 999, -1, 5e6, "10MB", True)),
    ({"quality": "lossless"}, "libx264rgb here, which has no rate to lower: leave it out"),
    ({"codec": "ffv1", "format": "mkv"}, "ffv1 here, which has no rate to lower"),
    ({"codec": "prores", "format": "mov"}, "prores_ks here, which has no rate to lower"),
    ({"crf": 0}, "max_bytes=5000 and crf=0, which is lossless, contradict: give one"),
    ({"bitrate": 100_000}, "max_bytes=5000 sets the bitrate itself, below what a crf takes: leave bitrates and"),
    ({"encoder_options": {"qp": 20}}, "sets the bitrate itself, below what a crf takes: leave bitrates and quantisers"),
    ({"encoder_options": {"x264-params": "qp=20"}}, "sets the bitrate itself"),
    ({"codec": "av1", "encoder_options": {"b": "1M"}}, "sets the bitrate itself"),
]


@pytest.mark.parametrize(("options", "said"), REFUSED, ids=lambda row: str(row)[:60])
def test_a_limit_that_contradicts_is_refused_before_the_first_frame(
    options: dict[str, Any], said: str, path: Path
) -> None:
    frames = Asked(greys())
    with pytest.raises(OptionError, match=re.escape(said)) as refused:
        export_video(frames, path, **({"max_bytes": 5000} | options))
    assert "max_bytes=" in str(refused.value)
    assert frames.count == 0
    assert_untouched(path)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1000", 1000),
        ("10MB", 10_000_000),
        ("10 mb", 10_000_000),
        ("9.5MiB", 9_961_472),
        ("8M", 8_000_000),
        ("1.5kB", 1500),
        ("2 KiB", 2048),
        ("1GB", 10**9),
        ("1GiB", 2**30),
        ("7B", 7),
    ],
)
def test_bytes_are_read_with_their_unit(text: str, count: int) -> None:
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["", "MB", "-5MB", "10 Mbit", "ten", "1e6", "1.MB", "10MBB"])
def test_what_is_no_number_of_bytes_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match=r"is no number of bytes: use one such as 10MB, 9\.5MiB or 8000000"):
        parse_bytes(text)


# ---- whatever happens in a later pass ------------------------------------------------------------------------------


@pytest.fixture
def whole(tmp_path: Path) -> int:
    """How many bytes the clip takes without a limit."""
    (tmp_path / "whole").mkdir()
    return limited(tmp_path / "whole", "mp4", "h264", None).size_bytes


def at_frame(monkeypatch: pytest.MonkeyPatch, index: int, act: Any) -> None:
    """Do something when a later pass has taken so many frames."""
    given = limits.Passes.frames

    def acting(self: limits.Passes) -> Iterator[Any]:
        for number, frame in enumerate(given(self)):
            if number == index:
                act()
            yield frame

    monkeypatch.setattr(limits.Passes, "frames", acting)


KILLED = """
import os, signal, sys, numpy, telecine
from telecine.rates import passes as limits
frames = limits.Passes.frames
def killing(self):
    for number, frame in enumerate(frames(self)):
        if number == int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)
        yield frame
limits.Passes.frames = killing
telecine.export_video(numpy.load("../clip.npy"), "clip.mp4", max_bytes=int(sys.argv[2]), fps=24, preset="veryfast")
"""


@pytest.mark.parametrize("index", [0, 30])
def test_a_kill_in_the_second_pass_leaves_every_frame_of_the_first(path: Path, whole: int, index: int) -> None:
    np.save(path.parent.parent / "clip.npy", CLIP)
    command = [sys.executable, "-c", KILLED, str(index), str(whole // 2)]
    environment = {**os.environ, "TMPDIR": str(path.parent.parent)}  # where it leaves x264's statistics
    done = subprocess.run(command, cwd=path.parent, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr
    kept = telecine.probe(assert_kept(path))
    assert kept.frame_count == 48
    assert kept.size_bytes > whole // 2


def test_ctrl_c_in_the_second_pass_leaves_every_frame_of_the_first(
    path: Path, whole: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, is_told = EncodingThread._stop, threading.Event()

    def telling(*arguments: Any, **options: Any) -> Any:
        fate = stop(*arguments, **options)
        is_told.set()
        return fate

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert is_told.wait(timeout=60)

    monkeypatch.setattr(EncodingThread, "_stop", telling)
    at_frame(monkeypatch, 20, interrupt)
    monkeypatch.setattr(tempfile, "tempdir", str(path.parent.parent))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt) as stopped:
            limited(path.parent, "mp4", "h264", whole // 2)
    finally:
        signal.signal(signal.SIGINT, before)
    assert telecine.probe(assert_kept(path, stopped.value)).frame_count == 48
    assert not list(path.parent.parent.glob("telecine-*"))


def test_aborting_in_another_thread_ends_the_second_pass(
    path: Path, whole: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = VideoWriter(path, max_bytes=whole // 2, **FAST)

    def abort() -> None:  # which waits until this thread has ended
        threading.Thread(target=writer.abort).start()
        while not writer._job._thread._is_told():
            pass

    at_frame(monkeypatch, 20, abort)
    writer.write(CLIP)
    with pytest.raises(TelecineError, match=r"clip\.mp4' was aborted"):
        writer.close()
    assert_untouched(path)


def test_a_disk_that_is_full_in_the_second_pass_leaves_every_frame_of_the_first(
    path: Path, whole: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = list[BinaryIO]()
    scratch_file = Publication.scratch_file

    def full(self: Publication) -> BinaryIO:
        opened.append(scratch_file(self))
        return open("/dev/full", "r+b", buffering=0) if len(opened) > 1 else opened[0]  # the first is the copy's

    monkeypatch.setattr(Publication, "scratch_file", full)
    with pytest.raises(PublishError, match="can't be written: No space left on device") as failed:
        limited(path.parent, "mp4", "h264", whole // 2)
    assert failed.value.errno == errno.ENOSPC
    assert telecine.probe(assert_kept(path, failed.value)).frame_count == 48


def test_without_a_folder_for_temporary_files_it_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(path.parent / "missing"))
    with pytest.raises(PublishError, match="no folder for temporary files can be made: No such file") as failed:
        limited(path.parent, "mp4", "h264", 5000)
    assert failed.value.errno == errno.ENOENT
    assert_untouched(path)


@pytest.mark.parametrize("option", [{"max_bytes": 5000}, {"encoder": "libx264"}], ids=str)
def test_images_have_neither_a_limit_nor_an_encoder(option: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=f"{next(iter(option))}=.* does not go with gif: leave it out"):
        export_video(greys(), tmp_path / "clip.gif", **option)


@pytest.mark.parametrize("name", ["two words", "a:b", "it's", "x=1", "back\\slash"])
def test_the_folder_for_temporary_files_may_have_any_name_and_is_left_empty(
    path: Path, whole: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = path.parent.parent / name
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    for codec in ("h264", "hevc"):
        assert limited(path.parent, "mp4", codec, whole // 3).size_bytes <= whole // 3
    assert os.listdir(folder) == []


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="no /proc here")
def test_memory_does_not_grow_with_the_number_of_frames(tmp_path: Path) -> None:
    said = run_python(
        """
import itertools, numpy, telecine
noise = numpy.random.default_rng(0).integers(0, 256, (5, 120, 160, 3), numpy.uint8)
for count in (100, 1500):
    frames = itertools.islice(itertools.cycle(noise), count)
    video = telecine.export_video(frames, "clip.mp4", quality="draft", preset="ultrafast", max_bytes=4000 * count)
    assert video.frame_count == count and video.size_bytes <= 4000 * count
    assert any("max_bytes" in note for note in video.notes)
    print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
""",
        tmp_path,
        timeout=300,
    )
    few, many = map(int, said.splitlines())
    assert many - few < 16 << 10  # of KiB: the planes of the 1,400 more are 40 MB
