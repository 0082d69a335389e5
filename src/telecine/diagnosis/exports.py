"""An export of ten frames to each kind of file, in a folder for temporary files, read back and compared with them."""

from __future__ import annotations

import math
import os
import re
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import EncodeError, MissingDependencyError, TelecineWarning
from ..export import export_video
from ..formats.containers import CONTAINERS, PLAYLISTS
from ..formats.images import MOVING_IMAGES, SEQUENCES
from ..output.result import Video
from ..read.probe import probe
from ..sound.encode import LOSSY
from ..verification import verify
from .findings import Check

_COUNT, _HEIGHT, _WIDTH = 10, 96, 128
_RATE = 16_000  # samples a second

NEEDED = "mp4 h264"  # the check of what has to work everywhere


def checks() -> Iterator[Check]:
    """Give what is to be tried."""
    for container in CONTAINERS.values():
        for codec in container.codecs:
            yield f"{container.name} {codec}", partial(_tried, f"clip{container.extensions[0]}", {"codec": codec})
    sound = {"audio": np.zeros(_RATE, np.float32), "audio_rate": _RATE}
    for name, of_sound in LOSSY.items():
        yield f"{name} with {of_sound.name}", partial(_tried, f"clip{CONTAINERS[name].extensions[0]}", sound)
    for playlist in PLAYLISTS.values():
        yield playlist.name, partial(_tried, f"clip{playlist.extensions[0]}", {}, _verified_playlist)
    for image in MOVING_IMAGES.values():
        yield image.name, partial(_tried, f"clip{image.extensions[0]}", {})
    for sequence in SEQUENCES.values():
        yield f"folder of {sequence.name}", partial(_tried, "images", {"format": sequence.name}, _counted)


def _tried(
    name: str, options: Mapping[str, Any], read_back: Callable[[Video], str] = lambda video: _compared(video.path)
) -> str:
    """Export to a name in a new folder, and read that back. Raises what either does; a missing extra is no trouble."""
    with tempfile.TemporaryDirectory(prefix="telecine-doctor-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", TelecineWarning)
        start = time.perf_counter()
        try:
            video = export_video(_frames(), os.path.join(folder, name), fps=16, **options)
        except MissingDependencyError as error:
            return f"left out: {error}"
        milliseconds = 1000 * (time.perf_counter() - start)
        found = read_back(video)
    return f"{video.size_bytes:,} bytes in {milliseconds:.0f} ms; {found}"


def _frames() -> npt.NDArray[np.uint8]:
    """A ramp that moves, of no more colours than a GIF has."""
    index, down, across = np.ogrid[:_COUNT, :_HEIGHT, :_WIDTH]
    level = index + down + across
    return np.stack([level, 255 - level, level // 2], axis=-1).astype(np.uint8)


def _compared(file: Path | BytesIO) -> str:
    report = verify(file, _frames())
    if report.problems:
        raise EncodeError(f"read back, {'; '.join(report.problems)}")
    sound = probe(file).audio
    with_sound = f" and {sound.codec} of {float(sound.duration):.2f} s" if sound else ""
    nearness = "that are equal" if report.psnr == math.inf else f"of {report.psnr:.1f} dB"
    return f"read back, {report.frame_count} frames {nearness}{with_sound}"


def _verified_playlist(video: Video) -> str:
    """Read a playlist's files back one after the other, as a player does."""
    playlist = video.path.read_text(encoding="utf-8")
    names = re.findall(r'^#EXT-X-MAP:URI="(.*)"$|^([^#\n].*)$', playlist, re.MULTILINE)
    return _compared(BytesIO(b"".join(video.path.with_name(of_map or part).read_bytes() for of_map, part in names)))


def _counted(video: Video) -> str:
    found = len(os.listdir(video.path))
    if found != _COUNT:
        raise EncodeError(f"the folder has {found} images, not {_COUNT}")
    return f"{found} images"
