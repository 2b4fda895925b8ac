"""doctor: look at an environment itself. Nothing here changes anything."""

from __future__ import annotations

import typer

from syncd.cli.options import EnvironmentOption, JsonOption
from syncd.cli.program import app, context_of
from syncd.cli.turns import turns

__all__ = ["doctor"]


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
