"""A finished video with another sound: the packets of its pictures, and what is said of them, stay as they are."""

from __future__ import annotations

import io
import os
import resource
import struct
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import fsspec
import numpy as np
import pytest

import telecine
from telecine import EncodeError, InputError, OptionError, PublishError
from telecine.cli.commands import run

from .support.browser import Browser
from .support.helpers import Piped, assert_untouched, failing_at, greys, names_in
from .support.mp4 import box, boxes
from .support.sounds import LOUD, RATE, clicks, heard, made, peaks, tone

pytestmark = pytest.mark.filterwarnings("ignore:.*(does not play everywhere|are composited)")

MATROSKA = {".mkv", ".webm"}  # whose clock is of milliseconds
SECONDS = 1.25
CLICKS = [RATE // 4, RATE]
CLICKING = clicks(CLICKS, round(RATE * SECONDS))
COLORS = np.random.default_rng(0).random((9, 48, 64, 3)).astype(np.float32)
ALPHA = np.random.default_rng(0).random((9, 48, 64, 4)).astype(np.float32)
TIMES = [Fraction(each, 100) for each in (0, 10, 30, 35, 50, 90, 100, 110, 120)]


def ffmpeg(*arguments: object) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)


def listed(path: object, streams: str = "0:v") -> list[str]:
    """What FFmpeg's program lists of packets: when each is decoded and shown, for how long, its size and its MD5."""
    command = ["ffmpeg", "-v", "error", "-copyts", "-i", str(path), "-map", streams, "-c", "copy", "-copyts"]
    done = subprocess.run([*command, "-f", "framemd5", "-"], check=True, capture_output=True, text=True)
    return [line for line in done.stdout.splitlines() if not line.startswith(("#software", "#extradata"))]


def streams_of(path: object) -> list[str]:
    command = ["ffprobe", "-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", str(path)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def exact(timed: Any) -> Fraction:
    """When a packet or a frame is, in seconds."""
    return Fraction(timed.pts * timed.time_base.numerator, timed.time_base.denominator)


def first_shown(path: Path) -> Fraction:
    """When the first frame is shown, in seconds."""
    with av.open(path) as container:
        return min(exact(each) for each in container.demux(video=0) if each.pts is not None and not each.is_discard)


# ---- the videos ----------------------------------------------------------------------------------------------------

COPIES: dict[str, tuple[str, list[object]]] = {
    "ffmpeg": (".mp4", []),
    "ffmpeg, index in front": (".mp4", ["-movflags", "faststart"]),
    "ffmpeg, no edit list": (".mp4", ["-use_editlist", "0"]),
    "ffmpeg, fragments": (".mp4", ["-movflags", "frag_keyframe+empty_moov"]),
    "ffmpeg, fragments with edit lists": (".mov", ["-movflags", "frag_keyframe+delay_moov"]),
    "ffmpeg, cut amid its frames": (".mp4", ["-ss", "0.3", "-t", "0.5"]),
    "ffmpeg, turned": (".mov", ["-metadata:s:v", "rotate=90", "-aspect", "2:1", "-metadata", "title=A title"]),
    "ffmpeg, mkv": (".mkv", ["-metadata", "title=A title"]),
    "ffmpeg, mkv with Opus": (".mkv", ["-c:a", "libopus"]),
    "ffmpeg, no sound": (".mp4", ["-an"]),
    "ffmpeg, brand 3gp": (".mp4", ["-an", "-brand", "3gp6"]),
}
EXPORTS: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "mp4": (".mp4", COLORS, {"fps": "30000/1001", "metadata": {"prompt": "é", "seed": 3}}),
    "mov": (".mov", COLORS, {"metadata": {"prompt": "é", "seed": 3}}),
    "webm": (".webm", COLORS, {"fps": 24, "metadata": {"prompt": "é", "seed": 3}}),
    "mkv": (".mkv", COLORS, {"fps": "30000/1001"}),
    "one frame": (".mp4", COLORS[:1], {}),
    "one frame, webm": (".webm", COLORS[:1], {}),
    "odd size": (".mp4", COLORS[:, :47, :63], {}),
    "held": (".mp4", COLORS, {"hold": 1.5}),
    "uneven and held": (".mp4", COLORS, {"timestamps": TIMES, "hold": 0.7}),
    "uneven and held, mkv": (".mkv", COLORS, {"timestamps": TIMES, "hold": 0.7}),
    "HDR": (".mp4", COLORS, {"codec": "hevc", "color": "pq", "light": "scene-linear"}),
    "HDR, mkv": (".mkv", COLORS, {"codec": "av1", "color": "pq", "light": "scene-linear"}),
    "ProRes with alpha": (".mov", ALPHA, {"codec": "prores", "pixel_format": "yuva444p10le"}),
    "alpha beside": (".webm", ALPHA, {"pixel_format": "yuva420p"}),
    "AV1 with sound": (".mp4", COLORS, {"codec": "av1", "audio": tone(0.5), "audio_rate": RATE}),
    "FFV1": (".mkv", COLORS, {"codec": "ffv1"}),
}


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of FFmpeg's own command, with B-frames, and sound that ends before the frames do."""
    clip = tmp_path_factory.mktemp("foreign") / "clip.mp4"
    video = ["-f", "lavfi", "-i", "testsrc2=size=96x64:rate=30000/1001:duration=0.9"]
    sound = ["-f", "lavfi", "-i", "sine=frequency=440:duration=0.5:sample_rate=44100"]
    ffmpeg(*video, *sound, "-c:v", "libx264", "-g", 10, "-bf", 3, "-c:a", "aac", "-pix_fmt", "yuv420p", clip)
    return clip


