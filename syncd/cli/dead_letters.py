"""dead-letters: changes that failed; what waits for its next try, and what was given up."""

from __future__ import annotations

from typing import Annotated

import typer

from syncd.cli.options import EnvironmentOption, JsonOption
from syncd.cli.program import app, context_of

__all__ = ["dead_letters"]

dead_letters = typer.Typer(
    no_args_is_help=True,
    help="Changes that failed too long: look at them, try them again, or let them be.",
)
app.add_typer(dead_letters, name="dead-letters")

RowArgument = Annotated[
    str | None,
    typer.Argument(metavar="[ROW]", help="The id of the row, or its beginning: only this one."),
]
CauseOption = Annotated[
    str | None,
    typer.Option("--cause", metavar="CAUSE", help="All with this cause, as `list` shows it."),
]
EverythingOption = Annotated[bool, typer.Option("--all", help="All that there are.")]
ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; it goes into the audit log.")
]


@dead_letters.command("list")
def list_dead_letters(
    context: typer.Context,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Also what waits for its next try, and what was discarded."),
    ] = False,
    cause: CauseOption = None,
    environment: EnvironmentOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the changes that failed for so long that nobody tries them any more."""
    from syncd.cli.letters import show

    app = context_of(context).app
    show(app, environment, cause, everything=everything, as_json=as_json)


@dead_letters.command("explain")
def explain_dead_letter(
    context: typer.Context,
    row: Annotated[str, typer.Argument(metavar="ROW", help="The id of the row, or its beginning.")],
    environment: EnvironmentOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say everything about a change that failed: whose it is, what was answered, each try."""
    from syncd.cli.letters import explain

    explain(context_of(context).app, environment, row, as_json=as_json)


@dead_letters.command("retry")
def retry_dead_letters(
    context: typer.Context,
    reason: ReasonOption,
    row: RowArgument = None,
    cause: CauseOption = None,
    everything: EverythingOption = False,
    environment: EnvironmentOption = None,
) -> None:
    """
    Let the next run send them again, as if they had never failed.

    With a cause or [bold]--all[/bold] also those that wait for their next try.
    """
    from syncd.cli.letters import Choice, retry

    retry(context_of(context).app, environment, Choice(row, cause, everything), reason)


@dead_letters.command("discard")
def discard_dead_letters(
    context: typer.Context,
    reason: ReasonOption,
    row: RowArgument = None,
    cause: CauseOption = None,
    everything: EverythingOption = False,
    environment: EnvironmentOption = None,
) -> None:
    """
    Let them be, for as long as the same is planned for their rows.

    What waits for its next try is discarded by its id only.
    """
    from syncd.cli.letters import Choice, discard

    discard(context_of(context).app, environment, Choice(row, cause, everything), reason)
