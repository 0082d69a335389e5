"""`TelecineWriter`: saves Matplotlib's animations. To import this module registers it there as "telecine"."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Annotated, Any, Self, Unpack

import numpy as np

from ..errors import MissingDependencyError, OptionError
from ..formats.choose import output_of
from ..formats.images import MovingImageFormat, SequenceFormat
from ..frames.options import VIDEO, Option, complete, part, with_options
from ..output.options import WriterOptions
from ..output.result import Video
from ..planes.pixel_formats import has_alpha
from ..support.rate import FrameRate
from ..writer import VideoWriter

try:
    from matplotlib import rc_context
    from matplotlib.animation import AbstractMovieWriter, writers
except ImportError as error:
    raise MissingDependencyError("telecine.integrations.matplotlib needs pip install matplotlib") from error

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..deliver.target import Output

_KILO = 1000  # bits: Matplotlib's unit of a bit rate


class AnimationOptions(WriterOptions, total=False):
    """What a `TelecineWriter` takes: a `VideoWriter`'s options, with the bit rate in Matplotlib's unit."""

    bitrate: Annotated[
        int | None,
        Option(None, """Kilobits per second, as Matplotlib has it, in place of a crf; -1 is none.""", VIDEO),
    ]


@writers.register("telecine")
@with_options(AnimationOptions)
class TelecineWriter(AbstractMovieWriter):
    """Writes an animation's frames to what `VideoWriter` writes: `animation.save("a.mp4", writer="telecine")`.

    Options are checked before the first frame is drawn. Frames are the figure's pixels, one at a time. An animation
    that fails leaves the path as it was. Transparency is kept in GIF, WebP, APNG and AVIF, and in a video whose
    `pixel_format` has alpha; other figures are drawn on white, as Matplotlib does for all of its writers.

    Args:
        rate: The frame rate, by position, as Matplotlib gives it: that of the animation's interval. Or `fps=`.
        **options: Those below.

    Raises:
        OptionError: an argument, here or once the path is known.

    >>> import os, tempfile
    >>> from matplotlib.animation import FuncAnimation
    >>> from matplotlib.figure import Figure
    >>> figure = Figure(figsize=(0.64, 0.48), dpi=100)
    >>> animation = FuncAnimation(figure, lambda index: figure.suptitle(index), frames=8, interval=40)
    >>> animation.save(os.path.join(tempfile.mkdtemp(), "a.mp4"), writer=(writer := TelecineWriter(fps=25)))
    >>> writer.video.frame_count, writer.video.width, writer.video.height, writer.video.duration
    (8, 64, 48, Fraction(8, 25))
    """

    def __init__(self, rate: "FrameRate | None" = None, /, **options: Unpack[AnimationOptions]) -> None:
        if "extra_args" in options:
            raise OptionError("extra_args= are for the ffmpeg program: use encoder_options={'name': value}")
        given = complete(AnimationOptions, options, "TelecineWriter")
        if rate is not None:
            given["fps"] = rate
        bitrate = given["bitrate"]
        given["bitrate"] = None if bitrate in (None, -1) else bitrate * _KILO
        given["layout"] = "HWC"
        self._options = part(WriterOptions, given)

    @classmethod
    def isAvailable(cls) -> bool:  # noqa: N802  # Matplotlib's name
        """Tell that it needs no program."""
        return True

    @property
    def video(self) -> Video:
        """The finished video. Raises TelecineError before the animation is saved."""
        return self._writer.video

    def setup(self, fig: "Figure", outfile: "Output", dpi: float | None = None) -> None:
        """Open the file, of whatever place a `VideoWriter` takes. Raises as that does."""
        self.fig, self.dpi = fig, fig.dpi if dpi is None else dpi
        self._inches = tuple(fig.get_size_inches())
        self._writer = VideoWriter(outfile, **self._options)
        self._outfile = outfile[-1] if isinstance(outfile, tuple) else outfile

    def grab_frame(self, **savefig_kwargs: Any) -> None:
        """Draw the figure and write its pixels. Raises as `VideoWriter.write`, and OptionError for what sets a size."""
        for name in ("dpi", "bbox_inches", "format"):
            if name in savefig_kwargs:
                raise OptionError(f"savefig's {name}= is not accepted, for all frames are of one size and pixels")
        self.fig.set_size_inches(*self._inches)
        pixels = BytesIO()
        with rc_context({"savefig.bbox": None}):
            self.fig.savefig(pixels, format="rgba", dpi=self.dpi, **savefig_kwargs)
        width, height = self.frame_size
        self._writer.write(np.frombuffer(pixels.getbuffer(), np.uint8).reshape(height, width, 4))

    def finish(self) -> None:
        """Finish the file. Raises as `VideoWriter.close`."""
        self._writer.close()

    @contextmanager
    def saving(self, fig: "Figure", outfile: "Output", dpi: float | None) -> Iterator[Self]:
        """Have the file open as long as the `with`: Matplotlib's own would finish it after an error too."""
        self.setup(fig, outfile, dpi)
        with self._writer:
            yield self

    def _supports_transparency(self) -> bool:
        """Tell Matplotlib, which asks after `setup`, not to put white behind the figure."""
        if self._options["pixel_format"] is not None:
            return has_alpha(self._options["pixel_format"])
        named = self._outfile if isinstance(self._outfile, (str, os.PathLike)) else ""
        row = output_of(named, self._options["format"])
        return isinstance(row, MovingImageFormat) or (isinstance(row, SequenceFormat) and row.alpha)
