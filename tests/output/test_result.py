"""A `Video` is its path, and a notebook shows it."""

from __future__ import annotations

import base64
import html
import os
import re
from pathlib import Path

import pytest

from telecine import export_video

from ..support.helpers import WIDTH, greys


def test_a_video_is_its_path(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    video = export_video(greys(), path)
    assert os.fspath(video) == str(video) == f"{video}" == str(path)
    assert video.path == path == Path(video)
    assert video.size_bytes == os.path.getsize(video)
    with open(video, "rb") as file:
        assert file.read(8)[4:] == b"ftyp"


def test_a_video_keeps_the_path_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert str(export_video(greys(), "clip.mp4")) == "clip.mp4"


def test_a_notebook_shows_a_player_that_holds_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a \"quoted\" <b> & 'c'.mp4"
    shown = export_video(greys(), path)._repr_html_()
    (tag,) = re.findall(r"<video ([^<>]*)></video>", shown)
    attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
    assert html.unescape(attributes["title"]) == str(path)
    kind, data = attributes["src"].split(",")
    assert kind == "data:video/mp4;base64"
    assert base64.b64decode(data) == path.read_bytes()
    assert attributes["width"] == str(WIDTH)
    assert {"controls", "loop", "muted"} <= set(tag.split())


def test_a_notebook_is_told_that_the_file_is_gone(tmp_path: Path) -> None:
    video = export_video(greys(), tmp_path / "<b>.mp4")
    video.path.unlink()
    shown = video._repr_html_()
    assert "&lt;b&gt;.mp4" in shown
    assert "No such file" in shown
    assert "<" not in shown
