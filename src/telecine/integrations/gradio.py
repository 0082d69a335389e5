"""`VideoChunks`: what Gradio's video component plays while frames come, and the finished file in the end."""

from collections.abc import Generator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Unpack

from ..container.fragments import FragmentReader, Piece, ticks_a_second
from ..deliver.live import Broadcast, Listening
from ..errors import OptionError
from ..frames.options import complete, with_options
from ..frames.recognise import Frames, only_video
from ..frames.sources import open_source
from ..output.options import WriterOptions
from ..output.result import Video
from ..writer import VideoWriter

if TYPE_CHECKING:
    from ..deliver.target import Output

_SECONDS = 1.0  # of a chunk: Gradio starts two programs for each, while the frames wait


@with_options(WriterOptions)
class VideoChunks(Iterator[str]):
    """The paths of short MP4 files, one after the other, for `gr.Video(streaming=True)`; the whole is one file too.

    A handler that yields them shows the video while its frames are made. They are encoded once, for the chunks and the
    file. A chunk begins with a key frame and lasts `fragment` seconds, here 1 if not given, or before a cut half as
    long. It is removed when the next is asked for. `telecine.add_audio` gives the finished file its sound.

    Chunks that are not asked for any more drop the frames. When making a frame fails, those that were encoded are kept,
    as by `VideoWriter`.

    Args:
        frames: As for `export_video`; an iterator is asked for a frame when the next chunk is.
        path: Where the finished file goes, as for `export_video`.
        **options: Those below.

    Raises:
        FrameError, OptionError, EncodeError, PublishError: as `export_video`, here or while chunks are asked for.

    >>> import numpy as np
    >>> chunks = VideoChunks((np.zeros((48, 64, 3), np.uint8) for _ in range(40)), fps=16)
    >>> len(list(chunks)), chunks.video.frame_count
    (3, 40)
    """

    def __init__(self, frames: Frames, path: "Output | None" = None, **options: Unpack[WriterOptions]) -> None:
        given = complete(WriterOptions, options, "VideoChunks")
        if given["also_to"] is not None or given["latency"] != "normal":
            raise OptionError("also_to= and latency= don't go with Gradio's chunks, which are whole: leave them out")
        source = open_source(only_video(frames))
        broadcast, seconds = Broadcast(), _SECONDS if given["fragment"] is None else given["fragment"]
        given["also_to"], given["fragment"] = broadcast, seconds
        self._writer = VideoWriter(path, **given)
        self._chunks = _files(_fragments(self._writer, source.frames, broadcast.listen()), seconds)

    @property
    def video(self) -> Video:
        """The finished video, once the last chunk was asked for. Raises TelecineError before."""
        return self._writer.video

    def __next__(self) -> str:
        try:
            return next(self._chunks)
        except StopIteration:
            raise
        except BaseException as error:
            self._writer.__exit__(type(error), error, error.__traceback__)  # which keeps what it has
            raise

    def close(self) -> None:
        """Drop the frames, unless they are in a finished file."""
        self._chunks.close()
        self._writer.abort()

    def __del__(self) -> None:
        if hasattr(self, "_chunks"):
            self.close()


def _fragments(writer: VideoWriter, frames: Frames, listening: Listening) -> Iterator[bytes]:
    """Write frames, and give what of them is encoded: first the init segment."""
    for _ in writer._settled_steps(frames, None):
        while listening.waiting:
            yield next(listening)
    writer.close()
    yield from listening


def _files(fragments: Iterator[bytes], seconds: float) -> Generator[str]:
    """Give the path of a file for each chunk, until the next is asked for."""
    begin, reader = next(fragments), FragmentReader()
    pieces = (piece for fragment in fragments for piece in reader.feed(fragment))
    with TemporaryDirectory(prefix="telecine-") as folder:
        for number, group in enumerate(_grouped(pieces, seconds / 2 * ticks_a_second(begin))):
            chunk = Path(folder, f"{number}.mp4")
            chunk.write_bytes(begin + b"".join(_moved(each, -group[0].start) for each in group))
            yield str(chunk)
            chunk.unlink()


def _grouped(pieces: Iterator[Piece], ticks: float) -> Iterator[list[Piece]]:
    """Put fragments together until they last so long: one ends wherever the encoder puts a key frame."""
    group: list[Piece] = []
    for piece in pieces:
        group.append(piece)
        if piece.start + piece.duration - group[0].start >= ticks:
            yield group
            group = []
    if group:
        yield group


def _moved(piece: Piece, ticks: int) -> bytes:
    """Give a fragment that begins so much later: Gradio takes the time at which a chunk ends for its length.

    The time is the 64 bits of a `tfdt` box of version 1, behind its version and flags (ISO/IEC 14496-12 8.8.12).
    """
    at = piece.data.index(b"tfdt") + 8
    return piece.data[:at] + (piece.start + ticks).to_bytes(8, "big") + piece.data[at + 8 :]
