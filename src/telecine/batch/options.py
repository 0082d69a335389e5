"""The options of a batch, each written once: see `frames.options`. Behind them come those of its exports."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from ..frames.options import Option
from ..output.options import ExportOptions

if TYPE_CHECKING:
    from .run import Listener

EngineName = Literal["local", "ray"]
SetName = Literal["webdataset", "parquet", "lerobot"]
Shard = tuple[int, int]


class BatchOptions(ExportOptions, total=False):
    """What `export_batch` takes beside the jobs and where they go."""

    engine: Annotated[
        EngineName, Option("local", """"local", processes of this machine; or "ray", a cluster of Ray's.""")
    ]
    address: Annotated[
        str | None,
        Option(
            None,
            """That of Ray's cluster, or "auto" for the one that is found. Without one, what Ray is connected to or
            `RAY_ADDRESS` names, or else one that is started here and ended with the run.""",
        ),
    ]
    resources: Annotated[
        "Mapping[str, object] | None",
        Option(
            None,
            """What a job takes of a node of Ray's: {"num_cpus": 1}, with "num_gpus", "memory" in bytes, "resources" by
            names, "scheduling_strategy" or "runtime_env".""",
        ),
    ]
    to: Annotated[
        SetName | None,
        Option(
            None,
            """"webdataset", "parquet" or "lerobot" packs the clips into files of a training set, in the order of the
            rows.""",
        ),
    ]
    shard_bytes: Annotated[int | None, Option(None, """How many bytes of clips such a file has at most.""")]
    manifest: Annotated[
        bool,
        Option(
            False,
            """Whether "manifest.parquet" is written, which tells of each clip. A training set has it in any case.""",
        ),
    ]
    template: Annotated[
        str | None,
        Option(
            None,
            """The name of an output whose row has none, of the row's columns: "{index:06d}-{prompt_slug}.mp4".""",
        ),
    ]
    ledger: Annotated[
        "str | os.PathLike[str] | None",
        Option(
            None,
            """The SQLite file that says what is done. Without one, "telecine-ledger.sqlite" in the folder, or for a URL
            here.""",
        ),
    ]
    workers: Annotated[int | None, Option(None, """How many processes work; without, one for each processor.""")]
    memory: Annotated[int | None, Option(None, """How many bytes they may have together.""")]
    attempts: Annotated[int, Option(3, """How often a job is tried whose error may pass, or whose process died.""")]
    limit: Annotated[int | None, Option(None, """How many jobs at most are done now.""")]
    shard: Annotated[Shard | None, Option(None, """(i, n): of n runs this is the one of number i, from 0 on.""")]
    retry_failed: Annotated[bool, Option(False, """Whether jobs are tried that an earlier run has set aside.""")]
    fail_fast: Annotated[bool, Option(False, """Whether the first failure ends the run.""")]
    dry_run: Annotated[bool, Option(False, """Whether rows and inputs are looked at, and nothing is done.""")]
    report: Annotated[
        "str | os.PathLike[str] | None",
        Option(None, """Where a page of HTML goes that shows what became of the ledger's jobs."""),
    ]
    listener: Annotated[
        "Listener | None",
        Option(
            None,
            """A function that is given each entry of the ledger as it is written, and what the batch did by then.""",
        ),
    ]
