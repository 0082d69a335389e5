"""An export's frames again: an exact copy that the first pass keeps of them, and other passes that encode it anew."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import BinaryIO, ClassVar, NamedTuple, Protocol

from av import VideoFrame

from ..encode.encoder import Encoder, EncoderSettings
from ..encode.trial import is_here
from ..errors import TelecineError
from ..formats.codecs import CODECS, Codec
from ..publish.publication import Publication
from ..read.probe import VideoInfo
from ..support.notes import Notes
from ..support.pyav import open_input, seconds
from ..support.words import quoted_value
from .floor import Floor, FlooredEncoder

# Without loss; x264 takes half of FFV1's time, and FFV1 any pixel format.
_X264_EXACTLY: tuple[Codec, Mapping[str, str]] = CODECS["h264"], {"preset": "ultrafast", "qp": "0"}
_FFV1_EXACTLY: tuple[Codec, Mapping[str, str]] = CODECS["ffv1"], CODECS["ffv1"].qualities["lossless"]


class Settled(NamedTuple):
    """What came of an export's passes: the finished file, and what is to be noted, or warned of."""

    info: VideoInfo
    note: str = ""
    warning: str = ""


class Aim(Protocol):
    """What the finished file is to be like, for which its frames are encoded again."""

    notes_frames: ClassVar[bool]  # whether it helps that the first pass notes what each frame needs

    def check_size(self, width: int, height: int) -> None:
        """Raise FrameError where it can't be told of frames of this size."""

    def drops(self, info: VideoInfo) -> bool:
        """Tell whether a finished file is none that is published."""

    def settle(
        self, passes: Passes, made: VideoInfo, finish: Callable[[BinaryIO], VideoInfo], stop: Callable[[], bool]
    ) -> Settled:
        """Encode again until it is: `finish` makes the finished file of a journal, `stop` tells when to give up.

        Raises:
            EncodeError: no pass came to it.
            TelecineError: it was told to stop.
        """


class Passes:
    """The passes over one export's frames. What they need goes with its publication."""

    def __init__(self, settings: EncoderSettings, publication: Publication, noting: bool) -> None:
        """Open what they need; `noting` is whether an encoder notes what each frame needs, where it can."""
        self._settings, self._publication = settings, publication
        self._copy = publication.scratch_file()
        has_statistics = noting and settings.format.codec.parameters.statistics
        self._statistics = os.path.join(publication.scratch_folder(), "statistics") if has_statistics else ""
        self._of_floor: dict[str, str] = {}

    def first(self, floor: Floor | None, notes: Notes) -> CopyingEncoder:
        """Open the encoder of the first pass, which writes to the publication's journal."""
        settings = self._with(dict(self._settings.options), 1)
        if floor is None:
            return CopyingEncoder(Encoder(self.journal, settings), self._settings, self._copy)
        floored = FlooredEncoder(self.journal, settings, floor, notes, self._of_floor.update)
        return CopyingEncoder(floored, self._settings, self._copy)

    @property
    def settings(self) -> EncoderSettings:
        """Those of the first pass, with the crf that a floor has made of the level's."""
        options = dict(self._settings.options) | self._of_floor
        return self._settings._replace(options=tuple(options.items()))

    @property
    def journal(self) -> BinaryIO:
        """The first pass's journal."""
        return self._publication.journal

    def scratch_file(self) -> BinaryIO:
        """Open a journal for another pass."""
        return self._publication.scratch_file()

    def scratch_folder(self) -> str:
        """Make a folder for what is measured."""
        return self._publication.scratch_folder()

    def encode(self, journal: BinaryIO, options: Mapping[str, str], stop: Callable[[], bool]) -> None:
        """Encode the frames again, with other options.

        Raises:
            FFmpegError: the encoder does not take them.
            TelecineError: it was told to stop.
        """
        with closing(Encoder(journal, self._with(dict(options), 2))) as encoder:
            for frame in self.frames():
                if stop():
                    break
                encoder.encode(frame, frame.pts or 0)
            encoder.finish(stop)
        if stop():
            raise TelecineError(f"the writer of {self._publication.path!r} was aborted")

    def frames(self, journal: BinaryIO | None = None) -> Iterator[VideoFrame]:
        """Give the frames of the copy, for the encoder to choose their types; or what became of them in a journal."""
        file = journal or self._copy
        file.seek(0)
        with open_input(file, self._settings.format.codec.journal if journal else "mp4") as source:
            (stream,) = source.streams.video
            stream.thread_type = "AUTO" if journal else "SLICE"
            stream.codec_context.thread_count = self._settings.threads
            for frame in source.decode(stream):
                assert frame.pts is not None
                frame.pts = round(seconds(frame.pts, frame.time_base) / self._settings.time_base)
                frame.pict_type = 0  # AV_PICTURE_TYPE_NONE, in place of what it is in the copy
                yield frame

    def _with(self, options: dict[str, str], number: int) -> EncoderSettings:
        """The settings of a pass: its options, and where its statistics are."""
        parameters = self._settings.format.codec.parameters
        if self._statistics:
            noted = parameters.statistics.format(file=quoted_value(self._statistics), number=number)
            told = options.get(parameters.option), noted
            options[parameters.option] = ":".join(filter(None, told))
        return self._settings._replace(options=tuple(options.items()))


class CopyingEncoder:
    """An encoder beside which an exact copy is kept of the planes that it takes."""

    def __init__(self, encoder: Encoder | FlooredEncoder, settings: EncoderSettings, copy: BinaryIO) -> None:
        by_x264 = settings.format.pixel_format.name in CODECS["h264"].pixel_formats and is_here("libx264")
        exact, options = _X264_EXACTLY if by_x264 else _FFV1_EXACTLY
        format = settings.format._replace(codec=exact)
        self._encoder = encoder
        self._copy = Encoder(copy, settings._replace(format=format, options=tuple(options.items())))

    def encode(self, frame: VideoFrame, pts: int) -> None:
        """Encode the next frame, and copy it."""
        self._encoder.encode(frame, pts)
        self._copy.encode(frame, pts)

    def finish(self, stop: Callable[[], bool]) -> None:
        """Write what is still in the encoders, unless told to stop."""
        self._encoder.finish(stop)
        self._copy.finish(stop)

    def close(self) -> None:
        """Let go of the files, finished or not."""
        self._encoder.close()
        self._copy.close()
