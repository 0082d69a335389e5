"""`add_audio`: a finished video with another sound, or without. Its pictures are not encoded again."""

import os
from collections.abc import Iterator
from typing import Annotated, TypedDict, Unpack, cast

from .deliver.target import Output, Target, target_of
from .encode.added_sound import Pictures, read_pictures, write_added
from .encode.checks import sound_after_frames
from .encode.finish import copying
from .encode.kept_index import bar_to_keeping, has_manifest
from .errors import InputError, OptionError
from .files.files import Place, Source, is_open_file, name_of, opened_file, source_of
from .files.urls import StorageOptions, options_of_urls
from .formats.choices import AudioFitName
from .formats.choose import output_of
from .formats.containers import CONTAINERS
from .frames.options import complete, options_of, with_options
from .output.options import ExportOptions
from .output.result import Video
from .publish.publication import Publication
from .read.probe import VideoInfo, probe
from .sound.encode import LOSSLESS_BESIDE, Sound, Soundtrack
from .sound.forms import Audio
from .support.notes import Notes

_OF_EXPORT = options_of(ExportOptions)


class AudioOptions(TypedDict, total=False):
    """What `add_audio` takes of `export_video`'s options."""

    audio_rate: Annotated[int | None, _OF_EXPORT["audio_rate"]]
    audio_fit: Annotated[AudioFitName, _OF_EXPORT["audio_fit"]]
    overwrite: Annotated[bool, _OF_EXPORT["overwrite"]]
    storage_options: Annotated[StorageOptions | None, _OF_EXPORT["storage_options"]]


@with_options(AudioOptions)
def add_audio(
    video: Place, audio: "Audio | None", path: "Output | None" = None, **options: Unpack[AudioOptions]
) -> Video:
    """Give a finished video another sound, in place of what it has. Its pictures are copied, packet by packet.

    Of an MP4 or MOV with one index that stays byte by byte, but for the sound and where the samples lie: edit lists,
    tags, colour, rotation, other tracks. Of fragments it becomes one. Of Matroska and WebM stay the times, what it says
    of itself, subtitles, chapters and attachments. Sample 0 is heard when the first frame is shown. A C2PA signature
    can't hold of the new file, and is left out.

    Args:
        video: An MP4, MOV, WebM or MKV file, by its path or URL, open, or as an export gave it.
        audio: The sound, as for `export_video`; None takes away what the video has.
        path: Where the file goes, as for `export_video`, in the container of the video. Without one it takes the place
            of the video, which until the last step is as it was.
        **options: Those below.

    Raises:
        OptionError: an argument, or a video of another kind.
        InputError: the video, or the file of the sound, can't be read.
        PublishError: the path can't be written. Nothing has changed there.
        EncodeError: the pictures would not be as they are.

    >>> import numpy as np, os, tempfile, telecine
    >>> clip = telecine.export_video(np.zeros((8, 48, 64, 3)), os.path.join(tempfile.mkdtemp(), "clip.mp4"))
    >>> video = add_audio(clip, np.zeros(24_000, np.float32), audio_rate=48_000)
    >>> telecine.probe(video).audio
    AudioInfo(codec='aac', sample_rate=48000, channels=1, duration=Fraction(1, 2))
    """
    given = complete(AudioOptions, options, "add_audio")
    of_path, of_video, of_audio = options_of_urls(given["storage_options"], path, video, audio)
    if of_audio is not None:
        audio = source_of(cast(Place, audio), of_audio)
    source, notes = source_of(video, of_video), Notes()
    info = _read(source)
    lossless, container = info.codec in LOSSLESS_BESIDE, CONTAINERS[info.container]
    sound = Sound(container, given["audio_rate"], given["audio_fit"], lossless, notes)
    if audio is None and (given["audio_rate"] is not None or given["audio_fit"] != "pad"):
        raise OptionError("audio=None takes the sound away: leave audio_rate= and audio_fit= out")
    target = _target(video, path, info, given["overwrite"], of_video if path is None else of_path)
    publication = target.publication()
    try:
        pictures = read_pictures(source, info)
        notes.extend(_left_out(source, pictures))
        after = _written(source, pictures, audio, sound, publication)
        publication.commit()
    except BaseException:
        publication.discard()
        raise
    if after.audio is not None:
        end = pictures.start + pictures.duration
        notes.extend(filter(None, [sound_after_frames(after.audio.duration, end)]))
    return Video.of(target.where, after, notes=tuple(notes))


def _read(source: Source) -> VideoInfo:
    """Read what is in a video, and refuse one that can't get a sound."""
    folder = isinstance(source, (str, bytes, os.PathLike)) and os.path.isdir(source)
    info = None if folder else probe(source)
    if info is None or info.container not in CONTAINERS:
        said = f"{name_of(source)!r} is {info.container if info else 'a folder'}, which can't get a sound"
        raise OptionError(f"{said}: export its frames as .mp4 with audio=, or give an MP4, MOV, WebM or MKV")
    if info.cut_off:
        raise InputError(f"{name_of(source)!r} is cut off: of its frames {info.frame_count} are whole")
    return info


def _target(
    video: Place, path: "Output | None", info: VideoInfo, overwrite: bool, options: "StorageOptions | None"
) -> Target:
    name, container = str(info.path), info.container
    if path is None and is_open_file(video):
        raise OptionError(f"{name_of(video)!r} is an open file: say with path= where the file with the sound goes")
    if path is None and not overwrite:
        raise OptionError(f"without a path {name!r} itself gets the sound: give one, or leave overwrite=False out")
    target = target_of(cast(Output, video) if path is None else path, container, overwrite, options)
    if isinstance(path, (str, bytes, os.PathLike, tuple)) and (named := output_of(target.name).name) != container:
        way_out = f"telecine.concat([{name!r}], …) makes one of the other" if named in CONTAINERS else "name it so"
        raise OptionError(f"{name!r} is {container}, and {target.name!r} is to be {named}: {way_out}")
    return target


def _written(
    source: Source, pictures: Pictures, audio: "Audio | None", sound: Sound, publication: Publication
) -> VideoInfo:
    """Write the file that is to be published, and read it back."""
    with copying(publication, f"{str(pictures.info.path)!r} can't get another sound"):
        return write_added(source, pictures, _soundtrack(pictures, audio, sound, publication), publication)


def _soundtrack(pictures: Pictures, audio: "Audio | None", sound: Sound, publication: Publication) -> Soundtrack | None:
    if audio is None:
        return None
    samples = publication.scratch_file()
    sound.write(audio, samples.write)
    track = sound.track_beside(samples, pictures.duration)
    return track and track.after_silence(pictures.start)


def _left_out(source: Source, pictures: Pictures) -> Iterator[str]:
    """Say what of the video will not be in the file.

    Raises:
        OptionError: its index can't be kept.
    """
    if pictures.info.container in ("mp4", "mov"):
        with opened_file(source) as file:
            bar = bar_to_keeping(file, pictures.number) if pictures.has_index else ""
            if bar:
                raise OptionError(f"{str(pictures.info.path)!r} can't get another sound: {bar}: export it with audio=")
            if has_manifest(file):
                yield "its C2PA signature is left out: it can't hold of a file with another sound"
    if pictures.others and not pictures.has_index:
        yield f"of its tracks {pictures.others} are left out: one of pictures stays, and what is text"
    if pictures.unit != (pictures.container.clock or pictures.unit):
        yield "the times of its frames are rounded to milliseconds"
