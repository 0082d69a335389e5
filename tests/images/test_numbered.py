"""A folder of images holds every frame exactly, and comes to its path whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import signal
import stat
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import OpenEXR
import pytest
import torch
from PIL import Image, JpegImagePlugin

import telecine
from telecine import EncodeError, FrameError, MissingDependencyError, OptionError, PublishError
from telecine.color.color import BT709
from telecine.formats.images import SEQUENCES
from telecine.frames.recognise import Frames, Recognizer
from telecine.images.numbered import Sequence, SequenceSettings, check_sequence
from telecine.planes.codes import pixels_of
from telecine.planes.convert import Conversion, parse_background
from telecine.publish.folder import FolderPublication, recover_folder

from ..support.helpers import ROOT, names_in, noise

Pixels = npt.NDArray[Any]
EXTENSION = {name: row.extension for name, row in SEQUENCES.items()}


def random_frames(dtype: str, channels: int = 3, count: int = 3) -> Pixels:
    random = np.random.default_rng(4)
    shape = (count, 47, 63, channels)
    if dtype.startswith("float"):
        return random.random(shape).astype(dtype)
    return random.integers(0, np.iinfo(dtype).max + 1, shape, dtype)


def written(path: Path, frames: Pixels, format: str = "png", bits: int = 8, **options: Any) -> Path:
    _, height, width, channels = frames.shape
    settings = SequenceSettings(format, width, height, channels == 4, bits, threads=2, **options)
    publication = FolderPublication(path)
    sequence = Sequence(publication.folder, settings)
    for frame in frames:
        sequence.encode(frame)
    sequence.finish()
    publication.commit()
    names = [f"{index:06d}{EXTENSION[format]}" for index in range(len(frames))]
    assert names_in(path) == names
    assert names_in(path.parent) == [path.name]
    return path


def by_opencv(path: Path) -> Pixels:
    images: list[Pixels] = []
    for each in sorted(path.iterdir()):
        image = cv2.imread(str(each), cv2.IMREAD_UNCHANGED)
        assert image is not None
        images.append(np.asarray(image)[:, :, [2, 1, 0, 3][: image.shape[2]]])
    return np.array(images)


def by_pillow(path: Path) -> Pixels:
    return np.array([np.array(Image.open(each)) for each in sorted(path.iterdir())])


def by_openexr(path: Path) -> Pixels:
    images = []
    for each in sorted(path.iterdir()):
        with OpenEXR.File(str(each)) as file:
            ((_, channel),) = file.channels().items()
            images.append(channel.pixels)
    return np.array(images)


def rounded(frames: Pixels, white: int) -> Pixels:
    """The oracle: rational numbers, halves up."""
    return np.array([math.floor(Fraction(float(value)) * white + Fraction(1, 2)) for value in frames.flat]).reshape(
        frames.shape
    )


# ---- what is in the images -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(("format", "bits"), [("png", 8), ("png", 16), ("tiff", 8), ("tiff", 16)])
def test_integers_of_the_files_depth_are_bit_exact(format: str, bits: int, channels: int, tmp_path: Path) -> None:
    frames = random_frames(f"uint{bits}", channels)
    path = written(tmp_path / "clip", frames, format, bits)
    # OpenCV multiplies a TIFF of 8 bit by its alpha, Pillow makes 8 bits of 16.
    found = by_pillow(path) if bits == 8 else by_opencv(path)
    assert found.dtype == frames.dtype
    assert np.array_equal(found, frames)


@pytest.mark.parametrize(("format", "bits"), [("png", 8), ("png", 16), ("tiff", 8), ("tiff", 16)])
@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
def test_floats_are_rounded_once_and_exactly(format: str, bits: int, dtype: str, tmp_path: Path) -> None:
    frames = random_frames(dtype, count=1)
    assert np.array_equal(by_opencv(written(tmp_path / "clip", frames, format, bits)), rounded(frames, 2**bits - 1))


def test_the_other_integer_depth_keeps_its_share_of_the_scale(tmp_path: Path) -> None:
    frames = random_frames("uint8")
    assert np.array_equal(
        by_opencv(written(tmp_path / "fine" / "clip", frames, "png", 16)), frames.astype(np.uint16) * 257
    )
    fine = random_frames("uint16")
    assert np.array_equal(by_opencv(written(tmp_path / "coarse" / "clip", fine, "png", 8)), np.round(fine / 257))


@pytest.mark.parametrize("channels", [3, 4])
def test_a_tiff_of_floats_keeps_them(channels: int, tmp_path: Path) -> None:
    frames = random_frames("float32", channels) * 3 - 1
    assert np.array_equal(by_opencv(written(tmp_path / "clip", frames, "tiff", 32)), frames)


def test_a_jpeg_is_of_quality_95_with_whole_chroma(tmp_path: Path) -> None:
    frames = np.array([cv2.GaussianBlur(noise(1)[0], (9, 9), 0)], np.uint8)
    path = written(tmp_path / "clip", frames, "jpeg")
    reference = tmp_path / "reference.jpg"
    cv2.imwrite(str(reference), frames[0], [cv2.IMWRITE_JPEG_QUALITY, 95])
    with Image.open(path / "000000.jpg") as image, Image.open(reference) as wanted:
        assert isinstance(image, JpegImagePlugin.JpegImageFile)
        assert isinstance(wanted, JpegImagePlugin.JpegImageFile)
        assert JpegImagePlugin.get_sampling(image) == 0
        assert image.quantization == wanted.quantization
    assert np.abs(by_pillow(path).astype(float) - frames).mean() < 1.5


def linear(value: float) -> float:
    """sRGB's inverse transfer (IEC 61966-2-1), one number at a time."""
    size = abs(value)
    return math.copysign(size / 12.92 if size <= 0.04045 else ((size + 0.055) / 1.055) ** 2.4, value)


