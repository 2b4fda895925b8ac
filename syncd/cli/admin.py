"""check-config and state: look after the program itself."""

from __future__ import annotations

from typing import Annotated

import typer

from syncd.cli.options import JsonOption
from syncd.cli.program import app, context_of

__all__ = ["state"]

state = typer.Typer(no_args_is_help=True, help="The state database: what is in it, and its schema.")
app.add_typer(state, name="state")


@app.command("check-config")
def check_config(
    context: typer.Context,
    as_json: JsonOption = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of the file, for editors.")
    ] = False,
) -> None:
    """Check the configuration, and print it with every default and without secrets."""
    from syncd.cli import upkeep

    if schema:
        upkeep.show_schema()
    else:
        upkeep.show_config(context_of(context).app.config, as_json=as_json)


@state.command("upgrade")
def upgrade_state(context: typer.Context) -> None:
    """Bring the schema of the state database up to what this syncd knows."""
    from syncd.cli import upkeep

    upkeep.upgrade_state(context_of(context).app.config)


@state.command("status")
def show_state(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show where the state is, how large it is, and when something last ran."""
    from syncd.cli import upkeep

    upkeep.show_state(context_of(context).app.config, as_json=as_json)
