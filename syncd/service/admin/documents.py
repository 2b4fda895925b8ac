"""What API and console show: the documents that the commands print with `--json`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from syncd.app import App
from syncd.core.model import iso
from syncd.engine.explaining import Judge
from syncd.service.admin.board import Board, EnvironmentState
from syncd.service.admin.refusal import Refusal
from syncd.state import inquiry, lookup, observed, overview, views
from syncd.state.aside import aside
from syncd.state.database import Tx
from syncd.state.documents import plan_json
from syncd.state.lease import busy
from syncd.state.views import Document, PlanShown

__all__ = [
    "conflicts",
    "environments",
    "explain",
    "number_of",
    "people",
    "plan",
    "plan_shown",
    "run",
    "runs",
]

GREATEST = 2**31 - 1
"""No number in the state database is greater; a driver may refuse one that is."""
LATELY = 5
"""Lines of the audit log that belong to an explanation."""


def numbers(board: Board, tx: Tx, only: str | None) -> dict[str, int]:
    """Return the environments that runs have met, by name. Raises Refusal for an unknown one."""
    urls = {name: each.url for name, each in board.config.environments.items()}
    if only is not None:
        if only not in urls:
            raise Refusal(404, f"there is no such environment; there are {', '.join(urls)}")
        urls = {only: urls[only]}
    found = {name: lookup.environment_number(tx, name, url) for name, url in urls.items()}
    return {name: number for name, number in found.items() if number is not None}


def number_of(board: Board, tx: Tx, name: str) -> int | None:
    """Return the number of an environment, None if no run has met it yet."""
    return lookup.environment_number(tx, name, board.config.environments[name].url)


# --- environments -------------------------------------------------------------------------------


def environments(board: Board) -> Document:
    """Say how each environment stands: to the daemon, and as of its last run."""
    with board.database.read() as tx:
        now = board.clock()
        known = {name: overview.status(tx, n, now) for name, n in numbers(board, tx, None).items()}
    return {
        "schema": "syncd.environments/1",
        "environments": [
            asdict(state)
            | {"next": dict(state.next), "status": _status(board, state, known.get(state.name))}
            for state in board.environments()
        ],
    }


def _status(board: Board, state: EnvironmentState, found: Document | None) -> Document:
    """Return what `syncd status --json` prints."""
    document: Document = {
        "schema": "syncd.status/1",
        "environment": state.name,
        "url": board.config.environments[state.name].url,
        "known": found is not None,
    }
    if found is None:
        return document
    unfinished = found.pop("unfinished")
    running = unfinished[-1] if unfinished and busy(board.database, state.name) else None
    found["needs"]["interrupted"] = [run for run in unfinished if run is not running]
    last = found.pop("last_run")
    in_sync = None if last is None else last["exit_code"] == 0 and not found["unapplied"]
    return document | {"running": running, "in_sync": in_sync} | found


# --- runs and plans -----------------------------------------------------------------------------


def runs(board: Board, environment: str | None, limit: int) -> Document:
    """Return the newest runs."""
    with board.database.read() as tx:
        envs = list(numbers(board, tx, environment).values())
        return {"schema": "syncd.runs/1", "runs": overview.runs(tx, envs, limit)}


def run(board: Board, number: int) -> Document:
    """Return everything about one run. Raises Refusal."""
    with board.database.read() as tx:
        found = overview.run_shown(tx, number) if number <= GREATEST else None
    if found is None:
        raise Refusal(404, f"there is no run {number}; see the list of runs")
    return found


def plan(board: Board, reference: str) -> Iterator[str]:
    """Give a plan as one JSON document, in pieces, all from one transaction. Raises Refusal."""
    with board.database.read() as tx:
        yield from plan_json(tx, _plan_id(tx, reference))


def plan_shown(board: Board, reference: str, most: int) -> tuple[str, PlanShown]:
    """Return a plan's id, and the plan in groups with at most *most* examples each."""
    with board.database.read() as tx:
        ident = _plan_id(tx, reference)
        return ident, views.plan_shown(tx, ident, most)


def _plan_id(tx: Tx, reference: str) -> str:
    found = views.plans_like(tx, reference)
    if not found:
        raise Refusal(404, "there is no such plan, or it is no longer kept; see the list of runs")
    if len(found) > 1:
        raise Refusal(409, f"{len(found)} plans begin so; write more of the id")
    return found[0][0]


# --- people -------------------------------------------------------------------------------------


def people(board: Board, asked: str, environment: str | None) -> Document:
    """Find whoever is called so: by key, id, object id, employee id, user name or address."""
    found: list[Document] = []
    with board.database.read() as tx:
        for name, env in numbers(board, tx, environment).items():
            for match in inquiry.matches(tx, env, asked):
                user = inquiry.user_facts(tx, env, match.user) if match.user else None
                facts = ("id", "user_name", "full_name", "disabled", "deleted")
                found.append(
                    {
                        "environment": name,
                        "persons": list(match.persons),
                        "user": {fact: user[fact] for fact in facts} if user else None,
                    }
                )
    return {"schema": "syncd.people/1", "people": found}


def explain(board: Board, asked: str, environment: str | None) -> Document:
    """Say why somebody is as they are, in each environment. Raises Refusal."""
    with board.database.read() as tx:
        envs = numbers(board, tx, environment)
    app = App(board.config, board.clock)
    found = [
        each for name, env in envs.items() for each in _explained(board, app, name, env, asked)
    ]
    if not found:
        raise Refusal(404, "neither the sources nor an environment know anybody of that name or id")
    names = [each["environment"] for each in found]
    if len(set(names)) < len(names):
        raise Refusal(409, "several answer to that; search for them, and name one by key or id")
    return {"schema": "syncd.explanations/1", "explanations": found}


def _explained(board: Board, app: App, name: str, env: int, asked: str) -> Iterator[Document]:
    """Judge whoever is meant by what the last run read; it is all forgotten afterwards."""
    with aside(board.database, reading=False) as tx:
        certificates = inquiry.certificates(tx, [each.name for each in board.config.sources])
        ranks = {each.name: each.rank for each in board.config.sources}
        judge = Judge(tx, app.environment(name), env, board.clock(), certificates, ranks)
        for match in judge.matches(asked):
            about = [subject for subject in (*match.persons, match.user) if subject]
            lines = overview.audit(
                tx, [env], users=[match.user] if match.user else None,
                person=None if match.user else match.persons[0], limit=LATELY,
            )  # fmt: skip
            yield judge.explain(match) | {
                "fresh": False,
                "certified": all(each.certified for each in certificates),
                "decisions": overview.rulings_about(tx, env, about),
                "last_plan": overview.last_changes(tx, env, match.persons, match.user),
                "audit": list(lines),
            }


# --- conflicts ----------------------------------------------------------------------------------


def conflicts(board: Board, environment: str | None) -> Document:
    """Return the conflicts that the last run saw, by environment."""
    with board.database.read() as tx:
        found = [
            {"environment": name, "conflicts": _conflicts(tx, env)}
            for name, env in numbers(board, tx, environment).items()
        ]
    return {"schema": "syncd.conflicts/1", "as_of": iso(board.clock()), "environments": found}


def _conflicts(tx: Tx, env: int) -> list[dict[str, Any]]:
    names = {key: profile.name for key, profile in observed.resolve_profiles(tx, env).items()}
    chosen = lookup.choices(tx, env)
    return [
        lookup.clash_shown(clash, names, chosen.get(clash.user))
        for clash in lookup.clashes(tx, env, ended=False)
    ]
