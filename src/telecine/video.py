"""What an export gives back: the file's path and its facts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from .probe import VideoInfo

# A notebook holds what it shows: above this the player points to the file instead.
_LARGEST_EMBEDDED = 32 << 20
# By a moving image's format, or a video file's extension (IANA's media types; QuickTime's players want MP4's).
_MEDIA_TYPES = {
    "gif": "image/gif",
    "webp": "image/webp",
    "apng": "image/apng",
    "avif": "image/avif",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
}


@dataclass(frozen=True)
class Video:
    """A finished video file. It is an `os.PathLike`, its text is its path, and a notebook shows it as a player.

    `width` and `height` are those in the file, pixels of padding included; `padding` is the number of columns repeated
    at the right and of rows at the bottom; `duration` is in seconds, exact; `fps` is an average where the frames were
    given timestamps; `notes` says what may surprise.
    """

    path: Path
    width: int
    height: int
    fps: Fraction
    frame_count: int
    duration: Fraction
    codec: str
    size_bytes: int
    padding: tuple[int, int] = (0, 0)
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, path: Path, info: VideoInfo, padding: tuple[int, int] = (0, 0), notes: tuple[str, ...] = ()) -> Video:
        """Make one of what `probe` found in a finished file."""
        return cls(
            path=path,
            width=info.width,
            height=info.height,
            fps=info.fps,
            frame_count=info.frame_count,
            duration=info.duration,
            codec=info.codec,
            size_bytes=info.size_bytes,
            padding=padding,
            notes=notes,
        )

    def __fspath__(self) -> str:
        return os.fspath(self.path)

    def __str__(self) -> str:
        return os.fspath(self.path)

    def _repr_html_(self) -> str:
        import base64
        import html

        kind = _MEDIA_TYPES.get(self.codec) or _MEDIA_TYPES.get(self.path.suffix.lower(), "video/mp4")
        try:
            source = str(self)
            if self.path.stat().st_size <= _LARGEST_EMBEDDED:
                source = f"data:{kind};base64,{base64.b64encode(self.path.read_bytes()).decode()}"
        except OSError as error:  # a folder of images, too
            return html.escape(f"{self}: {error}")
        if kind.startswith("image/"):
            style, alternative = "max-width: 100%", html.escape(str(self))
            return f'<img width="{self.width}" style="{style}" src="{html.escape(source)}" alt="{alternative}">'
        return (
            f'<video controls loop muted playsinline width="{self.width}" style="max-width: 100%" '
            f'src="{html.escape(source)}" title="{html.escape(str(self))}"></video>'
        )
