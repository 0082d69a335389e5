"""`TelecinePlugin`: reads and writes videos for imageio. Importing this module lets it be named: plugin="telecine"."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from itertools import islice
from types import EllipsisType, TracebackType
from typing import Any, Unpack, cast

import numpy as np
import numpy.typing as npt

from ..errors import InputError, MissingDependencyError, OptionError
from ..files.files import Source
from ..formats.choices import FormatName
from ..formats.choose import output_of
from ..frames.options import with_options
from ..frames.recognise import Frames
from ..output.options import WriterOptions
from ..read.frames import read_frames, read_timestamps
from ..read.probe import probe
from ..writer import VideoWriter

try:
    from imageio.config.plugins import PluginConfig, known_plugins
    from imageio.core.request import URI_FILE, URI_FILENAME, InitializationError, IOMode, Request
    from imageio.core.v3_plugin_api import ImageProperties, PluginV3
except ImportError as error:
    raise MissingDependencyError("telecine.integrations.imageio needs pip install imageio") from error

Index = int | EllipsisType | None


class TelecinePlugin(PluginV3):
    """Reads frames by the video's colour, and writes: `iio.imwrite("a.mp4", frames, plugin="telecine", fps=16)`.

    A file is put at its path when it is closed, whole; a `with` that is left by an exception leaves the path as it was.
    For "<bytes>" and file objects give an `extension=".mp4"`.

    >>> import imageio.v3 as iio, numpy as np
    >>> video = iio.imwrite("<bytes>", np.zeros((8, 48, 64, 3), np.uint8), plugin="telecine", extension=".mp4", fps=16)
    >>> iio.improps(video, plugin="telecine").shape, iio.immeta(video, plugin="telecine")["fps"]
    ((8, 48, 64, 3), 16.0)
    """

    def __init__(self, request: Request, **options: Unpack[WriterOptions]) -> None:
        """Look at the file that is read, or at the name of the one to be written.

        Args:
            request: imageio's.
            **options: Those of `write`, which may be given to `imopen` too.

        Raises:
            InitializationError: it is no video of the kinds that are read, or its extension is none that is written.
        """
        super().__init__(request)
        self._options = options
        self._writer: VideoWriter | None = None  # once there are frames
        self._is_path = request._uri_type == URI_FILENAME
        if request.mode.io_mode == IOMode.write:
            try:
                self._format = output_of(f"clip{request.extension or ''}").name
            except OptionError as error:
                raise InitializationError(str(error)) from error
            self._memory = BytesIO()  # of "<bytes>" and of an archive, which get a file that is finished
            return
        if options:
            raise OptionError(f"{', '.join(options)}: options of reading go with read() and iter()")
        self._source: Source = request.get_local_filename() if self._is_path else request.get_file()
        try:
            self._info = probe(self._source)
        except InputError as error:
            raise InitializationError(str(error)) from error

    def read(self, *, index: Index = ..., **options: Any) -> npt.NDArray[Any]:
        """Read one frame, from 0 on, or with `...` all of them, stacked.

        Args:
            index: Which.
            **options: `alpha`, `light`, `primaries` and `rotate`, as of `telecine.read_frames`. Raises as that does.

        Raises:
            OptionError: the video has no such frame.
        """
        frames = read_frames(self._source, **options)
        if index is None or index is ...:
            return np.stack(list(frames))
        return next(islice(frames, self._checked(index), None))

    def iter(self, **options: Any) -> Iterator[npt.NDArray[Any]]:
        """Read frame by frame, with the options of `read`. Raises as that does."""
        yield from read_frames(self._source, **options)

    def properties(self, index: Index = ..., *, alpha: bool = False) -> ImageProperties:
        """Tell the shape of what `read` gives, with `alpha` or without."""
        shape, count = (self._info.height, self._info.width, 4 if alpha else 3), self._info.frame_count
        if index is None or index is ...:
            return ImageProperties((count, *shape), np.dtype(np.uint8), n_images=count, is_batch=True)
        self._checked(index)
        return ImageProperties(shape, np.dtype(np.uint8))

    def metadata(self, index: Index = ..., exclude_applied: bool = True) -> dict[str, Any]:
        """Tell what the file says of itself, and how it is encoded; of one frame its time in seconds."""
        if not (index is None or index is ...):
            return {"time": float(read_timestamps(self._source)[self._checked(index)])}
        info = self._info
        facts = {
            "codec": info.codec,
            "profile": info.profile,
            "video_format": info.pixel_format,
            "fps": float(info.fps),
            "duration": float(info.duration),
        }
        applied = {} if exclude_applied else {"rotation": info.rotation, "mirrored": info.mirrored}
        return {**info.metadata, **facts, **applied}

    @with_options(WriterOptions)
    def write(  # type: ignore[override]  # imageio's takes text and single numbers too
        self, ndimage: Frames, **options: Unpack[WriterOptions]
    ) -> bytes | None:
        """Write frames: one, a batch of them or an iterable; the next call's follow them.

        Args:
            ndimage: As for `telecine.export_video`.
            **options: Those below, with the first call.

        Raises:
            FrameError, OptionError, EncodeError, PublishError: as `telecine.VideoWriter` and its `write`.
        """
        if self._writer is None:
            given: WriterOptions = {"format": cast(FormatName, self._format), **self._options, **options}
            self._writer, self._options = VideoWriter(self._target(), **given), options
        elif options not in ({}, self._options):
            raise OptionError("the options of a video go with its first frames: leave them out after")
        self._writer.write(ndimage)
        if self.request.filename != "<bytes>":
            return None
        self._writer.close()
        return self._memory.getvalue()

    def close(self) -> None:
        """Finish the file. Raises as `telecine.VideoWriter.close`."""
        self.__exit__(None, None, None)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._writer is not None:
                self._writer.__exit__(kind, error, trace)
                if error is None and self._memory.getbuffer():
                    self.request.get_file().write(self._memory.getbuffer())
        finally:
            self._writer = None
            self.request.finish()

    def __del__(self) -> None:
        """Leave a file that was not closed to its writer, which tells of it."""

    def _checked(self, index: int) -> int:
        if not 0 <= index < self._info.frame_count:
            raise OptionError(f"index={index!r}: the video has frames 0 to {self._info.frame_count - 1}")
        return index

    def _target(self) -> Any:
        if self._is_path:
            return self.request.get_local_filename()
        return self.request.get_file() if self.request._uri_type == URI_FILE else self._memory


known_plugins["telecine"] = PluginConfig("telecine", TelecinePlugin.__name__, __name__)
