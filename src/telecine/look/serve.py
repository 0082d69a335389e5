"""The clips of a folder as a local web server shows them: the gallery's page, to which new files come by themselves."""

from __future__ import annotations

import ipaddress
import json
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from functools import lru_cache
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any

from ..deliver.loopback import span_of
from ..errors import InputError, MissingDependencyError, OptionError, TelecineError
from ..formats.containers import media_type_of
from ..pages.page import page
from ..provenance.certificates import Pem
from ..support.processors import available_processors
from .clips import Clip, ClipFolder, row_of
from .gallery import SCRIPTS
from .guard import Guard
from .shelf import Shelf

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

_SOURCES = "img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'"
_PIECE = 1 << 18  # bytes of a clip in memory for each who watches it
_POSTERS = 2048  # kept in memory, of some ten kilobytes each
_LONGEST_RANGE = 64  # characters of a Range header: a player's has 30
_FOR_GOOD = "private, max-age=31536000, immutable"  # another state of a file has another address


def serve(
    folder: str | os.PathLike[str],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    trust_anchors: Pem | None = None,
    on_start: Callable[[str], object] = print,
) -> None:
    """Serve a gallery of the clips in a folder until Ctrl-C: what a run writes there appears by itself.

    This machine alone reaches it, unless `host` is another address: then who opens it needs the token that is in the
    address, and nothing is encrypted.

    Args:
        folder: The folder, as for `gallery`.
        host: The address to listen on, by name or number; "0.0.0.0" for all of this machine's.
        port: The port; 0 for any that is free.
        trust_anchors: Certificates in PEM that stand for signers, as for `read_provenance`.
        on_start: Called with the address to open, once it can be.

    Raises:
        InputError: the folder is none.
        OptionError: it can't be listened there, or the trust anchors hold no certificate.
        MissingDependencyError: the extra `web` is missing.
    """
    _require_web()
    import uvicorn

    clips_in = ClipFolder(folder, trust_anchors)
    with _listening(host, port) as listening:
        token = None if ipaddress.ip_address(listening.getsockname()[0]).is_loopback else secrets.token_urlsafe()
        # h11 alone bounds what it takes of a request's headers.
        config = uvicorn.Config(
            app_of(clips_in, token),
            http="h11",
            ws="none",
            log_level="error",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        on_start(_address_of(listening, host) + (f"?token={token}" if token else ""))
        with suppress(KeyboardInterrupt):  # which uvicorn raises again once it has ended
            uvicorn.Server(config).run(sockets=[listening])


def app_of(folder: ClipFolder, token: str | None = None) -> Starlette:
    """Give the web application, for a loopback address alone, or for whoever has the token.

    Raises:
        MissingDependencyError: the extra `web` is missing.
    """
    _require_web()
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.responses import Response
    from starlette.routing import Route

    shelf = Shelf(folder)
    answers = _Answers(shelf)

    @asynccontextmanager
    async def running(_: Starlette) -> AsyncIterator[None]:
        with shelf:
            yield

    routes = [
        Route("/", answers.page),
        Route("/clips.json", answers.changes),
        Route("/poster/{id}", answers.poster),
        Route("/clip/{id}", answers.clip),
        Route("/compare", answers.compare),
        Route("/favicon.ico", lambda _: Response(status_code=204)),  # which browsers ask for unasked
    ]
    app = Starlette(routes=routes, middleware=[Middleware(Guard, token=token)], lifespan=running)
    app.router.redirect_slashes = False
    return app


class _Answers:
    """What each address gives. What is asked for is looked up among the clips: no text of a request is ever a path."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._decoding = BoundedSemaphore(available_processors())
        self._poster = lru_cache(_POSTERS)(self._made_poster)

    def page(self, _: Request) -> Response:
        from starlette.responses import HTMLResponse

        name = self._shelf.folder.path.name
        data = {**self._told(0), "isServed": True}
        text = "".join(page(name, "gallery", data, scripts=SCRIPTS, sources=_SOURCES))
        return HTMLResponse(text.encode("utf-8", "replace"), headers={"Cache-Control": "no-store"})

    def changes(self, request: Request) -> Response:
        """Tell what became of the clips since a version, or that nothing did."""
        from starlette.responses import Response

        since = request.query_params.get("since", "")
        told = self._told(int(since) if since.isdecimal() and len(since) < 16 else 0)
        tag = f'"{told["version"]}-{told["left"]}"'
        headers = {"ETag": tag, "Cache-Control": "no-store"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        text = json.dumps(told, separators=(",", ":"))
        return Response(text, headers=headers, media_type="application/json")

    def _told(self, since: int) -> dict[str, Any]:
        changes = self._shelf.changes(since)
        rows = [row_of(each, f"clip/{each.id}", f"poster/{each.id}") for each in changes.clips]
        told = {"version": changes.version, "left": changes.left, "isWhole": changes.whole}
        return {**told, "clips": rows, "gone": changes.gone}

    def poster(self, request: Request) -> Response:
        from starlette.responses import Response

        clip = self._shelf.clip(request.path_params["id"])
        with suppress(InputError):
            if clip is not None and not clip.problem:
                return Response(self._poster(clip.id), media_type="image/webp", headers={"Cache-Control": _FOR_GOOD})
        return Response("no such poster", 404)

    def _made_poster(self, id: str) -> bytes:
        clip = self._shelf.clip(id)
        if clip is None:
            raise InputError("it went away meanwhile")
        with self._decoding:  # a page asks for many at a time
            return self._shelf.folder.poster(clip)

    def clip(self, request: Request) -> Response:
        """Give a clip's file, or the one range of it that is asked for (RFC 9110 14)."""
        from starlette.responses import Response, StreamingResponse

        clip = self._shelf.clip(request.path_params["id"])
        if clip is None:
            return Response("no such clip", 404)
        size = clip.stamp.bytes
        headers = {"Accept-Ranges": "bytes", "Cache-Control": _FOR_GOOD}
        asked = request.headers.get("range", "")
        span = None if len(asked) > _LONGEST_RANGE else span_of(asked, size)
        if span is None:
            return Response("no such range", 416, {**headers, "Content-Range": f"bytes */{size}"})
        headers["Content-Length"] = str(len(span))
        status = 206 if len(span) < size else 200
        if status == 206:
            headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{size}"
        kind = media_type_of(os.path.splitext(clip.name)[1])
        pieces = self._pieces(clip, span)
        try:
            first = next(pieces, b"")
        except InputError:
            return Response("no such clip", 404)
        if request.method == "HEAD":
            return Response(None, status, headers, kind)
        return StreamingResponse(chain([first], pieces), status, headers, kind)

    def _pieces(self, clip: Clip, span: range) -> Iterator[bytes]:
        with self._shelf.folder.opened(clip.name, clip.stamp) as file:
            file.seek(span.start)
            for at in range(span.start, span.stop, _PIECE):
                yield file.read(min(_PIECE, span.stop - at))

    def compare(self, request: Request) -> Response:
        """Give the page that compares and measures two clips."""
        from starlette.responses import HTMLResponse, Response

        from .compare import compare  # start-up: few clips are compared

        clips = [self._shelf.clip(request.query_params.get(each, "")) for each in ("a", "b")]
        first, second = (clip if clip and not clip.problem else None for clip in clips)
        if first is None or second is None:
            return Response("no such clips", 404)
        try:
            with ExitStack() as opened, self._decoding:
                path = os.path.join(opened.enter_context(TemporaryDirectory(prefix="telecine-")), "compare.html")
                one, other = [
                    opened.enter_context(self._shelf.folder.opened(each.name, each.stamp)) for each in (first, second)
                ]
                compare(one, other, output=path, titles=(first.name, second.name))
                return HTMLResponse(Path(path).read_bytes(), headers={"Cache-Control": "no-store"})
        except TelecineError as error:
            return Response(str(error), 422)


def _address_of(listening: socket.socket, host: str) -> str:
    """Give the address for a browser: of one that listens everywhere, by this machine's name."""
    number, port = listening.getsockname()[:2]
    name = socket.gethostname() if ipaddress.ip_address(number).is_unspecified else host
    return f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.create_server((host, port), family=family)
    except (OSError, OverflowError, UnicodeError) as error:
        said = getattr(error, "strerror", None) or error
        given = f"host={host!r}, port={port!r}"
        raise OptionError(f"{given} can't be listened on: {said}; leave the port out for a free one") from error
    with listening:
        yield listening


def _require_web() -> None:
    try:
        import starlette  # noqa: F401 - whether it is there
        import uvicorn  # noqa: F401 - the same
    except ImportError as error:
        raise MissingDependencyError("serve needs starlette and uvicorn: pip install 'telecine[web]'") from error
