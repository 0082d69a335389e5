"""`concat` joins clips of one kind: the same packets, each frame at its time after the sum of those before."""

from __future__ import annotations

import io
import json
import resource
import subprocess
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import fsspec
import numpy as np
import pytest

import telecine
from telecine import EncodeError, InputError, OptionError, PublishError
from telecine.cli.commands import run

from .metadata.test_tags import METADATA, same
from .support.browser import Browser
from .support.helpers import OLDER, Piped, assert_untouched, names_in, noise, waves
from .support.sounds import LOUD, RATE, clicks, heard, made, peaks

pytestmark = pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning")

Shown = list[tuple[Fraction, bytes]]
NTSC = Fraction(30000, 1001)
MILLISECOND = Fraction(1, 1000)
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "h264 in mp4": ("mp4", {}),
    "h264 in mov": ("mov", {}),
    "h264 in mkv": ("mkv", {}),
    "h264 of RGB": ("mp4", {"quality": "lossless"}),
    "hevc in mp4": ("mp4", {"codec": "hevc"}),
    "hevc in mkv": ("mkv", {"codec": "hevc", "bit_depth": 10}),
    "av1 in mp4": ("mp4", {"codec": "av1"}),
    "av1 in webm": ("webm", {"codec": "av1"}),
    "vp9": ("webm", {}),
    "vp9 with alpha": ("webm", {"pixel_format": "yuva420p"}),
    "prores": ("mov", {"codec": "prores"}),
    "prores with alpha": ("mov", {"codec": "prores", "pixel_format": "yuva444p10le"}),
    "ffv1": ("mkv", {"codec": "ffv1"}),
}


def export(path: Path, count: int = 7, **options: Any) -> Path:
    telecine.export_video(np.roll(waves(20), 3 * count, axis=0)[:count], path, **{"fps": NTSC, **options})
    return path


def exports(folder: Path, extension: str, counts: tuple[int, ...] = (7, 1, 12), **options: Any) -> list[Path]:
    return [export(folder / f"{at}.{extension}", count, **options) for at, count in enumerate(counts)]


def shown(path: Path) -> Shown:
    """When each frame is shown from the first on, and its planes, as PyAV decodes them."""
    with av.open(path) as container:
        (stream,) = container.streams.video
        if stream.metadata.get("alpha_mode") == "1":
            decoder: Any = av.CodecContext.create("libvpx-vp9", "r")
            frames = [frame for packet in container.demux(stream) for frame in decoder.decode(packet)]
        else:
            frames = list(container.decode(stream))
        assert stream.time_base is not None
        tick = Fraction(stream.time_base.numerator, stream.time_base.denominator)
    size = 2 if frames[0].format.components[0].bits > 8 else 1
    planes = (b"".join(pixels(plane, size) for plane in frame.planes) for frame in frames)
    return [((frame.pts - frames[0].pts) * tick, each) for frame, each in zip(frames, planes, strict=True)]


def pixels(plane: Any, bytes_of_sample: int) -> bytes:
    """A plane without what is behind its lines."""
    lines = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return lines[: plane.height, : plane.width * bytes_of_sample].tobytes()


def packets(path: Path, kind: str = "video") -> list[tuple[int, int, int, bool]]:
    """PTS, DTS, duration and key frame of each packet, as FFmpeg's own ffprobe reads them."""
    fields = "packet=pts,dts,duration,flags"
    asked = ["ffprobe", "-v", "error", "-select_streams", kind[0], "-show_entries", fields, "-of", "json", str(path)]
    found = json.loads(subprocess.run(asked, capture_output=True, check=True).stdout)["packets"]
    return [(each["pts"], each.get("dts"), each["duration"], "K" in each["flags"]) for each in found]


def ffmpeg(*arguments: object) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)


def assert_joined(video: telecine.JoinedVideo, clips: list[Path], within: Fraction = Fraction(0)) -> None:
    """The frames of each clip, decoded alone, are in the file, bit by bit, at the time that is the clip's there."""
    of_clips = [shown(clip) for clip in clips]
    found = shown(video.path)
    assert [planes for _, planes in found] == [planes for clip in of_clips for _, planes in clip]
    assert [end for _, end in video.spans[:-1]] == [start for start, _ in video.spans[1:]]
    assert video.spans[0][0] == 0
    assert video.duration == video.spans[-1][1]
    times = [start + time for (start, _), clip in zip(video.spans, of_clips, strict=True) for time, _ in clip]
    assert max(abs(is_at - is_to_be) for (is_at, _), is_to_be in zip(found, times, strict=True)) <= within
    assert telecine.probe(video).index_in_front


