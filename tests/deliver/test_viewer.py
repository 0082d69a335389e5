"""The page that shows a video while it is written: what it plays, what it says in the end, who may have it."""

from __future__ import annotations

import io
import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av
import numpy as np
import pytest

import telecine
from telecine import OptionError, VideoWriter, export_video

from ..support.browser import Browser
from ..support.helpers import Clip, greys, names_in, noise, threads_left
from ..support.pages import READ_NUMBER, looked_at, numbered
from ..support.sounds import RATE, tone

pytestmark = pytest.mark.slow

FPS = 16
VIDEO = "document.querySelector('video')"
STATE = "document.getElementById('state')"
NUMBER = f"""() => {{
    const canvas = document.createElement("canvas"), video = {VIDEO};
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext("2d").drawImage(video, 0, 0);
    return ({READ_NUMBER})(canvas);
}}"""


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Give what gives the address that was told last."""

    def told() -> str:
        found = re.fullmatch(r"telecine: live at (http://127\.0\.0\.1:\d+/[\w-]{43}/)\n", capsys.readouterr().err)
        assert found is not None
        return found[1]

    return told


def ask(address: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
    parts = urlsplit(address)
    connection = HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    connection.request(method, parts.path, headers=headers)
    response = connection.getresponse()
    return response, response.read()


def streaming(address: str) -> HTTPResponse:
    return asking_for_stream(address).getresponse()


def asking_for_stream(address: str) -> HTTPConnection:
    parts = urlsplit(address)
    connection = HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    connection.request("GET", f"{parts.path}stream")
    return connection


def still(count: int) -> Clip:
    return np.repeat(greys(1), count, axis=0)


def times_of(data: bytes) -> list[tuple[Fraction, bool]]:
    with av.open(io.BytesIO(data), "r") as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    return [(packet.pts * packet.time_base, packet.is_keyframe) for packet in packets if packet.pts is not None]


# ---- in a browser --------------------------------------------------------------------------------------------------


def test_the_video_plays_while_it_is_written_and_the_file_in_the_end(
    browser: Browser, told: Callable[[], str], tmp_path: Path
) -> None:
    frames, path = numbered(64), tmp_path / "<script>alert(1)</script>\u202e4pm.mp4"
    with VideoWriter(path, fps=FPS, live=True, fragment=0.25, audio_rate=RATE) as writer:
        address = told()
        with looked_at(browser, address) as looked:
            looked.until(f"{STATE}.textContent === 'Waiting for the first frame'")
            writer.write_audio(tone(4))
            writer.write(frames[:40])
            looked.until(f"{VIDEO}.currentTime > 0.5 && ({NUMBER})() > 0")  # its clock runs before its pictures do
            assert looked.page.evaluate(NUMBER) < 40
            assert looked.page.inner_text("#state") == "Live: it is being written"
            assert looked.page.evaluate(f"{VIDEO}.webkitAudioDecodedByteCount") > 0
            assert int(looked.page.inner_text("#counts").split()[0]) <= 40
            assert looked.page.inner_text("h1").endswith(r"<script>alert(1)</script>\u202e4pm.mp4")
            assert (looked.serious(), looked.is_too_wide()) == ([], False)
            writer.write(frames[40:])
            video = writer.close()
            looked.until(f"{STATE}.dataset.is === 'finished'")
            assert looked.page.inner_text("#state") == "Finished: this is the file"
            assert (
                looked.page.evaluate(f"[{VIDEO}.duration, {VIDEO}.loop]") == [float(video.duration), True] == [4, True]
            )
            assert looked.page.inner_text("#counts").startswith("64 frames in ")
            for key, number in {".": None, "End": 63, ",": 62, "Home": 0, "ArrowRight": 16}.items():
                looked.page.keyboard.press(key)
                looked.until(f"!{VIDEO}.seeking")
                assert number is None or looked.page.evaluate(NUMBER) == number, key
            looked.page.keyboard.press("Space")
            looked.until(f"!{VIDEO}.paused && {VIDEO}.currentTime > 1.2")
            assert all(each.startswith(address) for each in looked.asked)
            assert looked.errors == []


def test_the_page_joins_late_and_tells_of_a_failure(browser: Browser, told: Callable[[], str], tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "clip.mp4", fps=FPS, live=True, fragment=0.25)
    address, prompt = told(), f"<script>alert(1)</script>'\"{'panda' * 20000}\u202e"
    writer.write(numbered(40))
    with looked_at(browser, address, width=360, dark=True) as looked:
        looked.until(f"{VIDEO}.currentTime > 1")  # where it joined: nothing before was kept
        assert looked.page.evaluate(f"{VIDEO}.buffered.start(0)") > 1
        with pytest.raises(RuntimeError), writer:
            raise RuntimeError(prompt)
        looked.until(f"{STATE}.dataset.is === 'failed'")
        said = rf"It failed: RuntimeError: {prompt[:-1]}\u202e. What came before stays here."
        assert looked.page.inner_text("#state") == said
        looked.page.keyboard.press("Home")
        looked.until(f"!{VIDEO}.seeking")
        assert looked.page.evaluate(NUMBER) > 16
        assert (looked.serious(), looked.is_too_wide()) == ([], False)
    assert_closed(address)


def test_the_page_tries_again_where_the_stream_breaks(
    browser: Browser, told: Callable[[], str], tmp_path: Path
) -> None:
    with VideoWriter(tmp_path / "clip.mp4", fps=FPS, live=True) as writer:
        address = told()
        with looked_at(browser, "about:blank") as looked:
            looked.page.route(f"{address}stream", lambda route: route.abort(), times=1)
            looked.page.goto(address)
            looked.until(f"{STATE}.dataset.is === 'broken'")
            writer.write(numbered(40))
            looked.until(f"{VIDEO}.currentTime > 0.2")
            assert looked.page.inner_text("#state") == "Live: it is being written"
            writer.abort()
            assert_closed(address)


def assert_closed(address: str) -> None:
    assert threads_left(f"telecine-loopback-{urlsplit(address).port}") == []
    with pytest.raises(ConnectionRefusedError):
        ask(address)


# ---- what is given to whom -----------------------------------------------------------------------------------------


def test_only_who_was_told_the_address_is_answered(told: Callable[[], str], tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.mp4", fps=FPS, live=True) as writer:
        address = told()
        parts = urlsplit(address)
        root, port = f"http://{parts.netloc}", parts.port
        for wrong in (f"{root}/", f"{root}/state", f"{root}/{'a' * 43}/state", f"{address}x", f"{address}../state"):
            response, body = ask(wrong)
            assert (response.status, body) == (404, b""), wrong
        for host in ("example.com", f"example.com:{port}", "127.0.0.1", f"127.0.0.1:{port}.example.com", ""):
            assert ask(address, Host=host)[0].status == 404, host
        assert ask(address, Host=f"localhost:{port}")[0].status == 200
        assert ask(f"{address}state", "POST")[0].status == 501
        response, body = ask(address, "HEAD")
        assert (response.status, body) == (200, b"")
        found = {name.lower(): value for name, value in response.getheaders()}
        assert int(found.pop("content-length")) == len(ask(address)[1])
        del found["date"]
        assert found == {
            "cache-control": "no-store",
            "connection": "close",
            "content-type": "text/html; charset=utf-8",
            "referrer-policy": "no-referrer",
            "server": "telecine",
            "x-content-type-options": "nosniff",
        }
        assert ask(f"{address}clip")[0].status == 404
        with socket.create_connection(("127.0.0.1", port or 0)) as client:
            client.sendall(b"GET / HTTP/1.1\r\n" + b"x: " + b"y" * 16384)
            assert client.recv(100).startswith(b"HTTP/1.1 431 ")
        writer.write(greys())


def test_the_finished_file_is_given_whole_or_in_ranges(told: Callable[[], str], tmp_path: Path) -> None:
    video = export_video(greys(20), tmp_path / "clip.mp4", fps=FPS, live=True)
    clip, whole = f"{told()}clip", video.read_bytes()
    response, body = ask(clip)
    assert (response.status, body, response.headers["Accept-Ranges"]) == (200, whole, "bytes")
    size = len(whole)
    for wanted, (first, last) in {"2-5": (2, 5), "10-": (10, size - 1), "-7": (size - 7, size - 1)}.items():
        response, body = ask(clip, Range=f"bytes={wanted}")
        assert (response.status, body) == (206, whole[first : last + 1])
        assert response.headers["Content-Range"] == f"bytes {first}-{last}/{size}"
    response, body = ask(clip, Range=f"bytes={size}-")
    assert (response.status, response.headers["Content-Range"]) == (416, f"bytes */{size}")
    for ignored in ("bytes=0-1,3-4", "bytes=x", "lines=1-2", f"bytes=0-{'9' * 5000}"):
        assert ask(clip, Range=ignored)[0].status == 200
    video.path.unlink()
    assert ask(clip)[0].status == 404


def test_what_is_at_no_path_is_streamed_alone(told: Callable[[], str]) -> None:
    file = io.BytesIO()
    export_video(still(20), file, format="mp4", fps=FPS, live=True)
    address = told()
    assert ask(f"{address}clip")[0].status == 404
    state = json.loads(ask(f"{address}state")[1])
    assert state.pop("seconds") > 0
    assert state == {"frames": 20, "outcome": "finished", "said": ""}
    assert [time for time, _ in times_of(streaming(address).read())] == [Fraction(16 + at, FPS) for at in range(4)]


@pytest.mark.filterwarnings("ignore:vp9")
@pytest.mark.parametrize(("name", "codec"), [("clip.mp4", "avc1.64000A"), ("clip.webm", "vp09.00.10.08")])
def test_viewers_have_what_a_listener_has_from_a_key_frame_on(
    name: str, codec: str, told: Callable[[], str], tmp_path: Path
) -> None:
    given: list[bytes] = []
    with VideoWriter(tmp_path / name, fps=FPS, live=True, fragment=0.25, also_to=given.append) as writer:
        address = told()
        writer.write(still(24))
        while json.loads(ask(f"{address}state")[1])["frames"] < 16:
            pass
        late = streaming(address)
        assert late.headers["Content-Type"] == f'video/mp4; codecs="{codec}"'
        writer.write(still(5))
    data, whole = late.read(), b"".join(given)
    (first, is_key), *_ = times = times_of(data)
    assert (is_key, first) == (True, Fraction(12, FPS)) or first > Fraction(12, FPS)
    assert times[-1][0] == Fraction(28, FPS)
    begins = data.index(b"moof") - 4
    assert (whole.startswith(data[:begins]), whole.endswith(data[begins:])) == (True, True)


def test_a_viewer_that_never_reads_slows_nothing_and_changes_no_byte(told: Callable[[], str], tmp_path: Path) -> None:
    frames = noise(48, 640, 360)
    how: dict[str, Any] = {"fps": FPS, "crf": 1, "preset": "ultrafast", "latency": "low"}
    with VideoWriter(tmp_path / "clip.mp4", live=True, **how) as writer:
        parts = urlsplit(told())
        with socket.create_connection((str(parts.hostname), parts.port or 0)) as deaf:
            deaf.sendall(f"GET {parts.path}stream HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
            writer.write(frames)
            video = writer.close()
    assert video.size_bytes > 8 << 20  # more than the system's buffers hold
    assert video.notes == ()
    export_video(frames, tmp_path / "other.mp4", also_to=len, **how)
    assert video.read_bytes() == (tmp_path / "other.mp4").read_bytes()


# ---- the end -------------------------------------------------------------------------------------------------------


def test_many_writers_leave_few_servers(told: Callable[[], str], tmp_path: Path) -> None:
    addresses = []
    for _ in range(12):
        export_video(greys(2, 32, 32), tmp_path / "clip.mp4", live=True)
        addresses.append(told())
    for each in addresses[:-4]:
        assert_closed(each)
    assert all(ask(f"{each}clip")[0].status == 200 for each in addresses[-4:])


ENDS = """
import sys, numpy as np, telecine
with telecine.VideoWriter("clip.mp4", live=True) as writer:
    sys.stdin.readline()
    writer.write(np.zeros((16, 48, 64, 3), np.uint8))
