"""`probe` tells what is in a file: ours, those of other tools, and damaged ones."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import telecine
from telecine import AudioInfo, Color, InputError

FRAMES = np.random.default_rng(0).integers(0, 256, (12, 48, 64, 3), np.uint8)
UNTAGGED = Color(matrix=2, primaries=2, transfer=2, full_range=False)


def made(
    path: Path,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
    tags: dict[str, int] | None = None,
    sound: tuple[str, int, str] | None = None,
    rate: int = 25,
) -> Path:
    """A file of 12 frames as another tool may write it."""
    with av.open(str(path), "w", container_options=options or {}) as container:
        stream: Any = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixel_format
        for name, value in (tags or {}).items():
            setattr(stream.codec_context, name, value)
        if sound is not None:
            kind, sample_rate, layout = sound
            audio: Any = container.add_stream(kind, rate=sample_rate, layout=layout)
            silence = av.AudioFrame(format=audio.format.name, layout=layout, samples=1024)
            for plane in silence.planes:
                plane.update(bytes(plane.buffer_size))
            silence.sample_rate, silence.pts = sample_rate, 0
            container.mux(audio.encode(silence))
            container.mux(audio.encode(None))
        for index, rgb in enumerate(FRAMES):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pixel_format)
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_every_field_of_our_own_file(tmp_path: Path) -> None:
    video = telecine.export_video(FRAMES, tmp_path / "clip.mp4", fps="24000/1001")
    info = telecine.probe(video)
    assert info == telecine.VideoInfo(
        path=tmp_path / "clip.mp4",
        container="mp4",
        codec="h264",
        profile="High",
        pixel_format="yuv420p",
        width=64,
        height=48,
        fps=Fraction(24000, 1001),
        constant_rate=True,
        frame_count=12,
        duration=Fraction(12 * 1001, 24000),
        color=Color(matrix=6, primaries=1, transfer=1, full_range=False),
        size_bytes=os.path.getsize(video),
        index_in_front=True,
        audio=None,
        metadata=info.metadata,
    )
    assert set(info.metadata) <= {"encoder"}
    assert str(info.color) == "smpte170m matrix, bt709 primaries, bt709 transfer, limited range"


def test_a_path_may_be_text_a_path_a_video_or_an_open_file(tmp_path: Path) -> None:
    video = telecine.export_video(FRAMES, tmp_path / "clip.mp4")
    with open(video, "rb") as file:
        found = [telecine.probe(each) for each in (video, str(video), Path(video), file)]
    assert found == [found[0]] * 4


def test_the_index_at_the_end_is_told(tmp_path: Path) -> None:
    assert telecine.probe(made(tmp_path / "end.mp4")).index_in_front is False
    assert telecine.probe(made(tmp_path / "front.mp4", options={"movflags": "+faststart"})).index_in_front is True
    assert telecine.probe(made(tmp_path / "end.mkv")).index_in_front is False


@pytest.mark.parametrize(("extension", "container"), [("avi", "avi"), ("ts", "mpegts")])
def test_a_file_without_boxes_has_no_index_to_tell_of(tmp_path: Path, extension: str, container: str) -> None:
    info = telecine.probe(made(tmp_path / f"clip.{extension}"))
    assert info.index_in_front is None
    assert (info.container, info.codec, info.frame_count, info.fps) == (container, "h264", 12, Fraction(25))


def test_a_quicktime_file_is_not_called_mp4(tmp_path: Path) -> None:
    assert telecine.probe(made(tmp_path / "clip.mov")).container == "mov"


def test_matroska_is_told_from_the_webm_in_it(tmp_path: Path) -> None:
    assert telecine.probe(made(tmp_path / "clip.mkv")).container == "mkv"


@pytest.mark.parametrize("layout", ["mono", "stereo"])
def test_sound_is_told(tmp_path: Path, layout: str) -> None:
    info = telecine.probe(made(tmp_path / "clip.mp4", sound=("aac", 44100, layout)))
    channels = {"mono": 1, "stereo": 2}[layout]
    assert info.audio is not None
    # FFmpeg 8 writes 23 of these 23.2 ms into the edit list; 9 all.
    assert info.audio.duration in (Fraction(1014, 44100), Fraction(1024, 44100))
    assert info.audio == AudioInfo("aac", sample_rate=44100, channels=channels, duration=info.audio.duration)
    assert info.frame_count == 12


def test_the_colour_is_as_it_is_tagged(tmp_path: Path) -> None:
    tags = {"colorspace": 9, "color_primaries": 9, "color_trc": 16, "color_range": 2}
    info = telecine.probe(made(tmp_path / "clip.mp4", tags=tags))
    assert info.color == Color(matrix=9, primaries=9, transfer=16, full_range=True)
    assert str(info.color) == "bt2020nc matrix, bt2020 primaries, smpte2084 transfer, full range"


def test_without_tags_the_colour_is_unspecified(tmp_path: Path) -> None:
    info = telecine.probe(made(tmp_path / "clip.mkv"))
    assert info.color == UNTAGGED
    assert info.color.matrix_name == info.color.primaries_name == info.color.transfer_name == "unspecified"


@pytest.mark.parametrize(
    ("codec", "name", "pixel_format", "extension"),
    [
        ("mpeg4", "mpeg4", "yuv420p", "mp4"),
        ("ffv1", "ffv1", "yuv444p10le", "mkv"),
        ("libx264", "h264", "yuv422p", "mp4"),
        ("mjpeg", "mjpeg", "yuvj420p", "avi"),
        ("gif", "gif", "rgb8", "gif"),
        ("rawvideo", "rawvideo", "rgb24", "nut"),
    ],
)
def test_other_codecs_are_told(tmp_path: Path, codec: str, name: str, pixel_format: str, extension: str) -> None:
    info = telecine.probe(made(tmp_path / f"clip.{extension}", codec, pixel_format))
    assert (info.codec, info.frame_count, info.fps) == (name, 12, Fraction(25))
    assert (info.width, info.height) == (64, 48)
    assert abs(info.duration - Fraction(12, 25)) < Fraction(1, 20)
    assert info.pixel_format == {"rgb8": "bgra"}.get(pixel_format, pixel_format)


def test_what_is_tagged_as_metadata_is_given(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "a title, with ümlauts"
        stream = container.add_stream("libx264", rate=8)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(FRAMES[0], format="rgb24")))
        container.mux(stream.encode(None))
    assert telecine.probe(path).metadata["title"] == "a title, with ümlauts"


@pytest.mark.parametrize("numbers", [[], ["-use_stream_ids_as_track_ids", "1", "-streamid", "0:10"]], ids=len)
def test_a_time_code_is_told_of_the_file_where_it_is_of_no_pictures(tmp_path: Path, numbers: list[str]) -> None:
    path, source = tmp_path / "clip.mov", ["-f", "lavfi", "-i", "testsrc=size=64x48:rate=24:duration=1"]
    subprocess.run(["ffmpeg", "-v", "error", *source, "-timecode", "01:00:00:00", *numbers, path], check=True)
    of_pictures = telecine.probe(path)
    path.write_bytes(path.read_bytes().replace(b"tref", b"free"))  # which leads from the pictures to their time code
    assert telecine.probe(path).metadata == {**of_pictures.metadata, "timecode": "01:00:00:00"}
    assert "timecode" not in of_pictures.metadata


def test_metadata_in_another_encoding_is_no_reason_to_refuse_a_video(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "Gruesse"
        stream = container.add_stream("mpeg4", rate=8)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(FRAMES[0], format="rgb24")))
        container.mux(stream.encode(None))
    path.write_bytes(path.read_bytes().replace(b"Gruesse", "Gr\xfc\xdfe..".encode("latin-1")))
    assert str(telecine.probe(path).metadata["title"]).startswith("Gr")


@pytest.mark.parametrize(
    ("fps", "count", "said"),
    [("16", 48, "16"), ("24", 24, "24"), ("15", 15, "15"), ("30", 30, "30"), ("12.5", 10, "25/2"), ("10", 7, "10")],
)
@pytest.mark.parametrize("extension", ["gif", "webp"])
def test_the_rate_of_a_moving_image_is_its_frames_by_its_duration(
    tmp_path: Path, extension: str, fps: str, count: int, said: str
) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (count, 48, 64, 3), np.uint8)
    info = telecine.probe(telecine.export_video(frames, tmp_path / f"clip.{extension}", fps=fps))
    assert (info.frame_count, info.duration, info.fps) == (count, count / Fraction(said), Fraction(said))
    assert info.constant_rate


def test_gaps_that_are_not_evenly_spread_are_no_constant_rate(tmp_path: Path) -> None:
    times = [Fraction(6 * index, 100) for index in range(12)] + [Fraction(72 + 7 * index, 100) for index in range(12)]
    frames = np.random.default_rng(0).integers(0, 256, (24, 48, 64, 3), np.uint8)
    info = telecine.probe(telecine.export_video(frames, tmp_path / "clip.gif", timestamps=times))
    assert not info.constant_rate
    assert info.fps == 24 / info.duration


# ---- what can't be read --------------------------------------------------------------------------------------------


def assert_refused(path: Path, reason: str) -> None:
    for read in (telecine.probe, lambda each: list(telecine.read_frames(each))):
        with pytest.raises(InputError, match=reason) as raised:
            read(path)
        assert repr(str(path)) in str(raised.value)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"hello", b"\0" * 5000])
def test_what_is_no_video_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "clip.mp4").write_bytes(content)
    assert_refused(tmp_path / "clip.mp4", "can't be read")


def test_a_missing_file_a_folder_and_a_strange_name_are_refused(tmp_path: Path) -> None:
    assert_refused(tmp_path / "missing.mp4", "No such file or directory")
    assert_refused(tmp_path, "can't be read: it is a folder, not a file")
    with pytest.raises(InputError, match="can't be read: embedded null"):
        telecine.probe("a\0b.mp4")


def test_a_file_without_a_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        silence.sample_rate = 8000
        container.mux(stream.encode(silence))
    assert_refused(path, "has no video stream")


def test_a_file_without_its_index_is_refused_with_the_words_of_ffmpeg(tmp_path: Path) -> None:
    whole = made(tmp_path / "end.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    assert_refused(tmp_path / "cut.mp4", "moov atom not found")


def test_a_picture_without_a_size_is_refused(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert_refused(tmp_path / "clip.mp4", "can.t be read")


READ_DAMAGED = """if True:
    import sys
    import numpy as np
    import telecine
    folder = sys.argv[1]
    whole = open(f"{folder}/whole.mp4", "rb").read()
    index, random = whole.index(b"mdat"), np.random.default_rng(0)
    for turn in range(600):
        damaged = bytearray(whole)
        if turn % 3 == 0:
            del damaged[int(random.integers(1, len(whole))) :]
        else:
            low, high = ((0, index), (index, len(whole)))[turn % 3 - 1]
            for at in random.integers(low, high, 12):
                damaged[at] = random.integers(256)
        with open(f"{folder}/damaged.mp4", "wb") as file:
            file.write(damaged)
        for read in (telecine.probe, lambda path: list(telecine.read_frames(path))):
            try:
                read(f"{folder}/damaged.mp4")
                print("read")
            except telecine.InputError as error:
                print("refused" if "\\n" not in str(error) else f"refused in several lines: {error}")
"""


@pytest.mark.slow
def test_damage_anywhere_gives_an_error_of_ours_or_none(tmp_path: Path) -> None:
    telecine.export_video(FRAMES, tmp_path / "whole.mp4")
    # In a process of its own: a decoder that waits for its own threads for ever would never come back to this one.
    asked = [sys.executable, "-c", READ_DAMAGED, str(tmp_path)]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-2000:]
    assert set(done.stdout.splitlines()) == {"read", "refused"}
