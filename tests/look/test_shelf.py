"""The clips of a folder that changes: what came and went since a version."""

from __future__ import annotations

from pathlib import Path

import telecine
from telecine.look.clips import ClipFolder
from telecine.look.shelf import Changes, Shelf

from ..support.helpers import greys


def test_what_came_and_went_is_told_since_a_version_and_all_where_that_is_not_known(tmp_path: Path) -> None:
    telecine.export_video(greys(), tmp_path / "a.mp4")
    shelf = Shelf(ClipFolder(tmp_path))
    shelf.look()
    first = shelf.changes()
    assert ([clip.name for clip in first.clips], first.whole, first.left) == (["a.mp4"], True, 0)
    assert shelf.changes(first.version) == Changes(first.version, [], [], whole=False, left=0)
    telecine.export_video(greys(7), tmp_path / "a.mp4")
    telecine.export_video(greys(), tmp_path / "b.mp4")
    shelf.look()
    second = shelf.changes(first.version)
    assert {clip.name for clip in second.clips} == {"a.mp4", "b.mp4"}
    assert second.gone == [first.clips[0].id]
    assert shelf.clip(first.clips[0].id) is None
    assert [clip.id for clip in shelf.changes(second.version + 1).clips] == [clip.id for clip in second.clips]
