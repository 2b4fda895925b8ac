"""sandbox: a Dataverse of your own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from syncd.cli.program import app

__all__ = ["sandbox"]

sandbox = typer.Typer(no_args_is_help=True, help="A Dataverse of your own, to play and to test.")
app.add_typer(sandbox, name="sandbox")

UrlArgument = Annotated[
    str, typer.Argument(metavar="URL", help="As `syncd sandbox serve` prints it.")
]


@sandbox.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes one that is free.")] = 0,
    load: Annotated[
        Path | None, typer.Option(metavar="WORLD.json", help="Rows, as `sandbox dump` writes them.")
    ] = None,
    db: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep the rows in this file.")
    ] = None,
    tls: Annotated[
        bool, typer.Option("--tls", help="Speak https; the second line names the certificate.")
    ] = False,
    faults: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What goes wrong, and when (JSON).")
    ] = None,
    messages: Annotated[
        Literal["all", "reference"],
        typer.Option(help="Take every message, or only what a table's reference page lists."),
    ] = "all",
    applications: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Registrations (JSON); requests then need tokens."),
    ] = None,
    protect: Annotated[
        bool, typer.Option("--protect", help="Hold to the documented service protection limits.")
    ] = False,
) -> None:
    """Serve a sandbox until it is stopped. The first line that it prints is its URL."""
    from syncd.sandbox import run_serve

    run_serve(host, port, load, db, tls, faults, messages, applications, protect)


@sandbox.command()
def dump(url: UrlArgument) -> None:
    """Print all rows of a running sandbox as JSON."""
    from syncd.sandbox import run_dump

    typer.echo(run_dump(url))


@sandbox.command()
def seed(
    url: UrlArgument,
    people: Annotated[int, typer.Option(min=1, metavar="N", help="How many are in HR.")] = 200,
    number: Annotated[
        int, typer.Option("--seed", metavar="S", help="Another number makes another company.")
    ] = 1,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where hr.csv and syncd.toml are written.")
    ] = Path(),
) -> None:
    """Fill a running sandbox with a made-up company, and write its HR file and a configuration."""
    from syncd.sandbox import run_seed

    files = run_seed(url, people, number, out)
    for file in files:
        typer.echo(str(file))
    typer.echo(f"try: syncd -c {files[-1]} plan", err=True)
