"""What operators decided (behaviour.md section 11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from syncd.core.model import Profile
from syncd.state.database import rows, run
from syncd.state.journal import note
from syncd.state.revisions import touch

__all__ = ["Ruling", "Verb", "accepted", "add", "passes", "standing_rulings", "use", "withdraw"]


class Verb(StrEnum):
    """What a ruling is about."""

    LINK = "link"
    PROFILE = "profile"
    HOLD = "hold"
    ACCEPT = "accept"
    PASS = "pass"  # noqa: S105  # a pass through a gate


@dataclass(frozen=True, slots=True)
class Ruling:
    """
    One decision of an operator.

    `subject` is a person (link), a user's id (profile, hold), a source (accept) or a
    gate's scope (pass); `value` the user, the profile or the maximum that goes with it.
    """

    id: int
    env: int | None
    verb: Verb
    subject: str
    value: str | None
    against: str | None
    until: str | None
    reason: str
    who: str
    at: str


COLUMNS = "id, env, kind, subject, value, against, until, reason, who, at"


def add(
    tx: Connection,
    verb: Verb,
    subject: str,
    *,
    env: int | None,
    reason: str,
    who: str,
    now: str,
    value: str | None = None,
    against: str | None = None,
    until: str | None = None,
) -> None:
    """Record a decision in place of the one that stands, also in the audit log. Passes add up."""
    if verb is not Verb.PASS:
        _end(tx, verb, subject, env, now, "replaced")
    run(
        tx,
        "INSERT INTO decisions (env, kind, subject, value, against, until, reason, who, at) "
        "VALUES (:env, :kind, :subject, :value, :against, :until, :reason, :who, :now)",
        env=env, kind=str(verb), subject=subject, value=value, against=against, until=until,
        reason=reason, who=who, now=now,
    )  # fmt: skip
    touch(tx, "decisions")
    _audit(tx, verb, subject, f"{verb} set", env=env, reason=reason, who=who, now=now, value=value)


def withdraw(
    tx: Connection, verb: Verb, subject: str, *, env: int | None, reason: str, who: str, now: str
) -> bool:
    """Take a standing decision back, and say so in the audit log. False if there is none."""
    if not _end(tx, verb, subject, env, now, f"withdrawn by {who}: {reason}"):
        return False
    touch(tx, "decisions")
    _audit(tx, verb, subject, f"{verb} withdrawn", env=env, reason=reason, who=who, now=now)
    return True


def _audit(
    tx: Connection,
    verb: Verb,
    subject: str,
    what: str,
    *,
    env: int | None,
    reason: str,
    who: str,
    now: str,
    value: str | None = None,
) -> None:
    person = subject if verb is Verb.LINK else None
    user = subject if verb in (Verb.PROFILE, Verb.HOLD) else None
    user = value if verb is Verb.LINK else user
    after = value if verb is Verb.PROFILE else None
    note(tx, now, who, what, f"{_about(verb, subject, value)}{reason}", env=env, person=person,
         user=user, after=after)  # fmt: skip


def _about(verb: Verb, subject: str, value: str | None) -> str:
    """Say what a decision is about that is neither a person nor a user."""
    match verb:
        case Verb.PASS if value is not None:
            return f"{subject}, at most {value}: "
        case Verb.PASS | Verb.ACCEPT:
            return f"{subject}: "
        case _:
            return ""


def _end(tx: Connection, verb: Verb, subject: str, env: int | None, now: str, how: str) -> int:
    return run(
        tx,
        "UPDATE decisions SET ended = :now, how = :how WHERE kind = :kind AND subject = :subject "
        "AND env IS NOT DISTINCT FROM :env AND ended IS NULL",
        now=now, how=how, kind=str(verb), subject=subject, env=env,
    )  # fmt: skip


def use(tx: Connection, number: int, now: str, how: str) -> None:
    """Note that a decision that is good for once has been used."""
    sql = "UPDATE decisions SET ended = :now, how = :how WHERE id = :id AND ended IS NULL"
    run(tx, sql, now=now, how=how, id=number)


def standing_rulings(tx: Connection, verb: Verb, env: int | None, now: str) -> Sequence[Ruling]:
    """Return the decisions of one kind that hold now."""
    found = rows(
        tx,
        f"SELECT {COLUMNS} FROM decisions WHERE kind = :kind AND ended IS NULL "
        "AND env IS NOT DISTINCT FROM :env ORDER BY id",
        kind=str(verb),
        env=env,
    )
    rulings = [Ruling(row.id, row.env, Verb(row.kind), *tuple(row)[3:]) for row in found]
    return [r for r in rulings if r.until is None or r.until >= now[: len(r.until)]]


def accepted(tx: Connection, now: str) -> dict[str, int]:
    """Return the sources whose next read was accepted, with the number of the decision."""
    return {ruling.subject: ruling.id for ruling in standing_rulings(tx, Verb.ACCEPT, None, now)}


def passes(
    tx: Connection, env: int, now: str, profiles: Mapping[str, Profile]
) -> dict[str, tuple[str, int]]:
    """Return the open passes by a gate's scope: the largest of each, as (number, maximum)."""
    found: dict[str, tuple[str, int]] = {}
    for ruling in standing_rulings(tx, Verb.PASS, env, now):
        most = int(ruling.value or 0)
        for scope in _scopes(ruling.subject, profiles):
            if scope not in found or found[scope][1] < most:
                found[scope] = str(ruling.id), most
    return found


def _scopes(scope: str, profiles: Mapping[str, Profile]) -> list[str]:
    if not scope.startswith("profile:"):
        return [scope]
    name = scope.removeprefix("profile:")
    return [f"profile:{p.id}" for p in profiles.values() if name in (p.name, p.id)]
