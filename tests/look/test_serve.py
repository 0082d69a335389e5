"""The gallery's server over real HTTP, and its page in a real Chromium."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

import telecine
from telecine.errors import InputError, OptionError
from telecine.look.clips import ClipFolder
from telecine.look.serve import app_of

from ..support.browser import Browser
from ..support.helpers import greys
from ..support.pages import READ_NUMBER, looked_at, numbered

pytestmark = pytest.mark.slow

NUMBERS = f"[...document.querySelectorAll('#together canvas')].map({READ_NUMBER})"


@dataclass
class Server:
    """A gallery that is served, and what it answers."""

    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def ask(self, path: str, method: str = "GET", host: str = "127.0.0.1", **headers: str) -> tuple[int, Any, bytes]:
        """Ask for a path as it is written: the status, the headers and the content."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        answer = connection.getresponse()
        found = answer.status, answer.headers, answer.read()
        connection.close()
        return found

    def clips(self, count: int) -> dict[str, dict[str, Any]]:
        """Give the clips by their names, once there are so many."""
        while True:
            told = json.loads(self.ask("/clips.json")[2])
            if told["left"] == 0 and len(told["clips"]) == count:
                return {clip["name"]: clip for clip in told["clips"]}


@contextmanager
def served(folder: Path, token: str | None = None) -> Iterator[Server]:
    """Serve a folder in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app_of(ClipFolder(folder), token), log_level="warning", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield Server(listening.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(30)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two clips of numbered frames, and a secret beside it."""
    folder = tmp_path_factory.mktemp("served") / "run"
    for name, fps in (("a.mp4", 16), ("deep/b.mp4", 16)):
        telecine.export_video(numbered(24), folder / name, fps=fps, crf=12, metadata={"prompt": name, "seed": 3})
    folder.with_name("secret.mp4").write_bytes(b"secret")
    (folder / "out.mp4").symlink_to(folder.with_name("secret.mp4"))
    (folder / "notes.txt").write_bytes(b"secret")
    return folder


@pytest.fixture(scope="module")
def server(run_folder: Path) -> Iterator[Server]:
    with served(run_folder) as running:
        yield running


def test_nothing_but_the_clips_found_is_given(server: Server, run_folder: Path) -> None:
    clips = server.clips(2)
    assert set(clips) == {"a.mp4", "deep/b.mp4"}
    names = [
        "../secret.mp4",
        "..%2fsecret.mp4",
        "%2e%2e/secret.mp4",
        "%2e%2e%2fsecret.mp4",
        "..\\secret.mp4",
        "..%5csecret.mp4",
        "a.mp4",
        "out.mp4",
        "notes.txt",
        str(run_folder / "notes.txt"),
        "%00",
        "",
    ]
    paths = [f"/{place}/{name}" for place in ("clip", "poster") for name in names]
    paths += [
        "/../secret.mp4",
        "//etc/passwd",
        "/notes.txt",
        "/compare?a=../secret.mp4&b=a.mp4",
        f"/{run_folder}/a.mp4",
    ]
    answers = {path: server.ask(path) for path in paths}
    assert {path: status for path, (status, *_) in answers.items() if status != 404} == {}
    assert not any(b"secret" in content for *_, content in answers.values())


def test_a_file_that_is_a_link_by_now_is_not_followed(tmp_path: Path) -> None:
    run = tmp_path / "run"
    video = telecine.export_video(greys(), run / "a.mp4").path
    (tmp_path / "secret.mp4").write_bytes(b"secret")
    with served(run) as server:
        address = f"/{server.clips(1)['a.mp4']['address']}"
        assert server.ask(address)[2] == video.read_bytes()
        video.unlink()
        video.symlink_to(tmp_path / "secret.mp4")
        status, _, content = server.ask(address)
        assert (status, b"secret" in content) == (404, False)


def test_only_this_machines_own_names_are_answered(server: Server) -> None:
    port = server.port
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", "localhost"):
        assert server.ask("/clips.json", host=host)[0] == 200
    for host in (
        "evil.example",
        f"evil.example:{port}",
        f"localhost.evil.example:{port}",
        "127.0.0.1.evil.example",
        "",
    ):
        assert server.ask("/clips.json", host=host)[0] == 421
    assert [server.ask("/", method)[0] for method in ("POST", "PUT", "OPTIONS", "DELETE")] == [405] * 4


def test_a_range_is_given_and_a_huge_one_refused(server: Server, run_folder: Path) -> None:
    address, data = f"/{server.clips(2)['a.mp4']['address']}", (run_folder / "a.mp4").read_bytes()
    size = len(data)
    last = size - 1
    wanted = {"0-99": (0, 99), "100-": (100, last), "-7": (size - 7, last), f"{size - 2}-{size + 9}": (size - 2, last)}
    for asked, (first, to) in wanted.items():
        status, headers, content = server.ask(address, Range=f"bytes={asked}")
        assert (status, content) == (206, data[first : to + 1])
        assert headers["Content-Range"] == f"bytes {first}-{to}/{size}"
    for asked in (f"bytes={size}-", "bytes=0-0" + "," + ",".join("0-0" for _ in range(1000)), "bytes=" + "9" * 4000):
        status, headers, content = server.ask(address, Range=asked)
        assert (status, headers["Content-Range"]) == (416, f"bytes */{size}")
    assert server.ask(address, Range="bytes=0-1,5-6")[2] == data  # which may be answered whole (RFC 9110 14.2)
    with contextlib.suppress(ConnectionError):  # which is a refusal too, amid what is sent
        assert server.ask(address, Range="bytes=" + "0-0," * 50_000)[0] in (400, 416)
    status, headers, content = server.ask(address, "HEAD")
    assert (status, headers["Content-Length"], headers["Content-Type"], content) == (200, str(size), "video/mp4", b"")


