"""ComfyUI's nodes, in modules that follow its interface; and in ComfyUI's own where TELECINE_COMFYUI is a checkout."""

from __future__ import annotations

import io
import json
import math
import os
import re
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args
from urllib.parse import parse_qs, urlsplit

import numpy as np
import numpy.typing as npt
import pytest
import torch

import telecine
from telecine import FrameError, MissingDependencyError, OptionError, TelecineWarning
from telecine.formats.choices import FormatName
from telecine.integrations import comfyui
from telecine.integrations.comfyui import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

from ..support.comfyui import graphs_of
from ..support.comfyui_host import Host, VideoComponents, real, stand_in
from ..support.helpers import names_in, waves

COUNT, HEIGHT, WIDTH, FPS = 7, 48, 64, 12
WAVES = waves(COUNT, HEIGHT, WIDTH)
IMAGES = torch.from_numpy(WAVES).float()
SOUND = (np.sin(np.arange(14000) / 9)[None] * [[0.5], [-0.25]]).astype(np.float32)  # stereo at 24 kHz, 7/12 s
AUDIO: Any = {"waveform": torch.from_numpy(SOUND[None]), "sample_rate": 24000}
GRAPH = {"1": {"class_type": "EmptyImage", "inputs": {"width": 64, "seed": 7}, "is_changed": [math.nan]}}
WORKFLOW = {"workflow": {"nodes": [{"id": 1, "type": "EmptyImage"}], "text": "パンダ \\ \x85"}}


CHECKOUT = os.environ.get("TELECINE_COMFYUI")