# ---- pictures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_all_frames_are_there_bit_by_bit_each_clip_from_where_the_one_before_ends(kind: str, tmp_path: Path) -> None:
    extension, options = KINDS[kind]
    clips = exports(tmp_path, extension, **options)
    video = telecine.concat(clips, tmp_path / f"all.{extension}")
    assert_joined(video, clips, MILLISECOND if extension in ("webm", "mkv") else Fraction(0))
    assert [end - start for start, end in video.spans] == [7 / NTSC, 1 / NTSC, 12 / NTSC]
    assert (video.frame_count, video.fps, video.notes) == (20, NTSC, ())
    info, first = telecine.probe(video), telecine.probe(clips[0])
    for what in ("codec", "profile", "pixel_format", "width", "height", "color", "fps", "constant_rate"):
        assert getattr(info, what) == getattr(first, what)


@pytest.mark.parametrize("extension", ["mp4", "mov"])
def test_one_clip_is_the_file_that_it_was(extension: str, tmp_path: Path) -> None:
    clip = export(tmp_path / f"one.{extension}", metadata={"prompt": "a panda"})
    telecine.concat([clip], tmp_path / f"all.{extension}")
    joined, given = (bytearray((tmp_path / f"{name}.{extension}").read_bytes()) for name in ("all", "one"))
    if extension == "mp4":
        most = (
            given.index(b"btrt") + 8
        )  # the largest bit rate, which FFmpeg rounds up where a journal has told it of one
        assert abs(int.from_bytes(joined[most : most + 4], "big") - int.from_bytes(given[most : most + 4], "big")) <= 1
        joined[most : most + 4] = given[most : most + 4]
    assert joined == given


def test_frames_out_of_order_are_decoded_before_they_are_shown_across_the_joints_too(tmp_path: Path) -> None:
    clips = exports(tmp_path, "mp4", (9, 1, 2, 9))
    assert any(pts > dts for pts, dts, _, _ in packets(clips[0]))
    assert all(pts == dts for pts, dts, _, _ in packets(clips[1]))
    video = telecine.concat(clips, tmp_path / "all.mp4")
    found = packets(video.path)
    decoded = [dts for _, dts, _, _ in found]
    assert all(after - before == 1001 for before, after in pairwise(decoded))
    assert all(dts <= pts for pts, dts, _, _ in found)
    assert [found[at][0] for at in (0, 9, 10, 12)] == [0, 9 * 1001, 10 * 1001, 12 * 1001]
    assert all(found[at][3] for at in (0, 9, 10, 12))


TIMES = [[0, 0.5, 0.6, 2], [0, 1 / 3], [0, 0.001, 0.002, 0.5, 1.25]]


@pytest.mark.parametrize("extension", ["mp4", "mov", "mkv", "webm"])
def test_uneven_times_and_a_last_frame_that_is_held_stay(extension: str, tmp_path: Path) -> None:
    clips, holds = [], [Fraction(7, 8), Fraction(3, 1000), Fraction(2)]
    for at, (times, hold) in enumerate(zip(TIMES, holds, strict=True)):
        clips.append(export(tmp_path / f"{at}.{extension}", len(times), timestamps=times, hold=hold))
    video = telecine.concat(clips, tmp_path / f"all.{extension}")
    exact = extension in ("mp4", "mov")
    assert_joined(video, clips, Fraction(0) if exact else MILLISECOND)
    lengths = [2 + Fraction(7, 8), Fraction(1, 3) + Fraction(3, 1000), Fraction(13, 4)]
    within = 0 if exact else 2 * MILLISECOND
    for (start, end), length in zip(video.spans, lengths, strict=True):
        assert abs(end - start - length) <= within
    assert abs(telecine.probe(video).duration - sum(lengths)) <= 3 * within


