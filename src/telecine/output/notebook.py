"""A finished file as a notebook shows it: a player that holds it, or of a large one its first frame and where it is."""

from __future__ import annotations

import base64
import contextlib
import html
import io
from typing import TYPE_CHECKING
from urllib.parse import quote

from ..errors import TelecineError
from ..files.urls import url_in
from ..support.words import shown

if TYPE_CHECKING:
    from .result import Video

# A notebook saves what it shows.
_LARGEST_EMBEDDED = 32 << 20
_LARGEST_POSTER = 1280  # pixels a side
# By a moving image's format, or a video file's extension (IANA's media types; QuickTime's players want MP4's).
_MEDIA_TYPES = {
    "gif": "image/gif",
    "webp": "image/webp",
    "apng": "image/apng",
    "avif": "image/avif",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
}


def html_of(video: Video) -> str:
    """Give the HTML of a video or a moving image."""
    if video.path.suffix.lower() == ".m3u8":
        return _text(f"{video} is a playlist: serve its folder, and play it from there")
    kind = _MEDIA_TYPES.get(video.codec) or _MEDIA_TYPES.get(video.path.suffix.lower(), "video/mp4")
    try:
        size = video.size_bytes if url_in(video) else video.path.stat().st_size
        if size <= _LARGEST_EMBEDDED:
            return _element(video, kind, _data(kind, video.read_bytes()))
    except OSError as error:  # a folder of images, too
        return _text(f"{video}: {error}")
    poster = _poster(video)
    if url_in(video) or video.path.is_absolute():  # which a notebook's server does not give out
        element = f'<img width="{video.width}" style="max-width: 100%" src="{poster}" alt="">' if poster else ""
    else:
        element = _element(video, kind, quote(video.path.as_posix().encode("utf-8", "surrogateescape")), poster)
    held = f"{_mebibytes(size)}, more than the {_mebibytes(_LARGEST_EMBEDDED)} that a notebook is given to hold"
    return f"<figure>{element}<figcaption>{_text(f'{video} has {held}: play it from there')}</figcaption></figure>"


def _element(video: Video, kind: str, source: str, poster: str = "") -> str:
    attributes = f'width="{video.width}" style="max-width: 100%" src="{source}"'
    if kind.startswith("image/"):
        return f'<img {attributes} alt="{_text(str(video))}">'
    if poster:
        attributes += f' poster="{poster}"'
    return f'<video controls loop muted playsinline {attributes} title="{_text(str(video))}"></video>'


def _poster(video: Video) -> str:
    """Give the first frame as a source; empty where it can't be read."""
    from PIL import Image  # start-up: few are in a notebook

    from ..read.frames import read_frames

    with contextlib.suppress(TelecineError, OSError, StopIteration):
        image = Image.fromarray(next(iter(read_frames(video))))
        image.thumbnail((_LARGEST_POSTER, _LARGEST_POSTER))
        file = io.BytesIO()
        image.save(file, "JPEG", quality=85)
        return _data("image/jpeg", file.getvalue())
    return ""


def _data(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _text(text: str) -> str:
    return html.escape(shown(text))


def _mebibytes(size: int) -> str:
    return f"{size / (1 << 20):.4g} MiB"
