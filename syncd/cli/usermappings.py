"""usermappings: rows that count for a whole organization; never part of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from syncd.cli.options import EnvironmentOption, JsonOption
from syncd.cli.program import app, context_of
from syncd.cli.turns import turns

if TYPE_CHECKING:
    from syncd.app import App

__all__ = ["usermappings"]

usermappings = typer.Typer(
    no_args_is_help=True,
    help="Which claims SharePoint gets of users: counts for a whole organization, never in a run.",
)
app.add_typer(usermappings, name="usermappings")


@usermappings.command("list")
def list_mappings(
    context: typer.Context, environment: EnvironmentOption = None, as_json: JsonOption = False
) -> None:
    """Show the rows that there are, and which of them the configuration declares."""
    from syncd.cli import mappings

    _each(context, environment, lambda a, name: mappings.show(a, name, as_json=as_json), as_json)


@usermappings.command("plan")
def plan_mappings(
    context: typer.Context, environment: EnvironmentOption = None, as_json: JsonOption = False
) -> None:
    """Say what [bold]apply[/bold] would change; change nothing."""
    from syncd.cli import mappings

    _each(context, environment, lambda a, name: mappings.plan(a, name, as_json=as_json), as_json)


@usermappings.command("apply")
def apply_mappings(
    context: typer.Context,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask; you have seen what plan says.")
    ] = False,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; it goes into the audit log.")
    ] = "as the configuration declares",
    environment: EnvironmentOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Make the rows what the configuration declares, after asking.

    This changes SharePoint authentication for the whole organization.
    """
    from syncd.cli import mappings

    def work(program: App, name: str) -> int:
        return mappings.apply(program, name, reason=reason, yes=yes, as_json=as_json)

    mappings.allowed(context_of(context).app)
    mappings.confirmable(yes=yes)
    _each(context, environment, work, as_json)


def _each(
    context: typer.Context,
    environment: str | None,
    work: Callable[[App, str], int],
    as_json: bool,  # an option, passed on
) -> None:
    from syncd.cli import mappings

    shared = context_of(context)
    mappings.allowed(shared.app)
    names = shared.app.names(environment)
    raise typer.Exit(turns(shared, names, lambda name: work(shared.app, name), as_json=as_json))
