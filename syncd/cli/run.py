"""plan, apply, reconcile."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syncd.cli.options import EnvironmentOption, JsonOption, moment
from syncd.cli.program import Context, app, context_of
from syncd.cli.render import console, unread
from syncd.cli.turns import close, code_of, turns, write
from syncd.core.errors import PlanError
from syncd.core.exits import ExitCode, gravest

if TYPE_CHECKING:
    from syncd.cli.progress import Bar
    from syncd.engine.parts import RunReport
    from syncd.state.database import Database, Tx
    from syncd.state.views import PlanShown


@app.command()
def plan(
    context: typer.Context,
    environment: EnvironmentOption = None,
    as_json: JsonOption = False,
    as_of: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="As if it were that day or moment; saves nothing."),
    ] = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 2 if changes are waiting.")
    ] = False,
    show: Annotated[
        str | None, typer.Option(metavar="PLAN", help="Show a plan that was saved, and make none.")
    ] = None,
) -> None:
    """
    Say what would be done, and why; change nothing.

    Both sides are read, everybody is judged, and the plan is saved. Within a day
    [bold]syncd apply PLAN[/bold] does exactly what it shows.
    """
    shared = context_of(context)
    if show is not None:
        _show_saved(shared, show, as_json=as_json)
        return
    at = moment(as_of, "--as-of") if as_of is not None else None
    names = shared.app.names(environment)
    with shared.app.database() as database, _bar() as bar:

        def work(name: str) -> int:
            report = _plan(shared, database, name, bar, at, as_json=as_json, bare=True)
            waiting = ExitCode.FAILED if exit_code and report.planned else ExitCode.DONE
            return gravest([close(shared, report, as_json=as_json), waiting])

        code = turns(shared, names, work, as_json=as_json)
    raise typer.Exit(code)


@app.command()
def apply(
    context: typer.Context,
    plan: Annotated[str, typer.Argument(help="The plan's id, or its beginning.")],
    environment: EnvironmentOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Do exactly what a saved plan shows.

    Both sides are read anew. A change that no longer fits what is there, or is no longer
    wanted, is skipped; nothing is done that the plan does not show.
    """
    shared = context_of(context)
    with shared.app.database() as database, _bar() as bar:
        with database.read() as tx:
            found, name = _find(tx, plan, environment)
        if name not in shared.app.config.environments:
            raise PlanError(f"plan {found} is for {name}, which the configuration does not name")

        def work(name: str) -> int:
            with shared.app.reconciler(database, name, bar) as reconciler:
                report = reconciler.apply(found)
            return _present(shared, database, report, bar, as_json=as_json)

        code = turns(shared, [name], work, as_json=as_json)
    raise typer.Exit(code)


@app.command()
def reconcile(
    context: typer.Context,
    environment: EnvironmentOption = None,
    as_json: JsonOption = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done; save nothing.")
    ] = False,
    delta: Annotated[
        bool,
        typer.Option("--delta", help="Read only what changed, and judge only whom it concerns."),
    ] = False,
) -> None:
    """
    Bring the memberships in step: read, decide, apply.

    Ends with 0 when all is in step; run it as often as you like, a second run right after
    a first changes nothing.
    """
    shared = context_of(context)
    names = shared.app.names(environment)
    with shared.app.database() as database, _bar() as bar:

        def work(name: str) -> int:
            if dry_run:
                now = shared.app.clock()
                report = _plan(shared, database, name, bar, now, as_json=as_json)
                return close(shared, report, as_json=as_json)
            with shared.app.reconciler(database, name, bar) as reconciler:
                report = reconciler.reconcile(delta=delta)
            return _present(shared, database, report, bar, as_json=as_json)

        code = turns(shared, names, work, as_json=as_json)
    raise typer.Exit(code)


def _bar() -> Any:
    from syncd.cli.progress import shown

    return shown()


# --- plans that are not applied --------------------------------------------------------------


def _plan(
    shared: Context,
    database: Database,
    name: str,
    bar: Bar | None,
    at: datetime | None,
    *,
    as_json: bool,
    bare: bool = False,
) -> RunReport:
    """Make a plan and show it; one for a moment *at* is not saved."""
    from syncd.cli import render_run
    from syncd.state import documents, views

    found: list[PlanShown] = []
    with tempfile.SpooledTemporaryFile(8_000_000, mode="w+", encoding="utf-8") as file:

        def view(tx: Tx, plan: str) -> None:
            # What is not saved is gone with the transaction, and nobody may hold that up.
            if as_json:
                file.writelines(documents.plan_json(tx, plan))
            else:
                found.append(views.plan_shown(tx, plan))

        with shared.app.reconciler(database, name, bar) as reconciler:
            report = reconciler.plan(as_of=at, view=view)
        if bar is not None:
            bar.close()
        if as_json:
            file.seek(0)
            pieces = iter(lambda: file.read(65536), "")
            write(pieces if bare else _wrapped(report, pieces, code_of(shared, report)))
        else:
            with unread():
                render_run.show(console(), report, found[0], saved=at is None)
    return report


def _find(tx: Tx, text: str, environment: str | None) -> tuple[str, str]:
    """Return the id and the environment of the one saved plan that is meant. Raises PlanError."""
    from syncd.state.views import plans_like

    found = [p for p in plans_like(tx, text) if environment in (None, p[1])] if text else []
    if not found:
        where = f" for {environment}" if environment else ""
        raise PlanError(f"there is no saved plan {text}{where}; make one: syncd plan")
    if len(found) > 1:
        ids = ", ".join(ident for ident, *_ in found[:5])
        raise PlanError(f"{text} begins the ids of {len(found)} plans ({ids}…); write more of it")
    return found[0][:2]


def _show_saved(shared: Context, text: str, *, as_json: bool) -> None:
    from syncd.cli import render_run
    from syncd.cli.recalled import recall
    from syncd.state import documents, views

    with shared.app.database() as database, database.read() as tx:
        found, _ = _find(tx, text, None)
        if as_json:
            write(documents.plan_json(tx, found))
            return
        shown = views.plan_shown(tx, found)
        report = recall(tx, found, shown)
    with unread():
        render_run.show(console(), report, shown)


# --- runs ---------------------------------------------------------------------------------------


def _present(
    shared: Context, database: Database, report: RunReport, bar: Bar | None, *, as_json: bool
) -> int:
    """Show what a run did, and return its exit code."""
    from syncd.cli import render_run
    from syncd.state import documents, views

    if bar is not None:
        bar.close()
    with database.read() as tx:
        if as_json:
            plan = documents.plan_json(tx, report.plan) if report.plan else iter(["null"])
            write(_wrapped(report, plan, code_of(shared, report)))
        else:
            shown = views.plan_shown(tx, report.plan) if report.plan else None
            with unread():
                render_run.show(console(), report, shown)
    return close(shared, report, as_json=as_json)


def _wrapped(report: RunReport, plan: Iterator[str], code: int) -> Iterator[str]:
    """Put a plan into the document of a run; of one that is only tried there are no outcomes."""
    yield f'{{"environment": {json.dumps(report.environment)}, "plan": '
    yield from plan
    outcomes = {str(result): number for result, number in (report.outcomes or {}).items()}
    rest = {
        "run": report.run,
        **({} if report.run is None else {"outcomes": outcomes}),
        "stopped": report.stopped,
        "problem": report.problem,
        "exit_code": code,
    }
    yield f", {json.dumps(rest, ensure_ascii=False)[1:]}"
