"""The command on a terminal of its own."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path


def on_a_terminal(
    *arguments: str | bytes, term: str, columns: int, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command on a terminal of a kind and a width: its exit code, and all that the terminal gets."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": term, "COLUMNS": str(columns)}
    asked = [sys.executable, "-m", "telecine", *arguments]
    with subprocess.Popen(asked, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=folder) as process:
        os.close(theirs)
        seen = b""
        try:
            while part := os.read(ours, 65536):
                seen += part
        except OSError:  # Linux says so that the other end is closed
            pass
        os.close(ours)
    # The terminal's driver makes \r\n of each end of a line.
    return subprocess.CompletedProcess(asked, process.returncode, seen.decode().replace("\r\n", "\n"))
