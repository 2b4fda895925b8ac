"""init: a configuration to begin with, from a few answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from syncd.cli.program import app, context_of

__all__ = ["init"]

TYPES = "csv, jsonl, sql, ldap, graph, scim, http-json"


@app.command()
def init(
    context: typer.Context,
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--source",
            "-s",
            metavar="TYPE[=PLACE]",
            help=f"Where people come from: {TYPES}; with a path or an address. May be repeated.",
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="The Dataverse environment, or a sandbox."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="What to call it; its host name's first part."),
    ] = None,
    auth: Annotated[
        str | None,
        typer.Option(
            "--auth",
            metavar="METHOD",
            help="client-secret, certificate, federated, managed-identity, none (a sandbox).",
        ),
    ] = None,
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="ID", help="The directory (tenant).")
    ] = None,
    client: Annotated[
        str | None, typer.Option("--client", metavar="ID", help="The application (client) id.")
    ] = None,
    proof: Annotated[
        str | None,
        typer.Option("--proof", metavar="FILE", help="The certificate, or the federated token."),
    ] = None,
    base: Annotated[
        str | None, typer.Option("--base", metavar="DN", help="Where people are in a directory.")
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", metavar="NAME", help="Who reads the directory.")
    ] = None,
    query: Annotated[
        str | None, typer.Option("--query", metavar="SELECT", help="What a database is asked.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="The profile of the first rule.")
    ] = None,
    when: Annotated[
        str | None, typer.Option("--when", metavar="CEL", help="Who gets it, as an expression.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where to write: syncd.toml; - prints it."
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing; take what is usual.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """
    Write a configuration that works, with a comment for every part.

    Asks what the options do not say, on a terminal. Secrets are left to environment variables,
    which it names. It looks at a file's columns; neither a source nor the environment is asked.
    """
    from syncd.cli import drafting

    file = output or context_of(context).path or Path("syncd.toml")
    drafting.write(
        {
            "source": source or [], "url": url, "name": name, "auth": auth, "tenant": tenant,
            "client": client, "proof": proof, "base": base, "user": user, "query": query,
            "profile": profile, "when": when,
        },
        file,
        ask=not yes,
        force=force,
    )  # fmt: skip