def test_a_held_last_frame_of_evenly_timed_ones_is_held(tmp_path: Path) -> None:
    clips = [export(tmp_path / "a.mp4", hold=1), export(tmp_path / "b.mp4")]
    video = telecine.concat(clips, tmp_path / "all.mp4")
    assert video.spans == ((Fraction(0), 6 / NTSC + 1), (6 / NTSC + 1, 13 / NTSC + 1))
    assert_joined(video, clips)


@pytest.mark.parametrize(("extension", "codec"), [("mov", "prores"), ("mp4", "av1"), ("webm", "vp9"), ("mkv", "ffv1")])
def test_clips_of_several_rates_are_on_one_clock(extension: str, codec: str, tmp_path: Path) -> None:
    rates = [Fraction(16), NTSC, Fraction(24)]
    clips = [export(tmp_path / f"{at}.{extension}", fps=rate, codec=codec) for at, rate in enumerate(rates)]
    video = telecine.concat(clips, tmp_path / f"all.{extension}")
    exact = extension in ("mov", "mp4")
    assert_joined(video, clips, Fraction(0) if exact else MILLISECOND)
    assert [end - start for start, end in video.spans] == [7 / rate for rate in rates]
    assert abs(telecine.probe(video).duration - sum(7 / rate for rate in rates)) <= (0 if exact else MILLISECOND)


def test_milliseconds_do_not_add_up(tmp_path: Path) -> None:
    """Three frames of 29.97 a second are 100.1 ms, of which a Matroska says 100."""
    clip = export(tmp_path / "clip.webm", 3)
    video = telecine.concat([clip] * 40, tmp_path / "all.webm")
    assert video.spans[-1] == (117 / NTSC, 120 / NTSC)
    assert abs(shown(video.path)[117][0] - 117 / NTSC) <= MILLISECOND


# ---- other people's files ------------------------------------------------------------------------------------------

COPIES = {
    "mp4": (".mp4", []),
    "mov": (".mov", []),
    "mkv": (".mkv", []),
    "fragments": (".mp4", ["-movflags", "frag_keyframe+empty_moov"]),
    "no edit list": (".mp4", ["-use_editlist", "0"]),
}


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Clips of FFmpeg's own command, with B-frames, and sound that ends before the frames do."""
    folder = tmp_path_factory.mktemp("foreign")
    clips = [folder / f"{at}.mp4" for at in range(3)]
    for at, clip in enumerate(clips):
        video = ["-f", "lavfi", "-i", f"testsrc2=size=96x64:rate=30000/1001:duration={0.6 + at / 10}"]
        sound = ["-f", "lavfi", "-i", f"sine=frequency={440 + 220 * at}:duration=0.5:sample_rate=44100"]
        ffmpeg(*video, *sound, "-c:v", "libx264", "-g", 10, "-bf", 3, "-c:a", "aac", "-pix_fmt", "yuv420p", clip)
    return clips


@pytest.mark.parametrize("copy", COPIES)
def test_files_of_ffmpeg_with_its_coarse_edit_lists_are_joined_to_the_tick(
    copy: str, foreign: list[Path], tmp_path: Path
) -> None:
    extension, options = COPIES[copy]
    clips = [tmp_path / f"{each.stem}{extension}" for each in foreign]
    for clip, original in zip(clips, foreign, strict=True):
        ffmpeg("-i", original, "-c", "copy", *options, clip)
    video = telecine.concat(clips, tmp_path / f"all{extension}")
    assert_joined(video, clips, MILLISECOND if extension == ".mkv" else Fraction(0))
    counts = [len(packets(clip)) for clip in foreign]
    assert [end - start for start, end in video.spans] == [count / NTSC for count in counts]
    assert video.duration == sum(counts) / NTSC


