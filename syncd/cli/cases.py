"""What operators decide."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from syncd.cli.program import app, context_of

passes = typer.Typer(no_args_is_help=True, help="Let one larger change through a gate, once.")
app.add_typer(passes, name="passes")


@passes.command()
def grant(
    context: typer.Context,
    scope: Annotated[str, typer.Option(help="run, or profile:NAME.")],
    most: Annotated[int, typer.Option("--max", help="How many risky changes may pass.")],
    expires: Annotated[str, typer.Option(help="How long it is good for: 30m, 2h, 1d.")],
    reason: Annotated[str, typer.Option(help="Why; goes into the audit log.")],
) -> None:
    """Raise one scope of the removals gate, for one run."""
    from syncd.core.model import iso
    from syncd.state import decisions, observed

    shared = context_of(context)
    now = shared.app.clock()
    until = now + timedelta(hours=int(expires[:-1]))
    with shared.app.database() as database, database.durable() as tx:
        for name in shared.app.names(None):
            env = observed.environment(tx, name, shared.app.config.environments[name].url)
            decisions.add(
                tx, decisions.Verb.PASS, scope, env=env, reason=reason, who="me", now=iso(now),
                value=str(most), until=iso(until),
            )
