"""doctor, inspect: look at an environment itself. Nothing here changes anything."""

from __future__ import annotations

from typing import Annotated

import typer

from syncd.cli.options import EnvironmentOption, JsonOption
from syncd.cli.program import app, context_of
from syncd.cli.turns import turns

__all__ = ["doctor", "inspect"]


@app.command()
def doctor(
    context: typer.Context, environment: EnvironmentOption = None, as_json: JsonOption = False
) -> None:
    """
    Say whether everything is there that syncd needs in an environment, and what to do if not.

    Signs in, and looks at the organization, the tables, the rights of the application user, the
    profiles that rules name, the clock, and how long answers take. Ends with 5 if anything fails.
    """
    from syncd.cli import looking

    shared = context_of(context)
    names = shared.app.names(environment)
    raise typer.Exit(
        turns(
            shared,
            names,
            lambda name: looking.examine(shared.app, name, as_json=as_json),
            as_json=as_json,
        )
    )


@app.command()
def inspect(
    context: typer.Context,
    reference: Annotated[
        str,
        typer.Argument(
            metavar="USER|ROW", help="User name, mail, user id, object id, or the id of a row."
        ),
    ],
    environment: EnvironmentOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Show a user's rows, or one row, with everything in the environment that refers to them.

    System jobs, failures of bulk deletes, sync errors, sessions, mailbox folders, shared columns,
    teams and what they bring, the old field on the user, who made and who changed it last.
    """
    from syncd.cli import surroundings

    shared = context_of(context)
    names = shared.app.names(environment)
    raise typer.Exit(surroundings.inspect(shared, names, reference, as_json=as_json))
