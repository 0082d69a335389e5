"""The command `telecine`: says which extra to install where the command line's libraries are missing."""

from __future__ import annotations

import os
import sys

from . import __version__
from .files.quiet import take_closed_standard_descriptors


def main() -> None:
    """Run the command line."""
    take_closed_standard_descriptors()
    sys.stdout, sys.stderr = (stream or open(os.devnull, "w") for stream in (sys.stdout, sys.stderr))  # noqa: SIM115
    if sys.argv[1:] == ["--version"]:  # at once: what the commands stand on takes three times as long
        print(f"telecine {__version__}")
        return
    try:
        import rich  # noqa: F401
        import typer  # noqa: F401
    except ImportError as error:
        sys.exit(f"telecine: the command needs {error.name}: pip install 'telecine[cli]'")
    from .cli.commands import run  # which needs them

    sys.exit(run())


if __name__ == "__main__":
    main()
