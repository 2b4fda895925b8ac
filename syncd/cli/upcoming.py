"""upcoming: who gains or loses what on days to come, by what was last read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from syncd.cli.options import MOST, EnvironmentOption, JsonOption
from syncd.cli.program import Context, app, context_of
from syncd.cli.render import console, unread
from syncd.cli.turns import turns, write
from syncd.core.errors import UsageError

if TYPE_CHECKING:
    from syncd.state.database import Database
    from syncd.state.views import Document

__all__ = ["upcoming"]

LINES = 100


@app.command()
def upcoming(
    context: typer.Context,
    days: Annotated[
        int, typer.Option("--days", "-d", min=1, max=3660, help="How many days to look ahead.")
    ] = 30,
    environment: EnvironmentOption = None,
    limit: Annotated[
        int,
        typer.Option(
            "--limit", "-n", min=1, max=MOST, help="How many lines at most; --json has all."
        ),
    ] = LINES,
    as_json: JsonOption = False,
) -> None:
    """
    Say who gains or loses what on the days to come, if nothing else changes.

    First and last days, ends of grace, second sightings and ends of holds, by what the last run
    read: neither the sources nor the environment are asked. What is due today is in the plan.
    """
    from syncd.cli import render_upcoming

    shared = context_of(context)
    names = shared.app.names(environment)
    with shared.app.database() as database:

        def work(name: str) -> int:
            document = _ahead(shared, database, name, days)
            if as_json:
                write([json.dumps(document, ensure_ascii=False)])
            else:
                with unread():
                    render_upcoming.show(console(), document, limit)
            return 0

        code = turns(shared, names, work, as_json=False)
    raise typer.Exit(code)


def _ahead(shared: Context, database: Database, name: str, days: int) -> Document:
    """Look ahead in one environment. Raises UsageError where no run has read it yet."""
    from syncd.core.model import iso
    from syncd.engine.planning import Order
    from syncd.engine.upcoming import foresee
    from syncd.state import inquiry
    from syncd.state.circle import apart
    from syncd.state.lookup import environment_number
    from syncd.state.upcoming import known_since

    environment, now = shared.app.environment(name), shared.app.clock()
    with apart(database) as tx:
        env = environment_number(tx, name, environment.url)
        since = None if env is None else known_since(tx, env)
        if env is None or since is None:
            raise UsageError(
                f"{name}: no run has read both sides yet, so nothing is known of days to come; "
                f"first: syncd reconcile --environment {name}"
            )
        read = inquiry.certificates(tx, [each.name for each in shared.app.config.sources])
        coming = foresee(tx, Order(environment, env, now, 0, "", ()), days, since=since)
    return {
        "schema": "syncd.upcoming/1",
        "environment": name,
        "as_of": iso(now),
        "read_on": since.isoformat(),
        "until": coming.last.isoformat(),
        "people": coming.people,
        "not_believed": [each.source for each in read if not each.certified],
        "rules_by_day": coming.by_day,
        "upcoming": list(coming.entries),
    }
