"""`generate_video`: a diffusers pipeline called, and its video on the disk as soon as it is decoded."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from .deliver.target import Output
from .errors import OptionError
from .models.frame_rates import recommended_fps
from .models.generation import generation_metadata
from .models.tap import OnUnstreamable, Pipeline, tap
from .output.options import WriterOptions
from .output.result import Video
from .writer import VideoWriter

_OPTIONS = frozenset(WriterOptions.__annotations__)


def generate_video(
    pipe: Pipeline,
    path: Output | None = None,
    *,
    export: WriterOptions | None = None,
    on_unstreamable: OnUnstreamable = "whole",
    **call: Any,
) -> Video:
    """Call a diffusers pipeline, and write its video while its VAE decodes it.

    All options are checked and the destination is written to before the pipeline is called.

    Args:
        pipe: The pipeline.
        path: As for `export_video`.
        export: Options of `VideoWriter`. Without them the frame rate is `recommended_fps(pipe)`, and the metadata
            `generation_metadata(pipe, **call)`.
        on_unstreamable: As for `tap`.
        **call: What the pipeline is called with, for one video.

    Raises:
        OptionError: an argument, an option of `VideoWriter` among those of the call, no frame rate is known for the
            pipeline, or it is called for several videos.
        TelecineError: as `tap` and `VideoWriter` raise it. What the pipeline raises passes through.

    >>> video = generate_video(pipe, "clip.mp4", prompt="a panda", num_frames=81)  # doctest: +SKIP
    """
    options = export or WriterOptions()
    _check_is_one(call)
    _check_has_no_options(call, pipe)
    if "fps" not in options:
        options = {**options, "fps": recommended_fps(pipe)}
    if "metadata" not in options:
        options = {**options, "metadata": generation_metadata(pipe, **{**call, "fps": options["fps"]})}
    with VideoWriter(path, **options) as writer, tap(pipe, writer, on_unstreamable=on_unstreamable):
        pipe(**call)
    return writer.video


def _check_is_one(call: Mapping[str, Any]) -> None:
    prompt, each = call.get("prompt"), call.get("num_videos_per_prompt") or 1
    count = each * (len(prompt) if isinstance(prompt, (list, tuple)) else 1)
    if count != 1:
        raise OptionError(f"the call is for {count} videos: call telecine.tap(pipe, writers) with a writer for each")


def _check_has_no_options(call: Mapping[str, Any], pipe: Pipeline) -> None:
    """Refuse options of the writer that the pipeline does not take, of which it would say only that."""
    parameters = inspect.signature(pipe).parameters if callable(pipe) else {}
    if any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        return
    misplaced = {name: value for name, value in call.items() if name in _OPTIONS and name not in parameters}
    if misplaced:
        raise OptionError(
            f"{type(pipe).__name__} takes no {' and no '.join(misplaced)}: for the file, pass export={misplaced}"
        )
