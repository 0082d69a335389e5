"""FFmpeg as a reader: of containers on a list, of the one file it is given, and of no more than is in it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

import av
from av import Packet
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from ..container.sample_counts import check_sample_counts
from ..errors import InputError
from ..support.ffmpeg_log import captured_log
from ..support.pyav import open_input
from .files import Source, name_of, opened_file, said_of
from .png_texts import check_png_texts

# By FFmpeg's names: what holds a picture or sound and leads to no other file. Playlists, `concat`, SDP, text are not
# here, nor a demuxer whose probe takes any text for its own.
_VIDEOS = "mov,matroska,avi,gif,apng,mpegts,mpeg,ogg,flv,asf,nut,mxf,dv"
_STREAMS = "ivf,h264,hevc,av1,obu,m4v,mpegvideo,mjpeg,yuv4mpegpipe"
_IMAGES = "png_pipe,webp_pipe,jpeg_pipe,tiff_pipe,bmp_pipe,exr_pipe,ppm_pipe,pgm_pipe,gif_pipe"
_SOUNDS = "wav,w64,aiff,caf,au,mp3,flac,aac,ac3,eac3,amr,wv"
_OPTIONS = {"format_whitelist": ",".join((_VIDEOS, _STREAMS, _IMAGES, _SOUNDS))}
_WHOLE_MEDIA = {"ignore_editlist": "1"}  # samples as an MP4 has them, also those that it does not show
_UNDECODED = {"skip_frame": "all"}  # while the file is opened
# Packets as an index has them, neither parsed nor amended, of which one is read with the index.
_AS_INDEXED = _OPTIONS | {"fflags": "+noparse+nofillin", "probesize": "32"}
# By which FFmpeg finds that it has to read on (libavformat/mov.c): fragments, and sound that is packed into samples
# (ISO/IEC 14496-12 8.8.4, 8.8.9, 8.16.3; IAMF 1.1, 6.2).
_LEADS_ON, _OVERLAP = rb"moof|sidx|mfra|iacb|iamf", 3
_ZEROS = bytes(1 << 20)
_ACCEPTED = "MP4, MOV, Matroska, WebM, AVI, GIF, MPEG, Ogg, FLV, ASF, WAVE, FLAC, MP3 or the like"
COVERS = Disposition.attached_pic | Disposition.timed_thumbnails  # of a file, and of its chapters
# What a demuxer may add to what is in the file: headers that are the same in each frame, such as Matroska leaves out.
_MOST_GROWTH, _ALWAYS = 4, 1 << 20


@contextmanager
def opened_container(
    source: Source, kind: str = "a video", edited: bool = True, decoded: bool = True
) -> Iterator[InputContainer]:
    """Open a file with FFmpeg. `kind` is what an error says that it can't be read as.

    Of an MP4 the samples are those that its edit lists show, at the times that they say, unless it is not `edited`. The
    first frames are decoded for what no header tells, such as the pixel format of H.264, unless it is not `decoded`.

    Raises:
        InputError: it can't be opened, is of no kind that is accepted, or what is done with it in here fails.
    """
    with opened_file(source) as file, captured_log() as lines, said_of(file, kind, lines):
        check_sample_counts(file)
        check_png_texts(file)
        file.seek(0)
        options = _OPTIONS | ({} if edited else _WHOLE_MEDIA) | ({} if decoded else _UNDECODED)
        try:
            container = open_input(file, options=options)
        except av.FFmpegError as error:
            if not lines or any("not on whitelist" in message for _, _, message in lines):
                raise InputError(f"{name_of(file)!r} can't be read as {kind}: it is no {_ACCEPTED}") from error
            raise
        with container:
            yield container


@contextmanager
def opened_index(file: BinaryIO) -> Iterator[InputContainer]:
    """Open an MP4 or MOV once more, for the times, sizes and flags of its packets, without what is in them.

    FFmpeg reads the index when it opens the file. What it reads afterwards are samples, of which it gets zeros.

    Raises:
        ValueError: there may be more of an index than it read.
        Exception: whatever it or the file raises.
    """
    index = _WithoutSamples(file)
    with captured_log(), open_input(cast(BinaryIO, index), options=_AS_INDEXED) as container:
        if index.leads_on:
            raise ValueError("its index is in pieces")
        index.stop()
        yield container


def video_streams(container: InputContainer) -> list[VideoStream]:
    """Give a file's video streams, without the pictures of a cover."""
    return [stream for stream in container.streams.video if not stream.disposition & COVERS]


def sound_stream(container: InputContainer) -> AudioStream | None:
    """Give the first sound of a file; None where it has none that FFmpeg knows."""
    return next((each for each in container.streams.audio if each.codec_context is not None), None)


def packets_of(container: InputContainer, *streams: Any) -> Iterator[Packet[Any]]:
    """Give the packets of some streams.

    Raises:
        InputError: those of all streams are more than the file can hold: a damaged index leads to some again and again.
    """
    wanted, left = {stream.index for stream in streams}, _MOST_GROWTH * (container.size or 0) + _ALWAYS
    for packet in container.demux():
        left -= packet.size + 1
        if left < 0:
            raise InputError(f"{container.name!r} is damaged: its index leads to more than is in the file")
        if packet.stream.index in wanted:  # the last one of each has no index of its own
            yield packet


class _WithoutSamples:
    """A file that is read until `stop`, and from then on zeros, as many as it has bytes: a hole, as in a sparse file.

    `leads_on` tells that something in what was read may lead to more that matters.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._size = file, file.seek(0, os.SEEK_END)
        self._at, self._last, self._stopped = 0, b"", False
        self.leads_on = False

    def stop(self) -> None:
        """Read no more."""
        self._stopped = True

    def read(self, size: int) -> bytes:
        """Give at most so many bytes; none at the end."""
        data = _ZEROS[: max(0, min(size, self._size - self._at))] if self._stopped else self._read(size)
        self._at += len(data)
        return data

    def _read(self, size: int) -> bytes:
        self._file.seek(self._at)
        data = self._file.read(size)
        self.leads_on |= re.search(_LEADS_ON, self._last + data) is not None
        self._last = data[-_OVERLAP:]
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        """Give the place."""
        return self._at
