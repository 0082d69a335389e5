"""`Exporter`: writes the clips of a pipeline's batches, as a stage of Ray's `map_batches` or in any other loop."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, TypeAlias, Unpack

import numpy as np

from ..batch.identity import identity_of
from ..batch.jobs import problem_of
from ..batch.names import Names
from ..batch.run import options_for_all
from ..engines.pending import delay_after
from ..engines.place import Place
from ..engines.work import Job, Outcome, perform
from ..errors import OptionError, TelecineError
from ..formats.choose import extension_of, output_of
from ..frames.options import complete, options_of, with_options
from ..output.options import ExportOptions

Batch: TypeAlias = Mapping[str, Any]
Row: TypeAlias = dict[str, Any]

_FACTS = [each.name for each in fields(Outcome) if each.name not in ("seconds", "may_pass")]
_TEXTS = {"sha256", "fps", "codec", "error"}

_proved = set[str]()  # the places at which this process has proved that it can write


@with_options(ExportOptions)
class Exporter:
    """Writes the clips of a batch, which is columns by their names, and gives the batch with facts in their stead.

    A column that is named as an option is that option for its row, and the column `output` has the clip's name.
    Nothing is written before the first batch.

    Args:
        output: The folder or the URL under which clips go, which all nodes see.
        frames: The column of clips, each of which is what `export_video` takes.
        template: The name of a clip that has none, of its row's columns: "{id:06d}-{prompt_slug}.mp4". Without one it
            is a hash of its frames and options.
        attempts: How often a clip is tried whose error may pass.
        **options: Those of `export_video`, for all clips; a row's own come first.

    Raises:
        OptionError: an argument.

    >>> import numpy as np, tempfile
    >>> write = Exporter(tempfile.mkdtemp(), frames="video", template="{seed}.mp4", fps=8)
    >>> batch = write({"video": np.zeros((1, 8, 48, 64, 3), np.uint8), "seed": np.array([7])})
    >>> batch["seed"], batch["frames"], batch["error"]
    (array([7]), array([8]), array([''], dtype='<U1'))
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
        self.place = Place.of(output, options.get("storage_options"))
        self.frames = frames
        self._names, self._has_template = Names(template), template is not None
        complete(ExportOptions, options, "Exporter")
        self._attempts, self._options = attempts, options_for_all(options)
        form = self._options.get("format")
        if (template or form) and (said := problem_of(template or "", self._options)):
            raise OptionError(said)

    def __call__(self, batch: Batch) -> dict[str, Any]:
        """Write clips, and give the columns without them, with path, sha256, bytes, frames, fps, width, height, codec.

        A clip that can't be written has its reason in the column `error`, which is empty for the others.

        Raises:
            OptionError: the batch has no column of frames, or is none of columns.
            PublishError: nothing can be written there.
        """
        if not isinstance(batch, Mapping):
            raise OptionError(f"a batch is a {type(batch).__name__}: use batch_format='numpy', for columns by names")
        if self.frames not in batch:
            raise OptionError(f"a batch has no column {self.frames!r} but {', '.join(batch)}: say frames=, which it is")
        self._prove()
        _take_share()
        written = list(self._written(_rows(batch, len(batch[self.frames]))))
        kept = {name: column for name, column in batch.items() if name != self.frames}
        facts = {
            name: np.array([getattr(outcome, name) for _, outcome in written], str if name in _TEXTS else np.int64)
            for name in _FACTS
        }
        return {**kept, "path": np.array([path for path, _ in written], str), **facts}

    def _prove(self) -> None:
        if self.place.prefix not in _proved:
            self.place.prove()
            _proved.add(self.place.prefix)

    def _written(self, rows: Iterator[Row]) -> Iterator[tuple[str, Outcome]]:
        seen = set[str]()
        for row in rows:
            try:
                job = self._job(row)
                if job.output in seen and "output" in row:
                    raise OptionError(f"its output {job.output!r} is that of another clip too")
            except (TelecineError, TypeError) as error:
                yield "", Outcome(0, error=str(error))
            else:
                seen.add(job.output)
                outcome = self._outcome(job)
                yield "" if outcome.error else self.place.path_of(job.output), outcome

    def _job(self, row: Row) -> Job:
        frames = row.pop(self.frames)
        if isinstance(frames, np.ndarray) and frames.dtype == object:
            frames = list(frames)  # images, or frames that are arrays themselves
        options = {name: row[name] for name in options_of(ExportOptions) if name in row}
        job = Job(0, frames, "", options, None, row)
        name = self._names.name(None, row) if "output" in row or self._has_template else self._name_of_content(job)
        return Job(0, frames, name, options, None, row, self.place.stores)

    def _name_of_content(self, job: Job) -> str:
        if not isinstance(job.frames, (np.ndarray, str)):
            raise OptionError("its name can't be made of its frames: name it in a column output, or give a template")
        row = output_of("clip.mp4", job.options.get("format") or self._options.get("format"))
        return identity_of(job, self._options) + extension_of(row)

    def _outcome(self, job: Job) -> Outcome:
        number = 1
        while (outcome := perform(job, self.place, self._options)).may_pass and number < self._attempts:
            time.sleep(delay_after(number))
            number += 1
        return outcome


def _rows(batch: Batch, count: int) -> Iterator[Row]:
    """Give the rows of columns, each without what it lacks."""
    for index in range(count):
        row = {name: _plain(column[index]) for name, column in batch.items()}
        yield {name: value for name, value in row.items() if value is not None}


def _plain(value: Any) -> Any:
    """Give a value of NumPy's as Python's; none for the NaN that stands for none in a column of numbers."""
    plain = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and plain != plain else plain


def _take_share() -> None:
    """Use as many processors as Ray has given, if this is a task of Ray's."""
    if sys.modules.get("ray") is not None:
        from ..engines.on_ray import take_share  # start-up: it imports Ray, which is there then

        take_share()
