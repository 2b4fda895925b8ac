"""Environments in which too much fails: a few changes at a time, until a run goes well."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from syncd.core.failures import TRIAL, Effort, excessive, next_due
from syncd.core.model import iso
from syncd.core.settings import Failures
from syncd.state import journal
from syncd.state.database import one, rows, run

__all__ = ["Quarantine", "hold", "review", "state"]


@dataclass(frozen=True, slots=True)
class Quarantine:
    """
    Why an environment is quarantined, and when writes are tried next.

    `failed` of `sent` changes failed in the run that last tried; `tries` counts the trials
    since the one that began it. Moments are ISO texts.
    """

    since: str
    cause: str
    failed: int
    sent: int
    tries: int
    due: str


def state(tx: Connection, env: int) -> Quarantine | None:
    """The quarantine of an environment, None if all is well."""
    sql = "SELECT since, cause, failed, sent, tries, due FROM quarantines WHERE env = :env"
    found = rows(tx, sql, env=env)
    return Quarantine(*found[0]) if found else None


def hold(tx: Connection, env: int, plan: str, now: datetime) -> None:
    """Hold all changes of a plan but those that a quarantined environment may try now."""
    found = state(tx, env)
    if found is None:
        return
    beyond = _last_tried(tx, plan) if found.due <= iso(now) else 0
    run(
        tx,
        "UPDATE changes SET held = 'quarantine' "
        "WHERE plan = :plan AND held IS NULL AND number > :beyond",
        plan=plan,
        beyond=beyond,
    )


def _last_tried(tx: Connection, plan: str) -> int:
    """Number of the last change that a trial sends: what relies on it has a higher one."""
    sql = (
        "SELECT max(number) FROM (SELECT number FROM changes "
        "WHERE plan = :plan AND held IS NULL ORDER BY number LIMIT :most) AS trial"
    )
    return int(one(tx, sql, plan=plan, most=TRIAL) or 0)


def review(tx: Connection, env: int, effort: Effort, now: datetime, settings: Failures) -> None:
    """Begin, continue or end a quarantine after what a run tried; the audit log tells each turn."""
    found = state(tx, env)
    if found is None:
        if excessive(effort.failed, effort.sent, settings):
            _keep(
                tx, env, Quarantine(iso(now), effort.cause, effort.failed, effort.sent, 0, iso(now))
            )
            _note(tx, env, now, "quarantine begun", _failed(effort))
    elif effort.ends_quarantine:
        run(tx, "DELETE FROM quarantines WHERE env = :env", env=env)
        done = "1 change" if effort.done == 1 else f"{effort.done} changes"
        _note(tx, env, now, "quarantine ended", f"a run applied {done}, and nothing failed")
    elif effort.failed:
        tries = found.tries + 1
        due = iso(next_due(now, tries, settings))
        _keep(
            tx, env, Quarantine(found.since, effort.cause, effort.failed, effort.sent, tries, due)
        )
        if effort.cause != found.cause:
            _note(
                tx, env, now, "quarantine goes on", f"{_failed(effort)}, not {found.cause} any more"
            )


def _keep(tx: Connection, env: int, found: Quarantine) -> None:
    run(tx, "DELETE FROM quarantines WHERE env = :env", env=env)
    run(
        tx,
        "INSERT INTO quarantines (env, since, cause, failed, sent, tries, due) "
        "VALUES (:env, :since, :cause, :failed, :sent, :tries, :due)",
        env=env, since=found.since, cause=found.cause, failed=found.failed, sent=found.sent,
        tries=found.tries, due=found.due,
    )  # fmt: skip


def _failed(effort: Effort) -> str:
    return f"{effort.failed} of {effort.sent} changes failed, mostly by {effort.cause}"


def _note(tx: Connection, env: int, now: datetime, what: str, why: str) -> None:
    journal.note(tx, iso(now), journal.WHO, what, why, env=env)
