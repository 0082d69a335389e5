"""Turns generated frames into a video file that plays everywhere and looks like the frames.

>>> import numpy as np, os, tempfile, telecine
>>> frames = np.zeros((16, 48, 64, 3), np.uint8)  # or PIL images, torch tensors, pipe(...).frames, a folder
>>> video = telecine.export_video(frames, os.path.join(tempfile.mkdtemp(), "clip.mp4"), fps=16)
>>> video.frame_count, video.duration
(16, Fraction(1, 1))
"""

from importlib import import_module
from typing import TYPE_CHECKING

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

# What is imported when it is asked for, and from where: who exports needs little of it, and who probes nothing of that.
_WHEN_ASKED = {
    "AudioInfo": "read.probe",
    "BatchReport": "batch.run",
    "Broadcast": "deliver.live",
    "Color": "color.color",
    "ContentLight": "color.hdr",
    "Diagnosis": "diagnosis.doctor",
    "JoinedVideo": "joining",
    "MasteringDisplay": "color.hdr",
    "Poster": "pictures.poster",
    "Provenance": "provenance.seal",
    "ProvenanceReport": "provenance.report",
    "Streamable": "models.tap",
    "VerifyReport": "verification",
    "Video": "output.result",
    "VideoInfo": "read.probe",
    "VideoWriter": "writer",
    "add_audio": "adding_sound",
    "astream_video": "streaming",
    "can_stream": "models.tap",
    "compare": "look.compare",
    "concat": "joining",
    "contact_sheet": "pictures.sheet",
    "doctor": "diagnosis.doctor",
    "export_batch": "batch.run",
    "export_bytes": "export",
    "export_video": "export",
    "gallery": "look.gallery",
    "generate_video": "generating",
    "generation_metadata": "models.generation",
    "grid": "pictures.arrange",
    "label": "pictures.label",
    "log_video": "integrations.loggers",
    "loop": "pictures.order",
    "open_frames": "frames.sources",
    "ping_pong": "pictures.order",
    "poster": "pictures.poster",
    "probe": "read.probe",
    "read_frames": "read.frames",
    "read_provenance": "provenance.report",
    "read_timestamps": "read.frames",
    "recommended_fps": "models.frame_rates",
    "recover": "recovery",
    "serve": "look.serve",
    "show": "look.notebook",
    "side_by_side": "pictures.arrange",
    "stream_video": "streaming",
    "strip": "stripping",
    "tap": "models.tap",
    "trim": "pictures.order",
    "verify": "verification",
}

if TYPE_CHECKING:
    from . import batch as batch
    from .adding_sound import add_audio
    from .batch.run import BatchReport, export_batch
    from .color.color import Color
    from .color.hdr import ContentLight, MasteringDisplay
    from .deliver.live import Broadcast
    from .diagnosis.doctor import Diagnosis, doctor
    from .export import export_bytes, export_video
    from .frames.sources import open_frames
    from .generating import generate_video
    from .integrations.loggers import log_video
    from .joining import JoinedVideo, concat
    from .look.compare import compare
    from .look.gallery import gallery
    from .look.notebook import show
    from .look.serve import serve
    from .models.frame_rates import recommended_fps
    from .models.generation import generation_metadata
    from .models.tap import Streamable, can_stream, tap
    from .output.result import Video
    from .pictures.arrange import grid, side_by_side
    from .pictures.label import label
    from .pictures.order import loop, ping_pong, trim
    from .pictures.poster import Poster, poster
    from .pictures.sheet import contact_sheet
    from .provenance.report import ProvenanceReport, read_provenance
    from .provenance.seal import Provenance
    from .read.frames import read_frames, read_timestamps
    from .read.probe import AudioInfo, VideoInfo, probe
    from .recovery import recover
    from .streaming import astream_video, stream_video
    from .stripping import strip
    from .verification import VerifyReport, verify
    from .writer import VideoWriter

    __version__: str
else:  # of which a type checker would take any name

    def __getattr__(name: str) -> object:
        if name in _WHEN_ASKED:
            value = getattr(import_module(f".{_WHEN_ASKED[name]}", __name__), name)
        elif name == "batch":  # `telecine.batch.Exporter` needs no import of its own
            value = import_module(".batch", __name__)
        elif name == "__version__":  # importlib.metadata alone would take half the time of the import
            value = import_module("importlib.metadata").version("telecine")
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return globals().setdefault(name, value)


def __dir__() -> list[str]:
    dunders = {name for name in globals() if name.startswith("__") and name.endswith("__")}
    return sorted({*__all__, "__version__", *dunders})


__all__ = [
    "AudioInfo",
    "BatchReport",
    "Broadcast",
    "Color",
    "ContentLight",
    "Diagnosis",
    "EncodeError",
    "FrameError",
    "InputError",
    "JoinedVideo",
    "MasteringDisplay",
    "MissingDependencyError",
    "OptionError",
    "Poster",
    "Provenance",
    "ProvenanceError",
    "ProvenanceReport",
    "PublishError",
    "Streamable",
    "TelecineError",
    "TelecineWarning",
    "VerifyReport",
    "Video",
    "VideoInfo",
    "VideoWriter",
    "add_audio",
    "astream_video",
    "can_stream",
    "compare",
    "concat",
    "contact_sheet",
    "doctor",
    "export_batch",
    "export_bytes",
    "export_video",
    "gallery",
    "generate_video",
    "generation_metadata",
    "grid",
    "label",
    "log_video",
    "loop",
    "open_frames",
    "ping_pong",
    "poster",
    "probe",
    "read_frames",
    "read_provenance",
    "read_timestamps",
    "recommended_fps",
    "recover",
    "serve",
    "show",
    "side_by_side",
    "stream_video",
    "strip",
    "tap",
    "trim",
    "verify",
]