@pytest.mark.parametrize(("milliseconds", "frames"), [(600, 18), (601, 18), (580, 17)])
def test_an_edit_list_is_obeyed_but_for_what_it_rounds(
    milliseconds: int, frames: int, foreign: list[Path], tmp_path: Path
) -> None:
    """Of 18 frames, 600.6 ms, writers say 600 or 601; 580 shows less of the last."""
    clip = tmp_path / "clip.mp4"
    ffmpeg("-i", foreign[0], "-an", "-c", "copy", "-t", "0.6006", clip)
    data = bytearray(clip.read_bytes())
    at = data.index(b"elst") + 12  # after the version, the flags and the number of entries
    assert int.from_bytes(data[at : at + 4], "big") == 601
    data[at : at + 4] = milliseconds.to_bytes(4, "big")
    clip.write_bytes(data)
    video = telecine.concat([clip, clip], tmp_path / "all.mp4")
    assert video.frame_count == 36
    if frames == 18:
        assert video.spans[1] == (18 / NTSC, 36 / NTSC)
    else:
        assert abs(video.spans[0][1] - Fraction(milliseconds, 1000)) < Fraction(1, 10_000)
    assert_joined(video, [clip, clip])


@pytest.mark.parametrize(("to", "tag"), [("mp4", "hvc1"), ("mkv", None)])
def test_the_container_may_be_another_one(to: str, tag: str | None, tmp_path: Path) -> None:
    clips = [*exports(tmp_path, "mp4", (7,), codec="hevc"), *exports(tmp_path, "mkv", (5,), codec="hevc")]
    for order in (clips, clips[::-1]):
        video = telecine.concat(order, tmp_path / f"all.{to}")
        assert_joined(video, order, MILLISECOND)
        with av.open(video.path) as container:
            assert tag is None or container.streams.video[0].codec_context.codec_tag == tag


def test_how_pictures_are_turned_and_the_shape_of_pixels_stay(foreign: list[Path], tmp_path: Path) -> None:
    clips = [tmp_path / f"{at}.mov" for at in range(2)]
    for clip in clips:
        options = ["-metadata:s:v", "rotate=90", "-aspect", "2:1"]
        ffmpeg("-i", foreign[0], "-an", "-c", "copy", *options, clip)
    video = telecine.concat(clips, tmp_path / "all.mov")
    info, first = telecine.probe(video), telecine.probe(clips[0])
    assert first.rotation == 270
    assert first.sample_aspect_ratio == Fraction(3, 4)
    assert (info.rotation, info.sample_aspect_ratio) == (first.rotation, first.sample_aspect_ratio)
    ffmpeg("-i", foreign[0], "-an", "-c", "copy", tmp_path / "upright.mov")
    with pytest.raises(OptionError, match=r"upright\.mov' can't be joined to .*0\.mov': its size is 96x64, not 64x96"):
        telecine.concat([*clips, tmp_path / "upright.mov"], tmp_path / "other.mov")


def test_the_light_of_hdr_stays(tmp_path: Path) -> None:
    options: dict[str, Any] = {"color": "pq", "light": "scene-linear", "codec": "hevc"}
    clip = export(tmp_path / "a.mp4", **options)
    video = telecine.concat([clip, clip], tmp_path / "all.mp4")
    info, first = telecine.probe(video), telecine.probe(clip)
    assert first.content_light is not None
    assert (info.mastering_display, info.content_light) == (first.mastering_display, first.content_light)


# ---- sound ---------------------------------------------------------------------------------------------------------


def with_clicks(path: Path) -> Path:
    """A clip of eight frames that clicks where two of them begin: at the first sample that a click fits behind."""
    sound = clicks([20 + round(at * RATE / NTSC) for at in (0, 4)], round(8 * RATE / NTSC))
    return export(path, 8, audio=sound, audio_rate=RATE)


LOSSY = {"mp4": 512, "mov": 512, "webm": 480, "mkv": 480}  # half a packet


@pytest.mark.parametrize("extension", LOSSY)
def test_sound_is_in_step_within_half_a_packet_however_many_clips_were_before(extension: str, tmp_path: Path) -> None:
    clip = with_clicks(tmp_path / f"clip.{extension}")
    video = telecine.concat([clip] * 30, tmp_path / f"all.{extension}")
    times = [start + Fraction(at) / NTSC for start, _ in video.spans for at in (0, 4)]
    expected = np.array([20 + float(time * RATE) for time in times])
    off = np.array(peaks(heard(video)[:, 0])) - expected
    clock = 48 if extension in ("webm", "mkv") else 2
    assert np.abs(off).max() <= LOSSY[extension] + clock
    assert np.abs(off[-2:]).max() <= LOSSY[extension] + clock
    assert np.ptp(off) > 100  # it is no multiple of packets: some were left out


