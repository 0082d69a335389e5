"""LeRobot's datasets of version 3: clips are episodes, joined into files of video, with tables of frames and episodes.

https://huggingface.co/docs/lerobot/lerobot-dataset-v3 describes the files; `lerobot/datasets` reads them.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from ..joining import concat
from .clips import Clip, prompt_of

_VIDEO = "observation.images.video"
_FILES_OF_A_FOLDER = 1000
_ONE_KIND = "LeRobot has videos of one kind"
_FILE = "chunk-{chunk_index:03d}/file-{file_index:03d}"
_VIDEO_PATH, _FRAMES_PATH = f"videos/{{video_key}}/{_FILE}.mp4", f"data/{_FILE}.parquet"
_EPISODES_PATH = f"meta/episodes/{_FILE}.parquet"
_OF_FRAMES = {
    "timestamp": "float32",
    "frame_index": "int64",
    "episode_index": "int64",
    "index": "int64",
    "task_index": "int64",
}
_OF_EPISODES = {
    "episode_index": "int64",
    "length": "int64",
    "dataset_from_index": "int64",
    "dataset_to_index": "int64",
    "data/chunk_index": "int64",
    "data/file_index": "int64",
    "meta/episodes/chunk_index": "int64",
    "meta/episodes/file_index": "int64",
    f"videos/{_VIDEO}/chunk_index": "int64",
    f"videos/{_VIDEO}/file_index": "int64",
    f"videos/{_VIDEO}/from_timestamp": "float64",
    f"videos/{_VIDEO}/to_timestamp": "float64",
    "tasks": "list",
    "path": "string",  # the manifest's
}
# As pandas has a column that is its index: LeRobot looks tasks up by it.
_OF_TASKS = [("task_index", "int64", "int64"), ("task", "unicode", "object")]
_INDEX_OF_TASKS = {
    "index_columns": ["task"],
    "column_indexes": [],
    "columns": [
        {"name": name, "field_name": name, "pandas_type": type, "numpy_type": held, "metadata": None}
        for name, type, held in _OF_TASKS
    ],
}


class LeRobot:
    """Packs clips into `videos/…/file-000.mp4` and so on, and the tables that go with each. Prompts are tasks."""

    shard_bytes = 200_000_000  # as LeRobot's own `video_files_size_in_mb`
    is_one_whole = True

    def __init__(self) -> None:
        self._first: Clip | None = None
        self._options: str | None = None
        self._lengths, self._tasks_of = list[int](), list[int]()  # of all episodes
        self._tasks: dict[str, int] = {}

    def names(self, number: int) -> tuple[str, ...]:
        """Give the names of a video, of a table of its frames, and of one of its episodes."""
        return tuple(
            name.format(video_key=_VIDEO, **_place(number)) for name in (_VIDEO_PATH, _FRAMES_PATH, _EPISODES_PATH)
        )

    def problem_of_row(self, name: str, options: Mapping[str, Any]) -> str:
        """Say why a job's clip can't be joined to others: its format, or options that are not those of the first."""
        if os.path.splitext(name)[1].lower() != ".mp4":
            return f"its output {name!r} is no .mp4, of which LeRobot's videos are"
        of_all = repr(sorted((name, value) for name, value in options.items() if name not in ("audio", "metadata")))
        self._options = self._options or of_all
        return "" if of_all == self._options else f"its options are others than those before it: {_ONE_KIND}"

    def problem(self, clip: Clip) -> str:
        """Say why a clip can't be an episode: each has the size, the whole frame rate and the codec of the first."""
        if Fraction(clip.fps).denominator != 1:
            return f"its {clip.fps} frames a second are no whole number, which LeRobot wants"
        self._first = self._first or clip
        kind, first = (f"{each.width}x{each.height} {each.codec} of {each.fps} fps" for each in (clip, self._first))
        return "" if kind == first else f"it is {kind}, and the set is {first}: {_ONE_KIND}"

    def resume(self, clips: Iterable[Clip]) -> None:
        """Take the episodes that there are."""
        for clip in clips:
            self._first = self._first or clip
            self._take(clip)

    def pack(self, number: int, clips: Sequence[Clip], paths: Sequence[str]) -> None:
        """Join a video, and write its tables."""
        video, frames, episodes = paths
        joined = concat([clip.path for clip in clips], video, audio=False, metadata={}, format="mp4")
        first, start = len(self._lengths), sum(self._lengths)
        tasks = [self._take(clip) for clip in clips]
        starts = list(accumulate((clip.frames for clip in clips), initial=start))
        of_frames = (
            (float(index / Fraction(clip.fps)), index, episode, before + index, task)
            for episode, (clip, before, task) in enumerate(zip(clips, starts, tasks, strict=False), first)
            for index in range(clip.frames)
        )
        _write(frames, _OF_FRAMES, of_frames)
        here = tuple(_place(number).values())
        of_episodes = (
            (episode, clip.frames, *span, *here * 3, *map(float, seconds), [_task_of(clip)], clip.name)
            for episode, (clip, span, seconds) in enumerate(
                zip(clips, pairwise(starts), joined.spans, strict=True), first
            )
        )
        _write(episodes, _OF_EPISODES, of_episodes)

    def finish(self) -> Mapping[str, bytes]:
        """Give the table of tasks, what is known of the columns, and `info.json`. Without a clip there is no set."""
        if self._first is None:
            return {}
        return {
            "meta/tasks.parquet": _tasks(self._tasks),
            "meta/stats.json": _json(self._statistics(int(self._first.fps))),
            "meta/info.json": _json(self._info(self._first)),
        }

    def _take(self, clip: Clip) -> int:
        """Count an episode, and give the number of its task."""
        task = self._tasks.setdefault(_task_of(clip), len(self._tasks))
        self._lengths.append(clip.frames)
        self._tasks_of.append(task)
        return task

    def _info(self, clip: Clip) -> dict[str, object]:
        video = {
            "dtype": "video",
            "shape": [clip.height, clip.width, 3],
            "names": ["height", "width", "channels"],
            "info": {
                "video.height": clip.height,
                "video.width": clip.width,
                "video.channels": 3,
                "video.codec": clip.codec,
                "video.fps": int(clip.fps),
                "has_audio": False,
            },
        }
        of_frames = {name: {"dtype": type, "shape": [1], "names": None} for name, type in _OF_FRAMES.items()}
        return {
            "codebase_version": "v3.0",
            "robot_type": None,
            "total_episodes": len(self._lengths),
            "total_frames": sum(self._lengths),
            "total_tasks": len(self._tasks),
            "chunks_size": _FILES_OF_A_FOLDER,
            "data_files_size_in_mb": 100,
            "video_files_size_in_mb": self.shard_bytes // 1_000_000,
            "fps": int(clip.fps),
            "splits": {"train": f"0:{len(self._lengths)}"},
            "data_path": _FRAMES_PATH,
            "video_path": _VIDEO_PATH,
            "features": {_VIDEO: video, **of_frames},
        }

    def _statistics(self, fps: int) -> dict[str, dict[str, list[float]]]:
        """Give those of the columns, over all frames. Of the pictures there is the count alone: none was decoded."""
        lengths = np.array(self._lengths, np.float64)
        # The sum of the numbers below n, and that of their squares.
        sums = (lengths * (lengths - 1) / 2).sum(), (lengths * (lengths - 1) * (2 * lengths - 1) / 6).sum()
        total = lengths.sum()
        indices = total * (total - 1) / 2, total * (total - 1) * (2 * total - 1) / 6
        episodes, tasks = np.arange(len(lengths)), np.array(self._tasks_of)
        columns = {
            "timestamp": (0, (lengths.max() - 1) / fps, sums[0] / fps, sums[1] / fps**2),
            "frame_index": (0, lengths.max() - 1, *sums),
            "episode_index": (0, episodes.max(), lengths @ episodes, lengths @ episodes**2),
            "index": (0, total - 1, *indices),
            "task_index": (0, tasks.max(), lengths @ tasks, lengths @ tasks**2),
        }
        return {_VIDEO: {"count": [total]}, **{name: _moments(total, *each) for name, each in columns.items()}}


