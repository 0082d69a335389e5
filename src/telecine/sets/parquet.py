"""Parquet: a row a clip, the bytes of its file in a column; and a manifest, which is such a table without them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from ..errors import MissingDependencyError
from .clips import Clip, prompt_of, seed_of

_ROW_GROUP = 64 << 20  # bytes of clips that are in memory at a time
_LARGEST = (1 << 31) - (1 << 20)  # bytes of one value: a page's size is an i32, in parquet.thrift's PageHeader
_ROWS = 10_000  # of the manifest, in memory at a time

# Those of the manifest, and of a set, which has the video between the path and the others.
_KNOWN = {
    "sha256": "string",
    "bytes": "int64",
    "width": "int32",
    "height": "int32",
    "fps": "string",  # a fraction, which Parquet has not
    "frames": "int64",
    "codec": "string",
    "prompt": "string",
    "seed": "uint64",
    "facts": "string",  # JSON: columns of their own would be others in each file
}
_OF_SET = {"path": "string", "video": "binary", **_KNOWN}
_OF_MANIFEST = {"path": "string", **_KNOWN, "status": "string", "error": "string", "shard": "string"}


def check_pyarrow() -> None:
    """Raise MissingDependencyError where pyarrow is missing."""
    try:
        import pyarrow.parquet  # noqa: F401  # the test itself
    except ImportError as error:
        raise MissingDependencyError("a training set or a manifest needs pip install 'telecine[batch]'") from error


class ParquetSet:
    """Packs clips into `{stem}-000000.parquet` and so on."""

    shard_bytes = 500_000_000  # as `datasets` has them, by its MAX_SHARD_SIZE
    is_one_whole = False

    def __init__(self, stem: str) -> None:
        self._stem = stem

    def names(self, number: int) -> tuple[str, ...]:
        """Give the name of a file."""
        return (f"{self._stem}-{number:06d}.parquet",)

    def problem_of_row(self, name: str, options: Mapping[str, Any]) -> str:
        """Give "": it may have any."""
        return ""

    def problem(self, clip: Clip) -> str:
        """Say that a clip is larger than a value of Parquet may be."""
        if clip.bytes <= _LARGEST:
            return ""
        return f"{clip.bytes} bytes are too many for a row of Parquet: use fewer than 2 GiB"

    def resume(self, clips: Iterable[Clip]) -> None:
        """Do nothing: a file tells nothing of others."""

    def pack(self, number: int, clips: Sequence[Clip], paths: Sequence[str]) -> None:
        """Write a file, a row group at a time, of at most 64 MiB or one clip."""
        (path,) = paths
        _write(path, _OF_SET, (map(_row, group) for group in _groups(clips)))

    def finish(self) -> Mapping[str, bytes]:
        """Give none."""
        return {}


def write_manifest(path: str, rows: Iterable[Mapping[str, object]]) -> None:
    """Write a table of what became of each job: rows of the columns above, but for `prompt` and `seed`.

    These are looked for in `facts`, which is JSON.
    """
    rows = ({**row, **_asked_for(json.loads(str(row["facts"])))} for row in rows)
    _write(path, _OF_MANIFEST, iter(lambda: list(islice(rows, _ROWS)), []))


def _asked_for(facts: Mapping[str, Any]) -> dict[str, object]:
    return {"prompt": prompt_of(facts), "seed": seed_of(facts)}


def _row(clip: Clip) -> dict[str, object]:
    with open(clip.path, "rb") as file:
        video = file.read()
    facts = json.dumps(clip.facts, sort_keys=True)
    return {**vars(clip), "path": clip.name, "video": video, **_asked_for(clip.facts), "facts": facts}


def _groups(clips: Iterable[Clip]) -> Iterator[list[Clip]]:
    group, size = list[Clip](), 0
    for clip in clips:
        if group and size + clip.bytes > _ROW_GROUP:
            yield group
            group, size = [], 0
        group.append(clip)
        size += clip.bytes
    if group:
        yield group


def _write(path: str, columns: Mapping[str, str], groups: Iterable[Iterable[Mapping[str, object]]]) -> None:
    import pyarrow
    from pyarrow import parquet

    schema = pyarrow.schema([(name, pyarrow.type_for_alias(type)) for name, type in columns.items()])
    text = [name for name in columns if name != "video"]  # which nothing makes smaller, and no statistics tell of
    compression = {name: "none" if name == "video" else "zstd" for name in columns}
    with parquet.ParquetWriter(
        path, schema, compression=compression, use_dictionary=text, write_statistics=text
    ) as writer:
        for group in groups:
            rows = [{name: row.get(name) for name in columns} for row in group]
            writer.write_table(pyarrow.Table.from_pylist(rows, schema))
