"""The command `telecine`: what it makes, what it prints where, and its exit codes."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import telecine
from telecine.cli.commands import run
from telecine.errors import DOCUMENTATION

from ..support.helpers import waves
from ..support.object_store import ObjectStore

pytestmark = pytest.mark.slow

FRAMES = np.round(255 * waves(12, 48, 64)).astype(np.uint8)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command runs in its own folder, where the same frames lie in every form."""
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # which the command replaces
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    Path("images").mkdir()
    for index, frame in enumerate(FRAMES):
        Image.fromarray(frame).save(f"images/{index}.png")
    np.save("frames.npy", FRAMES)
    np.savez("frames.npz", FRAMES)
    save_file(
        {"frames": torch.from_numpy(FRAMES).movedim(3, 1).float().div(255).bfloat16().contiguous()},
        "frames.safetensors",
    )


@pytest.fixture
def video() -> telecine.Video:
    return telecine.export_video(FRAMES, "video.mp4", fps="24000/1001")


def command(*arguments: str, **how: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "telecine", *arguments], capture_output=True, text=True, **how)


def script(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)


def table(printed: str) -> dict[str, str]:
    rows = (re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in printed.splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 2}


def only_line(printed: str) -> str:
    """The one line of an error, and without the one that names a page or the help: no traceback, no usage."""
    line, *pages = printed.removesuffix("\n").split("\n")
    named = rf"{re.escape(DOCUMENTATION)}[\w-]+\.html(#[\w-]+)?|telecine( [\w-]+)* --help"
    assert all(re.fullmatch(f"telecine: see ({named})", each) for each in pages)
    assert len(pages) <= 1, printed
    assert line.startswith("telecine: ")
    return line.removeprefix("telecine: ")


# ---- export --------------------------------------------------------------------------------------------------------

SOURCES = {
    "folder": ["images"],
    "glob": ["images/*.png"],
    "images": [f"images/{index}.png" for index in (3, 1, 2, 0, 11, 10, 9, 8, 7, 6, 5, 4)],
    "npy": ["frames.npy"],
    "npz": ["frames.npz"],
    "safetensors": ["frames.safetensors"],
}


