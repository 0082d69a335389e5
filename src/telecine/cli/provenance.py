"""`telecine provenance`: certificates for development, and what the manifests of files say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..provenance.certificates import make_development_chain
from ..provenance.report import read_provenance
from .options import DebugOption, TrustOption
from .tables import facts_of_provenance
from .terminal import print_facts, print_json, print_text

app = typer.Typer(help="Make a certificate for development, show a file's manifest.")

_CODES = {"valid": 0, "tampered": 1, "valid but untrusted": 3, "no manifest": 4}


@app.command("init")
def _init(
    folder: Annotated[Path, typer.Argument(help="The folder to make them in.")] = Path("provenance"),
    debug: DebugOption = False,
) -> None:
    """Make a certificate and a key for development."""
    files = make_development_chain(folder)
    print_facts(
        [
            ("certificate", str(files.certificate)),
            ("private key", f"{files.private_key}, which only you can read"),
            ("root", f"{files.root}, for provenance show --trust"),
        ]
    )
    print_text("For development only: no verifier trusts this chain. What it signs is shown as valid but untrusted.")


@app.command("show")
def _show(
    file: Annotated[str, typer.Argument(help="A video or a moving image, or its URL.")],
    trust: TrustOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with the whole manifest.")] = False,
    debug: DebugOption = False,
) -> None:
    """Show a file's manifest and whether it holds: exit code 0 valid, 1 tampered, 3 valid but untrusted, 4 none."""
    report = read_provenance(file, trust)
    if as_json:
        print_json(report)
    else:
        print_facts(facts_of_provenance(report))
    raise typer.Exit(_CODES[report.state])
