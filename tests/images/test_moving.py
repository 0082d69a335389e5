"""GIF, animated WebP, APNG and AVIF hold every frame, as exactly and for as long as the format can."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import telecine
from telecine import EncodeError, FrameError, MissingDependencyError, OptionError
from telecine.formats.images import MOVING_IMAGES
from telecine.images.moving import (
    MovingImage,
    TickCounter,
    check_file,
    check_options,
    parse_quality,
    rewrite,
)
from telecine.images.protocol import MovingImageSettings
from telecine.publish.publication import Publication
from telecine.support.pyav import seconds

from ..support.helpers import ROOT, Clip, names_in, noise, run_python, waves

pytestmark = pytest.mark.slow

FORMATS = list(MOVING_IMAGES)
FPS = Fraction(24)


def colors(count: int = 5, width: int = 63, height: int = 47) -> Clip:
    """A clip of soft colours, of an odd size."""
    return (255 * waves(count, height, width) + 0.5).astype(np.uint8)


def transparent(count: int = 5) -> Clip:
    """A clip of any colours under any alpha, which changes in half of the pixels."""
    random = np.random.default_rng(1)
    first = random.integers(0, 256, (47, 63, 4), np.uint8)
    frames = np.repeat(first[None], count, axis=0)
    for frame in frames:
        frame[random.random((47, 63)) < 0.5] = random.integers(0, 256, 4)
        frame[:, :, 3][random.random((47, 63)) < 0.5] = random.choice([0, 255])
    return frames


def written(
    format: str,
    frames: Clip,
    quality: str | float = "high",
    durations: Sequence[Fraction] | None = None,
    loops: int = 0,
    time_base: Fraction = 1 / FPS,
) -> io.BytesIO:
    height, width, channels = frames[0].shape
    settings = MovingImageSettings(
        format, width, height, channels == 4, time_base, parse_quality(format, quality), loops, threads=2
    )
    journal, file = io.BytesIO(), io.BytesIO()
    image = MovingImage(journal, file, settings)
    for frame, duration in zip(frames, durations or itertools.repeat(time_base), strict=False):
        image.encode(frame, duration)
    image.finish()
    check_file(file, settings, len(frames))
    return file


def by_pillow(file: io.BytesIO, mode: str = "RGB") -> tuple[Clip, list[float], int | None]:
    """The frames, how many milliseconds each is shown, and the loop count."""
    frames: list[npt.NDArray[np.uint8]] = []
    times: list[float] = []
    with Image.open(file) as image:
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            frames.append(np.array(image.convert(mode)))
            times.append(image.info.get("duration", 0))
        return np.array(frames), times, image.info.get("loop")


def by_opencv(file: io.BytesIO) -> npt.NDArray[np.uint8]:
    _, animation = cv2.imdecodeanimation(np.frombuffer(file.getvalue(), np.uint8))
    return np.array([frame[:, :, [2, 1, 0, 3][: frame.shape[2]]] for frame in animation.frames], np.uint8)


def by_ffmpeg(file: io.BytesIO) -> Iterator[tuple[npt.NDArray[Any], float]]:
    with av.open(io.BytesIO(file.getvalue()), "r") as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgba"), float(seconds(frame.duration, frame.time_base))


# ---- what is in the file -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["webp", "apng"])
@pytest.mark.parametrize("clip", [colors(), noise(4, 17, 9), transparent(), colors(1), transparent(1)])
def test_lossless_is_bit_exact_with_the_colors_that_nobody_sees(format: str, clip: Clip) -> None:
    file = written(format, clip, "lossless")
    found, _, _ = by_pillow(file, "RGBA" if clip.shape[3] == 4 else "RGB")
    assert np.array_equal(found, clip)


@pytest.mark.parametrize("clip", [colors(), transparent()])
def test_other_readers_find_the_same_in_lossless_files(clip: Clip) -> None:
    apng = written("apng", clip, "lossless")
    channels = clip.shape[3]
    assert np.array_equal(np.array([frame for frame, _ in by_ffmpeg(apng)])[..., :channels], clip)
    # OpenCV decodes WebP only premultiplied or composited where there is alpha.
    if channels == 3:
        assert np.array_equal(by_opencv(written("webp", clip, "lossless"))[..., :3], clip)


@pytest.mark.parametrize(("format", "quality", "error"), [("webp", "high", 3), ("webp", 30, 7), ("avif", "high", 2.5)])
def test_lossy_files_hold_every_frame_in_order(format: str, quality: str | float, error: float) -> None:
    clip = colors(9)
    for found in (by_pillow(written(format, clip, quality))[0], by_opencv(written(format, clip, quality))[..., :3]):
        assert found.shape == clip.shape
        assert np.sqrt(np.square(found.astype(float) - clip).mean((1, 2, 3))).max() < error


@pytest.mark.parametrize(("format", "error"), [("webp", 0), ("avif", 3)])
def test_lossy_files_keep_the_alpha(format: str, error: float) -> None:
    clip = np.concatenate([colors(4), np.uint8(255 * waves(4, 47, 63)[..., :1])], axis=3)
    found, _, _ = by_pillow(written(format, clip), "RGBA")
    assert np.abs(found[..., 3].astype(float) - clip[..., 3]).mean() <= error


def test_quality_trades_size_for_closeness() -> None:
    clip = colors(4) // 2 + noise(4, 63, 47) // 8
    for format in ("webp", "avif"):
        files = [written(format, clip, quality) for quality in (10, "draft", "balanced", "high", "visually-lossless")]
        errors = [np.square(by_pillow(file)[0].astype(float) - clip).mean() for file in files]
        assert errors == sorted(errors, reverse=True)
        sizes = [len(file.getvalue()) for file in files]
        assert sizes == sorted(sizes)
    gifs = [len(written("gif", clip, quality).getvalue()) for quality in ("draft", "balanced", "high")]
    assert gifs == sorted(gifs)


# ---- GIF -----------------------------------------------------------------------------------------------------------


def blurred_error(found: npt.NDArray[Any], clip: npt.NDArray[Any]) -> float:
    """How far apart two clips are when seen from where single pixels can't be told, as dither is meant to be."""
    difference = np.moveaxis(found.astype(np.float32) - clip, 0, -2).reshape(*clip.shape[1:3], -1)
    blurred = [cv2.blur(np.ascontiguousarray(part), (3, 3)) for part in np.array_split(difference, 8, axis=2)]
    return float(np.sqrt(np.mean([np.square(part).mean() for part in blurred])))


