"""Every call to the disk fails in turn, the disk fills, the power is cut: the path is whole, and so is the journal."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import telecine
from telecine import PublishError

from ..support.helpers import LIMITED, OLDER, assert_frames, names_in, noise
from ..support.journals import JOURNAL, whole_pairs
from . import SOAK, length
from .shim import run_with_shim

pytestmark = pytest.mark.slow

FRAMES = 6
EXPORTER = """
import json, sys, numpy, telecine
from concurrent.futures import ThreadPoolExecutor
cases = json.loads(sys.argv[1])
frames = numpy.random.default_rng(0).integers(0, 256, (6, 48, 64, 3), numpy.uint8)
try:
    video = telecine.export_video(frames, "clip.mp4", encoder_options={"tune": "zerolatency"}, **cases)
    print(json.dumps({"frames": video.frame_count}))
except telecine.TelecineError as error:
    print(json.dumps({
        "type": type(error).__name__, "errno": getattr(error, "errno", None),
        "filename": getattr(error, "filename", None), "said": str(error)}))
"""


TRIED = {".clip.mp4.telecine-new", ".clip.mp4.telecine-trial"}  # what is left where removing it fails
CASES = [(True, errno.EIO), (False, errno.ENOSPC), (True, errno.ENOSPC), (False, errno.EIO)]


@pytest.mark.parametrize(("overwrite", "number"), CASES[: length(2, 4)])
def test_whichever_call_fails_the_path_holds_the_old_or_the_whole_new_file(
    overwrite: bool, number: int, tmp_path: Path
) -> None:
    log, published, failed = tmp_path / "log", 0, 0
    options = json.dumps({"overwrite": overwrite})
    (tmp_path / "whole").mkdir()
    done = run_with_shim(EXPORTER, tmp_path / "whole", options, log=log)
    assert json.loads(done.stdout) == {"frames": FRAMES}
    calls = [line.split("\t")[1] for line in log.read_text().splitlines()]
    assert {"open", "write", "fsync", "unlink"} <= {*calls}
    assert ("rename" if overwrite else "link") in calls
    # In the short form every other one of the writes, of which there is one or more for each frame.
    chosen = [call for call, name in enumerate(calls, start=1) if SOAK or name != "write" or call % 2]
    for call in chosen:
        folder = tmp_path / f"{call}"
        folder.mkdir()
        path = folder / "clip.mp4"
        if overwrite:
            path.write_bytes(OLDER)
        done = run_with_shim(EXPORTER, folder, options, call=call, number=number)
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        where = (call, calls[call - 1], result)
        if "frames" in result:
            published += 1
            assert_frames(path, noise(FRAMES))
        else:
            failed += 1
            assert (result["type"], result["errno"], result["filename"]) == ("PublishError", number, "clip.mp4"), where
            held = path.read_bytes() if path.exists() else None
            assert held == (OLDER if overwrite else None), where
            assert set(names_in(folder)) <= {"clip.mp4", JOURNAL, *TRIED}, where
            if "are kept" in result["said"]:
                video = telecine.recover(path)
                assert f"; {video.frame_count} of {FRAMES} frames are kept" in result["said"]
                assert_frames(video, noise(FRAMES)[: video.frame_count])
            else:
                assert JOURNAL not in names_in(folder), where
        shutil.rmtree(folder)
    assert published
    assert failed > 5


def test_killed_at_whichever_call_the_path_holds_the_old_or_the_whole_new_file(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for overwrite in (True, False) if SOAK else (False,):
        options = json.dumps({"overwrite": overwrite})
        (tmp_path / f"whole {overwrite}").mkdir()
        log.write_text("")
        run_with_shim(EXPORTER, tmp_path / f"whole {overwrite}", options, log=log)
        names = [line.split("\t")[1] for line in log.read_text().splitlines()]
        for call in range(1, len(names) + 1):
            if not SOAK and names[call - 1] == "write" and call % 8:
                continue
            folder = tmp_path / f"{call} {overwrite}"
            folder.mkdir()
            path = folder / "clip.mp4"
            if overwrite:
                path.write_bytes(OLDER)
            assert run_with_shim(EXPORTER, folder, options, call=call, number=-1).returncode == -9
            whole = path.exists() and path.read_bytes() != OLDER
            if whole:
                assert_frames(path, noise(FRAMES))
            else:
                assert path.exists() == overwrite
            journal = folder / JOURNAL
            count = whole_pairs(journal.read_bytes()) if journal.exists() else 0
            if count and not whole:
                video = telecine.recover(path)
                assert video.frame_count == count
                assert_frames(video, noise(FRAMES)[:count])
                video.path.unlink()
            done = run_with_shim(EXPORTER, folder, json.dumps({}))  # whatever is left is no hindrance
            assert json.loads(done.stdout) == {"frames": FRAMES}
            assert names_in(folder) == ["clip.mp4"]


# ---- a full disk ---------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 256 KiB: only root may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a filesystem")
    if subprocess.run(command, capture_output=True, timeout=60, check=False).returncode:
        pytest.skip("no filesystem can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, timeout=60)


def test_a_disk_filled_to_the_byte_is_an_error_and_its_frames_are_kept(small_disk: Path, tmp_path: Path) -> None:
    path, rest = small_disk / "clip.mp4", small_disk / "rest"
    for free in (0, 1, 2, 4, 8, 16, 24, 32):  # pages
        path.write_bytes(OLDER)
        with open(rest, "wb", buffering=0) as file:
            with contextlib.suppress(OSError):
                while file.write(bytes(4096)):
                    pass
            file.truncate(file.tell() // 4096 * 4096 - free * 4096)
        with pytest.raises(PublishError, match="No space left on device") as failed:
            telecine.export_video(itertools.islice(itertools.cycle(noise()), 500), path)
        assert (failed.value.errno, failed.value.filename) == (errno.ENOSPC, str(path))
        assert path.read_bytes() == OLDER
        if "are kept" in str(failed.value):
            with pytest.raises(PublishError, match="No space left on device"):
                telecine.recover(path)
            video = telecine.recover(path, tmp_path / f"{free}.mp4") if JOURNAL in names_in(small_disk) else None
            assert video is not None
            assert f"; {video.frame_count} of " in str(failed.value)
        assert names_in(small_disk) == ["clip.mp4", "rest"]
        rest.unlink()


def test_a_limit_on_the_size_of_files_never_costs_the_path_nor_a_frame_that_is_kept(tmp_path: Path) -> None:
    script = (
        LIMITED
        + """
