"""The packets of a video's frames, when each is shown: of an MP4 by its index alone, of others by reading them."""

from __future__ import annotations

import contextlib
import re
from fractions import Fraction
from itertools import pairwise
from typing import Any, BinaryIO, TypeAlias

from av import Packet
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream

from ..files.demux import opened_index, packets_of
from ..support.pyav import exact, seconds
from .sound_packets import cut_off_end

TimedPacket: TypeAlias = "tuple[int | None, bool]"

# The codecs of which FFmpeg makes one packet of each sample of an MP4 (libavformat/mov.c, need_parsing). It leaves the
# times of the first two as they are; of others it may amend what does not follow from the packet before
# (libavformat/demux.c, compute_pkt_fields).
_TIMES_STAY = {"h264", "hevc"}
_PLAIN_CODECS = _TIMES_STAY | {"av1", "vp9", "mpeg4", "mjpeg", "prores", "dnxhd", "ffv1", "png", "rawvideo"}
_LATEST = 1 << 60  # in ticks: FFmpeg has its own meaning for times near 1 << 63 (libavformat/internal.h)


def frame_packets(file: BinaryIO, container: InputContainer, stream: VideoStream, whole: bool) -> list[TimedPacket]:
    """Give when each packet's frame is shown, in ticks and in the order of the file, and whether it is a key frame.

    They are those of `packets_by_index` where it has any, unless the `whole` file is to be read.
    """
    packets: list[TimedPacket] = []
    for packet in filter(is_frame, packets_of(container, stream)):
        packets.append((packet.pts, packet.is_keyframe))
        if len(packets) == 1 and not whole and (indexed := packets_by_index(file, stream, packets[0])):
            return indexed
    return packets


def packets_by_index(file: BinaryIO, stream: VideoStream, first: TimedPacket) -> list[TimedPacket]:
    """Give what reading all packets of an MP4's or MOV's stream would, as far as `decodable` goes; or none.

    Only the index is read, by FFmpeg, which makes the same of its tables and edit list as when it reads all. There is
    none of fragments, of a codec whose packets are made of what is in the samples, where the `first` packet is no key
    frame, as FFmpeg finds some by what is in them, and where anything is odd. The file stays where it is.
    """
    codec = stream.codec_context.codec.canonical_name
    # Where the rate is not known, FFmpeg may find it in a later packet.
    if "mp4" not in stream.container.format.name or codec not in _PLAIN_CODECS or not stream.average_rate:
        return []
    before, packets = file.tell(), list[TimedPacket]()
    # Whatever is wrong shows again, and is said, when the packets are read.
    with contextlib.suppress(Exception), opened_index(file) as container:
        if _is_within(container):
            packets = _indexed(container, stream.index, codec in _TIMES_STAY)
    file.seek(before)
    return packets if first[1] and packets[:1] == [first] else []


def _is_within(container: InputContainer) -> bool:
    """Tell whether all samples are in the file: FFmpeg ends at one that is not, or goes on, as its parsers have it."""
    ends = (entry.pos + entry.size for each in container.streams for entry in each.index_entries)
    return max(ends, default=0) <= (container.size or 0)


def _indexed(container: InputContainer, stream: int, times_stay: bool) -> list[TimedPacket]:
    """Read a stream's packets; none where FFmpeg may amend their times, or where those of all streams overlap."""
    left, packets = container.size or 0, list[TimedPacket]()
    start, end = -_LATEST, None  # of the packet before
    for packet in container.demux():
        left -= packet.size + 1
        if packet.stream_index != stream or not packet.size:
            continue
        if packet.pts is None or packet.dts is None or abs(packet.pts) > _LATEST:
            return []
        follows = end is None or start < end == packet.dts
        if not times_stay and not (follows and packet.pts == packet.dts):
            return []
        start, end = packet.dts, packet.dts + (packet.duration or 0)
        if is_frame(packet):
            packets.append((packet.pts, packet.is_keyframe))
    return packets if left >= 0 else []


def is_frame(packet: Packet[Any]) -> bool:
    """Tell whether a packet holds a frame that is shown."""
    return bool(packet.size) and not packet.is_discard and not is_part(packet)


def is_part(packet: Packet[Any]) -> bool:
    """Tell whether a packet is the part of one where an MP4 is cut off."""
    return packet.is_corrupt and "mp4" in packet.stream.container.format.name


def decodable(packets: list[TimedPacket]) -> list[int | None]:
    """Give the times of packets, but for those that nothing can be made of, where a recording begins within.

    They are in front of the first key frame, or behind it and shown before.
    """
    start = next((at for at, (_, is_key) in enumerate(packets) if is_key), 0)
    first = packets[start][0] if packets else None
    return [time for time, _ in packets[start:] if first is None or time is None or time >= first]


def discarded(packet: Packet[Any], audio: AudioStream) -> int:
    """Give how many ticks of a packet of sound players leave out at its end (RFC 9559 5.1.3.5.7).

    FFmpeg knows how much it is, but not that what is left is shorter than a tick: then it takes the packet for whole.
    """
    samples = cut_off_end(packet)
    return round(samples / audio.codec_context.sample_rate / seconds(1, audio.time_base)) if samples else 0


def end_of(stream: VideoStream, packets: list[TimedPacket], end: int) -> int:
    """Give where a Matroska's track ends, in ticks, whose packets last until `end`: as long as its tag DURATION says.

    Blocks of frames that are not evenly timed have no duration, and of the last one nothing else tells it: FFmpeg makes
    one up. It and mkvmerge write the tag: "00:00:00.550000000".
    """
    times = sorted(pts for pts, _ in packets if pts is not None)
    gaps = {later - earlier for earlier, later in pairwise(times)}
    found, tick = re.fullmatch(r"(\d+):(\d+):(\d+\.\d+)", stream.metadata.get("DURATION", "")), exact(stream.time_base)
    if found is None or tick is None or not gaps or max(gaps) - min(gaps) <= 1:  # which is rounding
        return end
    return max(times[-1], round((int(found[1]) * 3600 + int(found[2]) * 60 + Fraction(found[3])) / tick))
