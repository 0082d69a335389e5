"""A path stands for its frames: folders, globs, array files, videos; in natural order, with no gap unseen."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec
import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file as save_numpy
from safetensors.torch import save_file as save_torch
from starlette.datastructures import UploadFile

import telecine
from telecine import FrameError, InputError, TelecineError, open_frames

from ..support.helpers import Piped

FRAMES = np.random.default_rng(0).integers(0, 256, (5, 32, 48, 3), np.uint8)


def images(folder: Path, *names: str) -> Path:
    """Write an image of one's own gray to each name; the folders are made."""
    for level, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16), (level, level, level)).save(path)
    return folder


def names(frames: Any) -> list[str]:
    return [path.name for path in frames]


def refused(path: Any, kind: type[TelecineError] = InputError, **how: Any) -> str:
    with pytest.raises(kind) as raised:
        open_frames(path, **how)
    assert "\n" not in str(raised.value)
    return str(raised.value)


# ---- images --------------------------------------------------------------------------------------------------------


def test_images_are_sorted_by_their_numbers(tmp_path: Path) -> None:
    images(tmp_path, "10.png", "9.png", "2.png", "1.png", "8.png", "3.png", "7.png", "4.png", "6.png", "5.png")
    in_order = [f"{number}.png" for number in range(1, 11)]
    assert names(open_frames(tmp_path)) == in_order
    assert names(open_frames(str(tmp_path))) == in_order
    assert names(open_frames(f"{tmp_path}/*.png")) == in_order


def test_the_exported_frames_are_in_that_order(tmp_path: Path) -> None:
    for number in range(12):
        Image.new("RGB", (16, 16), (20 * number,) * 3).save(tmp_path / f"frame {number}.png")
    video = telecine.export_video(tmp_path, tmp_path / "out" / "clip.mp4", crf=1)
    means = [float(frame.mean()) for frame in telecine.read_frames(video)]
    assert means == pytest.approx([20 * number for number in range(12)], abs=2)


@pytest.mark.parametrize(
    "given",
    [
        ["f_0001.png", "f_0002.png", "f_0003.png", "f_0004.png"],
        ["f98.png", "f99.png", "f100.png", "f101.png"],
        ["f0.png", "f8.png", "f16.png", "f24.png"],
        ["0.5.png", "1.5.png", "2.5.png"],
        ["shot 2 take 7.png", "shot 2 take 8.png", "shot 2 take 9.png"],
        ["a.png", "b.png", "z.png"],
        ["a1.png", "b5.png", "c9.png"],
        ["1.png", "5.png"],
        ["1.png"],
    ],
    ids="-".join,
)
def test_numbers_that_go_up_by_one_step_and_names_without_are_accepted(tmp_path: Path, given: list[str]) -> None:
    assert names(open_frames(images(tmp_path, *reversed(given)))) == given


@pytest.mark.parametrize(
    ("given", "before", "after"),
    [
        (["f1.png", "f2.png", "f4.png", "f5.png"], "f2.png", "f4.png"),
        (["0007.png", "0008.png", "0011.png"], "0008.png", "0011.png"),
        (["1.png", "3.png", "4.png"], "1.png", "3.png"),
        (["f0.png", "f8.png", "f24.png"], "f8.png", "f24.png"),
        (["clip1_9.jpg", "clip1_10.jpg", "clip1_12.jpg"], "clip1_10.jpg", "clip1_12.jpg"),
    ],
)
def test_a_gap_is_refused_with_its_ends_unless_it_is_allowed(
    tmp_path: Path, given: list[str], before: str, after: str
) -> None:
    images(tmp_path, *given)
    expected = (
        f"the numbering has a gap: {before!r} is followed by {after!r}; "
        "allow it with --allow-gaps, or telecine.open_frames(path, allow_gaps=True)"
    )
    assert refused(tmp_path, FrameError) == expected
    assert refused(f"{tmp_path}/*{Path(before).suffix}", FrameError) == expected
    assert names(open_frames(tmp_path, allow_gaps=True)) == given
    with pytest.raises(FrameError, match="the numbering has a gap"):
        telecine.export_video(tmp_path, tmp_path / "clip.mp4")
    video = telecine.export_video(open_frames(tmp_path, allow_gaps=True), tmp_path / "clip.mp4")
    assert video.frame_count == len(given)


def test_what_is_hidden_no_image_or_a_folder_is_left_out(tmp_path: Path) -> None:
    images(tmp_path, "1.png", "2.JPG", "3.webp", ".4.png", "5.png/6.png")
    (tmp_path / "notes.txt").write_text("7")
    (tmp_path / "clip.mp4.part").write_text("8")
    assert names(open_frames(tmp_path)) == ["1.png", "2.JPG", "3.webp"]