def assert_smaller_or_closer_than_pillow(clip: Clip) -> None:
    ours = written("gif", clip)
    theirs = io.BytesIO()
    images = [Image.fromarray(frame) for frame in clip]
    images[0].save(theirs, "GIF", save_all=True, append_images=images[1:], duration=40, loop=0)
    smaller = len(ours.getvalue()) < len(theirs.getvalue())
    closer = blurred_error(by_pillow(ours)[0], clip) < blurred_error(by_pillow(theirs)[0], clip)
    assert smaller or closer


def test_a_gif_is_smaller_or_closer_than_pillows() -> None:
    """A scene with one light, still and with grain that moves."""
    scene = np.clip(90 + 70 * waves(12, 96, 160)[..., :1] + 30 * waves(12, 96, 160), 0, 255)
    assert_smaller_or_closer_than_pillow(np.repeat(scene[:1].astype(np.uint8), 12, axis=0))
    grain = np.random.default_rng(0).normal(0, 4, (12, 96, 160, 1))
    assert_smaller_or_closer_than_pillow(np.clip(scene + grain, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("name", ["cogvideox-1.mp4", "cogvideox-2.mp4", "cogvideox-horse.mp4", "wan-720p.mp4"])
def test_a_gif_of_a_real_clip_is_smaller_or_closer_than_pillows(clips: Path, name: str) -> None:
    frames = itertools.islice(telecine.read_frames(clips / name), 16)
    assert_smaller_or_closer_than_pillow(np.array([cv2.resize(frame, (180, 120)) for frame in frames], np.uint8))


def test_a_gif_has_one_palette_for_the_clip() -> None:
    found, _, _ = by_pillow(written("gif", colors(12, 160, 96)))
    assert 200 < len(np.unique(found.reshape(-1, 3), axis=0)) <= 255
    assert min(len(np.unique(frame.reshape(-1, 3), axis=0)) for frame in found) > 50


@pytest.mark.parametrize("few", [1, 2, 200, 255])
def test_a_gif_of_few_colors_is_exact(few: int) -> None:
    random = np.random.default_rng(3)
    palette = random.integers(0, 256, (few, 3), np.uint8)
    clip = palette[random.integers(0, few, (5, 47, 63))]
    assert np.array_equal(by_pillow(written("gif", clip))[0], clip)


@pytest.mark.parametrize("read", [by_pillow, by_ffmpeg])
def test_a_gif_shows_what_is_half_opaque_or_more_and_nothing_else(read: Any) -> None:
    clip = transparent(6)
    file = written("gif", clip)
    found = by_pillow(file, "RGBA")[0] if read is by_pillow else np.array([frame for frame, _ in by_ffmpeg(file)])
    assert np.array_equal(found[..., 3] == 255, clip[..., 3] >= 128)
    assert set(np.unique(found[..., 3])) == {0, 255}


def test_the_colors_after_many_colors_are_in_the_palette_too() -> None:
    """Noise has more than are told exactly; what follows is of one colour, which is none of a step's middle."""
    clip = np.concatenate([noise(4, 120, 100), np.full((4, 100, 120, 3), (3, 201, 78), np.uint8)])
    found = by_pillow(written("gif", clip))[0]
    assert np.abs(found[4:].astype(float).mean((1, 2)) - (3, 201, 78)).max() < 6


# ---- time ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("fps", [Fraction(24), Fraction(30000, 1001), Fraction(16), Fraction(7), Fraction(50)])
def test_the_total_duration_is_right_and_each_frames_to_a_tick(format: str, fps: Fraction) -> None:
    count = 31
    clip = np.repeat(colors(2, 32, 16), 16, axis=0)[:count]
    _, times, _ = by_pillow(written(format, clip, time_base=1 / fps))
    tick = float(1000 * (MOVING_IMAGES[format].tick or 0))
    assert all(abs(time - float(1000 / fps)) < tick + 1e-9 for time in times)
    assert abs(sum(times) - float(1000 * count / fps)) <= tick / 2 + 1e-6


@pytest.mark.parametrize("format", FORMATS)
def test_the_last_frame_is_held_for_what_is_no_number_of_frames(format: str) -> None:
    hold = Fraction(123, 1000)
    _, times, _ = by_pillow(written(format, colors(3), durations=[1 / FPS, 1 / FPS, hold]))
    tick = 1000 * (MOVING_IMAGES[format].tick or Fraction(1, 10_000))
    assert abs(sum(times) - float(1000 * (2 / FPS + hold))) <= tick / 2


def test_apng_holds_the_fraction() -> None:
    file = written("apng", colors(3), time_base=Fraction(1001, 24000)).getvalue()
    at = [index for index in range(len(file)) if file[index : index + 4] == b"fcTL"]
    delays = [(int.from_bytes(file[i + 24 : i + 26], "big"), int.from_bytes(file[i + 26 : i + 28], "big")) for i in at]
    assert delays == [(1001, 24000)] * 3


@pytest.mark.parametrize("format", FORMATS)
def test_frames_of_any_durations_are_shown_for_them(format: str) -> None:
    durations = [Fraction(ms, 1000) for ms in (40, 1234, 25, 99, 3000)]
    _, times, _ = by_pillow(written(format, colors(5), durations=durations, time_base=Fraction(1, 120_000)))
    tick = 1000 * (MOVING_IMAGES[format].tick or 0)
    ends = list(itertools.accumulate(times))
    for end, wanted in zip(ends, itertools.accumulate(durations), strict=True):
        assert abs(end - 1000 * wanted) <= tick / 2 + Fraction(1, 1000)


@pytest.mark.parametrize("format", ["gif", "apng"])
def test_ffmpeg_finds_the_durations(format: str) -> None:
    durations = [Fraction(1, 10), Fraction(3, 10), Fraction(7, 10), Fraction(2, 10)]
    file = written(format, colors(4), durations=durations, time_base=Fraction(1, 10))
    assert [round(time, 3) for _, time in by_ffmpeg(file)][:3] == [0.1, 0.3, 0.7]


@pytest.mark.parametrize("format", FORMATS)
def test_what_browsers_would_slow_down_is_refused(format: str) -> None:
    check_options(format, 0, Fraction(50))
    with pytest.raises(OptionError, match="too fast"):
        check_options(format, 0, Fraction(120))
    with pytest.raises(OptionError, match="browsers slow down"):
        TickCounter(format, Fraction(1, 1000)).ticks(Fraction(5, 1000))
    with pytest.raises(OptionError, match=f"{format} takes"):
        TickCounter(format, Fraction(1)).ticks(Fraction(2**31))


@pytest.mark.parametrize(("format", "loops", "found"), [
    ("gif", 0, 0), ("gif", 1, None), ("gif", 3, 2), ("webp", 0, 0), ("webp", 1, 1), ("webp", 3, 3),
    ("apng", 0, 0), ("apng", 1, 1), ("apng", 3, 3),
])  # fmt: skip
def test_the_clip_is_shown_so_many_times(format: str, loops: int, found: int | None) -> None:
    """A GIF says how many times more, and nothing where it is shown once."""
    check_options(format, loops, FPS)
    assert by_pillow(written(format, colors(3), loops=loops))[2] == found


@pytest.mark.parametrize(("format", "loops"), [("gif", -1), ("webp", 65536), ("apng", 1.5), ("avif", 1), ("gif", True)])
def test_a_loop_count_that_the_format_lacks_is_an_error(format: str, loops: int) -> None:
    with pytest.raises(OptionError, match=f"loops={loops!r} is not how many times {format} can be shown"):
        check_options(format, loops, FPS)


# ---- what is refused -----------------------------------------------------------------------------------------------


def settings_of(format: str, width: int, height: int) -> MovingImageSettings:
    return MovingImageSettings(format, width, height, False, 1 / FPS, parse_quality(format, "high"))


@pytest.mark.parametrize(("format", "size"), [
    ("gif", (65536, 8)), ("webp", (8, 16384)), ("apng", (65536, 8)), ("avif", (16385, 8)), ("gif", (40000, 40000)),
])  # fmt: skip
def test_frames_that_are_too_large_for_the_format_are_an_error(format: str, size: tuple[int, int]) -> None:
    with pytest.raises(FrameError, match=f"{size[0]}x{size[1]}: too large for {format}"):
        MovingImage(io.BytesIO(), io.BytesIO(), settings_of(format, *size))


@pytest.mark.parametrize(("format", "side"), [("gif", 65535), ("webp", 16383), ("apng", 65535), ("avif", 16384)])
def test_the_largest_side_is_written(format: str, side: int) -> None:
    clip = np.zeros((1, 1, side, 3), np.uint8)
    assert by_pillow(written(format, clip))[0].shape == clip.shape


@pytest.mark.parametrize(("format", "quality"), [
    ("gif", "lossless"), ("avif", "lossless"), ("gif", 80), ("webp", 101), ("webp", "best"), ("webp", True),
    ("apng", 9),
])  # fmt: skip
def test_a_quality_that_the_format_lacks_is_an_error(format: str, quality: str | float) -> None:
    with pytest.raises(OptionError, match=f"quality={quality!r} is not known for {format}: use 'draft' or "):
        parse_quality(format, quality)


def test_frames_of_another_kind_than_promised_are_an_error() -> None:
    image = MovingImage(io.BytesIO(), io.BytesIO(), settings_of("webp", 63, 47))
    with pytest.raises(FrameError, match=r"uint8 of \(47, 63, 3\) was promised"):
        image.encode(transparent()[0], 1 / FPS)
    image.close()


def test_a_pillow_without_avif_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("PIL.features.check", lambda feature: False)
    with pytest.raises(MissingDependencyError, match="AVIF: pip install"):
        check_options("avif", 0, FPS)


def test_a_pillow_that_makes_avif_in_another_way_is_found_out_before_the_frames(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("PIL._avif.AvifEncoder", lambda size: None)
    with pytest.raises(MissingDependencyError, match=r"makes AVIF otherwise than 11\.3 to 13\.0 .*: pip install"):
        check_options("avif", 0, FPS)


def test_a_file_that_lacks_a_frame_is_found_out() -> None:
    with pytest.raises(EncodeError, match="frame count is 5, not 6"):
        check_file(written("webp", colors(5)), settings_of("webp", 63, 47), 6)


def pool_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("telecine")]


@pytest.mark.parametrize("format", FORMATS)
def test_it_goes_through_a_publication_to_its_path(format: str, tmp_path: Path) -> None:
    publication = Publication(tmp_path / f"clip.{format}")
    settings = settings_of(format, 63, 47)
    file = publication.open_finished()
    image = MovingImage(publication.journal, file, settings)
    write_all(image, colors())
    check_file(file, settings, 5)
    publication.commit()
    assert names_in(tmp_path) == [f"clip.{format}"]
    assert_same_frames(io.BytesIO((tmp_path / f"clip.{format}").read_bytes()), written(format, colors()))


# ---- failures ------------------------------------------------------------------------------------------------------


class FullDisk(io.BytesIO):
    """A file on a disk with little room."""

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > 3000:
            raise OSError(28, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize("format", FORMATS)
def test_a_full_disk_is_an_os_error_and_ends_all_threads(format: str) -> None:
    image = MovingImage(io.BytesIO(), FullDisk(), settings_of(format, 63, 47))
    with pytest.raises(OSError, match="No space left on device"):
        write_all(image, noise(40, 63, 47))
    with contextlib.suppress(Exception):  # the file can't be completed either
        image.close()
    assert pool_threads() == []


def write_all(image: MovingImage, clip: Clip) -> None:
    for frame in clip:
        image.encode(frame, 1 / FPS)
    image.finish()


def assert_same_frames(found: io.BytesIO, wanted: io.BytesIO) -> None:
    (frames, times, loops), (wanted_frames, *of_wanted) = by_pillow(found), by_pillow(wanted)
    assert np.array_equal(frames, wanted_frames)
    assert [times, loops] == of_wanted


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_closed_early_leaves_its_frames_in_the_journal(format: str) -> None:
    journal, clip = io.BytesIO(), colors(6)
    image = MovingImage(journal, io.BytesIO(), settings_of(format, 63, 47))
    for frame in clip:
        image.encode(frame, 1 / FPS)
    image.close()
    assert pool_threads() == []
    file = io.BytesIO()
    assert rewrite(journal, file, format, parse_quality(format, "high")) == 6
    assert_same_frames(file, written(format, clip))


@pytest.mark.parametrize("format", FORMATS)
def test_a_killed_writer_leaves_its_frames_in_the_journal(format: str, tmp_path: Path) -> None:
    script = """
import os, sys
from fractions import Fraction
from telecine.images.moving import *
from tests.images.test_moving import *
journal, file = open(sys.argv[1], "w+b", 0), open(sys.argv[2], "w+b", 0)
image = MovingImage(journal, file, settings_of(sys.argv[3], 63, 47))
for frame in colors(30)[:7]:
    image.encode(frame, Fraction(1, 24))
os.kill(os.getpid(), 9)
"""
    command = [sys.executable, "-c", script, str(tmp_path / "journal"), str(tmp_path / "file"), format]
    killed = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, timeout=60)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with open(tmp_path / "journal", "rb") as journal:
        again = io.BytesIO()
        # FFmpeg's muxer hands a fragment over when the next one begins.
        assert rewrite(journal, again, format, parse_quality(format, "high")) == 6
    assert_same_frames(again, written(format, colors(30)[:6]))


def test_a_writer_that_is_told_to_stop_ends_in_the_middle() -> None:
    asked = iter([False, False, True, True, True])
    image = MovingImage(io.BytesIO(), io.BytesIO(), settings_of("gif", 63, 47))
    for frame in colors(20):
        image.encode(frame, 1 / FPS)
    image.finish(lambda: next(asked))
    assert pool_threads() == []


MEMORY = """
import json, resource, sys, tempfile
from fractions import Fraction
import numpy
from telecine.images.moving import *

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

random = numpy.random.default_rng(0)
settings = MovingImageSettings(sys.argv[1], 320, 240, False, Fraction(1, 24), parse_quality(sys.argv[1], sys.argv[2]))
peaks = []
with tempfile.TemporaryFile() as journal, tempfile.TemporaryFile() as file:
    image = MovingImage(journal, file, settings)
    for index in range(120):
        image.encode(random.integers(0, 256, (240, 320, 3), numpy.uint8), Fraction(1, 24))
        if index == 20:
            peaks.append(peak())
    image.finish()
print(json.dumps([*peaks, peak()]))
"""


@pytest.mark.parametrize(("format", "quality"), [("gif", "high"), ("webp", "lossless"), ("apng", "lossless")])
def test_memory_does_not_grow_with_the_frames(format: str, quality: str, tmp_path: Path) -> None:
    """100 frames of noise are 23 MB, in the file as well."""
    early, end = json.loads(run_python(MEMORY, tmp_path, format, quality))
    assert end - early < 16
