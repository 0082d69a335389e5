"""Alpha is kept by WebM, ProRes 4444 and FFV1, through a kill too, shown by Chromium, and composited for the rest."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageSequence

import telecine
from telecine import EncodeError, OptionError, TelecineWarning, VideoWriter, export_video, read_frames
from telecine.container import alpha_packets as alpha

from ..support.browser import Browser
from ..support.documents import blocks_of, run_python
from ..support.helpers import ROOT, names_in, waves
from ..support.journals import leave_journal, whole_pairs
from ..support.reference import over

Pixels = npt.NDArray[np.uint8]

WEBM: dict[str, Any] = {"pixel_format": "yuva420p"}
LOSSLESS: dict[str, Any] = {**WEBM, "encoder_options": {"lossless": 1}}  # but for what 4:2:0 costs
AT_ONCE: dict[str, Any] = {**LOSSLESS, "encoder_options": {"lossless": 1, "lag-in-frames": 0}}
# The container, what keeps alpha in it, how far alpha and a frame's mean colour may be off, of 255.
KEEPING = {
    "webm": ("webm", {**WEBM, "quality": "visually-lossless"}, 8, 2),
    "webm without loss": ("webm", LOSSLESS, 0, 2),
    "mkv": ("mkv", {**WEBM, "codec": "vp9", "crf": 5}, 8, 2),
    "prores": ("mov", {"codec": "prores", "pixel_format": "yuva444p10le"}, 0, 1),
    "prores, draft": ("mov", {"codec": "prores", "pixel_format": "yuva444p10le", "quality": "draft"}, 0, 2),
    "ffv1": ("mkv", {"codec": "ffv1"}, 0, 0),
}
PRORES = "codec='prores', pixel_format='yuva444p10le'"
COUNT, HEIGHT, WIDTH = 40, 64, 96  # more frames than libvpx looks ahead

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning"),
]


def clip(count: int = COUNT, height: int = HEIGHT, width: int = WIDTH) -> Pixels:
    """Soft colours under a soft hole in alpha, which moves right: no two frames have the same alpha."""
    down, right = np.mgrid[:height, :width]
    rgba = np.empty((count, height, width, 4), np.uint8)
    rgba[..., :3] = np.round(255 * waves(count, height, width))
    for index, frame in enumerate(rgba):
        distance = (right - width * (index + 1) / (count + 1)) ** 2 + (down - height / 2) ** 2
        frame[..., 3] = np.round(255 * (1 - np.exp(-distance / (height * 6))))
    return rgba


def exported(folder: Path, name: str, frames: Any = None, **options: Any) -> telecine.Video:
    container, keeping, *_ = KEEPING[name]
    return export_video(clip() if frames is None else frames, folder / f"clip.{container}", **{**keeping, **options})


def found_in(path: Any) -> Pixels:
    return np.array(list(read_frames(path, alpha=True)))


def decoded_alpha(path: Any) -> Pixels:
    """The alpha of a WebM's frames by PyAV alone: what is beside each packet is VP9, whose luma is alpha."""
    frames: list[Any] = []
    decoder: Any = av.CodecContext.create("vp9", "r")
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            if packet.size:
                beside = bytes(packet.get_sidedata("matroska_block_additional"))
                assert beside[:8] == (1).to_bytes(8, "big")  # BlockAddID (RFC 9559 5.1.3.5.2.3)
                frames += decoder.decode(av.Packet(beside[8:]))
    frames += decoder.decode(None)
    return np.array([frame.to_ndarray(format="yuv420p")[: frame.height] for frame in frames], np.uint8)


# ---- kept ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KEEPING)
def test_alpha_comes_back_frame_by_frame(tmp_path: Path, name: str) -> None:
    given = clip()
    video = exported(tmp_path, name)
    found = found_in(video)
    assert found.shape == given.shape
    off = np.abs(found.astype(int) - given)
    assert off[..., 3].max() <= KEEPING[name][2]
    assert off[..., :3].mean() <= KEEPING[name][3]
    assert telecine.verify(video, given).problems == ()
    assert names_in(tmp_path) == [video.path.name]


