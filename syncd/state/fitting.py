"""
Place those whose evidence finds one user only, though not all of it answers.

Where many users lack a column (`employeeid` is often empty), comparing a person with the user
leaves everybody in doubt. Whom each rung finds is known by then: who finds nobody else, and
contends with nobody, need not be loaded.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from syncd.core.model import Rung
from syncd.core.settings import Policy
from syncd.state.database import know, one, run, scratch

__all__ = ["fit"]

STANDING_LINK = "l.env = :env AND l.person = s.person AND l.ended IS NULL"


def fit(tx: Connection, env: int, policy: Policy) -> None:
    """
    List in `fitting` who is placed by this, and take them out of `placeless`.

    Reads what `standing` left: `unclear`, `doubtful`, `placeless` and `hits`. Everybody is
    left out about whom or whose user more must be known.
    """
    scratch(tx, "fitting", "person TEXT PRIMARY KEY, user_id TEXT, finding TEXT, rung TEXT")
    _list_sole(tx, policy.match)
    if not one(tx, "SELECT 1 FROM sole LIMIT 1"):
        return
    # Several links of different rungs: which of them counts, the core says.
    run(
        tx,
        "INSERT INTO fitting SELECT s.person, s.user_id, 'linked', min(l.rung) FROM sole s "
        f"CROSS JOIN links l WHERE {STANDING_LINK} GROUP BY s.person, s.user_id "
        "HAVING min(l.user_id) = max(l.user_id) AND min(l.user_id) = s.user_id "
        "AND min(l.rung) = max(l.rung)",
        env=env,
    )
    run(
        tx,
        f"INSERT INTO fitting SELECT s.person, s.user_id, 'decided', {_rung(policy.match)} "
        f"FROM sole s WHERE s.place < {len(policy.match)} "
        f"AND NOT EXISTS (SELECT 1 FROM links l WHERE {STANDING_LINK})",
        env=env,
    )
    _leave_contended(tx, env, policy)
    run(tx, "DELETE FROM placeless WHERE person IN (SELECT person FROM fitting)")


def _list_sole(tx: Connection, match: Sequence[Rung]) -> None:
    """
    List who finds one user only, by the first rung that does.

    Whoever was placed and taken out again may be among them: why, is looked at here once more.
    """
    scratch(tx, "special", "person TEXT PRIMARY KEY")
    run(tx, "INSERT INTO special SELECT person FROM unclear EXCEPT SELECT person FROM doubtful")
    know(tx, "special")
    scratch(tx, "sole", "person TEXT PRIMARY KEY, user_id TEXT, place INTEGER")
    run(
        tx,
        f"INSERT INTO sole SELECT h.person, min(h.user_id), min({_place(match)}) "
        "FROM hits h JOIN placeless x ON x.person = h.person "
        "WHERE NOT EXISTS (SELECT 1 FROM special t WHERE t.person = h.person) "
        "GROUP BY h.person HAVING min(h.user_id) = max(h.user_id)",
    )
    know(tx, "sole")


def _place(match: Sequence[Rung]) -> str:
    """Return the place of a hit's rung on the ladder; behind its end where it is not there."""
    cases = " ".join(f"WHEN '{rung}' THEN {place}" for place, rung in enumerate(match))
    return f"CASE h.rung {cases} ELSE {len(match)} END"


def _rung(match: Sequence[Rung]) -> str:
    cases = " ".join(f"WHEN {place} THEN '{rung}'" for place, rung in enumerate(match))
    return f"CASE s.place {cases} END"


def _leave_contended(tx: Connection, env: int, policy: Policy) -> None:
    """
    Leave those to the core who would share a user, or whose user is held or protected.

    Whoever is loaded and claims a user contends with whom that user was given, too
    (`claims.settle`): nobody is left out here for that.
    """
    scratch(tx, "contended", "user_id TEXT PRIMARY KEY")
    others = [
        "SELECT user_id FROM fitting GROUP BY user_id HAVING count(*) > 1",
        "SELECT s.user_id FROM fitting f CROSS JOIN standing s "
        "WHERE s.env = :env AND s.user_id = f.user_id",
        "SELECT subject FROM decisions WHERE env = :env AND kind = 'hold' AND ended IS NULL",
    ]
    if policy.protected:
        others.append(
            "SELECT u.id FROM fitting f CROSS JOIN users u WHERE u.env = :env AND u.id = f.user_id "
            "AND (u.login IN (SELECT value FROM protected) "
            "OR u.object_id IN (SELECT value FROM protected))"
        )
    for sql in others:
        values = {"env": env} if ":env" in sql else {}
        run(tx, f"INSERT INTO contended {sql} ON CONFLICT DO NOTHING", **values)
    run(tx, "DELETE FROM fitting WHERE user_id IN (SELECT user_id FROM contended)")
