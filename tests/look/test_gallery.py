"""The gallery as a site of files, in a real Chromium: what it shows, finds, sorts and copies, and what it asks for."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import telecine
from telecine.cli.commands import run
from telecine.errors import InputError, OptionError, PublishError

from ..support.browser import Browser
from ..support.certificates import by, identity
from ..support.helpers import greys, names_in
from ..support.pages import Looked, looked_at

pytestmark = pytest.mark.slow

HOSTILE = (
    "</script><script>window.hurt = 1</script><img src=x onerror='hurt=1'> <!-- "
    "\"'`\\ & \u202e\u2067 \x1b[2J é\U0001f43c"
)
INSIDE = "card => Math.max(...[...card.children].map(bottom)) <= bottom(card)".replace(
    "bottom", "(each => each.getBoundingClientRect().bottom)"
)
CLIPS: dict[str, tuple[int, Any, dict[str, Any]]] = {
    "panda 2.mp4": (8, 16, {"prompt": "a red panda at dusk", "seed": 9, "model": "lab/one", "steps": 50}),
    "panda 10.mp4": (16, 16, {"prompt": "a panda at dawn", "seed": 2**64 - 1, "model": "lab/one"}),
    "deep/fog #1%.mp4": (24, 24, {"prompt": "Dusk over fog", "seed": 10, "model": "lab/two", "guidance_scale": 6.5}),
    "loop.gif": (4, 10, {"prompt": ["one", "two"]}),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of clips: one signed, one cut off."""
    made = tmp_path_factory.mktemp("gallery")
    for name, (count, fps, facts) in CLIPS.items():
        signed: dict[str, Any] = {"provenance": by(identity())} if name == "panda 2.mp4" else {}
        telecine.export_video(greys(count, 96, 64), made / "run" / name, fps=fps, metadata=facts, **signed)
    (made / "run" / "half.mp4").write_bytes((made / "run" / "panda 2.mp4").read_bytes()[:500])
    return made


@pytest.fixture(scope="module")
def site(folder: Path) -> Path:
    return telecine.gallery(folder / "run", folder / "site", title="Night run")


@pytest.fixture
def opened(browser: Browser, site: Path) -> Iterator[Looked]:
    """The site, opened from its file, which in the end has asked for nothing but what it is made of."""
    with looked_at(browser, site) as looked:
        looked.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        yield looked
        around = site.parents[1].as_uri()
        assert [each for each in looked.asked if not each.startswith(around)] == []
        assert looked.errors == []


def names(looked: Looked) -> list[str]:
    """Give the names on the cards, in their order."""
    cards = looked.page.locator(".card")
    order = cards.evaluate_all(
        "all => all.map(each => [Number(each.getAttribute('aria-posinset')), each.querySelector('.name').textContent])"
    )
    return [name for _, name in sorted(order)]


def test_every_clip_is_a_card_that_says_what_it_is(opened: Looked) -> None:
    page = opened.page
    opened.until("[...document.images].filter(each => each.naturalWidth === 96).length === 4")
    card = page.locator(".card", has_text="deep/fog")
    assert card.locator(".prompt").inner_text() == "Dusk over fog"
    assert card.locator(".facts").inner_text() == "two · seed 10 · 24 fps"
    assert card.locator(".length").inner_text() == "1.0 s"
    assert page.locator(".card", has_text="panda 2").locator(".badge").inner_text() == "signed, untrusted"
    assert page.locator(".badge:visible").count() == 1
    assert "can't be read" in page.locator(".broken .said").inner_text()
    assert (page.title(), page.locator("#status").inner_text()) == ("Night run", "5 clips")


def test_words_filters_and_orders_find_what_is_meant(opened: Looked) -> None:
    page = opened.page
    search, sort = page.locator("#search"), page.locator("#sort")
    sort.select_option(label="By name")
    assert names(opened) == ["deep/fog #1%.mp4", "half.mp4", "loop.gif", "panda 2.mp4", "panda 10.mp4"]
    sort.select_option(label="By seed")
    assert names(opened)[:3] == ["panda 2.mp4", "deep/fog #1%.mp4", "panda 10.mp4"]
    sort.select_option(label="Longest first")
    assert set(names(opened)[:2]) == {"deep/fog #1%.mp4", "panda 10.mp4"}
    page.keyboard.press("/")
    page.keyboard.type("DUSK panda")
    assert names(opened) == ["panda 2.mp4"]
    search.fill("dusk")
    page.get_by_label("model", exact=True).select_option("lab/two")
    assert names(opened) == ["deep/fog #1%.mp4"]
    assert page.locator("#status").inner_text() == "1 of 5 clips"
    search.fill("no such word")
    assert page.locator("#empty").inner_text() == "No clip is like that. Try fewer words, or other filters."
    page.get_by_label("model", exact=True).select_option("*")
    search.fill("18446744073709551615")
    assert names(opened) == ["panda 10.mp4"]


