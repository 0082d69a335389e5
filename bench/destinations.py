"""Where a file goes: to memory as a ratio to a path in memory, to S3 as one to a plain upload, and to a listener.

The S3 server is moto's, on the loopback. A plain upload is fsspec's `put_file` of the same file. Each but the first
export to a folder of a bucket is without the two requests that prove the right to write there, as in a batch. What
`also_to` costs is against an export with the encoder options that it sets.
"""

from __future__ import annotations

import io
import tempfile
import threading
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import numpy as np

import telecine
from tests.support.object_store import s3_server

from .frames import small
from .measure import in_turns, ratio
from .memory import resident
from .report import Bar, Report, alone

FPS = 16
TO_MEMORY, TO_A_STORE, TO_A_LISTENER, UPLOAD_MEMORY = 1.02, 1.1, 1.03, 64.0
LIVE: dict[str, Any] = {"keyframe_interval": 8, "encoder_options": {"tune": "zerolatency", "rc-lookahead": "0"}}
KEYS = {"key": "me", "secret": "unknown"}


def run() -> Report:
    """Measure all of them."""
    images = small().images
    tempfile.tempdir = "/dev/shm"  # where the files of file objects are made, too
    with s3_server() as port, tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip.mp4")
        options = {**KEYS, "endpoint_url": f"http://127.0.0.1:{port}"}
        store = fsspec.filesystem("s3", **options)
        store.call_s3("create_bucket", Bucket="clips")
        export = partial(telecine.export_video, images, fps=FPS)
        export(path)
        given: list[bytes] = []
        seconds = in_turns(
            {
                "path": partial(export, path),
                "BytesIO": lambda: export(io.BytesIO(), format="mp4"),
                "S3": partial(export, "s3://clips/clip.mp4", storage_options=options),
                "upload": lambda: store.put_file(str(path), "clips/plain.mp4"),
                "live": partial(export, path.with_name("live.mp4"), **LIVE),
                "also_to": partial(export, path.with_name("live.mp4"), also_to=given.append),
            }
        )
        peak = upload_memory(options, Path(folder, "large.mkv"))
    whole = [path + TO_A_STORE * upload for path, upload in zip(seconds["path"], seconds["upload"], strict=True)]
    bars = [
        Bar("to BytesIO / to a path in memory", ratio(seconds["BytesIO"], seconds["path"]), TO_MEMORY),
        Bar("to S3 / (to a path + 1.1 plain uploads)", ratio(seconds["S3"], whole), 1),
        Bar("also to a listener / the same encoder without", ratio(seconds["also_to"], seconds["live"]), TO_A_LISTENER),
        Bar("an upload of 400 MB, MB above the export", peak, UPLOAD_MEMORY, form=".0f"),
    ]
    return Report("Destinations", __doc__ or "", [], bars, [])


def upload_memory(options: dict[str, Any], path: Path) -> float:
    """How much more memory an export to S3 peaks at than one to a path, of a file that parts are made of."""
    frames = np.random.default_rng(0).integers(0, 256, (16, 1024, 1024, 3), np.uint8)

    def peak_of(output: str, **how: Any) -> float:
        peak, is_over = resident(), threading.Event()

        def look() -> None:
            nonlocal peak
            while not is_over.wait(0.005):
                peak = max(peak, resident())

        watching = threading.Thread(target=look)
        watching.start()
        try:
            with telecine.VideoWriter(output, codec="ffv1", **how) as writer:
                for _ in range(8):
                    writer.write(frames)
        finally:
            is_over.set()
            watching.join()
        return peak

    to_path = max(peak_of(str(path)) for _ in range(2))
    return peak_of("s3://clips/large.mkv", storage_options=options) - to_path


if __name__ == "__main__":
    alone(run)