for size in map(int, sys.argv[1:]):
    limit(size)
    try:
        telecine.export_video(noise, f"{size}.mp4")
    except telecine.PublishError as error:
        print(json.dumps([size, error.errno, str(error)]))
"""
    )
    size = telecine.export_video(noise(), tmp_path / "whole.mp4").size_bytes
    step = length(size // 40, 7)
    done = run_with_shim(script, tmp_path, *range(0, size, step))
    failed = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each for each, _, _ in failed] == [*range(0, size, step)]
    assert {number for _, number, _ in failed} == {errno.EFBIG}
    for each, _, said in failed:
        if "are kept" in said:
            video = telecine.recover(tmp_path / f"{each}.mp4")
            assert f"; {video.frame_count} of 5 " in said
            assert_frames(video, noise()[: video.frame_count])
            video.path.unlink()
    assert names_in(tmp_path) == ["whole.mp4"]


# ---- power cuts ----------------------------------------------------------------------------------------------------

SLOW_EXPORTER = """
import sys, numpy, telecine
from telecine.publish import journal
journal._SECONDS_AT_RISK = 0.02  # so that a short export syncs often
frames = numpy.random.default_rng(0).integers(0, 256, (40, 80, 96, 3), numpy.uint8)
def failing():
    for frame in frames:
        yield frame
        while writer.queued:
            pass
    raise RuntimeError
writer = telecine.VideoWriter("clip.mp4", encoder_options={"tune": "zerolatency"})
try:
    with writer:
        writer.write(failing())
except RuntimeError:
    pass
"""
PAGE = 4096


def test_after_a_power_cut_every_synced_frame_is_recovered(tmp_path: Path) -> None:
    folder, log = tmp_path / "folder", tmp_path / "log"
    folder.mkdir()
    done = run_with_shim(SLOW_EXPORTER, folder, log=log)
    assert done.returncode == 0, done.stderr
    data, path = (folder / JOURNAL).read_bytes(), folder / "clip.mp4"
    events: list[tuple[str, int, int]] = []
    for line in log.read_text().splitlines():
        _, name, where, offset, size = line.split("\t")
        if where.endswith("telecine-journal"):
            events.append((name, int(offset), int(size)))
    syncs = [index for index, (name, _, _) in enumerate(events) if name == "fsync"]
    assert len(syncs) >= 2
    assert whole_pairs(data) == 40
    whole = telecine.recover(path, tmp_path / "whole.mp4")
    for seed in range(length(60, 5000)):
        dice = random.Random(seed)
        cut = dice.randrange(syncs[0] + 1, len(events) + 1)
        last_sync = max(index for index in syncs if index < cut)
        synced = max(at + size for name, at, size in events[:last_sync] if name == "write")
        written = max(at + size for name, at, size in events[:cut] if name == "write")
        disk = bytearray(data[:written])
        for page in range(synced // PAGE, written // PAGE + 1):
            if dice.random() < 0.5:  # the rest of the page that was synced in part is as it was then
                start, end = max(synced, page * PAGE), min(written, (page + 1) * PAGE)
                disk[start:end] = bytes(max(0, end - start))
        if dice.random() < 0.3:  # the length in the inode may be older than the data
            del disk[dice.randint(synced, written) :]
        (folder / JOURNAL).write_bytes(disk)
        least = whole_pairs(data[:synced])
        if least == 0:
            continue
        video = telecine.recover(path)
        assert least <= video.frame_count <= whole_pairs(data[:written])
        if seed < 10:
            assert_frames(video, noise(40, 96, 80)[: video.frame_count])
        path.unlink()
    assert whole.frame_count == 40
