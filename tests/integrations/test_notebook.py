"""Videos in a notebook: it is executed, exported to HTML, and looked at in a real Chromium."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import nbformat
import numpy as np
import numpy.typing as npt
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from PIL import Image
from playwright.sync_api import Frame, Locator, Page

import telecine
from telecine import FrameError, InputError, OptionError

from ..support.browser import Browser
from ..support.helpers import Asked, Piped, greys, noise
from ..support.pages import READ_NUMBER, Looked, looked_at, numbered

CLIP = greys(8)
HOSTILE = "\"quoted\" <img src=x onerror='document.title=1'><script>document.title=1</script> \u202edna </script>"
LONG = HOSTILE + "x" * 100_000
RED, GREEN, BLUE = (200, 30, 30), (30, 160, 60), (20, 60, 200)
CELLS = [
    """
import warnings, numpy as np, telecine
warnings.simplefilter("ignore")  # which a notebook would show: that FFV1 does not play everywhere
from IPython.display import display
def colored(color, *size):
    return np.full((16, *size, 3), color, np.uint8)
""",
    f"telecine.show(colored({RED}, 96, 160), fps=16, titles={LONG!r})",
    f"telecine.export_video(colored({GREEN}, 400, 600), 'green.mkv', codec='ffv1')",
    """
with open(telecine.export_video(colored(BLUE, 360, 640), 'blue.mp4', fps=1), 'ab') as file:
    file.write((33 << 20).to_bytes(4, 'big') + b'free' + bytes((33 << 20) - 8))
telecine.show('blue.mp4')
""".replace("BLUE", str(BLUE)),
    f"""
for names in (['a.mp4', 'b.mp4', 'c.mp4'],):
    display(telecine.show(names, titles=['a', 'b', {LONG!r}]))
""",
]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A notebook that ran, as a page."""
    folder = tmp_path_factory.mktemp("notebook")
    for at, name in enumerate("abc"):
        telecine.export_video(numbered(24, first=40 * at), folder / f"{name}.mp4", fps=12)
    v4: Any = nbformat.v4  # which has no types
    notebook = v4.new_notebook(cells=[v4.new_code_cell(cell.strip()) for cell in CELLS])
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    body, _ = cast(Any, HTMLExporter)(template_name="basic", exclude_input=True).from_notebook_node(notebook)
    path = folder / "notebook.html"
    path.write_text(f'<!doctype html><meta charset="utf-8">{body}', encoding="utf-8")
    return path


def pixel_in(player: Locator) -> npt.NDArray[np.uint8]:
    """The colour on the screen in the middle of a player, whose controls are taken away: they shade small pictures."""
    player.evaluate("player => { player.controls = false }")
    player.evaluate("player => new Promise(done => player.requestVideoFrameCallback(done))")
    image = np.array(Image.open(io.BytesIO(player.screenshot())).convert("RGB"))
    pixel: npt.NDArray[np.uint8] = image[image.shape[0] // 2, image.shape[1] // 2]
    return pixel


def numbers_in(frame: Frame) -> list[int]:
    found: list[int] = frame.evaluate(f"[...document.querySelectorAll('canvas')].map({READ_NUMBER})")
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("width", "widths"), [(1280, [160, 600, 480]), (360, [160, 344, 344])])
def test_a_notebook_shows_players_of_the_right_size_that_show_the_frames(
    width: int, widths: list[int], exported: Path, browser: Browser
) -> None:
    with looked_at(browser, exported, width) as looked:
        players = looked.page.locator("video").all()
        assert len(players) == 3
        for player, color, expected in zip(players, (RED, GREEN, BLUE), widths, strict=True):
            player.scroll_into_view_if_needed()
            box = player.bounding_box()
            assert box is not None
            assert round(box["width"]) == expected
            assert player.evaluate("each => each.muted && each.loop && each.controls && !each.paused")
            assert np.abs(pixel_in(player).astype(int) - color).max() <= 4
        text = looked.page.inner_text("body")
        assert HOSTILE.replace("\u202e", r"\u202e") in text
        assert "green.mkv is ffv1 in mkv, which not every browser plays: this is H.264 of its frames" in text
        assert "blue.mp4 has 33" in text
        assert "this is a preview of 480x270, its first 10 s" in text
        assert not looked.is_too_wide()
        assert (looked.asked, looked.errors, looked.page.title()) == ([], [], "")


@pytest.mark.slow
def test_several_play_in_step_with_one_set_of_controls(exported: Path, browser: Browser) -> None:
    with looked_at(browser, exported, 360, dark=True) as looked:
        looked.page.locator("iframe").scroll_into_view_if_needed()
        (frame,) = looked.page.frames[1:]
        grid = Looked(cast(Page, frame))
        grid.until("document.querySelector('[aria-keyshortcuts=Space]')?.textContent === 'Pause'")
        seen = frame.evaluate(
            f"""new Promise(done => {{
                const rows = [], canvases = [...document.querySelectorAll("canvas")], read = {READ_NUMBER};
                (function look() {{
                    rows.push(canvases.map(read));
                    if (new Set(rows.map(row => row[0])).size > 6) done(rows);
                    else requestAnimationFrame(look);
                }})();
            }})"""
        )
        assert all(row == [row[0], row[0] + 40, row[0] + 80] for row in seen)
        frame.click("text=Pause")
        for key, expected in (("Home", 0), (".", 1), (".", 2), ("End", 23), (",", 22)):
            frame.press("body", key)
            grid.until(f"document.querySelector('input').value === '{expected}'")
            assert numbers_in(frame) == [expected, expected + 40, expected + 80]
        assert frame.evaluate("[...document.querySelectorAll('video, audio')].length") == 0
        assert not grid.is_too_wide()
        assert not frame.evaluate("document.documentElement.scrollHeight > document.documentElement.clientHeight")
        assert grid.serious() == []
        assert (looked.asked, looked.errors, looked.page.title()) == ([], [], "")


