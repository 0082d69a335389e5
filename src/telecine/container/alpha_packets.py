"""Alpha in a video: in its pictures, or beside them, as Matroska keeps VP9's (RFC 9559, `BlockAdditions`).

Alpha beside the pictures is a packet of its own for each frame, which FFmpeg has as side data of the picture's. An MP4
has no place for it, so a journal holds both in one sample, and its track says so:

    the picture's packet | the side data | how many bytes that is, 4 of them, little-endian

The last byte is 0 then: nothing takes it for the marker at the end of a VP9 superframe.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, TypeAlias, TypeVar, cast

import av
from av import Packet, VideoFrame
from av.packet import PacketSideData
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

VideoPacket: TypeAlias = "Packet[VideoStream]"
AnyPacket = TypeVar("AnyPacket", bound="Packet[Any]")

# The codecs that have alpha beside their pictures, and the decoders of FFmpeg's that read it: its first choice doesn't.
DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
BESIDE: Literal["matroska_block_additional"] = "matroska_block_additional"
PIXEL_FORMAT = "yuva420p"  # of a track that has it: the muxer then writes AlphaMode (RFC 9559 5.1.4.1.28.4)
SAYS_JOINED = {"handler_name": "pictures, each with its alpha"}  # of a journal's track (ISO/IEC 14496-12 8.4.3)
_BESIDE_TYPE = 15  # AV_PKT_DATA_MATROSKA_BLOCKADDITIONAL
_LENGTH_BYTES, _ID_BYTES = 4, 8  # the side data begins with a BlockAddID


def is_beside(stream: VideoStream) -> bool:
    """Tell whether a track says that it has alpha beside its pictures."""
    # AlphaMode, which FFmpeg lists in small letters, or a tag of that name, which hides it.
    said = "1" in (stream.metadata.get("alpha_mode"), stream.metadata.get("ALPHA_MODE"))
    return said and stream.codec_context.codec.canonical_name in DECODERS


def decoded(packets: Iterable[VideoPacket], stream: VideoStream) -> Iterator[VideoFrame]:
    """Decode a track's packets with the alpha beside its pictures."""
    name = DECODERS[stream.codec_context.codec.canonical_name]
    decoder = cast(VideoCodecContext, av.CodecContext.create(name, "r"))
    for packet in packets:
        yield from decoder.decode(packet)


def is_joined(stream: VideoStream) -> bool:
    """Tell whether a journal's track says that its samples are joined."""
    return stream.metadata.items() >= SAYS_JOINED.items()


def joined(packet: VideoPacket) -> VideoPacket:
    """Give a packet with what is beside it behind it, for a journal; one with nothing beside it as it is."""
    if not packet.has_sidedata(BESIDE):
        return packet
    beside = bytes(packet.get_sidedata(BESIDE))
    return with_data(packet, bytes(packet) + beside + len(beside).to_bytes(_LENGTH_BYTES, "little"))


def parted(packets: Iterator[VideoPacket]) -> Iterator[VideoPacket]:
    """Give joined packets as they were, up to one that is not whole."""
    for packet in packets:
        data = bytes(packet)
        end = len(data) - _LENGTH_BYTES
        at = end - int.from_bytes(data[max(0, end) :], "little")
        if not 0 < at < end - _ID_BYTES:
            return
        picture = with_data(packet, data[:at])
        beside: PacketSideData = cast(Any, PacketSideData)(_BESIDE_TYPE, end - at)  # PyAV's types don't know how
        beside.update(data[at:end])
        picture.set_sidedata(beside, move=True)
        yield picture


def with_data(packet: AnyPacket, data: bytes) -> AnyPacket:
    """Give a packet of other bytes, decoded and shown as this one is."""
    copy = cast(AnyPacket, Packet(data))
    copy.stream, copy.time_base = packet.stream, packet.time_base
    copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
    copy.is_keyframe = packet.is_keyframe
    return copy
