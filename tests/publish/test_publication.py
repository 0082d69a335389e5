"""The path changes in one step or not at all, once all is on the disk, and only where it may."""

from __future__ import annotations

import errno
import itertools
import json
import os
import re
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import telecine
from telecine import PublishError, VideoWriter, export_video
from telecine.publish.open_folder import Folder
from telecine.publish.publication import Publication

from ..support.helpers import (
    LIMITED,
    OLDER,
    Asked,
    Clip,
    assert_frames,
    assert_kept,
    assert_one_line,
    assert_untouched,
    greys,
    names_in,
    noise,
    run_python,
)
from ..support.journals import JOURNAL

# ---- in one step ---------------------------------------------------------------------------------------------------


def test_until_it_is_closed_the_path_holds_what_it_held(path: Path) -> None:
    with VideoWriter(path) as writer:
        for frame in noise(50):
            writer.write(frame)
            assert path.read_bytes() == OLDER
    assert telecine.probe(path).frame_count == 50


def test_the_first_frame_is_asked_for_when_the_hidden_file_is_there(path: Path) -> None:
    def frames() -> Iterator[Clip]:
        assert len(list(path.parent.iterdir())) == 2
        assert path.read_bytes() == OLDER
        yield from greys()

    assert export_video(frames(), path).frame_count == 5
    assert list(path.parent.iterdir()) == [path]


def test_what_is_left_of_a_file_that_was_published_is_not_written_into(path: Path) -> None:
    """As after a kill between the two steps, link and unlink, of a publication without overwriting."""
    os.link(path, path.with_name(".clip.mp4.telecine-new"))
    writer = VideoWriter(path)
    writer.write(greys())
    publication = writer._job._thread._publication
    assert isinstance(publication, Publication)
    publication.open_finished()
    assert path.read_bytes() == OLDER
    writer.abort()
    assert_untouched(path)


def test_what_replaces_a_private_file_is_private_while_it_is_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.chmod(0o600)
    seen: list[dict[str, int]] = []
    sync = os.fsync

    def watched(descriptor: int) -> None:
        seen.append({each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()})
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    export_video(greys(), path)
    assert seen[0] == dict.fromkeys(["clip.mp4", ".clip.mp4.telecine-journal", ".clip.mp4.telecine-new"], 0o600)


def test_the_file_and_then_its_folder_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[bool, bool]] = []
    path, sync = tmp_path / "clip.mp4", os.fsync

    def watched(descriptor: int) -> None:
        synced.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), path.exists()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    export_video(greys(), path)
    assert synced == [(False, False), (True, True)]


def test_a_folder_that_can_not_be_synced_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sync = os.fsync

    def refuse_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    assert export_video(greys(), tmp_path / "clip.mp4").frame_count == 5


# ---- without overwriting -------------------------------------------------------------------------------------------


def test_a_file_that_may_not_be_replaced_is_refused_before_the_first_frame(path: Path) -> None:
    frames = Asked(greys())
    with pytest.raises(PublishError, match=f"{re.escape(repr(str(path)))} exists and overwrite is False") as refused:
        export_video(frames, path, overwrite=False)
    assert (refused.value.errno, refused.value.filename) == (errno.EEXIST, str(path))
    assert frames.count == 0
    assert_untouched(path)


def refuse_links(*_: object, **__: object) -> None:
    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


