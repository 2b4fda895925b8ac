"""explain, status, runs, audit: what people look at. Nothing here changes anything."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from syncd.cli.options import MOST, EnvironmentOption, JsonOption, LimitOption, moment
from syncd.cli.program import Context, app, context_of
from syncd.cli.render import console, unread
from syncd.cli.turns import turns, write
from syncd.core.errors import UsageError

if TYPE_CHECKING:
    from syncd.state.database import Database, Tx
    from syncd.state.views import Document

LINES = 20


@contextmanager
def _reading(shared: Context, environment: str | None) -> Iterator[tuple[Tx, dict[str, int]]]:
    """Open a transaction for reading, with the numbers of the environments that runs have met."""
    with shared.app.database() as database, database.read() as tx:
        yield tx, _met(shared, tx, environment)


def _met(shared: Context, tx: Tx, environment: str | None) -> dict[str, int]:
    from syncd.state.lookup import environment_number

    urls = {
        name: shared.app.config.environments[name].url for name in shared.app.names(environment)
    }
    found = {name: environment_number(tx, name, url) for name, url in urls.items()}
    return {name: number for name, number in found.items() if number is not None}


# --- explain --------------------------------------------------------------------------------


@app.command()
def explain(
    context: typer.Context,
    user: Annotated[
        str,
        typer.Argument(help="User name, mail, object id, user id, employee id, or person's key."),
    ],
    environment: EnvironmentOption = None,
    as_json: JsonOption = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Read sources and environment anew; remember nothing.")
    ] = False,
) -> None:
    """
    Say why somebody is as they are.

    What the sources say, which rule decides, how the user was found, which rows there are,
    and what the next run would do. Judged by what the last run read, unless [bold]--fresh[/bold].
    """
    shared = context_of(context)
    names = shared.app.names(environment)
    found: list[Document] = []
    with shared.app.database() as database:

        def work(name: str) -> int:
            found.extend(_explain(shared, database, name, user, fresh=fresh))
            return 0

        code = turns(shared, names, work, as_json=False)
    if not found and not code:
        raise UsageError(
            f"{user}: neither the sources nor {' or '.join(names)} know anybody of that name, "
            "address or id; check it, or read anew: syncd explain --fresh"
        )
    ambiguous = _ambiguous(found, user)
    if ambiguous:
        raise UsageError(ambiguous)
    for document in found:
        _show(document, as_json=as_json)
    raise typer.Exit(code)


def _explain(
    shared: Context, database: Database, name: str, asked: str, *, fresh: bool
) -> list[Document]:
    from syncd.core.model import iso
    from syncd.engine.explaining import Judge
    from syncd.engine.parts import Silent
    from syncd.engine.reading import read_sources, read_target
    from syncd.state import inquiry, observed, overview
    from syncd.state.aside import aside

    environment, now = shared.app.environment(name), shared.app.clock()
    with aside(database, reading=fresh) as tx:
        env = observed.environment(tx, name, environment.url)
        if fresh:
            sources = shared.app.sources()
            read = read_sources(tx, environment, sources, iso(now), Silent())
            with shared.app.target(name) as target:
                read_target(tx, environment, env, target, Silent())
        else:
            read = inquiry.certificates(tx, [each.name for each in shared.app.config.sources])
        ranks = {each.name: each.rank for each in shared.app.config.sources}
        judge = Judge(tx, environment, env, now, read, ranks, fresh=fresh)
        documents = []
        for match in judge.matches(asked):
            about = [subject for subject in (*match.persons, match.user) if subject]
            lines = overview.audit(
                tx, [env], users=[match.user] if match.user else None,
                person=None if match.user else match.persons[0], limit=5,
            )  # fmt: skip
            documents.append(
                judge.explain(match)
                | {
                    "fresh": fresh,
                    "certified": all(each.certified for each in read),
                    "decisions": overview.rulings_about(tx, env, about),
                    "last_plan": overview.last_changes(tx, env, match.persons, match.user),
                    "audit": list(lines),
                }
            )
        return documents


def _ambiguous(found: list[Document], asked: str) -> str:
    """List whoever is meant, if that is more than one in some environment."""
    names = [document["environment"] for document in found]
    several = [each for each in found if names.count(each["environment"]) > 1]
    if not several:
        return ""
    lines = [f"{asked}: {len(several)} answer to that; name one by key or id:"]
    for each in several:
        keys = ", ".join(person["key"] for person in each["persons"]) or "nobody in the sources"
        user = each["user"]
        whose = f"user {user['user_name'] or ''} {user['id']}" if user else "no user"
        lines.append(f"  {each['environment']}: {keys}; {whose}")
    return "\n".join(lines)


def _show(document: Document, *, as_json: bool) -> None:
    from syncd.cli import render_person

    if as_json:
        write([json.dumps(document, ensure_ascii=False)])
        return
    with unread():
        render_person.show(console(), document)


# --- status ----------------------------------------------------------------------------------


@app.command()
def status(
    context: typer.Context, environment: EnvironmentOption = None, as_json: JsonOption = False
) -> None:
    """
    Say how each environment stands.

    Is a run going on, when did one last succeed, is it in sync now, and what needs a person.
    """
    from syncd.cli import render_look
    from syncd.state import overview

    shared = context_of(context)
    with shared.app.database() as database:
        with database.read() as tx:
            numbers = _met(shared, tx, environment)
            now = shared.app.clock()
            found = {name: overview.status(tx, env, now) for name, env in numbers.items()}
        for name in shared.app.names(environment):
            document = _status(shared, database, name, found.get(name))
            if as_json:
                write([json.dumps(document, ensure_ascii=False)])
                continue
            with unread():
                render_look.show_status(console(), document)


def _status(shared: Context, database: Database, name: str, found: Document | None) -> Document:
    """Tell a run that is going on from one that was interrupted: only the first holds the lease."""
    from syncd.state.lease import busy

    document: Document = {
        "schema": "syncd.status/1",
        "environment": name,
        "url": shared.app.config.environments[name].url,
        "known": found is not None,
    }
    if found is None:
        return document
    unfinished = found.pop("unfinished")
    running = unfinished[-1] if unfinished and busy(database, name) else None
    found["needs"]["interrupted"] = [run for run in unfinished if run is not running]
    last = found.pop("last_run")
    in_sync = None if last is None else last["exit_code"] == 0 and not found["unapplied"]
    return document | {"running": running, "in_sync": in_sync} | found


# --- runs ------------------------------------------------------------------------------------


@app.command()
def runs(
    context: typer.Context,
    run: Annotated[
        int | None, typer.Argument(max=MOST, help="Its number, to see everything of it.")
    ] = None,
    environment: EnvironmentOption = None,
    limit: LimitOption = LINES,
    as_json: JsonOption = False,
) -> None:
    """List the newest runs, or show one."""
    from syncd.cli import render_look
    from syncd.state import overview

    with _reading(context_of(context), environment) as (tx, numbers):
        found: list[Document] = []
        if run is None:
            found = overview.runs(tx, list(numbers.values()), limit)
        else:
            one = overview.run_shown(tx, run)
            if one is None:
                raise UsageError(f"there is no run {run}; see: syncd runs")
            found = [one]
    if as_json:
        for document in found:
            write([json.dumps(document, ensure_ascii=False)])
        return
    with unread():
        if run is None:
            render_look.show_runs(console(), found)
        else:
            render_look.show_run(console(), found[0])


# --- audit -----------------------------------------------------------------------------------


@app.command()
def audit(
    context: typer.Context,
    user: Annotated[
        str | None, typer.Option(metavar="USER", help="Only this user: name, mail or id.")
    ] = None,
    person: Annotated[
        str | None, typer.Option(metavar="KEY", help="Only this person of the sources.")
    ] = None,
    run: Annotated[int | None, typer.Option(metavar="RUN", max=MOST, help="Only this run.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="Only from this day or moment on.")
    ] = None,
    environment: EnvironmentOption = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", "-n", min=1, max=MOST, help="How many lines; 20 for reading, else all."
        ),
    ] = None,
    as_json: JsonOption = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="As a table for a spreadsheet, with a head.")
    ] = False,
) -> None:
    """Show who did what, why, when, and with which result; the newest first."""
    from syncd.core.model import iso
    from syncd.state import overview

    if limit is None and not (as_json or as_csv):
        limit = LINES
    start = None if since is None else iso(moment(since, "--since"))
    with _reading(context_of(context), environment) as (tx, numbers):
        users = None if user is None else _users(tx, numbers, user)
        lines = overview.audit(
            tx,
            list(numbers.values()),
            users=users,
            person=person,
            run=run,
            since=start,
            limit=limit,
        )
        _show_audit(lines, as_json=as_json, as_csv=as_csv, limit=limit)


def _users(tx: Tx, numbers: dict[str, int], asked: str) -> list[str]:
    """Return the ids that somebody may mean; a user that is gone is known by its id alone."""
    from syncd.core.identity import guid
    from syncd.state import lookup

    found = {each.id for env in numbers.values() for each in lookup.users(tx, env, asked)}
    return sorted(found | {guid(asked)})


def _show_audit(
    lines: Iterator[Document], *, as_json: bool, as_csv: bool, limit: int | None
) -> None:
    from syncd.cli import render_look

    with unread():
        if as_csv:
            render_look.write_csv(sys.stdout, lines)
        elif as_json:
            for line in lines:
                sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
        else:
            render_look.show_audit(console(), list(lines), limit)