@pytest.mark.parametrize("container", ["webm", "mkv"])
def test_alpha_is_beside_each_picture_and_said_to_be(tmp_path: Path, container: str) -> None:
    video = export_video(clip(), tmp_path / f"clip.{container}", codec="vp9", **LOSSLESS)
    assert np.array_equal(decoded_alpha(video), clip()[..., 3])
    with av.open(str(video)) as opened:
        assert opened.streams.video[0].metadata["alpha_mode"] == "1"
    assert bytes.fromhex("53c08101") in video.path.read_bytes()  # AlphaMode, one byte of 1 (RFC 9559 5.1.4.1.28.4)
    info = telecine.probe(video)
    assert (info.container, info.codec, info.pixel_format) == (container, "vp9", "yuva420p")
    assert (info.frame_count, info.index_in_front, str(info.color.matrix_name)) == (COUNT, True, "smpte170m")


@pytest.mark.parametrize("name", ["clip.webp", "clip.apng", "clip"])
def test_alpha_is_exact_in_images(tmp_path: Path, name: str) -> None:
    given = clip(5)
    folder: dict[str, Any] = {"format": "png"} if name == "clip" else {}
    video = export_video(given, tmp_path / name, **folder)
    files = sorted(video.path.iterdir()) if folder else [video.path]
    found = np.array(
        [np.asarray(each.convert("RGBA")) for file in files for each in ImageSequence.Iterator(Image.open(file))]
    )
    assert np.array_equal(found[..., 3], given[..., 3])


def test_frames_keep_their_times_beside_their_alpha(tmp_path: Path) -> None:
    times = [Fraction(index * index, 100) for index in range(COUNT)]
    video = exported(tmp_path, "webm", timestamps=times, hold=3)
    assert telecine.read_timestamps(video) == times
    assert video.duration == pytest.approx(times[-1] + 3, abs=0.002)


@pytest.mark.parametrize("name", ["webm", "prores", "ffv1"])
def test_frames_without_alpha_are_opaque(tmp_path: Path, name: str) -> None:
    video = exported(tmp_path, name, clip()[..., :3])
    assert (found_in(video)[..., 3] == 255).all()
    assert telecine.verify(video, clip()[..., :3]).problems == ()


def test_alpha_is_padded_with_its_picture(tmp_path: Path) -> None:
    given = clip(3, 63, 95)
    video = exported(tmp_path, "webm without loss", given)
    assert video.padding == (1, 1)
    found = found_in(video)[..., 3]
    assert np.array_equal(found, np.pad(given[..., 3], ((0, 0), (0, 1), (0, 1)), mode="edge"))
    assert telecine.verify(video, given).problems == ()


def test_a_video_with_alpha_as_frames_gives_its_alpha_on(tmp_path: Path) -> None:
    webm = exported(tmp_path, "webm")
    mov = exported(tmp_path, "prores", str(webm))
    assert np.array_equal(found_in(mov)[..., 3], found_in(webm)[..., 3])
    assert telecine.verify(mov, str(webm)).problems == ()
    with pytest.warns(TelecineWarning, match="transparent pixels are shown on black"):
        export_video(mov, tmp_path / "clip.mp4")


# ---- read ----------------------------------------------------------------------------------------------------------


def test_without_alpha_frames_are_three_channels_of_straight_colour(tmp_path: Path) -> None:
    found = np.array(list(read_frames(exported(tmp_path, "ffv1"))))
    assert np.array_equal(found, clip()[..., :3])
    assert next(read_frames(exported(tmp_path, "webm"))).shape == (HEIGHT, WIDTH, 3)


def test_alpha_beside_linear_light_is_refused(tmp_path: Path) -> None:
    video = exported(tmp_path, "ffv1", clip(2))
    with pytest.raises(OptionError, match=r"(?m)^alpha=True does not go with light='encoded', .*: leave one out$"):
        read_frames(video, alpha=True, light="encoded")  # type: ignore[call-overload]


