"""`VideoWriter` and `export_video` on real files: every frame once, all or nothing, errors early, nothing left over."""

from __future__ import annotations

import base64
import errno
import html
import io
import itertools
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import av
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

import telecine
from telecine import (
    FrameError,
    OptionError,
    PublishError,
    TelecineError,
    TelecineWarning,
    Video,
    VideoWriter,
    export_video,
    processors,
)

Clip: TypeAlias = npt.NDArray[np.uint8]

WIDTH, HEIGHT = 64, 48
MEAN_ERROR = 1.5  # of 255, of the mean of a frame's greys at crf 1: measured is up to 0.9
OLDER = b"an older clip, which stays"


def greys(count: int = 5, width: int = WIDTH, height: int = HEIGHT) -> Clip:
    """A clip of grained greys, each frame of a level of its own, in no order that shows: 219 / count apart."""
    levels = np.random.default_rng(count).permutation(np.linspace(20, 235, count))
    grain = np.random.default_rng(0).integers(-9, 10, (height, width))
    return np.repeat(np.uint8(levels[:, None, None] + grain)[..., None], 3, axis=3)


def noise(count: int = 5, width: int = WIDTH, height: int = HEIGHT) -> Clip:
    """A clip that takes many bits and much work."""
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)


def decoded(path: os.PathLike[str]) -> Clip:
    """A file's frames as PyAV and swscale give them."""
    with av.open(io.BytesIO(Path(path).read_bytes())) as container:
        return np.array([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)], np.uint8)


