"""The gallery of 10,000 clips in Chromium: how soon its first cards are there, and how many frames a second it scrolls.

The clips are 100 real ones, each of 16 frames of 256x144 with a prompt of 40 words, and each under 100 names (hard
links), so that all are looked at and have posters of their own. First cards: from the navigation until all posters in
sight are decoded, of the static site from the disk and of the server. Scrolling: wheel steps of 240 pixels, as fast as
Chromium takes them, for eight seconds, each frame counted by `requestAnimationFrame`, of which Chromium gives 60 a
second at most. An empty page of the same height scrolls beside it. All is drawn by the processors: there is no GPU.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import numpy as np
from playwright.sync_api import Page, sync_playwright

import telecine
from telecine.metadata.tags import Json

from .measure import Spread
from .report import Bar, Report, Table, alone

SOURCES, NAMES_EACH, TURNS = 100, 100, 5
MOST_SECONDS, LEAST_FRAMES = 1.0, 50.0
STEP, LASTING = 240, 8.0
WORDS = "a panda plays the guitar beside a river at dawn while fog drifts over pines and a kite climbs into amber light"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

SEEN = """new Promise(done => (function look() {
    const images = [...document.images].filter(each => each.parentElement.getBoundingClientRect().top < innerHeight);
    if (images.length && images.every(each => each.complete && each.naturalWidth)) done(performance.now());
    else setTimeout(look, 5);
})())"""
COUNT_FRAMES = """() => {
    const times = (window.frameTimes = []);
    (function next(now) {
        times.push(now);
        if (window.frameTimes === times) requestAnimationFrame(next);
    })(performance.now());
}"""


def run() -> Report:
    """Make the clips and the gallery, open both its forms, and scroll."""
    with tempfile.TemporaryDirectory() as folder:
        clips, site = Path(folder, "run"), Path(folder, "site")
        make_clips(clips)
        first, again = seconds_of_gallery(clips, site), seconds_of_gallery(clips, site)
        size = (site / "index.html").stat().st_size
        with chromium_page() as page:
            page.set_content('<body style="height: 700000px">')
            empty = scroll(page)
            static = first_cards(page, (site / "index.html").as_uri())
            rates = [scroll(page) for _ in range(TURNS + 1)][1:]
            with served(clips) as address:
                live = first_cards(page, address)
    rows = [
        (f"`telecine gallery` of {SOURCES * NAMES_EACH:,} new clips", f"{first:.0f} s"),
        ("again, with nothing new", f"{again:.1f} s"),
        ("the page", f"{size / 1e6:.1f} MB"),
        ("frames a second of scrolling an empty page", f"{empty:.1f}"),
    ]
    bars = [
        Bar("static: seconds to the first cards", static, MOST_SECONDS),
        Bar("served: seconds to the first cards", live, MOST_SECONDS),
        Bar("frames a second of scrolling", Spread.of(rates), LEAST_FRAMES, at_least=True, form=".1f"),
    ]
    return Report("Gallery", __doc__ or "", [Table(("what", "figure"), rows)], bars)


def make_clips(folder: Path) -> None:
    """Export the clips, and give each its names."""
    folder.mkdir()
    dice = random.Random(0)
    down, right = np.mgrid[:144, :256]
    for seed in range(SOURCES):
        planes = [((right * 2, down * 3, right + down), 9 * number + 37 * seed) for number in range(16)]
        frames = np.stack([(np.stack(three, 2) + by).astype(np.uint8) for three, by in planes])
        prompt = " ".join(dice.choices(WORDS.split(), k=40))
        facts: dict[str, Json] = {"prompt": prompt, "seed": seed, "model": f"lab/model-{seed % 7}", "steps": 50}
        path = folder / f"{seed:03d}-00.mp4"
        telecine.export_video(frames, path, fps=16, metadata=facts)
        for number in range(1, NAMES_EACH):
            os.link(path, folder / f"{seed:03d}-{number:02d}.mp4")


def seconds_of_gallery(clips: Path, site: Path) -> float:
    """How long the site takes to make."""
    start = time.perf_counter()
    telecine.gallery(clips, site)
    return time.perf_counter() - start


@contextmanager
def chromium_page() -> Iterator[Page]:
    """Give a page of 1280x800."""
    executable = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        with browser:
            yield browser.new_page(viewport={"width": 1280, "height": 800})


@contextmanager
def served(clips: Path) -> Iterator[str]:
    """Serve the clips in a process of its own, and give the address once all of them were looked at."""
    command = [sys.executable, "-m", "telecine", "serve", str(clips)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        while json.load(urlopen(f"{address}clips.json"))["left"] != 0:  # the first look has begun by then
            time.sleep(1)
        yield address
        server.send_signal(signal.SIGINT)


def first_cards(page: Page, address: str) -> Spread:
    """Seconds from the navigation until the posters of the cards in sight are decoded."""
    found = []
    for _ in range(TURNS + 1):
        page.goto("about:blank")
        page.goto(address, wait_until="commit")
        found.append(page.evaluate(SEEN) / 1000)
    return Spread.of(found[1:])


def scroll(page: Page) -> float:
    """Frames a second, while the wheel turns and cards come that were not seen before."""
    page.mouse.move(640, 400)
    page.evaluate(COUNT_FRAMES)
    end = time.monotonic() + LASTING
    while time.monotonic() < end:
        page.mouse.wheel(0, STEP)
    times: list[float] = page.evaluate("frameTimes")
    return 1000 * (len(times) - 1) / (times[-1] - times[0])


if __name__ == "__main__":
    alone(run)
