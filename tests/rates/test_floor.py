"""The floor of a level: a clip that a level's crf is too high for gets a lower one, and no other clip does."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import telecine
from telecine import VideoWriter, export_video
from telecine.formats.codecs import CODECS
from telecine.rates import floor
from telecine.rates.floor import FLOORS

from ..support.fidelity import luma_xpsnr, mean_of
from ..support.helpers import Clip, failing_at, greys, names_in, waves
from ..support.journals import packets_of

pytestmark = pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning")

FILES = [("mp4", "h264"), ("mp4", "hevc"), ("mp4", "av1"), ("webm", "vp9")]


def boiling(count: int = 20, height: int = 256, width: int = 256) -> Clip:
    """Faint noise, in every frame other than in the one before, which each encoder takes for what nobody sees."""
    gray = np.random.default_rng(0).normal(128, 5, (count, height, width, 1))
    return np.repeat(gray.round().astype(np.uint8), 3, axis=3)


BOILING = boiling()
SMOOTH = np.round(255 * waves(20, 256, 256)).astype(np.uint8)


def crfs_of(video: telecine.Video) -> tuple[float, float, float]:
    """The crf, the level's own, and the XPSNR of the first frames, as the note has them."""
    (note,) = (note for note in video.notes if note.startswith("crf "))
    said = re.fullmatch(
        r"crf ([\d.]+) in place of ([\d.]+): quality='[\w-]+' is at least [\d.]+ dB of XPSNR, "
        r"of which the first frames have ([\d.]+) now",
        note,
    )
    assert said
    crf, own, xpsnr = map(float, said.groups())
    return crf, own, xpsnr


@pytest.mark.slow
@pytest.mark.parametrize("quality", ["balanced", "high"])
@pytest.mark.parametrize(("container", "codec"), FILES)
def test_frames_that_are_hard_to_encode_are_as_near_as_the_level_says(
    tmp_path: Path, container: str, codec: Any, quality: Any
) -> None:
    video = export_video(BOILING, tmp_path / f"clip.{container}", codec=codec, quality=quality)
    crf, own, said = crfs_of(video)
    first = mean_of(luma_xpsnr(video, BOILING, tmp_path)[1:3])
    assert crf < own
    assert first >= FLOORS[quality]
    assert said == pytest.approx(first, abs=0.06)
    given = export_video(BOILING, tmp_path / f"given.{container}", codec=codec, quality=quality, crf=crf)
    assert packets_of(video) == packets_of(given)


@pytest.mark.parametrize("quality", FLOORS)
def test_others_are_encoded_at_the_crf_of_the_level(tmp_path: Path, quality: Any) -> None:
    video = export_video(SMOOTH, tmp_path / "clip.mp4", quality=quality)
    own = float(CODECS["h264"].qualities[quality]["crf"])
    assert video.notes == ()
    given = export_video(SMOOTH, tmp_path / "given.mp4", quality=quality, crf=own + 0.001)  # which has no floor
    assert [each[:5] for each in packets_of(video)] == [each[:5] for each in packets_of(given)]


@pytest.mark.parametrize(
    "options", [{"crf": 30}, {"bitrate": 200_000}, {"preset": "ultrafast"}, {"encoder_options": {"qp": 40}}], ids=str
)
def test_what_the_caller_chose_stays(tmp_path: Path, options: dict[str, Any]) -> None:
    assert export_video(BOILING, tmp_path / "clip.mp4", **options).notes == ()


@pytest.mark.parametrize("count", [1, 2, 5, 6, 7])
def test_a_short_clip_is_settled_at_its_end(tmp_path: Path, count: int) -> None:
    video = export_video(BOILING[:count], tmp_path / "clip.mp4", quality="visually-lossless")
    xpsnr = luma_xpsnr(video, BOILING[:count], tmp_path)
    assert mean_of(xpsnr[1:3] or xpsnr) >= FLOORS["visually-lossless"]
    assert video.frame_count == telecine.probe(video).frame_count == count


def test_each_chunk_may_be_reused_at_once(tmp_path: Path) -> None:
    """What is held, to be encoded again, is not the memory that the next frame is written to."""
    with VideoWriter(tmp_path / "streamed.mp4", quality="balanced") as writer:
        for frame in BOILING:
            writer.write(frame)
    whole = export_video(BOILING, tmp_path / "whole.mp4", quality="balanced")
    assert writer.video.notes == whole.notes != ()
    assert packets_of(writer.video) == packets_of(whole)


@pytest.mark.parametrize("room", [floor._MOST_HELD, 18 * 256 * 256 * 3 // 2], ids=["all", "18 frames"])
def test_frames_that_come_while_it_measures_are_encoded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """All that came until that is known; and what is held has an end, at which it is waited for."""
    alone: dict[str, Any] = {"encoder_options": {"threads": 1}}  # of more, it is measured later
    whole = export_video(BOILING, tmp_path / "whole.mp4", **alone)
    frame_after, measured = threading.Event(), floor._xpsnr_of

    def late(*arguments: Any) -> float:
        assert frame_after.wait(60)
        return measured(*arguments)

    monkeypatch.setattr(floor, "_xpsnr_of", late)
    monkeypatch.setattr(floor, "_MOST_HELD", room)
    with VideoWriter(tmp_path / "clip.mp4", **alone) as writer:
        for index, frame in enumerate(BOILING):
            if index == 16:
                frame_after.set()
            writer.write(frame)
    assert writer.video.notes == whole.notes != ()
    assert packets_of(writer.video) == packets_of(whole)


def test_frames_and_sound_are_recovered_after_it_began_anew(tmp_path: Path) -> None:
    sound = np.sin(np.arange(48000) / 20).astype(np.float32)
    writer = VideoWriter(tmp_path / "clip.mp4", audio_rate=48000)
    writer.write(BOILING[0])
    writer.write_audio(sound[:24000])
    with pytest.raises(ZeroDivisionError), writer:
        writer.write(failing_at(18, BOILING[1:], ZeroDivisionError()))
    video = telecine.recover(tmp_path / "clip.mp4")
    info = telecine.probe(video)
    assert (info.frame_count, info.index_in_front) == (19, True)
    assert info.audio is not None
    whole = export_video(BOILING[:19], tmp_path / "whole.mp4")
    crf, own, _ = crfs_of(whole)
    assert crf < own
    assert packets_of(video) == packets_of(whole)
    assert names_in(tmp_path) == ["clip.mp4", "whole.mp4"]


@pytest.mark.parametrize("size", [(6, 6), (64, 96), (128, 200)], ids=str)
def test_frames_of_fewer_pixels_have_no_floor(tmp_path: Path, size: tuple[int, int]) -> None:
    video = export_video(boiling(4, *size), tmp_path / "clip.mp4")
    assert (video.frame_count, video.notes) == (4, ())


def test_what_has_no_loss_or_more_bits_has_no_floor(tmp_path: Path) -> None:
    for options in ({"quality": "lossless"}, {"bit_depth": 10}, {"codec": "ffv1"}):
        video = export_video(BOILING[:4], tmp_path / "clip.mkv", **options)
        assert not [note for note in video.notes if note.startswith("crf ")]


def test_grey_frames_are_the_same_as_given(tmp_path: Path) -> None:
    """Equal frames, which have an infinite XPSNR."""
    assert export_video(greys(8, 256, 256), tmp_path / "clip.mp4").notes == ()
