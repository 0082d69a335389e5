"""`encoder="auto"`: with all encoders there nothing changes; where FFmpeg lacks some, the next that opens is named."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import telecine
from telecine import OptionError, export_batch, export_bytes, export_video
from telecine.encode.trial import EncoderMissingError, is_here
from telecine.formats.codecs import CODECS
from telecine.formats.containers import CONTAINERS
from telecine.formats.encoders import ENCODERS, candidates, licence_of
from telecine.formats.ignored import GENERAL, ignored_options

from ..support.builds import pyav_without
from ..support.helpers import ROOT, Asked, assert_frames, assert_untouched, greys

pytestmark = pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning")

GPL = ("libx264", "libx264rgb", "libx265")
HARDWARE = ("nvenc", "qsv", "vaapi", "amf", "videotoolbox")


# ---- the table -----------------------------------------------------------------------------------------------------


def test_the_order_is_the_usual_one_then_software_then_hardware() -> None:
    def names(container: str, codec: str | None, hdr: bool = False) -> list[str]:
        return [row.encoder for row in candidates(CONTAINERS[container], codec, hdr)]

    h264 = ["libx264", "libopenh264", *(f"h264_{maker}" for maker in HARDWARE)]
    hevc = ["libx265", *(f"hevc_{maker}" for maker in HARDWARE)]
    av1 = ["libsvtav1", *(f"av1_{maker}" for maker in HARDWARE[:4])]
    assert names("mp4", "h264") == h264
    assert names("mp4", None) == h264 + hevc + av1
    assert names("mp4", None, hdr=True) == hevc + av1
    assert names("mov", None) == h264 + hevc  # no ProRes, which is made to be edited
    assert names("webm", None) == ["libvpx-vp9", *av1]
    assert names("mkv", "ffv1") == ["ffv1"]


def test_every_encoder_has_a_licence_and_reads_the_options_of_its_levels() -> None:
    assert {licence_of(name) for name in ENCODERS} == {"GPL", "BSD", "LGPL", "the driver's"}
    assert {name for name in ENCODERS if licence_of(name) == "GPL"} == {"libx264", "libx265"}
    openh264 = ENCODERS["libopenh264"]
    assert openh264.scale is not None
    used = {name for options in (*openh264.qualities.values(), openh264.scale.at_bitrate) for name in options}
    assert ignored_options("libopenh264", {*used, "b", "g", "profile"}) == []
    assert "bf" in ignored_options("libopenh264", GENERAL)


# ---- where the usual one is there ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"format": "webm"},
        {"codec": "hevc"},
        {"codec": "av1", "preset": "fast"},
        {"quality": "lossless"},
        {"max_bytes": 3000},
        {"codec": "hevc", "color": "pq", "light": "encoded"},
    ],
    ids=str,
)
def test_the_bytes_are_the_same_as_without_it(options: dict[str, Any]) -> None:
    options = {"format": "mp4", **options}
    frames = greys(5, 64, 64).astype(np.float32) / 510  # of which PQ makes no more than its display shows
    assert export_bytes(frames, encoder="auto", **options) == export_bytes(frames, **options)


def test_it_says_nothing_then(path: Path) -> None:
    assert export_video(greys(), path, encoder="auto").notes == ()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"quality": "best"}, "quality='best' is not known"),
        ({"crf": 52}, r"crf=52 is not in h264's range: use 0 \(best\) to 51"),
        ({"codec": "h265"}, "codec='h265' is not known"),
        ({"codec": "vp9"}, "codec='vp9' does not go into mp4"),
        ({"encoder_options": {"tune": "flim"}}, "tune='flim' is not known"),
        ({"encoder_options": {"bt": 1}}, "libx264 with .* ignores a part: 'bt' is not read$"),
    ],
)
def test_an_option_that_is_wrong_is_one_error(options: dict[str, Any], said: str, path: Path) -> None:
    frames = Asked(greys())
    with pytest.raises(OptionError, match=f"(?m)^{said}"):
        export_video(frames, path, encoder="auto", **options)
    assert frames.count == 0
    assert_untouched(path)


def test_it_goes_with_no_image(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="encoder='auto' does not go with gif: leave it out"):
        export_video(greys(), tmp_path / "clip.gif", encoder="auto")


def test_jobs_of_a_batch_take_it(tmp_path: Path) -> None:
    jobs = [{"frames": greys(), "output": "a.mp4"}, {"frames": greys(), "output": "b.webm", "encoder": "auto"}]
    assert export_batch(jobs, tmp_path, encoder="auto", workers=1).done == 2
    assert [telecine.probe(tmp_path / name).codec for name in ("a.mp4", "b.webm")] == ["h264", "vp9"]


def test_an_encoder_that_is_missing_is_an_error_that_can_be_sent_to_another_process(tmp_path: Path) -> None:
    missing = next(name for name in ENCODERS if not is_here(name))
    with pytest.raises(EncoderMissingError, match="is not in the FFmpeg that PyAV has here: use encoder=") as refused:
        export_video(greys(), tmp_path / "clip.mp4", encoder=missing)
    sent = pickle.loads(pickle.dumps(refused.value))
    assert (str(sent), sent.reason) == (str(refused.value), "not in the FFmpeg that PyAV has here")


# ---- an FFmpeg without it ------------------------------------------------------------------------------------------

# Each line of standard input is a call's options; each of standard output what came of it.
EXPORTS = """
import sys
sys.path.insert(0, sys.argv[1])
sys.path.append(sys.argv[2])
import json, numpy, telecine, warnings
from tests.support.helpers import greys

