"""demo: the whole job in a minute, on a made-up company."""

from __future__ import annotations

from typing import Annotated

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
) -> None:
    """
    Show the whole job in a minute, on a made-up company.

    Needs no configuration and no network, and touches nothing of yours: a sandbox stands
    in for Dataverse, and everything is in a temporary folder.
    """
    from syncd.cli.stage import perform

    perform(people, keep=keep, stop=context_of(context).stop)
