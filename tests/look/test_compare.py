"""The page of two clips, in a real Chromium: its pixels at every step, its curves, what it says, its manners."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import telecine
from telecine.errors import InputError, OptionError, PublishError

from ..support.browser import Browser
from ..support.helpers import Clip
from ..support.pages import READ_NUMBER, Looked, looked_at, numbered

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning"),
]
COUNT = 24
OPENED = "document.querySelector('#picture-0').width > 300 || document.querySelector('#trouble').textContent"
STEP = "Number(document.querySelector('#transport input').value)"
NUMBERS = f"['#picture-0', '#picture-1'].map(id => ({READ_NUMBER})(document.querySelector(id)))"
HOSTILE = "</script><script>window.hacked = 1</script><img src=x onerror='hacked=1'> \" ' & \u202e\u2067 \x1b[2J <!-- "


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Clips of the same numbered frames, as H.264 and VP9, the frames themselves, and the page of them."""
    folder, frames = tmp_path_factory.mktemp("compare"), numbered(COUNT, 192, 320)
    (folder / "frames").mkdir()
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / "frames" / f"{number:03}.png")
    first = telecine.export_video(frames, folder / "a.mp4", fps=16, crf=35, metadata={"prompt": "dusk", "seed": "1"})
    second = telecine.export_video(frames, folder / "b.webm", fps=24, crf=20, metadata={"prompt": "dusk", "seed": "2"})
    page = telecine.compare(first, second, folder / "frames", folder / "compare.html")
    return {"page": page, "a": first.path, "b": second.path, "frames": folder / "frames"}


@pytest.fixture
def opened(browser: Browser, made: dict[str, Path]) -> Iterator[Looked]:
    """The page, which in the end has asked for nothing and complained of nothing."""
    with looked_at(browser, made["page"]) as looked:
        looked.until(OPENED)
        yield looked
        assert looked.asked == []
        assert looked.errors == []


def pixels(looked: Looked, id: str) -> Clip:
    """Give what a canvas has, (height, width, 3)."""
    found = looked.page.evaluate(
        """id => {
            const canvas = document.getElementById(id), {width, height} = canvas;
            const bytes = canvas.getContext("2d").getImageData(0, 0, width, height).data;
            const text = Array.from(bytes, each => String.fromCharCode(each)).join("");
            return [btoa(text), height, width];
        }""",
        id,
    )
    return np.frombuffer(base64.b64decode(found[0]), np.uint8).reshape(*found[1:], 4)[:, :, :3]


def screen(looked: Looked) -> Clip:
    """Give what is seen of the stage."""
    return np.asarray(Image.open(io.BytesIO(looked.page.locator("#stage").screenshot())).convert("RGB"))


def go_to(looked: Looked, step: int) -> None:
    looked.page.locator("#transport input").fill(str(step))
    looked.until(f"{STEP} === {step} && ({NUMBERS})[0] === {step}")


# ---- the frames ----------------------------------------------------------------------------------------------------


def test_both_show_the_frame_of_each_step(opened: Looked) -> None:
    seen = [opened.page.evaluate(NUMBERS)]
    for step in range(1, COUNT):
        opened.page.keyboard.press(".")
        opened.until(f"{STEP} === {step}")
        seen.append(opened.page.evaluate(NUMBERS))
    assert seen == [[step, step] for step in range(COUNT)]
    for step in np.random.default_rng(0).permutation(COUNT).tolist():
        opened.page.locator("#transport input").fill(str(step))
        opened.until(f"{STEP} === {step}")
        assert opened.page.evaluate(NUMBERS) == [step, step]


def test_keys_that_come_fast_are_all_counted(opened: Looked) -> None:
    opened.page.evaluate(
        "for (const key of '......,') document.body.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}))"
    )
    opened.until(f"{STEP} === 5")
    assert opened.page.evaluate(NUMBERS) == [5, 5]


def test_while_they_play_both_show_one_frame(opened: Looked) -> None:
    opened.page.keyboard.press("l")  # once
    seen: list[list[int]] = opened.page.evaluate(
        f"""new Promise(done => {{
            const seen = [], button = document.querySelector("#transport button");
            button.click();
            (function look() {{
                seen.push({NUMBERS});
                if (button.textContent === "Play") done(seen);
                else requestAnimationFrame(look);
            }})();
        }})"""
    )
    assert [pair for pair in seen if pair[0] != pair[1]] == []
    assert seen[-1] == [COUNT - 1, COUNT - 1]
    assert len({one for one, _ in seen}) > COUNT // 2
    assert sorted(seen) == seen


# ---- the views -----------------------------------------------------------------------------------------------------


def test_the_difference_is_exactly_eight_times_that_of_the_pixels(opened: Looked) -> None:
    opened.page.keyboard.press("4")
    for step in (0, 7, COUNT - 1):
        go_to(opened, step)
        one, other, difference = (pixels(opened, id) for id in ("picture-0", "picture-1", "difference"))
        expected = np.abs(one.astype(int) - other.astype(int))
        assert expected.max() > 3
        assert np.array_equal(difference, np.clip(8 * expected, 0, 255))
    opened.page.get_by_role("combobox", name="Times").select_option("32")
    assert np.array_equal(pixels(opened, "difference"), np.clip(32 * expected, 0, 255))


