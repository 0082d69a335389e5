"""What is in a video file: picture, frame rate, colour, sound, and whether its index is in front."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, pairwise, repeat
from pathlib import Path
from typing import BinaryIO, cast

import av
from av import VideoFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from ..color.color import RGB, Color
from ..color.hdr import ContentLight, MasteringDisplay
from ..container import alpha_packets as alpha
from ..container import boxes, elements
from ..container.alpha_packets import VideoPacket
from ..container.hdr_boxes import metadata_of
from ..errors import InputError
from ..files.demux import opened_container, packets_of, sound_stream, video_streams
from ..files.files import Place, Source, name_of, opened_file, path_of, source_of
from ..files.pillow import opened_image
from ..files.urls import StorageOptions
from ..metadata.images import read_image
from ..metadata.mp4 import xmp_packet
from ..metadata.tags import Json, read_tags
from ..metadata.xmp import copy_in
from ..planes.orientation import Orientation, of_display_matrix
from ..support.pyav import exact, readable, side_data, tags_of_file
from . import animations
from .images import orientation_of_image
from .packets import TimedPacket, decodable, discarded, end_of, is_frame, packets_by_index

# Of packets that give no frame, so many are decoded in search of the first, a thousand of 1920x1080. A recording that
# begins within has a key frame by then; a file can have millions that take a decoder long and show nothing.
_MOST_PIXELS_TRIED = 1 << 31
# What FFmpeg lists of an MP4 beside its tags: the `ftyp` box (ISO/IEC 14496-12 4.3).
_BRANDS = {"major_brand", "minor_version", "compatible_brands"}


@dataclass(frozen=True)
class AudioInfo:
    """The first audio stream: codec, samples per second, channels, and its duration in seconds."""

    codec: str
    sample_rate: int
    channels: int
    duration: Fraction


@dataclass(frozen=True)
class VideoInfo:
    """What `probe` finds. Seconds and rates are exact fractions.

    `pixel_format` is FFmpeg's name, and "yuva420p" also where each frame of a WebM has its alpha beside it.
    `fps` is an average where `constant_rate` is false: frames do not follow each other at one distance.
    `index_in_front` tells whether an MP4's `moov` comes before its `mdat`, or Matroska's `Cues` before its clusters;
    it is None where the file has neither.
    `mastering_display` and `content_light` are looked for in files that are tagged PQ or HLG.
    `rotation` is by how many degrees, clockwise, players turn the stored picture, whose left and right change places
    first where it is `mirrored`. `width` and `height` are those of a frame as it is shown: of 90 and 270 degrees, the
    stored height and width.
    `sample_aspect_ratio` is how many times wider than high a pixel is shown: 1 where they are square.
    `cut_off` tells that an MP4, MOV, Matroska or WebM is shorter than it says: the frames are those that are whole.
    `notes` says what may surprise: that it is, or that there are other pictures than those that are read.
    """

    path: Path
    container: str
    codec: str
    profile: str | None
    pixel_format: str
    width: int
    height: int
    fps: Fraction
    constant_rate: bool
    frame_count: int
    duration: Fraction
    color: Color
    size_bytes: int
    index_in_front: bool | None
    audio: AudioInfo | None
    metadata: Mapping[str, Json]
    mastering_display: MasteringDisplay | None = None
    content_light: ContentLight | None = None
    rotation: int = 0
    mirrored: bool = False
    sample_aspect_ratio: Fraction = Fraction(1)
    cut_off: bool = False
    notes: tuple[str, ...] = ()


def probe(path: Place, *, storage_options: StorageOptions | None = None) -> VideoInfo:
    """Read what is in a video file. Frames are counted, not estimated.

    Of an MP4 or MOV the index is read, and the first frames; a file without a table of its frames to its end.

    Args:
        path: The file's path or URL, or the open file.
        storage_options: What the store of a URL is opened with, as for `export_video`.

    Raises:
        InputError: it is no video of the kinds that are read.
        OptionError: it is no file, or the storage options go with none.
    """
    return _probe(source_of(path, storage_options), whole=False)


def probe_whole(path: Source) -> VideoInfo:
    """Read what `probe` does, and all packets too, as of a file that was just written. Raises as `probe`."""
    return _probe(path, whole=True)


def _probe(path: Source, whole: bool) -> VideoInfo:
    with opened_file(path) as file:
        if (animation := animations.format_of(file)) is not None:
            return _probe_animation(file, animation)
        # The index of an MP4 that was just written tells all but the pixel format, and that the first frame tells.
        with open_video(file, decoded=not (whole and boxes.index_in_front(file))) as (container, stream):
            stream.codec_context.thread_count = 1  # for a single frame
            return _probe_video(file, container, stream, whole)


def _probe_video(file: BinaryIO, container: InputContainer, stream: VideoStream, whole: bool) -> VideoInfo:
    audio = sound_stream(container)
    times, ends, orientation = _scan(file, container, stream, audio, whole)
    context = stream.codec_context
    duration = _duration(container, stream, ends)
    fps, constant_rate = _rate(stream, times, duration)
    color = color_of(context)
    display, light = _hdr_metadata(file) if color.hdr else (None, None)
    pixel_format = alpha.PIXEL_FORMAT if _is_all_beside(container, stream) else context.pix_fmt or "unknown"
    width, height, pixel = context.width, context.height, exact(stream.sample_aspect_ratio) or Fraction(1)
    if orientation.lying:
        width, height, pixel = height, width, 1 / pixel
    return VideoInfo(
        path=path_of(file),
        container=_container_name(container, file),
        codec=context.codec.canonical_name,
        profile=context.profile,
        pixel_format=pixel_format,
        width=width,
        height=height,
        fps=fps,
        constant_rate=constant_rate,
        frame_count=len(times),
        duration=duration,
        color=color,
        size_bytes=file.seek(0, os.SEEK_END),
        index_in_front=_index_in_front(container, file),
        audio=None if audio is None else _audio(audio, _duration(container, audio, ends)),
        metadata=_metadata(file, tags_of_file(container)),
        mastering_display=display,
        content_light=light,
        rotation=orientation.rotation,
        mirrored=orientation.mirrored,
        sample_aspect_ratio=pixel,
        cut_off=(cut_off := is_cut_off(container, file)),
        notes=_notes(container, cut_off, len(times)),
    )


def _probe_animation(file: BinaryIO, format: str) -> VideoInfo:
    durations = animations.durations_of(file, format)
    with opened_image(file) as image:
        (width, height), has_alpha = image.size, image.has_transparency_data
        if orientation_of_image(image).lying:
            width, height = height, width
    constant = max(durations) - min(durations) <= Fraction(1, 1000)  # it counts milliseconds
    duration = sum(durations, Fraction(0))
    return VideoInfo(
        path=path_of(file),
        container=format,
        codec=format,
        profile=None,
        pixel_format="rgba" if has_alpha else "rgb24",
        width=width,
        height=height,
        fps=len(durations) / duration if duration else Fraction(0),
        constant_rate=constant,
        frame_count=len(durations),
        duration=duration,
        color=RGB,
        size_bytes=file.seek(0, os.SEEK_END),
        index_in_front=None,
        audio=None,
        metadata=_metadata(file, {}),
    )


def _scan(
    file: BinaryIO, container: InputContainer, stream: VideoStream, audio: AudioStream | None, whole: bool
) -> tuple[list[int | None], dict[int, int], Orientation]:
    """Give when each frame is shown, where each stream of a Matroska ends, and how the first frame is shown.

    Matroska tells the later end only, and none where it was streamed; then it is not looked for. An MP4 is read no
    further than to its first frame where its index tells the rest, unless the `whole` file is to be read.
    """
    is_untold = "matroska" in container.format.name and (audio is not None or not container.duration)
    streams = [stream] if audio is None or not is_untold else [stream, audio]
    ends = {each.index: 0 for each in streams if is_untold}
    orientation: Orientation | None = None
    packets: list[TimedPacket] = []
    attempts, longest = _attempts(stream), 0
    for packet in packets_of(container, *streams):
        if packet.size and packet.stream_index == stream.index and orientation is None and next(attempts, None):
            orientation = _orientation_with(stream.codec_context, cast(VideoPacket, packet))
        if not is_frame(packet):
            continue
        if packet.stream_index == stream.index:
            packets.append((packet.pts, packet.is_keyframe))
        if packet.pts is not None and packet.stream_index in ends:
            duration = packet.duration or 0
            if audio is not None and packet.stream_index == audio.index:
                duration = min(duration, max(0, longest - discarded(packet, audio))) if longest else duration
                longest = max(longest, duration)
            ends[packet.stream_index] = max(ends[packet.stream_index], packet.pts + duration)
        if not whole and orientation is not None and packets:
            if indexed := packets_by_index(file, stream, packets[0]):
                return decodable(indexed), ends, orientation
            whole = True
    if stream.index in ends:
        ends[stream.index] = end_of(stream, packets, ends[stream.index])
    return decodable(packets), ends, orientation or Orientation()


def _duration(container: InputContainer, stream: Stream, ends: Mapping[int, int]) -> Fraction:
    ticks = ends.get(stream.index) or stream.duration
    tick = exact(stream.time_base)
    if ticks is not None and tick is not None:
        return ticks * tick
    return Fraction(container.duration or 0, av.time_base)


def _is_all_beside(container: InputContainer, stream: VideoStream) -> bool:
    """Tell whether the alpha that a track says it has beside its pictures is there, for each of them."""
    if not alpha.is_beside(stream):
        return False
    container.seek(0)
    return all(packet.has_sidedata(alpha.BESIDE) for packet in packets_of(container, stream) if packet.size)


def _hdr_metadata(file: BinaryIO) -> tuple[MasteringDisplay | None, ContentLight | None]:
    """Look at the first frame, with which FFmpeg gives what the container says, and else what the stream says."""
    with contextlib.suppress(InputError), open_video(file) as (container, stream):
        stream.codec_context.options = {"side_data_prefer_packet": "-1"}  # all types, from the container first
        stream.codec_context.thread_count = 1
        packets = (packet for packet, _ in zip(packets_of(container, stream), _attempts(stream), strict=False))
        for frame in chain.from_iterable(packet.decode() for packet in packets):
            return metadata_of(frame)
    return None, None


def first_orientation(container: InputContainer, stream: VideoStream) -> Orientation:
    """Decode the first frame that can be, and give how it is shown; upright if none can."""
    packets = (cast(VideoPacket, packet) for packet in packets_of(container, stream) if packet.size)
    tried = zip(packets, _attempts(stream), strict=False)
    turned = (_orientation_with(stream.codec_context, packet) for packet, _ in tried)
    return next((orientation for orientation in turned if orientation is not None), Orientation())


def _attempts(stream: VideoStream) -> Iterator[bool]:
    """Give a turn for each packet that is worth an attempt to decode it, to get at the first frame."""
    pixels = stream.codec_context.width * stream.codec_context.height
    return repeat(True, max(1, _MOST_PIXELS_TRIED // pixels))


def _orientation_with(context: VideoCodecContext, packet: VideoPacket) -> Orientation | None:
    """Decode a packet, with whose frame FFmpeg gives what the container or the stream says; None if it has none."""
    with contextlib.suppress(av.FFmpegError):  # what is damaged is told where it is read
        # At once, by draining the decoder: else it waits for the frames that may be shown before.
        frames = context.decode(packet) or context.decode(None)
        context.flush_buffers()
        return orientation_of(frames[0]) if frames else None
    return None


def orientation_of(frame: VideoFrame) -> Orientation:
    """Give how a decoded frame is shown."""
    matrix = side_data(frame).get("DISPLAYMATRIX")
    return Orientation() if matrix is None else of_display_matrix(matrix)


def _rate(stream: VideoStream, times: list[int | None], duration: Fraction) -> tuple[Fraction, bool]:
    """Give the frame rate, and whether it is constant."""
    in_order = sorted(time for time in times if time is not None)
    gaps = {after - before for before, after in pairwise(in_order)}
    constant = _is_even(in_order)
    if stream.container.format.name == "gif" and duration:
        return len(times) / duration, constant  # FFmpeg's average is of what its ticks of 1/100 s can tell
    average = exact(stream.average_rate) or exact(stream.guessed_rate) or Fraction(0)
    tick = exact(stream.time_base) or Fraction(0)
    if not constant and duration:
        return len(times) / duration, False
    if len(gaps) == 1 and 0 < len(times) * max(gaps) * tick <= duration:
        gap = max(gaps) * tick
        if "matroska" in stream.container.format.name and average and abs(1 / average - gap) < tick:
            return average, True  # it is said beside the times, which are rounded
        return 1 / gap, True  # FFmpeg's average counts how long the last frame is held
    return average, constant


def _is_even(times: list[int]) -> bool:
    """Tell whether times are those of a constant rate, in coarse ticks: gaps of two lengths, as evenly as can be."""
    steps = len(times) - 1
    if steps < 1:
        return True
    gaps = [after - before for before, after in pairwise(times)]
    span = times[-1] - times[0]
    return max(gaps) - min(gaps) <= 1 and all(
        abs((time - times[0]) * steps - at * span) <= steps for at, time in enumerate(times)
    )


@contextmanager
def open_video(path: Source, edited: bool = True, decoded: bool = True) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file's first video stream, as `opened_container` does.

    Raises:
        InputError: it can't be opened, has no video that FFmpeg reads, or can't be read to its end.
    """
    with opened_container(path, edited=edited, decoded=decoded) as container:
        name, streams = name_of(path), video_streams(container)
        if not streams:
            only = ", only the picture of a cover" if container.streams.video else ""
            raise InputError(f"{name!r} has no video stream{only}")
        stream = streams[0]
        context = stream.codec_context
        if context is None or 0 in (context.width, context.height):
            raise InputError(f"{name!r} can't be read as a video: FFmpeg does not know its codec or size")
        # Not frames in threads: when a caller stops early, closing waits for one that waits for the GIL to log.
        stream.thread_type = "SLICE"
        yield container, stream