def test_a_folder_without_images_and_a_glob_of_nothing_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("7")
    assert refused(tmp_path).startswith(f"{str(tmp_path)!r} has no images: PNG, JPEG, ")
    assert refused(f"{tmp_path}/*.png").startswith(f"'{tmp_path}/*.png' has no images: PNG, JPEG, ")


def test_a_glob_goes_through_folders(tmp_path: Path) -> None:
    images(tmp_path, "a/9.png", "a/b/11.png", "a/b/10.png", "other/11.png", "a/c.txt.jpg")
    assert names(open_frames(f"{tmp_path}/a/**/*.png")) == ["9.png", "10.png", "11.png"]
    assert names(open_frames(f"{tmp_path}/?/[0-9].png")) == ["9.png"]


def test_each_folder_of_a_glob_has_its_own_numbering(tmp_path: Path) -> None:
    images(tmp_path, *(f"{folder}/{number}.png" for folder in "ab" for number in (1, 2, 3)))
    assert names(open_frames(f"{tmp_path}/*/*.png")) == ["1.png", "2.png", "3.png"] * 2


def test_a_name_that_only_looks_like_a_glob_is_a_name(tmp_path: Path) -> None:
    folder = images(tmp_path / "take [1]", "1.png", "2.png")
    assert names(open_frames(folder)) == ["1.png", "2.png"]
    images(tmp_path, "what?.png")
    assert names(open_frames(tmp_path / "what?.png")) == ["what?.png"]


def test_one_image_is_one_frame(tmp_path: Path) -> None:
    images(tmp_path, "a.png")
    assert names(open_frames(tmp_path / "a.png")) == ["a.png"]
    assert telecine.export_video(tmp_path / "a.png", tmp_path / "clip.mp4").frame_count == 1


@pytest.mark.parametrize("damage", ["empty", "text", "cut"])
def test_an_image_that_can_not_be_read_is_named(tmp_path: Path, damage: str) -> None:
    images(tmp_path, "1.png", "2.png", "3.png")
    broken = tmp_path / "2.png"
    Image.fromarray(FRAMES[0]).resize((16, 16)).save(broken)
    broken.write_bytes({"empty": b"", "text": b"no image", "cut": broken.read_bytes()[:-200]}[damage])
    with pytest.raises(InputError, match="can't be read as an image") as raised:
        telecine.export_video(tmp_path, tmp_path / "clip.mp4")
    assert str(raised.value).startswith(repr(str(broken)))
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "clip.mp4").exists()


def test_what_is_missing_or_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "no.png").endswith(
        "does not exist: give a folder or a glob of images, a file of arrays or a video"
    )
    (tmp_path / "notes.txt").write_text("7")
    assert "notes.txt' can't be read as a video: it is no MP4, " in refused(tmp_path / "notes.txt")


# ---- arrays --------------------------------------------------------------------------------------------------------


def assert_exported(source: Path, frames: npt.NDArray[Any]) -> None:
    video = telecine.export_video(source, source.with_name("clip.mp4"))
    assert (video.frame_count, video.width, video.height) == (5, 48, 32)
    from_memory = telecine.export_video(frames, source.with_name("memory.mp4"))
    pairs = list(zip(telecine.read_frames(video), telecine.read_frames(from_memory), strict=True))
    assert len(pairs) == 5
    for one, other in pairs:
        assert np.abs(one.astype(int) - other).max() <= 1


STORED: dict[str, npt.NDArray[Any]] = {
    "uint8": FRAMES,
    "float32": FRAMES.astype(np.float32) / 255,
    "float16": FRAMES.astype(np.float16) / np.float16(255),
    "uint16": FRAMES.astype(np.uint16) * 257,
    "bool": FRAMES > 127,
}


@pytest.mark.parametrize("dtype", STORED)
def test_an_array_file_gives_its_array(tmp_path: Path, dtype: str) -> None:
    frames = STORED[dtype]
    np.save(tmp_path / "a.npy", frames)
    np.savez(tmp_path / "b.npz", frames=frames)
    np.savez_compressed(tmp_path / "c.npz", frames)
    save_numpy({"frames": frames}, tmp_path / "d.safetensors")
    save_torch({"frames": torch.from_numpy(frames)}, tmp_path / "e.safetensors")
    for name in ("a.npy", "b.npz", "c.npz", "d.safetensors", "e.safetensors"):
        opened: Any = open_frames(tmp_path / name)
        assert opened.dtype == frames.dtype
        assert (np.asarray(opened) == frames).all()
        assert_exported(tmp_path / name, frames)