def test_the_keyboard_moves_plays_selects_and_opens(opened: Looked) -> None:
    page = opened.page
    page.locator("#sort").select_option(label="By name")
    page.locator(".card button").first.focus()
    focused = "document.activeElement.closest('.card').querySelector('.name').textContent"
    page.locator(".card", has_text="deep/fog").locator("button").focus()
    for key, name in (("ArrowRight", "half.mp4"), ("ArrowDown", "panda 10.mp4"), ("Home", "deep/fog #1%.mp4")):
        page.keyboard.press(key)
        assert page.evaluate(focused) == name
    opened.until("document.querySelector('.card video')?.currentTime > 0")  # what has the focus plays
    page.keyboard.press(" ")
    assert page.locator(".card video").count() == 0
    page.keyboard.press("x")
    page.keyboard.press("End")
    page.keyboard.press("x")
    assert page.locator("#chosen-count").inner_text() == "2 selected"
    page.keyboard.press("Enter")
    assert page.locator("#details h2").inner_text() == "panda 10.mp4"
    page.keyboard.press("ArrowLeft")
    assert page.locator("#details h2").inner_text() == "panda 2.mp4"
    opened.until("document.querySelector('#details video')?.videoWidth === 96")
    assert "valid but untrusted" in page.locator("#details table").inner_text()
    page.keyboard.press("Escape")
    assert page.locator("#details").is_hidden()
    page.get_by_role("button", name="Compare").click()
    opened.until("document.querySelector('#together canvas')?.width === 96")


def test_a_pointer_that_rests_on_a_card_plays_it_there(opened: Looked) -> None:
    page = opened.page
    page.locator(".card", has_text="panda 2").hover()
    opened.until("document.querySelector('.card video')?.currentTime > 0")
    page.locator(".card", has_text="loop.gif").hover()
    opened.until("document.querySelectorAll('.film img[src$=gif]').length === 1")
    assert page.locator(".card video").count() == 0
    page.locator("#title").hover()
    assert page.locator(".film img[src$=gif]").count() == 0


def test_the_manners_hold_in_the_dark_and_on_a_phone(browser: Browser, site: Path) -> None:
    for width, dark in ((1280, False), (360, True)):
        with looked_at(browser, site, width, 740, dark) as looked:
            assert looked.serious() == []
            assert not looked.is_too_wide()
            looked.page.locator(".card:not(.broken) button").first.click()
            assert looked.serious() == []
            assert not looked.is_too_wide()


def test_what_a_stranger_wrote_stays_text(browser: Browser, tmp_path: Path) -> None:
    prompt = HOSTILE + "x" * 100_000
    facts = {"prompt": prompt, "negative_prompt": HOSTILE, "model": HOSTILE, "seed": HOSTILE, HOSTILE: HOSTILE}
    name = "</script><script>hurt=1<!-- \u202e.mp4".replace("/", "")
    telecine.export_video(greys(), tmp_path / "run" / name, metadata={**facts, "list": [HOSTILE]})
    telecine.export_video(greys(), tmp_path / "run" / "plain.mp4")
    page_of_site = telecine.gallery(tmp_path / "run", tmp_path / "site", title=HOSTILE)
    for width in (1280, 360):
        with looked_at(browser, page_of_site, width) as looked:
            page = looked.page
            boxes = [card.bounding_box() for card in page.locator(".card").all()]
            assert len({box and (box["width"], box["height"]) for box in boxes}) == 1
            card = page.locator(".card", has_text="hurt")
            assert card.evaluate(INSIDE)
            card.locator("button").click()
            assert page.locator("#details .words").first.evaluate("each => each.textContent") == prompt
            assert not looked.is_too_wide()
            assert page.evaluate("[typeof window.hurt, document.querySelectorAll('img[src=x]').length]") == [
                "undefined",
                0,
            ]
            assert looked.errors == []