def _moments(count: float, least: float, most: float, total: float, squares: float) -> dict[str, list[float]]:
    mean = total / count
    deviation = max(0.0, squares / count - mean**2) ** 0.5
    named = {"min": least, "max": most, "mean": mean, "std": deviation, "count": count}
    return {name: [float(value)] for name, value in named.items()}


def _json(value: object) -> bytes:
    return json.dumps(value, indent=4).encode()


def _place(number: int) -> dict[str, int]:
    return dict(zip(("chunk_index", "file_index"), divmod(number, _FILES_OF_A_FOLDER), strict=True))


def _task_of(clip: Clip) -> str:
    return prompt_of(clip.facts) or ""


def _write(path: str, columns: Mapping[str, str], rows: Iterable[tuple[object, ...]]) -> None:
    import pyarrow
    from pyarrow import parquet

    types = {name: pyarrow.list_(pyarrow.string()) if type == "list" else type for name, type in columns.items()}
    schema = pyarrow.schema(list(types.items()))
    table = pyarrow.Table.from_arrays(
        [pyarrow.array(column, each.type) for column, each in zip(zip(*rows, strict=True), schema, strict=True)],
        schema=schema,
    )
    parquet.write_table(table, path)


def _tasks(tasks: Mapping[str, int]) -> bytes:
    import pyarrow
    from pyarrow import parquet

    columns = {"task_index": pyarrow.array(list(tasks.values()), "int64"), "task": pyarrow.array(list(tasks), "string")}
    file = io.BytesIO()
    table = pyarrow.table(columns)
    parquet.write_table(table.replace_schema_metadata({"pandas": json.dumps(_INDEX_OF_TASKS)}), file)
    return file.getvalue()