@pytest.fixture(params=["hard links", "no hard links"])
def _links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filesystem with hard links, and one without, such as FAT: not to be had without mounting one."""
    if request.param == "no hard links":
        monkeypatch.setattr(os, "link", refuse_links)


@pytest.mark.usefixtures("_links")
def test_a_new_file_is_written_without_overwriting(tmp_path: Path) -> None:
    assert telecine.probe(export_video(greys(), tmp_path / "clip.mp4", overwrite=False)).frame_count == 5
    assert names_in(tmp_path) == ["clip.mp4"]


@pytest.mark.usefixtures("_links")
def test_a_file_that_appears_during_the_export_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"

    def frames() -> Iterator[Clip]:
        yield from greys()
        path.write_bytes(OLDER)

    with pytest.raises(PublishError, match="exists and overwrite is False") as refused:
        export_video(frames(), path, overwrite=False)
    assert_one_line(refused.value, errno.EEXIST, path)
    assert_frames(assert_kept(path, refused.value), greys())


@pytest.mark.usefixtures("_links")
def test_of_concurrent_writers_without_overwriting_exactly_one_wins(tmp_path: Path) -> None:
    all_start, path = threading.Barrier(8), tmp_path / "clip.mp4"

    def export(count: int) -> int:
        all_start.wait(timeout=60)
        return export_video(greys(count), path, overwrite=False).frame_count

    with ThreadPoolExecutor(8) as pool:
        exports = [pool.submit(export, count) for count in range(1, 9)]
    errors = [each.exception() for each in exports]
    winner = errors.index(None)
    refused = [error for error in errors if isinstance(error, PublishError)]
    assert len(refused) == 7
    assert {error.errno for error in refused} <= {errno.EBUSY, errno.EEXIST}
    assert telecine.probe(path).frame_count == exports[winner].result() == winner + 1
    assert names_in(tmp_path) == ["clip.mp4"]


def test_a_journal_that_goes_while_it_is_opened_is_in_nobodys_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two who begin at once, one removes the empty journal that the other has just opened."""
    (tmp_path / JOURNAL).touch(mode=0o600)
    open_in = Folder.open

    def opened(folder: Folder, name: str, flags: int, mode: int = 0o600) -> int:
        descriptor = open_in(folder, name, flags, mode)
        if name == JOURNAL and not flags & os.O_CREAT:
            os.unlink(tmp_path / JOURNAL)
        return descriptor

    monkeypatch.setattr(Folder, "open", opened)
    with VideoWriter(tmp_path / "clip.mp4") as writer:
        assert names_in(tmp_path) == [JOURNAL]
        writer.write(greys())
    assert names_in(tmp_path) == ["clip.mp4"]


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_second_writer_to_a_path_is_told_at_once_and_the_first_goes_on(overwrite: bool, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    (tmp_path / "link.mp4").symlink_to("clip.mp4")
    with VideoWriter(path) as writer:
        writer.write(greys(8)[:4])
        for given in (path, tmp_path / "link.mp4"):
            frames = Asked(greys())
            with pytest.raises(PublishError, match="is being written by another writer") as refused:
                export_video(frames, given, overwrite=overwrite)
            assert (refused.value.errno, refused.value.filename) == (errno.EBUSY, str(path))
            assert frames.count == 0
        writer.write(greys(8)[4:])
    assert telecine.verify(path, greys(8)).problems == ()
    assert names_in(tmp_path) == ["clip.mp4", "link.mp4"]
    assert export_video(greys(), path).frame_count == 5


def test_of_concurrent_writers_of_one_path_those_that_are_not_told_succeed(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"

    def export(count: int) -> int | None:
        try:
            return export_video(greys(count), path).frame_count
        except PublishError as error:
            return error.errno if error.errno != errno.EBUSY else None

    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(export, range(1, 33)))
    succeeded = [count for count in counts if count is not None]
    assert succeeded == [index for index, count in enumerate(counts, start=1) if count is not None]
    count = telecine.probe(path).frame_count
    assert count in succeeded
    assert telecine.verify(path, greys(count)).problems == ()
    assert names_in(tmp_path) == ["clip.mp4"]


def test_a_link_to_nothing_is_a_new_file_without_overwriting(tmp_path: Path) -> None:
    (tmp_path / "link.mp4").symlink_to("clip.mp4")
    export_video(greys(), tmp_path / "link.mp4", overwrite=False)
    assert (tmp_path / "link.mp4").is_symlink()
    assert telecine.probe(tmp_path / "clip.mp4").frame_count == 5


# ---- disks that fail -----------------------------------------------------------------------------------------------


def test_a_disk_that_is_full_from_the_start_leaves_no_folder_behind(tmp_path: Path) -> None:
    said = run_python(
        LIMITED
        + """
limit(0)
try:
    telecine.export_video(noise, "some/new/clip.mp4")
except telecine.PublishError as error:
    print(json.dumps(described(error)))
""",
        tmp_path,
    )
    name, text = "some/new/clip.mp4", "'some/new/clip.mp4' can't be written: File too large"
    assert json.loads(said) == ["PublishError", errno.EFBIG, name, text, "OSError", errno.EFBIG]
    assert names_in(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 1 << 14, 1 << 18, (1 << 18) + 1, 1 << 20])
