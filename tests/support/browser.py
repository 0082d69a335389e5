"""A real headless Chromium that opens a video file, shows its frames as pixels, decodes its sound, and plays it."""

from __future__ import annotations

import base64
import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from playwright.sync_api import Error, Page, ViewportSize, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
# No sandbox: a container's root can't have one. No GPU, so that it converts colours the same way everywhere. The others
# keep it off the network.
_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# The file comes in through a file input: the page has it as its own, so a canvas that it is drawn on can be read, and
# no server is needed. What is waited for fails on the video's error, and in the end: a hung test would say nothing.
_PAGE = """
<input type="file"><video muted></video>
<script>
const video = document.querySelector("video");

function waitFor(what, start) {
    return new Promise((done, failed) => {
        video.addEventListener("error", () => failed(new Error(video.error.message)), {once: true});
        setTimeout(() => failed(new Error(`no ${what} in 60 s`)), 60000);
        start(done, failed);
    });
}

// At `loadeddata` and `seeked` a canvas may still get the picture before, or an empty one: only a frame's callback
// tells that it is up. `load` awaits the first frame's too, or it could pass for that of the first seek.
function nextFrame(start) {
    return waitFor("frame", done => {
        video.requestVideoFrameCallback((now, frame) => done(frame.mediaTime));
        start();
    });
}

let shown = null;  // the position asked for last, and the time of the frame that is up since

async function load(url) {
    shown = {at: 0, time: await nextFrame(() => { video.src = url; })};
    return [video.videoWidth, video.videoHeight, video.duration];
}

async function show(seconds) {
    if (seconds !== shown.at)  // no frame comes of a seek to where it is
        shown = {at: seconds, time: await nextFrame(() => { video.currentTime = seconds; })};
    return [shown.time, bytesOf(video)];
}

function bytesOf(picture) {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] =
        [picture.videoWidth || picture.displayWidth, picture.videoHeight || picture.displayHeight];
    const context = canvas.getContext("2d");
    context.drawImage(picture, 0, 0);
    const bytes = context.getImageData(0, 0, canvas.width, canvas.height).data;
    const parts = [];
    for (let at = 0; at < bytes.length; at += 32768)  // a call takes so many arguments
        parts.push(String.fromCharCode(...bytes.subarray(at, at + 32768)));
    return btoa(parts.join(""));
}

async function decodeImage(type) {
    const data = await document.querySelector("input").files[0].arrayBuffer();
    const decoder = new ImageDecoder({data, type});
    await Promise.all([decoder.completed, decoder.tracks.ready]);
    const found = [], track = decoder.tracks.selectedTrack;
    for (let frameIndex = 0; frameIndex < track.frameCount; frameIndex++) {
        const {image} = await decoder.decode({frameIndex});
        const {timestamp, duration, displayWidth, displayHeight} = image;
        found.push([timestamp / 1e6, duration / 1e6, displayWidth, displayHeight, bytesOf(image)]);
        image.close();
    }
    return found;
}

async function play() {
    await waitFor("end", (done, failed) => {
        video.addEventListener("ended", done, {once: true});
        video.currentTime = 0;
        video.playbackRate = 16;
        video.play().catch(failed);
    });
    return [video.played.start(0), video.played.end(0)];
}

// Media Source Extensions: what comes is played while more comes; `seen` is asked for once playback has advanced.
async function stream(url, seen) {
    const source = new MediaSource();
    video.src = URL.createObjectURL(source);
    await waitFor("source", done => source.addEventListener("sourceopen", done, {once: true}));
    const response = await fetch(url), reader = response.body.getReader();
    const buffer = source.addSourceBuffer(response.headers.get("Content-Type"));
    tellWhenAdvanced(seen);
    video.play();
    for (let part = await reader.read(); !part.done; part = await reader.read())
        await waitFor("update", done => {
            buffer.addEventListener("updateend", done, {once: true});
            buffer.appendBuffer(part.value);
        });
    source.endOfStream();
    video.pause();
    shown = {at: null, time: null};
    return [video.videoWidth, video.videoHeight, video.duration];
}

// HLS, by hls.js: a playlist that grows is played from its beginning; `seen` as above.
async function playlist(url, seen) {
    const hls = new Hls({startPosition: 0});
    const ended = waitFor("end of the playlist", (done, failed) => {
        hls.on(Hls.Events.ERROR, (event, data) => { if (data.fatal) failed(new Error(data.details)); });
        hls.on(Hls.Events.BUFFER_EOS, done);
    });
    tellWhenAdvanced(seen);
    hls.loadSource(url);
    hls.attachMedia(video);
    video.play();
    await ended;
    video.pause();
    shown = {at: null, time: null};
    return [video.videoWidth, video.videoHeight, video.duration];
}

function tellWhenAdvanced(seen) {
    video.addEventListener("timeupdate", function advanced() {
        if (video.currentTime > 0.2) {
            video.removeEventListener("timeupdate", advanced);
            fetch(seen);
        }
    });
}

async function hear(rate, channels, threshold) {
    const data = await document.querySelector("input").files[0].arrayBuffer();
    const sound = await new OfflineAudioContext(channels, 1, rate).decodeAudioData(data);
    const peaks = [], loudest = [];
    for (let channel = 0; channel < sound.numberOfChannels; channel++) {
        const samples = sound.getChannelData(channel), found = [];
        let most = 0;
        for (let at = 0; at < samples.length; at++) {
            if (Math.abs(samples[at]) > Math.abs(samples[most])) most = at;
            const higher = samples[at] >= samples[at - 1] && samples[at] > samples[at + 1];
            if (samples[at] > threshold && higher) found.push(at);
        }
        peaks.push(found);
        loudest.push(most);
    }
    return [sound.length, peaks, loudest];
}
</script>
"""


