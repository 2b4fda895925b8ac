"""demo: the whole job in a minute, on a made-up company."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from syncd.cli.program import app, context_of

__all__ = ["FEWEST", "demo"]

FEWEST = 50
"""With fewer people not everything that can be wrong is wrong with somebody."""


@app.command()
def demo(
    context: typer.Context,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave everything running afterwards, to play with.")
    ] = False,
    people: Annotated[
        int, typer.Option(min=FEWEST, metavar="N", help="How many the company has.")
    ] = 400,
    source: Annotated[
        Literal["csv", "ldap", "graph", "scim", "sql"],
        typer.Option(
            help=(
                "Where people come from: a file, a SQLite database, Graph as the sandbox shows it, "
                "or a server started for it: slapd (ldap), scim2-server (scim)."
            )
        ),
    ] = "csv",
) -> None:
    """
    Show the whole job in a minute, on a made-up company.

    Needs no configuration and no network, and touches nothing of yours: a sandbox stands
    in for Dataverse, and everything is in a temporary folder.

    With ldap the program slapd and syncd's extra of that name must be installed, with scim
    the package scim2-server; if they are not it says so, and ends with 64.
    """
    from syncd.cli.stage import perform

    perform(people, source, keep=keep, stop=context_of(context).stop)
