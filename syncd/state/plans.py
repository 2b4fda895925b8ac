"""Write a plan: its changes and remarks in canonical order, ids of new rows, what gates hold."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection

from syncd.core.case import Case, Context, Decision, Step, Why
from syncd.core.gates import Verdict
from syncd.core.ids import membership_id
from syncd.core.model import Action, Membership, User
from syncd.state.cases import Subject
from syncd.state.database import bulk, know, one, rows, run, scratch, stream
from syncd.state.revisions import numbers, recall, remember

__all__ = [
    "Spool",
    "base",
    "counts",
    "follow",
    "free",
    "hold",
    "item",
    "name_creates",
    "sendable",
    "suspend",
    "user_of",
    "withheld",
]

CHANGE = (
    "plan",
    "number",
    "action",
    "person",
    "user_id",
    "user_name",
    "membership",
    "before",
    "after",
    "version",
    "situation",
    "reason",
    "title",
    "rung",
)
NAME_LENGTH = 100
_canonical = msgspec.json.Encoder(order="sorted").encode


class Spool:
    """Writes the changes and remarks of one plan, in canonical order."""

    def __init__(self, tx: Connection, plan: str, context: Context | None) -> None:
        self.tx, self.plan, self.context = tx, plan, context
        self.number = 0
        self._places: dict[str, int] = defaultdict(int)

    def changes(self, decided: Sequence[tuple[Subject, Decision]]) -> None:
        """Write the changes of some cases."""
        bulk(
            self.tx,
            "changes",
            CHANGE,
            [
                self._change(subject, decision, step)
                for subject, decision in decided
                for step in decision.steps
            ],
        )

    def _change(self, subject: Subject, decision: Decision, step: Step) -> Sequence[object]:
        self.number += 1
        case, row = subject.case, step.row
        user = user_of(case, row)
        gives_nothing = step.action in (Action.CREATE, Action.REACTIVATE)
        title = None
        if step.action is Action.CREATE and user:
            who = user.full_name or user.user_name or user.id
            profile = self.context.profile_name(step.after) if self.context else step.after
            title = f"{who} | {profile}"[:NAME_LENGTH]
        return (
            self.plan,
            self.number,
            str(step.action),
            case.person,
            user.id if user else None,
            user.user_name if user else None,
            row.id if row else "",
            None if row is None or gives_nothing else row.profile,
            step.after,
            row.version if row else None,
            str(decision.situation),
            step.reason,
            title,
            str(subject.rung) if subject.rung else None,
        )

    def remark(self, kind: str, bodies: Iterable[dict[str, Any]]) -> None:
        """Write remarks of one kind: pending, reports, saved, conflicts, adopted."""
        written = []
        for body in bodies:
            self._places[kind] += 1
            written.append((self.plan, kind, self._places[kind], item(body)))
        bulk(self.tx, "items", ("plan", "kind", "number", "body"), written)


def user_of(case: Case, row: Membership | None) -> User | None:
    """Return whose row a change is about: the case's user, or one found for the person before."""
    if row is None or row.user is None or (case.user and row.user == case.user.id):
        return case.user
    return next((user for user in case.others if user.id == row.user), case.user)


def item(body: dict[str, Any]) -> str:
    """Write a remark as canonical JSON."""
    return _canonical(body).decode()


def name_creates(tx: Connection, plan: str, env: int, space: UUID) -> None:
    """Give every created row the id that follows from its user; the next one if a row has it."""
    pending = [
        (row.number, row.user_id)
        for row in rows(
            tx,
            "SELECT number, user_id FROM changes WHERE plan = :plan AND action = 'create' "
            "AND membership = '' ORDER BY number",
            plan=plan,
        )
    ]
    attempt = 1
    while pending:
        scratch(tx, "naming", "id TEXT PRIMARY KEY, number INTEGER")
        names = {number: membership_id(space, user, attempt) for number, user in pending}
        bulk(tx, "naming", ("id", "number"), ((name, number) for number, name in names.items()))
        run(tx, "CREATE INDEX naming_number ON naming (number)")
        know(tx, "naming")
        taken = {
            row.number
            for table in ("memberships", "husks")
            for row in rows(
                tx,
                f"SELECT n.number FROM {table} m CROSS JOIN naming n "
                "WHERE m.env = :env AND n.id = m.id",
                env=env,
            )
        }
        run(
            tx,
            "UPDATE changes SET membership = "
            "(SELECT n.id FROM naming n WHERE n.number = changes.number) "
            "WHERE plan = :plan AND number IN (SELECT number FROM naming)",
            plan=plan,
        )
        pending = [(number, user) for number, user in pending if number in taken]
        attempt += 1


