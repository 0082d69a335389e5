"""What a gallery knows of the clips in a folder, and what it leaves alone."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import telecine
from telecine.errors import InputError
from telecine.look.clips import Clip, ClipFolder

from ..support.certificates import by, identity
from ..support.helpers import greys

FACTS: dict[str, Any] = {"prompt": "a panda", "seed": 2**64 - 1, "model": "a/b", "steps": 50, "tags": ["x", None]}


def clip_in(folder: Path, name: str) -> Clip:
    opened = ClipFolder(folder)
    clip = opened.read(name, opened.find()[name])
    assert clip is not None
    return clip


def test_clips_are_found_in_folders_and_neither_hidden_ones_nor_other_files(tmp_path: Path) -> None:
    run = tmp_path / "run"
    video = telecine.export_video(greys(), run / "deep" / "er" / "b.webp").path
    for name in ("a.MP4", ".hidden.mp4", "notes.txt", ".git/c.mp4", "posters/d.webp"):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_bytes(video.read_bytes())
    Image.new("RGB", (64, 48)).save(run / "still.webp")
    folder = ClipFolder(run, without=str(run / "posters"))
    found = folder.find()
    assert set(found) == {"a.MP4", "deep/er/b.webp", "still.webp"}
    assert folder.read("still.webp", found["still.webp"]) is None


def test_links_that_lead_out_of_the_folder_are_left_out_and_others_are_not(tmp_path: Path) -> None:
    outside, run = tmp_path / "outside.mp4", tmp_path / "run"
    run.mkdir()
    outside.write_bytes(b"secret")
    (run / "in.mp4").write_bytes(b"known")
    for name, target in (("out.mp4", outside), ("up", tmp_path), ("same.mp4", "in.mp4"), ("none.mp4", "gone.mp4")):
        (run / name).symlink_to(os.fspath(target))
    (run / "folder.mp4").mkdir()
    os.mkfifo(run / "pipe.mp4")
    assert set(ClipFolder(run).find()) == {"in.mp4", "same.mp4"}


def test_a_file_that_was_exchanged_for_a_link_since_it_was_found_is_not_opened(tmp_path: Path) -> None:
    outside, run = tmp_path / "outside.mp4", tmp_path / "run"
    (run / "deep").mkdir(parents=True)
    (run / "deep" / "a.mp4").write_bytes(b"known!")
    folder = ClipFolder(run)
    name, stamp = next(iter(folder.find().items()))
    outside.write_bytes(b"secret")
    os.utime(outside, ns=(stamp.modified, stamp.modified))
    (run / "deep" / "a.mp4").unlink()
    (run / "deep" / "a.mp4").symlink_to(outside)
    with pytest.raises(InputError, match="leads out of the folder"), folder.opened(name, stamp):
        pass
    (run / "deep" / "a.mp4").unlink()
    (run / "deep" / "a.mp4").write_bytes(b"other!")
    with pytest.raises(InputError, match="has changed"), folder.opened(name, stamp):
        pass


def test_what_is_known_of_a_clip_is_what_it_was_made_of(tmp_path: Path) -> None:
    video = telecine.export_video(greys(7), tmp_path / "a.mp4", fps="30000/1001", metadata=FACTS)
    clip = clip_in(tmp_path, "a.mp4")
    assert (clip.width, clip.height, clip.fps, clip.frames, clip.codec) == (64, 48, "30000/1001", 7, "h264")
    assert clip.duration == pytest.approx(7 * 1001 / 30000)
    assert (clip.stamp.bytes, clip.signature, clip.problem) == (video.size_bytes, "no manifest", "")
    assert {name: clip.texts[name] for name in ("prompt", "model")} == {"prompt": "a panda", "model": "a/b"}
    assert clip.values == {"seed": str(2**64 - 1), "steps": "50", "tags": '["x", null]'}


def test_a_long_value_is_cut_and_a_prompt_is_whole(tmp_path: Path) -> None:
    facts: dict[str, Any] = {"prompt": "p" * 100_000, "workflow": {"nodes": ["n" * 5000]}, "notes": "o" * 5000}
    telecine.export_video(greys(), tmp_path / "a.mp4", metadata=facts)
    clip = clip_in(tmp_path, "a.mp4")
    assert clip.texts["prompt"] == facts["prompt"]
    assert [len(clip.texts[name]) < 2100 for name in ("workflow", "notes")] == [True, True]
    assert "5,000 characters" in clip.texts["notes"]


def test_a_file_that_cant_be_read_says_why_and_not_where_the_folder_is(tmp_path: Path) -> None:
    (tmp_path / "half.mp4").write_bytes(telecine.export_video(greys(), tmp_path / "a.mp4").path.read_bytes()[:600])
    clip = clip_in(tmp_path, "half.mp4")
    assert clip.problem.startswith("'half.mp4' can't be read as a video")
    assert str(tmp_path) not in clip.problem


def test_a_signature_is_told_by_who_is_trusted(tmp_path: Path) -> None:
    me = identity()
    data = bytearray(telecine.export_video(greys(), tmp_path / "a.mp4", provenance=by(me)).path.read_bytes())
    data[-100] ^= 1
    (tmp_path / "b.mp4").write_bytes(data)
    for anchors, states in ((None, ["valid but untrusted", "tampered"]), (me.anchors, ["valid", "tampered"])):
        folder = ClipFolder(tmp_path, anchors)
        clips = [folder.read(name, stamp) for name, stamp in sorted(folder.find().items())]
        assert [clip and clip.signature for clip in clips] == states


def test_the_poster_of_a_clip_that_fades_in_is_not_black(tmp_path: Path) -> None:
    frames = np.zeros((9, 96, 640, 3), np.uint8)
    frames[4:, :, 320:] = 250
    telecine.export_video(frames, tmp_path / "a.mp4")
    with Image.open(io.BytesIO(ClipFolder(tmp_path).poster(clip_in(tmp_path, "a.mp4")))) as poster:
        assert (poster.format, poster.size) == ("WEBP", (480, 72))
        assert np.asarray(poster.convert("L"))[36, [60, 420]] == pytest.approx([0, 250], abs=8)