def assert_frames(path: os.PathLike[str], given: Clip) -> None:
    """Every frame is in the file, in order, once: each one found is nearest to the one given in its place."""
    found = np.array(list(telecine.read_frames(path)), np.float32)
    count, height, width, _ = given.shape
    assert found.shape == (count, height + height % 2, width + width % 2, 3)
    cropped = found[:, :height, :width]
    few = slice(None, None, 1 + max(width, height) // 16)
    distances = np.array([np.abs(given[:, few, few] - frame[few, few]).mean((1, 2, 3)) for frame in cropped])
    assert distances.argmin(axis=1).tolist() == list(range(count))
    assert np.abs(cropped.mean((1, 2, 3)) - given.mean((1, 2, 3))).max() < MEAN_ERROR


class Asked:
    """An iterator of frames that counts how many it was asked for."""

    def __init__(self, frames: Iterable[Any]) -> None:
        self._frames = iter(frames)
        self.count = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        self.count += 1
        return next(self._frames)


def run_python(script: str, folder: Path, *arguments: object, timeout: float = 60) -> str:
    """Run a script in a process and a folder of its own, and give what it prints."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def encoding_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "telecine-encode"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A path that holds an older file, alone in its folder."""
    path = tmp_path / "folder" / "clip.mp4"
    path.parent.mkdir()
    path.write_bytes(OLDER)
    return path


def assert_untouched(path: Path, held: bytes = OLDER) -> None:
    """The path holds what it held, its folder nothing else, and no thread is left."""
    assert path.read_bytes() == held
    assert list(path.parent.iterdir()) == [path]
    assert encoding_threads() == []


def kept_by(error: BaseException) -> int | None:
    """How many frames an error says are kept; None where it says nothing, or can't before Python 3.11."""
    said = " ".join([str(error), *getattr(error, "__notes__", [])])
    found = re.search(r"(\d+) of \d+ frames are kept: telecine recover ", said)
    return int(found[1]) if found else None


def assert_kept(path: Path, error: BaseException | None = None, held: bytes | None = OLDER) -> Path:
    """The path holds what it held, beside it is the journal only, and recovery gives the frames that the error says.

    Gives the recovered file, in a folder of its own.
    """
    journal = path.with_name(f".{path.name}.telecine-journal")
    assert (path.read_bytes() if path.exists() else None) == held
    assert set(path.parent.iterdir()) == {journal} | ({path} if held is not None else set())
    assert encoding_threads() == []
    folder = Path(tempfile.mkdtemp(dir=path.parent.parent))
    video = telecine.recover(path, folder / "clip.mp4")
    assert list(path.parent.iterdir()) == ([path] if held is not None else [])
    assert list(folder.iterdir()) == [video.path]
    assert video.frame_count > 0
    if error is not None and (sys.version_info >= (3, 11) or isinstance(error, TelecineError)):
        assert video.frame_count == kept_by(error)
    return video.path


# ---- an independent look at an MP4 (ISO/IEC 14496-12) --------------------------------------------------------------


def boxes(data: bytes) -> list[tuple[str, bytes]]:
    """The boxes that lie side by side, each with its payload (4.2)."""
    found, at = [], 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        header = 8
        if size == 1:
            (size,), header = struct.unpack_from(">Q", data, at + 8), 16
        found.append((kind.decode("latin-1"), data[at + header : at + size]))
        at += size
    assert at == len(data)
    return found


def box(data: bytes, *names: str) -> bytes:
    """The payload of the only box of each name in the one before it."""
    for name in names:
        (data,) = (payload for kind, payload in boxes(data) if kind == name)
    return data


def clock(payload: bytes) -> int:
    """The time scale of an `mvhd` or `mdhd` (8.2.2, 8.4.2)."""
    (ticks,) = struct.unpack_from(">I", payload, 20 if payload[0] else 12)
    return int(ticks)


def runs(payload: bytes, entry: str) -> Iterator[tuple[int, ...]]:
    return struct.iter_unpack(entry, payload[8:])


def shown_times(data: bytes) -> tuple[list[Fraction], Fraction]:
    """When each picture is shown, in seconds, in the order of the file, and how long all of them are."""
    track = box(data, "moov", "trak")
    ticks, table = clock(box(track, "mdia", "mdhd")), box(track, "mdia", "minf", "stbl")
    lasting = [duration for count, duration in runs(box(table, "stts"), ">II") for _ in range(count)]
    delays = [0] * len(lasting)
    if any(kind == "ctts" for kind, _ in boxes(table)):
        delays = [delay for count, delay in runs(box(table, "ctts"), ">Ii") for _ in range(count)]
    edits = box(track, "edts", "elst")
    assert edits[0] == 0
    ((duration, start, rate),) = runs(edits, ">IiI")
    assert rate == 1 << 16
    decoded_at = itertools.accumulate(lasting[:-1], initial=0)
    times = [Fraction(at + delay - start, ticks) for at, delay in zip(decoded_at, delays, strict=True)]
    return times, Fraction(duration, clock(box(data, "moov", "mvhd")))


# ---- every frame, in order, once, none added -----------------------------------------------------------------------

RATES: dict[Any, Fraction] = {
    16: Fraction(16),
    8: Fraction(8),
    "24000/1001": Fraction(24000, 1001),
    29.97: Fraction(30000, 1001),
    0.5: Fraction(1, 2),
    12.5: Fraction(25, 2),
    Fraction(1, 3): Fraction(1, 3),
    120: Fraction(120),
}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(
    count=st.integers(1, 60),
    width=st.integers(1, 130),
    height=st.integers(1, 130),
    fps=st.sampled_from(list(RATES)),
    b_frames=st.sampled_from([0, 3, 16]),
)
@example(count=1, width=1, height=1, fps=16, b_frames=3)
@example(count=2, width=129, height=1, fps="24000/1001", b_frames=16)
@example(count=60, width=1, height=130, fps=29.97, b_frames=3)
@example(count=59, width=130, height=129, fps=0.5, b_frames=16)
def test_every_frame_is_in_the_file_in_order_once_at_its_exact_time(
    count: int, width: int, height: int, fps: Any, b_frames: int
) -> None:
    frames = greys(count, width, height)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip.mp4")
        options = {"bf": b_frames}
        video = export_video(frames, path, fps=fps, layout="THWC", crf=1, encoder_options=options)
        data = path.read_bytes()
        assert video == Video(
            path=path,
            width=width + width % 2,
            height=height + height % 2,
            fps=RATES[fps],
            frame_count=count,
            duration=count / RATES[fps],
            codec="h264",
            size_bytes=len(data),
            padding=(width % 2, height % 2),
            notes=video.notes,
        )
        assert len(video.notes) == (1 if width % 2 or height % 2 else 0)
        assert_frames(path, frames)
        kinds = [kind for kind, _ in boxes(data)]
        assert kinds.index("moov") < kinds.index("mdat")
        times, duration = shown_times(data)
        assert sorted(times) == [index / RATES[fps] for index in range(count)]
        assert duration == count / RATES[fps]


@pytest.mark.parametrize("fps", list(RATES))
def test_a_reader_gets_exact_times(fps: Any, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    export_video(greys(25), path, fps=fps)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == RATES[fps]
        assert stream.time_base is not None
        times = [frame.pts * stream.time_base for frame in container.decode(stream) if frame.pts is not None]
        assert times == [index / RATES[fps] for index in range(25)]
        assert stream.duration is not None
        assert stream.duration * stream.time_base * RATES[fps] == 25 == stream.frames


@pytest.mark.parametrize(
    "options",
    [
        {"bf": 16, "x264-params": "b-adapt=0:open-gop=1"},
        {"g": 1},
        {"tune": "zerolatency"},
        {"profile": "baseline"},
        {"x264-params": "rc-lookahead=250:force-cfr=0:fps=5"},
        {"threads": 200},
        {"preset": "placebo"},
    ],
    ids=str,
)
def test_options_that_are_accepted_keep_every_frame_at_its_time(options: dict[str, Any], tmp_path: Path) -> None:
    frames = greys(40)
    video = export_video(frames, tmp_path / "clip.mp4", fps="24000/1001", crf=1, encoder_options=options)
    assert_frames(video, frames)
    times, duration = shown_times(video.path.read_bytes())
    assert sorted(times) == [index * Fraction(1001, 24000) for index in range(40)]
    assert duration == video.duration == 40 * Fraction(1001, 24000)


def test_two_pixels_of_an_even_picture_are_not_padded(tmp_path: Path) -> None:
    video = export_video(greys(3, 2, 2), tmp_path / "clip.mp4", layout="THWC")
    assert (video.width, video.height, video.padding, video.notes) == (2, 2, (0, 0), ())


def test_chunks_of_any_length_and_single_frames_make_one_clip(tmp_path: Path) -> None:
    frames = greys(23)
    with VideoWriter(tmp_path / "clip.mp4", crf=1) as writer:
        assert writer.frame_count == 0
        writer.write(frames[:1])
        writer.write(frames[1])
        writer.write(list(frames[2:9]))
        writer.write(iter([frames[9:12], frames[12]]))
        writer.write(np.asfortranarray(frames[13:20]))
        writer.write([Image.fromarray(frame) for frame in frames[20:]])
        assert writer.frame_count == 23
    assert writer.video.frame_count == 23
    assert_frames(writer.video, frames)


def test_the_same_frame_many_times_is_as_many_frames(tmp_path: Path) -> None:
    video = export_video([greys(1)[0]] * 40, tmp_path / "clip.mp4")
    assert video.frame_count == 40 == len(list(telecine.read_frames(video)))


def test_a_buffer_may_be_refilled_as_soon_as_write_returns(tmp_path: Path) -> None:
    frames, buffer = greys(60, 128, 96), np.zeros((96, 128, 3), np.uint8)
    with VideoWriter(tmp_path / "clip.mp4", crf=1) as writer:
        for frame in frames:
            buffer[:] = frame
            writer.write(buffer)
            buffer[:] = 0
    assert_frames(writer.video, frames)


def test_a_generator_may_give_one_buffer_refilled(tmp_path: Path) -> None:
    frames, buffer = greys(60), np.zeros((HEIGHT, WIDTH, 3), np.uint8)

    def refilled() -> Iterator[Clip]:
        for frame in frames:
            buffer[:] = frame
            yield buffer

    assert_frames(export_video(refilled(), tmp_path / "clip.mp4", crf=1), frames)


def test_without_a_path_the_file_is_a_new_one_among_the_temporary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    videos = [export_video(greys()), export_video(greys())]
    assert sorted(tmp_path.iterdir()) == sorted(video.path for video in videos)


# ---- before the first frame ----------------------------------------------------------------------------------------

NUMBER = "use a number above 0, a Fraction or text such as '24000/1001'"
CRF = r"use 0 \(best\) to 51"
BITRATE = "use an int from 1000, such as 5_000_000"
PRESET = "'ultrafast' or .* or 'placebo'"
LAYOUT = "letters of T, H, W, C, B such as 'CTHW'"
RANGE = r"use 'auto' or \(low, high\) such as \(-1, 1\)"
BACKGROUND = r"use a name, '#rrggbb' or \(r, g, b\) in \[0, 1\]"

# An argument, what the message says is accepted, and what is not.
UNKNOWN: list[tuple[str, str, list[Any]]] = [
    ("fps", NUMBER, [0, 0.0, -1, -0.5, -29.97, "0", "-24", Fraction(-1, 3), np.nan, np.inf, -np.inf, "nan"]),
    ("fps", NUMBER, ["abc", "", "24 fps", "1/0", "24000/", None, True, False, 1j, [16], (24000, 1001), b"16", {}]),
    ("fps", NUMBER, [object]),
    ("fps", "use a simpler fraction", [1e-12, 2**31, 10**12, Fraction(1, 2**30), "3000000000/7"]),
    ("crf", CRF, [-1, 52, np.nan, "18", True]),
    ("bitrate", BITRATE, [0, 999, 2**31, 5e6, "5M", True]),
    ("preset", PRESET, ["fastest", 3, ""]),
    ("quality", "'draft' or 'balanced' or 'high' or 'visually-lossless'", ["best", 5, None]),
    ("codec", "use 'h264'", ["divx", "libx264", ["h264"]]),
    ("pixel_format", "use 'yuv420p'", ["yuv444p", "nv12"]),
    ("format", "use 'mp4'", ["avi", ".mp4"]),
    ("color", "use 'auto', 'bt601', 'bt709'", ["bt2020", None, 709]),
    ("layout", LAYOUT, ["XYZ", "thwc", "THHW", "HHW", "", "TC", "TCH", "THWCBX", "T H W C", 5, None, ["H", "W"]]),
    ("value_range", RANGE, ["full", "", (0,), (1, 0), (0, 0), (0, 1, 2), (0, "x"), None, 5, 255, (0, np.nan)]),
    ("value_range", RANGE, [(0, np.inf), (-np.inf, 0), (0, 1e39), (1e9, 1e9 + 1)]),
    ("background", BACKGROUND, ["no such colour", "", "#12", 0, 5, (0, 0), (2, 0, 0), (0, 0, 2), (0, 0, np.nan)]),
    ("background", BACKGROUND, [(255, 255, 255), ("a", "b", "c")]),
    ("progress", r"use True, False or a function of \(done, total\)", [1, 5, None, "bar"]),
    ("encoder_options", "{'tune': 'animation'}", ["tune=film", [("tune", "film")], {1: 2}]),
]
# Arguments, what the message says was given, what it says is accepted or came of it.
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    *(({name: value}, f"{name}={value!r} ", accepted) for name, accepted, values in UNKNOWN for value in values),
    ({"crf": 18, "bitrate": 5_000_000}, "crf=18 and bitrate=5000000", "give one"),
    ({"encoder_options": {"tune": "nice"}}, "tune='nice'", "'film' or 'animation' or .* or 'zerolatency'"),
    ({"encoder_options": {"profile": "low"}}, "profile='low'", "'baseline' or 'main' or 'high' or"),
    ({"encoder_options": {"preset": "fastest"}}, "preset='fastest'", PRESET),
    # What only the trial finds: the encoder's own refusals, what it ignores, and what it makes of the rest.
    ({"encoder_options": {"nonsense": 1}}, "nonsense=1", "ignores a part: no option 'nonsense'"),
    ({"encoder_options": {"": ""}}, "aq-strength=0.5, =", "no option ''"),
    ({"encoder_options": {"pix_fmt": "yuv444p"}}, "pix_fmt=yuv444p", "no option 'pix_fmt'"),
    ({"encoder_options": {"crf": "abc"}}, "crf=abc", 'Unable to parse "crf" option value "abc"'),
    ({"encoder_options": {"x264-params": "foo=1"}}, "x264-params=foo=1", "Error parsing option 'foo = 1'"),
    ({"encoder_options": {"x264-params": "keyint=many"}}, "x264-params=keyint=many", "Error parsing option 'keyint"),
    ({"encoder_options": {"x264opts": "foo=1"}}, "x264opts=foo=1", "bad option 'foo'"),
    ({"encoder_options": {"x264-params": "crop-rect=8,8,8,8"}}, "crop-rect", "112x80.* not .*128.*96"),
    ({"encoder_options": {"x264-params": "sar=2/1"}}, "sar=2/1", "aspect ratio becomes 2, not 1"),
    ({"encoder_options": {"aspect": "2"}}, "aspect=2", "aspect ratio becomes .*, not 1"),
    ({"encoder_options": {"x264-params": "colormatrix=bt470bg"}}, "colormatrix", "matrix becomes 5, not 1"),
    ({"encoder_options": {"x264-params": "transfer=linear"}}, "transfer=linear", "transfer becomes 8, not 1"),
    ({"encoder_options": {"colorspace": "bt470bg"}}, "colorspace=bt470bg", "colour is bt470bg matrix.*not bt709"),
    ({"encoder_options": {"color_range": "pc"}}, "color_range=pc", "full range, not bt709.*limited range"),
    ({"encoder_options": {"color_primaries": "bt2020"}}, "color_primaries", "bt2020 primaries.*not bt709"),
    ({"encoder_options": {"time_base": "1/1000"}}, "time_base=1/1000", "1/1000"),  # of which 1/16 is no multiple
    ({"encoder_options": {"x264-params": "interlaced=1"}}, "interlaced=1", "interlaced becomes True, not False"),
    ({"encoder_options": {"flags": "+ildct+ilme"}}, "flags=+ildct", "interlaced becomes True, not False"),
    ({"encoder_options": {"flags": "-global_header"}}, "flags=-global_header", "can't be opened"),
]


@pytest.mark.parametrize(
    ("arguments", "named", "accepted"),
    [pytest.param(*row, id=f"{row[0]}".encode("ascii", "replace").decode()) for row in REFUSED],
)
def test_an_argument_is_refused_before_the_first_frame(
    arguments: dict[str, Any], named: str, accepted: str, path: Path
) -> None:
    frames = Asked(greys())
    with pytest.raises(OptionError) as refused:
        export_video(frames, path, **arguments)
    message = str(refused.value)
    assert isinstance(refused.value, ValueError)
    assert named in message
    assert re.search(accepted, message)
    assert "\n" not in message
    assert len(message) < 300
    assert frames.count == 0
    with pytest.raises(OptionError) as again:
        VideoWriter(path, **arguments)
    assert str(again.value) == message
    assert_untouched(path)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (lambda folder: folder / "clip.avi", r"'\.avi'.* use '\.mp4' or '\.m4v', or say format='mp4'"),
        (lambda folder: folder / "clip", r"extension ''.* use '\.mp4' or '\.m4v'"),
        (lambda folder: f"{folder}/a\0b.mp4", r"'.*a\\x00b\.mp4'.* no file name can have"),
        (lambda folder: f"{folder}/\ud800.mp4", r"'.*\\ud800\.mp4'.* no file name can have"),
        (lambda folder: 5, "path=5 is no path"),
        (lambda folder: io.BytesIO(), "path=.*BytesIO.* is no path"),
    ],
)
def test_what_can_be_no_path_is_refused_before_the_first_frame(
    place: Callable[[Path], Any], said: str, tmp_path: Path
) -> None:
    path, frames = place(tmp_path), Asked(greys())
    with pytest.raises(OptionError, match=said) as refused:
        export_video(frames, path)
    assert "\n" not in str(refused.value)
    assert frames.count == 0
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_may_not_be_replaced_is_refused_before_the_first_frame(path: Path) -> None:
    frames = Asked(greys())
    with pytest.raises(PublishError, match=f"{re.escape(repr(str(path)))} exists and overwrite is False") as refused:
        export_video(frames, path, overwrite=False)
    assert (refused.value.errno, refused.value.filename) == (errno.EEXIST, str(path))
    assert frames.count == 0
    assert_untouched(path)


