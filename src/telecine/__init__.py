"""Turns generated frames into a video file that plays everywhere and looks like the frames.

>>> import numpy as np, os, tempfile, telecine
>>> frames = np.zeros((16, 48, 64, 3), np.uint8)  # or PIL images, torch tensors, pipe(...).frames, a folder
>>> video = telecine.export_video(frames, os.path.join(tempfile.mkdtemp(), "clip.mp4"), fps=16)
>>> video.frame_count, video.duration
(16, Fraction(1, 1))
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .color.color import Color
from .color.hdr import ContentLight, MasteringDisplay
from .errors import (
    EncodeError,
    FrameError,
    InputError,
    MissingDependencyError,
    OptionError,
    ProvenanceError,
    PublishError,
    TelecineError,
    TelecineWarning,
)
from .export import export_video
from .frames.compose import grid
from .frames.sources import open_frames
from .models.frame_rates import recommended_fps
from .models.generation import generation_metadata
from .output.result import Video
from .read.frames import read_frames, read_timestamps
from .read.probe import AudioInfo, VideoInfo, probe
from .recover import recover
from .strip import strip
from .verify import VerifyReport, verify
from .writer import VideoWriter

# What few need is imported when it is asked for: it takes a quarter of the time of the import.
_WHEN_ASKED = {
    "Provenance": "provenance.seal",
    "ProvenanceReport": "provenance.report",
    "read_provenance": "provenance.report",
}

if TYPE_CHECKING:
    from .provenance.report import ProvenanceReport, read_provenance
    from .provenance.seal import Provenance

    __version__: str
else:  # of which a type checker would take any name

    def __getattr__(name: str) -> object:
        if name in _WHEN_ASKED:
            return getattr(import_module(f".{_WHEN_ASKED[name]}", __name__), name)
        if name == "__version__":  # read when asked for: importlib.metadata takes half the time of the import
            from importlib.metadata import version

            return version("telecine")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    dunders = {name for name in globals() if name.startswith("__") and name.endswith("__")}
    return sorted({*__all__, "__version__", *dunders})


__all__ = [
    "AudioInfo",
    "Color",
    "ContentLight",
    "EncodeError",
    "FrameError",
    "InputError",
    "MasteringDisplay",
    "MissingDependencyError",
    "OptionError",
    "Provenance",
    "ProvenanceError",
    "ProvenanceReport",
    "PublishError",
    "TelecineError",
    "TelecineWarning",
    "VerifyReport",
    "Video",
    "VideoInfo",
    "VideoWriter",
    "export_video",
    "generation_metadata",
    "grid",
    "open_frames",
    "probe",
    "read_frames",
    "read_provenance",
    "read_timestamps",
    "recommended_fps",
    "recover",
    "strip",
    "verify",
]
