"""What runs did, how an environment stands, and the audit log: for people who look."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from syncd.state import archive, capabilities, escrow, quarantine
from syncd.state.database import one, rows, stream
from syncd.state.views import BECAME, Document

__all__ = ["audit", "last_changes", "rulings_about", "run_shown", "runs", "status"]

FULL = ("reconcile", "full")
"""Commands that look at everybody and apply what follows."""


# --- runs ---------------------------------------------------------------------------------------

RUN = (
    "SELECT r.id, e.name AS environment, r.command, r.started, r.finished, r.plan, r.exit_code, "
    "r.document FROM runs r JOIN environments e ON e.id = r.env"
)


def runs(tx: Connection, envs: Sequence[int], limit: int) -> list[Document]:
    """Return the newest runs of some environments."""
    among = ", ".join(str(int(env)) for env in envs) or "NULL"
    sql = f"{RUN} WHERE r.env IN ({among}) ORDER BY r.id DESC LIMIT :limit"
    return [_run(row) for row in rows(tx, sql, limit=limit)]


def run_shown(tx: Connection, number: int) -> Document | None:
    """Return everything about one run, None if there is none of that number."""
    found = rows(tx, f"{RUN} WHERE r.id = :number", number=number)
    if not found:
        return None
    document = _run(found[0])
    document["certificates"] = _certificates(tx, number)
    sql = "SELECT what, result, count(*) AS number FROM (SELECT what, CASE WHEN result LIKE '%:%' "
    sql += "THEN substr(result, 1, 7) ELSE result END AS result FROM audit WHERE run = :number) a "
    found = rows(tx, f"{sql} GROUP BY 1, 2 ORDER BY 1, 2", number=number)
    document["actions"] = [
        {"action": row.what, "result": row.result.rstrip(":"), "count": row.number} for row in found
    ]
    return document


def _run(row: Any) -> Document:
    """Return what a run did; nobody measured how long one took whose process was killed."""
    said = json.loads(row.document) if row.document else {}
    return {
        "run": row.id,
        "environment": row.environment,
        "command": row.command,
        "started": row.started,
        "finished": row.finished,
        "plan": row.plan,
        "exit_code": row.exit_code,
        "situations": said.get("situations", {}),
        "outcomes": said.get("outcomes", {}),
        "gates": said.get("gates", []),
        "problem": said.get("problem"),
        "recovered": said.get("recovered", 0),
        "seconds": said.get("seconds"),
        "killed": row.finished is not None and "seconds" not in said,
    }


def _certificates(tx: Connection, number: int) -> list[Document]:
    sql = (
        "SELECT source, certified, rows, findings, notes FROM certificates "
        "WHERE run = :run ORDER BY source"
    )
    return [
        {
            "source": row.source,
            "certified": bool(row.certified),
            "rows": row.rows,
            "findings": json.loads(row.findings),
            **({"notes": notes} if (notes := json.loads(row.notes or "[]")) else {}),
        }
        for row in rows(tx, sql, run=number)
    ]


# --- one environment ------------------------------------------------------------------------------


def status(tx: Connection, env: int, now: datetime) -> Document:
    """
    Say of an environment when runs were, what the last one left, and what needs a person.

    `unfinished` are runs without an end: one of them may still be going on. How people stand
    and what of them needs a person is by the last run that *judged* them: one that reached
    nobody changed nothing of it.
    """
    last = _latest(tx, env, "r.finished IS NOT NULL")
    judged = _latest(tx, env, "r.finished IS NOT NULL AND r.plan IS NOT NULL")
    quarantined = quarantine.state(tx, env)
    return {
        "unfinished": [
            {"run": row.id, "command": row.command, "started": row.started}
            for row in rows(
                tx, f"{RUN} WHERE r.env = :env AND r.finished IS NULL ORDER BY r.id", env=env
            )
        ],
        "last_attempt": _latest(tx, env, "true"),
        "last_run": last,
        "last_success": _when(_latest(tx, env, "r.exit_code = 0")),
        "last_full_success": _when(_latest(tx, env, f"r.exit_code = 0 AND r.command IN {FULL}")),
        "judged": judged["run"] if judged else None,
        "situations": judged["situations"] if judged else {},
        "unapplied": _unapplied(last),
        "quarantine": None if quarantined is None else asdict(quarantined),
        "needs": _needs(tx, env, judged, last),
        "limits": capabilities.shown(tx, env, now),
    }


def _latest(tx: Connection, env: int, condition: str) -> Document | None:
    sql = f"{RUN} WHERE r.env = :env AND {condition} ORDER BY r.id DESC LIMIT 1"
    found = rows(tx, sql, env=env)
    return _run(found[0]) if found else None


def _when(run: Document | None) -> str | None:
    return None if run is None else str(run["finished"])


def _unapplied(last: Document | None) -> dict[str, int]:
    outcomes = last["outcomes"] if last else {}
    return {name: outcomes[name] for name in ("held", "failed", "moved") if outcomes.get(name)}


def _needs(tx: Connection, env: int, judged: Document | None, last: Document | None) -> Document:
    plan = judged["plan"] if judged else None
    found = (_certificates(tx, each["run"]) for each in (last, judged) if each)
    certificates = next(filter(None, found), [])
    reports = _count(tx, plan, "reports", "situation")
    return {
        "pending": _count(tx, plan, "pending", "reason"),
        "reports": reports,
        "conflicts": _count(tx, plan, "conflicts", "code"),
        "gates": [gate for gate in (judged["gates"] if judged else []) if gate["tripped"]],
        "certificates": [each for each in certificates if not each["certified"]],
        "failed": escrow.tallies(tx, env),
        "unsettled": int(
            one(tx, "SELECT count(*) FROM journal WHERE env = :env AND settled IS NULL", env=env)
        ),
    }


def _count(tx: Connection, plan: str | None, kind: str, name: str) -> dict[str, int]:
    """Count the remarks of one kind by one of their values; of conflicts only open ones."""
    counts: Counter[str] = Counter()
    for body in archive.items(tx, plan, kind) if plan else ():
        remark = json.loads(body)
        if remark.get("open", True):
            counts[remark[name]] += 1
    return dict(sorted(counts.items()))


# --- the audit log ----------------------------------------------------------------------------

SEEN = """EXISTS (SELECT 1 FROM conflicts f WHERE f.env = l.env AND f.user_id = l.user_id
         AND f.code = '{}' AND l.since BETWEEN f.first AND f.last)"""
"""Whether a user had a conflict when a row of theirs was adopted."""

AUDIT = f"""
SELECT a.*, e.name AS environment, u.user_name,
       COALESCE(b.name, a.before) AS before_name, COALESCE(c.name, a.after) AS after_name
