"""check-config and state: look after the program itself."""

from __future__ import annotations

from pathlib import Path
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


@state.command("backup")
def backup_state(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the copy is to be.")],
    force: Annotated[bool, typer.Option("--force", help="Write over a file of that name.")] = False,
) -> None:
    """
    Copy the whole state into one file, while a daemon works, too.

    The file can be restored onto SQLite and onto PostgreSQL. It holds names and addresses.
    """
    from syncd.cli import vault

    shared = context_of(context)
    vault.back_up(shared.app, file, force=force)


@state.command("restore")
def restore_state(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="As `state backup` made it.")],
    force: Annotated[
        bool,
        typer.Option("--force", help="Also where there is a state; that one is kept in a file."),
    ] = False,
) -> None:
    """
    Put a backup in the place of the state. Stop all daemons first.

    The next run reads everything anew; passes and accepted reads are over.
    """
    from syncd.cli import vault

    vault.put_back(context_of(context).app, file, force=force)


@state.command("check")
def check_state(context: typer.Context, as_json: JsonOption = False) -> None:
    """
    Say whether the state can be trusted: file, tables, references, journal, backup.

    Ends with 70 if it is damaged, with 64 if it belongs to a newer syncd. Changes nothing.
    """
    from syncd.cli import checkup

    raise typer.Exit(checkup.examine(context_of(context).app, as_json=as_json))


@state.command("purge")
def purge_state(
    context: typer.Context,
    environment: Annotated[
        str | None,
        typer.Option(
            "--environment",
            "-e",
            metavar="NAME",
            help="Forget this environment, configured or not; syncd then adopts anew there.",
        ),
    ] = None,
    older: Annotated[
        int | None,
        typer.Option(
            "--older-than",
            metavar="DAYS",
            min=1,
            help="Delete runs and plans that are older, though `keep_days` keeps them.",
        ),
    ] = None,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; it goes into the audit log.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do it; otherwise it is only shown.")] = False,
) -> None:
    """
    Forget environments and sources that the configuration no longer names.

    Shows what goes and what that means; with [bold]--yes[/bold] it goes. The audit log stays.
    """
    from syncd.cli import purging

    wish = purging.Wish(environment, older, reason, yes=yes)
    purging.purge(context_of(context).app, wish)
