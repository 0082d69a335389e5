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
    """Has one file. `sent` is how far that was sent."""

    def __init__(self, file: Path, stop: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.name, self.data, self.stop = file.name, file.read_bytes(), stop
        self.sent = 0
        self.let_go = threading.Event()

    @property
    def url(self) -> str:
        """Where the file is."""
        return f"http://127.0.0.1:{self.server_port}/{self.name}"


class _Handler(BaseHTTPRequestHandler):
    server: StallingServer

    def do_GET(self) -> None:
        server = self.server
        if self.path != f"/{server.name}":  # the browser asks for an icon
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        size = len(server.data)
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "bytes=0-")
        assert found is not None
        start, last = int(found[1]), int(found[2] or size - 1)
        self.send_response(HTTPStatus.PARTIAL_CONTENT)
        self.send_header("Content-Range", f"bytes {start}-{last}/{size}")
        self.send_header("Content-Length", str(last + 1 - start))
        self.end_headers()
        reach = min(last + 1, server.stop)
        self.wfile.write(server.data[start:reach])
        server.sent = max(server.sent, reach)
        if last + 1 > server.stop:
            server.let_go.wait()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def stalling_server(file: Path, stop: int) -> Iterator[StallingServer]:
    """Serve a file as long as the `with`, and none of it from byte `stop` on."""
    server = StallingServer(file, stop)
    thread = threading.Thread(target=server.serve_forever, name="stalling-server")
    thread.start()
    try:
        yield server
    finally:
        server.let_go.set()
        server.shutdown()
        thread.join()
        server.server_close()