def test_openexr_holds_halves_of_linear_light(tmp_path: Path) -> None:
    frames = random_frames("float32") * 2 - 0.5
    found = by_openexr(written(tmp_path / "any" / "clip", frames, "exr", 16))
    assert found.dtype == np.float16
    assert np.array_equal(found, np.vectorize(linear)(frames.astype(np.float64)).astype(np.float32).astype(np.float16))
    known = by_openexr(written(tmp_path / "known" / "clip", np.array([[[[0, 128, 255]]]], np.uint8), "exr", 16))
    assert known.ravel().tolist() == [0, np.float16(0.21586), 1]


def test_openexr_multiplies_by_alpha(tmp_path: Path) -> None:
    frames = random_frames("float32", 4)
    found = by_openexr(written(tmp_path / "clip", frames, "exr", 16))
    wanted = np.concatenate([np.vectorize(linear)(frames[..., :3]) * frames[..., 3:], frames[..., 3:]], axis=3)
    assert np.array_equal(found[..., 3], frames[..., 3].astype(np.float16))
    assert np.abs(found - wanted).max() < 2**-11


def test_scene_linear_frames_go_into_openexr_as_they_are(tmp_path: Path) -> None:
    frames = np.array([[[[0.18, 16, -0.5], [70000, 1e-8, 65504]]]], np.float32)
    found = by_openexr(written(tmp_path / "clip", frames, "exr", 16, linear=True))
    assert found.tolist() == np.minimum(frames, 65504).astype(np.float16).tolist()


def test_telecine_reads_a_sequence_back_in_order(tmp_path: Path) -> None:
    frames = noise(13)
    path = written(tmp_path / "clip", frames)
    found = list(Recognizer().frames(telecine.open_frames(path)))
    assert np.array_equal(np.array([frame.pixels for frame in found]), frames)


# ---- recognised frames ---------------------------------------------------------------------------------------------


def recognised(array: Frames, bits: int, **options: Any) -> Pixels:
    background = parse_background(options.pop("background", None))
    (frame,) = Recognizer(options.pop("layout", "auto")).frames(array)
    return pixels_of(frame, Conversion(BT709, **options), bits, background)


def test_frames_of_any_layout_dtype_and_range_become_pixels() -> None:
    frame = random_frames("uint8")[0]
    planes = np.moveaxis(frame, 2, 0)
    assert np.array_equal(recognised(planes, 8, layout="CHW"), frame)
    floats = (frame / 127.5 - 1).astype(np.float32)
    assert np.array_equal(recognised(floats, 8, value_range=(-1, 1)), frame)
    assert np.array_equal(recognised(frame.astype(np.float16), 8, value_range=(0, 255)), frame)
    assert np.array_equal(recognised(frame[:, :, :1], 16, layout="HWC"), frame[:, :, [0, 0, 0]] * np.uint16(257))
    assert np.array_equal(
        recognised(frame[:, :, 0] > 99, 8), np.repeat(frame[:, :, :1] > 99, 3, axis=2) * np.uint8(255)
    )
    half = torch.tensor(frame).to(torch.bfloat16) / 256
    assert np.array_equal(recognised(half, 8), rounded(half.float().numpy(), 255))


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_alpha_is_composited_on_the_background_in_encoded_values(bits: int) -> None:
    frame = random_frames("uint8", 4)[0]
    share = frame[:, :, 3:] / 255
    wanted = frame[:, :, :3] / 255 * share + np.array([1, 0.5, 0]) * (1 - share)
    found = recognised(frame, bits, background=(1, 0.5, 0)) / (1 if bits == 32 else 2**bits - 1)
    assert np.abs(found - wanted).max() <= 0.5 / (2**bits - 1) + 1e-7