def test_a_video_without_alpha_is_read_as_opaque(tmp_path: Path) -> None:
    video = export_video(clip()[..., :3], tmp_path / "clip.mp4")
    found = found_in(video)
    assert (found[..., 3] == 255).all()
    assert np.array_equal(found[..., :3], list(read_frames(video)))


@pytest.mark.parametrize(
    ("name", "depth"),
    [("yuva420p", 8), ("yuva422p", 8), ("yuva444p10le", 10), ("yuva444p16le", 16), ("gbrap", 8), ("gbrap12le", 12)],
)
def test_alpha_of_any_depth_is_read_to_the_rounding(tmp_path: Path, name: str, depth: int) -> None:
    dtype = np.uint8 if depth == 8 else np.uint16
    codes = np.random.default_rng(0).integers(0, 2**depth, (48, 66), dtype)
    with av.open(str(tmp_path / "clip.nut"), "w") as container:
        stream: Any = container.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 66, 48, name
        frame = av.VideoFrame(66, 48, name)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        lines = np.zeros((48, frame.planes[3].line_size // dtype().itemsize), dtype)
        lines[:, :66] = codes
        frame.planes[3].update(lines.tobytes())
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    (found,) = read_frames(tmp_path / "clip.nut", alpha=True)
    assert np.abs(found[..., 3] - 255 * (codes.astype(float) / (2**depth - 1))).max() <= 0.5
    assert telecine.probe(tmp_path / "clip.nut").pixel_format == name


def test_a_webm_of_ffmpeg_alone_is_read(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "clip.webm"), "w") as container:
        stream: Any = container.add_stream("libvpx-vp9", rate=16, options={"lossless": "1"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuva420p"
        stream.metadata["alpha_mode"] = "1"  # as is usual on its command line: a tag, which hides the element
        for index, rgba in enumerate(clip(5)):
            frame = av.VideoFrame(WIDTH, HEIGHT, "yuva420p")
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            lines = np.zeros((HEIGHT, frame.planes[3].line_size), np.uint8)
            lines[:, :WIDTH] = rgba[..., 3]
            frame.planes[3].update(lines.tobytes())
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert telecine.probe(tmp_path / "clip.webm").pixel_format == "yuva420p"
    assert np.array_equal(found_in(tmp_path / "clip.webm")[..., 3], clip(5)[..., 3])


# ---- a journal -----------------------------------------------------------------------------------------------------


def test_of_a_complete_journal_comes_the_file_of_the_export(tmp_path: Path) -> None:
    leave_journal(tmp_path / "clip.webm", clip(), **WEBM)
    recovered = telecine.recover(tmp_path / "clip.webm").path.read_bytes()
    export_video(clip(), tmp_path / "exported.webm", **WEBM)
    found, expected = ((tmp_path / name).read_bytes() for name in ("clip.webm", "exported.webm"))
    assert found == recovered
    assert packets_in(tmp_path / "clip.webm") == packets_in(tmp_path / "exported.webm")
    assert len(found) == len(expected)


def packets_in(path: Path) -> list[tuple[Any, ...]]:
    with av.open(str(path)) as container:
        return [
            (packet.pts, bytes(packet), bytes(packet.get_sidedata("matroska_block_additional")))
            for packet in container.demux(video=0)
            if packet.size
        ]


def test_of_a_cut_journal_comes_every_whole_frame_with_its_alpha(tmp_path: Path) -> None:
    given = clip(6)
    path = tmp_path / "clip.webm"
    journal = leave_journal(path, given, **AT_ONCE)
    held = journal.read_bytes()
    for length in range(len(held), held.index(b"mdat"), -97):
        count = whole_pairs(held[:length])
        if count == 0:
            break
        journal.write_bytes(held[:length])
        video = telecine.recover(path)
        assert video.frame_count == count
        assert telecine.probe(path).pixel_format == "yuva420p"
        assert np.array_equal(found_in(path)[..., 3], given[:count, ..., 3])
        path.unlink()
    assert count == 0


def test_alpha_is_not_recovered_into_what_can_not_hold_it(tmp_path: Path) -> None:
    journal = leave_journal(tmp_path / "clip", clip(6), **AT_ONCE, format="webm")
    for output in (tmp_path / "clip.mp4", None):  # without an extension it would be an MP4
        with pytest.raises(OptionError, match=r"^the frames have alpha, which mp4 can't hold beside VP9: use .webm or"):
            telecine.recover(tmp_path / "clip", output)
        assert names_in(tmp_path) == [journal.name]
    assert telecine.recover(tmp_path / "clip", tmp_path / "clip.mkv").frame_count == 6
    assert np.array_equal(found_in(tmp_path / "clip.mkv")[..., 3], clip(6)[..., 3])


@pytest.mark.parametrize("zeroed", [1, 2, 4, 100, 700])
def test_a_frame_whose_end_never_reached_the_disk_is_left_out(tmp_path: Path, zeroed: int) -> None:
    path = tmp_path / "clip.webm"
    journal = leave_journal(path, clip(6), **AT_ONCE)
    held = journal.read_bytes()
    payload = held.rindex(b"mdat") + 4
    end = payload - 8 + int.from_bytes(held[payload - 8 : payload - 4], "big")
    journal.write_bytes(held[: end - zeroed] + bytes(zeroed) + held[end:])
    kept = 6 if zeroed <= 2 else 5  # two bytes of the length are zero anyway
    assert telecine.recover(path).frame_count == kept
    assert np.array_equal(found_in(path)[..., 3], clip(6)[:kept, ..., 3])


def test_the_frames_of_a_killed_writer_are_recovered_with_their_alpha(tmp_path: Path) -> None:
    np.save(tmp_path / "frames.npy", clip(12))
    script = """
import numpy, telecine, warnings
warnings.simplefilter("ignore")
options = {"lossless": 1, "lag-in-frames": 0}
writer = telecine.VideoWriter("clip.webm", pixel_format="yuva420p", encoder_options=options)
for frame in numpy.load("frames.npy"):
    writer.write(frame)
    while writer.queued:
        pass
print("alive", flush=True)
input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "alive\n"
        process.kill()
    count = telecine.recover(tmp_path / "clip.webm").frame_count
    assert 10 <= count <= 12  # the encoder's current frame, and the muxer's last
    assert np.array_equal(found_in(tmp_path / "clip.webm")[..., 3], clip(12)[:count, ..., 3])


def test_a_file_that_lost_the_alpha_of_one_frame_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parted = alpha.parted

    def losing(packets: Iterator[Any]) -> Iterator[Any]:
        for index, packet in enumerate(parted(packets)):
            yield alpha.with_data(packet, bytes(packet)) if index == 7 else packet

    with VideoWriter(tmp_path / "clip.webm", **WEBM) as writer:
        writer.write(clip(9))
        monkeypatch.setattr(alpha, "parted", losing)
        with pytest.raises(EncodeError, match="pixel format is yuv420p, not yuva420p; 9 of 9 frames are kept"):
            writer.close()
        monkeypatch.undo()
        assert not (tmp_path / "clip.webm").exists()
    assert telecine.recover(tmp_path / "clip.webm").frame_count == 9
    assert telecine.probe(tmp_path / "clip.webm").pixel_format == "yuva420p"


# ---- verified ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["webm", "prores", "ffv1"])
def test_other_alpha_is_found_by_verify(tmp_path: Path, name: str) -> None:
    video = exported(tmp_path, name)
    inverted, shifted = clip(), clip()
    inverted[..., 3] = 255 - inverted[..., 3]
    shifted[..., 3] = np.roll(shifted[..., 3], COUNT // 2, axis=0)
    for other in (inverted, shifted, clip()[..., :3]):
        report = telecine.verify(video, other)
        assert report.ssim > 0.9  # the colours are right
        assert re.match("PSNR is|a mean colour is", report.problems[0])


# ---- composited ----------------------------------------------------------------------------------------------------


def test_compositing_is_in_the_encoded_values(tmp_path: Path) -> None:
    half = np.full((2, 48, 64, 4), 255, np.uint8)
    half[..., 3] = 128
    for background, shown in (("black", 128), ((0.5, 0.5, 0.5), 192), ("white", 255)):
        video = export_video(half, tmp_path / "clip.mkv", background=background, quality="lossless")
        assert {int(value) for frame in read_frames(video) for value in np.unique(frame)} == {shown}


@pytest.mark.parametrize(
    ("name", "options", "keeps"),
    [
        ("clip.webm", {}, "pixel_format='yuva420p'"),
        ("clip.mov", {"codec": "prores"}, "pixel_format='yuva444p10le'"),
        (
            "clip.mp4",
            {},
            "a WebM with pixel_format='yuva420p' or a MOV with codec='prores', pixel_format='yuva444p10le'",
        ),
    ],
)
def test_the_warning_of_compositing_names_what_keeps_alpha(
    tmp_path: Path, name: str, options: dict[str, Any], keeps: str
) -> None:
    with pytest.warns(TelecineWarning, match=f"on black: .*; {re.escape(keeps)} keeps them$"):
        video = export_video(clip(3), tmp_path / name, **options)
    assert (found_in(video)[..., 3] == 255).all()


@pytest.mark.parametrize("value_range", ["auto", (0, 1), (-1, 1)], ids=str)
@pytest.mark.parametrize("name", ["webm", "prores", "ffv1"])
def test_a_background_is_what_alpha_is_on_where_it_could_be_kept_too(
    tmp_path: Path, name: str, value_range: Any
) -> None:
    given: Any = clip()
    if value_range != "auto":
        low, high = value_range
        given = np.float32(low + (high - low) * (given / 255))
    background = (0.2, 0.6, 1.0)
    video = exported(tmp_path, name, given, background=background, value_range=value_range)
    found = found_in(video)
    assert (found[..., 3] == 255).all()
    expected = np.array([255 * over(frame / 255, background) for frame in clip()])
    assert np.abs(found[..., :3] - expected).mean() <= max(0.3, KEEPING[name][3])
    options: dict[str, Any] = {"value_range": value_range}
    assert telecine.verify(video, given, background=background, **options).problems == ()
    assert not telecine.verify(video, given, background="red", **options).ok
    assert not telecine.verify(video, given, **options).ok


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mov"])
def test_containers_without_alpha_refuse_its_pixel_format(tmp_path: Path, name: str) -> None:
    with pytest.raises(OptionError, match="pixel_format='yuva420p' does not go with h264"):
        export_video(clip(3), tmp_path / name, **WEBM)


# ---- shown ---------------------------------------------------------------------------------------------------------


def test_chromium_shows_the_page_through_a_webm(browser: Browser, tmp_path: Path) -> None:
    # Three columns: opaque, half transparent, transparent; the colour differs from frame to frame.
    colors = [(200, 40, 40), (40, 160, 60), (60, 60, 220)]
    frames = np.empty((3, 96, 240, 4), np.uint8)
    frames[..., :3] = np.array(colors, np.uint8)[:, None, None]
    frames[..., 3] = np.repeat([255, 128, 0], 80)
    loaded = browser.load(export_video(frames, tmp_path / "clip.webm", fps=4, **WEBM))
    assert (loaded.width, loaded.height) == (240, 96)
    page = (20, 220, 240)
    for index, color in enumerate(colors):
        shown = browser.show_on_page((index + 0.5) / 4, f"rgb{page}")
        for column, part in enumerate((1, 128 / 255, 0)):
            middle = shown[16:80, 80 * column + 16 : 80 * column + 64].mean((0, 1))
            expected = part * np.array(color) + (1 - part) * np.array(page)
            assert np.abs(middle - expected).max() <= 4


# ---- documented ----------------------------------------------------------------------------------------------------


def test_the_examples_of_the_page_on_alpha_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _, names = (run_python(block, {"frames": lambda: clip(5)}) for block in blocks_of(ROOT / "docs" / "alpha.md"))
    assert names["rgba"].shape == (HEIGHT, WIDTH, 4)
    assert [telecine.probe(tmp_path / name).pixel_format for name in ("clip.webm", "clip.mov", "clip.mkv")] == [
        "yuva420p",
        "yuva444p12le",
        "bgra",
    ]
