"""`VideoDatasink`: where Ray's `write_datasink` puts the clips of a data set."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Unpack

from ray.data import Datasink
from ray.data.block import Block, BlockAccessor
from ray.data.datasource.datasink import WriteResult

from ..errors import TelecineError
from ..frames.options import with_options
from ..output.options import ExportOptions
from .exporter import Exporter


@dataclass(frozen=True)
class Written:
    """How much was written."""

    clips: int
    frames: int
    bytes: int


@with_options(ExportOptions)
class VideoDatasink(Datasink[Written]):
    """Writes a column of clips as video files: `ds.write_datasink(VideoDatasink("s3://bucket/run", frames="video"))`.

    Afterwards its `written` tells how many clips, frames and bytes. Where a clip can't be written, the others of its
    task are, and the write fails. Each file is there whole or not at all, and to write again replaces it.

    Args:
        output: The folder or the URL under which clips go, which all nodes see.
        frames: The column of clips.
        template: The name of a clip without one in the column `output`; otherwise a hash of its content.
        attempts: How often a clip is tried whose error may pass.
        **options: Those of `export_video`, for all clips; a row's own come first.

    Raises:
        OptionError: an argument.
    """

    def __init__(
        self,
        output: str | os.PathLike[str],
        *,
        frames: str = "frames",
        template: str | None = None,
        attempts: int = 3,
        **options: Unpack[ExportOptions],
    ) -> None:
        self._exporter = Exporter(output, frames=frames, template=template, attempts=attempts, **options)
        self.written: Written | None = None

    def on_write_start(self, schema: Any = None) -> None:
        """Prove that the place can be written, before a clip is encoded.

        The schema is that of what Ray's tasks begin with, which may make the frames themselves: it tells nothing here.
        """
        self._exporter.place.prove()

    def write(self, blocks: Iterable[Block], ctx: object) -> Written:
        """Write blocks, in one of Ray's tasks. Raises TelecineError where clips failed, once all were tried."""
        clips = frames = size = 0
        errors = list[str]()
        for block in blocks:
            if BlockAccessor.for_block(block).num_rows():
                batch = self._exporter(BlockAccessor.for_block(block).to_batch_format("numpy"))
                clips += len(batch["error"])
                frames += int(batch["frames"].sum())
                size += int(batch["bytes"].sum())
                errors += [str(error) for error in batch["error"] if error]
        if errors:
            raise TelecineError(f"{len(errors)} of {clips} clips can't be written; the first: {errors[0]}")
        return Written(clips, frames, size)

    def on_write_complete(self, write_result: WriteResult[Written]) -> None:
        """Count what was written."""
        parts = [each for each in write_result.write_returns if each is not None]
        self.written = Written(
            sum(each.clips for each in parts), sum(each.frames for each in parts), sum(each.bytes for each in parts)
        )