def test_every_answer_forbids_frames_other_origins_and_guesses(server: Server) -> None:
    clip = server.clips(2)["a.mp4"]
    for path in ("/", "/clips.json", f"/{clip['poster']}", f"/{clip['address']}", "/none"):
        headers = server.ask(path)[1]
        assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
    assert server.ask("/", host="evil.example")[1]["X-Content-Type-Options"] == "nosniff"
    assert server.ask(f"/{clip['poster']}")[2][8:12] == b"WEBP"


def test_what_did_not_change_is_not_sent_again(server: Server) -> None:
    server.clips(2)
    _, headers, content = server.ask("/clips.json")
    version = json.loads(content)["version"]
    status, _, content = server.ask("/clips.json", If_None_Match=headers["ETag"])
    assert (status, content) == (304, b"")
    told = json.loads(server.ask(f"/clips.json?since={version - 1}")[2])
    assert (len(told["clips"]), told["isWhole"]) == (1, False)
    for since in ("", "x", "-1", "9" * 400, str(version + 99), "%C2%B2"):
        assert len(json.loads(server.ask(f"/clips.json?since={since}")[2])["clips"]) == 2


def test_with_a_token_nothing_is_answered_without_it(run_folder: Path) -> None:
    with served(run_folder, "s3cret") as server:
        cookie = f"telecine-{server.port}"
        for path in ("/", "/clips.json", "/?token=wrong", "/?token=", "/?token=s3cre%C3%A9"):
            assert server.ask(path, host="evil.example")[0] == 401
        assert server.ask("/", Cookie=f"{cookie}=wrong")[0] == 401
        status, headers, _ = server.ask("/?token=s3cret")
        assert (status, headers["Location"]) == (303, "/")
        assert headers["Set-Cookie"] == f"{cookie}=s3cret; HttpOnly; Path=/; SameSite=strict"
        assert server.ask("/", host="gpu-7.example", Cookie=f"{cookie}=s3cret")[0] == 200


def test_the_command_serves_until_it_is_interrupted(run_folder: Path) -> None:
    command = [sys.executable, "-m", "telecine", "serve", str(run_folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        port = int(address.removeprefix("http://127.0.0.1:").removesuffix("/"))
        assert set(Server(port).clips(2)) == {"a.mp4", "deep/b.mp4"}
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (0, "", "")


def test_what_cant_be_served_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no folder"):
        telecine.serve(tmp_path / "none")
    with pytest.raises(OptionError, match="can't be listened on"):
        telecine.serve(tmp_path, host="192.0.2.1")  # of no machine (RFC 5737)


# ---- the page --------------------------------------------------------------------------------------------------------


def test_a_clip_that_is_written_while_the_page_is_open_appears(browser: Browser, tmp_path: Path) -> None:
    telecine.export_video(greys(), tmp_path / "first.mp4")
    with served(tmp_path) as server:
        server.clips(1)
        with looked_at(browser, server.address) as looked:
            assert looked.page.locator("#status").inner_text() == "1 clip"
            (tmp_path / "half.mp4").write_bytes((tmp_path / "first.mp4").read_bytes()[:500])
            looked.until("document.querySelector('.broken')?.textContent.includes('half.mp4')")
            (tmp_path / "first.mp4").rename(tmp_path / "half.mp4")
            looked.until("!document.querySelector('.broken') && document.querySelectorAll('.card').length === 1")
            assert looked.page.locator(".name").all_inner_texts() == ["half.mp4"]
            assert [each for each in looked.asked if not each.startswith(server.address)] == []
            assert looked.errors == []


def test_two_clips_play_in_step_and_are_measured(browser: Browser, server: Server) -> None:
    server.clips(2)
    with looked_at(browser, server.address) as looked:
        page = looked.page
        for box in page.locator(".card input").all():
            box.check(force=True)
        page.get_by_role("button", name="Play in step").click()
        looked.until(f"document.querySelector('#together canvas')?.width === 160 && ({NUMBERS})[0] > 2")
        page.keyboard.press(" ")
        for step, keys in ((0, ["Home"]), (2, [".", "."]), (23, ["End"]), (22, [","])):
            for key in keys:
                page.keyboard.press(key)
            looked.until(f"({NUMBERS})[0] === {step}")
            assert page.evaluate(NUMBERS) == [step, step]
        assert looked.serious() == []
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Compare").click()
        looked.until(f"document.querySelector('#together canvas')?.width === 160 && ({NUMBERS})[0] > 2")
        assert page.locator("#together .wiped").count() == 1
        measured = page.get_by_role("link", name="Measure them").get_attribute("href")
        assert looked.errors == []
    status, _, content = server.ask(f"/{measured}")
    assert (status, b"a.mp4" in content) == (200, True)
