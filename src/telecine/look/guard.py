"""Who may ask a local web server, and what its answers forbid: in front of everything that it serves."""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A page of somebody's whose name leads here by now ("DNS rebinding") asks for that name. Ports may be forwarded.
_THIS_MACHINE = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?", re.IGNORECASE)
_HEADERS = {
    "Content-Security-Policy": "frame-ancestors 'none'",  # which a page's own policy can't say (CSP 3, 6.4.2)
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """Lets in who asks by this machine's own name, or, where there is a token, who has it. An ASGI middleware."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have it answered."""
        from starlette.requests import Request

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(name.lower().encode(), text.encode()) for name, text in _HEADERS.items()]
            await send(message)

        answer: Any = (self._refused(Request(scope)) if scope["type"] == "http" else None) or self._app
        await answer(scope, receive, send_with_headers)

    def _refused(self, request: Request) -> Response | None:
        """Give what is answered in place of what was asked for; None where nothing is in the way."""
        from starlette.responses import PlainTextResponse

        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("only GET and HEAD are answered", 405, {"Allow": "GET, HEAD"})
        if self._token is None:
            hosts = request.headers.getlist("host")
            is_ours = len(hosts) == 1 and _THIS_MACHINE.fullmatch(hosts[0])
            return None if is_ours else PlainTextResponse("this is served to this machine by its own name alone", 421)
        return self._without_token(request, self._token)

    def _without_token(self, request: Request, token: str) -> Response | None:
        from starlette.responses import PlainTextResponse, RedirectResponse

        cookie = f"telecine-{(request.scope.get('server') or ('', 0))[1]}"  # the ports of a host share its cookies
        if _is_same(request.cookies.get(cookie, ""), token):
            return None
        if not _is_same(request.query_params.get("token", ""), token):
            return PlainTextResponse("open the address that telecine serve has printed, with its token", 401)
        answer = RedirectResponse(request.url.path, 303)
        answer.set_cookie(cookie, token, httponly=True, samesite="strict")
        return answer


def _is_same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())