@pytest.mark.slow
@pytest.mark.parametrize("extension", ["mp4", "webm"])
def test_chromium_hears_and_shows_each_clip_when_it_begins(extension: str, browser: Browser, tmp_path: Path) -> None:
    clip = with_clicks(tmp_path / f"clip.{extension}")
    video = telecine.concat([clip] * 30, tmp_path / f"all.{extension}")
    expected = [20 + float((start + Fraction(at) / NTSC) * RATE) for start, _ in video.spans for at in (0, 4)]
    off = np.array(browser.hear(video.path, RATE, 1, LOUD).peaks[0]) - expected
    assert np.abs(off).max() <= LOSSY[extension] + 48
    browser.load(video.path)
    shown_first = browser.show(0.001).rgb
    for start, end in video.spans[1::9]:
        assert np.abs(browser.show(float(start) + 0.01).rgb.astype(int) - shown_first).max() <= 1
        assert np.abs(browser.show(float(end) - 0.01).rgb.astype(int) - shown_first).max() > 20


@pytest.mark.parametrize("extension", ["mp4", "webm"])
def test_packets_of_sound_follow_each_other_without_a_gap(extension: str, tmp_path: Path) -> None:
    """Chromium counts decoded samples, and knows no gaps between packets: with them all after is too early."""
    clip = with_clicks(tmp_path / f"clip.{extension}")
    found = packets(telecine.concat([clip] * 9, tmp_path / f"all.{extension}").path, "audio")
    steps = {after[0] - before[0] for before, after in pairwise(found)}
    assert steps == ({1024} if extension == "mp4" else {20})


@pytest.mark.parametrize(("extension", "options"), [("mov", {"codec": "prores"}), ("mkv", {"quality": "lossless"})])
def test_pcm_is_joined_to_the_sample(extension: str, options: dict[str, Any], tmp_path: Path) -> None:
    """Seven frames last 11211.2 samples, so that some clips begin a sample later than those before end."""
    random = np.random.default_rng(0)
    sounds = [random.uniform(-0.5, 0.5, (11211, 2)).astype(np.float32) for _ in range(6)]
    clips = [
        export(tmp_path / f"{at}.{extension}", audio=sound, audio_rate=RATE, **options)
        for at, sound in enumerate(sounds)
    ]
    video = telecine.concat(clips, tmp_path / f"all.{extension}")
    found = heard(video)
    for (start, _), sound in zip(video.spans, sounds, strict=True):
        first = round(start * RATE)
        np.testing.assert_array_equal(found[first : first + len(sound)], sound)
    assert abs(len(found) - video.duration * RATE) <= 1


def test_pcm_that_is_longer_or_shorter_than_its_frames_is_cut_and_filled(tmp_path: Path) -> None:
    ones = [made(tmp_path / f"{at}.mov", "pcm_s16le", np.full((length, 1), 9000, np.int16), RATE, "mono", video=True)
            for at, length in enumerate((30_000, 9000, 24_000))]  # fmt: skip
    video = telecine.concat(ones, tmp_path / "all.mov")
    expected = np.concatenate([np.ones(24_000), np.ones(9000), np.zeros(15_000), np.ones(24_000)])
    np.testing.assert_array_equal(heard(video)[:, 0], 9000 * expected)


def test_pcm_that_begins_before_the_frames_does_so_in_the_first_clip_alone(tmp_path: Path) -> None:
    one = np.full((24_000, 1), 9000, np.int16)
    made(tmp_path / "clip.mkv", "pcm_s16le", one, RATE, "mono", video=True)
    inputs = ["-itsoffset", "0.1", "-i", tmp_path / "clip.mkv", "-i", tmp_path / "clip.mkv"]
    ffmpeg(*inputs, "-map", "0:v", "-map", "1:a", "-c", "copy", tmp_path / "early.mkv")
    video = telecine.concat([tmp_path / "early.mkv"] * 2, tmp_path / "all.mkv")
    expected = np.concatenate([np.ones(24_000), np.zeros(4800), np.ones(19_200)])
    np.testing.assert_array_equal(heard(video)[:, 0], 9000 * expected)


