"""`tap`: the file is the one of the pipeline's whole output, though it never has it; on diffusers' real classes."""

from __future__ import annotations

import resource
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import telecine
from telecine import EncodeError, OptionError, PublishError, TelecineWarning

from ..support.tiny_pipelines import PIPELINES, frames_of, tiny

pytestmark = pytest.mark.slow

COUNTS = {"cogvideox": (1, 13), "wan": (1, 29), "hunyuanvideo": (17, 33), "stable video diffusion": (6,)}


def export_each(frames: Any, folder: Path) -> list[bytes]:
    """Export a pipeline's whole output, a file for each video."""
    paths = [folder / f"whole-{number}.mp4" for number in range(len(frames))]
    for video, path in zip(frames, paths, strict=True):
        telecine.export_video(video, path, layout="TCHW")
    return [path.read_bytes() for path in paths]


def tapped(pipe: Any, count: int, folder: Path, videos: int = 1, **options: Any) -> tuple[list[bytes], Any]:
    """Call a pipeline that is tapped: the files, and what it gives back."""
    paths = [folder / f"tapped-{number}.mp4" for number in range(videos)]
    writers = [telecine.VideoWriter(path) for path in paths]
    with telecine.tap(pipe, writers if videos > 1 else writers[0], **{"on_unstreamable": "error", **options}):
        frames = frames_of(pipe, count, videos)
    for writer in writers:
        writer.close()
    return [path.read_bytes() for path in paths], frames


@pytest.mark.parametrize("name", PIPELINES)
def test_the_file_is_that_of_the_whole_output(name: str, tmp_path: Path) -> None:
    pipe = tiny(name)
    assert telecine.can_stream(pipe), telecine.can_stream(pipe).reason
    for count in COUNTS.get(name, (17,)):
        whole = frames_of(pipe, count)
        files, specks = tapped(pipe, count, tmp_path)
        assert files == export_each(whole, tmp_path)
        assert specks.shape[:3] == whole.shape[:3]
        assert max(specks.shape[3:]) <= 2


@pytest.mark.parametrize("name", ["cogvideox", "wan"])
def test_a_pipeline_of_bfloat16_gives_the_same(name: str, tmp_path: Path) -> None:
    pipe = tiny(name).to(torch.bfloat16)
    whole = frames_of(pipe, 9)
    assert whole.dtype == torch.bfloat16
    assert tapped(pipe, 9, tmp_path)[0] == export_each(whole, tmp_path)


@pytest.mark.parametrize("slicing", [False, True], ids=["a batch", "one after the other"])
@pytest.mark.parametrize("name", ["cogvideox", "wan", "hunyuanvideo"])
def test_several_videos_have_a_writer_each(name: str, slicing: bool, tmp_path: Path) -> None:
    pipe = tiny(name)
    if slicing:
        pipe.vae.enable_slicing()
    whole = frames_of(pipe, 9, videos=2)
    files, frames = tapped(pipe, 9, tmp_path, videos=2, keep_frames=True)
    assert files == export_each(whole, tmp_path)
    assert torch.equal(frames, whole)


def test_chunks_of_several_videos_are_told_apart_where_they_are_frames_in_a_row(tmp_path: Path) -> None:
    pipe = tiny("stable video diffusion")  # 2 times 5 frames, in chunks of 4
    files, _ = tapped(pipe, 5, tmp_path, videos=2)
    assert files == export_each(frames_of(pipe, 5, videos=2), tmp_path)


def test_more_videos_than_writers_are_refused(tmp_path: Path) -> None:
    pipe = tiny("wan")
    with pytest.raises(OptionError, match="more videos than have a writer, 1: give a list"):  # noqa: SIM117
        with telecine.VideoWriter(tmp_path / "clip.mp4") as writer, telecine.tap(pipe, writer):
            frames_of(pipe, 5, videos=2)


class Behind:
    """A writer that has a chunk, of 1, 4 and 4 frames, wait until the decoder is at the next."""

    def __init__(self) -> None:
        self.decoding, self.count = threading.Semaphore(0), 0

    def write(self, frames: Any, /) -> None:
        for _ in range({0: 2, 1: 1}.get(self.count, 0)):
            assert self.decoding.acquire(timeout=30)
        self.count += 1


def test_a_chunk_is_written_while_the_next_is_decoded() -> None:
    pipe, writer = tiny("wan"), Behind()
    pipe.vae.decoder.register_forward_pre_hook(lambda *_: writer.decoding.release())
    with telecine.tap(pipe, writer):
        frames_of(pipe, 9)
    assert writer.count == 9


class Failing:
    """A writer that fails at a frame."""

    def __init__(self, at: int) -> None:
        self.left = at

    def write(self, frames: Any, /) -> None:
        self.left -= 1
        if self.left < 0:
            raise PublishError("the disk is full")


@pytest.mark.parametrize("at", [0, 1, 8], ids=["in the first chunk", "in the second", "in the last"])
def test_what_a_writer_raises_ends_the_run_wherever_it_is(at: int) -> None:
    pipe = tiny("wan")
    with pytest.raises(PublishError, match="the disk is full"), telecine.tap(pipe, Failing(at)):
        frames_of(pipe, 9)
    assert not [thread for thread in threading.enumerate() if thread.name == "telecine-tap"]


def test_frames_of_inference_mode_are_written_on_another_thread(tmp_path: Path) -> None:
    pipe = tiny("wan")
    with torch.inference_mode():
        whole = frames_of(pipe, 9)
        files, _ = tapped(pipe, 9, tmp_path)
    assert files == export_each(whole, tmp_path)


