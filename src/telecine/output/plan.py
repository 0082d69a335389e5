"""From a writer's options to the plan of what it writes, of the kind that the path or the format says."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from ..deliver.target import Target
from ..errors import OptionError
from ..formats.choose import AnyFormat
from ..formats.containers import Container, PlaylistFormat
from ..formats.images import SequenceFormat
from ..metadata.tags import parse_metadata
from ..planes.convert import parse_background, parse_value_range
from ..support.notes import Notes
from ..support.rate import parse_fps
from .options import WriterOptions
from .protocol import Common, Plan
from .video import VideoPlan

if TYPE_CHECKING:
    from ..provenance.seal import Provenance, Seal


def plan_of(
    row: AnyFormat, options: WriterOptions, hold: Fraction | None, notes: Notes, target: Target | None = None
) -> Plan:
    """Check a writer's options against what is written, and try the encoder.

    Args:
        row: What is written.
        options: All of them.
        hold: How many seconds the last frame is shown, read.
        notes: Where what may surprise goes.
        target: Where it goes, if it is to be written.

    Raises:
        OptionError: one is wrong, or does not go with what is written.
    """
    metadata, provenance = options["metadata"], options["provenance"]
    common = Common(
        fps=parse_fps(options["fps"]),
        hold=hold,
        value_range=parse_value_range(options["value_range"]),
        background=parse_background(options["background"]),
        metadata=None if metadata is None else parse_metadata(metadata, notes),
        seal=None if provenance is None else _seal(provenance, row),
    )
    if isinstance(row, (Container, PlaylistFormat)):
        container = row if isinstance(row, Container) else row.segments
        return VideoPlan(container, common, options, notes, target)
    # Imported where images are written, which few do: Pillow's part of the import would be a tenth of it.
    if isinstance(row, SequenceFormat):
        from .image_folder import ImageFolderPlan  # start-up: Pillow, which videos have no need of

        return ImageFolderPlan(row, common, options, notes)
    from .moving_image import MovingImagePlan  # start-up: as above

    return MovingImagePlan(row, common, options, notes, target.outlet if target else None)


def _seal(provenance: Provenance, row: AnyFormat) -> Seal:
    if isinstance(row, (SequenceFormat, PlaylistFormat)):
        parts = "images" if isinstance(row, SequenceFormat) else "segments"
        raise OptionError(f"provenance= signs one file, and {row.name} is a folder of {parts}: leave it out")
    from ..provenance.seal import seal_of  # the extra `c2pa` is for those who sign

    return seal_of(provenance, row.name)
