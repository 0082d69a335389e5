"""A web server on this machine that sends a file up to one of its bytes, and no further until it is let go."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class StallingServer(ThreadingHTTPServer):
    """Has a page at its root, and below it any name stands for the file. `sent` is how far the file was sent."""

    def __init__(self, page: str, file: Path, stop: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.page, self.data, self.stop = page.encode(), file.read_bytes(), stop
        self.sent = 0
        self.let_go = threading.Event()

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: StallingServer

    def do_GET(self) -> None:
        server = self.server
        if self.path == "/":
            self._head(HTTPStatus.OK, {"Content-Type": "text/html", "Content-Length": len(server.page)})
            self.wfile.write(server.page)
            return
        size = len(server.data)
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "bytes=0-")
        assert found is not None
        start, last = int(found[1]), int(found[2] or size - 1)
        self._head(
            HTTPStatus.PARTIAL_CONTENT,
            {"Content-Range": f"bytes {start}-{last}/{size}", "Content-Length": last + 1 - start},
        )
        reach = min(last + 1, server.stop)
        self.wfile.write(server.data[start:reach])
        server.sent = max(server.sent, reach)
        if last + 1 > server.stop:
            server.let_go.wait()

    def _head(self, status: HTTPStatus, headers: dict[str, str | int]) -> None:
        self.send_response(status)
        for name, value in {"Accept-Ranges": "bytes", "Connection": "close", **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def stalling_server(page: str, file: Path, stop: int) -> Iterator[StallingServer]:
    """Serve a file as long as the `with`, and none of it from byte `stop` on."""
    server = StallingServer(page, file, stop)
    thread = threading.Thread(target=server.serve_forever, name="stalling-server")
    thread.start()
    try:
        yield server
    finally:
        server.let_go.set()
        server.shutdown()
        thread.join()
        server.server_close()
