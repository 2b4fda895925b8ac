"""
What operators decide (behaviour.md section 11).

What a command does is in the module that is named like its group.
"""

from __future__ import annotations

from typing import Annotated

import typer

from syncd.cli.options import MOST, EnvironmentOption, JsonOption
from syncd.cli.program import app, context_of

__all__ = ["conflicts", "holds", "links", "passes", "sources"]

conflicts = typer.Typer(
    no_args_is_help=True, help="Users whose rows contradict each other, and who wins."
)
links = typer.Typer(no_args_is_help=True, help="Whose user is whose, where the sources cannot say.")
holds = typer.Typer(no_args_is_help=True, help="Users whom nothing may change for a while.")
sources = typer.Typer(no_args_is_help=True, help="What was read of the sources, and believed.")
passes = typer.Typer(no_args_is_help=True, help="Let one larger change through a gate, once.")
app.add_typer(conflicts, name="conflicts")
app.add_typer(links, name="links")
app.add_typer(holds, name="holds")
app.add_typer(sources, name="sources")
app.add_typer(passes, name="passes")

ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; it goes into the audit log.")
]
UserArgument = Annotated[
    str, typer.Argument(metavar="USER", help="User name, mail, object id or id of the user.")
]
PersonArgument = Annotated[
    str, typer.Argument(metavar="PERSON", help="The key of the person in the sources.")
]
SourceArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="The source, as the configuration names it.")
]


# --- conflicts ------------------------------------------------------------------------------


@conflicts.command("list")
def list_conflicts(
    context: typer.Context,
    everything: Annotated[
        bool, typer.Option("--all", help="Those of the past, too, and how they ended.")
    ] = False,
    environment: EnvironmentOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the conflicts that the last run saw."""
    from syncd.cli.conflicts import show

    show(context_of(context).app, environment, everything=everything, as_json=as_json)


@conflicts.command("resolve")
def resolve_conflict(
    context: typer.Context,
    user: UserArgument,
    profile: Annotated[
        str, typer.Option("--profile", metavar="NAME", help="Who wins: a profile's name or id.")
    ],
    reason: ReasonOption,
    environment: EnvironmentOption = None,
) -> None:
    """
    Choose the profile that wins for one user.

    It counts as the wanted one until the rules want another than they do now.
    """
    from syncd.cli.conflicts import resolve

    resolve(context_of(context).app, user, profile, reason, environment)


@conflicts.command("withdraw")
def withdraw_choice(
    context: typer.Context,
    user: UserArgument,
    reason: ReasonOption,
    environment: EnvironmentOption = None,
) -> None:
    """Take the choice back; the rules decide again."""
    from syncd.cli.conflicts import withdraw

    withdraw(context_of(context).app, user, reason, environment)


# --- links ----------------------------------------------------------------------------------


@links.command("list")
def list_links(
    context: typer.Context,
    person: Annotated[
        str | None,
        typer.Argument(metavar="[PERSON]", help="Show what is remembered of this person, too."),
    ] = None,
    environment: EnvironmentOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the links set by hand, and with PERSON the rows that are remembered as ours."""
    from syncd.cli.links import show

    show(context_of(context).app, person, environment, as_json=as_json)


@links.command("set")
def set_link(
    context: typer.Context,
    person: PersonArgument,
    user: UserArgument,
    reason: ReasonOption,
    environment: EnvironmentOption = None,
) -> None:
    """
    Say whose user this is. It stands above everything that the sources say.

    When PERSON has left and exactly one other is wanted for USER, the row passes to that one.
    """
    from syncd.cli.links import join

    join(context_of(context).app, person, user, reason, environment)


@links.command("remove")
def remove_link(
    context: typer.Context,
    person: PersonArgument,
    reason: ReasonOption,
    environment: EnvironmentOption = None,
) -> None:
    """
    Take back a link set by hand; without one, end what is remembered of the person.

    Rows whose link ends are no longer ours, until a run adopts them anew.
    """
    from syncd.cli.links import remove

    remove(context_of(context).app, person, reason, environment)


# --- holds ----------------------------------------------------------------------------------


@holds.command("list")
def list_holds(
    context: typer.Context, environment: EnvironmentOption = None, as_json: JsonOption = False
) -> None:
    """Show who is held, why and until when."""
    from syncd.cli.holds import show

    show(context_of(context).app, environment, as_json=as_json)


@holds.command("add")
def add_hold(
    context: typer.Context,
    user: UserArgument,
    reason: ReasonOption,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="The last day, as 2026-03-31 (UTC).")
    ] = None,
    environment: EnvironmentOption = None,
) -> None:
    """Let nothing change for this user, whatever the sources say."""
    from syncd.cli.holds import add

    add(context_of(context).app, user, reason, until, environment)