warnings.simplefilter("ignore")
frames = greys(12, 64, 64)
for number, line in enumerate(sys.stdin):
    options = json.loads(line)
    as_light = {"color": "pq", "light": "encoded"} if options.pop("hdr", False) else {}
    given = frames.astype("float32") / 255 if as_light else frames
    try:
        video = telecine.export_video(given, f"{number}.{options.get('format', 'mp4')}", **options, **as_light)
        print(json.dumps(["", video.codec, video.notes]), flush=True)
    except telecine.TelecineError as error:
        print(json.dumps([str(error), type(error).__name__, []]), flush=True)
"""


def exports_without(folder: Path, missing: tuple[str, ...], *calls: dict[str, Any]) -> list[tuple[str, str, list[str]]]:
    """Export in a process whose FFmpeg has not these encoders; gives the error, the codec and the notes of each."""
    build = pyav_without(folder / "build", *missing)
    lines = "".join(f"{json.dumps(each)}\n" for each in calls)
    command = [sys.executable, "-c", EXPORTS, str(build), str(ROOT)]
    done = subprocess.run(command, cwd=folder, input=lines, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_without_x264_an_export_names_auto_which_writes_what_else_the_container_holds(tmp_path: Path) -> None:
    auto, frames = {"encoder": "auto"}, greys(12, 64, 64)
    plain, av1, webm, hdr, limited, whole = exports_without(
        tmp_path, GPL, {}, auto, {**auto, "format": "webm"}, {**auto, "hdr": True}, {**auto, "max_bytes": 1700}, auto
    )
    assert plain[0] == (
        "encoder='libx264' is not in the FFmpeg that PyAV has here: encoder='auto' takes one that opens"
    )
    _, codec, notes = av1
    assert codec == "av1"
    assert notes[0].startswith("av1 Main in mp4 does not play everywhere")
    first = "encoded as av1 by libsvtav1 (BSD), the first that does it here: libx264 (GPL), libopenh264, "
    assert notes[1].startswith(first)
    assert "libx265" in notes[1]
    for maker in HARDWARE:
        assert f"h264_{maker}" in notes[1]
    assert_frames(tmp_path / "1.mp4", frames)
    assert (webm[1], [note for note in webm[2] if "encoded" in note]) == ("vp9", [])
    assert (hdr[1], telecine.probe(tmp_path / "3.mp4").color.transfer_name) == ("av1", "smpte2084")
    assert "for max_bytes" in " ".join(limited[2])
    assert (tmp_path / "4.mp4").stat().st_size <= 1700 < (tmp_path / "1.mp4").stat().st_size
    assert (tmp_path / "5.mp4").read_bytes() == (tmp_path / "1.mp4").read_bytes()
    assert whole == av1


@pytest.mark.slow
def test_a_codec_that_is_asked_for_is_kept_and_the_error_names_every_encoder_of_it(tmp_path: Path) -> None:
    auto = {"encoder": "auto"}
    asked = ("h264", "hevc", "av1")
    found = exports_without(
        tmp_path,
        (*GPL, "libsvtav1"),
        *({**auto, "codec": codec} for codec in asked),
        {**auto, "quality": "lossless"},
        {**auto, "quality": "best"},
        {"encoder": "h264_vaapi"},
        {**auto, "codec": "h264", "encoder_options": {"tune": "film"}},
    )
    for codec, (said, kind, _) in zip(asked, found[:3], strict=True):
        assert kind == "OptionError"
        assert said.startswith("encoder='auto' finds none that does it here: ")
        assert all(row.encoder in said for row in candidates(CONTAINERS["mp4"], codec, False))
        assert said.endswith(f"; without codec={codec!r} another codec's may do")
        assert "\n" not in said
    lossless, wrong, named, tuned = (said for said, _, _ in found[3:])
    assert "h264_nvenc, " in lossless
    assert "quality='lossless' is not what it does" in lossless
    assert wrong.startswith("quality='best' is not known: ")
    assert named.endswith(": encoder='auto' takes one that opens")
    assert "libx264 (GPL), libopenh264, " in tuned
    assert not list(tmp_path.glob("*.mp4"))


@pytest.mark.slow
def test_the_command_takes_it_and_formats_says_what_is_here(tmp_path: Path) -> None:
    build = pyav_without(tmp_path / "build", *GPL)
    np.save(tmp_path / "clip.npy", greys(5, 64, 64))
    start = f"import sys; sys.path.insert(0, {str(build)!r}); from telecine.__main__ import main; main()"

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-c", start, *arguments]
        wide = {"COLUMNS": "400", "PATH": "/usr/bin:/bin"}
        return subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120, env=wide)

    refused = command("export", "clip.npy", "-o", "clip.mp4")
    assert refused.returncode == 2
    assert "encoder='auto' takes one that opens" in refused.stderr
    done = command("export", "clip.npy", "-o", "clip.mp4", "--encoder", "auto")
    assert done.returncode == 0, done.stderr
    assert "encoded as av1 by libsvtav1 (BSD)" in done.stdout
    assert telecine.probe(tmp_path / "clip.mp4").codec == "av1"
    rows = [line.split(maxsplit=3) for line in command("formats").stdout.splitlines()]
    here = {row[1]: row[3].strip() for row in rows if len(row) == 4 and row[1] in ENCODERS}
    assert here.keys() == ENCODERS.keys()
    assert here["libx264"] == "not in the FFmpeg that PyAV has here"
    assert (here["libsvtav1"], here["libvpx-vp9"]) == ("yes", "yes")


def test_every_usual_encoder_of_this_pyav_is_here() -> None:
    assert [row.encoder for row in CODECS.values() if not is_here(row.encoder)] == []