@pytest.fixture(scope="module", params=[*COPIES, *EXPORTS])
def video(request: pytest.FixtureRequest, foreign: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    if request.param in COPIES:
        extension, options = COPIES[request.param]
        ffmpeg("-i", foreign, "-c:v", "copy", *options, folder / f"clip{extension}")
        return folder / f"clip{extension}"
    extension, frames, how = EXPORTS[request.param]
    return telecine.export_video(frames, folder / f"clip{extension}", **how).path


def export(path: Path, **how: Any) -> Path:
    return telecine.export_video(greys(), path, **how).path


# ---- pictures ------------------------------------------------------------------------------------------------------


def test_the_packets_of_the_pictures_are_the_same_with_a_sound_and_without(video: Path, tmp_path: Path) -> None:
    before, facts = listed(video), telecine.probe(video)
    for sound, rate in ((CLICKING, RATE), (None, None)):
        made = telecine.add_audio(video, cast(Any, sound), tmp_path / f"new{video.suffix}", audio_rate=rate)
        assert listed(made) == before
        found = telecine.probe(made)
        assert (found.audio is None) == (sound is None)
        for name in set(vars(facts)) - {"path", "size_bytes", "audio", "index_in_front", "notes", "fps", "duration"}:
            if name != "metadata" or facts.metadata.get("encoder", "Lavf") == "Lavf":
                assert getattr(found, name) == getattr(facts, name), name
        assert abs(found.duration - facts.duration) <= (Fraction(2, 1000) if video.suffix in MATROSKA else 0)
        assert found.index_in_front is True
        assert (made.frame_count, made.fps, made.path) == (
            found.frame_count,
            found.fps,
            tmp_path / f"new{video.suffix}",
        )
        assert names_in(tmp_path) == [f"new{video.suffix}"]
    assert np.array_equal(list(telecine.read_frames(made)), list(telecine.read_frames(video)))


def test_a_click_is_heard_when_its_frame_is_shown(video: Path, tmp_path: Path) -> None:
    made = telecine.add_audio(video, CLICKING, tmp_path / f"new{video.suffix}", audio_rate=RATE)
    with av.open(made.path) as container:
        first_heard = exact(next(container.decode(audio=0)))
    found = [first_heard + Fraction(int(at), RATE) - first_shown(made.path) for at in peaks(heard(made)[:, 0])]
    assert len(found) == len(CLICKS)
    assert all(abs(time - Fraction(at, RATE)) <= Fraction(1, 1000) for time, at in zip(found, CLICKS, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ffmpeg", "ffmpeg, fragments", "two pieces", "webm"])
def test_chromium_shows_the_frames_and_hears_a_click_when_its_frame_is_shown(
    kind: str, browser: Browser, foreign: Path, tmp_path: Path
) -> None:
    video = foreign
    if kind in COPIES:
        video = tmp_path / "clip.mp4"
        ffmpeg("-i", foreign, "-c", "copy", *COPIES[kind][1], video)
    elif kind in EDITS:
        video = tmp_path / "clip.mp4"
        ffmpeg("-i", foreign, "-an", "-c", "copy", video)
        with_edits(video, EDITS[kind])
    else:
        video = export(tmp_path / f"clip.{kind}")
    made = telecine.add_audio(video, CLICKING, tmp_path / f"new{video.suffix}", audio_rate=RATE).path
    found = np.array(browser.hear(made, RATE, 1, LOUD).peaks[0]) / RATE - float(first_shown(made))
    assert np.abs(found - np.array(CLICKS) / RATE).max() <= 0.0015
    of_both = []
    for each in (video, made):
        browser.load(each)
        of_both.append(browser.show(0.3).rgb)
    assert np.array_equal(of_both[0], of_both[1])


def tracks_of(path: Path) -> list[list[tuple[str, bytes]]]:
    """The boxes of each track."""
    return [boxes(payload) for kind, payload in boxes(box(path.read_bytes(), "moov")) if kind == "trak"]


def test_an_index_stays_byte_by_byte_but_for_where_samples_lie(foreign: Path, tmp_path: Path) -> None:
    video = tmp_path / "clip.mov"
    options = ["-metadata:s:v", "rotate=90", "-metadata", "title=A title", "-timecode", "01:00:00:00"]
    ffmpeg("-i", foreign, "-map", "0:v", "-map", "0:a", "-map", "0:a", "-c", "copy", *options, video)
    made = telecine.add_audio(video, CLICKING, tmp_path / "new.mov", audio_rate=RATE).path
    assert (len(tracks_of(video)), len(tracks_of(made))) == (4, 3)
    before, after = dict(boxes(video.read_bytes())), dict(boxes(made.read_bytes()))
    assert list(after) == ["ftyp", "moov", "mdat"]
    assert after["ftyp"] == before["ftyp"]
    assert box(after["moov"], "udta") == box(before["moov"], "udta")
    old, timecode = dict(tracks_of(video)[0]), dict(tracks_of(video)[3])
    new = dict(tracks_of(made)[0])
    assert {name: old[name] for name in old if name != "mdia"} == {name: new[name] for name in new if name != "mdia"}
    old_table, new_table = (dict(boxes(box(each["mdia"], "minf", "stbl"))) for each in (old, new))
    assert {"stsd", "stts", "ctts", "stss", "stsz"} <= old_table.keys() == new_table.keys()
    assert {name for name in old_table if old_table[name] != new_table[name]} <= {"stsc", "stco"}
    kept = dict(tracks_of(made)[1])
    assert kept["tkhd"] == timecode["tkhd"]
    assert listed(made, "0:d") == listed(video, "0:d")
    assert telecine.probe(made).metadata == telecine.probe(video).metadata
    with av.open(made) as container:
        assert container.streams.video[0].metadata["timecode"] == "01:00:00:00"


def with_edits(path: Path, entries: list[tuple[int, int]]) -> None:
    """Give the pictures of a file whose index is at its end an edit list of these (duration, time of the media)."""
    data = path.read_bytes()
    elst = struct.pack(">II", 0, len(entries)) + b"".join(struct.pack(">IiI", *each, 1 << 16) for each in entries)
    edts = struct.pack(">I4sI4s", 16 + len(elst), b"edts", 8 + len(elst), b"elst") + elst
    old = data.index(b"edts") - 4
    end = old + int.from_bytes(data[old : old + 4], "big")
    more = len(edts) - (end - old)
    changed = bytearray(data[:old] + edts + data[end:])
    for kind in (b"moov", b"trak"):
        at = data.index(kind) - 4
        changed[at : at + 4] = (int.from_bytes(data[at : at + 4], "big") + more).to_bytes(4, "big")
    path.write_bytes(changed)


EDITS = {
    "a piece": [(500, 3 * 1001 + 2002)],
    "two pieces": [(300, 2002), (300, 2002 + 12 * 1001)],
    "late, and then a piece": [(250, -1), (600, 2002)],
    "backwards": [(200, 2002 + 15 * 1001), (200, 2002)],
}


@pytest.mark.parametrize("edits", EDITS)
def test_edit_lists_of_others_stay(edits: str, foreign: Path, tmp_path: Path) -> None:
    video = tmp_path / "clip.mp4"
    ffmpeg("-i", foreign, "-an", "-c", "copy", video)
    with_edits(video, EDITS[edits])
    before = listed(video)
    made = telecine.add_audio(video, CLICKING, tmp_path / "new.mp4", audio_rate=RATE)
    assert dict(tracks_of(made.path)[0])["edts"] == dict(tracks_of(video)[0])["edts"]
    assert listed(made) == before


def test_offsets_of_64_bits_lead_to_the_same_packets(
    foreign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telecine.encode.kept_index._32_BITS", 1)
    made = telecine.add_audio(foreign, CLICKING, tmp_path / "new.mp4", audio_rate=RATE)
    table = dict(boxes(box(dict(tracks_of(made.path)[0])["mdia"], "minf", "stbl")))
    assert {"co64"} <= table.keys()
    assert "stco" not in table
    assert dict(boxes(made.read_bytes())).keys() == {"ftyp", "moov", "mdat"}
    assert listed(made) == listed(foreign)
    assert len(peaks(heard(made)[:, 0])) == len(CLICKS)


def test_what_a_matroska_has_beside_pictures_and_sound_stays(foreign: Path, tmp_path: Path) -> None:
    text, chapters, video = tmp_path / "text.srt", tmp_path / "chapters.txt", tmp_path / "clip.mkv"
    text.write_text("1\n00:00:00,100 --> 00:00:00,500\nHello\n\n")
    chapters.write_text(";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle=One\n")
    inputs = ["-i", foreign, "-i", text, "-i", chapters, "-map", "0", "-map", "1", "-map_metadata", "2"]
    ffmpeg(*inputs, "-c", "copy", "-attach", text, "-metadata:s:t", "mimetype=text/plain", video)
    made = telecine.add_audio(video, CLICKING, tmp_path / "new.mkv", audio_rate=RATE)
    assert streams_of(video) == ["h264", "aac", "subrip", "unknown"]
    assert sorted(streams_of(made)) == ["h264", "opus", "subrip", "unknown"]
    assert listed(made, "0:s") == listed(video, "0:s")
    with av.open(video) as before, av.open(made.path) as after:
        assert after.chapters() == before.chapters() != []
        assert after.streams.attachments[0].data == text.read_bytes()
    assert made.notes == ("the sound goes on for 0.35 s after the last frame",)


# ---- sound ---------------------------------------------------------------------------------------------------------


def test_all_the_sounds_that_it_has_are_replaced_by_the_one(foreign: Path, tmp_path: Path) -> None:
    video = tmp_path / "clip.mp4"
    ffmpeg("-i", foreign, "-map", "0:v", "-map", "0:a", "-map", "0:a", "-c", "copy", video)
    assert streams_of(video) == ["h264", "aac", "aac"]
    telecine.add_audio(video, tone(0.9, 44_100), audio_rate=44_100)
    assert streams_of(video) == ["h264", "aac"]
    audio = telecine.probe(video).audio
    assert audio is not None
    assert (audio.sample_rate, audio.channels) == (44_100, 2)


@pytest.mark.parametrize("extension", ["mp4", "mov", "mkv", "webm"])
@pytest.mark.parametrize(("fit", "seconds"), [("pad", 1.25), ("trim", 0.5), ("loop", 0.5)])
def test_a_sound_is_fitted_as_an_export_fits_it(extension: str, fit: Any, seconds: float, tmp_path: Path) -> None:
    video = export(tmp_path / f"clip.{extension}", fps=10)
    made = telecine.add_audio(video, CLICKING, tmp_path / f"new.{extension}", audio_rate=RATE, audio_fit=fit)
    exported = export(tmp_path / f"whole.{extension}", fps=10, audio=CLICKING, audio_rate=RATE, audio_fit=fit)
    audio = telecine.probe(made).audio
    assert audio is not None
    assert abs(audio.duration - Fraction(seconds)) <= Fraction(1, 1000)
    length = round(RATE * seconds)
    assert np.array_equal(heard(made)[:length], heard(exported)[:length])
    assert made.notes == (("the sound goes on for 0.75 s after the last frame",) if fit == "pad" else ())


def test_the_sound_is_of_any_form_that_an_export_takes(tmp_path: Path) -> None:
    video, sound = export(tmp_path / "clip.mp4"), tone(0.5)
    wav = made(tmp_path / "é%03d talk.wav", "pcm_s16le", sound, RATE, "stereo")
    exported = telecine.add_audio(video, wav, tmp_path / "0.mp4").read_bytes()
    forms: list[Any] = [
        {"array": sound, "sampling_rate": RATE},
        (RATE, sound),
        {"bytes": wav.read_bytes(), "path": None},
        io.BytesIO(wav.read_bytes()),
        Piped(wav.read_bytes()),
    ]
    for form in forms:
        assert telecine.add_audio(video, form, tmp_path / "1.mp4").read_bytes() == exported


def test_sound_beside_what_is_edited_is_lossless(tmp_path: Path) -> None:
    video, sound = export(tmp_path / "clip.mov", codec="prores"), tone(0.3125)
    assert np.array_equal(heard(telecine.add_audio(video, sound, audio_rate=RATE)), sound)


# ---- where it goes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extension", ["mp4", "mov", "mkv", "webm"])
def test_in_place_it_is_the_same_file_as_elsewhere(extension: str, tmp_path: Path) -> None:
    folder = tmp_path / "an é 日本 %03d"
    folder.mkdir()
    video = export(folder / f"clip é%d.{extension}")
    elsewhere = telecine.add_audio(video, CLICKING, tmp_path / f"new.{extension}", audio_rate=RATE)
    os.chmod(video, 0o600)
    in_place = telecine.add_audio(video, CLICKING, audio_rate=RATE)
    assert in_place.path == video
    assert video.read_bytes() == elsewhere.read_bytes()
    assert video.stat().st_mode & 0o777 == 0o600
    assert names_in(folder) == [video.name]


@pytest.mark.parametrize("extension", ["mp4", "webm"])
def test_open_files_urls_and_videos_come_from_anywhere_and_go_anywhere(
    extension: str, tmp_path: Path, temporary: Path
) -> None:
    video = telecine.export_video(greys(), tmp_path / f"clip.{extension}")
    expected = telecine.add_audio(video, CLICKING, tmp_path / f"new.{extension}", audio_rate=RATE).read_bytes()
    url, file = f"memory://sound/clip.{extension}", io.BytesIO()
    stored = fsspec.filesystem("memory")
    stored.pipe_file(url, video.read_bytes())
    with video.open() as opened:
        telecine.add_audio(opened, CLICKING, file, audio_rate=RATE)
    assert file.getvalue() == expected
    telecine.add_audio(Piped(video.read_bytes()), CLICKING, f"{url}.{extension}", audio_rate=RATE)
    assert stored.cat(f"{url}.{extension}") == expected
    assert str(telecine.add_audio(url, CLICKING, audio_rate=RATE)) == url
    assert stored.cat(url) == expected
    assert [each for each in temporary.rglob("*") if each.is_file()] == []


def test_a_full_disk_leaves_the_video_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    for extension in ("mp4", "mkv"):
        video = export(folder / f"clip.{extension}")
        held = video.read_bytes()
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        for most in (1000, len(held), len(held) + 2_000):
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, limits[1]))
            try:
                with pytest.raises(PublishError, match=r"can't be written: File too large"):
                    telecine.add_audio(video, tone(3.0), audio_rate=RATE)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            assert_untouched(video, held)
        video.unlink()


def test_a_failure_within_leaves_the_video_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    video = export(folder / "clip.mp4")
    held = video.read_bytes()

    def failing(*_: object) -> Iterator[Any]:
        return failing_at(1, [np.zeros((9, 1), np.float32)] * 2, KeyboardInterrupt())

    with monkeypatch.context() as patched:
        patched.setattr("telecine.sound.encode.fitted", failing)
        with pytest.raises(KeyboardInterrupt):
            telecine.add_audio(video, CLICKING, audio_rate=RATE)
    assert_untouched(video, held)
    monkeypatch.setattr("telecine.encode.kept_index._copy", lambda file, start, end, to: to.write(bytes(end - start)))
    with pytest.raises(EncodeError, match=r"the pictures can't be kept as they are: .*packets as they were is False"):
        telecine.add_audio(video, CLICKING, audio_rate=RATE)
    assert_untouched(video, held)


# ---- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extension", ["gif", "webp", "avif", "apng"])
def test_what_holds_no_sound_is_refused_with_what_to_do(extension: str, tmp_path: Path) -> None:
    image = export(tmp_path / f"clip.{extension}")
    held = image.read_bytes()
    said = rf"clip\.{extension}' is {extension}, which can't get a sound: export its frames as \.mp4 with audio="
    with pytest.raises(OptionError, match=said):
        telecine.add_audio(image, CLICKING, audio_rate=RATE)
    assert_untouched(image, held)


def test_a_folder_of_images_is_refused_with_what_to_do(tmp_path: Path) -> None:
    folder = export(tmp_path / "frames", format="png")
    with pytest.raises(OptionError, match=r"frames' is a folder, which can't get a sound: export its frames as \.mp4"):
        telecine.add_audio(folder, CLICKING, audio_rate=RATE)


@pytest.mark.parametrize(
    ("sound", "options", "said"),
    [
        (CLICKING, {}, "audio is an array without a rate"),
        (CLICKING, {"audio_rate": 44.1}, "audio_rate=44.1 is not in samples a second"),
        (CLICKING, {"audio_rate": RATE, "audio_fit": "stretch"}, "audio_fit='stretch' is not known"),
        (CLICKING, {"audio_rate": RATE, "overwrite": False}, "without a path '.*' itself gets the sound"),
        (CLICKING, {"audio_rate": RATE, "path": "new.mkv"}, r"is mp4, and 'new.mkv' is to be mkv: telecine.concat"),
        (CLICKING, {"audio_rate": RATE, "path": "new.gif"}, r"is mp4, and 'new.gif' is to be gif: name it so"),
        (CLICKING, {"audio_rate": RATE, "path": "new"}, r"the extension '' of 'new' is not known"),
        (CLICKING, {"audio_rate": RATE, "storage_options": {"key": "me"}}, "storage_options= goes with a URL"),
        (None, {"audio_rate": RATE}, "audio=None takes the sound away: leave audio_rate= and audio_fit= out"),
        ({"wave": 1}, {}, "audio is a dict with 'wave'"),
        (np.full(9, np.nan), {"audio_rate": RATE}, "audio has 9 NaN or infinite values"),
        ("absent.wav", {}, "'absent.wav' can't be read"),
    ],
    ids=str,
)
def test_what_can_not_be_is_refused_and_nothing_is_written(
    sound: Any, options: Any, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = export(tmp_path / "clip.mp4")
    held = video.read_bytes()
    monkeypatch.chdir(tmp_path)
    with pytest.raises((OptionError, InputError), match=said):
        telecine.add_audio(video, sound, **options)
    assert_untouched(video, held)


def test_an_open_file_goes_somewhere_else(tmp_path: Path) -> None:
    with export(tmp_path / "clip.mp4").open("rb") as file, pytest.raises(OptionError, match="say with path= where"):
        telecine.add_audio(file, CLICKING, audio_rate=RATE)


def test_a_video_that_is_cut_off_or_damaged_is_refused(tmp_path: Path) -> None:
    video = export(tmp_path / "clip.mp4")
    data = video.read_bytes()
    for damaged in (data[:-50], data[: len(data) // 3], data.replace(b"trak", b"free"), b""):
        video.write_bytes(damaged)
        with pytest.raises(InputError):
            telecine.add_audio(video, CLICKING, audio_rate=RATE)
        assert_untouched(video, damaged)


def test_encrypted_samples_are_refused(foreign: Path, tmp_path: Path) -> None:
    video = tmp_path / "clip.mp4"
    key = ["-encryption_scheme", "cenc-aes-ctr", "-encryption_key", "00" * 16, "-encryption_kid", "11" * 16]
    ffmpeg("-i", foreign, "-an", "-c", "copy", *key, video)
    with pytest.raises(OptionError, match=r"clip\.mp4' can't get another sound: its samples are encrypted"):
        telecine.add_audio(video, CLICKING, audio_rate=RATE)


@pytest.mark.parametrize("movflags", ["faststart", "frag_keyframe+empty_moov"])
def test_a_signature_that_can_not_hold_goes_with_a_note(movflags: str, foreign: Path, tmp_path: Path) -> None:
    video = tmp_path / "clip.mp4"
    ffmpeg("-i", foreign, "-c", "copy", "-movflags", movflags, video)
    manifest = bytes.fromhex("d8fec3d61b0e483c92975828877ec481") + b"a manifest"
    with open(video, "ab") as file:
        file.write((8 + len(manifest)).to_bytes(4, "big") + b"uuid" + manifest)
    made = telecine.add_audio(video, None)
    assert b"a manifest" not in video.read_bytes()
    assert "its C2PA signature is left out: it can't hold of a file with another sound" in made.notes


# ---- the command ---------------------------------------------------------------------------------------------------


def test_the_command(foreign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wav, output = made(tmp_path / "talk.wav", "pcm_s16le", tone(3.0), RATE, "stereo"), tmp_path / "out.mp4"
    assert run(["add-audio", str(foreign), str(wav), "-o", str(output), "--audio-fit", "trim"]) == 0
    assert "frames      27" in capsys.readouterr().out
    expected = telecine.add_audio(foreign, wav, tmp_path / "new.mp4", audio_fit="trim").read_bytes()
    assert output.read_bytes() == expected
    assert run(["add-audio", str(output), "--remove"]) == 0
    assert streams_of(output) == ["h264"]
    assert run(["add-audio", str(output)]) == 2
    assert run(["add-audio", str(output), str(wav), "--remove"]) == 2
    assert run(["add-audio", str(foreign), str(wav), "-o", str(output), "--no-overwrite"]) == 1