def test_a_large_array_is_not_read_at_once(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", FRAMES)
    assert isinstance(open_frames(tmp_path / "a.npy"), np.memmap)


def test_bfloat16_is_read_as_it_is(tmp_path: Path) -> None:
    frames = torch.from_numpy(FRAMES).float().div(255).bfloat16()
    save_torch({"frames": frames}, tmp_path / "a.safetensors")
    opened: Any = open_frames(tmp_path / "a.safetensors")
    assert opened.dtype == torch.bfloat16
    assert torch.equal(opened, frames)
    assert_exported(tmp_path / "a.safetensors", frames.float().numpy())


def test_a_file_of_several_arrays_is_refused_with_their_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", one=FRAMES, two=FRAMES)
    save_numpy({"one": FRAMES, "two": FRAMES}, tmp_path / "a.safetensors")
    for name in ("a.npz", "a.safetensors"):
        message, more = refused(tmp_path / name), "key= names one of several"
        assert message == f"{str(tmp_path / name)!r} holds 2 arrays (one, two): one is accepted, the frames; {more}"
    np.savez(tmp_path / "none.npz")
    assert "holds 0 arrays" in refused(tmp_path / "none.npz")


@pytest.mark.parametrize("name", ["a.npz", "a.safetensors"])
def test_a_key_names_one_of_several_arrays(name: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", one=FRAMES, two=FRAMES[::-1])
    save_numpy({"one": FRAMES, "two": np.ascontiguousarray(FRAMES[::-1])}, tmp_path / "a.safetensors")
    for given in (tmp_path / name, io.BytesIO((tmp_path / name).read_bytes())):
        assert np.array_equal(cast(Any, open_frames(given, key="two")), FRAMES[::-1])
    with pytest.raises(InputError, match=r"holds 2 arrays \(one, two\), and none is called 'three'"):
        open_frames(tmp_path / name, key="three")
    np.save(tmp_path / "a.npy", FRAMES)
    with pytest.raises(InputError, match="holds one array, which has no name: leave key='one' out"):
        open_frames(tmp_path / "a.npy", key="one")


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    hostile = np.array([Path("x")], dtype=object)
    np.save(tmp_path / "a.npy", hostile, allow_pickle=True)
    np.savez(tmp_path / "a.npz", hostile, allow_pickle=True)
    for name in ("a.npy", "a.npz"):
        message = refused(tmp_path / name)
        assert message.startswith(f"{str(tmp_path / name)!r} can't be read as an array: ")
        assert re.search("[Oo]bject", message)


def test_an_archive_that_is_named_as_an_array_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", FRAMES)
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    assert refused(tmp_path / "a.npy").startswith(f"{str(tmp_path / 'a.npy')!r} can't be read as an array: ")


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.safetensors", "a.mp4"])
@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x01\x00", b"PK\x03\x04 no zip"])
def test_what_is_no_file_of_its_kind_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert refused(tmp_path / name).startswith(f"{str(tmp_path / name)!r} can't be read as ")


def test_without_safetensors_the_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"")
    code = (
        "import sys; sys.modules['safetensors'] = None; import telecine\n"
        "try: telecine.open_frames(sys.argv[1])\n"
        "except telecine.MissingDependencyError as error: print(error)"
    )
    asked = [sys.executable, "-c", code, str(tmp_path / "a.safetensors")]
    found = subprocess.run(asked, capture_output=True, text=True)
    assert found.stdout.endswith("a.safetensors' needs safetensors: pip install 'telecine[cli]'\n")


# ---- videos --------------------------------------------------------------------------------------------------------


def test_a_video_gives_its_frames(tmp_path: Path) -> None:
    video = telecine.export_video(FRAMES, tmp_path / "a.mp4")
    for path in (video, str(video), video.path):
        opened: Any = open_frames(path)
        for one, other in zip(opened, telecine.read_frames(video), strict=True):
            assert (one == other).all()
    assert telecine.export_video(video, tmp_path / "b.mp4").frame_count == 5


def test_a_video_may_be_written_over_itself(tmp_path: Path) -> None:
    video = telecine.export_video(FRAMES, tmp_path / "a.mp4", fps=12)
    assert telecine.export_video(video, tmp_path / "a.mp4", fps=12).frame_count == 5
    assert telecine.probe(video).fps == 12


# ---- open files ----------------------------------------------------------------------------------------------------


def in_memory(path: Path) -> io.BytesIO:
    return io.BytesIO(path.read_bytes())


def open_at_its_end(path: Path) -> BinaryIO:
    file = path.open("rb")
    file.seek(0, io.SEEK_END)
    return file


def as_from_a_pipe(path: Path) -> Piped:
    return Piped(path.read_bytes())


def exported(frames: Any, tmp_path: Path) -> bytes:
    return telecine.export_video(frames, tmp_path / "clip.mkv", codec="ffv1", fps=10).read_bytes()


@pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning")
@pytest.mark.parametrize("opened", [in_memory, open_at_its_end, as_from_a_pipe])
@pytest.mark.parametrize(
    "name",
    [
        *("a.npy", "b.npz", "c.safetensors"),
        *("d.png", "e.tiff", "f.jpg", "pages.tiff", "still.webp"),
        *("g.mkv", "h.gif", "i.webp", "j.apng", "k.webm"),
    ],
)
def test_an_open_file_gives_what_its_path_gives(tmp_path: Path, name: str, opened: Any) -> None:
    path, pictures = tmp_path / name, [Image.fromarray(frame) for frame in FRAMES]
    if name == "a.npy":
        np.save(path, FRAMES)
    elif name == "b.npz":
        np.savez(path, FRAMES)
    elif name == "c.safetensors":
        save_numpy({"frames": FRAMES}, path)
    elif name in ("d.png", "e.tiff", "f.jpg", "still.webp"):
        pictures[0].save(path)
    elif name == "pages.tiff":
        pictures[0].save(path, save_all=True, append_images=pictures[1:])
    else:
        options: Any = {"pixel_format": "yuva420p"} if name == "k.webm" else {}
        frames = np.concatenate([FRAMES, FRAMES[..., :1]], axis=-1) if options else FRAMES
        telecine.export_video(frames, path, fps=10, **options)
    expected = exported(path, tmp_path)
    with opened(path) as file:
        assert exported(file, tmp_path) == expected


def test_open_images_and_urls_in_a_list_are_frames_in_order(tmp_path: Path) -> None:
    folder = telecine.export_video(FRAMES, tmp_path / "images", format="png").path
    images = sorted(folder.iterdir())
    store = fsspec.filesystem("memory")
    for image in images:
        store.pipe_file(f"memory://images/{image.name}", image.read_bytes())
    expected = telecine.export_video(FRAMES, tmp_path / "clip.mp4").read_bytes()
    for frames in (
        [in_memory(image) for image in images],
        (as_from_a_pipe(image) for image in images),
        [f"memory://images/{image.name}" for image in images],
    ):
        assert telecine.export_video(frames, tmp_path / "clip.mp4").read_bytes() == expected


def test_the_alpha_of_an_open_webm_is_read(tmp_path: Path) -> None:
    frames = np.concatenate([FRAMES, FRAMES[..., :1]], axis=-1)
    with pytest.warns(telecine.TelecineWarning, match="does not play everywhere"):
        video = telecine.export_video(frames, tmp_path / "clip.webm", pixel_format="yuva420p")
    pairs = zip(
        telecine.read_frames(in_memory(video.path), alpha=True), telecine.read_frames(video, alpha=True), strict=True
    )
    assert [np.array_equal(found, expected) for found, expected in pairs] == [True] * 5


def test_an_open_file_that_is_none_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no frames " * 100)
    np.savez(tmp_path / "two.npz", a=FRAMES, b=FRAMES)
    with open(tmp_path / "notes.txt", "rb") as file:
        assert "notes.txt' can't be read as a video: it is no MP4, " in refused(file)
    assert "notes.txt' is a closed file: give an open one" in refused(file)
    with open(tmp_path / "notes.txt") as text:
        assert "notes.txt' is read as text: open it for bytes, with 'rb', or give its .buffer" in refused(text)
    assert refused(io.StringIO()).startswith("'the open file' is read as text")
    upload = UploadFile(io.BytesIO(), filename="a.mp4")
    assert (
        refused(upload) == "'the open file' is read asynchronously: give the file beneath it, such as UploadFile.file"
    )
    with open(tmp_path / "new", "wb") as written:
        assert "new' is not open for reading: open it with 'rb'" in refused(written)
    assert refused(io.BytesIO()).startswith("'the open file' can't be read as a video: it is no MP4, ")
    assert refused(in_memory(tmp_path / "two.npz")) == (
        "'the open file' holds 2 arrays (a, b): one is accepted, the frames; key= names one of several"
    )
    assert refused(io.BytesIO(b"\x93NUMPY\1\0nonsense")).startswith("'the open file' can't be read as an array: ")
    with pytest.raises(InputError, match="'the open file' can't be read as an image"):
        telecine.export_video([io.BytesIO(b"nonsense")], tmp_path / "clip.mp4")
