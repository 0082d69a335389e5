"""Hands out the drop-in functions whose names are one project's alone; `write_video` is two's, each in its module."""

from importlib import import_module
from typing import TYPE_CHECKING

_WHEN_ASKED = {
    "cache_video": "wan",
    "encode_video": "diffusers",
    "export_to_gif": "diffusers",
    "export_to_video": "diffusers",
    "save_video": "wan",
    "save_video_as_grid_and_mp4": "cogvideo",
    "save_videos_grid": "animatediff",
}

if TYPE_CHECKING:
    from .animatediff import save_videos_grid
    from .cogvideo import save_video_as_grid_and_mp4
    from .diffusers import encode_video, export_to_gif, export_to_video
    from .wan import cache_video, save_video
else:  # of which a type checker would take any name

    def __getattr__(name: str) -> object:
        if name not in _WHEN_ASKED:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return globals().setdefault(name, getattr(import_module(f".{_WHEN_ASKED[name]}", __name__), name))


__all__ = [
    "cache_video",
    "encode_video",
    "export_to_gif",
    "export_to_video",
    "save_video",
    "save_video_as_grid_and_mp4",
    "save_videos_grid",
]