def test_the_first_frame_is_asked_for_when_the_hidden_file_is_there(path: Path) -> None:
    def frames() -> Iterator[Clip]:
        assert len(list(path.parent.iterdir())) == 2
        assert path.read_bytes() == OLDER
        yield from greys()

    assert export_video(frames(), path).frame_count == 5
    assert list(path.parent.iterdir()) == [path]


# ---- all or nothing ------------------------------------------------------------------------------------------------


def failing_at(index: int, frames: Iterable[Any], error: BaseException) -> Iterator[Any]:
    yield from itertools.islice(frames, index)
    raise error


ERRORS = [RuntimeError("the model failed"), KeyboardInterrupt(), SystemExit(3), GeneratorExit(), MemoryError()]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_generator_that_fails_at_frame_150_of_300_leaves_the_clip_as_it_was(
    error: BaseException, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    path = export_video(greys(9), tmp_path / "folder" / "clip.mp4").path
    held, frames, error = path.read_bytes(), noise(150), type(error)(*error.args)  # each has notes of its own
    with pytest.raises(type(error)) as raised:
        export_video(failing_at(150, frames, error), path)
    assert raised.value is error
    kept = assert_kept(path, error, held)
    assert_frames(kept, frames[: telecine.probe(kept).frame_count])


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_with_body_that_fails_leaves_the_path_as_it_was(error: BaseException, path: Path) -> None:
    error, frames = type(error)(*error.args), noise(150)

    def body() -> None:
        with VideoWriter(path) as writer:
            for frame in failing_at(150, frames, error):
                writer.write(frame)

    with pytest.raises(type(error)) as raised:
        body()
    assert raised.value is error
    kept = assert_kept(path, error)
    assert_frames(kept, frames[: telecine.probe(kept).frame_count])


BLANK = np.zeros((HEIGHT, WIDTH, 3), np.float32)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (np.full_like(BLANK, np.nan), "frame 150 has 9216 NaN or infinite values of 9216"),
        (BLANK[:40], "frame 150 is 64x40, frame 0 is 64x48: all must be of one size"),
        (BLANK.astype(np.float64), "frame 150 is float64 and frame 0 is float32"),
        (BLANK[..., :1], "frame 150 has 1 channels and frame 0 has 3"),
        (BLANK + 200, r"frame 150 is float32 with values from 200 to 200, not \[0, 1\]: .*value_range=\(0, 255\)"),
        (BLANK.astype(complex), "frame 150 has dtype complex128: bool, uint8, .* are accepted"),
        ("no such image.png", "'no such image.png' can't be read as an image"),
        (None, "frame 150 is NoneType None: PIL images, NumPy, torch or JAX arrays"),
    ],
)
def test_a_frame_that_is_none_at_150_of_300_leaves_the_path_as_it_was(frame: Any, said: str, path: Path) -> None:
    frames = [BLANK] * 150 + [frame] + [BLANK] * 149
    with pytest.raises(FrameError, match=said) as raised:
        export_video(iter(frames), path)
    assert telecine.probe(assert_kept(path, raised.value)).frame_count == 150