@pytest.mark.parametrize(("extension", "rate"), [("mp4", RATE), ("mkv", 44_100)])
def test_flac_is_joined_to_the_sample_where_it_is_as_long_as_the_frames(
    extension: str, rate: int, tmp_path: Path
) -> None:
    sounds = [np.random.default_rng(at).integers(-9999, 9999, (rate * 7 // 15, 2), np.int16) for at in range(3)]
    clips = [
        export(tmp_path / f"{at}.{extension}", fps=15, quality="lossless", audio=sound, audio_rate=rate)
        for at, sound in enumerate(sounds)
    ]
    video = telecine.concat(clips, tmp_path / f"all.{extension}")
    np.testing.assert_array_equal(heard(video), np.concatenate(sounds))
    with av.open(video.path) as container:
        record = container.streams.audio[0].codec_context.extradata
        assert record is not None
        assert int.from_bytes(record[13:18], "big") & 0xF_FFFF_FFFF in (0, len(sounds[0]) * 3)  # unknown, or all
        assert record[18:34] in (bytes(16),)  # no digest of one of them


@pytest.mark.parametrize(("encoder", "extension", "packet"), [("aac", "mp4", 1024), ("libopus", "mkv", 960)])
def test_what_a_sound_lacks_is_silence_to_the_end_of_its_clip(
    encoder: str, extension: str, packet: int, tmp_path: Path
) -> None:
    loud = np.round(9000 * np.sin(np.arange(9600) / 9)).astype(np.int16)[:, None]
    clip = made(tmp_path / f"clip.{extension}", encoder, loud, RATE, "mono", video=True)  # half a second of pictures
    video = telecine.concat([clip] * 3, tmp_path / f"all.{extension}")
    assert video.notes == ()
    found = np.abs(heard(video)[:, 0])
    for start, _ in video.spans:
        at = round(start * RATE)
        assert found[at + packet : at + 9600 - packet].reshape(-1, 16).max(axis=1).min() > 0.1
        assert found[at + 9600 + 2 * packet : at + 24_000 - 2 * packet].max(initial=0) < 0.01


def test_a_clip_without_sound_is_refused_or_all_are_joined_without(tmp_path: Path) -> None:
    clips = [with_clicks(tmp_path / "a.mp4"), export(tmp_path / "b.mp4")]
    for order in (clips, clips[::-1]):
        with pytest.raises(OptionError, match=r"b\.mp4' has no sound, and .*a\.mp4' has some: .*audio=False"):
            telecine.concat(order, tmp_path / "all.mp4")
        video = telecine.concat(order, tmp_path / "all.mp4", audio=False)
        assert telecine.probe(video).audio is None
        assert_joined(video, order)


def test_sounds_of_two_kinds_are_refused(tmp_path: Path) -> None:
    sound = np.zeros((4410, 2), np.float32)
    clips = [export(tmp_path / f"{rate}.mp4", audio=sound, audio_rate=rate) for rate in (48_000, 44_100)]
    with pytest.raises(OptionError, match=r"44100\.mp4' .* its sample rate is 44100, not 48000: .*audio=False"):
        telecine.concat(clips, tmp_path / "all.mp4")
    with pytest.raises(OptionError, match=r"sound of aac does not go into webm: .*audio=False"):
        telecine.concat([export(tmp_path / "a.mp4", codec="av1", audio=sound, audio_rate=48_000)], tmp_path / "a.webm")


# ---- what it says --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extension", ["mp4", "mov", "webm", "mkv"])
def test_it_says_of_itself_what_the_first_clip_does_or_what_is_given(extension: str, tmp_path: Path) -> None:
    clips = [export(tmp_path / f"{at}.{extension}", metadata=said) for at, said in enumerate((METADATA, {"a": 1}))]
    video = telecine.concat(clips, tmp_path / f"all.{extension}")
    assert same(telecine.probe(video).metadata, METADATA)
    video = telecine.concat(clips, tmp_path / f"all.{extension}", metadata={"task": "fold the towel"})
    assert telecine.probe(video).metadata == {"task": "fold the towel"}


# ---- refused -------------------------------------------------------------------------------------------------------

UNLIKE: dict[str, tuple[dict[str, Any], str]] = {
    "codec": ({"codec": "hevc"}, "codec is hevc, not h264"),
    "size": ({"count": 0}, "size is 96x64, not 64x48"),
    "bits": ({"bit_depth": 10}, "pixel format is yuv420p10le, not yuv420p"),
    "colour": ({"color": "bt709"}, "colour is bt709 matrix.*, not smpte170m"),
    "profile": ({"encoder_options": {"profile": "main"}}, "profile is Main, not High"),
    "parameter sets": ({"encoder_options": {"refs": "4"}}, "h264 parameters are others"),
    "rate": ({"fps": 24}, "h264 parameters are others, as of another frame rate"),
}


@pytest.mark.parametrize("what", UNLIKE)
def test_the_first_that_is_not_like_the_first_is_named_and_nothing_is_written(what: str, tmp_path: Path) -> None:
    options, said = UNLIKE[what]
    clips = exports(tmp_path, "mp4", (5, 6))
    other = tmp_path / "other.mp4"
    if options.pop("count", None) is None:
        export(other, **options)
    else:
        telecine.export_video(noise(3, 96, 64), other, fps=NTSC)
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "all.mp4").write_bytes(OLDER)
    with pytest.raises(OptionError, match=rf"other\.mp4' can't be joined to .*0\.mp4': its {said}.*: export"):
        telecine.concat([*clips, other, tmp_path / "absent.mp4"], folder / "all.mp4")
    assert_untouched(folder / "all.mp4")


def test_what_an_edit_list_hides_is_no_clip(foreign: list[Path], tmp_path: Path) -> None:
    ffmpeg("-ss", "0.2", "-i", foreign[0], "-an", "-c", "copy", tmp_path / "cut.mp4")
    with pytest.raises(OptionError, match=r"cut\.mp4' can't follow another clip: it begins within a recording"):
        telecine.concat([tmp_path / "cut.mp4"], tmp_path / "all.mp4")


OPEN = "open-gop=1:keyint=10:scenecut=0"


@pytest.mark.parametrize(
    ("encoder", "options", "said"),
    [
        ("libx264", ["-x264-params", f"bframes=3:{OPEN}"], "some of its frames are shown before its first key frame"),
        (
            "libx265",
            ["-x265-params", f"bframes=0:log-level=none:{OPEN}"],
            r"its first picture .* \(an IDR\)",
        ),
    ],
)
def test_pictures_that_lean_on_those_before_are_no_clip(
    encoder: str, options: list[str], said: str, tmp_path: Path
) -> None:
    whole, late = tmp_path / "whole.mkv", tmp_path / "late.mkv"
    source = ["-f", "lavfi", "-i", "testsrc2=size=96x64:rate=25:duration=2", "-pix_fmt", "yuv420p"]
    ffmpeg(*source, "-c:v", encoder, *options, whole)
    ffmpeg("-ss", "0.9", "-i", whole, "-c", "copy", "-copyts", "-avoid_negative_ts", "disabled", late)
    assert packets(late)[0][3]
    with pytest.raises(OptionError, match=rf"late\.mkv' can't follow another clip: {said}"):
        telecine.concat([late], tmp_path / "all.mkv")
    assert names_in(tmp_path) == ["late.mkv", "whole.mkv"]


def test_times_that_no_clock_counts_are_refused(tmp_path: Path) -> None:
    clips = [export(tmp_path / f"{fps}.mov", fps=fps, codec="prores") for fps in (100_003, 99_991)]
    with pytest.raises(OptionError, match=r"99991\.mov' and .* no common clock .*: it would tick 9,999,399,973 times"):
        telecine.concat(clips, tmp_path / "all.mov")


def test_what_is_no_list_of_videos_is_refused(tmp_path: Path) -> None:
    clip, gif = export(tmp_path / "clip.mp4"), export(tmp_path / "clip.gif", fps=16)
    for given, said in (
        (str(clip), r"is no list of videos: give \['.*clip\.mp4', …\]"),
        ([], "has none"),
        ([clip, 5], "is no path, no URL and no open file"),
        ([gif], r"clip\.gif' is gif, which can't be joined: use mp4 or mov or webm or mkv"),
    ):
        with pytest.raises(OptionError, match=said):
            telecine.concat(given, tmp_path / "all.mp4")  # type: ignore[arg-type]
    for output, said in (("all.gif", "concat makes no gif"), ("all.webm", r"is h264, .* into webm: use '\.mp4' or")):
        with pytest.raises(OptionError, match=said):
            telecine.concat([clip], tmp_path / output)
    with pytest.raises(InputError, match="absent"):
        telecine.concat([clip, tmp_path / "absent.mp4"], tmp_path / "all.mp4")
    (tmp_path / "cut.mp4").write_bytes(clip.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"cut\.mp4' is cut off"):
        telecine.concat([clip, tmp_path / "cut.mp4"], tmp_path / "all.mp4")
    assert names_in(tmp_path) == ["clip.gif", "clip.mp4", "cut.mp4"]


# ---- where from, where to ------------------------------------------------------------------------------------------


def test_videos_paths_urls_and_open_files_come_from_anywhere_and_go_anywhere(tmp_path: Path) -> None:
    clips = exports(tmp_path, "mp4", (3, 4, 5, 6))
    first = telecine.export_video(waves(3), tmp_path / "0.mp4", fps=NTSC)
    url = "memory://joined/1.mp4"
    fsspec.filesystem("memory").pipe_file(url, clips[1].read_bytes())
    givens: list[Any] = [first, url, io.BytesIO(clips[2].read_bytes()), Piped(clips[3].read_bytes())]
    video = telecine.concat(iter(givens), tmp_path / "all.mp4")
    assert_joined(video, clips)
    file = io.BytesIO(b"in front")
    file.seek(0, io.SEEK_END)
    telecine.concat(clips, file, format="mp4")
    assert file.getvalue() == b"in front" + (tmp_path / "all.mp4").read_bytes()
    stored = telecine.concat(clips, "memory://joined/all.mp4")
    assert str(stored) == "memory://joined/all.mp4"
    assert stored.read_bytes() == (tmp_path / "all.mp4").read_bytes()


def test_a_clip_may_be_where_the_file_goes(tmp_path: Path) -> None:
    clips = exports(tmp_path, "mp4", (3, 4))
    frames = shown(clips[0]) + shown(clips[1])
    video = telecine.concat(clips, clips[0])
    assert [planes for _, planes in shown(video.path)] == [planes for _, planes in frames]
    assert names_in(tmp_path) == ["0.mp4", "1.mp4"]


def test_overwrite_false_leaves_what_is_there(tmp_path: Path) -> None:
    clip, folder = export(tmp_path / "clip.mp4"), tmp_path / "out"
    folder.mkdir()
    (folder / "all.mp4").write_bytes(OLDER)
    with pytest.raises(PublishError, match="exists"):
        telecine.concat([clip], folder / "all.mp4", overwrite=False)
    assert_untouched(folder / "all.mp4")


def test_a_failure_within_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clips, folder = exports(tmp_path, "mp4", (5, 6)), tmp_path / "out"
    folder.mkdir()
    (folder / "all.mp4").write_bytes(OLDER)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(PublishError):
            telecine.concat(clips, folder / "all.mp4")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert_untouched(folder / "all.mp4")
    monkeypatch.setattr("telecine.encode.joined.starts_of", lambda clips: [Fraction(0)] * (len(clips) + 1))
    with pytest.raises(EncodeError):
        telecine.concat(clips, folder / "all.mp4")
    assert_untouched(folder / "all.mp4")


def test_more_clips_than_files_may_be_open(tmp_path: Path) -> None:
    clip = export(tmp_path / "clip.mp4", 1)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, limits[1]))
    try:
        video = telecine.concat([clip] * 100, tmp_path / "all.mp4")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert video.frame_count == 100


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clips = [str(each) for each in exports(tmp_path, "mp4", (3, 4))]
    assert run(["concat", *clips, "-o", str(tmp_path / "all.mp4")]) == 0
    assert "frames      7" in capsys.readouterr().out
    assert_joined(telecine.concat(clips, tmp_path / "again.mp4"), [Path(each) for each in clips])
    assert (tmp_path / "all.mp4").read_bytes() == (tmp_path / "again.mp4").read_bytes()
    assert run(["concat", *clips, "-o", str(tmp_path / "all.mp4"), "--no-overwrite"]) == 1
    assert run(["concat", *clips, "-o", str(tmp_path / "all.webm")]) == 2