@holds.command("remove")
def remove_hold(
    context: typer.Context,
    user: UserArgument,
    reason: ReasonOption,
    environment: EnvironmentOption = None,
) -> None:
    """Take a hold back; the next run decides about the user as about everybody."""
    from syncd.cli.holds import remove

    remove(context_of(context).app, user, reason, environment)


# --- sources --------------------------------------------------------------------------------


@sources.command("list")
def list_sources(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show when each source was last read, and whether the read was believed."""
    from syncd.cli.sources import show

    show(context_of(context).app, as_json=as_json)


@sources.command("accept")
def accept_source(context: typer.Context, name: SourceArgument, reason: ReasonOption) -> None:
    """
    Let the next read of a source pass the one finding that its last read failed by.

    It becomes the new baseline.
    """
    from syncd.cli.sources import accept

    accept(context_of(context).app, name, reason)


@sources.command("withdraw")
def withdraw_acceptance(context: typer.Context, name: SourceArgument, reason: ReasonOption) -> None:
    """Take an acceptance back that no read has used yet."""
    from syncd.cli.sources import withdraw

    withdraw(context_of(context).app, name, reason)


@sources.command("check")
def check_sources(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Only this source; otherwise all.")
    ] = None,
    environment: EnvironmentOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Read the sources and say whether a run would believe them; nothing is changed.

    Ends with 4 where it would not.
    """
    from syncd.cli.reads import look

    raise typer.Exit(look(context_of(context), name, environment, as_json=as_json))


@sources.command("preview")
def preview_source(
    context: typer.Context,
    name: SourceArgument,
    people: Annotated[
        int, typer.Option("--people", "-n", min=0, max=20, help="How many people to show.")
    ] = 3,
    rows: Annotated[
        int, typer.Option("--rows", min=0, max=MOST, help="How many rows to look at; 0 means all.")
    ] = 10_000,
    as_json: JsonOption = False,
) -> None:
    """
    Show what the mapping makes of the first rows of a source; nothing is remembered.

    Its first people, how often each field is empty, and the columns that nothing is mapped
    to. What it shows is personal data.
    """
    from syncd.cli.reads import show

    raise typer.Exit(show(context_of(context), name, people=people, rows=rows, as_json=as_json))


# --- passes ---------------------------------------------------------------------------------


@passes.command("list")
def list_passes(
    context: typer.Context, environment: EnvironmentOption = None, as_json: JsonOption = False
) -> None:
    """Show the passes that no run has used yet."""
    from syncd.cli.passes import show

    show(context_of(context).app, environment, as_json=as_json)


@passes.command("grant")
def grant_pass(
    context: typer.Context,
    scope: Annotated[str, typer.Option(help="What it is for: run, or profile:NAME.")],
    most: Annotated[
        int,
        typer.Option(
            "--max", min=1, max=MOST, metavar="N", help="How many risky changes may pass."
        ),
    ],
    expires: Annotated[
        str, typer.Option(metavar="TIME", help="How long it is good for: 30m, 2h, 1d.")
    ],
    reason: ReasonOption,
    environment: EnvironmentOption = None,
) -> None:
    """Raise one scope of the removals gate, for the first run that needs it."""
    from syncd.cli.passes import grant

    grant(context_of(context).app, scope, most, expires, reason, environment)


@passes.command("revoke")
def revoke_pass(
    context: typer.Context,
    number: Annotated[
        int, typer.Argument(metavar="ID", max=MOST, help="As `syncd passes list` shows it.")
    ],
    reason: ReasonOption,
) -> None:
    """Take back a pass that no run has used yet."""
    from syncd.cli.passes import revoke

    revoke(context_of(context).app, number, reason)
