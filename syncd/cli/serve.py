"""sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from syncd.cli.program import app

sandbox = typer.Typer(no_args_is_help=True, help="A Dataverse of your own, to play and to test.")
app.add_typer(sandbox, name="sandbox")


@sandbox.command()
def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    load: Path | None = None,
    db: Path | None = None,
    tls: bool = False,
    faults: Path | None = None,
) -> None:
    """Serve a sandbox."""
    from syncd.sandbox.commands import run_serve

    run_serve(host, port, load, db, tls, faults)