@pytest.mark.parametrize(("value", "said"), [(math.nan, "NaN"), (math.inf, "infin"), (2.5, "pass value_range")])
def test_floats_that_mean_nothing_are_an_error(value: float, said: str) -> None:
    frame = random_frames("float32")[0]
    frame[3, 4, 1] = value
    with pytest.raises(FrameError, match=f"frame 0 .*{said}"):
        recognised(frame, 16)


# ---- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("settings", "error", "said"), [
    (SequenceSettings("jpeg", 64, 48, False, 16), OptionError, "bit_depth=16 does not go with jpeg: use 8"),
    (SequenceSettings("png", 64, 48, False, 32), OptionError, "bit_depth=32 does not go with png: use 8 or 16"),
    (SequenceSettings("jpeg", 64, 48, True, 8), OptionError, "jpeg has no alpha"),
    (SequenceSettings("png", 64, 48, False, 8, linear=True), OptionError, "scene-linear frames do not go with png"),
    (SequenceSettings("jpeg", 65501, 8, False, 8), FrameError, "65501x8: too large for jpeg"),
    (SequenceSettings("png", 40000, 40000, False, 8), FrameError, "40000x40000: too large for png"),
])  # fmt: skip
def test_what_a_format_can_not_hold_is_an_error(settings: SequenceSettings, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        check_sequence(settings)


def test_tiff_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'telecine\[tiff\]'"):
        check_sequence(SequenceSettings("tiff", 64, 48, False, 8))


def test_a_frame_of_another_shape_is_an_error(tmp_path: Path) -> None:
    sequence = Sequence(str(tmp_path), SequenceSettings("png", 64, 48, False, 8))
    with pytest.raises(FrameError, match=r"of shape \(47, 63, 3\): \(48, 64, 3\) was promised"):
        sequence.encode(random_frames("uint8")[0])
    sequence.close()


# ---- the folder ----------------------------------------------------------------------------------------------------

OLDER = noise(4) // 2


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A folder that holds an older sequence, alone in its folder."""
    return written(tmp_path / "clip", OLDER)


def assert_untouched(path: Path) -> None:
    assert np.array_equal(by_pillow(path), OLDER)
    assert names_in(path.parent) == [path.name]
    assert [each.name for each in threading.enumerate() if each.name.startswith("telecine-images")] == []


def started(path: Path, frames: Pixels, **options: Any) -> tuple[FolderPublication, Sequence]:
    publication = FolderPublication(path, **options)
    height, width = frames.shape[1:3]
    sequence = Sequence(publication.folder, SequenceSettings("png", width, height, False, 8, threads=2))
    for frame in frames:
        sequence.encode(frame)
    return publication, sequence


def test_until_it_is_committed_the_path_holds_what_it_held(path: Path) -> None:
    publication, sequence = started(path, noise(9))
    sequence.finish()
    assert np.array_equal(by_pillow(path), OLDER)
    publication.commit()
    assert np.array_equal(by_pillow(path), noise(9))
    assert names_in(path.parent) == ["clip"]


def test_what_is_discarded_leaves_no_trace(path: Path) -> None:
    publication, sequence = started(path, noise(9))
    sequence.close()
    publication.discard()
    assert_untouched(path)


def test_folders_that_are_missing_are_made_and_removed_again(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "clip"
    publication, sequence = started(path, noise(2))
    sequence.close()
    publication.discard()
    assert names_in(tmp_path) == []
    written(path, noise(2))
    assert np.array_equal(by_pillow(path), noise(2))


@pytest.mark.parametrize("exchanges", [True, False])
def test_a_shorter_sequence_replaces_all_of_a_longer_one(
    exchanges: bool, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchanges:
        monkeypatch.setattr("telecine.publish.open_folder._exchanger", lambda: None)
    written(path, noise(2))
    assert np.array_equal(by_pillow(path), noise(2))


def test_an_empty_folder_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    written(tmp_path / "clip", noise(2))


def test_the_path_may_be_a_link(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(path)
    publication, sequence = started(link, noise(2))
    sequence.finish()
    publication.commit()
    assert link.is_symlink()
    assert np.array_equal(by_pillow(path), noise(2))


def test_permissions_stay_and_hold_while_it_is_written(path: Path) -> None:
    path.chmod(0o750)
    publication, sequence = started(path, noise(2))
    assert stat.S_IMODE(os.stat(publication.folder).st_mode) == 0o750
    sequence.finish()
    publication.commit()
    assert stat.S_IMODE(path.stat().st_mode) == 0o750


@pytest.mark.parametrize("name", ["notes.txt", "000001.mp4", "cover.png", ".git"])
def test_a_folder_with_anything_else_in_it_is_not_replaced(name: str, path: Path) -> None:
    (path / name).write_text("mine")
    with pytest.raises(PublishError, match=f"holds '{name}', which is no numbered image") as raised:
        FolderPublication(path)
    assert raised.value.errno == errno.ENOTEMPTY
    (path / name).unlink()
    assert_untouched(path)


def test_what_came_into_the_folder_meanwhile_is_not_lost(path: Path) -> None:
    publication, sequence = started(path, noise(2))
    sequence.finish()
    (path / "notes.txt").write_text("mine")
    with pytest.raises(PublishError, match=r"holds 'notes\.txt'"):
        publication.commit()
    publication.discard()
    assert (path / "notes.txt").read_text() == "mine"
    (path / "notes.txt").unlink()
    assert_untouched(path)


def test_without_overwriting_what_is_there_stays(path: Path) -> None:
    with pytest.raises(PublishError, match="exists and overwrite is False"):
        FolderPublication(path, overwrite=False)
    assert_untouched(path)


def test_without_overwriting_what_came_there_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "clip"
    publication, sequence = started(path, noise(2), overwrite=False)
    sequence.finish()
    path.mkdir()
    (path / "000000.png").write_text("mine")
    with pytest.raises(PublishError, match="exists and overwrite is False"):
        publication.commit()
    publication.discard()
    assert names_in(tmp_path) == ["clip"]
    assert (path / "000000.png").read_text() == "mine"


def test_a_file_at_the_path_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "clip").write_text("mine")
    with pytest.raises(PublishError, match="is a file: name a folder"):
        FolderPublication(tmp_path / "clip")
    with pytest.raises(PublishError, match="can't be written: Not a directory"):
        FolderPublication(tmp_path / "clip" / "below")


def test_a_second_writer_to_one_path_is_told(path: Path) -> None:
    publication, sequence = started(path, noise(2))
    with pytest.raises(PublishError, match="is being written by another writer") as raised:
        FolderPublication(path)
    assert raised.value.errno == errno.EBUSY
    with pytest.raises(PublishError, match="is being written by another writer"):
        recover_folder(path)
    sequence.finish()
    publication.commit()
    assert np.array_equal(by_pillow(path), noise(2))


# ---- failures ------------------------------------------------------------------------------------------------------


def failing(function: Any, call: int, error: Exception) -> Any:
    calls = 0

    def called(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise error
        return function(*arguments, **named)

    return called


def test_a_disk_that_fails_leaves_the_path(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr("os.fsync", failing(os.fsync, 3, full))
    publication, sequence = FolderPublication(path), None
    sequence = Sequence(publication.folder, SequenceSettings("png", 64, 48, False, 8, threads=2))
    with pytest.raises(OSError, match="No space left"):
        write_all(sequence, noise(30))
    sequence.close()
    publication.discard()
    assert_untouched(path)


def write_all(sequence: Sequence, frames: Pixels) -> None:
    for frame in frames:
        sequence.encode(frame)
    sequence.finish()


@pytest.mark.parametrize("call", [1, 2, 3])
@pytest.mark.parametrize("exchanges", [True, False])
def test_a_rename_that_fails_loses_neither_folder(
    call: int, exchanges: bool, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first rename is that onto an empty folder, which tells that the path is taken."""
    if not exchanges:
        monkeypatch.setattr("telecine.publish.open_folder._exchanger", lambda: None)
    publication, sequence = started(path, noise(2))
    sequence.finish()
    monkeypatch.setattr("os.rename", failing(os.rename, call, OSError(errno.EIO, os.strerror(errno.EIO))))
    committed = False
    with contextlib.suppress(PublishError):
        publication.commit()
        committed = True
    assert np.array_equal(by_pillow(path), noise(2) if committed else OLDER)
    assert committed == (exchanges and call > 1)
    publication.discard()
    assert names_in(path.parent) == ["clip"]


def test_an_encoder_that_fails_is_an_encode_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sequence = Sequence(str(tmp_path), SequenceSettings("jpeg", 63, 47, False, 8))
    monkeypatch.setattr(Image.Image, "save", failing(Image.Image.save, 1, OSError("encoder error -2")))
    with pytest.raises(EncodeError, match="libjpeg failed: encoder error -2"):
        write_all(sequence, random_frames("uint8"))
    sequence.close()


# ---- kills ---------------------------------------------------------------------------------------------------------

KILLED = """
import os, sys
from telecine.publish import open_folder
from telecine.publish.folder import FolderPublication
from telecine.images.numbered import Sequence, SequenceSettings
from tests.support.helpers import noise

def dies_at(name, call):
    function, calls = getattr(os, name), 0
    def called(*arguments, **named):
        nonlocal calls
        calls += 1
        if calls == call:
            os.kill(os.getpid(), 9)
        return function(*arguments, **named)
    setattr(os, name, called)

path, name, call, exchanges = sys.argv[1:]
if exchanges == "False":
    open_folder._exchanger = lambda: None
dies_at(name, int(call))
publication = FolderPublication(path)
sequence = Sequence(publication.folder, SequenceSettings("png", 64, 48, False, 8, threads=2))
for frame in noise(9):
    sequence.encode(frame)
sequence.finish()
publication.commit()
os.kill(os.getpid(), 9)
"""


def killed_at(path: Path, name: str, call: int, exchanges: bool = True) -> None:
    command = [sys.executable, "-c", KILLED, str(path), name, str(call), str(exchanges)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize("exchanges", [True, False])
@pytest.mark.parametrize(("name", "call"), [
    ("mkdir", 1), ("fsync", 1), ("fsync", 5), ("fsync", 10), ("fsync", 11), ("rename", 1), ("rename", 6),
    ("rename", 10), ("rename", 11), ("rename", 12), ("unlink", 1), ("unlink", 3), ("rmdir", 1), ("unlink", 99),
])  # fmt: skip
def test_a_kill_leaves_the_old_or_the_new_folder_and_the_next_writer_cleans_up(
    name: str, call: int, exchanges: bool, path: Path
) -> None:
    killed_at(path, name, call, exchanges)
    if not path.exists():  # between two renames: the old one is beside it, and opening a writer puts it back
        assert not exchanges
        FolderPublication(path).discard()
    found = by_pillow(path)
    assert np.array_equal(found, OLDER) or np.array_equal(found, noise(9))
    written(path, noise(3))  # asserts that nothing else is left
    assert np.array_equal(by_pillow(path), noise(3))


@pytest.mark.parametrize("call", [5, 9])
def test_the_frames_of_a_killed_writer_are_recovered(call: int, path: Path) -> None:
    killed_at(path, "fsync", call)
    free, count = recover_folder(path)
    assert 0 < count < 9
    assert (free, names_in(path.parent)) == (f"{path}.recovered", ["clip", "clip.recovered"])
    assert np.array_equal(by_pillow(Path(free)), noise(9)[:count])
    assert np.array_equal(by_pillow(path), OLDER)
    with pytest.raises(PublishError, match="nothing to recover") as raised:
        recover_folder(path)
    assert raised.value.errno == errno.ENOENT


def test_frames_are_recovered_to_a_path_that_holds_nothing(tmp_path: Path) -> None:
    killed_at(tmp_path / "clip", "fsync", 7)
    assert recover_folder(tmp_path / "clip")[0] == str(tmp_path / "clip")
    assert names_in(tmp_path) == ["clip"]


def test_the_next_writer_sets_a_killed_ones_frames_aside(path: Path) -> None:
    killed_at(path, "fsync", 7)
    publication, sequence = started(path, noise(2))
    assert len(names_in(path.parent)) == 3
    sequence.close()
    publication.discard()
    _, count = recover_folder(path)
    assert count > 0


def test_recovery_leaves_out_what_follows_a_gap(tmp_path: Path) -> None:
    publication, sequence = started(tmp_path / "clip", noise(6))
    sequence.finish()
    publication.keep()
    hidden = Path(publication.folder)
    (hidden / "000003.png").rename(hidden / "000003.png.part")
    free, count = recover_folder(tmp_path / "clip")
    assert count == 3
    assert names_in(Path(free)) == ["000000.png", "000001.png", "000002.png"]
