"""A web server for the browsers of this machine: its addresses begin with a token that only who was told it knows."""

from __future__ import annotations

import io
import math
import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any, BinaryIO, TypeAlias

from ..support.handover import start_thread

Route: TypeAlias = "Callable[[Exchange], None]"

_HOST = "127.0.0.1"
_MOST_CONNECTIONS = 64
_MOST_OF_HEAD = 16 << 10  # bytes of a request line and its fields: a browser sends one
_PATIENCE = 10.0  # seconds in which a request comes, and what is sent goes on
_LOOK_AGAIN = 0.25  # seconds after which the server sees that it was closed
_PIECE = 256 << 10
_HEADERS = {
    "Cache-Control": "no-store",
    "Connection": "close",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class LoopbackServer(ThreadingTCPServer):
    """Answers requests for `/TOKEN/name` by the route of a name, each in a thread; all else is not found.

    Requests are answered for a loopback name only, so that no page of another site can have its own name lead here.
    """

    daemon_threads, timeout = True, _LOOK_AGAIN

    def __init__(self, routes: Mapping[str, Route]) -> None:
        """Open a port. Raises OSError, or RuntimeError where the system has no thread left."""
        super().__init__((_HOST, 0), Exchange)
        self.routes, self.token = routes, secrets.token_urlsafe()
        port = self.server_address[1]
        self.hosts = {f"{_HOST}:{port}", f"localhost:{port}"}
        self.url = f"http://{_HOST}:{port}/{self.token}/"
        self._room = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        self._closes_at = math.inf
        try:
            start_thread(self._serve, f"telecine-loopback-{port}")
        except BaseException:
            self.server_close()
            raise

    def close(self, after: float = 0) -> None:
        """Answer no more requests in so many seconds. Returns at once."""
        self._closes_at = time.monotonic() + after

    def _serve(self) -> None:
        with self:
            while time.monotonic() < self._closes_at:
                self.handle_request()

    def server_close(self) -> None:
        """Close the port, also where a process that was forked has it too."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        super().server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, unless too many are at it."""
        if not self._room.acquire(blocking=False):
            with suppress(OSError):
                request.sendall(_BUSY)
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._room.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: who asked has gone away."""


class Exchange(BaseHTTPRequestHandler):
    """One request, and what is sent for it."""

    protocol_version, timeout, disable_nagle_algorithm = "HTTP/1.1", _PATIENCE, True
    server: LoopbackServer

    def handle(self) -> None:
        """Take one request, of which no more is read than a browser sends."""
        head = self._head()
        if len(head) > _MOST_OF_HEAD:
            self.wfile.write(b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n")
        elif head:
            self.rfile = io.BytesIO(head)
            self.handle_one_request()

    def _head(self) -> bytes:
        head, end = b"", time.monotonic() + _PATIENCE
        while b"\r\n\r\n" not in head and len(head) <= _MOST_OF_HEAD and time.monotonic() < end:
            part = self.connection.recv(_MOST_OF_HEAD)
            if not part:
                break
            head += part
        return head

    def do_GET(self) -> None:
        """Answer by the route of the path."""
        place, _, name = self.path.partition("?")[0].rpartition("/")
        is_known = secrets.compare_digest(place.encode(), f"/{self.server.token}".encode())
        route = self.server.routes.get(name)
        if not is_known or route is None or self.headers.get("Host") not in self.server.hosts:
            self.refuse(HTTPStatus.NOT_FOUND)
        else:
            route(self)

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    @property
    def is_gone(self) -> bool:
        """Whether who asked has hung up."""
        self.connection.settimeout(0)
        try:
            return not self.connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            self.connection.settimeout(_PATIENCE)

    def refuse(self, status: HTTPStatus, headers: Mapping[str, str] | None = None) -> None:
        """Send that there is nothing."""
        self._begin(status, {"Content-Length": "0", **(headers or {})})

    def send(self, kind: str, content: bytes) -> None:
        """Send content of a media type."""
        self._begin(HTTPStatus.OK, {"Content-Type": kind, "Content-Length": str(len(content))})
        if not self._is_head:
            self.wfile.write(content)

    def send_pieces(self, kind: str, pieces: Iterable[bytes]) -> None:
        """Send content that comes piece by piece; none is empty."""
        self._begin(HTTPStatus.OK, {"Content-Type": kind, "Transfer-Encoding": "chunked"})
        if not self._is_head:
            for piece in pieces:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")

    def send_file(self, kind: str, file: BinaryIO) -> None:
        """Send a file, or the part of it that is asked for."""
        size = file.seek(0, os.SEEK_END)
        span = span_of(self.headers.get("Range"), size)
        if span is None:
            self.refuse(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, {"Content-Range": f"bytes */{size}"})
            return
        headers = {"Content-Type": kind, "Content-Length": str(len(span)), "Accept-Ranges": "bytes"}
        if len(span) < size:
            headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{size}"
        self._begin(HTTPStatus.PARTIAL_CONTENT if len(span) < size else HTTPStatus.OK, headers)
        if not self._is_head:
            file.seek(span.start)
            for at in range(span.start, span.stop, _PIECE):
                self.wfile.write(file.read(min(_PIECE, span.stop - at)))

    @property
    def _is_head(self) -> bool:
        return self.command == "HEAD"

    def _begin(self, status: HTTPStatus, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**_HEADERS, **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def version_string(self) -> str:
        """Name the server, and not the Python that it runs on."""
        return "telecine"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def span_of(header: str | None, size: int) -> range | None:
    """Give the bytes of a file that a request asks for (RFC 9110 14.1.2); None where it has none of them.

    Without a range, or with several, which need not be answered, these are all.

    >>> span_of("bytes=4-7", 10), span_of("bytes=-3", 10), span_of("bytes=0-1,4-5", 10), span_of("bytes=10-", 10)
    (range(4, 8), range(7, 10), range(0, 10), None)
    """
    found = _RANGE.fullmatch(header or "")
    first, last = found.groups() if found else ("", "")
    if first:
        span = range(int(first), min(int(last) + 1, size) if last else size)
    else:
        span = range(max(0, size - int(last)) if last else 0, size)
    return span or None