def test_left_of_the_divider_is_a_and_right_of_it_b(browser: Browser, tmp_path: Path) -> None:
    """Also of clips of two sizes and lengths, which have no curve."""
    red, blue = (np.zeros((count, side, side * 2, 3), np.uint8) for count, side in ((8, 240), (5, 120)))
    red[..., 0], blue[..., 2] = 220, 220
    videos = [telecine.export_video(each, tmp_path / f"{at}.mp4") for at, each in enumerate((red, blue))]
    with looked_at(browser, telecine.compare(videos[0], videos[1], output=tmp_path / "compare.html")) as looked:
        looked.until(OPENED)
        text = looked.page.inner_text("body")
        assert "A has 480x240 pixels, B 240x120: both are scaled to one size" in text
        assert "A has 8 frames, B 5: the shorter one holds its last." in text
        assert "There is no curve: B is 240x120, A 480x240" in text
        assert looked.page.locator("#quality").is_hidden()
        divider = looked.page.get_by_role("slider", name="divider between A and B")
        divider.focus()
        for key, border in (("", 0.5), ("Shift+ArrowRight", 0.6), ("End", 1), ("Home", 0)):
            if key:
                looked.page.keyboard.press(key)
            line = screen(looked)[-20]
            at = round(border * len(line))
            assert (line[: max(0, at - 4), 0] > 180).all()
            assert (line[at + 4 :, 2] > 180).all()
        box = looked.page.locator("#stage").bounding_box()
        assert box is not None
        looked.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 30)
        looked.page.mouse.down()
        looked.page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 30)
        looked.page.mouse.up()
        assert divider.get_attribute("aria-valuenow") == "25"
        looked.page.keyboard.press("2")
        line = screen(looked)[-20]
        assert (line[: len(line) // 2 - 4, 0] > 180).all()
        assert (line[len(line) // 2 + 4 :, 2] > 180).all()


def test_flicker_waits_where_motion_is_to_be_reduced(opened: Looked) -> None:
    opened.page.emulate_media(reduced_motion="reduce")
    opened.page.keyboard.press("3")
    alternate = opened.page.get_by_role("button", name="Alternate")
    visible = "document.querySelector('#stage').dataset.visible"
    assert (alternate.get_attribute("aria-pressed"), opened.page.evaluate(visible)) == ("false", "0")
    opened.page.keyboard.down("x")
    assert opened.page.evaluate(visible) == "1"
    opened.page.keyboard.up("x")
    assert opened.page.evaluate(visible) == "0"
    alternate.click()
    opened.until(f"{visible} === '1'")
    opened.until(f"{visible} === '0'")
    opened.page.keyboard.press("1")
    assert opened.page.locator("#stage").get_attribute("data-mode") == "wipe"


# ---- the curves ----------------------------------------------------------------------------------------------------


def test_the_curve_leads_to_the_frame_that_is_clicked(opened: Looked, made: dict[str, Path]) -> None:
    page = opened.page
    page.locator("#chart").scroll_into_view_if_needed()
    box = page.locator("#plot").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 17 / (COUNT - 1), box["y"] + 20)
    opened.until(f"{STEP} === 17")
    assert page.evaluate(NUMBERS) == [17, 17]
    chart = page.get_by_role("slider", name="frame, by its PSNR")
    chart.focus()
    page.keyboard.press("ArrowLeft")
    opened.until(f"{STEP} === 16")
    assert str(chart.get_attribute("aria-valuetext")).startswith("frame 16 · PSNR A ")
    for metric in ("PSNR", "SSIM", "XPSNR"):
        page.get_by_role("button", name=metric, exact=True).click()
        assert page.locator("#plot svg path.A, #plot svg path.B").count() == 2
        worst = page.get_by_role("button", name="the worst of A")
        number = int(worst.inner_text().removeprefix("frame "))
        worst.click()
        opened.until(f"{STEP} === {number}")
    report = telecine.verify(made["a"], made["frames"])
    page.get_by_role("button", name="PSNR", exact=True).click()
    assert f"A\t{report.psnr:.2f} dB\t" in page.inner_text("#worst")


def test_identical_clips_are_said_to_be(browser: Browser, tmp_path: Path) -> None:
    video = telecine.export_video(numbered(3, 48, 320), tmp_path / "a.mp4")
    with looked_at(browser, telecine.compare(video, video, output=tmp_path / "compare.html")) as looked:
        looked.until(OPENED)
        assert "Of B against A, as 8-bit 4:2:0." in looked.page.inner_text("#quality")
        assert "frame 0 · PSNR B identical" in looked.page.inner_text("#reading")
        assert looked.errors == []


# ---- what it says --------------------------------------------------------------------------------------------------


def test_it_has_the_facts_of_both(opened: Looked) -> None:
    rows = "[...document.querySelectorAll('#facts tr')].map(row => [...row.cells].map(cell => cell.textContent))"
    facts = {name: values for name, *values in opened.page.evaluate(rows)}
    assert facts["codec, differs"] == ["h264", "vp9"]
    assert facts["picture"] == ["320x192", "320x192"]
    assert facts["frames"] == ["24", "24"]
    assert opened.page.inner_text("h1").split() == ["A", "a.mp4", "B", "b.webm"]
    assert "dusk" in opened.page.inner_text("#metadata")


def test_hostile_texts_are_inert_and_leave_the_page_its_width(browser: Browser, tmp_path: Path) -> None:
    frames = numbered(3, 48, 320)
    said = {"prompt": HOSTILE + "long " * 20_000, HOSTILE[:60]: "x" * 5000, "comment": HOSTILE}
    videos = [telecine.export_video(frames, tmp_path / f"{crf}.mp4", metadata=said, crf=crf) for crf in (20, 40)]
    titles = (HOSTILE * 50, "y" * 2000)
    page = telecine.compare(videos[0], videos[1], output=tmp_path / "compare.html", titles=titles)
    with looked_at(browser, page, 360, 700) as looked:
        looked.until(OPENED)
        for mode in "1234":
            looked.page.keyboard.press(mode)
            assert not looked.is_too_wide()
        for dark in (False, True):
            looked.page.emulate_media(color_scheme="dark" if dark else "light")
            assert looked.serious() == []
        for summary in looked.page.locator("summary").all():
            summary.click()
        assert not looked.is_too_wide()
        assert looked.page.evaluate("window.hacked") is None
        text = looked.page.evaluate("document.body.innerText")
        assert "<script>window.hacked = 1</script>" in text
        assert "\u202e" not in text
        assert len(text) > 200_000
        assert (looked.asked, looked.errors) == ([], [])


def test_what_browsers_do_not_play_is_shown_through_a_stand_in(
    browser: Browser, tmp_path: Path, made: dict[str, Path]
) -> None:
    frames = numbered(COUNT, 192, 320)
    options: dict[str, Any] = {"codec": "hevc", "bit_depth": 10, "crf": 12}
    hevc = telecine.export_video(frames, tmp_path / "a.mp4", fps=16, **options)
    page = telecine.compare(hevc, made["frames"], output=tmp_path / "compare.html")
    with looked_at(browser, page) as looked:
        looked.until(OPENED)
        text = looked.page.inner_text("#notes")
        assert "A is shown through a stand-in" in text
        assert "not every browser plays hevc, yuv420p10le, in mp4" in text
        assert "B is shown through a stand-in" in text
        for step in (11, 0, COUNT - 1):
            looked.page.locator("#transport input").fill(str(step))
            looked.until(f"{STEP} === {step}")
            assert looked.page.evaluate(NUMBERS) == [step, step]
            assert np.abs(pixels(looked, "picture-1").astype(int) - frames[step]).mean() < 12  # its chroma is halved
        assert looked.errors == []


# ---- what is refused -----------------------------------------------------------------------------------------------


def test_what_can_not_be_compared_is_refused_and_nothing_is_written(tmp_path: Path, made: dict[str, Path]) -> None:
    page, one, other = tmp_path / "compare.html", made["a"], made["b"]
    with pytest.raises(OptionError, match="give two texts"):
        telecine.compare(one, other, output=page, titles=["one"])
    with pytest.raises(OptionError, match="an iterator of frames is read once"):
        telecine.compare(one, iter(numbered(2)), output=page)
    with pytest.raises(InputError, match="does not exist"):
        telecine.compare(one, tmp_path / "b.mp4", output=page)
    with pytest.raises(PublishError, match="is a folder"):
        telecine.compare(one, other, output=tmp_path)
    large = tmp_path / "large.mp4"
    with open(large, "wb") as file:
        file.write(one.read_bytes() + (256 << 20).to_bytes(4) + b"free")
        file.truncate(file.tell() - 8 + (256 << 20))
    with pytest.raises(InputError, match="a page holds 256 MiB: compare shorter ones"):
        telecine.compare(large, other, output=page)
    assert list(tmp_path.iterdir()) == [large]
    page.write_text("older")
    with pytest.raises(PublishError, match="exists and overwrite is False"):
        telecine.compare(one, other, output=page, overwrite=False)
    assert page.read_text() == "older"


def test_names_are_as_long_as_tells_them_apart(tmp_path: Path) -> None:
    frames = np.zeros((2, 48, 64, 3), np.uint8)
    videos = [telecine.export_video(frames, tmp_path / run / "out" / "clip.mp4") for run in ("one", "two")]
    text = telecine.compare(videos[0], videos[1], output=tmp_path / "compare.html").read_text()
    assert f"<title>{Path('one/out/clip.mp4')} and {Path('two/out/clip.mp4')}</title>" in text