@pytest.mark.parametrize(
    "frames", [[], iter([]), np.zeros((0, 48, 64, 3), np.uint8)], ids=["list", "iterator", "array"]
)
def test_no_frames_leave_the_path_as_it_was(frames: Any, path: Path) -> None:
    with pytest.raises(FrameError, match="no frames"):
        export_video(frames, path)
    assert_untouched(path)


def test_a_writer_closed_without_frames_leaves_the_path_as_it_was(path: Path) -> None:
    with pytest.raises(FrameError, match="no frames: there is nothing to write"):
        VideoWriter(path).close()
    assert_untouched(path)


@pytest.mark.parametrize("shape", [(1, 2, 16386, 3), (1, 16384, 16384, 3)])
def test_a_picture_too_large_for_the_encoder_leaves_the_path_as_it_was(shape: tuple[int, ...], path: Path) -> None:
    with pytest.raises(FrameError, match=f"frames are {shape[2]}x{shape[1]}: too large for h264"):
        export_video(np.broadcast_to(np.uint8(9), shape), path, layout="THWC")
    assert_untouched(path)


def test_a_writer_that_is_dropped_leaves_the_path_as_it_was(path: Path) -> None:
    writer = VideoWriter(path)
    writer.write(noise())
    del writer
    assert_frames(assert_kept(path), noise())