@pytest.mark.parametrize("source", SOURCES)
def test_frames_of_every_kind_are_exported(capsys: pytest.CaptureFixture[str], source: str) -> None:
    assert run(["export", *SOURCES[source], "-o", "out/clip.mp4"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    size = os.path.getsize("out/clip.mp4")
    assert table(printed.out) == {
        "file": "out/clip.mp4",
        "picture": "64x48",
        "frames": "12",
        "frame rate": "16 fps",
        "duration": "0.750 s",
        "codec": "h264",
        "size": f"{size:,} bytes",
    }
    assert telecine.verify("out/clip.mp4", FRAMES).problems == ()


def test_a_video_is_exported_at_its_own_rate_unless_another_is_given(video: telecine.Video) -> None:
    assert run(["export", "video.mp4", "-o", "own.mp4", "--quiet"]) == 0
    assert telecine.probe("own.mp4").fps == Fraction(24000, 1001)
    assert telecine.verify("own.mp4", video).problems == ()
    lasts = "it lasts 0.400 s in place of 0.500 s, which fps_from='24000/1001' keeps"
    said = f"'video.mp4' has 24000/1001 fps: at 30000/1001 fps {lasts}"
    done = command("export", "video.mp4", "-o", "other.mp4", "--quiet", "--fps", "29.97")
    assert (done.returncode, only_line(done.stderr)) == (0, f"warning: {said}")
    assert telecine.probe("other.mp4").fps == Fraction(30000, 1001)


def test_a_video_of_uneven_timing_keeps_it(capsys: pytest.CaptureFixture[str]) -> None:
    times = [Fraction(index * index, 100) for index in range(12)]
    telecine.export_video(FRAMES, "uneven.mp4", timestamps=times)
    assert run(["export", "uneven.mp4", "-o", "kept.mp4", "--quiet"]) == 0
    assert telecine.read_timestamps("kept.mp4") == times
    assert run(["probe", "kept.mp4"]) == 0
    assert table(capsys.readouterr().out)["frame rate"] == "600/71 (8.451) fps on average"


def test_the_last_frame_is_held_or_repeated(video: telecine.Video) -> None:
    assert run(["export", "video.mp4", "-o", "held.mp4", "--quiet", "--hold", "2.5"]) == 0
    assert telecine.probe("held.mp4").duration == pytest.approx(11 * 1001 / 24000 + 2.5, abs=1e-4)
    assert run(["export", "video.mp4", "-o", "repeated.mp4", "--quiet", "--repeat", "5"]) == 0
    assert telecine.probe("repeated.mp4").frame_count == 17


def test_frames_are_scaled_dropped_and_repeated(video: telecine.Video, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", "video.mp4", "-o", "small.gif", "--height", "24", "--every", "2"]) == 0
    assert "scaled from 64x48 to 32x24, by Lanczos" in capsys.readouterr().out
    small = telecine.probe("small.gif")
    assert (small.width, small.height, small.frame_count) == (32, 24, 6)
    assert float(small.duration) == pytest.approx(0.5, abs=0.02)  # its own timing
    assert run(["export", "images", "-o", "clip.mp4", "--quiet", "--fps", "30", "--fps-from", "24000/1001"]) == 0
    assert telecine.probe("clip.mp4").frame_count == 15
    assert command("export", "images", "-o", "none.mp4", "--height", "0").returncode == 2
    telecine.export_video(FRAMES, "uneven.mp4", timestamps=[index * index / 100 for index in range(12)])
    done = command("export", "uneven.mp4", "-o", "third.mp4", "--quiet", "--every", "3")
    assert (done.returncode, telecine.probe("third.mp4").frame_count) == (0, 4)
    assert "are not evenly timed, and at 200/71 fps they will be" in only_line(done.stderr)


def test_a_file_is_fitted_under_a_size_and_encoders_are_taken_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    np.save("noise.npy", np.random.default_rng(0).integers(0, 256, (12, 96, 128, 3), np.uint8))
    fitted = ["export", "noise.npy", "-o", "clip.mp4", "--encoder", "libx265", "--preset", "veryfast"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", telecine.TelecineWarning)
        assert run([*fitted, "--max-bytes", "31.5KiB"]) == 0
    assert 0.85 * 32256 <= os.path.getsize("clip.mp4") <= 32256
    assert telecine.probe("clip.mp4").codec == "hevc"
    assert "encoded again at" in capsys.readouterr().out
    for arguments, said in (
        (["--max-bytes", "10 Mbit"], "'10 Mbit' is no number of bytes: use one such as 10MB, 9.5MiB or 8000000"),
        (["--max-bytes", "999B"], "max_bytes=999 is no limit in bytes: use an int from 1000, such as 10_000_000"),
        (["--encoder", "libx265", "--codec", "av1"], "encoder='libx265' makes hevc, not codec='av1': leave one"),
    ):
        assert run(["export", "noise.npy", "-o", "clip.mp4", *arguments]) == 2
        assert only_line(capsys.readouterr().err).startswith(said)


def test_the_installed_command_does_the_same() -> None:
    installed = Path(sys.executable).with_name("telecine")
    done = subprocess.run([installed, "export", "images", "-o", "clip.mp4"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert table(done.stdout)["frames"] == "12"
    assert telecine.probe("clip.mp4").frame_count == 12


def test_a_dash_is_the_standard_output() -> None:
    export = [sys.executable, "-m", "telecine", "export", "frames.npy", "--output", "-", "--format", "mov"]
    done = subprocess.run(export, capture_output=True)
    assert (telecine.probe(io.BytesIO(done.stdout)).frame_count, done.stderr) == (12, b"")
    with open("clip.mov", "wb") as file:
        assert subprocess.run(export, stdout=file).returncode == 0
    assert Path("clip.mov").read_bytes() == telecine.export_bytes(FRAMES, format="mov")
    assert not Path("-").exists()
    assert run(["export", "frames.npy", "-o", "./-", "--format", "mp4"]) == 0
    assert Path("-").read_bytes() == telecine.export_bytes(FRAMES)
    reader, terminal = pty.openpty()
    told = subprocess.run(export, stdout=terminal, stderr=subprocess.PIPE)
    os.close(terminal)
    os.close(reader)
    assert (told.returncode, told.stderr) == (
        2,
        b"telecine: the standard output is no file and no pipe: name a file, as in -o clip.mp4\n"
        b"telecine: see https://telecine.readthedocs.io/en/stable/options.html\n",
    )


@pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning")
def test_a_url_is_written_and_read_as_a_path_is(s3: ObjectStore, capsys: pytest.CaptureFixture[str]) -> None:
    url, lossless = "s3://bucket/command/clip.mp4", "s3://bucket/command/clip.mkv"
    assert run(["export", "images", "-o", lossless, "--codec", "ffv1"]) == 0
    assert run(["export", lossless, "-o", url, "--metadata", "title=A title"]) == 0
    assert run(["export", lossless, "-o", "s3://bucket/command/images", "--format", "png"]) == 0
    assert run(["export", "s3://bucket/command/images", "-o", "clip.mp4"]) == 0
    expected = telecine.export_bytes(FRAMES, metadata={"title": "A title"})
    assert s3.filesystem.cat(url) == expected
    assert Path("clip.mp4").read_bytes() == telecine.export_bytes(FRAMES)
    assert run(["verify", url, "images"]) == 0
    assert run(["strip", url]) == 0
    capsys.readouterr()
    assert run(["probe", url, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["path"], facts["frame_count"], facts["metadata"]) == (url, 12, {})
    assert run(["export", "images", "-o", url, "--no-overwrite"]) == 1
    assert only_line(capsys.readouterr().err) == f"'{url}' exists and overwrite is False"
    assert run(["recover", url]) == 1
    assert only_line(capsys.readouterr().err) == f"'{url}' has no journal: there is nothing to recover"
    assert not Path("s3:").exists()


def test_a_reader_that_goes_away_is_one_line(tmp_path: Path) -> None:
    export = [sys.executable, "-m", "telecine", "export", "frames.npy", "-o", "-", "--format", "mp4"]
    reading, writing = os.pipe()
    os.close(reading)
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(export, stdout=writing, stderr=subprocess.PIPE, text=True, env=environment)
    os.close(writing)
    line = only_line(done.stderr)
    assert line.startswith("'<stdout>' can't be written: Broken pipe; ")
    assert done.returncode == 1
    assert telecine.recover(line.rpartition(" ")[2]).frame_count >= 1


def test_quiet_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    for flag in ("--quiet", "-q"):
        assert run(["export", "images", "-o", "clip.mp4", flag]) == 0
        assert capsys.readouterr() == ("", "")


def test_every_option_reaches_the_export(capsys: pytest.CaptureFixture[str]) -> None:
    np.save("odd.npy", np.ascontiguousarray((2 * waves(12, 47, 64) - 1).astype(np.float32).transpose(1, 2, 0, 3)))
    options = "--fps 12.5 --crf 1 --preset ultrafast --color bt709 --layout HWTC --value-range=-1,1 --background white"
    assert run(["export", "odd.npy", "-o", "clip.mp4", *options.split()]) == 0
    assert table(capsys.readouterr().out)["note"].startswith("64x47 is padded to even sides")
    info = telecine.probe("clip.mp4")
    assert (info.fps, info.color.matrix_name, info.height) == (Fraction(25, 2), "bt709", 48)
    assert info.profile != "High"  # as ultrafast leaves it
    assert telecine.verify("clip.mp4", waves(12, 47, 64)).psnr > 40


def test_the_order_of_channels_reaches_export_and_verify() -> None:
    np.save("bgr.npy", np.broadcast_to(np.array([20, 60, 200], np.uint8), (3, 48, 64, 3)))
    assert run(["export", "bgr.npy", "-o", "clip.mp4", "-q", "--channels", "BGR"]) == 0
    assert next(telecine.read_frames("clip.mp4")).mean((0, 1)) == pytest.approx([200, 60, 20], abs=3)
    assert run(["verify", "clip.mp4", "bgr.npy", "--channels", "BGR"]) == 0
    assert run(["verify", "clip.mp4", "bgr.npy"]) == 1


@pytest.mark.parametrize("options", [["--quality", "draft"], ["--bitrate", "20000"], ["--crf", "40"]])
def test_a_lower_quality_gives_a_smaller_file(options: list[str]) -> None:
    assert run(["export", "images", "-o", "high.mp4", "-q"]) == 0
    assert run(["export", "images", "-o", "low.mp4", "-q", *options]) == 0
    assert os.path.getsize("low.mp4") < os.path.getsize("high.mp4")


def test_a_warning_is_one_line_and_the_table_has_it_as_a_note() -> None:
    Image.new("RGBA", (64, 48), (255, 0, 0, 128)).save("clear.png")
    done = command("export", "clear.png", "-o", "clip.mp4")
    assert done.returncode == 0
    assert only_line(done.stderr).startswith("warning: transparent pixels are shown on black: pass background=")
    assert "transparent pixels" in table(done.stdout)["note"]


def test_an_existing_file_is_kept_with_no_overwrite(capsys: pytest.CaptureFixture[str], video: telecine.Video) -> None:
    before = video.path.read_bytes()
    assert run(["export", "images", "-o", "video.mp4", "--no-overwrite"]) == 1
    assert only_line(capsys.readouterr().err) == "'video.mp4' exists and overwrite is False"
    assert video.path.read_bytes() == before
    assert run(["export", "images", "-o", "video.mp4", "-q"]) == 0
    assert video.path.read_bytes() != before


def test_a_gap_is_an_error_unless_it_is_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    os.unlink("images/5.png")
    given = sorted(map(str, Path("images").iterdir()))
    for source in (["images"], ["images/*.png"], given):
        assert run(["export", *source, "-o", "clip.mp4"]) == 1
        expected = "the numbering has a gap: '4.png' is followed by '6.png'; allow it with --allow-gaps"
        assert only_line(capsys.readouterr().err).startswith(expected)
        assert not Path("clip.mp4").exists()
        assert run(["export", *source, "-o", "allowed.mp4", "-q", "--allow-gaps"]) == 0
        assert telecine.probe("allowed.mp4").frame_count == 11


def on_a_terminal(*arguments: str) -> tuple[int, str, str]:
    """Run the command with standard error on a terminal: give its exit code, its output and what the terminal got."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    asked = [sys.executable, "-m", "telecine", *arguments]
    with subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=theirs, text=True, env=environment) as process:
        os.close(theirs)
        seen = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # Linux says so that the other end is closed
                break
            if not part:
                break
            seen += part
        os.close(ours)
        assert process.stdout is not None
        printed = process.stdout.read()
    return process.returncode, printed, seen.decode()


def test_a_terminal_sees_the_progress_in_frames_a_second() -> None:
    code, printed, seen = on_a_terminal("export", "images", "-o", "clip.mp4")
    assert code == 0
    assert "exporting" in seen
    assert "12/12" in seen
    assert re.search(r"\d frames/s", seen)
    assert table(printed)["frames"] == "12"


def test_a_terminal_sees_no_progress_when_quiet() -> None:
    assert on_a_terminal("export", "images", "-o", "clip.mp4", "-q") == (0, "", "")


def test_formats_lists_where_codecs_play_their_pixel_formats_and_qualities(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["formats"]) == 0
    printed = {" ".join(line.split()) for line in capsys.readouterr().out.splitlines()}
    assert printed >= {
        "extension codec browser QuickTime editor archive",
        ".mp4 .m4v h264 yes yes yes if lossless",
        ".webm vp9 yes no some if lossless",
        ".mkv ffv1 no no some yes",
        ".gif yes no some no",
        "folder of .png no some yes if lossless",
        "h264 10 yuv420p10le yuv422p10le yuv444p10le",
        "hevc lossless 12 gbrp12le",
        "prores 10 yuv422p10le yuv444p10le yuva444p10le",
        "png 16 RGB, alpha kept",
        "av1 balanced preset=8 crf=32",
        "h264 lossless preset=fast qp=0",
        "gif draft 64 colours",
        "webp lossless lossless",
    }


# ---- probe ---------------------------------------------------------------------------------------------------------


def test_probe_prints_a_table(capsys: pytest.CaptureFixture[str], video: telecine.Video) -> None:
    assert run(["probe", "video.mp4"]) == 0
    facts = table(capsys.readouterr().out)
    assert facts.pop("encoder", "").startswith("Lavf")
    assert facts == {
        "file": "video.mp4",
        "container": "mp4",
        "codec": "h264 High",
        "pixel format": "yuv420p",
        "picture": "64x48",
        "frames": "12",
        "frame rate": "24000/1001 (23.976) fps",
        "duration": "0.500 s",
        "colour": "smpte170m matrix, bt709 primaries, bt709 transfer, limited range",
        "index": "in front",
        "size": f"{video.size_bytes:,} bytes",
    }


def test_probe_prints_json(capsys: pytest.CaptureFixture[str], video: telecine.Video) -> None:
    assert run(["probe", "video.mp4", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert list(facts.pop("metadata")) in ([], ["encoder"])
    assert facts == {
        "path": "video.mp4",
        "container": "mp4",
        "codec": "h264",
        "mastering_display": None,
        "content_light": None,
        "rotation": 0,
        "mirrored": False,
        "sample_aspect_ratio": "1",
        "profile": "High",
        "pixel_format": "yuv420p",
        "width": 64,
        "height": 48,
        "fps": "24000/1001",
        "constant_rate": True,
        "frame_count": 12,
        "duration": "1001/2000",
        "color": {"matrix": "smpte170m", "primaries": "bt709", "transfer": "bt709", "range": "limited"},
        "size_bytes": video.size_bytes,
        "index_in_front": True,
        "audio": None,
        "cut_off": False,
        "notes": [],
    }


# ---- verify --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", SOURCES)
def test_verify_of_the_same_frames_is_ok(
    capsys: pytest.CaptureFixture[str], video: telecine.Video, source: str
) -> None:
    assert run(["verify", "video.mp4", *SOURCES[source]]) == 0
    facts = table(capsys.readouterr().out)
    assert facts["frames"] == "12 of 12"
    assert re.fullmatch(r"\d\d\.\d\d dB \(at least 30\)", facts["PSNR"])
    assert re.fullmatch(r"0\.9\d{3} \(at least 0\.9\)", facts["SSIM"])
    assert re.fullmatch(r"\d\.\d\d/255 \(at most 4\)", facts["colour error"])
    assert facts["verdict"] == "ok"
    assert "problem" not in facts


def test_verify_of_other_frames_is_exit_code_1(capsys: pytest.CaptureFixture[str], video: telecine.Video) -> None:
    np.save("other.npy", FRAMES[:-1, ::-1])
    assert run(["verify", "video.mp4", "other.npy"]) == 1
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "verdict       different" in printed.out
    assert "problem       the file has 12 frames, 11 were given" in printed.out


def test_verify_prints_json(capsys: pytest.CaptureFixture[str], video: telecine.Video) -> None:
    assert run(["verify", "video.mp4", "frames.npy", "--json"]) == 0
    report = telecine.verify("video.mp4", FRAMES)
    assert json.loads(capsys.readouterr().out) == {
        "path": "video.mp4",
        "frame_count": 12,
        "expected_frame_count": 12,
        "psnr": pytest.approx(report.psnr),
        "ssim": pytest.approx(report.ssim),
        "color_error": pytest.approx(report.color_error),
        "worst_frame": report.worst_frame,
        "problems": [],
        "ok": True,
    }
    np.save("small.npy", FRAMES[:, :24])
    assert run(["verify", "video.mp4", "small.npy", "--json"]) == 1
    found = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert (found["ok"], found["worst_frame"], found["ssim"]) == (False, None, None)
    assert found["problems"] == ["the file is 64x48, the frames 64x24"]


# ---- the command line itself ---------------------------------------------------------------------------------------


def test_version_and_help() -> None:
    names = ("export", "probe", "verify")
    version = command("--version")
    assert (version.returncode, version.stdout, version.stderr) == (0, f"telecine {telecine.__version__}\n", "")
    helps = [command(*arguments) for arguments in (["--help"], *([name, "--help"] for name in names))]
    for shown in helps:
        assert (shown.returncode, shown.stderr) == (0, "")
        assert shown.stdout.lstrip().startswith("Usage: ")
    assert all(name in helps[0].stdout for name in names)


def test_no_command_shows_the_help_and_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    assert "Usage:" in capsys.readouterr().out


WRONG_USAGE = {
    "unknown command": (["nope"], "No such command 'nope'."),
    "unknown option": (["export", "images", "-o", "a.mp4", "--nope"], "No such option"),
    "no output": (["export", "images"], "Missing option '--output'"),
    "no frames": (["export", "-o", "a.mp4"], "Missing argument"),
    "no number": (["export", "images", "-o", "a.mp4", "--crf", "x"], "Invalid value for '--crf': "),
}
WRONG_OPTIONS = {
    "fps": (["--fps", "abc"], "fps='abc' is no frame rate: use "),
    "fps of 0": (["--fps", "0"], "fps='0' is not above 0: use "),
    "crf": (["--crf", "99"], "crf=99.0 is not in h264's range: use 0 (best) to 51"),
    "quality": (["--quality", "best"], "quality='best' is not known: use 'draft' or "),
    "two qualities": (["--crf", "20", "--bitrate", "5000000"], "crf=20.0 and bitrate=5000000 contradict: give one"),
    "preset": (["--preset", "quick"], "preset='quick' is not known: use 'ultrafast' or "),
    "color": (["--color", "red"], "color='red' is not known: use 'auto', 'bt601', 'bt709'"),
    "layout": (["--layout", "XY"], "layout='XY' is not known: use 'auto' or letters"),
    "value range": (["--value-range", "1"], "value_range=('1',) is not known: use 'auto' or (low, high)"),
    "background": (["--background", "nocolour"], "background='nocolour' is no colour: "),
    "extension": (["-o", "clip.xyz"], "the extension '.xyz' of 'clip.xyz' is not known: use '.mp4' or "),
}


@pytest.mark.parametrize("what", [*WRONG_USAGE, *WRONG_OPTIONS])
def test_a_wrong_command_line_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str], what: str) -> None:
    arguments, message = WRONG_USAGE.get(what, ([], ""))
    if what in WRONG_OPTIONS:
        options, message = WRONG_OPTIONS[what]
        arguments = ["export", "images", "-o", "clip.mp4", *options]
    before = set(Path().iterdir())
    assert run(arguments) == 2
    printed = capsys.readouterr()
    assert only_line(printed.err).startswith(message)
    assert printed.out == ""
    assert printed.err.endswith(" --help\n") is (what in WRONG_USAGE)
    assert set(Path().iterdir()) == before


FAILURES = {
    "missing frames": (["export", "nope", "-o", "a.mp4"], "'nope' does not exist: give a folder"),
    "one image missing": (["export", "images/1.png", "nope.png", "-o", "a.mp4"], "'nope.png' is no file: several"),
    "no images": (["export", "*.jpg", "-o", "a.mp4"], "'*.jpg' has no images"),
    "objects": (["export", "objects.npy", "-o", "a.mp4"], "'objects.npy' can't be read as an array: "),
    "several arrays": (["export", "two.npz", "-o", "a.mp4"], "'two.npz' holds 2 arrays (a, b): one is accepted"),
    "a folder as output": (["export", "images", "-o", "images", "--layout", "THWC"], "the extension '' of 'images'"),
    "a path in a file": (["export", "images", "-o", "frames.npy/a.mp4"], "'frames.npy/a.mp4' can't be written: "),
    "probe of nothing": (["probe", "nope.mp4"], "'nope.mp4' can't be read: No such file or directory"),
    "probe of text": (["probe", "text.mp4"], "'text.mp4' can't be read as a video: "),
    "verify of nothing": (["verify", "nope.mp4", "images"], "'nope.mp4' can't be read: No such file"),
    "verify of text": (["verify", "text.mp4", "images"], "'text.mp4' can't be read as a video: "),
}


@pytest.mark.parametrize("what", FAILURES)
def test_a_failure_is_one_line_and_exit_code_1(capsys: pytest.CaptureFixture[str], what: str) -> None:
    np.save("objects.npy", np.array([{}]), allow_pickle=True)
    np.savez("two.npz", a=FRAMES, b=FRAMES)
    Path("text.mp4").write_text("no video")
    before = set(Path().iterdir())
    arguments, message = FAILURES[what]
    assert run(arguments) == (2 if "extension" in message else 1)  # an unknown extension is an argument
    printed = capsys.readouterr()
    assert only_line(printed.err).startswith(message)
    assert printed.out == ""
    assert set(Path().iterdir()) == before


def test_an_error_in_the_process_itself_is_the_same_line() -> None:
    done = command("export", "nope", "-o", "clip.mp4")
    assert (done.returncode, done.stdout) == (1, "")
    assert only_line(done.stderr).startswith("'nope' does not exist")
    assert command("export", "images", "-o", "clip.mp4", "--fps", "0").returncode == 2


@pytest.mark.parametrize("arguments", [["export", "nope", "-o", "a.mp4", "--debug"], ["--debug", "probe", "nope.mp4"]])
def test_debug_shows_the_traceback(arguments: list[str]) -> None:
    done = command(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):")
    assert "telecine.errors.InputError: 'nope" in done.stderr


def test_an_error_that_is_not_ours_is_one_line_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("of two\nlines")

    monkeypatch.setattr("telecine.cli.commands.export", fail)
    assert run(["export", "images", "-o", "clip.mp4"]) == 1
    expected = "ZeroDivisionError: of two lines (--debug shows where)"
    assert only_line(capsys.readouterr().err) == expected
    with pytest.raises(ZeroDivisionError):
        run(["export", "images", "-o", "clip.mp4", "--debug"])


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_libraries_of_the_command_the_extra_is_named(missing: str) -> None:
    done = script(f"import sys; sys.modules[{missing!r}] = None; from telecine.__main__ import main; main()")
    assert (done.returncode, done.stdout) == (1, "")
    assert only_line(done.stderr) == f"the command needs {missing}: pip install 'telecine[cli]'"


def test_ctrl_c_leaves_the_file_that_was_there(video: telecine.Video) -> None:
    before = video.path.read_bytes()
    code = """if True:
        import os, signal, sys
        from telecine.cli import commands as cli
        find = cli.open_source
        def interrupted(*given):
            for index, frame in enumerate(find(*given).frames):
                if index == 7:
                    os.kill(os.getpid(), signal.SIGINT)
                yield frame
        cli.open_source = lambda *given: cli.FrameSource(interrupted(*given))
        sys.exit(cli.run())
    """
    done = script(code, "export", "images", "-o", "video.mp4")
    assert done.returncode in (1, 130)
    assert done.stdout == ""
    assert only_line(done.stderr) == "stopped; 7 of 7 frames are kept: telecine recover video.mp4"
    assert video.path.read_bytes() == before
    assert telecine.recover("video.mp4").frame_count == 7


# ---- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a b.mp4", "ümlaut 🎬.mp4", "%03d.mp4", "a:b.mp4", "[red]x[/red].mp4", "it's.mp4"])
def test_a_name_is_printed_as_it_is(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert run(["export", "images", "-o", name]) == 0
    assert table(capsys.readouterr().out)["file"] == name
    assert run(["probe", name]) == 0
    assert table(capsys.readouterr().out)["file"] == name
    assert run(["verify", name, "images"]) == 0


def test_a_name_that_begins_as_an_option_does_can_be_given() -> None:
    assert run(["export", "images", "-q", "--output=-x.mp4"]) == 0
    assert run(["probe", "--", "-x.mp4"]) == 0


def test_a_name_that_the_terminal_can_not_show_is_no_failure() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = command("export", "images", "-o", "🎬.mp4", env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\U0001f3ac.mp4" in done.stdout


def test_a_long_path_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    name = "x" * 150 + ".mp4"
    assert run(["export", "images", "-o", name]) == 0
    assert name in re.sub(r"\s", "", capsys.readouterr().out)


# ---- batch ---------------------------------------------------------------------------------------------------------


def jobs_of(*names: str) -> None:
    rows = [{"frames": "frames.npy", "output": f"{index}.mp4", "fps": 8} for index, name in enumerate(names)]
    for row, name in zip(rows, names, strict=True):
        row["frames"] = name
    Path("jobs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_batch_does_what_is_left_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    jobs_of("frames.npy", "frames.npy", "none.npy")
    command = ["batch", "jobs.jsonl", "-o", "out", "--quality", "draft", "--workers", "1"]
    assert run([*command, "--log-json", "log.jsonl", "--report", "report.html"]) == 1
    told = capsys.readouterr()
    assert table(told.out) == {"jobs": "3", "done": "2", "failed": "1", "seconds": table(told.out)["seconds"]} | {
        "ledger": "out/telecine-ledger.sqlite"
    }
    assert only_line(told.err).startswith("row 2, 2.mp4: failed: 'none.npy' does not exist: give a folder")
    log = [json.loads(line) for line in Path("log.jsonl").read_text().splitlines()]
    assert sorted((each["index"], each["status"], each["frames"]) for each in log) == [
        (0, "done", 12),
        (1, "done", 12),
        (2, "failed", 0),
    ]
    assert "<td>&#x27;none.npy&#x27; does not exist" in Path("report.html").read_text()
    os.rename("frames.npy", "none.npy")
    os.link("none.npy", "frames.npy")
    assert run([*command, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert run(["batch", "merge", "all.sqlite", "out/telecine-ledger.sqlite"]) == 0
    assert table(capsys.readouterr().out) == {"ledger": "all.sqlite", "done": "3"}


def test_all_rows_of_a_batch_are_looked_at_first(capsys: pytest.CaptureFixture[str]) -> None:
    jobs_of("frames.npy", "none.npy", "objects.npy")
    np.save("objects.npy", np.array([Path("x")], dtype=object), allow_pickle=True)
    assert run(["batch", "jobs.jsonl", "-o", "out", "--dry-run"]) == 2
    line = only_line(capsys.readouterr().err)
    assert line.startswith("row 1: 'none.npy' does not exist")
    assert "; row 2: 'objects.npy' can't be read as an array: " in line
    assert not Path("out").exists()
    for wrong in (["batch", "jobs.jsonl"], ["batch", "a", "b", "-o", "out"], ["batch", "merge", "a.sqlite"]):
        assert run(wrong) == 2
        assert only_line(capsys.readouterr().err).startswith("batch ")
    assert run(["batch", "jobs.jsonl", "-o", "out", "--shard", "x"]) == 2
    assert only_line(capsys.readouterr().err) == "--shard 'x' is none: write I/N, such as 0/8"