def test_the_settings_are_copied_as_python_exactly(browser: Browser, tmp_path: Path) -> None:
    facts: dict[str, Any] = {
        "prompt": HOSTILE,
        "negative_prompt": ["no \ud7ff\r\n", "'''"],
        "seed": [2**64 - 1, 7],
        "model": "lab/'one'\\",
        "steps": 50,
        "guidance_scale": 6.5,
    }
    telecine.export_video(greys(), tmp_path / "clip.mp4", fps="24000/1001", metadata=facts)
    with looked_at(browser, telecine.gallery(tmp_path, tmp_path / "site")) as looked:
        page = looked.page
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.locator(".card button").click()
        page.get_by_role("button", name="Copy as Python").click()
        page.get_by_role("button", name="Copied").wait_for()
        text = page.evaluate("navigator.clipboard.readText()")
    assert text.isascii()
    calls, given = [], {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Dict):
            given = {ast.literal_eval(key): value for key, value in zip(node.keys, node.values, strict=True) if key}
        if isinstance(node, ast.Call):
            calls.append(node)
    assert {name: ast.literal_eval(value) for name, value in given.items() if name != "generator"} == {
        "prompt": facts["prompt"],
        "negative_prompt": facts["negative_prompt"],
        "num_inference_steps": 50,
        "guidance_scale": 6.5,
    }
    assert ast.unparse(given["generator"]) == f"[torch.Generator().manual_seed(seed) for seed in [{2**64 - 1}, 7]]"
    values = [
        ast.literal_eval(each)
        for call in calls
        for each in [*call.args, *(k.value for k in call.keywords)]
        if isinstance(each, ast.Constant)
    ]
    assert {"lab/'one'\\", "clip.mp4", "24000/1001"} <= set(values)


def test_of_many_clips_those_in_sight_are_elements(browser: Browser, tmp_path: Path) -> None:
    video = telecine.export_video(np.full((2, 48, 64, 3), 90, np.uint8), tmp_path / "000.mp4").path
    for number in range(1, 150):
        (tmp_path / f"{number:03d}.mp4").hardlink_to(video)
    with looked_at(browser, telecine.gallery(tmp_path, tmp_path / "site")) as looked:
        page = looked.page
        page.locator("#sort").select_option(label="By name")
        assert names(looked)[0] == "000.mp4"
        assert page.locator(".card").count() < 40
        page.locator(".card button").first.focus()
        page.keyboard.press("End")
        looked.until("document.querySelectorAll('.card').length < 40")
        assert names(looked)[-1] == "149.mp4"
        last = page.locator(".card", has_text="149.mp4")
        assert (last.get_attribute("aria-setsize"), last.get_attribute("aria-posinset")) == ("150", "150")
        assert last.locator("button").evaluate("each => each === document.activeElement")
        page.keyboard.press("Home")
        assert page.evaluate("scrollY") < 200


def test_a_later_run_looks_at_new_files_only_and_drops_what_went(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        telecine.export_video(greys(), tmp_path / "run" / name)
    site = telecine.gallery(tmp_path / "run", tmp_path / "site").parent
    noted = json.loads((site / "clips.json").read_bytes())
    for row in noted["clips"]:
        row["texts"] = {"prompt": "noted before"}
    (site / "clips.json").write_text(json.dumps(noted))
    posters = set(names_in(site / "posters"))
    (site / "posters" / "mine.txt").write_text("which stays")
    (tmp_path / "run" / "b.mp4").unlink()
    telecine.export_video(greys(), tmp_path / "run" / "c.mp4", metadata={"prompt": "new"})
    telecine.gallery(tmp_path / "run", tmp_path / "site")
    prompts = {
        row["name"]: row["texts"].get("prompt") for row in json.loads((site / "clips.json").read_bytes())["clips"]
    }
    assert prompts == {"a.mp4": "noted before", "c.mp4": "new"}
    left = set(names_in(site / "posters"))
    assert (len(left), len(left & posters), "mine.txt" in left) == (3, 1, True)
    assert names_in(site) == ["clips.json", "index.html", "posters"]
    (site / "clips.json").write_text("{")
    telecine.gallery(tmp_path / "run", tmp_path / "site")
    assert "noted before" not in (site / "clips.json").read_text()


def test_what_cant_be_made_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="'none' is no folder"):
        telecine.gallery("none", tmp_path / "site")
    with pytest.raises(OptionError, match="holds no certificates"):
        telecine.gallery(tmp_path, tmp_path / "site", trust_anchors=b"none")
    with pytest.raises(PublishError, match="can't be written"):
        telecine.gallery(tmp_path, tmp_path / "file" / "site")
    assert names_in(tmp_path) == ["file"]


def test_the_command_makes_the_site_of_an_empty_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gallery", str(tmp_path), "-o", str(tmp_path / "site")]) == 0
    assert str(tmp_path / "site" / "index.html") in "".join(capsys.readouterr().out.split())
    assert (tmp_path / "site" / "index.html").read_text().startswith("<!doctype html>")