"""


def test_who_watches_has_the_file_before_the_interpreter_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ENDS]
    with subprocess.Popen(command, cwd=tmp_path, text=True, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        address = process.stderr.readline().split()[-1]
        asked = asking_for_stream(address)
        process.stdin.write("\n")
        process.stdin.flush()
        # The first fragment may be over before the request is heard: what is promised is the rest, to the end.
        assert times_of(asked.getresponse().read())[-1][0] == Fraction(15, 16)
        assert ask(f"{address}clip")[1] == (tmp_path / "clip.mp4").read_bytes()
        assert ask(f"{address}seen")[0].status == 204
        assert process.wait(30) == 0
        assert process.stderr.read() == ""


WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "gif": ("clip.gif", {}, "live=True does not go with gif: leave it out"),
    "folder": ("frames", {"format": "png"}, "live=True does not go with png: leave it out"),
    "limit": ("clip.mp4", {"max_bytes": 9999}, "live=True does not go with max_bytes=, since what was handed out"),
    "lossless": ("clip.mp4", {"quality": "lossless"}, "live=True does not go with h264 in .*: use h264, hevc"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_can_not_be_watched_is_refused_before_a_page_is_opened(
    case: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    name, options, said = WRONG[case]
    with pytest.raises(OptionError, match=said):
        VideoWriter(tmp_path / name, live=True, **options)
    assert (names_in(tmp_path), capsys.readouterr().err) == ([], "")


def test_a_stream_and_a_batch_have_no_page(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="live= goes with a file: leave it out"):
        telecine.stream_video(greys(), live=True)
    with pytest.raises(OptionError, match="live= is of one export, not of a batch: leave it out"):
        telecine.export_batch([{"frames": greys(), "output": "a.mp4"}], tmp_path / "out", live=True)


# The one port that this machine gives is taken.
ALONE = """
import pathlib, socket, numpy as np, telecine
pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("40000 40000")
taken = socket.create_server(("127.0.0.1", 40000))
try:
    telecine.export_video(np.zeros((4, 48, 64, 3), np.uint8), "clip.mp4", live=True)
except telecine.PublishError as error:
    print(error)
"""


def test_a_machine_that_can_serve_no_page_is_told_of_before_the_first_frame(tmp_path: Path) -> None:
    command = ["unshare", "--map-root-user", "--net"]
    if not shutil.which("unshare") or subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no network namespace is to be had here")
    found = subprocess.run([*command, sys.executable, "-c", ALONE], cwd=tmp_path, capture_output=True, text=True)
    said = "live=True can't serve a page on 127.0.0.1: Address already in use; leave it out\n"
    assert (found.stdout, found.stderr) == (said, "")
    assert names_in(tmp_path) == []