def hooks_of(pipe: Any) -> tuple[int, bool, bool]:
    vae = pipe.vae
    return len(vae.decoder._forward_hooks), "_decode" in vars(vae), "postprocess_video" in vars(pipe.video_processor)


@pytest.mark.parametrize("name", ["wan", "stable video diffusion"])
def test_nothing_of_the_tap_is_left_however_it_ends(name: str, tmp_path: Path) -> None:
    pipe = tiny(name)
    kept = pipe.vae.decoder.register_forward_hook(lambda *_: None)  # of somebody else, as accelerate's
    before = hooks_of(pipe)
    tapped(pipe, 5, tmp_path)
    assert hooks_of(pipe) == before
    with pytest.raises(KeyboardInterrupt), telecine.tap(pipe, Interrupted()):
        frames_of(pipe, 5)
    assert hooks_of(pipe) == before
    assert "decode_latents" not in vars(pipe)
    kept.remove()


class Interrupted:
    """A writer at whose second chunk the user presses Ctrl-C."""

    chunks = 0

    def write(self, frames: Any, /) -> None:
        self.chunks += 1
        if self.chunks == 2:
            raise KeyboardInterrupt


def test_no_chunk_at_all_is_an_error_and_no_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with pytest.raises(EncodeError, match="decoded nothing that could be tapped"):  # noqa: SIM117
        with telecine.VideoWriter(path) as writer, telecine.tap(pipe := tiny("wan"), writer):
            frames_of(pipe, 5, output_type="latent")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_stops_the_run_at_the_chunk(tmp_path: Path) -> None:
    pipe = tiny("wan")
    seen: list[int] = []
    counter = pipe.vae.decoder.register_forward_hook(lambda *_: seen.append(1))
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    path = tmp_path / "clip.mp4"
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, limit[1]))
        with pytest.raises(PublishError):  # noqa: SIM117
            with telecine.VideoWriter(path, quality="visually-lossless") as writer, telecine.tap(pipe, writer):
                frames_of(pipe, 81)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert 1 < len(seen) < 21  # of 21 chunks
    counter.remove()


class OfMyOwn(type(tiny("wan"))):  # type: ignore[misc]
    """A pipeline that may do more to its frames."""


class Sharpened(type(tiny("wan").video_processor)):  # type: ignore[misc]
    """A processing that may look at the pixels around one."""


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda pipe: pipe.vae.enable_tiling(), "its AutoencoderKLWan decodes tiles of all frames"),
        (lambda pipe: setattr(pipe, "__class__", OfMyOwn), "OfMyOwn is none of those that are known"),
        (lambda pipe: setattr(pipe.video_processor, "__class__", Sharpened), "its video_processor is Sharpened"),
    ],
    ids=["tiles", "a subclass", "a processor of one's own"],
)
def test_what_can_not_be_streamed_is_written_whole_and_says_so(change: Any, reason: str, tmp_path: Path) -> None:
    pipe = tiny("wan")
    change(pipe)
    assert telecine.can_stream(pipe).reason.startswith(reason)
    with pytest.raises(OptionError, match=f"can't be written while they are decoded: {reason}"):
        tapped(pipe, 9, tmp_path)
    with pytest.warns(TelecineWarning, match=f"written when all are decoded: {reason}"):
        files, frames = tapped(pipe, 9, tmp_path, on_unstreamable="whole")
    assert files == export_each(frames, tmp_path)
    assert frames.shape == (1, 9, 3, 32, 32)


@pytest.mark.parametrize("name", ["ltx", "mochi", "hunyuanvideo"])
def test_a_decoder_that_takes_all_frames_at_once_says_what_to_set(name: str) -> None:
    pipe = tiny(name)
    pipe.vae.use_framewise_decoding = False
    assert telecine.can_stream(pipe).reason.endswith("set vae.use_framewise_decoding = True")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda sample: sample * 0.5, "the VAE changes frames behind its decoder"),
        (lambda sample: sample[:, :, :-1], "the VAE changes frames behind its decoder"),
        (lambda sample: torch.cat([sample, sample], 2), "the VAE gives 18 frames, of which 9 were written"),
    ],
    ids=["other values", "frames that are dropped", "frames more"],
)
def test_a_vae_that_does_more_than_is_known_is_found_out(
    change: Callable[[Any], Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tiny("wan")
    decode = pipe.vae._decode

    def changed(latents: Any) -> Any:
        decoded = decode(latents)
        return type(decoded)(sample=change(decoded.sample))

    monkeypatch.setattr(pipe.vae, "_decode", changed)
    with pytest.raises(EncodeError, match=said):  # noqa: SIM117
        with telecine.VideoWriter(tmp_path / "clip.mp4") as writer, telecine.tap(pipe, writer):
            frames_of(pipe, 9)
    assert not (tmp_path / "clip.mp4").exists()


def test_other_words_for_what_is_done_otherwise_are_refused() -> None:
    wrong: Any = "maybe"
    with pytest.raises(OptionError, match="on_unstreamable='maybe' is not known: use 'whole' or 'error'"):
        telecine.tap(tiny("wan"), Interrupted(), on_unstreamable=wrong).__enter__()
    with pytest.raises(OptionError, match="object has no video_processor: give export_video the frames"):
        telecine.tap(object(), Interrupted()).__enter__()