FROM (
  SELECT at, env, run, who, what, person, user_id, membership, before, after, why, result, id
  FROM audit
  UNION ALL
  SELECT since, env, run, 'syncd', 'adopt', person, user_id, membership, profile, profile,
         CASE WHEN {SEEN.format("MULTI_PROFILE_DIRECT")} THEN 'SURPLUS'
         WHEN {SEEN.format("DUPLICATE_PAIR")} THEN 'DUPLICATE'
         ELSE 'FOUND' END || ': found by ' || rung, 'done', 0
  FROM links l WHERE origin = 'adopted'
) a
LEFT JOIN environments e ON e.id = a.env
LEFT JOIN users u ON u.env = a.env AND u.id = a.user_id
LEFT JOIN profiles b ON b.env = a.env AND b.id = a.before
LEFT JOIN profiles c ON c.env = a.env AND c.id = a.after
"""


def audit(
    tx: Connection,
    envs: Sequence[int],
    *,
    users: Sequence[str] | None = None,
    person: str | None = None,
    run: int | None = None,
    since: str | None = None,
    limit: int | None = None,
) -> Iterator[Document]:
    """
    Give lines of the audit log, the newest first; rows that were adopted are among them.

    *users* are ids. What an operator decided for every environment belongs to each.
    """
    among = ", ".join(str(int(env)) for env in envs) or "NULL"
    conditions = [f"(a.env IN ({among}) OR a.env IS NULL)"]
    values: dict[str, object] = {}
    if users is not None:
        marks = {f"user{place}": user for place, user in enumerate(users)}
        conditions.append(f"a.user_id IN ({', '.join(f':{mark}' for mark in marks) or 'NULL'})")
        values |= marks
    wanted = (("a.person = :person", person), ("a.run = :run", run), ("a.at >= :since", since))
    for condition, value in wanted:
        if value is not None:
            conditions.append(condition)
            values[condition.rpartition(":")[2]] = value
    sql = f"{AUDIT} WHERE {' AND '.join(conditions)} ORDER BY a.at DESC, a.id DESC, a.membership"
    if limit is not None:
        sql, values["limit"] = f"{sql} LIMIT :limit", limit
    for row in stream(tx, sql, **values):
        yield {
            "at": row.at,
            "environment": row.environment,
            "run": row.run,
            "who": row.who,
            "what": row.what,
            "person": row.person,
            "user": row.user_id,
            "user_name": row.user_name,
            "membership": row.membership,
            "profile_before": row.before_name,
            "profile_after": row.after_name,
            "why": row.why,
            "result": row.result,
        }


# --- about one person or user -----------------------------------------------------------------


def rulings_about(tx: Connection, env: int, subjects: Sequence[str]) -> list[Document]:
    """Return what operators decided about somebody and did not withdraw."""
    found = rows(
        tx,
        "SELECT d.*, p.name AS profile_name FROM decisions d LEFT JOIN profiles p "
        "ON p.env = d.env AND p.id = d.value WHERE d.env = :env AND d.ended IS NULL "
        "AND d.kind IN ('link', 'profile', 'hold') ORDER BY d.id",
        env=env,
    )
    return [
        {
            "kind": row.kind,
            "subject": row.subject,
            "value": row.profile_name or row.value,
            "until": row.until,
            "reason": row.reason,
            "who": row.who,
            "at": row.at,
        }
        for row in found
        if row.subject in subjects
    ]


def last_changes(
    tx: Connection, env: int, persons: Sequence[str], user: str | None
) -> list[Document]:
    """Return what the last run's plan had for somebody, and what became of it."""
    names = {f"person{place}": person for place, person in enumerate(persons)}
    among = ", ".join(f":{name}" for name in names) or "NULL"
    found = rows(
        tx,
        f"SELECT c.action, {BECAME} AS became, c.detail, r.id AS run FROM runs r "
        "JOIN changes c ON c.plan = r.plan WHERE r.id = "
        "(SELECT max(id) FROM runs WHERE env = :env AND plan IS NOT NULL) "
        f"AND (c.person IN ({among}) OR c.user_id = :user) ORDER BY c.number",
        env=env,
        user=user,
        **names,
    )
    return [
        {"run": row.run, "action": row.action, "result": row.became, "detail": row.detail}
        for row in found
    ]
