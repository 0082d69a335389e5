"""A `Video` is the text of its path with the file's facts, and a notebook shows it."""

from __future__ import annotations

import base64
import copy
import html
import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, replace
from fractions import Fraction
from pathlib import Path

import pytest

import telecine
from telecine import InputError, JoinedVideo, OptionError, Video, export_video

from ..support.helpers import WIDTH, greys

VIDEO = Video(Path("a folder/100% ü.mp4"), 64, 48, Fraction(8), 6, Fraction(3, 4), "h264", 1234, notes=("a note",))
JOINED = JoinedVideo(**vars(VIDEO), spans=((Fraction(0), Fraction(3, 4)),))


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


def test_a_video_is_text_that_python_takes_for_a_path(tmp_path: Path) -> None:
    video = export_video(greys(), tmp_path / "100% ü.mp4")
    assert isinstance(video, str)
    assert isinstance(video, os.PathLike)
    assert os.path.splitext(video) == (str(tmp_path / "100% ü"), ".mp4")
    assert json.loads(json.dumps({"video": video})) == {"video": str(video.path)}
    assert json.loads(json.dumps({video: 1})) == {str(video.path): 1}
    size = "import os, sys; print(os.path.getsize(sys.argv[1]))"
    assert int(subprocess.check_output([sys.executable, "-c", size, video])) == video.size_bytes


@pytest.mark.parametrize("video", [VIDEO, JOINED], ids=["video", "joined"])
def test_a_video_equals_its_text_and_is_found_by_it(video: Video) -> None:
    text = "a folder/100% ü.mp4"
    assert video == text
    assert text == video
    assert (video != text, video != "another.mp4") == (False, True)
    assert type(str(video)) is type(f"{video}") is type(video[:]) is str
    assert hash(video) == hash(text)
    assert {text: 1}[video] == 1
    assert text in {video}
    assert sorted(["b", video, "A"]) == ["A", text, "b"]


@pytest.mark.parametrize("fact", [{"width": 66}, {"notes": ()}, {"path": Path("another.mp4")}])
@pytest.mark.parametrize("video", [VIDEO, JOINED], ids=["video", "joined"])
def test_two_videos_are_equal_where_all_their_facts_are(video: Video, fact: dict[str, object]) -> None:
    same, other = replace(video), replace(video, **fact)  # type: ignore[arg-type]
    assert (video == same, video != same) == (True, False)
    assert (video == other, video != other) == (False, True)
    assert len({video, same}) == 1
    assert len({video, other}) == 2


def test_a_joined_video_is_no_other_video() -> None:
    assert JOINED != VIDEO
    assert replace(JOINED, spans=()) != JOINED


def test_a_replaced_path_is_the_text_too() -> None:
    moved = replace(VIDEO, path=Path("b.mp4"))
    assert (str(moved), moved.path, moved.width) == ("b.mp4", Path("b.mp4"), 64)


def pickled(protocol: int) -> Callable[[Video], Video]:
    return lambda video: pickle.loads(pickle.dumps(video, protocol))


COPIES = [copy.copy, copy.deepcopy, *map(pickled, range(pickle.HIGHEST_PROTOCOL + 1))]


@pytest.mark.parametrize("copied", COPIES)
@pytest.mark.parametrize("video", [VIDEO, JOINED], ids=["video", "joined"])
def test_a_copy_has_text_and_facts(video: Video, copied: Callable[[Video], Video]) -> None:
    again = copied(video)
    assert type(again) is type(video)
    assert again == video
    assert str(again) == str(video)
    assert vars(again) == vars(video) == {**asdict(video)}


def test_the_facts_are_shown_and_stay() -> None:
    assert repr(VIDEO).startswith(
        "Video(path=PosixPath('a folder/100% ü.mp4'), width=64, height=48, fps=Fraction(8, 1)"
    )
    with pytest.raises(FrozenInstanceError):
        VIDEO.width = 2  # type: ignore[misc]


def test_a_video_is_taken_where_telecine_takes_a_path(tmp_path: Path) -> None:
    video = export_video(greys(), tmp_path / "clip.mp4", fps=8)
    assert telecine.probe(video).frame_count == len(list(telecine.read_frames(video))) == 5
    assert telecine.verify(video, video).ok
    assert export_video(greys(3), video, fps=8) == tmp_path.joinpath("clip.mp4").as_posix()
    assert telecine.concat([video, video], tmp_path / "all.mp4").frame_count == 6
    assert telecine.strip(video).frame_count == 3


def test_an_error_names_a_video_by_its_text() -> None:
    gone = "a folder/100% ü.mp4"
    with pytest.raises(InputError, match=rf"^{gone!r} does not exist"):
        export_video(VIDEO, "out.mp4")
    with pytest.raises(InputError, match=rf"^{gone!r} can't be read: No such file"):
        telecine.probe(VIDEO)
    with pytest.raises(OptionError, match=r"the extension '\.xyz' of 'clip\.xyz'"):
        export_video(greys(), replace(VIDEO, path=Path("clip.xyz")))
    with pytest.raises(OptionError, match=r"^videos=.* is no list of videos"):
        telecine.concat(VIDEO, "out.mp4")  # which is text, and so an iterable of paths to a type checker


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
