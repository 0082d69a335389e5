"""A page of HTML that stands by itself: styles, scripts and data are within, and its policy lets nothing else in."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files

from ..support.words import shown

# What a page may show: what it holds. What it may run and apply are its own script and style, by their hashes.
_HELD = "img-src data: blob:; media-src data: blob:"


def page(
    title: str,
    name: str,
    data: object,
    *,
    scripts: Sequence[str] = (),
    held: Mapping[str, bytes] | None = None,
    sources: str = _HELD,
) -> Iterator[str]:
    """Give the parts of a page, in their order: together they are its HTML.

    Its body is `<name>.html` of this room, its style `base.css` and `<name>.css`, its scripts `data.js`,
    `elements.js`, those named and `<name>.js`, in one scope. The data comes in as JSON, and no text of it as HTML: the
    scripts make the elements.

    Args:
        title: The title, any text.
        name: The page's files.
        data: What `pageData()` gives: anything that JSON can say.
        scripts: Files of this room that its script stands on.
        held: Files that `heldFile(id)` gives, by their ids.
        sources: The part of the policy that says from where pictures, videos and data may come.
    """
    style = _read("base.css") + _read(f"{name}.css")
    script = '"use strict";\n' + "\n".join(_read(each) for each in ("data.js", "elements.js", *scripts, f"{name}.js"))
    yield from _head(title, style, f"{sources}; style-src 'sha256-{_hash(style)}'; script-src 'sha256-{_hash(script)}'")
    yield _read(f"{name}.html")
    for key, content in (held or {}).items():
        yield f'<script type="text/plain" id="{html.escape(key)}">'
        yield from _in_base64(content)
        yield "</script>\n"
    yield f'<script type="application/json" id="data">{_json(data)}</script>\n'
    yield f"<script>{script}</script>\n</body>\n</html>\n"


def still_page(title: str, name: str, body: str) -> Iterator[str]:
    """Give the parts of a page that runs nothing: its body is HTML, its style `base.css` and `<name>.css`."""
    style = _read("base.css") + _read(f"{name}.css")
    yield from _head(title, style, f"img-src data:; style-src 'sha256-{_hash(style)}'")
    yield f"{body}</body>\n</html>\n"


def as_text(text: str) -> str:
    """Escape text, with its controls shown: none turns the words around it."""
    return html.escape(shown(text))


def data_url(kind: str, content: bytes) -> str:
    """Give the address of bytes that are in the page themselves."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _head(title: str, style: str, sources: str) -> Iterator[str]:
    policy = f"default-src 'none'; base-uri 'none'; form-action 'none'; {sources}"
    yield "<!doctype html>\n"
    yield '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield f"<title>{as_text(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"


@cache
def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _json(data: object) -> str:
    """Give JSON in which nothing ends a script."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _in_base64(content: bytes) -> Iterable[str]:
    step = 3 << 20
    return (base64.b64encode(content[at : at + step]).decode() for at in range(0, len(content), step))
