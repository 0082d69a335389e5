"""An S3 server in a process of its own, and a proxy in front of it that fails as it is told."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import fsspec

BUCKET = "clips"
SECRET = "the-secret-of-this-bucket"


@dataclass
class ObjectStore:
    """The server behind its proxy, with one bucket.

    `requests` are those that came, as "PUT /clips/a.mp4?partNumber=1", and `sent` how many bytes were answered; `fault`
    says of each how it is to fail: a status to answer, "reset" to close the connection, "lost" to do so once the server
    has done what was asked, a function to call before it goes on, or None.
    """

    url: str
    requests: list[str] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    fault: Callable[[str], int | str | Callable[[], object] | None] = lambda _: None

    @property
    def options(self) -> dict[str, Any]:
        """What an export is given as `storage_options`."""
        return {"key": "somebody", "secret": SECRET, "endpoint_url": self.url}

    @cached_property
    def filesystem(self) -> Any:
        """A filesystem of the tests' own that remembers no listing."""
        return fsspec.filesystem("s3", **self.options, use_listings_cache=False, skip_instance_cache=True)

    def names(self) -> list[str]:
        """What is in the bucket."""
        return [name.removeprefix(f"{BUCKET}/") for name in self.filesystem.find(BUCKET)]

    def uploads(self) -> list[str]:
        """The names of what is being uploaded in parts."""
        found = self.filesystem.call_s3("list_multipart_uploads", Bucket=BUCKET).get("Uploads", [])
        return [each["Key"] for each in found]


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """Run a server, and a proxy in front of it, as long as the `with`."""
    with s3_server() as port, _proxy(port) as store:
        store.filesystem.call_s3("create_bucket", Bucket=BUCKET)
        yield store


@contextmanager
def s3_server() -> Iterator[int]:
    """Run moto's server as long as the `with`, and give its port on 127.0.0.1."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            lines = iter(process.stderr.readline, "")
            port = next(int(found[1]) for line in lines if (found := re.search(r"http://127\.0\.0\.1:(\d+)", line)))
            drain = threading.Thread(target=lambda: [None for _ in lines])
            drain.start()
            yield port
        finally:
            process.kill()
    drain.join()


@contextmanager
def _proxy(port: int) -> Iterator[ObjectStore]:
    server = _Server(port)
    thread = threading.Thread(target=server.serve_forever, name="proxy")
    thread.start()
    try:
        yield server.store
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, behind: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.store, self.behind = ObjectStore(f"http://127.0.0.1:{self.server_port}"), behind

    def handle_error(self, *_: object) -> None:
        """Say nothing: a client was killed."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def _forward(self) -> None:
        store = self.server.store
        said = f"{self.command} {self.path}"
        store.requests.append(said)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = store.fault(said)
        if callable(fault):
            fault()
        elif fault == "reset":
            self.close_connection = True
            return
        elif isinstance(fault, int):
            self._answer(fault, {}, b"")
            return
        behind = HTTPConnection("127.0.0.1", self.server.behind)
        behind.request(self.command, self.path, body, dict(self.headers))
        answer = behind.getresponse()
        content = answer.read()
        if fault == "lost":
            self.close_connection = True
        else:
            self._answer(answer.status, dict(answer.getheaders()), content)
        behind.close()

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        size = headers.get("Content-Length") or headers.get("content-length") or len(body)
        self.send_header("Content-Length", str(size if self.command == "HEAD" else len(body)))
        self.server.store.sent.append(len(body))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _forward  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass
