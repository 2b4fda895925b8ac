"""plan, apply, reconcile."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from syncd.cli.program import app, context_of

EnvironmentOption = Annotated[str | None, typer.Option("--environment", "-e", help="Only this one.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document a line.")]


@app.command()
def reconcile(
    context: typer.Context, environment: EnvironmentOption = None, as_json: JsonOption = False
) -> None:
    """Read, decide, and bring the memberships in step."""
    from syncd.state.documents import plan_json

    code = 0
    shared = context_of(context)
    with shared.app.database() as database:
        for name in shared.app.names(environment):
            with shared.app.reconciler(database, name) as reconciler:
                report = reconciler.reconcile()
            code = max(code, report.exit_code)
            if report.problem:
                print(f"syncd: {report.problem}", file=sys.stderr)
            if as_json:
                out = sys.stdout.write
                out('{"plan": ')
                with database.read() as tx:
                    for piece in plan_json(tx, report.plan):
                        out(piece)
                rest = {
                    "outcomes": {str(k): v for k, v in (report.outcomes or {}).items()},
                    "exit_code": int(report.exit_code),
                }
                out(", " + json.dumps(rest)[1:] + "\n")
    raise typer.Exit(code)
