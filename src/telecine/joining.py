"""`concat`: clips of one kind in one file, one behind the other. Nothing is encoded again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from .deliver.target import Output, target_of
from .encode.checks import check_times
from .encode.finish import copying
from .encode.joined import starts_of, write_joined
from .errors import EncodeError, OptionError
from .files.files import Place, Source, is_place, source_of
from .files.urls import StorageOptions, options_of_urls
from .formats.choose import either, output_of
from .formats.codecs import CODECS
from .formats.containers import CONTAINERS, Container
from .metadata.tags import Json, Metadata, metadata_of_file, parse_metadata
from .output.result import Video
from .publish.publication import Publication
from .read.clips import Clip, read_clip
from .read.frames import read_timestamps_whole
from .read.probe import VideoInfo
from .support.notes import Notes
from .support.words import differences


@dataclass(frozen=True)
class JoinedVideo(Video):
    """A video of clips. `spans` tells of each when its first frame begins and its last one ends, in exact seconds."""

    spans: tuple[tuple[Fraction, Fraction], ...] = ()

    __hash__ = Video.__hash__  # which a dataclass would make anew


def concat(
    videos: Iterable[Place],
    path: Output,
    *,
    audio: bool = True,
    metadata: Mapping[str, Json] | None = None,
    format: str | None = None,
    overwrite: bool = True,
    storage_options: StorageOptions | None = None,
) -> JoinedVideo:
    """Join clips of one kind in one file, in their order, without encoding them again.

    Each clip begins exactly where the one before it ends, and keeps the times of its frames; where the last frame of a
    clip is held, it is held. Sound is in step within half a packet of it, which is 11 ms of AAC at 48 kHz, and to the
    sample of PCM; no clip is later or earlier for those before it.

    Args:
        videos: MP4, MOV, WebM or MKV files, by their paths or URLs, open, or as exports gave them. All have one codec,
            size, pixel format, colour and encoder's settings, and with `audio` one kind of sound, or all have none.
        path: Where the file goes, as for `export_video`.
        audio: Whether their sound is joined too.
        metadata: What the file says of itself; without, what the first clip says.
        format: "mp4", "mov", "webm" or "mkv", in place of the path's extension.
        overwrite: Whether a file at the path may be replaced.
        storage_options: What the stores of URLs are opened with, as for `export_video`.

    Each file is read twice, and one is open at a time. Signatures are left out.

    Raises:
        OptionError: an argument, or a clip that is of another kind than the first.
        InputError: a file can't be read as a video.
        PublishError: the path can't be written.
        EncodeError: the file would not be what it is to be.

    >>> import numpy as np, os, tempfile, telecine
    >>> folder = tempfile.mkdtemp()
    >>> clips = [telecine.export_video(np.zeros((8, 48, 64, 3)), os.path.join(folder, f"{n}.mp4")) for n in range(3)]
    >>> video = concat(clips, os.path.join(folder, "all.mp4"))
    >>> video.frame_count, video.spans[2]
    (24, (Fraction(1, 1), Fraction(3, 2)))
    """
    sources, of_output = _sources(videos, path, storage_options)
    target, notes = target_of(path, format, overwrite, of_output), Notes()
    container = output_of(target.name, format)
    if not isinstance(container, Container):
        raise OptionError(f"concat makes no {container.name}, as {target.name!r} says: use {either(CONTAINERS)}")
    given = None if metadata is None else parse_metadata(metadata, notes)
    publication = target.publication()
    try:
        clips = list(_clips_of_one_kind(sources, container, audio))
        said = metadata_of_file(clips[0].info.metadata) if metadata is None else given
        info = _write(clips, publication, container, said, notes)
        publication.commit()
    except BaseException:
        publication.discard()
        raise
    notes.tell()
    starts = starts_of(clips)
    video = Video.of(target.where, replace(info, duration=starts[-1]), notes=tuple(notes))
    return JoinedVideo(**vars(video), spans=tuple(pairwise(starts)))


def _sources(
    videos: Iterable[Place], path: Output, options: StorageOptions | None
) -> tuple[list[Source], StorageOptions | None]:
    """Give the videos as they can be opened, and what the store of the path is opened with."""
    if is_place(videos) or not isinstance(videos, Iterable):
        raise OptionError(f"videos={videos!r} is no list of videos: give [{videos!r}, …]")
    places = list(videos)
    if not places:
        raise OptionError("videos=[] has none: give one or more")
    of_output, *of_videos = options_of_urls(options, path, *places)
    return [source_of(*each) for each in zip(places, of_videos, strict=True)], of_output


# ---- what is alike -------------------------------------------------------------------------------------------------


def _clips_of_one_kind(sources: Sequence[Source], container: Container, audio: bool) -> Iterator[Clip]:
    """Read the clips.

    Raises:
        InputError: one can't be read.
        OptionError: one is not like the first, or the container has no place for that.
    """
    first: Clip | None = None
    for source in sources:
        clip = read_clip(source, audio)
        if first is None:
            _check_codec(clip, container)
            first = clip
            yield first
        else:
            _check_kind(clip, first)
            yield clip._replace(info=replace(clip.info, metadata={}))  # which is of no use, and may be long


def _check_codec(clip: Clip, container: Container) -> None:
    codec = clip.info.codec
    if codec not in container.codecs:
        holding = [f".{name}" for name, each in CONTAINERS.items() if codec in each.codecs]
        way_out = f"use {either(holding)}" if holding else f"concat takes {either(CODECS)}"
        raise OptionError(f"{clip.name!r} is {codec}, which does not go into {container.name}: {way_out}")


def _check_kind(clip: Clip, first: Clip) -> None:
    if unlike := differences({what: (kind, first.kind[what]) for what, kind in clip.kind.items()}, "is"):
        raise _unlike(clip, first, f"its {unlike}")
    if clip.setup != first.setup:
        said = f"its {clip.info.codec} parameters are others, as of another frame rate, quality or encoder"
        raise _unlike(clip, first, said)
    if clip.sound is None or first.sound is None:
        if clip.sound is not first.sound:
            has, has_not = (clip, first) if clip.sound else (first, clip)
            said = f"{has_not.name!r} has no sound, and {has.name!r} has some"
            raise OptionError(f"{said}: leave the sound out with audio=False, or export all with audio=")
        return
    of_first = first.sound.kind
    if unlike := differences({what: (kind, of_first[what]) for what, kind in clip.sound.kind.items()}, "is"):
        raise _unlike(clip, first, f"its {unlike}", ", or leave the sound out with audio=False")
    if clip.sound.setup != first.sound.setup:
        said = f"its sound has other {first.sound.kind['codec of sound']} parameters"
        raise _unlike(clip, first, said, ", or leave the sound out with audio=False")


def _unlike(clip: Clip, first: Clip, how: str, or_else: str = "") -> OptionError:
    return OptionError(
        f"{clip.name!r} can't be joined to {first.name!r}: {how}: export both with the same options{or_else}"
    )


# ---- the file ------------------------------------------------------------------------------------------------------


def _write(
    clips: Sequence[Clip], publication: Publication, container: Container, metadata: Metadata | None, notes: Notes
) -> VideoInfo:
    """Write the file, and read it back."""
    file, first = publication.open_finished(), clips[0]
    with copying(publication, "the clips can't be joined"):
        joined = write_joined(clips, file, container, metadata)
    publication.start_sync()
    whole = read_clip(file, first.sound is not None)
    _check(whole, clips, container, metadata)
    times = [Fraction(time, joined.ticks) for time in sorted(joined.times)]
    check_times(read_timestamps_whole(file), times, container.clock)
    for at, gap in joined.gaps.items():
        said = f"the sound of {clips[at].name!r} has a gap of {float(gap):.3f} s in it, or in front of it"
        notes.warn_later(f"{said}: some players close it, and what follows is heard too early")
    if any(clip.track_count > whole.track_count for clip in clips):
        notes.add("of each clip the first track of pictures and of sound is joined, and no other")
    return whole.info


def _check(whole: Clip, clips: Sequence[Clip], container: Container, metadata: Metadata | None) -> None:
    """Compare a file with the clips that it is to be made of.

    Raises:
        EncodeError: it differs.
    """
    first, duration = clips[0], starts_of(clips)[-1]
    is_near = abs(whole.duration - duration) <= 2 * (container.clock or 0)
    kinds = {**first.kind, **(first.sound.kind if first.sound else {})}
    found = {**whole.kind, **(whole.sound.kind if whole.sound else {})}
    promised = {
        "container": (whole.info.container, container.name),
        **{what: (found.get(what), kind) for what, kind in kinds.items()},
        "frame count": (whole.frame_count, sum(clip.frame_count for clip in clips)),
        "duration": (duration if is_near else whole.duration, duration),
        "index in front": (whole.info.index_in_front, True),
    }
    broken = differences(promised, "is")
    if metadata is not None and whole.info.metadata != metadata.values:
        broken = "the metadata is not what was given"
    if broken:
        raise EncodeError(f"the written file is not what was promised: {broken}")