def test_until_it_is_closed_the_path_holds_what_it_held(path: Path) -> None:
    with VideoWriter(path) as writer:
        for frame in noise(50):
            writer.write(frame)
            assert path.read_bytes() == OLDER
    assert telecine.probe(path).frame_count == 50


@pytest.mark.parametrize("how", ["sys.exit(0)", "pass", "1 / 0"])
def test_an_interpreter_that_ends_with_an_open_writer_leaves_the_path_as_it_was(how: str, path: Path) -> None:
    script = f"""
import sys, numpy, telecine
writer = telecine.VideoWriter("clip.mp4")
writer.write(numpy.random.default_rng(0).integers(0, 256, (30, 48, 64, 3), numpy.uint8))
{how}
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=path.parent, capture_output=True, text=True, timeout=60)
    assert done.returncode == (1 if how == "1 / 0" else 0)
    assert ("ZeroDivisionError" in done.stderr) == (how == "1 / 0")
    kept = assert_kept(path)
    assert_frames(kept, noise(30)[: telecine.probe(kept).frame_count])


def test_ctrl_c_during_a_long_export_leaves_the_path_as_it_was(path: Path) -> None:
    script = """
import itertools, signal, numpy, telecine
signal.signal(signal.SIGINT, signal.default_int_handler)  # should the tests run where it is ignored
noise = numpy.random.default_rng(0).integers(0, 256, (5, 360, 480, 3), numpy.uint8)
def endless():
    for index, frame in enumerate(itertools.cycle(noise)):
        if index == 20:
            print("encoding", flush=True)
        yield frame
telecine.export_video(endless(), "clip.mp4", preset="slow")
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=path.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "encoding\n"
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGINT
    assert "\nKeyboardInterrupt" in said
    assert_kept(path)


# ---- the encoding thread's errors ----------------------------------------------------------------------------------

LIMITED = """
import errno, itertools, json, resource, sys, numpy, telecine

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

def described(error):
    cause = error.__cause__
    return [type(error).__name__, error.errno, error.filename, str(error), type(cause).__name__, cause.errno]

noise = numpy.random.default_rng(0).integers(0, 256, (5, 48, 64, 3), numpy.uint8)
"""


def test_a_full_disk_surfaces_at_a_later_write_with_its_cause(path: Path) -> None:
    said = run_python(
        LIMITED
        + """
writer = telecine.VideoWriter("clip.mp4")
limit(1 << 20)
try:
    for frame in itertools.cycle(noise):
        writer.write(frame)
except telecine.PublishError as error:
    print(json.dumps(described(error)))
for call in (lambda: writer.write(noise), writer.close):
    try:
        call()
    except telecine.PublishError as error:
        print(json.dumps(described(error)))
try:
    writer.close()
except telecine.TelecineError as error:
    print(json.dumps(str(error)))
""",
        path.parent,
    )
    first, again, closing, closed = map(json.loads, said.splitlines())
    text = "'clip.mp4' can't be written: File too large"
    assert first == again == ["PublishError", errno.EFBIG, "clip.mp4", text, "OSError", errno.EFBIG]
    kept = re.fullmatch(re.escape(text) + r"; (\d+) of \d+ frames are kept: telecine recover clip\.mp4", closing.pop(3))
    assert closing == ["PublishError", errno.EFBIG, "clip.mp4", "OSError", errno.EFBIG]
    assert closed == "the writer of 'clip.mp4' was aborted"
    assert kept is not None
    assert telecine.probe(assert_kept(path)).frame_count == int(kept[1])