def test_a_disk_that_fills_during_a_long_export_leaves_the_path_as_it_was(size: int, path: Path) -> None:
    said = run_python(
        LIMITED
        + """
limit(int(sys.argv[1]))
try:
    telecine.export_video(itertools.cycle(noise), "clip.mp4")
except telecine.PublishError as error:
    print(json.dumps(described(error)))
""",
        path.parent,
        size,
    )
    kind, number, name, text, *cause = json.loads(said)
    assert (kind, number, name, cause) == ("PublishError", errno.EFBIG, "clip.mp4", ["OSError", errno.EFBIG])
    assert text.startswith("'clip.mp4' can't be written: File too large")
    if size == 1:  # not even the index
        assert "kept" not in text
        assert_untouched(path)
    else:
        kept = assert_kept(path, PublishError(text))
        few = min(5, telecine.probe(kept).frame_count)
        assert few > 0
        assert np.array([*itertools.islice(telecine.read_frames(kept), few)]).shape == noise(few).shape


def test_a_full_disk_surfaces_at_a_later_write_with_its_cause(path: Path) -> None:
    said = run_python(
        LIMITED
        + """
writer = telecine.VideoWriter("clip.mp4")
limit(1 << 20)
try:
    for frame in itertools.cycle(noise):
        writer.write(frame)
except telecine.PublishError as error:
    print(json.dumps(described(error)))
for call in (lambda: writer.write(noise), writer.close):
    try:
        call()
    except telecine.PublishError as error:
        print(json.dumps(described(error)))
try:
    writer.close()
except telecine.TelecineError as error:
    print(json.dumps(str(error)))
""",
        path.parent,
    )
    first, again, closing, closed = map(json.loads, said.splitlines())
    text = "'clip.mp4' can't be written: File too large"
    assert first == again == ["PublishError", errno.EFBIG, "clip.mp4", text, "OSError", errno.EFBIG]
    kept = re.fullmatch(re.escape(text) + r"; (\d+) of \d+ frames are kept: telecine recover clip\.mp4", closing.pop(3))
    assert closing == ["PublishError", errno.EFBIG, "clip.mp4", "OSError", errno.EFBIG]
    assert closed == "the writer of 'clip.mp4' was aborted"
    assert kept is not None
    assert telecine.probe(assert_kept(path)).frame_count == int(kept[1])


def test_a_full_disk_never_publishes_a_part(path: Path) -> None:
    size = export_video(noise(), path).size_bytes
    path.write_bytes(OLDER)
    short = [*range(1, 17), 100, 1000, size // 2, size - 4096, size - 1, size]  # of the bytes that it takes
    said = run_python(
        LIMITED
        + """
for size in map(int, sys.argv[1:]):
    limit(size)
    try:
        telecine.export_video(noise, "clip.mp4")
        print(json.dumps("published"))
    except telecine.PublishError as error:
        print(json.dumps(described(error)))
""",
        path.parent,
        *(size - each for each in short),
    )
    failed = [json.loads(line) for line in said.splitlines()]
    texts = [each.pop(3) for each in failed]
    assert failed == [["PublishError", errno.EFBIG, "clip.mp4", "OSError", errno.EFBIG]] * len(short)
    assert all(text.startswith("'clip.mp4' can't be written: File too large") for text in texts)
    assert path.read_bytes() == OLDER
    kept = [int(found[1]) for text in texts if (found := re.search(r"; (\d+) of 5 frames are kept", text))]
    recovered = [telecine.recover(path) for _ in kept]  # the newest first
    assert [video.frame_count for video in recovered] == kept[::-1]
    for video in recovered:
        assert_frames(video, noise(video.frame_count))
        video.path.unlink()
    assert_untouched(path)


def fail(*_: object, **__: object) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_fails_at_the_last_step_leaves_the_path_as_it_was(
    step: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with VideoWriter(path) as writer:
        writer.write(greys())
        monkeypatch.setattr(os, step, fail)
        with pytest.raises(PublishError, match="can't be written: Input/output error") as failed:
            writer.close()
    monkeypatch.undo()
    assert_one_line(failed.value, errno.EIO, path)
    assert isinstance(failed.value.__cause__, OSError)
    assert_frames(assert_kept(path, failed.value), greys())


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_without_hard_links_a_disk_that_fails_at_the_last_step_leaves_no_file(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "folder" / "clip.mp4"
    writer = VideoWriter(path, overwrite=False)
    writer.write(greys())
    monkeypatch.setattr(os, "link", refuse_links)
    monkeypatch.setattr(os, step, fail)
    with pytest.raises(PublishError) as failed:
        writer.close()
    monkeypatch.undo()
    assert_one_line(failed.value, errno.EIO, path)
    assert_frames(assert_kept(path, failed.value, held=None), greys())
