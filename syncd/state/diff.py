"""
Find whom to look at.

A few statements leave everybody behind who is as wanted and about whom nothing has to
be said. Only the others become cases; `attention` numbers them in canonical order.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import date

from sqlalchemy import Connection

from syncd.core.model import Situation
from syncd.state.advice import reindex
from syncd.state.cases import lay_attention
from syncd.state.database import know, one, rows, run, scratch
from syncd.state.memory import LINK
from syncd.state.revisions import numbers, recall, remember, touch

__all__ = [
    "adopt",
    "attend",
    "keep",
    "kept",
    "left_behind",
    "listed",
    "look",
    "release",
    "settled",
    "unchanged",
]

PRESENT = "s.first_day <= :today AND :today <= s.last_day"
WANTED = f"a.reference IS NOT NULL AND {PRESENT}"
AS_WANTED = (
    "s.quiet = 1 AND s.wanted = 1 AND m.profile = a.profile AND m.flagged = 0 "
    "AND (s.pointer IS NULL OR s.pointer = m.profile)"
)
"""One active row `m` of a plain person `s` has the profile that is wanted; nothing is odd."""

ANSWER = "LEFT JOIN answers a ON a.env = s.env AND a.combo = s.combo"
ROW = "m.env = s.env AND m.user_id = s.user_id AND m.active = 1"
REMEMBERED = (
    "SELECT substr(subject, 3) FROM sightings WHERE env = :env AND subject LIKE 'p:%' "
    "UNION SELECT person FROM pendings WHERE env = :env"
)


def adopt(tx: Connection, env: int, run_number: int, now: str, *, shown: bool) -> int:
    """
    Link the only row of everybody who has exactly what is wanted and is not linked yet.

    With *shown* only rows in the temporary table `shown` are adopted.
    """
    limit = "AND m.id IN (SELECT membership FROM shown)" if shown else ""
    unlinked = (
        "AND NOT EXISTS (SELECT 1 FROM links l WHERE l.env = s.env "
        "AND l.user_id = s.user_id AND l.ended IS NULL) "
        "AND NOT EXISTS (SELECT 1 FROM links l WHERE l.env = s.env "
        "AND l.person = s.person AND l.ended IS NULL) "
    )
    if not one(tx, "SELECT 1 FROM links WHERE env = :env AND ended IS NULL LIMIT 1", env=env):
        unlinked = ""  # a first run: nobody is linked, and a table that is not read fills faster
    empty = not one(tx, "SELECT 1 FROM links LIMIT 1")
    if empty:
        run(tx, "DROP INDEX IF EXISTS links_person")  # it is made faster when all links are there
    adopted = run(
        tx,
        f"INSERT INTO links ({', '.join(LINK)}) "
        "SELECT s.env, s.user_id, m.id, s.person, s.rung, 'adopted', m.profile, :run, :now "
        f"FROM standing s {ANSWER} JOIN memberships m ON {ROW} "
        f"WHERE s.env = :env AND {AS_WANTED} {limit} "
        "AND NOT EXISTS (SELECT 1 FROM memberships o WHERE o.env = s.env "
        f"AND o.user_id = s.user_id AND o.active = 1 AND o.id <> m.id) {unlinked}"
        f"AND s.person NOT IN ({REMEMBERED}) "
        "ON CONFLICT (env, user_id, membership) DO UPDATE SET person = excluded.person, "
        "rung = excluded.rung, origin = excluded.origin, profile = excluded.profile, "
        "run = excluded.run, since = excluded.since, ended = NULL, why = NULL",
        env=env, run=run_number, now=now,
    )  # fmt: skip
    if empty:
        reindex(tx, "links.links_person", "env, person")
        know(tx, "links")
    if adopted:
        touch(tx, f"adopted:{env}")
    return adopted


def attend(
    tx: Connection, env: int, today: date, *, adopted_by: int | None = None, everybody: bool = False
) -> int:
    """
    Number the cases that must be looked at, and return how many there are.

    Whom the run *adopted_by* has just linked by statement is as wanted, and is not looked
    at again. With *everybody* nobody is left behind; the result of a run is the same.
    """
    if everybody or not unchanged(tx, env):
        remember(tx, f"attended:{env}", "")
        look(tx, env, today, adopted_by=adopted_by, everybody=everybody)
    lay_attention(tx)
    run(
        tx,
        "INSERT INTO attention SELECT row_number() OVER "
        "(ORDER BY kind, COALESCE(person, ''), COALESCE(user_id, ''), husk), "
        "kind, person, user_id, husk "
        "FROM (SELECT DISTINCT kind, person, user_id, husk FROM attended WHERE env = :env) n",
        env=env,
    )
    know(tx, "attention")
    return int(one(tx, "SELECT count(*) FROM attention"))


def look(
    tx: Connection, env: int, today: date, *, adopted_by: int | None, everybody: bool = False
) -> None:
    """Look for those who need attention anew."""
    run(tx, "DELETE FROM attended WHERE env = :env", env=env)
    values = {"env": env, "today": today.toordinal(), "run": adopted_by}
    for statement in _everybody() if everybody else _remarkable(adopted_by):
        known = {name: value for name, value in values.items() if f":{name}" in statement}
        run(
            tx,
            "INSERT INTO attended (env, kind, person, user_id, husk) "
            f"SELECT :env, q.* FROM ({statement}) q",
            **known,
        )


def unchanged(tx: Connection, env: int) -> bool:
    """
    Tell whether whoever needed attention in the last run are still all who do.

    What is remembered about people (sightings, pending removals) need not be asked for:
    a run remembers only about those it looked at.
    """
    basis = _basis(tx, env)
    return basis is not None and recall(tx, f"attended:{env}") == basis


def keep(tx: Connection, env: int, counts: Counter[Situation]) -> None:
    """Keep who needed attention, and how many did not, for as long as nothing changes."""
    remember(tx, f"settled:{env}", json.dumps(counts))
    remember(tx, f"attended:{env}", _basis(tx, env) or "")


def release(tx: Connection, env: int, today: date) -> None:
    """
    Leave behind whoever needed attention only for what is `forgotten` by now.

    What is kept is then the same as if everybody had been looked for anew.
    """
    if not unchanged(tx, env) or not one(tx, "SELECT 1 FROM forgotten LIMIT 1"):
        return
    scratch(tx, "released", "person TEXT PRIMARY KEY")
    run(
        tx,
        "INSERT INTO released SELECT DISTINCT a.person FROM attended a "
        "WHERE a.env = :env AND a.kind = 'person' AND a.person IN (SELECT person FROM forgotten) "
        f"AND a.person NOT IN ({REMEMBERED})",
        env=env,
    )
    among = "s.person IN (SELECT person FROM released)"
    for statement in (_unsettled(None), _without_user()):
        sql = (
            "DELETE FROM released WHERE person IN "
            f"(SELECT q.person FROM ({statement} AND {among}) q)"
        )
        values = {"env": env, "today": today.toordinal()}
        run(tx, sql, **{name: value for name, value in values.items() if f":{name}" in sql})
    counts = settled(tx, env, today)
    for table, wanted in (("standing", "wanted"), ("stranded", "0")):
        sql = (
            f"SELECT {wanted} AS wanted, count(*) AS number FROM {table} s "
            f"WHERE s.env = :env AND {among} GROUP BY 1"
        )
        _add(counts, tx, sql, env)
    run(
        tx,
        "DELETE FROM attended WHERE env = :env AND kind = 'person' "
        "AND person IN (SELECT person FROM released)",
        env=env,
    )
    keep(tx, env, counts)


def listed(tx: Connection, env: int) -> tuple[str, str] | None:
    """Return what the list of those who need attention follows from; None if there is none."""
    found = recall(tx, f"attended:{env}")
    if not found:
        return None
    who, _, inputs = found.rpartition(";")
    return who, inputs


def _basis(tx: Connection, env: int) -> str | None:
    """Return what the statements below depend on; None if it is not settled who is who."""
    who = recall(tx, f"standing:{env}")
    inputs = numbers(tx, f"rows:{env}", f"links:{env}", f"answers:{env}")
    return f"{who};{inputs}" if who else None


def _remarkable(adopted_by: int | None) -> list[str]:
    return [_unsettled(adopted_by), *_remembered(), _without_user(), *_around()]


def _everybody() -> list[str]:
    return [
        "SELECT 'person', person, user_id, NULL FROM standing WHERE env = :env",
        "SELECT 'person', person, NULL, NULL FROM stranded WHERE env = :env",
        *_around(),
    ]


def _unsettled(adopted_by: int | None) -> str:
    """People with a user, less those who are as wanted and those who want and have nothing."""
    adopted = (
        "AND NOT EXISTS (SELECT 1 FROM links n WHERE n.env = s.env AND n.user_id = s.user_id "
        "AND n.run = :run AND n.origin = 'adopted' AND n.ended IS NULL) "
    )
    confirmed = (
        f"{AS_WANTED} AND l.membership IS NOT NULL AND NOT EXISTS (SELECT 1 FROM links o "
        "WHERE o.env = s.env AND o.user_id = s.user_id "
        "AND o.membership <> m.id AND o.ended IS NULL)"
    )
    idle = (
        "s.quiet = 1 AND m.id IS NULL AND s.wanted = 0 AND NOT EXISTS "
        "(SELECT 1 FROM links o WHERE o.env = s.env AND o.person = s.person AND o.ended IS NULL)"
    )
    return (
        "SELECT 'person', s.person, s.user_id, NULL "
        f"FROM standing s {ANSWER} LEFT JOIN memberships m ON {ROW} "
        "LEFT JOIN links l ON l.env = s.env AND l.user_id = s.user_id "
        "AND l.membership = m.id AND l.person = s.person AND l.ended IS NULL "
        f"WHERE s.env = :env {adopted if adopted_by is not None else ''}"
        f"AND CASE WHEN {confirmed} THEN 0 WHEN {idle} THEN 0 ELSE 1 END = 1"
    )


def _remembered() -> list[str]:
    """People about whom something is remembered that this run may change."""
    return [
        "SELECT 'person', s.person, s.user_id, NULL FROM standing s "
        f"WHERE s.env = :env AND s.person IN ({REMEMBERED})",
        "SELECT 'person', s.person, NULL, NULL FROM stranded s "
        f"WHERE s.env = :env AND s.person IN ({REMEMBERED})",
    ]


def _without_user() -> str:
    """People without a user who are wanted, or about whom something else must be said."""
    return (
        f"SELECT 'person', s.person, NULL, NULL FROM stranded s {ANSWER} "
        f"WHERE s.env = :env AND (s.quiet = 0 OR ({WANTED}))"
    )


def _around() -> list[str]:
    """Users whom nobody explains, husks, and explained users whose rows are worth a note."""
    nobody = "NOT EXISTS (SELECT 1 FROM standing s WHERE s.env = m.env AND s.user_id = m.user_id)"
    found = (
        "EXISTS (SELECT 1 FROM finds f WHERE f.env = m.env AND f.user_id = m.user_id) "
        "OR EXISTS (SELECT 1 FROM links l WHERE l.env = m.env AND l.user_id = m.user_id "
        "AND l.ended IS NULL)"
    )
    return [
        f"SELECT DISTINCT CASE WHEN {found} THEN 'note' ELSE 'user' END, NULL, m.user_id, NULL "
        f"FROM memberships m WHERE m.env = :env AND m.active = 1 AND {nobody}",
        "SELECT 'husk', NULL, user_id, id FROM husks WHERE env = :env",
        "SELECT DISTINCT 'note', NULL, m.user_id, NULL FROM team_profiles m "
        f"WHERE m.env = :env AND {nobody} AND NOT EXISTS (SELECT 1 FROM memberships r "
        "WHERE r.env = m.env AND r.user_id = m.user_id AND r.active = 1)",
    ]


def settled(tx: Connection, env: int, today: date) -> Counter[Situation]:
    """Count those who were left behind: as wanted, or with nothing to want."""
    if unchanged(tx, env):
        return kept(tx, env)
    counts: Counter[Situation] = Counter()
    _add(
        counts,
        tx,
        "SELECT wanted, count(*) AS number FROM standing WHERE env = :env GROUP BY 1",
        env,
    )
    _add(
        counts,
        tx,
        "SELECT s.wanted, -count(*) AS number FROM attention t JOIN standing s "
        "ON s.env = :env AND s.user_id = t.user_id AND s.person = t.person GROUP BY 1",
        env,
    )
    run(tx, "CREATE INDEX attention_person ON attention (person)")
    _add(
        counts,
        tx,
        f"SELECT CASE WHEN {WANTED} THEN 1 ELSE 0 END AS wanted, count(*) AS number "
        f"FROM stranded s {ANSWER} WHERE s.env = :env "
        "AND NOT EXISTS (SELECT 1 FROM attention t WHERE t.person = s.person) GROUP BY 1",
        env,
        today=today.toordinal(),
    )
    return counts


def kept(tx: Connection, env: int) -> Counter[Situation]:
    """Return how many were left behind when that was last counted."""
    found = json.loads(recall(tx, f"settled:{env}") or "{}")
    return Counter({Situation(name): number for name, number in found.items()})


def left_behind(tx: Connection, env: int, today: date) -> Counter[Situation]:
    """Count likewise those in `circle` who are not listed as needing attention."""
    circle = "person IN (SELECT person FROM circle)"
    scratch(tx, "minded", "person TEXT PRIMARY KEY")
    run(
        tx,
        "INSERT INTO minded SELECT DISTINCT person FROM attended "
        f"WHERE env = :env AND kind = 'person' AND {circle}",
        env=env,
    )
    among = f"WHERE s.env = :env AND s.{circle} AND s.person NOT IN (SELECT person FROM minded)"
    counts: Counter[Situation] = Counter()
    sql = f"SELECT s.wanted, count(*) AS number FROM standing s {among} GROUP BY 1"
    _add(counts, tx, sql, env)
    sql = (
        f"SELECT CASE WHEN {WANTED} THEN 1 ELSE 0 END AS wanted, count(*) AS number "
        f"FROM stranded s {ANSWER} {among} GROUP BY 1"
    )
    _add(counts, tx, sql, env, today=today.toordinal())
    return counts


def _add(counts: Counter[Situation], tx: Connection, sql: str, env: int, **values: object) -> None:
    for row in rows(tx, sql, env=env, **values):
        counts[Situation.CONFIRMED if row.wanted else Situation.IDLE] += row.number
