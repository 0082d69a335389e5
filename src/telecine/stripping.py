"""`strip`: a file without what it says of itself. Nothing is encoded again, no packet moves."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from .container.samples import Span
from .deliver.target import Output, target_of
from .errors import EncodeError, InputError, OptionError, TelecineError
from .files.demux import COVERS
from .files.files import Place, is_open_file, name_of, opened_file, source_of
from .files.pillow import opened_image
from .files.urls import StorageOptions, options_of_urls
from .metadata.strip_images import strip_image
from .metadata.strip_matroska import strip_elements
from .metadata.strip_mp4 import strip_boxes
from .planes.to_rgb import to_rgba
from .publish.access import NEW_FILE
from .publish.publication import Publication
from .read.frames import colors_of, decoded_frames
from .read.images import image_pixels
from .read.probe import VideoInfo, open_video, probe

_PLAYED = {"video", "audio", "subtitle"}


def strip(path: Place, output: Output | None = None, *, storage_options: StorageOptions | None = None) -> VideoInfo:
    """Remove what a file says of itself, and of who made it with what, when and where.

    Args:
        path: An MP4, MOV, Matroska, WebM, GIF, WebP or PNG: its path or URL, or the open file.
        output: Where the file without goes: a path, a URL or a file object; `path` itself if not given. Until the last
            step it holds what it held.
        storage_options: What the stores of URLs are opened with, as for `export_video`.

    Of a video stay the tracks that are seen, heard or read, with their languages. What else is in it becomes padding:
    tags, XMP, C2PA manifests, creation times, names of tracks and handlers, encoders' names, chapters, attachments,
    timecodes and other tracks about the picture, and whatever is not known to be needed to play. So nothing moves:
    packets, times and index are the same bytes at the same places, which is checked. What follows the file's end is cut
    off. Of an image stay what shows it and how it is turned. What encoders write into packets stays, such as x264's
    settings. The output gets no permission that the file has not.

    Raises:
        InputError: it can't be read.
        OptionError: it is of another kind, an open file without an output, or the storage options go with no URL.
        PublishError: the output can't be written.
        EncodeError: without what it says it would not be the same video.
    """
    if output is None and is_open_file(path):
        raise OptionError(f"{name_of(path)!r} is an open file: say with output= where the file without goes")
    of_path, of_output = options_of_urls(storage_options, path, output)
    given, path = path, source_of(path, of_path)
    before = probe(path)
    if before.container not in _KINDS:
        takes = "MP4, MOV, Matroska, WebM, GIF, WebP and PNG"
        raise OptionError(f"{str(before.path)!r} is {before.container}, of which strip can't: it takes {takes}")
    kind = _KINDS[before.container]
    # The format only names a temporary file.
    target = target_of(cast(Output, path) if output is None else output, "mp4", True, of_output)
    with opened_file(path) as source:
        at_most = _permissions(given if is_open_file(given) else source)
        publication = target.publication() if target.delivery else Publication(target.path, at_most=at_most)
        try:
            file = publication.open_finished()
            with _naming(publication, before.path):
                shutil.copyfileobj(source, file)
                if not is_open_file(given):
                    source.close()  # for Windows, which replaces no file that is open
                file.flush()
                contents = kind.contents(file)
                kind.strip(file, contents.spans)
                file.flush()
            after = probe(file)
            _check(before, after)
            if kind.contents(file).digests != contents.digests:
                raise EncodeError("the file without metadata has not the same packets")
            publication.commit()
        except BaseException:
            publication.discard()
            raise
    return replace(after, path=before.path if output is None else target.where)


@contextlib.contextmanager
def _naming(publication: Publication, path: Path) -> Iterator[None]:
    try:
        yield
    except TelecineError:
        raise
    except OSError as error:
        raise publication.failure(error) from error
    except (ValueError, IndexError) as error:  # a table that is shorter than it says
        raise InputError(f"{str(path)!r} is damaged, and can't be stripped: {error}") from error


def _permissions(file: BinaryIO) -> int:
    """Give the permissions of an open file; those of any new one where it is nothing on this machine's disks."""
    with contextlib.suppress(OSError, AttributeError, TypeError):  # of what has no descriptor
        status = os.fstat(file.fileno())
        if stat.S_ISREG(status.st_mode):
            return stat.S_IMODE(status.st_mode)
    return NEW_FILE


def _check(before: VideoInfo, after: VideoInfo) -> None:
    changes = ["path", "size_bytes", "metadata"]
    if before.container.endswith("_pipe"):  # of an image FFmpeg counts what follows its end
        changes += ["frame_count", "duration", "fps", "constant_rate"]
    same = replace(after, **{name: getattr(before, name) for name in changes})
    left = set(after.metadata) - {"encoder"}  # Matroska must name its muxer (RFC 9559 5.1.2.13)
    if same != before or left:
        raise EncodeError(f"the file without metadata is not the same video, or says {sorted(left)}")


# ---- what is played ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Contents:
    """What is played of a file: of each stream a digest of its packets, or of an image's pixels; where packets lie."""

    digests: tuple[str, ...]
    spans: tuple[Span, ...] = ()


def _packets(file: BinaryIO) -> _Contents:
    spans = []
    with open_video(file) as (container, _):
        streams = [each for each in container.streams if each.type in _PLAYED and not each.disposition & COVERS]
        digests = {each.index: hashlib.sha256(f"{each.type} {each.time_base}".encode()) for each in streams}
        for packet in container.demux(streams):
            if packet.size:
                times = f"{packet.pts} {packet.dts} {packet.duration} {packet.is_keyframe}"
                digests[packet.stream_index].update(times.encode())
                digests[packet.stream_index].update(packet)
                if packet.pos is not None:
                    spans.append((packet.pos, packet.pos + packet.size))
    return _Contents(tuple(each.hexdigest() for each in digests.values()), tuple(spans))


def _image(file: BinaryIO) -> _Contents:
    """Look at an image that does not move, in which FFmpeg takes what follows its end for another."""
    with opened_image(file) as image:
        return _pixels([image_pixels(image)])


def _moving_image(file: BinaryIO) -> _Contents:
    return _pixels(colors_of(each, to_rgba, file) for each in decoded_frames(file, alpha=True))


def _pixels(pictures: Iterable[npt.NDArray[np.uint8]]) -> _Contents:
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(f"{picture.shape}".encode() + picture.tobytes())
    return _Contents((digest.hexdigest(),))


# ---- each kind of file ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Kind:
    """How a kind of file is stripped, given where its packets lie, and what of it stays."""

    strip: Callable[[BinaryIO, Sequence[Span]], None]
    contents: Callable[[BinaryIO], _Contents]


_MP4 = _Kind(strip_boxes, _packets)
_MATROSKA = _Kind(lambda file, spans: strip_elements(file), _packets)
_MOVING = _Kind(lambda file, spans: strip_image(file), _moving_image)
_STILL = _Kind(lambda file, spans: strip_image(file), _image)
_KINDS = {
    "mp4": _MP4,
    "mov": _MP4,
    "mkv": _MATROSKA,
    "webm": _MATROSKA,
    "gif": _MOVING,
    "webp": _MOVING,
    "apng": _MOVING,
    "png_pipe": _STILL,
    "webp_pipe": _STILL,
}