def test_a_full_disk_never_publishes_a_part(path: Path) -> None:
    size = export_video(noise(), path).size_bytes
    path.write_bytes(OLDER)
    short = [*range(1, 17), 100, 1000, size // 2, size - 4096, size - 1, size]  # of the bytes that it takes
    said = run_python(
        LIMITED
        + """
for size in map(int, sys.argv[1:]):
    limit(size)
    try:
        telecine.export_video(noise, "clip.mp4")
        print(json.dumps("published"))
    except telecine.PublishError as error:
        print(json.dumps(described(error)))
""",
        path.parent,
        *(size - each for each in short),
    )
    failed = [json.loads(line) for line in said.splitlines()]
    texts = [each.pop(3) for each in failed]
    assert failed == [["PublishError", errno.EFBIG, "clip.mp4", "OSError", errno.EFBIG]] * len(short)
    assert all(text.startswith("'clip.mp4' can't be written: File too large") for text in texts)
    assert path.read_bytes() == OLDER
    kept = [int(found[1]) for text in texts if (found := re.search(r"; (\d+) of 5 frames are kept", text))]
    recovered = [telecine.recover(path) for _ in kept]  # the newest first
    assert [video.frame_count for video in recovered] == kept[::-1]
    for video in recovered:
        assert_frames(video, noise(video.frame_count))
        video.path.unlink()
    assert_untouched(path)


def test_a_caught_frame_error_leaves_the_writer_usable_and_its_count_right(tmp_path: Path) -> None:
    frames = greys(12) / np.float32(255)
    broken = frames[5:10].copy()
    broken[2] = np.nan
    with VideoWriter(tmp_path / "clip.mp4", crf=1) as writer:
        with pytest.raises(FrameError, match="frame 0 has 9216 NaN"):
            writer.write(broken[2])
        writer.write(frames[:5])
        with pytest.raises(FrameError, match="frame 7 has 9216 NaN"):
            writer.write(broken)  # of which the two before the broken one are in the video
        assert writer.frame_count == 7
        with pytest.raises(FrameError, match="frame 7 is 63x48, frame 0 is 64x48"):
            writer.write(frames[7, :, 1:])
        with pytest.raises(FrameError, match="frame 7 is uint8 and frame 0 is float32"):
            writer.write(greys(1))
        writer.write(frames[7:])
        assert writer.frame_count == 12
    assert writer.video.frame_count == 12
    assert_frames(writer.video, greys(12))


def test_a_refused_first_frame_settles_nothing(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.mp4") as writer:
        with pytest.raises(FrameError, match="NaN"):
            writer.write(np.full((30, 40, 3), np.nan))
        writer.write(greys(3, 40, 30))
    assert writer.video.frame_count == 3


# ---- closed, aborted, forked ---------------------------------------------------------------------------------------


def test_a_closed_writer_takes_no_frames_and_gives_the_same_video_again(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "clip.mp4")
    with pytest.raises(TelecineError, match="has not finished: close it first"):
        _ = writer.video
    writer.write(greys())
    video = writer.close()
    assert writer.close() is video is writer.video
    with pytest.raises(TelecineError, match=r"clip\.mp4' is closed"):
        writer.write(greys())
    writer.abort()
    assert writer.close() is video
    assert telecine.probe(video).frame_count == 5


def test_closing_inside_the_with_is_closing(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.mp4") as writer:
        writer.write(greys())
        video = writer.close()
    assert writer.video is video


def test_an_aborted_writer_takes_no_frames_and_has_no_video(path: Path) -> None:
    writer = VideoWriter(path)
    writer.write(greys())
    writer.abort()
    writer.abort()
    for call in (lambda: writer.write(greys()), writer.close):
        with pytest.raises(TelecineError, match=r"clip\.mp4' was aborted"):
            call()
    with pytest.raises(TelecineError, match="has not finished"):
        _ = writer.video
    assert_untouched(path)


def test_aborting_inside_the_with_leaves_the_path_as_it_was(path: Path) -> None:
    with VideoWriter(path) as writer:
        writer.write(greys())
        writer.abort()
    assert_untouched(path)


def test_aborting_in_another_thread_wakes_a_write_that_waits(path: Path) -> None:
    many, ended = threading.Event(), list[BaseException]()
    picture = noise(1, 480, 360)[0]

    def endless() -> Iterator[Clip]:
        for index in itertools.count():
            if index == 12:  # the queue is full: the encoder takes each one at once and long
                many.set()
            yield picture

    def write() -> None:
        try:
            writer.write(endless())
        except BaseException as error:
            ended.append(error)

    writer = VideoWriter(path, preset="placebo", encoder_options={"tune": "zerolatency"})
    thread = threading.Thread(target=write)
    thread.start()
    assert many.wait(timeout=60)
    writer.abort()
    thread.join(timeout=60)
    assert not thread.is_alive()
    (error,) = ended
    assert type(error) is TelecineError
    assert re.search(r"clip\.mp4' (is closed|was aborted)", str(error))
    assert_untouched(path)


def test_aborting_in_the_progress_callback_ends_the_write(path: Path) -> None:
    def progress(done: int, total: int | None) -> None:
        if done == 3:
            writer.abort()

    frames = Asked(itertools.cycle(greys()))
    writer = VideoWriter(path, progress=progress)
    with pytest.raises(TelecineError, match=r"clip\.mp4' was aborted"):
        writer.write(frames)
    assert frames.count == 4
    assert_untouched(path)


def test_closing_inside_the_generator_ends_the_write_with_what_was_given(tmp_path: Path) -> None:
    frames = greys(9)

    def closing() -> Iterator[Clip]:
        yield from frames[:3]
        writer.close()
        yield from frames[3:]

    writer = VideoWriter(tmp_path / "clip.mp4", crf=1)
    with pytest.raises(TelecineError, match=r"clip\.mp4' is closed"):
        writer.write(closing())
    assert writer.video.frame_count == 3
    assert_frames(writer.video, frames[:3])


def test_a_progress_callback_that_fails_leaves_the_path_as_it_was(path: Path) -> None:
    error = RuntimeError("the page is gone")

    def progress(done: int, total: int | None) -> None:
        raise error

    with pytest.raises(RuntimeError) as raised:
        export_video(greys(), path, progress=progress)
    assert raised.value is error
    assert_frames(assert_kept(path, error), greys()[:1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_neither_writes_nor_disturbs_its_parents_writer(tmp_path: Path) -> None:
    said = run_python(
        """
import os, sys, warnings, numpy, telecine
warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads, from Python 3.12 on
frames = numpy.zeros((5, 48, 64, 3), numpy.uint8)
writer = telecine.VideoWriter("clip.mp4")
writer.write(frames)
child = os.fork()
if child == 0:
    for call in (lambda: writer.write(frames), writer.close):
        try:
            call()
        except telecine.TelecineError as error:
            print(error)
    writer.abort()
    sys.exit(7)  # with all that an interpreter does at its end
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
writer.write(frames)
print(writer.close().frame_count)
""",
        tmp_path,
    )
    refused = "the writer of 'clip.mp4' belongs to the process that forked this one"
    assert said.splitlines() == [refused, refused, "7", "10"]
    assert [each.name for each in tmp_path.iterdir()] == ["clip.mp4"]
    assert telecine.probe(tmp_path / "clip.mp4").frame_count == 10


# ---- what is said --------------------------------------------------------------------------------------------------


def see_through(count: int = 5) -> Clip:
    """Red frames, see-through in their right half."""
    frames = np.zeros((count, HEIGHT, WIDTH, 4), np.uint8)
    frames[..., 0] = 255
    frames[:, :, : WIDTH // 2, 3] = 255
    return frames


@pytest.mark.parametrize("background", ["black", "#00ff00", (0.0, 1.0, 0.0), "white"])
def test_alpha_on_a_given_background_is_shown_on_it_without_a_word(background: Any, tmp_path: Path) -> None:
    video = export_video(see_through(), tmp_path / "clip.mp4", background=background)
    assert video.notes == ()
    shown = {"black": (0, 0, 0), "white": (255, 255, 255)}.get(background, (0, 255, 0))
    right = decoded(video)[:, :, WIDTH // 2 + 8 :].astype(int)
    assert np.abs(right - shown).max() <= 4


def test_an_alpha_channel_that_hides_nothing_is_not_mentioned(tmp_path: Path) -> None:
    frames = see_through()
    frames[..., 3] = 255
    assert export_video(frames, tmp_path / "clip.mp4").notes == ()


def test_alpha_is_an_error_where_warnings_are_and_leaves_the_path_as_it_was(path: Path) -> None:
    with pytest.raises(TelecineWarning, match="transparent"):  # as pytest is set up here
        export_video(see_through(), path)
    assert_untouched(path)


@pytest.mark.parametrize(
    "lossless", [{"crf": 0}, {"crf": 0.5}, {"encoder_options": {"x264-params": "qp=0"}}], ids=["0", "0.5", "qp"]
)
def test_what_does_not_play_everywhere_is_said_before_the_first_frame(lossless: Any, tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", TelecineWarning)
        before: list[int] = []

        def frames() -> Iterator[Clip]:
            before.append(len(said))
            yield from noise()

        video = export_video(frames(), tmp_path / "clip.mp4", **lossless)
    assert before == [1]
    assert [str(each.message) for each in said] == list(video.notes)
    assert [each.category for each in said] == [TelecineWarning]
    (note,) = video.notes
    assert note.startswith("h264 High 4:4:4 Predictive does not play everywhere")
    assert telecine.probe(video).profile == "High 4:4:4 Predictive"


def test_where_warnings_are_errors_a_lossless_export_writes_nothing(path: Path) -> None:
    frames = Asked(greys())
    with warnings.catch_warnings():
        warnings.simplefilter("error", TelecineWarning)
        with pytest.raises(TelecineWarning, match="does not play everywhere"):
            export_video(frames, path, crf=0)
    assert frames.count == 0
    assert_untouched(path)


def test_a_warning_points_at_the_callers_line(tmp_path: Path) -> None:
    with pytest.warns(TelecineWarning) as said:
        VideoWriter(tmp_path / "clip.mp4", crf=0).abort()
    assert said[0].filename == __file__


# ---- progress ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_as", "total"),
    [
        (list, 5),
        (tuple, 5),
        (np.asarray, 5),
        (lambda frames: frames[None], 5),
        (lambda frames: np.moveaxis(frames, 3, 0), 5),
        (lambda frames: [frames[:2], frames[2:]], 5),
        (lambda frames: [[Image.fromarray(frame) for frame in frames]], 5),
        (iter, None),
        (lambda frames: (frame for frame in frames), None),
    ],
    ids=["list", "tuple", "THWC", "BTHWC", "CTHW", "chunks", "batch", "iterator", "generator"],
)
def test_progress_gets_what_is_done_of_what_there_is(
    given_as: Callable[[Clip], Any], total: int | None, tmp_path: Path
) -> None:
    seen: list[tuple[int, int | None]] = []
    video = export_video(
        given_as(greys()), tmp_path / "clip.mp4", progress=lambda done, in_all: seen.append((done, in_all))
    )
    assert seen == [(done, total) for done in range(1, 6)]
    assert video.frame_count == 5


def test_a_writers_progress_knows_no_total(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    with VideoWriter(tmp_path / "clip.mp4", progress=lambda done, in_all: seen.append((done, in_all))) as writer:
        writer.write(greys(2))
        writer.write(greys(1)[0])
    assert seen == [(1, None), (2, None), (3, None)]


def test_progress_true_draws_a_bar_on_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export_video(greys(), tmp_path / "clip.mp4", progress=True)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.search(r"exporting .*5/5 .*frames/s", printed.err)


def test_without_progress_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    export_video(greys(), tmp_path / "clip.mp4")
    with pytest.raises(OptionError):
        export_video(greys(), tmp_path / "clip.mp4", encoder_options={"x264-params": "foo=1"})
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")


# ---- neighbours ----------------------------------------------------------------------------------------------------


def test_concurrent_writers_each_write_their_own_file(tmp_path: Path) -> None:
    clips = [greys(20 + index, 16 * (index + 1), 33 + index) for index in range(8)]
    all_open = threading.Barrier(8)

    def write(index: int) -> Video:
        with VideoWriter(tmp_path / f"{index}.mp4", fps=index + 1, crf=1) as writer:
            writer.write(clips[index][:10])
            all_open.wait(timeout=60)
            for frame in clips[index][10:]:
                writer.write(frame)
        return writer.video

    with ThreadPoolExecutor(8) as pool:
        videos = list(pool.map(write, range(8)))
    for index, (video, clip) in enumerate(zip(videos, clips, strict=True)):
        assert video.fps == index + 1
        assert (video.frame_count, video.width) == (len(clip), clip.shape[2])
        assert_frames(video, clip)
    assert sorted(each.name for each in tmp_path.iterdir()) == [f"{index}.mp4" for index in range(8)]
    assert encoding_threads() == []


def test_writers_leave_no_file_open_and_no_thread(path: Path) -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("no /proc here")
    before = len(list(descriptors.iterdir()))
    for _ in range(3):
        export_video(greys(), path)
        with pytest.raises(RuntimeError):
            export_video(failing_at(3, greys(), RuntimeError()), path)
        with pytest.raises(OptionError):
            export_video(greys(), path, encoder_options={"nonsense": 1})
    assert len(list(descriptors.iterdir())) == before
    assert encoding_threads() == []


def test_open_writers_share_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "available_processors", lambda: 12)
    for _ in range(2):  # what a writer had is given back
        with ExitStack() as open_writers:
            shares = [open_writers.enter_context(processors.encoder_threads()) for _ in range(14)]
        assert shares == [12, 6, 4, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1]


def test_one_writer_takes_at_most_16_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "available_processors", lambda: 192)
    with processors.encoder_threads() as share:
        assert share == 16


def test_finished_and_failed_writers_give_their_share_back(path: Path) -> None:
    def share() -> int:
        with processors.encoder_threads() as threads:
            return threads

    before = share()
    export_video(greys(), path)
    for frames in ([BLANK, BLANK[1:]], [BLANK * np.nan], []):
        with pytest.raises(FrameError):
            export_video(frames, path)
    writer = VideoWriter(path)
    writer.write(greys())
    writer.abort()
    assert share() == before


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no processor affinity here")
def test_only_the_processors_of_the_affinity_are_counted(tmp_path: Path) -> None:
    said = run_python(
        """
import os
from telecine.processors import available_processors
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
print(available_processors())
""",
        tmp_path,
    )
    assert said == "1\n"


@pytest.mark.parametrize(
    ("files", "membership", "quota"),
    [
        ({}, "0::/\n", np.inf),
        ({"cpu.max": "max 100000\n"}, "0::/\n", np.inf),
        ({"cpu.max": "150000 100000\n"}, "0::/\n", 1.5),
        ({"job/task/cpu.max": "400000 100000\n"}, "0::/job/task\n", 4),
        ({"job/cpu.max": "200000 100000\n", "job/task/cpu.max": "max 100000\n"}, "0::/job/task\n", 2),
        ({"job/cpu.max": "100000 100000\n", "other/cpu.max": "10000 100000\n"}, "0::/job\n", 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, "4:cpu,cpuacct:/\n", np.inf),
        ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, "4:cpu,cpuacct:/\n", 0.5),
        ({"cpu/j/cpu.cfs_quota_us": "300000\n", "cpu/j/cpu.cfs_period_us": "100000\n"}, "4:cpu:/j\n1:x:/\n", 3),
        ({"cpu.max": "garbage\n"}, "0::/\n", np.inf),
        ({"cpu.max": ""}, "nothing known\n", np.inf),
        ({"a:b/cpu.max": "100000 50000\n"}, "0::/a:b\n", 2),
        ({"cpu.max": "150000 100000\n"}, None, 1.5),
    ],
)
def test_the_smallest_quota_of_the_cgroups_counts(
    files: dict[str, str], membership: str | None, quota: float, tmp_path: Path
) -> None:
    root, own = tmp_path / "cgroup", tmp_path / "membership"
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    if membership is not None:
        own.write_text(membership)
    assert processors._cgroup_quota(root, own) == quota


@pytest.mark.parametrize(("quota", "count"), [(0.1, 1), (1.0, 1), (np.inf, None)])
def test_a_quota_is_rounded_up_to_whole_processors(
    quota: float, count: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processors, "_cgroup_quota", lambda: quota)
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert processors.available_processors() == (count or allowed)


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="no /proc here")
def test_memory_does_not_grow_with_the_number_of_frames(tmp_path: Path) -> None:
    said = run_python(
        """
import itertools, numpy, telecine
noise = numpy.random.default_rng(0).integers(0, 256, (5, 120, 160, 3), numpy.uint8)
for count in (100, 1500):
    frames = itertools.islice(itertools.cycle(noise), count)
    video = telecine.export_video(frames, "clip.mp4", quality="draft", encoder_options={"preset": "ultrafast"})
    assert video.frame_count == count
    print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])  # its own: ru_maxrss is inherited
""",
        tmp_path,
    )
    few, many = map(int, said.splitlines())
    assert many - few < 16 << 10  # of KiB: the planes of the 1,400 more are 40 MB, their pixels 81 MB


def test_importing_telecine_imports_nothing_heavy(tmp_path: Path) -> None:
    said = run_python("import json, sys, telecine; print(json.dumps(sorted(sys.modules)))", tmp_path)
    modules = set(json.loads(said))
    assert "telecine.writer" in modules
    assert (
        modules & {"torch", "diffusers", "transformers", "ray", "rich", "typer", "click", "safetensors", "cv2"} == set()
    )


# ---- Video ---------------------------------------------------------------------------------------------------------


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
