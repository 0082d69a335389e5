"""`stream_video` and `astream_video`: a video as bytes that a browser plays while they come."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Self, TypeVar, Unpack, cast

from .container.fragments import media_type
from .deliver.live import Fragment, Listener
from .errors import OptionError, TelecineError
from .files.files import Source, source_of
from .files.urls import options_of_urls
from .frames.options import complete, part, with_options
from .frames.recognise import Frames, only_video
from .frames.sources import open_source
from .output.options import ExportOptions, WriterOptions
from .writer import VideoWriter

Result = TypeVar("Result")


class _Fragments:
    """A sink in the place of a listener: fragments wait in it for who asks."""

    problem = ""

    def __init__(self) -> None:
        self.waiting: deque[bytes] = deque()

    def give(self, fragment: Fragment) -> None:
        """Take one, in the encoding thread."""
        self.waiting.append(fragment.data)

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


class VideoStream(Iterator[bytes]):
    """The bytes of a fragmented MP4, fragment by fragment; made by `stream_video`.

    It is a context manager; one that is not read to its end is closed, and its frames are dropped.
    """

    def __init__(self, frames: Frames, options: ExportOptions) -> None:
        self._fragments = _Fragments()
        audio, of_writer = options["audio"], part(WriterOptions, options)
        of_frames, of_audio = options_of_urls(options["storage_options"], frames, audio)
        of_writer["storage_options"] = None
        of_writer["also_to"] = cast(Listener, self._fragments)
        of_writer["format"] = "mp4"
        source = open_source(only_video(frames), storage_options=of_frames)
        self._writer = VideoWriter(_Nowhere(), **of_writer)
        self._steps = self._writer._settled_steps(source.frames, options["timestamps"])
        try:
            if audio is not None:
                self._writer.write_audio(audio if of_audio is None else source_of(cast(Source, audio), of_audio))
        except BaseException:
            self._writer.abort()
            raise
        self._mime_type = ""
        self._is_over = False
        self._filling = threading.Lock()

    @property
    def mime_type(self) -> str:
        """The type for a server's header or a `SourceBuffer`, with the codecs; it takes the first frames to know it.

        Raises:
            FrameError, OptionError, EncodeError, PublishError: as from the first fragment.
        """
        if not self._mime_type:
            if not self._fill():
                raise TelecineError("the stream is over: ask for its mime_type before")
            self._mime_type = media_type(self._fragments.waiting[0])
        return self._mime_type

    def __next__(self) -> bytes:
        if not self._mime_type and not self._is_over:
            _ = self.mime_type
        self._fill()
        try:
            return self._fragments.waiting.popleft()
        except IndexError:  # it is over, or was closed by another thread
            raise StopIteration from None

    def _fill(self) -> bool:
        """Encode frames until a fragment waits; tells whether one does."""
        try:
            with self._filling:
                while not self._fragments.waiting and not self._is_over:
                    if next(self._steps, self) is self:
                        self._is_over = True
                        self._writer.close()
        except BaseException:
            self.close()
            raise
        return bool(self._fragments.waiting)

    def close(self) -> None:
        """Drop the frames that were not read, once another thread that asks for one has it."""
        self._is_over = True
        with self._filling:
            self._steps.close()
            self._writer.abort()
            self._fragments.waiting.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_filling"):
            self.close()


class AsyncVideoStream(AsyncIterator[bytes]):
    """The same for asyncio: opened when it is first awaited, and fed, in threads; made by `astream_video`."""

    def __init__(self, frames: Frames, options: ExportOptions) -> None:
        self._open: Callable[[], VideoStream] | None = partial(VideoStream, frames, options)
        self._stream: VideoStream | None = None
        self._opening = threading.Lock()

    async def mime_type(self) -> str:
        """Give what `VideoStream.mime_type` is. Raises as that does, and as `stream_video`."""

        def found() -> str:
            if (stream := self._opened()) is None:
                raise TelecineError("the stream is over: ask for its mime_type before")
            return stream.mime_type

        return await self._in_thread(found)

    async def __anext__(self) -> bytes:
        def found() -> bytes | None:
            return next(stream, None) if (stream := self._opened()) else None

        fragment = await self._in_thread(found)
        if fragment is None:
            raise StopAsyncIteration
        return fragment

    def _opened(self) -> VideoStream | None:
        """Give the stream, opened; None where it was closed before that, or could not be opened."""
        with self._opening:
            if (opener := self._open) is not None:
                self._open = None  # it holds the frames, which are to go when the stream is closed
                self._stream = opener()
            return self._stream

    def _close(self) -> None:
        with self._opening:
            self._open = None
        if self._stream is not None:
            self._stream.close()

    async def _in_thread(self, call: Callable[[], Result]) -> Result:
        try:
            return await asyncio.to_thread(call)
        except asyncio.CancelledError:  # a server does that when its client goes away
            asyncio.get_running_loop().run_in_executor(None, self._close)
            raise

    async def aclose(self) -> None:
        """Drop the frames that were not read."""
        await asyncio.to_thread(self._close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class _Nowhere:
    """A file object that keeps nothing: what was streamed is in the fragments."""

    def write(self, data: bytes) -> int:
        return len(data)

    def seekable(self) -> bool:
        return True


@with_options(ExportOptions)
def stream_video(frames: Frames, **options: Unpack[ExportOptions]) -> VideoStream:
    """Encode frames to bytes that play while they come: an iterator of an init segment, then fragments.

    For a response of a server, a WebSocket, or Media Source Extensions. Each fragment of `fragment` seconds at most
    begins with a key frame. Frames are asked for as fragments are: a client that is slow slows the model.

    Args:
        frames: As for `export_video`; an iterator is asked for a frame when bytes of it are asked for.
        **options: Those below.

    Raises:
        FrameError, OptionError, EncodeError: as `export_video` does, here or while it is read.
        PublishError: the folder for temporary files, in which the journal is.

    >>> import numpy as np
    >>> stream = stream_video(np.zeros((16, 48, 64, 3), np.uint8), fps=16, fragment=0.5)
    >>> stream.mime_type, [fragment[4:8] for fragment in stream]
    ('video/mp4; codecs="avc1.64000A"', [b'ftyp', b'moof', b'moof'])
    """
    return VideoStream(frames, _streamed(options, "stream_video"))


@with_options(ExportOptions)
def astream_video(frames: Frames, **options: Unpack[ExportOptions]) -> AsyncVideoStream:
    """Give what `stream_video` does as an asynchronous iterator. What takes time is done in threads.

    Nothing is opened before it is first awaited, by `mime_type` or for a fragment: what `stream_video` raises at once
    is raised there.

    Args:
        frames: As for `stream_video`.
        **options: Those below.

    Raises:
        OptionError: `also_to`, `live`, or another `format` than MP4. All else of `stream_video` when it is awaited.
    """
    return AsyncVideoStream(frames, _streamed(options, "astream_video"))


def _streamed(options: ExportOptions, function: str) -> ExportOptions:
    given = complete(ExportOptions, options, function)
    for name, is_given in {
        "also_to": given["also_to"] is not None,
        "live": given["live"],
        "only_rank": given["only_rank"] is not None,
    }.items():
        if is_given:
            raise OptionError(f"{name}= goes with a file: leave it out, and hand on what the stream gives")
    if given["format"] not in (None, "mp4"):
        raise OptionError(f"format={given['format']!r} is not streamed: leave it out, for fragments of MP4")
    return given
