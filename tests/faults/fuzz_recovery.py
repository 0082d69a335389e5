"""What atheris drives, guided by the branches that an input takes in the parser: recovery of any bytes as a journal."""

from __future__ import annotations

import inspect
import resource
import sys
import tempfile
from pathlib import Path


def main() -> None:
    """Takes libFuzzer's arguments."""
    import atheris

    from telecine.container import boxes
    from telecine.encode import finish, journal_packets

    from ..support.journals import assert_recovers_or_says

    for module in (boxes, finish, journal_packets):
        for function in vars(module).values():
            if inspect.isfunction(function) and function.__module__ == module.__name__:
                atheris.instrument_func(function)

    def recover(data: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            assert_recovers_or_says(data, Path(folder, "clip.mp4"))

    # A sample count of `trun` makes FFmpeg take up to 3 GiB: here it is refused.
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    atheris.Setup(sys.argv, recover)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
