"""A video of any size that takes little time to make: the same packets again and again."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import av

import telecine

from .helpers import noise


def large_video(path: Path, size: int, movflags: str = "+faststart") -> Path:
    """A 640x360 video of at least so many bytes, each frame of about 200,000."""
    clip: Any = io.BytesIO(telecine.export_bytes(noise(12, 640, 360), format="mp4", quality="visually-lossless"))
    with av.open(clip, "r") as source, av.open(str(path), "w", container_options={"movflags": movflags}) as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        packets: list[Any] = [packet for packet in source.demux(stream) if packet.size]
        length, turns = sum(packet.duration for packet in packets), 1 + size // sum(packet.size for packet in packets)
        for turn in range(turns):
            for packet in packets:
                again: Any = av.Packet(bytes(packet))
                again.stream, again.time_base, again.is_keyframe = copy, stream.time_base, packet.is_keyframe
                again.pts, again.dts = packet.pts + turn * length, packet.dts + turn * length
                again.duration = packet.duration
                target.mux(again)
    return path