def color_of(tagged: VideoCodecContext | VideoFrame) -> Color:
    """Give the colour that a stream's codec or a decoded frame is tagged with, as far as it is."""
    return Color(
        matrix=int(tagged.colorspace),
        primaries=int(tagged.color_primaries),
        transfer=int(tagged.color_trc),
        full_range=int(tagged.color_range) == 2,  # AVCOL_RANGE_JPEG
    )


def _index_in_front(container: InputContainer, file: BinaryIO) -> bool | None:
    return elements.cues_in_front(file) if "matroska" in container.format.name else boxes.index_in_front(file)


def is_cut_off(container: InputContainer, file: BinaryIO) -> bool:
    """Tell whether an MP4, MOV, Matroska or WebM is shorter than it says that it is."""
    if "matroska" in container.format.name:
        return elements.is_cut_off(file)
    return "mp4" in container.format.name and boxes.is_cut_off(file)


def _notes(container: InputContainer, cut_off: bool, frame_count: int) -> tuple[str, ...]:
    notes, streams = [], len(video_streams(container))
    if cut_off:
        notes.append(f"the file is cut off: of its frames {frame_count} are whole")
    if streams > 1:
        notes.append(f"the file has {streams} video streams: the first is read")
    return tuple(notes)


def _container_name(container: InputContainer, file: BinaryIO) -> str:
    names = container.format.name.split(",")  # of a demuxer that reads several: "mov,mp4,m4a,3gp,3g2,mj2"
    if "matroska" in names:
        return "webm" if elements.doc_type(file) == "webm" else "mkv"
    if "mp4" in names and not container.metadata.get("major_brand", "").startswith("qt"):
        return "mp4"
    return names[0]


def _audio(stream: AudioStream, duration: Fraction) -> AudioInfo:
    context = stream.codec_context
    return AudioInfo(context.codec.canonical_name, context.sample_rate, context.channels, duration)


def _metadata(file: BinaryIO, tags: Mapping[str, str]) -> dict[str, Json]:
    tags = {name: readable(text) for name, text in tags.items()}
    of_image = read_image(file)
    if of_image is not None:
        return read_tags({**tags, **of_image[0]}, of_image[1])
    copy = copy_in(xmp_packet(file) or b"")
    return read_tags({name: text for name, text in tags.items() if name not in _BRANDS}, [] if copy is None else [copy])