@pytest.fixture(params=["stand-in", "real"] if CHECKOUT else ["stand-in"])
def host(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    if request.param == "stand-in":
        return stand_in(tmp_path, monkeypatch)
    assert CHECKOUT
    return real(tmp_path, CHECKOUT, monkeypatch)


def save(
    frames: Any = IMAGES, filename_prefix: str = "video/a", fps: float = FPS, format: Any = "mp4", **more: Any
) -> Any:
    """Run the node, as ComfyUI does: by the names of its inputs."""
    node: Any = NODE_CLASS_MAPPINGS["TelecineSaveVideo"]()
    inputs = {"frames": frames, "filename_prefix": filename_prefix, "fps": fps, "format": format, **more}
    return getattr(node, node.FUNCTION)(**inputs)


def load(video: str, **limits: int) -> Any:
    node: Any = NODE_CLASS_MAPPINGS["TelecineLoadVideo"]()
    assert node.VALIDATE_INPUTS(video) is True
    return getattr(node, node.FUNCTION)(video=video, **limits)


def frames_in(path: Path | str, **options: Any) -> npt.NDArray[np.uint8]:
    return np.stack(list(telecine.read_frames(path, **options)))


def assert_waves(found: npt.NDArray[Any], wanted: npt.NDArray[Any] = WAVES, most: float = 3.0) -> None:
    """They are the frames within what an encoder of high quality leaves, in steps of 255."""
    assert found.shape[:3] == wanted.shape[:3]
    assert np.abs(found[..., :3] - 255.0 * wanted).mean(axis=(1, 2, 3)).max() < most


# ---- saving ----------------------------------------------------------------------------------------------------------


def test_images_become_a_file_that_the_node_shows_and_that_has_the_graph(host: Host) -> None:
    for number, form in enumerate(("mp4", "mov", "webm"), start=1):
        done = save(format=form, prompt=GRAPH, extra_pnginfo=WORKFLOW, audio=AUDIO)
        (entry,), path = done["ui"]["images"], Path(done["result"][1])
        assert entry == {"filename": f"a_{number:05}_.{form}", "subfolder": "video", "type": "output"}
        assert done["ui"]["animated"] == (True,)
        assert path == host.path_of(entry)
        info = telecine.probe(path)
        assert (int(info.fps), info.frame_count, info.width, info.height) == (FPS, COUNT, WIDTH, HEIGHT)
        assert info.audio is not None
        assert info.audio.channels == 2
        assert abs(info.duration - Fraction(COUNT, FPS)) < Fraction(1, 1000)
        assert_waves(frames_in(path))
        graph = {"1": {**GRAPH["1"], "is_changed": [None]}}
        assert graphs_of(path) == {"prompt": graph, **WORKFLOW}
        assert info.metadata == {"prompt": graph, **WORKFLOW}
        assert done["result"][0].get_stream_source() == str(path)
    assert host.files() == ["video/a_00001_.mp4", "video/a_00002_.mov", "video/a_00003_.webm"]


def test_what_no_widget_changes_is_what_an_export_is(host: Host, tmp_path: Path) -> None:
    widgets = inputs_of("TelecineSaveVideo", "optional")
    path = save(**{name: said.get("default") for name, (_, said) in widgets.items()})["result"][1]
    alone = telecine.export_video(IMAGES.numpy(), tmp_path / "alone.mp4", fps=FPS)
    assert Path(path).read_bytes() == alone.read_bytes()


def inputs_of(name: str, kind: str) -> Any:
    return NODE_CLASS_MAPPINGS[name].INPUT_TYPES()[kind]  # type: ignore[attr-defined]


def test_every_widget_is_an_option_and_says_what_it_does(host: Host) -> None:
    widgets = inputs_of("TelecineSaveVideo", "optional")
    assert inputs_of("TelecineSaveVideo", "required")["format"][0] == FORMATS
    assert {"quality", "codec", "bit_depth", "max_bytes", "crf", "background", "color"} < widgets.keys()
    for name, (kind, said) in widgets.items():
        assert said["tooltip"]
        if name != "audio":
            assert said["default"] in (kind if isinstance(kind, list) else (0, -1.0, ""))
    done = save(codec="hevc", bit_depth=10, crf=20.0, preset="veryfast", chroma="4:4:4", color="bt709", format="mkv")
    info = telecine.probe(done["result"][1])
    assert (info.codec, info.pixel_format, info.color.matrix_name) == ("hevc", "yuv444p10le", "bt709")
    with pytest.raises(TypeError, match=r"save\(\) got an unexpected keyword argument 'crv'"):
        save(crv=20)


pytestmark = pytest.mark.filterwarnings("ignore:.* does not play everywhere:telecine.errors.TelecineWarning")


FORMATS = [each for each in get_args(FormatName) if each != "hls"]


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_saved_and_shown(host: Host, form: str) -> None:
    """What browsers don't play is shown as a copy in the folder for temporary files."""
    done = save(format=form, prompt=GRAPH, codec="prores" if form == "mov" else "auto")
    saved = Path(done["result"][1])
    if saved.is_dir():
        assert len(names_in(saved)) == COUNT
    else:
        assert telecine.probe(saved).frame_count == COUNT
    (entry,) = done["ui"]["images"]
    shown = host.path_of(entry)
    itself = form in ("mp4", "webm", "webp", "apng")
    assert (entry["type"], shown == saved) == (("output", True) if itself else ("temp", False))
    assert telecine.probe(shown).frame_count == COUNT
    assert itself or telecine.probe(shown).codec == "h264"
    assert_waves(frames_in(shown), most=8)


def test_a_limit_of_bytes_holds(host: Host) -> None:
    noise = torch.rand((16, HEIGHT, WIDTH, 3), generator=torch.Generator().manual_seed(0))
    sizes = [os.stat(save(noise, max_bytes=most)["result"][1]).st_size for most in (0, 20_000)]
    assert sizes[1] <= 20_000 < sizes[0]


def test_alpha_stays_where_the_format_has_it(host: Host) -> None:
    alpha = torch.linspace(0, 1, WIDTH).expand(COUNT, HEIGHT, WIDTH)
    rgba = torch.cat((IMAGES, alpha[..., None]), dim=-1)
    found = frames_in(save(rgba, format="webm", pixel_format="yuva420p")["result"][1], alpha=True)
    assert np.abs(found[..., 3] / 255 - alpha.numpy()).max() < 0.05
    with pytest.warns(TelecineWarning, match="transparent pixels are shown on black"):
        save(rgba)
    on_white = frames_in(save(rgba, background="white")["result"][1])
    assert_waves(on_white, (alpha[..., None] * IMAGES + 1 - alpha[..., None]).numpy())


def test_values_beyond_white_and_black_are_clipped_and_no_numbers_are_an_error(host: Host) -> None:
    path = save(IMAGES * 1.5 - 0.25)["result"][1]
    assert_waves(frames_in(path), np.clip(WAVES * 1.5 - 0.25, 0, 1))
    broken = IMAGES.clone()
    broken[3, 5, 5, 1] = math.nan
    with pytest.raises(FrameError, match=r"frame 3 .*NaN.*3 of 3 frames are kept: telecine recover"):
        save(broken)
    assert [name for name in host.files() if not name.startswith("video/.")] == ["video/a_00001_.mp4"]
    assert save()["result"][1].endswith("a_00002_.mp4")


def test_odd_sizes_other_dtypes_and_one_frame_are_saved(host: Host) -> None:
    for images in (IMAGES[:1, :47, :63], IMAGES.bfloat16(), IMAGES.half(), IMAGES[:, :, :, :1]):
        info = telecine.probe(save(images)["result"][1])
        assert (info.frame_count, info.width) == (len(images), WIDTH)
    for rate, exact in ((23.976, Fraction(24000, 1001)), (float(Fraction(30000, 1001)), Fraction(30000, 1001))):
        assert telecine.probe(save(fps=rate)["result"][1]).fps == exact


def test_what_is_no_clip_is_refused_before_a_folder_is_made(host: Host) -> None:
    for given, said in (
        (IMAGES[:0], r"the frames are of shape \(0, 48, 64, 3\): an IMAGE"),
        (IMAGES[0], r"of shape \(48, 64, 3\)"),
        ("a.mp4", "the frames are a str"),
        (None, "the frames are a NoneType"),
    ):
        with pytest.raises(FrameError, match=said):
            save(given)
    with pytest.raises(OptionError, match="audio is a str: an AUDIO has a 'waveform'"):
        save(audio="a.wav")
    assert list(host.output.iterdir()) == []
    with pytest.raises(OptionError, match="audio does not go into gif"):
        save(audio=AUDIO, format="gif")


@pytest.mark.parametrize("prefix", ["../a", "/tmp/a", "a/../../b"])
def test_no_name_leads_out_of_the_output_folder(host: Host, prefix: str) -> None:
    with pytest.raises(Exception, match="outside the output folder"):
        save(filename_prefix=prefix)
    assert host.files() == []


def test_names_have_the_date_the_size_and_other_nodes_widgets(host: Host) -> None:
    graph = {
        "3": {"class_type": "KSampler", "inputs": {"seed": 7, "model": ["1", 0]}, "_meta": {"title": "Main"}},
        "4": {"class_type": "CLIPTextEncode", "inputs": {"text": "../a: panda?"}},
    }
    save(
        filename_prefix="%date:yyyy-M%/%KSampler.seed% %Main.seed% %CLIPTextEncode.text% %width%x%height%_%",
        prompt=graph,
    )
    now = time.localtime()
    assert host.files() == [f"{now.tm_year}-{now.tm_mon}/7 7 .._a_ panda_ 64x48_%_00001_.mp4"]
    save(filename_prefix="%date:dd.MM.yy% %Main.model% 🐼")
    assert f"{time.strftime('%d.%m.%y')} %Main.model% 🐼_00001_.mp4" in host.files()


def test_a_graph_is_left_out_where_it_is_not_wanted_or_has_no_place(host: Host) -> None:
    assert "prompt" not in telecine.probe(save()["result"][1]).metadata
    save(format="jpeg", prompt=GRAPH, extra_pnginfo=WORKFLOW)
    host.arguments.args.disable_metadata = True
    try:
        assert "prompt" not in telecine.probe(save(prompt=GRAPH, extra_pnginfo=WORKFLOW)["result"][1]).metadata
    finally:
        host.arguments.args.disable_metadata = False


def test_an_interrupt_leaves_nothing_and_a_batch_is_never_copied(host: Host) -> None:
    """The batch is one frame, shown as if it were 500 GB: whoever copied it would fail of that."""
    batch = torch.zeros((1, 1080, 1920, 3)).expand(20_000, -1, -1, -1)
    seen = []

    def interrupt_at_3(done: int, total: int, *_: object, **__: object) -> None:
        seen.append((done, total))
        if done == 3:
            host.management.interrupt_current_processing()

    host.utils.set_progress_bar_global_hook(interrupt_at_3)
    try:
        with pytest.raises(host.management.InterruptProcessingException):
            save(batch)
    finally:
        host.utils.set_progress_bar_global_hook(None)
    assert seen == [(1, 20_000), (2, 20_000), (3, 20_000)]
    assert host.files() == []
    assert save()["result"][1].endswith("a_00001_.mp4")


# ---- VIDEO -----------------------------------------------------------------------------------------------------------


def clip_at(path: Path, fps: Any = "24000/1001", **options: Any) -> Path:
    return telecine.export_video(
        IMAGES.numpy(), path, **{"fps": fps, "audio": SOUND, "audio_rate": 24000, **options}
    ).path


def test_a_video_of_a_file_is_read_frame_by_frame_with_its_rate_and_sound(host: Host) -> None:
    """By its path, and open."""
    path = clip_at(host.input / "a b%.mp4")
    for source in (str(path), io.BytesIO(path.read_bytes())):
        info = telecine.probe(save(host.api.InputImpl.VideoFromFile(source))["result"][1])
        assert (info.fps, info.frame_count) == (Fraction(24000, 1001), COUNT)
        assert info.audio is not None
    silent = torch.zeros((1, 1, 14000))
    replaced = save(host.api.InputImpl.VideoFromFile(str(path)), audio={"waveform": silent, "sample_rate": 24000})
    info = telecine.probe(replaced["result"][1])
    assert info.audio is not None
    assert info.audio.channels == 1


def test_a_video_keeps_uneven_times_and_its_depth(host: Host) -> None:
    times = [0, 0.25, 0.5, 0.625, 1, 2, 2.5]
    path = clip_at(host.input / "a.mkv", timestamps=times, codec="ffv1", bit_depth=10, audio=None)
    video = host.api.InputImpl.VideoFromFile(str(path))
    saved = save(video, format="mkv", codec="ffv1", bit_depth=10)["result"][1]
    assert telecine.read_timestamps(saved) == times
    given, found = (np.stack(list(telecine.read_frames(each, light="encoded"))) for each in (path, saved))
    assert np.array_equal(given, found)


def test_a_video_of_frames_has_its_rate_its_sound_and_its_alpha(host: Host) -> None:
    parts: Any = host.api.Types.VideoComponents(images=IMAGES, frame_rate=Fraction(24000, 1001), audio=AUDIO)
    parts.alpha = torch.full((COUNT, HEIGHT, WIDTH), 0.5)
    video = host.api.InputImpl.VideoFromComponents(parts)
    video.get_components = lambda: parts
    path = save(video, format="webm", pixel_format="yuva420p")["result"][1]
    info = telecine.probe(path)
    assert (info.fps, info.audio is not None) == (Fraction(24000, 1001), True)
    found = frames_in(path, alpha=True)
    assert_waves(found)
    assert np.abs(found[..., 3].astype(int) - 128).max() <= 2
    with pytest.warns(TelecineWarning, match="the sound of the video is left out: gif has none"):
        save(host.api.InputImpl.VideoFromComponents(VideoComponents(IMAGES, Fraction(12), AUDIO)), format="gif")


def test_a_video_that_is_cut_is_saved_as_it_is_cut(host: Host) -> None:
    path = clip_at(host.input / "a.mp4", fps=10, audio=None)
    try:
        video = host.api.InputImpl.VideoFromFile(str(path), start_time=0, duration=0.4)
    except TypeError:
        pytest.skip("this ComfyUI does not cut")
    assert telecine.probe(save(video)["result"][1]).frame_count == 4


def test_an_hdr_video_stays_hdr(host: Host) -> None:
    path = clip_at(host.input / "a.mp4", color="pq", light="display-linear", audio=None)
    saved = save(host.api.InputImpl.VideoFromFile(str(path)))["result"][1]
    assert telecine.probe(saved).color == telecine.probe(path).color
    given, found = (np.stack(list(telecine.read_frames(each, light="encoded"))) for each in (path, saved))
    assert np.abs(given - found).mean() < 0.01
    with pytest.raises(OptionError, match="h264 is not used for PQ and HLG"):
        save(host.api.InputImpl.VideoFromFile(str(path)), codec="h264")
    if not host.is_real:
        video = host.api.InputImpl.VideoFromComponents(VideoComponents(IMAGES, Fraction(12)), "HDR")
        assert telecine.probe(save(video)["result"][1]).color.hdr == "hlg"


# ---- loading ---------------------------------------------------------------------------------------------------------


def test_frames_and_sound_are_loaded_as_they_are_in_the_file(host: Host) -> None:
    path = clip_at(host.input / "a.mkv", codec="ffv1", quality="lossless")
    images, audio, fps, count, video, mask = load("a.mkv")
    assert np.array_equal(images.numpy(), frames_in(path).astype(np.float32) / np.float32(255))
    assert (images.dtype, count, fps) == (torch.float32, COUNT, 24000 / 1001)
    assert np.array_equal(np.round(images.numpy() * 255), np.round(WAVES.astype(np.float32) * 255))
    assert audio["waveform"].shape[:2] == (1, 2)
    assert audio["sample_rate"] == 24000
    assert np.abs(audio["waveform"][0, :, :14000].numpy() - SOUND).max() <= 2**-15
    assert mask.shape[1:] == (HEIGHT, WIDTH)
    assert not mask.any()
    assert video.get_stream_source() == str(path)
    again = telecine.probe(save(images, audio=audio, fps=fps)["result"][1])
    assert again.fps == Fraction(24000, 1001)


def test_limits_choose_frames_and_the_sound_that_goes_with_them(host: Host) -> None:
    path = clip_at(host.input / "a.mkv", fps=10, codec="ffv1", quality="lossless", audio=np.tile(SOUND, 2)[:, :16800])
    frames = frames_in(path).astype(np.float32) / np.float32(255)
    images, audio, fps, count, video, _ = load("a.mkv", start_frame=1, max_frames=2, every_nth=2)
    assert np.array_equal(images.numpy(), frames[1:5:2])
    assert (fps, count) == (5.0, 2)
    sound = np.tile(SOUND, 2)[:, 2400:12000]  # of frames 1 to 4, of a tenth of a second each
    assert np.abs(audio["waveform"][0].numpy() - sound).max() <= 2**-15
    parts = video.get_components()
    assert parts.frame_rate == Fraction(5)
    assert parts.images is images
    assert load("a.mkv", start_frame=5)[0].shape[0] == 2
    with pytest.raises(OptionError, match=r"start_frame=7: 'a.mkv' has 7 frames, from 0 on"):
        load("a.mkv", start_frame=7)


def test_of_uneven_times_the_sound_is_that_of_the_frames(host: Host) -> None:
    """And an IMAGE has their average rate, which is said."""
    times = [0, 0.1, 0.15, 0.25, 0.3, 0.4, 0.5]
    clip_at(host.input / "a.mkv", timestamps=times)
    with pytest.warns(TelecineWarning, match="frames of 'a.mkv' are not evenly timed"):
        images, audio, *_ = load("a.mkv", start_frame=2, max_frames=2)
    assert len(images) == 2
    found, wanted = audio["waveform"][0].numpy(), SOUND[:, 3600:7200]
    rate = audio["sample_rate"]
    assert found.shape[1] == round(0.3 * rate) - round(0.15 * rate)
    assert np.abs(found[:, :: rate // 24000] - wanted).mean() < 0.02


def test_alpha_and_depth_are_loaded(host: Host) -> None:
    alpha = torch.full((COUNT, HEIGHT, WIDTH, 1), 0.25)
    saved = save(torch.cat((IMAGES, alpha), dim=-1), format="webm", filename_prefix="a", pixel_format="yuva420p")[
        "result"
    ][1]
    images, audio, *_, mask = load(f"{Path(saved).name} [output]")
    assert audio is None
    assert images.shape == (COUNT, HEIGHT, WIDTH, 3)
    assert np.abs(mask.numpy() - 0.75).max() < 0.02
    path = clip_at(host.input / "deep.mkv", codec="ffv1", bit_depth=10, quality="lossless", audio=None)
    images = load("deep.mkv")[0].numpy()
    assert np.array_equal(images, np.stack(list(telecine.read_frames(path, light="encoded"))).clip(0, 1))
    assert np.abs(images - WAVES).max() < 0.6 / 1023


def test_more_frames_than_memory_is_free_for_are_refused(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    clip_at(host.input / "a.mp4")
    monkeypatch.setattr(host.management, "get_free_memory", lambda device: 3.5 * HEIGHT * WIDTH * 12)
    with pytest.raises(OptionError, match=r"7 frames of 'a.mp4' take 0.0 GiB, .*: set max_frames to 3 or less"):
        load("a.mp4")
    assert load("a.mp4", max_frames=3)[3] == 3


@pytest.mark.parametrize(
    "name", ["../secret.mp4", "/secret.mp4", "a.mp4/..", "", ".", "no.mp4", "../secret.mp4 [output]"]
)
def test_only_files_of_comfyuis_folders_are_loaded(host: Host, name: str) -> None:
    (host.folder / "secret.mp4").write_bytes(b"")
    node: Any = NODE_CLASS_MAPPINGS["TelecineLoadVideo"]
    assert "is no file in ComfyUI's input folder" in node.VALIDATE_INPUTS(name)
    with pytest.raises(OptionError, match="is no file in ComfyUI's input folder"):
        node().load(name)


def test_a_file_that_changes_is_loaded_again(host: Host) -> None:
    node: Any = NODE_CLASS_MAPPINGS["TelecineLoadVideo"]
    path = clip_at(host.input / "a.mp4")
    (host.input / "notes.txt").write_text("no video")
    assert inputs_of("TelecineLoadVideo", "required")["video"] == (["a.mp4"], {"video_upload": True})
    before = node.IS_CHANGED("a.mp4", start_frame=0)
    assert node.IS_CHANGED("a.mp4") == before
    os.utime(path, (1, 1))
    assert node.IS_CHANGED("a.mp4") != before


# ---- comparing -------------------------------------------------------------------------------------------------------


def test_two_clips_are_compared_on_a_page_and_shown_side_by_side(host: Host) -> None:
    path = clip_at(host.input / "a.mp4", fps=10)
    node: Any = NODE_CLASS_MAPPINGS["TelecineCompareVideos"]()
    video = host.api.InputImpl.VideoFromFile(str(path))
    given = {"first": IMAGES * 1.2, "second": video, "filename_prefix": "c/%width%", "reference": IMAGES}
    done = getattr(node, node.FUNCTION)(**given, first_title="raw", second_title="<encoded>", prompt=GRAPH)
    page, url = done["result"]
    assert Path(page) == host.output / "c" / "64_00001_.html"
    assert parse_qs(urlsplit(url).query) == {"filename": ["64_00001_.html"], "subfolder": ["c"], "type": ["output"]}
    assert done["ui"]["text"] == (page,)
    html = Path(page).read_text(encoding="utf-8")
    data = json.loads(re.findall(r"<script[^>]*json[^>]*>(.*?)</script>", html, re.DOTALL)[0])
    assert [each["title"] for each in data["clips"]] == ["raw", "<encoded>"]
    assert [each["name"] for each in data["curves"]] == ["A", "B"]
    (entry,) = done["ui"]["images"]
    info = telecine.probe(host.path_of(entry))
    assert (entry["type"], info.width, info.height, int(info.fps), info.frame_count) == (
        "temp",
        3 * WIDTH,
        HEIGHT,
        10,
        COUNT,
    )
    shown = frames_in(host.path_of(entry))[:, HEIGHT // 2 :]
    wanted = (np.clip(WAVES * 1.2, 0, 1), WAVES, WAVES)
    assert_waves(shown, np.concatenate(wanted, axis=2)[:, HEIGHT // 2 :], most=6)


# ---- outside ---------------------------------------------------------------------------------------------------------


def test_outside_of_comfyui_it_says_where_the_nodes_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "folder_paths", None)
    assert NODE_CLASS_MAPPINGS.keys() == NODE_DISPLAY_NAME_MAPPINGS.keys()
    with pytest.raises(MissingDependencyError, match=r"folder_paths is not there: the nodes run in ComfyUI"):
        comfyui.LoadVideo.INPUT_TYPES()