@dataclass(frozen=True)
class Loaded:
    """What the video element says of the file."""

    width: int
    height: int
    duration: float


@dataclass(frozen=True)
class Shown:
    """A frame on the screen: its own time in the file, and its pixels, (height, width, 3) uint8 RGB."""

    time: float
    rgb: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Heard:
    """The sound as it is decoded: samples a channel, and of each channel where the peaks are and its loudest sample."""

    length: int
    peaks: list[list[int]]
    loudest: list[int]


class CanNotPlayError(Exception):
    """The browser refuses the file: it has no demuxer or decoder for it."""


def find_chromium() -> str | None:
    """Find the executable of a Chromium or Chrome."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


class Browser:
    """A page with one video element."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._size = (0, 0)

    def load(self, path: str | os.PathLike[str]) -> Loaded:
        """Open a video file; raises CanNotPlayError where the browser can't play it."""
        self._page.set_content(_PAGE)
        self._page.set_input_files("input", os.fspath(path))
        return self._load("URL.createObjectURL(document.querySelector('input').files[0])")

    def load_from(self, url: str) -> Loaded:
        """Open a video of a web server, in a page of the same origin."""
        self._go_to_page_at(url.rpartition("/")[0])
        return self._load(repr(url))

    def moving_image(self, path: str | os.PathLike[str], kind: str) -> list[tuple[float, Shown]]:
        """Decode a moving image of a MIME type: of each frame how long it is shown, and the frame."""
        self._go_to_page_at("http://localhost")  # only a page of a secure origin may
        self._page.set_input_files("input", os.fspath(path))
        try:
            found = self._page.evaluate("kind => decodeImage(kind)", kind)
        except Error as error:
            raise CanNotPlayError(error.message) from error
        return [(duration, Shown(time, _rgb(pixels, width, height))) for time, duration, width, height, pixels in found]

    def _go_to_page_at(self, origin: str) -> None:
        self._page.route(f"{origin}/page", lambda route: route.fulfill(content_type="text/html", body=_PAGE))
        self._page.goto(f"{origin}/page")

    def stream(self, url: str, seen: str) -> Loaded:
        """Play what a web server gives while it comes, and ask for another address of it once playback has advanced."""
        self._go_to_page_at(url.rpartition("/")[0])
        width, height, duration = self._page.evaluate("([url, seen]) => stream(url, seen)", [url, seen])
        self._size = width, height
        return Loaded(width, height, duration)

    def play_list(self, url: str, seen: str, player: Path) -> Loaded:
        """Play an HLS playlist with hls.js, a file, until its end, and ask for another address once it has advanced."""
        self._go_to_page_at("/".join(url.split("/", 3)[:3]))
        self._page.add_script_tag(path=player)
        width, height, duration = self._page.evaluate("([url, seen]) => playlist(url, seen)", [url, seen])
        self._size = width, height
        return Loaded(width, height, duration)

    def heard_bytes(self) -> int:
        """How many bytes of sound the video has decoded."""
        return int(self._page.evaluate("video.webkitAudioDecodedByteCount"))

    def _load(self, url: str) -> Loaded:
        try:
            width, height, duration = self._page.evaluate(f"load({url})")
        except Error as error:
            raise (CanNotPlayError(error.message) if "_ERROR_" in error.message else error) from error
        self._size = width, height
        return Loaded(width, height, duration)

    def new_page(self, width: int, height: int, dark: bool = False) -> Page:
        """Open another page, so large, of a light or a dark system."""
        browser = self._page.context.browser
        assert browser is not None
        size: ViewportSize = {"width": width, "height": height}
        return browser.new_page(viewport=size, color_scheme="dark" if dark else "light")

    def look_at(self, path: str | os.PathLike[str], width: int) -> tuple[list[str], int, int, str]:
        """Open a page that is a file, so wide: what it asks for, how wide it is, how many pictures show, its text."""
        asked: list[str] = []
        page = self.new_page(width, 800)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(Path(path).absolute().as_uri())
        pictures = "[...document.images].filter(each => each.naturalWidth).length"
        found = page.evaluate(f"[document.documentElement.scrollWidth, {pictures}, document.body.innerText]")
        page.close()
        return asked, *found

    def says_it_plays(self, kind: str) -> bool:
        """Whether the browser says that it plays a MIME type with codecs (RFC 6381)."""
        return bool(self._page.evaluate("kind => document.createElement('video').canPlayType(kind)", kind))

    def show(self, seconds: float) -> Shown:
        """Seek, and give the frame that is shown then."""
        time, pixels = self._page.evaluate("seconds => show(seconds)", seconds)
        return Shown(time, _rgb(pixels, *self._size))

    def show_on_page(self, seconds: float, color: str) -> npt.NDArray[np.uint8]:
        """Seek, and give what is on the screen then, (height, width, 3) uint8 RGB, on a page of a colour."""
        self._page.evaluate("seconds => show(seconds)", seconds)
        self._page.add_style_tag(content=f"body {{ background: {color}; }}")
        png = self._page.locator("video").screenshot()
        return np.array(Image.open(io.BytesIO(png)).convert("RGB"))

    def play(self) -> tuple[float, float]:
        """Play from the start to the end, fast, and give the time range that was played. Load again before `show`."""
        start, end = self._page.evaluate("play()")
        return start, end

    def hear(self, path: str | os.PathLike[str], rate: int, channels: int, threshold: float) -> Heard:
        """Decode a file's sound; at another rate than its own it is resampled."""
        self._page.set_content(_PAGE)
        self._page.set_input_files("input", os.fspath(path))
        return Heard(*self._page.evaluate("how => hear(...how)", [rate, channels, threshold]))


def _rgb(pixels: str, width: int, height: int) -> npt.NDArray[np.uint8]:
    rgba = np.frombuffer(base64.b64decode(pixels), np.uint8).reshape(height, width, 4)
    assert (rgba[:, :, 3] == 255).all(), "the canvas was drawn on before the video had a picture"
    return rgba[:, :, :3]


@contextmanager
def chromium(executable: str) -> Iterator[Browser]:
    """Run a Chromium as long as the `with`."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=_ARGUMENTS)
        with browser:
            yield Browser(browser.new_page())
