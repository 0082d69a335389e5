"""From a writer's options to the plan of what it writes, of the kind that the path or the format says."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

from ..color.color import parse_color
from ..deliver.target import Target
from ..encode.trial import EncoderMissingError, check_is_here, is_here
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
        if options["encoder"] == "auto":
            return _plan_of_first_that_opens(container, common, options, notes, target)
        return VideoPlan(container, common, options, notes, target)
    # Imported where images are written, which few do: Pillow's part of the import would be a tenth of it.
    if isinstance(row, SequenceFormat):
        from .image_folder import ImageFolderPlan  # start-up: Pillow, which videos have no need of

        return ImageFolderPlan(row, common, options, notes)
    from .moving_image import MovingImagePlan  # start-up: as above

    return MovingImagePlan(row, common, options, notes, target.outlet if target else None)


def _plan_of_first_that_opens(
    container: Container, common: Common, options: WriterOptions, notes: Notes, target: Target | None
) -> VideoPlan:
    """Plan a video with the usual encoder, or where FFmpeg has it not, with the first that does all that is asked."""
    from ..formats.encoders import candidates, licence_of  # start-up: few ask for it

    try:
        return VideoPlan(container, common, {**options, "encoder": None}, notes, target)
    except EncoderMissingError as error:
        color, codec = parse_color(options["color"]), options["codec"]
        usual, *others = candidates(container, codec, bool(color and color.hdr))
        if is_here(usual.encoder):
            raise
        without = {f"{usual.encoder} ({licence_of(usual.encoder)})": error.reason}
    for row in others:
        so_far, by_name = len(notes), WriterOptions({**options, "encoder": row.encoder})
        try:
            check_is_here(row)
            plan = VideoPlan(container, common, by_name, notes, target)
        except OptionError as error:
            del notes[so_far:]
            reason = error.reason if isinstance(error, EncoderMissingError) else str(error)
            without[row.encoder] = reason.replace(f"{row.encoder}: ", "").replace(row.encoder, "it")
        else:
            encoder = f"{row.encoder} ({licence_of(row.encoder)})"
            notes.add(f"encoded as {row.name} by {encoder}, the first that does it here: {_grouped(without)}")
            return plan
    other = "" if codec is None else f"; without codec={codec!r} another codec's may do"
    raise OptionError(f"encoder='auto' finds none that does it here: {_grouped(without)}{other}", page="encoders")


def _grouped(reasons: Mapping[str, str]) -> str:
    """Give names with what is said of them, those of the same together."""
    names = {said: ", ".join(name for name in reasons if reasons[name] == said) for said in reasons.values()}
    return "; ".join(f"{each}: {said}" for said, each in names.items())


def _seal(provenance: Provenance, row: AnyFormat) -> Seal:
    if isinstance(row, (SequenceFormat, PlaylistFormat)):
        parts = "images" if isinstance(row, SequenceFormat) else "segments"
        raise OptionError(
            f"provenance= signs one file, and {row.name} is a folder of {parts}: leave it out", page="provenance"
        )
    from ..provenance.seal import seal_of  # the extra `c2pa` is for those who sign

    return seal_of(provenance, row.name)
