"""Puts 200 small clips into an S3 server that it starts here, in a batch that is stopped and goes on, and its report.

Run by `make demo-batch`, or: python -m examples.batch FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
from PIL import Image

import telecine
from telecine.cli.terminal import print_facts
from tests.support.object_store import s3_server

from .demo import sea_at_dusk

COUNT, FRAMES, SIDE, FPS = 200, 16, 192, 16
KEYS = {"key": "me", "secret": "unknown"}


def rows(folder: Path) -> list[dict[str, Any]]:
    """Make the frames of the clips, each a part of the scene, and give a row of each."""
    scene = [
        np.asarray(Image.fromarray((frame * 255).astype(np.uint8)).resize((340, SIDE)))
        for frame in list(sea_at_dusk())[::5][:FRAMES]
    ]
    found = []
    for index in range(COUNT):
        left = index * (340 - SIDE) // COUNT
        path = folder / f"{index:03}.npy"
        np.save(path, np.stack([frame[:, left : left + SIDE] for frame in scene]))
        found.append({"frames": str(path), "prompt": f"the sea at dusk, from window {index}", "seed": index})
    return found


def main(folder: Path) -> None:
    """Run half of the batch, then the rest, and say where the report is."""
    (folder / "frames").mkdir(parents=True, exist_ok=True)
    jobs, ledger, report = rows(folder / "frames"), folder / "ledger.sqlite", folder / "batch.html"
    ledger.unlink(missing_ok=True)
    with s3_server() as port:
        options = {**KEYS, "endpoint_url": f"http://127.0.0.1:{port}"}
        fsspec.filesystem("s3", **options).call_s3("create_bucket", Bucket="clips")
        how: dict[str, Any] = {
            "template": "{index:06d}-{prompt_slug}.mp4",
            "fps": FPS,
            "ledger": ledger,
            "storage_options": options,
        }
        telecine.export_batch(jobs, "s3://clips/sea", limit=COUNT // 2, **how)
        done = telecine.export_batch(jobs, "s3://clips/sea", report=report, **how)
        there = fsspec.filesystem("s3", **options).find("clips/sea")
    facts = [("clips", f"{done.done} of {done.total}"), ("done before", f"{done.skipped}"), ("in s3", f"{len(there)}")]
    print_facts([*facts, ("seconds", f"{done.seconds:.1f}"), ("report", str(report))])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