# ---- what is given, what is held -----------------------------------------------------------------------------------


def content_of(element: str, kind: str) -> bytes:
    """What an element holds, of a media type."""
    (data,) = re.findall(f'src="data:{kind};base64,([^"]*)"', element)
    return base64.b64decode(data)


def folder_of_images(folder: Path) -> list[Path]:
    telecine.export_video(CLIP, folder, format="png")
    return sorted(folder.iterdir())


KINDS: dict[str, tuple[Callable[[Path], tuple[Any, ...]], int]] = {
    "an array": (lambda _: (CLIP,), 1),
    "a generator of images": (lambda _: ((Image.fromarray(frame) for frame in CLIP),), 1),
    "two": (lambda _: (CLIP, list(CLIP)), 2),
    "a batch": (lambda _: (np.stack([CLIP] * 3),), 3),
    "a batch of a pipeline": (lambda _: ([[Image.fromarray(frame) for frame in CLIP]] * 2,), 2),
    "a path": (lambda path: (path,), 1),
    "paths": (lambda path: ([path, str(path)],), 2),
    "videos": (lambda path: ([telecine.export_video(CLIP, path)] * 2,), 2),
    "an open file": (lambda path: (io.BytesIO(path.read_bytes()),), 1),
    "a pipe": (lambda path: (Piped(path.read_bytes()),), 1),
    "images": (lambda path: (folder_of_images(path.parent / "images"),), 1),
    "a folder of images": (lambda path: (folder_of_images(path.parent / "images")[0].parent,), 1),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_given_is_told_in_words_where_there_is_no_notebook(kind: str, tmp_path: Path) -> None:
    telecine.export_video(CLIP, tmp_path / "clip.mp4")
    make, count = KINDS[kind]
    shown = telecine.show(*make(tmp_path / "clip.mp4"))
    assert str(shown).count("8 frames of 64x48, 0.5 s") == len(shown.clips) == count
    assert (shown._repr_html_().count("<iframe"), shown._repr_html_().count("<video")) == (
        (1, 0) if count > 1 else (0, 1)
    )


@pytest.mark.parametrize(
    ("given", "options", "error", "said"),
    [
        ((), {}, FrameError, "there is nothing to show"),
        ((3,), {}, FrameError, "frame 0 is int 3"),
        (("absent.mp4",), {}, InputError, "'absent.mp4' does not exist"),
        (("list.m3u8",), {}, InputError, "is a playlist: serve its folder"),
        ((CLIP,), {"columns": 0}, OptionError, "columns=0: at least one"),
        ((CLIP,), {"titles": ["a"]}, OptionError, "give one text for each video, of which there are 2"),
        ((CLIP,), {"titles": [1, 2]}, OptionError, "give one text"),
        ((CLIP,), {"fps": 0}, OptionError, "fps=0 is not above 0"),
        ((CLIP,), {"layout": "?"}, OptionError, "layout='\\?' is not known"),
    ],
)
def test_what_is_no_video_or_no_option_is_refused_before_frames_are_asked_for(
    given: tuple[Any, ...], options: dict[str, Any], error: type[Exception], said: str
) -> None:
    asked = Asked(CLIP)
    with pytest.raises(error, match=said):
        telecine.show(*given, *([asked] * bool(given)), **options)
    assert asked.count <= 0


def test_a_moving_image_is_an_image_and_in_a_grid_a_video(tmp_path: Path) -> None:
    path = tmp_path / "clip.gif"
    telecine.export_video(CLIP, path, fps=10)
    assert content_of(telecine.show(path)._repr_html_(), "image/gif") == path.read_bytes()
    for clip in telecine.show(path, path).clips:
        assert clip.playable.kind == "video/mp4"
        assert telecine.verify(io.BytesIO(clip.playable.content), path).ok


def test_of_a_folder_of_images_the_rate_is_what_it_was_exported_with(tmp_path: Path) -> None:
    video = telecine.export_video(CLIP, tmp_path / "images", format="png", fps=4)
    assert telecine.probe(io.BytesIO(content_of(video._repr_html_(), "video/mp4"))).fps == 4


def test_videos_that_are_too_large_together_are_previews_with_their_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / "large.mp4", tmp_path / "small.mp4"]
    times = [Fraction(each) for each in (0, 0.5, 2, 9, 11, 12)]
    telecine.export_video(noise(6, 520, 290), paths[0], timestamps=times)
    telecine.export_video(CLIP, paths[1])
    monkeypatch.setattr("telecine.look.notebook._MOST_HELD", 2 * paths[0].stat().st_size // 3)
    large, small = (clip.playable for clip in telecine.show(*paths).clips)
    assert small.content == paths[1].read_bytes()
    assert telecine.read_timestamps(io.BytesIO(large.content)) == list(large.times) == times[:4]
    info = telecine.probe(io.BytesIO(large.content))
    assert (info.width, info.height) == (large.width, large.height) == (480, 268)
    assert info.duration == large.duration == 11
    assert len(large.content) <= paths[0].stat().st_size // 3
    assert "this is a preview of 480x268, its first 11 s" in large.note
