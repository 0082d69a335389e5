"""What is in packets of sound: how many samples, whether each is decoded by itself, what a decoder is told of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from av import Packet
from av.audio.stream import AudioStream

from ..support.pyav import seconds

_EACH_BY_ITSELF = ("flac", "alac", "pcm_")
# Those of which it is known how many samples a packet has, though the clock of a Matroska does not tell.
_KNOWN = ("aac", "opus", "flac", "alac", "mp3", "ac3", "eac3", "pcm_")
_OF_MANY_LENGTHS = ("alac", "pcm_")
_WHOLE_SAMPLES = re.compile(r"pcm_[sf](\d+)[bl]e")  # of which silence is zeros
_CUT_OFF = slice(4, 8)  # of FFmpeg's AV_PKT_DATA_SKIP_SAMPLES: how many are cut off the end, little-endian
_STREAMINFO = 34  # bytes of FLAC's (RFC 9639 8.2)


class SoundCoding(NamedTuple):
    """How a track is coded: so many samples in each packet, or bytes in a sample of all channels.

    The first is 0 where packets are of many lengths, the other where they can't be cut.
    """

    codec: str
    rate: int
    samples_of_packet: int
    bytes_of_sample: int

    @classmethod
    def of(cls, track: AudioStream, usual: Fraction) -> SoundCoding:
        """Give that of a track, in which a packet usually lasts so many seconds, as its clock rounds."""
        context, codec = track.codec_context, track.codec_context.codec.canonical_name
        whole = _WHOLE_SAMPLES.fullmatch(codec)
        size = int(whole[1]) // 8 * context.channels if whole else 0
        samples = usual * context.sample_rate
        # Not of HE-AAC, which may be decoded to twice as many as FFmpeg says before it has seen a packet.
        if abs(samples - context.frame_size) <= seconds(1, track.time_base) * context.sample_rate:
            samples = Fraction(context.frame_size)
        return cls(codec, context.sample_rate, 0 if codec.startswith(_OF_MANY_LENGTHS) else round(samples), size)

    def samples_in(self, packet: Packet[Any]) -> int:
        """Give how many samples a packet is decoded to, those that are cut off its end among them."""
        if self.bytes_of_sample:
            return packet.size // self.bytes_of_sample
        if self.codec in _SAYS_LENGTH:
            return _SAYS_LENGTH[self.codec](bytes(packet))
        said = seconds(packet.duration or 0, packet.time_base) * self.rate + cut_off_end(packet)
        return self.samples_of_packet or round(said)


def can_be_joined(codec: str) -> bool:
    """Tell whether it is known of each packet of a codec how many samples it has."""
    return codec.startswith(_KNOWN)


def _samples_of_opus(packet: bytes) -> int:
    """Give how many samples are in an Opus packet, at 48 kHz (RFC 6716 3.1, 3.2)."""
    config, code = packet[0] >> 3, packet[0] & 3
    if config < 12:
        samples = (480, 960, 1920, 2880)[config & 3]
    else:
        samples = (480, 960)[config & 1] if config < 16 else 120 << (config & 3)
    return samples * (packet[1] & 63 if code == 3 else min(code, 1) + 1)


def _samples_of_flac(packet: bytes) -> int:
    """Give how many samples are in a frame of FLAC (RFC 9639 9.1.1, 9.1.6)."""
    code = packet[2] >> 4
    if code not in (6, 7):
        return 192 if code == 1 else 576 << (code - 2) if code < 6 else 256 << (code - 8)
    first = packet[4]  # of its number, coded as UTF-8 is: as many bytes as it begins with ones
    at = 4 + max(1, 8 - (first ^ 0xFF).bit_length())
    return int.from_bytes(packet[at : at + code - 5], "big") + 1


_SAYS_LENGTH: Mapping[str, Callable[[bytes], int]] = {"opus": _samples_of_opus, "flac": _samples_of_flac}


def cut_off_end(packet: Packet[Any]) -> int:
    """Give how many samples are cut off a packet's end."""
    if not packet.has_sidedata("skip_samples"):
        return 0
    return int.from_bytes(bytes(packet.get_sidedata("skip_samples"))[_CUT_OFF], "little")


def is_each_by_itself(codec: str) -> bool:
    """Tell whether each packet is decoded by itself. What comes before a packet of others is still heard in it."""
    return codec.startswith(_EACH_BY_ITSELF)


def setup_of_sound(codec: str, record: bytes) -> bytes:
    """Give what a decoder is told, without what FLAC says of one file alone: sizes of packets, its length, a digest.

    They are zero where they are not known (RFC 9639 8.2).
    """
    if codec != "flac" or len(record) < _STREAMINFO:
        return record
    bits_of_sample = bytes((record[13] & 0xF0,))
    return record[:4] + bytes(6) + record[10:13] + bits_of_sample + bytes(4 + 16) + record[_STREAMINFO:]
