"""What is given as frames to be drawn, ordered or laid out: recognised, and read as the options say."""

from __future__ import annotations

from collections.abc import Iterator

from ..color.color import RGB
from ..frames.options import ArrayOptions
from ..frames.recognise import Frames, Recognizer
from ..frames.sources import open_source
from ..planes.convert import Conversion, parse_value_range
from ..planes.frame import Frame


def recognized(frames: Frames, options: ArrayOptions) -> Iterator[Frame]:
    """Recognise frames; nothing of an iterator is asked for yet. Raises as `open_source`, and of the options."""
    return Recognizer(options["layout"], options["channels"]).frames(open_source(frames).frames)


def reading(options: ArrayOptions) -> Conversion:
    """Tell what values mean. Raises OptionError."""
    return Conversion(RGB, parse_value_range(options["value_range"]))