def base(tx: Connection, env: int) -> dict[str, int]:
    """Count the active rows that are ours, by profile."""
    basis = numbers(tx, f"rows:{env}", f"links:{env}", f"adopted:{env}")
    kept = json.loads(recall(tx, f"base:{env}") or "{}")
    if kept.get("basis") != basis:
        found = rows(
            tx,
            "SELECT m.profile, count(*) AS number FROM links l JOIN memberships m "
            "ON m.env = l.env AND m.user_id = l.user_id AND m.id = l.membership "
            "WHERE l.env = :env AND l.ended IS NULL AND m.active = 1 GROUP BY m.profile",
            env=env,
        )
        kept = {"basis": basis, "rows": {row.profile: row.number for row in found}}
        remember(tx, f"base:{env}", json.dumps(kept))
    counted: dict[str, int] = kept["rows"]
    return counted


def counts(tx: Connection, plan: str) -> list[tuple[Action, str | None, str | None, int]]:
    """Count the changes of a plan by action and profiles."""
    found = rows(
        tx,
        "SELECT action, before, after, count(*) AS number FROM changes WHERE plan = :plan "
        "GROUP BY action, before, after",
        plan=plan,
    )
    return [(Action(row.action), row.before, row.after, row.number) for row in found]


def sendable(tx: Connection, plan: str) -> dict[Action, int]:
    """Count the changes of a plan that nothing holds, by action."""
    found = rows(
        tx,
        "SELECT action, count(*) AS number FROM changes WHERE plan = :plan AND held IS NULL "
        "GROUP BY action",
        plan=plan,
    )
    return {Action(row.action): row.number for row in found}


def hold(tx: Connection, plan: str, verdict: Verdict) -> None:
    """Hold what the gates stop, and every unflag that relies on it."""
    stopped = [action for action in Action if verdict.holds(action)]
    if not stopped:
        return
    actions = ", ".join(f"'{action}'" for action in stopped)
    run(
        tx,
        f"UPDATE changes SET held = 'gate' WHERE plan = :plan AND action IN ({actions})",
        plan=plan,
    )
    run(
        tx,
        "UPDATE changes SET held = 'gate' WHERE plan = :plan AND action = 'unflag' AND user_id IN "
        "(SELECT user_id FROM changes WHERE plan = :plan AND held IS NOT NULL)",
        plan=plan,
    )


def suspend(tx: Connection, plan: str, actions: Collection[Action]) -> int:
    """Hold the actions that must wait because of the time of day."""
    if not actions:
        return 0
    among = ", ".join(f"'{action}'" for action in sorted(actions))
    return run(
        tx,
        "UPDATE changes SET held = 'blackout' "
        f"WHERE plan = :plan AND held IS NULL AND action IN ({among})",
        plan=plan,
    )


def follow(tx: Connection, plan: str, reason: str) -> None:
    """Hold what relies on a change held for *reason*: removals on a gain, unflags on anything."""
    for needing, needed in (
        ("IN ('remove', 'deactivate')", "AND action IN ('create', 'move', 'reactivate')"),
        ("= 'unflag'", ""),
    ):
        run(
            tx,
            f"UPDATE changes SET held = :reason WHERE plan = :plan AND held IS NULL "
            f"AND action {needing} AND user_id IN "
            f"(SELECT user_id FROM changes WHERE plan = :plan AND held = :reason {needed})",
            plan=plan,
            reason=reason,
        )


def free(tx: Connection, plan: str, scope: str) -> bool:
    """Whether any risky change of a gate's scope is not held."""
    profile = scope.removeprefix("profile:")
    risky = ", ".join(f"'{action}'" for action in Action if action.risky)
    sql = f"SELECT 1 FROM changes WHERE plan = :plan AND held IS NULL AND action IN ({risky})"
    if profile == scope:
        return one(tx, f"{sql} LIMIT 1", plan=plan) is not None
    return one(tx, f"{sql} AND before = :before LIMIT 1", plan=plan, before=profile) is not None


def withheld(tx: Connection, plan: str, env: int) -> Iterator[dict[str, Any]]:
    """
    Give what is held as pending.

    Of what a gate holds, these are the removals and moves. `next_try` is there for a change
    that failed: when it is tried again, null for one that is given up.
    """
    for row in stream(
        tx,
        "SELECT c.person, c.user_id, c.membership, c.situation, c.held, e.membership AS failed, "
        "e.due, e.dead, e.discarded FROM changes c LEFT JOIN escrow e ON e.env = :env "
        "AND e.membership = c.membership AND e.action = c.action "
        "WHERE c.plan = :plan AND c.held IS NOT NULL AND (c.action IN "
        "('remove', 'deactivate', 'move') OR c.held <> 'gate' "
        "AND (c.action <> 'unflag' OR e.membership IS NOT NULL)) ORDER BY c.number",
        plan=plan,
        env=env,
    ):
        body = {
            "person": row.person,
            "user": row.user_id,
            "membership": row.membership,
            "situation": row.situation,
            "reason": row.held,
            "due": None,
        }
        if row.held == Why.ESCROW and row.failed:
            body["next_try"] = None if row.dead or row.discarded else row.due
        yield body
