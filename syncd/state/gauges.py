"""How an environment stands, in numbers: a few statements, none of which says who anybody is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from syncd.core.case import Code
from syncd.core.gauges import FLAG_MISSING, FLAG_STALE, Gauges
from syncd.core.model import iso
from syncd.state.database import one, rows

__all__ = ["gauges", "size"]

FULL = ("reconcile", "full")
"""Commands that look at everybody and apply what follows."""
NAMELESS = "unknown"
"""The profile of rows whose profile was not among those read."""
LEFT_BEHIND = "((held IS NOT NULL AND held <> 'escrow') OR result IN ('failed', 'moved'))"
"""A change that its run did not make; those in escrow are counted where they wait."""


def gauges(tx: Connection, env: int, now: datetime) -> Gauges:
    """
    Say how an environment stands.

    Reads the people and rows of the environment once or twice: ask after a run, not for
    every scrape.
    """
    notable = _notable(tx, env)
    judged = notable.get("judged")
    said = json.loads(judged.document or "{}") if judged else {}
    plan = judged.plan if judged else None
    open_conflicts, since = _conflicts(tx, env, plan)
    certificates = _certificates(tx, env, judged.id) if judged else ()
    escrow, dead, tried = _escrow(tx, env)
    rulings = _rulings(tx, env, iso(now))
    attempts, successes = _jobs(tx, env)
    full = notable.get("full success")
    return Gauges(
        people=said.get("situations", {}),
        planned=_planned(tx, plan),
        pending=_pending(tx, plan),
        conflicts=open_conflicts,
        conflicts_since=since,
        disagreements=_disagreements(tx, env, plan),
        gates=_gates(said.get("gates", ())),
        certified={row.source: bool(row.certified) for row in certificates},
        source_rows={row.source: row.rows for row in certificates},
        certified_at={row.source: _at(row.read) for row in certificates if row.read},
        escrow=escrow,
        profiles=_profiles(tx, env),
        attempts=attempts,
        successes=successes,
        full_success=_at(full.finished) if full else None,
        behind_since=min([*_behind(tx, env, notable.get("clean")), *tried], default=None),
        dead_letters=dead,
        held_users=rulings.get("hold", 0),
        passes_open=rulings.get("pass", 0),
        waiting_joiners=_joiners(tx, env, now),
        missed_by_delta=_missed(notable.get("full")),
        quarantined=one(tx, "SELECT 1 FROM quarantines WHERE env = :env", env=env) is not None,
    )


def size(tx: Connection) -> int:
    """Return how many bytes the state database takes; without what waits in SQLite's log."""
    if tx.dialect.name == "postgresql":
        return int(one(tx, "SELECT pg_database_size(current_database())"))
    return int(one(tx, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"))


# --- runs -----------------------------------------------------------------------------------


def _notable(tx: Connection, env: int) -> dict[str, Any]:
    """The newest run that came to judge, that left nothing to do, and full ones."""
    kinds = {
        "judged": "finished IS NOT NULL AND plan IS NOT NULL",
        "clean": "exit_code = 0 AND NOT EXISTS "
        f"(SELECT 1 FROM changes c WHERE c.plan = r.plan AND {LEFT_BEHIND})",
        "full": f"plan IS NOT NULL AND finished IS NOT NULL AND command IN {FULL}",
        "full success": f"exit_code = 0 AND command IN {FULL}",
    }
    newest = (
        f"SELECT '{kind}' AS kind, (SELECT r.id FROM runs r WHERE r.env = :env AND {condition} "
        "ORDER BY r.id DESC LIMIT 1) AS id"
        for kind, condition in kinds.items()
    )
    found = rows(
        tx,
        f"SELECT k.kind, r.* FROM runs r JOIN ({' UNION ALL '.join(newest)}) k ON k.id = r.id",
        env=env,
    )
    return {row.kind: row for row in found}


def _behind(tx: Connection, env: int, clean: Any) -> list[float]:
    """When the first run began that left something to do, if every later one did, too."""
    first = one(
        tx,
        "SELECT started FROM runs WHERE env = :env AND finished IS NOT NULL AND id > :id "
        "ORDER BY id LIMIT 1",
        env=env,
        id=clean.id if clean else 0,
    )
    return [_at(first)] if first else []


def _missed(full: Any) -> int:
    """What a full run said that deltas had missed."""
    return int(json.loads(full.document or "{}").get("missed_by_delta") or 0) if full else 0


def _gates(said: Sequence[Mapping[str, Any]]) -> dict[str, bool]:
    """Whether each gate tripped in any of its scopes."""
    return {
        name: any(gate["tripped"] for gate in said if gate["gate"] == name)
        for name in sorted({str(gate["gate"]) for gate in said})
    }


def _certificates(tx: Connection, env: int, run: int) -> Sequence[Any]:
    """Each source in a run, and when it was last read and believed."""
    return rows(
        tx,
        "SELECT n.source, n.certified, n.rows, (SELECT r.started FROM certificates c "
        "JOIN runs r ON r.id = c.run WHERE c.source = n.source AND c.certified = 1 "
        "AND r.env = :env ORDER BY c.run DESC LIMIT 1) AS read "
        "FROM certificates n WHERE n.run = :run",
        env=env,
        run=run,
    )


# --- the last plan ----------------------------------------------------------------------------


def _planned(tx: Connection, plan: str | None) -> dict[str, int]:
    """Changes by action."""
    sql = "SELECT action AS name, count(*) AS number FROM changes WHERE plan = :plan GROUP BY 1"
    return _counts(tx, sql, plan=plan)


def _pending(tx: Connection, plan: str | None) -> dict[str, int]:
    """What is pending, by reason."""
    return _counts(
        tx,
        f"SELECT {_said(tx, 'reason')} AS name, count(*) AS number FROM items i "
        "WHERE i.plan = :plan AND i.kind = 'pending' GROUP BY 1",
        plan=plan,
    )


def _open(tx: Connection) -> str:
    """The open conflicts of a plan: number, user, code."""
    return (
        f"SELECT i.number, {_said(tx, 'user')} AS user_id, {_said(tx, 'code')} AS code "
        "FROM items i WHERE i.plan = :plan AND i.kind = 'conflicts' "
        f"AND {_said(tx, 'open')} = {'1' if tx.dialect.name == 'sqlite' else repr('true')}"
    )


def _conflicts(
    tx: Connection, env: int, plan: str | None
) -> tuple[dict[str, int], dict[str, float]]:
    """Open conflicts by code: how many, and since when there is one."""
    found = rows(
        tx,
        f"SELECT o.code, count(DISTINCT o.number) AS number, min(c.first) AS first "
        f"FROM ({_open(tx)}) o LEFT JOIN conflicts c ON c.env = :env AND c.user_id = o.user_id "
        "AND c.code = o.code AND c.ended IS NULL GROUP BY 1",
        env=env,
        plan=plan,
    )
    counts = {row.code: row.number for row in found}
    return counts, {row.code: _at(row.first) for row in found if row.first}


def _disagreements(tx: Connection, env: int, plan: str | None) -> dict[str, int]:
    """Active rows whose flag is not as the open conflicts of their user want it."""
    direct = ", ".join(f"'{code}'" for code in Code if code.direct)
    found = _counts(
        tx,
        f"SELECT '{FLAG_STALE}' AS name, count(*) AS number FROM memberships m "
        "WHERE m.env = :env AND m.active = 1 AND m.flagged = 1 AND m.user_id NOT IN "
        f"(SELECT o.user_id FROM ({_open(tx)}) o WHERE o.code <> '{Code.SERVER_FLAG_ONLY}') "
        f"UNION ALL SELECT '{FLAG_MISSING}', count(*) FROM "
        f"(SELECT DISTINCT o.user_id FROM ({_open(tx)}) o WHERE o.code IN ({direct})) c "
        # The conflicts are few: SQLite keeps the order of a CROSS JOIN.
        "CROSS JOIN memberships m WHERE m.env = :env AND m.user_id = c.user_id "
        "AND m.active = 1 AND m.flagged = 0",
        env=env,
        plan=plan,
    )
    return {name: number for name, number in found.items() if number}


# --- as it is now -----------------------------------------------------------------------------


def _profiles(tx: Connection, env: int) -> dict[str, int]:
    """Active rows by the name of their profile."""
    found = rows(
        tx,
        "SELECT p.name, m.number FROM (SELECT profile, count(*) AS number FROM memberships "
        "WHERE env = :env AND active = 1 GROUP BY profile) m "
        "LEFT JOIN profiles p ON p.env = :env AND p.id = m.profile "
        "UNION ALL SELECT name, 0 FROM profiles WHERE env = :env AND published = 1",
        env=env,
    )
    counts: Counter[str] = Counter()
    for row in found:
        counts[row.name or NAMELESS] += row.number
    return dict(counts)


def _joiners(tx: Connection, env: int, now: datetime) -> int:
    """People who are wanted and have no active row, with a user or without."""
    return int(
        one(
            tx,
            "SELECT (SELECT count(*) FROM standing s WHERE s.env = :env AND s.wanted = 1 "
            "AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.env = :env "
            "AND m.user_id = s.user_id AND m.active = 1)) "
            "+ (SELECT count(*) FROM stranded s JOIN answers a ON a.env = s.env "
            "AND a.combo = s.combo WHERE s.env = :env AND a.reference IS NOT NULL "
            "AND s.first_day <= :today AND :today <= s.last_day)",
            env=env,
            today=now.date().toordinal(),
        )
    )


def _escrow(tx: Connection, env: int) -> tuple[dict[str, int], int, list[float]]:
    """Rows in escrow by cause, dead letters, and the first try of the oldest."""
    found = rows(
        tx,
        "SELECT cause, CASE WHEN dead IS NULL THEN 0 ELSE 1 END AS dead, count(*) AS number, "
        "min(first) AS first FROM escrow WHERE env = :env AND discarded IS NULL GROUP BY 1, 2",
        env=env,
    )
    causes = {row.cause: row.number for row in found if not row.dead}
    dead = sum(row.number for row in found if row.dead)
    return causes, dead, [_at(row.first) for row in found]


def _rulings(tx: Connection, env: int, now: str) -> dict[str, int]:
    """Holds and passes that stand now."""
    return _counts(
        tx,
        "SELECT kind AS name, count(DISTINCT CASE WHEN kind = 'hold' THEN subject "
        "ELSE CAST(id AS TEXT) END) AS number FROM decisions WHERE env = :env AND ended IS NULL "
        "AND kind IN ('hold', 'pass') "
        "AND (until IS NULL OR until >= substr(CAST(:now AS TEXT), 1, length(until))) GROUP BY 1",
        env=env,
        now=now,
    )


def _jobs(tx: Connection, env: int) -> tuple[dict[str, float], dict[str, float]]:
    """When each job last began, and when it last succeeded."""
    found = rows(tx, "SELECT job, started, succeeded FROM jobs WHERE env = :env", env=env)
    return (
        {row.job: _at(row.started) for row in found if row.started},
        {row.job: _at(row.succeeded) for row in found if row.succeeded},
    )


# --- parts ------------------------------------------------------------------------------------


def _counts(tx: Connection, sql: str, **values: object) -> dict[str, int]:
    return {row.name: row.number for row in rows(tx, sql, **values)}


def _said(tx: Connection, name: str) -> str:
    """Write what a remark says under a name; both databases can look into JSON."""
    if tx.dialect.name == "sqlite":
        return f"json_extract(i.body, '$.{name}')"
    return f"(CAST(i.body AS json) ->> '{name}')"


def _at(moment: str) -> float:
    """Return a moment as seconds since 1970."""
    return datetime.fromisoformat(moment).timestamp()
